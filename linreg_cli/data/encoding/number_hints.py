"""Faults of columns that must be numbers and are not, with the advice that fits the cells."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from linreg_cli.data.columns.arrow import is_text_type, null_text, texts
from linreg_cli.data.encoding.dates import as_numbers, is_date
from linreg_cli.data.tables.leading_zeros import cells_with_leading_zeros
from linreg_cli.errors import Fault
from linreg_cli.remedies import also_missing, for_column, leave_out, quoted, setting

NUMBERISH = re.compile(r"[-+]?[$€£]?\s?\d[\d.,' ]*([eE][-+]?\d+)?\s?[%$€£]?|[-+]?[.,]\d+")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|[-+]?inf(inity)?|nan", re.ASCII | re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"[-+]?(\d+,\d*|,\d+)([eE][-+]?\d+)?")
_MAY_BE_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2},\d{3}")
_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2}((,\d{3}){2,}(\.\d*)?|(,\d{3})+\.\d*)")

#: The use of a column: feature or target of a new model, or either of a trained one.
Use = Literal["feature", "target", "trained"]


def value_type(kind: pa.DataType) -> pa.DataType:
    """The type of the values; of a dictionary type, that of its entries."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def wrong_type(values: pa.ChunkedArray, column: str, missing_values: Sequence[str], name: str, use: Use) -> Fault:
    """The fault of a column that is not numeric.

    Args:
        values: the column, with at least one cell that is not null.
        column: its name.
        missing_values: cells of text that mean 'missing'.
        name: the table, for messages.
        use: the use of the column.
    """
    given, kind = values.type, value_type(values.type)
    values = values.cast(kind)
    if is_text_type(kind):
        return _text_fault(values, column, missing_values, name, use)
    row = pc.index(values.is_valid(), True).as_py()
    where = f"{name}, row {row + 1}, column {column!r}"
    leave_out, first = _other_ways(column, use), values[row].as_py()
    if pa.types.is_boolean(kind):
        one_hot = f"set {setting('preprocess.categorical', 'one_hot')}, " if use == "feature" else ""
        other = _other_ways(column, use, "convert it to 0 and 1")
        return Fault(f"the column holds true and false; {one_hot}{other}", where)
    if pa.types.is_dictionary(given):
        one_hot = f"set {setting('preprocess.categorical', 'one_hot')}, " if use == "feature" else ""
        return Fault(f"the column holds categories, such as {first}; {one_hot}{leave_out}", where)
    if pa.types.is_temporal(kind):
        return Fault(f"the column holds dates or times, such as {first}; {leave_out} (days since a date)", where)
    return Fault(f"the column holds values of type {kind}; {leave_out}", where)


def merged_faults(
    faults: Mapping[str, Fault], table: pa.Table, missing_values: Sequence[str], name: str
) -> list[Fault]:
    """The faults of columns, with one for all columns with decimal commas.

    In 1,500 the comma may separate thousands. If a column has a cell such as 1,5 or 0,346, all commas are decimal.

    Args:
        faults: column -> its fault.
        table: the columns of text.
        missing_values: cells that mean 'missing'.
        name: the table, for messages.
    """
    commas: dict[str, bool] = {}
    for column in faults:
        if column in table.column_names and is_text_type(value_type(table.column(column).type)):
            cells = pc.unique(_present(table.column(column), missing_values).drop_null()).to_pylist()
            parted = [cell for cell in cells if _DECIMAL_COMMA.fullmatch(cell)]
            if parted and all("," in cell or _NUMBER.fullmatch(cell) for cell in cells):
                commas[column] = any(not _MAY_BE_THOUSANDS.fullmatch(cell) for cell in parted)
    if len(commas) < 2 or not any(commas.values()):
        return list(faults.values())
    remedy = "save the table with decimal points, such as with an English locale"
    first = Fault(f"columns {', '.join(map(repr, commas))} have decimal commas; {remedy}", name)
    return [first, *(fault for column, fault in faults.items() if column not in commas)]


def not_a_number(cell: str, column: str, use: Use, marks: Sequence[str], *, mostly_numbers: bool) -> str:
    """The advice for a cell that is not a number.

    >>> not_a_number("1,5", "x", "feature", [], mostly_numbers=False)
    "the decimal mark must be '.': write 1.5"
    >>> print(not_a_number("-", "x", "feature", ["", "NA"], mostly_numbers=True))
    correct the cell, or, if it means 'missing', set preprocess.missing_values: ["", NA, "-"]
    """
    if written := _other_notation(cell):
        return written
    if use == "trained":
        return "the model was trained on numbers in this column; correct the cell"
    if mostly_numbers:
        missing = f", or, if it means 'missing', set {also_missing(cell, column, marks)}"
        return "correct the cell" + ("" if NUMBERISH.fullmatch(cell) else missing)
    if use == "target":
        return f"the target must be numeric; {_other_ways(column, use, 'convert it to numbers')}"
    return f"set {setting('preprocess.categorical', 'one_hot')}, {_other_ways(column, use)}"


def _other_ways(column: str, use: Use, numbers: str = "convert it to numbers") -> str:
    """The advice for a column that is not numeric."""
    if use == "trained":
        return f"the model was trained on numbers in this column; {numbers}"
    if use == "target":
        return f"{numbers}, or choose another target"
    return f"leave the column out with {leave_out(column)}, or {numbers}"


def _other_notation(cell: str) -> str:
    """How to write a number in another notation, such as 1,5 or $3; an empty text if the cell is no number."""
    if _THOUSANDS.fullmatch(cell):
        return f"write it without thousands separators: {cell.replace(',', '')}"
    if _MAY_BE_THOUSANDS.fullmatch(cell):
        point, without = cell.replace(",", "."), cell.replace(",", "")
        return f"write {without} if the comma separates thousands, {point} if it is the decimal mark"
    if _DECIMAL_COMMA.fullmatch(cell):
        return f"the decimal mark must be '.': write {cell.replace(',', '.')}"
    if cell[:1] in ("\u2212", "\u2013") and _NUMBER.fullmatch(cell[1:]):
        return f"the minus sign is a dash: write -{cell[1:]}"
    if (inner := re.fullmatch(r"\(\s*([^()]*?)\s*\)", cell)) and _NUMBER.fullmatch(inner[1]):
        return f"write -{inner[1]} if the parentheses mean a negative number"
    plain = re.sub(r"[$€£%\s]", "", cell)
    if plain != cell and NUMBERISH.fullmatch(cell):
        plain = plain.replace(",", "") if re.fullmatch(r"[-+]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?", plain) else plain
        return f"write it as a plain number: {plain}" if _NUMBER.fullmatch(plain) else ""
    return ""


def _present(values: pa.ChunkedArray, missing_values: Sequence[str]) -> pa.ChunkedArray:
    """Cells without leading and trailing blanks; null where they are missing."""
    trimmed = pc.utf8_trim_whitespace(values.cast(pa.string()))
    gaps = pc.is_in(trimmed, texts(sorted({mark.strip() for mark in missing_values})))
    return pc.if_else(gaps, null_text(), trimmed)


def _text_fault(values: pa.ChunkedArray, column: str, missing_values: Sequence[str], name: str, use: Use) -> Fault:
    text = _present(values, missing_values)
    if fault := _leading_zero(text, column, name, use):
        return fault
    row = _first_text(text)
    if row is None:
        row = pc.index(text.is_valid(), True).as_py()
        one_hot = f"set {setting('preprocess.categorical', 'one_hot')}, or " if use == "feature" else ""
        message = f"the column holds numbers as text, such as {quoted(text[row].as_py())}; "
        message += f"{one_hot}store it with a numeric type"
    else:
        cell = text[row].as_py()
        counts = pc.value_counts(text.drop_null())
        readable = sum(each["counts"] for each in counts.to_pylist() if _NUMBER.fullmatch(each["values"]))
        mostly = 2 * readable >= len(text) - text.null_count
        date = _mostly_dates(counts.to_pylist())
        seen = ", and the column is mostly numbers" if mostly else ""
        if date and not is_date(cell):
            seen = f", and the column is mostly dates, such as {quoted(date)}"
        advice = not_a_number(cell, column, use, missing_values, mostly_numbers=mostly)
        if date:
            advice = _advice_for_dates(date, column, use)
        message = f"{quoted(cell)} is not a number{seen}; {advice}"
    return Fault(message, f"{name}, row {row + 1}, column {column!r}")


def _leading_zero(text: pa.ChunkedArray, column: str, name: str, use: Use) -> Fault | None:
    """The fault of a column of numbers and codes, one of which has a leading zero; None for other columns."""
    coded = pc.fill_null(cells_with_leading_zeros(text), False)
    row = pc.index(coded, True).as_py()
    if row < 0 or not _NUMBER.fullmatch(text[row].as_py()):
        return None
    other = _other_ways(column, use, "write the numbers without leading zeros")
    one_hot = f"set {for_column(column, 'categorical', 'one_hot')}, " if use == "feature" else ""
    message = f"{quoted(text[row].as_py())} has a leading zero, so the column is read as text; {one_hot}{other}"
    return Fault(message, f"{name}, row {row + 1}, column {column!r}")


def _mostly_dates(counts: Sequence[Mapping[str, Any]]) -> str:
    """The first date of a column that is mostly dates; otherwise an empty text."""
    dates = [each for each in counts if is_date(each["values"])]
    n_dates, n_cells = (sum(each["counts"] for each in some) for some in (dates, counts))
    return str(dates[0]["values"]) if 2 * n_dates > n_cells else ""


def _advice_for_dates(date: str, column: str, use: Use) -> str:
    return f"{_other_ways(column, use, 'convert dates to numbers')} ({as_numbers(date)})"


def _first_text(text: pa.ChunkedArray) -> int | None:
    """The row of the first cell that is not a number, or None."""
    # Bisection: the cells before `first` are numbers, and at least one from `first` to `last - 1` is not.
    first, last = 0, len(text)
    if _all_numbers(text):
        return None
    while last - first > 1:
        middle = (first + last) // 2
        if _all_numbers(text.slice(first, middle - first)):
            first = middle
        else:
            last = middle
    return first


def _all_numbers(text: pa.ChunkedArray) -> bool:
    try:
        pc.cast(text, pa.float64())
    except pa.ArrowInvalid:
        return False
    return True
