"""What every test file may use."""

import json
import os
import random
import re
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from linreg_cli.cli import process

# As the command's process: otherwise Python looks for garbage among torch's million objects, and threads spin.
process.set_up()
# `make test` has as many processes as cores, and the tables are small: a second thread would only wait for a core.
# Tests about threads ask for theirs.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# What the tests print is no message for the job that they run in.
for variable in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE"):
    os.environ.pop(variable, None)

# Their assertions say what they found, as those in the files of tests do.
pytest.register_assert_rewrite("drawings", "pasting", "plain_loop", "report_pages", "resuming", "summarised")

REPOSITORY = Path(__file__).resolve().parents[1]
CONFIGS = REPOSITORY / "configs"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--shuffle", type=int, metavar="SEED", help="run files, and the tests of each, in a random order")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The same order for the same seed, in every process; fixtures of a module still serve all of its tests."""
    seed = config.getoption("--shuffle")
    if seed is not None:
        files = sorted({item.path for item in items})
        random.Random(seed).shuffle(files)
        random.Random(seed).shuffle(items)
        items.sort(key=lambda item: files.index(item.path))


@dataclass(frozen=True)
class Result:
    """What one command line did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.out)

    @property
    def messages(self) -> list[str]:
        """The lines of stderr but those of the progress of training, and of how far it is from the exact fit."""
        usual = (
            r"\S+-\d{4}: epoch [\d,]+/[\d,]+  |warning: coefficient .* standard errors from the exact fit; train with "
        )
        return [line for line in self.err.splitlines() if not re.match(usual, line)]


@pytest.fixture
def linreg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Run `linreg ARGUMENTS...` in this process, in an empty current folder; returns code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LINREG_OUTPUTS", raising=False)

    def call(*arguments: object) -> Result:
        from linreg_cli.cli.app import run

        capfd.readouterr()
        code = run([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        return Result(code, captured.out, captured.err)

    return call


@pytest.fixture
def config_file(tmp_path: Path) -> Callable[[str], Path]:
    """Write a config and give its path."""

    def write(text: str, name: str = "config.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def heeded_signals() -> Iterator[None]:
    """Signals have their default actions, also where the tests were started with `nohup` or in the background."""
    numbers = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
    ignored = [number for number in numbers if signal.getsignal(number) == signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


@pytest.fixture
def real_data() -> Path:
    """The folder of real tables; a test that needs it is skipped where `LINREG_REAL_DATA` is not set."""
    folder = os.environ.get("LINREG_REAL_DATA")
    if not folder:
        pytest.skip("LINREG_REAL_DATA is not set")
    return Path(folder)


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are read from the disk, and divided among threads, a few at a time, so that boundaries are crossed."""
    from linreg_cli.optim import losses
    from linreg_cli.optim.engines import parts, windows
    from linreg_cli.pipeline import streaming

    monkeypatch.setattr(losses, "CHUNK_ROWS", 90)
    monkeypatch.setattr(windows, "PIECE_BYTES", 500)
    monkeypatch.setattr(streaming, "OTHER_BYTES", 0)
    monkeypatch.setattr(parts, "PART_ELEMENTS", 200)


@pytest.fixture
def csv(tmp_path):
    """Write `t.csv` and give its path."""

    def write(content: str | bytes, name: str = "t.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write
