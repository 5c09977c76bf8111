"""Second moments of named columns as a triangular factor, of any rows, and those of two sets of rows together.

The factor is R of [1 Z] = Q R, for Z = columns about a center, each row times the square root of its weight. Nothing is
squared, so the condition number stays that of the columns. Rows are added by a QR of the factors on top of each other,
about one center: a column x about another center is the same column and a multiple of the column of ones, so only rows
of R change.

A column with missing cells is two: its values about the center with 0 in place of a missing cell, and the indicator of
missing cells. With a fill f, the column is center + values + (f - center) * indicator. So f can be chosen later.

Suffixes are shapes: n rows, m columns, without that of ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from linreg_cli.least_squares.decompositions import Array, square, triangle
from linreg_cli.least_squares.tall import tall_triangle

#: A share of the weight as small as this is rounding error of none.
_NONE = 1e-24

#: A column: what it is (`value`, `gap`, `level`, `without` or `target`), its name, and its level or what is missing.
Key = tuple[str, str, str]


def value_of(column: str) -> Key:
    """The values of a column of numbers."""
    return "value", column, ""


def gap_of(column: str) -> Key:
    """The indicator of the missing cells of a column."""
    return "gap", column, ""


def level_of(column: str, level: str) -> Key:
    """The indicator of a level of a category."""
    return "level", column, level


def without(column: str, missing: str) -> Key:
    """A feature that is made of columns, where some of these are missing; see `derived.Made.without`."""
    return "without", column, missing


def target_of(column: str) -> Key:
    """The values of a target."""
    return "target", column, ""


@dataclass(frozen=True, eq=False)
class Moments:
    """The moments of some rows.

    Attributes:
        n: rows.
        keys: the columns.
        center: shape (m,), that R is about: near the mean, 0 for an indicator.
        R: shape (m + 1, m + 1), upper triangular: the factor of [1 Z]; zeros without rows. The square of its first
            entry is the sum of the weights, which is n where all are 1.
    """

    n: int
    keys: tuple[Key, ...]
    center: Array
    R: Array

    @classmethod
    def none(cls, keys: Sequence[Key]) -> "Moments":
        """Those of no rows."""
        return cls(0, tuple(keys), np.zeros(len(keys)), np.zeros((len(keys) + 1,) * 2))

    @classmethod
    def of_rows(cls, keys: Sequence[Key], columns: Array, weights: Array | None = None) -> "Moments":
        """The moments of a block of rows.

        Args:
            keys: the columns; of a `value` with missing cells its `gap` is among them.
            columns: room for a column of ones, then the columns in their order, shape (m + 1, n_rows), at least one
                row; a missing cell of a `value` is nan. They are overwritten.
            weights: of the rows, above 0, in any unit, shape (n_rows,); None: all are 1.

        >>> found = Moments.of_rows((value_of("x"), target_of("y")), np.array([[0.0, 0.0], [1.0, 3.0], [2.0, 2.0]]))
        >>> found.center.tolist(), found.mean.round(12).tolist()
        ([2.0, 2.0], [2.0, 2.0])
        """
        of_values = np.array([key[0] in ("value", "target") for key in keys], dtype=bool)
        rows = columns[1:]
        with np.errstate(over="ignore"):
            center = np.where(of_values, rows.sum(axis=1) / rows.shape[1], 0.0)
        center = np.where(np.isinf(center), rows[:, 0], center)
        for place in np.flatnonzero(np.isnan(center)):
            missing = np.isnan(rows[place])
            present = rows[place, ~missing]
            center[place] = present[0] + np.mean(present - present[0]) if len(present) else 0.0
            rows[place, missing] = center[place]
        # the rounding error of a mean would give a constant column a tiny spread, so its center is its value
        for place in np.flatnonzero(of_values & (abs(center - rows[:, 0]) <= 1e-12 * abs(center))):
            if (rows[place] == rows[place, 0]).all():
                center[place] = rows[place, 0]
        rows -= center[:, None]
        columns[0] = 1.0
        if weights is not None:
            columns *= np.sqrt(weights)
        return cls(columns.shape[1], tuple(keys), center, tall_triangle(columns))

    @property
    def mean(self) -> Array:
        """The mean of each column, shape (m,); of a column with missing cells, that of the others."""
        return self.center + self.shift

    @property
    def shift(self) -> Array:
        """`mean` - `center`, without the rounding error of a large mean, shape (m,)."""
        if not self.n:
            return np.zeros(len(self.keys))
        of_all = self.R[0, 1:] / self.R[0, 0]
        present = self.present
        shift: Array = np.divide(of_all, present, out=np.zeros_like(of_all), where=present > 0)
        return shift

    def arranged(self, keys: Sequence[Key]) -> "Moments":
        """The same rows with the columns in another order, and columns of zeros for those that they do not have."""
        position = {key: place for place, key in enumerate(self.keys)}
        center, R = np.zeros(len(keys)), np.zeros((self.R.shape[0], len(keys) + 1))
        R[:, 0] = self.R[:, 0]
        for place, key in enumerate(keys):
            if key in position:
                center[place], R[:, place + 1] = self.center[position[key]], self.R[:, position[key] + 1]
        return Moments(self.n, tuple(keys), center, R)

    def about(self, center: Array) -> "Moments":
        """The same rows about another center, shape (m,)."""
        R, position = self.R.copy(), {key: place + 1 for place, key in enumerate(self.keys)}
        for place, key in enumerate(self.keys):
            if (by := self.center[place] - center[place]) != 0:
                ones = self.R[:, 0]
                if key[0] == "value" and (gap := position.get(gap_of(key[1]))) is not None:
                    ones = ones - self.R[:, gap]  # a missing cell stays 0
                R[:, place + 1] += by * ones
        return replace(self, center=center, R=R)

    def joined(self, *others: "Moments", keys: Sequence[Key]) -> "Moments":
        """The moments of the rows of all.

        Args:
            others: of other rows.
            keys: the columns of the result: those of all.

        Source: T. F. Chan, G. H. Golub, R. J. LeVeque, Algorithms for computing the sample variance, 1983 (one mean for
        sets of rows); J. Demmel and others, Communication-optimal parallel and sequential QR, 2012.
        """
        some = [each for each in (self, *others) if each.n]
        if len(some) == 1 and some[0].keys == tuple(keys):
            return some[0]
        sets = [each.arranged(keys) for each in some]
        if len(sets) <= 1:
            return replace(sets[0], R=square(triangle(sets[0].R))) if sets else Moments.none(keys)
        of_values = np.array([key[0] in ("value", "target") for key in keys], dtype=bool)
        sums = [each.present * each.R[0, 0] ** 2 for each in sets]
        whole, first = sum(sums), sets[0].mean
        away = [(each.mean - first) * of_some for each, of_some in zip(sets[1:], sums[1:], strict=True)]
        center = first + np.divide(sum(away), whole, out=np.zeros(len(keys)), where=whole > 0)
        center = np.where(of_values, center, 0.0)
        stacked = np.vstack([each.about(center).R for each in sets])
        return Moments(sum(each.n for each in sets), tuple(keys), center, square(triangle(stacked)))

    @property
    def present(self) -> Array:
        """The share of the weight of the cells of each column that are not missing, shape (m,)."""
        position = {key: place + 1 for place, key in enumerate(self.keys)}
        found, ones = np.ones(len(self.keys)), self.R[:, 0]
        for place, key in enumerate(self.keys):
            gap = position.get(gap_of(key[1])) if key[0] == "value" else None
            if gap is not None:  # the length of the indicator of the others: exact where these have little weight, too
                found[place] = np.sum((ones - self.R[:, gap]) ** 2) / self.R[0, 0] ** 2
        return np.where(found > _NONE, found, 0.0)


def merged(parts: Sequence[Moments], keys: Sequence[Key]) -> Moments:
    """The moments of all rows, in a tree that depends on the number of parts alone.

    Args:
        parts: at least one, in their order.
        keys: the columns of the result.
    """
    level = [each.joined(keys=keys) for each in parts]
    while len(level) > 1:
        pairs = [level[first : first + 2] for first in range(0, len(level), 2)]
        level = [pair[0].joined(pair[1], keys=keys) if len(pair) == 2 else pair[0] for pair in pairs]
    return level[0]
