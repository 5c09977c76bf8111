"""Targets that are computed from a few features: a sum, a difference, or another exact linear combination."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from linreg_cli.data.checks.leaks import standard, without_filled
from linreg_cli.data.columns.kinds import Column, Rows, take
from linreg_cli.data.dataset import Dataset
from linreg_cli.data.encoding.inputs import NumberInput
from linreg_cli.findings import Finding
from linreg_cli.remedies import leave_out
from linreg_cli.wording import number, rounded

Matrix = npt.NDArray[np.float64]

#: The fraction of the target's variance that an exact combination may leave, and the one from which it is looked at.
_REST, _CANDIDATE = 1e-9, 1e-5
#: A feature that leaves less than this determines the target alone, which is another warning.
_ALONE = 1e-4
#: Digits behind the decimal mark to which a target may be rounded, in units of at most this many standard deviations.
_DIGITS, _COARSEST = 9, 0.01
#: A combination of more features is not reported; tables with more columns are not searched.
_MOST_FEATURES, _MOST_COLUMNS = 5, 300
#: A weight that differs from 1 or -1 by less is 1 or -1.
_UNIT = 1e-4


def combinations(dataset: Dataset, sample: Rows) -> Iterator[Finding]:
    """A warning for each target that is an exact linear combination of two to five columns of numbers.

    Where every feature takes part, the weights must be 1 or -1: otherwise the table may be an exact linear model, as
    those that are generated without noise.

    Args:
        dataset: a table, encoded.
        sample: numbers of the train rows that are looked at.
    """
    names = [each.column for each in dataset.plain_inputs if isinstance(each, NumberInput)]
    if not 2 <= len(names) <= _MOST_COLUMNS:
        return
    sample = without_filled(dataset, names, sample)
    if len(sample) < 4 * len(names):
        return
    X_nd = np.column_stack([take(dataset.columns, name, sample) for name in names])
    Z_nd = np.column_stack([standard(column) for column in X_nd.T])
    correlations = Z_nd.T @ Z_nd
    for target in dataset.targets:
        y = take(dataset.columns, target, sample)
        if y.min() == y.max():
            continue
        r = Z_nd.T @ standard(y)
        chosen = _pair(correlations, r) or _few(correlations, r)
        if chosen is None:
            continue
        weights, residuals = _fitted(X_nd[:, chosen], y)
        unit = np.all(np.abs(np.abs(weights[:-1]) - 1) < _UNIT)
        if _is_rounding(residuals, y) and (unit or len(chosen) < len(dataset.inputs)):
            used = [names[position] for position in chosen]
            message = f"{target} is {_formula(used, weights, y)} within rounding error (target leakage)"
            remedy = f"leave them out with {leave_out(*used)}"
            if len(used) == len(dataset.inputs):  # a feature must be left
                remedy = f"leave out all of them but {used[0]} with {leave_out(*used[1:])}"
            yield Finding("leak", f"{message}; if it is computed from them, {remedy}")


def _pair(correlations: Matrix, r: Column) -> list[int] | None:
    """The two columns that together explain the target exactly, neither of them alone; None if there are none.

    R2 = (r_i^2 + r_j^2 - 2 r_i r_j r_ij) / (1 - r_ij^2) for two standardised columns.
    """
    free = 1 - correlations**2
    usable = free > 1e-6
    with np.errstate(divide="ignore", invalid="ignore"):
        explained = (r[:, None] ** 2 + r**2 - 2 * np.outer(r, r) * correlations) / free
    alone = 1 - r**2 < _ALONE
    explained[~usable | alone | alone[:, None]] = 0.0
    best = np.unravel_index(np.argmax(explained), explained.shape)
    return sorted(map(int, best)) if 1 - explained[best] < _CANDIDATE else None


def _few(correlations: Matrix, r: Column) -> list[int] | None:
    """The three to five columns that take part in the exact combination of all columns; None if there is none."""
    if np.any(1 - r**2 < _ALONE):
        return None
    weights = np.linalg.pinv(correlations, rcond=1e-10, hermitian=True) @ r
    if 1 - weights @ r >= _CANDIDATE:
        return None
    chosen = np.flatnonzero(np.abs(weights) > 1e-4)
    return chosen.tolist() if 2 < len(chosen) <= _MOST_FEATURES else None


def _fitted(X_nk: Matrix, y: Column) -> tuple[Column, Column]:
    """The weights and the bias of the least-squares fit, and its residuals."""
    center = X_nk.mean(axis=0)
    weights = np.linalg.lstsq(X_nk - center, y - y.mean(), rcond=None)[0]
    residuals = y - y.mean() - (X_nk - center) @ weights
    bias = y.mean() - center @ weights
    return np.append(weights, bias), residuals


def _is_rounding(residuals: Column, y: Column) -> bool:
    """Whether residuals are rounding error: of floats, or of a target that is rounded to so many digits."""
    spread = float(np.std(y))
    if residuals @ residuals < _REST * len(y) * spread**2:
        return True
    for digits in range(_DIGITS + 1):
        unit = 10.0**-digits
        if np.all(np.abs(y - np.round(y, digits)) < 1e-6 * unit):  # the fewest digits that y has
            return unit <= _COARSEST * spread and float(np.abs(residuals).max()) < 0.75 * unit
    return False


def _formula(names: Sequence[str], weights: Column, y: Column) -> str:
    """The combination in words; weights to four digits, since the target may be rounded.

    >>> _formula(["a", "b"], np.array([1.0, -1.0, 0.0]), np.array([0.0, 1.0]))
    'a - b'
    >>> _formula(["a", "b"], np.array([-2.0, 0.5, 3.0]), np.array([0.0, 1.0]))
    '-2 a + 0.5 b + 3'
    """
    parts = []
    for name, weight in zip(names, weights, strict=False):
        size = "" if abs(abs(weight) - 1) < _UNIT else f"{number(rounded(abs(weight), 4))} "
        parts.append(("-" if weight < 0 else "+", f"{size}{name}"))
    if abs(weights[-1]) > 1e-6 * float(np.abs(y).max()):
        parts.append(("-" if weights[-1] < 0 else "+", number(abs(weights[-1]))))
    first = f"-{parts[0][1]}" if parts[0][0] == "-" else parts[0][1]
    return " ".join([first, *(f"{sign} {text}" for sign, text in parts[1:])])
