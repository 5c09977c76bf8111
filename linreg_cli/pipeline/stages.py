"""How long the stages of a run take, in seconds and in seconds of CPU time, for `run.json`."""

import time
from collections.abc import Mapping

from linreg_cli.data.summary import DataSummary
from linreg_cli.findings import Finding
from linreg_cli.optim.fit import Event
from linreg_cli.optim.plan import StepPlan
from linreg_cli.pipeline.prepared import Reporter

#: What is shown while a stage lasts.
READING, READING_STATISTICS, PREPARING = "reading the data", "reading the statistics", "preparing"
EVALUATING, DRAWING = "evaluating", "drawing the pictures"
TRAINING = "training"
#: That -> the stage in `run.json`; what else is shown belongs to the stage in which it is.
_STAGES = {
    READING: "reading",
    READING_STATISTICS: "reading",
    PREPARING: "preparing",
    EVALUATING: "evaluating",
    DRAWING: "drawing",
}


class TimedReporter:
    """A reporter that measures the stages of a run and hands everything on.

    Args:
        reporter: receives everything.
        earlier: what `run.json` says of the stages of a run that goes on, to which the times are added.
    """

    def __init__(self, reporter: Reporter, earlier: Mapping[str, Mapping[str, float]] | None = None) -> None:
        self._reporter = reporter
        self._stages = {name: dict(times) for name, times in (earlier or {}).items()}
        self._current: tuple[str, float, float] | None = None

    def stages(self) -> dict[str, dict[str, float]]:
        """Stage -> its `seconds` and `cpu_seconds`, in the order in which they began; the current one ends."""
        self._begin(None)
        return {name: {key: round(value, 6) for key, value in times.items()} for name, times in self._stages.items()}

    def _begin(self, stage: str | None) -> None:
        now, cpu = time.perf_counter(), time.process_time()
        if self._current is not None:
            name, since, cpu_since = self._current
            times = self._stages.setdefault(name, {"seconds": 0.0, "cpu_seconds": 0.0})
            times["seconds"] += now - since
            times["cpu_seconds"] += cpu - cpu_since
        self._current = None if stage is None else (stage, now, cpu)

    def stage(self, text: str) -> None:
        """See `Reporter`."""
        if text in _STAGES:
            self._begin(_STAGES[text])
        self._reporter.stage(text)

    def training(self, plan: StepPlan, run: str) -> None:
        """See `Reporter`."""
        self._begin(TRAINING)
        self._reporter.training(plan, run)

    def detail(self, text: str) -> None:
        """See `Reporter`."""
        self._reporter.detail(text)

    def warn(self, finding: Finding) -> None:
        """See `Reporter`."""
        self._reporter.warn(finding)

    def data(self, summary: DataSummary) -> None:
        """See `Reporter`."""
        self._reporter.data(summary)

    def event(self, event: Event) -> None:
        """See `Reporter`."""
        self._reporter.event(event)

    def done(self) -> None:
        """See `Reporter`."""
        self._reporter.done()
