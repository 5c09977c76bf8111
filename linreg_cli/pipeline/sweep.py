"""run_sweep and resume_sweep: one run for each point of a grid."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from linreg_cli import remedies
from linreg_cli.addresses import has_secrets, is_elsewhere
from linreg_cli.config import Config, load_config
from linreg_cli.config.data import TableData
from linreg_cli.config.load import merged_text
from linreg_cli.config.source import ConfigText
from linreg_cli.data.tables.location import locate
from linreg_cli.errors import ConfigError, DataError, Fault, Interrupted, LinregError
from linreg_cli.files import remove_drafts
from linreg_cli.paths import expanded
from linreg_cli.pipeline.workers import Worker, Workers, threads_of_each
from linreg_cli.runs.begin import Files, create_run
from linreg_cli.runs.lock import hold
from linreg_cli.runs.record import now
from linreg_cli.runs.references import of_record
from linreg_cli.runs.signals import StopRequests
from linreg_cli.runs.store import RunFolder, list_runs
from linreg_cli.sweeps.grid import Grid
from linreg_cli.sweeps.metric import changed_units, choose_metric, measured
from linreg_cli.sweeps.store import CONFIG, ENDED, FOLDER, Point, Sweep, SweepFolder, sweep_of
from linreg_cli.trackers.track import check as check_trackers
from linreg_cli.wording import plural

_LR, _MOMENTUM = "optimizer.lr", "optimizer.momentum"

#: (config of the sweep, folder of its runs, its command line) -> the command line that starts a process.
Start = Callable[[str, Path, Sequence[str]], Sequence[str]]


class SweepReporter(Protocol):
    """Receives the progress of a sweep."""

    def begun(self, sweep: Sweep, path: Path) -> None:
        """The folder is there, and points are about to be trained."""

    def ended(self, point: Point, sweep: Sweep) -> None:
        """A point has ended, in whatever way."""

    def warn(self, message: str) -> None:
        """A warning about the sweep."""

    def warn_of_run(self, kind: str, message: str, point: Point) -> None:
        """A warning about the run of a point."""


_READ_ONCE = "each point of a sweep reads the table, and standard input can be read once; write it to a file first"


def prepare_sweep(
    files: Sequence[str | ConfigText], grid: Grid, asked: str | None, reporter: SweepReporter
) -> tuple[str, str, str]:
    """Validate every point, before anything is written.

    Args:
        files: configs.
        grid: the points.
        asked: the value of `--metric`, or None.
        reporter: receives the warning about the metric.

    Returns:
        The config of all points, as the text of a file; the name of the sweep; the metric.

    Raises:
        ConfigError: with every fault of every point.
        DataError: if no point has a table; where some have, the others fail when it is their turn.
    """
    configs: list[Config] = []
    faults: dict[Fault, None] = {}
    for _, texts in grid.points():
        try:
            loaded = load_config(files, [*grid.constants, *texts])
            if isinstance(loaded.config.data, TableData) and not loaded.config.data.is_kept:
                raise loaded.error("data.path", _READ_ONCE)
            with loaded.placing_errors():
                check_trackers(loaded.config.track)
            configs.append(loaded.config)
        except ConfigError as error:
            faults |= dict.fromkeys(error.faults)
    if faults:
        raise ConfigError([*faults])
    _refuse_without_table(configs)
    metric, warning = choose_metric(configs, asked)
    for each in (warning, changed_units(metric, [*grid.values])):
        if each:
            reporter.warn(each)
    return merged_text(files, grid.constants), configs[0].name, metric


def _refuse_without_table(configs: Sequence[Config]) -> None:
    """Refuse points of which none has a table, such as in another folder than that of a relative path.

    Raises:
        DataError: with each table that is not there.
    """
    faults: dict[Fault, None] = {}
    for config in configs:
        if not isinstance(config.data, TableData) or is_elsewhere(config.data.path):
            return
        try:
            locate(expanded(config.data.path), config.data.format)
        except DataError as error:
            faults |= dict.fromkeys(error.faults)
        else:
            return
    if faults:
        raise DataError([*faults])


def run_sweep(
    prepared: tuple[str, str, str],
    grid: Grid,
    *,
    outputs: Path,
    jobs: int,
    start: Start,
    command: Sequence[str],
    reporter: SweepReporter,
    stops: StopRequests,
) -> tuple[SweepFolder, Sweep]:
    """Train a run for each point; a point that fails does not stop the others.

    Args:
        prepared: from `prepare_sweep`.
        grid: the points.
        outputs: the folder of the run folders.
        jobs: processes at a time.
        start: the command line of a process.
        command: that of the sweep.
        reporter: shows progress and warnings.
        stops: requests to stop, entered by the caller.

    Returns:
        The folder, and what is in it.

    Raises:
        StoreError: if the folder cannot be written.
        Interrupted: if `stops` asked for it; the sweep can be resumed.
    """
    text, name, metric = prepared
    points = [Point(number, overrides) for number, (overrides, _) in enumerate(grid.points(), 1)]
    sweep = Sweep(
        "", {key: list(values) for key, values in grid.values.items()}, metric, points,
        command=remedies.command(*command), created=now(), jobs=jobs,
    )  # fmt: skip

    def first_files(sweep_id: str) -> Files:
        sweep.id = sweep_id
        return {CONFIG: (text, 0o600 if has_secrets(text) else None)} | {
            file: (content, None) for file, content in sweep.files().items()
        }

    run, lock = create_run(outputs / FOLDER, name, first_files)
    folder = SweepFolder(run.path)
    try:
        _Sweeping(folder, sweep, reporter, stops).run(start, command)
    finally:
        lock.release()
    return folder, sweep


def resume_sweep(
    folder: SweepFolder,
    *,
    jobs: int | None,
    start: Start,
    command: Sequence[str],
    reporter: SweepReporter,
    stops: StopRequests,
) -> tuple[SweepFolder, Sweep]:
    """Train the points of a sweep that have no result. Runs that were interrupted go on; others begin anew.

    Args:
        folder: of the sweep.
        jobs: processes at a time; None: as before.
        start: as in `run_sweep`.
        command: as in `run_sweep`.
        reporter: as in `run_sweep`.
        stops: as in `run_sweep`.

    Raises:
        StoreError: if the sweep is in use or damaged.
        DataError: if no point has its table; nothing has been changed then.
        Interrupted: as `run_sweep`.
    """
    left = [each for each in folder.read().points if each.status not in ENDED]
    file = str(folder.path / CONFIG)
    _refuse_without_table([load_config([file], _written(each.overrides)).config for each in left])
    lock = hold(folder.path)
    try:
        remove_drafts(folder.path)
        sweep = replace(folder.read(), status="running")
        sweep.jobs = jobs or sweep.jobs
        sweeping = _Sweeping(folder, sweep, reporter, stops)
        sweeping.reconcile()
        sweeping.run(start, command)
    finally:
        lock.release()
    return folder, sweep


class _Sweeping:
    """A sweep whose lock is held."""

    def __init__(self, folder: SweepFolder, sweep: Sweep, reporter: SweepReporter, stops: StopRequests) -> None:
        self._folder, self._sweep, self._reporter, self._stops = folder, sweep, reporter, stops

    def reconcile(self) -> None:
        """Take over what the runs say of points that were not ended when the sweep was killed."""
        found = self._runs()
        for point in self._sweep.points:
            if point.status in ENDED or point.point not in found:
                continue
            run, record = found[point.point]
            point.run, point.status = run.id, record["status"]
            if point.status in ENDED:
                self._end(point, record.get("error"))

    def _runs(self) -> dict[int, tuple[RunFolder, dict[str, Any]]]:
        """Number of a point -> its latest run, and what that says of itself."""
        runs, _ = list_runs(self._folder.outputs)
        return {about["point"]: (run, record) for run, record in runs if (about := sweep_of(record, self._sweep.id))}

    def run(self, start: Start, command: Sequence[str]) -> None:
        """Train what has no result, and choose what `auto` would have chosen."""
        sweep, folder = self._sweep, self._folder
        waiting = deque(each for each in sweep.points if each.status not in ENDED)
        self._reporter.begun(sweep, folder.path)
        jobs = min(sweep.jobs, len(sweep.points))  # also where fewer are left: threads change the last digits
        line = start(str(folder.path / CONFIG), folder.outputs, command)
        with self._stops.deferred(), Workers(line, jobs, threads_of_each(jobs)) as workers:
            self._hand_out(waiting, workers)
            for worker, answer in workers.answers(self._stops):
                self._hear(worker, answer)
                self._hand_out(waiting, workers)
            if self._stops.requested is None:
                self._choose_auto(workers)
            for point in sweep.of("running"):
                point.status = "interrupted"  # its process did not end in time
            sweep.status = "finished" if self._stops.requested is None else "interrupted"
            folder.save(sweep)
            if self._stops.requested is not None:
                self._stop()

    def _stop(self) -> None:
        try:
            self._stops.check()
        except Interrupted as error:
            left = [each for each in self._sweep.points if each.status not in ENDED]
            again = remedies.command("linreg", "sweep", "--resume", str(self._folder.path))
            message = f"{error}; {plural(len(left), 'point')} of {self._folder.id} {'is' if len(left) == 1 else 'are'} "
            raise Interrupted(f"{message}left, and go on with: {again}", error.exit_code) from None

    def _hand_out(self, waiting: "deque[Point]", workers: Workers) -> None:
        while waiting and self._stops.requested is None and (worker := workers.idle()) is not None:
            point = waiting.popleft()
            resume = point.run if point.status == "interrupted" else None
            point.status, point.error = "running", None
            about = {"sweep": {"id": self._sweep.id, "point": point.point, "overrides": point.overrides}}
            worker.ask({"point": point.point, "overrides": _written(point.overrides), "about": about, "resume": resume})

    def _hear(self, worker: Worker, answer: dict[str, Any] | None) -> None:
        """Note what a process has answered, or that it has ended."""
        if answer is None:
            if worker.task is not None:
                point = self._sweep.points[worker.task["point"] - 1]
                if point.run is None and point.point in (runs := self._runs()):
                    point.run = runs[point.point][0].id  # the process was killed before it said so
                point.status = "interrupted" if point.run or self._stops.requested else "failed"
                self._end(point, None if self._stops.requested else worker.why_ended())
            worker.task = None
            return
        point = self._sweep.points[answer["point"] - 1]
        if "begun" in answer:
            point.run = answer["begun"]
            self._folder.save(self._sweep)
        elif "warning" in answer:
            self._reporter.warn_of_run(**answer["warning"], point=point)
        else:
            worker.task = None
            point.status, point.run = answer["status"], answer["run"]
            self._end(point, answer.get("error"))

    def _end(self, point: Point, error: str | None) -> None:
        """Note the result of a point, in the folder too."""
        point.error = error
        if point.run is not None:
            _read_result(RunFolder(self._folder.outputs / point.run), point, self._sweep)
        self._folder.save(self._sweep)
        if not (point.status == "interrupted" and self._stops.requested):
            self._reporter.ended(point, self._sweep)

    def _choose_auto(self, workers: Workers) -> None:
        """Ask what `auto` would have chosen beside the other settings of the winner, if the grid is about the rate."""
        winner, sweep = self._sweep.winner, self._sweep
        if winner is None or sweep.auto is not None or _LR not in sweep.grid or (worker := workers.idle()) is None:
            return
        chosen = {_LR: "auto"} | ({_MOMENTUM: "auto"} if _MOMENTUM in sweep.grid else {})
        worker.ask({"auto": _written({**winner.overrides, **chosen})})
        for _, answer in workers.answers(self._stops):
            sweep.auto = (answer or {}).get("auto")
            worker.task = None


def _read_result(run: RunFolder, point: Point, sweep: Sweep) -> None:
    """Read what a run says of itself."""
    try:
        record = run.record()
        point.seconds = record.get("seconds")
        gates = record.get("gates") or []
        point.gates = all(each["passed"] for each in gates) if gates else None
        lr = record.get("lr") or {}
        point.lr, limit = lr.get("value"), lr.get("limit")
        if limit and all(each["rate"] != limit["rate"] for each in sweep.limits):
            sweep.limits.append({"rate": limit["rate"], "covers": limit["covers"]})
        if point.status == "finished":
            metrics = {**run.read_json("metrics.json"), **of_record(record)}
            point.metric = measured(sweep.metric, metrics)
            point.gap = (metrics.get("optimum") or {}).get("gap")
    except LinregError as error:
        point.status, point.error = "failed", point.error or str(error)


def _written(overrides: dict[str, Any]) -> list[str]:
    return [remedies.override(key, value) for key, value in overrides.items()]
