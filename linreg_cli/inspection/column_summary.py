"""Summary statistics of the columns of a table: kind, range, mean, standard deviation, missing cells."""

import functools
import math
from dataclasses import dataclass, replace

import numpy as np

from linreg_cli.data import Dataset
from linreg_cli.data.columns.kinds import BLOCK_ROWS, MISSING, Categories, Numbers, Rows, take
from linreg_cli.data.columns.moments import Read, moments
from linreg_cli.data.columns.row_set import RowSet
from linreg_cli.data.columns.rows import count, in_blocks, part, row_blocks
from linreg_cli.data.encoding.derived import DerivedInput
from linreg_cli.data.encoding.levels import MISSING_LEVEL
from linreg_cli.least_squares.factor import blocks, power_of_two


@dataclass(frozen=True)
class ColumnSummary:
    """Summary statistics of a column of the table in the train split, in original units, without missing cells.

    Attributes:
        name: of the column.
        kind: `constant`, `binary` (0 and 1), `integer`, `real`, or `category`.
        minimum: None for a category, as are the other statistics, and for a column without values.
        mean: of the values.
        maximum: of the values.
        std: standard deviation, n in the denominator.
        missing: the number of missing cells of the whole table, including those of dropped rows.
        treatment: of missing cells: `preprocess.missing` for the column.
        levels: of a category: level -> number of rows of the train split; None for numbers.
        role: `feature`, `target`, or `source` for a column that only other features are made of.
    """

    name: str
    kind: str
    minimum: float | None
    mean: float | None
    maximum: float | None
    std: float | None
    missing: int = 0
    treatment: str = "error"
    levels: dict[str, int] | None = None
    role: str = "feature"


def summaries(dataset: Dataset) -> tuple[ColumnSummary, ...]:
    """Summaries of the used columns of the table, not of the inputs encoded from them; features first, then targets."""
    rows = in_blocks(dataset.splits["train"])
    if dataset.raw is None or dataset.summary is None:
        roles = {**dict.fromkeys(dataset.features, "feature"), **dict.fromkeys(dataset.targets, "target")}
        return tuple(replace(_of_input(dataset, name, rows), role=role) for name, role in roles.items())
    found = []
    derived = {each.column: each for each in dataset.inputs if isinstance(each, DerivedInput)}
    for used in dataset.summary.columns:
        if used.column in derived:
            found += [_of_input(dataset, feature, rows) for feature in derived[used.column].features]
            continue
        raw = dataset.raw[used.column]
        if isinstance(raw, Categories):
            levels = _levels(raw, rows, gaps_are_level=used.gaps_are_level)
            one = ColumnSummary(used.column, "category", None, None, None, None, levels=levels)
        else:
            one = _of_numbers(used.column, raw, rows)
        found.append(replace(one, missing=used.missing, treatment=used.treatment, role=used.role))
    return tuple(found)


def _of_input(dataset: Dataset, name: str, rows: Rows | slice) -> ColumnSummary:
    """The summary of an input of the model or of a target in some rows."""
    read = functools.partial(take, dataset.columns, name)
    return summarise(name, lambda start, stop: read(part(rows, start, stop)), count(rows, dataset.n_samples))


def _of_numbers(name: str, raw: Numbers, rows: Rows | slice) -> ColumnSummary:
    """The summary of a column of numbers in some rows, without missing cells."""
    values, present = raw.values, _present(raw, rows) if raw.n_missing else rows
    return summarise(name, lambda start, stop: values[part(present, start, stop)], count(present, len(values)))


def _present(raw: Numbers, rows: Rows | slice) -> Rows:
    """Those of some rows whose cells are not missing."""
    if isinstance(rows, np.ndarray):
        return rows[~raw.missing(rows)]
    n_rows = len(raw.values)
    present = RowSet.of_blocks(~raw.missing(at) for at in blocks(n_rows, BLOCK_ROWS))
    return present & (rows if isinstance(rows, RowSet) else RowSet.all(n_rows).between(rows.start, rows.stop))


def _levels(raw: Categories, rows: Rows | slice, *, gaps_are_level: bool) -> dict[str, int]:
    """Level -> number of rows, of the levels that some rows have."""
    counts = np.zeros(len(raw.levels) + 1, dtype=np.int64)
    for _, block in row_blocks(rows, len(raw.codes)):
        counts += np.bincount(raw.codes[block].astype(np.intp) - MISSING, minlength=len(counts))
    levels = {level: int(n) for level, n in zip(raw.levels, counts[1:], strict=True) if n}
    return {**levels, **({MISSING_LEVEL: int(counts[0])} if gaps_are_level else {})}


def summarise(name: str, read: Read, n_rows: int) -> ColumnSummary:
    """The summary of a column of numbers; without values, the statistics are None.

    Args:
        name: of the column.
        read: reads rows of it, which are finite.
        n_rows: how many there are.

    >>> values = np.array([1.0, 2.0, 3.0, 2.0])
    >>> summary = summarise("rooms", lambda start, stop: values[start:stop], 4)
    >>> summary.kind, summary.mean
    ('integer', 2.0)
    """
    if not n_rows:
        return ColumnSummary(name, "constant", None, None, None, None)
    low, high, kind = _look(read, n_rows)
    if low == high:  # the rounding error of the mean would give a constant column a tiny standard deviation
        return ColumnSummary(name, "constant", low, low, high, 0.0)
    # Divided by the power of two below the largest value: neither sums nor squares overflow, and nothing is rounded.
    unit = float(power_of_two(np.array(max(abs(low), abs(high)))))
    scaled = moments(lambda start, stop: read(start, stop) / unit, n_rows)
    return ColumnSummary(name, kind, low, scaled.mean * unit, high, scaled.deviation * unit)


def _look(read: Read, n_rows: int) -> tuple[float, float, str]:
    """The lowest value, the highest, and the kind of a column that is not constant."""
    low, high, whole, binary = math.inf, -math.inf, True, True
    for at in blocks(n_rows, BLOCK_ROWS):
        values = read(at.start, at.stop)
        low, high = min(low, float(values.min())), max(high, float(values.max()))
        whole = whole and np.array_equal(values, np.rint(values))
        binary = whole and binary and bool(np.all((values == 0) | (values == 1)))
    return low, high, "real" if not whole else "binary" if binary else "integer"
