"""StepPlan: everything that determines the steps of training, as one value."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from linreg_cli.config.schema import Config, TrainConfig
from linreg_cli.errors import SettingError
from linreg_cli.optim.losses import Loss
from linreg_cli.optim.row_order import Blocks, Full, Given, RowOrder, block_count
from linreg_cli.optim.schedules import schedule
from linreg_cli.ranks.shards import Shards
from linreg_cli.wording import plural


@dataclass(frozen=True)
class StepPlan:
    """The rows and the learning rate of each step, and the update rule.

    Steps, epochs and batches are numbered from 0. The row order and the learning rate are functions of the epoch alone,
    so training can start at any step: `locate` gives its epoch and batch.

    Attributes:
        n_samples: rows of the train split.
        batch_size: rows per step, at most `n_samples`; the last batch of an epoch may be smaller.
        epochs: passes over the train split.
        shuffle: whether each epoch has a new random row order; else rows come as given.
        seed: of the row orders.
        loss: the loss of a batch.
        learning_rate: epoch -> learning rate.
        momentum: as in torch.optim.SGD; the first buffer is the gradient itself, without dampening.
        dampening: as in torch.optim.SGD.
        weight_decay: as in torch.optim.SGD: `weight_decay * parameter` is added to each gradient, also of the bias.
        nesterov: as in torch.optim.SGD.
        n_blocks: of a shuffled order that takes one block of rows after the other; None: rows of all of the table.
        shards: that sums over rows are added up by; None: the order of the sums is that of the executor.
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
    n_blocks: int | None = None
    shards: Shards | None = None

    def __post_init__(self) -> None:
        assert 1 <= self.batch_size <= self.n_samples, (self.batch_size, self.n_samples)

    @classmethod
    def from_config(cls, config: Config, n_samples: int, n_columns: int) -> "StepPlan":
        """The plan of a config for a train split of `n_samples` rows and `n_columns` features and targets.

        A batch size above `n_samples` means the full batch. As long as they are not decided, a learning rate of `auto`
        counts as 1 and a momentum of `auto` as 0.

        Raises:
            SettingError: at `train.blocks`, for more blocks than rows.
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
            shuffle=train.shuffle is not False,
            seed=config.seed,
            loss=Loss(config.loss, config.huber_delta),
            learning_rate=schedule(optimizer),
            momentum=optimizer.momentum,
            dampening=optimizer.dampening,
            weight_decay=optimizer.weight_decay,
            nesterov=optimizer.nesterov,
            n_blocks=_n_blocks(train, n_samples, n_columns),
            shards=None if train.shards is None else Shards(n_samples, train.shards),
        )

    @property
    def is_full_batch(self) -> bool:
        """Whether every step sees every row."""
        return self.batch_size == self.n_samples

    @property
    def steps_per_epoch(self) -> int:
        """Batches per epoch, including a smaller last one."""
        return math.ceil(self.n_samples / self.batch_size)

    @property
    def total_steps(self) -> int:
        """Steps of all epochs."""
        return self.epochs * self.steps_per_epoch

    def locate(self, step: int) -> tuple[int, int]:
        """(epoch, batch within the epoch) of a step.

        With `step` as the number of steps taken, the end of an epoch is batch 0 of the next one.
        """
        return divmod(step, self.steps_per_epoch)

    @cached_property
    def rows(self) -> RowOrder:
        """The row order. A full batch has all rows in every step, so it takes them as given."""
        if not self.shuffle or self.is_full_batch:
            return Given()
        if self.n_blocks is not None:
            return Blocks(self.n_samples, self.seed, self.n_blocks)
        return Full(self.n_samples, self.seed)

    def row_order(self, epoch: int, dtype: torch.dtype = torch.int64) -> Tensor | None:
        """`rows.of(epoch, dtype)`: positions in the train split, shape (n_samples,); None: as given."""
        return self.rows.of(epoch, dtype)

    def batches(self, start: int, stop: int) -> Iterator[npt.NDArray[np.int64]]:
        """The positions in the train split of the batches of some steps, of which those in memory are a few pieces.

        Args:
            start: the first step.
            stop: one past the last.

        >>> plan = StepPlan(5, batch_size=2, epochs=2, shuffle=False, seed=0, loss=Loss("mse"), learning_rate=float)
        >>> [rows.tolist() for rows in plan.batches(1, 4)]
        [[2, 3], [4], [0, 1]]
        """
        per_epoch = self.steps_per_epoch
        for epoch in range(start // per_epoch, -(-stop // per_epoch)):
            pieces, begin, held = self.rows.pieces(epoch), 0, np.zeros(0, dtype=np.int64)
            for batch in range(max(start - epoch * per_epoch, 0), min(stop - epoch * per_epoch, per_epoch)):
                first, last = self.batch_bounds(batch)
                if pieces is None:
                    yield np.arange(first, last)
                    continue
                found = [held[max(first - begin, 0) : max(last - begin, 0)].copy()]
                while begin + len(held) < last:
                    begin, held = begin + len(held), next(pieces)
                    found.append(held[max(first - begin, 0) : max(last - begin, 0)].copy())
                yield np.concatenate(found)

    def batch_bounds(self, batch: int) -> tuple[int, int]:
        """The first position of a batch in the row order of an epoch, and one past the last."""
        start = batch * self.batch_size
        return start, min(start + self.batch_size, self.n_samples)


def _n_blocks(train: TrainConfig, n_samples: int, n_columns: int) -> int | None:
    """The number of blocks of the row order; None for an order without blocks.

    Raises:
        SettingError: at `train.blocks`, for more blocks than rows.
    """
    if train.shuffle != "blocks":
        return None
    if train.blocks is not None and train.blocks > n_samples:
        rows = plural(n_samples, "row")
        message = f"{train.blocks:,} blocks are more than the {rows} of the train split; leave it out, or set fewer"
        raise SettingError(("train", "blocks"), message)
    return train.blocks or block_count(n_samples, n_columns, 8 if train.dtype == "float64" else 4)


def not_quadratic(plan: StepPlan) -> str | None:
    """Why the steps of a plan are not affine maps of parameters and momentum; None if they are."""
    return None if plan.loss.is_squared else f"the loss {plan.loss.name} is not a sum of squares"


def not_from_moments(plan: StepPlan) -> str | None:
    """Why the steps of a plan cannot be computed from second moments of the rows; None if they can."""
    if reason := not_quadratic(plan):
        return reason
    if not plan.is_full_batch:
        return f"a batch of {plan.batch_size} rows is not the full batch of {plan.n_samples}"
    return None
