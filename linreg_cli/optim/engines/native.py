"""The native executor: compiled steps on the CPU, a whole segment in one call."""

import functools
from typing import Any

import numpy as np
import torch
from torch import Tensor

from linreg_cli.optim.engines.kernels import disk
from linreg_cli.optim.engines.kernels.loader import kernel, load
from linreg_cli.optim.engines.kernels.signatures import LANES
from linreg_cli.optim.engines.parameters import PackedParameters
from linreg_cli.optim.engines.parts import READERS, over_parts, part_rows
from linreg_cli.optim.engines.windows import Window, windows_of
from linreg_cli.optim.losses import loss_scale
from linreg_cli.optim.plan import StepPlan
from linreg_cli.optim.rows import AnyRows, StoredRows, TrainRows, sum_of_weights
from linreg_cli.optim.state import TrainingState

Array = np.ndarray[Any, np.dtype[Any]]

LOSS_CODES = {"mse": 0, "sse": 1, "half_mse": 2, "mae": 3, "huber": 4}

#: From so many rows on, a row order needs int64. Below, int32 takes half the memory and bandwidth.
WIDE_ROWS = 2**31

SINGLE_ROWS = "single_rows.run_steps"


class NativeExecutor:
    """Runs the steps of a plan on one core, and passes over all rows on every core that torch may use.

    Results are those of the reference within rounding error. For float32 models, products and sums over up to eight
    rows are float32 and longer sums float64; for float64 models everything is float64.

    Args:
        rows: the train split, on the CPU.

    Raises:
        ValueError: for rows that are not on the CPU.
    """

    name = "native"

    def __init__(self, rows: AnyRows) -> None:
        if rows.device.type != "cpu":
            raise ValueError(f"native runs on the CPU and the data is on {rows.device}; use reference, or device: cpu")
        self._n, self._d, self._k = rows.n_samples, rows.n_features, rows.n_targets
        self._rows = rows.contiguous()
        # Once: slices of tensors as arrays take a quarter of a pass over 500,000 x 8.
        self._flat = flat(self._rows) if isinstance(self._rows, TrainRows) else None
        self._dtype = rows.dtype
        self._order = "int32" if self._n < WIDE_ROWS else "int64"
        self._as_given = np.empty(0, self._order)
        self._windows = windows_of(self._rows, getattr(torch, self._order))
        self._pass_kernel = pass_kernel(weighted=rows.is_weighted)

    @staticmethod
    def is_compiled(plan: StepPlan, n_features: int, n_targets: int, dtype: str, *, weighted: bool = False) -> bool:
        """Whether the compiled kernels that a plan needs are on the disk; as `ReferenceExecutor.is_compiled`."""
        parts = _in_parts(plan, n_features)
        step = "batches.update" if parts else _steps_kernel(plan, n_targets, weighted=weighted)
        return all(disk.exists(name, dtype) for name in (pass_kernel(weighted=weighted), step))

    def load(self, plan: StepPlan) -> None:
        """Load or compile the kernels that a plan needs; as `ReferenceExecutor.load`."""
        step = "batches.update", self._dtype, "int32"
        if not _in_parts(plan, self._d):
            step = _steps_kernel(plan, self._k, weighted=self._rows.is_weighted), self._dtype, self._order
        load([(self._pass_kernel, self._dtype, "int32"), step], elsewhere=isinstance(self._rows, StoredRows))

    def run(self, plan: StepPlan, state: TrainingState, start: int, stop: int) -> Tensor:
        """Take the steps `start` to `stop - 1`; as `ReferenceExecutor.run`."""
        assert state.step == start, (state.step, start)
        packed = PackedParameters(state)
        losses = np.empty(stop - start)
        if _in_parts(plan, self._d):
            taken = self._run_full_batches(plan, packed, start, losses)
        else:
            taken = self._run_epochs(plan, packed, start, losses)
        losses = losses[:taken]
        updates = taken if taken == 0 or np.isfinite(losses[-1]) else taken - 1
        packed.write_back(state, plan, updates)
        state.step += updates
        if state.step == plan.total_steps:
            self._windows.forget()
        return torch.from_numpy(losses)

    def train_loss(self, plan: StepPlan, state: TrainingState) -> float:
        """The loss over the whole train split at the parameters of the state, accumulated in float64."""
        value, _, _ = self._pass_over(plan, PackedParameters(state), gradient=False)
        return plan.loss.of_sum(value, self._weight * self._k)

    @functools.cached_property
    def _weight(self) -> float:
        """The sum of the weights of all rows."""
        return sum_of_weights(self._rows)

    def _run_epochs(self, plan: StepPlan, packed: PackedParameters, start: int, losses: Array) -> int:
        """One compiled call for all steps of a window: all of them if rows in memory come as given, or an epoch's."""
        taken = 0
        while taken < len(losses):
            step = start + taken
            window = self._windows.of(plan, step)
            steps = min(len(losses) - taken, window.stop - step)
            first_epoch, last_epoch = plan.locate(step)[0], plan.locate(step + steps - 1)[0]
            rates = np.array([plan.learning_rate(e) for e in range(first_epoch, last_epoch + 1)], dtype=np.float64)
            part = losses[taken : taken + steps]
            done = self._run_steps(plan, packed, window, window.batch(plan, step), rates, part)
            taken += done
            packed.has_buffer = packed.has_buffer or plan.momentum != 0
            if not np.isfinite(part[done - 1]):
                break
        return taken

    def _run_steps(
        self, plan: StepPlan, packed: PackedParameters, window: Window, position: int, rates: Array, losses: Array
    ) -> int:
        """Take len(losses) steps from batch `position` of a window on; returns the number of losses computed."""
        order = self._as_given if window.order is None else window.order.numpy()
        data, n = (*flat(window.rows), order, len(order) > 0), window.rows.n_samples
        parameters = packed.w, packed.b, packed.mw, packed.mb, packed.has_buffer
        setting = packed.bias, LOSS_CODES[plan.loss.name], plan.loss.huber_delta, rates, *_rule(plan), position
        name = _steps_kernel(plan, self._k, weighted=self._rows.is_weighted)
        run_steps = kernel(name, self._dtype, self._order)
        if name == SINGLE_ROWS:
            return int(run_steps(*data, *parameters, self._d, n, *setting, losses, len(losses)))
        shape = self._d, self._k, n, plan.batch_size
        return int(run_steps(*data, *parameters, *shape, *setting, losses, len(losses), *_workspace(packed)))

    def _run_full_batches(self, plan: StepPlan, packed: PackedParameters, start: int, losses: Array) -> int:
        """For each step, a pass over all rows on every core and one update."""
        count = 1.0 if plan.loss.is_sum else float(self._n * self._k)
        # What the sums of the slopes are multiplied by: those of squared losses come without their factor.
        scale = 2 * loss_scale(plan.loss.name, self._n, self._k) if plan.loss.is_squared else 1 / count
        dtype, update = packed.w.dtype.type, kernel("batches.update", self._dtype)
        for step in range(len(losses)):
            value, g_kD, gb_k = self._pass_over(plan, packed, gradient=True)
            with np.errstate(over="ignore", invalid="ignore"):
                losses[step] = dtype(value) / dtype(count)
            if not np.isfinite(losses[step]):
                return step + 1
            rule = plan.learning_rate(start + step), *_rule(plan)
            update(packed.w, packed.mw, g_kD, len(g_kD), scale, packed.has_buffer, *rule)
            if packed.bias:
                update(packed.b, packed.mb, gb_k, len(gb_k), scale, packed.has_buffer, *rule)
            packed.has_buffer = packed.has_buffer or plan.momentum != 0
        return len(losses)

    def _pass_over(self, plan: StepPlan, packed: PackedParameters, *, gradient: bool) -> tuple[float, Array, Array]:
        """The sum of the element losses over all rows, and the gradient without its scale, summed part by part."""
        pass_over = kernel(self._pass_kernel, self._dtype)

        def part(first: int, last: int) -> tuple[float, Array, Array]:
            dots_8, g_kD, gb_k = _workspace(packed)
            value = pass_over(
                *self._read(first, last), packed.w, packed.b, self._d, self._k,
                LOSS_CODES[plan.loss.name], plan.loss.huber_delta, dots_8, g_kD, gb_k, gradient,
            )  # fmt: skip
            return float(value), g_kD, gb_k

        parts = over_parts(part, self._n, self._d, most=READERS if isinstance(self._rows, StoredRows) else None)
        value, g_kD, gb_k = parts[0]
        for more, g_more, gb_more in parts[1:]:
            value += more
            if gradient:
                g_kD += g_more
                gb_k += gb_more
        return value, g_kD, gb_k

    def _read(self, first: int, last: int) -> tuple[Any, ...]:
        """Arrays with the rows `first` to `last - 1`, and where in these they begin and end."""
        if self._flat is None:
            return *flat(self._rows.part(first, last)), 0, last - first
        return *self._flat, first, last


def _in_parts(plan: StepPlan, n_features: int) -> bool:
    """Whether a step is a full batch with enough rows to share the pass between cores."""
    return plan.is_full_batch and plan.n_samples > part_rows(n_features)


def pass_kernel(*, weighted: bool) -> str:
    """The name of the kernel for the pass over some rows."""
    return "batches.weighted_pass_over" if weighted else "batches.pass_over"


def _steps_kernel(plan: StepPlan, n_targets: int, *, weighted: bool) -> str:
    """The name of the kernel that takes many steps in one call."""
    if weighted:
        return "batches.weighted_run_steps"
    return SINGLE_ROWS if plan.batch_size == n_targets == 1 else "batches.run_steps"


def _rule(plan: StepPlan) -> tuple[float, float, float, bool]:
    return plan.momentum, plan.dampening, plan.weight_decay, plan.nesterov


def _workspace(packed: PackedParameters) -> tuple[Array, Array, Array]:
    """Arrays that kernels write to: eight dot products, the gradient of the weights, the gradient of the bias."""
    return np.empty(LANES, packed.w.dtype), np.empty(len(packed.w)), np.empty(len(packed.b))


def flat(rows: TrainRows) -> tuple[Array, ...]:
    """X, y and the weights, if there are any, as one-dimensional arrays, as kernels take them."""
    arrays = [rows.X_nd, rows.y_nk, *([] if rows.weight_n is None else [rows.weight_n])]
    return tuple(each.reshape(-1).numpy() for each in arrays)
