"""Compiled kernels on the disk: never stale, never in the way."""

import os
import threading

import pytest

from linreg_cli.optim.engines.kernels import disk

NAME, SOURCES = ("some_kernels.run", "float32"), "0123456789abcdef"


@pytest.fixture(autouse=True)
def _known_sources(monkeypatch):
    monkeypatch.setattr(disk, "first_digest", lambda: SOURCES)


@pytest.fixture
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv("LINREG_CACHE", str(tmp_path))
    return tmp_path


def write(content, key="key", sources=SOURCES):
    disk.write(*NAME, sources, key, content)


def read(key="key", sources=SOURCES):
    return disk.read(*NAME, sources, key)


def test_what_is_written_is_read_under_its_own_key_only(folder):
    assert read() is None
    write(b"code")
    assert read() == b"code"
    assert read("another processor") is None
    assert disk.exists(*NAME)
    assert not disk.exists(NAME[0], "float64")


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 1000], ids=len)
def test_a_damaged_file_is_not_used_and_is_replaced(folder, content):
    write(b"code")
    (file,) = folder.iterdir()
    file.write_bytes(content)
    assert read() is None
    write(b"code")
    assert read() == b"code"


@pytest.mark.parametrize("mode", [0o666, 0o664, 0o646, 0o602, 0o620])
def test_a_file_that_others_may_write_is_not_read_since_it_becomes_code(folder, mode):
    write(b"code")
    (file,) = folder.iterdir()
    file.chmod(mode)
    assert read() is None


@pytest.mark.parametrize("mode", [0o644, 0o600, 0o444])
def test_a_file_that_only_its_owner_may_write_is_read(folder, mode):
    write(b"code")
    (file,) = folder.iterdir()
    file.chmod(mode)
    assert read() == b"code"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_not_read(folder):
    write(b"code")
    (file,) = folder.iterdir()
    os.chown(file, 65534, 65534)
    assert read() is None


@pytest.mark.parametrize(
    ("owner", "trusted"),
    [("this user", True), ("root", True), ("who installed the sources", True), ("somebody", False)],
)
def test_a_file_is_read_by_its_owner_and_from_those_who_could_change_the_program(folder, monkeypatch, owner, trusted):
    """The same for users who are not root, who cannot give a file away: the system is said to name another owner."""
    users = {"this user": 70001, "root": 0, "who installed the sources": 70002, "somebody": 70003}
    write(b"code")
    file, sources = next(folder.iterdir()), disk._SOURCES

    def owned_by(uid, status):
        return os.stat_result([*status[:4], uid, *status[5:]])

    real_fstat, real_stat = os.fstat, os.stat
    ours = file.stat().st_ino

    def fstat(descriptor):
        status = real_fstat(descriptor)
        return owned_by(users[owner], status) if status.st_ino == ours else status

    def stat(path, *rest, **more):
        status = real_stat(path, *rest, **more)
        return owned_by(users["who installed the sources"], status) if path == sources else status

    monkeypatch.setattr(os, "geteuid", lambda: users["this user"])
    monkeypatch.setattr(os, "fstat", fstat)
    monkeypatch.setattr(os, "stat", stat)
    assert read() == (b"code" if trusted else None)


def test_a_kernel_under_the_name_of_another_is_not_used(folder):
    write(b"code")
    (file,) = folder.iterdir()
    disk.write("other_kernels.run", NAME[1], SOURCES, "key", b"other")
    (other,) = (each for each in folder.iterdir() if each != file)
    other.replace(file)
    assert read() is None


def test_a_kernel_of_other_sources_is_not_found_and_beside_the_sources_removed(tmp_path, monkeypatch):
    monkeypatch.delenv("LINREG_CACHE", raising=False)
    monkeypatch.setattr(disk, "_SOURCES", tmp_path)
    write(b"old", sources="f" * 16)
    assert read() is None
    write(b"new")
    assert read() == b"new"
    assert len(list((tmp_path / "__pycache__").iterdir())) == 1


def test_a_write_that_fails_leaves_nothing(folder, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    write(b"code")
    assert list(folder.iterdir()) == []


def test_an_administrator_may_compile_for_all_users(folder):
    mask = os.umask(0o077)
    try:
        write(b"code")
    finally:
        os.umask(mask)
    (file,) = folder.iterdir()
    assert file.stat().st_mode & 0o777 == 0o644


def test_a_cache_folder_that_was_named_is_the_only_place(folder, monkeypatch, tmp_path_factory):
    package = tmp_path_factory.mktemp("package")
    monkeypatch.setattr(disk, "_SOURCES", package)
    write(b"code")
    assert (read(), list(package.iterdir())) == (b"code", [])
    monkeypatch.delenv("LINREG_CACHE")
    assert read() is None
    write(b"beside")
    monkeypatch.setenv("LINREG_CACHE", str(folder))
    assert read() == b"code"


def test_the_digest_is_of_every_module_that_a_kernel_may_call(tmp_path, monkeypatch):
    for module in ("kernels.py", "simd.py"):
        (tmp_path / module).write_text("before")
    monkeypatch.setattr(disk, "_SOURCES", tmp_path)
    before = disk.source_digest()
    (tmp_path / "simd.py").write_text("after")
    assert disk.source_digest() != before


def test_a_folder_that_cannot_be_written_is_passed_over(tmp_path, monkeypatch):
    monkeypatch.delenv("LINREG_CACHE", raising=False)
    (tmp_path / "package").write_text("a file, so that no folder can be made in it, by root neither")
    monkeypatch.setattr(disk, "_SOURCES", tmp_path / "package")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write(b"code")
    assert read() == b"code"
    assert [path.parent for path in tmp_path.rglob("*.kernel")] == [tmp_path / "cache" / "linreg"]
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "package"))
    write(b"code", "other")  # nowhere, and no error
    assert read("other") is None


def test_writers_at_the_same_time_leave_a_whole_file(folder):
    contents = [bytes([i]) * 100_000 for i in range(8)]
    writers = [threading.Thread(target=write, args=(content,)) for content in contents]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert read() in contents
    assert len(list(folder.iterdir())) == 1


@pytest.mark.parametrize("kind", ["a pipe", "a link", "a link to nothing", "a folder"])
def test_what_is_no_file_is_neither_read_nor_waited_for_nor_replaced(folder, tmp_path_factory, kind):
    write(b"code")
    (path,) = folder.iterdir()
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "kernel"
    path.rename(elsewhere)
    match kind:
        case "a pipe":
            os.mkfifo(path)
        case "a link":
            path.symlink_to(elsewhere)
        case "a link to nothing":
            path.symlink_to(elsewhere.with_name("nothing"))
        case "a folder":
            path.mkdir()
    assert read() is None
    assert not disk.exists(*NAME)
    before = path.lstat().st_ino
    write(b"other")
    assert path.lstat().st_ino == before
    assert [each.name for each in elsewhere.parent.iterdir()] == ["kernel"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_neither_read_nor_written_to(folder):
    """Not even a file of this user in it: its owner can put any file there under any name."""
    write(b"code")
    os.chown(folder, 65534, 65534)
    assert read() is None
    assert not disk.exists(*NAME)
    write(b"code", "other")
    assert len([*folder.iterdir()]) == 1


def test_a_folder_that_everybody_may_write_to_is_neither_read_nor_written_to(folder):
    write(b"code")
    folder.chmod(0o777)
    assert read() is None
    write(b"code", "other")
    assert len([*folder.iterdir()]) == 1
    folder.chmod(0o775)  # as with a umask of 002, under which every user has a group of their own
    assert read() == b"code"
