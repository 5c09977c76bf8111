"""What a plan costs on each executor, in seconds; constants of one machine, good for orders of magnitude.

Measured on two shared cores of an AMD EPYC with torch 2.13 and numba 0.68; `make bench` measures the steps again.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from linreg_cli.optim.plan import StepPlan

#: Importing numba and loading kernels that lie compiled on the disk.
LOAD_SECONDS = 0.7
#: Compiling them: the first run of an installation, and of each dtype.
COMPILE_SECONDS = {"native": 12.0, "statistics": 19.0}
#: A fast executor must save this much, or the definition runs: below, nobody would notice.
WORTH = 0.5

_EXECUTORS = Path(__file__).parent / "executors"


@dataclass(frozen=True)
class Cost:
    """Seconds until the first step, and of all steps with the train loss of each epoch."""

    start: float
    steps: float

    @property
    def total(self) -> float:
        """Seconds of everything."""
        return self.start + self.steps

    def __str__(self) -> str:
        return f"{_short(self.total)} ({_short(self.start)} to start)"


def estimate(name: str, plan: StepPlan, n_features: int, n_targets: int, *, cached: bool) -> Cost:
    """The cost of a whole plan.

    Args:
        name: of the executor.
        plan: the steps.
        n_features: columns of X.
        n_targets: columns of y.
        cached: whether its kernels lie compiled on the disk.
    """
    rows = plan.n_samples * plan.epochs
    if name == "reference":
        # Dispatch rules; a row costs what torch's passes over it and over its gradient cost.
        steps = plan.total_steps * 120e-6 + rows * (80e-9 + 1e-9 * n_features * n_targets)
        return Cost(0.0, steps + plan.epochs * 60e-6)
    start = LOAD_SECONDS + (0.0 if cached else COMPILE_SECONDS[name])
    if name == "statistics":
        width = n_features + n_targets
        measuring = plan.n_samples * width * (width + 8) * 0.15e-9
        return Cost(start, measuring + plan.epochs * (60e-6 + 0.5e-9 * n_features**2 * n_targets))
    passing = n_targets * (3e-9 + 0.3e-9 * n_features)
    shuffling = 30e-9 + 1e-9 * n_features if plan.shuffle and plan.batch_size < plan.n_samples else 0.0
    steps = plan.total_steps * (0.1e-6 + 1e-9 * n_features * n_targets)
    # A pass for the steps and one for the loss of each epoch.
    return Cost(start, steps + rows * (2 * passing + shuffling) + plan.epochs * 80e-6)


def kernels_cached(name: str) -> bool:
    """Whether numba's cache on the disk holds the kernels of an executor, newer than their source."""
    sources = {"native": ("native_kernels",), "statistics": ("native_kernels", "statistics_kernels")}.get(name, ())
    folder = os.environ.get("NUMBA_CACHE_DIR")
    places = [Path(folder)] if folder else [_EXECUTORS / "__pycache__"]
    for source in sources:
        changed = (_EXECUTORS / f"{source}.py").stat().st_mtime
        found = (index for place in places for index in place.rglob(f"{source}.run_steps-*.nbi"))
        if not any(index.stat().st_mtime >= changed for index in found):
            return False
    return True


def _short(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 0.1 else f"{float(f'{seconds * 1000:.1g}'):g} ms"
