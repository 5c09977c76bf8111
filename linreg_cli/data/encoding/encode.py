"""Columns as they were read become the inputs of the model: missing cells filled in, categories as indicators.

Features that are made of columns are computed from the encoded columns; see `derived.py`.

The encoding is fitted on the train split, stored with the run, and applied unchanged at prediction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from linreg_cli.config.preprocess import FILLS
from linreg_cli.config.terms import PARTS, Factor, Term
from linreg_cli.data.columns.chosen import ChosenRows
from linreg_cli.data.columns.kinds import (
    MISSING,
    Categories,
    CodesOnAccess,
    EncodedColumns,
    Filled,
    Gaps,
    Mask,
    Numbers,
    RawColumn,
    Rows,
    Values,
    n_cells,
)
from linreg_cli.data.columns.rows import as_slice, first_row, in_blocks, row_blocks
from linreg_cli.data.encoding.cell_faults import category_fault, missing_level_fault, missing_number_fault
from linreg_cli.data.encoding.column_faults import column_fault
from linreg_cli.data.encoding.derived import DerivedInput, Together, coded, fits, products
from linreg_cli.data.encoding.domain_faults import domain_faults
from linreg_cli.data.encoding.inputs import CategoryInput, Input, NumberInput, input_from_json
from linreg_cli.data.encoding.levels import MISSING_LEVEL
from linreg_cli.data.encoding.shared_gaps import missing_alone, with_shared_gaps
from linreg_cli.data.encoding.treatments import Treatment
from linreg_cli.errors import DataError, Fault
from linreg_cli.fixes import Step
from linreg_cli.remedies import leave_out


@dataclass(frozen=True)
class Encoder:
    """The encoding of the features of a table.

    Attributes:
        inputs: one for each entry of `data.features`, in order.
        hidden: the columns that are no features themselves, and that others are made of.
        parts: the entries that are parts of dates; their inputs are numbers or categories as others are.
    """

    inputs: tuple[Input | DerivedInput, ...]
    hidden: tuple[Input, ...] = ()
    parts: tuple[Term, ...] = ()

    @classmethod
    def of_numbers(cls, columns: Sequence[str]) -> "Encoder":
        """Columns of numbers without missing cells."""
        return cls(tuple(NumberInput(column) for column in columns))

    @classmethod
    def of_complete(cls, columns: Mapping[str, Values], missing: str, rows: Rows) -> "Encoder":
        """Columns of numbers without missing cells, fitted on some rows for tables that have missing cells."""
        return cls(tuple(NumberInput(each, missing, _fill(Numbers(columns[each]), missing, rows)) for each in columns))

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
        terms: Sequence[Term] | None = None,
        together: Together | None = None,
    ) -> "Encoder":
        """Fit the fill values and the levels.

        Args:
            raw: the feature columns and parts of dates, in order, and the columns that other features are made of.
            treatments: column -> what the config says about it.
            rows: numbers of the train rows.
            drop_first: whether the first level of each category is its reference level.
            keep_one: whether the first category has no reference level nevertheless.
            unknown: what is done with a level that is not in the train split.
            name: the table, for messages.
            terms: the features, in order; None: the columns.
            together: as for `coded`.

        Raises:
            DataError: if a column has no cell to fit a fill value on, if no input is left, or if two inputs have the
                same name.
        """
        terms = tuple(map(Term.of_column, raw)) if terms is None else tuple(terms)
        own = [term.text for term in terms if term.text in raw]
        inputs: list[Input] = []
        faults: list[Fault] = []
        first = next((column for column in own if isinstance(raw[column], Categories)), None)
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
                message += f"; leave it out with {leave_out(column)}"
                where, step = f"{name}, column {column!r}", Step("ignore", column=column)
                faults.append(
                    column_fault("empty", column, message, where, "every cell of the train split is missing", step)
                )
            inputs.append(NumberInput(column, missing, fill, missing == "level" and _has_gaps(values, rows)))
        made_of = {
            factor.column for term in terms if not term.is_plain and term.part is None for factor in term.factors
        }
        shared = with_shared_gaps([each for each in inputs if each.column in own], raw, rows, made_of)
        fitted = {each.column: each for each in (*inputs, *shared)}
        codes = {each.column: _codes(each, raw) for each in fitted.values() if isinstance(each, CategoryInput)}
        most = max((treatments[column].max_levels for column in raw), default=0)
        keep = keep_one and first is None
        made, more = coded(terms, fitted, codes, rows, most, drop_first=drop_first, keep_one=keep, together=together)
        faults += more
        if faults:
            raise DataError(faults)
        encoder = cls(
            tuple(made[term.text] if term.text in made else fitted[term.text] for term in terms),
            tuple(each for column, each in fitted.items() if column not in own),
            tuple(term for term in terms if term.part is not None),
        )
        faults += _duplicates(encoder, name)
        if not faults and not encoder.features:
            faults.append(Fault("no feature is left: every column is a category with a single level", name))
        if faults:
            raise DataError(faults)
        return encoder

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of the table, in order of first use."""
        dates = {term.text: term.columns for term in self.parts}
        used = (
            each.columns if isinstance(each, DerivedInput) else dates.get(each.column, (each.column,))
            for each in self.inputs
        )
        return tuple(dict.fromkeys(column for columns in used for column in columns))

    @property
    def sources(self) -> tuple[Input, ...]:
        """What is read from the table: columns and parts of dates, each once."""
        return (*(each for each in self.inputs if not isinstance(each, DerivedInput)), *self.hidden)

    @property
    def plain(self) -> tuple[Input, ...]:
        """The features that are columns of the table as they are."""
        dates = {term.text for term in self.parts}
        own = (each for each in self.inputs if not isinstance(each, DerivedInput))
        return tuple(each for each in own if each.column not in dates)

    @property
    def terms(self) -> tuple[Term, ...]:
        """The features as the config has them."""
        dates = {term.text: term for term in self.parts}
        return tuple(
            Term(each.column, each.factors)
            if isinstance(each, DerivedInput)
            else dates.get(each.column, Term(each.column, (Factor(each.column),)))
            for each in self.inputs
        )

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the inputs of the model."""
        return tuple(feature for each in self.inputs for feature in each.features)

    def dropped(self, raw: Mapping[str, RawColumn]) -> Mask:
        """Which rows are dropped because a cell is missing, shape (n_samples,)."""
        out = np.zeros(n_cells(raw[self.sources[0].column]), dtype=bool)
        for each in self.sources:
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
        indicators: dict[str, tuple[CodesOnAccess, int]] = {}
        codes_of: dict[str, CodesOnAccess] = {}
        faults: list[Fault] = []
        for each in self.sources:
            values = raw[each.column]
            if isinstance(each, NumberInput):
                assert isinstance(values, Numbers)
                numbers[each.column], fault = _filled(each, values, rows, name, trained=trained)
                if each.of_gaps is not None:
                    numbers[each.of_gaps] = Gaps(values.values)
            else:
                assert isinstance(values, Categories)
                codes = each.codes(values)
                if (alone := missing_alone(each, raw)) is not None:
                    codes = replace(codes, is_unknown=alone)
                if trained and each.ignores_gaps and values.n_missing:
                    codes, fault = codes.without_gaps(), None
                else:
                    fault = category_fault(each, codes, values, rows, name, trained=trained)
                codes_of[each.column] = codes
                for level, feature in enumerate(each.features, start=int(each.drop_first)):
                    indicators[feature] = codes, level
            faults += [fault] if fault else []
        derived = [each for each in self.inputs if isinstance(each, DerivedInput)]
        if derived and not faults:
            faults = domain_faults(derived, numbers, rows, name, trained=trained)
        if faults:
            raise DataError(faults)
        of_column = {each.column: each for each in self.sources}
        encoded = dict(numbers)
        for made in derived:
            numbers.update(products(made, encoded, codes_of, of_column))
        for each in self.hidden:
            for feature in each.features:
                numbers.pop(feature, None)
                indicators.pop(feature, None)
        return EncodedColumns(numbers, indicators)

    def as_json(self) -> list[dict[str, Any]]:
        """For `preprocess.json`: one entry for each feature, and for each column that others are made of."""
        dates = {term.text: {"date": term.columns[0], "part": term.part} for term in self.parts}
        features = [{**each.as_json(), **dates.get(each.column, {})} for each in self.inputs]
        return [*features, *({**each.as_json(), "is_feature": False} for each in self.hidden)]

    @classmethod
    def from_json(cls, entries: list[dict[str, Any]]) -> "Encoder":
        """The inverse of `as_json`.

        Raises:
            ValueError, KeyError, TypeError: if the entries are not what `as_json` writes.
        """
        hidden = [entry for entry in entries if not entry.get("is_feature", True)]
        shown = [entry for entry in entries if entry not in hidden]
        parts = tuple(_date_part(entry) for entry in shown if "part" in entry)
        inputs = tuple(map(_feature_from_json, shown))
        encoder = cls(inputs, tuple(map(input_from_json, hidden)), parts)
        if not encoder.features or len({entry["column"] for entry in entries}) != len(entries):
            raise ValueError("there are no inputs, or duplicate ones")
        of_column = {each.column: each for each in encoder.sources}
        for each in encoder.inputs:
            if isinstance(each, DerivedInput) and not fits(each, of_column):
                raise ValueError(f"{each.column} does not fit the columns that it is made of")
        for source in encoder.sources:
            if source.gaps_of is not None and getattr(of_column.get(source.gaps_of), "of_gaps", None) is None:
                raise ValueError(f"{source.gaps_of} has no indicator of missing cells")
        return encoder


def _feature_from_json(entry: dict[str, Any]) -> Input | DerivedInput:
    return DerivedInput.from_json(entry) if entry["kind"] == "derived" else input_from_json(entry)


def _date_part(entry: dict[str, Any]) -> Term:
    if entry["part"] not in PARTS:
        raise ValueError(f"unknown part {entry['part']}")
    return Term(str(entry["column"]), (Factor(str(entry["date"])),), entry["part"])


def _codes(each: CategoryInput, raw: Mapping[str, RawColumn]) -> CodesOnAccess:
    values = raw[each.column]
    assert isinstance(values, Categories)
    return each.codes(values)


def _category(
    column: str, values: Categories, missing: str, rows: Rows, *, drop_first: bool, unknown: str
) -> CategoryInput:
    """A category, with the levels of the train rows."""
    found = [np.unique(values.codes[block]) for _, block in row_blocks(as_slice(rows), len(values.codes))]
    present = np.unique(np.concatenate([np.zeros(0, dtype=np.int32), *found]))
    levels = tuple(values.levels[code] for code in present if code >= 0)
    gaps_are_level = missing == "level" and MISSING in present
    levels += (MISSING_LEVEL,) if gaps_are_level else ()
    return CategoryInput(column, values.kind, levels, drop_first, missing, unknown, gaps_are_level)


def _fill(values: Numbers, missing: str, rows: Rows) -> float | None:
    """The fill value, also of a column without missing cells, which may have some at prediction."""
    if missing not in FILLS:
        return None
    column = ChosenRows(values.values, in_blocks(rows), gaps=bool(values.n_missing))
    if missing == "median":
        return column.median()
    if not values.n_missing and len(rows):
        return column.total() / len(rows)
    return column.mean()


def _statistic(missing: str) -> str:
    """What is filled in, in words."""
    return "mean" if missing == "level" else missing


def _has_gaps(values: Numbers, rows: Rows) -> bool:
    return bool(values.n_missing and first_row(rows, n_cells(values), values.missing)[1])


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
