"""The points of a sweep, as one process trains them one after the other, and what it answers to the sweep."""

import functools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TextIO

from linreg_cli.config import LoadedConfig, load_config
from linreg_cli.errors import DivergedError, Interrupted, LinregError, OutOfMemoryError, StoreError
from linreg_cli.findings import Finding
from linreg_cli.optim.plan import StepPlan
from linreg_cli.pipeline.prepare import prepare
from linreg_cli.pipeline.shared_rows import SharedRows
from linreg_cli.pipeline.silent import Silent
from linreg_cli.pipeline.sweep_tasks import Tasks
from linreg_cli.pipeline.workflow import resume_run, train_run
from linreg_cli.runs.lock import in_use
from linreg_cli.runs.signals import StopRequests
from linreg_cli.runs.store import RunFolder

Answer = Callable[[dict[str, Any]], None]


def serve(tasks: Tasks, answers: TextIO, config: str, outputs: Path, command: Sequence[str]) -> None:
    """Do what a sweep asks for, until it is gone.

    Args:
        tasks: `{"point", "overrides", "about", "resume"}` trains a point, `{"auto": overrides}` says what `auto` would
            choose, `{"stop": signal}` ends the current run after its step.
        answers: a line of JSON for each thing that happens.
        config: the config of the sweep.
        outputs: the folder of the runs.
        command: the command line of the sweep.
    """

    def answer(values: dict[str, Any]) -> None:
        tasks.run_has_begun |= "begun" in values
        answers.write(json.dumps(values) + "\n")
        answers.flush()

    points = Points(config, outputs, command, tasks.stops, answer)
    while (task := tasks.next()) is not None:
        points.do(task)
        tasks.run_has_begun = False


class Points:
    """The points that one process trains, with the rows that they share."""

    def __init__(self, config: str, outputs: Path, command: Sequence[str], stops: StopRequests, answer: Answer) -> None:
        self._config, self._outputs, self._command = config, outputs, command
        self._stops, self._answer = stops, answer
        self._shared: SharedRows | None = None

    def do(self, task: dict[str, Any]) -> None:
        """Train a point, or choose a rate, and answer."""
        if "auto" in task:
            self._answer(self._auto(task["auto"]))
            return
        point, reporter = task["point"], _Reporter(task["point"], self._answer)
        ended: dict[str, Any] = {"status": "finished"}
        try:
            self._train(task, reporter)
        except LinregError as error:
            ended = {"status": _status(error), "error": str(error)}
        except (MemoryError, RuntimeError) as error:
            if not OutOfMemoryError.is_meant_by(error):
                raise  # a bug: the process ends with its traceback, and the sweep goes on with another
            self._shared = None
            ended = {"status": "failed", "error": str(OutOfMemoryError())}
        self._answer({"point": point, "run": reporter.run, **ended})

    def _train(self, task: dict[str, Any], reporter: "_Reporter") -> None:
        if task["resume"] is not None:
            folder = RunFolder(self._outputs / task["resume"])
            reporter.training(None, folder.id)
            try:
                resume_run(
                    folder, (), (), reporter=reporter, command=self._command, stops=self._stops, outputs=self._outputs
                )
                return
            except StoreError:
                if in_use(folder.path):
                    raise
                reporter.run = None  # it is gone, damaged or was never really begun, and is trained anew
        loaded, keep, known = self._loaded(task["overrides"])
        train_run(
            loaded, outputs=self._outputs, reporter=reporter, command=self._command, stops=self._stops, known=known,
            about=task["about"], keep=keep,
        )  # fmt: skip

    def _loaded(self, overrides: Sequence[str]) -> tuple[LoadedConfig, Callable[[Any], None], SharedRows | None]:
        """The config of a point, what keeps its rows, and the rows that it can take from an earlier one."""
        loaded = load_config([self._config], overrides)
        known = None if self._shared is None else self._shared.of(loaded.config)
        if known is None:
            self._shared = None  # before other rows are read
        return loaded, functools.partial(self._keep, loaded), known

    def _keep(self, loaded: LoadedConfig, prepared: Any) -> None:
        self._shared = SharedRows.of_run(loaded.config, prepared)

    def _auto(self, overrides: Sequence[str]) -> dict[str, Any]:
        try:
            loaded, _, known = self._loaded(overrides)
            chosen = prepare(loaded, Silent(), known=known).chosen
        except LinregError as error:
            return {"auto": None, "error": str(error)}
        return {"auto": {"lr": chosen.lr.as_json(), "momentum": chosen.momentum.as_json()}}


def _status(error: LinregError) -> str:
    if isinstance(error, DivergedError):
        return "diverged"
    return "interrupted" if isinstance(error, Interrupted) else "failed"


class _Reporter(Silent):
    """Answers with the id of the run, and with its warnings."""

    def __init__(self, point: int, answer: Answer) -> None:
        self._point, self._answer = point, answer
        self.run: str | None = None

    def warn(self, finding: Finding) -> None:
        """See `Reporter`."""
        self._answer({"point": self._point, "warning": finding.as_json()})

    def training(self, plan: StepPlan | None, run: str) -> None:
        """See `Reporter`; a run that is resumed has no plan yet."""
        self.run = run
        self._answer({"point": self._point, "begun": run})
