"""The `data` section of the config becomes a `Dataset`, whatever the source."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from linreg_cli.addresses import without_secrets
from linreg_cli.config.data import FRAME, FrameData, InlineData, OfTable, SyntheticData, TableData
from linreg_cli.config.given import messages_about
from linreg_cli.config.roles import CLUSTER, WEIGHT, column_roles
from linreg_cli.config.schema import Config
from linreg_cli.config.terms import Term
from linreg_cli.data.assemble import assemble
from linreg_cli.data.column_settings import refuse_unknown_columns
from linreg_cli.data.columns.kinds import EncodedColumns, Numbers, row_numbers
from linreg_cli.data.columns.on_disk import NumberSink
from linreg_cli.data.dataset import Dataset
from linreg_cli.data.encoding.encode import Encoder
from linreg_cli.data.encoding.treatments import Treatment, as_trained
from linreg_cli.data.every_fault import with_every_fault
from linreg_cli.data.features import choose_features, feature_treatments, read_columns
from linreg_cli.data.opening import Read, limit_in, opened_table, reader
from linreg_cli.data.split import split_by_fractions, splitter
from linreg_cli.data.synthetic import generate
from linreg_cli.data.table_warnings import with_warnings
from linreg_cli.data.tables.part_rows import naming_parts
from linreg_cli.data.tables.table import Table, refuse_bad_names
from linreg_cli.errors import DataError, UsageError

if TYPE_CHECKING:
    import pyarrow as pa

    from linreg_cli.ranks.group import Ranks


def load_dataset(
    config: Config,
    encoder: Encoder | None = None,
    progress: Callable[[str], None] = lambda _: None,
    frame: "pa.Table | None" = None,
    ranks: "Ranks | None" = None,
) -> Dataset:
    """Read or generate the rows, choose the columns, split, encode.

    Args:
        config: what to read, and how to treat it.
        encoder: a fitted one; None fits one on the train split.
        progress: called with a line of text during a download.
        frame: the rows of `source: frame`.
        ranks: the processes that share the rows; None: this one is alone.

    Raises:
        DataError: for a frame that is not at hand, and a table that cannot be read, or whose columns are not what the
            config says.
        UsageError: for a frame where the rows come from elsewhere.
    """
    source = config.data
    if frame is not None and not isinstance(source, FrameData):
        raise UsageError(f"the config has source: {source.source}, which takes no frame; leave it out", FRAME)
    with messages_about(config):
        if isinstance(source, OfTable):
            dataset = with_every_fault(
                lambda each: _from_table(each, encoder, progress, frame, ranks), config, trained=encoder is not None
            )
        elif isinstance(source, InlineData):
            dataset = _from_inline(source, config)
        else:
            dataset = _from_synthetic(source, config)
    return dataset if config.train.shards is None or dataset.parts is not None else in_parts(dataset, config, ranks)


def in_parts(dataset: Dataset, config: Config, ranks: "Ranks | None") -> Dataset:
    """A dataset in the canonical parts of a config, each of which may be in another process."""
    from linreg_cli.data.shared import share

    return share(dataset, ranks, config.train.shards)


def _from_synthetic(source: SyntheticData, config: Config) -> Dataset:
    sink = NumberSink((*source.feature_names, source.target))
    for chunk in generate(source, config.seed):
        sink.add(list(chunk.values()))
    splits = split_by_fractions(source.n_samples, source.split, config.seed)
    columns = EncodedColumns(sink.columns(), {})
    dataset = Dataset("synthetic data", source.feature_names, (source.target,), columns, splits)
    return _for_tables_with_gaps(dataset, config)


def _from_inline(source: InlineData, config: Config) -> Dataset:
    name = "inline rows"
    targets = source.targets
    terms = choose_features(source.columns, targets, source.features, source.ignore, name=name)
    values = np.array(source.rows + source.test_rows, dtype=np.float64)
    columns = {column: np.ascontiguousarray(values[:, position]) for position, column in enumerate(source.columns)}
    columns = {column: columns[column] for column in (*read_columns(terms), *targets)}
    splits = split_by_fractions(len(source.rows), source.split, config.seed)
    if source.test_rows:
        splits["test"] = row_numbers(len(source.rows), len(values))
    if all(term.is_plain for term in terms):
        return _for_tables_with_gaps(Dataset(name, tuple(columns)[: len(terms)], targets, columns, splits), config)
    raw = {column: Numbers(each) for column, each in columns.items()}
    treated = feature_treatments(config.preprocess, terms, targets, source.columns)
    return replace(assemble(name, raw, targets, config, lambda _: splits, treated, terms=terms), summary=None)


def _for_tables_with_gaps(dataset: Dataset, config: Config) -> Dataset:
    """Numbers without missing cells, with what `preprocess.missing` says about tables that the model is applied to."""
    missing = config.preprocess.missing
    if missing == "error":
        return dataset
    columns = {column: dataset.columns[column] for column in dataset.features}
    return replace(dataset, encoder=Encoder.of_complete(columns, missing, dataset.splits["train"]))


def _from_table(
    config: Config,
    encoder: Encoder | None,
    progress: Callable[[str], None],
    frame: "pa.Table | None",
    ranks: "Ranks | None",
) -> Dataset:
    source = config.data
    assert isinstance(source, OfTable)
    stays = isinstance(source, TableData) and source.stream is True and encoder is None
    table = opened_table(source, config.preprocess.missing_values, progress, frame, in_blocks=stays)
    with naming_parts(table):
        alone = ranks is None or ranks.size == 1
        read = reader(table, config, ranks, in_blocks=stays)
        dataset, whole, texts = _dataset(config, encoder, table, read, alone=alone)
        if encoder is not None:
            return dataset
        divided = dataset if config.train.shards is None else in_parts(dataset, config, ranks)
        return with_warnings(divided, table, config, whole, texts)  # which are found by passes over the parts


def _dataset(
    config: Config, encoder: Encoder | None, table: Table, read: Read, *, alone: bool
) -> tuple[Dataset, str | None, Mapping[str, int]]:
    """The rows of a table that was opened; `read` reads columns of it, of which this process is `alone` or not.

    Returns:
        The rows, why the table was read as a whole, if it was, and the bytes of the texts of each column of text.
    """
    from linreg_cli.data.columns.arrow import release_unused
    from linreg_cli.data.encoding.cells import raw_columns, with_cells
    from linreg_cli.data.encoding.date_blocks import parts_in_blocks
    from linreg_cli.data.encoding.date_values import date_columns, date_parts
    from linreg_cli.data.roles import check_clusters, checked_weights, read_roles

    source, roles = config.data, column_roles(config)
    assert isinstance(source, OfTable)
    name, marks, targets = without_secrets(source.name), config.preprocess.missing_values, source.targets
    terms = _terms(config, encoder, table)
    used = read_columns(terms)
    refuse_bad_names(table.columns, (*used.values(), *targets, *roles.values()), source.name, table.written_columns)
    treated = feature_treatments(config.preprocess, terms, targets, table.columns)
    treated |= {} if encoder is None else as_trained(encoder.sources)
    numbers, as_text, either = _ways_to_read(used, targets, treated, roles)
    dates = date_columns(terms).difference(numbers, either)
    limit, parts = limit_in(source), None
    only_dates = dates == date_columns(terms) and dates.isdisjoint(as_text)  # no date is read for something else
    if alone and only_dates and dates and limit is not None:
        parts = parts_in_blocks(table, terms, marks, limit)
    cells = read(numbers, [*as_text, *(sorted(dates.difference(as_text)) if parts is None else ())], either)
    wanted = {name: each for name, each in treated.items() if used.get(name, name) == name}
    raw, faults = raw_columns(cells, wanted, marks, source.name, table.as_text())
    parts, more = date_parts(cells, terms, marks, source.name) if parts is None else (parts, [])
    if faults or more:
        raise DataError([*faults, *more])
    raw = {name: parts[name] if name in parts else raw[name] for name in (*used, *targets)}
    found = read_roles(cells, roles, marks, source.name, table.as_text())
    whole, texts = cells.whole, cells.text_bytes()
    del cells  # their memory is needed for the encoded columns
    release_unused()
    raw, split = with_cells(raw, table, used), splitter(source, config, found.labels)
    dataset = assemble(name, raw, targets, config, split, treated, encoder, terms)
    if found.clusters is not None:
        check_clusters(found.clusters, roles[CLUSTER], dataset.splits["train"], source.name)
        dataset = replace(dataset, clusters=found.clusters)
    if found.weights is not None:
        weights = checked_weights(found.weights, roles[WEIGHT], dataset.splits, source.name)
        dataset = replace(dataset, weights=weights)
    return dataset, whole, texts


def _terms(config: Config, encoder: Encoder | None, table: Table) -> tuple[Term, ...]:
    """The features of a table: those of the config, or those that an encoder was fitted on.

    Raises:
        DataError: for columns that the table lacks, with what its header may be instead.
    """
    source = config.data
    assert isinstance(source, OfTable)
    try:
        terms = choose_features(
            table.columns,
            source.targets,
            source.features if encoder is None else tuple(term.text for term in encoder.terms),
            source.ignore,
            roles=column_roles(config),
            index=table.index,
            name=source.name,
        )
        refuse_unknown_columns(config, table, terms)
        return terms
    except DataError as error:
        hint = table.hint()
        raise DataError([*([hint] if hint else []), *error.faults]) from None


def _ways_to_read(
    used: Mapping[str, str], targets: Sequence[str], treated: Mapping[str, Treatment], roles: Mapping[str, str]
) -> tuple[list[str], list[str], list[str]]:
    """The columns that are read as numbers, as text, and as numbers if all of their cells are; dates are neither.

    Args:
        used: as `read_columns` gives it.
        targets: the columns to predict.
        treated: column -> what is done with it.
        roles: the columns with a use of their own.
    """
    from linreg_cli.data.roles import text_of

    features = [name for name, column in used.items() if name == column]
    named = [column for column in features if treated[column].named]
    either = [column for column in features if treated[column].categorical and column not in named]
    numbers = [column for column in (*features, *targets) if not treated[column].categorical]
    numbers += [roles[WEIGHT]] if WEIGHT in roles and roles[WEIGHT] not in (*numbers, *either, *named) else []
    as_text = dict.fromkeys(each for each in (*text_of(roles), *named) if each not in (*numbers, *either))
    return numbers, list(as_text), either
