"""The run store: one folder per run, all in one outputs folder.

outputs/housing-0001/  run.json  config.yaml  history.csv  metrics.json  model.safetensors  preprocess.json
                       checkpoint.safetensors  predictions.csv  plots/
"""

import contextlib
import hashlib
import json
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linreg_cli.errors import OutOfMemoryError, StoreError
from linreg_cli.files import read_own, write_bytes
from linreg_cli.readers import either
from linreg_cli.runs.lock import in_use
from linreg_cli.wording import json_text

FORMAT = 1
STATUSES = ("running", "finished", "diverged", "interrupted", "failed")

#: The HTML report that `linreg report` writes into a run.
REPORT = "report.html"
#: The model as `export` writes it.
EXPORTS = ("export.json", "export.safetensors", "export.onnx")

#: What intervals about predictions need of the train split.
INFERENCE_FILE = "inference.safetensors"

#: Files that are outdated once training continues. Pictures are too; they stay until they are drawn again.
RESULTS = (
    "model.safetensors", "metrics.json", "predictions.csv", "influence.csv", INFERENCE_FILE, REPORT, *EXPORTS,
)  # fmt: skip

_RUN_ID = re.compile(r"(?P<name>\w[\w.-]*)-(?P<number>[0-9]{4}|[1-9][0-9]{4,17})\Z")
#: Characters of JSON that are indented. Python's indenting encoder takes seconds for the runs of 100,000 columns.
_INDENTED = 2**20


def _is_times(value: Any) -> bool:
    """Whether a value is the `seconds` and `cpu_seconds` of a stage."""
    return isinstance(value, dict) and all(isinstance(value.get(key), float) for key in ("seconds", "cpu_seconds"))


#: Key of `run.json` -> whether its value is one that readers can rely on.
_WELL_FORMED: dict[str, Callable[[Any], bool]] = {
    "status": lambda value: value in STATUSES,
    "created": lambda value: isinstance(value, str),
    "seconds": lambda value: value is None or (isinstance(value, int | float) and not isinstance(value, bool)),
    "stages": lambda value: value is None or (isinstance(value, dict) and all(map(_is_times, value.values()))),
    "epochs_done": lambda value: value is None or (isinstance(value, int) and not isinstance(value, bool)),
    "data": lambda value: value is None or isinstance(value, dict),
    "engine": lambda value: value is None or isinstance(value, dict),
    "label": lambda value: value is None or isinstance(value, str),
    "stopped": lambda value: value is None or isinstance(value, str),
    "restored_epoch": lambda value: value is None or (isinstance(value, int) and not isinstance(value, bool)),
    "command": lambda value: value is None or isinstance(value, str),
    "resumed": lambda value: value is None or isinstance(value, list),
    "versions": lambda value: value is None or isinstance(value, dict),
}


#: What Python raises where a key is missing or a value has an unexpected type.
_UNEXPECTED = (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError)


def _finite(text: str) -> float:
    if not abs(number := float(text)) < math.inf:
        raise ValueError(text)
    return number


@dataclass(frozen=True)
class RunFolder:
    """A run on disk.

    Attributes:
        path: the folder.

    >>> RunFolder(Path("outputs/housing-0001")).id
    'housing-0001'
    """

    path: Path

    @property
    def id(self) -> str:
        """The run id, which is the name of the folder, or of a link to it."""
        return os.path.basename(os.path.abspath(self.path))

    def write(self, name: str, content: bytes | str, *, keep: str | None = None, mode: int | None = None) -> Path:
        """Write one file of the run atomically.

        Args:
            name: of the file.
            content: text is encoded as UTF-8.
            keep: file name under which the old content stays, or None.
            mode: permissions of the file; None: those of the old one, or the usual ones.

        Returns:
            The path of the file.

        Raises:
            StoreError: if the file cannot be written; it is then unchanged.
        """
        target, kept = self.path / name, None if keep is None else self.path / keep
        # File names may contain bytes that are not UTF-8. Python has them as surrogates, and JSON reads `\\udcff` back.
        content = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
        write_bytes(target, content, keep=kept, mode=mode, own=True)
        return target

    def write_json(self, name: str, values: Any) -> Path:
        """Write one JSON file of the run, as `write` does.

        Raises:
            ValueError: for NaN or an infinity, which JSON does not have.
        """
        return self.write(name, json_file(values))

    def read(self, name: str) -> bytes:
        """The content of one file of the run.

        Raises:
            StoreError: if it is missing or cannot be read.
        """
        try:
            return read_own(self.path / name)
        except FileNotFoundError:
            raise StoreError(f"the run has no {name}{self._why_incomplete(name)}", str(self.path)) from None
        except OSError as error:
            raise StoreError(f"cannot read {name}: {error.strerror}", str(self.path)) from None

    def has(self, name: str) -> bool:
        """Whether there is something of this name in the run; `read` raises for what is no file."""
        return os.path.lexists(self.path / name)

    def digests(self, *names: str) -> dict[str, str]:
        """SHA-256 of files of the run, by name.

        Raises:
            StoreError: if one cannot be read.
        """
        return {name: hashlib.sha256(self.read(name)).hexdigest() for name in names}

    def verify(self, record: dict[str, Any], *names: str) -> None:
        """Compare files with their SHA-256 digests in `run.json`. Runs of older versions have no digests.

        Args:
            record: the content of `run.json`.
            names: of the files.

        Raises:
            StoreError: if a file is missing or was changed after the run.
        """
        digests = record.get("digests")
        for name, found in self.digests(*names).items():
            if isinstance(digests, dict) and digests.get(name) not in (None, found):
                raise self.damaged(name, "its SHA-256 digest is not the one in run.json")

    def remove(self, *names: str) -> None:
        """Remove files of the run; those that do not exist are skipped.

        Raises:
            StoreError: if one cannot be removed.
        """
        for name in names:
            try:
                (self.path / name).unlink(missing_ok=True)
            except OSError as error:
                raise StoreError(f"cannot remove {name}: {error.strerror}", str(self.path)) from None

    def read_json(self, name: str) -> dict[str, Any]:
        """The content of one JSON file of the run, which must be an object.

        Raises:
            StoreError: if it is missing or damaged.
        """
        try:
            values = json.loads(self.read(name), parse_constant=_finite, parse_float=_finite)
        except (ValueError, RecursionError):
            raise self.damaged(name, "it is not valid JSON") from None
        if not isinstance(values, dict):
            raise self.damaged(name, "it is not a JSON object")
        return values

    def record(self) -> dict[str, Any]:
        """The content of `run.json`. A run with status `running` whose process has ended counts as `interrupted`.

        Raises:
            StoreError: if it is missing, damaged or has a newer format.
        """
        values = self.read_json("run.json")
        version = values.get("format")
        if not isinstance(version, int) or isinstance(version, bool) or version < 1:
            raise self.damaged("run.json", "format is not a positive integer")
        if version > FORMAT:
            message = f"format {version} is newer than format {FORMAT}, which this version reads; upgrade linreg"
            raise StoreError(message, str(self.path / "run.json"))
        wrong = [key for key, fits in _WELL_FORMED.items() if not fits(values.get(key))]
        if wrong:
            raise self.damaged("run.json", f"unexpected value of {', '.join(wrong)}")
        if values["status"] == "running" and in_use(self.path) is False:
            return {**values, "status": "interrupted", "error": "its process ended without finishing the run"}
        return values

    @contextlib.contextmanager
    def reporting_damage(self, names: str, *more: type[Exception]) -> Iterator[None]:
        """A context in which missing keys and values of unexpected types are reported as damage of the run.

        Args:
            names: the files that the block reads from, for the message.
            more: exceptions that also mean unexpected content, besides Python's own.

        Raises:
            StoreError: in place of any such exception.
        """
        unexpected: tuple[type[Exception], ...] = (*_UNEXPECTED, *more)
        try:
            yield
        except unexpected as error:
            if OutOfMemoryError.is_meant_by(error):  # Arrow's own is one of its exceptions
                raise
            found = str(error).partition("\n")[0]
            reason = f"unexpected content ({type(error).__name__}: {found})"
            raise self.damaged(names, reason) from None

    def damaged(self, name: str, reason: str) -> StoreError:
        """The error for a damaged file of the run, with the message `the run is damaged: <reason>`."""
        return StoreError(f"the run is damaged: {reason}", str(self.path / name))

    def _why_incomplete(self, name: str) -> str:
        with contextlib.suppress(StoreError):
            if name != "run.json":
                return f" (its status is {self.record()['status']})"
        return ""


def json_file(values: Any) -> str:
    """The text of a JSON file of a run.

    Raises:
        ValueError: for NaN or an infinity, which JSON does not have.
    """
    return json_text(values, indented=_INDENTED) + "\n"


def unusable(outputs: Path, what: str, error: OSError) -> StoreError:
    """The error for a folder of runs that cannot be used, with a way out.

    Args:
        outputs: the folder of the run folders.
        what: cannot be done.
        error: why.
    """
    why = error.strerror or str(error)
    if isinstance(error, NotADirectoryError | FileExistsError):
        why = "it is not a folder"
    another = either("--outputs or LINREG_OUTPUTS", "outputs")
    return StoreError(f"cannot {what}: {why}; choose another with {another}", str(outputs))


def _names(outputs: Path) -> list[str]:
    try:
        return [entry.name for entry in outputs.iterdir()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise unusable(outputs, "read the run folders", error) from None


def next_id(outputs: Path, name: str) -> str:
    """The id after the largest of that name.

    Raises:
        StoreError: if the folder cannot be read.
    """
    number = 1 + max((run_number for run_name, run_number in _ids(outputs) if run_name == name), default=0)
    return f"{name}-{number:04d}"


def _ids(outputs: Path) -> list[tuple[str, int]]:
    return [(match["name"], int(match["number"])) for name in _names(outputs) if (match := _RUN_ID.match(name))]


def name_of(run_id: str) -> str | None:
    """The name of runs that a run id begins with; None for text that is no run id, such as that of a renamed run.

    >>> name_of("housing-0001"), name_of("best")
    ('housing', None)
    """
    match = _RUN_ID.match(run_id)
    return match["name"] if match else None


def is_run_id(name: str) -> bool:
    """Whether a name has the form of a run id, NAME-NNNN.

    >>> is_run_id("housing-0001"), is_run_id("housing")
    (True, False)
    """
    return _RUN_ID.match(name) is not None


def run_folders(outputs: Path) -> list[RunFolder]:
    """Every folder whose name is a run id, sorted; then every other one with a `run.json`, such as a renamed run.

    Hidden folders are left out: a new run is one before it has its name, and one that is removed, afterwards.
    """
    named = [RunFolder(outputs / f"{name}-{number:04d}") for name, number in sorted(_ids(outputs))]
    shown = [name for name in sorted(_names(outputs)) if not is_run_id(name) and not name.startswith(".")]
    others = [name for name in shown if RunFolder(outputs / name).has("run.json")]
    return named + [RunFolder(outputs / name) for name in others]


def list_runs(outputs: Path) -> tuple[list[tuple[RunFolder, dict[str, Any]]], list[StoreError]]:
    """Every readable run with its record, oldest first, and one error for each damaged run."""
    return by_age(run_folders(outputs))


def by_age(runs: Iterable[RunFolder]) -> tuple[list[tuple[RunFolder, dict[str, Any]]], list[StoreError]]:
    """As `list_runs`, of some runs."""
    readable, damaged = [], []
    for run in runs:
        try:
            readable.append((run, run.record()))
        except StoreError as error:
            damaged.append(error)
    return sorted(readable, key=lambda pair: (str(pair[1].get("created")), pair[0].id)), damaged
