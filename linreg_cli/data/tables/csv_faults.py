"""What is wrong with a CSV whose lines do not fit its header."""

import csv
import io
import itertools
from collections.abc import Iterator

from linreg_cli.data.tables.csv_file import CsvFile
from linreg_cli.errors import DataError, Fault
from linreg_cli.remedies import quoted, without
from linreg_cli.wording import plural

#: Rows that are looked at to tell a slip in one row from a fault of the header.
_LOOKED_AT = 1_000
#: Marks that input methods write in the place of a comma, and that no reader takes for a delimiter.
_WIDE = {"，": "full-width commas", "；": "full-width semicolons", "、": "ideographic commas", "｜": "full-width bars"}


def malformed(file: CsvFile, delimiter: str, reason: str) -> Fault:
    """The first line with another number of cells than the header, or what pyarrow says.

    Args:
        file: the file.
        delimiter: between the cells.
        reason: the message of pyarrow.
    """
    if "UTF8" in reason and (fault := file.undecodable()) is not None:
        return fault
    header: list[str] = []
    for line, cells in _records(file, delimiter):
        header = header or cells
        if cells and len(cells) != len(header):
            return _ragged(file, delimiter, header, cells, line)
    return Fault(f"not a CSV: {reason.splitlines()[0]}", file.name)


def _records(file: CsvFile, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The first line of each record, and its cells.

    Raises:
        DataError: for a record that cannot be parsed.
    """
    with file.open() as stream:
        lines = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
        records, line = csv.reader(lines, delimiter=delimiter), 1
        try:
            for cells in records:
                yield line, cells
                line = records.line_num + 1
        except csv.Error as error:
            message = f"not a CSV: {error}; check for an unclosed quote"
            raise DataError(message, f"{file.name}, line {line}") from None


def _ragged(file: CsvFile, delimiter: str, header: list[str], cells: list[str], line: int) -> Fault:
    if found := with_wide_marks(file, delimiter, header) or of_every_row(file, delimiter, header):
        return Fault(found, file.name)
    shown = delimiter.join(cells)[:60].encode(errors="replace").decode()
    message = f"{plural(len(cells), 'cell')}, and the header has {len(header)}: {quoted(shown)}"
    wide = [name for mark, name in _WIDE.items() if mark in shown]
    among = f" or {' and '.join(wide)} in the place of delimiters" if wide and len(cells) < len(header) else ""
    return Fault(f"{message}; check for a stray delimiter or an unclosed quote{among}", f"{file.name}, line {line}")


def with_wide_marks(file: CsvFile, delimiter: str, header: list[str]) -> str:
    """What is wrong if a header that is one name has full-width marks between its names; else empty.

    In the rows there may be full-width marks or delimiters.
    """
    if len(header) != 1:
        return ""
    for mark, name in _WIDE.items():
        count, lines = header[0].count(mark), file.first_lines()
        if count and all(line.count(mark) + line.count(delimiter) == count for line in lines):
            remedy = file.rewritten(f'replace each {mark} by "{delimiter}"', f"s/{mark}/{_mark(delimiter, new=True)}/g")
            return f'the cells seem to be separated by {name} ("{mark}"), which are no delimiter; {remedy}'
    return ""


def of_every_row(file: CsvFile, delimiter: str, header: list[str]) -> str:
    """What is wrong if every row has the same number of cells, and the header another one; else empty.

    All rows have one cell fewer than the header, or one more, or any number more if those are empty.
    """
    rows = [cells for _, cells in itertools.islice(_records(file, delimiter), _LOOKED_AT) if cells][1:]
    count = {len(cells) for cells in rows}
    if count == {len(header) - 1} and not header[-1].strip():
        remedy = file.rewritten("remove that delimiter", f"1s/{_mark(delimiter)}\r?$//")
        return f"the header ends with a delimiter and the rows do not; {remedy}"
    if len(count) != 1 or (more := max(count) - len(header)) < 1:
        return ""
    if not any(cell.strip() for cells in rows for cell in cells[len(header) :]):
        marks = "the delimiter" if more == 1 else f"the {more} delimiters"
        expression = f"s/({_mark(delimiter)}){{{more}}}\r?$//" if more > 1 else f"s/{_mark(delimiter)}\r?$//"
        remedy = file.rewritten(f"remove {marks} at the end of each row", expression)
        ends = "a delimiter" if more == 1 else f"{more} delimiters"
        return f"every row ends with {ends}, and the header does not; {remedy}"
    if more > 1:
        return ""
    words = f"every row has one cell more than the header ({len(header) + 1} and {len(header)})"
    if len({cells[0] for cells in rows}) < len(rows):
        return f"{words}; add the name that the header lacks"
    names = itertools.chain(("row", "row_name"), map("row_{}".format, itertools.count(2)))
    name = next(name for name in names if name not in header)
    written = "\\t" if delimiter == "\t" else delimiter
    remedy = file.rewritten(f"write the name {name} first in the header", f"1s/^/{name}{written}/", without(name))
    return f"{words}: the first is a row name, as R writes it; {remedy}"


def _mark(delimiter: str, *, new: bool = False) -> str:
    """The delimiter in an expression of sed: in what is looked for, or in what is written in its place."""
    if new:
        return {"\t": "\\t"}.get(delimiter, f"\\{delimiter}" if delimiter in "/&" else delimiter)
    return {"\t": "\\t"}.get(delimiter, f"[{delimiter}]" if delimiter in "|.*+?()[{^$/" else delimiter)
