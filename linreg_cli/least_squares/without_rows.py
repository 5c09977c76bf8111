"""What inference takes from sums over the rows, where there is a factor and no rows."""

import math
from dataclasses import dataclass

import numpy as np

from linreg_cli.least_squares.decompositions import Array, solve_triangle
from linreg_cli.least_squares.factor import Factor


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums over the rows of a train split.

    Attributes:
        columns: of each column of X, as given, shape (d,).
        squares: of the squares of each target, about zero, shape (k,).
    """

    columns: Array
    squares: Array

    def projected_ones(self, factor: Factor) -> Array:
        """Q'1 for the orthonormal columns Q of `Factor.whiten`, for full rank; of its length with an intercept."""
        if factor.bias:
            return np.full(1, math.sqrt(factor.n_samples))
        return solve_triangle(factor.R_pp, self.columns / factor.scale, transposed=True)

    def total(self, factor: Factor, target: int, *, constant: bool) -> float:
        """The sum of squares of a target, about its mean if the model has an intercept."""
        return float((factor.constant_k if constant else self.squares)[target])

    @staticmethod
    def unknown_meat(factor: Factor) -> dict[str, Array]:
        """The covariances of Q'y that need the residual of each row: nan."""
        return {"HC3": np.full((factor.n_parameters,) * 2, math.nan)}
