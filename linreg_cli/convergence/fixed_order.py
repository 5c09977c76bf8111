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

from linreg_cli.convergence import ordered_rows
from linreg_cli.convergence.ordered_rows import OrderedRows
from linreg_cli.convergence.rates import SgdRule
from linreg_cli.convergence.spectrum import Spectrum
from linreg_cli.data.columns.rows import in_memory
from linreg_cli.least_squares.factor import EPS, Array, matrix
from linreg_cli.least_squares.optimum import Optimum
from linreg_cli.optim.losses import loss_scale
from linreg_cli.wording import number

#: The most operations for one question, such as the limit, a forecast, or a choice among rates: a few seconds.
MOST_WORK = 4e9
#: The cost of calling numpy, for a step, in operations.
_CALL = 2_000
#: The number of entries that one pass over the batches may hold, of its maps and of their errors in a step.
_HELD = 2_000_000


@dataclass(frozen=True, eq=False)
class FixedOrder:
    """The rows of a run in their order, in the coordinates of the curved eigenvectors; p of them, k targets.

    Attributes:
        rows: of the run.
        optimum: shape (p, k): the optimal parameters along the eigenvectors.
        h: shape (p,): the curvature of the objective, including the penalty.
        start: shape (p, k): the initial distance from the optimum.
        relative_to: the loss that gaps are relative to, in the units of the objective; 0 for a constant target.
        batch_size: rows of a step; the last step of an epoch has the remaining ones.
        loss: mse, sse or half_mse.
        steepest: the largest curvature of a batch, without the weight decay.
        crossings: what `crossing.first_crossing` has found.
    """

    rows: OrderedRows
    optimum: Array
    h: Array
    start: Array
    relative_to: float
    batch_size: int
    loss: str
    steepest: float
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
        """The order of a run; its rows are read when a map of an epoch is computed.

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
        X, y = (np.asarray(values) if in_memory(values) else values for values in (X, y))
        rows, begin = OrderedRows(X, y, V, optimum), np.atleast_2d(start)[curved]
        return cls(rows, V.T @ theta, h[curved], begin, optimum.relative_to, batch_size, loss, steepest)

    # Cost

    def cost(self, rule: SgdRule) -> float:
        """The operations for the map of an epoch at one rate; about 4 n p (2 p + k) for n rows with momentum."""
        n, p, size = len(self.rows), len(self.h), self._size(rule)
        return (4 * n + 8 * self.n_steps) * p * size + _CALL * self.n_steps + 25.0 * size**3

    def too_costly(self, rule: SgdRule, n_rates: int = 1) -> str | None:
        """Why a number of rates is not tried: more than 4e9 operations; None if they are."""
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
        together = max(1, _HELD // (max(lanes * len(self.h), self._piece) * size))
        parts = [np.asarray(rates[at : at + together]) for at in range(0, len(rates), together)]
        with np.errstate(over="ignore", invalid="ignore"):
            return np.concatenate([self._maps(part, rule, lanes) for part in parts])

    @property
    def _piece(self) -> int:
        """The rows of a batch that are in memory at once."""
        return min(self.batch_size, max(1, ordered_rows.CELLS // self.rows.width))

    def _lanes(self, rule: SgdRule) -> int:
        """The number of parts of an epoch whose maps are computed side by side and then multiplied."""
        return int(min(256, max(1, self.n_steps // (4 * self._size(rule)))))

    def _maps(self, rates: Array, rule: SgdRule, lanes: int) -> Array:
        b, n, each = self.batch_size, len(self.rows), self.n_steps // lanes
        each -= lanes * each * b > n  # the smaller last batch is not in a lane
        beside = max(1, ordered_rows.CELLS // (each * b * self.rows.width))  # lanes whose rows are read at once
        found = [
            self._walked(range(first, min(first + beside, lanes)), each, rates, rule)
            for first in range(0, lanes, beside)
        ]
        product = np.concatenate(found)  # (lanes, n_rates, size, size)
        while len(product) > 1:
            later, rest = product[1::2], product[len(product) & ~1 :]
            product = np.concatenate([later @ product[: 2 * len(later) : 2], rest])
        walk = _Walk(self, rates, rule, 1, product)
        for at in range(lanes * each * b, n, b):
            self._step(walk, at, min(at + b, n))
        whole: Array = walk.matrices()[0]
        return whole

    def _walked(self, lanes: range, each: int, rates: Array, rule: SgdRule) -> Array:
        """The maps of consecutive lanes of `each` batches, shape (lanes, n_rates, size, size)."""
        b, n_lanes, walk = self.batch_size, len(lanes), _Walk(self, rates, rule, len(lanes))
        together = (
            each if n_lanes > 1 else min(each, ordered_rows.CELLS // (b * self.rows.width))
        )  # steps whose rows are read
        for begin in range(0, each, together or 1):
            steps, first = min(together or 1, each - begin), (lanes.start * each + begin) * b
            if not together:  # a batch of many rows
                self._step(walk, first, first + b)
                continue
            found = self.rows.read(first, first + n_lanes * steps * b)
            rows, residuals = (values.reshape(n_lanes, steps, b, values.shape[1]) for values in found)
            for step in range(steps):
                walk.add(rows[:, step], residuals[:, step], b)
                walk.step()
        return walk.matrices()

    def _step(self, walk: "_Walk", first: int, last: int) -> None:
        """One batch of a single lane, of which as many rows are in memory as `ordered_rows.CELLS` allows."""
        for at in range(first, last, self._piece):
            rows, residuals = self.rows.read(at, min(at + self._piece, last))
            walk.add(rows[None], residuals[None], last - first)
        walk.step()

    # Stability

    def radii(self, rates: Sequence[float], rule: SgdRule) -> Array:
        """The spectral radius of P for each rate; infinite where it overflows. Shape (n_rates,)."""
        q = self._size(rule) - self.rows.n_targets
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
        z, k = self.start, self.rows.n_targets
        if not rule.momentum:
            return np.vstack([z, np.eye(k)])
        gradient, scale = rule.weight_decay * (z + self.optimum), 2 * loss_scale(self.loss, self.batch_size, k)
        for at in range(0, self.batch_size, self._piece):
            rows, e = self.rows.read(at, min(at + self._piece, self.batch_size))
            gradient = gradient + scale * rows.T @ (rows @ z + e)
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
        p, k, size = len(order.h), order.rows.n_targets, order._size(rule)
        if begun is None:
            begun = np.broadcast_to(np.eye(size), (lanes, len(rates), size, size))
        self._order, self._rule, self._size, self._k = order, rule, size, k
        # (lanes, parameters, rates and columns): one matrix product of each lane serves all rates.
        self._z = begun[:, :, :p].transpose(0, 2, 1, 3).reshape(lanes, p, -1)
        self._v = begun[:, :, p : 2 * p].transpose(0, 2, 1, 3).reshape(lanes, p, -1) if rule.momentum else None
        self._lr = np.repeat(rates, size)
        self._gradient: Array | None = None
        self._pull = rule.weight_decay * order.optimum[None, :, None, :]

    def add(self, rows: Array, residuals: Array, of: int) -> None:
        """Some rows of a batch of each lane: shapes (lanes, n_rows, p) and (lanes, n_rows, k); `of` rows make one."""
        errors = rows @ self._z
        errors.reshape(*errors.shape[:2], -1, self._size)[..., -self._k :] += residuals[:, :, None, :]
        gradient = rows.swapaxes(1, 2) @ errors
        gradient *= 2 * loss_scale(self._order.loss, of, self._k)
        self._gradient = gradient if self._gradient is None else self._gradient + gradient

    def step(self) -> None:
        """The step on the rows that were added."""
        rule, z, gradient = self._rule, self._z, self._gradient
        assert gradient is not None
        self._gradient = None
        if rule.weight_decay:
            gradient += rule.weight_decay * z
            gradient.reshape(*z.shape[:2], -1, self._size)[..., -self._k :] += self._pull
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
