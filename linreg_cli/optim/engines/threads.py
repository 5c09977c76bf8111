"""Thread pools that are kept between calls, and what a forked process does without them."""

import contextlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import torch


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


def _use_one_thread() -> None:
    """Let torch compute on one thread.

    A fork copies OpenMP's notes about its threads, but not the threads: the next parallel region of torch in the forked
    process would wait for them for ever. torch's own data loaders do the same in their workers.
    """
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_use_one_thread)
