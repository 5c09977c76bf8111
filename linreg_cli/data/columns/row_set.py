"""Ascending row numbers, kept as one bit for each row of the table.

A split of a table that is larger than memory has too many row numbers to list: 4 or 8 bytes each are as much as a
column.
"""

from collections.abc import Iterable, Iterator
from typing import Any, overload

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
#: Row numbers, from 0, in any order; see `row_numbers`.
RowArray = npt.NDArray[np.signedinteger[Any]]

#: Rows whose bits are read together: a multiple of 8, and as many as uint16 has numbers.
_GROUP = 65_536
#: Groups whose rows are kept once they were read, 128 KiB each: a table of a million rows is asked for them again for
#: every column.
_KEPT = 16


def row_numbers(start: int, stop: int) -> RowArray:
    """The row numbers `start` to `stop - 1`: int32, or int64 for more than 2^31 rows."""
    return np.arange(start, stop, dtype=np.int32 if stop <= 2**31 else np.int64)


class RowSet:
    """Row numbers in ascending order, each once. Slices and positions are looked up as in an array of them.

    Args:
        bits: one for each row of the table, as `np.packbits` of the whole mask has them.
        n_rows: rows of the table.

    >>> rows = RowSet.where(np.array([True, False, True, True]))
    >>> len(rows), rows[0], rows[1:].tolist(), rows[np.array([2, 0])].tolist()
    (3, 0, [2, 3], [3, 0])
    """

    def __init__(self, bits: npt.NDArray[np.uint8], n_rows: int) -> None:
        self._bits, self.n_rows = bits, n_rows
        groups = (bits[start : start + _GROUP // 8] for start in range(0, len(bits), _GROUP // 8))
        counts = [int(np.bitwise_count(each).sum(dtype=np.int64)) for each in groups]
        self._ends = np.cumsum([0, *counts], dtype=np.int64)
        self._kept: dict[int, npt.NDArray[np.uint16]] = {}

    @classmethod
    def of_blocks(cls, masks: Iterable[Mask]) -> "RowSet":
        """The rows where masks are True: those of the table, some rows after the other."""
        bits, rest, n_rows = [np.zeros(0, dtype=np.uint8)], np.zeros(0, dtype=bool), 0
        for mask in masks:
            n_rows += len(mask)
            mask = np.concatenate([rest, mask]) if len(rest) else mask
            whole = len(mask) // 8 * 8
            bits.append(np.packbits(mask[:whole]))
            rest = mask[whole:].copy()
        return cls(np.concatenate([*bits, np.packbits(rest)]), n_rows)

    @classmethod
    def where(cls, mask: Mask) -> "RowSet":
        """The rows where a mask is True, shape (n_rows of the table,)."""
        return cls(np.packbits(mask), len(mask))

    @classmethod
    def all(cls, n_rows: int) -> "RowSet":
        """Every row of a table."""
        bits = np.full((n_rows + 7) // 8, 255, dtype=np.uint8)
        if n_rows % 8:
            bits[-1] = 256 - 2 ** (8 - n_rows % 8)
        return cls(bits, n_rows)

    @classmethod
    def of(cls, parts: Iterable["RowArray | RowSet"], n_rows: int) -> "RowSet":
        """The rows of any of some parts of a table of `n_rows` rows."""
        mask, bits = np.zeros(0, dtype=bool), np.zeros((n_rows + 7) // 8, dtype=np.uint8)
        for part in parts:
            if isinstance(part, RowSet):
                bits |= part._bits
            else:
                mask = mask if len(mask) else np.zeros(n_rows, dtype=bool)
                mask[part] = True
        return cls(bits | np.packbits(mask) if len(mask) else bits, n_rows)

    def __reduce__(self) -> tuple[type, tuple[npt.NDArray[np.uint8], int]]:
        """In a message it is its bits."""
        return RowSet, (self._bits, self.n_rows)

    def __and__(self, other: "RowSet") -> "RowSet":
        return RowSet(self._bits & other._bits, self.n_rows)

    def between(self, start: int, stop: int) -> "RowSet":
        """Those at the positions `start` to `stop - 1`."""
        if start >= stop:
            return RowSet(np.zeros_like(self._bits), self.n_rows)
        first, last = self[start], self[stop - 1]
        bits = self._bits.copy()
        bits[: first // 8], bits[last // 8 + 1 :] = 0, 0
        bits[first // 8] &= 255 >> first % 8
        bits[last // 8] &= 255 << (7 - last % 8) & 255
        return RowSet(bits, self.n_rows)

    def mask(self, start: int, stop: int) -> Mask:
        """Which of the rows `start` to `stop - 1` of the table are among them, shape (stop - start,)."""
        first = start // 8
        bits = np.unpackbits(self._bits[first : (stop + 7) // 8])
        return bits[start - 8 * first : stop - 8 * first].view(np.bool_)

    @property
    def as_slice(self) -> slice | None:
        """Consecutive rows as a slice; None for others."""
        if not len(self) or self[-1] - self[0] != len(self) - 1:
            return None
        return slice(self[0], self[-1] + 1)

    def tolist(self) -> list[int]:
        """All of them."""
        rows: list[int] = np.asarray(self).tolist()
        return rows

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __iter__(self) -> Iterator[int]:
        for group in range(len(self._ends) - 1):
            yield from (self._group(group).astype(np.int64) + group * _GROUP).tolist()

    @overload
    def __getitem__(self, chosen: int) -> int: ...

    @overload
    def __getitem__(self, chosen: slice | npt.NDArray[np.integer[Any]]) -> RowArray: ...

    def __getitem__(self, chosen: int | slice | npt.NDArray[np.integer[Any]]) -> RowArray | int:
        if isinstance(chosen, slice):
            start, stop, step = chosen.indices(len(self))
            assert step == 1, chosen
            return self._range(start, max(start, stop))
        if isinstance(chosen, np.ndarray):
            return self._at(chosen)
        position = chosen + len(self) if chosen < 0 else chosen
        if not 0 <= position < len(self):
            raise IndexError(chosen)
        return int(self._range(position, position + 1)[0])

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return np.asarray(self._range(0, len(self)), dtype=dtype)

    def _empty(self, count: int) -> RowArray:
        out: RowArray = np.empty(count, dtype=np.int32 if self.n_rows <= 2**31 else np.int64)
        return out

    def _group(self, group: int) -> npt.NDArray[np.uint16]:
        """The rows of a group, counted from its first."""
        kept = self._kept.get(group)
        if kept is None:
            bits = self._bits[group * _GROUP // 8 : (group + 1) * _GROUP // 8]
            kept = np.flatnonzero(np.unpackbits(bits)).astype(np.uint16)
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            self._kept[group] = kept
        return kept

    def _range(self, start: int, stop: int) -> RowArray:
        out, at = self._empty(stop - start), start
        group = int(np.searchsorted(self._ends, start, side="right")) - 1
        while at < stop:
            first, last = int(self._ends[group]), int(self._ends[group + 1])
            end = min(stop, last)
            there = out[at - start : end - start]
            np.add(self._group(group)[at - first : end - first], there.dtype.type(group * _GROUP), out=there)
            at, group = end, group + 1
        return out

    def _at(self, positions: npt.NDArray[np.integer[Any]]) -> RowArray:
        """The row numbers at some positions; a group is read once for neighbours in the list."""
        assert positions.dtype != np.bool_
        out = self._empty(len(positions))
        order = np.argsort(positions, kind="stable")
        ascending = positions[order]
        for group in np.unique(np.searchsorted(self._ends, ascending, side="right") - 1):
            low, high = np.searchsorted(ascending, self._ends[[group, group + 1]])
            found = self._group(int(group))[ascending[low:high] - self._ends[group]]
            out[order[low:high]] = found + out.dtype.type(group * _GROUP)
        return out
