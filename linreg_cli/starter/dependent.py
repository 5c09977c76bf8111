"""Columns that are left out because the others determine them: constant, and linearly dependent on others."""

from collections.abc import Mapping, Sequence

import numpy as np

from linreg_cli.data.checks.wording import listed
from linreg_cli.data.columns.kinds import take
from linreg_cli.data.columns.rows import StackedRows, in_order
from linreg_cli.data.dataset import Dataset
from linreg_cli.data.encoding.inputs import NumberInput
from linreg_cli.least_squares.dependence import combinations, dependent_columns
from linreg_cli.least_squares.factor import Factor
from linreg_cli.least_squares.factorise import factorise
from linreg_cli.wording import plural

#: A coefficient below this is rounding error, relative to the standardised columns of a dependence.
_SMALL = 1e-6

#: A column, or an entry of `data.features`; and whether its indicator of missing cells alone is meant.
Unit = tuple[str, bool]


def constant_columns(dataset: Dataset) -> list[str]:
    """The features all of whose inputs are constant in the train split."""
    rows = in_order(dataset.splits["train"])
    found = []
    for each in dataset.inputs:
        parts = (take(dataset.columns, feature, rows) for feature in each.features)
        if all(values.min() == values.max() for values in parts):
            found.append(each.column)
    return found


def dependent(dataset: Dataset) -> dict[Unit, str]:
    """What to leave out so that the exact fit of the train split is unique -> why.

    Of the columns of a dependence, the last one whose absence changes no fitted value is left out, as R's lm leaves out
    aliased columns; where there is none, the one that takes the fewest dimensions with it.

    Args:
        dataset: split and encoded, with at least as many train rows as parameters.
    """
    unit_of: dict[str, Unit] = {}
    for each in dataset.inputs:
        gaps = each.of_gaps if isinstance(each, NumberInput) else None
        unit_of |= {feature: (each.column, feature == gaps) for feature in each.features}
    rows, names = in_order(dataset.splits["train"]), list(unit_of)
    factor = factorise(*(StackedRows(dataset.columns, some, rows) for some in (names, dataset.targets)), bias=True)
    found: dict[Unit, str] = {}
    while factor.rank < factor.n_parameters and len({*unit_of.values()} - {*found}) > 1:
        involved = dict.fromkeys(unit_of[name] for name in dependent_columns(factor, names))
        if not involved:
            break
        loss = {unit: factor.rank - _without(factor, names, unit_of, unit).rank for unit in involved}
        # of those with the same loss the indicators of gaps first, and the last one
        chosen = min(reversed(involved), key=lambda unit: (loss[unit], not unit[1]))
        found[chosen] = _why(factor, names, unit_of, chosen, loss[chosen])
        factor = _without(factor, names, unit_of, chosen)
        names = [name for name in names if unit_of[name] != chosen]
    return found


def _without(factor: Factor, names: Sequence[str], unit_of: Mapping[str, Unit], unit: Unit) -> Factor:
    """The factor of the same rows without the inputs of one unit."""
    return factor.of_features(np.array([unit_of[name] != unit for name in names]))


def _why(factor: Factor, names: Sequence[str], unit_of: Mapping[str, Unit], unit: Unit, loss: int) -> str:
    own = [position for position, name in enumerate(names) if unit_of[name] == unit]
    formulas = {each.name: each for each in combinations(factor, names)}
    if len(own) == 1 and (found := formulas.get(names[own[0]])) is not None and 0 < len(found.terms) <= 4:
        return f"linearly dependent: {found.name} = {found.formula()}"
    rest = [position for position in range(len(names)) if position not in own]
    A = factor.standardized()
    weights = np.linalg.lstsq(A[:, [*rest, len(names)]], A[:, own], rcond=None)[0][: len(rest)]
    sizes = np.abs(weights).max(axis=1)
    others = [unit_of[names[position]][0] for position, size in zip(rest, sizes, strict=True) if size > _SMALL]
    whose = listed(list(dict.fromkeys(others)))
    if loss:
        return f"{len(own) - loss} of its {plural(len(own), 'input')} are linearly dependent on others"
    return f"linearly dependent on {whose}"
