"""The table that statistics are made of: its rows in blocks, and their cells as columns."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from linreg_cli.addresses import is_address
from linreg_cli.config.data import TableData
from linreg_cli.config.schema import Config
from linreg_cli.config.terms import Term
from linreg_cli.data.columns.kinds import Column, Mask, Numbers, RawColumn, Rows, row_numbers
from linreg_cli.data.dataset import SPLITS
from linreg_cli.data.encoding.cell_faults import missing_fault, missing_number_fault
from linreg_cli.data.encoding.cells import (
    category_column,
    kind_of,
    number_column,
    text_column,
)
from linreg_cli.data.encoding.date_values import date_columns, date_parts
from linreg_cli.data.encoding.derived import too_many
from linreg_cli.data.encoding.number_hints import wrong_type
from linreg_cli.data.encoding.transform import domain, forward
from linreg_cli.data.encoding.treatments import Treatment
from linreg_cli.data.features import read_columns
from linreg_cli.data.roles import refuse_weights, weight_column
from linreg_cli.data.split import hashed_splits, is_hashed
from linreg_cli.data.tables.blocks import NotInBlocksError, cells_of_block
from linreg_cli.data.tables.download import fetch
from linreg_cli.data.tables.glance import digest_of
from linreg_cli.data.tables.location import locate
from linreg_cli.data.tables.table import Cells, Table, is_number_type
from linreg_cli.data.tables.text_format import DEFAULT
from linreg_cli.errors import DataError, Fault
from linreg_cli.remedies import change, for_columns, leave_out, missing, setting
from linreg_cli.statistics.block_faults import in_row, late_text_fault
from linreg_cli.statistics.derived import Made, derived_terms, derived_values, fewest_products
from linreg_cli.statistics.facts import ColumnFacts, Plain
from linreg_cli.statistics.quantiles import Histogram
from linreg_cli.statistics.settings import settings_of
from linreg_cli.wording import number


@dataclass(frozen=True)
class Source:
    """A table that was opened, and what the config says about it.

    Attributes:
        config: of the run.
        table: not read yet.
        terms: the features.
        treated: column -> what the config says about it.
        text: the columns that are categories, read as text.
        zones: date column -> whether its dates have a zone, as far as it was read.
    """

    config: Config
    table: Table
    terms: tuple[Term, ...]
    treated: Mapping[str, Treatment]
    text: frozenset[str]
    zones: dict[str, bool] = field(default_factory=dict)

    @property
    def data(self) -> TableData:
        """The section `data` of the config."""
        assert isinstance(self.config.data, TableData)
        return self.config.data

    @cached_property
    def read(self) -> Mapping[str, str]:
        """Column, or part of a date, that features are made of -> column of the table."""
        return read_columns(self.terms)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The columns and parts of dates that features are made of, then the targets."""
        return (*self.read, *self.data.targets)

    @cached_property
    def dropping(self) -> list[str]:
        """The columns whose missing cells drop their rows."""
        return [column for column in self.columns if self.treated[column].missing == "drop"]

    @cached_property
    def _entries(self) -> frozenset[str]:
        return frozenset(term.text for term in self.terms)

    @cached_property
    def _products(self) -> frozenset[str]:
        """The features that are made of categories."""
        return frozenset(term.text for term in derived_terms(self.terms) if self.text & set(term.columns))

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that the figures depend on, by dotted key."""
        return settings_of(self.config, self.terms, self.treated)

    def facts(self, column: str) -> ColumnFacts:
        """What is known of a column before a row is read."""
        is_read = column in self.treated  # others are made of columns, and have no missing cell
        median = is_read and self.treated[column].missing == "median" and column not in self.data.targets
        is_feature = column in self._entries
        is_product = column in self._products
        kind = "product" if is_product else "empty"
        role = "target" if column in self.data.targets else "feature" if is_feature else "source"
        histogram, plain = Histogram.none() if median else None, None if self.data.weight is None else Plain()
        return ColumnFacts(column, role, kind, False, histogram=histogram, plain=plain)

    # Rows

    def count(self) -> int:
        """How many rows the table has."""
        try:
            return self.table.n_rows()
        except NotInBlocksError as error:
            raise self.not_in_blocks(error) from None

    def blocks(self, bounds: tuple[int, int] | None) -> Iterator[tuple[int, Cells]]:
        """The cells of some rows in blocks, each with the number of its first row.

        Args:
            bounds: the first row, from 0, and one past the last; None: all.
        """
        parts = {name for name, column in self.read.items() if name != column}
        numbers = [column for column in self.columns if column not in self.text and column not in parts]
        labels = () if self.data.split.column is None else (self.data.split.column,)
        weight = self.data.weight
        numbers += [] if weight is None or weight in (*numbers, *self.text, *labels) else [weight]
        dates = date_columns(self.terms).difference(numbers)
        text, at = [*sorted(self.text | dates), *labels], 0 if bounds is None else bounds[0]
        try:
            for cells in self.table.cell_blocks(numbers, text, bounds):
                if cells.num_rows:
                    yield at, cells
                at += cells.num_rows
        except NotInBlocksError:
            # a cell is no plain number: from this block on all are read as text, and each block converted
            last = self.table.n_rows() if bounds is None else bounds[1]
            for cells in self.table.cell_blocks([], [*numbers, *text], (at, last)):
                marks = self.config.preprocess.missing_values
                if cells.num_rows:
                    yield at, cells_of_block(self.table.numbers(cells.others, numbers), numbers, marks)
                at += cells.num_rows

    def split_of(self, cells: Cells, first: int, n_rows: int) -> npt.NDArray[np.int8]:
        """The position in `SPLITS` of each row of a block, shape (n_rows,)."""
        split = self.data.split
        if is_hashed(split):
            return hashed_splits(split, self.config.seed, first, first + n_rows)
        if split.column is None:
            return np.zeros(n_rows, dtype=np.int8)
        labels = text_column(cells, split.column, self.config.preprocess.missing_values, self.table.name)
        out = np.full(n_rows, -1, dtype=np.int8)
        for position, name in enumerate(SPLITS):
            if name in labels.levels:
                out[labels.codes == labels.levels.index(name)] = position
        if (out < 0).any():
            row = int(np.argmax(out < 0))
            found = "a missing cell" if labels.codes[row] < 0 else repr(labels.levels[labels.codes[row]])
            message = f"expected train, validation or test, found {found}"
            raise DataError(message, f"{self.table.name}, row {first + row + 1}, column {split.column!r}")
        return out

    # Cells

    def raw(self, cells: Cells, first: int) -> dict[str, RawColumn]:
        """The columns of a block.

        Raises:
            DataError: with every column whose cells are not what the config says.
        """
        marks, faults = self.config.preprocess.missing_values, []
        out: dict[str, RawColumn] = {}
        # at once, since what is counted of a column is kept with it
        numbers = {name: replace(each, cell=self._cell(name, first)) for name, each in cells.numbers.items()}
        cells = replace(cells, numbers=numbers)
        for column in self.columns:
            if self.read.get(column, column) != column:
                continue
            if column in self.text:
                values = cells.column(column)
                if values.null_count == len(values):
                    out[column] = Numbers(np.full(len(values), np.nan))
                    continue
                found: RawColumn | Fault = category_column(values, marks, kind_of(values.type))
            else:
                found = self._as_numbers(cells, column)
            if isinstance(found, Fault):
                faults.append(in_row(found, first))
            else:
                out[column] = found
        parts, more = date_parts(cells, self.terms, marks, self.table.name, self.zones)
        faults += [in_row(fault, first) for fault in more]
        if faults:
            raise DataError(faults)
        out = {name: parts[name] if name in parts else out[name] for name in self.columns}
        for name, values in out.items():
            if values.cell is None:
                out[name] = replace(values, cell=self._cell(self.read.get(name, name), first))
        return out

    def derived(self, raw: Mapping[str, RawColumn], used: Mask, first: int) -> dict[str, Made]:
        """The features of a block that are made of columns; as `derived_values`, with rows of the table."""
        try:
            return derived_values(self.terms, raw, used, self.table.name, self.text)
        except DataError as error:
            raise DataError([in_row(fault, first) for fault in error.faults]) from None

    def _as_numbers(self, cells: Cells, column: str) -> Numbers | Fault:
        marks, name, source = self.config.preprocess.missing_values, self.table.name, self.table.as_text()
        values = None if column in cells.numbers else cells.others.column(column)
        if values is None or values.null_count == len(values) or is_number_type(values.type):
            return number_column(cells, column, marks, name, source)
        written = DEFAULT if source is None else source.format.of(column)
        if self.treated[column].categorical and (fault := late_text_fault(values, column, marks, name, written)):
            return fault
        return wrong_type(values, column, marks, name, self.treated[column].use, written)

    def weights_of(self, cells: Cells, used: Mask, first: int) -> Column:
        """The weights of the rows of a block, shape (n_rows,).

        Raises:
            DataError: for cells that are not numbers, and a weight of a used row that is missing or not above 0.
        """
        assert self.data.weight is not None
        marks, name, column = self.config.preprocess.missing_values, self.table.name, self.data.weight
        try:
            found = weight_column(cells, column, marks, name, self.table.as_text())
        except DataError as error:
            raise DataError([in_row(fault, first) for fault in error.faults]) from None
        values = found.values[:]
        refuse_weights(values, np.flatnonzero(used & ~((values > 0) & np.isfinite(values))), column, name, first)
        return values

    def _cell(self, column: str, first: int) -> Any:
        return lambda row: self.table.cell(column, first + row)

    def refuse_gaps(self, raw: Mapping[str, RawColumn], used: Mask, first: int) -> None:
        """Refuse missing cells of used rows that the config does not allow.

        Raises:
            DataError: with a fault for each column.
        """
        faults = []
        for column, values in raw.items():
            way = self.treated[column].missing
            is_target = column in self.data.targets
            allowed = way == "drop" or (not is_target and (way == "level" or isinstance(values, Numbers)))
            if way == "error" or not allowed:
                faults += self._gap_fault(column, values, used, first, is_target=is_target)
        if faults:
            raise DataError(faults)

    def _gap_fault(self, column: str, values: RawColumn, used: Mask, first: int, *, is_target: bool) -> list[Fault]:
        if not values.n_missing:
            return []
        rows = row_numbers(0, len(used))[used]
        if is_target:
            remedy = f"fill it in, or drop such rows with {for_columns([column], 'missing', 'drop')}"
            fault = missing_fault(values, rows, column, self.table.name, remedy)
        elif isinstance(values, Numbers) and column not in self.text:
            fault = missing_number_fault(values, rows, column, self.table.name, trained=False)
        else:
            remedy = f"{change(*missing(column, 'level'))} (or drop), or leave the column out with {leave_out(column)}"
            fault = missing_fault(values, rows, column, self.table.name, f"fill it in, {remedy}")
        return [] if fault is None else [in_row(fault, first)]

    def refuse_levels(self, facts: ColumnFacts) -> None:
        """Refuse a category with more levels than the config allows.

        Raises:
            DataError: if it has.
        """
        most, n_levels = self.treated[facts.column].max_levels, len(facts.levels)
        if n_levels > most:
            ways = f"leave it out with {leave_out(facts.column)}, or set {setting('preprocess.max_levels', n_levels)}"
            message = f"at least {n_levels:,} levels: preprocess.max_levels is {most:,}; {ways} or more"
            raise DataError(message, f"{self.table.name}, column {facts.column!r}")

    def refuse_products(self, facts: ColumnFacts) -> None:
        """Refuse a product of categories with more combinations of levels than the config allows.

        Raises:
            DataError: if it has.
        """
        most = max(each.max_levels for each in self.treated.values())
        if facts.kind == "product" and (least := fewest_products(facts.without)) > most:
            [term] = [term for term in self.terms if term.text == facts.column]
            raise DataError([too_many(term, least, most, "at least ")])

    def transformed(self, column: str, values: Column, train: Rows, first: int) -> Column:
        """The values of a target as they are trained on.

        Raises:
            DataError: for a value outside the domain of the transform.
        """
        transform = self.config.preprocess.target_transform
        found = forward(transform, values)
        if transform != "none" and (bad := np.isnan(found)).any():
            at = int(np.argmax(bad))
            row = first + int(train[at])
            needs = f"{transform} needs values {domain(transform)}, found {number(values[at])}"
            raise DataError(
                f"preprocess.target_transform: {needs}",
                f"{self.table.name}, row {row + 1}, column {column!r}",
            )
        return found

    # The table

    def identity(self) -> dict[str, Any]:
        """What tells the table from others: a digest of its files, and its columns."""
        return {
            "digest": digest_of(self._files),
            "columns": list(self.table.columns),
            "index": sorted(self.table.index),
        }

    @property
    def _files(self) -> Sequence[str]:
        """The files of the table, in order; those of an address are in the cache."""
        if is_address(self.data.path):
            assert self.data.sha256 is not None
            return [str(fetch(self.data.path, self.data.sha256, lambda _: None))]
        return locate(self.data.path).files

    def not_in_blocks(self, error: NotInBlocksError) -> DataError:
        """The error of a table that cannot be read block by block."""
        why = str(error) or "its lines do not show where its rows end"
        check = "'linreg inspect -c CONFIG' reads the table as a whole, and says which cells and what to do"
        return DataError(f"the table cannot be summarised block by block: {why}; {check}", self.table.name)
