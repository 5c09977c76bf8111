"""The moments of columns in the train split: sums of the parts of a table, added up in their order."""

import functools
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from linreg_cli.data.columns.divided import in_order
from linreg_cli.data.columns.kinds import take
from linreg_cli.data.columns.moments import Look, Moments, Read, squares_about
from linreg_cli.data.columns.rows import count, in_blocks, part
from linreg_cli.data.dataset import Column, Dataset, Rows
from linreg_cli.data.encoding.transform import domain, forward
from linreg_cli.errors import DataError, Fault
from linreg_cli.wording import number


def train_moments(
    dataset: Dataset, columns: Sequence[str], transform: str = "none", ddof: int = 0
) -> dict[str, Moments]:
    """The moments of some columns in the train split: those that are known, where its rows were not read.

    What the passes find is kept with the dataset, since scaling and `run.json` ask for moments of the same columns.

    Args:
        dataset: holds the columns and the train split, with more than `ddof` rows.
        columns: their names.
        transform: of their values.
        ddof: as `moments`.

    Raises:
        DataError: for a value outside the domain of the transform, the first one of the first column that has one.
    """
    n_rows = len(dataset.splits["train"])
    if dataset.known:
        return {column: dataset.known[column].with_ddof(n_rows, ddof) for column in columns}
    summed = dataset.summed
    if wanted := [column for column in columns if (column, transform) not in summed]:
        each = zip(wanted, *_sums(dataset, wanted, transform, n_rows), strict=True)
        summed |= {(column, transform): (look, squares) for column, look, squares in each}
    kept = ((column, *summed[column, transform]) for column in columns)
    return {column: look.moments(squares, n_rows, ddof) for column, look, squares in kept}


def _sums(
    dataset: Dataset, columns: Sequence[str], transform: str, n_rows: int
) -> tuple[Sequence[Look], Sequence[np.float64]]:
    """The look at each column in the train split, and the sum of its squares about the mean, in two passes."""
    found = [each for each in dataset.of_parts(_looks, columns, transform) if each is not None]
    looks = [_merged(each) for each in zip(*found, strict=True)]
    means = [look.mean(n_rows) for look in looks]
    squares = [each for each in dataset.of_parts(_squares, columns, transform, means) if each is not None]
    return looks, [in_order(each) for each in zip(*squares, strict=True)]


def _merged(looks: Sequence[Look | tuple[Fault, ...]]) -> Look:
    """The look at a column in all parts; of faults, the first of them is raised, whichever process has found it."""
    for each in looks:
        if not isinstance(each, Look):
            raise DataError(each)
    return Look.merged([each for each in looks if isinstance(each, Look)])


def _looks(
    dataset: Dataset, first: int, last: int, columns: Sequence[str], transform: str
) -> list[Look | tuple[Fault, ...]] | None:
    """The look at each column in the train rows of a part, or its faults; None if the part has no such rows."""
    n_rows, read, weights = _readers(dataset, first, last, transform)
    found: list[Look | tuple[Fault, ...]] = []
    for column in columns if n_rows else ():
        try:
            found.append(Look.of(functools.partial(read, column), n_rows, weights))
        except DataError as error:
            found.append(error.faults)
    return found or None


def _squares(
    dataset: Dataset, first: int, last: int, columns: Sequence[str], transform: str, means: Sequence[np.float64]
) -> list[np.float64] | None:
    """The squares about the mean of each column in the train rows of a part; None if the part has no such rows."""
    n_rows, read, weights = _readers(dataset, first, last, transform)
    each = zip(columns, means, strict=True)
    return (
        [squares_about(mean, functools.partial(read, name), n_rows, weights) for name, mean in each] if n_rows else None
    )


def _readers(
    dataset: Dataset, first: int, last: int, transform: str
) -> tuple[int, Callable[[str, int, int], Column], Read | None]:
    """Train rows of a part: how many, what reads f of some of them in a column, and what reads their weights."""
    alone = dataset.parts is None
    rows = in_blocks(dataset.splits["train"]) if alone else dataset.rows_of("train", first, last)

    def read(column: str, start: int, stop: int) -> Column:
        block = part(rows, start, stop)
        return transformed(transform, dataset.name, dataset.columns, column, block, dataset.before)

    own = dataset.weights
    return (
        count(rows, dataset.n_samples),
        read,
        None if own is None else lambda start, stop: own[part(rows, start, stop)],
    )


def transformed(
    transform: str, name: str, columns: Mapping[str, Column], column: str, rows: Rows | slice, before: int = 0
) -> Column:
    """f of some rows of a column, shape (n_rows,), float64.

    Args:
        transform: the function f: `none`, `log` or `log1p`.
        name: the table, for messages.
        columns: hold the column.
        column: its name.
        rows: numbers of the rows.
        before: rows of the table before the first one of the column.

    Raises:
        DataError: for a value outside the domain of f, with its row and column.
    """
    original = take(columns, column, rows)
    values = forward(transform, original)
    if transform != "none" and (bad := np.isnan(values)).any():
        at = int(np.argmax(bad))
        row = before + _row(rows, at)
        raise DataError(
            f"preprocess.target_transform: {transform} needs values {domain(transform)}, found {number(original[at])}",
            f"{name}, row {row + 1}, column {column!r}",
        )
    return values


def _row(rows: Rows | slice, at: int) -> int:
    """The row number at position `at`."""
    return (rows.start or 0) + at if isinstance(rows, slice) else int(rows[at])


def standard_deviations(dataset: Dataset) -> dict[str, float | None]:
    """The standard deviation of each feature over the train split, with n in the denominator; None if it overflows."""
    deviations = {name: found.deviation for name, found in train_moments(dataset, dataset.features).items()}
    return {name: deviation if np.isfinite(deviation) else None for name, deviation in deviations.items()}
