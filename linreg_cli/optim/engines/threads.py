"""Thread pools that are kept between calls."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache


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
