"""Linearly dependent columns: which they are, and each as a linear combination of the others.

Everything is computed from one factor, so it agrees with `Factor.rank`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from linreg_cli.least_squares.factor import Array, Factor

#: The most uncertain columns that are tested with an SVD each; if there are more, all of them count as dependent.
MOST_COUNTED = 50
#: The smallest pivot, relative to the largest entry of its vector.
_TINY = 1e-3


@dataclass(frozen=True)
class Combination:
    """A column as a linear combination of others: name = sum of weight * other + constant.

    Attributes:
        name: of the column.
        terms: other column -> weight, in units of `name` per unit of the other; empty for a constant column.
        constant: in units of `name`; 0 without an intercept.
    """

    name: str
    terms: Mapping[str, float]
    constant: float


def dependent_columns(factor: Factor, names: Sequence[str]) -> tuple[str, ...]:
    """The columns with a coefficient in some linear dependence; with an intercept, these include constant columns.

    A column is one of them if the rank without it is the same. Its entries in the null space of the standardised design
    matrix show this: a large entry means dependent, one within rounding error independent. In between, the rank without
    the column decides.

    Args:
        factor: of the train split.
        names: of its columns, without the intercept.

    Returns:
        Their names, in the order of the columns.

    >>> from linreg_cli.least_squares.factor import factorise
    >>> X = np.array([[1.0, 5.0, 1.00005], [2.0, 3.0, 2.00003], [4.0, 4.0, 4.00004], [8.0, 1.0, 8.00001]])
    >>> dependent_columns(factorise(X, X[:, :1], bias=True), ["a", "b", "a + 1e-5 b"])
    ('a', 'b', 'a + 1e-5 b')
    """
    if factor.rank == factor.n_parameters:
        return ()
    entries = np.abs(_null_space(factor)).max(axis=0)[: len(names)]
    singular, rounding = factor.svd()[1], _rounding(factor)
    # Rounding error rotates a null vector towards the right singular vector of the smallest nonzero singular value, by
    # at most this angle.
    angle = rounding / min(float(singular[factor.rank - 1]), 1.0) if factor.rank else rounding
    uncertain = np.flatnonzero((entries > rounding) & (entries <= angle))
    dependent = entries > rounding
    for column in uncertain if len(uncertain) <= MOST_COUNTED else ():
        dependent[column] = factor.rank_without(int(column)) == factor.rank
    return tuple(name for name, is_dependent in zip(names, dependent, strict=True) if is_dependent)


def combinations(factor: Factor, names: Sequence[str]) -> list[Combination]:
    """As many columns as the rank is below n_parameters, each as a linear combination of the others.

    Of the columns of a dependence, the last one is expressed by the others, unless its coefficient is tiny. With an
    intercept, a constant column has no terms; a column of zeros has a constant of 0 too.

    Args:
        factor: of the train split, with at least as many rows as parameters.
        names: of its columns, without the intercept.

    Returns:
        The combinations, in the order of their columns.

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
    """An orthonormal basis of the null space of the standardised design, shape (n_parameters - rank, n_parameters)."""
    return factor.svd()[2][factor.rank :]


def _rounding(factor: Factor) -> float:
    """A bound on the rounding error of an entry of a unit vector of the null space, if no singular value is small."""
    return float(np.max(factor.tolerance()[factor.rank :]))


def _echelon(null: Array, n_columns: int) -> list[tuple[Array, int]]:
    """The reduced echelon form of a basis, from the last column: each vector has a pivot of 1 where the others are 0.

    Args:
        null: shape (n_vectors, n_parameters).
        n_columns: the columns that may be pivots: the parameters without the intercept.

    Returns:
        Pairs of a vector, shape (n_parameters,), and its pivot column.
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
