"""The distance of a full-batch run from the exact fit after any number of epochs, in standard errors."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from linreg_cli.convergence.full_batch import amplitudes
from linreg_cli.convergence.rates import SgdRule
from linreg_cli.convergence.spectrum import Spectrum
from linreg_cli.data import Preprocessor
from linreg_cli.least_squares.distance import standard_errors
from linreg_cli.least_squares.factor import Array
from linreg_cli.least_squares.optimum import Optimum
from linreg_cli.model import fold_parameters
from linreg_cli.optim.schedules import Schedule


@dataclass(frozen=True, eq=False)
class Approach:
    """The way of a full-batch run of a squared loss without weight decay to the exact fit of the table as given.

    Training in float32 moves towards the optimum of the rounded values, and stops where its updates are lost in
    rounding; both distances are part of it. Shapes: p parameters, the bias last; k targets.

    Attributes:
        h: shape (p,), the curvatures.
        moves: shape (p, p): entry (j, i) is the change of coefficient j, in original units over the scale of the
            target, for a distance of 1 along eigenvector i.
        start: shape (p, k), the initial distance along each eigenvector.
        offset: shape (p, k): coefficient at the optimum of the numbers that are trained on minus that of the table as
            given, in the units of `moves`; 0 in float64.
        std_err: shape (p, k), the classic standard errors, in the units of `moves`.
        lost: shape (p, k), the change of each parameter in scaled units that rounding may swallow, times lr / (1 -
            momentum).
        noisy: shape (p, k), the rounding error of the gradient, in scaled units.
        eigenvectors: shape (p, p), of `h`.
    """

    h: Array
    moves: Array
    start: Array
    offset: Array
    std_err: Array
    lost: Array
    noisy: Array
    eigenvectors: Array

    @classmethod
    def of(
        cls,
        optimum: Optimum,
        spectrum: Spectrum,
        start: Array,
        unit: float,
        preprocessor: Preprocessor,
        original: Optimum,
    ) -> "Approach":
        """The approach of a run to a unique exact fit that leaves residuals.

        Args:
            optimum: of the numbers that are trained on, in scaled units.
            spectrum: of the loss, in scaled units.
            start: the initial distance along each eigenvector, shape (p, k).
            unit: the machine epsilon of training.
            preprocessor: of the run.
            original: the exact fit of the table as given, in original units.
        """
        fold = _fold(preprocessor, bias=optimum.bias is not None)
        scale, trained = preprocessor.targets.scale, fold_parameters(optimum.weights, optimum.bias, preprocessor)
        exact = _stack(original.weights, original.bias)
        return cls(
            h=spectrum.eigenvalues,
            moves=fold @ spectrum.eigenvectors,
            start=start,
            offset=(_stack(trained.weights, trained.bias) - exact) / scale,
            # A target that is fitted exactly has no standard errors.
            std_err=np.where(original.exactly_fitted(), np.inf, standard_errors(original)) / scale,
            lost=unit * np.abs(_stack(optimum.weights, optimum.bias)) / 2,
            noisy=_gradient_rounding(optimum, unit),
            eigenvectors=spectrum.eigenvectors,
        )

    def shift(self, lr: float, rule: SgdRule, epochs: int, schedule: Schedule | None = None) -> Array:
        """(trained - exact) / standard error after a number of epochs, signed, shape (p, k); exact but for rounding."""
        z = self._amplitudes(lr, rule, epochs, schedule)
        with np.errstate(over="ignore", invalid="ignore"):
            moved: Array = (self.moves @ (z[:, None] * self.start) + self.offset) / self.std_err
        return moved

    def bound(self, lr: float, rule: SgdRule, epochs: int, schedule: Schedule | None = None) -> float:
        """The largest |shift| of a coefficient, with what rounding may add in the worst case; infinite on overflow."""
        found = float(np.abs(self.shift(lr, rule, epochs, schedule)).max(initial=0.0)) + self.rounding(lr, rule)
        return found if math.isfinite(found) else math.inf

    def rounding(self, lr: float, rule: SgdRule) -> float:
        """An upper estimate of what rounding in the dtype of training adds to the largest |shift|.

        A parameter stays the same if lr |g| is below half a unit in its last place (see `stalling`), and g has the
        rounding error of its sums; a gradient g is a distance of inv(H) g.
        """
        if not (lr * rule.gain > 0 and rule.momentum < 1 and self.h[-1] > 0):
            return math.inf  # the spectrum is wider than float64
        effective = lr * rule.gain / (1 - rule.momentum)
        return float(((self._reach @ (self.lost / effective + self.noisy)) / self.std_err).max(initial=0.0))

    @cached_property
    def _reach(self) -> Array:
        """The size of the change of each coefficient for a gradient of 1 in each parameter, shape (p, p)."""
        found: Array = np.abs((self.moves / self.h) @ self.eigenvectors.T)
        return found

    def _amplitudes(self, lr: float, rule: SgdRule, epochs: int, schedule: Schedule | None) -> Array:
        schedules: Sequence[Schedule] | None = None if schedule is None else [schedule]
        found = amplitudes(self.h, rates=[lr], momenta=[rule.momentum], rule=rule, epochs=epochs, schedules=schedules)
        z: Array = found[0]
        return z


def _fold(preprocessor: Preprocessor, *, bias: bool) -> Array:
    """Scaled to original coefficients, over the scale of the target, shape (p, p); see `model.fold_parameters`."""
    features = preprocessor.features
    reciprocal = np.divide(1.0, features.scale, out=np.zeros_like(features.scale), where=features.scale != 0)
    if not bias:
        return np.diag(reciprocal)
    fold = np.diag(np.append(reciprocal, 1.0))
    fold[-1, :-1] = -features.center * reciprocal
    return fold


def _gradient_rounding(optimum: Optimum, unit: float) -> Array:
    """A bound on the rounding error of the gradient at the optimum, shape (p, k), by the Cauchy-Schwarz inequality."""
    factor = optimum.factor
    columns = np.sqrt(factor.center**2 + factor.spread**2)
    target = np.sqrt(factor.target_center**2 + factor.constant_k / factor.n_samples)
    terms = columns @ np.abs(optimum.weights) + (target if factor.bias else factor.target_largest)
    if optimum.bias is not None:
        columns, terms = np.append(columns, 1.0), terms + np.abs(optimum.bias)
    scaled: Array = unit * 2 * optimum.scale * factor.n_samples * np.outer(columns, terms)
    return scaled


def _stack(weights: Array, bias: Array | None) -> Array:
    return weights if bias is None else np.vstack([weights, bias])
