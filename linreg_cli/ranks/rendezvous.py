"""The rendezvous of the processes of one start, in a store that may have outlived an earlier start."""

import secrets
import time
from datetime import timedelta

from torch.distributed.distributed_c10d import Store

#: How long to wait until every process has come.
ARRIVAL = timedelta(minutes=30)


def agreed_prefix(store: Store, rank: int, size: int) -> str:
    """A prefix that the processes of this start have agreed upon; the store may hold keys of those before a restart.

    Rank 0 makes it up, the others answer with a word of their own, and go on when rank 0 has repeated that.

    Raises:
        RuntimeError: if not every process comes in time.
    """
    until = time.monotonic() + ARRIVAL.total_seconds()
    own = secrets.token_hex(8)
    if rank == 0:
        store.set("linreg", own)
        answers = [f"linreg/{own}/answer/{each}" for each in range(1, size)]
        store.wait(answers, ARRIVAL)
        for each, answer in enumerate(answers, 1):
            store.set(f"linreg/{own}/go/{each}", store.get(answer).decode())
        return f"linreg/{own}"
    while time.monotonic() < until:
        if store.check(["linreg"]):
            prefix = f"linreg/{store.get('linreg').decode()}"
            store.set(f"{prefix}/answer/{rank}", own)
            if store.check([f"{prefix}/go/{rank}"]) and store.get(f"{prefix}/go/{rank}").decode() == own:
                return prefix
        time.sleep(0.02)
    raise RuntimeError("rank 0 did not come")
