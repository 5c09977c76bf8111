"""Thread pools that are kept between calls, and what a forked process does without them."""

import contextlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import torch

from linreg_cli.forks import in_child

#: Products of numbers in a pass over a batch, up to which one thread takes a step: 20 microseconds of work.
SMALL = 2**16


def pool(purpose: str, threads: int) -> ThreadPoolExecutor:
    """The thread pool of this process for a purpose. A forked process creates its own.

    Args:
        purpose: the name of the pool and of its threads.
        threads: the maximum number of threads.
    """
    return _pool(purpose, threads, os.getpid())


@cache
def _pool(purpose: str, threads: int, process: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix=purpose)


@contextlib.contextmanager
def one_thread(*, wanted: bool = True) -> Iterator[None]:
    """A context in which torch computes on one thread, so that its sums do not depend on the number of threads.

    Args:
        wanted: False: nothing is changed.
    """
    if not wanted:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def threads_of_step(n_products: int) -> contextlib.AbstractContextManager[None]:
    """A context in which torch takes steps: on one thread where a batch is small.

    Threads of OpenMP that are done wait in a spin loop, unless OMP_WAIT_POLICY is set before torch is imported, which
    is up to the program. On a busy machine, or in a container with fewer cores than threads, they take the core from
    the thread that they wait for: 1,000 steps on 442 x 10 took 9 s of CPU time, and take 0.5 on one thread.

    Args:
        n_products: rows of a batch times features times targets.
    """
    return one_thread(wanted=n_products <= SMALL)


def _use_one_thread() -> None:
    """Let torch compute on one thread.

    A fork copies OpenMP's notes about its threads, but not the threads: the next parallel region of torch in the forked
    process would wait for them for ever. torch's own data loaders do the same in their workers.
    """
    torch.set_num_threads(1)


in_child(_use_one_thread)
