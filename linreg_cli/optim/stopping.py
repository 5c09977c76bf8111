"""When to stop before the last epoch."""

import math
from dataclasses import dataclass


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
