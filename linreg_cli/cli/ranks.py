"""`linreg train` as one of several processes: what torchrun's variables say, who speaks, and how all of them end.

Rank 0 trains as a process alone does, and its executor asks the others for their sums. These neither read nor write.
"""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from linreg_cli.cli.launch import STARTED_BY_NPROC, launch
from linreg_cli.errors import LinregError, OutOfMemoryError, UsageError
from linreg_cli.launched import COUNT, LAUNCH, LOCAL, SIZE, local_size, size_of
from linreg_cli.runs.signals import SIGNALS

if TYPE_CHECKING:
    from linreg_cli.ranks.group import Ranks
    from linreg_cli.runs.store import RunFolder

#: torchrun's variables: the number of this process, where rank 0 is found, how often the launch was restarted, and
#: threads.
_RANK, _PLACE = "RANK", ("MASTER_ADDR", "MASTER_PORT")
_RESTARTS, _THREADS = "TORCHELASTIC_RESTART_COUNT", "OMP_NUM_THREADS"

_joined: "Ranks | None" = None
#: The process that has started this one, as long as it was there.
_launcher = 0


def set_up() -> None:
    """Set the threads of a rank, and silence every rank but the first, before anything is imported.

    torchrun lets a rank have one thread where nothing else is set; here it has its share of the cores.
    """
    global _launcher
    if not size_of(os.environ):
        return
    _launcher = os.getppid()
    if os.environ.get(LOCAL) and (_THREADS not in os.environ or _set_by_torchrun()):
        os.environ[_THREADS] = str(max(1, _cores() // local_size(os.environ)))
    if _number(os.environ) > 0 and not _missing(size_of(os.environ)):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(nowhere, stream)
        os.close(nowhere)


def elsewhere(nproc: int | None) -> int | None:
    """The exit code, where this process trains no run: it starts the ranks of `--nproc`, or is none but the first.

    Raises:
        UsageError: for `--nproc` in one of several processes, and as `join`.
        RankLost: as `join`.
    """
    size = size_of(os.environ)
    if nproc is not None and size and os.environ.get(STARTED_BY_NPROC) != str(nproc):
        raise UsageError("this is one of several processes already, as WORLD_SIZE says; leave --nproc out", "--nproc")
    if not size and nproc is not None and nproc > 1:
        return launch(nproc)
    if size <= 1 or _number(os.environ) <= 0:
        return None
    if _missing(size):
        return UsageError.exit_code  # the first one says why
    ranks = join()
    return None if ranks is None else work(ranks)


def join(nproc: int | None = None) -> "Ranks | None":
    """Find the other processes; None where no launcher has started this one.

    Raises:
        UsageError: if variables of torchrun are missing or do not fit each other.
        RankLost: if not every process comes.
    """
    global _joined
    size, known_as = size_of(os.environ), os.environ.get(LAUNCH)
    if not size and nproc is None:
        return None
    if wrong := _missing(size):
        message = f"this is one of {os.environ[SIZE].strip()[:20]} processes, and {wrong}"
        raise UsageError(f"{message}; start linreg with torchrun or --nproc N, or unset WORLD_SIZE", SIZE)
    from linreg_cli.ranks.group import Ranks

    if size <= 1:
        return Ranks.alone(known_as)
    with _default_signals():  # waiting for the others cannot be interrupted otherwise
        if known_as:  # a launcher that is killed now takes with it the place where ranks meet
            threading.Thread(target=end_with, args=(_launcher,), daemon=True).start()
        _joined = Ranks.join(known_as)
    return _joined


def end_with(launcher: int, every: float = 1.0) -> None:
    """Stop this process as SIGTERM does, with the run saved, once its launcher has ended without a word (kill -9).

    Args:
        launcher: the process that has started this one.
        every: how often it is looked for, in seconds.
    """
    while os.getppid() == launcher:
        time.sleep(every)
    os.kill(os.getpid(), signal.SIGTERM)


def has_launched() -> bool:
    """Whether this process has started others by `--nproc`, of which the first says what happened."""
    return not os.environ.get(_RANK) and STARTED_BY_NPROC in os.environ


def work(ranks: "Ranks") -> int:
    """Do what rank 0 asks for, until it ends; returns the exit code."""
    from linreg_cli.optim.engines.shared import serve

    for number in SIGNALS:  # rank 0 is asked to stop, too, and saves the run first
        signal.signal(number, signal.SIG_IGN)
    try:
        return serve(ranks)
    except LinregError as error:
        ranks.fail(error)
        return error.exit_code
    except BaseException as error:  # its text is shown by rank 0
        ranks.fail(error)
        return OutOfMemoryError.exit_code if OutOfMemoryError.is_meant_by(error) else 1
    finally:
        ranks.leave()


def end(code: int) -> None:
    """As rank 0, let the others end with the same exit code."""
    if _joined is not None and _joined.rank == 0:
        _joined.end(code)


def begun_before(ranks: "Ranks | None", outputs: Path) -> "RunFolder | None":
    """The run that this launch has begun, where it was restarted; else None."""
    if ranks is None or ranks.launch is None:
        return None
    since = _start_of_launcher()
    if since is None and os.environ.get(_RESTARTS, "0") == "0":
        return None
    from linreg_cli.pipeline.ranks import begun_by

    return begun_by(ranks.launch, since or 0.0, outputs)


def _missing(size: int) -> str | None:
    """What is wrong with the variables of one of several processes; None if nothing is."""
    if size <= 1:
        return None
    missing = [name for name in (_RANK, *_PLACE) if not os.environ.get(name, "").strip()]
    if missing:
        return f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set"
    return None if 0 <= _number(os.environ) < size else f"RANK is {os.environ[_RANK][:20]!r}"


def _number(environment: Mapping[str, str]) -> int:
    text = environment.get(_RANK, "").strip()
    return int(text) if COUNT.match(text) else -1


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _set_by_torchrun() -> bool:
    """Whether the launcher itself was started without the number of threads that it has given to this process."""
    if not os.environ.get(LAUNCH) or os.environ.get(_THREADS) != "1":
        return False
    with contextlib.suppress(OSError):
        before = Path(f"/proc/{os.getppid()}/environ").read_bytes().split(b"\0")
        return not any(each.startswith(f"{_THREADS}=".encode()) for each in before)
    return False


def _start_of_launcher() -> float | None:
    """When the process that has started this one was started, seconds since 1970; None where that is not known."""
    with contextlib.suppress(OSError, ValueError, IndexError, AttributeError):
        fields = Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2].split()
        booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
        return booted + int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return None


@contextlib.contextmanager
def _default_signals() -> Iterator[None]:
    before = {number: signal.signal(number, signal.SIG_DFL) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
