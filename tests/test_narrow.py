"""Numbers in fewer bytes: every bit comes back, whatever they are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from linreg_cli.data.columns.narrow import narrowed

#: A NaN with other bits than numpy's, as a file may have it.
ODD_NAN = np.array([0x7FF8000000000123], dtype=np.uint64).view(np.float64)[0]


def same_bits(values):
    there = narrowed(values)
    assert there.astype(np.float64).tobytes() == values.tobytes()
    return there.dtype.name


@given(arrays(np.float64, st.integers(0, 20), elements=st.floats(width=64)))
def test_every_bit_of_any_numbers_comes_back(values):
    same_bits(values)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([0.0, 127.0, -128.0], "int8"),
        ([0.0, 128.0], "int16"),
        ([0.0, -0.0], "float32"),
        ([32_768.0, 2.0**24], "float32"),
        ([2.0**24 + 1], "float64"),
        ([1.5, np.nan, np.inf, -np.inf], "float32"),
        ([ODD_NAN], "float64"),
        ([1e-50], "float64"),
        ([1e300], "float64"),
        ([float(np.float32(1e-45))], "float32"),
        ([1.0] * 1_000 + [0.1], "float64"),
        ([1.0] * 1_000 + [300.0], "int16"),
        ([], "int8"),
    ],
)
def test_numbers_take_the_narrowest_type_that_holds_all_of_them(values, kind):
    assert same_bits(np.array(values, dtype=np.float64)) == kind
