"""Learning rate by epoch, in closed form, so that any epoch's rate is known without the ones before it.

The names and the parameters are those of torch.optim.lr_scheduler, stepped once an epoch.
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from linreg_cli.config.schema import OptimizerConfig

Schedule = Callable[[int], float]


def schedule(config: "OptimizerConfig", epochs: int) -> Schedule:
    """epoch (from 0) -> learning rate.

    constant: lr. step (StepLR): lr gamma^floor(epoch / step_size). exponential (ExponentialLR): lr gamma^epoch.
    cosine (CosineAnnealingLR): eta_min + (lr - eta_min) (1 + cos(pi epoch / T_max)) / 2.
    """
    lr, options = float(config.lr), config.schedule
    if options.kind == "step":
        return lambda epoch: lr * options.gamma ** (epoch // options.step_size)
    if options.kind == "exponential":
        return lambda epoch: lr * options.gamma**epoch
    if options.kind == "cosine":
        return lambda epoch: options.eta_min + (lr - options.eta_min) * (1 + math.cos(math.pi * epoch / options.T_max)) / 2
    return lambda epoch: lr
