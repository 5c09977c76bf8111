"""The `data` section of the config becomes a `Dataset`, whatever the source."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from linreg_cli.addresses import without_secrets
from linreg_cli.config.data import FRAME, FrameData, InlineData, OfTable, SyntheticData, TableData
from linreg_cli.config.given import messages_about
from linreg_cli.config.roles import CLUSTER, WEIGHT, column_roles
from linreg_cli.config.schema import Config
from linreg_cli.config.types import bytes_in
from linreg_cli.data.assemble import Split, assemble
from linreg_cli.data.column_settings import refuse_unknown_columns, unused_settings
from linreg_cli.data.columns.kinds import Categories, EncodedColumns, Numbers, row_numbers
from linreg_cli.data.columns.on_disk import NumberSink
from linreg_cli.data.columns.row_set import RowSet
from linreg_cli.data.dataset import Dataset, Rows
from linreg_cli.data.encoding.encode import Encoder
from linreg_cli.data.encoding.treatments import as_trained
from linreg_cli.data.every_fault import with_every_fault
from linreg_cli.data.features import choose_features, feature_treatments, read_columns
from linreg_cli.data.opening import Read, limit_in, opened_table, reader
from linreg_cli.data.split import split_by_column, split_by_fractions, split_rows
from linreg_cli.data.synthetic import generate
from linreg_cli.data.tables.part_rows import naming_parts
from linreg_cli.data.tables.table import Table, refuse_bad_names
from linreg_cli.errors import DataError, UsageError
from linreg_cli.findings import Finding
from linreg_cli.remedies import quoted
from linreg_cli.wording import bytes_of

if TYPE_CHECKING:
    import pyarrow as pa

    from linreg_cli.ranks.group import Ranks

#: How often the texts of a column are in memory while they become dates or levels: measured, 4 to 5 times.
_TEXT_COPIES = 5


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
    from linreg_cli.data.roles import check_clusters, checked_weights, read_roles, text_of

    source = config.data
    assert isinstance(source, OfTable)
    name, marks = without_secrets(source.name), config.preprocess.missing_values
    targets = source.targets
    roles = column_roles(config)
    try:
        terms = choose_features(
            table.columns,
            targets,
            source.features if encoder is None else tuple(term.text for term in encoder.terms),
            source.ignore,
            roles=roles,
            index=table.index,
            name=source.name,
        )
        refuse_unknown_columns(config, table, terms)
    except DataError as error:
        hint = table.hint()
        raise DataError([*([hint] if hint else []), *error.faults]) from None
    used = read_columns(terms)
    refuse_bad_names(table.columns, (*used.values(), *targets, *roles.values()), source.name, table.written_columns)
    treated = feature_treatments(config.preprocess, terms, targets, table.columns)
    treated |= {} if encoder is None else as_trained(encoder.sources)
    features = [name for name, column in used.items() if name == column]
    named = [column for column in features if treated[column].named]
    either = [column for column in features if treated[column].categorical and column not in named]
    numbers = [column for column in (*features, *targets) if not treated[column].categorical]
    numbers += [roles[WEIGHT]] if WEIGHT in roles and roles[WEIGHT] not in (*numbers, *either, *named) else []
    dates = date_columns(terms).difference(numbers, either)
    as_text = dict.fromkeys(each for each in (*text_of(roles), *named) if each not in (*numbers, *either))
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


def with_warnings(
    dataset: Dataset, table: Table, config: Config, whole: str | None = None, texts: Mapping[str, int] | None = None
) -> Dataset:
    """The rows of a table with what is odd about its columns, in the summary.

    Args:
        dataset: with an encoding that was fitted on its train split.
        table: that was read.
        config: of the rows.
        whole: why it was read as a whole; None if it was not.
        texts: the bytes of the texts of columns that came into memory.
    """
    source = config.data
    assert isinstance(source, OfTable)
    assert dataset.summary is not None
    assert dataset.encoder is not None
    used = {*dataset.encoder.columns, *(each.column for each in dataset.encoder.sources)}
    roles = column_roles(config).values()
    unused = table.index.difference(dataset.targets, roles, source.ignore) if source.features is None else ()
    found = (*_header_warning(table, dataset.name), *map(_index_warning, sorted(unused)))
    found += (*unused_settings(config, table, used, dataset.targets), *_column_warnings(dataset, table, config))
    found += (*_whole_warning(dataset, source, whole), *_text_warning(source, texts or {}))
    return replace(dataset, summary=replace(dataset.summary, warnings=found))


def _whole_warning(dataset: Dataset, source: OfTable, whole: str | None) -> tuple[Finding, ...]:
    """A warning where a table that does not fit into the limit had to come into memory."""
    if whole is None or not isinstance(source, TableData) or source.memory_limit is None:
        return ()
    taken = 8 * dataset.n_samples * (len(dataset.features) + len(dataset.targets))
    if taken <= bytes_in(source.memory_limit):
        return ()
    return (Finding("stream", f"{whole}, so more than data.memory_limit; write the table as Parquet to stay below it"),)


def _text_warning(source: OfTable, texts: Mapping[str, int]) -> tuple[Finding, ...]:
    """A warning where columns of text, which come into memory, have too many different cells for the limit."""
    limit = limit_in(source)
    large = [column for column, taken in texts.items() if limit is not None and _TEXT_COPIES * taken > limit]
    if not large:
        return ()
    columns, taken = ", ".join(map(quoted, large)), bytes_of(sum(texts[column] for column in large))
    found = f"the different texts of {columns} take {taken}, and several times as much while they are read"
    remedy = "store dates as timestamps and identifiers as numbers, in Parquet"
    return (Finding("stream", f"{found}, so more than data.memory_limit; {remedy}"),)


def _column_warnings(dataset: Dataset, table: Table, config: Config) -> tuple[Finding, ...]:
    from linreg_cli.data.checks.levels import lookalikes, placeholders
    from linreg_cli.data.checks.warnings import warnings

    of_levels = (*placeholders(dataset, config.preprocess.missing_values), *lookalikes(dataset))
    return (*of_levels, *warnings(dataset, bias=config.model.bias, source=table.as_text()))


def _index_warning(column: str) -> Finding:
    message = f"{column} is the stored index of a data frame, and no feature"
    return Finding("index", f"{message}; to use it, list it in data.features")


def _header_warning(table: Table, name: str) -> tuple[Finding, ...]:
    """A warning if the header of a text file holds numbers, and so may be the first row."""
    from linreg_cli.data.tables.header import all_numbers

    if table.delimiter is None or not all_numbers(table.columns):
        return ()
    message = f"the header of {name} holds numbers only; if it is the first row, add a line with column names"
    return (Finding("header", message),)


def splitter(source: OfTable, config: Config, labels: Categories | None) -> Split:
    """How the rows of a table are split.

    Args:
        source: with the fractions, or the name of the column.
        config: the seed, and what early stopping needs.
        labels: that column; None for fractions.
    """

    def split(kept: RowSet) -> Mapping[str, Rows]:
        if labels is None or source.split.column is None:
            return split_rows(kept, source.split, config.seed)
        by_column = split_by_column(labels, source.split.column, source.name)
        splits = {name: rows & kept for name, rows in by_column.items()}
        if not len(splits["train"]):
            raise DataError(
                "no train row is left: in every one, a cell is missing from a column with missing: drop", source.name
            )
        stopping = config.train.early_stopping
        if stopping is not None and stopping.monitor == "validation.loss" and not len(splits["validation"]):
            message = f"column {source.split.column!r} gives no validation rows, and early_stopping monitors them"
            raise DataError(f"{message}; mark some rows as validation, or monitor train.loss", source.name)
        return splits

    return split
