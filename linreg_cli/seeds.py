"""Random streams. Everything random follows from one seed, and each use has a stream of its own.

A stream is named by (seed, purpose, counter...), so that it can be entered anywhere: epoch 900's row order
does not need the 900 before it, and adding a new use of randomness changes no old one.
"""

import zlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def _sequence(seed: int, purpose: str, *counter: int) -> np.random.SeedSequence:
    return np.random.SeedSequence([seed, zlib.crc32(purpose.encode()), *counter])


def numpy_stream(seed: int, purpose: str, *counter: int) -> np.random.Generator:
    """A numpy generator for one purpose.

    >>> a, b = numpy_stream(0, "noise", 3), numpy_stream(0, "noise", 3)
    >>> bool(a.random() == b.random())
    True
    """
    return np.random.Generator(np.random.PCG64(_sequence(seed, purpose, *counter)))


def torch_stream(seed: int, purpose: str, *counter: int) -> "torch.Generator":
    """A torch generator on the CPU for one purpose; it leaves torch's global generator alone."""
    import torch

    state = _sequence(seed, purpose, *counter).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state >> np.uint64(1)))
