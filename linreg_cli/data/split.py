"""Which rows are in the train, validation and test split."""

import numpy as np

from linreg_cli.config.data import SplitConfig
from linreg_cli.data.columns.kinds import UNKNOWN, Categories, Rows, row_numbers, rows_where
from linreg_cli.data.dataset import SPLITS
from linreg_cli.errors import DataError, Fault
from linreg_cli.seeds import numpy_stream
from linreg_cli.wording import exact


def split_by_fractions(n_samples: int, split: SplitConfig, seed: int) -> dict[str, Rows]:
    """Split the rows, shuffled or in order, at the cumulative fractions of n_samples, rounded half up.

    Args:
        n_samples: rows to split.
        split: the fractions, and whether to shuffle.
        seed: of the run.

    >>> rows = split_by_fractions(5, SplitConfig(train=0.6, test=0.4, shuffle=False), seed=0)
    >>> {name: list(map(int, part)) for name, part in rows.items()}
    {'train': [0, 1, 2], 'validation': [], 'test': [3, 4]}

    Raises:
        DataError: if a split with a fraction above 0 has no row.
    """
    fractions = {name: float(getattr(split, name)) for name in SPLITS}
    order = row_numbers(0, n_samples)
    if split.shuffle and fractions["train"] < 1:
        order = numpy_stream(seed, "split").permutation(order)
    cuts = [int(np.floor(n_samples * total + 0.5)) for total in np.cumsum(list(fractions.values()))]
    cuts[-1] = n_samples
    parts = np.split(order, cuts[:-1])
    empty = [name for name, part in zip(SPLITS, parts, strict=True) if fractions[name] > 0 and not len(part)]
    if empty:
        raise DataError(
            [
                Fault(
                    f"data.split.{name}: {exact(fractions[name])} of {n_samples:,} rows is no row; raise it or set it "
                    "to 0"
                )
                for name in empty
            ]
        )
    return dict(zip(SPLITS, parts, strict=True))


def split_by_column(labels: Categories, column: str, name: str) -> dict[str, Rows]:
    """The splits named in a column of the table.

    Args:
        labels: the column, one of `train`, `validation` and `test` in each row.
        column: its name.
        name: the table, for messages.

    Raises:
        DataError: for any other value, and if the train split is empty.
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
        raise DataError(f"the train split is empty: no row has train in column {column!r}", name)
    return parts
