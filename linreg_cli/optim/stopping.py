"""When to stop before the last epoch."""

import math
from dataclasses import dataclass
from typing import NamedTuple


class Distance(NamedTuple):
    """How far a state is from the exact optimum of the train loss.

    Attributes:
        gap: (loss - optimum) / optimum, or relative to the best constant's loss; None where that is not finite.
        certified: an upper bound on the gap, rounding included; None where there is none.
        relative_to: `optimum` or `constant`.
    """

    gap: float | None
    certified: float | None
    relative_to: str

    def within(self, stop_gap: float) -> str | None:
        """Why to stop, if the gap is certified below `stop_gap`.

        >>> Distance(1e-4, 1.1e-4, "optimum").within(1e-3)
        "the gap to the optimum's loss is certified to be 0.00011 or less, below train.stop_gap: 0.001"
        """
        if self.certified is None or not self.certified < stop_gap:
            return None
        base = "optimum's loss" if self.relative_to == "optimum" else "optimum, relative to the best constant's loss,"
        return (
            f"the gap to the {base} is certified to be {self.certified:.3g} or less, below train.stop_gap: {stop_gap:g}"
        )


@dataclass
class EarlyStopping:
    """Stop after `patience` epochs in which the monitored loss did not fall by more than `min_delta`.

    >>> stopping = EarlyStopping(patience=2)
    >>> [stopping.update(epoch, loss) for epoch, loss in enumerate([3.0, 2.0, 2.0, 2.5])]
    [False, False, False, True]

    Attributes:
        patience: epochs without an improvement after which to stop.
        min_delta: a fall of at most this is no improvement.
        best: the lowest loss so far.
        best_epoch: its epoch.
    """

    patience: int
    min_delta: float = 0.0
    best: float = math.inf
    best_epoch: int = 0

    def update(self, epoch: int, loss: float) -> bool:
        """Take note of an epoch's loss; true if training should stop."""
        if loss < self.best - self.min_delta:
            self.best, self.best_epoch = loss, epoch
        return self.exhausted(epoch)

    def exhausted(self, epoch: int) -> bool:
        """Whether training should stop after `epoch`, whose loss is taken note of."""
        return epoch - self.best_epoch >= self.patience
