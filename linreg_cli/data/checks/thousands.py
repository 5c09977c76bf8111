"""Numbers whose decimal marks may separate thousands: 2.011 beside 891."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from linreg_cli.data.checks.wording import listed
from linreg_cli.data.columns.arrow import to_numpy
from linreg_cli.data.columns.kinds import Column, Rows, take
from linreg_cli.data.dataset import Dataset
from linreg_cli.data.encoding.inputs import NumberInput
from linreg_cli.data.tables.text_format import AsText
from linreg_cli.findings import Finding
from linreg_cli.remedies import settings

#: With fewer numbers that have a mark, nothing is said.
_MIN_MARKED = 3


def thousands(dataset: Dataset, source: AsText | None, sample: Rows) -> tuple[Finding, ...]:
    """A warning for columns of a text file whose decimal mark may separate thousands.

    Every number with the mark has one to three digits before it, not beginning with 0, and exactly three behind it;
    whole numbers have at most three digits; and either a whole number is above all those with a mark, or one of those
    ends in 0, which a decimal of this precision would not have beside whole numbers without a mark.

    Args:
        dataset: a table, encoded.
        source: the cells of the file as text; None for a format with types.
        sample: numbers of the train rows that are looked at first.
    """
    if source is None or source.format.thousands is not None:
        return ()
    columns = [each.column for each in dataset.plain_inputs if isinstance(each, NumberInput)] + list(dataset.targets)
    parts = {column: take(dataset.columns, column, sample) for column in columns}
    suspects = [column for column, values in parts.items() if _may_be_grouped(values)]
    mark = source.format.decimal
    found = [
        column
        for column in suspects
        if _is_grouped(source.format.of(column).without_unit(source.read([column]).column(0)), mark)
    ]
    if not found:
        return ()
    other = "," if mark == "." else "."
    remedy = f"set {settings({'data.decimal': other, 'data.thousands': mark})}"
    if other == source.format.delimiter:
        remedy = f'write them without "{mark}", since "{other}" is the delimiter'
    fractions = [column for column in columns if column not in found and _has_fractions(parts[column])]
    if fractions:  # which another decimal mark would not read
        remedy = f'write them without "{mark}", which is the decimal mark of {listed(fractions)}'
    message = f'every number with "{mark}" has exactly three digits behind it, beside whole numbers without one'
    return (Finding("number_format", f"{listed(found)}: {message}; if it separates thousands, {remedy}"),)


def _may_be_grouped(values: Column) -> bool:
    """Whether numbers can be groups of three digits, judged by their values: a first look without the cells."""
    values = np.abs(values[~np.isnan(values)])
    if not len(values) or values.max() >= 1_000:
        return False
    marked = values[values != np.floor(values)]
    return bool(
        len(marked) >= 1 and marked.min() >= 1 and np.all(np.abs(marked * 1_000 - np.round(marked * 1_000)) < 1e-6)
    )


def _is_grouped(cells: pa.ChunkedArray, mark: str) -> bool:
    cells = pc.utf8_trim_whitespace(cells).drop_null()
    point = "[.]" if mark == "." else mark
    marked = pc.filter(cells, pc.match_substring_regex(cells, f"^[-+]?[1-9][0-9]{{0,2}}{point}[0-9]{{3}}$"))
    whole = pc.filter(cells, pc.match_substring_regex(cells, "^[-+]?[0-9]{1,3}$"))
    if len(marked) < _MIN_MARKED or not len(whole) or len(marked) + len(whole) != len(cells):
        return False
    largest = [_largest(each, mark) for each in (whole, marked)]
    return bool(largest[0] > largest[1] or pc.any(pc.ends_with(marked, "0")).as_py())


def _largest(cells: pa.ChunkedArray, mark: str) -> float:
    return float(np.abs(to_numpy(pc.cast(pc.replace_substring(cells, mark, "."), pa.float64()))).max())


def _has_fractions(values: Column) -> bool:
    values = values[~np.isnan(values)]
    return bool(np.any(values != np.floor(values)))
