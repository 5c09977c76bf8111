"""Compiled kernels on the disk: never stale, never in the way."""

import os
import subprocess
import sys
import threading

import pytest

from linreg_cli.optim.executors import kernel_files

NAME = "some_kernels.run", "float32"


@pytest.fixture
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    return tmp_path


def test_what_is_written_is_read_under_its_own_key_only(folder):
    assert kernel_files.read(*NAME, "key") is None
    kernel_files.write(*NAME, "key", b"code")
    assert kernel_files.read(*NAME, "key") == b"code"
    assert kernel_files.read(*NAME, "another processor") is None
    assert kernel_files.exists(*NAME)
    assert not kernel_files.exists(NAME[0], "float64")


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 1000], ids=len)
def test_a_damaged_file_is_not_used_and_is_replaced(folder, content):
    kernel_files.write(*NAME, "key", b"code")
    (file,) = folder.iterdir()
    file.write_bytes(content)
    assert kernel_files.read(*NAME, "key") is None
    kernel_files.write(*NAME, "key", b"code")
    assert kernel_files.read(*NAME, "key") == b"code"


def test_a_kernel_of_other_sources_is_not_found_and_then_removed(folder, monkeypatch):
    kernel_files.write(*NAME, "key", b"old")
    monkeypatch.setattr(kernel_files, "source_digest", lambda: "0123456789abcdef")
    assert kernel_files.read(*NAME, "key") is None
    kernel_files.write(*NAME, "key", b"new")
    assert kernel_files.read(*NAME, "key") == b"new"
    assert len(list(folder.iterdir())) == 1


def test_the_digest_is_of_every_module_that_a_kernel_may_call(tmp_path, monkeypatch):
    for module in ("kernels.py", "simd.py"):
        (tmp_path / module).write_text("before")
    monkeypatch.setattr(kernel_files, "_SOURCES", tmp_path)
    before = kernel_files.source_digest.__wrapped__()
    (tmp_path / "simd.py").write_text("after")
    assert kernel_files.source_digest.__wrapped__() != before


def test_a_folder_that_cannot_be_written_is_passed_over(tmp_path, monkeypatch):
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    (tmp_path / "package").write_text("a file, so that no folder can be made in it, by root neither")
    monkeypatch.setattr(kernel_files, "_SOURCES", tmp_path / "package")
    monkeypatch.setattr(kernel_files, "source_digest", lambda: "0123456789abcdef")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    kernel_files.write(*NAME, "key", b"code")
    assert kernel_files.read(*NAME, "key") == b"code"
    assert [path.parent for path in tmp_path.rglob("*.kernel")] == [tmp_path / "cache" / "linreg"]
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "package"))
    kernel_files.write(*NAME, "other", b"code")  # nowhere, and no error
    assert kernel_files.read(*NAME, "other") is None


def test_writers_at_the_same_time_leave_a_whole_file(folder):
    contents = [bytes([i]) * 100_000 for i in range(8)]
    writers = [threading.Thread(target=kernel_files.write, args=(*NAME, "key", content)) for content in contents]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert kernel_files.read(*NAME, "key") in contents
    assert len(list(folder.iterdir())) == 1


def test_a_kernel_is_compiled_once_and_a_damaged_one_again(tmp_path):
    """In processes of their own: the second takes the file of the first, the third finds it damaged."""
    (tmp_path / "small_kernels.py").write_text(
        "from linreg_cli.optim.executors.compiled import kernel\n"
        "@kernel(fastmath={'contract'})\n"
        "def twice(x):\n"
        "    return 2 * x\n"
    )
    program = "import small_kernels as s; print(s.twice(21.0), len(s.twice._cache_hits), len(s.twice._cache_misses))"
    environment = os.environ | {
        "NUMBA_CACHE_DIR": str(tmp_path / "cache"),
        "PYTHONPATH": os.pathsep.join([str(tmp_path), os.getcwd()]),
    }

    def run():
        command = [sys.executable, "-c", program]
        return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout.split()

    assert run() == ["42.0", "0", "1"]
    assert run() == ["42.0", "1", "0"]
    (file,) = (tmp_path / "cache").iterdir()
    file.write_bytes(file.read_bytes()[:-1])
    assert run() == ["42.0", "0", "1"]
    assert run() == ["42.0", "1", "0"]
