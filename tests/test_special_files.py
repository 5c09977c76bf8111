"""An output that is a link, a pipe, a device, a socket, a folder or an open file: followed, written to, or refused."""

import os
import socket
import stat
import threading
from pathlib import Path

import pytest

from linreg_cli import files
from linreg_cli.errors import StoreError
from linreg_cli.files import write_bytes


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may make a device")
def test_a_device_is_written_to_and_stays(tmp_path):
    device = tmp_path / "null"
    try:
        os.mknod(device, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        device.open("wb").close()
    except OSError:
        pytest.skip("this machine allows no devices")
    (tmp_path / "link").symlink_to("null")
    for path in (device, tmp_path / "link"):
        write_bytes(path, b"new")
    assert device.is_char_device()
    assert sorted(os.listdir(tmp_path)) == ["link", "null"]


def test_an_open_file_is_written_to_where_it_stands(tmp_path):
    """As the shell has it in `{ echo first; linreg ... -o /dev/fd/N; } > FILE`: nothing is truncated or replaced."""
    path = tmp_path / "a"
    with open(path, "wb") as file:
        file.write(b"first ")
        file.flush()
        (tmp_path / "link").symlink_to(f"/dev/fd/{file.fileno()}")
        for name in (f"/dev/fd/{file.fileno()}", f"/proc/self/fd/{file.fileno()}", tmp_path / "link"):
            write_bytes(Path(name), b"new ")
        inode = os.fstat(file.fileno()).st_ino
    assert (path.read_bytes(), path.stat().st_ino) == (b"first new new new ", inode)
    with pytest.raises(StoreError, match="cannot write: Bad file descriptor"):
        write_bytes(Path(f"/dev/fd/{file.fileno() if not file.closed else 987}"), b"new")


def test_a_pipe_whose_reader_has_gone_is_no_error_of_the_store():
    reading, writing = os.pipe()
    os.close(reading)
    try:
        with pytest.raises(BrokenPipeError):
            write_bytes(Path(f"/dev/fd/{writing}"), b"new")
    finally:
        os.close(writing)


@pytest.mark.parametrize("kind", ["pipe", "socket", "folder"])
def test_what_stands_in_place_of_a_file_of_linreg_is_an_error_at_once(tmp_path, kind):
    path = tmp_path / "run.json"
    if kind == "pipe":
        os.mkfifo(path)  # opening it would wait for ever
    elif kind == "folder":
        path.mkdir()
    else:
        place = socket.socket(socket.AF_UNIX)
        place.bind(str(path))
        place.close()
    with pytest.raises(OSError, match=f"it is a {kind} and not a file"):
        files.read_own(path)
    with pytest.raises(StoreError, match=f"it is a {kind}"):
        write_bytes(path, b"new", own=True)
    assert os.listdir(tmp_path) == ["run.json"]


@pytest.mark.parametrize("whole", [True, False])
def test_a_link_stays_and_the_file_that_it_leads_to_is_replaced(tmp_path, whole):
    (tmp_path / "links").mkdir()
    (tmp_path / "files").mkdir()
    link, file = tmp_path / "links" / "a", tmp_path / "files" / "b"
    if whole:
        file.write_bytes(b"old")
    link.symlink_to("../files/b")
    write_bytes(link, b"new")
    assert (os.readlink(link), file.read_bytes()) == ("../files/b", b"new")
    assert (os.listdir(link.parent), os.listdir(file.parent)) == (["a"], ["b"])


def test_a_link_that_leads_in_a_circle_is_an_error_and_stays(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(StoreError, match="cannot write: Too many levels of symbolic links"):
        write_bytes(tmp_path / "a", b"new")
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_a_pipe_is_written_to_and_stays(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    received = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()), daemon=True)
    reader.start()
    write_bytes(pipe, b"new" * 100_000)
    reader.join(timeout=60)
    assert received == [b"new" * 100_000]
    assert (pipe.is_fifo(), os.listdir(tmp_path)) == (True, ["pipe"])


def test_nothing_reaches_a_pipe_when_the_content_cannot_be_made(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)  # opening it without a reader would wait for ever

    def half(draft):
        draft.write_bytes(b"half")
        raise OSError(13, os.strerror(13))

    with pytest.raises(StoreError, match="Permission denied"):
        files.write_file(pipe, half)
    assert (pipe.is_fifo(), os.listdir(tmp_path)) == (True, ["pipe"])


def test_what_is_not_a_file_in_a_folder_is_explained(tmp_path):
    (tmp_path / "a.csv").mkdir()
    for path, message in [
        (tmp_path / "a.csv", "cannot write: it is a folder; give the name of a file"),
        (tmp_path / "no" / "b.csv", f"cannot write: there is no folder {tmp_path}/no; create it first"),
    ]:
        with pytest.raises(StoreError) as caught:
            write_bytes(path, b"new")
        assert caught.value.faults[0].message == message
    assert os.listdir(tmp_path) == ["a.csv"]
