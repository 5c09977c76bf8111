"""Named random streams, all derived from one seed.

A stream is identified by (seed, purpose, counter, ...). The row order of epoch 900 is computed without the 900
before it, and a new purpose changes no existing stream.
"""

import zlib
from collections.abc import MutableSequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

#: Draws of a shuffle that are made together.
_DRAWS = 65_536


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


def unshuffle(cells: MutableSequence[int], stream: np.random.Generator) -> None:
    """Undo in place what `stream.shuffle` does, without the permutation, which takes more memory than small numbers.

    A shuffle swaps each position, from the last one down to the second, with one that is drawn of those up to it; here
    the same swaps are made the other way round. Only where the stream stands before each block of draws is kept.

    Args:
        cells: n numbers; an `array` is three times as fast as one of numpy.
        stream: in the state in which it would shuffle n numbers.

    >>> given = np.arange(9)
    >>> numpy_stream(0, "folds").shuffle(given)
    >>> cells = given.tolist()
    >>> unshuffle(cells, numpy_stream(0, "folds"))
    >>> cells
    [0, 1, 2, 3, 4, 5, 6, 7, 8]
    """
    draw, states = np.random.RandomState(stream.bit_generator).randint, []
    blocks = [range(top, max(top - _DRAWS, 0), -1) for top in range(len(cells) - 1, 0, -_DRAWS)]
    for block in blocks:
        states.append(stream.bit_generator.state)
        draw(0, np.arange(block.start, block.stop, -1) + 1)
    for block, state in zip(reversed(blocks), reversed(states), strict=True):
        stream.bit_generator.state = state
        others = draw(0, np.arange(block.start, block.stop, -1) + 1)
        for one, other in zip(reversed(block), others[::-1].tolist(), strict=True):
            cells[one], cells[other] = cells[other], cells[one]


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
