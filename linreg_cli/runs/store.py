"""The run store: a folder of run folders.

outputs/housing-0001/  run.json  config.yaml  history.csv  metrics.json  model.safetensors  preprocess.json
                       checkpoint.safetensors  predictions.csv  plots/
"""

import contextlib
import hashlib
import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linreg_cli.errors import StoreError
from linreg_cli.files import write_bytes
from linreg_cli.runs.lock import OWNER_FILE, in_use

FORMAT = 1
STATUSES = ("running", "finished", "diverged", "interrupted", "failed")

#: What `linreg report` writes into a run.
REPORT = "report.html"

#: What does not hold any more when a run goes on, apart from its pictures.
RESULTS = ("model.safetensors", "metrics.json", "predictions.csv", "influence.csv", REPORT)

_RUN_ID = re.compile(r"(?P<name>[A-Za-z0-9_][A-Za-z0-9._-]*)-(?P<number>[0-9]{4}|[1-9][0-9]{4,17})\Z")
_ATTEMPTS = 10_000

#: What readers of `run.json` rely on.
_WELL_FORMED: dict[str, Callable[[Any], bool]] = {
    "status": lambda value: value in STATUSES,
    "created": lambda value: isinstance(value, str),
    "seconds": lambda value: value is None or (isinstance(value, int | float) and not isinstance(value, bool)),
    "epochs_done": lambda value: value is None or (isinstance(value, int) and not isinstance(value, bool)),
    "data": lambda value: value is None or isinstance(value, dict),
    "engine": lambda value: value is None or isinstance(value, dict),
    "label": lambda value: value is None or isinstance(value, str),
    "stopped": lambda value: value is None or isinstance(value, str),
    "command": lambda value: value is None or isinstance(value, str),
    "resumed": lambda value: value is None or isinstance(value, list),
    "versions": lambda value: value is None or isinstance(value, dict),
}


#: What Python raises when a value is of another kind than was expected.
_UNFIT = (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError)


def _finite(text: str) -> float:
    if not abs(number := float(text)) < math.inf:
        raise ValueError(text)
    return number


@dataclass(frozen=True)
class RunFolder:
    """One run on disk."""

    path: Path

    @property
    def id(self) -> str:
        """The name of the folder, such as `housing-0001`."""
        return self.path.resolve().name

    def write(self, name: str, content: bytes | str, *, keep: str | None = None) -> Path:
        """Write one file of the run, whole or not at all; `keep` is a name for what it held before."""
        target, kept = self.path / name, None if keep is None else self.path / keep
        # The names of files may hold bytes that are not UTF-8; in JSON `\\udcff` brings them back.
        content = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
        write_bytes(target, content, keep=kept)
        return target

    def write_json(self, name: str, values: Any) -> Path:
        """Write one JSON file of the run; numbers must be finite."""
        return self.write(name, json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n")

    def read(self, name: str) -> bytes:
        """One file of the run.

        Raises:
            StoreError: if it is missing or cannot be read.
        """
        try:
            return (self.path / name).read_bytes()
        except FileNotFoundError:
            raise StoreError(f"the run has no {name}{self._why_incomplete(name)}", str(self.path)) from None
        except OSError as error:
            raise StoreError(f"cannot read {name}: {error.strerror}", str(self.path)) from None

    def digests(self, *names: str) -> dict[str, str]:
        """SHA-256 of files of the run, by name.

        Raises:
            StoreError: if one cannot be read.
        """
        return {name: hashlib.sha256(self.read(name)).hexdigest() for name in names}

    def verify(self, record: dict[str, Any], *names: str) -> None:
        """Compare files with the digests that `run.json` has for them; a run of an older version has none.

        Raises:
            StoreError: if a file is missing, or is not as the run left it.
        """
        digests = record.get("digests")
        for name, found in self.digests(*names).items():
            if isinstance(digests, dict) and digests.get(name) not in (None, found):
                raise self.damaged(name, "its SHA-256 digest is not the one in run.json")

    def remove(self, *names: str) -> None:
        """Remove files of the run, where they are there.

        Raises:
            StoreError: if one cannot be removed.
        """
        for name in names:
            try:
                (self.path / name).unlink(missing_ok=True)
            except OSError as error:
                raise StoreError(f"cannot remove {name}: {error.strerror}", str(self.path)) from None

    def read_json(self, name: str) -> dict[str, Any]:
        """One JSON file of the run.

        Raises:
            StoreError: if it is missing or damaged.
        """
        try:
            values = json.loads(self.read(name), parse_constant=_finite, parse_float=_finite)
        except (ValueError, RecursionError):
            raise self.damaged(name, "it is not JSON") from None
        if not isinstance(values, dict):
            raise self.damaged(name, "it does not hold a mapping")
        return values

    def record(self) -> dict[str, Any]:
        """The content of `run.json`; a run that says `running` and whose process has gone is `interrupted`.

        Raises:
            StoreError: if it is missing, damaged or of a newer format.
        """
        values = self.read_json("run.json")
        version = values.get("format")
        if not isinstance(version, int) or isinstance(version, bool) or version < 1:
            raise self.damaged("run.json", "format is not what linreg writes")
        if version > FORMAT:
            message = (
                f"format {version} is newer than format {FORMAT}, which this version of linreg reads; upgrade linreg"
            )
            raise StoreError(message, str(self.path / "run.json"))
        wrong = [key for key, fits in _WELL_FORMED.items() if not fits(values.get(key))]
        if wrong:
            raise self.damaged("run.json", f"{', '.join(wrong)}: not what linreg writes")
        if values["status"] == "running" and in_use(self.path) is False:
            return {**values, "status": "interrupted", "error": "its process ended without finishing the run"}
        return values

    @contextlib.contextmanager
    def holding_together(self, names: str, *more: type[Exception]) -> Iterator[None]:
        """A block that reads what files of the run hold; a run whose files do not fit together is damaged.

        Args:
            names: of the files, for the message.
            more: errors besides Python's own that tell of values of another kind.

        Raises:
            StoreError: in place of any such error, whatever it is that does not fit.
        """
        telling: tuple[type[Exception], ...] = (*_UNFIT, *more)
        try:
            yield
        except telling as error:
            found = str(error).partition("\n")[0]
            reason = f"they do not hold what linreg writes ({type(error).__name__}: {found})"
            raise self.damaged(names, reason) from None

    def damaged(self, name: str, reason: str) -> StoreError:
        """The error for a file of the run that is not what linreg writes."""
        return StoreError(f"the run is damaged: {reason}", str(self.path / name))

    def _why_incomplete(self, name: str) -> str:
        with contextlib.suppress(StoreError):
            if name != "run.json":
                return f" (its status is {self.record()['status']})"
        return ""


def create_run(outputs: Path, name: str) -> RunFolder:
    """Make the next run folder, NAME-0001, NAME-0002, ...; two processes never get the same one.

    Raises:
        StoreError: if `outputs` cannot be written.
    """
    number = 1 + max((run_number for run_name, run_number in _ids(outputs) if run_name == name), default=0)
    try:
        outputs.mkdir(parents=True, exist_ok=True)
        for candidate in range(number, number + _ATTEMPTS):
            path = outputs / f"{name}-{candidate:04d}"
            with contextlib.suppress(FileExistsError):
                path.mkdir()
                return RunFolder(path)
    except OSError as error:
        raise StoreError(f"cannot make a run folder: {_why(error)}; {_ANOTHER}", str(outputs)) from None
    raise StoreError(f"no free run id after {_ATTEMPTS} attempts", str(outputs))


def remove_unbegun(run: RunFolder) -> None:
    """Remove the folder of a run whose `run.json` could not be written; one that holds anything stays."""
    for name in (OWNER_FILE, "run.json", "config.yaml"):
        with contextlib.suppress(OSError):
            (run.path / name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        run.path.rmdir()


_ANOTHER = "choose another with --outputs or LINREG_OUTPUTS"


def _why(error: OSError) -> str:
    if isinstance(error, NotADirectoryError | FileExistsError):
        return "it is not a folder"
    return error.strerror or str(error)


def _names(outputs: Path) -> list[str]:
    try:
        return [entry.name for entry in outputs.iterdir()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StoreError(f"cannot read the run folders: {_why(error)}; {_ANOTHER}", str(outputs)) from None


def _ids(outputs: Path) -> list[tuple[str, int]]:
    return [(match["name"], int(match["number"])) for name in _names(outputs) if (match := _RUN_ID.match(name))]


def is_run_id(name: str) -> bool:
    """Whether a folder of this name can be a run of ours."""
    return _RUN_ID.match(name) is not None


def run_folders(outputs: Path) -> list[RunFolder]:
    """Every folder whose name is a run id, by name; then every other one that holds a run, such as one renamed."""
    named = [RunFolder(outputs / f"{name}-{number:04d}") for name, number in sorted(_ids(outputs))]
    others = [
        name for name in sorted(_names(outputs)) if not is_run_id(name) and (outputs / name / "run.json").is_file()
    ]
    return named + [RunFolder(outputs / name) for name in others]


def list_runs(outputs: Path) -> tuple[list[tuple[RunFolder, dict[str, Any]]], list[StoreError]]:
    """Every readable run with its record, oldest first, and what is wrong with the others."""
    readable, damaged = [], []
    for run in run_folders(outputs):
        try:
            readable.append((run, run.record()))
        except StoreError as error:
            damaged.append(error)
    return sorted(readable, key=lambda pair: (str(pair[1].get("created")), pair[0].id)), damaged


def find_run(outputs: Path, reference: str) -> RunFolder:
    """The run that a user means.

    Args:
        outputs: where run folders live.
        reference: a run id, a unique prefix of one, `latest`, or a path to a run folder.

    Raises:
        StoreError: if there is no such run, or more than one.
    """
    if reference == "latest":
        readable, _ = list_runs(outputs)
        if not readable:
            raise StoreError("there is no run yet; make one with 'linreg train -c CONFIG'", str(outputs))
        return readable[-1][0]
    if not reference.strip():
        raise StoreError("the name of the run is empty; name a run, or 'latest'")
    path = Path(reference)
    is_run = False
    with contextlib.suppress(OSError):  # such as a name that is too long
        is_run = (path / "run.json").is_file()
    if is_run:
        return RunFolder(path)
    if "/" in reference or "\\" in reference or path.name in ("", ".", ".."):
        raise StoreError(
            "there is no run.json in this folder" if path.is_dir() else "there is no such folder", reference
        )
    runs = {run.id: run for run in run_folders(outputs)}
    matches = [run_id for run_id in runs if run_id == reference] or [
        run_id for run_id in runs if run_id.startswith(reference)
    ]
    if len(matches) == 1:
        return runs[matches[0]]
    if matches:
        shown = ", ".join(matches[:5]) + (f" and {len(matches) - 5} more" if len(matches) > 5 else "")
        raise StoreError(f"{reference!r} is ambiguous: {shown}", str(outputs))
    known = ", ".join(list(runs)[-5:]) or "none"
    raise StoreError(f"there is no run {reference!r}; the last ones are: {known}", str(outputs))
