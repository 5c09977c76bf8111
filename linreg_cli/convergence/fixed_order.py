"""The exact dynamics of SGD on a squared loss when the batches come in the same order in every epoch.

Let z be the distance from the optimum in the coordinates of the curved eigenvectors, v the momentum buffer and H_j the
Hessian of batch j with the weight decay. The gradient of batch j is H_j z + g_j, where g_j is that at the optimum. A
step of torch.optim.SGD is affine in (z, v), and so is an epoch:

    (z, v) <- P (z, v) + c        P and c depend on the rate and the rule; P is the same for every target

The first step of a run sets the buffer to the gradient, undampened. That equals an ordinary step from the buffer
dampening / momentum times the first gradient, so P and c hold for the first epoch too.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from linreg_cli.convergence.rates import SgdRule
from linreg_cli.convergence.spectrum import Spectrum
from linreg_cli.data.columns.rows import in_memory
from linreg_cli.least_squares.factor import EPS, Array, blocks, matrix
from linreg_cli.least_squares.optimum import Optimum
from linreg_cli.optim.losses import loss_scale
from linreg_cli.wording import number

#: The most operations for one question, such as the limit, a forecast, or a choice among rates: a few seconds.
MOST_WORK = 4e9
#: The cost of calling numpy, for a step, in operations.
_CALL = 2_000
#: The number of entries that one pass over the batches may hold.
_HELD = 2_000_000


@dataclass(frozen=True, eq=False)
class FixedOrder:
    """The rows of a run in their order, in the coordinates of the curved eigenvectors; p of them, k targets.

    Attributes:
        rows: shape (n_samples, p), float64: the rows of [X 1] along the eigenvectors.
        residuals: shape (n_samples, k): prediction - target at the optimum.
        optimum: shape (p, k): the optimal parameters along the eigenvectors.
        h: shape (p,): the curvature of the objective, including the penalty.
        start: shape (p, k): the initial distance from the optimum.
        relative_to: the loss that gaps are relative to, in the units of the objective; 0 for a constant target.
        batch_size: rows of a step; the last step of an epoch has the remaining ones.
        loss: mse, sse or half_mse.
        steepest: the largest curvature of a batch, without the weight decay.
        without_rows: why the rows are not there, so that no map is computed; None if they are.
        crossings: what `crossing.first_crossing` has found.
    """

    rows: Array
    residuals: Array
    optimum: Array
    h: Array
    start: Array
    relative_to: float
    batch_size: int
    loss: str
    steepest: float
    without_rows: str | None = None
    crossings: dict[tuple[SgdRule, float | None], Any] = field(default_factory=dict, repr=False)

    @property
    def n_steps(self) -> int:
        """The number of steps of an epoch."""
        return math.ceil(len(self.rows) / self.batch_size)

    @property
    def average(self) -> float:
        """The largest curvature of the average batch, with the weight decay."""
        share = self.batch_size / len(self.rows) if self.loss == "sse" else 1.0
        return float(self.h.max(initial=0.0)) * share

    @classmethod
    def of(
        cls,
        spectrum: Spectrum,
        optimum: Optimum,
        X_nd: npt.ArrayLike,
        y_nk: npt.ArrayLike,
        start: Array,
        *,
        loss: str,
        batch_size: int,
        steepest: float,
    ) -> "FixedOrder":
        """The rows of a run, from one pass over them.

        Args:
            spectrum: of the loss on all rows.
            optimum: of the objective.
            X_nd: shape (n_samples, n_features), in scaled units, any float dtype.
            y_nk: shape (n_samples, n_targets), in scaled units.
            start: shape (n_parameters, n_targets), from `Spectrum.distances`.
            loss: mse, sse or half_mse.
            batch_size: from 1 to n_samples.
            steepest: from `batch_curvature.ordered_batches`.
        """
        X, y, h = matrix(X_nd), matrix(y_nk), spectrum.eigenvalues + optimum.weight_decay
        curved = h > 0
        V = spectrum.eigenvectors[:, curved]
        theta = optimum.weights if optimum.bias is None else np.vstack([optimum.weights, optimum.bias])
        about = V.T @ theta, h[curved], np.atleast_2d(start)[curved], optimum.relative_to, batch_size, loss, steepest
        if not in_memory(X):  # as many numbers again would have to be in memory
            no_rows, none = (np.broadcast_to(0.0, (len(X), width)) for width in (V.shape[1], y.shape[1]))
            return cls(no_rows, none, *about, without_rows="the rows stay on the disk")
        rows, residuals = np.empty((len(X), V.shape[1])), np.zeros((len(X), y.shape[1]))
        for block in blocks(len(X)):
            part = np.asarray(X[block], dtype=np.float64)
            bias = 0.0 if optimum.bias is None else optimum.bias
            residuals[block] = part @ optimum.weights + bias - np.asarray(y[block], dtype=np.float64)
            part = part if optimum.bias is None else np.column_stack([part, np.ones(len(part))])
            rows[block] = optimum.factor.weighted(part, block) @ V
            residuals[block] = optimum.factor.weighted(residuals[block], block)
        if optimum.is_zero:  # an exact fit: the residuals are rounding error
            residuals[:] = 0.0
        return cls(rows, residuals, *about)

    # Cost

    def cost(self, rule: SgdRule) -> float:
        """The operations for the map of an epoch at one rate; about 4 n p (2 p + k) for n rows with momentum."""
        n, p, size = len(self.rows), len(self.h), self._size(rule)
        return (4 * n + 8 * self.n_steps) * p * size + _CALL * self.n_steps + 25.0 * size**3

    def too_costly(self, rule: SgdRule, n_rates: int = 1) -> str | None:
        """Why a number of rates is not tried: more than 4e9 operations; None if they are."""
        if self.without_rows:
            return self.without_rows
        work = self.cost(rule) * n_rates
        if work <= MOST_WORK:
            return None
        return (
            f"it takes {number(work, 2)} operations for this table and order, and at most {number(MOST_WORK)} are spent"
        )

    # One epoch

    def _size(self, rule: SgdRule) -> int:
        """The rows of the matrix of an epoch: those of z, of v with momentum, and a constant for each target."""
        return len(self.h) * (2 if rule.momentum else 1) + int(self.start.shape[1])

    def maps(self, rates: Sequence[float], rule: SgdRule) -> Array:
        """The maps of an epoch as matrices [[P, c], [0, 1]] on (z, v, 1), one for each rate.

        Args:
            rates: learning rates.
            rule: the parameters of SGD.

        Returns:
            Shape (n_rates, size, size), with size = p (2 p with momentum) + k. Not finite where it overflows.
        """
        size, lanes = self._size(rule), self._lanes(rule)
        together = max(1, _HELD // (lanes * self.rows.shape[1] * size))
        parts = [np.asarray(rates[at : at + together]) for at in range(0, len(rates), together)]
        with np.errstate(over="ignore", invalid="ignore"):
            return np.concatenate([self._maps(part, rule, lanes) for part in parts])

    def _lanes(self, rule: SgdRule) -> int:
        """The number of parts of an epoch whose maps are computed side by side and then multiplied."""
        return int(min(256, max(1, self.n_steps // (4 * self._size(rule)))))

    def _maps(self, rates: Array, rule: SgdRule, lanes: int) -> Array:
        b, each = self.batch_size, self.n_steps // lanes
        each -= lanes * each * b > len(self.rows)  # the smaller last batch is not in a lane
        used = lanes * each * b
        n_features, k = self.rows.shape[1], self.residuals.shape[1]
        rows = self.rows[:used].reshape(lanes, each, b, n_features)
        residuals = self.residuals[:used].reshape(lanes, each, b, k)
        walk = _Walk(self, rates, rule, lanes)
        for step in range(each):
            walk.step(rows[:, step], residuals[:, step])
        product = walk.matrices()  # (lanes, n_rates, size, size)
        while len(product) > 1:
            later, rest = product[1::2], product[len(product) & ~1 :]
            product = np.concatenate([later @ product[: 2 * len(later) : 2], rest])
        walk = _Walk(self, rates, rule, 1, product)
        for at in range(used, len(self.rows), b):
            walk.step(self.rows[None, at : at + b], self.residuals[None, at : at + b])
        whole: Array = walk.matrices()[0]
        return whole

    # Stability

    def radii(self, rates: Sequence[float], rule: SgdRule) -> Array:
        """The spectral radius of P for each rate; infinite where it overflows. Shape (n_rates,)."""
        q = self._size(rule) - self.residuals.shape[1]
        P = self.maps(rates, rule)[:, :q, :q]
        found, finite = np.full(len(P), np.inf), np.isfinite(P).all(axis=(1, 2))
        if q and finite.any():
            found[finite] = np.abs(np.linalg.eigvals(P[finite])).max(axis=1)
            # Rounding error: a direction of tiny curvature has an eigenvalue of 1 - 1e-15, and may appear to be above.
            doubt = np.maximum(1e-9, 1e3 * EPS * np.abs(P[finite]).max(axis=(1, 2)))
            found[finite] = np.where(np.abs(found[finite] - 1) < doubt, 1 - 1e-12, found[finite])
        return found if q else np.zeros(len(P))

    def diverges(self, rate: float, rule: SgdRule) -> bool:
        """Whether almost every start diverges: the spectral radius of an epoch is above 1."""
        return bool(self.radii([rate], rule)[0] > 1)

    # Trajectories

    def initial(self, rule: SgdRule) -> Array:
        """(z, v, 1) before the first epoch, shape (size, k); see the head of the module for v."""
        z, k = self.start, self.residuals.shape[1]
        if not rule.momentum:
            return np.vstack([z, np.eye(k)])
        rows, e = self.rows[: self.batch_size], self.residuals[: self.batch_size]
        gradient = 2 * loss_scale(self.loss, len(rows), k) * rows.T @ (rows @ z + e)
        gradient += rule.weight_decay * (z + self.optimum)
        return np.vstack([z, rule.dampening / rule.momentum * gradient, np.eye(k)])

    def gap(self, state: Array) -> float:
        """The relative gap of (z, v, 1), shape (size, k); infinite if it overflows, absolute for a constant target."""
        with np.errstate(over="ignore", invalid="ignore"):
            found = float(self.h @ (state[: len(self.h)] ** 2).sum(axis=1)) / 2 / (self.relative_to or 1.0)
        return found if math.isfinite(found) else math.inf

    def final_gap(
        self, rate: float, rule: SgdRule, epochs: int, shape: Callable[[int], float] | None = None
    ) -> float | None:
        """The relative gap after a number of epochs; None if it is too costly, infinite if it overflows.

        Args:
            rate: the learning rate of a constant schedule, or that before the first epoch.
            rule: the parameters of SGD.
            epochs: the length of the run.
            shape: epoch (from 0) -> rate / initial rate; None for a constant rate.
        """
        rates = [rate] if shape is None else [rate * shape(epoch) for epoch in range(epochs)]
        distinct = sorted(set(rates))
        if self.too_costly(rule, len(distinct)):
            return None
        maps = dict(zip(distinct, self.maps(distinct, rule), strict=True))
        state = self.initial(rule)
        with np.errstate(over="ignore", invalid="ignore"):
            if shape is None:
                return self.gap(np.linalg.matrix_power(maps[rate], epochs) @ state)
            for each in rates:
                state = maps[each] @ state
        return self.gap(state)


class _Walk:
    """The map from (z, v, 1) to its value after a number of steps, for several rates and lanes at once.

    Args:
        order: the rows.
        rates: shape (n_rates,).
        rule: the parameters of SGD.
        lanes: the number of independent walks.
        begun: the maps to start from, shape (lanes, n_rates, size, size); None for the identity.
    """

    def __init__(self, order: FixedOrder, rates: Array, rule: SgdRule, lanes: int, begun: Array | None = None) -> None:
        p, k, size = order.rows.shape[1], order.residuals.shape[1], order._size(rule)
        if begun is None:
            begun = np.broadcast_to(np.eye(size), (lanes, len(rates), size, size))
        self._order, self._rule, self._size, self._k = order, rule, size, k
        # (lanes, parameters, rates and columns): one matrix product of each lane serves all rates.
        self._z = begun[:, :, :p].transpose(0, 2, 1, 3).reshape(lanes, p, -1)
        self._v = begun[:, :, p : 2 * p].transpose(0, 2, 1, 3).reshape(lanes, p, -1) if rule.momentum else None
        self._lr = np.repeat(rates, size)
        self._pull = rule.weight_decay * order.optimum[None, :, None, :]

    def step(self, rows: Array, residuals: Array) -> None:
        """One batch of each lane: rows of shape (lanes, b, p), residuals of shape (lanes, b, k)."""
        rule, lanes, b, z = self._rule, len(rows), rows.shape[1], self._z
        errors = rows @ z
        errors.reshape(lanes, b, -1, self._size)[..., -self._k :] += residuals[:, :, None, :]
        scale = 2 * loss_scale(self._order.loss, b, self._k)
        gradient = rows.swapaxes(1, 2) @ errors
        gradient *= scale
        if rule.weight_decay:
            gradient += rule.weight_decay * z
            gradient.reshape(lanes, z.shape[1], -1, self._size)[..., -self._k :] += self._pull
        if self._v is None:
            self._z = z - self._lr * gradient
            return
        self._v = rule.momentum * self._v + rule.gain * gradient
        self._z = z - self._lr * (gradient + rule.momentum * self._v if rule.nesterov else self._v)

    def matrices(self) -> Array:
        """The maps, shape (lanes, n_rates, size, size)."""
        states = [self._z] if self._v is None else [self._z, self._v]
        lanes, size, k = len(self._z), self._size, self._k
        stacked = np.concatenate([s.reshape(lanes, s.shape[1], -1, size) for s in states], axis=1)
        found = np.zeros((lanes, stacked.shape[2], size, size))
        found[:, :, :-k] = stacked.transpose(0, 2, 1, 3)
        found[:, :, -k:, -k:] = np.eye(k)
        return found
