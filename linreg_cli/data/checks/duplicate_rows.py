"""Rows that stand in the train split and in another one, too, so that the metrics of that one are too good."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from linreg_cli.data.columns.fetched import at_hand
from linreg_cli.data.columns.kinds import Rows, take
from linreg_cli.data.columns.rows import pick, row_blocks
from linreg_cli.data.dataset import Dataset
from linreg_cli.findings import Finding
from linreg_cli.wording import percent, plural

Hashes = npt.NDArray[np.uint64]
RowNumbers = npt.NDArray[np.int64]

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
    for split in ("validation", "test"):
        held_out = dataset.splits[split]
        rows = np.sort(_numbers(pick(held_out, _spread(len(held_out)))))
        count = _count(dataset, names, rows) if len(held_out) else 0
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


def _count(dataset: Dataset, names: Sequence[str], rows: RowNumbers) -> int:
    """How many of some rows, in ascending order, are also in the train split."""
    first = np.sort(_hashes_of(dataset, names[: _FIRST + 1], rows))
    alike = dataset.of_parts(_alike_in_part, names[: _FIRST + 1], first)
    candidates = np.concatenate([np.zeros(0, np.int64), *alike])
    if not len(candidates):
        return 0
    return int(_is_in(_hashes_of(dataset, names, rows), np.sort(_hashes_of(dataset, names, candidates))).sum())


def _alike_in_part(dataset: Dataset, first: int, last: int, names: Sequence[str], hashes: Hashes) -> RowNumbers:
    """The numbers of the train rows of a part whose hash is among some, which are sorted."""
    alike = [
        _numbers(block)[_is_in(_hashes(dataset, names, block), hashes)] + dataset.before
        for _, block in row_blocks(dataset.rows_of("train", first, last), dataset.n_samples)
    ]
    return np.concatenate([np.zeros(0, np.int64), *alike])


def _hashes_of(dataset: Dataset, names: Sequence[str], rows: RowNumbers) -> Hashes:
    """The hashes of some rows of the table, in ascending order, wherever they are."""
    return np.concatenate([np.zeros(0, np.uint64), *dataset.of_parts(_hashes_in_part, names, rows)])


def _hashes_in_part(dataset: Dataset, first: int, last: int, names: Sequence[str], rows: RowNumbers) -> Hashes:
    ends = np.searchsorted(rows, [first + dataset.before, last + dataset.before])
    return _hashes(dataset, names, rows[slice(*ends)] - dataset.before)


def _by_chance(dataset: Dataset, names: Sequence[str]) -> float:
    """The share of rows that a train row equals by chance, if columns were independent of each other.

    The probability that two rows have the same value is estimated without bias for each column: with k_v of n
    different rows that have the value v, it is sum k_v (k_v - 1) / (n (n - 1)).
    """
    train = dataset.splits["train"]
    rows = np.sort(_numbers(pick(train, _spread(len(train)))))
    rows = rows[np.unique(_hashes_of(dataset, names, rows), return_index=True)[1]]
    n, expected = len(rows), float(len(train))
    with at_hand(dataset.columns_read, np.sort(rows)):
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


def _numbers(rows: Rows | slice) -> RowNumbers:
    """Row numbers, also of a slice that has both of its ends."""
    return np.arange(rows.start, rows.stop) if isinstance(rows, slice) else np.asarray(rows, np.int64)


def _spread(n: int) -> RowNumbers:
    """At most `_SAMPLE` positions among n, evenly spaced."""
    return np.arange(n) if n <= _SAMPLE else np.linspace(0, n - 1, _SAMPLE).astype(np.int64)
