"""The data set of a config whose rows were not read: its encoding, its splits and its design, from statistics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from linreg_cli.config.data import TableData
from linreg_cli.config.given import messages_about
from linreg_cli.config.roles import column_roles
from linreg_cli.config.schema import Config
from linreg_cli.config.terms import Term
from linreg_cli.data.assemble import assemble
from linreg_cli.data.columns.kinds import MISSING, Categories, Numbers, RawColumn
from linreg_cli.data.columns.row_set import RowArray
from linreg_cli.data.dataset import SPLITS, Dataset
from linreg_cli.data.encoding import levels
from linreg_cli.data.encoding.derived import DerivedInput
from linreg_cli.data.encoding.encode import Encoder
from linreg_cli.data.encoding.inputs import CategoryInput, NumberInput
from linreg_cli.data.encoding.levels import MISSING_LEVEL
from linreg_cli.data.encoding.treatments import Treatment
from linreg_cli.data.features import choose_features, feature_treatments
from linreg_cli.data.roles import refuse_scale
from linreg_cli.data.summary import DataSummary
from linreg_cli.errors import DataError
from linreg_cli.statistics.derived import derived_terms, named_levels, of_fills, together
from linreg_cli.statistics.design import Combination, Design
from linreg_cli.statistics.facts import ColumnFacts, TableStatistics
from linreg_cli.statistics.moments import Key, gap_of, level_of, target_of, value_of, without
from linreg_cli.statistics.no_rows import NoRows
from linreg_cli.statistics.refusals import refuse_columns, refuse_other_settings
from linreg_cli.statistics.settings import refuse_settings


@dataclass(frozen=True, eq=False)
class Summarised:
    """What stands for the rows of a table.

    Attributes:
        dataset: without rows; its splits have their sizes.
        design: of the train split.
        path: of the file of statistics.
        found: what is in it.
        weights: the column of the weights, and what they are multiplied by to have mean 1; None: all are 1.
    """

    dataset: Dataset
    design: Design
    path: str
    found: TableStatistics
    weights: tuple[str, float] | None = None


def summarised(config: Config, found: TableStatistics, path: str) -> Summarised:
    """The data set of a config, from statistics of its table.

    Args:
        config: of the run.
        found: statistics of the whole table.
        path: of their file.

    Raises:
        ConfigError: for settings that the statistics are not of.
        DataError: for statistics of a part, columns without a cell, and missing cells that the config does not allow.
    """
    with messages_about(config):
        refuse_settings(config)
        data = config.data
        assert isinstance(data, TableData)
        if found.part != (1, 1):
            index, of = found.part
            message = f"the statistics are of part {index}/{of} of a table"
            raise DataError(f"{message}; merge all parts with: linreg stats merge FILE... -o FILE", path)
        terms = choose_features(
            found.table["columns"], data.targets, data.features, data.ignore, roles=column_roles(config),
            index=found.table["index"], name=data.path,
        )  # fmt: skip
        treated = feature_treatments(config.preprocess, terms, data.targets, found.table["columns"])
        refuse_other_settings(config, found, terms, treated, path)
        facts = [_as_boolean(each) for each in found.columns]
        refuse_columns(config, found, treated, path)
        for split in SPLITS:
            if not found.splits[split] and (split == "train" or _asks_for(config, split)):
                raise DataError(f"the {split} split has no row", path)
        found, weights = _with_mean_1(found, path)
        dataset = _fitted(config, facts, found, terms, treated, path)
        design = _design(dataset, facts, found)
        return Summarised(replace(dataset, known=design.moments()), design, path, found, weights)


def _with_mean_1(found: TableStatistics, path: str) -> tuple[TableStatistics, tuple[str, float] | None]:
    """The statistics with weights of mean 1, the name of their column, and what they were multiplied by.

    Raises:
        DataError: if their sum, or its inverse, is beyond the range of float64.
    """
    if found.weights is None:
        return found, None
    moments = found.moments
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        scale = float(moments.n / moments.R[0, 0] ** 2)
    refuse_scale(scale, found.weights.column, path)
    scaled = replace(moments, R=moments.R * (np.sqrt(moments.n) / moments.R[0, 0]))
    weights = found.weights.scaled(scale, moments.n)
    return replace(found, moments=scaled, weights=weights), (weights.column, scale)


def _asks_for(config: Config, split: str) -> bool:
    assert isinstance(config.data, TableData)
    return config.data.split.column is None and getattr(config.data.split, split) > 0


def _digest(digests: Sequence[str]) -> str:
    import hashlib

    return f"stats:{hashlib.sha256(' '.join(digests).encode()).hexdigest()}"


def _as_boolean(each: ColumnFacts) -> ColumnFacts:
    """A category of text whose levels are true and false is one of truth values, as in a table that is read."""
    is_text = each.is_category and each.kind == "text"
    return replace(each, kind="boolean") if is_text and levels.is_boolean(tuple(each.levels)) else each


def _fitted(
    config: Config,
    facts: Sequence[ColumnFacts],
    found: TableStatistics,
    terms: Sequence[Term],
    treated: Mapping[str, Treatment],
    path: str,
) -> Dataset:
    """The data set, with an encoding that is fitted on a few rows in which all that it depends on is as in the table.

    These are rows with every level, and a row for each set of columns that are missing together.
    """
    groups = _missing_together([each for each in facts if each.column in treated], found)
    n_levels = max((len(each.levels) for each in facts if each.is_category), default=0)
    n_rows = max(1, n_levels)
    absent = {column: n_rows + place for place, group in enumerate(groups) for column in group}
    n_rows += len(groups)
    factors = {column for term in derived_terms(terms) for column in term.columns}
    raw = {
        each.column: _column(each, n_rows, absent.get(each.column), 1.0 if each.column in factors else each.low)
        for each in facts
        if each.column in treated
    }
    every = np.arange(n_rows, dtype=np.int32)
    kept = {name: every if name == "train" else every[:0] for name in SPLITS}
    data = config.data
    assert isinstance(data, TableData)
    dataset = assemble(
        path, raw, data.targets, config, lambda _: kept, treated, terms=terms, together=together(facts, terms)
    )
    encoder = dataset.encoder
    assert encoder is not None
    of = {each.column: each for each in facts}
    inputs, hidden = (tuple(_with_fill(each, of, found) for each in some) for some in (encoder.inputs, encoder.hidden))
    encoder = replace(encoder, inputs=inputs, hidden=hidden)
    assert dataset.summary is not None
    summary = _summary(dataset.summary, of, encoder, found)
    names = (*encoder.features, *data.targets)
    splits: dict[str, Any] = {name: _unread(found.splits[name]) for name in SPLITS}
    columns = NoRows(names, path)
    return Dataset(
        path, encoder.features, data.targets, columns, splits, encoder, None, summary, dict(treated),
        digest=_digest(found.digests),
    )  # fmt: skip


def _unread(n_rows: int) -> RowArray:
    """Row numbers of which only their count is known, in no memory."""
    return np.broadcast_to(np.int32(0), (n_rows,))


def _missing_together(facts: Sequence[ColumnFacts], found: TableStatistics) -> list[list[str]]:
    """The columns with missing cells in the train split, those together that are missing in the same rows."""
    moments, groups = found.moments, dict[int, list[str]]()
    least = 1.0 if found.weights is None else found.weights.low
    position = {key: place + 1 for place, key in enumerate(moments.keys)}
    for each in facts:
        if not each.gaps or each.role == "target":
            continue
        own = moments.R[:, position[gap_of(each.column)]]
        # The squared distance of two indicators is the sum of the weights of the rows in which they differ.
        same = (at for at in groups if float(np.sum((moments.R[:, at] - own) ** 2)) < least / 2)
        groups.setdefault(next(same, position[gap_of(each.column)]), []).append(each.column)
    return list(groups.values())


def _column(each: ColumnFacts, n_rows: int, absent: int | None, number: float) -> RawColumn:
    """A column of the few rows; numbers that functions are taken of are 1, which every function takes."""
    if not each.is_category:
        values = np.full(n_rows, number if np.isfinite(each.low) else np.nan)
        if absent is not None:
            values[absent] = np.nan
        return Numbers(values)
    names = levels.ordered({each.name_of(level) for level in each.levels})
    trained = [names.index(each.name_of(level)) for level, count in each.levels.items() if count]
    codes = np.full(n_rows, MISSING, dtype=np.int32)
    if trained:
        codes[:] = np.resize(np.array(sorted(set(trained)), dtype=np.int32), n_rows)
    if absent is not None:
        codes[absent] = MISSING
    return Categories(each.kind, codes, names)


def _with_fill(each: Any, of: Mapping[str, ColumnFacts], found: TableStatistics) -> Any:
    """An input with the fill of the whole table."""
    if not isinstance(each, NumberInput) or each.fill is None:
        return each
    return replace(each, fill=_fill(each.missing, of[each.column], found))


def _fill(way: str, facts: ColumnFacts, found: TableStatistics) -> float:
    if facts.low == facts.high:
        return facts.low
    if way == "median":
        assert facts.histogram is not None
        return facts.histogram.median()[0]
    if facts.plain is not None:
        return facts.plain.mean
    moments = found.moments
    return float(moments.mean[moments.keys.index(value_of(facts.column))])


def _summary(
    summary: DataSummary, of: Mapping[str, ColumnFacts], encoder: Encoder, found: TableStatistics
) -> DataSummary:
    """The summary of the table in place of that of the few rows."""
    fills = {each.column: each.fill for each in encoder.sources if isinstance(each, NumberInput)}
    columns = tuple(
        used
        if used.kind == "derived"
        else replace(used, missing=of[used.column].missing, fill=fills.get(used.column, used.fill))
        for used in summary.columns
    )
    return replace(summary, n_rows=found.n_rows, n_dropped=found.n_dropped, columns=columns)


def _design(dataset: Dataset, facts: Sequence[ColumnFacts], found: TableStatistics) -> Design:
    """The inputs and the targets as combinations of what is kept."""
    moments, of = found.moments, {each.column: each for each in facts}
    center = dict(zip(moments.keys, moments.center.tolist(), strict=True))
    assert dataset.encoder is not None
    read = dataset.encoder.sources
    fills = {each.column: each.fill for each in read if isinstance(each, NumberInput) and each.fill is not None}
    inputs: dict[str, Combination] = {}
    for each in dataset.inputs:
        column = of[each.column]
        if isinstance(each, NumberInput):
            inputs[each.column] = _filled(each, column, center)
            if each.of_gaps is not None:
                inputs[each.of_gaps] = _indicator({gap_of(each.column): 1.0}, column.gaps, moments.n)
        elif isinstance(each, DerivedInput) and each.categories:
            inputs |= _products(each, of, fills, moments.n)
        elif isinstance(each, DerivedInput):
            inputs[each.column] = _derived(each, column, center, fills)
        elif isinstance(each, CategoryInput):
            for level, name in zip(each.levels[int(each.drop_first) :], each.features, strict=True):
                inputs[name] = _level(level, each, column, moments.n)
    targets = {
        name: Combination(center[target_of(name)], {target_of(name): 1.0}, of[name].low, of[name].high)
        for name in dataset.targets
    }
    return Design(moments, inputs, targets, 0.0 if found.weights is None else found.weights.logs / 2)


def _filled(each: NumberInput, facts: ColumnFacts, center: Mapping[Key, float]) -> Combination:
    own = value_of(each.column)
    if not facts.gaps or each.fill is None:
        return Combination(center[own], {own: 1.0}, facts.low, facts.high)
    made = {own: 1.0, gap_of(each.column): each.fill - center[own]}
    return Combination(center[own], made, min(facts.low, each.fill), max(facts.high, each.fill))


def _derived(
    each: DerivedInput, facts: ColumnFacts, center: Mapping[Key, float], fills: Mapping[str, float]
) -> Combination:
    own = value_of(each.column)
    multiples = {missing: of_fills(each, missing, fills) for missing in facts.without}
    filled = (multiples[missing] * end for missing, ends in facts.without.items() for end in ends)
    ends = [facts.low, facts.high, *filled]
    made = {own: 1.0, **{without(each.column, missing): multiple for missing, multiple in multiples.items()}}
    if facts.gaps:
        made[gap_of(each.column)] = -center[own]
    finite = [end for end in ends if np.isfinite(end)]
    return Combination(center[own], made, min(finite), max(finite))


def _products(
    each: DerivedInput, of: Mapping[str, ColumnFacts], fills: Mapping[str, float], n: int
) -> dict[str, Combination]:
    """The inputs of a product with categories: of each the columns with its levels, whichever numbers are missing."""
    facts, found = of[each.column], {}
    keys: dict[tuple[str | None, ...], list[str]] = {}
    for key in facts.without:
        keys.setdefault(named_levels(each.columns, of, key), []).append(key)
    for feature, of_feature in zip(each.features, each.levels, strict=True):
        names = tuple(
            None if level == MISSING_LEVEL and level not in _names(of[column]) else level
            for column, level in zip(each.categories, of_feature, strict=True)
        )
        multiples = {key: of_fills(each, key, fills) for key in keys[names]}
        ends = [end * multiple for key, multiple in multiples.items() for end in facts.without[key]]
        rows = sum(facts.levels[key] for key in multiples)
        ends += [0.0] if rows < n else []
        made = {without(each.column, key): multiple for key, multiple in multiples.items()}
        found[feature] = Combination(0.0, made, min(ends), max(ends))
    return found


def _names(facts: ColumnFacts) -> set[str]:
    return {facts.name_of(level) for level in facts.levels}


def _level(level: str, each: CategoryInput, facts: ColumnFacts, n: int) -> Combination:
    if each.gaps_are_level and level == each.levels[-1]:
        return _indicator({gap_of(each.column): 1.0}, facts.gaps, n)
    counts = {name: count for name, count in facts.levels.items() if count and facts.name_of(name) == level}
    return _indicator({level_of(each.column, name): 1.0 for name in counts}, sum(counts.values()), n)


def _indicator(made: Mapping[Key, float], count: int, n: int) -> Combination:
    return Combination(0.0, made, float(count == n), float(count > 0))
