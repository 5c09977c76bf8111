"""The second moments of SGD with random batches: how E[s s'] of the state s = (z, v) changes in an epoch.

z is the distance from the optimum along the curved eigenvectors, v the momentum buffer. With the Hessian H_B of a
batch, its mean H, the matrix M of a step with H, and the direction u in which a gradient enters (z, v), a step without
the noise at the optimum is s <- M s + u (H_B - H) z. The map of an epoch on E[s s'] is computed in two ways, both
linear on symmetric matrices, and both preserve positive semi-definite ones:

- `independent`: the batches of an epoch are taken to be independent,

      E[s s'] <- M E[s s'] M' + u u' (x) F(E[z z'])    F(C) = f (mean of h_i C h_i over rows - H C H)

  with the Hessians h_i of single rows. For b of n rows drawn without replacement, f = (n - b) / ((n - 1) b) for a mean,
  and b^2 times that for a sum. The smaller last batch has its own f. Exact, but for the dependence.
- `reshuffled`: the mean of P E[s s'] P' over the maps P of an epoch in several hundred random orders of the rows. It
  has the dependence (a row that is in one batch is not in the others), which with momentum and few batches an epoch can
  make an epoch expand that independent batches would not; but rare orders may be missing.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from linreg_cli.convergence.rates import SgdRule
from linreg_cli.least_squares.factor import Array, blocks
from linreg_cli.optim.losses import loss_scale

#: The largest dimension of the space of symmetric matrices on which the map of an epoch is computed, and the most
#: operations for the fourth moments of the rows: about a second.
MOST_DIMENSIONS, _MOST_WORK = 171, 2e9
#: Orders are sampled up to this number of batches an epoch; with more, the dependence has no effect.
_FEW_BATCHES = 20
#: The most and the fewest orders, and the operations that they may take for one rate.
_ORDERS, _FEWEST_ORDERS, _WORK = 1_000, 200, 3e8


def is_affordable(n_samples: int, n_modes: int, batch_size: int, rule: SgdRule) -> bool:
    """Whether `SecondMoments.radius` is computed: a rate takes a small part of a second, and has the orders it needs.

    Args:
        n_samples: rows of the train split.
        n_modes: p, directions of positive curvature.
        batch_size: rows of a step.
        rule: the parameters of SGD.
    """
    size = n_modes * (2 if rule.momentum else 1)
    if size * (size + 1) // 2 > MOST_DIMENSIONS or n_samples * n_modes**4 > _MOST_WORK:
        return False
    many = math.ceil(n_samples / batch_size) > _FEW_BATCHES
    return not rule.momentum or many or _n_orders(n_samples, n_modes) >= _FEWEST_ORDERS


def _n_orders(n_samples: int, n_modes: int) -> int:
    return int(min(_ORDERS, _WORK / (8 * n_samples * max(1, n_modes) ** 2)))


@dataclass(frozen=True, eq=False)
class SecondMoments:
    """The rows of a run along the curved eigenvectors, p of them.

    Attributes:
        rows: shape (n_samples, p), float64.
        eigenvalues: shape (p,), of the Hessian of the expected loss of a batch.
        loss: mse, sse or half_mse.
        n_targets: k.
        batch_size: b; the last batch of an epoch has the remaining rows.
        margin: the factor by which the fluctuation of the Hessians is increased, at least 1.
    """

    rows: Array
    eigenvalues: Array
    loss: str
    n_targets: int
    batch_size: int
    margin: float = 1.0

    @property
    def n_batches(self) -> int:
        """The number of batches of an epoch."""
        return math.ceil(len(self.rows) / self.batch_size)

    def radius(self, lr: float, rule: SgdRule) -> float:
        """The spectral radius of the map of an epoch on E[s s'], the larger of the two; infinite if it overflows.

        Without momentum, and for more than 20 batches an epoch, that of independent batches.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            maps = [self.independent(lr, rule)]
            if rule.momentum and self.n_batches <= _FEW_BATCHES:
                maps.append(self.reshuffled(lr, rule))
        if not all(np.isfinite(T).all() for T in maps):
            return math.inf
        return max(float(np.abs(np.linalg.eigvals(T)).max(initial=0.0)) for T in maps)

    # Independent batches

    def independent(self, lr: float, rule: SgdRule) -> Array:
        """The map of an epoch on the upper triangles of E[s s'], for independent batches; square, of `dimensions`."""
        complete, last = divmod(len(self.rows), self.batch_size)
        whole = np.linalg.matrix_power(self._step(self.batch_size, lr, rule), complete)
        together: Array = self._step(last, lr, rule) @ whole if last else whole
        return together

    @cached_property
    def _fourth(self) -> Array:
        """The mean of h_i C h_i minus H C H for the mean of the rows, as [a, b, c, d] with C_cd; shape (p, p, p, p)."""
        n, p = self.rows.shape
        total = np.zeros((p * p, p * p))
        for block in blocks(n):
            part = self.rows[block]
            pairs = (part[:, :, None] * part[:, None, :]).reshape(len(part), -1)
            total += pairs.T @ pairs
        scale = 2 * loss_scale(self.loss, 1, self.n_targets)
        h = scale / n * np.einsum("ij,ij->j", self.rows, self.rows)
        found: Array = (scale**2 / n * total).reshape(p, p, p, p)
        found -= np.einsum("ac,bd->abcd", np.diag(h), np.diag(h))
        return found

    def _step(self, size: int, lr: float, rule: SgdRule) -> Array:
        n, p = self.rows.shape
        share = self.margin * (n - size) / max(n - 1, 1) / size * (size**2 if self.loss == "sse" else 1)
        M, u = _step_matrix(self._mean(size) + rule.weight_decay, lr, rule)
        T = np.einsum("ac,bd->abcd", M, M)
        for i, left in enumerate(u):
            for j, right in enumerate(u):
                T[i * p : (i + 1) * p, j * p : (j + 1) * p, :p, :p] += share * left * right * self._fourth
        return _on_triangles(T)

    def _mean(self, size: int) -> Array:
        """The mean Hessian of batches of a size: for a sum, that of a smaller batch is smaller."""
        return self.eigenvalues * (size / self.batch_size if self.loss == "sse" else 1.0)

    # Orders

    def reshuffled(self, lr: float, rule: SgdRule) -> Array:
        """The map of an epoch on the upper triangles of E[s s'], by random orders, the same ones for every rate."""
        n, p = self.rows.shape
        size = 2 * p if rule.momentum else p
        stream, total, count = np.random.default_rng(0), np.zeros((size**2, size**2)), max(1, _n_orders(n, p))
        together = max(1, 1_000_000 // (n * p))
        for at in range(0, count, together):
            orders = stream.permuted(np.tile(np.arange(n), (min(together, count - at), 1)), axis=1)
            flat = self._epochs(orders, lr, rule).reshape(len(orders), -1)
            total += flat.T @ flat / count
        return _on_triangles(total.reshape(size, size, size, size).transpose(0, 2, 1, 3))

    def _epochs(self, orders: Array, lr: float, rule: SgdRule) -> Array:
        """The map P of an epoch for each order of the rows, without the noise; shape (n_orders, size, size)."""
        n, p = self.rows.shape
        size, more = (2 * p if rule.momentum else p), math.sqrt(self.margin)
        z = np.broadcast_to(np.eye(p, size), (len(orders), p, size))
        v = np.broadcast_to(np.eye(p, size, p), (len(orders), p, size))
        for at in range(0, n, self.batch_size):
            rows = self.rows[orders[:, at : at + self.batch_size]]
            b = rows.shape[1]
            own = 2 * loss_scale(self.loss, b, self.n_targets) * (rows.swapaxes(1, 2) @ (rows @ z))
            mean = self._mean(b)[:, None] * z
            gradient = mean + more * (own - mean) + rule.weight_decay * z
            if not rule.momentum:
                z = z - lr * gradient
                continue
            v = rule.momentum * v + rule.gain * gradient
            z = z - lr * (gradient + rule.momentum * v if rule.nesterov else v)
        return np.concatenate([z, v], axis=1) if rule.momentum else np.asarray(z)


def _step_matrix(h: Array, lr: float, rule: SgdRule) -> tuple[Array, Array]:
    """M, shape (q, q) on (z, v), or on z alone without momentum, and u, shape (2,) or (1,)."""
    b, gain, eye = rule.momentum, rule.gain, np.eye(len(h))
    if not b:
        return np.diag(1 - lr * h), np.array([-lr])
    reach, back = (lr * (1 + b), lr * b * b) if rule.nesterov else (lr * gain, lr * b)
    M = np.block([[np.diag(1 - reach * h), -back * eye], [np.diag(gain * h), b * eye]])
    return M, np.array([-reach, gain])


def _on_triangles(T: Array) -> Array:
    """A map C -> sum over c, d of T_abcd C_cd of symmetric matrices, as a matrix on their upper triangles."""
    left, right = np.triu_indices(len(T))
    found = T[left, right]
    reduced: Array = found[:, left, right] + np.where(left == right, 0.0, found[:, right, left])
    return reduced
