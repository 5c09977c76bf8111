"""The statistics executor: full batches of squared losses from second moments of the rows.

It makes one or two passes over the rows, and then O(d^2) operations per step, whatever their number. With
e = X w + b - y, the sum of squares and its gradient are functions of first and second moments. These are kept about a
reference point: the means mx, my of the columns, and weights v with residuals r = (y - my) - (x - mx) v. With u = w - v
and c = mx w + b - my,

    e = (x - mx) u + c - r        sum e^2 = u'Su - 2 u'q + rr + n c^2        q = sum (x - mx) r,  rr = sum r^2
    gradient of sum e^2 / 2:      for w: S u - q + n c mx                    for b: n c

since the sums of x - mx and of r are zero. Centring avoids cancellation for columns with a large mean. v is zero,
unless the best fit is so good that w'Sw - 2 w's + ss would cancel. Then v is the best fit from the first pass, and the
second pass computes the moments of its residuals, so that no large numbers are subtracted.

With weights of the rows all sums and means are weighted, and n is the sum of the weights.

Moments, gradients and losses are float64; parameters and momentum are rounded to the training dtype after each step. A
loss has a relative error of at most 1e-9, compared with the loss of the same parameters computed row by row in float64
(times the number of rows over 1e9).
"""

import functools
from typing import Any

import numpy as np
import torch
from torch import Tensor

from linreg_cli.optim.engines import moments
from linreg_cli.optim.engines.kernels import disk
from linreg_cli.optim.engines.kernels.loader import kernel, load
from linreg_cli.optim.engines.parameters import PackedParameters, rounded_up
from linreg_cli.optim.engines.parts import READERS, over_parts
from linreg_cli.optim.engines.shared import SharedWork
from linreg_cli.optim.losses import loss_scale
from linreg_cli.optim.plan import StepPlan, not_from_moments
from linreg_cli.optim.rows import AnyRows, MeasuredRows, StoredRows
from linreg_cli.optim.state import TrainingState
from linreg_cli.optim.trail import Trail

Array = np.ndarray[Any, np.dtype[Any]]

#: Below this fraction of unexplained variance, 1 - R2, the moments are computed about the best fit: w'Sw - 2 w's + ss
#: loses as many digits as its inverse has, and 4 of 16 are acceptable.
REFINE_BELOW = 1e-4

#: The most epochs of a trail, and bytes of its states: enough that the calls for it cost nothing an epoch, few enough
#: to stay in the cache.
TRAIL_EPOCHS, TRAIL_BYTES = 1_024, 1 << 20


class StatisticsExecutor:
    """Runs full-batch steps of mse, sse and half_mse at a cost that does not depend on the number of rows.

    Args:
        rows: the train split, on any device: the moments are computed there, and the steps on the CPU.
        summing: the device on which each process computes the moments of its shards; None: the CPU.
    """

    name = "statistics"

    def __init__(self, rows: AnyRows, summing: torch.device | None = None) -> None:
        self._summing = None if summing is None else str(summing)
        self._data = rows.contiguous()
        self._dtype = rows.dtype
        self._shared = SharedWork(rows)
        self._threads = READERS if isinstance(rows, StoredRows) else None
        self._moments: tuple[Any, ...] | None = None
        self._share = 1.0  # the sum of the weights over the number of rows, computed with the moments

    @staticmethod
    def is_compiled(plan: StepPlan, n_features: int, n_targets: int, dtype: str, *, weighted: bool = False) -> bool:
        """Whether the compiled kernels that a plan needs are on the disk; as `ReferenceExecutor.is_compiled`."""
        return all(disk.exists(name, dtype) for name in _kernels(n_features, n_targets))

    def load(self, plan: StepPlan) -> None:
        """Load or compile the kernels that a plan needs; as `ReferenceExecutor.load`."""
        names = _kernels(self._data.n_features, self._data.n_targets)
        load([(name, self._dtype, "int32") for name in names], elsewhere=isinstance(self._data, StoredRows))
        if plan.shards is not None:
            self._shared.of(plan, *_measuring(self._data.n_features, self._data.n_targets))

    def run(self, plan: StepPlan, state: TrainingState, start: int, stop: int) -> Tensor:
        """Take the steps `start` to `stop - 1`; as `ReferenceExecutor.run`.

        Raises:
            ValueError: for a plan with minibatches or with a loss that is not squared.
        """
        packed = PackedParameters(state)
        losses, updates = self._take(plan, state, packed, start, stop)
        packed.write_back(state, plan, updates)
        state.step += updates
        return torch.from_numpy(losses)

    def run_epochs(self, plan: StepPlan, state: TrainingState, start: int, stop: int) -> Trail:
        """Take the steps `start` to `stop - 1`, or fewer, with the state after each; as `trail.Recorder.run_epochs`."""
        (d, k), packed = (self._data.n_features, self._data.n_targets), PackedParameters(state)
        size = 2 * (len(packed.w) + len(packed.b))
        stop = min(stop, start + max(1, min(TRAIL_EPOCHS, TRAIL_BYTES // (size * packed.w.itemsize))))
        states, sums = np.empty((stop - start, size), packed.w.dtype), np.empty(stop - start + 1)
        losses, updates = self._take(plan, state, packed, start, stop, (sums, states))
        D, weights = rounded_up(d), states[:updates, : len(packed.w)]
        bias = states[:updates, len(packed.w) : len(packed.w) + k].astype(np.float64) if packed.bias else None
        return Trail(
            self._of_sums(plan, sums[1 : updates + 1]).tolist(),
            weights.reshape(updates, k, D)[:, :, :d].astype(np.float64).transpose(0, 2, 1),
            bias,
            lambda position: packed.replaced(states[position]).write_back(state, plan, 1),
            None if updates == len(losses) else float(losses[-1]),
        )

    def _take(
        self, plan: StepPlan, state: TrainingState, packed: PackedParameters, start: int, stop: int,
        record: tuple[Array, Array] | None = None,
    ) -> tuple[Array, int]:  # fmt: skip
        """The losses of steps that were taken, and the number of updates; `record` as `sums` and `trail` of the kernel.

        Raises:
            ValueError: for a plan with minibatches or with a loss that is not squared.
        """
        assert state.step == start, (state.step, start)
        _check(plan)
        losses, nothing = np.empty(stop - start), (np.empty(0), np.empty(0, packed.w.dtype))
        statistics = self._statistics(plan)
        # The moments are those of n rows; rounding may leave the weights another sum.
        count = (1.0 if plan.loss.is_sum else float(self._data.n_samples * self._data.n_targets)) / self._share
        rates = np.array([plan.learning_rate(epoch) for epoch in range(start, stop)], dtype=np.float64)
        scale = loss_scale(plan.loss.name, 1, 1)  # of one squared residual
        taken = kernel("moments.run_steps", self._dtype)(
            *statistics, packed.w, packed.b, packed.mw, packed.mb, packed.has_buffer, packed.bias,
            scale, count, rates, plan.momentum, plan.dampening, plan.weight_decay, plan.nesterov,
            losses, len(losses), record is not None, *(record or nothing), *self._workspace(),
        )  # fmt: skip
        losses = losses[:taken]
        return losses, taken if taken == 0 or np.isfinite(losses[-1]) else taken - 1

    def train_loss(self, plan: StepPlan, state: TrainingState) -> float:
        """The loss over the whole train split at the parameters of the state, in float64, from the moments alone."""
        _check(plan)
        packed = PackedParameters(state)
        loss_sum = kernel("moments.loss_sum", self._dtype)
        return float(self._of_sums(plan, loss_sum(*self._statistics(plan), packed.w, packed.b, *self._workspace())))

    def _of_sums(self, plan: StepPlan, sums: Any) -> Any:
        """The loss from the sum of e^2, float64."""
        values = loss_scale(plan.loss.name, 1, 1) * sums
        return values * self._share if plan.loss.is_sum else values / (self._data.n_samples * self._data.n_targets)

    def _statistics(self, plan: StepPlan) -> tuple[Any, ...]:
        """The arguments of the kernels: S, q, rr, mx, my, v, n, d and k; computed once."""
        if self._moments is None:
            self._moments = self._measured(plan)
        return self._moments

    def _workspace(self) -> tuple[Array, Array, Array]:
        """Arrays that kernels write to: w - v, the gradient of the weights, the gradient of the bias."""
        d, k = self._data.n_features, self._data.n_targets
        return np.zeros(rounded_up(d)), np.zeros(k * rounded_up(d)), np.zeros(rounded_up(k))

    def _measured(self, plan: StepPlan) -> tuple[Any, ...]:
        n, d, k = self._data.n_samples, self._data.n_features, self._data.n_targets
        if isinstance(self._data, MeasuredRows):
            return _padded(self._data, d, k)
        shared = None if plan.shards is None else self._shared.of(plan, *_measuring(d, k))
        part = functools.partial(moments.of_part, self._data)
        total, mean_z, M_zz = moments.merged(
            over_parts(part, n, d, most=self._threads) if shared is None else shared.together("moments", self._summing)
        )
        D = rounded_up(d)
        S_dD, q_kD, v_kD, mx_D = np.zeros((d, D)), np.zeros((k, D)), np.zeros((k, D)), np.zeros(D)
        S_dD[:, :d], q_kD[:, :d], rr_k, mx_D[:d] = M_zz[:d, :d], M_zz[d:, :d], np.diag(M_zz)[d:].copy(), mean_z[:d]
        fit_kd = _best_fit(S_dD[:, :d], q_kD[:, :d])
        unexplained = rr_k - 2 * (fit_kd * q_kD[:, :d]).sum(1) + ((fit_kd @ S_dD[:, :d]) * fit_kd).sum(1)
        if (unexplained < REFINE_BELOW * rr_k).any():
            v_kD[:, :d] = fit_kd
            found = (
                self._about(fit_kd, mean_z)
                if shared is None
                else shared.together("residual_moments", fit_kd, mean_z, self._summing)
            )
            q_kD[:, :d], rr_k = found
        if self._data.is_weighted:
            self._share = total / n
            S_dD, q_kD, rr_k = S_dD / self._share, q_kD / self._share, rr_k / self._share
        return S_dD.reshape(-1), q_kD.reshape(-1), rr_k, mx_D, mean_z[d:].copy(), v_kD.reshape(-1), n, d, k

    def _about(self, fit_kd: Array, mean_z: Array) -> tuple[Array, Array]:
        """The moments q and rr of the residuals of a fit, computed from the residuals themselves."""
        part = functools.partial(moments.of_residuals, self._data, fit_kd=fit_kd, mean_z=mean_z)
        parts = over_parts(part, self._data.n_samples, self._data.n_features, most=self._threads)
        q_kd, rr_k = (torch.stack(list(sums)).sum(0) for sums in zip(*parts, strict=True))
        return q_kd.numpy(), rr_k.numpy()


def _padded(measured: MeasuredRows, d: int, k: int) -> tuple[Any, ...]:
    """The arguments of the kernels, as `StatisticsExecutor._statistics`, of moments that are known."""
    D = rounded_up(d)
    S_dD, q_kD, v_kD, mx_D = np.zeros((d, D)), np.zeros((k, D)), np.zeros((k, D)), np.zeros(D)
    S_dD[:, :d], q_kD[:, :d], v_kD[:, :d] = measured.S_dd, measured.q_kd, measured.fit_kd
    mx_D[:d], my_k = measured.mean_z[:d], measured.mean_z[d:].copy()
    return (
        S_dD.reshape(-1),
        q_kD.reshape(-1),
        measured.rr_k.copy(),
        mx_D,
        my_k,
        v_kD.reshape(-1),
        measured.n_samples,
        d,
        k,
    )


def _kernels(n_features: int, n_targets: int) -> tuple[str, ...]:
    return (*_measuring(n_features, n_targets), "moments.run_steps", "moments.loss_sum")


def _measuring(n_features: int, n_targets: int) -> tuple[str, ...]:
    return () if moments.is_wide(n_features, n_targets) else ("moments.part_moments",)


def _check(plan: StepPlan) -> None:
    reason = not_from_moments(plan)
    if reason:
        raise ValueError(f"statistics cannot run this plan: {reason}; use auto, native or reference")


def _best_fit(S_dd: Array, q_kd: Array) -> Array:
    """An approximate least-squares solution of S v = q for each target; it need not be exact, only close."""
    scale_d = np.sqrt(np.diag(S_dd))
    inverse_d = np.divide(1.0, scale_d, out=np.zeros_like(scale_d), where=scale_d > 0)
    correlations_dd = S_dd * np.outer(inverse_d, inverse_d)
    # A small ridge: with linearly dependent columns it keeps the solution small, as the pseudo-inverse does.
    correlations_dd[np.diag_indices_from(correlations_dd)] += 1e-13 * len(S_dd)
    return np.asarray(np.linalg.solve(correlations_dd, (q_kd * inverse_d).T).T * inverse_d)
