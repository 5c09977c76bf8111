"""How many epochs a rate needs, from the whole spectrum and the starting point, before the first step.

Along an eigenvector of curvature h (the penalty's included) the distance z from the optimum and the buffer v of
torch.optim.SGD follow (z, v) <- M (z, v) + xi u with a 2 x 2 matrix M (see `linreg_cli.evaluate.rates`), where xi is
the noise of a mini-batch's gradient at the optimum: 0 for a full batch. The objective is above its optimum by the
sum over eigenvectors and targets of h z^2 / 2. So a full-batch run is foretold to rounding, and not bounded.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from linreg_cli.evaluate.exact import Optimum
from linreg_cli.evaluate.factor import Array, blocks
from linreg_cli.evaluate.rates import Motion, Rate, stable_rate
from linreg_cli.evaluate.spectrum import Spectrum

#: Up to here every epoch is looked at; beyond, epochs 1 % apart, and the crossing between two by bisection.
_EVERY_EPOCH = 2048
_FARTHEST = 10_000_000


@dataclass(frozen=True)
class Forecast:
    """When a run gets near its optimum.

    Attributes:
        epochs: target gap -> the first epoch at whose end the gap is at or below it; None if there is none.
        reasons: target gap -> why there is none.
        start_gap: the gap before the first step.
        floor_gap: the gap at which the noise of the batches keeps a run on average; 0 for a full batch.
        method: in words, what the numbers are worth.
    """

    epochs: dict[float, int | None]
    reasons: dict[float, str]
    start_gap: float
    floor_gap: float
    method: str


@dataclass(frozen=True)
class Noise:
    """What mini-batches add.

    Attributes:
        variances: shape (n_parameters, n_targets): variance of a batch's gradient at the optimum, along each
            eigenvector; from `batch_noise`.
        steps_per_epoch: batches of an epoch.
        reshuffled: each epoch sees every row once, in a new order, so the noises of an epoch add up to zero;
            otherwise each batch is drawn anew.
    """

    variances: Array
    steps_per_epoch: int
    reshuffled: bool = True


def forecast(
    spectrum: Spectrum,
    start: Array,
    *,
    rate: float | Callable[[int], float],
    motion: Motion,
    relative_to: float,
    targets: Sequence[float] = (1e-3, 1e-6),
    noise: Noise | None = None,
    max_epochs: int | None = None,
) -> Forecast:
    """Epochs until the relative gap of the objective is at or below each target.

    Full batch: exact but for rounding, for any rate, momentum, dampening and weight decay. (Momentum makes the gap
    swing, so beyond 2,048 epochs a first crossing shorter than 1 % of the epochs may be missed.) Mini-batches: the
    expected gap, with the mean motion of random batches and their noise at the optimum; that the noise is larger
    far from the optimum is left out, so near the batch-safe limit the truth is slower. Rows in a fixed order are
    like random ones only as far as their order is without a pattern.

    Args:
        spectrum: in trained units; with sse and mini-batches scaled by batch_size / n_samples.
        start: shape (n_parameters, n_targets), from `Spectrum.distances`.
        rate: a learning rate, or epoch (from 0) -> learning rate.
        motion: how SGD moves.
        relative_to: the loss that gaps are relative to, `Optimum.relative_to`, in the units of the spectrum's loss.
        targets: relative gaps.
        noise: of mini-batches; None for a full batch.
        max_epochs: how far to look; by default 10,000,000 epochs of a constant rate and 10,000 of a schedule.

    >>> unit = Spectrum(np.array([1.0]), np.eye(1), 1, 1, False)
    >>> forecast(unit, np.array([[1.0]]), rate=0.5, motion=Motion(), relative_to=0.5).epochs
    {0.001: 5, 1e-06: 10}
    """
    modes = _modes(spectrum, start, motion, noise)
    method = "full batch: exact" if noise is None else "mini-batches: the expected gap, noise taken at the optimum"
    start_gap = float(modes.energy.sum()) / relative_to if relative_to > 0 else math.inf
    if relative_to <= 0:
        return _never(targets, "the target is constant, so there is nothing to be relative to", start_gap, method)
    if callable(rate):
        with np.errstate(over="ignore", invalid="ignore"):
            return _scheduled(modes, rate, relative_to, targets, max_epochs or 10_000, start_gap, method)
    limit = stable_rate(spectrum.largest, motion)
    if not 0 < rate < limit:
        times = f"{rate / limit:.3g} times the limit {limit:.3g}" if rate > 0 else "no rate above 0"
        return _never(targets, f"it diverges: {rate:g} is {times}", start_gap, method)
    if motion.gain <= 0:
        return _never(targets, "dampening of 1 keeps every gradient but the first out of the buffer", start_gap, method)
    return _constant(modes, rate, relative_to, targets, max_epochs or _FARTHEST, start_gap, method)


def best_batch_rate(
    spectrum: Spectrum, start: Array, *, largest: float, motion: Motion, noise: Noise, epochs: int
) -> Rate:
    """The rate for mini-batches that the forecast ends lowest with, among safe ones.

    Candidates are `largest` and what halving it 1, 2, ... 40 times in half steps gives: a high rate forgets the
    start sooner, a low one lets less of the batches' noise through, and which matters more depends on the epochs.
    The same data and config always give the same rate.

    Args:
        spectrum: as for `forecast`.
        start: as for `forecast`.
        largest: the highest rate to consider, such as `safe_batch_rate`'s; never above half the full-batch limit.
        motion: how SGD moves.
        noise: of the batches.
        epochs: that the run will have.
    """
    modes = _modes(spectrum, start, motion, noise)
    top = min(largest, stable_rate(spectrum.largest, motion) / 2)
    candidates = [top * 2.0 ** (-j / 2) for j in range(81)]
    best = min(candidates, key=lambda lr: _ConstantRate(modes, lr, 1.0).gap(epochs))
    why = "the safe rate from which the forecast ends lowest after the epochs given"
    return Rate(best, motion.momentum, why)


def _modes(spectrum: Spectrum, start: Array, motion: Motion, noise: Noise | None) -> "_Modes":
    h = spectrum.eigenvalues + motion.weight_decay
    curved = h > 0
    return _Modes(
        h=h[curved],
        square=np.sum(np.atleast_2d(start)[curved] ** 2, axis=1),
        variance=np.zeros(int(curved.sum())) if noise is None else noise.variances[curved].sum(axis=1),
        steps=1 if noise is None else noise.steps_per_epoch,
        reshuffled=noise is not None and noise.reshuffled,
        motion=motion,
    )


def batch_noise(
    spectrum: Spectrum, optimum: Optimum, X_nd: npt.ArrayLike, y_nk: npt.ArrayLike, *, loss: str, batch_size: int
) -> Array:
    """Variance of the gradient of a random batch at the optimum, along each eigenvector: (n_parameters, n_targets).

    A row's gradient is s e a with its residual e and design row a, s = 2 / k for mse (and 1 / k for half_mse, 2 for
    sse); the mean of b rows out of n, drawn without replacement, has (n - b) / ((n - 1) b) times its variance.

    Args:
        spectrum: of the same table.
        optimum: where the residuals are taken.
        X_nd: shape (n_samples, n_features), in trained units.
        y_nk: shape (n_samples, n_targets).
        loss: mse, sse (its batch is a sum) or half_mse.
        batch_size: b.
    """
    X, y, n = np.asarray(X_nd), np.asarray(y_nk), len(np.asarray(X_nd))
    first, second = np.zeros((2, len(spectrum.eigenvalues), y.shape[1]))
    for rows in blocks(n):
        part = np.asarray(X[rows], dtype=np.float64)
        e = part @ optimum.weights - np.asarray(y[rows], dtype=np.float64)
        if optimum.bias is not None:
            e += optimum.bias
            part = np.column_stack([part, np.ones(len(part))])
        along = part @ spectrum.eigenvectors
        first += along.T @ e
        second += (along**2).T @ e**2
    per_row = {"mse": 2 / y.shape[1], "half_mse": 1 / y.shape[1], "sse": 2.0 * batch_size}[loss]
    variance = np.maximum(second / n - (first / n) ** 2, 0.0) * per_row**2
    share: Array = variance * (n - batch_size) / (max(n - 1, 1) * batch_size)
    return share


@dataclass(frozen=True, eq=False)
class _Modes:
    """The curved directions: curvature, squared start and noise variance of each, summed over targets."""

    h: Array
    square: Array
    variance: Array
    steps: int
    reshuffled: bool
    motion: Motion

    @property
    def energy(self) -> Array:
        energy: Array = self.h * self.square / 2
        return energy

    def spread_energy(self, covariance: Array) -> float:
        """Expected objective above the optimum of a covariance of (z, v), shape (modes, 2, 2)."""
        return float(self.h @ np.maximum(covariance[:, 0, 0], 0.0)) / 2

    def matrices(self, lr: float) -> tuple[Array, Array, Array]:
        """M of shape (modes, 2, 2), u of shape (2,) and the first step's (z, v) for z = 1, shape (modes, 2)."""
        b, gain, h = self.motion.momentum, self.motion.gain, self.h
        M = np.empty((len(h), 2, 2))
        if self.motion.nesterov and b:
            M[:, 0, 0], M[:, 0, 1] = 1 - lr * h * (1 + b), -lr * b * b
            u = np.array([-lr * (1 + b), 1.0])
            first = np.column_stack([1 - lr * h * (1 + b), h])
        else:
            M[:, 0, 0], M[:, 0, 1] = 1 - lr * gain * h, -lr * b
            u = np.array([-lr * gain, gain])
            first = np.column_stack([1 - lr * h, h])
        M[:, 1, 0], M[:, 1, 1] = gain * h, b
        return M, u, first

    def epoch_noise(self, M: Array, u: Array) -> Array:
        """Covariance that one epoch of batches adds to (z, v), per unit of variance, shape (modes, 2, 2).

        Independent batches: the sum S over the steps j of M^j u u' M^j'. Reshuffled ones have covariance
        -1 / (m - 1) with each other: m / (m - 1) (S - s s' / m) with s the sum of M^j u.
        """
        m = self.steps
        _, S = _accumulate(M, np.outer(u, u) + np.zeros_like(M), m)
        if not self.reshuffled:
            return S
        if m == 1:
            return np.zeros_like(S)
        # The sum of M^j u as the corner of a 3 x 3 power, which unlike (1 - M)^-1 exists for any M.
        bordered = np.zeros((len(M), 3, 3))
        bordered[:, :2, :2], bordered[:, :2, 2], bordered[:, 2, 2] = M, u, 1.0
        s = np.linalg.matrix_power(bordered, m)[:, :2, 2:]
        together: Array = m / (m - 1) * (S - s @ s.swapaxes(1, 2) / m)
        return together


class _ConstantRate:
    """The expected gap after any number of epochs of one rate, by powers of the epoch's matrix."""

    def __init__(self, modes: _Modes, lr: float, base: float) -> None:
        self._modes, self._base = modes, base
        self._M, u, self._first = modes.matrices(lr)
        self._epoch = np.linalg.matrix_power(self._M, modes.steps)
        self._added = np.zeros_like(self._M)
        if modes.variance.any():
            self._added = modes.epoch_noise(self._M, u) * modes.variance[:, None, None]
        self.floor = self._noise(_FARTHEST) / base

    def gap(self, epochs: int) -> float:
        modes = self._modes
        if not epochs:
            return float(modes.energy.sum()) / self._base
        # The first step has no buffer to start from; M takes over after it.
        moved = np.linalg.matrix_power(self._M, epochs * modes.steps - 1) @ self._first[:, :, None]
        energy = float(modes.energy @ moved[:, 0, 0] ** 2)
        return (energy + self._noise(epochs)) / self._base

    def _noise(self, epochs: int) -> float:
        if not self._modes.variance.any():
            return 0.0
        return self._modes.spread_energy(_accumulate(self._epoch, self._added, epochs)[1])


def _constant(
    modes: _Modes, lr: float, base: float, targets: Sequence[float], horizon: int, start_gap: float, method: str
) -> Forecast:
    run = _ConstantRate(modes, lr, base)
    epochs: dict[float, int | None] = {}
    reasons: dict[float, str] = {}
    for target in targets:
        reachable = run.floor < target
        epochs[target] = _first(run.gap, target, horizon, not modes.motion.momentum) if reachable else None
        if not reachable:
            reasons[target] = f"the noise of the batches keeps the gap near {run.floor:.3g}; a lower rate lowers it"
        elif epochs[target] is None:
            reasons[target] = f"it takes more than {horizon:,} epochs"
    return Forecast(epochs, reasons, start_gap, run.floor, method)


def _first(gap_at: Callable[[int], float], target: float, horizon: int, monotone: bool) -> int | None:
    """The first epoch with a gap at or below the target; see `forecast` for what may be missed."""
    low, high = -1, 0
    while gap_at(high) > target:
        if high >= horizon:
            return None
        step = max(1, high) if monotone else max(1, high // 100 if high > _EVERY_EPOCH else 1)
        low, high = high, min(high + step, horizon)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if gap_at(middle) <= target else (middle, high)
    return high


def _scheduled(
    modes: _Modes,
    rate: Callable[[int], float],
    base: float,
    targets: Sequence[float],
    horizon: int,
    start_gap: float,
    method: str,
) -> Forecast:
    """Epoch by epoch, since each may have its own rate; the floor is that of the last epoch seen."""
    state: Array = np.zeros((len(modes.h), 2))
    state[:, 0] = 1.0
    spread, gap, epochs = np.zeros((len(modes.h), 2, 2)), start_gap, dict[float, int | None]()
    noise, lr, last_rate = spread, math.nan, math.nan
    for epoch in range(horizon + 1):
        epochs.update({target: epoch for target in targets if target not in epochs and gap <= target})
        if len(epochs) == len(targets) or epoch == horizon or not gap <= 1e30:
            break
        lr = rate(epoch)
        if lr != last_rate:
            M, u, first = modes.matrices(lr)
            power, last_rate = np.linalg.matrix_power(M, modes.steps), lr
            if modes.variance.any():
                # A schedule may end at a rate of 0, where nothing moves.
                noise = np.zeros_like(spread) if not lr else modes.epoch_noise(M, u) * modes.variance[:, None, None]
        if epoch:
            state = (power @ state[:, :, None])[:, :, 0]
        else:
            state = (np.linalg.matrix_power(M, modes.steps - 1) @ first[:, :, None])[:, :, 0]
        spread = power @ spread @ power.swapaxes(1, 2) + noise
        gap = (float(modes.energy @ state[:, 0] ** 2) + modes.spread_energy(spread)) / base
    lacking = "it diverges" if not gap <= 1e30 else f"after {epoch:,} epochs of the schedule the gap is {gap:.3g}"
    reasons = {target: lacking for target in targets if target not in epochs}
    floor = modes.spread_energy(spread) / base
    return Forecast({target: epochs.get(target) for target in targets}, reasons, start_gap, floor, method)


def _never(targets: Sequence[float], reason: str, start_gap: float, method: str) -> Forecast:
    return Forecast(dict.fromkeys(targets), dict.fromkeys(targets, reason), start_gap, 0.0, method)


def _accumulate(M: Array, Q: Array, count: int) -> tuple[Array, Array]:
    """M^count and the sum over j < count of M^j Q M^j', for each 2 x 2 matrix, by doubling."""
    power, total = np.broadcast_to(np.eye(2), M.shape), np.zeros_like(M)
    while count:
        if count & 1:
            total = total + power @ Q @ power.swapaxes(1, 2)
            power = power @ M
        count >>= 1
        M, Q = M @ M, Q + M @ Q @ M.swapaxes(1, 2)
    return power, total
