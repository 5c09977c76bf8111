"""Columns of a table as numbers and categories, or what is wrong with them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pyarrow as pa

from linreg_cli.data.columns.arrow import indices, is_text_type, unified
from linreg_cli.data.columns.codes import narrow
from linreg_cli.data.columns.kinds import BLOCK_ROWS, MISSING, Categories, Numbers, RawColumn, as_number
from linreg_cli.data.encoding import levels
from linreg_cli.data.encoding.column_faults import column_fault
from linreg_cli.data.encoding.date_values import date_remedy
from linreg_cli.data.encoding.dates import as_numbers, is_date
from linreg_cli.data.encoding.notation import is_number_otherwise, number_test, present
from linreg_cli.data.encoding.number_hints import (
    merged_faults,
    not_a_number,
    value_type,
    wrong_type,
)
from linreg_cli.data.encoding.number_units import in_one, unit_fault
from linreg_cli.data.encoding.placeholders import placeholder_fault
from linreg_cli.data.encoding.treatments import Treatment
from linreg_cli.data.tables.blocks import cells_of
from linreg_cli.data.tables.table import Cells, Table, is_number_type
from linreg_cli.data.tables.text_format import DEFAULT, AsText, TextFormat
from linreg_cli.errors import DataError, Fault
from linreg_cli.fixes import Step
from linreg_cli.remedies import for_columns, leave_out, quoted, setting


def raw_columns(
    cells: Cells,
    wanted: Mapping[str, Treatment],
    missing_values: Sequence[str],
    name: str,
    source: AsText | None = None,
) -> tuple[dict[str, RawColumn], list[Fault]]:
    """The columns of a table, and a fault for each that cannot be used.

    Args:
        cells: the cells that were read.
        wanted: column -> what the config says about it.
        missing_values: cells that mean 'missing'.
        name: the table, for messages.
        source: the cells of a text file as text.

    Raises:
        DataError: if the table has no rows.
    """
    if cells.num_rows == 0:
        raise DataError("the table has no rows", name)
    written = DEFAULT if source is None else source.format
    out: dict[str, RawColumn] = {}
    faults: dict[str, Fault] = {}
    for column, treatment in wanted.items():
        found: RawColumn | Fault
        if treatment.use == "trained" and not treatment.categorical:
            found = number_column(cells, column, missing_values, name)
        elif column in cells.numbers:
            found = _finite(cells.numbers[column], column, name)
        else:
            found = _raw(cells.others.column(column), column, treatment, missing_values, name, written.of(column))
        if isinstance(found, Fault):
            faults[column] = found
        else:
            out[column] = found
    uses = {column: treatment.use for column, treatment in wanted.items()}
    categorical = {column for column, treatment in wanted.items() if treatment.categorical}
    return out, in_one(merged_faults(faults, cells, missing_values, name, uses, source, categorical), name)


def with_cells(raw: Mapping[str, RawColumn], table: Table, of: Mapping[str, str]) -> dict[str, RawColumn]:
    """The columns, with the cells as they stand in the table, for messages.

    Args:
        raw: name -> column.
        table: the table.
        of: name -> column of the table, where they differ.
    """
    return {name: replace(values, cell=partial(table.cell, of.get(name, name))) for name, values in raw.items()}


def _raw(
    values: pa.ChunkedArray,
    column: str,
    treatment: Treatment,
    missing_values: Sequence[str],
    name: str,
    written: TextFormat,
) -> RawColumn | Fault:
    kind = values.type
    if values.null_count == len(values):
        return Numbers(np.full(len(values), np.nan))
    is_category = is_text_type(kind) or pa.types.is_boolean(kind) or pa.types.is_dictionary(kind)
    if is_text_type(value_type(kind)) and not treatment.named:
        plain = values if written.is_plain and not written.unit else written.plain(present(values, missing_values))
        text = category_column(plain, missing_values, "text")
        most = treatment.max_levels if treatment.use == "feature" else 0
        if fault := placeholder_fault(text, column, missing_values, name, max_levels=most):
            return fault
    if not (treatment.categorical and (is_category or (treatment.named and not pa.types.is_nested(kind)))):
        return wrong_type(values, column, missing_values, name, treatment.use, written)
    categories = category_column(values, missing_values, kind_of(kind))
    if categories.kind == "text" and levels.is_boolean(categories.levels):  # as a CSV writes true and false
        categories = category_column(values, missing_values, "boolean")
    if categories.n_missing == len(values):
        return Numbers(np.full(len(values), np.nan))
    fault = (
        None if treatment.named else mostly_dates_or_numbers(values, categories, column, missing_values, name, written)
    )
    n_cells = len(values) - categories.n_missing
    if fault is not None:
        return fault
    fault = too_many_levels(categories.levels, n_cells, column, treatment, name)
    if fault is not None and not treatment.named and categories.kind == "text":
        cells = present(values, missing_values)
        return unit_fault(cells, column, missing_values, name, written, is_feature=True) or fault
    return fault or categories


def number_column(
    cells: Cells, column: str, missing_values: Sequence[str], name: str, source: AsText | None = None
) -> Numbers | Fault:
    """A column that a trained model needs as numbers; a fault for text and infinite values."""
    if column in cells.numbers:
        return _finite(cells.numbers[column], column, name)
    values = cells.others.column(column)
    if values.null_count == len(values):
        return Numbers(np.full(len(values), np.nan))
    if is_number_type(value_type(values.type)):  # a pandas categorical of numbers
        plain = cells_of(pa.table({column: values.cast(value_type(values.type))}), [column], missing_values)
        return _finite(plain.numbers[column], column, name)
    written = DEFAULT if source is None else source.format.of(column)
    return wrong_type(values, column, missing_values, name, "trained", written)


def _finite(numbers: Numbers, column: str, name: str) -> Numbers | Fault:
    if not numbers.n_infinite:
        return numbers
    more = f" ({numbers.n_infinite:,} such cells in the column)" if numbers.n_infinite > 1 else ""
    where = f"{name}, row {numbers.first_infinite() + 1}, column {column!r}"
    message = f"the value is infinite or overflows float64{more}; correct it or remove the row"
    return Fault(message, where, columns=(column,))


def category_column(values: pa.ChunkedArray, missing_values: Sequence[str], kind: str) -> Categories:
    """A column as categories.

    Args:
        values: cells of any type that can be written as text.
        missing_values: cells that mean 'missing'.
        kind: `text`, `boolean` or `number`; see `kind_of`.
    """
    encoded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    encoded = unified(encoded)
    cells = encoded.chunk(0).dictionary.to_pylist()
    occurs = np.zeros(len(cells) + 1, dtype=bool)  # a dictionary may have entries that no cell has
    for start in range(0, len(encoded), BLOCK_ROWS):
        occurs[indices(encoded[start : start + BLOCK_ROWS])] = True  # the last entry is for the code -1 of a null
    is_missing = levels.missing_test(missing_values)
    written = [levels.written(cell).lower() if kind == "boolean" else levels.written(cell) for cell in cells]
    present = [there and not is_missing(cell) for cell, there in zip(cells, occurs[:-1], strict=True)]
    found = levels.ordered({level for level, there in zip(written, present, strict=True) if there})
    position = {level: code for code, level in enumerate(found)}
    lookup = [position[level] if there else MISSING for level, there in zip(written, present, strict=True)]
    new = narrow(np.array([*lookup, MISSING]), len(found))
    codes = np.empty(len(encoded), new.dtype)
    for start in range(0, len(encoded), BLOCK_ROWS):
        codes[start : start + BLOCK_ROWS] = new[indices(encoded[start : start + BLOCK_ROWS])]
    return Categories(kind, codes, found)


def text_column(cells: Cells, column: str, missing_values: Sequence[str], name: str) -> Categories:
    """A column of text, such as `data.split.column`.

    Raises:
        DataError: for cells that cannot be written as text, such as lists.
    """
    values = cells.column(column)
    try:
        return category_column(values, missing_values, "text")
    except pa.ArrowNotImplementedError:
        raise DataError(f"column {column!r} has type {values.type}, and must be text", name) from None


def kind_of(kind: pa.DataType) -> str:
    """The kind of categories that a column of some type becomes: `text`, `boolean` or `number`."""
    kind = value_type(kind)
    return "boolean" if pa.types.is_boolean(kind) else "number" if is_number_type(kind) else "text"


def holds_dates(values: Categories) -> bool:
    """Whether more than half of the cells of a column of text are dates or times."""
    dates = np.array([is_date(level) for level in values.levels])
    n_cells = len(values.codes) - values.n_missing
    return bool(np.count_nonzero(dates[values.codes[values.codes >= 0]]) > n_cells / 2)


def mostly_dates_or_numbers(
    values: pa.ChunkedArray,
    categories: Categories,
    column: str,
    missing_values: Sequence[str],
    name: str,
    written: TextFormat,
) -> Fault | None:
    """A fault for a column of text that is mostly dates, or mostly numbers."""
    if categories.kind != "text":
        return None
    found, keep = categories.levels, for_columns([column], "categorical", "one_hot")
    n_cells = len(values) - categories.n_missing
    codes = categories.codes[categories.codes >= 0]
    if holds_dates(categories):
        dates = np.array([is_date(level) for level in found])
        row = int(np.argmax((categories.codes >= 0) & dates[categories.codes]))
        first = found[categories.codes[row]]
        advice, step = date_remedy(values, column, missing_values, name)
        advice = advice or f"leave it out with {leave_out(column)}, or convert it to numbers ({as_numbers(first)})"
        message = f"the column holds dates or times, such as {quoted(first)}; {advice}; to use it as text, set {keep}"
        where, detail = f"{name}, row {row + 1}, column {column!r}", f"{quoted(first)} in row {row + 1}"
        return column_fault("date", column, message, where, detail, step)
    numberish = np.array([as_number(level) is not None or is_number_otherwise(level) for level in found])
    if np.count_nonzero(numberish[codes]) <= n_cells / 2:
        return None
    is_number = number_test(written)
    bad = np.array([not is_number(level) for level in found])
    if not bad.any():  # numbers that are typed as text, or codes such as 02138
        return None
    if fault := unit_fault(present(values, missing_values), column, missing_values, name, written, is_feature=True):
        return fault
    row = int(np.argmax((categories.codes >= 0) & bad[categories.codes]))
    cell = found[categories.codes[row]]
    advice = not_a_number(cell, column, "feature", missing_values, mostly_numbers=True, decimal=written.decimal)
    message = (
        f"{quoted(cell)} is not a number, and the column is mostly numbers; {advice}; to use it as text, set {keep}"
    )
    return Fault(message, f"{name}, row {row + 1}, column {column!r}", columns=(column,))


def too_many_levels(found: Sequence[str], n_cells: int, column: str, treatment: Treatment, name: str) -> Fault | None:
    """A fault for a category with more levels than the config allows, and for one that looks like an identifier.

    Args:
        found: its levels.
        n_cells: cells of the column that are not missing.
        column: its name.
        treatment: what the config says about it.
        name: the table, for messages.
    """
    n_levels = len(found)
    where = f"{name}, column {column!r}"
    ignore = f"leave it out with {leave_out(column)}"
    shown = f"{n_levels:,} levels in {n_cells:,} cells, such as {quoted(found[0])}"
    step = Step("ignore", column=column)
    if not treatment.named and n_levels > max(treatment.few_levels, n_cells / 2):
        message = f"{shown}: the column looks like an identifier or free text; {ignore}"
        return column_fault("identifier", column, message, where, shown, step)
    if n_levels > treatment.max_levels:
        message = f"{shown}: preprocess.max_levels is {treatment.max_levels:,}"
        message += f"; {ignore}, or set {setting('preprocess.max_levels', n_levels)}"
        return column_fault("levels", column, message, where, shown, step)
    return None
