"""What was found in a table and what was done to it, for people and for `run.json`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from linreg_cli.data.columns.kinds import UNKNOWN, Categories, RawColumn, Rows
from linreg_cli.data.encoding.encode import CategoryInput, Encoder


@dataclass(frozen=True)
class UsedColumn:
    """One column that is used.

    Attributes:
        column: its name.
        role: `feature` or `target`.
        kind: `number`, or of a category `text`, `boolean` or `number category`.
        missing: how many cells are.
        treatment: what happens to them: `error`, `drop`, `mean` or `median`.
        fill: what they were filled with, or None.
        levels: those of the train split, None for numbers.
        indicators: how many inputs the column became.
        unknown: cells of levels that the train split does not have, which count as none of them.
    """

    column: str
    role: str
    kind: str
    missing: int
    treatment: str
    fill: float | None
    levels: tuple[str, ...] | None
    indicators: int
    unknown: int = 0

    @property
    def is_plain(self) -> bool:
        """A column of numbers without gaps: nothing to tell."""
        return self.levels is None and not self.missing

    @property
    def filled(self) -> bool:
        """Whether gaps were filled."""
        return self.missing > 0 and self.fill is not None

    def as_json(self) -> dict[str, Any]:
        """For `run.json`; levels are counted, `preprocess.json` has their names."""
        values: dict[str, Any] = {"column": self.column, "role": self.role, "kind": self.kind, "missing": self.missing}
        if self.missing:
            values |= {"treatment": self.treatment, "fill": self.fill}
        if self.levels is not None:
            values |= {"levels": len(self.levels), "inputs": self.indicators}
        return {**values, "unknown": self.unknown} if self.unknown else values


@dataclass(frozen=True)
class DataSummary:
    """A table.

    Attributes:
        name: what messages call it.
        n_rows: rows of the table.
        n_dropped: how many of them were left out because a cell was missing.
        columns: those that are used.
        warnings: what the user should know before trusting the model.
    """

    name: str
    n_rows: int
    n_dropped: int
    columns: tuple[UsedColumn, ...]
    warnings: tuple[str, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether there is nothing to tell: numbers without gaps."""
        return all(column.is_plain for column in self.columns)

    def as_json(self) -> dict[str, Any]:
        """For `run.json` and `--json`."""
        return {
            "rows_read": self.n_rows,
            "rows_dropped": self.n_dropped,
            "columns": [column.as_json() for column in self.columns],
            "warnings": list(self.warnings),
        }


def used_columns(
    raw: Mapping[str, RawColumn], encoder: Encoder, targets: Mapping[str, str], rows: Rows
) -> tuple[UsedColumn, ...]:
    """A report of each column.

    Args:
        raw: the columns as they were read.
        encoder: what became of the features.
        targets: target -> what happens to its gaps.
        rows: those that are used.
    """
    reports = []
    for each in encoder.inputs:
        values = raw[each.column]
        kind, levels, unknown = "number", None, 0
        if isinstance(each, CategoryInput):
            levels = each.levels
            if isinstance(values, Categories) and set(values.levels) - set(levels):
                unknown = int(np.count_nonzero(each.codes(values)[rows] == UNKNOWN))
            kind = "number category" if each.kind == "number" else each.kind
        fill = None if isinstance(values, Categories) or isinstance(each, CategoryInput) else each.fill
        reports.append(
            UsedColumn(
                each.column, "feature", kind, values.n_missing, each.missing, fill, levels, len(each.features), unknown
            )
        )
    for target, missing in targets.items():
        reports.append(UsedColumn(target, "target", "number", raw[target].n_missing, missing, None, None, 1))
    return tuple(reports)
