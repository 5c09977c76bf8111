"""Medians from counts of values: numpy's where the values are few, within the stated bound where they are many."""

import numpy as np
import pytest

from linreg_cli.statistics.quantiles import MOST_BINS, Histogram


def of(values: np.ndarray, n_parts: int) -> Histogram:
    found = Histogram.none()
    for part in np.array_split(values, n_parts):
        found = found.joined(Histogram.none().with_values(part))
    return found


@pytest.mark.parametrize(
    "values",
    [[1.0], [2.0, 1.0], [-3.0, -0.0, 0.0, 5.0], [1e-300, -1e300, 7.0], [1e308, 1.7e308], [-5.0, -5.0, -7.0]],
)
def test_few_values_have_the_median_of_numpy(values):
    with np.errstate(over="ignore"):
        expected = np.median(values) if np.isfinite(np.median(values)) else 1.35e308
    assert of(np.array(values), len(values)).median() == (expected, 0.0)


@pytest.mark.parametrize("n_parts", [1, 7, 50])
def test_many_values_have_a_median_within_the_bound_whatever_the_parts(n_parts):
    values = np.random.default_rng(0).lognormal(1, 2, 3 * MOST_BINS)
    found = of(values, n_parts)
    median, bound = found.median()
    assert 0 < bound < 1e-3 * median
    assert abs(median - np.median(values)) <= bound
    assert len(found.bins) <= MOST_BINS
    whole = Histogram.none().with_values(values)
    assert (found.dropped, found.counts.tolist()) == (whole.dropped, whole.counts.tolist())


def test_no_values_have_no_median():
    assert np.isnan(Histogram.none().median()[0])
