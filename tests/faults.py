"""Makes things fail: the N-th call that touches a file, and processes in which they fail or that are killed."""

import builtins
import contextlib
import errno
import io
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


class Faults:
    """Counts what is done to files below a folder, and lets the N-th of it fail, once or from then on."""

    def __init__(self, folder: Path, which: int, *, once: bool) -> None:
        self._folder, self._which, self._once = str(folder), which, once
        self.count = 0
        self.failed: list[str] = []

    def tick(self, what: str) -> None:
        """One more call; it fails if it is its turn."""
        self.count += 1
        if self.count == self._which or (self.count > self._which and not self._once):
            self.failed.append(what)
            raise OSError(errno.EIO, os.strerror(errno.EIO), what)

    def ours(self, path: object) -> bool:
        return isinstance(path, str | os.PathLike) and os.path.abspath(os.fspath(path)).startswith(self._folder)

    @contextlib.contextmanager
    def injected(self, monkeypatch: pytest.MonkeyPatch) -> Iterator["Faults"]:
        """Within the block calls are counted and fail."""
        faults, real_open = self, io.open

        class Writer(io.BufferedWriter):
            def write(self, data):
                faults.tick("write")
                return super().write(data)

        class Reader(io.BufferedReader):
            def read(self, *size):
                faults.tick("read")
                return super().read(*size)

        def failing_open(file, mode="r", buffering=-1, encoding=None, errors=None, newline=None, *rest, **more):
            if not faults.ours(file):
                return real_open(file, mode, buffering, encoding, errors, newline, *rest, **more)
            faults.tick(f"open {mode}")
            raw = io.FileIO(file, mode.replace("b", "").replace("t", ""))
            if "+" in mode:
                return io.BufferedRandom(raw)
            stream = Reader(raw) if mode[0] == "r" else Writer(raw)
            return stream if "b" in mode else io.TextIOWrapper(stream, encoding, errors, newline)

        with monkeypatch.context() as patch:
            patch.setattr(builtins, "open", failing_open)
            patch.setattr(io, "open", failing_open)
            for name in ("replace", "rename", "link", "mkdir", "open", "scandir", "listdir"):
                patch.setattr(os, name, self._failing(name, getattr(os, name)))
            real_fsync = os.fsync

            def fsync(descriptor):
                faults.tick("fsync")
                real_fsync(descriptor)

            patch.setattr(os, "fsync", fsync)
            yield self

    def _failing(self, name: str, real: Callable) -> Callable:
        def call(path=".", *rest, **more):
            if self.ours(path):
                self.tick(name)
            return real(path, *rest, **more)

        return call


def forked(arguments: list[object], folder: Path, *, prepare: Callable[[], None] = lambda: None) -> int:
    """`linreg ARGUMENTS...` in a forked process, so that nothing has to be imported again; returns its id.

    stdout and stderr go to files of these names in `folder`, which is also its current folder.
    """
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    code = 99
    try:
        import torch

        from linreg_cli.cli.app import main

        torch.set_num_threads(1)  # the threads of the parent are not here
        os.chdir(folder)
        for number, name in ((1, "stdout"), (2, "stderr")):
            os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        sys.stdin = open(os.devnull)  # noqa: SIM115 - for the rest of this process
        sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        sys.argv = ["linreg", *map(str, arguments)]
        prepare()
        main()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 98
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def ended(child: int, seconds: float = 60) -> int:
    """The exit code of a forked process; minus the signal that killed it."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise AssertionError(f"did not end within {seconds} s")
