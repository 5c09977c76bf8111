"""Encoding of single rows that are written in the config."""

from collections.abc import Mapping, Sequence

import numpy as np

from linreg_cli.config.terms import Term
from linreg_cli.data.columns.kinds import Categories, Column, Numbers, RawColumn
from linreg_cli.data.encoding.encode import Encoder
from linreg_cli.data.encoding.inputs import NumberInput
from linreg_cli.data.encoding.levels import written
from linreg_cli.errors import DataError, Fault, SettingError
from linreg_cli.wording import plural

Point = Sequence[float | str]


def encode_points(encoder: Encoder, points: Sequence[Point]) -> Mapping[str, Column]:
    """The inputs of some rows: input -> values of shape (n_points,), float64, in original units.

    Args:
        encoder: the encoding of the feature columns.
        points: at least one; a value for each column that features are made of, in order of first use; text for a
            category or a date.

    Raises:
        SettingError: at `probe` and the position of the point (from 0).
    """
    dates, columns_of = {term.text: term for term in encoder.parts}, encoder.columns
    numbers = {each.column for each in encoder.sources if isinstance(each, NumberInput)}.difference(dates)
    for number, point in enumerate(points):
        if len(point) != len(columns_of):
            made = len(encoder.features) != len(columns_of) or encoder.hidden or encoder.parts
            what = "column" if made else "feature"
            found, expected = plural(len(point), "value"), plural(len(columns_of), what)
            raise SettingError(("probe", number), f"{found} for {expected} ({', '.join(columns_of)})")
        for column, value in zip(columns_of, point, strict=True):
            if column in numbers and isinstance(value, str):
                raise SettingError(("probe", number), f"expected a number for {column}, found the text {value!r}")
    cells = dict(zip(columns_of, zip(*points, strict=True), strict=True))
    raw: dict[str, RawColumn] = {}
    for each in encoder.sources:
        if each.column in dates:
            raw[each.column] = _part(dates[each.column], cells[dates[each.column].columns[0]])
        elif isinstance(each, NumberInput):
            raw[each.column] = Numbers(np.array(cells[each.column], dtype=np.float64))
        else:
            levels = tuple(written(value) for value in cells[each.column])
            kind = "text" if any(isinstance(value, str) for value in cells[each.column]) else "number"
            raw[each.column] = Categories(kind, np.arange(len(levels), dtype=np.int32), levels)
    columns: dict[str, Column] = {}
    for number in range(len(points)):
        try:
            encoded = encoder.encode(raw, np.array([number]), "probe")
        except DataError as error:
            raise SettingError(("probe", number), error.faults[0].message) from None
        columns = columns or {name: encoded[name] for name in encoder.features}
    return columns


def _part(term: Term, cells: Sequence[float | str]) -> RawColumn:
    """A part of the dates of some points.

    Raises:
        SettingError: at the point whose cell is no date.
    """
    import pyarrow as pa

    from linreg_cli.data.columns.arrow import texts
    from linreg_cli.data.encoding.date_values import FORMS, dates_of, parse_texts

    assert term.part is not None
    values = texts([str(cell) for cell in cells])
    _, good, _ = parse_texts(values)
    if not good.all():
        number = int(np.argmin(good))
        message = f"expected a date for {term.columns[0]}, found {str(cells[number])!r}; {FORMS}"
        raise SettingError(("probe", number), message)
    dates = dates_of(pa.chunked_array([values]), term.columns[0], (), "probe")
    if isinstance(dates, Fault):
        raise SettingError(("probe", 0), dates.message)
    return dates.part(term.part)
