"""Units beside numbers, such as `5 €`, `12.5 kg` or `7 %`: which one a column has, and the setting that reads it."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from linreg_cli.config.formats import SEPARATORS
from linreg_cli.data.columns.arrow import texts
from linreg_cli.data.encoding.notation import CURRENCY_CODE, plainly
from linreg_cli.data.encoding.placeholders import is_placeholder
from linreg_cli.data.tables.text_format import NEEDED_UNITS, TextFormat
from linreg_cli.errors import Fault
from linreg_cli.remedies import also_missing, flow, for_columns, for_units, quoted

_KEY = "data.units"
#: The kind of the fault of a column whose numbers all have a unit.
UNIT = "unit"
_BLANKS = f"[{SEPARATORS[' ']}]*"
#: A sign, what is before the number, the number, and what is behind it.
_CELL = re.compile(
    rf"([-+]?)([^\s\d.,+-][^\s\d+-]{{0,7}})?{_BLANKS}"
    rf"([-+]?[0-9.,][0-9.,'\u2019{SEPARATORS[' ']}]*?){_BLANKS}([^\s\d.,+-][^\s\d]{{0,11}})?"
)
#: The share of the cells whose unit the others must have, too.
_NEARLY_ALL = 0.9
#: Columns that a message names.
_SHOWN = 3


def common_unit(cells: Sequence[str], written: TextFormat) -> str:
    """The unit of a column of numbers; an empty text where `data.units` would not read every cell.

    At least half of the cells have it, of a percent sign all, since 0.05 may be 5 %.

    Args:
        cells: the distinct cells that are not missing, without blanks around them.
        written: how the cells of the column are read.

    >>> csv = TextFormat(delimiter=",")
    >>> [common_unit(cells, csv) for cells in (["$1,234.50", "-$7"], ["9 kg", "8 kg", "7"], ["7 CHF", "-5 CHF", "-"])]
    ['$', 'kg', 'CHF']
    >>> [common_unit(cells, csv) for cells in (["5 %", "0.1"], ["12.5 kg", "9 lb"], ["1a", "1b"], ["red 5", "red 6"])]
    ['', '', '', '']
    """
    return _common(cells) if _can_be_set(written) else ""


def _can_be_set(written: TextFormat) -> bool:
    """Whether `data.units` can be set for a table: not for a format with types, nor for another table of a run."""
    return written.delimiter is not None and not written.of_run


def unit_behind(cells: Sequence[str]) -> str:
    """The unit behind each number of a column; an empty text if it has none, or several.

    >>> unit_behind(["12.5 kg", "9 kg"]), unit_behind(["12.5 kg", "9"]), unit_behind(["12 kg"])
    ('kg', '', '')
    """
    unit = _common(cells)
    return unit if all(cell.endswith(unit) for cell in cells) else ""


def _common(cells: Sequence[str]) -> str:
    if len(cells) < 2:
        return ""
    found = [_unit_of(cell) for cell in cells if not is_placeholder(cell, among_numbers=True)]
    units = {unit for unit in found if unit}
    if None in found or len(units) != 1:
        return ""
    unit = units.pop()
    needed = len(found) if unit in NEEDED_UNITS else len(found) / 2
    return unit if found.count(unit) >= needed else ""


def _unit_of(cell: str) -> str | None:
    """The unit of one cell; empty for a plain number, None for what is no number."""
    match = _CELL.fullmatch(cell)
    if match is None or not plainly(match[1] + match[3]):
        return None
    before, after = match[2] or "", match[4] or ""
    if before and (after or not _is_currency(before)):
        return None
    unit = before or after
    return unit if not unit or _is_currency(unit) or unit in NEEDED_UNITS or any(map(str.isalpha, unit)) else None


def _is_currency(unit: str) -> bool:
    return unicodedata.category(unit[-1]) == "Sc" or re.fullmatch(CURRENCY_CODE, unit) is not None


def unit_fault(
    text: pa.ChunkedArray,
    column: str,
    missing_values: Sequence[str],
    name: str,
    written: TextFormat,
    *,
    is_feature: bool,
) -> Fault | None:
    """The fault of a column of numbers with a unit; None for another column.

    A feature with few levels and a unit that is a word, such as 2WD and 4WD, is another column. A unit that is not the
    one of `data.units` is no setting that corrects the fault by itself.

    Args:
        text: the cells, trimmed, null where they are missing.
        column: its name.
        missing_values: cells that mean 'missing'.
        name: the table, for messages.
        written: how the cells of the column are read.
        is_feature: whether the column may be a category instead.
    """
    counts = {each["values"]: each["counts"] for each in pc.value_counts(text.drop_null()).to_pylist()}
    unit, settings, kind = common_unit([*counts], written), None, None
    is_level = is_feature and bool(unit) and _is_word(unit) and 4 * len(counts) < sum(counts.values())
    if unit not in ("", written.unit) and not is_level:
        cell = next(cell for cell in counts if _unit_of(cell))
        given = f", and {_KEY} says {flow(written.unit)}" if written.unit else ""
        message = f"is a number with the unit {flow(unit)}{given}; set {for_units({column: unit})}"
        if is_feature:
            message += f"; to use the column as text, set {for_columns([column], 'categorical', 'one_hot')}"
        settings, kind = None if given else {_KEY: {column: unit}}, UNIT
    else:
        unit = written.unit or (_of_most(counts) if _can_be_set(written) else "")
        cell = next((cell for cell in counts if not _has(cell, unit)), "") if unit else ""
        if not cell:
            return None
        message = _of_odd_cell(cell, column, unit, missing_values, written)
    where = f"{name}, row {pc.index(text, texts([cell])[0]).as_py() + 1}, column {column!r}"
    return Fault(f"{quoted(cell)} {message}", where, kind=kind, columns=(column,), settings=settings)


def _of_odd_cell(cell: str, column: str, unit: str, missing_values: Sequence[str], written: TextFormat) -> str:
    """What is said of a cell without the unit that its column has."""
    says = f"as {_KEY} says" if written.unit else "as the other cells are"
    message = f"is not a number with the unit {flow(unit)}, {'as the run has them' if written.of_run else says}"
    message += "; correct the cell"
    if any(map(str.isdigit, cell)):
        return message
    also = "" if written.unit else f" and {for_units({column: unit})}"
    return f"{message}, or, if it means 'missing', set {also_missing(cell, column, missing_values)}{also}"


def _has(cell: str, unit: str) -> bool:
    found = _unit_of(cell)
    return found == unit or (found == "" and unit not in NEEDED_UNITS)


def _of_most(counts: Mapping[str, int]) -> str:
    """The currency or the percent sign that nearly all cells have; empty without one."""
    by_unit: dict[str, int] = {}
    for cell, count in counts.items():
        if unit := _unit_of(cell):
            by_unit[unit] = by_unit.get(unit, 0) + count
    unit = max(by_unit, key=lambda each: by_unit[each], default="")
    return unit if unit and not _is_word(unit) and by_unit[unit] >= _NEARLY_ALL * sum(counts.values()) else ""


def _is_word(unit: str) -> bool:
    return unit not in NEEDED_UNITS and not _is_currency(unit)


def unit_in(fault: Fault) -> str:
    """The unit of a column whose fault is that it has one; empty for another fault."""
    return str((fault.settings or {}).get(_KEY, {}).get(fault.columns[0], "")) if fault.columns else ""


def without_unit(text: pa.ChunkedArray, column: str, fault: Fault | None, written: TextFormat) -> pa.ChunkedArray:
    """The cells of a column without its unit: that of its fault, or the one that `data.units` names.

    Args:
        text: the cells, trimmed.
        column: its name.
        fault: what is wrong with it; None: nothing.
        written: how the table is read.
    """
    unit = "" if fault is None else unit_in(fault)
    return (replace(written, unit=unit) if unit else written.of(column)).without_unit(text)


def in_words(units: Mapping[str, str]) -> str:
    """The units of columns, as a further clause; empty without any.

    >>> in_words({"price": "EUR", "share": "kg"})
    "; units are beside the numbers of 'price', 'share' (EUR, kg)"
    """
    if not units:
        return ""
    some = "a unit is" if len(units) == 1 else "units are"
    marks = ", ".join(map(flow, dict.fromkeys(units.values())))
    return f"; {some} beside the numbers of {', '.join(map(repr, units))} ({marks})"


def in_one(faults: Sequence[Fault], name: str) -> list[Fault]:
    """The faults, with one for all columns with a unit, since `data.units` is set as a whole.

    Args:
        faults: of columns.
        name: the table, for messages.
    """
    found = [fault for fault in faults if unit_in(fault)]
    if len(found) < 2:
        return list(faults)
    units = {fault.columns[0]: unit_in(fault) for fault in found}
    shown = ", ".join(f"{column} ({flow(unit)})" for column, unit in [*units.items()][:_SHOWN])
    more = f" and {len(units) - _SHOWN:,} more" if len(units) > _SHOWN else ""
    message = f"{len(units):,} columns of numbers have a unit in their cells: {shown}{more}; set {for_units(units)}"
    one = replace(found[0], message=message, where=name, columns=(*units,), settings={_KEY: units})
    return [one, *(fault for fault in faults if fault not in found)]
