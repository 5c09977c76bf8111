"""Threads that stay from one call to the next."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache


def pool(purpose: str, threads: int) -> ThreadPoolExecutor:
    """The threads of this process for a purpose; a forked process, which has none of its parent's, makes its own.

    Args:
        purpose: a name, which the threads have too.
        threads: how many at most.
    """
    return _pool(purpose, threads, os.getpid())


@cache
def _pool(purpose: str, threads: int, process: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix=purpose)
