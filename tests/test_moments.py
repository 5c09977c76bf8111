"""The mean and the deviation of a column that is read block by block are numpy's of the whole, bit by bit."""

import numpy as np
import pytest

from linreg_cli.data.columns import moments as module
from linreg_cli.data.columns.kinds import Numbers
from linreg_cli.data.columns.moments import moments, total
from linreg_cli.data.encoding.encode import _fill

#: numpy 2.0 adds up numbers in an order that depends on where they lie in memory; later ones do not.
ROUNDING = 0.0 if np.lib.NumpyVersion(np.__version__) >= "2.1.0" else 1e-14


@pytest.mark.parametrize("block_rows", [128, 1_000, 65_536])
def test_the_bits_are_those_of_numpy(monkeypatch, block_rows):
    """From 128 numbers on, numpy halves; a block may be any part that it would add up."""
    monkeypatch.setattr(module, "BLOCK_ROWS", block_rows)
    rng = np.random.default_rng(0)
    for n in [1, 2, 7, 8, 9, 127, 128, 129, 1_001, 65_536, 65_537, 131_073, *rng.integers(1, 300_000, 20)]:
        values = rng.normal(size=n) * 10.0 ** rng.integers(-9, 9, n) + 3
        read = []

        def rows(start, stop, values=values, read=read):
            read.append((start, stop))
            return values[start:stop]

        found = moments(rows, n, ddof=int(n > 1))
        expected = [values.mean(), values.std(ddof=int(n > 1))]
        np.testing.assert_allclose([found.mean, found.deviation], expected, rtol=ROUNDING, err_msg=str(n))
        assert (found.low, found.high, found.first) == (values.min(), values.max(), values[0])
        assert max(stop - start for start, stop in read) <= block_rows
        half = len(read) // 2
        assert [start for start, _ in read[1:half]] == [stop for _, stop in read[: half - 1]]  # in order, once
        found_total = total(lambda start, stop, values=values: values[start:stop], 0, n)
        np.testing.assert_allclose(found_total, values.sum(), rtol=ROUNDING)


@pytest.mark.parametrize("missing", ["mean", "median"])
@pytest.mark.parametrize("gaps", [0, 3])
def test_a_fill_leaves_the_column_as_it_is(missing, gaps):
    values = np.random.default_rng(1).normal(size=50)
    values[:gaps] = np.nan
    before = values.copy()
    for rows in (np.arange(50), np.array([9, 4, 7, 0])):
        expected = {"mean": np.nanmean, "median": np.nanmedian}[missing](before[rows])
        assert _fill(Numbers(values), missing, rows) == pytest.approx(expected, rel=1e-15)
        np.testing.assert_array_equal(values, before)
