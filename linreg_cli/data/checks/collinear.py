"""Inputs that are combinations of others."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from linreg_cli.data.checks.leaks import standard
from linreg_cli.data.columns.kinds import Column, Rows, take
from linreg_cli.data.dataset import Dataset

#: Columns that are set against those before them together, as matrices.
BLOCK = 64

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Combination:
    """An input that others give: name = sum of weight x other + constant."""

    name: str
    terms: dict[str, float]
    constant: float


def combinations(
    dataset: Dataset, columns: Mapping[str, Column], rows: Rows | slice, *, bias: bool
) -> Iterator[Combination]:
    """Inputs that are combinations of those before them, by Gram-Schmidt on the standardised sample.

    Args:
        dataset: where all rows are.
        columns: the sample of each input.
        rows: in which a combination must hold too.
        bias: whether a combination may have a constant.
    """
    names = list(columns)
    basis = _Basis(len(columns[names[0]]) if names else 0, len(names))
    kept: list[str] = []
    for start in range(0, len(names), BLOCK):
        block = names[start : start + BLOCK]
        scaled = np.stack([standard(columns[name], bias=bias) for name in block], axis=1)
        n_before = len(kept)
        others = basis.rest(scaled, 0)
        for position, name in enumerate(block):
            if not scaled[:, position].any():  # constant in the sample
                continue
            rest = basis.rest(others[:, position], n_before)
            if np.linalg.norm(rest) > 1e-7:
                basis.add(scaled[:, position], rest)
                kept.append(name)
                continue
            weights = dict(zip(kept, basis.weights(scaled[:, position]), strict=True))
            spread = _spread(columns[name], bias=bias)
            terms = {
                other: float(weight) * spread / _spread(columns[other], bias=bias)
                for other, weight in weights.items()
                if abs(weight) > 1e-6
            }
            left = take(dataset.columns, name, rows) - sum(
                weight * take(dataset.columns, other, rows) for other, weight in terms.items()
            )
            if _spread(left, bias=bias) <= 1e-6 * spread:
                constant = float(left.mean()) if abs(left.mean()) > 1e-6 * spread else 0.0
                yield Combination(name, terms, constant)


class _Basis:
    """Columns as combinations of vectors of length 1 at right angles: columns = vectors @ triangle.

    Args:
        n_rows: length of a column.
        n_columns: how many there may be.
    """

    def __init__(self, n_rows: int, n_columns: int) -> None:
        n_vectors = min(n_rows, n_columns)
        self._vectors = np.zeros((n_rows, n_vectors), order="F")
        self._triangle = np.zeros((n_vectors, n_vectors))
        self._n = 0
        self._new: list[Column] = []  # columns that the triangle does not have yet

    def rest(self, values: Array, first: int) -> Array:
        """What is left of columns without their shares in the vectors from `first` on."""
        vectors = self._vectors[:, first : self._n]
        for _ in range(2):  # once is not enough in floating point
            values = values - vectors @ (vectors.T @ values)
        return values

    def add(self, column: Column, rest: Column) -> None:
        """Take another column, of which `rest` is left without the vectors so far."""
        self._vectors[:, self._n] = rest / np.linalg.norm(rest)
        self._n += 1
        self._new.append(column)

    def weights(self, values: Column) -> Column:
        """Of the columns in a combination that gives some values."""
        vectors = self._vectors[:, : self._n]
        if self._new:
            self._triangle[: self._n, self._n - len(self._new) : self._n] = vectors.T @ np.stack(self._new, axis=1)
            self._new = []
        out = vectors.T @ values
        for row in reversed(range(self._n)):
            out[row] = (out[row] - self._triangle[row, row + 1 : self._n] @ out[row + 1 :]) / self._triangle[row, row]
        return out


def _spread(values: Column, *, bias: bool) -> float:
    return float(np.std(values) if bias else np.sqrt(np.mean(values**2)))
