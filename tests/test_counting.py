"""Values that are counted block by block: the bins and counts of one look at all of them, by numpy."""

import numpy as np
import pytest

from linreg_cli.statistics.counting import ValueCounts
from linreg_cli.statistics.quantiles import MOST_BINS, Histogram, ordered

RNG = np.random.default_rng(5)
N = 400_000
COLUMNS = {
    "normal": RNG.standard_normal(N),
    "of one sign": RNG.uniform(1, 2, N),
    "few whole numbers": RNG.integers(-500, 500, N).astype(float),
    "many whole numbers": RNG.integers(0, 10**6, N).astype(float),
    "float32": RNG.standard_normal(N).astype(np.float32).astype(float),
    "a narrow cluster": 1000 + 1e-9 * RNG.standard_normal(N),
    "over the whole range": RNG.choice([-1.0, 1.0], N) * 10.0 ** RNG.uniform(-300, 300, N),
    "ascending": np.sort(RNG.standard_normal(N)),
    "a constant, then others": np.concatenate([np.full(N // 2, 3.0), RNG.standard_normal(N // 2)]),
    "zeros of both signs": RNG.choice([-0.0, 0.0, 1.0], N),
    "the rows of a block": RNG.standard_normal(7),
}


def by_numpy(values: np.ndarray) -> Histogram:
    """Bits are dropped one after the other, until there are few enough bins."""
    words = ordered(values)
    for dropped in range(64):
        bins, counts = np.unique(words >> np.uint64(dropped), return_counts=True)
        if len(bins) <= MOST_BINS:
            return Histogram(dropped, bins, counts)
    raise AssertionError


@pytest.mark.parametrize("column", COLUMNS)
def test_bins_and_counts_are_those_of_all_values_at_once(column):
    values, found = COLUMNS[column], ValueCounts()
    cuts = np.unique(RNG.integers(0, len(values), 30))
    for block in np.split(values, cuts):
        found.add(block)
    result, expected = found.histogram(), by_numpy(values)
    assert result.dropped == expected.dropped
    assert np.array_equal(result.bins, expected.bins)
    assert np.array_equal(result.counts, expected.counts)


def test_the_histogram_can_be_read_between_two_blocks():
    found, values = ValueCounts(), COLUMNS["normal"]
    found.add(values[: N // 2])
    assert int(found.histogram().counts.sum()) == N // 2
    found.add(values[N // 2 :])
    assert np.array_equal(found.histogram().bins, by_numpy(values).bins)


def test_more_values_than_32_bits_hold_are_counted(monkeypatch):
    monkeypatch.setattr("linreg_cli.statistics.counting._MOST_SHORT", N // 2)
    values, found = COLUMNS["normal"], ValueCounts()
    dtypes = set()
    for block in np.split(values, 40):
        found.add(block)
        if found._pages is not None:
            dtypes.add(found._pages.counts.dtype.name)
    assert dtypes == {"uint32", "int64"}
    assert np.array_equal(found.histogram().counts, by_numpy(values).counts)


def test_what_is_held_does_not_grow_with_the_values():
    found, held = ValueCounts(), []
    for block in np.split(np.tile(COLUMNS["normal"], 4), 160):
        found.add(block)
        held.append(sum(each.nbytes if each.base is None else each.base.nbytes for each in found._waiting))
    assert max(held[-40:]) <= 2 * 8 * 10_000  # of blocks of 10,000 values


def test_no_values_have_no_bins():
    assert len(ValueCounts().histogram().bins) == 0
