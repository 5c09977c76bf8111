"""A table is read as it is written: encoding, delimiter, decimal mark and placeholders, as the readers' faults say."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from linreg_cli.config.data import TableData
from linreg_cli.config.formats import CSV_SUFFIXES
from linreg_cli.config.preprocess import PreprocessConfig
from linreg_cli.config.roles import column_roles
from linreg_cli.config.schema import Config
from linreg_cli.config.terms import Term
from linreg_cli.data.columns.kinds import RawColumn
from linreg_cli.data.encoding.cells import raw_columns
from linreg_cli.data.encoding.column_faults import ColumnFault
from linreg_cli.data.encoding.treatments import Treatment
from linreg_cli.data.features import choose_features
from linreg_cli.data.opening import limit_in
from linreg_cli.data.tables.csv_file import CsvFile
from linreg_cli.data.tables.encodings import EncodingGuess
from linreg_cli.data.tables.location import locate
from linreg_cli.data.tables.open import open_table
from linreg_cli.data.tables.table import Cells, Table, refuse_bad_names
from linreg_cli.data.tables.text_format import TextFormat
from linreg_cli.errors import DataError, Fault
from linreg_cli.remedies import quoted, setting
from linreg_cli.starter.choices import SettingChoice
from linreg_cli.wording import one_line

#: The settings of a table that the readers' faults can ask for, with the reason that stands in the config.
_REASONS = {
    "data.encoding": "the file is not UTF-8 text",
    "data.delimiter": "between the cells of the file",
    "data.decimal": "the decimal mark of the numbers",
    "data.thousands": "between groups of three digits",
    "data.units": "beside the numbers, which are read without them",
    "preprocess.missing_values": "stand for missing cells",
}

AS_TARGET = Treatment(use="target")
#: With so many levels or fewer, a column of text is a category, however few cells it has.
FEW_LEVELS = 2


@dataclass(frozen=True)
class Reading:
    """A table whose columns were read, in the way that it is written in.

    Attributes:
        base: the config of the command line: the path, the target, and what the user has set.
        table: that was opened.
        cells: of every column that is wanted.
        raw: column -> its numbers or categories, where it has no fault.
        terms: the features that the user has named; None: every other column.
        settings: those by which it could be read.
        missing_values: cells that mean 'missing'.
    """

    base: Config
    table: Table
    cells: Cells
    raw: Mapping[str, RawColumn]
    terms: tuple[Term, ...] | None
    settings: tuple[SettingChoice, ...]
    missing_values: tuple[str, ...]

    @property
    def source(self) -> TableData:
        """The `data` section of the config of the command line."""
        assert isinstance(self.base.data, TableData)
        return self.base.data

    @property
    def targets(self) -> tuple[str, ...]:
        """The columns to predict."""
        return self.source.targets

    @property
    def as_feature(self) -> Treatment:
        """What a feature may be."""
        return _as_feature(self.base)

    def fault(self, column: str, treatment: Treatment) -> Fault | None:
        """What is wrong with one column."""
        _, faults = raw_columns(
            self.cells, {column: treatment}, self.missing_values, self.table.name, self.table.as_text()
        )
        return faults[0] if faults else None


def _as_feature(base: Config) -> Treatment:
    return Treatment(categorical=True, max_levels=base.preprocess.max_levels, few_levels=FEW_LEVELS)


def readable(base: Config) -> Reading:
    """Read every column of a table, with the settings that its faults ask for.

    Args:
        base: a config with the path and the target; what it sets otherwise is kept.

    Raises:
        DataError: for a table that cannot be read, or that lacks a column which the config names.
    """
    source = base.data
    assert isinstance(source, TableData)
    given = _given(base.preprocess, source)
    now = dict(given)
    while True:
        try:
            table = _opened(source.path, now, limit_in(source))
            targets = source.targets
            terms = _terms(table, base, targets)
            wanted = [*dict.fromkeys(column for term in terms for column in term.columns), *targets]
            cells = table.read((), either=wanted)
            uses = {each: AS_TARGET if each in targets else _as_feature(base) for each in wanted}
            raw, faults = raw_columns(cells, uses, now["preprocess.missing_values"], source.name, table.as_text())
        except DataError as error:
            if not _apply(error.faults, now):
                raise
            continue
        if not _apply(faults, now):
            break
    marks = tuple(now["preprocess.missing_values"])
    named = None if source.features is None else terms
    return Reading(base, table, cells, raw, named, tuple(_settings(source.path, given, now)), marks)


def columns_of(path: str, source: TableData | None = None) -> list[str]:
    """The columns of a table, read with the encoding and the delimiter that are set, or that its header asks for.

    Args:
        path: of the table.
        source: what is set; None: nothing.

    Raises:
        DataError: for a table that cannot be opened.
    """
    return _with_settings(path, source).columns


def header_fault(path: str, source: TableData | None = None) -> Fault | None:
    """What is wrong with the header of a table that lacks a column, such as that it is JSON; as `columns_of`."""
    return _with_settings(path, source).hint()


def _with_settings(path: str, source: TableData | None) -> Table:
    now = _given(PreprocessConfig(), source or TableData.model_construct(path=path, target="-"))
    while True:
        try:
            return _opened(path, now)
        except DataError as error:
            if not _apply(error.faults, now):
                raise


def guessed_encoding(path: str) -> EncodingGuess | None:
    """How the encoding of a table of text was guessed, of the first file that is not UTF-8; None without a guess.

    Args:
        path: of a table that was opened.
    """
    found = locate(path)
    if found.suffix not in CSV_SUFFIXES:
        return None
    for file in found.files:
        try:
            if guess := CsvFile(file, TextFormat(encoding="latin-1")).guess():
                return guess
        except DataError:  # UTF-16 has NUL bytes, which no other encoding has, so that it is no guess
            continue
    return None


def _given(preprocess: PreprocessConfig, source: TableData) -> dict[str, Any]:
    return {
        "data.format": source.format,
        "data.encoding": source.encoding,
        "data.delimiter": source.delimiter,
        "data.decimal": source.decimal,
        "data.thousands": source.thousands,
        "data.units": source.units,
        "preprocess.missing_values": preprocess.missing_values,
    }


def _opened(path: str, now: Mapping[str, Any], memory_limit: int | None = None) -> Table:
    keys = ("delimiter", "decimal", "thousands", "encoding", "units")
    text = TextFormat(**{key: now[f"data.{key}"] for key in keys})
    marks, format_ = now["preprocess.missing_values"], now["data.format"]
    table = open_table(path, text=text, missing_values=marks, format_=format_, memory_limit=memory_limit)
    if len(table.columns) == 1 and (hint := table.hint()) is not None and hint.settings is not None:
        raise DataError([hint])
    return table


def _terms(table: Table, base: Config, targets: tuple[str, ...]) -> tuple[Term, ...]:
    """The features that were named, or all other columns that have a name of their own.

    Raises:
        DataError: for a column that the table lacks.
    """
    source, roles = base.data, column_roles(base)
    assert isinstance(source, TableData)
    unusable = nameless(table.columns) if source.features is None else ()
    ignore = tuple(dict.fromkeys((*source.ignore, *(each for each in unusable if each not in targets))))
    try:
        terms = choose_features(
            table.columns, targets, source.features, ignore, roles=roles, index=table.index, name=source.name
        )
    except DataError as error:
        hint = table.hint()
        if (
            not any(each.strip() and each not in (*targets, *ignore, *roles.values()) for each in table.columns)
            and unusable
        ):
            raise DataError([*([hint] if hint else []), _no_name(unusable, source.name)]) from None
        raise DataError([*([hint] if hint else []), *error.faults]) from None
    used = [column for term in terms for column in term.columns]
    refuse_bad_names(table.columns, (*used, *targets, *roles.values()), source.name, table.written_columns)
    return terms


def _no_name(columns: Sequence[str], name: str) -> Fault:
    """The fault of a table whose only other columns cannot be named in a config."""
    named = [column for column in columns if column.strip()]
    if named:
        what = f"several columns are called {', '.join(map(repr, named))}; give each a name of its own"
        return Fault(f"no feature is left: {what} in the first line of the file", name)
    what = "the only other column has no name, as an index that pandas has written"
    return Fault(f"no feature is left: {what}; name it in the first line of the file to predict from it", name)


def nameless(columns: Sequence[str]) -> list[str]:
    """The names that are blank, or that several columns have.

    >>> nameless(["", "a", "b", "a"])
    ['', 'a']
    """
    counts = Counter(columns)
    return [name for name in counts if not name.strip() or counts[name] > 1]


def _apply(faults: Iterable[Fault], now: dict[str, Any]) -> bool:
    """Take over the settings that correct faults; whether there was a new one."""
    changed = False
    for fault in faults:
        settings = {key: value for key, value in (fault.settings or {}).items() if key in _REASONS}
        steps = fault.steps if isinstance(fault, ColumnFault) else ()
        marks = [step.value for step in steps if step.key == "missing_values"]
        if marks or "preprocess.missing_values" in settings:
            given = now["preprocess.missing_values"]
            settings["preprocess.missing_values"] = tuple(dict.fromkeys((*given, *marks)))
        if units := settings.get("data.units"):
            settings["data.units"] = {**now["data.units"], **units}
        for key, value in settings.items():
            if now[key] != value:
                now[key] = value
                changed = True
    return changed


def _settings(path: str, given: Mapping[str, Any], now: Mapping[str, Any]) -> Iterable[SettingChoice]:
    for key, value in now.items():
        if value == given[key]:
            continue
        why = _REASONS[key]
        if key == "preprocess.missing_values":
            new = ", ".join(one_line(repr(mark)) for mark in value if mark not in given[key])
            why = f"{new} {'stands' if len(value) == len(given[key]) + 1 else 'stand'} for missing cells"
            value = list(value)
        guess = guessed_encoding(path) if key == "data.encoding" else None
        yield SettingChoice(key, value, why, "" if guess is None else _doubt(guess))


def _doubt(guess: EncodingGuess) -> str:
    """The warning about an encoding that was guessed: what names read as in it and in others, and what to do."""
    read = {encoding: ", ".join(map(quoted, words)) for encoding, words in guess.reads.items()}
    first = next(iter(read))
    what = f" by which words read {read[first]}" if read[first] else ""
    if guess.rivals:
        others = " or ".join(f"{setting('data.encoding', each)} ({read[each]})" for each in guess.rivals)
        remedy = f"about as likely: {others}"
    else:
        remedy = "if that is wrong, set data.encoding" if what else "to be sure, set data.encoding"
    return f"{setting('data.encoding', first)} is a guess{what}; {remedy}"
