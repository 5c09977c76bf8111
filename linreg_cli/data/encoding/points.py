"""Encoding of single rows that are written in the config."""

from collections.abc import Mapping, Sequence

import numpy as np

from linreg_cli.data.columns.kinds import Categories, Column, Numbers, RawColumn
from linreg_cli.data.encoding.encode import Encoder
from linreg_cli.data.encoding.inputs import NumberInput
from linreg_cli.data.encoding.levels import written
from linreg_cli.errors import DataError, SettingError
from linreg_cli.wording import plural

Point = Sequence[float | str]


def encode_points(encoder: Encoder, points: Sequence[Point]) -> Mapping[str, Column]:
    """The inputs of some rows: input -> values of shape (n_points,), float64, in original units.

    Args:
        encoder: the encoding of the feature columns.
        points: at least one; a value for each feature column, text for a category.

    Raises:
        SettingError: at `probe` and the position of the point (from 0).
    """
    for number, point in enumerate(points):
        if len(point) != len(encoder.columns):
            names = ", ".join(encoder.columns)
            found, expected = plural(len(point), "value"), plural(len(encoder.columns), "feature")
            raise SettingError(("probe", number), f"{found} for {expected} ({names})")
        for each, value in zip(encoder.inputs, point, strict=True):
            if isinstance(each, NumberInput) and isinstance(value, str):
                raise SettingError(("probe", number), f"expected a number for {each.column}, found the text {value!r}")
    raw: dict[str, RawColumn] = {}
    for each, values in zip(encoder.inputs, zip(*points, strict=True), strict=True):
        if isinstance(each, NumberInput):
            raw[each.column] = Numbers(np.array(values, dtype=np.float64))
        else:
            levels = tuple(written(value) for value in values)
            kind = "text" if any(isinstance(value, str) for value in values) else "number"
            raw[each.column] = Categories(kind, np.arange(len(levels), dtype=np.int32), levels)
    columns: dict[str, Column] = {}
    for number in range(len(points)):
        try:
            encoded = encoder.encode(raw, np.array([number]), "probe")
        except DataError as error:
            raise SettingError(("probe", number), error.faults[0].message) from None
        columns = columns or {name: encoded[name] for name in encoder.features}
    return columns
