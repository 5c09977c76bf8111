"""Summary statistics of the columns of a table: kind, range, mean, standard deviation, missing cells."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from linreg_cli.data import Dataset
from linreg_cli.data.columns.kinds import MISSING, Categories, Numbers, Rows, take
from linreg_cli.data.columns.rows import as_slice
from linreg_cli.data.encoding.derived import DerivedInput
from linreg_cli.data.encoding.levels import MISSING_LEVEL
from linreg_cli.least_squares.factor import blocks


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
    rows = as_slice(dataset.splits["train"])
    if dataset.raw is None or dataset.summary is None:
        roles = {**dict.fromkeys(dataset.features, "feature"), **dict.fromkeys(dataset.targets, "target")}
        return tuple(
            replace(summarise(name, take(dataset.columns, name, rows)), role=role) for name, role in roles.items()
        )
    found = []
    derived = {each.column: each for each in dataset.inputs if isinstance(each, DerivedInput)}
    for used in dataset.summary.columns:
        if used.column in derived:
            features = derived[used.column].features
            found += [summarise(feature, take(dataset.columns, feature, rows)) for feature in features]
            continue
        raw = dataset.raw[used.column]
        if isinstance(raw, Categories):
            counts = np.bincount(raw.codes[rows].astype(np.intp) + 1, minlength=len(raw.levels) + 1)[1:]
            levels = {level: int(count) for level, count in zip(raw.levels, counts, strict=True) if count}
            if used.gaps_are_level:
                levels[MISSING_LEVEL] = int(np.count_nonzero(raw.codes[rows] == MISSING))
            one = ColumnSummary(used.column, "category", None, None, None, None, levels=levels)
        else:
            one = summarise(used.column, _present(raw, rows))
        found.append(replace(one, missing=used.missing, treatment=used.treatment, role=used.role))
    return tuple(found)


def _present(raw: Numbers, rows: Rows | slice) -> npt.NDArray[np.float64]:
    values = raw.values[rows]
    return values[~np.isnan(values)] if raw.n_missing else values


def summarise(name: str, values: npt.NDArray[np.float64]) -> ColumnSummary:
    """The summary of a column of numbers; without values, the statistics are None.

    Args:
        name: of the column.
        values: shape (n_samples,), float64, finite.

    >>> summary = summarise("rooms", np.array([1.0, 2.0, 3.0, 2.0]))
    >>> summary.kind, summary.mean
    ('integer', 2.0)
    """
    if not len(values):
        return ColumnSummary(name, "constant", None, None, None, None)
    low, high = float(values.min()), float(values.max())
    if low == high:  # the rounding error of the mean would give a constant column a tiny standard deviation
        return ColumnSummary(name, "constant", low, low, high, 0.0)
    # Divided by the largest absolute value, so that neither sums nor squares overflow.
    unit = max(abs(low), abs(high))
    scaled = values / unit
    return ColumnSummary(name, _kind(values), low, float(scaled.mean()) * unit, high, float(scaled.std()) * unit)


def _kind(values: npt.NDArray[np.float64]) -> str:
    binary = True
    for rows in blocks(len(values)):
        part = values[rows]
        if not np.array_equal(part, np.rint(part)):
            return "real"
        binary = binary and bool(np.all((part == 0) | (part == 1)))
    return "binary" if binary else "integer"
