"""A cost model of the executors, in seconds, to choose between them. It is good for orders of magnitude.

Its constants were measured on two shared cores of an AMD EPYC with torch 2.13 and numba 0.68; `make bench` measures the
steps again. Those of a CUDA device were not measured: they are round numbers of the kind that makers publish, and
`python -m benchmarks.cuda` measures what they stand for.
"""

import math
from dataclasses import dataclass

from linreg_cli.optim.engines.affine import chunk_steps
from linreg_cli.optim.plan import StepPlan
from linreg_cli.wording import number, rounded

#: Importing LLVM's binding and loading compiled kernels from the disk: 0.03 to 0.06, measured from the choice of the
#: executor to the train loss after an epoch of 2,000 rows.
LOAD_SECONDS = 0.05
#: Importing numba and compiling the kernels, in the first run of an installation and of each dtype: measured likewise,
#: with an empty cache; 3.4 for `native` with batches of one row.
COMPILE_SECONDS = {"native": 5.0, "statistics": 2.3, "sharded": 5.0}
#: One exchange of sums between processes on one machine, with what Python does around it.
EXCHANGE_SECONDS = 400e-6
#: Bytes a second of what processes give each other.
BYTES_A_SECOND = 5e8
#: Bytes of the rows of the batches that the first process is given at once.
BYTES_AT_ONCE = 2 * 2**20
#: What a run takes beside its steps, for each number of the train split: 0.40 and 0.45 microseconds, measured in one
#: process on 1,000,000 x 33 (Parquet) and x 9 (CSV), where one thread does nearly all of it.
AROUND_SECONDS = 0.4e-6
#: The part of it that several processes do not save. Measured on the first table: the first of two takes 0.66 to 0.70
#: of the CPU time of one process (three rounds on a busy machine), with what only the first one does.
UNDIVIDED = 0.4
#: Torch's launcher, which imports torch before it starts the processes.
LAUNCHER_SECONDS = 2.4
#: A compiled executor is chosen only if it saves more seconds than this; a smaller saving would not be noticed.
MIN_SAVING = 0.5

#: An operation of torch on a device; those of a step of the reference, forward, backward and update, with its loss read
#: back; those of a chunk of affine steps besides its levels, and of a level.
LAUNCH_SECONDS, STEP_LAUNCHES, CHUNK_LAUNCHES, LEVEL_LAUNCHES = 10e-6, 25, 60, 8
#: Bytes a second of a device's memory, and its multiplications and additions in float64, of a small one.
DEVICE_BYTES, DEVICE_FLOPS = 5e11, 3e11
#: The reference keeps its place on a device unless another executor is estimated at less than its cost over this: the
#: constants were not measured.
UNMEASURED = 4


@dataclass(frozen=True)
class Cost:
    """The estimated cost of a plan on one executor.

    Attributes:
        start: seconds until the first step: loading or compiling kernels.
        steps: seconds for all steps and the train loss after each epoch.

    >>> cost = Cost(start=0.05, steps=1.2)
    >>> cost.total, str(cost)
    (1.25, '1.2 s (50 ms to start)')
    """

    start: float
    steps: float

    @property
    def total(self) -> float:
        """start + steps, in seconds."""
        return self.start + self.steps

    def __str__(self) -> str:
        return f"{_short(self.total)} ({_short(self.start)} to start)"


def estimate(
    name: str, plan: StepPlan, n_features: int, n_targets: int, *, compiled: bool, processes: int = 1,
    stored: bool = False, threads: int = 1,
) -> Cost:  # fmt: skip
    """The estimated cost of a plan on an executor.

    Args:
        name: `reference`, `native`, `statistics` or `sharded`.
        plan: the steps.
        n_features: columns of X.
        n_targets: columns of y.
        compiled: whether the compiled kernels are on the disk, from the executor's `is_compiled`.
        processes: that share the rows.
        stored: whether the rows stay on the disk, and one process reads them in every epoch.
        threads: of a process; they share passes over all rows.
    """
    rows = plan.n_samples * plan.epochs
    if name == "reference":
        # The overhead of torch's calls dominates; then the passes over each row, forward and backward.
        steps = plan.total_steps * 120e-6 + rows * (80e-9 + 1e-9 * n_features * n_targets)
        return Cost(0.0, steps + plan.epochs * 60e-6)
    start = LOAD_SECONDS + (0.0 if compiled else COMPILE_SECONDS[name])
    if name == "statistics":
        width = n_features + n_targets
        measuring = plan.n_samples * (1.5e-9 + 0.2e-9 * width + 0.015e-9 * width**2) + 0.1e-9 * n_features**3
        measuring = measuring / processes / threads + (processes > 1) * _sending(plan, width, processes)
        return Cost(start, measuring + plan.epochs * (60e-6 + 0.5e-9 * n_features**2 * n_targets))
    passing = n_targets * (0.5e-9 + 0.15e-9 * n_features)
    shuffling = 12e-9 + 0.5e-9 * n_features if plan.rows.is_random else 0.0
    steps = plan.total_steps * (8e-9 + 0.2e-9 * n_features * n_targets)
    # Two passes per epoch: one for the steps and one for the train loss.
    passes = rows * (2 * passing / threads if plan.is_full_batch else passing / threads + passing + shuffling)
    if stored and processes == 1:
        passes += 2 * rows * (n_features + n_targets) * 4 / BYTES_A_SECOND
    if processes > 1:
        row = 4 * (n_features + n_targets)
        at_once = 0 if plan.is_full_batch else steps_at_once(plan, row)
        steps += plan.epochs * EXCHANGE_SECONDS
        if at_once:  # the first process takes every step, and is given the rows of the others
            given = (1 - 1 / processes) * row / BYTES_A_SECOND
            steps += rows * (passing + given) + plan.total_steps / at_once * EXCHANGE_SECONDS
            passes = rows * (passing + shuffling) / processes
        else:
            steps += plan.total_steps * EXCHANGE_SECONDS
            passes /= processes
        passes += _sending(plan, n_features + n_targets, processes)
    return Cost(start, steps + passes + plan.epochs * 80e-6)


def estimate_on_device(
    name: str, plan: StepPlan, n_features: int, n_targets: int, *, compiled: bool, stored: bool = False
) -> Cost:
    """The estimated cost of a plan on an executor on a CUDA device; its constants were not measured.

    Args:
        name: `reference`, `statistics` or `affine`.
        plan: the steps.
        n_features: columns of X.
        n_targets: columns of y.
        compiled: as in `estimate`.
        stored: whether the rows stay on the disk, and are moved to the device in every pass.
    """
    columns, width = n_features + n_targets, n_features + 1
    row, rows = 4 * columns, plan.n_samples * plan.epochs
    reading = row / BYTES_A_SECOND if stored else row / DEVICE_BYTES
    if name == "statistics":
        measuring = plan.n_samples * (2 * columns**2 / DEVICE_FLOPS + 6 * row / DEVICE_BYTES + 2 * reading)
        start = LOAD_SECONDS + (0.0 if compiled else COMPILE_SECONDS[name])
        return Cost(start, measuring + plan.epochs * (60e-6 + 0.5e-9 * n_features**2 * n_targets))
    # Two passes over the rows in an epoch: one for the steps and one for the train loss.
    passes = rows * (2 * reading + 6 * row / DEVICE_BYTES) + plan.epochs * LAUNCH_SECONDS
    if name == "reference":
        return Cost(0.0, passes + plan.total_steps * STEP_LAUNCHES * LAUNCH_SECONDS)
    size, state = chunk_steps(plan, n_features), width * (2 if plan.momentum else 1)
    chunks = plan.epochs * math.ceil(plan.steps_per_epoch / size)
    launches = chunks * (CHUNK_LAUNCHES + LEVEL_LAUNCHES * size.bit_length()) * LAUNCH_SECONDS
    products = rows * 2 * width * (width + 3 * n_targets) + chunks * size * 2 * state**2 * (state + 2 * n_targets)
    return Cost(0.0, passes + launches + products / DEVICE_FLOPS)


def steps_at_once(plan: StepPlan, row_bytes: int) -> int:
    """Of how many steps the first of several processes is given the rows at once; 0: they exchange sums in each step.

    Args:
        plan: steps of less than a full batch.
        row_bytes: bytes of a row.

    >>> from linreg_cli.optim.losses import Loss
    >>> def steps(size): return StepPlan(10**6, size, 1, False, 0, Loss("mse"), lambda epoch: 0.1)
    >>> steps_at_once(steps(32), 36), steps_at_once(steps(65_536), 36)
    (1820, 0)
    """
    travelling = plan.batch_size * row_bytes
    return 0 if travelling > EXCHANGE_SECONDS * BYTES_A_SECOND else max(1, BYTES_AT_ONCE // travelling)


def _sending(plan: StepPlan, n_columns: int, processes: int) -> float:
    """Seconds for giving other processes their rows, once; all do so at the same time."""
    return plan.n_samples * (1 - 1 / processes) / processes * n_columns * 4e-9


def around_the_steps(plan: StepPlan, n_columns: int, processes: int = 1) -> float:
    """Seconds of reading, scaling, the exact fit, metrics and files, and of starting several processes.

    Args:
        plan: the steps.
        n_columns: features and targets.
        processes: that share the rows.
    """
    alone = plan.n_samples * n_columns * AROUND_SECONDS
    return alone if processes == 1 else LAUNCHER_SECONDS + alone * (UNDIVIDED + (1 - UNDIVIDED) / processes)


def _short(seconds: float) -> str:
    return f"{number(seconds, 2)} s" if seconds >= 0.1 else f"{number(rounded(seconds * 1000, 1))} ms"
