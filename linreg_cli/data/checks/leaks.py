"""Columns that are no properties of a row: those that name it, and those that say the target by themselves."""

import re
from collections.abc import Iterator

import numpy as np

from linreg_cli.data.columns.kinds import Categories, Column, Rows, take
from linreg_cli.data.dataset import Dataset
from linreg_cli.data.encoding.encode import CategoryInput

#: Fewer rows say nothing about identifiers and leaks.
MIN_ROWS = 20
#: In fewer rows, whole numbers from 0 or 1 may be anything.
MIN_COUNTED = 50

_ID_NAME = re.compile(
    r"(?i:(^|[^a-z])(id|idx|index|uuid|guid|key|number|no|nr|row)$|^(unnamed|id[^a-z]))"
    # CustomerID and userId, but not paid, Covid or GRID.
    r"|[a-z](ID|Id|IDX|Idx|Index|UUID|Uuid|GUID|Guid|Key|Number|No|Nr|Row)$"
)
#: A share of the variance above this is the target itself, rounded.
_LEAK = 0.9999


def identifiers(dataset: Dataset, sample: Rows) -> Iterator[str]:
    """Whole numbers that hardly ever repeat, and are called an identifier or count the rows."""
    for each in dataset.inputs if len(dataset.inputs) > 1 else ():  # without its only column there would be no model
        if isinstance(each, CategoryInput):
            continue
        values = take(dataset.columns, each.column, sample)
        if (values != np.floor(values)).any() or len(np.unique(values)) < 0.95 * len(values):
            continue
        counts = len(sample) >= MIN_COUNTED and _counts_rows(dataset, each.column)
        if counts or _ID_NAME.search(each.column):
            why = "counts the rows" if counts else "hardly ever has a value twice"
            yield f"{each.column} looks like an identifier: it {why}; leave it out with data.ignore: [{each.column}]"


def _counts_rows(dataset: Dataset, column: str) -> bool:
    """Whether a column goes up by 1 from 0 or 1; years go up by 1 too."""
    values = dataset.columns[column]
    steps = np.diff(np.sort(values[dataset.splits["train"]]))
    return bool(len(steps) and (steps == 1).mean() > 0.5 and np.nanmin(values) in (0, 1))


def leaks(dataset: Dataset, sample: Rows) -> Iterator[str]:
    """Features that say the target by themselves: in proportion, in order, or by level."""
    if len(dataset.inputs) < 2 or dataset.raw is None:  # a line through its points is no leak
        return
    for target in dataset.targets:
        y = take(dataset.columns, target, sample)
        if y.min() == y.max():
            continue
        line = standard(y, bias=True)
        ranks = standard(_ranks(y), bias=True) if _mostly_different(y) else None
        for each in dataset.inputs:
            raw = dataset.raw[each.column]
            if isinstance(raw, Categories):
                tells = _share_between(raw.codes[sample], y) > _LEAK
            else:
                x = take(dataset.columns, each.column, sample)
                tells = _squared(x, line) > _LEAK or (
                    ranks is not None
                    and _squared(_ranks(x), ranks) > _LEAK
                    and _mostly_different(x)
                    and not _evenly_spaced(dataset.columns[each.column])
                )
            if tells:
                message = f"{each.column} alone determines {target}: is it known before {target} is?"
                yield f"{message} Leave it out with data.ignore: [{each.column}] if not"


def _squared(x: Column, line: Column) -> float:
    """The share of one column's variance that another determines, which is scaled already."""
    return float(standard(x, bias=True) @ line) ** 2


def _ranks(values: Column) -> Column:
    ranks = np.empty(len(values))
    ranks[np.argsort(values, kind="stable")] = np.arange(len(values))
    return ranks


def _mostly_different(values: Column) -> bool:
    """Whether values hardly ever come twice, so that their order says much."""
    return len(np.unique(values)) >= max(MIN_ROWS, len(values) / 2)


def _evenly_spaced(values: Column) -> bool:
    """Whether most steps from a value to the next are as long, as those of years and days are.

    Whatever only ever grows is in the order of time, which tells nothing beforehand.
    """
    steps = np.diff(np.unique(values[~np.isnan(values)]))
    usual = np.median(steps)
    return bool(np.mean(np.abs(steps - usual) <= 0.1 * usual) >= 0.75)


def _share_between(codes: np.ndarray, y: Column) -> float:
    """The share of the variance of y that is between the levels; 0 where levels are too many to tell."""
    _, level = np.unique(codes, return_inverse=True)
    counts = np.bincount(level)
    if len(counts) > len(y) / 5:
        return 0.0
    means = np.bincount(level, y) / counts
    return float(1 - np.sum((y - means[level]) ** 2) / np.sum((y - y.mean()) ** 2))


def standard(values: Column, *, bias: bool) -> Column:
    """Scaled to length 1; beside a bias, centred."""
    centred = values - values.mean() if bias else values
    return np.asarray(centred / max(float(np.linalg.norm(centred)), 1e-300))
