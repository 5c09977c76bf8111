"""Rows that stand in the train split and in another one, too, so that the metrics of that one are too good."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from linreg_cli.data.columns.kinds import Rows, take
from linreg_cli.data.columns.rows import in_order, pick, row_blocks
from linreg_cli.data.dataset import Dataset
from linreg_cli.findings import Finding
from linreg_cli.wording import percent, plural

Hashes = npt.NDArray[np.uint64]

#: A smaller share of a split moves its metrics little.
_LEAST_SHARE, _LEAST_ROWS = 0.01, 2
#: Where chance alone is expected to repeat a larger share, as among a few categories, equal rows are natural.
_CHANCE = 1e-4
#: The most rows of a split that are looked for, and of the train split from which chance is estimated.
_SAMPLE = 10_000
#: Columns that are compared first; the others are read only for rows that are equal in these.
_FIRST = 3
_ODD = np.uint64(0x9E3779B97F4A7C15)


def duplicate_rows(dataset: Dataset) -> Iterator[Finding]:
    """A warning for each other split of which 1 % and more are also in the train split, feature by feature and target.

    Args:
        dataset: a table, split and encoded. It is read once in its first columns, and where rows are equal in these,
            in all of them. Rows are compared by hashes of 64 bits.
    """
    names = (*dataset.targets, *dataset.features)
    train = in_order(dataset.splits["train"])
    for split in ("validation", "test"):
        held_out = dataset.splits[split]
        rows = in_order(pick(held_out, _spread(len(held_out)))) if len(held_out) else held_out
        count = _count(dataset, names, train, rows) if len(held_out) else 0
        n = min(len(held_out), _SAMPLE)
        if count < _LEAST_ROWS or count < _LEAST_SHARE * n or _by_chance(dataset, names) > _CHANCE:
            continue
        of = plural(n, f"{split} row") if n == len(held_out) else f"{n:,} of {len(held_out):,} {split} rows"
        yield Finding(
            "duplicate_rows",
            f"{count:,} of {of} ({percent(count / n)}) are train rows, too, with the same features and target: the "
            f"metrics of the {split} split are too good; remove the copies from the table, or keep them in one "
            "split by a column that data.split.column names",
        )


def _count(dataset: Dataset, names: Sequence[str], train: Rows | slice, rows: Rows | slice) -> int:
    """How many of some rows are also in the train split."""
    first = np.sort(_hashes(dataset, names[: _FIRST + 1], rows))
    alike = [
        _numbers(block)[_is_in(_hashes(dataset, names[: _FIRST + 1], block), first)]
        for _, block in row_blocks(train, dataset.n_samples)
    ]
    candidates = np.concatenate(alike) if alike else np.zeros(0, np.int64)
    if not len(candidates):
        return 0
    return int(_is_in(_hashes(dataset, names, rows), np.sort(_hashes(dataset, names, candidates))).sum())


def _by_chance(dataset: Dataset, names: Sequence[str]) -> float:
    """The share of rows that a train row equals by chance, if columns were independent of each other.

    The probability that two rows have the same value is estimated without bias for each column: with k_v of n
    different rows that have the value v, it is sum k_v (k_v - 1) / (n (n - 1)).
    """
    train = dataset.splits["train"]
    rows = pick(train, _spread(len(train)))
    rows = rows[np.unique(_hashes(dataset, names, rows), return_index=True)[1]]
    n, expected = len(rows), float(len(train))
    for name in names:
        counts = np.unique(take(dataset.columns, name, rows), return_counts=True)[1].astype(np.float64)
        expected *= float((counts * (counts - 1)).sum()) / max(n * (n - 1), 1)
    return expected


def _hashes(dataset: Dataset, names: Sequence[str], rows: Rows | slice) -> Hashes:
    """A hash of the values of each row in some columns, shape (n_rows,)."""
    found = []
    for _, block in row_blocks(rows, dataset.n_samples):
        mixed = np.zeros(len(_numbers(block)), np.uint64)
        for name in names:
            bits = (take(dataset.columns, name, block) + 0.0).view(np.uint64)  # -0.0 + 0.0 is 0.0
            mixed = (mixed ^ bits) * _ODD
            mixed ^= mixed >> np.uint64(29)
        found.append(mixed)
    return np.concatenate(found) if found else np.zeros(0, np.uint64)


def _is_in(values: Hashes, ordered: Hashes) -> npt.NDArray[np.bool_]:
    """Which values are among others, which are sorted and at least one."""
    at = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
    found: npt.NDArray[np.bool_] = ordered[at] == values
    return found


def _numbers(rows: Rows | slice) -> npt.NDArray[np.int64]:
    """Row numbers, also of a slice that has both of its ends."""
    return np.arange(rows.start, rows.stop) if isinstance(rows, slice) else np.asarray(rows, np.int64)


def _spread(n: int) -> npt.NDArray[np.int64]:
    """At most `_SAMPLE` positions among n, evenly spaced."""
    return np.arange(n) if n <= _SAMPLE else np.linspace(0, n - 1, _SAMPLE).astype(np.int64)
