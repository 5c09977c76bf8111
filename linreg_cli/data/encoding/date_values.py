"""Dates and times as numbers, and their parts that are features: days since 1970-01-01, year, month, weekday, hour.

A time with a zone is taken in UTC, one without a zone as it is written.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from linreg_cli.config.terms import Term
from linreg_cli.data.columns.arrow import indices, is_text_type, to_numpy, unified
from linreg_cli.data.columns.codes import narrow
from linreg_cli.data.columns.kinds import BLOCK_ROWS, MISSING, Categories, Codes, Mask, Numbers, RawColumn
from linreg_cli.data.columns.on_disk import NumberSink
from linreg_cli.data.encoding.date_order import year_first
from linreg_cli.data.encoding.dates import is_clock, is_date
from linreg_cli.data.encoding.levels import missing_test
from linreg_cli.data.tables.table import Cells
from linreg_cli.errors import Fault
from linreg_cli.fixes import Step
from linreg_cli.remedies import also_missing, as_days, dated, given, leave_out, quoted

Ticks = npt.NDArray[np.int64]

_SECONDS = 86_400
_PER_DAY = {"s": _SECONDS, "ms": _SECONDS * 10**3, "us": _SECONDS * 10**6, "ns": _SECONDS * 10**9}
_TEXT_UNIT = "us"
#: Texts that are parsed at once: their fields take hundreds of bytes a text.
_PARSED = 16_384

#: Year first, with the same mark between the three, with those of Chinese and Japanese, or with none; a month alone is
#: its first day. With dots the day may be first, as it is wherever dates are written so.
_DATE = (
    r"(?:(?P<y1>\d{4})-(?P<m1>\d{1,2})(?:-(?P<d1>\d{1,2}))?|(?P<y2>\d{4})/(?P<m2>\d{1,2})/(?P<d2>\d{1,2})"
    r"|(?P<y3>\d{4})\.(?P<m3>\d{1,2})\.(?P<d3>\d{1,2})|(?P<y4>\d{4})(?P<m4>\d{2})(?P<d4>\d{2})"
    r"|(?P<y5>\d{4})年(?P<m5>\d{1,2})月(?:(?P<d5>\d{1,2})日)?|(?P<d6>\d{1,2})\.(?P<m6>\d{1,2})\.(?P<y6>\d{4}))"
)
_TIME = (
    r"(?:(?:T|t| +)(?P<h1>\d{1,2})(?::(?P<n1>\d{2})(?::(?P<s1>\d{2})(?:[.,](?P<f1>\d+))?)?)?"
    r"|[Tt](?P<h2>\d{2})(?P<n2>\d{2})(?:(?P<s2>\d{2})(?:[.,](?P<f2>\d+))?)?)"
)
_ZONE = r"(?P<zone> ?(?:[Zz]|UTC|GMT)| ?[-+]\d{2}(?::?\d{2})?)?"
_PATTERN = f"^{_DATE}(?:{_TIME}{_ZONE})?$"

FORMS = "a date is written 2020-01-31, with a time 2020-01-31T09:30:00, with a zone 2020-01-31T09:30:00+02:00"


@dataclass(frozen=True)
class Dates:
    """A column of dates.

    Attributes:
        blocks: gives, block by block, the ticks since 1970-01-01 00:00 of some rows, int64, any value where a cell is
            missing, and which cells are missing; each of shape (n_rows,).
        per_day: ticks of a day.
        zoned: whether the cells, which are text, have a zone; None where they are no text, or all missing.
    """

    blocks: Callable[[], Iterator[tuple[Ticks, Mask]]]
    per_day: int
    zoned: bool | None = None

    @property
    def has_gaps(self) -> bool:
        """Whether a cell is missing."""
        return any(missing.any() for _, missing in self.blocks())

    def part(self, name: str) -> RawColumn:
        """A part of the dates: numbers for `days`, with fractions; categories for the others.

        Args:
            name: `days`, `year`, `month` (1 to 12), `weekday` (1 to 7, 1 is Monday) or `hour` (0 to 23).
        """
        known: set[int] = set()
        if name != "days":
            known.update(*(np.unique(self._values(name, ticks)[~missing]).tolist() for ticks, missing in self.blocks()))
        if not known:
            days = NumberSink([name])
            for ticks, missing in self.blocks():
                days.add([np.where(missing, np.nan, ticks / self.per_day)])
            return Numbers(days.columns()[name])
        levels = np.array(sorted(known), dtype=np.int64)
        codes = (
            narrow(np.where(missing, MISSING, np.searchsorted(levels, self._values(name, ticks))), len(levels))
            for ticks, missing in self.blocks()
        )
        return Categories("number", np.concatenate([*codes]), tuple(map(str, levels.tolist())))

    def _values(self, name: str, ticks: Ticks) -> Ticks:
        """The values of a part but `days`, shape (n_rows,)."""
        day, rest = np.divmod(ticks, self.per_day)
        if name == "hour":
            return rest * 24 // self.per_day
        if name == "weekday":
            return (day + 3) % 7 + 1  # 1970-01-01 was a Thursday
        months = day.astype("M8[D]").astype("M8[M]").astype(np.int64)
        return np.asarray(months // 12 + 1970 if name == "year" else months % 12 + 1)


def dates_of(values: pa.ChunkedArray, column: str, missing_values: Sequence[str], name: str) -> Dates | Fault:
    """A column as dates, or the fault of its first cell that is none.

    Args:
        values: dates, timestamps or text.
        column: its name.
        missing_values: cells that mean 'missing'.
        name: the table, for messages.
    """
    kind = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
    if values.null_count == len(values):
        none = np.zeros(len(values), np.int64), np.ones(len(values), dtype=bool)
        return Dates(lambda: iter([none]), 1)
    if is_text_type(kind):
        return _of_text(values, column, missing_values, name)
    plain = values if kind == values.type else values.cast(kind)
    if pa.types.is_timestamp(kind):
        return _of_numbers(plain, _PER_DAY[kind.unit])
    if pa.types.is_date(kind):
        return _of_numbers(plain.cast(pa.date32()), 1)
    message = f"the column has type {kind}, which holds no dates; {FORMS}, or has a date or timestamp type"
    return Fault(message, f"{name}, column {column!r}")


def date_remedy(values: pa.ChunkedArray, column: str, missing_values: Sequence[str], name: str) -> tuple[str, Step]:
    """What to do with a column of dates that is a feature: the advice and the change; no advice if it cannot be read.

    Args:
        values: the column.
        column: its name.
        missing_values: cells that mean 'missing'.
        name: the table, for messages.
    """
    if isinstance(dates_of(values, column, missing_values, name), Fault):
        texts = (each for each in pc.unique(values).to_pylist() if isinstance(each, str))
        ordered = year_first(texts, name, {"data.features": dated(given("data.features", None), [column])})
        advice = f"{ordered}, or leave the column out with {leave_out(column)}" if ordered else ""
        return advice, Step("ignore", column=column)
    advice = f"take the days since 1970 with {as_days(column)}, or leave the column out with {leave_out(column)}"
    return advice, Step("days", column=column)


def date_columns(terms: Sequence[Term]) -> frozenset[str]:
    """The columns that some features take as dates."""
    return frozenset(term.columns[0] for term in terms if term.part is not None)


def date_parts(
    cells: Cells,
    terms: Sequence[Term],
    missing_values: Sequence[str],
    name: str,
    zones: dict[str, bool] | None = None,
) -> tuple[dict[str, RawColumn], list[Fault]]:
    """The parts of dates that are features, and a fault for each column that holds something else.

    Args:
        cells: the cells that were read.
        terms: the features; those that are no parts of dates are left out.
        missing_values: cells that mean 'missing'.
        name: the table, for messages.
        zones: column -> whether the dates of earlier blocks of its cells have a zone, to which those of this one are
            added; None: the cells are all there are.
    """
    parts: dict[str, RawColumn] = {}
    faults: list[Fault] = []
    read: dict[str, Dates | Fault] = {}
    for term in terms:
        if term.part is None:
            continue
        (column,) = term.columns
        if column not in read:
            read[column] = found = dates_of(cells.column(column), column, missing_values, name)
            faults += [found] if isinstance(found, Fault) else []
            known = found.zoned if isinstance(found, Dates) else None
            if zones is not None and known is not None and zones.setdefault(column, known) != known:
                faults.append(Fault(f"the dates of {column} differ in whether they have a zone", name))
        dates = read[column]
        if isinstance(dates, Dates):
            parts[term.text] = dates.part(term.part)
    return parts, faults


def _of_numbers(values: pa.ChunkedArray, per_day: int) -> Dates:
    return Dates(lambda: map(_ticks, _blocks(values)), per_day)


def _blocks(values: pa.ChunkedArray) -> Iterator[pa.Array]:
    """The cells of a column, at most `BLOCK_ROWS` at a time."""
    for chunk in values.chunks:
        for start in range(0, len(chunk), BLOCK_ROWS):
            yield chunk.slice(start, BLOCK_ROWS)


def _ticks(cells: pa.Array) -> tuple[Ticks, Mask]:
    """The ticks of dates or timestamps, and which are missing; as a block of `Dates`."""
    size = "i4" if pa.types.is_date32(cells.type) else "i8"
    found = np.frombuffer(cells.buffers()[1], size, len(cells), int(size[1]) * cells.offset)
    missing = _is_null(cells)
    return np.where(missing, 0, found.astype(np.int64)), missing


def _is_null(chunk: pa.Array) -> Mask:
    valid = chunk.buffers()[0]
    if valid is None or not chunk.null_count:
        return np.zeros(len(chunk), dtype=bool)
    bits = np.unpackbits(np.frombuffer(valid, np.uint8), count=chunk.offset + len(chunk), bitorder="little")
    return np.equal(bits[chunk.offset :], 0)


def _of_text(values: pa.ChunkedArray, column: str, missing_values: Sequence[str], name: str) -> Dates | Fault:
    """Each distinct text is read once."""
    encoded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    encoded = unified(encoded)
    texts = encoded.chunk(0).dictionary
    occurs = np.zeros(len(texts) + 1, dtype=bool)
    for block in _blocks(encoded):
        occurs[_codes(block)] = True  # the last entry is for the code -1 of a null
    occurs = occurs[:-1]
    gaps = _gaps(texts, missing_values)
    ticks, good, zoned = parse_texts(texts)
    bad = occurs & ~good & ~gaps
    if bad.any():
        row, code = _first(encoded, bad)
        ordered = year_first((texts[at].as_py() for at in np.flatnonzero(bad).tolist()), name)
        return _not_a_date(texts[code].as_py().strip(), ordered, column, missing_values, f"{name}, row {row + 1}")
    used = zoned[occurs & ~gaps]
    if used.any() and not used.all():
        _, first = _first(encoded, ~gaps)
        row, code = _first(encoded, ~gaps & (zoned != zoned[first]))
        message = "this cell and those before differ in whether they have a zone; write all dates of a column alike"
        return Fault(f"{quoted(texts[code].as_py())}: {message}", f"{name}, row {row + 1}, column {column!r}")
    at, missing = np.append(ticks, 0), np.append(gaps, True)

    def blocks() -> Iterator[tuple[Ticks, Mask]]:
        for block in _blocks(encoded):
            codes = _codes(block)
            yield at[codes], missing[codes]

    return Dates(blocks, _PER_DAY[_TEXT_UNIT], bool(used[0]) if len(used) else None)


def _codes(block: pa.Array) -> Codes:
    return indices(pa.chunked_array([block]))


def _gaps(texts: pa.Array, missing_values: Sequence[str]) -> Mask:
    """Which texts mean 'missing', or are null."""
    is_missing = missing_test(missing_values)
    found = np.zeros(len(texts), dtype=bool)
    for start in range(0, len(texts), BLOCK_ROWS):  # texts of Python take three times the memory
        cells = texts.slice(start, BLOCK_ROWS).to_pylist()
        found[start : start + len(cells)] = [cell is None or is_missing(cell) for cell in cells]
    return found


def _first(encoded: pa.ChunkedArray, which: Mask) -> tuple[int, int]:
    """The first cell whose code is one of some: its row, from 0, and its code; there must be one."""
    at, row = np.append(which, False), 0
    for block in _blocks(encoded):
        codes = _codes(block)
        found = np.flatnonzero(at[codes])
        if len(found):
            return row + int(found[0]), int(codes[found[0]])
        row += len(codes)
    raise AssertionError("no cell has such a code")


def _not_a_date(cell: str, ordered: str, column: str, marks: Sequence[str], row: str) -> Fault:
    without = f"leave the column out with {leave_out(column)}"
    unless_missing = f"or, if it means 'missing', set {also_missing(cell, column, marks)}"
    if is_clock(cell):
        message = f"{quoted(cell)} is a time of day, which has no date; {without}"
    elif re.search(_PATTERN, cell, re.ASCII) and not ordered:
        message = f"{quoted(cell)} is no day, time or zone that exists; correct the cell, {without}, {unless_missing}"
    elif is_date(cell):
        how = ordered or "write the column as 2020-01-31"
        message = (
            f"{quoted(cell)} is a date in a form that is not read, since 01/02/2020 is two days; {how}, or {without}"
        )
    else:
        message = f"{quoted(cell)} is no date: {FORMS}; correct the cell, {without}, {unless_missing}"
    return Fault(message, f"{row}, column {column!r}")


def parse_texts(texts: pa.Array) -> tuple[Ticks, Mask, Mask]:
    """Texts as microseconds since 1970-01-01 00:00 UTC.

    A fraction of a second is cut to microseconds. A month (2020-01, 2020年1月) is its first day. 31.01.2020 has the day
    first.

    Args:
        texts: of type string.

    Returns:
        The microseconds, whether each text is a date, and whether it has a zone; each of shape (n_texts,).

    >>> ticks, good, zoned = parse_texts(pa.array(["1970-01-02T00:00:01Z", "2021-02-29"]))
    >>> ticks.tolist()[:1], good.tolist(), zoned.tolist()
    ([86401000000], [True, False], [True, False])
    """
    if len(texts) > _PARSED:
        blocks = [parse_texts(texts.slice(start, _PARSED)) for start in range(0, len(texts), _PARSED)]
        first, second, third = (np.concatenate(each) for each in zip(*blocks, strict=True))
        return first, second, third
    text = texts.cast(pa.string())
    found = pc.extract_regex(pc.utf8_trim_whitespace(text), _PATTERN)
    good: Mask = ~_is_null(found)
    fields = {field.name: pc.fill_null(pc.struct_field(found, field.name), "") for field in found.type}
    year, month, day = (_whole([fields[f"{key}{form}"] for form in "123456"]) for key in "ymd")
    for form in "15":  # which may be a month alone
        day = np.where((day == 0) & (_length(fields[f"y{form}"]) > 0) & (_length(fields[f"d{form}"]) == 0), 1, day)
    hour, minute, second = (_whole([fields[f"{key}1"], fields[f"{key}2"]]) for key in "hns")
    digits = pc.binary_join_element_wise(fields["f1"], fields["f2"], "")
    fraction = _whole([pc.utf8_slice_codeunits(pc.utf8_rpad(digits, 6, "0"), 0, 6)])
    months = (np.clip(year, 1, 9_999) - 1970) * 12 + np.clip(month, 1, 12) - 1
    first = months.astype("M8[M]").astype("M8[D]").astype(np.int64)
    after = (months + 1).astype("M8[M]").astype("M8[D]").astype(np.int64)
    good &= (year >= 1) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= after - first)
    good &= (hour <= 23) & (minute <= 59) & (second <= 59)
    zone = pc.replace_substring_regex(pc.utf8_trim_whitespace(fields["zone"]), "^[^-+].*$", "+0000")
    sign = np.where(np.array([each.startswith("-") for each in zone.to_pylist()], dtype=bool), -1, 1)
    shift = pc.utf8_rpad(pc.replace_substring_regex(zone, "[-+:]", ""), 4, "0")
    away = [_whole([pc.utf8_slice_codeunits(shift, start, start + 2)]) for start in (0, 2)]
    good &= (away[0] <= 23) & (away[1] <= 59)
    minutes = hour * 60 + minute - sign * (away[0] * 60 + away[1])
    ticks = ((first + day - 1) * _SECONDS + minutes * 60 + second) * 10**6 + fraction
    return ticks, good, good & (_length(fields["zone"]) > 0)


def _whole(parts: list[pa.Array]) -> Ticks:
    """The digits of the one part that has any, as whole numbers; 0 where none has."""
    joined = pc.binary_join_element_wise("0", *parts, "")
    return to_numpy(pa.chunked_array([joined]).cast(pa.float64())).astype(np.int64)


def _length(texts: pa.Array) -> npt.NDArray[np.int64]:
    lengths = pa.chunked_array([pc.utf8_length(texts)]).cast(pa.float64())
    return to_numpy(lengths).astype(np.int64)
