"""Order statistics of a column that is read block by block: its exact median, and its lowest values.

A float64 with its bits rearranged is a whole number in the same order. The digits of the median are found from the
highest: how many values begin with each 16 bits, then how many of those that begin as the median does continue with
each 16 bits, and so on, until few enough are left to be sorted. A table of any size takes the same memory.
"""

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from linreg_cli.data.columns.kinds import Column

#: Values of a column, none missing, block by block; called for each pass.
Pass = Callable[[], Iterable[Column]]

#: So many values are sorted.
_FEW = 2**18
_DIGIT = 16
_SIGN = np.uint64(1 << 63)

Keys = npt.NDArray[np.uint64]


#: (function of a pass, *arguments) -> what it gives for the values of each process.
Everywhere = Callable[..., list[Any]]


def median(read: Pass, everywhere: Everywhere | None = None) -> float:
    """The median, as `np.median` has it; NaN without a value.

    Args:
        read: reads the values in one pass; it is called two to five times for a long column, else once.
        everywhere: where several processes have the values, calls a function of a pass over its own in each.

    >>> median(lambda: [np.array([3.0, 1.0]), np.array([2.0, 10.0])])
    2.5
    """
    few = _few(read())
    if few is not None:
        return float(np.median(few, overwrite_input=True)) if len(few) else float("nan")
    if everywhere is None:
        everywhere = functools.partial(_here, read)
    n = sum(everywhere(_length))
    low, high = _of_ranks(everywhere, (n - 1) // 2, n // 2)
    return float(np.mean([low, high]))


def _here(read: Pass, function: Callable[..., Any], *arguments: Any) -> list[Any]:
    """As `Everywhere`, where this process has all values."""
    return [function(read, *arguments)]


def _length(read: Pass) -> int:
    return sum(map(len, read()))


def lowest(values: Iterable[Column], count: int) -> Column:
    """The `count` lowest values, ascending; all of them if there are no more.

    Args:
        values: block by block, none missing.
        count: how many.

    >>> lowest([np.array([3.0, 1.0]), np.array([2.0])], 2).tolist()
    [1.0, 2.0]
    """
    kept, more, n_more = np.zeros(0), [np.zeros(0)], 0
    for block in values:
        more.append(block)
        n_more += len(block)
        if n_more > count:  # so that a partition costs a few operations a value
            kept = _partitioned(np.concatenate([kept, *more]), count)
            more, n_more = [], 0
    return np.sort(_partitioned(np.concatenate([kept, *more]), count))


def _partitioned(values: Column, count: int) -> Column:
    return np.partition(values, count)[:count].copy() if len(values) > count else values


def _few(blocks: Iterable[Column]) -> Column | None:
    """All values if they are few, else None."""
    held, n_held = [np.zeros(0)], 0
    for block in blocks:
        held.append(block)
        n_held += len(block)
        if n_held > _FEW:
            return None
    return np.concatenate(held)


def _of_ranks(everywhere: Everywhere, low: int, high: int) -> tuple[float, float]:
    """The values at two ranks, from 0, of which the second is the first or the next one."""
    prefix, known = np.uint64(0), 0
    while True:
        counts = np.sum(everywhere(_digits, prefix, known), axis=0)
        ends = np.cumsum(counts)
        digit, other = np.searchsorted(ends, [low, high], side="right")
        if digit != other:  # the highest of the values that begin so, and the lowest of those after them
            found = everywhere(_ends, prefix, known, int(digit), int(other))
            return _value(max(each[0] for each in found)), _value(min(each[1] for each in found))
        before = int(ends[digit]) - int(counts[digit])
        low, high = low - before, high - before
        prefix, known = prefix << np.uint64(_DIGIT) | np.uint64(digit), known + _DIGIT
        if known == 64:
            return _value(prefix), _value(prefix)
        if counts[digit] <= _FEW:
            keys = np.sort(np.concatenate(everywhere(_all_beginning, prefix, known)))
            return _value(keys[low]), _value(keys[high])


def _digits(read: Pass, prefix: np.uint64, known: int) -> npt.NDArray[np.int64]:
    """How many values that begin as a prefix does go on with each digit."""
    shift = np.uint64(64 - known - _DIGIT)
    counts = np.zeros(2**_DIGIT, dtype=np.int64)
    for keys in _beginning(read, prefix, known):
        digits = (keys >> shift & np.uint64(2**_DIGIT - 1)).astype(np.intp)
        counts += np.bincount(digits, minlength=2**_DIGIT)
    return counts


def _all_beginning(read: Pass, prefix: np.uint64, known: int) -> Keys:
    return np.concatenate([np.zeros(0, dtype=np.uint64), *_beginning(read, prefix, known)])


def _ends(read: Pass, prefix: np.uint64, known: int, digit: int, other: int) -> tuple[np.uint64, np.uint64]:
    """The highest of the values with one digit, and the lowest of those with another."""
    shift = np.uint64(64 - known - _DIGIT)
    highest, lowest_after = np.uint64(0), np.uint64(2**64 - 1)
    for keys in _beginning(read, prefix, known):
        digits = (keys >> shift & np.uint64(2**_DIGIT - 1)).astype(np.intp)
        highest = max(highest, keys[digits == digit].max(initial=np.uint64(0)))
        lowest_after = min(lowest_after, keys[digits == other].min(initial=np.uint64(2**64 - 1)))
    return highest, lowest_after


def _beginning(read: Pass, prefix: np.uint64, known: int) -> Iterator[Keys]:
    """The ordered values whose first `known` bits are those of `prefix`."""
    for block in read():
        bits = np.ascontiguousarray(block, dtype=np.float64).view(np.uint64)
        keys = np.where(bits & _SIGN, ~bits, bits | _SIGN)
        yield keys[keys >> np.uint64(64 - known) == prefix] if known else keys


def _value(key: np.uint64) -> float:
    bits = key ^ _SIGN if key & _SIGN else ~key
    return float(np.array([bits], dtype=np.uint64).view(np.float64)[0])
