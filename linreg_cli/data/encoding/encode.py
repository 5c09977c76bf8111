"""Columns as they were read become the inputs of the model: missing cells filled in, categories as indicators.

The encoding is fitted on the train split, stored with the run, and applied unchanged at prediction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from linreg_cli.config.preprocess import FILLS
from linreg_cli.data.columns.kinds import (
    MISSING,
    UNKNOWN,
    Categories,
    Codes,
    EncodedColumns,
    Filled,
    Gaps,
    Mask,
    Numbers,
    RawColumn,
    Rows,
    Values,
)
from linreg_cli.data.columns.rows import as_slice
from linreg_cli.data.encoding.cell_faults import category_fault, missing_level_fault, missing_number_fault
from linreg_cli.data.encoding.inputs import CategoryInput, Input, NumberInput, input_from_json
from linreg_cli.data.encoding.levels import MISSING_LEVEL
from linreg_cli.data.encoding.treatments import Treatment
from linreg_cli.errors import DataError, Fault
from linreg_cli.remedies import leave_out


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
                drop = drop_first and not (keep_one and column == first)
                encoded = _category(column, values, missing, rows, drop_first=drop, unknown=unknown)
                inputs.append(encoded)
                fault = missing_level_fault(encoded, name)
                faults += [fault] if fault else []
                continue
            fill = _fill(values, missing, rows)
            if fill is not None and not np.isfinite(fill):
                message = f"every cell of the train split is missing, so there is no {_statistic(missing)}"
                faults.append(Fault(f"{message}; leave it out with {leave_out(column)}", f"{name}, column {column!r}"))
            inputs.append(NumberInput(column, missing, fill, missing == "level" and _has_gaps(values, rows)))
        encoder = cls(tuple(inputs))
        faults = faults or _duplicates(encoder, name)
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
                if each.of_gaps is not None:
                    numbers[each.of_gaps] = Gaps(values.values)
            else:
                assert isinstance(values, Categories)
                codes = each.codes(values)
                if trained and each.ignores_gaps and values.n_missing:
                    codes = np.where(codes == MISSING, np.int32(UNKNOWN), codes)
                    fault = None
                else:
                    fault = category_fault(each, codes, values, rows, name, trained=trained)
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
        encoder = cls(tuple(input_from_json(entry) for entry in entries))
        if not encoder.features or len(set(encoder.columns)) != len(entries):
            raise ValueError("there are no inputs, or duplicate ones")
        return encoder


def _category(
    column: str, values: Categories, missing: str, rows: Rows, *, drop_first: bool, unknown: str
) -> CategoryInput:
    """A category, with the levels of the train rows."""
    present = np.unique(values.codes[rows])
    levels = tuple(values.levels[code] for code in present if code >= 0)
    gaps_are_level = missing == "level" and MISSING in present
    levels += (MISSING_LEVEL,) if gaps_are_level else ()
    return CategoryInput(column, values.kind, levels, drop_first, missing, unknown, gaps_are_level)


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
    return float(np.median(present) if missing == "median" else np.mean(present))


def _statistic(missing: str) -> str:
    """What is filled in, in words."""
    return "mean" if missing == "level" else missing


def _has_gaps(values: Numbers, rows: Rows) -> bool:
    return bool(values.n_missing and np.isnan(values.values[as_slice(rows)]).any())


def _filled(each: NumberInput, values: Numbers, rows: Rows, name: str, *, trained: bool) -> tuple[Values, Fault | None]:
    if not values.n_missing:
        return values.values, None
    if each.fill is not None:
        return Filled(values.values, each.fill), None
    return values.values, missing_number_fault(values, rows, each.column, name, trained=trained)


def _duplicates(encoder: Encoder, name: str) -> list[Fault]:
    features = encoder.features
    if len(set(features)) == len(features):
        return []
    duplicates = sorted({feature for feature in features if features.count(feature) > 1})
    return [Fault(f"two inputs have the name {feature!r}; rename a column", name) for feature in duplicates]
