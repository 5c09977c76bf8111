"""inspect_statistics: what `inspect_config` finds, as far as statistics in place of rows can answer it."""

import math
from dataclasses import replace

import numpy as np

from linreg_cli.config import LoadedConfig
from linreg_cli.convergence.problem import Problem
from linreg_cli.convergence.stalling import rounding_gap
from linreg_cli.data import Dataset, Preprocessor
from linreg_cli.data.columns.moments import Moments
from linreg_cli.data.encoding.derived import DerivedInput
from linreg_cli.data.encoding.levels import MISSING_LEVEL
from linreg_cli.data.encoding.transform import inverse
from linreg_cli.data.summary import UsedColumn
from linreg_cli.errors import DataError
from linreg_cli.inspection.column_summary import ColumnSummary
from linreg_cli.inspection.inspect import Inspection, refuse_extremes
from linreg_cli.inspection.training_plans import training_plans
from linreg_cli.least_squares.factor import EPS
from linreg_cli.least_squares.solve import condition_numbers
from linreg_cli.pipeline.measured import prepare_measured, read_for
from linreg_cli.pipeline.prepared import Prepared, Reporter
from linreg_cli.statistics.as_dataset import Summarised
from linreg_cli.statistics.facts import ColumnFacts, TableStatistics
from linreg_cli.statistics.moments import target_of, value_of
from linreg_cli.statistics.scaled import scaled_factor


def inspect_statistics(loaded: LoadedConfig, reporter: Reporter, path: str) -> Inspection:
    """As `inspect_config`, from statistics of the table: no row is read. What needs rows is None.

    Args:
        loaded: the config: a full batch of a squared loss.
        reporter: receives progress.
        path: of the statistics.

    Raises:
        ConfigError, DataError: as `prepare_measured`, and for values whose squares overflow or underflow.
    """
    config, found = loaded.config, read_for(loaded, path)
    prepared = prepare_measured(loaded, reporter, path, dtype="float64")
    reporter.stage("finding the optimum and the curvature")
    problem, dataset = prepared.problem, prepared.dataset
    if problem.no_factor_reason and not problem.range_reason:
        raise DataError(f"{problem.no_factor_reason}; leave out columns (data.ignore)", path)
    refuse_extremes(problem)
    standardized = None if config.preprocess.standardize else _standardized(prepared, problem, found)
    standard, given = condition_numbers(problem.exact["original"].factor.judged_by(EPS))
    return Inspection(
        config=config,
        dataset=dataset,
        columns=_columns(dataset, found.found, config.preprocess.target_transform),
        problem=problem,
        standardized=standardized,
        condition_number=given,
        condition_number_standardized=standard,
        plans=training_plans(prepared.config, problem, standardized),
        rounding_gap=rounding_gap(problem, problem.plan.learning_rate(0), problem.rule),
        huber_lr=None,
        ridge=None,
        held_out=None,
        way=None if config.optimizer.weight_decay else prepared.way(failed=False),
    )


def _standardized(prepared: Prepared, problem: Problem, found: Summarised) -> Problem | None:
    """The same problem with `preprocess.standardize: true` and the same initial parameters."""
    config = prepared.config
    options = config.preprocess.model_copy(update={"standardize": True})
    try:
        preprocessor = Preprocessor.fit(prepared.dataset, options, bias=config.model.bias)
    except DataError:  # a column cannot be standardised; the forecast of the config does not need it
        return None
    dtype = "float32" if problem.unit > EPS else "float64"
    factor = scaled_factor(found.design, preprocessor, bias=config.model.bias, dtype=dtype)
    other = Problem(
        problem.plan, problem.X_nd, problem.y_nk, problem.features, problem.start, eps=problem.eps, measured=factor
    )
    other.exact["original"] = problem.exact["original"]
    return other


def _columns(dataset: Dataset, found: TableStatistics, transform: str) -> tuple[ColumnSummary, ...]:
    """The summaries of the columns of the table."""
    assert dataset.summary is not None
    facts = {each.column: each for each in found.columns}
    names, weighted = {each.column: each.features for each in dataset.inputs}, found.weights is not None
    summaries: list[ColumnSummary] = []
    for used in dataset.summary.columns:
        of_column = facts[used.column]
        if of_column.kind == "product":
            whole = of_column.whole and not any(facts[column].gaps for column in _numbers_of(dataset, used.column))
            summaries += [
                _of_moments(feature, dataset.known[feature], whole=whole, weighted=weighted)
                for feature in names[used.column]
            ]
        elif used.kind == "derived" and of_column.gaps:
            summaries.append(_of_moments(used.column, dataset.known[used.column], whole=False, weighted=weighted))
        else:
            summaries.append(_summary(used, of_column, found))
    return tuple(_in_original_units(each, transform) if each.role == "target" else each for each in summaries)


def _in_original_units(target: ColumnSummary, transform: str) -> ColumnSummary:
    """The summary of a target from that of its transformed values, whose mean and deviation do not give its own."""
    if transform == "none" or target.minimum is None or target.maximum is None:
        return target
    low, high = inverse(transform, np.array([target.minimum, target.maximum])).tolist()
    mean, std = (low, 0.0) if low == high else (None, None)
    return replace(target, minimum=low, maximum=high, mean=mean, std=std)


def _numbers_of(dataset: Dataset, column: str) -> list[str]:
    """The columns of numbers that a feature is made of."""
    [made] = [each for each in dataset.inputs if each.column == column and isinstance(each, DerivedInput)]
    return [factor.column for factor in made.numbers]


def _of_moments(name: str, known: Moments, *, whole: bool, weighted: bool) -> ColumnSummary:
    """The summary of an input that is made of several columns; of weighted rows, its plain mean is not known."""
    if known.low == known.high:
        return ColumnSummary(name, "constant", known.low, known.low, known.high, 0.0)
    mean, std = (None, None) if weighted else (known.mean, known.deviation)
    return ColumnSummary(name, _kind(known.low, known.high, whole), known.low, mean, known.high, std)


def _summary(used: UsedColumn, facts: ColumnFacts, found: TableStatistics) -> ColumnSummary:
    one = _of_category(used, facts) if facts.is_category else _of_numbers(facts, found)
    if used.kind == "derived":
        return one
    return replace(one, missing=used.missing, treatment=used.treatment, role=used.role)


def _of_category(used: UsedColumn, facts: ColumnFacts) -> ColumnSummary:
    levels = {level: count for level, count in facts.levels.items() if count}
    levels |= {MISSING_LEVEL: facts.gaps} if used.gaps_are_level else {}
    return ColumnSummary(facts.column, "category", None, None, None, None, levels=levels)


def _of_numbers(facts: ColumnFacts, found: TableStatistics) -> ColumnSummary:
    if not np.isfinite(facts.low):
        return ColumnSummary(facts.column, "constant", None, None, None, None)
    if facts.low == facts.high:
        return ColumnSummary(facts.column, "constant", facts.low, facts.low, facts.high, 0.0)
    moments = found.moments
    if facts.plain is not None:  # as of the table: the rows have weights, and these figures do not
        mean, std = facts.plain.mean, math.sqrt(facts.plain.squares / facts.plain.count)
        return ColumnSummary(facts.column, _kind(facts.low, facts.high, facts.whole), facts.low, mean, facts.high, std)
    place = moments.keys.index(target_of(facts.column) if facts.role == "target" else value_of(facts.column))
    shift, present = float(moments.shift[place]), moments.n - facts.gaps
    squares = float(np.sum(moments.R[:, place + 1] ** 2)) / present
    mean, std = float(moments.mean[place]), math.sqrt(max(squares - shift**2, 0.0))
    return ColumnSummary(facts.column, _kind(facts.low, facts.high, facts.whole), facts.low, mean, facts.high, std)


def _kind(low: float, high: float, whole: bool) -> str:
    return "real" if not whole else "binary" if (low, high) == (0.0, 1.0) else "integer"
