"""Columns that depend on each other: which they are, and what combination of the others gives each.

Everything here reads one factor, so that it is about the numbers that were factorised and agrees with `Factor.rank`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from linreg_cli.least_squares.factor import Array, Factor

#: Columns whose part is unclear are counted one by one, an SVD each; of more, all are taken to take part.
MOST_COUNTED = 50
#: A term this small beside the largest one of its vector does not decide which column the others give.
_TINY = 1e-3


@dataclass(frozen=True)
class Combination:
    """A column that others give: name = sum of weight x other + constant.

    Attributes:
        name: the column.
        terms: other column -> its weight, in units of `name` per unit of the other; empty for a constant column.
        constant: in units of `name`; 0 without an intercept.
    """

    name: str
    terms: Mapping[str, float]
    constant: float


def dependent_columns(factor: Factor, names: Sequence[str]) -> tuple[str, ...]:
    """Every column that takes part in a linear dependence: a constant beside an intercept, or part of a combination.

    A column takes part where leaving it out would leave the rank as it is. That shows in the unit vectors that the
    standardised design maps to 0: a large entry says yes, one within rounding error no; what is between is counted
    without the column.

    Args:
        factor: of the table.
        names: of its columns, without the intercept.

    >>> from linreg_cli.least_squares.factor import factorise
    >>> X = np.array([[1.0, 5.0, 1.00005], [2.0, 3.0, 2.00003], [4.0, 4.0, 4.00004], [8.0, 1.0, 8.00001]])
    >>> dependent_columns(factorise(X, X[:, :1], bias=True), ["a", "b", "a + 1e-5 b"])
    ('a', 'b', 'a + 1e-5 b')
    """
    if factor.rank == factor.n_parameters:
        return ()
    entries = np.abs(_null_space(factor)).max(axis=0)[: len(names)]
    singular, rounding = factor.svd()[1], _rounding(factor)
    # Rounding turns a null vector towards the direction of the smallest singular value that counts, by this at most.
    turned = rounding / min(float(singular[factor.rank - 1]), 1.0) if factor.rank else rounding
    unclear = np.flatnonzero((entries > rounding) & (entries <= turned))
    involved = entries > rounding
    for column in unclear if len(unclear) <= MOST_COUNTED else ():
        involved[column] = factor.rank_without(int(column)) == factor.rank
    return tuple(name for name, is_in in zip(names, involved, strict=True) if is_in)


def combinations(factor: Factor, names: Sequence[str]) -> list[Combination]:
    """The columns that others give, and how: as many as the rank is short of.

    Of the columns in a dependence it is the last one that the others give, unless its term is tiny. Constant columns
    beside an intercept have no terms; a column that is 0 in every row has no constant either.

    Args:
        factor: of the table, with at least as many rows as parameters.
        names: of its columns, without the intercept.

    >>> from linreg_cli.least_squares.factor import factorise
    >>> X = np.array([[1.0, 5.0, 7.0], [2.0, 3.0, 6.0], [4.0, 4.0, 9.0], [8.0, 1.0, 10.0]])
    >>> [found] = combinations(factorise(X, X[:, :1], bias=True), ["a", "b", "c"])
    >>> found.name, {name: round(weight, 9) for name, weight in found.terms.items()}, round(found.constant, 9)
    ('c', {'a': 1.0, 'b': 1.0}, 1.0)
    """
    if factor.rank == factor.n_parameters:
        return []
    found, dependent = [], set(dependent_columns(factor, names))
    for row, pivot in _echelon(_null_space(factor), len(names)):
        # sum of row_j x (standardised column j) = 0, with 1 for the pivot.
        small = _rounding(factor) * np.abs(row).max()
        others = [j for j, name in enumerate(names) if j != pivot and abs(row[j]) > small and name in dependent]
        others = [j for j in others if factor.spread[j] > 0]
        weights = {j: float(-row[j] * factor.spread[pivot] / factor.spread[j]) for j in others}
        constant = float(factor.center[pivot] - sum(weight * factor.center[j] for j, weight in weights.items()))
        if abs(constant) <= 1e-6 * factor.spread[pivot]:
            constant = 0.0
        found.append((pivot, Combination(names[pivot], {names[j]: w for j, w in weights.items()}, constant)))
    return [combination for _, combination in sorted(found, key=lambda pair: pair[0])]


def _null_space(factor: Factor) -> Array:
    """Unit vectors that the standardised design maps to 0, shape (n_parameters - rank, n_parameters)."""
    return factor.svd()[2][factor.rank :]


def _rounding(factor: Factor) -> float:
    """What rounding may have made of an entry of a unit vector of the null space, in the best case."""
    return float(np.max(factor.tolerance()[factor.rank :]))


def _echelon(null: Array, n_columns: int) -> list[tuple[Array, int]]:
    """Vectors of the same space, each with a 1 at a column of its own where all others are 0, and that column.

    Args:
        null: shape (n_vectors, n_parameters).
        n_columns: columns that may be such ones, taken from the last one: the parameters without the intercept.
    """
    rows, free = null.copy(), list(range(len(null)))
    found: dict[int, int] = {}
    for column in reversed(range(n_columns)):
        if not free:
            break
        best = max(free, key=lambda i: abs(rows[i, column]))
        if abs(rows[best, column]) <= _TINY * np.abs(rows[best]).max():
            continue
        rows[best] /= rows[best, column]
        rest = np.arange(len(rows)) != best
        rows[rest] -= np.outer(rows[rest, column], rows[best])
        found[best] = column
        free.remove(best)
    return [(rows[row], column) for row, column in found.items()]
