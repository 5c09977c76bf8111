"""A table with fewer and fewer columns, each time without the one that makes it ill-conditioned."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from linreg_cli.config.data import SyntheticData
from linreg_cli.config.schema import Config
from linreg_cli.config.types import Distribution
from linreg_cli.convergence.of_config import problem_of
from linreg_cli.convergence.original import original_optimum, original_rows
from linreg_cli.convergence.problem import Problem
from linreg_cli.data import Dataset, Preprocessor
from linreg_cli.data.columns.kinds import Mask
from linreg_cli.data.encoding.derived import DerivedInput
from linreg_cli.data.encoding.encode import Encoder
from linreg_cli.data.encoding.inputs import Input
from linreg_cli.least_squares.factor import Factor
from linreg_cli.least_squares.optimum import Optimum
from linreg_cli.least_squares.refusal import refusal
from linreg_cli.least_squares.solve import condition_numbers
from linreg_cli.wording import rounded

#: More columns than these are not left out: the table would be another one.
MOST_LEFT_OUT = 10
#: Of the columns that are nearly dependent, as many are compared as have the largest loadings.
_COMPARED = 3
#: With a larger condition number, gradient descent takes millions of epochs.
_HOPELESS = 1e5


@dataclass(frozen=True, eq=False)
class Part:
    """A table without some of its columns.

    Attributes:
        left_out: the columns, or entries of `data.features`, that it lacks.
        dataset: the rows.
        preprocessor: fitted on them.
        problem: of them.
        original: the exact fit in original units, unique and with residuals.
    """

    left_out: tuple[str, ...]
    dataset: Dataset
    preprocessor: Preprocessor
    problem: Problem
    original: Optimum


def fewer(config: Config, dataset: Dataset, factor: Factor) -> Iterator[Part]:
    """The table without the columns that make it ill-conditioned, one after the other; none where none can be left out.

    Of the columns with the largest loadings of the smallest singular value of the standardised table, the one without
    which the condition number is lowest is left out next; of equal ones the last, as R's lm does.

    Args:
        config: of the run.
        dataset: the rows.
        factor: of the train split in original units.
    """
    if isinstance(config.data, SyntheticData) or not isinstance(config.model.init.weight, Distribution | float):
        return  # data.ignore is not for it, or there is an initial value for each column
    inputs, left_out = dataset.inputs, list[str]()
    while len(left_out) < MOST_LEFT_OUT:
        columns = _suspects(factor, inputs)
        rests = {column: [each for each in inputs if not _is_of(each, column)] for column in columns}
        factors = {column: factor.of_features(_kept(inputs, rest)) for column, rest in rests.items() if rest}
        if not factors:
            return
        order = [each.column for each in inputs]
        column = min(factors, key=lambda each: (rounded(condition_numbers(factors[each])[0], 2), -order.index(each)))
        left_out.append(column)
        inputs, factor = tuple(rests[column]), factors[column]
        if condition_numbers(factor)[0] < _HOPELESS and (part := _part(config, dataset, inputs, left_out)) is not None:
            yield part


def _suspects(factor: Factor, inputs: Sequence[Input | DerivedInput]) -> list[str]:
    """The columns with the largest loadings of the smallest singular value, the largest first."""
    loadings = factor.svd()[2][-1] ** 2
    owners = [each.column for each in inputs for _ in each.features]
    sums = dict.fromkeys(owners, 0.0)
    for owner, loading in zip(owners, loadings[: len(owners)].tolist(), strict=True):
        sums[owner] += loading
    return sorted(sums, key=lambda owner: -sums[owner])[:_COMPARED]


def _is_of(each: Input | DerivedInput, column: str) -> bool:
    """Whether an input goes with a column, or with an entry of `data.features`, that is left out."""
    return each.column == column or (isinstance(each, DerivedInput) and column in each.columns)


def _kept(inputs: Sequence[Input | DerivedInput], rest: Sequence[Input | DerivedInput]) -> Mask:
    return np.array([each in rest for each in inputs for _ in each.features], dtype=bool)


def _part(
    config: Config, dataset: Dataset, inputs: Sequence[Input | DerivedInput], left_out: Sequence[str]
) -> Part | None:
    """The table with some inputs; None where its exact fit has no standard errors."""
    encoder = replace(dataset.encoder or Encoder.of_numbers(dataset.features), inputs=tuple(inputs))
    dataset = replace(dataset, features=encoder.features, encoder=encoder)
    preprocessor = Preprocessor.fit(dataset, config.preprocess, bias=config.model.bias)
    problem = problem_of(config, dataset, preprocessor)
    original = original_optimum(config, problem, original_rows(problem, dataset, preprocessor))
    if original is None or refusal(original, config.loss) is not None:
        return None
    return Part(tuple(left_out), dataset, preprocessor, problem, original)
