"""What a plan costs on each executor, in seconds; constants of one machine, good for orders of magnitude.

Measured on two shared cores of an AMD EPYC with torch 2.13 and numba 0.68; `make bench` measures the steps again.
"""

from dataclasses import dataclass

from linreg_cli.optim.plan import StepPlan

#: Importing LLVM's binding and loading kernels that lie compiled on the disk: 0.03 to 0.06, from the executor being
#: chosen to the train loss after an epoch of 2,000 rows.
LOAD_SECONDS = 0.05
#: Importing numba and compiling them, the first run of an installation, and of each dtype: the same with an empty
#: cache; 3.4 for `native` with steps of single rows.
COMPILE_SECONDS = {"native": 5.0, "statistics": 2.3}
#: A fast executor must save this much, or the definition runs: below, nobody would notice.
MIN_SAVING = 0.5


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


def estimate(name: str, plan: StepPlan, n_features: int, n_targets: int, *, compiled: bool) -> Cost:
    """The cost of a whole plan.

    Args:
        name: of the executor.
        plan: the steps.
        n_features: columns of X.
        n_targets: columns of y.
        compiled: whether its kernels lie compiled on the disk, as the executor's `is_compiled` says.
    """
    rows = plan.n_samples * plan.epochs
    if name == "reference":
        # Dispatch rules; a row costs what torch's passes over it and over its gradient cost.
        steps = plan.total_steps * 120e-6 + rows * (80e-9 + 1e-9 * n_features * n_targets)
        return Cost(0.0, steps + plan.epochs * 60e-6)
    start = LOAD_SECONDS + (0.0 if compiled else COMPILE_SECONDS[name])
    if name == "statistics":
        width = n_features + n_targets
        measuring = plan.n_samples * (1.5e-9 + 0.2e-9 * width + 0.015e-9 * width**2) + 0.1e-9 * n_features**3
        return Cost(start, measuring + plan.epochs * (60e-6 + 0.5e-9 * n_features**2 * n_targets))
    passing = n_targets * (0.5e-9 + 0.15e-9 * n_features)
    shuffling = 12e-9 + 0.5e-9 * n_features if plan.rows.is_random else 0.0
    steps = plan.total_steps * (8e-9 + 0.2e-9 * n_features * n_targets)
    # A pass for the steps and one for the loss of each epoch.
    return Cost(start, steps + rows * (2 * passing + shuffling) + plan.epochs * 80e-6)


def _short(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 0.1 else f"{float(f'{seconds * 1000:.1g}'):g} ms"
