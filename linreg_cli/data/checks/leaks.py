"""Columns that are identifiers of the rows, and features that determine the target (target leakage)."""

import re
from collections.abc import Iterator, Sequence

import numpy as np

from linreg_cli.data.columns.kinds import Categories, Column, Numbers, Rows, take
from linreg_cli.data.columns.ranked import lowest
from linreg_cli.data.columns.rows import row_blocks
from linreg_cli.data.dataset import Dataset
from linreg_cli.data.encoding.inputs import CategoryInput
from linreg_cli.findings import Finding
from linreg_cli.remedies import leave_out

#: With fewer rows, identifiers and leaks are not looked for.
MIN_ROWS = 20
#: With fewer rows, a column of consecutive whole numbers is not called a row number.
MIN_COUNTED = 50

#: Of a longer column, so many of the lowest values are looked at where they must be in order.
MOST_SORTED = 1_000_000

_ID_NAME = re.compile(
    r"(?i:(^|[^a-z])(id|idx|index|uuid|guid|key|number|no|nr|row)$|^(unnamed|id[^a-z]))"
    # CustomerID and userId, but not paid, Covid or GRID.
    r"|[a-z](ID|Id|IDX|Idx|Index|UUID|Uuid|GUID|Guid|Key|Number|No|Nr|Row)$"
)
#: A feature with a squared correlation above this is the target itself, rounded.
_LEAK = 0.9999


def identifiers(dataset: Dataset, sample: Rows) -> Iterator[Finding]:
    """A warning for each column of nearly unique whole numbers that count the rows or are named like an identifier.

    Args:
        dataset: a table, encoded.
        sample: numbers of the train rows that are looked at.
    """
    if len(dataset.inputs) < 2:  # the only feature cannot be left out
        return
    for column, why in identifying(dataset, sample):
        remedy = f"leave it out with {leave_out(column)}"
        yield Finding("identifier", f"{column} looks like an identifier: it {why}; {remedy}")


def identifying(dataset: Dataset, sample: Rows) -> Iterator[tuple[str, str]]:
    """The columns that `identifiers` warns about, each with the reason: what it does."""
    for each in dataset.plain_inputs:
        if isinstance(each, CategoryInput):
            continue
        values = take(dataset.columns, each.column, sample)
        if (values != np.floor(values)).any() or len(np.unique(values)) < 0.95 * len(values):
            continue
        counts = len(sample) >= MIN_COUNTED and _counts_rows(dataset, each.column)
        if counts or _ID_NAME.search(each.column):
            yield each.column, "counts the rows" if counts else "has almost no repeated values"


def _counts_rows(dataset: Dataset, column: str) -> bool:
    """Whether most sorted values increase by 1, from 0 or 1. The start excludes years."""
    if min(dataset.of_parts(_lowest_of_part, column)) not in (0, 1):
        return False
    steps = np.diff(_lowest(dataset, column, "train"))
    return bool(len(steps) and (steps == 1).mean() > 0.5)


def _lowest_of_part(dataset: Dataset, first: int, last: int, column: str) -> float:
    """The lowest value of a part of the table; infinity without one."""
    return min((float(values.min(initial=np.inf)) for values in _present(dataset, first, last, column)), default=np.inf)


def _lowest(dataset: Dataset, column: str, split: str | None = None) -> Column:
    """The lowest values of a column in a split, ascending; None: of all rows."""
    parts = dataset.of_parts(_sorted_of_part, column, split, MOST_SORTED)
    return parts[0] if len(parts) == 1 else lowest(parts, MOST_SORTED)


def _sorted_of_part(dataset: Dataset, first: int, last: int, column: str, split: str | None, most: int) -> Column:
    return lowest(_present(dataset, first, last, column, split), most)


def _present(dataset: Dataset, first: int, last: int, column: str, split: str | None = None) -> Iterator[Column]:
    """The values of a part, of a split or of all rows, block by block, without missing cells."""
    rows = slice(first, last) if split is None else dataset.rows_of(split, first, last)
    for _, block in row_blocks(rows, dataset.n_samples):
        values = take(dataset.columns, column, block)
        yield values[~np.isnan(values)]


def leaks(dataset: Dataset, sample: Rows) -> Iterator[Finding]:
    """A warning for each feature that alone determines a target: linearly, by rank, or by level.

    A feature does if its squared Pearson or Spearman correlation with the target, or the fraction of the target's
    variance between its levels (eta squared), is above 0.9999.

    Args:
        dataset: a table, encoded; of one feature nothing is said.
        sample: numbers of the train rows that are looked at.
    """
    if len(dataset.inputs) < 2 or dataset.raw is None:  # a straight line through all points is no leak
        return
    for target in dataset.targets:
        y = take(dataset.columns, target, sample)
        if y.min() == y.max():
            continue
        whole = standard(y), standard(_ranks(y)) if _mostly_different(y) else None
        for each in dataset.plain_inputs:
            raw = dataset.raw[each.column]
            if isinstance(raw, Categories):
                determines = _eta_squared(raw.codes[sample], y) > _LEAK
            else:
                rows = without_filled(dataset, [each.column], sample)
                x, (line, ranks) = take(dataset.columns, each.column, rows), whole
                if len(rows) < len(sample):
                    y_rows = take(dataset.columns, target, rows)
                    line, ranks = standard(y_rows), standard(_ranks(y_rows)) if _mostly_different(y_rows) else None
                determines = _correlation_squared(x, line) > _LEAK or (
                    ranks is not None
                    and _correlation_squared(_ranks(x), ranks) > _LEAK
                    and _mostly_different(x)
                    and not _evenly_spaced(dataset, each.column)
                )
            if determines:
                message = f"{each.column} alone determines {target} (target leakage)"
                remedy = f"if it is known only after {target}, leave it out with {leave_out(each.column)}"
                yield Finding("leak", f"{message}; {remedy}")


def without_filled(dataset: Dataset, columns: Sequence[str], sample: Rows) -> Rows:
    """The rows of a sample in which no cell of some columns of numbers was filled in; all, if fewer than 20 are left.

    Args:
        dataset: a table, encoded.
        columns: their names.
        sample: row numbers.
    """
    kept = np.ones(len(sample), dtype=bool)
    for column in columns:
        if dataset.raw is not None and isinstance(raw := dataset.raw.get(column), Numbers):
            kept &= ~np.isnan(raw.values[sample])
    return sample if kept.all() or np.count_nonzero(kept) < MIN_ROWS else sample[kept]


def _correlation_squared(x: Column, line: Column) -> float:
    """The squared correlation of a column with one that is standardised already."""
    return float(standard(x) @ line) ** 2


def _ranks(values: Column) -> Column:
    ranks = np.empty(len(values))
    ranks[np.argsort(values, kind="stable")] = np.arange(len(values))
    return ranks


def _mostly_different(values: Column) -> bool:
    """Whether most values are distinct, so that their ranks mean something."""
    return len(np.unique(values)) >= max(MIN_ROWS, len(values) / 2)


def _evenly_spaced(dataset: Dataset, column: str) -> bool:
    """Whether most sorted values have the same distance to the next, as years and days have.

    Such a column is a time axis. A target that grows with time has the same ranks, and that is no leak.
    """
    steps = np.diff(np.unique(_unit(_lowest(dataset, column))))
    usual = np.median(steps)
    return bool(np.mean(np.abs(steps - usual) <= 0.1 * usual) >= 0.75)


def _eta_squared(codes: np.ndarray, y: Column) -> float:
    """Eta squared: the fraction of the variance of y between the levels. 0 for fewer than 5 rows per level."""
    _, level = np.unique(codes, return_inverse=True)
    y = _unit(y)
    counts = np.bincount(level)
    if len(counts) > len(y) / 5:
        return 0.0
    means = np.bincount(level, y) / counts
    return float(1 - np.sum((y - means[level]) ** 2) / np.sum((y - y.mean()) ** 2))


def _unit(values: Column) -> Column:
    """A column divided by its largest absolute value, so that its sum and its squares cannot overflow."""
    return np.asarray(values / (float(np.abs(values).max(initial=0.0)) or 1.0))


def standard(values: Column) -> Column:
    """A column centred and scaled to length 1, shape (n_rows,)."""
    values = _unit(values)
    centred = values - values.mean()
    return np.asarray(centred / max(float(np.linalg.norm(centred)), 1e-300))
