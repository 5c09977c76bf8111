"""The run store: what is listed, and damage is named."""

import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from run_folders import make_run

from linreg_cli.errors import StoreError
from linreg_cli.runs.find import find_run
from linreg_cli.runs.lock import hold, in_use
from linreg_cli.runs.record import RunRecord
from linreg_cli.runs.store import RunFolder, list_runs


def message(action, *args) -> str:
    with pytest.raises(StoreError) as caught:
        action(*args)
    assert caught.value.exit_code == 6
    return str(caught.value)


# --- folders that cannot be used


@pytest.mark.parametrize("below", ["", "sub"])
def test_outputs_that_is_a_file_is_refused(tmp_path, below):
    (tmp_path / "outputs").write_text("x")
    for action in (lambda path: make_run(path, "a"), list_runs, lambda path: find_run(path, "latest")):
        text = message(action, tmp_path / "outputs" / below)
        assert text.endswith("it is not a folder; choose another with --outputs or LINREG_OUTPUTS")
    assert (tmp_path / "outputs").read_text() == "x"


def test_outputs_that_cannot_be_written_is_refused(tmp_path, monkeypatch):
    """Also for root, whom no permission stops: mkdir fails as on a read-only file system."""

    def mkdir(*_args, **_kwargs):
        raise OSError(30, os.strerror(30))

    monkeypatch.setattr(Path, "mkdir", mkdir)
    assert message(make_run, tmp_path, "a") == (
        f"{tmp_path}: cannot create a run folder: Read-only file system; "
        "choose another with --outputs or LINREG_OUTPUTS"
    )


def test_an_unwritable_outputs_fails_the_command_before_training_and_leaves_nothing(linreg, config_file, tmp_path):
    config_file("data: {source: synthetic}\nplots: false\n")
    (tmp_path / "outputs").write_text("x")
    result = linreg("train", "-c", "config.yaml")
    assert result.code == 6
    assert result.err.startswith("error: outputs: cannot ")
    assert sorted(os.listdir(tmp_path)) == ["config.yaml", "outputs"]


# --- listing


@pytest.fixture
def outputs(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "outputs"
    for name in ("housing", "housing", "house", "points"):
        make_run(folder, name)
    (folder / "comparisons").mkdir()
    (folder / "README.md").write_text("x")
    return folder


def test_runs_are_listed_in_the_order_of_their_making(outputs):
    readable, damaged = list_runs(outputs)
    assert [run.id for run, _ in readable] == ["housing-0001", "housing-0002", "house-0001", "points-0001"]
    assert damaged == []


# --- damage


DAMAGE = {
    "no run.json": (None, "the run has no run.json"),
    "empty": (b"", "it is not valid JSON"),
    "truncated": (b'{"format": 1, "st', "it is not valid JSON"),
    "not UTF-8": (b'{"a": "\xff"}', "it is not valid JSON"),
    "a list": (b"[1]", "it is not a JSON object"),
    "deeply nested": (b"[" * 100_000, "it is not valid JSON"),
    "not a number": (b'{"format": 1, "seconds": NaN}', "it is not valid JSON"),
    "no format": (b'{"status": "finished", "created": "x"}', "format is not a positive integer"),
    "format of text": (b'{"format": "1", "status": "finished"}', "format is not a positive integer"),
    "newer": (b'{"format": 99, "status": "new", "x": []}', "format 99 is newer than format 1, which this version"),
    "unknown status": (b'{"format": 1, "status": "gone", "created": "x"}', "unexpected value of status"),
    "data of text": (b'{"format": 1, "status": "failed", "created": "x", "data": "y"}', "unexpected value of data"),
    "seconds of text": (
        b'{"format": 1, "status": "failed", "created": 3, "seconds": "y"}',
        "unexpected value of created, seconds",
    ),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_run_is_skipped_with_a_warning_and_is_an_error_when_named(outputs, linreg, case):
    content, expected = DAMAGE[case]
    path = outputs / "house-0001" / "run.json"
    path.unlink() if content is None else path.write_bytes(content)
    listed = linreg("runs", "list", "--json")
    assert listed.code == 0
    assert [row["run"] for row in listed.json["runs"]] == ["housing-0001", "housing-0002", "points-0001"]
    [warning] = listed.err.splitlines()
    assert warning.startswith("warning: outputs/house-0001")
    assert expected in warning
    named = linreg("runs", "show", "house", "--json")
    assert named.code == 6
    assert expected in named.json["error"]["message"]
    assert "house-0001" in named.json["error"]["where"]


def test_a_file_in_the_place_of_a_run_is_skipped_with_a_warning(outputs, linreg):
    (outputs / "x-0001").write_text("x")
    result = linreg("runs", "list", "--csv")
    assert (result.code, len(result.out.splitlines())) == (0, 5)
    assert result.err == "warning: outputs/x-0001: cannot read run.json: Not a directory\n"


@pytest.mark.parametrize("content", ["[]", "{", '{"train": 5}', '{"train": {"r2": "x", "n": 1}}', '{"parameters": []}'])
def test_damaged_metrics_do_not_stop_the_list_and_are_an_error_when_named(outputs, linreg, content):
    (outputs / "house-0001" / "metrics.json").write_text(content)
    listed = linreg("runs", "list")
    assert (listed.code, len(listed.out.splitlines())) == (0, 5)
    shown = linreg("runs", "show", "house")
    assert (shown.code, shown.out) == (6, "")
    assert "the run is damaged" in shown.err


# --- copies


@pytest.mark.parametrize("how", [shutil.copytree, shutil.move])
def test_a_run_that_was_copied_or_moved_works(outputs, tmp_path, how):
    how(outputs / "house-0001", tmp_path / "elsewhere")
    run = find_run(outputs, f"{tmp_path}/elsewhere")
    assert run.record()["run"] == "house-0001"
    assert run.id == "elsewhere"


def test_a_run_behind_a_link_works(outputs, tmp_path):
    (tmp_path / "best").symlink_to(outputs / "house-0001")
    (outputs / "copy-0007").symlink_to(outputs / "house-0001")
    assert find_run(outputs, str(tmp_path / "best")).id == "best"
    assert find_run(outputs, "copy-0007").record()["run"] == "house-0001"
    listed, damaged = list_runs(outputs)
    assert "copy-0007" in [run.id for run, _ in listed]
    assert damaged == []


# --- runs whose process has gone


def test_a_run_is_running_while_its_process_holds_it_and_interrupted_when_that_is_gone(tmp_path):
    code = (
        "import os, sys; from pathlib import Path; from linreg_cli.runs.record import RunRecord;"
        "record = RunRecord.begin(Path('outputs'), 'a', {});"
        "print('ready', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"ready\n"
        run = find_run(tmp_path / "outputs", "a")
        assert run.record()["status"] == "running"
        assert message(hold, run.path).endswith(f"the run is in use by PID {process.pid}; wait for it, or stop it")
        shutil.copytree(run.path, tmp_path / "copy")
        assert RunFolder(tmp_path / "copy").record()["status"] == "interrupted"
        process.kill()
    assert run.record()["status"] == "interrupted"
    assert "its process ended" in run.record()["error"]
    assert json.loads((run.path / "run.json").read_text())["status"] == "running"  # reading changes nothing


def test_a_run_that_has_finished_is_not_in_use(tmp_path):
    record = RunRecord.begin(tmp_path, "a", {})
    run = record.run
    assert in_use(run.path) is True
    record.finish("finished", seconds=1.0)
    assert in_use(run.path) is False
    assert run.record()["status"] == "finished"


def test_looking_at_a_run_does_not_keep_its_process_from_taking_it(tmp_path):
    run = make_run(tmp_path, "a")
    stop = threading.Event()

    def look():
        while not stop.is_set():
            in_use(run.path)

    lookers = [threading.Thread(target=look) for _ in range(2)]
    for looker in lookers:
        looker.start()
    try:
        for _ in range(20):
            hold(run.path).release()
    finally:
        stop.set()
        for looker in lookers:
            looker.join()


def test_a_name_of_a_file_that_is_not_utf8_survives_in_json(tmp_path):
    run = make_run(tmp_path, "a")
    run.write_json("x.json", {"command": "caf\udce9.yaml \u2028 é"})
    assert run.read_json("x.json") == {"command": "caf\udce9.yaml \u2028 é"}
