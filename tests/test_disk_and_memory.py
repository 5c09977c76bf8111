"""A disk or memory that is full, a folder that cannot be written: a clean error with its exit code, nothing half."""

import errno
import json
import os
import resource
import subprocess
from pathlib import Path

import pytest
import test_crash_safety
from faults import ended, forked
from test_crash_safety import FEW, assert_clean, assert_same

from linreg_cli import files
from linreg_cli.data import Preprocessor
from linreg_cli.optim.engines.reference import ReferenceExecutor

# Fixtures of test_crash_safety.py: pytest finds them by their names in this module.
config = test_crash_safety.config

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]


@pytest.mark.parametrize("size", [0, 300, 900, 1500, 3000])
def test_a_file_that_cannot_grow_is_a_clean_error(linreg, config, tmp_path, size):
    """A limit on the size of files stands for a full disk; `size` bytes fit."""

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    (tmp_path / "out").mkdir()
    (tmp_path / "err").symlink_to(os.devnull)
    code = ended(forked(["train", "-c", config, *FEW, "--quiet"], tmp_path / "out", prepare=limit))
    assert code == 6
    outputs = tmp_path / "out" / "outputs"
    listed = linreg("runs", "list", "--json", "--outputs", outputs)
    assert (listed.code, listed.err) == (0, "")
    if listed.json["runs"]:
        assert listed.json["runs"][0]["status"] in ("failed", "interrupted")
        assert linreg("train", "--resume", "r", "--outputs", outputs).code == 0
        assert linreg("train", "-c", config, *FEW, "--outputs", "whole").code == 0
        assert_same(outputs / "r-0001", tmp_path / "whole" / "r-0001")


def test_a_full_disk_is_a_clean_error_and_the_run_goes_on_when_there_is_room(linreg, config, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=96k", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mount.returncode:
        pytest.skip("a tmpfs cannot be mounted here")
    try:
        filler = disk / "filler"
        for free in (0, 4, 8, 16, 24, 32):
            filler.write_bytes(b"x" * (96 - free) * 1024)
            result = linreg("train", "-c", config, *FEW, "--outputs", disk / f"o{free}")
            assert_clean(result, (0, 6))
            filler.unlink()
            listed = linreg("runs", "list", "--json", "--outputs", disk / f"o{free}")
            assert (listed.code, listed.err) == (0, "")
            for row in listed.json["runs"]:
                again = linreg("train", "--resume", row["run"], "--outputs", disk / f"o{free}")
                assert again.code == 0, again.err
            subprocess.run(["rm", "-r", str(disk / f"o{free}")], check=False, capture_output=True)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_outputs_that_cannot_be_written_fail_before_training(linreg, config, tmp_path):
    (tmp_path / "file").write_text("")
    result = linreg("train", "-c", config, "--outputs", "file")
    assert (result.code, "it is not a folder" in result.err) == (6, True)
    (tmp_path / "closed").mkdir(mode=0o555)

    def nobody():
        os.setuid(65534)

    if os.getuid() == 0:
        (tmp_path / "out").mkdir(mode=0o777)
        os.chmod(tmp_path / "out", 0o777)
        for folder in (tmp_path, *tmp_path.parents):
            if folder.name.startswith(("test_", "popen-", "pytest-")):  # as pytest calls what it makes
                os.chmod(folder, 0o755)
        config.chmod(0o644)
        child = forked(["train", "-c", config, "--outputs", tmp_path / "closed"], tmp_path / "out", prepare=nobody)
        assert ended(child) == 6, (tmp_path / "out" / "stderr").read_text()
        assert "cannot create a run folder: Permission denied" in (tmp_path / "out" / "stderr").read_text()
    else:
        assert linreg("train", "-c", config, "--outputs", "closed").code == 6


TORCH_SAYS = "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to"


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError(TORCH_SAYS), RuntimeError("CUDA out of memory.")])
@pytest.mark.parametrize("where", ["before the run", "in training"])
def test_memory_that_runs_out_is_a_clean_error_and_the_run_has_failed(
    linreg, config, monkeypatch, tmp_path, error, where
):
    def fail(*_, **__):
        raise error

    with monkeypatch.context() as patch:
        owner, name = (Preprocessor, "fit") if where == "before the run" else (ReferenceExecutor, "run")
        patch.setattr(owner, name, fail)
        result = linreg("train", "-c", config, *FEW, "--json")
    assert (result.code, result.json["error"]["kind"]) == (3, "memory")
    assert "Traceback" not in result.err
    rows = linreg("runs", "list", "--json").json["runs"]
    assert [row["status"] for row in rows] == ([] if where == "before the run" else ["failed"])
    if rows:
        assert "out of memory" in json.loads((tmp_path / "outputs" / "r-0001" / "run.json").read_text())["error"]
        assert linreg("train", "--resume", "r").code == 0


def test_another_runtime_error_is_a_bug_and_says_so(linreg, config, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(ReferenceExecutor, "run", fail)
    assert linreg("train", "-c", config).code == 1


def test_a_limit_on_memory_is_met_cleanly(config, tmp_path):
    def limit():
        with open("/proc/self/statm") as file:
            now = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + 100_000_000,) * 2)

    if not Path("/proc/self/statm").exists():
        pytest.skip("no /proc")
    # The columns go to the disk as they grow; the order of the rows, of 8 bytes each, does not fit any more.
    command = ["train", "-c", config, "--set", "data.n_samples=20000000"]
    assert ended(forked(command, tmp_path, prepare=limit)) == 3
    err = (tmp_path / "stderr").read_text()
    assert "error: out of memory" in err
    assert "Traceback" not in err


def test_disk_full_is_named(linreg, config, monkeypatch, tmp_path):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files, "RETRY_SECONDS", (0.0,))
    monkeypatch.setattr(os, "replace", full)
    result = linreg("train", "-c", config, *FEW)
    assert (result.code, "cannot write: No space left on device" in result.err) == (6, True)
    assert not (tmp_path / "outputs" / "r-0001").exists()
