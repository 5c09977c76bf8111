"""Columns as they were read become the inputs of the model: missing cells filled in, categories as indicators.

The encoding is fitted on the train split, stored with the run, and applied unchanged at prediction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from linreg_cli.config.preprocess import FILLS, Missing
from linreg_cli.data.columns.kinds import (
    MISSING,
    UNKNOWN,
    Categories,
    Codes,
    EncodedColumns,
    Filled,
    Mask,
    Numbers,
    RawColumn,
    Rows,
    Values,
)
from linreg_cli.data.columns.rows import as_slice
from linreg_cli.data.encoding.cells import Treatment
from linreg_cli.data.encoding.levels import matches, written
from linreg_cli.errors import DataError, Fault
from linreg_cli.lookalike import difference, in_ascii, same_appearance
from linreg_cli.remedies import change, for_columns, leave_out, missing, quoted, without_mark

KINDS = ("text", "boolean", "number")
MISSING_WAYS = get_args(Missing)


@dataclass(frozen=True)
class NumberInput:
    """A column of numbers, which is one input.

    Attributes:
        column: its name.
        missing: what is done with a missing cell: `error`, `drop`, `mean` or `median`.
        fill: the value of a missing cell, in original units; None if it is not filled in.
    """

    column: str
    missing: str = "error"
    fill: float | None = None

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return (self.column,)

    def as_json(self) -> dict[str, Any]:
        """For `preprocess.json`."""
        return {"column": self.column, "kind": "number", "missing": self.missing, "fill": self.fill}


@dataclass(frozen=True)
class CategoryInput:
    """A category, encoded as one indicator for each level, with or without the reference level.

    Attributes:
        column: its name.
        kind: `text`, `boolean` or `number`: when a cell is one of the levels; see `levels.matches`.
        levels: levels of the train split, in order.
        drop_first: whether the first level is the reference level, without an indicator.
        missing: what is done with a missing cell: `error` or `drop`.
        unknown: what is done with a level that is not in `levels`: `error` or `ignore`.
    """

    column: str
    kind: str
    levels: tuple[str, ...]
    drop_first: bool
    missing: str
    unknown: str

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the inputs: `column=level`."""
        return tuple(f"{self.column}={level}" for level in self.levels[self.drop_first :])

    def as_json(self) -> dict[str, Any]:
        """For `preprocess.json`."""
        return {
            "column": self.column,
            "kind": "category",
            "of": self.kind,
            "levels": list(self.levels),
            "drop_first": self.drop_first,
            "missing": self.missing,
            "unknown": self.unknown,
        }

    @property
    def ignores_gaps(self) -> bool:
        """Whether a missing cell is none of the levels once a model was trained, as for scikit-learn's encoder."""
        return self.unknown == "ignore" and self.missing != "drop"

    def codes(self, raw: Categories) -> Codes:
        """The position in `levels` of each cell, shape (n_samples,), int32; or `MISSING`, or `UNKNOWN`."""
        found = matches(raw.levels, raw.kind, self.levels, self.kind)
        lookup = [UNKNOWN if code is None else code for code in found]
        return np.array([*lookup, MISSING], dtype=np.int32)[raw.codes]


Input = NumberInput | CategoryInput


@dataclass(frozen=True)
class Encoder:
    """The encoding of the feature columns of a table.

    Attributes:
        inputs: one for each column, in order.
    """

    inputs: tuple[Input, ...]

    @classmethod
    def plain(cls, columns: Sequence[str]) -> "Encoder":
        """Columns of numbers without missing cells."""
        return cls(tuple(NumberInput(column) for column in columns))

    @classmethod
    def fit(
        cls,
        raw: Mapping[str, RawColumn],
        treatments: Mapping[str, Treatment],
        rows: Rows,
        *,
        drop_first: bool,
        keep_one: bool,
        unknown: str,
        name: str,
    ) -> "Encoder":
        """Fit the fill values and the levels.

        Args:
            raw: the feature columns, in order.
            treatments: column -> what the config says about it.
            rows: numbers of the train rows.
            drop_first: whether the first level of each category is its reference level.
            keep_one: whether the first category has no reference level nevertheless.
            unknown: what is done with a level that is not in the train split.
            name: the table, for messages.

        Raises:
            DataError: if a column has no cell to fit a fill value on, if no input is left, or if two inputs have the
                same name.
        """
        inputs: list[Input] = []
        faults: list[Fault] = []
        first = next((column for column, values in raw.items() if isinstance(values, Categories)), None)
        for column, values in raw.items():
            missing = treatments[column].missing
            if isinstance(values, Categories):
                present = np.unique(values.codes[rows])
                levels = tuple(values.levels[code] for code in present if code >= 0)
                drop = drop_first and not (keep_one and column == first)
                inputs.append(CategoryInput(column, values.kind, levels, drop, missing, unknown))
                continue
            fill = _fill(values, missing, rows)
            if fill is not None and not np.isfinite(fill):
                message = f"every cell of the train split is missing, so there is no {missing}"
                faults.append(Fault(f"{message}; leave it out with {leave_out(column)}", f"{name}, column {column!r}"))
            inputs.append(NumberInput(column, missing, fill))
        encoder = cls(tuple(inputs))
        faults += _duplicates(encoder, name)
        if not faults and not encoder.features:
            faults.append(Fault("no feature is left: every column is a category with a single level", name))
        if faults:
            raise DataError(faults)
        return encoder

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of the table."""
        return tuple(each.column for each in self.inputs)

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the inputs of the model."""
        return tuple(feature for each in self.inputs for feature in each.features)

    def dropped(self, raw: Mapping[str, RawColumn]) -> Mask:
        """Which rows are dropped because a cell is missing, shape (n_samples,)."""
        out = np.zeros(_n_samples(raw[self.columns[0]]), dtype=bool)
        for each in self.inputs:
            if each.missing == "drop" and raw[each.column].n_missing:
                out |= raw[each.column].missing()
        return out

    def encode(self, raw: Mapping[str, RawColumn], rows: Rows, name: str, *, trained: bool = False) -> EncodedColumns:
        """The inputs; nan is possible in a row that is not among `rows`.

        Args:
            raw: the columns, of the kinds that were fitted.
            rows: numbers of the rows that will be used.
            name: the table, for messages.
            trained: whether a model was trained with this encoding; see `CategoryInput.ignores_gaps`.

        Raises:
            DataError: for a missing cell or an unknown level that is not allowed.
        """
        numbers: dict[str, Values] = {}
        indicators: dict[str, tuple[Codes, int]] = {}
        faults: list[Fault] = []
        for each in self.inputs:
            values = raw[each.column]
            if isinstance(each, NumberInput):
                assert isinstance(values, Numbers)
                numbers[each.column], fault = _filled(each, values, rows, name, trained=trained)
            else:
                assert isinstance(values, Categories)
                codes = each.codes(values)
                if trained and each.ignores_gaps and values.n_missing:
                    codes = np.where(codes == MISSING, np.int32(UNKNOWN), codes)
                    fault = None
                else:
                    fault = _bad_code(each, codes, values, rows, name, trained=trained)
                for level, feature in enumerate(each.features, start=int(each.drop_first)):
                    indicators[feature] = codes, level
            faults += [fault] if fault else []
        if faults:
            raise DataError(faults)
        return EncodedColumns(numbers, indicators)

    def as_json(self) -> list[dict[str, Any]]:
        """For `preprocess.json`: one entry for each column."""
        return [each.as_json() for each in self.inputs]

    @classmethod
    def from_json(cls, entries: list[dict[str, Any]]) -> "Encoder":
        """The inverse of `as_json`.

        Raises:
            ValueError, KeyError, TypeError: if the entries are not what `as_json` writes.
        """
        encoder = cls(tuple(_input(entry) for entry in entries))
        if not encoder.features or len(set(encoder.columns)) != len(entries):
            raise ValueError("there are no inputs, or duplicate ones")
        return encoder


def _input(entry: dict[str, Any]) -> Input:
    if entry["missing"] not in MISSING_WAYS or entry["kind"] not in ("number", "category"):
        raise ValueError(f"unknown input {entry['kind']}, {entry['missing']}")
    if entry["kind"] == "number":
        fill = None if entry["fill"] is None else float(entry["fill"])
        if (fill is None) == (entry["missing"] in FILLS) or not np.isfinite(fill or 0.0):
            raise ValueError(f"a fill of {fill} for {entry['missing']}")
        return NumberInput(str(entry["column"]), entry["missing"], fill)
    levels = tuple(str(level) for level in entry["levels"])
    if entry["of"] not in KINDS or not isinstance(entry["drop_first"], bool) or len(set(levels)) != len(levels):
        raise ValueError("duplicate levels, or an unknown kind")
    if entry["unknown"] not in ("error", "ignore"):
        raise ValueError(f"unknown: {entry['unknown']}")
    return CategoryInput(
        str(entry["column"]), entry["of"], levels, entry["drop_first"], entry["missing"], entry["unknown"]
    )


def missing_fault(values: RawColumn, rows: Rows, column: str, name: str, remedy: str) -> Fault | None:
    """A fault for the first missing cell of a column among some rows; None if there is none.

    Args:
        values: the column.
        rows: numbers of the rows that are used.
        column: its name.
        name: the table, for messages.
        remedy: what to do.
    """
    gaps = rows[values.missing()[rows]] if values.n_missing else rows[:0]
    if not len(gaps):
        return None
    row = int(gaps.min())
    cell = None if values.cell is None else values.cell(row)
    found = "is missing"
    if not (cell is None or cell != cell or (isinstance(cell, str) and not cell.strip())):
        found = (
            f"is {quoted(cell) if isinstance(cell, str) else cell}, which preprocess.missing_values counts as missing"
        )
        if isinstance(values, Categories):
            keep = without_mark(written(cell))
            remedy = f"if it is a level, {keep}; {remedy}" if keep else remedy
    more = f" ({len(gaps):,} missing cells in the column)" if len(gaps) > 1 else ""
    return Fault(f"the cell {found}{more}; {remedy}", f"{name}, row {row + 1}, column {column!r}")


def _n_samples(raw: RawColumn) -> int:
    return len(raw.values if isinstance(raw, Numbers) else raw.codes)


def _fill(values: Numbers, missing: str, rows: Rows) -> float | None:
    """The fill value, also of a column without missing cells, which may have some at prediction."""
    if missing not in FILLS:
        return None
    present = values.values[as_slice(rows)]
    present = present[~np.isnan(present)] if values.n_missing else present
    if not len(present):
        return float("nan")
    return float(np.mean(present) if missing == "mean" else np.median(present))


def _filled(each: NumberInput, values: Numbers, rows: Rows, name: str, *, trained: bool) -> tuple[Values, Fault | None]:
    if not values.n_missing:
        return values.values, None
    if each.fill is not None:
        return Filled(values.values, each.fill), None
    way = f"{change(*missing(each.column, 'mean'))} (or median, or drop)"
    remedy = f"fill it in, {way}, or leave the column out with {leave_out(each.column)}"
    if trained:
        remedy = f"fill it in, or {way}"
    elif values.n_missing == len(values.values):
        remedy = f"no cell of the column has a value; leave the column out with {leave_out(each.column)}"
    return values.values, missing_fault(values, rows, each.column, name, remedy)


def _bad_code(
    each: CategoryInput, codes: Codes, values: Categories, rows: Rows, name: str, *, trained: bool
) -> Fault | None:
    drop = for_columns([each.column], "missing", "drop")
    remedy = f"a category cannot be filled in; set {drop}, or leave the column out with {leave_out(each.column)}"
    if trained:
        remedy = f"fill it in, or, to treat it as none of the levels, {change('preprocess.unknown', 'ignore')}"
    fault = missing_fault(values, rows, each.column, name, remedy)
    unseen = rows[codes[rows] == UNKNOWN]
    if fault is None and len(unseen) and each.unknown == "error":
        row = int(unseen.min())
        levels = ", ".join(each.levels[:10]) + (", ..." if len(each.levels) > 10 else "")
        more = f", nor are {len(unseen) - 1:,} more cells" if len(unseen) > 1 else ""
        message = f"{values.levels[values.codes[row]]!r} is not a level of the train split ({levels}){more}"
        if same := same_appearance(values.levels[values.codes[row]], each.levels):
            message += f"; it looks the same as {in_ascii(same)}: {difference(values.levels[values.codes[row]], same)}"
        ignore = f"to treat it as none of them, {change('preprocess.unknown', 'ignore')}"
        return Fault(f"{message}; {ignore}", f"{name}, row {row + 1}, column {each.column!r}")
    return fault


def _duplicates(encoder: Encoder, name: str) -> list[Fault]:
    features = encoder.features
    if len(set(features)) == len(features):
        return []
    duplicates = sorted({feature for feature in features if features.count(feature) > 1})
    return [Fault(f"two inputs have the name {feature!r}; rename a column", name) for feature in duplicates]
