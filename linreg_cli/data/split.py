"""Which rows are in the train, validation and test split."""

import itertools
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import numpy.typing as npt

from linreg_cli.config.data import OfTable, SplitConfig
from linreg_cli.config.schema import Config
from linreg_cli.data.columns.kinds import BLOCK_ROWS, UNKNOWN, Categories, Rows, blocks_of_codes
from linreg_cli.data.columns.row_set import Mask, RowSet, row_numbers
from linreg_cli.data.dataset import SPLITS
from linreg_cli.errors import DataError, Fault
from linreg_cli.remedies import setting
from linreg_cli.seeds import counted_words, numpy_stream
from linreg_cli.wording import exact, plural

#: The rows that were not dropped -> split -> its rows.
Split = Callable[[RowSet], Mapping[str, Rows]]


def split_by_fractions(n_samples: int, split: SplitConfig, seed: int) -> dict[str, Rows]:
    """The splits of a table in which no row was dropped; as `split_rows`.

    Args:
        n_samples: rows of the table.
        split: as in `split_rows`.
        seed: of the run.

    >>> rows = split_by_fractions(5, SplitConfig(train=0.6, test=0.4, shuffle=False), seed=0)
    >>> {name: part.tolist() for name, part in rows.items()}
    {'train': [0, 1, 2], 'validation': [], 'test': [3, 4]}

    Raises:
        DataError: as `split_rows`.
    """
    return split_rows(RowSet.all(n_samples), split, seed)


def split_rows(kept: RowSet, split: SplitConfig, seed: int) -> dict[str, Rows]:
    """Split rows by fractions.

    With `by: shuffle`, shuffled or in order, at the cumulative fractions of their number, rounded half up. With
    `by: hash`, each row by itself, as `hashed_splits` has it.

    Args:
        kept: the rows of the table that were not dropped.
        split: the fractions, and how rows are assigned.
        seed: of the run.

    Raises:
        DataError: if a split with a fraction above 0 has no row.
    """
    fractions = {name: float(getattr(split, name)) for name in SPLITS}
    if is_hashed(split):
        parts: list[Rows] = [
            RowSet.of_blocks(_hashed_masks(kept, code, split, seed)) if fractions[name] else kept.between(0, 0)
            for code, name in enumerate(SPLITS)
        ]
    else:
        parts = _cut(kept, fractions, seed if split.shuffle else None)
    empty = [name for name, part in zip(SPLITS, parts, strict=True) if fractions[name] > 0 and not len(part)]
    if empty:
        raise DataError([Fault(_no_row(name, len(kept), split)) for name in empty])
    return dict(zip(SPLITS, parts, strict=True))


def is_hashed(split: SplitConfig) -> bool:
    """Whether each row is assigned by itself; with all rows in the train split, there is nothing to assign."""
    return split.by == "hash" and split.column is None and split.train < 1


def streamed_split(split: SplitConfig) -> SplitConfig:
    """The same split where rows stay on the disk: one that is drawn at random is drawn by hash, row by row.

    >>> streamed_split(SplitConfig(train=0.8, test=0.2)).by, streamed_split(SplitConfig()).by
    ('hash', 'shuffle')
    """
    at_random = split.column is None and split.shuffle and split.train < 1
    return split.model_copy(update={"by": "hash"}) if at_random else split


def hashed_splits(split: SplitConfig, seed: int, start: int, stop: int) -> npt.NDArray[np.int8]:
    """The split of each of some rows by a function of (seed, row) alone, so that any part of a table is split alone.

    A row has a random u in [0, 1) with 53 bits (`seeds.counted_words`). It is in the first of train, validation and
    test whose cumulative fraction is above u. The shares hold on average: of n rows, a fraction f is n f rows with a
    standard deviation of sqrt(n f (1 - f)).

    Args:
        split: the fractions.
        seed: of the run.
        start: the first row, from 0, of the whole table, with rows that are dropped.
        stop: one past the last.

    Returns:
        Positions in `SPLITS`, shape (stop - start,).

    >>> split = SplitConfig(train=0.5, test=0.5)
    >>> whole = hashed_splits(split, 0, 0, 8).tolist()
    >>> whole[3:] == hashed_splits(split, 0, 3, 8).tolist(), sorted(set(whole))
    (True, [0, 2])
    """
    fractions = np.array([float(getattr(split, name)) for name in SPLITS])
    u = (counted_words(seed, "split of a row", start=start, stop=stop) >> np.uint64(11)) * 2.0**-53
    last = int(np.flatnonzero(fractions)[-1])  # rounding may leave the sum of all below 1
    return np.searchsorted(np.cumsum(fractions)[:last], u, side="right").astype(np.int8)


def _hashed_masks(kept: RowSet, code: int, split: SplitConfig, seed: int) -> Iterator[Mask]:
    for start in range(0, kept.n_rows, BLOCK_ROWS):
        stop = min(start + BLOCK_ROWS, kept.n_rows)
        yield kept.mask(start, stop) & (hashed_splits(split, seed, start, stop) == code)


def _cut(kept: RowSet, fractions: Mapping[str, float], seed: int | None) -> list[Rows]:
    """The parts between the cumulative fractions; in the order of the table without a seed."""
    n_samples = len(kept)
    cuts = [int(np.floor(n_samples * total + 0.5)) for total in np.cumsum(list(fractions.values()))]
    cuts[-1] = n_samples
    if seed is None or fractions["train"] == 1:
        return [kept.between(start, stop) for start, stop in itertools.pairwise([0, *cuts])]
    order = numpy_stream(seed, "split").permutation(row_numbers(0, n_samples))
    rows = order if n_samples == kept.n_rows else np.asarray(kept)[order]
    return [*np.split(rows, cuts[:-1])]


def _no_row(name: str, n_rows: int, split: SplitConfig) -> str:
    share = exact(float(getattr(split, name)))
    if not is_hashed(split):
        zero = "" if name == "train" else " or set it to 0"
        return f"data.split.{name}: {share} of {n_rows:,} rows is no row; raise it{zero}"
    return (
        f"data.split.{name}: none of {plural(n_rows, 'row')} is in it: with by: hash, each row is drawn by itself, so "
        f"that a share of {share} holds on average only; raise it, or set {setting('data.split.by', 'shuffle')}"
    )


def split_by_column(labels: Categories, column: str, name: str) -> dict[str, RowSet]:
    """The splits named in a column of the table.

    Args:
        labels: the column, one of `train`, `validation` and `test` in each row.
        column: its name.
        name: the table, for messages.

    Raises:
        DataError: for any other value, and if the train split is empty.
    """
    known = [code for code, level in enumerate(labels.levels) if level in SPLITS]
    for start, codes in blocks_of_codes(labels.codes):
        unknown = ~np.isin(codes, known)
        if not unknown.any():
            continue
        row = start + int(np.argmax(unknown))
        found = "a missing cell" if labels.codes[row] < 0 else repr(labels.levels[labels.codes[row]])
        where = f"{name}, row {row + 1}, column {column!r}"
        raise DataError(f"expected train, validation or test, found {found}", where)
    code = {level: code for code, level in enumerate(labels.levels)}
    parts = {
        split: RowSet.of_blocks(codes == code.get(split, UNKNOWN) for _, codes in blocks_of_codes(labels.codes))
        for split in SPLITS
    }
    if not len(parts["train"]):
        raise DataError(f"the train split is empty: no row has train in column {column!r}", name)
    return parts


def splitter(source: OfTable, config: Config, labels: Categories | None) -> Split:
    """How the rows of a table are split.

    Args:
        source: with the fractions, or the name of the column.
        config: the seed, and what early stopping needs.
        labels: that column; None for fractions.
    """

    def split(kept: RowSet) -> Mapping[str, Rows]:
        if labels is None or source.split.column is None:
            return split_rows(kept, source.split, config.seed)
        by_column = split_by_column(labels, source.split.column, source.name)
        splits = {name: rows & kept for name, rows in by_column.items()}
        if not len(splits["train"]):
            raise DataError(
                "no train row is left: in every one, a cell is missing from a column with missing: drop", source.name
            )
        stopping = config.train.early_stopping
        if stopping is not None and stopping.monitor == "validation.loss" and not len(splits["validation"]):
            message = f"column {source.split.column!r} gives no validation rows, and early_stopping monitors them"
            raise DataError(f"{message}; mark some rows as validation, or monitor train.loss", source.name)
        return splits

    return split
