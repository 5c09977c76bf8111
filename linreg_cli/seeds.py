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
