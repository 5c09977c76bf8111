"""Tails and quantiles of t and F, against scipy."""

import numpy as np
import pytest
import scipy
from scipy import special

from linreg_cli.least_squares.distributions import f_tail, t_quantile, t_tail

#: The F distribution of scipy 1.13 differs by up to 1.7e-10 from that of later ones.
F_ERROR = 1e-10 if np.lib.NumpyVersion(scipy.__version__) >= "1.14.0" else 1e-9
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
            assert f_tail(first, degrees, f) == pytest.approx(expected, rel=F_ERROR, abs=1e-290)
