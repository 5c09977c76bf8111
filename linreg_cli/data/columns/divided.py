"""Passes over the rows of X and y: what a function makes of each part of them, in the order of the rows.

A pass is a function of a part and a few arguments, defined in a module, so that another process can be given its name.
One part with all rows is the case without shards.
"""

import functools
import itertools
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from linreg_cli.data.columns.row_weights import At, Weights, WeightsOnAccess, as_weights, roots
from linreg_cli.data.columns.rows import Matrix, RowsOnAccess, matrix

if TYPE_CHECKING:  # several processes are rare, and torch takes time
    from linreg_cli.ranks.group import Ranks

Array = npt.NDArray[np.float64]


def _forget(*columns: Array) -> None:
    """What a pass finds of single rows, where nobody wants it."""


@dataclass(frozen=True, eq=False)
class Part:
    """Consecutive rows of matrices.

    Attributes:
        X_nd: inputs, shape (n_rows, n_features), of this and perhaps of other parts.
        y_nk: targets, shape (n_rows, n_targets), likewise.
        weight_n: weights of the rows, likewise; None: all are 1.
        root_n: their square roots.
        first: the position of the first row in these.
        last: one past that of the last row.
        before: rows of all parts that come before the matrices, where other processes have them.
        keep: is given arrays with one number for each of the next rows.
    """

    X_nd: Matrix
    y_nk: Matrix
    weight_n: Weights | None
    root_n: Weights | None
    first: int
    last: int
    before: int = 0
    keep: Callable[..., None] = _forget

    def blocks(self, size: int) -> Iterator[slice]:
        """Positions in the matrices of at most `size` rows at a time: all of the part, in their order."""
        return (slice(first, min(first + size, self.last)) for first in range(self.first, self.last, size))

    def weighted(self, values: Array, at: At) -> Array:
        """Rows, shape (n_rows, ...), times the square roots of their weights; the same ones without weights.

        Args:
            values: some rows.
            at: their positions in the matrices.
        """
        if self.root_n is None:
            return values
        found: Array = values * self.root_n[at].reshape(-1, *[1] * (values.ndim - 1))
        return found

    def among_all(self, at: At) -> At:
        """The positions of rows among those of all parts, from theirs in the matrices."""
        if isinstance(at, slice):
            return slice(at.start + self.before, at.stop + self.before)
        return at + self.before


class DividedRows:
    """The rows of X and y in parts, all of them in this process.

    Args:
        X_nd: inputs, shape (n_samples, n_features).
        y_nk: targets, shape (n_samples, n_targets).
        weights: of the rows, above 0, shape (n_samples,); None: all are 1.
        bounds: the first row of each part, and one past the last row of the last, ascending; None: one part.
        root_n: the square roots of the weights, where these are not known.

    >>> rows = DividedRows(np.arange(6.0).reshape(3, 2), np.zeros((3, 1)), bounds=[0, 2, 2, 3])
    >>> rows.of_parts(lambda part: [float(part.X_nd[at].sum()) for at in part.blocks(10)])
    [[6.0], [9.0]]
    """

    def __init__(
        self,
        X_nd: npt.ArrayLike | RowsOnAccess,
        y_nk: npt.ArrayLike | RowsOnAccess,
        weights: npt.ArrayLike | WeightsOnAccess | None = None,
        bounds: Sequence[int] | None = None,
        *,
        root_n: Weights | None = None,
        before: int = 0,
    ) -> None:
        self.X_nd, self.y_nk = self._read = matrix(X_nd), matrix(y_nk)
        self.weight_n = None if weights is None else as_weights(weights)
        self._root_n = root_n if self.weight_n is None else roots(self.weight_n)
        self._bounds, self._before = [0, len(self.X_nd)] if bounds is None else [*map(int, bounds)], before

    @property
    def n_samples(self) -> int:
        """Rows of all parts that are here; the matrices may have more."""
        return self._bounds[-1]

    def of_parts(self, function: Callable[..., Any], *arguments: Any, keep: Callable[..., None] = _forget) -> list[Any]:
        """What a function returns for each part that has rows, in the order of the rows.

        Args:
            function: (part, *arguments) -> anything; at the top of a module, and without effects.
            arguments: few numbers, since other processes are sent them.
            keep: is given what the function keeps of single rows (`Part.keep`), in the order of the rows.
        """
        numbers = *self._read, self.weight_n, self._root_n
        return [
            function(Part(*numbers, first, last, self._before, keep), *arguments)
            for first, last in itertools.pairwise(self._bounds)
            if last > first
        ]


class RowsOfRanks(DividedRows):
    """As rank 0, rows that several processes hold, this one too.

    Args:
        X_nd: as `DividedRows`.
        y_nk: likewise.
        weights: likewise.
        ranks: the processes.
        number: by which each holds its own, as `DividedRows`; None: by a number that `number` gives.
    """

    def __init__(self, X_nd: Matrix, y_nk: Matrix, weights: Any, ranks: "Ranks", number: int | None = None) -> None:
        self.ranks, self._number = ranks, number
        super().__init__(X_nd, y_nk, weights)

    @property
    def number(self) -> int:
        """The number by which the processes hold the rows."""
        assert self._number is not None
        return self._number

    def of_parts(self, function: Callable[..., Any], *arguments: Any, keep: Callable[..., None] = _forget) -> list[Any]:
        """As `DividedRows.of_parts`."""
        number, found = self.number, list[Any]()
        own: DividedRows = self.ranks.held[number]

        def here() -> tuple[Sequence[Any], list[Any]]:
            return (), own.of_parts(function, *arguments, keep=keep)

        for kept, results in self.ranks.in_turn(_make, number, function, arguments, keep is not _forget, here=here):
            for columns in kept:
                keep(*columns)
            found += results
        return found


def _make(
    ranks: "Ranks", number: int, function: Callable[..., Any], arguments: Sequence[Any], wanted: bool
) -> tuple[list[tuple[Any, ...]], list[Any]]:
    """As another rank, make a pass over the rows of a number; returns what it keeps of rows, if wanted, and gives."""
    kept: list[tuple[Any, ...]] = []
    rows: DividedRows = ranks.held[number]
    keep = (lambda *columns: kept.append(columns)) if wanted else _forget
    return kept, rows.of_parts(function, *arguments, keep=keep)


def in_order(parts: Sequence[Any]) -> Any:
    """The sum of numbers or arrays, one after the other; numpy's own sum adds pairs."""
    return functools.reduce(operator.add, parts)
