"""What inference takes from sums over the rows, where there is a factor and no rows."""

import math
from dataclasses import dataclass

import numpy as np

from linreg_cli.least_squares.decompositions import Array
from linreg_cli.least_squares.optimum import Optimum
from linreg_cli.least_squares.row_passes import Measured

_NONE = np.zeros(0)


@dataclass(frozen=True, eq=False)
class Sums:
    """What is known of the rows of a train split.

    Attributes:
        has_constant: whether the columns, with those of an intercept, add up to a constant.
        squares: of the squares of each target, about zero, shape (k,).
    """

    has_constant: bool
    squares: Array

    def measured(self, optimum: Optimum, target: int) -> Measured:
        """What inference needs, as far as it is known; what is of single rows is empty or nan."""
        factor = optimum.factor
        return Measured(
            _NONE,
            _NONE,
            {"HC3": np.full((factor.n_parameters,) * 2, math.nan)},
            self.has_constant,
            float(optimum.losses(optimum.weights, optimum.bias)[target]),
            math.nan,
            lambda: float(self.squares[target]),
        )
