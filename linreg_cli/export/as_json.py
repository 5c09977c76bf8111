"""The formula as JSON in original units, which a few lines of any language can apply, and those lines for columns."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from linreg_cli.config.terms import Factor
from linreg_cli.data.columns.kinds import Column, Mask
from linreg_cli.data.encoding.inputs import CategoryInput, Input
from linreg_cli.data.encoding.levels import MISSING_LEVEL
from linreg_cli.data.encoding.transform import inverse
from linreg_cli.export.formula import Formula, FormulaTerm, Indicator
from linreg_cli.export.rows import Cells

FORMAT = 1


def document(formula: Formula) -> dict[str, Any]:
    """What the file holds; for several targets `targets` has the model of each.

    A prediction is f^-1(bias + sum of weight * term), where f is `transform`. A term is the cell of `column`, or its
    fill if it is missing; with a `level`, 1 if the cell is that level, else 0; with `factors`, their product.
    """
    models = [_model(formula, position) for position in range(len(formula.targets))]
    about = {
        "run": formula.run,
        "estimate": formula.estimate,
        "columns": {each.column: _about(each, formula) for each in formula.inputs},
    }
    if len(models) == 1:
        return {"format": FORMAT, "target": formula.targets[0], **models[0], **about}
    return {"format": FORMAT, "targets": dict(zip(formula.targets, models, strict=True)), **about}


def _model(formula: Formula, position: int) -> dict[str, Any]:
    return {
        "bias": float(formula.bias[position]),
        "transform": formula.transform,
        "fills": formula.fills,
        "terms": [_term(each, position) for each in formula.terms],
    }


def _term(term: FormulaTerm, position: int) -> dict[str, Any]:
    weight = float(term.weights[position])
    [first, *others] = term.factors
    if not others and isinstance(first, Indicator):
        return {"column": first.column, "level": first.level, "weight": weight}
    if not others and isinstance(first, Factor) and first.is_plain:
        return {"column": first.column, "level": None, "weight": weight}
    return {"factors": [_factor(each) for each in term.factors], "weight": weight}


def _factor(factor: Factor | Indicator) -> dict[str, Any]:
    if isinstance(factor, Indicator):
        return {"column": factor.column, "level": factor.level}
    return {"column": factor.column, "function": factor.function, "power": factor.power}


def _about(each: Input, formula: Formula) -> dict[str, Any]:
    """What a column holds, and what the run does with cells that the terms do not say."""
    found: dict[str, Any] = {"kind": "number", "missing": each.missing}
    if isinstance(each, CategoryInput):
        found = {"kind": "category", "of": each.kind, "levels": list(each.own_levels), "missing": each.missing}
        found["unknown"] = each.unknown
    if each.column in formula.parts:
        column, part = formula.parts[each.column]
        found |= {"date": column, "part": part}
    return found


def predictions(model: Mapping[str, Any], cells: Cells) -> Column:
    """What a document predicts, shape (n_rows, n_targets), float64.

    Args:
        model: from `document`, or read from its file.
        cells: column -> numbers with nan, or texts with None, where a cell is missing.
    """
    models = model["targets"].values() if "targets" in model else [model]
    with np.errstate(all="ignore"):
        return np.column_stack([_predicted(each, cells) for each in models])


def _predicted(model: Mapping[str, Any], cells: Cells) -> Column:
    total: Column = np.zeros(len(next(iter(cells.values()))))
    for term in model["terms"]:
        product = np.ones_like(total)
        for factor in term.get("factors", [term]):
            product = product * _values(factor, model["fills"], cells)
        total = total + product * term["weight"]
    return inverse(model["transform"], total + model["bias"])


def _values(factor: Mapping[str, Any], fills: Mapping[str, float], cells: Cells) -> Column:
    column = cells[factor["column"]]
    is_missing = missing(column)
    if factor.get("level") == MISSING_LEVEL:
        return np.asarray(is_missing, dtype=np.float64)
    if factor.get("level") is not None:
        return np.asarray(column == factor["level"], dtype=np.float64)
    numbers = np.where(is_missing, fills.get(factor["column"], np.nan), column.astype(np.float64))
    if factor.get("function") is not None:
        return np.asarray(getattr(np, factor["function"])(numbers))
    return np.asarray(numbers ** factor.get("power", 1))


def missing(column: npt.NDArray[np.generic]) -> Mask:
    """Which cells are missing: nan among numbers, None among texts."""
    if column.dtype == object:
        return np.array([cell is None for cell in column], dtype=bool)
    return np.isnan(column.astype(np.float64))
