"""check and track_run: what is wrong with the trackers before training, and a run handed to them after it.

Each tracker works in a process of its own, with an environment of its own: whatever happens there is a warning, and an
address that does not answer costs `PATIENCE` seconds.
"""

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from linreg_cli.addresses import public_address, without_secrets
from linreg_cli.config.schema import TrackConfig
from linreg_cli.errors import SettingError, StoreError, TemporaryFileError
from linreg_cli.findings import Finding
from linreg_cli.runs.store import RunFolder
from linreg_cli.temporary import folder
from linreg_cli.trackers.content import content_of
from linreg_cli.wording import number

#: Seconds without a sign of life after which a tracker is left alone.
PATIENCE = 30.0
#: Seconds that its libraries may take to be imported.
_IMPORTING = 120.0
#: Characters of what a tracker says that a warning has; cut only once secrets are out of it.
_LONGEST = 300
#: Where the address stands for MLflow's process: in no file and no command line, since it may hold a password.
ADDRESS = "LINREG_TRACKING_ADDRESS"
#: What MLflow's process has in its environment: it gives up sooner than this one, tells nobody, and needs no git.
_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}

_CHILDREN = Path(__file__).parent


def check(track: TrackConfig) -> None:
    """Refuse a tracker whose packages are not installed.

    Raises:
        SettingError: with what installs them.
    """
    lacking = []
    if track.tensorboard and find_spec("tensorboard") is None:
        lacking.append((("track", "tensorboard"), _missing("tensorboard", "tensorboard")))
    web = track.mlflow is not None and track.mlflow.startswith(("http://", "https://", "databricks"))
    needed = [] if track.mlflow is None else ["mlflow"] if web else ["mlflow", "sqlalchemy", "alembic"]
    if absent := [name for name in needed if find_spec(name) is None]:
        lacking.append((("track", "mlflow"), _missing(absent[0], "mlflow")))
    if lacking:
        raise SettingError.of(lacking)


def _missing(package: str, extra: str) -> str:
    return f"{package} is not installed; install it with: pip install 'linreg[{extra}]'"


def track_run(run: RunFolder, track: TrackConfig, note: Callable[[str], None]) -> list[Finding]:
    """Hand a run that has ended to the trackers of its config.

    Args:
        run: its folder, complete.
        track: the trackers.
        note: called with where the run is found.

    Returns:
        A warning for each tracker that does not have it.
    """
    if not track.tensorboard and track.mlflow is None:
        return []
    try:
        content, status = content_of(run), str(run.record()["status"])
        config = without_secrets(run.read("config.yaml").decode())
    except StoreError as error:
        return [Finding("tracker", f"the run is not handed to its trackers: {error}")]
    found = []
    if track.tensorboard:
        file = event_file(run, content["begun"])
        given = {"file": str(file), "content": content | {"config": config}}
        answer = _answer(_CHILDREN / "event_file_child.py", given, {})
        if isinstance(answer, str):
            found.append(Finding("tracker", f"no TensorBoard file was written: {answer[:_LONGEST]}"))
        else:
            note(f"TensorBoard: tensorboard --logdir {run.path.parent}")
    if track.mlflow is not None:
        given = {"content": content, "status": "FINISHED" if status == "finished" else "FAILED"}
        shown, environment = public_address(track.mlflow), _ENVIRONMENT | {ADDRESS: track.mlflow}
        answer = _answer(_CHILDREN / "mlflow_child.py", given, environment)
        if isinstance(answer, str):
            told = _without_parts(answer.replace(track.mlflow, shown), track.mlflow)
            found.append(Finding("tracker", f"MLflow at {shown} does not have the run: {told[:_LONGEST]}"))
        else:
            note(f"MLflow: run {answer['run_id']} of experiment {answer['experiment']} at {shown}")
    return found


def _without_parts(text: str, address: str) -> str:
    """A text of MLflow, which quotes an address in other forms, without its password and query.

    >>> _without_parts("no answer from /?token=abc/api", "http://localhost/?token=abc")
    'no answer from /?***/api'
    """
    found = urlsplit(address)
    for part in sorted({found.query, found.password or "", found.fragment} - {""}, key=len, reverse=True):
        text = text.replace(part, "***")
    return text


def event_file(run: RunFolder, begun: float) -> Path:
    """The path of the event file of a run: TensorBoard looks for `tfevents`, and names the run as its folder."""
    return run.path.absolute() / f"events.out.tfevents.{int(begun)}.linreg"


def _answer(script: Path, given: dict[str, Any], environment: dict[str, str]) -> dict[str, Any] | str:
    """What the last line of a process says, as JSON, or why there is none."""
    command = [sys.executable, "-P", str(script)]
    with contextlib.ExitStack() as stack:
        try:
            process = stack.enter_context(_started(command, given, os.environ | environment))
        except (OSError, TemporaryFileError) as error:  # such as a full disk
            return str(error)
        lines: queue.Queue[str | None] = queue.Queue()
        errors: list[str] = []
        threading.Thread(target=_read, args=(process.stdout, lines.put), daemon=True).start()
        reader = threading.Thread(
            target=_read, args=(process.stderr, lambda line: errors.append(line or "")), daemon=True
        )
        reader.start()
        last, waiting = "", _IMPORTING
        try:
            while (line := lines.get(timeout=waiting)) is not None:
                last, waiting = line.strip(), PATIENCE
        except queue.Empty:
            return f"it did not answer for {number(waiting, 2)} s"
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE)
        reader.join(1)
        if process.returncode == 0 and last.startswith("{"):
            answer: dict[str, Any] = json.loads(last)
            return answer
        why = [line.strip() for line in errors if line.strip()]
        return without_secrets(why[-1]) if why else f"its process ended with code {process.returncode}"


@contextlib.contextmanager
def _started(
    command: list[str], given: dict[str, Any], environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[str]]:
    """A process that ends with the block, with values as JSON on its standard input."""
    pipe = subprocess.PIPE
    with tempfile.TemporaryFile(dir=folder()) as file:  # a pipe would have to be fed while its process may be ending
        file.write(json.dumps(given).encode())
        file.seek(0)
        process = subprocess.Popen(
            command, env=environment, stdin=file, stdout=pipe, stderr=pipe, encoding="utf-8", errors="replace"
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def _read(stream: IO[str] | None, take: Callable[[str | None], None]) -> None:
    with contextlib.suppress(ValueError, OSError):  # closed, because nobody waits any more
        for line in stream or ():
            take(line)
    take(None)
