"""Full batch with squared losses from statistics: one pass over the rows, then O(d^2) a step, whatever the rows are.

With e = X w + b - y, the mean squared error and its gradient are functions of second moments alone. They are kept
about a reference point: the means mx, my of the columns, and weights v with residuals r = (y - my) - (x - mx) v. Then,
with u = w - v and c = mx w + b - my,

    e = (x - mx) u + c - r        sum e^2 = u'Su - 2 u'q + rr + n c^2        q = sum (x - mx) r,  rr = sum r^2
    gradient of sum e^2 / 2:      for w: S u - q + n c mx                    for b: n c

(sum of x - mx is zero, and so is that of r.) Centring makes an offset of the columns harmless. v is zero, unless the
best fit is so good that w'Sw - 2 w's + ss would cancel; then v is that fit, found from the first pass, and a second
pass measures its residuals, so that nothing large is subtracted.

Moments, gradients and losses are float64; parameters and momentum are of the training dtype after each step. A loss is
exact to a relative 1e-9 of the loss of these parameters computed in float64 (times the number of rows over 1e9).
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from linreg_cli.optim.engines.kernels import disk
from linreg_cli.optim.engines.kernels.loader import kernel
from linreg_cli.optim.engines.kernels.signatures import BLOCK_ROWS, LANES, TILE
from linreg_cli.optim.engines.parameters import PackedParameters, rounded_up
from linreg_cli.optim.engines.parts import over_parts
from linreg_cli.optim.losses import loss_scale
from linreg_cli.optim.plan import StepPlan, not_from_moments
from linreg_cli.optim.state import TrainingState

Array = np.ndarray[Any, np.dtype[Any]]

#: Below this share of unexplained variance the moments are measured about the best fit: the digits that cancel
#: in w'Sw - 2 w's + ss are those of its inverse, and 4 of 16 may go.
REFINE_BELOW = 1e-4

#: Numbers a row, features and targets together, from which on torch's matrix product is used; slower at 257, faster
#: at 1,001, and not tuned between.
WIDE = 400


#: Rows of the sample that moments of a part are measured about; a power of two, for the mean of equal numbers.
SAMPLE_ROWS = 64


class StatisticsExecutor:
    """Runs full-batch steps of mse, sse and half_mse at a cost that does not depend on the number of rows.

    Args:
        X_nd: inputs of the train split, shape (n_samples, n_features), on the CPU, float32 or float64.
        y_nk: targets, shape (n_samples, n_targets), of the same dtype.

    Raises:
        ValueError: for tensors that are not on the CPU.
    """

    name = "statistics"

    def __init__(self, X_nd: Tensor, y_nk: Tensor) -> None:
        if X_nd.device.type != "cpu":
            raise ValueError(
                f"statistics runs on the CPU and the data is on {X_nd.device}; use reference, or device: cpu"
            )
        self._X_nd, self._y_nk = X_nd.contiguous(), y_nk.contiguous()
        self._dtype = str(X_nd.dtype).removeprefix("torch.")
        self._moments: tuple[Any, ...] | None = None

    @staticmethod
    def is_compiled(plan: StepPlan, n_features: int, n_targets: int, dtype: str) -> bool:
        """Whether the kernels that run a plan lie compiled on the disk; as `ReferenceExecutor.is_compiled`."""
        measuring = () if _is_wide(n_features, n_targets) else ("moments.part_moments",)
        return all(disk.exists(name, dtype) for name in (*measuring, "moments.run_steps", "moments.loss_sum"))

    def run(self, plan: StepPlan, state: TrainingState, start: int, stop: int) -> Tensor:
        """Take the steps `start` to `stop - 1`; as `ReferenceExecutor.run`.

        Raises:
            ValueError: for a plan whose steps are not determined by second moments.
        """
        assert state.step == start, (state.step, start)
        _check(plan)
        packed, losses = PackedParameters(state), np.empty(stop - start)
        count = 1.0 if plan.loss.is_sum else float(self._y_nk.numel())
        rates = np.array([plan.learning_rate(epoch) for epoch in range(start, stop)], dtype=np.float64)
        scale = loss_scale(plan.loss.name, 1, 1)  # of one squared residual
        taken = kernel("moments.run_steps", self._dtype)(
            *self._statistics(), packed.w, packed.b, packed.mw, packed.mb, packed.has_buffer, packed.bias,
            scale, count, rates, plan.momentum, plan.dampening, plan.weight_decay, plan.nesterov,
            losses, len(losses), *self._room(),
        )  # fmt: skip
        losses = losses[:taken]
        updates = taken if taken == 0 or np.isfinite(losses[-1]) else taken - 1
        packed.write_back(state, plan, updates)
        state.step += updates
        return torch.from_numpy(losses)

    def train_loss(self, plan: StepPlan, state: TrainingState) -> float:
        """The loss over the whole train split at the state's parameters, in float64, without reading a row."""
        _check(plan)
        packed = PackedParameters(state)
        loss_sum = kernel("moments.loss_sum", self._dtype)
        value = loss_scale(plan.loss.name, 1, 1) * float(
            loss_sum(*self._statistics(), packed.w, packed.b, *self._room())
        )
        return value if plan.loss.is_sum else value / self._y_nk.numel()

    def _statistics(self) -> tuple[Any, ...]:
        """What the kernels need: S, q, rr, mx, my, v, n, d and k; measured once."""
        if self._moments is None:
            self._moments = self._measured()
        return self._moments

    def _room(self) -> tuple[Array, Array, Array]:
        """Where kernels put distances from the reference point, the gradient of the weights and that of the bias."""
        d, k = self._X_nd.shape[1], self._y_nk.shape[1]
        return np.zeros(rounded_up(d)), np.zeros(k * rounded_up(d)), np.zeros(rounded_up(k))

    def _measured(self) -> tuple[Any, ...]:
        (n, d), k = self._X_nd.shape, self._y_nk.shape[1]
        part = self._part_by_product if _is_wide(d, k) else self._part_by_kernel
        parts = over_parts(part, n, d)
        rows, mean_z, M_zz = parts[0]
        for more, mean, M in parts[1:]:
            # Chan, Golub and LeVeque (1983): moments about the means of both parts together.
            shift = mean - mean_z
            M_zz = M_zz + M + np.outer(shift, shift) * (rows * more / (rows + more))
            mean_z = mean_z + shift * (more / (rows + more))
            rows += more
        D = rounded_up(d)
        S_dD, q_kD, v_kD, mx_D = np.zeros((d, D)), np.zeros((k, D)), np.zeros((k, D)), np.zeros(D)
        S_dD[:, :d], q_kD[:, :d], rr_k, mx_D[:d] = M_zz[:d, :d], M_zz[d:, :d], np.diag(M_zz)[d:].copy(), mean_z[:d]
        fit_kd = _best_fit(S_dD[:, :d], q_kD[:, :d])
        unexplained = rr_k - 2 * (fit_kd * q_kD[:, :d]).sum(1) + ((fit_kd @ S_dD[:, :d]) * fit_kd).sum(1)
        if (unexplained < REFINE_BELOW * rr_k).any():
            v_kD[:, :d] = fit_kd
            q_kD[:, :d], rr_k = self._about(fit_kd, mean_z)
        return S_dD.reshape(-1), q_kD.reshape(-1), rr_k, mx_D, mean_z[d:].copy(), v_kD.reshape(-1), n, d, k

    def _part_by_kernel(self, first: int, last: int) -> tuple[int, Array, Array]:
        """Rows, means and centred second moments of [x | y] of a part, read once."""
        rows, d, k = last - first, self._X_nd.shape[1], self._y_nk.shape[1]
        X, y = self._X_nd.numpy(), self._y_nk.numpy()
        part_moments = kernel("moments.part_moments", self._dtype)
        centre_z, Z = self._sample(first, last), rounded_up(d + k, TILE)
        for _ in range(2):
            sums_Z, M_ZZ = np.empty(Z), np.empty((Z, Z))
            room = np.zeros(Z * BLOCK_ROWS), np.zeros(Z * LANES), np.zeros(Z * Z * LANES)
            part_moments(X, y, first, last, d, k, centre_z, *room, sums_Z, M_ZZ)
            shift_z = sums_Z[: len(centre_z)] / rows
            about_centre_zz = M_ZZ[: len(centre_z), : len(centre_z)]
            about_centre_zz = np.triu(about_centre_zz) + np.triu(about_centre_zz, 1).T
            M_zz = about_centre_zz - rows * np.outer(shift_z, shift_z)
            centre_z = centre_z + shift_z
            # Else the sample was far from the mean, and what was subtracted took digits along.
            if (np.diag(M_zz) >= 0.1 * np.diag(about_centre_zz)).all():
                break
        return rows, centre_z, M_zz

    def _sample(self, first: int, last: int) -> Array:
        """Means of [x | y] over at most SAMPLE_ROWS rows of a part, evenly spaced: near those of all its rows."""
        every = slice(first, last, max(1, (last - first) // SAMPLE_ROWS))
        z = torch.cat([self._X_nd[every], self._y_nk[every]], dim=1)[:SAMPLE_ROWS]
        return z.double().mean(0).numpy()

    def _part_by_product(self, first: int, last: int) -> tuple[int, Array, Array]:
        """The same as a matrix product, which is what it is."""
        z = torch.cat([self._X_nd[first:last].double(), self._y_nk[first:last].double()], dim=1)
        mean = z.mean(0)
        z -= mean
        return last - first, mean.numpy(), (z.T @ z).numpy()

    def _about(self, fit_kd: Array, mean_z: Array) -> tuple[Array, Array]:
        """Moments q and rr of the residuals of a fit: what is left is measured, not subtracted."""
        d = self._X_nd.shape[1]
        fit_dk, mean = torch.from_numpy(fit_kd.T.copy()), torch.from_numpy(mean_z)

        def part(first: int, last: int) -> tuple[Tensor, Tensor]:
            x = self._X_nd[first:last].double() - mean[:d]
            r = self._y_nk[first:last].double() - mean[d:] - x @ fit_dk
            return r.T @ x, r.square().sum(0)

        q_kd, rr_k = (
            torch.stack(list(sums)).sum(0) for sums in zip(*over_parts(part, len(self._X_nd), d), strict=True)
        )
        return q_kd.numpy(), rr_k.numpy()


def _is_wide(n_features: int, n_targets: int) -> bool:
    return n_features + n_targets >= WIDE


def _check(plan: StepPlan) -> None:
    reason = not_from_moments(plan)
    if reason:
        raise ValueError(f"statistics cannot run this: {reason}; use auto, native or reference")


def _best_fit(S_dd: Array, q_kd: Array) -> Array:
    """A least-squares solution of S v = q for each target, from standardised columns; any good one will do."""
    scale_d = np.sqrt(np.diag(S_dd))
    inverse_d = np.divide(1.0, scale_d, out=np.zeros_like(scale_d), where=scale_d > 0)
    correlations_dd = S_dd * np.outer(inverse_d, inverse_d)
    # Where columns repeat each other, so much on the diagonal keeps the solution small, as a pseudo-inverse would.
    correlations_dd[np.diag_indices_from(correlations_dd)] += 1e-13 * len(S_dd)
    return np.asarray(np.linalg.solve(correlations_dd, (q_kd * inverse_d).T).T * inverse_d)
