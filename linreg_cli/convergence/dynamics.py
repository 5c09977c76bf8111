"""The expected dynamics of SGD on a quadratic, for each eigenvector of the Hessian, epoch by epoch.

Along an eigenvector of curvature h (including the weight decay), the distance z from the optimum and the momentum
buffer v of torch.optim.SGD follow (z, v) <- M (z, v) + xi u, with a 2 x 2 matrix M that follows from the recursion in
`linreg_cli.convergence.rates`. xi is the noise of the gradient of a mini-batch; it is 0 for a full batch. The objective
minus its minimum is the sum over eigenvectors and targets of h z^2 / 2.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from linreg_cli.convergence.gradient_noise import Noise, accumulate
from linreg_cli.convergence.rates import SgdRule, stationary_square
from linreg_cli.convergence.spectrum import Spectrum
from linreg_cli.least_squares.factor import Array

#: The longest run that is forecast.
MAX_EPOCHS = 10_000_000


@dataclass(frozen=True, eq=False)
class Modes:
    """The directions of positive curvature: eigenvectors of the Hessian of the objective with an eigenvalue above 0.

    Arrays over modes have the order of `Spectrum.eigenvalues`. Everything is in scaled units, and float64.

    Attributes:
        h: shape (n_modes,), the curvature of the objective: eigenvalues + weight_decay, above 0.
        eigenvalues: shape (n_modes,), the curvature of the loss without the penalty, at least 0.
        square: shape (n_modes,), z^2 of the initial parameters, summed over targets.
        variance: shape (n_modes,), the variance of the gradient of one row at the optimum, summed over targets; 0 for a
            full batch.
        coupling: shape (n_modes, n_modes), K of `linreg_cli.convergence.gradient_noise`; None for a full batch and
            above `MOST_COUPLED` parameters.
        noise: of the mini-batches; None for a full batch.
        rule: the parameters of SGD.
    """

    h: Array
    eigenvalues: Array
    square: Array
    variance: Array
    coupling: Array | None
    noise: Noise | None
    rule: SgdRule

    @classmethod
    def of(cls, spectrum: Spectrum, start: Array, rule: SgdRule, noise: Noise | None) -> "Modes":
        """The modes of a spectrum; the arguments are those of `linreg_cli.convergence.forecast.forecast`."""
        h = spectrum.eigenvalues + rule.weight_decay
        curved = h > 0
        coupling = None if noise is None or noise.coupling is None else noise.coupling[np.ix_(curved, curved)]
        return cls(
            h=h[curved],
            eigenvalues=spectrum.eigenvalues[curved],
            square=np.sum(np.atleast_2d(start)[curved] ** 2, axis=1),
            variance=np.zeros(int(curved.sum())) if noise is None else noise.variances[curved].sum(axis=1),
            coupling=coupling,
            noise=noise,
            rule=rule,
        )

    @property
    def energy(self) -> Array:
        """The initial objective minus its minimum, h z^2 / 2 by mode, shape (n_modes,)."""
        energy: Array = self.h * self.square / 2
        return energy

    @property
    def steps(self) -> int:
        """The number of steps of an epoch."""
        return 1 if self.noise is None else self.noise.steps_per_epoch

    def spread_energy(self, covariance: Array) -> Array:
        """The expected objective minus its minimum, for z with mean 0, by mode, shape (n_modes,).

        Args:
            covariance: of (z, v), shape (n_modes, 2, 2).
        """
        energy: Array = self.h * np.maximum(covariance[:, 0, 0], 0.0) / 2
        return energy


class Epoch:
    """The linear map of one epoch at a constant rate: (z, v) <- P (z, v) + noise of covariance C, for each mode.

    Args:
        modes: of the problem.
        lr: the learning rate.

    Attributes:
        power: P, shape (n_modes, 2, 2): the product of the matrices of the steps.
        first: shape (n_modes, 2): (z, v) after the first epoch of a run from z = 1, without noise. The first step has
            no momentum buffer, so it is not P.
        added: C, shape (n_modes, 2, 2): the covariance that the noise of the batches adds; 0 for a full batch.
    """

    def __init__(self, modes: Modes, lr: float) -> None:
        noise, rule = modes.noise, modes.rule
        step, u, start = _matrices(modes.h, lr, rule)
        last = None
        if noise is not None and noise.last_size:
            # A smaller batch of a sum has a smaller curvature, but the whole penalty.
            size_ratio = noise.last_size / noise.batch_size if noise.summed else 1.0
            last = _matrices(modes.eigenvalues * size_ratio + rule.weight_decay, lr, rule)[0]
        complete = 1 if noise is None else noise.complete_steps
        self.power = np.linalg.matrix_power(step, complete)
        self.first = (np.linalg.matrix_power(step, complete - 1) @ start[:, :, None])[:, :, 0]
        if last is not None:
            self.power, self.first = last @ self.power, (last @ self.first[:, :, None])[:, :, 0]
        self.added = np.zeros_like(step)
        # The rate of a schedule may be 0 in the end; the parameters are constant then.
        if noise is not None and lr and modes.variance.any():
            self.added = noise.epoch_covariance(step, u, step if last is None else last)
            self.added = self.added * modes.variance[:, None, None]


def _matrices(h: Array, lr: float, rule: SgdRule) -> tuple[Array, Array, Array]:
    """M of shape (n_modes, 2, 2), u of shape (2,), and (z, v) after the first step from z = 1, shape (n_modes, 2)."""
    b, gain = rule.momentum, rule.gain
    M = np.empty((len(h), 2, 2))
    if rule.nesterov and b:
        M[:, 0, 0], M[:, 0, 1] = 1 - lr * h * (1 + b), -lr * b * b
        u = np.array([-lr * (1 + b), 1.0])
        first = np.column_stack([1 - lr * h * (1 + b), h])
    else:
        M[:, 0, 0], M[:, 0, 1] = 1 - lr * gain * h, -lr * b
        u = np.array([-lr * gain, gain])
        first = np.column_stack([1 - lr * h, h])
    M[:, 1, 0], M[:, 1, 1] = gain * h, b
    return M, u, first


class _Coupled:
    """The increase of E[z^2] that is due to the growth of the noise with the distance from the optimum.

    The distances of two modes are assumed to be uncorrelated. The stationary c = E[z^2] solves
    c = G (variance + K c / b), where G is the stationary z^2 for noise of variance 1. Before that, a step multiplies
    E[z^2] by the symmetric matrix diag((1 - lr h)^2) + lr^2 K / b; momentum is approximated by a rate that is
    1 / (1 - momentum) times as high.
    """

    def __init__(self, modes: Modes, lr: float) -> None:
        noise, rule = modes.noise, modes.rule
        self._modes, self.amplified, self.settles = modes, np.ones(len(modes.h)), True
        self._values: Array | None = None
        if noise is None or modes.coupling is None or not lr or rule.gain <= 0 or not len(modes.h):
            return
        # The stationary distribution exists if all eigenvalues of the loop are below 1.
        root = np.sqrt(stationary_square(lr, modes.h, rule) / modes.h * noise.gain)
        loop, vectors = np.linalg.eigh(root[:, None] * modes.coupling * root)
        self.settles = bool(loop[-1] < 1)
        if self.settles and modes.variance.any():
            alone = root * modes.variance
            together = vectors @ ((vectors.T @ alone) / (1 - loop))
            self.amplified = np.divide(together, alone, out=self.amplified, where=alone > 0)
        rate = lr * rule.gain / (1 - rule.momentum)
        self._alone = (1 - rate * modes.h) ** 2
        if self._alone.max() < 1:
            coupled = rate**2 * noise.gain * modes.coupling
            values, self._vectors = np.linalg.eigh(np.diag(self._alone) + coupled)
            # The equivalent rate may be unstable although the run with momentum is stable; then there is no estimate.
            self._values = np.clip(values, 0.0, None) if values[-1] < 1 else None

    def extra(self, steps: int) -> float:
        """The increase of the expected objective from the initial distance, after a number of steps."""
        if self._values is None:
            return 0.0
        modes, vectors = self._modes, self._vectors
        together = vectors @ (self._values**steps * (vectors.T @ modes.square))
        return max(float(modes.h @ (together - self._alone**steps * modes.square)) / 2, 0.0)


class ConstantRate:
    """The expected relative gap after any number of epochs at a constant rate, by powers of the matrix of an epoch.

    gap = (E[objective] - minimum) / base.

    Args:
        modes: of the problem.
        lr: the learning rate, below `rates.stable_rate`.
        base: the loss that the gap is relative to, above 0, in the units of the objective.

    Attributes:
        settles: whether the noise has a stationary distribution; true for a full batch.
        floor: the gap at which the noise keeps the run on average, after `MAX_EPOCHS` epochs; 0 for a full batch.
    """

    def __init__(self, modes: Modes, lr: float, base: float) -> None:
        self._modes, self._base = modes, base
        self._epoch, self._coupled = Epoch(modes, lr), _Coupled(modes, lr)
        self.settles = self._coupled.settles
        self.floor = self._noise(MAX_EPOCHS) / base

    def gap(self, epochs: int) -> float:
        """The expected gap after a number of epochs, at least 0."""
        modes = self._modes
        if not epochs:
            return float(modes.energy.sum()) / self._base
        moved = np.linalg.matrix_power(self._epoch.power, epochs - 1) @ self._epoch.first[:, :, None]
        energy = float(modes.energy @ moved[:, 0, 0] ** 2) + self._coupled.extra(epochs * modes.steps)
        return (energy + self._noise(epochs)) / self._base

    def _noise(self, epochs: int) -> float:
        if not self._modes.variance.any():
            return 0.0
        spread = accumulate(self._epoch.power, self._epoch.added, epochs)[1]
        return float(self._modes.spread_energy(spread) @ self._coupled.amplified)


def scheduled_gaps(
    modes: Modes, rate: Callable[[int], float], base: float, horizon: int
) -> Iterator[tuple[float, float]]:
    """The expected relative gap after 0, 1, ..., `horizon` epochs of a schedule, and the part of it that is noise.

    Args:
        modes: of the problem.
        rate: epoch (from 0) -> learning rate.
        base: the loss that the gap is relative to, above 0, in the units of the objective.
        horizon: the last epoch.

    Yields:
        The gap and its noise part, for each epoch.
    """
    state: Array = np.zeros((len(modes.h), 2))
    state[:, 0] = 1.0
    spread, lr = np.zeros((len(modes.h), 2, 2)), math.nan
    for epoch in range(horizon + 1):
        noise = float(modes.spread_energy(spread).sum())
        yield (float(modes.energy @ state[:, 0] ** 2) + noise) / base, noise / base
        if rate(epoch) != lr:
            lr = rate(epoch)
            one = Epoch(modes, lr)
        state = (one.power @ state[:, :, None])[:, :, 0] if epoch else one.first
        spread = one.power @ spread @ one.power.swapaxes(1, 2) + one.added
