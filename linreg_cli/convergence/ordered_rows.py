"""The rows of a run whose order repeats, along the curved eigenvectors: computed when they are read, block by block."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from linreg_cli.data.columns.rows import Matrix, in_memory
from linreg_cli.least_squares.factor import BLOCK_ROWS, Array
from linreg_cli.least_squares.optimum import Optimum

#: The number of entries of rows on the disk that are in memory at once; of rows in memory, whose copies are kept.
CELLS, KEPT = 2**20, 2**23


@dataclass(frozen=True, eq=False)
class OrderedRows:
    """The rows of a run in their order, along the curved eigenvectors: p of them, k targets.

    They are computed from the rows that are trained on, which may stay on the disk, whenever they are read.

    Attributes:
        X_nd: shape (n_samples, n_features), in scaled units, any float dtype.
        y_nk: shape (n_samples, n_targets), in scaled units.
        V: shape (n_parameters, p): the curved eigenvectors.
        optimum: of the objective.
    """

    X_nd: Matrix
    y_nk: Matrix
    V: Array
    optimum: Optimum

    def __len__(self) -> int:
        return len(self.X_nd)

    @property
    def n_targets(self) -> int:
        """k, the number of targets."""
        return int(self.y_nk.shape[1])

    def read(self, first: int, last: int) -> tuple[Array, Array]:
        """The rows `first` to `last - 1`: those of [X 1], shape (n_rows, p), and prediction - target at the optimum.

        Both are float64, times the square roots of the weights. The bits of a row do not depend on which are read.
        """
        kept, begin = self._kept, 0
        if kept is None:
            begin = first - first % BLOCK_ROWS
            kept = self._blocks(begin, last)
        rows, residuals = kept
        return rows[first - begin : last - begin], residuals[first - begin : last - begin]

    @property
    def width(self) -> int:
        """The numbers of a row and its residuals, p + k."""
        return int(self.V.shape[1]) + self.n_targets

    @cached_property
    def _kept(self) -> tuple[Array, Array] | None:
        """All rows, where they are few; None where they are computed again."""
        most = KEPT if in_memory(self.X_nd) else CELLS
        return self._blocks(0, len(self)) if len(self) * self.width <= most else None

    def _blocks(self, first: int, last: int) -> tuple[Array, Array]:
        """The blocks from a multiple of their size to the one of the row `last - 1`."""
        found = [self._block(at, min(at + BLOCK_ROWS, len(self))) for at in range(first, last, BLOCK_ROWS)]
        rows, residuals = (np.concatenate(each) for each in zip(*found, strict=True))
        return rows, residuals

    def _block(self, first: int, last: int) -> tuple[Array, Array]:
        at, optimum = slice(first, last), self.optimum
        part = np.asarray(self.X_nd[at], dtype=np.float64)
        bias = 0.0 if optimum.bias is None else optimum.bias
        residuals = part @ optimum.weights + bias - np.asarray(self.y_nk[at], dtype=np.float64)
        part = part if optimum.bias is None else np.column_stack([part, np.ones(len(part))])
        rows, residuals = optimum.factor.weighted(part, at) @ self.V, optimum.factor.weighted(residuals, at)
        return rows, np.zeros_like(residuals) if optimum.is_zero else residuals  # of an exact fit: rounding error
