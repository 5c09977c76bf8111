"""Which rows train, validate and test."""

import numpy as np

from linreg_cli.config.data import SplitConfig
from linreg_cli.data.columns.kinds import UNKNOWN, Categories, Rows, row_numbers, rows_where
from linreg_cli.data.dataset import SPLITS
from linreg_cli.errors import DataError, Fault
from linreg_cli.seeds import numpy_stream


def split_by_fractions(n_samples: int, split: SplitConfig, seed: int) -> dict[str, Rows]:
    """Cut the rows, shuffled or in order, where the running sum of the shares says; each cut is rounded.

    >>> rows = split_by_fractions(5, SplitConfig(train=0.6, test=0.4, shuffle=False), seed=0)
    >>> {name: list(map(int, part)) for name, part in rows.items()}
    {'train': [0, 1, 2], 'validation': [], 'test': [3, 4]}

    Raises:
        DataError: if a split with a share above 0 would have no row.
    """
    shares = {name: float(getattr(split, name)) for name in SPLITS}
    order = row_numbers(0, n_samples)
    if split.shuffle and shares["train"] < 1:
        order = numpy_stream(seed, "split").permutation(order)
    cuts = [int(np.floor(n_samples * total + 0.5)) for total in np.cumsum(list(shares.values()))]
    cuts[-1] = n_samples
    parts = np.split(order, cuts[:-1])
    empty = [name for name, part in zip(SPLITS, parts, strict=True) if shares[name] > 0 and not len(part)]
    if empty:
        raise DataError(
            [Fault(f"data.split.{name}: a share of {shares[name]:g} of {n_samples} rows is no row") for name in empty]
        )
    return dict(zip(SPLITS, parts, strict=True))


def split_by_column(labels: Categories, column: str, name: str) -> dict[str, Rows]:
    """The split that a column of the table, of words, says.

    Raises:
        DataError: for another word than `train`, `validation` or `test`, and where no row trains.
    """
    known = [code for code, level in enumerate(labels.levels) if level in SPLITS]
    unknown = ~np.isin(labels.codes, known)
    if unknown.any():
        row = int(np.argmax(unknown))
        found = "a missing cell" if labels.codes[row] < 0 else repr(labels.levels[labels.codes[row]])
        where = f"{name}, row {row + 1}, column {column!r}"
        raise DataError(f"expected train, validation or test, found {found}", where)
    code = {level: code for code, level in enumerate(labels.levels)}
    parts = {split: rows_where(labels.codes == code.get(split, UNKNOWN)) for split in SPLITS}
    if not len(parts["train"]):
        raise DataError(f"column {column!r} gives no row to train on", name)
    return parts
