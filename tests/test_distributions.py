"""Tails and quantiles of t and F, against scipy."""

import pytest
from scipy import special

from linreg_cli.least_squares.distributions import f_tail, t_quantile, t_tail

DEGREES = (1, 2, 5, 9, 23, 100, 1_000, 100_000, 1_000_000)


@pytest.mark.parametrize("degrees", DEGREES)
def test_students_t(degrees):
    for t in (0.0, 0.1, 0.5, 1.0, 2.0, 3.0, 10.0, 37.0):
        assert t_tail(degrees, t) == pytest.approx(float(special.stdtr(degrees, -t)), rel=1e-10)
        assert t_tail(degrees, -t) == t_tail(degrees, t)
    for tail in (0.4, 0.25, 0.025, 0.0005, 1e-9):
        assert t_quantile(degrees, tail) == pytest.approx(-float(special.stdtrit(degrees, tail)), rel=1e-10)


@pytest.mark.parametrize("degrees", DEGREES)
def test_fishers_f(degrees):
    for first in (1, 3, 20, 500):
        for f in (0.0, 0.1, 1.0, 1.2, 3.0, 50.0):
            expected = float(special.fdtrc(first, degrees, f))
            # scipy 1.13 differs by 1.7e-10 from later ones
            assert f_tail(first, degrees, f) == pytest.approx(expected, rel=1e-9, abs=1e-290)
