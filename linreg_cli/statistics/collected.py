"""Columns of train rows that are collected piece by piece, until there are enough rows for a factor."""

import hashlib
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from linreg_cli.data.columns.kinds import Column
from linreg_cli.least_squares.decompositions import Array
from linreg_cli.seeds import counted_words
from linreg_cli.statistics.moments import Key

#: Bytes of the rows of a factor: few enough to fit into the cache of a core.
_BYTES = 2 * 2**20
#: The fewest rows of a factor, and the fewest for each column: its triangle is merged with that of the rows before.
_ROWS, _ROWS_A_COLUMN = 4_096, 8
#: Triangles that are held at once while that of a block is merged with that of the rows before.
_FACTORS = 8
#: Words of cells that are mixed at once for a digest: few enough to stay in the cache of a core.
_MIXED_WORDS = 32_768

Words = npt.NDArray[np.uint64]


def _rows_of_factor(n_keys: int) -> int:
    """The fewest rows of a factor of some columns."""
    return max(_ROWS, _ROWS_A_COLUMN * (n_keys + 1), _BYTES // (8 * (n_keys + 1)))


def bytes_with(n_keys: int, n_rows: float = math.inf) -> int:
    """Bytes of the rows of a factor, of at most so many, and of the factors that are merged.

    >>> bytes_with(10) // 2**20, bytes_with(1_000) // 2**20, bytes_with(1_000, n_rows=20) // 2**20
    (2, 122, 61)
    """
    n_columns = n_keys + 1
    return 8 * n_columns * (int(min(n_rows, _rows_of_factor(n_keys))) + _FACTORS * n_columns)


class Collected:
    """Rows of columns that are not all known at the start; a column is 0 where nothing was written.

    Attributes:
        n_rows: that are complete.
    """

    def __init__(self) -> None:
        self.n_rows = 0
        self._places: dict[Key, int] = {}
        self._values: Array = np.zeros((0, 0))

    def room(self, key: Key, n_rows: int) -> Column:
        """Where the next rows of a column are written, shape (n_rows,)."""
        place = self._places.setdefault(key, len(self._places) + 1)  # before them comes room for a column of ones
        end = self.n_rows + n_rows
        if place >= len(self._values) or end > self._values.shape[1]:
            self._grow(place, end)
        out: Column = self._values[place, self.n_rows : end]
        return out

    def _grow(self, place: int, n_rows: int) -> None:
        before = self._values
        n_columns = len(before) if place < len(before) else max(place + 1, len(before) * 5 // 4)
        self._values = np.zeros((n_columns, max(n_rows, before.shape[1])))
        self._values[: len(before), : before.shape[1]] = before  # the next rows too, which some columns have

    def end(self, n_rows: int) -> None:
        """Each column has n_rows more rows."""
        self.n_rows += n_rows

    @property
    def are_enough(self) -> bool:
        """Whether there are enough rows for a factor."""
        return self.n_rows >= _rows_of_factor(len(self._places))

    @property
    def keys(self) -> tuple[Key, ...]:
        """The columns that were written to."""
        return tuple(self._places)

    @property
    def values(self) -> Array:
        """Room for a column of ones, and the columns, shape (1 + n_keys, n_rows); they may be overwritten."""
        return self._values[: len(self._places) + 1, : self.n_rows]

    def clear(self) -> None:
        """Go on with the next rows."""
        self.values[:] = 0.0
        self._places, self.n_rows = {}, 0


class RowsDigest:
    """A digest of rows, by which a changed table is noticed: SHA-256 of sums of the words of each column.

    A sum is that of word times factor, modulo 2^64, with an odd factor of each row. So no change of a single cell goes
    unnoticed. The upper half of a word is first combined with the lower one by XOR: otherwise two changed signs, the
    highest bits, would add up to 2^64, which is 0. It takes a fraction of the time of SHA-256 of all bytes.
    """

    def __init__(self) -> None:
        self._found = hashlib.sha256()
        self._factors: Words = np.zeros(0, np.uint64)

    def add(self, names: Sequence[str], values: Array) -> None:
        """Add rows of some columns.

        Args:
            names: of the columns.
            values: shape (n_columns, n_rows).
        """
        n_columns, n_rows = values.shape
        if n_rows > len(self._factors):
            self._factors = counted_words(0, "digest", stop=n_rows) | np.uint64(1)
        at_once = max(1, _MIXED_WORDS // max(1, n_rows))
        for first in range(0, n_columns, at_once):
            words = values[first : first + at_once].view(np.uint64)
            mixed = words >> np.uint64(32)
            mixed ^= words
            sums = np.einsum("ij,j->i", mixed, self._factors[:n_rows])
            for name, total in zip(names[first : first + at_once], sums.tolist(), strict=True):
                self._found.update(f"{name}\0{n_rows}\0{total}\0".encode())

    def hexdigest(self) -> str:
        """Of all that was added, in its order."""
        return self._found.hexdigest()
