"""The rows of a CSV as lines: how many there are, where they stand, and the bytes of some of them.

Ends of lines are counted and nothing is parsed, which takes a few hundredths of the time of parsing. A line without a
character is no row, as for pyarrow. A quoted line break would make two lines of a row: whoever parses lines refuses it,
so that each line is looked at once.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from linreg_cli.data.columns.kinds import Mask
from linreg_cli.data.tables.blocks import refuse_uneven

#: Bytes whose ends of lines are counted at once: few enough to stay in the cache.
SCAN_BYTES = 2**17
_LINE_FEED = ord("\n")


@dataclass(frozen=True)
class Lines:
    """The lines of a file that have a character.

    Attributes:
        starts: the byte at which each block begins, shape (n_blocks,).
        before: lines before each block, and those of the file, shape (n_blocks + 1,).
    """

    starts: tuple[int, ...]
    before: tuple[int, ...]

    @property
    def count(self) -> int:
        """How many there are."""
        return self.before[-1]

    def at(self, line: int) -> tuple[int, int]:
        """The byte at which the block with a line begins, and how many lines are before it."""
        place = int(np.searchsorted(self.before, line, side="right")) - 1
        place = max(0, min(place, len(self.starts) - 1))
        return self.starts[place], self.before[place]


def lines_of(blocks: Iterable[bytes]) -> Lines:
    r"""Where the lines of a file stand.

    Args:
        blocks: its bytes in blocks of complete lines; the last one of all may lack its end.

    Raises:
        UnevenLinesError: for a first line, which is the header, with an odd number of quotes.

    >>> lines_of([b"a,b\n1,2\n\n", b"\r\n3,4\r\n5,6"])
    Lines(starts=(0, 9), before=(0, 2, 4))
    """
    starts, before, at = [], [0], 0
    for block in blocks:
        plain = _plain(block)
        n_lines = _count(plain)
        if n_lines and not before[-1]:
            refuse_uneven(plain[: int(_ends(plain)[0])])
        starts.append(at)
        before.append(before[-1] + n_lines)
        at += len(block)
    return Lines(tuple(starts), tuple(before))


def lines_between(blocks: Iterable[bytes], first: int, last: int, at: int = 0) -> Iterator[bytes]:
    r"""The bytes of some lines.

    Args:
        blocks: as for `lines_of`, or those from one on.
        first: the first line, from 0.
        last: one past the last line.
        at: lines before the first block.

    Raises:
        UnevenLinesError: for a line among these with an odd number of quotes.

    >>> list(lines_between([b"a,b\n1,2\n\n3,4\n", b"5,6\n7,8\n"], 2, 4))
    [b'\n3,4\n', b'5,6\n']
    """
    for block in map(_plain, blocks) if first < last else ():
        n_lines = _count(block)
        start, at = at, at + n_lines
        if at <= first:
            continue
        if start < first or at > last:
            ends = _ends(block)
            begin = int(ends[first - start - 1]) if start < first else 0
            block = block[begin : int(ends[min(last - start, n_lines) - 1])]
        if block:
            refuse_uneven(block)
            yield block
        if at >= last:
            return


def _plain(block: bytes) -> bytes:
    """The block with line feeds alone as ends of lines."""
    return block.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in block else block


def _count(block: bytes) -> int:
    if not block:
        return 0
    ends = np.frombuffer(block, np.uint8) == _LINE_FEED
    blank = int(np.count_nonzero(ends[1:] & ends[:-1])) + int(ends[0])
    return int(np.count_nonzero(ends)) - blank + int(not ends[-1])


def _ends(block: bytes) -> npt.NDArray[np.int64]:
    """One past the end of each line with a character, shape (n_lines,)."""
    is_end: Mask = np.frombuffer(block, np.uint8) == _LINE_FEED
    of_line = is_end.copy()
    of_line[1:] &= ~is_end[:-1]
    of_line[0] = False
    found = np.flatnonzero(of_line) + 1
    return found if block.endswith(b"\n") else np.append(found, len(block))
