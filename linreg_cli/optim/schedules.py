"""Learning rate schedules in closed form, so that the rate of an epoch does not depend on earlier ones.

Names and parameters are those of torch.optim.lr_scheduler, stepped once per epoch.
"""

import math
from collections.abc import Callable

from linreg_cli.config.schema import (
    CosineSchedule,
    ExponentialSchedule,
    OptimizerConfig,
    ScheduleConfig,
    StepSchedule,
)

Schedule = Callable[[int], float]


def schedule(config: OptimizerConfig) -> Schedule:
    """The learning rate as a function of the epoch, from 0.

    constant: lr. step (StepLR): lr gamma^floor(epoch / step_size). exponential (ExponentialLR): lr gamma^epoch.
    cosine (CosineAnnealingLR): eta_min + (lr - eta_min) (1 + cos(pi epoch / T_max)) / 2.

    >>> rate = schedule(OptimizerConfig(lr=0.1, schedule=ExponentialSchedule(kind="exponential", gamma=0.5)))
    >>> rate(0), rate(2)
    (0.1, 0.025)
    """
    lr, options = float(config.lr), config.schedule
    if isinstance(options, StepSchedule):
        return lambda epoch: lr * _power(options.gamma, epoch // options.step_size)
    if isinstance(options, ExponentialSchedule):
        return lambda epoch: lr * _power(options.gamma, epoch)
    if isinstance(options, CosineSchedule):
        low, half_period = options.eta_min, options.T_max
        return lambda epoch: low + (lr - low) * (1 + math.cos(math.pi * epoch / half_period)) / 2
    return lambda epoch: lr


def extreme_rates(options: ScheduleConfig, rate: Schedule, epochs: int) -> tuple[float, float]:
    """The lowest and the highest learning rate of a number of epochs.

    Every schedule is monotone in the epoch, and cosine is so up to T_max, where it turns: so the extremes are at the
    first epoch, the last one and T_max.

    Args:
        options: of the schedule.
        rate: epoch -> learning rate, from `schedule`.
        epochs: at least 1.

    >>> config = OptimizerConfig(lr=1.0, schedule=CosineSchedule(kind="cosine", T_max=4))
    >>> extreme_rates(config.schedule, schedule(config), 6)
    (0.0, 1.0)
    """
    turning = [options.T_max] if isinstance(options, CosineSchedule) else []
    rates = [rate(epoch) for epoch in (0, epochs - 1, *(min(epoch, epochs - 1) for epoch in turning))]
    return min(rates), max(rates)


def _power(gamma: float, exponent: int) -> float:
    try:
        return gamma**exponent
    except OverflowError:  # a gamma above 1: training diverges and reports it
        return math.inf
