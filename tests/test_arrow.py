"""Numbers between numpy and pyarrow, against pyarrow's own conversion."""

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from linreg_cli.data.columns.arrow import plain_numbers, repeated, to_arrow, to_numpy

CHUNKS = {
    "one": [pa.array([1.5, -0.0, float("inf")])],
    "none": [],
    "empty": [pa.array([], pa.float64()), pa.array([2.0])],
    "gaps": [pa.array([None, 1.0, None]), pa.array([3.0]), pa.array([None, None], pa.float64())],
    "slice with gaps": [pa.array([0.0, None, 2.0, None, *map(float, range(20)), None]).slice(3, 19)],
    "slice without its gaps": [pa.array([None, 1.0, 2.0, None]).slice(1, 2)],
    "slice": [pa.array([*map(float, range(20))]).slice(9, 5)],
}


@pytest.mark.parametrize("name", CHUNKS)
def test_cells_are_what_pyarrow_makes_of_them(name):
    values = pa.chunked_array(CHUNKS[name], pa.float64())
    expected = values.to_numpy()
    found = to_numpy(values)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(np.signbit(found), np.signbit(expected))


def test_cells_of_a_cast_and_a_filter_are_right_too():
    values = pa.chunked_array([pa.array([1, None, 3, 4], pa.int64())]).cast(pa.float64())
    kept = pc.filter(values, pa.array([False, True, True, True]))
    np.testing.assert_array_equal(to_numpy(kept), [np.nan, 3, 4])


DECIMALS = [pa.decimal128(*each) for each in ((9, 2), (7, 7), (18, 4), (38, 6), (38, 22), (38, 38), (5, -3), (19, 0))]
DECIMALS += [pa.decimal256(9, 2), pa.decimal256(60, 30)]
if hasattr(pa, "decimal32"):  # pyarrow 17 has none
    DECIMALS += [pa.decimal32(9, 2), pa.decimal64(18, 4)]


@pytest.mark.parametrize("kind", DECIMALS, ids=str)
def test_decimals_are_the_nearest_numbers_as_their_digits_in_a_csv_are(kind):
    """Python's `float` of the digits rounds once; Arrow's own cast of 270.11 gives 270.11000000000001."""
    most = min(10**kind.precision, 10**18) - 1
    integers = [
        0,
        most,
        -most,
        2**53 % most,
        *np.random.default_rng(kind.scale + 5).integers(-most, most, 500).tolist(),
    ]
    texts = [f"{each}e{-kind.scale}" for each in (*integers, 10**kind.precision - 1)]
    few = [text for text in texts if abs(float(text)) * 10.0**kind.scale < 2**53]
    for chosen in (texts, few, [*few, None]):
        cells = [None if text is None else Decimal(text) for text in chosen]
        values = pa.concat_arrays([pa.nulls(1, kind), pa.array(cells, kind)]).slice(1)
        expected = [np.nan if text is None else float(text) for text in chosen]
        np.testing.assert_array_equal(plain_numbers(values), expected)


@pytest.mark.parametrize("values", [np.arange(7), np.linspace(0, 1, 12)[::-3], np.zeros((4, 2))[:, 1], np.zeros(0)])
def test_an_array_is_the_column_that_pyarrow_makes_of_it(values):
    found = to_arrow(values)
    found.validate(full=True)
    assert found.equals(pa.array(values))


@pytest.mark.parametrize(("text", "count"), [("train", 3), ("", 2), ("ä", 2), ("test", 0)])
def test_a_text_is_repeated(text, count):
    found = repeated(text, count)
    found.validate(full=True)
    assert found.to_pylist() == [text] * count
