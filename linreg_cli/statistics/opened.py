"""The table of a config, opened for statistics: which columns are read, and how; what cannot be summarised."""

from collections.abc import Mapping, Sequence

from linreg_cli.config.data import TableData
from linreg_cli.config.roles import column_roles
from linreg_cli.config.schema import Config
from linreg_cli.config.terms import Term
from linreg_cli.data.column_settings import refuse_unknown_columns
from linreg_cli.data.encoding.cells import (
    category_column,
    kind_of,
    mostly_dates_or_numbers,
)
from linreg_cli.data.encoding.date_values import date_columns, date_parts
from linreg_cli.data.encoding.treatments import Treatment
from linreg_cli.data.features import choose_features, feature_treatments, read_columns
from linreg_cli.data.opening import opened_table
from linreg_cli.data.tables.blocks import NotInBlocksError
from linreg_cli.data.tables.table import Table, is_number_type, refuse_bad_names
from linreg_cli.data.tables.text_format import DEFAULT
from linreg_cli.errors import DataError
from linreg_cli.statistics.derived import refuse_functions
from linreg_cli.statistics.settings import refuse_settings
from linreg_cli.statistics.source import Source

#: Rows that show whether a column is of numbers or of text, whatever part is read.
_FIRST_ROWS = 10_000


def opened_source(config: Config) -> Source:
    """The table of a config, opened, with the columns that are used.

    Raises:
        SettingError: for settings whose figures need all rows at once.
        DataError: for a table that cannot be opened, and columns that do not exist or are not what the config says.
    """
    refuse_settings(config)
    data = config.data
    assert isinstance(data, TableData)
    table = opened_table(data, config.preprocess.missing_values, lambda _: None, None)
    roles = column_roles(config)
    terms = choose_features(
        table.columns, data.targets, data.features, data.ignore, roles=roles, index=table.index, name=data.path
    )
    refuse_unknown_columns(config, table, terms)
    used = read_columns(terms)
    columns = [name for name, column in used.items() if name == column]
    refuse_bad_names(table.columns, (*used.values(), *data.targets, *roles.values()), data.path, table.written_columns)
    treated = feature_treatments(config.preprocess, terms, data.targets, table.columns)
    text = _text_columns(table, columns, treated, config.preprocess.missing_values)
    refuse_functions(terms, text, table.name)
    return Source(config, table, terms, treated, text, _zones(config, table, terms))


def _zones(config: Config, table: Table, terms: Sequence[Term]) -> dict[str, bool]:
    """Date column -> whether the dates of its first rows have a zone, as those of every part must.

    Raises:
        DataError: for text among them that is no date.
    """
    zones: dict[str, bool] = {}
    if dates := sorted(date_columns(terms)):
        for cells in table.cell_blocks([], dates, (0, _FIRST_ROWS)):
            _, faults = date_parts(cells, terms, config.preprocess.missing_values, table.name, zones)
            if faults:
                raise DataError(faults)
    return zones


def _text_columns(
    table: Table, columns: list[str], treated: Mapping[str, Treatment], marks: Sequence[str]
) -> frozenset[str]:
    """The features that are read as text: categories, as far as the first rows of the table are not numbers.

    Raises:
        DataError: for a table that cannot be read in blocks, and for text that is mostly numbers or dates.
    """
    named = {column for column in columns if treated[column].named}
    either = [column for column in columns if treated[column].categorical and column not in named]
    if not either:
        return frozenset(named)
    try:
        first = next(table.cell_blocks([], either, (0, _FIRST_ROWS)), None)
    except NotInBlocksError as error:
        raise DataError(
            f"the table cannot be summarised block by block: {error}; correct it, or write it as Parquet", table.name
        ) from None
    if first is None or not first.num_rows:
        raise DataError("the table has no rows", table.name)
    seen = table.numbers(first.others, either)
    words = {column for column in either if not is_number_type(seen.schema.field(column).type)}
    found = {column: seen.column(column) for column in sorted(words)}
    categories = {column: category_column(cells, marks, kind_of(cells.type)) for column, cells in found.items()}
    written = DEFAULT if (source := table.as_text()) is None else source.format
    mixed = [
        mostly_dates_or_numbers(found[column], each, column, marks, table.name, written.of(column))
        for column, each in categories.items()
    ]
    if faults := [fault for fault in mixed if fault is not None]:
        raise DataError(faults)
    return frozenset(named | words)
