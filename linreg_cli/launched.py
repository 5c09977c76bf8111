"""Whether a launcher such as torchrun has started this process as one of several, and the refusal to work in each."""

import os
import re
from collections.abc import Mapping

from linreg_cli.errors import UsageError

#: torchrun's variables: the number of processes, how many of them this machine has, and the id of the launch.
SIZE, LOCAL, LAUNCH = "WORLD_SIZE", "LOCAL_WORLD_SIZE", "TORCHELASTIC_RUN_ID"
#: The number of this process among those of its machine.
LOCAL_RANK = "LOCAL_RANK"
COUNT = re.compile(r"[0-9]{1,9}\Z")


def size_of(environment: Mapping[str, str]) -> int:
    """The number of processes that train together, of which this is one; 0 where no launcher has started it.

    >>> size_of({"WORLD_SIZE": "2"}), size_of({"WORLD_SIZE": "1", "TORCHELASTIC_RUN_ID": "x"}), size_of({})
    (2, 1, 0)
    """
    text = environment.get(SIZE, "").strip()
    size = int(text) if COUNT.match(text) else 10**9 if text.isdecimal() and text.strip("0") else 0
    return size if size > 1 or (size == 1 and environment.get(LAUNCH)) else 0


def local_size(environment: Mapping[str, str]) -> int:
    """How many of the processes are on this machine, as far as that is known; at least 1.

    >>> local_size({"WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "4"}), local_size({"LOCAL_WORLD_SIZE": "x"})
    (4, 1)
    """
    text = environment.get(LOCAL, "").strip()
    return max(1, int(text)) if COUNT.match(text) else 1


def local_rank(environment: Mapping[str, str]) -> int:
    """The number of this process among those of its machine, from 0; 0 where it is alone or that is not known.

    >>> local_rank({"LOCAL_RANK": "3"}), local_rank({})
    (3, 0)
    """
    text = environment.get(LOCAL_RANK, "").strip()
    return int(text) if COUNT.match(text) else 0


def refuse_several(what: str, instead: str) -> None:
    """Refuse to do in each of several processes what one does.

    Args:
        what: what each would do.
        instead: what to do.

    Raises:
        UsageError: in one of several processes.
    """
    if (size := size_of(os.environ)) > 1:
        raise UsageError(f"this is one of {size} processes, and each would {what}; {instead}, or unset {SIZE}", SIZE)
