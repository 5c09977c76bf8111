"""Dates and times as numbers, and their parts that are features: days since 1970-01-01, year, month, weekday, hour.

A time with a zone is taken in UTC, one without a zone as it is written.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from linreg_cli.config.terms import Term
from linreg_cli.data.columns.arrow import indices, is_text_type, to_numpy, unified
from linreg_cli.data.columns.kinds import BLOCK_ROWS, MISSING, Categories, Mask, Numbers, RawColumn, narrow
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

#: Year first, with the same mark between the three, with those of Chinese and Japanese, or with none; a month alone is
#: its first day.
_DATE = (
    r"(?:(?P<y1>\d{4})-(?P<m1>\d{1,2})(?:-(?P<d1>\d{1,2}))?|(?P<y2>\d{4})/(?P<m2>\d{1,2})/(?P<d2>\d{1,2})"
    r"|(?P<y3>\d{4})\.(?P<m3>\d{1,2})\.(?P<d3>\d{1,2})|(?P<y4>\d{4})(?P<m4>\d{2})(?P<d4>\d{2})"
    r"|(?P<y5>\d{4})年(?P<m5>\d{1,2})月(?:(?P<d5>\d{1,2})日)?)"
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
        ticks: shape (n_samples,), int64: ticks since 1970-01-01 00:00; any value where a cell is missing.
        per_day: ticks of a day.
        missing: shape (n_samples,): which cells are missing.
        zoned: whether the cells, which are text, have a zone; None where they are no text, or all missing.
    """

    ticks: Ticks
    per_day: int
    missing: Mask
    zoned: bool | None = None

    def part(self, name: str) -> RawColumn:
        """A part of the dates: numbers for `days`, with fractions; categories for the others.

        Args:
            name: `days`, `year`, `month` (1 to 12), `weekday` (1 to 7, 1 is Monday) or `hour` (0 to 23).
        """
        if name == "days":
            return Numbers(np.where(self.missing, np.nan, self.ticks / self.per_day))
        day, rest = np.divmod(self.ticks, self.per_day)
        if self.missing.all():
            return Numbers(np.full(len(day), np.nan))
        if name == "hour":
            values = rest * 24 // self.per_day
        elif name == "weekday":
            values = (day + 3) % 7 + 1  # 1970-01-01 was a Thursday
        else:
            months = day.astype("M8[D]").astype("M8[M]").astype(np.int64)
            values = months // 12 + 1970 if name == "year" else months % 12 + 1
        found, codes = np.unique(values[~self.missing], return_inverse=True)
        out = narrow(np.full(len(values), MISSING, dtype=np.int32), len(found))
        out[~self.missing] = codes
        return Categories("number", out, tuple(map(str, found.tolist())))


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
        return Dates(np.zeros(len(values), np.int64), 1, np.ones(len(values), dtype=bool))
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
    missing = np.concatenate([np.zeros(0, dtype=bool), *map(_is_null, values.chunks)])
    size = "i4" if pa.types.is_date32(values.type) else "i8"
    parts = [
        np.frombuffer(chunk.buffers()[1], size, len(chunk), int(size[1]) * chunk.offset)
        for chunk in values.chunks
        if len(chunk)
    ]
    return Dates(np.where(missing, 0, np.concatenate([np.zeros(0, np.int64), *parts])), per_day, missing)


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
    codes = indices(encoded)
    texts = encoded.chunk(0).dictionary
    occurs = np.bincount(codes[codes >= 0], minlength=len(texts)) > 0
    is_missing = missing_test(missing_values)
    cells = texts.to_pylist()
    gaps = np.array([cell is None or is_missing(cell) for cell in cells], dtype=bool)
    ticks, good, zoned = parse_texts(texts)
    missing = np.append(gaps, True)[codes]
    bad = occurs & ~good & ~gaps
    if bad.any():
        row = int(np.argmax((codes >= 0) & bad[codes]))
        ordered = year_first((cells[at] for at in np.flatnonzero(bad)), name)
        return _not_a_date(cells[codes[row]].strip(), ordered, column, missing_values, f"{name}, row {row + 1}")
    used = zoned[occurs & ~gaps]
    if used.any() and not used.all():
        row = int(np.argmax(~missing & (zoned[codes] != zoned[codes[np.argmax(~missing)]])))
        message = "this cell and those before differ in whether they have a zone; write all dates of a column alike"
        return Fault(f"{quoted(cells[codes[row]])}: {message}", f"{name}, row {row + 1}, column {column!r}")
    return Dates(np.append(ticks, 0)[codes], _PER_DAY[_TEXT_UNIT], missing, bool(used[0]) if len(used) else None)


def _not_a_date(cell: str, ordered: str, column: str, marks: Sequence[str], row: str) -> Fault:
    without = f"leave the column out with {leave_out(column)}"
    if is_clock(cell):
        message = f"{quoted(cell)} is a time of day, which has no date; {without}"
    elif is_date(cell):
        how = ordered or "write the column as 2020-01-31"
        message = (
            f"{quoted(cell)} is a date in a form that is not read, since 01/02/2020 is two days; {how}, or {without}"
        )
    else:
        message = f"{quoted(cell)} is no date: {FORMS}; correct the cell, {without}, or, if it means 'missing', set "
        message += also_missing(cell, column, marks)
    return Fault(message, f"{row}, column {column!r}")


def parse_texts(texts: pa.Array) -> tuple[Ticks, Mask, Mask]:
    """Texts as microseconds since 1970-01-01 00:00 UTC.

    A fraction of a second is cut to microseconds. A month (2020-01, 2020年1月) is its first day.

    Args:
        texts: of type string.

    Returns:
        The microseconds, whether each text is a date, and whether it has a zone; each of shape (n_texts,).

    >>> ticks, good, zoned = parse_texts(pa.array(["1970-01-02T00:00:01Z", "2021-02-29"]))
    >>> ticks.tolist()[:1], good.tolist(), zoned.tolist()
    ([86401000000], [True, False], [True, False])
    """
    if len(texts) > BLOCK_ROWS:  # the fields of all texts at once would take hundreds of bytes a text
        blocks = [parse_texts(texts.slice(start, BLOCK_ROWS)) for start in range(0, len(texts), BLOCK_ROWS)]
        first, second, third = (np.concatenate(each) for each in zip(*blocks, strict=True))
        return first, second, third
    text = texts.cast(pa.string())
    found = pc.extract_regex(pc.utf8_trim_whitespace(text), _PATTERN)
    good: Mask = ~_is_null(found)
    fields = {field.name: pc.fill_null(pc.struct_field(found, field.name), "") for field in found.type}
    year, month, day = (_whole([fields[f"{key}{form}"] for form in "12345"]) for key in "ymd")
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
