"""A process of `linreg sweep`: it reads what to do from stdin and answers on stdout, a line of JSON each."""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from linreg_cli.cli import process
from linreg_cli.pipeline.sweep_tasks import Tasks


def command(config: str, outputs: Path, words: Sequence[str]) -> list[str]:
    """The command line that starts a process with this interpreter and its paths.

    Args:
        config: of the sweep.
        outputs: the folder of the runs.
        words: the command line of the sweep.
    """
    code = f"import sys; sys.path[:] = {sys.path!r}; from linreg_cli.cli.sweep_worker import main; main()"
    return [sys.executable, "-c", code, config, str(outputs), *words]


def main() -> NoReturn:
    """Do what the sweep asks for until it closes stdin.

    Ctrl-C and the end of the terminal are for the sweep, which then asks its processes to stop. What a library prints
    on stdout goes to stderr.
    """
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    process.set_up()
    config, outputs, *words = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    tasks = Tasks(sys.stdin)  # before anything heavy is imported: the sweep may be gone by then
    from linreg_cli.pipeline.sweep_points import serve

    serve(tasks, answers, config, Path(outputs), words)
    answers.flush()
    sys.stderr.flush()
    os._exit(0)  # a thread may still read from stdin, which would keep the interpreter from closing it
