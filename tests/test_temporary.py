"""Temporary folders of commands: gone at the end, or, where the process was killed, with a later command."""

import errno
import os
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np
import pytest

from linreg_cli.cli.temporary import temporary_folder
from linreg_cli.data.columns import on_disk
from linreg_cli.data.columns.on_disk import NumberSink
from linreg_cli.data.columns.row_file import stored
from linreg_cli.errors import TemporaryFileError
from linreg_cli.runs import lock as run_lock
from linreg_cli.runs.lock import hold
from linreg_cli.temporary import folder as folder_of

MINUTE = 60.0


@pytest.fixture(autouse=True)
def in_tmp_path(monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))


def test_a_folder_is_for_its_user_alone_and_gone_at_the_end_however_that_comes(tmp_path):
    with temporary_folder() as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "copy.csv").write_text("x\n1\n")
    assert os.listdir(tmp_path) == []
    with pytest.raises(KeyboardInterrupt), temporary_folder():
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == []


def left(parent, name, minutes):
    folder = parent / name
    folder.mkdir()
    (folder / "copy.csv").write_text("x\n")
    os.utime(folder, (folder.stat().st_mtime - minutes * MINUTE,) * 2)
    return folder


def test_folders_that_killed_processes_left_a_minute_ago_are_removed_and_nothing_else(tmp_path):
    young = left(tmp_path, f".linreg-{'0' * 16}.temporary", 0.9)
    old = left(tmp_path, f".linreg-{'1' * 16}.temporary", 1.1)
    used = left(tmp_path, f".linreg-{'2' * 16}.temporary", 1.1)
    others = [left(tmp_path, name, 50) for name in ("linreg-examples", ".linreg-12.temporary", ".linreg")]
    lock = hold(used)
    os.utime(used, (0, 0))
    with temporary_folder():
        assert [folder.exists() for folder in (young, old, used, *others)] == [True, False, True, True, True, True]
    lock.release()


def test_where_folders_cannot_be_locked_none_is_removed(tmp_path, monkeypatch):
    """Nobody can tell there whether a command that began long ago still reads its copy."""
    monkeypatch.setattr(run_lock, "_lock", lambda folder, *, shared: None)
    old = left(tmp_path, f".linreg-{'1' * 16}.temporary", 50)
    with temporary_folder():
        assert old.exists()


def test_where_no_folder_can_be_made_the_error_says_what_to_do(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "mkdir", full)
    with pytest.raises(TemporaryFileError) as error, temporary_folder():
        pass
    assert str(error.value).startswith(f"{tmp_path}: no temporary folder can be made: ")
    assert str(error.value).endswith("; set TMPDIR to a folder that can be written")


def filled():
    sink = NumberSink(["x"])
    for _ in range(3):
        sink.add([np.zeros(100)])
    return sink.columns()


USES = {"copies": lambda: temporary_folder().__enter__(), "columns": filled, "rows": lambda: stored(9, [1], "float32")}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("given", ["gone", "file", "locked"])
def test_a_tmpdir_that_cannot_be_used_is_refused_and_no_other_folder_taken(use, given, tmp_path, monkeypatch):
    """Python's tempfile takes /tmp then, and says nothing."""
    monkeypatch.setattr(on_disk, "group_rows", lambda n_columns: 100)
    path = tmp_path / given
    if given == "file":
        path.touch()
    elif given == "locked":
        path.mkdir()
        monkeypatch.setattr(
            os, "access", lambda folder, mode: os.fspath(folder) != str(path)
        )  # root may write anywhere
    monkeypatch.setenv("TMPDIR", str(path))
    with pytest.raises(TemporaryFileError) as error:
        USES[use]()
    why = "cannot be written; set" if given == "locked" else "is no folder; create it, or set"
    assert str(error.value).startswith(f"{path}: what TMPDIR names {why} TMPDIR to ")


def test_without_tmpdir_the_folder_is_one_that_is_not_in_memory(monkeypatch, tmp_path):
    assert folder_of() == str(tmp_path)
    for unset in (lambda: monkeypatch.setenv("TMPDIR", ""), lambda: monkeypatch.delenv("TMPDIR")):
        unset()
        assert folder_of() == ("/var/tmp" if os.access("/var/tmp", os.W_OK) else tempfile.gettempdir())


@pytest.mark.parametrize(
    "command",
    [
        ["sweep", "-c", "c.yaml", "--set", "optimizer.lr=0.1,0.2", "--jobs", "2"],
        ["predict", "c", "--data", "t.csv", "-o", "-"],
    ],
)
def test_a_command_that_needs_the_folder_ends_with_its_name(linreg, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text("x,y\n1,2\n2,3\n4,4\n")
    (tmp_path / "c.yaml").write_text("data: {path: t.csv, target: y}\noptimizer: {lr: 0.01}\nplots: false\n")
    assert linreg("train", "-c", "c.yaml", "-q").code == 0
    monkeypatch.setenv("TMPDIR", "/nowhere/at/all")
    result = linreg(*command)
    message = "error: /nowhere/at/all: what TMPDIR names is no folder; create it, or set TMPDIR to another one\n"
    assert (result.code, result.out) == (3, "")
    assert result.err.endswith(message)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_copy_of_standard_input_of_a_killed_process_goes_with_a_later_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    (tmp_path / "c.yaml").write_text("data: {path: '-', target: y}\noptimizer: {lr: 0.1}\n")
    words = [sys.executable, "-m", "linreg_cli", "inspect", "-c", "c.yaml"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as child:
        child.stdin.write(b"x,y\n" + b"1,2\n" * 3_000)  # more than is looked at first
        child.stdin.flush()
        end = time.monotonic() + 60
        while not (found := list((tmp_path / "tmp").glob(".linreg-*.temporary/*.csv"))):
            assert child.poll() is None
            assert time.monotonic() < end
        child.send_signal(signal.SIGKILL)
    [copy] = found
    assert copy.exists()
    os.utime(copy.parent, (0, 0))
    subprocess.run(words, input=b"x,y\n1,2\n2,3\n4,4\n", capture_output=True, check=False)
    assert os.listdir(tmp_path / "tmp") == []
