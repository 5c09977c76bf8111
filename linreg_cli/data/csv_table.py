"""CSV and TSV, plain or compressed, through pyarrow, with errors that name the line."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv

from linreg_cli.data.table import refuse_bad_names
from linreg_cli.errors import DataError, Fault

#: How files begin that are often misnamed .csv.
_MAGIC = {
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"%PDF": "a PDF",
    b"PK\x03\x04": "a ZIP archive or an Excel workbook; save the sheet as CSV",
    b"\x1f\x8b": "gzip; rename it to .csv.gz",
    b"\x28\xb5\x2f\xfd": "zstd; rename it to .csv.zst",
    b"PAR1": "Parquet; rename it to .parquet",
    b"ARROW1": "Arrow; rename it to .arrow",
    b"\xff\xfe": "UTF-16 text; save it as UTF-8",
    b"\xfe\xff": "UTF-16 text; save it as UTF-8",
}

_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "bars", ",": "commas"}


class CsvTable:
    """A CSV file; the header is read at once, the cells when asked for."""

    def __init__(self, path: str, delimiter: str, missing_values: Sequence[str]) -> None:
        self.name = path
        self._delimiter = delimiter
        self._missing_values = list(missing_values)
        self._refuse_other_kinds()
        self.columns = self._header()
        refuse_bad_names(self.columns, path)

    def read(self, columns: Sequence[str], text: Sequence[str] = ()) -> pa.Table:
        """See `Table.read`.

        Raises:
            DataError: with the first cell of each column that is not a number, or the line that is not CSV.
        """
        types = dict.fromkeys(columns, pa.float64()) | dict.fromkeys(text, pa.string())
        options = pcsv.ConvertOptions(
            column_types=types,
            include_columns=[*columns, *text],
            null_values=self._missing_values,
            strings_can_be_null=True,
        )
        try:
            return self._read(options).combine_chunks()
        except pa.ArrowInvalid as error:
            raise DataError(self._not_numbers(columns) or [self._malformed(error)]) from None

    def read_all(self) -> pa.Table:
        """Every cell as the text that it is, so that it can be written again unchanged."""
        options = pcsv.ConvertOptions(column_types=dict.fromkeys(self.columns, pa.string()), strings_can_be_null=False)
        try:
            return self._read(options).combine_chunks()
        except pa.ArrowInvalid as error:
            raise DataError([self._malformed(error)]) from None

    def numbers(self, table: pa.Table, columns: Sequence[str]) -> pa.Table:
        """See `Table.numbers`.

        Raises:
            DataError: with the first cell of each column that is not a number.
        """
        faults = []
        for column in columns:
            position = table.column_names.index(column)
            values, fault = self._parse(table.column(position), column)
            faults += [fault] if fault else []
            table = table.set_column(position, column, values)
        if faults:
            raise DataError(faults)
        return table

    def _read(self, options: pcsv.ConvertOptions, **reading: Any) -> pa.Table:
        parsing = pcsv.ParseOptions(delimiter=self._delimiter, **reading)
        with self._stream() as stream:
            threads = "invalid_row_handler" not in reading
            return pcsv.read_csv(stream, pcsv.ReadOptions(use_threads=threads), parsing, options)

    def _stream(self) -> Any:
        try:
            return pa.input_stream(self.name, compression="detect")
        except OSError as error:
            raise DataError(f"cannot be read: {error.strerror or error}", self.name) from None

    def _refuse_other_kinds(self) -> None:
        try:
            with self._stream() as stream:
                head = stream.read(4096)
        except OSError as error:
            raise DataError(f"cannot be read: {error}", self.name) from None
        if not head.strip():
            raise DataError("the file is empty", self.name)
        for magic, kind in _MAGIC.items():
            if head.startswith(magic):
                raise DataError(f"not a CSV: this is {kind}", self.name)
        if head.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
            raise DataError("not a CSV: this is a web page (HTML or XML); download the file itself", self.name)
        if b"\0" in head:
            line = head[: head.index(b"\0")].count(b"\n") + 1
            raise DataError("not a CSV: it holds a NUL byte; save it as UTF-8 text", f"{self.name}, line {line}")

    def _header(self) -> list[str]:
        # Names only: one row is converted, as text, so that nothing can fail but the header itself.
        options = pcsv.ReadOptions(use_threads=False)
        try:
            with (
                self._stream() as stream,
                pcsv.open_csv(
                    stream,
                    options,
                    pcsv.ParseOptions(delimiter=self._delimiter, invalid_row_handler=lambda _: "skip"),
                ) as reader,
            ):
                return list(reader.schema.names)
        except (pa.ArrowInvalid, UnicodeDecodeError) as error:
            raise DataError([self._malformed(error)]) from None

    def _parse(self, values: pa.ChunkedArray, column: str) -> tuple[pa.ChunkedArray, Fault | None]:
        """Text as float64, and what is wrong with the first cell that is not a number."""
        gaps = pc.is_in(values, pa.array(self._missing_values, pa.string()))
        text = pc.utf8_trim_whitespace(pc.if_else(gaps, pa.scalar(None, pa.string()), values))
        try:
            return pc.cast(text, pa.float64()), None
        except pa.ArrowInvalid:
            return values, self._first_text(text, column)

    def _first_text(self, text: pa.ChunkedArray, column: str) -> Fault:
        for row, cell in enumerate(text.to_pylist(), start=1):
            if cell is None:
                continue
            try:
                pc.cast(pa.scalar(cell, pa.string()), pa.float64())
            except pa.ArrowInvalid:
                break
        where = f"{self.name}, row {row}, column {column!r}"
        if cell.count(",") == 1 and cell.replace(",", "").lstrip("+-").isdigit():
            return Fault(f"{cell!r} is not a number; the decimal mark is '.', write {cell.replace(',', '.')}", where)
        remedy = f"leave the column out with data.ignore: [{column}], or turn it into numbers"
        return Fault(f"{cell!r} is not a number; {remedy}", where)

    def _not_numbers(self, columns: Sequence[str]) -> list[Fault]:
        """Read the columns as text, to find every one that does not hold numbers."""
        options = pcsv.ConvertOptions(column_types=dict.fromkeys(columns, pa.string()), include_columns=list(columns))
        try:
            table = self._read(options)
        except pa.ArrowInvalid:
            return []
        faults = [self._parse(table.column(column), column)[1] for column in columns]
        return [fault for fault in faults if fault is not None]

    def _malformed(self, error: Exception) -> Fault:
        """The first line with the wrong number of cells, or what the reader said."""
        bad_rows: list[Any] = []

        def note(row: Any) -> str:
            bad_rows.append(row)
            return "skip"

        try:
            self._read(
                pcsv.ConvertOptions(column_types=dict.fromkeys(self.columns, pa.string())),
                invalid_row_handler=note,
            )
        except (pa.ArrowInvalid, AttributeError):
            bad_rows.clear()
        if not bad_rows:
            return Fault(f"not a CSV: {str(error).splitlines()[0]}", self.name)
        row = bad_rows[0]
        message = f"{row.actual_columns} cells, and the header has {row.expected_columns}: {row.text[:60]!r}"
        where = f"{self.name}, line {row.number}" if row.number else self.name
        return Fault(f"{message}; check for a stray delimiter or an open quote", where)

    def delimiter_hint(self) -> str:
        """Which delimiter the header seems to have, for a message about a column that is not there.

        A header that is one name with other delimiters in it was cut by the wrong one.
        """
        if len(self.columns) != 1:
            return ""
        counts = {mark: self.columns[0].count(mark) for mark in _DELIMITERS if mark != self._delimiter}
        mark = max(counts, key=lambda candidate: counts[candidate])
        if not counts[mark]:
            return ""
        written = "\\t" if mark == "\t" else mark
        return f'the cells seem to be parted by {_DELIMITERS[mark]}; set data.delimiter: "{written}"'

    def headless_hint(self) -> str:
        """Whether the header looks like a row of numbers."""
        try:
            for column in self.columns:
                float(column)
        except ValueError:
            return ""
        return f"the first line of {Path(self.name).name} holds numbers; the file needs a header with column names"
