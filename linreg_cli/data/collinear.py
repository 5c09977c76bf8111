"""Inputs that are combinations of others."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from linreg_cli.data.columns import Column, Rows, take
from linreg_cli.data.dataset import Dataset
from linreg_cli.data.suspects import standard


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
    if not names:
        return
    scaled = {name: standard(values, bias=bias) for name, values in columns.items()}
    basis = np.zeros((len(scaled[names[0]]), len(names)))
    kept: list[str] = []
    for name in names:
        rest = scaled[name]
        for _ in range(2):  # once is not enough in floating point
            rest = rest - basis[:, : len(kept)] @ (basis[:, : len(kept)].T @ rest)
        size = np.linalg.norm(scaled[name])
        if np.linalg.norm(rest) > 1e-7 * size or not size:
            basis[:, len(kept)] = rest / max(float(np.linalg.norm(rest)), 1e-300)
            kept.append(name)
            continue
        matrix = np.column_stack([scaled[other] for other in kept])
        weights = np.linalg.lstsq(matrix, scaled[name])[0]
        spread = {other: _spread(columns[other], bias=bias) for other in (*kept, name)}
        terms = {
            other: float(weight * spread[name] / spread[other])
            for other, weight in zip(kept, weights, strict=True)
            if abs(weight) > 1e-6
        }
        rest = take(dataset.columns, name, rows) - sum(
            weight * take(dataset.columns, other, rows) for other, weight in terms.items()
        )
        if _spread(rest, bias=bias) <= 1e-6 * spread[name]:
            constant = float(rest.mean()) if abs(rest.mean()) > 1e-6 * spread[name] else 0.0
            yield Combination(name, terms, constant)


def _spread(values: Column, *, bias: bool) -> float:
    return float(np.std(values) if bias else np.sqrt(np.mean(values**2)))
