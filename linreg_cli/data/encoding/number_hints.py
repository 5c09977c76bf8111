"""Faults of columns that must be numbers and are not, with the advice that fits the cells."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from linreg_cli.data.columns.arrow import is_text_type
from linreg_cli.data.encoding.column_faults import column_fault
from linreg_cli.data.encoding.date_values import date_remedy
from linreg_cli.data.encoding.dates import as_numbers, is_date
from linreg_cli.data.encoding.notation import (
    Notation,
    OtherNotation,
    notation_of,
    number_test,
    other_notation,
    plainly,
    present,
    signed,
)
from linreg_cli.data.encoding.number_units import in_words, unit_behind, unit_fault, unit_in, without_unit
from linreg_cli.data.encoding.treatments import Use
from linreg_cli.data.tables.leading_zeros import cells_with_leading_zeros
from linreg_cli.data.tables.table import Cells
from linreg_cli.data.tables.text_format import DEFAULT, AsText, TextFormat
from linreg_cli.errors import Fault
from linreg_cli.fixes import Step
from linreg_cli.remedies import (
    all_units,
    also_missing,
    flow,
    for_columns,
    for_units,
    leave_out,
    quoted,
    setting,
    settings,
)

#: A number with a slip, such as 12..5, which does not mean 'missing'.
_SLIP = re.compile(r"[-+]?[.,]?\d[\d.,' ]*([eE][-+]?\d+)?")


def value_type(kind: pa.DataType) -> pa.DataType:
    """The type of the values; of a dictionary type, that of its entries."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def wrong_type(
    values: pa.ChunkedArray,
    column: str,
    missing_values: Sequence[str],
    name: str,
    use: Use,
    written: TextFormat = DEFAULT,
) -> Fault:
    """The fault of a column that is not numeric.

    Args:
        values: the column, with at least one cell that is not null.
        column: its name.
        missing_values: cells of text that mean 'missing'.
        name: the table, for messages.
        use: the use of the column.
        written: how numbers are written in the table.
    """
    given, kind = values.type, value_type(values.type)
    values = values.cast(kind)
    if is_text_type(kind):
        return _text_fault(values, column, missing_values, name, use, written)
    row = pc.index(values.is_valid(), True).as_py()
    where = f"{name}, row {row + 1}, column {column!r}"
    ways, first = _other_ways(column, use), values[row].as_py()
    fault, detail = _solved_if_feature(use), f"{first} in row {row + 1}"
    one_hot = f"set {setting('preprocess.categorical', 'one_hot')}, " if use == "feature" else ""
    if pa.types.is_boolean(kind):
        other = _other_ways(column, use, "convert it to 0 and 1")
        return fault("text", column, f"the column holds true and false; {one_hot}{other}", where, detail)
    if pa.types.is_dictionary(given):
        return fault("text", column, f"the column holds categories, such as {first}; {one_hot}{ways}", where, detail)
    if pa.types.is_temporal(kind):
        advice, step = date_remedy(values, column, missing_values, name)
        ways = f"{ways} (days since a date)" if use != "feature" or not advice else advice
        return fault("date", column, f"the column holds dates or times, such as {first}; {ways}", where, detail, step)
    return fault("type", column, f"the column holds values of type {kind}; {ways}", where, f"type {kind}")


def _solved_if_feature(use: Use) -> Callable[..., Fault]:
    """What makes a fault: one that the config can solve where it is of a feature of a new model."""

    def fault(kind: str, column: str, message: str, where: str, detail: str, step: Step | None = None) -> Fault:
        if use != "feature":
            return Fault(message, where, columns=(column,))
        usual = Step("categorical", "one_hot", column) if kind == "text" else Step("ignore", column=column)
        return column_fault(kind, column, message, where, detail, step or usual)

    return fault


def merged_faults(
    faults: Mapping[str, Fault],
    cells: Cells,
    missing_values: Sequence[str],
    name: str,
    uses: Mapping[str, Use],
    source: AsText | None,
    categorical: Collection[str] = (),
) -> list[Fault]:
    """The faults of columns, with one for all columns of numbers that are written in another way.

    Args:
        faults: column -> its fault.
        cells: the table.
        missing_values: cells that mean 'missing'.
        name: the table, for messages.
        uses: column that is used -> how; those that are numbers must stay so in the other notation.
        source: how the numbers of a text file are written, and its cells; None for a format with types.
        categorical: the columns that would be categories if they were text.
    """
    text = {column for column in faults if column in cells.others.column_names}
    text = {column for column in text if is_text_type(value_type(cells.others.column(column).type))}
    if source is None or not text:
        return list(faults.values())
    now, written = notation_of(source.format), source.format

    def plain(column: str, table: pa.Table) -> pa.ChunkedArray:
        return without_unit(present(table.column(column), missing_values), column, faults.get(column), written)

    faulty = {column: plain(column, cells.others) for column in uses if column in text}
    if other_notation(faulty, {}, now) is None:
        return list(faults.values())
    rest = [column for column in uses if column in cells.numbers]
    others = source.read(rest)
    found = other_notation(faulty, {column: plain(column, others) for column in rest}, now)
    if found is None:
        return list(faults.values())
    left = []
    for column, (row, cell) in found.leftover.items():
        advice = not_a_number(cell, column, uses[column], missing_values, mostly_numbers=True, decimal=now.decimal)
        where = f"{name}, row {row + 1}, column {column!r}"
        left.append(Fault(f"{quoted(cell)} is not a number; {advice}", where, columns=(column,)))
    solved = {*found.examples, *found.leftover}
    units = {column: unit for column, fault in faults.items() if (unit := unit_in(fault))}
    columns = [column for column in uses if column in found.examples]
    first = _in_other_notation(found, now, name, written, columns, units)
    if kept := [column for column in found.examples if column in categorical and column in faults]:
        these = "it" if len(kept) == 1 else "them"
        keep = for_columns(kept, "categorical", "one_hot")
        first = replace(first, message=f"{first.message}; to use {these} as text, set {keep}")
    return [first, *left, *(fault for column, fault in faults.items() if column not in {*solved, *units})]


def _in_other_notation(
    found: OtherNotation,
    now: Notation,
    name: str,
    text: TextFormat,
    columns: Sequence[str],
    units: Mapping[str, str],
) -> Fault:
    """The fault of all columns in another notation, and of those with units, and the settings that read them."""
    shown = " and ".join(
        f"{quoted(found.examples[column][1])} (row {found.examples[column][0] + 1} of {column!r})"
        for column in columns[:3]
    )
    where, which = name, f"columns {', '.join(map(repr, columns))} have"
    if len(columns) == 1:
        row, cell = found.examples[columns[0]]
        where, which, shown = f"{name}, row {row + 1}, column {columns[0]!r}", "the column has", quoted(cell)
    words = " or ".join(way.in_words(now) for way in found.ways)
    if text.of_run:
        marks = f"{flow(now.decimal)} as the decimal mark and {flow(now.thousands or 'nothing')} between thousands"
        remedy = f"the run reads {marks}; write the numbers so"
    else:
        example = found.examples[columns[0]][1]
        remedy = "; ".join(_way_out(way, now, text, example, units, several=len(found.ways) > 1) for way in found.ways)
    settings: dict[str, Any] | None = None
    if len(found.ways) == 1 and found.ways[0].decimal != text.delimiter:
        settings = {"data.decimal": found.ways[0].decimal, "data.thousands": found.ways[0].thousands}
    settings = {**(settings or {}), "data.units": units} if units else settings
    message = f"{which} {words}, such as {shown}{in_words(units)}; {remedy}"
    return Fault(message, where, columns=tuple(columns), settings=settings)


def _way_out(
    way: Notation, now: Notation, text: TextFormat, example: str, units: Mapping[str, str], *, several: bool
) -> str:
    """The settings that change one notation to another, or another way to write the numbers where none do."""
    values: dict[str, Any] = {} if way.decimal == now.decimal else {"data.decimal": way.decimal}
    values |= {} if way.thousands == now.thousands else {"data.thousands": way.thousands}
    values |= {"data.units": all_units(units)} if units else {}
    meaning = "is the decimal mark" if way.decimal != now.decimal else "is between thousands"
    mark = way.decimal if way.decimal != now.decimal else way.thousands
    condition = f" if {flow(mark)} {meaning}" if several else ""
    if way.decimal == text.delimiter:
        points = f"write them with decimal points{condition} ({way.plain(example)}), since the comma is the delimiter"
        return f"{points}, and set {for_units(units)}" if units else points
    return f"set {settings(values)}{condition}"


def not_a_number(
    cell: str, column: str, use: Use, marks: Sequence[str], *, mostly_numbers: bool, decimal: str = "."
) -> str:
    """The advice for a cell that is not a number.

    Args:
        cell: without blanks around it.
        column: its column.
        use: the use of the column.
        marks: cells that mean 'missing'.
        mostly_numbers: whether most cells of the column are numbers.
        decimal: the decimal mark of the table.

    >>> not_a_number("$5", "x", "feature", [], mostly_numbers=False)
    'it has a currency sign; write 5'
    >>> print(not_a_number("-", "x", "feature", ["", "NA"], mostly_numbers=True))
    correct the cell, or, if it means 'missing', set preprocess.missing_values: ["", NA, "-"]
    """
    if sign := signed(cell, decimal):
        return sign
    if written := _written(cell, decimal):
        return written
    if use == "trained":
        return "the model was trained on numbers in this column; correct the cell"
    if mostly_numbers:
        missing = f", or, if it means 'missing', set {also_missing(cell, column, marks)}"
        return "correct the cell" + ("" if _SLIP.fullmatch(cell) else missing)
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


def _written(cell: str, decimal: str) -> str:
    """How to write a number that is written in another notation; an empty text if the cell is none."""
    plain = [number.replace(".", decimal) for number in plainly(cell)]
    if len(plain) == 2:
        return f"write {plain[0]}, or {plain[1]} if the mark has the other meaning"
    mark = "point" if decimal == "." else "comma"
    return f"write it with a decimal {mark} and without marks for thousands: {plain[0]}" if plain else ""


def _text_fault(
    values: pa.ChunkedArray, column: str, missing_values: Sequence[str], name: str, use: Use, written: TextFormat
) -> Fault:
    text = present(values, missing_values)
    if fault := _leading_zero(text, column, name, use, written):
        return fault
    if fault := unit_fault(text, column, missing_values, name, written, is_feature=use == "feature"):
        return fault
    kind, solved, step = "", _solved_if_feature(use), None
    row = _first_text(text, written)
    if row is None:
        row = pc.index(text.is_valid(), True).as_py()
        one_hot = f"set {setting('preprocess.categorical', 'one_hot')}, or " if use == "feature" else ""
        message = f"the column holds numbers as text, such as {quoted(text[row].as_py())}; "
        message += f"{one_hot}store it with a numeric type"
        kind = "text"
    else:
        cell = text[row].as_py()
        is_number = number_test(written)
        counts = pc.value_counts(text.drop_null())
        readable = sum(each["counts"] for each in counts.to_pylist() if is_number(each["values"]))
        mostly = 2 * readable >= len(text) - text.null_count
        date = _mostly_dates(counts.to_pylist())
        seen = ", and the column is mostly numbers" if mostly else ""
        if date and not is_date(cell):
            seen = f", and the column is mostly dates, such as {quoted(date)}"
        advice = not_a_number(cell, column, use, missing_values, mostly_numbers=mostly, decimal=written.decimal)
        if not (mostly or signed(cell, written.decimal) or _written(cell, written.decimal)):
            kind = "text"
        if date:
            as_date, step = date_remedy(values, column, missing_values, name)
            kind, advice = "date", as_date if use == "feature" and as_date else _advice_for_dates(date, column, use)
        elif unit := "" if signed(cell) else unit_behind([each["values"] for each in counts.to_pylist()]):
            kind = ""
            number = plainly(cell.removesuffix(unit).strip())[0].replace(".", written.decimal)
            advice = f"every cell has {quoted(unit)} behind its number; write {number}, without it"
            if use == "feature" and 4 * len(counts) < len(text):  # few levels, such as 2WD and 4WD
                advice += f"; to use it as text, set {for_columns([column], 'categorical', 'one_hot')}"
        message = f"{quoted(cell)} is not a number{seen}; {advice}"
    where = f"{name}, row {row + 1}, column {column!r}"
    if not kind:
        return Fault(message, where, columns=(column,))
    return solved(kind, column, message, where, f"{quoted(text[row].as_py())} in row {row + 1}", step)


def _leading_zero(text: pa.ChunkedArray, column: str, name: str, use: Use, written: TextFormat) -> Fault | None:
    """The fault of a column of numbers and codes, one of which has a leading zero; None for other columns."""
    coded = pc.fill_null(cells_with_leading_zeros(text), False)
    row = pc.index(coded, True).as_py()
    if row < 0 or not number_test(written)(text[row].as_py()):
        return None
    other = _other_ways(column, use, "write the numbers without leading zeros")
    one_hot = f"set {for_columns([column], 'categorical', 'one_hot')}, " if use == "feature" else ""
    message = f"{quoted(text[row].as_py())} has a leading zero, so the column is read as text; {one_hot}{other}"
    return Fault(message, f"{name}, row {row + 1}, column {column!r}", columns=(column,))


def _mostly_dates(counts: Sequence[Mapping[str, Any]]) -> str:
    """The first date of a column that is mostly dates; otherwise an empty text."""
    dates = [each for each in counts if is_date(each["values"])]
    n_dates, n_cells = (sum(each["counts"] for each in some) for some in (dates, counts))
    return str(dates[0]["values"]) if 2 * n_dates > n_cells else ""


def _advice_for_dates(date: str, column: str, use: Use) -> str:
    return f"{_other_ways(column, use, 'convert dates to numbers')} ({as_numbers(date)})"


def _first_text(text: pa.ChunkedArray, written: TextFormat) -> int | None:
    """The row of the first cell that is not a number, or None."""
    # Bisection: the cells before `first` are numbers, and at least one from `first` to `last - 1` is not.
    first, last = 0, len(text)
    if written.float64(text) is not None:
        return None
    while last - first > 1:
        middle = (first + last) // 2
        if written.float64(text.slice(first, middle - first)) is not None:
            first = middle
        else:
            last = middle
    return first
