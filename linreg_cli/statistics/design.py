"""The inputs of a model as combinations of the columns that are kept, and the triangular factor of [X 1 y] of these.

An input is a constant and a multiple of each kept column: a filled column is its values and a multiple of its indicator
of missing cells, and an indicator of a level is one. So the factor of the inputs is that of R times a matrix.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from linreg_cli.data.columns.moments import Moments as ColumnMoments
from linreg_cli.least_squares.decompositions import Array, triangle
from linreg_cli.least_squares.factor import EPS, Factor, power_of_two
from linreg_cli.statistics.moments import Key, Moments


@dataclass(frozen=True)
class Combination:
    """A column as a constant and multiples of kept columns.

    Attributes:
        constant: the value where the others are 0.
        of: kept column -> its multiple.
        low: the lowest value.
        high: the highest.
    """

    constant: float
    of: Mapping[Key, float]
    low: float
    high: float

    @property
    def is_constant(self) -> bool:
        """Whether all values are equal."""
        return self.low == self.high


@dataclass(frozen=True, eq=False)
class Design:
    """The inputs and the targets of the train split, in original units; the targets transformed.

    Attributes:
        kept: the moments of what they are made of, with weights of mean 1.
        inputs: name -> input, in order.
        targets: name -> target, in order.
        log_roots: as in `Factor`.
    """

    kept: Moments
    inputs: Mapping[str, Combination]
    targets: Mapping[str, Combination]
    log_roots: float = 0.0

    def _columns(self, columns: Mapping[str, Combination]) -> tuple[Array, Array]:
        """The means, shape (c,), and R of the columns about them, shape (m, c), without the row of the ones."""
        kept = self.kept
        position = {key: place for place, key in enumerate(kept.keys)}
        multiples, constants = np.zeros((len(kept.keys), len(columns))), np.zeros(len(columns))
        for place, column in enumerate(columns.values()):
            constants[place] = column.constant
            for key, multiple in column.of.items():
                multiples[position[key], place] = multiple
        about = kept.R[:, 1:] @ multiples
        means, R = constants + about[0] / kept.R[0, 0], about[1:]
        for place, column in enumerate(columns.values()):
            if column.is_constant:
                means[place], R[:, place] = column.low, 0.0
        return means, R

    def moments(self) -> dict[str, ColumnMoments]:
        """Name -> mean, standard deviation (n in the denominator) and extremes, of the inputs and the targets."""
        found, n = {}, self.kept.n
        for columns in (self.inputs, self.targets):
            means, R = self._columns(columns)
            for (name, column), mean, of_column in zip(columns.items(), means, R.T, strict=True):
                deviation = float(np.linalg.norm(of_column)) / math.sqrt(n)
                found[name] = ColumnMoments(float(mean), deviation, column.low, column.high, column.low)
        return found

    def factor(self, *, bias: bool) -> Factor:
        """The factor of [X 1 y] in original units; see `least_squares.factorise.factorise`."""
        n, root = self.kept.n, math.sqrt(self.kept.n)
        (means, R_x), (y_means, R_y) = self._columns(self.inputs), self._columns(self.targets)
        center, y_center = (means, y_means) if bias else (np.zeros_like(means), np.zeros_like(y_means))
        # About zero, the row of the ones has the means.
        of_ones = root * np.concatenate([means - center, np.ones(int(bias)), y_means - y_center])
        rest = np.hstack([R_x, np.zeros((len(R_x), int(bias))), R_y])
        d, p, k = len(means), len(means) + bias, len(y_means)
        spread = np.linalg.norm(np.vstack([of_ones[:d], R_x]), axis=0) / root
        y_spread = np.linalg.norm(R_y, axis=0) / root
        largest, y_largest = (
            np.array([max(abs(each.low), abs(each.high)) for each in columns.values()])
            for columns in (self.inputs, self.targets)
        )
        scale, y_scale = power_of_two(spread), power_of_two(y_spread if bias else y_largest)
        scales = np.concatenate([scale, np.ones(int(bias)), y_scale])
        R = np.zeros((p + k, p + k))
        reduced = triangle(np.vstack([of_ones, rest]) / scales)
        R[: len(reduced)] = reduced
        return Factor(
            n_samples=n,
            eps=EPS,
            bias=bias,
            center=center,
            scale=scale,
            spread=spread,
            largest=largest,
            target_center=y_center,
            target_scale=y_scale,
            target_largest=y_largest,
            R_pp=R[:p, :p],
            R_pk=R[:p, p:],
            rest_k=np.sum(R[p:, p:] ** 2, axis=0),
            constant_k=y_spread**2 * n,
            log_roots=self.log_roots,
        )
