"""Output into a pipe that closes, a full disk, a narrow terminal, a terminal of another encoding: never a traceback."""

import os
import pty
import struct
import subprocess
import sys
from pathlib import Path

import pytest

LINREG = [sys.executable, "-m", "linreg_cli"]


@pytest.fixture
def store(tmp_path) -> Path:
    """Sixty runs with long names, so that their list is longer than a buffer; reading it needs no torch."""
    for number in range(1, 61):
        run = tmp_path / "outputs" / f"{'a' * 90}-{number:04d}"
        run.mkdir(parents=True)
        (run / "run.json").write_text(
            '{"format": 1, "status": "finished", "created": "2020", "data": {"name": "%s.csv"}}' % ("é" * 90)
        )
    return tmp_path


@pytest.mark.parametrize("arguments", [["list"], ["list", "--json"], ["list", "--csv"], ["show", "b", "--json"]])
def test_a_closed_pipe_ends_the_command_quietly(store, arguments):
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb") as closed:
        result = subprocess.run([*LINREG, "runs", *arguments], cwd=store, stdout=closed, stderr=subprocess.PIPE)
    assert result.returncode == 141  # 128 + SIGPIPE, as other commands exit
    assert b"Traceback" not in result.stderr
    assert b"Exception" not in result.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("arguments", [["list"], ["show", "a", "--json"]])
def test_a_full_disk_behind_stdout_is_an_error(store, arguments):
    with open("/dev/full", "wb") as full:
        result = subprocess.run([*LINREG, "runs", *arguments], cwd=store, stdout=full, stderr=subprocess.PIPE)
    assert result.returncode == 6
    assert result.stderr.splitlines()[-1] == b"error: cannot write the output: No space left on device"
    assert b"Traceback" not in result.stderr


@pytest.mark.parametrize("flags", [[], ["--json"], ["--csv"]])
def test_a_terminal_that_cannot_show_a_name_shows_it_escaped(store, flags):
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    result = subprocess.run([*LINREG, "runs", "list", *flags], cwd=store, env=environment, capture_output=True)
    assert (result.returncode, result.stderr) == (0, b"")
    assert (b"\\u00e9" if flags == ["--json"] else b"\\xe9") in result.stdout


def test_a_terminal_of_twenty_columns_is_no_reason_to_fail(tmp_path):
    import fcntl
    import termios

    (tmp_path / "c.yaml").write_text("data: {source: synthetic}\ntrain: {epochs: 40}\nplots: false\n")
    main, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 10, 20, 0, 0))
    environment = {**os.environ, "TERM": "xterm", "HOME": "/nonexistent"}
    with subprocess.Popen([*LINREG, "train", "-c", "c.yaml"], cwd=tmp_path, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=terminal, env=environment) as process:  # fmt: skip
        os.close(terminal)
        shown = b""
        while True:
            try:
                part = os.read(main, 65536)
            except OSError:  # the terminal has closed
                break
            if not part:
                break
            shown += part
        out = process.stdout.read()
    os.close(main)
    assert process.returncode == 0
    assert b"Traceback" not in shown
    assert "━".encode() in shown  # there is a bar on a terminal
    assert out.startswith(b"c-0001: 40 epochs")
