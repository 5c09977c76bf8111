"""The folder of a sweep: `outputs/sweeps/NAME-0001/` with sweep.json, sweep.csv, sweep.png and config.yaml."""

import contextlib
import csv
import io
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from linreg_cli.errors import StoreError
from linreg_cli.files import read_own, write_bytes
from linreg_cli.paths import expanded
from linreg_cli.remedies import flow
from linreg_cli.runs.lock import in_use
from linreg_cli.runs.store import name_of
from linreg_cli.sweeps.metric import best_of, is_best_when_highest
from linreg_cli.wording import json_text

FORMAT = 1
FOLDER, FILE, CONFIG, PICTURE, REPORT = "sweeps", "sweep.json", "config.yaml", "sweep.png", "report.html"
#: What a point may be: not begun, or as the status of its run.
STATUSES = ("waiting", "running", "finished", "diverged", "interrupted", "failed")
#: Those with a result: `--resume` leaves them as they are.
ENDED = ("finished", "diverged")


@dataclass
class Point:
    """A point of the grid.

    Attributes:
        point: its number, from 1.
        overrides: dotted key -> value.
        status: one of `STATUSES`.
        run: the id of its run; None where it has none, such as a rate that was refused before the first step.
        metric: the value of the metric; None where there is none.
        gap: to the exact optimum, as in `metrics.json`.
        lr: the learning rate of its run, also where it was chosen.
        gates: whether its run passes all of its gates; None where it has none.
        seconds: of the run.
        error: why it has no result.
    """

    point: int
    overrides: dict[str, Any]
    status: str = "waiting"
    run: str | None = None
    metric: float | None = None
    gap: float | None = None
    lr: float | None = None
    gates: bool | None = None
    seconds: float | None = None
    error: str | None = None

    @property
    def label(self) -> str:
        """Its overrides in one line.

        >>> Point(1, {"optimizer.lr": 0.1, "data.features": ["a", "b"]}).label
        'optimizer.lr=0.1 data.features=[a, b]'
        """
        return " ".join(f"{key}={flow(value)}" for key, value in self.overrides.items())


@dataclass
class Sweep:
    """The content of `sweep.json`.

    Attributes:
        id: the name of the folder.
        grid: dotted key -> its values.
        metric: that the points are compared by.
        points: in the order of the grid.
        command: the command line.
        created: when it began, in UTC.
        jobs: processes at a time.
        status: `running`, `finished`, or `interrupted`.
        limits: of the learning rate, as the runs have them: `{"rate", "covers"}`.
        auto: what `optimizer.lr: auto` would have chosen beside the other settings of the winner, or None.
    """

    id: str
    grid: dict[str, list[Any]]
    metric: str
    points: list[Point]
    command: str = ""
    created: str = ""
    jobs: int = 1
    status: str = "running"
    limits: list[dict[str, Any]] = field(default_factory=list)
    auto: dict[str, Any] | None = None

    @property
    def highest(self) -> bool:
        """Whether the winner has the highest metric."""
        return is_best_when_highest(self.metric)

    def of(self, *statuses: str) -> list[Point]:
        """The points of some statuses."""
        return [each for each in self.points if each.status in statuses]

    def best(self, *, failing: bool = False) -> tuple[Point | None, list[Point]]:
        """The point with the best metric, and others whose metric is equal.

        Args:
            failing: whether points count whose runs fail a gate.
        """
        values = {
            each.point: each.metric
            for each in self.of("finished")
            if each.metric is not None and (failing or each.gates is not False)
        }
        first, tied = best_of(values, highest=self.highest)
        return (None if first is None else self.points[first - 1]), [self.points[each - 1] for each in tied]

    @property
    def winner(self) -> Point | None:
        """The best point among those that pass their gates."""
        return self.best()[0]

    def as_json(self) -> dict[str, Any]:
        """For `sweep.json`."""
        winner, tied = self.best()
        return {
            "format": FORMAT,
            "sweep": self.id,
            "status": self.status,
            "created": self.created,
            "command": self.command,
            "jobs": self.jobs,
            "grid": self.grid,
            "metric": self.metric,
            "best_when": "highest" if self.highest else "lowest",
            "winner": None if winner is None else asdict(winner),
            "tied": [each.point for each in tied],
            "limits": self.limits,
            "auto": self.auto,
            "points": [asdict(each) for each in self.points],
        }

    def as_csv(self) -> str:
        """For `sweep.csv`: a line for each point."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["point", *self.grid, "status", "run", self.metric, "gap", "gates", "seconds", "error"])
        for each in self.points:
            values = [flow(each.overrides[key]) for key in self.grid]
            gates = {True: "passed", False: "failed", None: ""}[each.gates]
            more = [each.status, each.run, each.metric, each.gap, gates, each.seconds, each.error]
            writer.writerow([each.point, *values, *more])
        return text.getvalue()

    def files(self) -> dict[str, str]:
        """The files that say how far it is: name -> text."""
        return {FILE: json_text(self.as_json()) + "\n", "sweep.csv": self.as_csv()}


@dataclass(frozen=True)
class SweepFolder:
    """A sweep on disk.

    Attributes:
        path: the folder.
    """

    path: Path

    @property
    def id(self) -> str:
        """The name of the folder."""
        return os.path.basename(os.path.abspath(self.path))

    @property
    def outputs(self) -> Path:
        """The folder of its runs."""
        return self.path.parent.parent

    def write(self, name: str, content: bytes | str, mode: int | None = None) -> Path:
        """Write one file atomically.

        Raises:
            StoreError: if it cannot be written; it is then unchanged.
        """
        content = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
        write_bytes(self.path / name, content, mode=mode, own=True)
        return self.path / name

    def save(self, sweep: Sweep) -> None:
        """Write `sweep.json` and `sweep.csv`."""
        for name, text in sweep.files().items():
            self.write(name, text)

    def read(self) -> Sweep:
        """The content of `sweep.json`. One whose process has ended counts as interrupted.

        Raises:
            StoreError: if it is missing, damaged or has a newer format.
        """
        try:
            values = json.loads(read_own(self.path / FILE))
        except OSError as error:
            raise StoreError(f"cannot read {FILE}: {error.strerror}", str(self.path)) from None
        except (ValueError, RecursionError):
            raise self._damaged("it is not valid JSON") from None
        try:
            found = _from_json(values)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self._damaged(f"unexpected content ({type(error).__name__}: {error})") from None
        if found.status == "running" and in_use(self.path) is False:
            found.status = "interrupted"
        return found

    def _damaged(self, reason: str) -> StoreError:
        return StoreError(f"the sweep is damaged: {reason}", str(self.path / FILE))


def _from_json(values: Mapping[str, Any]) -> Sweep:
    if values["format"] > FORMAT:
        message = f"format {values['format']} is newer than format {FORMAT}, which this version reads; upgrade linreg"
        raise StoreError(message, FILE)
    names = {each.name for each in fields(Point)}
    points = [Point(**{key: value for key, value in each.items() if key in names}) for each in values["points"]]
    if [each.point for each in points] != list(range(1, len(points) + 1)):
        raise ValueError("the points are not numbered from 1")
    if any(each.status not in STATUSES or each.overrides.keys() != values["grid"].keys() for each in points):
        raise ValueError("a point has no valid status, or other keys than the grid")
    own = ("grid", "metric", "command", "created", "jobs", "status", "limits", "auto")
    return Sweep(values["sweep"], points=points, **{key: values[key] for key in own})


def sweep_folders(outputs: Path) -> list[SweepFolder]:
    """Every sweep of a folder of runs, by name."""
    try:
        names = sorted(each.name for each in (outputs / FOLDER).iterdir() if not each.name.startswith("."))
    except OSError:
        return []
    return [SweepFolder(outputs / FOLDER / name) for name in names if os.path.lexists(outputs / FOLDER / name / FILE)]


def find_sweep(outputs: Path, reference: str) -> SweepFolder:
    """Find a sweep by its id, the name of sweeps (their latest), a unique prefix of an id, `latest`, or a path.

    Raises:
        StoreError: if there is no such sweep, or more than one.
    """
    if not reference.strip():
        raise StoreError("the id of the sweep is empty; give an id, a path or 'latest'")
    if is_sweep(reference):
        return SweepFolder(Path(expanded(reference)))
    found = {each.id: each for each in sweep_folders(outputs)}
    if reference in found:
        return found[reference]
    of_name = [each for each in found.values() if reference == "latest" or name_of(each.id) == reference]
    if of_name:
        return max(of_name, key=_created)
    matches = [each for name, each in found.items() if name.startswith(reference)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise StoreError(f"{reference!r} is ambiguous: {', '.join(each.id for each in matches[:5])}", str(outputs))
    known = f"the last ones are: {', '.join([*found][-5:])}" if found else "there are no sweeps yet"
    raise StoreError(f"there is no sweep {reference!r}; {known}", str(outputs / FOLDER))


def sweep_of(record: Mapping[str, Any], sweep: str) -> dict[str, Any] | None:
    """What `run.json` says of the sweep that a run belongs to; None for a run of another sweep, or of none.

    >>> sweep_of({"sweep": {"id": "a-0001", "point": 3}}, "a-0001"), sweep_of({}, "a-0001")
    ({'id': 'a-0001', 'point': 3}, None)
    """
    about = record.get("sweep")
    return about if isinstance(about, dict) and about.get("id") == sweep and "point" in about else None


def is_sweep(reference: str) -> bool:
    """Whether a text is the path of the folder of a sweep."""
    with contextlib.suppress(OSError, ValueError):
        return ("/" in reference or "\\" in reference) and os.path.isfile(Path(expanded(reference)) / FILE)
    return False


def as_sweep(outputs: Path, reference: str) -> SweepFolder | None:
    """The sweep that is named where a run may be: by the path of its folder, or as `sweeps/ID`; None for a run.

    Raises:
        StoreError: for `sweeps/` and what is no sweep.
    """
    if is_sweep(reference):
        return SweepFolder(Path(expanded(reference)))
    first, slash, rest = reference.replace("\\", "/").partition("/")
    return find_sweep(outputs, rest) if slash and first == FOLDER else None


def _created(folder: SweepFolder) -> tuple[str, str]:
    try:
        return folder.read().created, folder.id
    except StoreError:
        return "", folder.id
