"""The loss of each batch as training goes along, thinned to a bounded number of points that keep the extremes."""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

#: Bins of consecutive steps; of each the lowest and the highest loss are kept.
MAX_BINS = 2_000
#: Steps whose losses wait to be put into bins: doing so one short epoch at a time would cost more than the epoch.
_TOGETHER = 16_384


class BatchLosses:
    """The losses of the batches of a run, each before the update of its step.

    A bin has a power of two of steps, as few as give at most `MAX_BINS` bins, so the points depend on the losses and
    the number of steps alone, and those of a shorter run are binned again without a loss.

    Args:
        total_steps: of the run.

    >>> losses = BatchLosses(4_000)
    >>> losses.add(0, np.array([3.0, 2.0, 5.0]))
    >>> losses.points().tolist()
    [[0.0, 3.0], [1.0, 2.0], [2.0, 5.0]]
    """

    def __init__(self, total_steps: int) -> None:
        self._width = 1
        while -(-total_steps // self._width) > MAX_BINS:
            self._width *= 2
        n_bins = -(-total_steps // self._width)
        self._values = np.array([[np.inf], [-np.inf]]).repeat(n_bins, axis=1)  # the lowest and the highest of each bin
        self._steps = np.zeros((2, n_bins))
        self._waiting: list[tuple[int, Array]] = []
        self._n_waiting = 0

    def add(self, start: int, losses: Array) -> None:
        """Take over the losses of some steps.

        Args:
            start: the first step, from 0.
            losses: shape (n_steps,), in scaled units; those that are not finite are left out. Not to be changed later.
        """
        self._waiting.append((start, losses))
        self._n_waiting += len(losses)
        if self._n_waiting >= _TOGETHER:
            self._bin()

    def restore(self, points: Array) -> None:
        """Take over the points of an earlier part of the run, shape (n, 2)."""
        for step, loss in points.tolist():
            self._keep(np.array([int(step) // self._width]), np.array([[loss], [loss]]), np.array([[step], [step]]))

    def points(self) -> Array:
        """Steps done before the batch and its loss, in the order of the steps, shape (n, 2)."""
        self._bin()
        used = np.isfinite(self._values)
        steps, first = np.unique(self._steps[used], return_index=True)
        return np.stack([steps, self._values[used][first]], axis=1)

    def text(self) -> str:
        """The points as a CSV; numbers have the digits that reading them back exactly takes."""
        return "step,loss\n" + "".join(f"{int(step)},{loss!r}\n" for step, loss in self.points().tolist())

    def _bin(self) -> None:
        """Put the steps that wait into their bins; they follow each other."""
        if not self._n_waiting:
            return
        start, losses = self._waiting[0][0], np.concatenate([losses for _, losses in self._waiting])
        self._waiting.clear()
        self._n_waiting = 0
        width, before = self._width, start % self._width
        bins = np.arange(start // width, (start + len(losses) - 1) // width + 1)
        values, steps = np.empty((2, len(bins))), np.empty((2, len(bins)))
        padded = np.full(len(bins) * width, np.nan)
        padded[before : before + len(losses)] = losses
        table, rows = padded.reshape(-1, width), np.arange(len(bins))
        for side, nothing in enumerate((np.inf, -np.inf)):
            known = np.where(np.isfinite(table), table, nothing)
            at = known.argmin(axis=1) if side == 0 else known.argmax(axis=1)
            values[side], steps[side] = known[rows, at], bins * width + at
        self._keep(bins, values, steps)

    def _keep(self, bins: npt.NDArray[np.int64], values: Array, steps: Array) -> None:
        """Keep what is beyond the extremes of some bins, each of which is named once."""
        for side, beyond in enumerate((np.less, np.greater)):
            better = beyond(values[side], self._values[side, bins])
            self._values[side, bins[better]] = values[side, better]
            self._steps[side, bins[better]] = steps[side, better]
