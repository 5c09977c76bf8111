"""Columns that depend on each other: which they are, and what combination of the others gives each.

Everything here reads one factor, so that it is about the numbers that were factorised and agrees with `Factor.rank`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from linreg_cli.least_squares.factor import Array, Factor


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
    """Every column that takes part in a linear dependence: constant beside the intercept, or in a vanishing combination.

    A column takes part if its term in some unit vector of the null space of the standardised design is larger than
    what rounding may have made of it: `Factor.tolerance` over the smallest singular value that counts.

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
    involved = np.any(np.abs(_null_space(factor)) > _smallest_term(factor), axis=0)[: len(names)]
    return tuple(name for name, is_in in zip(names, involved, strict=True) if is_in)


def combinations(factor: Factor, names: Sequence[str]) -> list[Combination]:
    """For each column that those before it give (and the intercept, where there is one): how.

    The columns before it that are needed are independent of each other, so the combination is unique. There are as
    many combinations as the rank is short of, but for a design without an intercept whose columns are zero.

    Args:
        factor: of the table.
        names: of its columns, without the intercept.

    >>> from linreg_cli.least_squares.factor import factorise
    >>> X = np.array([[1.0, 5.0, 7.0], [2.0, 3.0, 6.0], [4.0, 4.0, 9.0], [8.0, 1.0, 10.0]])
    >>> [found] = combinations(factorise(X, X[:, :1], bias=True), ["a", "b", "c"])
    >>> found.name, {name: round(weight, 9) for name, weight in found.terms.items()}, round(found.constant, 9)
    ('c', {'a': 1.0, 'b': 1.0}, 1.0)
    """
    missing = factor.n_parameters - factor.rank
    if not missing:
        return []
    null, smallest = _echelon(_null_space(factor)), _smallest_term(factor)
    found = []
    for row, pivot in null:
        if pivot >= len(names):  # the intercept itself, which columns without a spread have given already
            continue
        # sum of row_j x standardised column_j = 0, with the entry of the pivot 1.
        shares = {j: -row[j] for j in range(pivot) if abs(row[j]) > smallest and factor.spread[j] > 0}
        terms = {names[j]: float(share * factor.spread[pivot] / factor.spread[j]) for j, share in shares.items()}
        constant = factor.center[pivot] - sum(terms[names[j]] * factor.center[j] for j in shares)
        scale = max(factor.largest[pivot], *(abs(terms[names[j]]) * factor.largest[j] for j in shares), 0.0)
        exact = abs(constant) <= 1e-6 * max(factor.spread[pivot], 8 * factor.eps * scale)
        found.append(Combination(names[pivot], terms, 0.0 if exact else float(constant)))
    return sorted(found, key=lambda combination: names.index(combination.name))


def _null_space(factor: Factor) -> Array:
    """Unit vectors, shape (n_parameters - rank, n_parameters), of standardised coordinates that the design maps to 0."""
    return factor.svd()[2][factor.rank :]


def _smallest_term(factor: Factor) -> float:
    """What rounding may have made of a term in a unit vector of the null space."""
    singular, rank = factor.svd()[1], factor.rank
    counted = float(singular[rank - 1]) if rank else 1.0
    return float(np.max(factor.tolerance()[rank:])) / min(counted, 1.0)


def _echelon(null: Array) -> list[tuple[Array, int]]:
    """The same space by vectors that each end in a 1 at a column of their own, where the other vectors are 0.

    Columns are taken from the last one, so that a column is given by those before it.
    """
    rows, done = null.copy(), []
    for column in reversed(range(null.shape[1])):
        left = [i for i in range(len(rows)) if i not in {row for row, _ in done}]
        if not left:
            break
        best = max(left, key=lambda i: abs(rows[i, column]))
        if abs(rows[best, column]) <= 1e-3 * np.abs(rows[best]).max():
            continue
        rows[best] /= rows[best, column]
        for i in range(len(rows)):
            if i != best:
                rows[i] -= rows[i, column] * rows[best]
        done.append((best, column))
    return [(rows[row], column) for row, column in done]
