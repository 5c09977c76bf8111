"""Standard streams that are closed, full or gone: no traceback, and a run is whole."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from linreg_cli.cli import streams
from linreg_cli.errors import StoreError

CONFIG = "name: a\nplots: false\ndata: {source: inline, columns: [x, y], rows: [[1, 2], [2, 4], [3, 7]]}\n"


@pytest.fixture
def folder(tmp_path) -> Path:
    """A config, a broken config, a table and a finished run."""
    (tmp_path / "c.yaml").write_text(CONFIG)
    (tmp_path / "broken.yaml").write_text("data: {source: inlin}\n")
    (tmp_path / "t.csv").write_text("x\n4\n5\n")
    run = tmp_path / "outputs" / "b-0001"
    run.mkdir(parents=True)
    (run / "run.json").write_text('{"format": 1, "status": "finished", "created": "2020"}')
    return tmp_path


def shell(folder: Path, redirections: str, *arguments: str) -> tuple[int, str]:
    """The exit code of `linreg ARGUMENTS REDIRECTIONS`, and all that it showed."""
    line = f'"$@" {redirections}'
    command = ["sh", "-c", line, "sh", sys.executable, "-m", "linreg_cli", *arguments]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return result.returncode, result.stdout + result.stderr


@pytest.mark.parametrize("redirections", [">&-", "2>&- <&-", ">&- 2>&- <&-"])
def test_a_command_ends_as_it_would_with_the_null_device(folder, redirections):
    for arguments, code in (
        (["runs", "list"], 0),
        (["validate", "c.yaml"], 0),
        (["validate", "--json", "c.yaml", "broken.yaml"], 2),
        (["runs", "show", "none", "--json"], 6),
        (["runs", "rm", "b"], 2),
        (["runs", "list", "--nonsense"], 2),
    ):
        found, shown = shell(folder, redirections, *arguments)
        assert (found, "Traceback" in shown) == (code, False), (arguments, shown)


def test_a_run_without_any_stream_is_whole(folder):
    assert shell(folder, ">&- 2>&- <&-", "train", "-c", "c.yaml") == (0, "")
    run = folder / "outputs" / "a-0001"
    assert json.loads((run / "run.json").read_text())["status"] == "finished"
    for path in run.iterdir():  # the first file to be opened would have got the number of stdout
        assert b"a-0001:" not in path.read_bytes()
    code, shown = shell(folder, ">&-", "predict", "a", "--data", "t.csv")
    assert (code, shown) == (6, "error: cannot write the output: standard output is closed; name a file with -o\n")
    assert shell(folder, ">&-", "predict", "a", "--data", "t.csv", "-o", "p.csv") == (0, "")
    assert (folder / "p.csv").read_text().startswith("x,prediction\n4,")


def test_messages_that_cannot_be_written_are_lost_and_the_run_is_whole(folder):
    if Path("/dev/full").exists():
        assert shell(folder, "-v 2>/dev/full", "train", "-c", "c.yaml", "-c", "c.yaml")[0] == 0
        assert json.loads((folder / "outputs" / "a-0001" / "run.json").read_text())["status"] == "finished"
        assert shell(folder, "2>/dev/full", "validate", "broken.yaml")[0] == 2


def test_a_stdout_that_cannot_be_written_to_is_an_error_that_says_so(folder):
    code, shown = shell(folder, "1</dev/null", "runs", "list")
    assert (code, shown) == (6, "error: cannot write the output: Bad file descriptor\n")


def test_a_message_is_lost_only_where_it_fails(tmp_path):
    with open(tmp_path / "m", "wb") as file, streams._Messages(file.fileno(), "wb", closefd=False) as raw:
        assert raw.write(b"one") == 3
    assert (tmp_path / "m").read_bytes() == b"one"
    reading, writing = os.pipe()
    os.close(reading)
    with streams._Messages(writing, "wb") as raw:  # a closed pipe
        assert raw.write(memoryview(b"four")) == 4


def test_only_a_closed_stdout_refuses_a_result(monkeypatch):
    streams.require_stdout()
    monkeypatch.setattr(streams, "_closed", {1})
    with pytest.raises(StoreError, match="standard output is closed"):
        streams.require_stdout()
