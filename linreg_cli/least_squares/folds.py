"""k-fold cross-validation of the optimum without refitting, in passes over blocks of rows.

Under the fit to the rows that are not in the fold F, the residuals of all rows are e + Q s_F with
s_F = (1 - Q_F'Q_F)^-1 Q_F'e_F, for the orthonormal columns Q of `Factor.whiten`. So one pass sums Q_F'Q_F and Q_F'e_F
of each fold, a fold costs one solve of size rank, and another pass has the errors.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from linreg_cli.data.columns.divided import DividedRows, Part, in_order
from linreg_cli.data.columns.row_weights import At
from linreg_cli.least_squares.factor import BLOCK_ROWS, Array
from linreg_cli.least_squares.optimum import Optimum
from linreg_cli.least_squares.resampling import Add, Needed, rows_at

#: Bytes of the products Q_F'Q_F that are summed in one pass; where all folds have more, there are several passes.
GROUP_BYTES = 4 * 2**20

#: The fold of each row, from 0, shape (n_samples,).
Folds = npt.NDArray[np.integer[Any]]


def groups(optimum: Optimum, count: int) -> list[range]:
    """Folds that are left out in the same passes: consecutive ones, as many as `GROUP_BYTES` hold, at least one.

    Args:
        optimum: of all rows.
        count: how many folds there are.
    """
    size = max(1, GROUP_BYTES // (8 * max(1, optimum.factor.rank) ** 2))
    return [range(first, min(first + size, count)) for first in range(0, count, size)]


def shifts(optimum: Optimum, rows: DividedRows, folds: Folds, group: range, *, what: str = "fold") -> Array | Needed:
    """s_F of each fold F of a group, shape (len(group), rank, n_targets), in one pass over the rows.

    Args:
        optimum: of the rows, without weight decay.
        rows: X and y.
        folds: the fold of each row.
        group: the folds that are wanted.
        what: the word for a fold.

    Returns:
        s_F, or the fold without which there is none.

    >>> from linreg_cli.least_squares.solve import least_squares
    >>> X, y = np.ones((3, 1)), np.array([[0.0], [0.0], [3.0]])  # Q is 1 / sqrt(3), or -1 / sqrt(3); e is -1, -1, 2
    >>> found = shifts(least_squares(X, y, bias=False), DividedRows(X, y), np.array([0, 0, 1]), range(2))
    >>> np.abs(found[:, 0, 0] / 3**0.5).round(12).tolist()
    [2.0, 1.0]
    """
    sums = rows.of_parts(_sums, optimum.bare, folds, group)
    products, targets = (in_order(each) for each in zip(*sums, strict=True))
    remaining = np.eye(optimum.factor.rank) - products
    if remaining.size:
        alone = np.flatnonzero(np.linalg.eigvalsh(remaining)[:, 0] <= optimum.factor.no_room)
        if len(alone):
            return Needed(what, group[int(alone[0])])
    found: Array = np.linalg.solve(remaining, targets)
    return found


def _sums(part: Part, optimum: Optimum, folds: Folds, group: range) -> tuple[Array, Array]:
    """Q_F'Q_F and Q_F'e_F of each fold F of a group, (len(group), rank, rank) and (len(group), rank, k); a pass."""
    rank = optimum.factor.rank
    products, targets = np.zeros((len(group), rank, rank)), np.zeros((len(group), rank, optimum.factor.n_targets))
    for at, pieces in _in_folds(part, folds, group):
        _, e, q = rows_at(part, optimum, at)
        e = part.weighted(e, at)
        for position, chosen in pieces:
            own = q[chosen]
            products[position] += own.T @ own
            targets[position] += own.T @ e[chosen]
    return products, targets


def folds_left_out(part: Part, optimum: Optimum, folds: Folds, group: range, shift: Array, add: Add) -> None:
    """The errors of the rows of some folds, each predicted by the fit to the other folds, block by block.

    Args:
        part: some of the rows.
        optimum: of all rows, as `Optimum.bare` gives it.
        folds: the fold of each row of all parts.
        group: the folds whose rows are wanted.
        shift: what `shifts` gives for them.
        add: is given the errors.
    """
    for at, pieces in _in_folds(part, folds, group):
        y, e, q = rows_at(part, optimum, at)
        change = np.empty_like(e)
        for position, chosen in pieces:
            change[chosen] = q[chosen] @ shift[position]
        add(at, y, e + (change if part.root_n is None else change / part.root_n[at][:, None]))


def _in_folds(part: Part, folds: Folds, group: range) -> Iterator[tuple[At, list[tuple[int, npt.NDArray[np.intp]]]]]:
    """The rows of a part that are in some folds, block by block.

    Yields:
        Positions in the matrices, ascending; and, for each fold of the group that has some of these, its position in
        the group and the places of its rows among them.
    """
    for rows in part.blocks(BLOCK_ROWS):
        own, at = folds[part.among_all(rows)], rows
        inside = (own >= group.start) & (own < group.stop)
        if not inside.all():
            places = np.flatnonzero(inside)
            own, at = own[places], rows.start + places
        if len(own):
            order = np.argsort(own, kind="stable")
            begins = np.flatnonzero(np.diff(own[order])) + 1
            yield at, [(int(own[some[0]]) - group.start, some) for some in np.split(order, begins)]
