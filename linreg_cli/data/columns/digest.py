"""SHA-256 of much data: a thread adds one block of numbers while the next one is read."""

import hashlib
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

#: Fewer bytes are added at once: that takes less time than to let a thread do it.
_FEW = 2**16


class Digest:
    """A context within which bytes and arrays are added, in their order; no array may change before the next is added.

    >>> with Digest() as digest:
    ...     digest.add(b"a")
    ...     digest.add_all([np.array([98], np.uint8), np.array([99], np.uint8)])
    ...     digest.hexdigest() == hashlib.sha256(b"abc").hexdigest()
    True
    """

    def __init__(self) -> None:
        self._digest, self._last = hashlib.sha256(), None
        self._thread = ThreadPoolExecutor(1)

    _last: Future[None] | None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown()

    def add(self, data: Any) -> None:
        """Add bytes, or what has them."""
        self._wait()
        if memoryview(data).nbytes < _FEW:
            self._digest.update(data)
        else:
            self._last = self._thread.submit(self._digest.update, data)

    def add_all(self, arrays: Iterable[npt.NDArray[Any]]) -> None:
        """Add the numbers of arrays, as they are in memory."""
        for each in arrays:
            self.add(np.ascontiguousarray(each).data)

    def hexdigest(self) -> str:
        """The digest of all that was added, in hexadecimal digits."""
        self._wait()
        return self._digest.hexdigest()

    def _wait(self) -> None:
        if self._last is not None:
            self._last.result()
            self._last = None
