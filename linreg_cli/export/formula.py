"""The fitted formula of a run in original units, a function of the cells of a table; every format is made from it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from linreg_cli.config.terms import Factor
from linreg_cli.data.columns.kinds import Column
from linreg_cli.data.encoding.derived import DerivedInput
from linreg_cli.data.encoding.inputs import CategoryInput, Input, NumberInput
from linreg_cli.data.encoding.levels import MISSING_LEVEL
from linreg_cli.errors import UsageError
from linreg_cli.evaluation.saved_model import SavedModel


@dataclass(frozen=True)
class Indicator:
    """1 where the cell of a column is a level, else 0.

    Attributes:
        column: its name.
        level: the level; `(missing)` is that of a missing cell.
    """

    column: str
    level: str


@dataclass(frozen=True)
class FormulaTerm:
    """A weight times a product of powers and functions of columns, and of indicators.

    Attributes:
        feature: the name of the input of the model.
        factors: at least one; most terms have one.
        weights: w, shape (n_targets,), units of f(target) per unit of the product.
    """

    feature: str
    factors: tuple[Factor | Indicator, ...]
    weights: Column


@dataclass(frozen=True)
class Formula:
    """y = f^-1(sum of terms + b) in original units, where f is the transform of the target.

    Attributes:
        run: the id of the run.
        inputs: the columns that it is a function of, each once, with levels and fills; parts of dates are columns.
        parts: part of a date -> (the column, `days`, `year`, `month`, `weekday` or `hour`).
        terms: in the order of the inputs of the model, in which the sum is computed.
        targets: names.
        bias: b, shape (n_targets,), units of f(target); 0 for a model without one. Where predictions estimate the mean
            of a transformed target it holds the logarithm of the smearing factor.
        transform: f: `none`, `log` or `log1p`.
        estimate: of the target: `median` or `mean`.
        missing_values: the cells that mean 'missing'.
    """

    run: str
    inputs: tuple[Input, ...]
    parts: dict[str, tuple[str, str]]
    terms: tuple[FormulaTerm, ...]
    targets: tuple[str, ...]
    bias: Column
    transform: str
    estimate: str
    missing_values: tuple[str, ...]

    @property
    def fills(self) -> dict[str, float]:
        """Column -> the number that a missing cell is replaced with."""
        numbers = (each for each in self.inputs if isinstance(each, NumberInput))
        return {each.column: each.fill for each in numbers if each.fill is not None}


def formula_of(saved: SavedModel) -> Formula:
    """The formula of a saved model.

    Raises:
        UsageError: if a level is really called `(missing)`, which stands for missing cells.
    """
    encoder, linear = saved.preprocessor.inputs, saved.formula
    for each in encoder.sources:
        if isinstance(each, CategoryInput) and MISSING_LEVEL in each.own_levels:
            message = f"a level is called {MISSING_LEVEL!r}, which stands for missing cells in an exported model"
            raise UsageError(f"{message}; rename the level in the table and train again", f"column {each.column!r}")
    factors = [each for made in encoder.inputs for each in _factors(made)]
    terms = zip(linear.features, factors, linear.weights, strict=True)
    bias = np.zeros(len(linear.targets)) if linear.bias is None else linear.bias
    return Formula(
        run=saved.run.id,
        inputs=encoder.sources,
        parts={term.text: (term.columns[0], term.part) for term in encoder.parts if term.part is not None},
        terms=tuple(FormulaTerm(*each) for each in terms),
        targets=linear.targets,
        bias=bias if linear.smearing is None else bias + np.log(linear.smearing),
        transform=linear.transform,
        estimate="median" if linear.smearing is None else "mean",
        missing_values=tuple(saved.config.preprocess.missing_values),
    )


def _factors(made: Input | DerivedInput) -> Iterator[tuple[Factor | Indicator, ...]]:
    """The factors of each input of the model that a feature becomes, in the order of `features`."""
    if isinstance(made, NumberInput):
        yield (Factor(made.column),)
        if made.indicator:
            yield (Indicator(made.column, MISSING_LEVEL),)
    elif isinstance(made, CategoryInput):
        for level in made.levels[made.drop_first :]:
            yield (Indicator(made.column, level),)
    else:
        for levels in made.levels:
            chosen = dict(zip(made.categories, levels, strict=True))
            yield tuple(Indicator(f.column, chosen[f.column]) if f.column in chosen else f for f in made.factors)
