"""JSON Lines: text stays text, also where it looks like a date; a column may hold numbers and text."""

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from io import TextIOWrapper
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from linreg_cli.data.tables.table_file import TableFile
from linreg_cli.errors import DataError, Fault, OutOfMemoryError

#: Why they are read as a whole.
JSON_WHOLE = "JSON Lines are read as a whole, since the type of a column shows in all of them"

#: From here on, float64 does not have every whole number.
_EXACT = 2.0**53
#: Digits of the longest whole number that Arrow has a type for, other than float64.
_DIGITS = 38


def read_json_lines(file: TableFile) -> tuple[pa.Table, frozenset[str]]:
    """A file of JSON objects, one on each line, as a table.

    Returns:
        The table, and the names of its columns that hold both text and other values. Those are text, with numbers as
        they are written in the file.

    Raises:
        DataError: for a line that is not a JSON object, and a column whose values have no common type.
        OSError: if the file cannot be read.
    """
    try:
        table = _read_fast(file)
    except pa.ArrowException as error:  # also where text and numbers are mixed, or a line is longer than a block
        if OutOfMemoryError.is_meant_by(error):
            raise
        return _read_each(file)
    return (table, frozenset()) if _is_exact(table) else _read_each(file)


def _read_fast(file: TableFile) -> pa.Table:
    import pyarrow.json as pj

    with file.opened() as stream:
        table = pj.read_json(stream)
    # pyarrow takes text that looks like a date for a time stamp, and loses how it was written.
    text = [field.with_type(kind) for field in table.schema if (kind := _without_times(field.type)) != field.type]
    if text:
        parsing = pj.ParseOptions(explicit_schema=pa.schema(text), unexpected_field_behavior="infer")
        with file.opened() as stream:
            table = pj.read_json(stream, parse_options=parsing).select(table.column_names)
    return table


def _without_times(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_temporal(kind):
        return pa.string()
    if pa.types.is_list(kind):
        return pa.list_(_without_times(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_without_times(field.type)) for field in kind])
    return kind


def _is_exact(table: pa.Table) -> bool:
    """Whether no whole number is so large that float64 may have rounded it."""
    for column in table.columns:
        if pa.types.is_floating(column.type) and column.null_count < len(column):
            ends = pc.min_max(column).as_py()
            if max(abs(ends["min"]), abs(ends["max"])) >= _EXACT:
                return False
    return True


def _read_each(file: TableFile) -> tuple[pa.Table, frozenset[str]]:
    cells: dict[str, list[Any]] = {}
    n_rows = 0
    for _, values in _objects(file):
        for key, value in values.items():
            column = cells.setdefault(key, [])
            column.extend([None] * (n_rows - len(column)))
            column.append(value)
        n_rows += 1
    columns, mixed, faults = {}, set(), []
    for key, column in cells.items():
        column.extend([None] * (n_rows - len(column)))
        kinds = {_kind(value) for value in column if value is not None}
        try:
            columns[key] = _array(column, kinds)
        except (pa.ArrowException, OverflowError, TypeError):
            faults.append(_changed_type(file, key))
            continue
        if len(kinds) > 1:
            mixed.add(key)
    if not n_rows:
        raise DataError("the file is empty", file.name)
    if faults:
        raise DataError(faults)
    return pa.table(columns), frozenset(mixed)


def _objects(file: TableFile) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number and content of each line that is not blank.

    Raises:
        DataError: for a line that is not a JSON object.
    """
    try:
        with file.opened() as stream:
            for number, line in enumerate(TextIOWrapper(stream, encoding="utf-8-sig"), start=1):
                if not line.strip():
                    continue
                try:
                    values = json.loads(line, parse_float=Decimal)
                except (ValueError, RecursionError):
                    values = None
                if not isinstance(values, dict):
                    message = f"expected a JSON object, found {line.rstrip()[:60]!r}"
                    raise DataError(message, f"{file.name}, line {number}")
                if r"\ud" in line.lower() and _has_half_a_character(values):
                    message = f"an escape is half of a character, in {line.rstrip()[:60]!r}"
                    raise DataError(f"{message}; one beyond U+FFFF is two escapes", f"{file.name}, line {number}")
                yield number, values
    except UnicodeDecodeError:
        raise DataError("the file is not UTF-8; save it as UTF-8", file.name) from None


def _has_half_a_character(values: dict[str, Any]) -> bool:
    try:
        json.dumps(values, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        return True
    return False


def _array(column: Sequence[Any], kinds: set[str]) -> pa.Array:
    """The cells as an Arrow array.

    Raises:
        pa.ArrowException, OverflowError, TypeError: if they have no common type.
    """
    if "text" in kinds and kinds <= {"text", "a number", "true or false"}:
        return pa.array([None if value is None else _token(value) for value in column], pa.string())
    if kinds == {"a number"}:
        return _numbers(column)
    if len(kinds) > 1:
        raise TypeError
    return pa.array(column)


def _numbers(column: Sequence[Any]) -> pa.Array:
    present = [value for value in column if value is not None]
    if all(isinstance(value, int) for value in present):
        largest = max(map(abs, present))
        for kind in (pa.int64(), pa.uint64()):
            try:
                return pa.array(column, kind)
            except (pa.ArrowException, OverflowError):
                continue
        if len(str(largest)) <= _DIGITS:
            decimals = [None if value is None else Decimal(value) for value in column]
            return pa.array(decimals, pa.decimal128(_DIGITS, 0))
    return pa.array([None if value is None else _float(value) for value in column], pa.float64())


def _float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _token(value: Any) -> str:
    """A value as it is written in JSON."""
    return value if isinstance(value, str) else json.dumps(value) if isinstance(value, bool) else str(value)


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float | Decimal):
        return "a number"
    return "text" if isinstance(value, str) else "a list" if isinstance(value, list) else "an object"


def _changed_type(file: TableFile, key: str) -> Fault:
    """The fault of the first line where a key has another type than before."""
    first, since = "", 0
    for number, values in _objects(file):
        value = values.get(key)
        if value is None:
            continue
        kind = _kind(value)
        if not first:
            first, since = kind, number
        elif kind != first:
            message = f"{key!r} is {kind}, and on line {since} it is {first}; use one type on all lines"
            return Fault(message, f"{file.name}, line {number}")
    return Fault(f"the values of {key!r} have no common type; use one type on all lines", file.name)
