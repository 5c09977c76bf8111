"""The summary of a table: what was found in it and done to it, for the terminal and `run.json`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from linreg_cli.data.columns.kinds import MISSING, UNKNOWN, Categories, Mask, RawColumn, Rows, n_cells
from linreg_cli.data.columns.row_set import RowArray
from linreg_cli.data.columns.rows import first_row
from linreg_cli.data.encoding.derived import DerivedInput
from linreg_cli.data.encoding.encode import Encoder
from linreg_cli.data.encoding.inputs import CategoryInput
from linreg_cli.data.encoding.levels import MISSING_LEVEL
from linreg_cli.findings import Finding


@dataclass(frozen=True)
class UsedColumn:
    """A feature, a column that others are made of, or a target.

    Attributes:
        column: its name; the entry of `data.features`.
        role: `feature`, `target`, or `source` for a column that is no feature itself, and that others are made of.
        kind: `number`; for a category `text`, `boolean` or `number category`; `derived` for one made of columns.
        missing: number of missing cells.
        treatment: what is done with them: `error`, `drop`, `mean`, `median` or `level`.
        fill: the value that replaces them, in original units, or None.
        levels: levels of the train split; None for numbers.
        indicators: number of inputs that the column became.
        reference: the level without an indicator, or None.
        unknown: cells with a level that the train split does not have; all of their indicators are 0.
        gaps_are_level: whether missing cells have a level, or an indicator, of their own.
        gaps_of: the earlier column that is missing in the same rows, and whose indicator stands for both.
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
    gaps_are_level: bool = False
    reference: str | None = None
    gaps_of: str | None = None

    @property
    def is_plain(self) -> bool:
        """Whether this is a column of numbers without missing cells."""
        return self.levels is None and not self.missing

    @property
    def filled(self) -> bool:
        """Whether missing cells were filled in."""
        return self.missing > 0 and self.fill is not None

    @property
    def statistic(self) -> str:
        """The statistic of the train split that fills missing cells in."""
        return "mean" if self.treatment == "level" else self.treatment

    @property
    def indicator(self) -> str | None:
        """The name of the indicator of missing cells of a column of numbers."""
        return f"{self.column}={MISSING_LEVEL}" if self.gaps_are_level and self.levels is None else None

    @property
    def gaps_ignored(self) -> bool:
        """Whether missing cells of a category are none of its levels, as they are with `unknown: ignore`."""
        none_of_them = self.levels is not None and not self.gaps_are_level and self.treatment != "drop"
        return self.missing > 0 and none_of_them and self.gaps_of is None

    def as_json(self) -> dict[str, Any]:
        """For `run.json`: the number of levels, whose names are in `preprocess.json`."""
        values: dict[str, Any] = {"column": self.column, "role": self.role, "kind": self.kind, "missing": self.missing}
        if self.missing:
            values |= {"treatment": self.treatment, "fill": self.fill}
            values |= {"gaps_of": self.gaps_of} if self.gaps_of is not None else {}
        if self.levels is not None:
            values |= {"levels": len(self.levels), "inputs": self.indicators, "reference": self.reference}
        return {**values, "unknown": self.unknown} if self.unknown else values


@dataclass(frozen=True)
class DataSummary:
    """The summary of a table.

    Attributes:
        name: the table, for messages.
        n_rows: rows of the table.
        n_dropped: rows that were dropped because a cell was missing.
        columns: the features and the targets.
        warnings: the suspicious findings about the columns.
    """

    name: str
    n_rows: int
    n_dropped: int
    columns: tuple[UsedColumn, ...]
    warnings: tuple[Finding, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether all columns are numbers without missing cells."""
        return all(column.is_plain for column in self.columns)

    def as_json(self) -> dict[str, Any]:
        """For `run.json` and `--json`."""
        return {
            "rows_read": self.n_rows,
            "rows_dropped": self.n_dropped,
            "columns": [column.as_json() for column in self.columns],
            "warnings": [finding.message for finding in self.warnings],
        }


def used_columns(
    raw: Mapping[str, RawColumn], encoder: Encoder, targets: Mapping[str, str], rows: Rows
) -> tuple[UsedColumn, ...]:
    """The summary of each column: the features, what they are made of besides, then the targets.

    Args:
        raw: the columns as they were read.
        encoder: how the features were encoded.
        targets: target -> what is done with its missing cells.
        rows: numbers of the rows that are used.
    """
    found = []
    for each in (*encoder.inputs, *encoder.hidden):
        if isinstance(each, DerivedInput):
            found.append(UsedColumn(each.column, "feature", "derived", 0, "error", None, None, len(each.features)))
            continue
        values, role = raw[each.column], "source" if each in encoder.hidden else "feature"
        kind, levels, reference, unknown, gaps_are_level = "number", None, None, 0, False
        if isinstance(each, CategoryInput):
            levels, gaps_are_level = each.levels, each.gaps_are_level
            reference = levels[0] if each.drop_first else None
            if isinstance(values, Categories) and set(values.levels) - set(levels):
                _, unknown = first_row(rows, n_cells(values), _unseen(each, values))
            kind = "number category" if each.kind == "number" else each.kind
        else:
            gaps_are_level = each.indicator
        fill = None if isinstance(values, Categories) or isinstance(each, CategoryInput) else each.fill
        gaps, inputs = values.n_missing, len(each.features)
        own = UsedColumn(each.column, role, kind, gaps, each.missing, fill, levels, inputs, unknown, gaps_are_level)
        found.append(replace(own, reference=reference, gaps_of=each.gaps_of))
    for target, missing in targets.items():
        found.append(UsedColumn(target, "target", "number", raw[target].n_missing, missing, None, None, 1))
    return tuple(found)


def _unseen(each: CategoryInput, values: Categories) -> Callable[[RowArray | slice], Mask]:
    """Which cells of some rows have a level that the train split lacks."""
    codes = each.codes(values)
    return lambda block: (codes[block] == UNKNOWN) & (values.codes[block] != MISSING)


def together(before: Sequence[UsedColumn], more: Sequence[UsedColumn]) -> tuple[UsedColumn, ...]:
    """The summary of two parts of a table with one encoding; `before` may be empty."""
    if not before:
        return tuple(more)
    pairs = zip(before, more, strict=True)
    return tuple(replace(a, missing=a.missing + b.missing, unknown=a.unknown + b.unknown) for a, b in pairs)
