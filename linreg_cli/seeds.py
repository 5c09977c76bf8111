"""Named random streams, all derived from one seed.

A stream is identified by (seed, purpose, counter, ...). The row order of epoch 900 is computed without the 900
before it, and a new purpose changes no existing stream.
"""

import zlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def _sequence(seed: int, purpose: str, *counter: int) -> np.random.SeedSequence:
    return np.random.SeedSequence([seed, zlib.crc32(purpose.encode()), *counter])


def numpy_stream(seed: int, purpose: str, *counter: int) -> np.random.Generator:
    """A numpy generator (PCG64) for one purpose.

    Args:
        seed: of the run, at least 0.
        purpose: the name of the stream, such as `split`.
        counter: which part of it, such as an epoch.

    >>> a, b = numpy_stream(0, "noise", 3), numpy_stream(0, "noise", 3)
    >>> bool(a.random() == b.random())
    True
    """
    return np.random.Generator(np.random.PCG64(_sequence(seed, purpose, *counter)))


def torch_stream(seed: int, purpose: str, *counter: int) -> "torch.Generator":
    """A torch generator on the CPU for one purpose. torch's global generator is not touched.

    Args:
        seed: of the run, at least 0.
        purpose: the name of the stream, such as `init`.
        counter: which part of it, such as an epoch.
    """
    import torch

    state = _sequence(seed, purpose, *counter).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state >> np.uint64(1)))


def counted_words(
    seed: int, purpose: str, *counter: int, start: int = 0, stop: int
) -> "np.ndarray[tuple[int], np.dtype[np.uint64]]":
    """Random words by counter: word i is a function of (seed, purpose, counter, i) alone, whichever words are drawn.

    The generator is Philox4x64-10 with a key of 128 bits from numpy's SeedSequence. Word i is the word i % 4 of its
    block 1 + i // 4. (J. K. Salmon et al., Parallel random numbers: as easy as 1, 2, 3, 2011.)

    Args:
        seed: of the run, at least 0.
        purpose: the name of the stream, such as `blocks`.
        counter: which part of it, such as an epoch.
        start: the first word.
        stop: one past the last.

    Returns:
        uint64, shape (stop - start,).

    >>> counted_words(0, "order", 7, start=5, stop=9).tolist() == counted_words(0, "order", 7, stop=9).tolist()[5:]
    True
    """
    key = _sequence(seed, purpose, *counter).generate_state(2, np.uint64)
    first = start // 4
    words = np.random.Philox(key=key, counter=first).random_raw(stop - 4 * first)
    return np.asarray(words, dtype=np.uint64)[start - 4 * first :]
