"""StepPlan: everything that determines the steps, as one value."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from linreg_cli.config.schema import Config
from linreg_cli.optim.losses import Loss
from linreg_cli.optim.row_order import Full, Given, RowOrder
from linreg_cli.optim.schedules import schedule


@dataclass(frozen=True)
class StepPlan:
    """Which rows each step sees, at which rate, and how the parameters move.

    Steps, epochs and batches are numbered from 0. Both the order of the rows and the rate are functions of the epoch
    alone, so any step can be entered from its number: `locate` says where in which epoch it is.

    Attributes:
        n_samples: rows of the train split.
        batch_size: rows a step, at most `n_samples`; the last batch of an epoch may be smaller.
        epochs: passes over the train split.
        shuffle: a new random order each epoch, or the order as given.
        seed: of the row orders.
        loss: the loss of a batch.
        learning_rate: epoch -> rate.
        momentum: as in torch.optim.SGD; the first buffer is the gradient itself.
        dampening: as in torch.optim.SGD.
        weight_decay: as in torch.optim.SGD: `weight_decay * parameter` is added to each gradient, the bias's too.
        nesterov: as in torch.optim.SGD.
    """

    n_samples: int
    batch_size: int
    epochs: int
    shuffle: bool
    seed: int
    loss: Loss
    learning_rate: Callable[[int], float]
    momentum: float = 0.0
    dampening: float = 0.0
    weight_decay: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        assert 1 <= self.batch_size <= self.n_samples, (self.batch_size, self.n_samples)

    @classmethod
    def from_config(cls, config: Config, n_samples: int) -> "StepPlan":
        """The plan that a config describes for a train split of `n_samples` rows; a larger batch is the full batch.

        Until a number is chosen, a rate of `auto` counts as 1 and a momentum of `auto` as 0.
        """
        train, optimizer = config.train, config.optimizer
        batch_size = n_samples if train.batch_size == "full" else min(train.batch_size, n_samples)
        undecided = {key: value for key, value in (("lr", 1.0), ("momentum", 0.0)) if getattr(optimizer, key) == "auto"}
        optimizer = optimizer.model_copy(update=undecided)
        assert optimizer.momentum != "auto"
        return cls(
            n_samples=n_samples,
            batch_size=batch_size,
            epochs=train.epochs,
            shuffle=train.shuffle,
            seed=config.seed,
            loss=Loss(config.loss, config.huber_delta),
            learning_rate=schedule(optimizer),
            momentum=optimizer.momentum,
            dampening=optimizer.dampening,
            weight_decay=optimizer.weight_decay,
            nesterov=optimizer.nesterov,
        )

    @property
    def is_full_batch(self) -> bool:
        """Whether every step sees every row."""
        return self.batch_size == self.n_samples

    @property
    def steps_per_epoch(self) -> int:
        """Batches of an epoch, the partial last one included."""
        return math.ceil(self.n_samples / self.batch_size)

    @property
    def total_steps(self) -> int:
        """Steps of all epochs."""
        return self.epochs * self.steps_per_epoch

    def locate(self, step: int) -> tuple[int, int]:
        """The epoch that a step belongs to, and which batch of it the step is.

        At the end of an epoch, `step` being the number of steps taken, that is batch 0 of the next one.
        """
        return divmod(step, self.steps_per_epoch)

    @cached_property
    def rows(self) -> RowOrder:
        """The order of the rows. A full batch sees every row at once, so that its order is left as given."""
        if not self.shuffle or self.is_full_batch:
            return Given()
        return Full(self.n_samples, self.seed)

    def row_order(self, epoch: int, dtype: torch.dtype = torch.int64) -> Tensor | None:
        """`rows.of(epoch, dtype)`: positions in the train split, shape (n_samples,); None: as given."""
        return self.rows.of(epoch, dtype)

    def batch_bounds(self, batch: int) -> tuple[int, int]:
        """First position and one past the last position, in the epoch's row order, of a batch."""
        start = batch * self.batch_size
        return start, min(start + self.batch_size, self.n_samples)


def not_from_moments(plan: StepPlan) -> str | None:
    """Why second moments of the rows do not determine the steps of a plan, or None if they do."""
    if not plan.loss.is_squared:
        return f"the loss {plan.loss.name} is not a sum of squares"
    if not plan.is_full_batch:
        return f"a batch of {plan.batch_size} rows is not the full batch of {plan.n_samples}"
    return None
