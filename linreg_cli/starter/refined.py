"""A draft becomes one whose exact fit is unique: its rows are split and encoded, and what is of no use is left out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from linreg_cli.config import Config, load_config
from linreg_cli.config.data import TableData
from linreg_cli.config.formats import table_stem
from linreg_cli.config.roles import WEIGHT, column_roles
from linreg_cli.config.source import ConfigText
from linreg_cli.config.terms import Term
from linreg_cli.convergence.on_disk import decide, problem_within_limit, streamed
from linreg_cli.convergence.problem import Problem
from linreg_cli.data import Dataset, Preprocessor
from linreg_cli.data.assemble import assemble, complete_rows
from linreg_cli.data.checks.leaks import MIN_ROWS, identifying
from linreg_cli.data.checks.warnings import SAMPLE_ROWS
from linreg_cli.data.columns.kinds import Categories, Numbers, RawColumn, Rows, n_cells
from linreg_cli.data.columns.rows import RowsOnAccess, first_row
from linreg_cli.data.encoding.cells import text_column
from linreg_cli.data.encoding.date_values import date_parts
from linreg_cli.data.encoding.inputs import CategoryInput, NumberInput
from linreg_cli.data.features import choose_features, feature_treatments, read_columns
from linreg_cli.data.roles import checked_weights, weight_column
from linreg_cli.data.split import Split, splitter
from linreg_cli.errors import DataError
from linreg_cli.starter.choices import CATEGORY, IGNORED, NUMBER, Choices, ColumnChoice
from linreg_cli.starter.columns import category, number_with_gaps, own_way
from linreg_cli.starter.dependent import Unit, constant_columns, dependent
from linreg_cli.starter.known import Known
from linreg_cli.starter.reading import Reading
from linreg_cli.starter.text import config_text
from linreg_cli.starter.training import training

#: What is left out may make other columns useless; more rounds than these have not been seen.
_ROUNDS = 10
#: The mean of a column over its standard deviation above which rounding may make columns dependent.
_FAR = 1e5


@dataclass(frozen=True)
class Encoded:
    """A table, split and encoded as a config says."""

    choices: Choices
    config: Config
    dataset: Dataset


def as_config(path: str, text: str) -> ConfigText:
    """A config for a table, which messages call so."""
    return ConfigText(f"the config of {path}", text, table_stem(path))


def refined(first: Choices, reading: Reading, overrides: Sequence[str]) -> tuple[Choices, Known]:
    """The choices without the columns that are of no use, and with the way of training; and the rows that they are of.

    What a user has named with --features is kept.

    Args:
        first: judged by the cells of each column alone.
        reading: the table.
        overrides: of the user.

    Raises:
        DataError: if no feature is left.
    """
    choices = first
    for _ in range(_ROUNDS):
        encoded = _encoded(choices, reading, overrides)
        dataset = encoded.dataset
        choices = _with_levels(encoded.choices, dataset, reading)
        more = {} if reading.terms is not None else _useless(dataset, reading)
        preprocessor = Preprocessor.fit(dataset, encoded.config.preprocess, bias=encoded.config.model.bias)
        problem = problem_within_limit(encoded.config, dataset, preprocessor)
        if not more and reading.terms is None and _has_dependence(problem, preprocessor):
            more = dependent(dataset)
        if not more or len(more) >= len(dataset.inputs):  # something must be left to predict from
            break
        choices = _without(choices, more, reading)
    settings, outlook = training(encoded.config, problem, dataset, preprocessor)
    in_memory = None if isinstance(problem.X_nd, RowsOnAccess) else problem
    known = Known(encoded.config, reading.table, dataset, preprocessor, in_memory, overrides)
    return replace(choices, training=settings, outlook=outlook), known


def _useless(dataset: Dataset, reading: Reading) -> dict[Unit, str]:
    """Constant columns, and identifiers."""
    found = {
        (column, False): "constant in the train split" if _varies(reading, column) else "constant"
        for column in constant_columns(dataset)
    }
    if len(dataset.splits["train"]) >= MIN_ROWS:
        sample = dataset.splits["train"][:SAMPLE_ROWS]
        found |= {(column, False): f"identifier: it {why}" for column, why in identifying(dataset, sample)}
    return found


def _has_dependence(problem: Problem, preprocessor: Preprocessor) -> bool:
    """Whether columns may be linearly dependent, of the table as given or of the scaled numbers."""
    if problem.no_factor_reason or problem.plan.n_samples < len(problem.features) + problem.bias:
        return False
    features = preprocessor.features
    if np.any(np.abs(features.center) > _FAR * features.scale):  # scaling does not show the digits that are lost
        return True
    return problem.factor.rank < problem.factor.n_parameters


def _encoded(choices: Choices, reading: Reading, overrides: Sequence[str]) -> Encoded:
    """The table split and encoded as the config says, without the columns that have no value in a train row."""
    config, source = _config(choices, reading, overrides)
    labels = None
    if source.split.column is not None:
        cells = reading.table.read((), text=[source.split.column])
        labels = text_column(cells, source.split.column, reading.missing_values, reading.source.name)
    split = splitter(source, config, labels)
    if empty := _empty(reading, choices, split):
        choices = _without(choices, empty, reading)
        config, source = _config(choices, reading, overrides)
    terms = _terms(choices, config, source, reading)
    parts, faults = date_parts(reading.cells, terms, reading.missing_values, source.name)
    if faults:
        raise DataError(faults)
    raw = {name: parts.get(name) or reading.raw[name] for name in (*read_columns(terms), *choices.targets)}
    treated = feature_treatments(config.preprocess, terms, choices.targets, reading.table.columns)
    dataset = assemble(source.name, raw, choices.targets, config, split, treated, terms=terms)
    on_disk = streamed(config)
    if on_disk.data.split != source.split and decide(config, dataset).value:
        # the rows that will be trained on, and no list of their numbers
        assert isinstance(on_disk.data, TableData)
        config, split = on_disk, splitter(on_disk.data, on_disk, labels)
        dataset = assemble(source.name, raw, choices.targets, config, split, treated, terms=terms)
    return Encoded(choices, config, _with_weights(dataset, config, reading))


def _config(choices: Choices, reading: Reading, overrides: Sequence[str]) -> tuple[Config, TableData]:
    """The config of the choices, and its table."""
    text = config_text(choices, reading.source)
    config = load_config([as_config(choices.path, text)], overrides).config
    assert isinstance(config.data, TableData)
    return config, config.data


def _terms(choices: Choices, config: Config, source: TableData, reading: Reading) -> tuple[Term, ...]:
    """The features.

    Raises:
        DataError: if none is left, with the reasons.
    """
    table = reading.table
    try:
        return choose_features(
            table.columns, choices.targets, source.features, source.ignore, roles=column_roles(config),
            index=table.index, name=source.name,
        )  # fmt: skip
    except DataError as error:
        ignored = [each for each in choices.columns if each.use == IGNORED]
        why = "; ".join(f"{each.column}: {each.why}" for each in ignored)
        raise DataError(f"no feature is left ({why})", source.name) if ignored else error from None


def _with_weights(dataset: Dataset, config: Config, reading: Reading) -> Dataset:
    """The dataset with the weights that a user has set.

    Raises:
        DataError: for weights that are not above 0.
    """
    column = column_roles(config).get(WEIGHT)
    if column is None:
        return dataset
    marks, name = reading.missing_values, dataset.name
    found = weight_column(reading.table.read([column]), column, marks, name, reading.table.as_text())
    return replace(dataset, weights=checked_weights(found, column, dataset.splits, name))


def _empty(reading: Reading, choices: Choices, split: Split) -> dict[Unit, str]:
    """The columns without a value in a train row."""
    known = {each.column for each in choices.columns if each.use == IGNORED}
    gaps = {name: values for name, values in reading.raw.items() if name not in known and values.n_missing}
    if not gaps:
        return {}
    train = split(complete_rows(reading.raw, choices.targets))["train"]
    empty = [name for name, values in gaps.items() if _is_empty(values, train)]
    return {(name, False): "no cell of a train row has a value" for name in empty}


def _is_empty(values: RawColumn, rows: Rows) -> bool:
    return not first_row(rows, n_cells(values), lambda block: ~values.missing(block))[1]


def _varies(reading: Reading, column: str) -> bool:
    """Whether a column that is constant in the train split has other values elsewhere."""
    values = reading.raw.get(column)
    if isinstance(values, Numbers):
        there = values.values[:]
        there = there[~np.isnan(there)]
        return bool(len(there) and there.min() != there.max())
    return values is None or len(values.levels) > 1


def _with_levels(choices: Choices, dataset: Dataset, reading: Reading) -> Choices:
    """The choices with the reference levels of the train split, and the gaps that columns share."""
    columns = {each.column: each for each in choices.columns}
    for each in dataset.inputs:
        values = reading.raw.get(each.column)
        if isinstance(values, Categories) and isinstance(each, CategoryInput) and each.levels:
            own, levels = own_way(reading, each.column, CATEGORY), each.own_levels or each.levels
            columns[each.column] = category(values, each.column, levels, each.gaps_of, own)
        elif isinstance(values, Numbers) and isinstance(each, NumberInput) and each.gaps_of is not None:
            if own_way(reading, each.column, NUMBER) is not None:
                continue
            columns[each.column] = number_with_gaps(each.column, values, "level", each.gaps_of)
    return replace(choices, columns=tuple(columns.values()))


def _without(choices: Choices, more: dict[Unit, str], reading: Reading) -> Choices:
    """The choices without some columns, parts of dates, and indicators of gaps."""
    columns = {each.column: each for each in choices.columns}
    dates = {entry: each.column for each in choices.columns for entry in each.entries}
    for (name, is_indicator), why in more.items():
        values = reading.raw.get(name)
        if is_indicator and isinstance(values, Numbers):
            columns[name] = number_with_gaps(name, values, "median")
        elif name in dates:
            date = columns[dates[name]]
            entries = tuple(entry for entry in date.entries if entry != name)
            left = replace(date, entries=entries, why=f"{date.why}; {name} is left out: {why}")
            columns[date.column] = left if entries else ColumnChoice(date.column, IGNORED, f"{name}: {why}")
        else:
            columns[name] = ColumnChoice(name, IGNORED, why)
    ordered = [columns[name] for name in dict.fromkeys(reading.table.columns) if name in columns]
    return replace(choices, columns=tuple(ordered))
