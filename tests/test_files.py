"""A file is the old one or the new one, never half of each; its content is on the disk before its name."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from linreg_cli import files
from linreg_cli.errors import StoreError
from linreg_cli.files import remove_drafts, replacing, write_bytes


@pytest.fixture(params=["absent", "old"])
def target(request, tmp_path) -> Path:
    path = tmp_path / "model.bin"
    if request.param == "old":
        path.write_bytes(b"old")
    return path


def content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def siblings(path: Path) -> list[str]:
    return sorted(name for name in os.listdir(path.parent) if name != path.name)


def test_the_content_reaches_the_disk_before_the_name_and_the_folder_after_it(target, monkeypatch):
    calls = []
    real_fsync, real_replace, real_write = os.fsync, os.replace, Path.write_bytes

    def fsync(descriptor):
        kind = "folder" if os.path.samestat(os.fstat(descriptor), os.stat(target.parent)) else "file"
        calls.append((f"fsync {kind}", content(target)))
        real_fsync(descriptor)

    def replace(source, destination):
        calls.append(("rename", Path(source).read_bytes()))
        assert Path(source).parent == Path(destination).parent  # else the rename could be a copy
        real_replace(source, destination)

    def write(path, data):
        calls.append(("write", data))
        return real_write(path, data)

    before = content(target)
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    monkeypatch.setattr(Path, "write_bytes", write)
    write_bytes(target, b"new")
    assert calls == [("write", b"new"), ("fsync file", before), ("rename", b"new"), ("fsync folder", b"new")]
    assert siblings(target) == []


@pytest.mark.parametrize(
    ("owner", "call", "which"),
    [
        (Path, "write_bytes", 1),
        (os, "fsync", 1),
        (os, "replace", 1),
        (os, "fsync", 2),
        (os, "open", 1),
        (os, "open", 2),
    ],
)
@pytest.mark.parametrize("once", [False, True], ids=["for ever", "once"])
def test_a_step_that_fails_leaves_old_or_new_and_nothing_beside_it(target, monkeypatch, owner, call, which, once):
    """The N-th call fails as a full disk does: once, which another attempt mends, or from then on."""
    before, count, real = content(target), 0, getattr(owner, call)

    def failing(*args, **kwargs):
        nonlocal count
        count += 1
        if count == which or (count > which and not once):
            raise OSError(28, os.strerror(28))
        return real(*args, **kwargs)

    monkeypatch.setattr(owner, call, failing)
    monkeypatch.setattr(files, "RETRY_SECONDS", (0.0, 0.0))
    if once:
        write_bytes(target, b"new")
        assert count > which
        assert (content(target), siblings(target)) == (b"new", [])
        return
    with pytest.raises(StoreError, match="cannot write: No space left on device") as caught:
        write_bytes(target, b"new")
    monkeypatch.undo()
    assert caught.value.faults[0].where == str(target)
    renamed = (call, which) in (("fsync", 2), ("open", 2))  # only the folder is not known to be on the disk
    assert content(target) == (b"new" if renamed else before)
    assert siblings(target) == []


@pytest.mark.parametrize("error", [ValueError("bad"), KeyboardInterrupt(), StoreError("other")])
def test_an_error_in_the_block_passes_and_leaves_the_old_file(target, error):
    before = content(target)

    def half_written():
        with replacing(target) as sibling:
            sibling.write_bytes(b"half")
            raise error

    with pytest.raises(type(error)) as caught:
        half_written()
    assert caught.value is error
    assert content(target) == before
    assert siblings(target) == []


def test_a_partial_write_that_fails_is_cleaned_up(target):
    before = content(target)

    def full_disk():
        with replacing(target) as sibling:
            sibling.write_bytes(b"half")
            raise OSError(28, "No space left on device")

    with pytest.raises(StoreError, match="No space left"):
        full_disk()
    assert content(target) == before
    assert siblings(target) == []


def test_what_a_killed_process_left_does_not_matter_and_can_be_removed(target):
    """It is killed within a write, and the next write sweeps the draft that it has left."""
    before, stale = content(target), killed_while_writing(target)
    assert (content(target), siblings(target)) == (before, [stale])
    write_bytes(target.with_name("other"), b"new")
    assert (content(target), siblings(target)) == (before, ["other"])


def test_a_draft_of_a_killed_process_is_removed_from_a_run_at_once(target):
    killed_while_writing(target)
    remove_drafts(target.parent)
    assert siblings(target) == []


def killed_while_writing(target: Path) -> str:
    """The name of the draft that a process leaves which dies within a write."""
    child = os.fork()
    if not child:
        files.write_file(target, lambda draft: (draft.write_bytes(b"half"), os._exit(0)))
    os.waitpid(child, 0)
    (stale,) = siblings(target)
    return stale


def test_only_what_is_certainly_a_draft_without_a_process_is_swept(tmp_path):
    """A draft in use, one of another form, a link and a folder of that form stay."""
    path = tmp_path / "a"
    (tmp_path / ".notes.0123abcd.tmp").write_bytes(b"mine")
    (tmp_path / ".linreg-0123456789abcdef.tmp").mkdir()
    (tmp_path / ".linreg-0123456789abcde0.tmp").symlink_to(".notes.0123abcd.tmp")
    with replacing(path) as draft:
        draft.write_bytes(b"slow")
        files._swept.clear()
        write_bytes(tmp_path / "b", b"quick")
        assert draft.exists()
        left = {path.name for path in tmp_path.iterdir()} - {draft.name}
    assert path.read_bytes() == b"slow"
    assert left == {
        ".notes.0123abcd.tmp", ".linreg-0123456789abcdef.tmp", ".linreg-0123456789abcde0.tmp", "b",
    }  # fmt: skip


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
def test_a_file_that_is_replaced_keeps_its_owner_and_group(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    os.chown(path, 1234, 2345)
    path.chmod(0o4750)
    write_bytes(path, b"new")
    status = path.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (1234, 2345, 0o4750)


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="no extended attributes")
def test_a_file_that_is_replaced_keeps_its_attributes(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    try:
        os.setxattr(path, "user.origin", b"here")
    except OSError:
        pytest.skip("the file system has no attributes of users")
    write_bytes(path, b"new")
    assert os.getxattr(path, "user.origin") == b"here"


def test_threads_that_write_one_file_leave_the_whole_content_of_one_of_them(target):
    contents = [bytes([i]) * 100_000 for i in range(8)]
    writers = [threading.Thread(target=write_bytes, args=(target, content)) for content in contents]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert target.read_bytes() in contents
    assert siblings(target) == []


def test_what_can_be_made_again_is_not_synchronised_and_tried_once(target, monkeypatch):
    calls, before = [], content(target)
    monkeypatch.setattr(os, "fsync", calls.append)
    write_bytes(target, b"new", durable=False)
    assert (target.read_bytes(), calls) == (b"new", [])

    def fail(*_):
        calls.append("replace")
        raise OSError(28, os.strerror(28))

    target.unlink() if before is None else target.write_bytes(before)
    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(StoreError, match="No space left"):
        write_bytes(target, b"new", durable=False)
    assert (content(target), calls, siblings(target)) == (before, ["replace"], [])


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o755])
def test_a_file_that_is_replaced_keeps_its_mode_and_its_draft_is_private(tmp_path, mode):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    path.chmod(mode)
    with replacing(path) as draft:
        assert stat.S_IMODE(draft.stat().st_mode) == 0o600
        draft.write_bytes(b"new")
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"new", mode)


def test_a_new_file_has_the_usual_mode_or_the_one_that_is_asked_for(tmp_path):
    (tmp_path / "usual").write_bytes(b"")
    write_bytes(tmp_path / "a", b"new")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "usual").stat().st_mode
    for path in (tmp_path / "a", tmp_path / "b"):
        write_bytes(path, b"new", mode=0o640)
        assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_two_writers_in_turn_leave_the_last_content(tmp_path):
    path = tmp_path / "a"
    for number in range(20):
        files.write_bytes(path, b"%d" % number)
    assert path.read_bytes() == b"19"


def test_the_content_before_may_be_kept_under_another_name(tmp_path, monkeypatch):
    path, kept = tmp_path / "a", tmp_path / "b"
    write_bytes(path, b"1", keep=kept)
    assert not kept.exists()
    write_bytes(path, b"2", keep=kept)
    assert (path.read_bytes(), kept.read_bytes()) == (b"2", b"1")

    def no_links(*_):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    write_bytes(path, b"3", keep=kept)
    assert (path.read_bytes(), kept.read_bytes()) == (b"3", b"2")
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_whatever_fails_one_of_both_is_whole(tmp_path, monkeypatch):
    """Each rename, link and fsync fails in turn, for ever."""
    monkeypatch.setattr(files, "RETRY_SECONDS", ())
    for call in ("replace", "fsync", "open"):
        for which in range(1, 9):
            path, kept = tmp_path / f"{call}{which}", tmp_path / f"{call}{which}.previous"
            path.write_bytes(b"2")
            kept.write_bytes(b"1")
            count, real = 0, getattr(os, call)

            def failing(*args, call=call, which=which, real=real, **kwargs):
                nonlocal count
                count += 1
                if count >= which:
                    raise OSError(5, os.strerror(5))
                return real(*args, **kwargs)

            with monkeypatch.context() as patch:
                patch.setattr(os, call, failing)
                try:
                    write_bytes(path, b"3", keep=kept)
                except StoreError:
                    assert (path.read_bytes(), kept.read_bytes()) in [(b"2", b"1"), (b"2", b"2"), (b"3", b"2")]
                else:
                    assert which > 1
                    break
    assert not list(tmp_path.glob(".*"))


def test_writing_files_imports_nothing_else_of_the_package_and_nothing_heavy():
    program = "import sys, linreg_cli.files; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    ours = {name for name in loaded if name.startswith("linreg_cli")}
    assert ours == {
        "linreg_cli",
        *(f"linreg_cli.{name}" for name in ("addresses", "errors", "files", "lookalike", "paths")),
    }
    assert not {"numpy", "pooch", "requests", "tempfile", "platformdirs", "torch"} & set(loaded)
