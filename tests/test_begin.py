"""New run folders: ids are exclusive, and a folder appears with its first files or not at all."""

import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from run_folders import make_run

from linreg_cli.errors import StoreError
from linreg_cli.pipeline.ranks import begun_by
from linreg_cli.runs import edit
from linreg_cli.runs.begin import create_run, hidden_folder
from linreg_cli.runs.find import find_run
from linreg_cli.runs.lock import hold, in_use
from linreg_cli.runs.record import RunRecord
from linreg_cli.runs.store import list_runs

MINUTE = 60


def test_fifty_threads_get_fifty_folders_each_with_its_own_id(tmp_path):
    barrier = threading.Barrier(50)

    def start(_):
        barrier.wait()
        return make_run(tmp_path / "deep" / "outputs", "a")

    with ThreadPoolExecutor(50) as pool:
        runs = list(pool.map(start, range(50)))
    assert sorted(run.id for run in runs) == [f"a-{number:04d}" for number in range(1, 51)]
    assert all(run.record()["run"] == run.id for run in runs)
    assert len(os.listdir(tmp_path / "deep" / "outputs")) == 50


def test_processes_get_a_folder_each(tmp_path):
    code = "from run_folders import make_run; from pathlib import Path; print(make_run(Path('o'), 'a').id)"
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([os.path.dirname(__file__), *sys.path])}
    options = {"cwd": tmp_path, "stdout": subprocess.PIPE, "text": True, "env": environment}
    running = [subprocess.Popen(command, **options) for _ in range(12)]
    ids = [process.communicate()[0].strip() for process in running]
    assert sorted(ids) == [f"a-{number:04d}" for number in range(1, 13)]


def test_numbers_go_on_after_the_largest_and_are_not_used_again(tmp_path):
    for name in ("a-0007", "a-12345", "b-0099", "a-b-0003", "a-00009", "a-007", "a-0001x"):
        (tmp_path / name).mkdir()
    assert make_run(tmp_path, "a").id == "a-12346"
    assert make_run(tmp_path, "a-b").id == "a-b-0004"
    shutil.rmtree(tmp_path / "b-0099")
    assert make_run(tmp_path, "b").id == "b-0001"


def test_a_file_with_the_next_name_is_passed_over(tmp_path):
    (tmp_path / "a-0001").write_text("not a folder")
    assert make_run(tmp_path, "a").id == "a-0002"


@pytest.mark.parametrize("kind", ["run", "file"])
def test_an_id_that_is_taken_while_its_files_are_written_is_left_to_its_owner(tmp_path, kind):
    """The files of the first id are asked for, and then something else has it."""
    asked = []

    def files(run_id):
        if not asked:
            (tmp_path / run_id).write_text("x") if kind == "file" else make_run(tmp_path, "a", label="first")
        asked.append(run_id)
        return {"run.json": (run_id, None), "config.yaml": ("name: a", 0o600)}

    run, lock = create_run(tmp_path, "a", files)
    lock.release()
    assert (asked, run.id, run.read("run.json")) == (["a-0001", "a-0002"], "a-0002", b"a-0002")
    assert (run.path / "config.yaml").stat().st_mode & 0o777 == 0o600
    assert sorted(os.listdir(run.path)) == ["config.yaml", "run.json"]
    assert sorted(os.listdir(tmp_path)) == ["a-0001", "a-0002"]
    if kind == "run":
        assert find_run(tmp_path, "a-0001").record()["label"] == "first"


def test_the_lock_is_held_before_there_is_a_run_and_goes_with_the_folder(tmp_path):
    record = RunRecord.begin(tmp_path, "a", {})
    assert in_use(tmp_path / "a-0001") is True
    assert os.listdir(tmp_path / "a-0001").count(".owner") == 1
    record.finish("failed")
    assert in_use(tmp_path / "a-0001") is False
    assert os.listdir(tmp_path / "a-0001") == ["run.json"]


def test_files_that_cannot_be_written_are_named_as_those_of_the_run_and_leave_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("linreg_cli.files.RETRY_SECONDS", ())
    replace = os.replace

    def full(draft, path):
        if os.path.basename(path) == "run.json":
            raise OSError(28, os.strerror(28))
        replace(draft, path)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(StoreError) as caught:
        RunRecord.begin(tmp_path / "o", "a", {}, {"config.yaml": ("name: a", None)})
    assert str(caught.value) == f"{tmp_path}/o/a-0001/run.json: cannot write: No space left on device"
    assert os.listdir(tmp_path / "o") == []


@pytest.mark.parametrize("error", [StoreError("no"), KeyboardInterrupt()])
def test_whatever_ends_it_before_the_rename_leaves_nothing(tmp_path, monkeypatch, error):
    def stopped(*_):
        raise error

    monkeypatch.setattr(os, "rename", stopped)
    with pytest.raises(type(error)):
        RunRecord.begin(tmp_path, "a", {}, {"config.yaml": ("name: a", None)})
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("line", ["os.mkdir", "linreg_cli.runs.begin.hold"])
def test_ctrl_c_right_after_the_hidden_folder_was_made_leaves_nothing(tmp_path, monkeypatch, line):
    """The signal comes when the folder is there, or when its `.owner` is written and its lock is not returned yet."""
    work = {"os.mkdir": os.mkdir, "linreg_cli.runs.begin.hold": hold}[line]

    def interrupted(*arguments):
        work(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(line, interrupted)
    with pytest.raises(KeyboardInterrupt):
        RunRecord.begin(tmp_path, "a", {})
    assert os.listdir(tmp_path) == []


def left_behind(outputs: Path, *, minutes: float) -> Path:
    """A hidden folder with the first files of a run, as old as it says."""
    folder = hidden_folder(outputs)
    make_run(outputs, "gone", launch={"id": "x", "processes": 2}).path.rename(folder)
    (folder / "plots").mkdir()
    os.utime(folder, (folder.stat().st_mtime - minutes * MINUTE,) * 2)
    return folder


def test_a_hidden_folder_is_no_run(linreg, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    left_behind(tmp_path / "outputs", minutes=0)
    assert list_runs(tmp_path / "outputs") == ([], [])
    assert begun_by("x", 0.0, tmp_path / "outputs") is None
    with pytest.raises(StoreError, match="there are no runs yet"):
        find_run(tmp_path / "outputs", "latest")
    assert "linreg predict" not in linreg().out


def test_what_a_killed_process_left_is_removed_a_minute_later_unless_a_process_holds_it(tmp_path):
    folders = [left_behind(tmp_path, minutes=minutes) for minutes in (0.9, 1.1, 1.1)]
    lock = hold(folders[2])
    (tmp_path / ".linreg-0123.run").mkdir()
    os.utime(tmp_path / ".linreg-0123.run", (0, 0))  # not a name that is given
    make_run(tmp_path, "a")
    lock.release()
    assert [folder.exists() for folder in folders] == [True, False, True]
    assert (tmp_path / ".linreg-0123.run").exists()


def test_a_run_that_is_being_removed_is_left_to_the_process_that_removes_it(tmp_path, monkeypatch):
    """A hidden folder of an old run is as old as the run; another one begins between hiding and removal."""
    run, rmtree = make_run(tmp_path, "a"), shutil.rmtree
    os.utime(run.path, (0, 0))

    def meanwhile(path):
        monkeypatch.setattr(shutil, "rmtree", rmtree)
        make_run(tmp_path, "b")
        rmtree(path)

    monkeypatch.setattr(shutil, "rmtree", meanwhile)
    edit.remove(run)
    assert os.listdir(tmp_path) == ["b-0001"]
