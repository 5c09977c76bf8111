"""Columns of a table that was read, as numbers and categories, or what is wrong with them."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from linreg_cli.config.preprocess import PreprocessConfig
from linreg_cli.data.buffers import to_numpy
from linreg_cli.data.columns import MISSING, Categories, Codes, Numbers, RawColumn, canonical, ordered
from linreg_cli.errors import DataError, Fault

#: Up to so many levels a small table is not suspected of holding identifiers.
FEW_LEVELS = 20

_DATE = re.compile(
    r"\d{4}-\d{1,2}-\d{1,2}([T ]\d{1,2}:\d{2}.*)?|\d{8}T\d{6}.*|\d{1,4}/\d{1,2}/\d{1,4}( .*)?|\d{1,2}\.\d{1,2}\.\d{2,4}"
)
_NUMBERISH = re.compile(r"[-+]?[$€£]?\s?\d[\d.,' ]*([eE][-+]?\d+)?\s?[%$€£]?|[-+]?[.,]\d+")


@dataclass(frozen=True)
class Treatment:
    """What the config says about one column.

    Attributes:
        missing: `error`, `drop`, `mean` or `median`.
        categorical: whether text becomes indicators.
        named: whether the column was called categorical by its name, so that numbers and dates become levels too.
        max_levels: a category with more levels is refused.
    """

    missing: str = "error"
    categorical: bool = False
    named: bool = False
    max_levels: int = 100


def treatments(config: PreprocessConfig, features: Sequence[str], targets: Sequence[str]) -> dict[str, Treatment]:
    """What to do with each column; a target is a number."""
    out = {}
    for column in (*features, *targets):
        exception = config.columns.get(column)
        missing = (exception and exception.missing) or config.missing
        how = (exception and exception.categorical) or config.categorical
        named = exception is not None and exception.categorical == "one_hot"
        is_feature = column in features
        out[column] = Treatment(missing, is_feature and how == "one_hot", is_feature and named, config.max_levels)
    return out


def raw_columns(
    table: pa.Table, wanted: Mapping[str, Treatment], missing_values: Collection[str], name: str
) -> tuple[dict[str, RawColumn], list[Fault]]:
    """The columns of a table, and one fault for each that is not what it should be.

    Args:
        table: holds the columns.
        wanted: column -> what the config says about it.
        missing_values: cells that mean 'missing'.
        name: what messages call the table.

    Raises:
        DataError: if there is no row.
    """
    if table.num_rows == 0:
        raise DataError("the table has no rows", name)
    out: dict[str, RawColumn] = {}
    faults: list[Fault] = []
    for column, treatment in wanted.items():
        found = _raw(table.column(column), column, treatment, missing_values, name)
        if isinstance(found, Fault):
            faults.append(found)
        else:
            out[column] = found
    return out, faults


def _raw(
    values: pa.ChunkedArray, column: str, treatment: Treatment, missing_values: Collection[str], name: str
) -> RawColumn | Fault:
    kind = values.type
    if is_number(kind) and not treatment.named:
        return number_column(values, column, missing_values, name)
    if values.null_count == len(values):
        return Numbers(np.full(len(values), np.nan))
    is_category = _is_text(kind) or pa.types.is_boolean(kind) or pa.types.is_dictionary(kind)
    if not (treatment.categorical and (is_category or (treatment.named and not pa.types.is_nested(kind)))):
        return _wrong_type(values, column, name)
    categories = category_column(values, missing_values, _kind_of(kind))
    if categories.n_missing == len(values):
        return Numbers(np.full(len(values), np.nan))
    fault = None if treatment.named else _not_text(values, categories, column, name)
    return fault or _too_many(categories, column, treatment, name) or categories


def number_column(values: pa.ChunkedArray, column: str, missing_values: Collection[str], name: str) -> Numbers | Fault:
    """A column of a numeric type as float64; a cell that is missing is nan, and an infinite one a fault."""
    if not is_number(values.type) and values.null_count != len(values):
        return _wrong_type(values, column, name)
    if values.null_count == len(values):
        return Numbers(np.full(len(values), np.nan))
    array = to_numpy(values.cast(pa.float64(), safe=False))
    marks = [mark for mark in map(_number, missing_values) if mark is not None]
    if marks and (sentinel := np.isin(array, marks)).any():
        array = np.where(sentinel, np.nan, array)
    # A sum that is finite has finite terms, and costs no array of the column's size.
    with np.errstate(over="ignore", invalid="ignore"):
        total = np.sum(array)
    if not np.isfinite(total) and (infinite := np.isinf(array)).any():
        row, count = int(np.argmax(infinite)), int(infinite.sum())
        more = f" ({count:,} such cells in the column)" if count > 1 else ""
        where = f"{name}, row {row + 1}, column {column!r}"
        return Fault(f"the value is not finite: {array[row]:g}{more}; correct it or leave out its row", where)
    return Numbers(array)


def category_column(values: pa.ChunkedArray, missing_values: Collection[str], kind: str | None) -> Categories:
    """A column as categories.

    Args:
        values: of any type that can be written as text.
        missing_values: cells that mean 'missing'.
        kind: `text`, `boolean` or `number`; None: what the cells look like.
    """
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    encoded = values.dictionary_encode().unify_dictionaries()
    codes: Codes = np.concatenate(
        [chunk.indices.fill_null(MISSING).to_numpy(zero_copy_only=False).astype(np.int32) for chunk in encoded.chunks]
    )
    dictionary = encoded.chunk(0).dictionary
    missing = {mark.strip() for mark in missing_values}
    cells = [_text(cell) for cell in dictionary.to_pylist()]
    present = [cell for cell in cells if cell is not None and cell.strip() not in missing]
    kind = kind or _looks_like(present)
    levels = ordered({canonical(cell, kind) for cell in present}, kind)
    position = {level: code for code, level in enumerate(levels)}
    # The last entry is where -1, a null, ends up.
    lookup = [
        MISSING if cell is None or cell.strip() in missing else position[canonical(cell, kind)]
        for cell in (*cells, None)
    ]
    return Categories(kind, np.array(lookup, dtype=np.int32)[codes], levels)


def text_column(table: pa.Table, column: str, name: str) -> list[str | None]:
    """A column as text; None where it is missing.

    Raises:
        DataError: for values that are not text, such as lists.
    """
    values = table.column(column)
    try:
        texts: list[str | None] = pc.cast(values, pa.string()).to_pylist()
    except pa.ArrowNotImplementedError:
        raise DataError(f"column {column!r} holds values of type {values.type}, and should hold text", name) from None
    return texts


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def _text(cell: object) -> str | None:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return None if cell is None or cell != cell else str(cell)


def _looks_like(cells: Sequence[str]) -> str:
    # A leading zero belongs to a code, such as 02138, and 1_000 is Python's alone.
    if cells and all(_number(cell) is not None and not re.match(r"[-+]?0\d|.*_", cell.strip()) for cell in cells):
        return "number"
    return "boolean" if {cell.strip().lower() for cell in cells} <= {"true", "false"} else "text"


def _kind_of(kind: pa.DataType) -> str | None:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_boolean(kind):
        return "boolean"
    return "number" if is_number(kind) else None


def is_number(kind: pa.DataType) -> bool:
    """Whether a type holds numbers, or nothing at all."""
    types = pa.types
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind) or types.is_null(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _wrong_type(values: pa.ChunkedArray, column: str, name: str) -> Fault:
    kind = values.type
    row = int(np.argmax(values.is_valid().to_numpy()))
    where = f"{name}, row {row + 1}, column {column!r}"
    leave_out = f"leave it out with data.ignore: [{column}], or turn it into numbers"
    one_hot = f"set preprocess.categorical: one_hot, {leave_out}"
    first = values[row].as_py()
    if _is_text(kind) or pa.types.is_dictionary(kind):
        remedy = leave_out if isinstance(first, str) and _DATE.fullmatch(first.strip()) else one_hot
        return Fault(f"the column holds text, such as {first!r}; {remedy}", where)
    if pa.types.is_boolean(kind):
        return Fault(f"the column holds true and false; {one_hot} (0 and 1)", where)
    if pa.types.is_temporal(kind):
        return Fault(f"the column holds dates or times, such as {first}; {leave_out} (days since a date)", where)
    return Fault(f"the column holds values of type {kind}; {leave_out}", where)


def _not_text(values: pa.ChunkedArray, categories: Categories, column: str, name: str) -> Fault | None:
    """What is wrong with a column of text that seems to be one of dates, or of numbers that are not all readable."""
    if categories.kind != "text":
        return None
    levels, keep = categories.levels, f"preprocess.columns: {{{column}: {{categorical: one_hot}}}}"
    if all(_DATE.fullmatch(level) for level in levels):
        where = f"{name}, row {int(np.argmax(categories.codes >= 0)) + 1}, column {column!r}"
        first = levels[categories.codes[categories.codes >= 0][0]]
        message = f"the column holds dates or times, such as {first!r}; leave it out with data.ignore: [{column}]"
        return Fault(f"{message}, or turn it into numbers (days since a date); to keep it as text: {keep}", where)
    seems = np.array([_NUMBERISH.fullmatch(level) is not None for level in levels])
    n_cells = len(values) - categories.n_missing
    present = categories.codes[categories.codes >= 0]
    if np.count_nonzero(seems[present]) <= n_cells / 2:
        return None
    bad = np.array([_number(level) is None for level in levels])
    row = int(np.argmax((categories.codes >= 0) & bad[categories.codes]))
    cell = levels[categories.codes[row]]
    message = f"{cell!r} is not a number, and most of the column is numbers; {remedy(cell, column, one_hot=False)}"
    missing = f", or add {cell!r} to preprocess.missing_values" if not _NUMBERISH.fullmatch(cell) else ""
    return Fault(f"{message}{missing}; to keep it as text: {keep}", f"{name}, row {row + 1}, column {column!r}")


def _too_many(categories: Categories, column: str, treatment: Treatment, name: str) -> Fault | None:
    n_levels, n_cells = len(categories.levels), len(categories.codes) - categories.n_missing
    where = f"{name}, column {column!r}"
    ignore = f"leave it out with data.ignore: [{column}]"
    shown = f"{n_levels:,} different values in {n_cells:,} cells, such as {categories.levels[0]!r}"
    if not treatment.named and n_levels > max(FEW_LEVELS, n_cells / 2):
        return Fault(f"{shown}: this looks like an identifier or free text; {ignore}", where)
    if n_levels > treatment.max_levels:
        more = f"{shown}: more levels than preprocess.max_levels allows ({treatment.max_levels:,})"
        return Fault(f"{more}; {ignore}, or raise it", where)
    return None


def remedy(cell: str, column: str, *, one_hot: bool = True) -> str:
    """What to do about a cell that is not a number.

    >>> remedy("1,5", "x")
    "the decimal mark is '.', write 1.5"
    >>> remedy("1,234,567", "x")
    'write it without separators, 1234567'
    """
    if re.fullmatch(r"[-+]?\d{1,3}(,\d{3}){2,}(\.\d*)?|[-+]?\d{1,3}(,\d{3})+\.\d*", cell):
        return f"write it without separators, {cell.replace(',', '')}"
    if re.fullmatch(r"[-+]?\d{1,3},\d{3}", cell):
        point, without = cell.replace(",", "."), cell.replace(",", "")
        return f"write {without} if the comma parts thousands, {point} if it is the decimal mark"
    if re.fullmatch(r"[-+]?(\d+,\d*|,\d+)([eE][-+]?\d+)?", cell):
        return f"the decimal mark is '.', write {cell.replace(',', '.')}"
    if _DATE.fullmatch(cell):
        return f"leave the column out with data.ignore: [{column}], or turn dates into numbers (days since a date)"
    leave_out = f"leave the column out with data.ignore: [{column}], or turn it into numbers"
    return f"set preprocess.categorical: one_hot, {leave_out}" if one_hot else leave_out
