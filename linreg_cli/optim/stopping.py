"""Criteria for stopping before the last epoch: a certified gap, and early stopping."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from linreg_cli.wording import exact

if TYPE_CHECKING:
    from torch import Tensor


#: A relative gap of at most this is that of the exact fit: coefficients are then within a fraction of a standard error.
_EXACT = 1e-9


class Distance(NamedTuple):
    """The distance of a state from the exact optimum of the train loss.

    Attributes:
        gap: (loss - optimum) / optimum, or (loss - optimum) / (loss of the best constant) where the optimum is zero
            within rounding error; None where it is not finite.
        certified: an upper bound on the gap to the optimum of the table as given, not rounded to float32, that includes
            rounding errors; None where there is none, or none was asked for.
        relative_to: the denominator of the gap, `optimum` or `constant`.
        certified_relative_to: that of the certified gap.
    """

    gap: float | None
    certified: float | None
    relative_to: str
    certified_relative_to: str = "optimum"

    def within(self, stop_gap: float) -> str | None:
        """The reason to stop if the gap is certified to be below `stop_gap`, else None.

        >>> Distance(1e-4, 1.1e-4, "optimum").within(1e-3)
        "the gap to the optimum's loss is certified to be below train.stop_gap (0.001)"
        >>> Distance(1e-14, 1.1e-14, "optimum").within(1e-12)
        'the exact fit is reached'
        """
        if self.certified is None or not self.certified < stop_gap:
            return None
        if stop_gap <= _EXACT:
            return "the exact fit is reached"
        base = "optimum's loss"
        if self.certified_relative_to == "constant":
            base = "optimum, relative to the best constant's loss,"
        return f"the gap to the {base} is certified to be below train.stop_gap ({exact(stop_gap)})"


@dataclass
class EarlyStopping:
    """Early stopping: stop after `patience` epochs without a decrease of the loss by more than `min_delta`.

    >>> stopping = EarlyStopping(patience=2)
    >>> [stopping.update(epoch, loss) for epoch, loss in enumerate([3.0, 2.0, 2.0, 2.5])]
    [False, False, False, True]

    Attributes:
        patience: epochs without an improvement after which to stop.
        min_delta: a decrease of at most this is no improvement, in units of the loss.
        keeps_best: whether the parameters of the best epoch are kept, to be restored at the end.
        best: the lowest loss so far.
        best_epoch: the epoch of `best`.
        kept: the parameters after that epoch, by name; None where they are not kept, and before the first epoch.
    """

    patience: int
    min_delta: float = 0.0
    keeps_best: bool = False
    best: float = math.inf
    best_epoch: int = 0
    kept: "dict[str, Tensor] | None" = None

    def update(self, epoch: int, loss: float) -> bool:
        """Record the loss of an epoch; true if training should stop."""
        if loss < self.best - self.min_delta:
            self.best, self.best_epoch = loss, epoch
        return self.exhausted(epoch)

    def exhausted(self, epoch: int) -> bool:
        """Whether training should stop after `epoch`, whose loss has been recorded."""
        return epoch - self.best_epoch >= self.patience
