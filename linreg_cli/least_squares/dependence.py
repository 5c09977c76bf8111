"""Linearly dependent columns: which they are, and each as a linear combination of the others.

Everything is computed from one factor, so it agrees with `Factor.rank`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from linreg_cli.data.columns.rows import ChosenRows, Matrix
from linreg_cli.least_squares.factor import Array, Factor, blocks
from linreg_cli.least_squares.factorise import factorise
from linreg_cli.wording import number

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

    def formula(self) -> str:
        """The combination in words, weights to four digits.

        >>> Combination("c", {"a": 1.0, "b": -2.5}, 3.0).formula()
        'a - 2.5 b + 3'
        """
        parts: list[str] = []
        for name, weight in self.terms.items():
            size = f"{number(abs(weight), 4)} ".removeprefix("1 ")
            sign = "- " if weight < 0 else "+ " if parts else ""
            parts.append(f"{sign}{size}{name}")
        if self.constant:
            parts.append(f"{'-' if self.constant < 0 else '+'} {number(abs(self.constant), 4)}")
        return " ".join(parts)


def dependent_columns(factor: Factor, names: Sequence[str]) -> tuple[str, ...]:
    """The columns with a coefficient in some linear dependence; with an intercept, these include constant columns.

    A column is one of them if leaving it out would leave the rank as it is. With the weighted singular values s_i and
    right singular vectors v_i, of which those with s_i <= 1 are null, the squared singular values mu without column j
    solve sum over i of v_ij^2 / (s_i^2 - mu) = 0, one between two neighbouring s_i^2. So one of them rises above 1, and
    the rank stays, exactly if

        sum over null i of v_ij^2 / (1 - s_i^2)  >  sum over the other i of v_ij^2 / (s_i^2 - 1)

    Args:
        factor: of the train split.
        names: of its columns, without the intercept.

    Returns:
        Their names, in the order of the columns.

    >>> from linreg_cli.least_squares.factorise import factorise
    >>> X = np.array([[1.0, 5.0, 1.00005], [2.0, 3.0, 2.00003], [4.0, 4.0, 4.00004], [8.0, 1.0, 8.00001]])
    >>> dependent_columns(factorise(X, X[:, :1], bias=True), ["a", "b", "a + 1e-5 b"])
    ('a', 'b', 'a + 1e-5 b')
    """
    if factor.rank == factor.n_parameters:
        return ()
    singular, rows = factor.weighted_svd()
    null = np.arange(len(singular)) >= factor.rank
    gaps = np.maximum(np.abs(singular**2 - 1), np.finfo(np.float64).tiny)
    parts = rows**2 / gaps[:, None]
    dependent = parts[null].sum(axis=0) > parts[~null].sum(axis=0)
    return tuple(name for name, is_dependent in zip(names, dependent[: len(names)], strict=True) if is_dependent)


def combinations(factor: Factor, names: Sequence[str]) -> list[Combination]:
    """As many columns as the rank is below n_parameters, each as a linear combination of the others.

    Of the columns of a dependence, the last one is expressed by the others, unless its coefficient is tiny. With an
    intercept, a constant column has no terms; a column of zeros has a constant of 0 too.

    Args:
        factor: of the train split, with at least as many rows as parameters.
        names: of its columns, without the intercept.

    Returns:
        The combinations, in the order of their columns.

    >>> from linreg_cli.least_squares.factorise import factorise
    >>> X = np.array([[1.0, 5.0, 7.0], [2.0, 3.0, 6.0], [4.0, 4.0, 9.0], [8.0, 1.0, 10.0]])
    >>> [found] = combinations(factorise(X, X[:, :1], bias=True), ["a", "b", "c"])
    >>> found.name, {name: round(weight, 9) for name, weight in found.terms.items()}, round(found.constant, 9)
    ('c', {'a': 1.0, 'b': 1.0}, 1.0)
    """
    if factor.rank == factor.n_parameters:
        return []
    found, dependent = [], set(dependent_columns(factor, names))
    columns = [j for j, name in enumerate(names) if name in dependent]
    for row, pivot in _echelon(_null_space(factor), columns, factor.rounding):
        # sum of row_j x (standardised column j) = 0, with 1 for the pivot.
        small = float(np.abs(row) @ factor.rounding)  # what rounding adds to the sum
        others = [j for j in columns if j != pivot and abs(row[j]) > small and factor.spread[j] > 0]
        weights = {j: float(-row[j] * factor.spread[pivot] / factor.spread[j]) for j in others}
        constant = float(factor.center[pivot] - sum(weight * factor.center[j] for j, weight in weights.items()))
        if abs(constant) <= 1e-6 * factor.spread[pivot]:
            constant = 0.0
        found.append((pivot, Combination(names[pivot], {names[j]: w for j, w in weights.items()}, constant)))
    return [combination for _, combination in sorted(found, key=lambda pair: pair[0])]


def sampled_combinations(
    X_nd: Matrix, names: Sequence[str], *, bias: bool, eps: float, n_sampled: int
) -> list[Combination]:
    """The linear combinations in a sample of rows that hold in all rows within rounding error.

    For tables whose factor takes too long. Constant columns of the sample are left out: they may be rare indicators.

    Args:
        X_nd: shape (n_samples, n_features).
        names: of the columns.
        bias: whether the model has an intercept.
        eps: the machine epsilon of the values.
        n_sampled: rows of the sample, evenly spaced, more than there are columns.
    """
    rows = np.linspace(0, len(X_nd) - 1, n_sampled).astype(np.intp)
    factor = factorise(ChosenRows(X_nd, rows), np.zeros((n_sampled, 1)), bias=bias, eps=eps)
    position = {name: j for j, name in enumerate(names)}
    found = []
    for each in combinations(factor, names):
        columns = [position[each.name], *(position[name] for name in each.terms)]
        weights = np.array([1.0, *(-weight for weight in each.terms.values())])
        holds = bool(each.terms)
        for part in blocks(len(X_nd)) if holds else ():
            terms = np.asarray(X_nd[part][:, columns], dtype=np.float64) * weights
            size = np.abs(terms).sum(axis=1) + abs(each.constant)
            holds = holds and bool((np.abs(terms.sum(axis=1) - each.constant) <= 64 * eps * size).all())
        if holds:
            found.append(each)
    return found


def _null_space(factor: Factor) -> Array:
    """An orthonormal basis of the null space of the standardised design, shape (n_parameters - rank, n_parameters)."""
    return factor.svd()[2][factor.rank :]


def _echelon(null: Array, columns: Sequence[int], rounding: Array) -> list[tuple[Array, int]]:
    """The reduced echelon form of a basis, from the last column: each vector has a pivot of 1 where the others are 0.

    Args:
        null: shape (n_vectors, n_parameters).
        columns: that may be pivots, in rising order.
        rounding: of each standardised column; an entry that is lost in what it adds to the sum is no pivot.

    Returns:
        Pairs of a vector, shape (n_parameters,), and its pivot column.
    """
    rows, free = null.copy(), list(range(len(null)))
    found: dict[int, int] = {}
    for column in reversed(columns):
        if not free:
            break
        best = max(free, key=lambda i: abs(rows[i, column]))
        row = np.abs(rows[best])
        if row[column] < row.max() and row[column] <= max(_TINY * row.max(), float(row @ rounding)):
            continue
        rows[best] /= rows[best, column]
        rest = np.arange(len(rows)) != best
        rows[rest] -= np.outer(rows[rest, column], rows[best])
        found[best] = column
        free.remove(best)
    return [(rows[row], column) for row, column in found.items()]
