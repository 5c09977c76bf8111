"""The expected rule of a run on a quadratic, one eigenvector at a time, epoch by epoch.

Along an eigenvector of curvature h (the penalty's included) the distance z from the optimum and the buffer v of
torch.optim.SGD follow (z, v) <- M (z, v) + xi u with a 2 x 2 matrix M (see `linreg_cli.convergence.rates`), where xi is
the noise of a mini-batch's gradient: 0 for a full batch. The objective is above its optimum by the sum over
eigenvectors and targets of h z^2 / 2.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from linreg_cli.convergence.gradient_noise import Noise, accumulate
from linreg_cli.convergence.rates import SgdRule, stationary_square
from linreg_cli.convergence.spectrum import Spectrum
from linreg_cli.least_squares.factor import Array

#: No run is foretold beyond so many epochs.
FARTHEST = 10_000_000


@dataclass(frozen=True, eq=False)
class Modes:
    """The curved directions: curvature with and without the penalty, and squared start, summed over targets."""

    h: Array
    eigenvalues: Array
    square: Array
    variance: Array
    coupling: Array | None
    noise: Noise | None
    rule: SgdRule

    @classmethod
    def of(cls, spectrum: Spectrum, start: Array, rule: SgdRule, noise: Noise | None) -> "Modes":
        """The arguments are those of `linreg_cli.convergence.forecast.forecast`."""
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
        """The objective above its optimum at the start, by mode."""
        energy: Array = self.h * self.square / 2
        return energy

    @property
    def steps(self) -> int:
        """Of an epoch."""
        return 1 if self.noise is None else self.noise.steps_per_epoch

    def spread_energy(self, covariance: Array) -> Array:
        """Expected objective above the optimum of a covariance of (z, v) of shape (modes, 2, 2), by mode."""
        energy: Array = self.h * np.maximum(covariance[:, 0, 0], 0.0) / 2
        return energy


class Epoch:
    """What an epoch at one rate does: to (z, v) by its steps, and to their covariance by the noise of its batches."""

    def __init__(self, modes: Modes, lr: float) -> None:
        noise, rule = modes.noise, modes.rule
        step, u, start = _matrices(modes.h, lr, rule)
        last = None
        if noise is not None and noise.last_size:
            # The rest of a sum has less of the curvature, but all of the penalty.
            share = noise.last_size / noise.batch_size if noise.summed else 1.0
            last = _matrices(modes.eigenvalues * share + rule.weight_decay, lr, rule)[0]
        full = 1 if noise is None else noise.full_steps
        self.power = np.linalg.matrix_power(step, full)
        # The first step of all has no buffer to start from: (z, v) for z = 1 after the first epoch.
        self.first = (np.linalg.matrix_power(step, full - 1) @ start[:, :, None])[:, :, 0]
        if last is not None:
            self.power, self.first = last @ self.power, (last @ self.first[:, :, None])[:, :, 0]
        self.added = np.zeros_like(step)
        # A schedule may end at a rate of 0, where nothing moves.
        if noise is not None and lr and modes.variance.any():
            self.added = noise.epoch_covariance(step, u, step if last is None else last)
            self.added = self.added * modes.variance[:, None, None]


def _matrices(h: Array, lr: float, rule: SgdRule) -> tuple[Array, Array, Array]:
    """M of shape (modes, 2, 2), u of shape (2,) and the first step's (z, v) for z = 1, shape (modes, 2)."""
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
    """How much more the expected z^2 is for the noise away from the optimum, which grows with the distance.

    The distances of two directions are taken as uncorrelated. In the long run c = G (variance + K c / b) with G the
    z^2 that noise of variance 1 leaves. On the way E[z^2] moves by the symmetric matrix diag((1 - lr h)^2) + lr^2 K / b
    a step, with momentum as a rate 1 / (1 - momentum) times as high.
    """

    def __init__(self, modes: Modes, lr: float) -> None:
        noise, rule = modes.noise, modes.rule
        self._modes, self.amplified, self.settles = modes, np.ones(len(modes.h)), True
        self._values: Array | None = None
        if noise is None or modes.coupling is None or not lr or rule.gain <= 0 or not len(modes.h):
            return
        # Where no eigenvalue reaches 1 the noise that noise makes dies out.
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
            # An equivalent rate that is too high to settle says nothing of a run with momentum, which does.
            self._values = np.clip(values, 0.0, None) if values[-1] < 1 else None

    def extra(self, steps: int) -> float:
        """The expected objective that the coupling adds to the start's after so many steps."""
        if self._values is None:
            return 0.0
        modes, vectors = self._modes, self._vectors
        together = vectors @ (self._values**steps * (vectors.T @ modes.square))
        return max(float(modes.h @ (together - self._alone**steps * modes.square)) / 2, 0.0)


class ConstantRate:
    """The expected gap after any number of epochs of one rate, by powers of the epoch's matrix."""

    def __init__(self, modes: Modes, lr: float, base: float) -> None:
        self._modes, self._base = modes, base
        self._epoch, self._coupled = Epoch(modes, lr), _Coupled(modes, lr)
        self.settles = self._coupled.settles
        self.floor = self._noise(FARTHEST) / base

    def gap(self, epochs: int) -> float:
        """The expected gap after so many epochs."""
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
    """The expected gap after 0, 1, ... `horizon` epochs of a schedule, and what of it is noise."""
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
