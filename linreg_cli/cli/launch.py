"""`linreg train --nproc N`: torch's own launcher, in this process, starts N ranks of the same command line here."""

import logging
import os
import signal
import sys
from typing import TYPE_CHECKING

from linreg_cli.cli import output
from linreg_cli.errors import Fault
from linreg_cli.runs.signals import SIGNALS

if TYPE_CHECKING:
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

#: Set for the processes that are started here: how many they are.
STARTED_BY_NPROC = "LINREG_STARTED_BY_NPROC"


def launch(count: int) -> int:
    """Run this command line in `count` processes on this machine; returns the exit code of the first that failed.

    What the processes say comes from rank 0. Only where one was killed by a signal is there something to add.
    """
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    logging.disable(logging.CRITICAL)  # the launcher's own words; rank 0 says what happened
    os.environ[STARTED_BY_NPROC] = str(count)
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo0" if sys.platform == "darwin" else "lo")
    config = LaunchConfig(
        min_nodes=1, max_nodes=1, nproc_per_node=count, run_id=os.urandom(8).hex(), rdzv_backend="c10d",
        rdzv_endpoint="localhost:0", max_restarts=0, local_addr="127.0.0.1",
        logs_specs=DefaultLogsSpecs(log_dir=os.devnull),  # so that no folder is left when this process is killed
    )  # fmt: skip
    try:
        elastic_launch(config, sys.executable)("-m", "linreg_cli", *sys.argv[1:])
    except SignalException as error:
        return 128 + int(error.sigval)
    except ChildFailedError as error:
        return _code(error, count)
    finally:  # the launcher's own handlers would raise from here on
        for number in {*SIGNALS, *([signal.SIGQUIT] if hasattr(signal, "SIGQUIT") else [])}:
            signal.signal(number, signal.SIG_IGN)
    return 0


def _code(error: "ChildFailedError", count: int) -> int:
    """The exit code of the first process that failed; one that was killed is reported."""
    rank, failure = error.get_first_failure()
    if failure.exitcode >= 0:
        return int(failure.exitcode)
    number = -int(failure.exitcode)
    name = signal.Signals(number).name if number in {*map(int, signal.Signals)} else f"signal {number}"
    why = ", often because memory ran out" if name == "SIGKILL" else ""
    as_json = rank == 0 and "--json" in sys.argv  # otherwise rank 0 has printed its own
    output.show_error("interrupted", (Fault(f"rank {rank} of {count} was killed ({name}){why}"),), as_json=as_json)
    return 128 + number
