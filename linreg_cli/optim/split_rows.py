"""The scaled rows of a split in the order of the table, in the parts by which sums over a table are added up.

The train split stands in the order of training and has shards of its own; the other splits are parts of the table.
"""

import bisect
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from linreg_cli.data import Dataset, Preprocessor
from linreg_cli.data.columns.divided import DividedRows
from linreg_cli.data.columns.kinds import BLOCK_ROWS, Mask, Rows
from linreg_cli.data.columns.rows import count, in_order, part
from linreg_cli.errors import DataError, Fault
from linreg_cli.optim.rows import StoredRows, TrainRows

#: Bytes in float64 of the rows that are scaled at a time.
BLOCK_BYTES = 4 * 2**20

#: Which columns of X and of y have had zeros only so far.
Zeros = tuple[Mask, Mask]

#: What a dtype does not hold: of X (0) or y (1), the position of the column, and what is wrong.
Refused = tuple[int, int, tuple[Fault, ...]]


def block_rows(dataset: Dataset) -> int:
    """How many rows of a dataset are scaled at a time."""
    return max(1, BLOCK_BYTES // (8 * (len(dataset.features) + len(dataset.targets))))


def no_values(preprocessor: Preprocessor) -> Zeros:
    """Columns of which no row was seen."""
    of_X, of_y = (np.ones(len(each.columns), dtype=bool) for each in (preprocessor.features, preprocessor.targets))
    return of_X, of_y


def scaled(
    dataset: Dataset, preprocessor: Preprocessor, rows: Rows | slice, dtype: torch.dtype, zeros: Zeros
) -> TrainRows:
    """Some rows in scaled units, with their weights.

    Args:
        dataset: holds them.
        preprocessor: its scaling.
        rows: their numbers.
        dtype: of the tensors.
        zeros: changed in place; see `Scaling.tensor`.

    Raises:
        DataError: for a value that overflows `dtype`.
    """
    about = zip((preprocessor.features, preprocessor.targets), zeros, strict=True)
    X_nd, y_nk = (scaling.tensor(dataset, rows, dtype, zeros=each) for scaling, each in about)
    weights = dataset.weights_of(rows)
    return TrainRows(X_nd, y_nk, None if weights is None else torch.from_numpy(weights).to(dtype))


def scaled_blocks(
    dataset: Dataset, preprocessor: Preprocessor, rows: Rows | slice, dtype: torch.dtype, zeros: Zeros
) -> Iterator[tuple[int, TrainRows]]:
    """(position of the first, some rows) of `block_rows` rows at a time; arguments as those of `scaled`.

    Raises:
        DataError: for a value that overflows `dtype`: that of the first column that has one, and its first row.
    """
    n, size = count(rows, dataset.n_samples), block_rows(dataset)
    for first in range(0, n, size):
        try:
            yield first, scaled(dataset, preprocessor, part(rows, first, min(first + size, n)), dtype, zeros)
        except DataError as error:
            found = refused(dataset, preprocessor, rows, dtype)
            raise DataError(error.faults if found is None else found[-1]) from None


def refused(
    dataset: Dataset, preprocessor: Preprocessor, rows: Rows | slice, dtype: torch.dtype, zeros: Zeros | None = None
) -> Refused | None:
    """What a dtype does not hold of some rows; as `Scaling.first_fault`.

    Args:
        dataset: holds them.
        preprocessor: its scaling.
        rows: their numbers.
        dtype: of the tensors.
        zeros: the columns that are zeros; None: values that overflow are looked for.
    """
    for which, scaling in enumerate((preprocessor.features, preprocessor.targets)):
        found = scaling.first_fault(dataset, rows, dtype, None if zeros is None else zeros[which])
        if found is not None:
            return which, found[0], found[1].faults
    return None


def check_zeros(
    dataset: Dataset, preprocessor: Preprocessor, rows: Rows | slice, dtype: torch.dtype, zeros: Zeros
) -> None:
    """Refuse columns that are zeros in a dtype, and should not be, once all rows are there; arguments as `refused`.

    Raises:
        DataError: with the first of them.
    """
    if (fault := refused(dataset, preprocessor, rows, dtype, zeros)) is not None:
        raise DataError(fault[-1])


def places_of(rows: Rows | slice, bounds: Sequence[int]) -> list[int]:
    """How many of some ascending rows are before each of some rows.

    >>> places_of(slice(2, 5), [0, 3, 9]), places_of(np.array([1, 4, 6]), [0, 4, 7])
    ([0, 1, 3], [0, 1, 3])
    """
    if isinstance(rows, slice):
        return [min(max(int(bound), rows.start), rows.stop) - rows.start for bound in bounds]
    return [bisect.bisect_left(rows, int(bound)) for bound in bounds]


def rows_in_parts(
    dataset: Dataset, preprocessor: Preprocessor, split: str, dtype: torch.dtype, bounds: Sequence[int], *,
    stored: bool, zeros: Zeros | None = None,
) -> DividedRows:  # fmt: skip
    """The rows of a split in scaled units, in the order of the table, and in its parts.

    Args:
        dataset: holds them.
        preprocessor: its scaling.
        split: which rows.
        dtype: of the numbers.
        bounds: the first row of each part of the table, and the number of its rows.
        stored: whether they are kept in a temporary file, and not in memory.
        zeros: where other processes have rows of the split, too: as in `scaled`.

    Raises:
        DataError: as `Scaling.tensor`, and if the disk has not enough space.
    """
    rows, seen = in_order(dataset.splits[split]), no_values(preprocessor) if zeros is None else zeros
    n, width = count(rows, dataset.n_samples), (len(dataset.features), len(dataset.targets))
    places = places_of(rows, bounds)
    if stored:
        name = str(dtype).removeprefix("torch.")
        out = StoredRows.empty(n, *width, name, weighted=dataset.weights is not None)
        for first, some in scaled_blocks(dataset, preprocessor, rows, dtype, seen):
            out.write(first, some)
        weights = None if out.weight_n1 is None else out.weight_n1[0:n][:, 0]
        found = DividedRows(out.X_nd, out.y_nk, weights, places)
    else:
        X_nd, y_nk = (torch.empty(n, each, dtype=dtype) for each in width)
        weight_n = None if dataset.weights is None else torch.empty(n, dtype=dtype)
        for first, some in scaled_blocks(dataset, preprocessor, rows, dtype, seen):
            at = slice(first, first + some.n_samples)
            X_nd[at], y_nk[at] = some.X_nd, some.y_nk
            if weight_n is not None:
                assert some.weight_n is not None
                weight_n[at] = some.weight_n
        found = DividedRows(X_nd.numpy(), y_nk.numpy(), None if weight_n is None else weight_n.numpy(), places)
    if zeros is None:
        check_zeros(dataset, preprocessor, rows, dtype, seen)
    return found


def is_ascending(rows: Rows | slice) -> bool:
    """Whether rows stand in the order of the table.

    >>> is_ascending(slice(2, 5)), is_ascending(np.array([2, 5, 4]))
    (True, False)
    """
    if not isinstance(rows, np.ndarray):
        return True
    return all((np.diff(rows[at : at + BLOCK_ROWS + 1]) > 0).all() for at in range(0, len(rows), BLOCK_ROWS))
