"""The smooth curve of the diagnostic pictures, compared with statsmodels' lowess."""

import numpy as np
import pytest
from statsmodels.nonparametric.smoothers_lowess import lowess as theirs

from linreg_cli.figures.smoother import lowess, smooth


def cloud(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(0, 10, n))
    y = np.sin(x) + rng.normal(size=n) * 0.3
    y[n // 2] += 20  # an outlier, which robust weights leave out
    return x, y


@pytest.mark.parametrize(("n", "fraction"), [(20, 2 / 3), (300, 0.2), (300, 2 / 3), (2_000, 0.2), (2_000, 2 / 3)])
def test_it_is_that_of_statsmodels(n, fraction):
    x, y = cloud(n)
    expected = theirs(y, x, frac=fraction, it=3, delta=0.0, return_sorted=False)
    np.testing.assert_allclose(lowess(x, y, fraction=fraction), expected, rtol=1e-6, atol=1e-6)


def test_points_between_fitted_ones_are_interpolated():
    x, y = cloud(2_000)
    expected = theirs(y, x, frac=2 / 3, it=3, delta=0.1, return_sorted=False)
    np.testing.assert_allclose(lowess(x, y, delta=0.1), expected, atol=1e-4)


def test_equal_values_of_x_have_one_value_of_the_curve():
    rng = np.random.default_rng(1)
    x = np.repeat([1.0, 2.0, 3.0, 4.0], 20)
    y = x + rng.normal(size=80)
    found = lowess(x, y)
    np.testing.assert_allclose(found, theirs(y, x, frac=2 / 3, it=3, return_sorted=False), atol=1e-6)
    assert len(np.unique(found)) == 4


def test_a_straight_line_stays_one_and_a_constant_too():
    x = np.linspace(-5, 5, 400)
    np.testing.assert_allclose(lowess(x, 3 * x - 1), 3 * x - 1, atol=1e-9)
    np.testing.assert_allclose(lowess(x, np.full(400, 7.0)), 7.0, rtol=1e-14)


def test_too_few_points_have_no_curve():
    for x in (np.arange(9.0), [1.0] * 12, [1.0] * 5 + [2.0] * 5):
        at, height = smooth(np.array(x), np.arange(float(len(x))))
        assert len(at) == len(height) == 0
    at, _ = smooth(np.arange(10.0), np.arange(10.0))
    assert len(at) == 10


def test_many_points_are_thinned_and_the_curve_stays():
    rng = np.random.default_rng(2)
    x = rng.normal(size=50_000)
    y = x**2 + 0.1 * rng.normal(size=50_000)
    at, height = smooth(x, y)
    assert len(at) <= 5_000
    whole = theirs(y, x, frac=2 / 3, it=3, delta=0.05)
    inner = np.abs(at) < 2
    difference = np.abs(np.interp(at[inner], *whole.T) - height[inner])
    assert difference.max() < 0.05 * np.ptp(height[inner])
