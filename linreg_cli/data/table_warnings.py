"""What is odd about a table that was read: warnings in its summary."""

from collections.abc import Mapping
from dataclasses import replace

from linreg_cli.config.data import OfTable, TableData
from linreg_cli.config.roles import column_roles
from linreg_cli.config.schema import Config
from linreg_cli.config.types import bytes_in
from linreg_cli.data.column_settings import unused_settings
from linreg_cli.data.dataset import Dataset
from linreg_cli.data.encoding.inputs import CategoryInput
from linreg_cli.data.opening import limit_in
from linreg_cli.data.tables.table import Table
from linreg_cli.findings import Finding
from linreg_cli.lookalike import normal
from linreg_cli.remedies import quoted, setting
from linreg_cli.wording import bytes_of

#: How often the texts of a column are in memory while they become dates or levels: measured, 4 to 5 times.
_TEXT_COPIES = 5


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
    found += (
        *_unit_warning(dataset, source),
        *_whole_warning(dataset, source, whole),
        *_text_warning(source, texts or {}),
    )
    return replace(dataset, summary=replace(dataset.summary, warnings=found))


def _unit_warning(dataset: Dataset, source: OfTable) -> tuple[Finding, ...]:
    """A warning for units of columns that are categories, whose levels are kept as they stand in the table."""
    units = source.units if isinstance(source, TableData) else {}
    categories = {each.column for each in dataset.inputs if isinstance(each, CategoryInput)}
    idle = [column for column in units if normal(column) in categories]
    if not idle:
        return ()
    rest = {column: unit for column, unit in units.items() if column not in idle}
    these = "this entry" if len(idle) == 1 else "these entries"
    message = f"data.units has no effect on columns that are categories: {', '.join(map(repr, idle))}"
    return (Finding("config", f"{message}; leave {these} out with {setting('data.units', rest)}"),)


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
