"""Learning rate by epoch, in closed form, so that any epoch's rate is known without the ones before it.

The names and the parameters are those of torch.optim.lr_scheduler, stepped once an epoch.
"""

import math
from collections.abc import Callable

from linreg_cli.config.schema import CosineSchedule, ExponentialSchedule, OptimizerConfig, StepSchedule

Schedule = Callable[[int], float]


def schedule(config: OptimizerConfig) -> Schedule:
    """epoch (from 0) -> learning rate.

    constant: lr. step (StepLR): lr gamma^floor(epoch / step_size). exponential (ExponentialLR): lr gamma^epoch.
    cosine (CosineAnnealingLR): eta_min + (lr - eta_min) (1 + cos(pi epoch / T_max)) / 2.
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


def _power(gamma: float, exponent: int) -> float:
    try:
        return gamma**exponent
    except OverflowError:  # a gamma above 1; training diverges, and says so
        return math.inf
