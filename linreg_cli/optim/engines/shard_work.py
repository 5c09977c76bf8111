"""The work of one process on the shards that it holds; what it adds up is exchanged with the processes of the others.

Small batches are few bytes: then the others give the first process the rows of many batches at once, and it takes all
steps from them. The same kernel adds up the same rows in the same order, so the bits are those of an exchange in every
step.

Shapes: S shards, W = 1 + k D + K sums of each (loss, sum f x, sum f), D and K rounded up to whole vectors. Every method
gives the same in every process, and is called in all of them at once, but for `run` where `steps_at_once` says so.
"""

import contextlib
import functools
import itertools
import operator
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import torch

from linreg_cli.optim.engines import moments, shard_device
from linreg_cli.optim.engines.costs import steps_at_once
from linreg_cli.optim.engines.kernels.loader import Kernel, kernel
from linreg_cli.optim.engines.kernels.signatures import LANES
from linreg_cli.optim.engines.native import LOSS_CODES, WIDE_ROWS, flat, pass_kernel
from linreg_cli.optim.engines.parameters import PackedParameters, rounded_up
from linreg_cli.optim.engines.parts import in_threads, part_rows
from linreg_cli.optim.engines.shard_batches import Batches, of_epoch
from linreg_cli.optim.engines.threads import one_thread
from linreg_cli.optim.plan import StepPlan
from linreg_cli.optim.rows import TrainRows, row_bytes
from linreg_cli.optim.transfer import of_process

Array = np.ndarray[Any, np.dtype[Any]]


#: The kernels that take steps: of rows without and with weights.
STEPS = "shards.run_steps", "shards.weighted_run_steps"


class Exchange(Protocol):
    """What the processes use to give each other the sums of their shards, and the first one their rows."""

    def gather(self, parts_SW: Array) -> None:
        """Fill in the rows of the shards that other processes hold, in every process."""

    def batches(self, own: Batches, epoch: int, first: int, count: int, at_once: int) -> Generator[Batches, None, None]:
        """As the first process, some batches of an epoch with the rows of all shards, `at_once` of them at a time."""


class ShardWork:
    """Steps and sums of a plan with shards, on the rows of the shards `held`.

    Args:
        plan: the steps; its learning rate is not asked for.
        rows: those of the shards that this process holds, on the CPU.
        held: the numbers of these shards.
        exchange: with the processes that hold the others; None: this one holds all.
    """

    def __init__(self, plan: StepPlan, rows: TrainRows, held: range, exchange: Exchange | None = None) -> None:
        assert plan.shards is not None
        self.plan, self._rows, self._held, self._exchange = plan, rows.contiguous(), held, exchange
        self._count, self._first_row = plan.shards.count, int(plan.shards.bounds[held.start])
        self._bounds = plan.shards.bounds[held.start : held.stop + 1] - self._first_row
        self._flat = flat(self._rows)
        self._d, self._k = rows.n_features, rows.n_targets
        self._width = 1 + self._k * rounded_up(self._d) + rounded_up(self._k)
        self._row_dtype = "int32" if plan.n_samples < WIDE_ROWS else "int64"
        self._epoch: tuple[int, Batches] | None = None

    @property
    def steps_at_once(self) -> int:
        """Of how many steps the first process is given the rows, to take them alone; 0: each adds up its shards."""
        if self._exchange is None or self.plan.is_full_batch:
            return 0
        return steps_at_once(self.plan, row_bytes(self._rows))

    def load(self, kernels: Sequence[str]) -> None:
        """Load or compile the kernels of these names.

        Raises:
            EngineError: if that fails.
        """
        for name in kernels:
            self._kernel(name)

    def _kernel(self, name: str) -> Kernel:
        return kernel(name, self._rows.dtype, self._row_dtype if name in STEPS else "int32")

    def run(self, packed: PackedParameters, start: int, rates: Array, count: int, device: str | None = None) -> Array:
        """Take `count` steps from step `start` on, or stop before the update at a loss that is not finite.

        Args:
            packed: parameters and momentum buffers, changed in place.
            start: number of the first step.
            rates: the learning rates of the epochs of these steps.
            count: of the steps.
            device: its name, of that which adds up, as `transfer.of_process` takes it; None: the CPU.

        Returns:
            The loss of each batch before its update, float64.
        """
        losses, taken, first_epoch = np.empty(count), 0, self.plan.locate(start)[0]
        while taken < count:
            epoch, position = self.plan.locate(start + taken)
            steps = min(count - taken, self.plan.steps_per_epoch - position)
            part = losses[taken : taken + steps]
            done = self._run_epoch(packed, epoch, position, float(rates[epoch - first_epoch]), part, device)
            taken += done
            packed.has_buffer = packed.has_buffer or self.plan.momentum != 0
            if not np.isfinite(part[done - 1]):
                break
        return losses[:taken]

    def loss_sum(self, packed: PackedParameters, device: str | None = None) -> float:
        """The sum of the element losses over the whole train split; `device` as in `run`."""
        parts_SW = np.zeros((self._count, 1))
        self._pass_over(packed, parts_SW, device, gradient=False)
        self._gather(parts_SW)
        return float(_in_order(parts_SW[:, 0]))

    def moments(self, device: str | None = None) -> list[moments.Moments]:
        """Sum of weights, means and centred second moments of [x | y] of each shard; without rows they are 0.

        Args:
            device: its name, of that which computes them, as `transfer.of_process` takes it; None: the CPU.
        """
        z, onto = self._d + self._k, None if device is None else of_process(device)
        parts_SW = np.zeros((self._count, 1 + z + z * z))
        by_product = onto is not None or moments.is_wide(self._d, self._k) or self._rows.is_weighted
        part = functools.partial(moments.of_part, self._rows, onto=onto)
        by_shard = self._by_shard(part, by_product=by_product)
        for shard, parts in by_shard.items():
            rows, mean_z, M_zz = moments.merged(parts)
            parts_SW[shard] = np.concatenate([[rows], mean_z, M_zz.reshape(-1)])
        self._gather(parts_SW)
        return [(float(part[0]), part[1 : 1 + z], part[1 + z :].reshape(z, z)) for part in parts_SW]

    def weight_sum(self) -> float:
        """The sum of the weights of all rows; without weights their number."""
        parts_SW = np.zeros((self._count, 1))
        for shard, (first, last) in zip(self._held, itertools.pairwise(self._bounds.tolist()), strict=True):
            weight_n = self._rows.weight_n
            parts_SW[shard] = last - first if weight_n is None else weight_n[first:last].numpy().sum(dtype=np.float64)
        self._gather(parts_SW)
        return float(_in_order(parts_SW[:, 0]))

    def residual_moments(self, fit_kd: Array, mean_z: Array, device: str | None = None) -> tuple[Array, Array]:
        """Sums of r x and r^2 over all rows, for the residuals of a fit; as `moments.of_residuals` and `moments`."""
        (k, d), onto = fit_kd.shape, None if device is None else of_process(device)
        parts_SW = np.zeros((self._count, k * d + k))
        part = functools.partial(moments.of_residuals, self._rows, fit_kd=fit_kd, mean_z=mean_z, onto=onto)
        by_shard = self._by_shard(part, by_product=True)
        for shard, parts in by_shard.items():
            for q_kd, rr_k in parts:
                parts_SW[shard] += np.concatenate([q_kd.numpy().reshape(-1), rr_k.numpy()])
        self._gather(parts_SW)
        total = _in_order(parts_SW)
        return total[: k * d].reshape(k, d), total[k * d :]

    def _run_epoch(
        self, packed: PackedParameters, epoch: int, position: int, rate: float, losses: Array, device: str | None
    ) -> int:
        """Take len(losses) steps of one epoch; returns the number of losses computed."""
        parts_SW = np.zeros((self._count, self._width))
        if self.plan.is_full_batch:
            self._pass_over(packed, parts_SW, device, gradient=True)
            self._gather(parts_SW)
            return self._steps(packed, self._nothing, position, rate, losses, parts_SW, adding=False)
        batches, onto = self.batches(epoch), None if device is None else of_process(device)
        if self._exchange is None:
            return self._taken(packed, batches, position, rate, losses, parts_SW, onto)
        if at_once := self.steps_at_once:
            with contextlib.closing(self._exchange.batches(batches, epoch, position, len(losses), at_once)) as found:
                return self._taken_from(found, at_once, packed, position, rate, losses, parts_SW, onto)
        for step in range(len(losses)):
            here = packed, batches, position + step, rate, losses[step : step + 1], parts_SW
            if onto is None:
                self._steps(*here, updating=False)
            else:
                self._add_up(packed, batches, position + step, parts_SW, onto)
            self._gather(parts_SW)
            self._steps(*here, adding=False)
            packed.has_buffer = packed.has_buffer or self.plan.momentum != 0
            if not np.isfinite(losses[step]):
                return step + 1
        return len(losses)

    def _taken_from(
        self, found: Iterator[Batches], at_once: int, packed: PackedParameters, position: int, rate: float,
        losses: Array, parts_SW: Array, onto: torch.device | None,
    ) -> int:  # fmt: skip
        """As `_taken`, of batches that come `at_once` at a time."""
        taken = 0
        for batches in found:
            part = losses[taken : taken + at_once]
            taken += self._taken(packed, batches, position + taken, rate, part, parts_SW, onto)
            packed.has_buffer = packed.has_buffer or self.plan.momentum != 0
            if not np.isfinite(losses[taken - 1]):
                break
        return taken

    def _taken(
        self, packed: PackedParameters, batches: Batches, position: int, rate: float, losses: Array, parts_SW: Array,
        onto: torch.device | None,
    ) -> int:  # fmt: skip
        """As `_steps`, with the rows of all shards, whose sums are those of a device; None: of the CPU."""
        if onto is None:
            return self._steps(packed, batches, position, rate, losses, parts_SW)
        for step in range(len(losses)):
            self._add_up(packed, batches, position + step, parts_SW, onto)
            here = packed, self._nothing, position + step, rate, losses[step : step + 1], parts_SW
            self._steps(*here, adding=False)
            packed.has_buffer = packed.has_buffer or self.plan.momentum != 0
            if not np.isfinite(losses[step]):
                return step + 1
        return len(losses)

    def _add_up(
        self, packed: PackedParameters, batches: Batches, position: int, parts_SW: Array, onto: torch.device
    ) -> None:
        """Put the sums of the rows of a batch into the places of their shards, as a device adds them up."""
        parts_SW[:], parameters = 0.0, shard_device.parameters_on(packed, self._d, self._k, onto)
        for shard in batches.shards:
            if (found := batches.of_shard(position - batches.first, shard)) is not None:
                parts_SW[shard] = shard_device.sums_of(self.plan.loss, *found, parameters)

    @property
    def _nothing(self) -> Batches:
        """What the kernel is given for rows whose sums are there already."""
        return Batches(self._rows, np.empty(0, self._row_dtype), np.empty(0, self._row_dtype), self._held)

    def _steps(
        self, packed: PackedParameters, batches: Batches, position: int, rate: float, losses: Array, parts_SW: Array,
        *, adding: bool = True, updating: bool = True,
    ) -> int:  # fmt: skip
        """Call the kernel, which counts from the first of the batches; see `kernels.shards.run_steps`."""
        plan, held = self.plan, batches.shards
        n_samples = plan.n_samples - batches.first * plan.batch_size
        run_steps = self._kernel(STEPS[self._rows.is_weighted])
        return int(
            run_steps(
                *batches.arrays, batches.ends, len(held), held.start, self._count,
                packed.w, packed.b, packed.mw, packed.mb, packed.has_buffer, self._d, self._k, n_samples,
                plan.batch_size, packed.bias, LOSS_CODES[plan.loss.name], plan.loss.huber_delta, rate, plan.momentum,
                plan.dampening, plan.weight_decay, plan.nesterov, position - batches.first, losses, len(losses), adding,
                updating, parts_SW, *_workspace(packed),
            )
        )  # fmt: skip

    def _pass_over(self, packed: PackedParameters, parts_SW: Array, device: str | None, *, gradient: bool) -> None:
        """Put the sums of the held shards over all of their rows into their place; only the loss without `gradient`."""
        if device is not None:
            parameters = shard_device.parameters_on(packed, self._d, self._k, of_process(device))
            for shard, (first, last) in zip(self._held, itertools.pairwise(self._bounds.tolist()), strict=True):
                if last > first:
                    rows = self._rows.part(first, last)
                    found = shard_device.sums_of(self.plan.loss, rows, None, parameters, gradient=gradient)
                    parts_SW[shard] = found
            return
        pass_over, loss = self._kernel(pass_kernel(weighted=self._rows.is_weighted)), self.plan.loss

        def part(first: int, last: int) -> Array:
            dots_8, g_kD, gb_k = _workspace(packed)
            value = pass_over(
                *self._flat, first, last, packed.w, packed.b, self._d, self._k, LOSS_CODES[loss.name],
                loss.huber_delta, dots_8, g_kD, gb_k, gradient,
            )  # fmt: skip
            return np.concatenate([[value], g_kD, gb_k]) if gradient else np.array([value])

        for shard, parts in self._by_shard(part).items():
            parts_SW[shard] = _in_order(parts)

    def _by_shard(self, part: Callable[[int, int], Any], *, by_product: bool = False) -> dict[int, list[Any]]:
        """Call a function for the parts of every shard that is held, on several threads.

        On one where it uses torch's matrix products, which may add up in another order on several.
        """
        bounds = [
            (shard, first, min(first + part_rows(self._d), int(last)))
            for shard, (begin, last) in zip(self._held, itertools.pairwise(self._bounds), strict=True)
            for first in range(int(begin), int(last), part_rows(self._d))
        ]
        if by_product:
            with one_thread():
                found = [part(*bound[1:]) for bound in bounds]
        else:
            found = in_threads(lambda bound: part(*bound[1:]), bounds)
        return {
            shard: [result for result, bound in zip(found, bounds, strict=True) if bound[0] == shard]
            for shard in dict.fromkeys(bound[0] for bound in bounds)
        }

    def batches(self, epoch: int) -> Batches:
        """The batches of an epoch, of the rows that are held."""
        if self._epoch is None or self._epoch[0] != epoch:
            self._epoch = None  # first: two orders would take twice the memory
            self._epoch = epoch, of_epoch(self.plan, self._rows, self._held, epoch, self._row_dtype)
        return self._epoch[1]

    def _gather(self, parts_SW: Array) -> None:
        if self._exchange is not None:
            self._exchange.gather(parts_SW)


def _workspace(packed: PackedParameters) -> tuple[Array, Array, Array]:
    """As `native`: eight dot products, the gradient of the weights, the gradient of the bias."""
    return np.empty(LANES, packed.w.dtype), np.empty(len(packed.w)), np.empty(len(packed.b))


def _in_order(parts: Any) -> Any:
    """The sum of numbers or arrays, one after the other; numpy's own sum adds pairs."""
    return functools.reduce(operator.add, parts)
