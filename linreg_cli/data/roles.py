"""The cells of columns with a use of their own: the labels of the splits, the weights, the clusters."""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from linreg_cli.config.roles import CLUSTER, SPLIT, WEIGHT
from linreg_cli.data.columns.chosen import own_rows
from linreg_cli.data.columns.codes import distinct, narrow, positions_in
from linreg_cli.data.columns.kinds import (
    BLOCK_ROWS,
    MISSING,
    Categories,
    Codes,
    Column,
    DividedValues,
    Numbers,
    Rows,
    Values,
    of_processes,
    pieces,
)
from linreg_cli.data.columns.number_file import StoredColumn
from linreg_cli.data.columns.row_set import RowSet
from linreg_cli.data.columns.row_weights import At, Weights, WeightsOnAccess
from linreg_cli.data.columns.rows import count, first_row, in_order, part, pick, row_blocks
from linreg_cli.data.encoding.cells import number_column, text_column
from linreg_cli.data.encoding.number_hints import merged_faults
from linreg_cli.data.encoding.number_units import UNIT
from linreg_cli.data.encoding.treatments import Use
from linreg_cli.data.tables.blocks import float64_of, numeric_marks
from linreg_cli.data.tables.table import Cells
from linreg_cli.data.tables.text_format import AsText
from linreg_cli.errors import DataError, Fault
from linreg_cli.wording import exact

#: Below it, every whole number is one of float64.
_EXACT = 2.0**53
_REMEDY = "a weight must be a finite number above 0; correct it, or leave the row out of the table"


@dataclass(frozen=True)
class RowWeights:
    """The weights of the rows of a table.

    Attributes:
        values: as the table has them, shape (n_samples,).
        scale: what they are multiplied by, so that those of the train split have mean 1.
        column: the name.
    """

    values: Values
    scale: float
    column: str

    @classmethod
    def of(cls, values: Values, column: str, rows: Rows) -> "RowWeights":
        """The weights scaled to mean 1 over some rows, each once.

        Their sum is rounded once, so that neither the order of the rows nor the processes that have them matter.

        >>> RowWeights.of(np.array([1.0, 2.0, 6.0]), "w", np.array([1, 2])).scale
        0.25
        """
        if not len(rows):
            return cls(values, 1.0, column)
        train = in_order(rows)
        if isinstance(values, DividedValues):
            assert isinstance(train, slice | RowSet)
            parts: Iterable[Iterable[float]] = values.of_processes(_terms, train)
        else:
            parts = (values[block].tolist() for _, block in row_blocks(train, len(values)))
        return cls(values, len(rows) / _sum(itertools.chain.from_iterable(parts)), column)

    def of_rows(self, rows: Rows | slice) -> Weights:
        """As the weights of some rows; where the column is on the disk they are read on access."""
        if not isinstance(self.values, StoredColumn):
            return self[rows]

        def read(at: At) -> Column:
            return self[part(rows, at.start, at.stop) if isinstance(at, slice) else pick(rows, at)]

        return WeightsOnAccess(count(rows, len(self.values)), read)

    def __getitem__(self, rows: Rows | slice) -> Column:
        """The scaled weights of some rows, float64."""
        return self.values[rows if isinstance(rows, slice) else np.asarray(rows)] * self.scale


@dataclass(frozen=True)
class Roles:
    """What a table has besides features and targets.

    Attributes:
        labels: the split of each row; None for fractions.
        weights: that of each row, as the table has it; None without `data.weight`.
        clusters: that of each row, in the order of their numbers or texts, or `MISSING`; None without
            `evaluate.cluster`.
    """

    labels: Categories | None = None
    weights: Numbers | None = None
    clusters: Codes | None = None


def text_of(roles: Mapping[str, str]) -> list[str]:
    """The columns that are read as text.

    Args:
        roles: of `column_roles`.
    """
    return [roles[key] for key in (SPLIT, CLUSTER) if key in roles]


def read_roles(
    cells: Cells, roles: Mapping[str, str], missing_values: Sequence[str], name: str, source: AsText | None = None
) -> Roles:
    """The columns with a use of their own.

    Args:
        cells: in which they were read.
        roles: of `column_roles`.
        missing_values: cells that mean 'missing'.
        name: the table, for messages.
        source: the cells of a text file as text.

    Raises:
        DataError: for weights that are not numbers, and for cells that cannot be written as text, such as lists.
    """
    weights = weight_column(cells, roles[WEIGHT], missing_values, name, source) if WEIGHT in roles else None
    labels = text_column(cells, roles[SPLIT], missing_values, name) if SPLIT in roles else None
    clusters = None if CLUSTER not in roles else _clusters(cells, roles[CLUSTER], missing_values, name)
    return Roles(labels, weights, clusters)


def _clusters(cells: Cells, column: str, missing_values: Sequence[str], name: str) -> Codes:
    """The cluster of each row; numbers are no texts, which take many times their memory where there are many."""
    if column in cells.numbers:
        return _of_numbers(cells.numbers[column].values)
    numbers = _exact_numbers(cells.others.column(column), missing_values)
    return text_column(cells, column, missing_values, name).codes if numbers is None else _of_numbers(numbers)


def weight_column(
    cells: Cells, column: str, missing_values: Sequence[str], name: str, source: AsText | None = None
) -> Numbers:
    """The column of the weights.

    Args:
        cells: in which it was read.
        column: its name.
        missing_values: cells that mean 'missing'.
        name: the table, for messages.
        source: the cells of a text file as text.

    Raises:
        DataError: for cells that are not finite numbers.
    """
    uses: dict[str, Use] = {**dict.fromkeys(cells.numbers, "feature"), column: "target"}  # those must stay numbers
    found = number_column(cells, column, missing_values, name, source)
    if isinstance(found, Fault):
        (first, *_) = merged_faults({column: found}, cells, missing_values, name, uses, source)
        if first is not found or found.kind == UNIT:  # such as decimal commas, which a setting reads
            raise DataError([first])
        # What would help a feature, such as to leave the column out, does not help weights.
        raise DataError(f"{found.message.split(';')[0]}; {_REMEDY}", found.where)
    return found


def checked_weights(weights: Numbers, column: str, splits: Mapping[str, Rows], name: str) -> RowWeights:
    """The weights of a table, scaled to mean 1 over the train split.

    Args:
        weights: as the table has them.
        column: its name.
        splits: split -> rows.
        name: the table, for messages.

    Raises:
        DataError: for a weight that is missing, zero, negative or infinite in a row that is used, with the first such
            row; and if they overflow float64 together.
    """
    used = RowSet.of(splits.values(), len(weights.values))
    bad = np.concatenate(of_processes(weights.values, _not_above_0, used))
    refuse_weights(weights.values, bad, column, name)
    scaled = RowWeights.of(weights.values, column, splits["train"])
    refuse_scale(scaled.scale, column, name)
    return scaled


def _sum(values: Iterable[float]) -> float:
    """The sum of numbers above 0, rounded once; infinity where it is beyond the range of float64."""
    try:
        return math.fsum(values)
    except OverflowError:
        return math.inf


def _terms(values: Values, first: int, rows: RowSet | slice) -> list[float]:
    """In a process, a few numbers whose sum is exactly that of some of its weights."""
    terms: list[float] = []
    for _, block in row_blocks(own_rows(rows, first, first + len(values)), len(values)):
        rest, terms = [*terms, *values[block].tolist()], []
        while math.isfinite(total := _sum(rest)) and total:  # what is left after rounding, rounded, and so on
            terms.append(total)
            rest.append(-total)
        if total:
            return [total]
    return terms


def _not_above_0(values: Values, first: int, used: RowSet) -> npt.NDArray[np.int64]:
    """In a process, the numbers of the rows that are used and whose weight is no finite number above 0."""
    bad = [np.zeros(0, np.int64)]
    for start in range(0, len(values), BLOCK_ROWS):
        part = values[start : start + BLOCK_ROWS]
        mask = used.mask(first + start, first + start + len(part)) & ~((part > 0) & np.isfinite(part))
        bad.append(np.flatnonzero(mask) + (first + start))
    return np.concatenate(bad)


def refuse_weights(values: Values, bad: Rows, column: str, name: str, start: int = 0) -> None:
    """Refuse weights that are missing, zero, negative or infinite.

    Args:
        values: the weights, as the table has them.
        bad: the positions of those at fault.
        column: their name.
        name: the table, for messages.
        start: the number of the row of the first one, from 0.

    Raises:
        DataError: with the first such row, and how many there are.
    """
    if not len(bad):
        return
    row = int(min(bad))
    value = float(values[row : row + 1][0])
    found = "the weight is missing" if math.isnan(value) else f"the weight is {exact(value)}"
    more = f" ({len(bad):,} rows have no weight above 0)" if len(bad) > 1 else ""
    raise DataError(f"{found}{more}; {_REMEDY}", f"{name}, row {start + row + 1}, column {column!r}")


def refuse_scale(scale: float, column: str, name: str) -> None:
    """Refuse weights that cannot be scaled to mean 1.

    Raises:
        DataError: unless the scale is a number above 0.
    """
    if not (math.isfinite(scale) and scale > 0):
        message = "the sum of the weights, or its inverse, is beyond the range of float64; give them in another unit"
        raise DataError(message, f"{name}, column {column!r}")


def check_clusters(clusters: Codes, column: str, rows: Rows, name: str) -> None:
    """Refuse train rows without a cluster.

    Args:
        clusters: that of each row of the table.
        column: its name.
        rows: of the train split.
        name: the table, for messages.

    Raises:
        DataError: with the first such row, and how many there are.
    """
    first, n_missing = first_row(rows, len(clusters), lambda block: np.equal(clusters[block], MISSING))
    if n_missing:
        more = f" ({n_missing:,} such train rows)" if n_missing > 1 else ""
        message = f"the cell is missing{more}, and evaluate.cluster needs the cluster of every train row; fill it in"
        message += ", or leave the row out of the table"
        raise DataError(message, f"{name}, row {first + 1}, column {column!r}")


def _of_numbers(values: Values) -> Codes:
    """The cluster of each row, of clusters that are numbers: each value is one, and they are in their order."""
    known = distinct(some[~np.isnan(some)] for some in pieces(values))
    codes = narrow(np.empty(len(values), np.int8), len(known))
    for start in range(0, len(values), BLOCK_ROWS):
        some = values[start : start + BLOCK_ROWS]
        codes[start : start + len(some)] = np.where(np.isnan(some), MISSING, positions_in(known, some))
    return codes


def _exact_numbers(cells: pa.ChunkedArray, missing_values: Sequence[str]) -> Column | None:
    """Cells that were read as text, in a format with types, as numbers; None unless float64 has every one of them."""
    if not (pa.types.is_integer(cells.type) or pa.types.is_floating(cells.type)):
        return None
    values = float64_of(cells, numeric_marks(missing_values))
    return values if all((np.isnan(some) | (np.abs(some) < _EXACT)).all() for some in pieces(values)) else None
