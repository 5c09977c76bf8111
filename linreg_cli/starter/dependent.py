"""Columns that are left out because the others determine them: constant, and linearly dependent on others."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from linreg_cli.convergence.affordable import out_of_range, too_costly
from linreg_cli.data.checks.wording import listed
from linreg_cli.data.columns.kinds import take
from linreg_cli.data.columns.rows import StackedRows, in_order
from linreg_cli.data.dataset import Dataset
from linreg_cli.least_squares.decompositions import triangle
from linreg_cli.least_squares.dependence import combinations, dependent_columns
from linreg_cli.least_squares.factor import Factor, factorise
from linreg_cli.wording import plural

#: A coefficient below this is rounding error, relative to the largest one of a dependence of standardised columns.
_SMALL = 1e-6


def constant_columns(dataset: Dataset) -> list[str]:
    """The columns all of whose inputs are constant in the train split."""
    rows = in_order(dataset.splits["train"])
    found = []
    for each in dataset.inputs:
        parts = (take(dataset.columns, feature, rows) for feature in each.features)
        if all(values.min() == values.max() for values in parts):
            found.append(each.column)
    return found


def dependent(dataset: Dataset, columns: Sequence[str]) -> dict[str, str]:
    """Columns to leave out so that the exact fit of the train split is unique -> why.

    Of the columns of a dependence, the last one whose absence changes no fitted value is left out, as R's lm leaves out
    aliased columns; where there is none, the one that takes the fewest dimensions with it.

    Args:
        dataset: split and encoded.
        columns: those that are used.

    Returns:
        An empty mapping, too, where there are fewer rows than parameters, or too many numbers for the factor.
    """
    column_of = {feature: each.column for each in dataset.inputs for feature in each.features if each.column in columns}
    names = list(column_of)
    rows = in_order(dataset.splits["train"])
    X, y = (StackedRows(dataset.columns, some, rows) for some in (names, dataset.targets))
    n, p = len(X), len(names) + 1
    if n < p or too_costly(n, p) or any(out_of_range(X[part]) for part in _parts(n)):
        return {}
    factor = factorise(X, y, bias=True)
    found: dict[str, str] = {}
    while factor.rank < factor.n_parameters and len(set(column_of.values()) - set(found)) > 1:
        involved = dict.fromkeys(column_of[name] for name in dependent_columns(factor, names))
        if not involved:
            break
        loss = {each: factor.rank - _without(factor, names, column_of, each).rank for each in involved}
        chosen = min(reversed(involved), key=loss.__getitem__)
        found[chosen] = _why(factor, names, column_of, chosen, loss[chosen])
        factor = _without(factor, names, column_of, chosen)
        names = [name for name in names if column_of[name] != chosen]
    return found


def _parts(n: int) -> list[slice]:
    return [slice(start, start + 65_536) for start in range(0, n, 65_536)]


def _without(factor: Factor, names: Sequence[str], column_of: Mapping[str, str], column: str) -> Factor:
    """The factor of the same rows without the inputs of one column."""
    kept = np.array([column_of[name] != column for name in names])
    parameters = np.append(kept, True)
    p, R = int(parameters.sum()), triangle(np.hstack([factor.R_pp[:, parameters], factor.R_pk]))
    return replace(
        factor,
        center=factor.center[kept],
        scale=factor.scale[kept],
        spread=factor.spread[kept],
        largest=factor.largest[kept],
        R_pp=R[:p, :p],
        R_pk=R[:p, p:],
        rest_k=factor.rest_k + np.sum(R[p:, p:] ** 2, axis=0),
    )


def _why(factor: Factor, names: Sequence[str], column_of: Mapping[str, str], column: str, loss: int) -> str:
    own = [position for position, name in enumerate(names) if column_of[name] == column]
    formulas = {each.name: each for each in combinations(factor, names)}
    if len(own) == 1 and (found := formulas.get(names[own[0]])) is not None and 0 < len(found.terms) <= 4:
        return f"linearly dependent: {found.name} = {found.formula()}"
    rest = [position for position in range(len(names)) if position not in own]
    A = factor.standardized()
    weights = np.linalg.lstsq(A[:, [*rest, len(names)]], A[:, own], rcond=None)[0][: len(rest)]
    sizes = np.abs(weights).max(axis=1)
    others = [column_of[names[position]] for position, size in zip(rest, sizes, strict=True) if size > _SMALL]
    whose = listed(list(dict.fromkeys(others)))
    if loss:
        return f"{plural(len(own) - loss, 'input')} of its {len(own)} are linearly dependent on {whose}"
    return f"linearly dependent on {whose}"
