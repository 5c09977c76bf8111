"""The one form of the moments of a table, whatever parts they were merged from.

R of [1 Z] = Q R is unique where the columns are linearly independent and its diagonal is positive. Two things are left:

- The center. The mean of a part-wise sum differs in its last places from that of one sum, by more than 1e-12 of the
  spread where the mean is large. So R is about a round number near the mean, a multiple of a quarter of the spread.
- Columns that depend on those before them: all levels of a category, duplicates, gaps that coincide. What the earlier
  columns leave of such a column is rounding error, and so is the direction of its row of R, in which parts of all later
  columns stand. The column is set to what the earlier ones give, its row is emptied, and what stood there goes into the
  rows of the later columns, by reflections. So R'R changes by rounding error, and the residual of a target stays.

Rounding error is what it is for `Factor.rank`: a column is set to what the earlier ones give where it adds nothing to
the rank.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from linreg_cli.data.columns.kinds import Mask
from linreg_cli.least_squares.decompositions import Array, square, triangle
from linreg_cli.least_squares.factor import EPS, arithmetic_error, power_of_two, storing_error
from linreg_cli.statistics.facts import TableStatistics
from linreg_cli.statistics.moments import Moments

#: Shares of the spread and of a grid at which the center goes to the next multiple. Means and variances of few whole
#: numbers are fractions with small denominators, so it is none of these that decides.
_OF_SPREAD, _OF_GRID = math.pi / 3, 0.5 + math.pi / 50
#: A column of which more is left than this share is kept, even if rounding error is as large: its spread is a few units
#: in the last place, and its figures are those of such a column on the rows.
_MOST = 1e-4


def canonical(found: TableStatistics) -> TableStatistics:
    """The statistics of a table with its moments in their one form.

    Args:
        found: of all rows.
    """
    largest = {key: each.largest(key) for each in found.columns for key in each.keys}
    return replace(found, moments=in_one_form(found.moments, [largest[key] for key in found.moments.keys]))


def in_one_form(moments: Moments, largest: Sequence[float]) -> Moments:
    """Moments with R about round numbers, and with rows of zeros for columns that depend on earlier ones.

    Args:
        moments: of all rows of a table.
        largest: the largest absolute value of each column, of which half a unit in the last place is its rounding
            error; 0 for exact values; shape (m,).
    """
    if not moments.n:
        return moments
    moments = moments.about(round_centers(moments))
    targets = np.array([False, *(key[0] == "target" for key in moments.keys)])
    return replace(moments, R=folded(square(triangle(moments.R)), np.array([0.0, *largest]), targets))


def round_centers(moments: Moments) -> Array:
    """A number near each mean, shape (m,), that is the same where means differ by rounding error; 0 for an indicator.

    A constant column has its value.
    """
    mean, shift = moments.mean, moments.shift
    root = moments.R[0, 0] * np.sqrt(moments.present)
    norms = np.linalg.norm(moments.about(mean).R[:, 1:], axis=0)
    spread = np.divide(norms, root, out=np.zeros_like(norms), where=root > 0)
    grids = np.maximum(power_of_two(spread * _OF_SPREAD) / 4, np.spacing(np.abs(mean)))
    found = mean.copy()
    for place, key in enumerate(moments.keys):
        if key[0] not in ("value", "target"):
            found[place] = 0.0
        elif spread[place] > 0 and np.isfinite(mean[place]):
            grid = Fraction(float(grids[place]))
            exact = Fraction(float(moments.center[place])) + Fraction(float(shift[place]))
            found[place] = float(math.floor(exact / grid + Fraction(_OF_GRID)) * grid)
    return found


def folded(R: Array, largest: Array, targets: Mask) -> Array:
    """The triangular factor with a row of zeros for each column that depends on those before it, and R'R as it was.

    Args:
        R: shape (p, p), upper triangular.
        largest: as that of `in_one_form`, with 0 for the ones, shape (p,).
        targets: which columns are targets, shape (p,). What the rounding of its values leaves of a target is its
            residual, so that of the arithmetic alone is rounding error there.

    >>> R = np.array([[2.0, 1.0, 1.0], [0.0, 1e-17, 3.0], [0.0, 0.0, 4.0]])
    >>> folded(R, np.zeros(3), np.zeros(3, dtype=bool)).tolist()
    [[2.0, 1.0, 1.0], [0.0, 0.0, 0.0], [0.0, 0.0, 5.0]]
    """
    norms = np.linalg.norm(R, axis=0)
    units = R / np.where(norms > 0, norms, 1.0)
    arithmetic = arithmetic_error(units)
    of_target = _LeadingRanks(units / arithmetic)
    of_feature = _LeadingRanks(units / (arithmetic + storing_error(largest, norms / abs(R[0, 0]), EPS)))
    out, loose = np.zeros_like(R), np.zeros((0, len(R)))
    for column in range(len(R)):
        rows = np.vstack([R[column], loose])
        left = float(np.linalg.norm(rows[:, column]))
        size = left / norms[column] if norms[column] > 0 else 0.0
        ranks = of_target if targets[column] else of_feature
        if size <= arithmetic or (size <= _MOST and not ranks.has_gain(column)):
            rows[:, column] = 0.0
            loose = rows[rows.any(axis=1)]
            continue
        rows = _reflected(rows, column)
        out[column], loose = rows[0], rows[1:]
    return out


class _LeadingRanks:
    """The ranks of the first columns of an upper triangle, each divided by its rounding error; see `Factor.rank`.

    A further column raises the rank by 1 or not at all, so between two numbers of columns that lack equally much of
    full rank every column raises it. Where none is dependent, one decomposition says so of all.
    """

    def __init__(self, weighted: Array) -> None:
        self._weighted, self._lacking = weighted, {0: 0}

    def has_gain(self, column: int) -> bool:
        """Whether the rank of the columns up to one is higher than that of those before it."""
        first, last = 0, len(self._weighted)
        while self._lack(first) != self._lack(last) and last - first > 1:
            middle = (first + last) // 2
            first, last = (first, middle) if column < middle else (middle, last)
        return self._lack(first) == self._lack(last)

    def _lack(self, n: int) -> int:
        if n not in self._lacking:
            sizes = np.linalg.svd(self._weighted[:n, :n], compute_uv=False)
            self._lacking[n] = n - int(np.sum(sizes > 1))
        return self._lacking[n]


def _reflected(rows: Array, column: int) -> Array:
    """The rows after a reflection by which the first alone has an entry in a column, above 0."""
    rest = rows[:, column:]
    length = float(np.linalg.norm(rest[:, 0]))
    if len(rows) > 1:
        mirror = rest[:, 0].copy()
        mirror[0] += math.copysign(length, mirror[0])
        rest = rest - np.outer(mirror, (mirror @ rest) * 2 / (mirror @ mirror))
    out = np.zeros_like(rows)
    out[:, column:] = rest if rest[0, 0] > 0 else np.vstack([-rest[:1], rest[1:]])
    out[0, column], out[1:, column] = length, 0.0
    return out
