"""Medians and lowest values that are found block by block, compared with numpy's of the whole column."""

import numpy as np
import pytest

from linreg_cli.data.columns import ranked
from linreg_cli.data.columns.ranked import lowest, median

RNG = np.random.default_rng(0)
COLUMNS = {
    "normal": RNG.normal(size=300_001),
    "an even number": RNG.normal(size=300_000),
    "about zero": RNG.integers(-1, 2, 300_000).astype(float),
    "a few levels": RNG.choice([1.5, 2.0, 7.25], 300_001),
    "one number": np.full(300_000, 0.1),
    "halves apart": np.repeat([-1e300, 1e-300], 150_000),
    "close together": 1e9 + np.arange(300_000) * 1e-7,
    "of all sizes": np.exp(RNG.normal(0, 100, 300_001)) * RNG.choice([-1, 1], 300_001),
    "infinite ends": np.append(RNG.normal(size=299_999), [np.inf, -np.inf]),
}


def blocks(values, size=65_536):
    return [values[start : start + size] for start in range(0, len(values), size)]


@pytest.mark.parametrize("name", COLUMNS)
def test_the_median_has_the_bits_of_numpys(name):
    values = RNG.permutation(COLUMNS[name])
    assert median(lambda: blocks(values)) == np.median(values)


@pytest.mark.parametrize("few", [1, 1_000, 100_000])
def test_however_many_values_are_sorted(monkeypatch, few):
    monkeypatch.setattr(ranked, "_FEW", few)
    for values in COLUMNS.values():
        assert median(lambda values=values: blocks(values, 10_000)) == np.median(values)


def test_short_columns():
    assert median(lambda: [np.array([2.0])]) == 2.0
    assert np.isnan(median(list))
    assert np.isnan(median(lambda: [np.zeros(0)]))


@pytest.mark.parametrize("count", [1, 1_000, 299_999, 300_001, 400_000])
def test_the_lowest_values(count):
    values = COLUMNS["normal"]
    assert np.array_equal(lowest(blocks(values), count), np.sort(values)[:count])


def test_memory_does_not_grow_with_the_column():
    import tracemalloc

    def parts():
        rng = np.random.default_rng(1)
        for _ in range(40):
            yield rng.normal(size=100_000)

    tracemalloc.start()
    found = median(parts)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == np.median(np.concatenate([*parts()]))
    assert peak < 8 * 40 * 100_000 / 3  # the column takes 32 MB
