"""What inference takes from sums over the rows, where there is a factor and no rows."""

import math
from dataclasses import dataclass

import numpy as np

from linreg_cli.least_squares.decompositions import Array, solve_triangle
from linreg_cli.least_squares.factor import EPS
from linreg_cli.least_squares.optimum import Optimum
from linreg_cli.least_squares.row_passes import Measured

_NONE = np.zeros(0)


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums over the rows of a train split.

    Attributes:
        columns: of each column of X, as given, shape (d,).
        squares: of the squares of each target, about zero, shape (k,).
    """

    columns: Array
    squares: Array

    def measured(self, optimum: Optimum, target: int) -> Measured:
        """What inference needs, as far as it is known; what is of single rows is empty or nan."""
        factor = optimum.factor
        # The square of the distance of a constant from the columns, whose rounding error is all that it may be.
        ones = solve_triangle(factor.R_pp, self.columns / factor.scale, transposed=True) if not factor.bias else _NONE
        apart = 1 - float(ones @ ones) / factor.n_samples
        return Measured(
            _NONE,
            _NONE,
            {"HC3": np.full((factor.n_parameters,) * 2, math.nan)},
            factor.bias or apart <= 64 * EPS * optimum.condition_number,
            float(optimum.losses(optimum.weights, optimum.bias)[target]),
            math.nan,
            lambda: float(self.squares[target]),
        )
