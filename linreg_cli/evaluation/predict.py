"""Predictions of a saved model for a table: prediction columns are appended, all others pass through unchanged."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pyarrow as pa

from linreg_cli.config.given import messages_about
from linreg_cli.data.columns.arrow import to_arrow
from linreg_cli.data.columns.kinds import BLOCK_ROWS, Column, Mask, RawColumn, rows_where
from linreg_cli.data.encoding.column_faults import reporting
from linreg_cli.data.summary import UsedColumn, together, used_columns
from linreg_cli.data.tables.blocks import NotInBlocksError, cells_of, cells_of_block, whole_says_more
from linreg_cli.data.tables.part_rows import naming_parts
from linreg_cli.data.tables.table import Cells, Table
from linreg_cli.errors import DataError
from linreg_cli.evaluation.intervals import Asked, ends, load_factor
from linreg_cli.evaluation.other_table import weight_columns, weights_in
from linreg_cli.evaluation.saved_model import SavedModel, input_columns, largest_block, open_for, raw_inputs
from linreg_cli.evaluation.whole_table import warn_of_whole
from linreg_cli.findings import Finding, Warn
from linreg_cli.least_squares.intervals import IntervalFactor

#: What the names of the ends of an interval have after that of the prediction.
ENDS = ("_low", "_high")

T = TypeVar("T")


@dataclass(frozen=True)
class Predicted:
    """A table with predictions.

    Attributes:
        table: the table, with the prediction columns last; float64 in original units, null for a row without one.
        added: the names of the prediction columns.
        delimiter: of the file that was read, if it is a text file.
        columns: for each column that the model needs, what was found in it and how it was treated.
    """

    table: pa.Table
    added: list[str]
    delimiter: str | None
    columns: tuple[UsedColumn, ...]


def predict_table(
    saved: SavedModel, source: str | pa.Table, *, typed: bool = False, interval: Asked | None = None
) -> Predicted:
    """Append predictions in original units to a table.

    Columns are matched by name, in any order. Columns that the model does not use pass through unchanged, those of a
    text file as text. The targets may be absent. A row gets no prediction if a cell is missing in a column of which
    training dropped such rows (`preprocess.missing: drop`).

    Args:
        saved: the model.
        source: the path of the table, or the rows of a data frame.
        typed: whether columns of a text file that contain only numbers become numbers, for a format with types.
        interval: the intervals that are appended as `<prediction>_low` and `<prediction>_high`; None: none.

    Raises:
        DataError: if a feature is missing, is not numeric where it should be, or has cells that the config does not
            allow, or if a prediction overflows float64; for intervals, if inference was refused.
        StoreError: for intervals, if the run has no factor for them.
    """
    factor = None if interval is None else load_factor(saved)
    encoder = saved.preprocessor.inputs
    table = open_for(saved, source, encoder.columns)
    path = table.name
    cells = table.read_all()
    numbers, columns = _needed(saved, table, interval)
    needed = table.numbers(cells.select(columns), numbers)
    known = cells_of(needed, numbers, saved.config.preprocess.missing_values)
    with naming_parts(table):
        raw = raw_inputs(known, encoder, (), saved, table)
        found = _predicted(saved, raw, known, path, factor, interval)
    added = added_columns(saved, table, interval)
    if typed:
        cells = table.typed(cells, numbers)
    cells = _appended(cells, added, found, table)
    return Predicted(cells, added, table.delimiter, found.columns)


class Predictions:
    """A table with predictions, as `predict_table` gives it, in the memory of a block of rows.

    A prediction is of its row alone. Intervals come from products of matrices, whose last digits may depend on the rows
    that are multiplied at once: their blocks are those of the whole table.

    Args:
        saved: the model.
        source: as `predict_table`; the rows of a data frame are in memory already.
        warn: called where the table comes into memory as a whole, above the limit of the run, and where rows have no
            prediction.
        typed: as `predict_table`.
        interval: as `predict_table`.
        one_dictionary: whether the batches must have one dictionary for a column of dictionary type, as an Arrow file
            has; a table that has more of them is then read as a whole.

    Attributes:
        added: the names of the prediction columns.
        delimiter: of the file that is read, if it is a text file.
        columns: as `Predicted.columns`, of the rows that were taken.
        n_rows: how many were taken.
        n_without: those without a prediction.

    Raises:
        DataError, StoreError: as `predict_table`, but for what is wrong with the cells.
    """

    def __init__(
        self,
        saved: SavedModel,
        source: str | pa.Table,
        warn: Warn,
        *,
        typed: bool = False,
        interval: Asked | None = None,
        one_dictionary: bool = True,
    ) -> None:
        self._one_dictionary = one_dictionary
        self._saved, self._source, self._typed, self._interval, self._warn = saved, source, typed, interval, warn
        self._factor = None if interval is None else load_factor(saved)
        self._table = open_for(saved, source, saved.preprocessor.inputs.columns)
        self.added = added_columns(saved, self._table, interval)
        self.delimiter = self._table.delimiter
        self.columns: tuple[UsedColumn, ...] = ()
        self.n_rows = self.n_without = 0

    def handed_to(self, use: Callable[[Iterable[pa.RecordBatch]], T]) -> T:
        """What a function makes of the rows.

        Args:
            use: takes batches of rows. It is called again, from the first row, for a table that turns out not to be
                readable in blocks.

        Raises:
            DataError: as `predict_table`.
        """
        try:
            found = use(self._batches())
        except NotInBlocksError:
            warn_of_whole(self._saved, self._table, self._warn)
            whole = predict_table(self._saved, self._source, typed=self._typed, interval=self._interval)
            self.columns, self.n_rows = whole.columns, whole.table.num_rows
            self.n_without = whole.table.column(self.added[0]).null_count
            found = use(whole.table.to_batches())
        if self.n_without:
            missing = "a cell is missing in a column with preprocess.missing: drop"
            message = f"{self.n_without:,} of {self.n_rows:,} rows have no prediction: {missing}"
            self._warn(Finding("no_prediction", message))
        return found

    def _batches(self) -> Iterator[pa.RecordBatch]:
        """The rows, block by block.

        Raises:
            NotInBlocksError: for a table that must be read as a whole, and one in which something is wrong.
            TemporaryFileError: if there is no room for a temporary file that reading in blocks needs.
        """
        with whole_says_more():
            yield from self._predicted_batches()
        if not self.n_rows:
            raise NotInBlocksError("the table has no rows")

    def _predicted_batches(self) -> Iterator[pa.RecordBatch]:
        encoder, table, saved = self._saved.preprocessor.inputs, self._table, self._saved
        numbers, columns = _needed(saved, table, self._interval)
        typed = table.typing(numbers) if self._typed else None
        blocks: Iterable[pa.Table] = table.row_blocks(largest_block(saved), one_dictionary=self._one_dictionary)
        blocks = blocks if self._factor is None else _of_rows(blocks, BLOCK_ROWS)
        zones: dict[str, bool] = {}
        for cells in blocks:
            if not cells.num_rows:
                continue
            needed = table.numbers(cells.select(columns), numbers)
            known = cells_of_block(needed, numbers, saved.config.preprocess.missing_values)
            raw = raw_inputs(known, encoder, (), saved, table, zones)
            found = _predicted(saved, raw, known, table.name, self._factor, self._interval)
            self.columns = together(self.columns, found.columns)
            self.n_rows += cells.num_rows
            self.n_without += int(np.count_nonzero(found.dropped))
            whole = cells if typed is None else typed(cells)
            yield from _appended(whole, self.added, found, table).to_batches()


def _needed(saved: SavedModel, table: Table, interval: Asked | None) -> tuple[list[str], list[str]]:
    """The columns of numbers, and all columns, that predictions need: for intervals also that of the weights."""
    encoder = saved.preprocessor.inputs
    numbers, text = input_columns(encoder)
    own = weight_columns(saved, table.columns, (*numbers, *text)) if interval is not None else []
    return [*numbers, *own], [*encoder.columns, *(each for each in own if each not in encoder.columns)]


def _of_rows(blocks: Iterable[pa.Table], n_rows: int) -> Iterator[pa.Table]:
    """The same rows in blocks of `n_rows`, the last one of the rest."""
    held: list[pa.Table] = []
    for block in blocks:
        held.append(block)
        while sum(each.num_rows for each in held) >= n_rows:
            rows = pa.concat_tables(held)
            yield rows.slice(0, n_rows)
            held = [rows.slice(n_rows)]
    rest = pa.concat_tables(held) if held else None
    if rest is not None and rest.num_rows:
        yield rest


@dataclass(frozen=True)
class _Found:
    """The predictions for some rows.

    Attributes:
        values: predictions and, where asked for, both ends; each of shape (n_rows, n_targets).
        dropped: which rows have none, shape (n_rows,).
        columns: as `Predicted.columns`, of these rows.
    """

    values: list[Column]
    dropped: Mask
    columns: tuple[UsedColumn, ...]


def _predicted(
    saved: SavedModel,
    raw: Mapping[str, RawColumn],
    cells: Cells,
    path: str,
    factor: IntervalFactor | None,
    interval: Asked | None,
) -> _Found:
    """Predictions for rows as they were read.

    Raises:
        DataError: for cells that the config does not allow, or a prediction that overflows.
    """
    encoder = saved.preprocessor.inputs
    dropped = encoder.dropped(raw)
    rows = rows_where(~dropped)
    with messages_about(saved.config, saved.run.path), reporting(path):
        columns = encoder.encode(raw, rows, path, trained=True)
        predicted = saved.formula.predict(columns)
    values = [predicted]
    if interval is not None and factor is not None:
        weights = weights_in(saved, cells, rows, path)
        own = None if weights is None else np.where(dropped, np.nan, weights[slice(0, len(dropped))])
        values += ends(factor, saved.formula, columns, interval, own)
    overflow = ~np.isfinite(np.hstack(values)).all(axis=1) & ~dropped
    if overflow.any():
        row = int(np.argmax(overflow)) + 1
        what = "prediction" if not np.isfinite(predicted[row - 1]).all() else "interval"
        raise DataError(f"the {what} overflows float64", f"{path}, row {row}")
    return _Found(values, dropped, used_columns(raw, encoder, {}, rows))


def added_columns(saved: SavedModel, table: Table, interval: Asked | None) -> list[str]:
    """The names of the columns that are appended to a table."""
    endings = ("", *ENDS) if interval else ("",)
    names = prediction_names(saved.formula.targets, table.columns, endings)
    return [f"{name}{ending}" for name in names for ending in endings]


def _appended(cells: pa.Table, added: Sequence[str], found: _Found, table: Table) -> pa.Table:
    """Cells with the predictions, under the names of the file."""
    for position, name in enumerate(added):
        target, kind = divmod(position, len(found.values))
        cells = cells.append_column(name, to_arrow(found.values[kind][:, target], ~found.dropped))
    if table.written_columns != table.columns:
        cells = cells.rename_columns([*table.written_columns, *added])
    return cells


def prediction_names(targets: Sequence[str], taken: Sequence[str], endings: Sequence[str] = ("",)) -> list[str]:
    """Column names: `prediction`, or `prediction:<target>` for several targets; numbered if the table has the name.

    >>> prediction_names(["price"], ["sqft", "prediction"])
    ['prediction_2']
    """
    names: list[str] = []
    for target in targets:
        base = name = "prediction" if len(targets) == 1 else f"prediction:{target}"
        number = 2
        while {f"{name}{ending}" for ending in endings} & {*taken, *names}:
            name, number = f"{base}_{number}", number + 1
        names.append(name)
    return names
