"""The rows that an exported model is checked on: the run's own, as their cells are and as the run predicts them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from linreg_cli.addresses import is_address
from linreg_cli.config.data import InlineData, SyntheticData, TableData
from linreg_cli.data import load_dataset
from linreg_cli.data.columns.kinds import BLOCK_ROWS, Categories, Column, Numbers, RawColumn, rows_where
from linreg_cli.data.encoding.inputs import CategoryInput, Input
from linreg_cli.data.encoding.transform import forward
from linreg_cli.data.tables.blocks import NotInBlocksError, cells_of, cells_of_block
from linreg_cli.data.tables.table import Cells as TableCells
from linreg_cli.data.tables.table import Table
from linreg_cli.errors import DataError
from linreg_cli.evaluation.saved_model import SavedModel, input_columns, open_for, raw_inputs

#: Column -> its cells: float64 with nan where one is missing, or texts with None.
Cells = dict[str, npt.NDArray[np.generic]]

#: The most rows that a model is checked on; those at the beginning of the table.
MOST_ROWS = 500_000


@dataclass(frozen=True)
class CheckedRows:
    """Some rows of the run's table that have predictions.

    Attributes:
        cells: of the columns of the formula.
        features: X in original units, shape (n_rows, n_features).
        predictions: the run's own in original units, shape (n_rows, n_targets).
        targets: f(y), nan where it is missing, shape (n_rows, n_targets).
    """

    cells: Cells
    features: Column
    predictions: Column
    targets: Column


def own_rows(saved: SavedModel) -> Iterator[CheckedRows]:
    """The rows of the run's own table, block by block, up to `MOST_ROWS`.

    Raises:
        DataError: if the table is not there, or its cells cannot be used any more.
    """
    encoder, formula = saved.preprocessor.inputs, saved.formula
    table = open_for(saved, _source(saved), [*encoder.columns, *formula.targets])
    zones: dict[str, bool] = {}
    seen = 0
    for cells in _blocks(saved, table):
        raw = raw_inputs(cells, encoder, formula.targets, saved, table, zones)
        keep = rows_where(~encoder.dropped(raw))
        columns = encoder.encode(raw, keep, table.name, trained=True)
        taken = {each.column: _cells(each, raw[each.column])[keep] for each in encoder.sources}
        X_nd = np.column_stack([columns.take(name, keep) for name in formula.features])
        y_nk = np.column_stack([_numbers(raw[target])[keep] for target in formula.targets])
        yield CheckedRows(taken, X_nd, formula.predict(columns, keep), forward(formula.transform, y_nk))
        seen += cells.num_rows
        if seen >= MOST_ROWS:
            return


def _blocks(saved: SavedModel, table: Table) -> Iterator[TableCells]:
    """The cells of the columns of the model; a table that cannot be read block by block is one block."""
    encoder, marks = saved.preprocessor.inputs, saved.config.preprocess.missing_values
    numbers = [*input_columns(encoder)[0], *saved.formula.targets]
    names, started = [*encoder.columns, *saved.formula.targets], False
    try:
        for block in table.row_blocks():
            for start in range(0, block.num_rows, BLOCK_ROWS):
                part = table.numbers(block.slice(start, BLOCK_ROWS).select(names), numbers)
                cells = cells_of_block(part, numbers, marks)
                started = True
                yield cells
    except NotInBlocksError:
        if started:
            return  # the rows so far are rows of the run
        whole = table.numbers(table.read_all().select(names), numbers)
        yield cells_of(whole, numbers, marks)


def _source(saved: SavedModel) -> str | pa.Table:
    data = saved.config.data
    if isinstance(data, TableData):
        if is_address(data.path):
            raise DataError("the table is at an address, and is not downloaded for a check", saved.run.id)
        if not data.is_kept:
            raise DataError("the table came from standard input, and is not kept with a run", saved.run.id)
        return data.path
    if isinstance(data, InlineData):
        return pa.table(dict(zip(data.columns, zip(*data.rows, *data.test_rows, strict=True), strict=True)))
    if isinstance(data, SyntheticData):
        dataset = load_dataset(saved.config, saved.preprocessor.encoder)
        return pa.table(
            {name: dataset.columns[name][:] for name in (*saved.preprocessor.inputs.columns, *saved.formula.targets)}
        )
    raise DataError("the rows of a data frame are not kept with a run", saved.run.id)


def _numbers(raw: RawColumn) -> Column:
    assert isinstance(raw, Numbers)
    return raw.values[:]


def _cells(each: Input, raw: RawColumn) -> npt.NDArray[np.generic]:
    """Numbers with nan, or the levels of the model as texts with None where a cell is missing."""
    if isinstance(raw, Numbers):
        return _numbers(raw)
    assert isinstance(raw, Categories)
    assert isinstance(each, CategoryInput)
    codes = each.codes(Categories(raw.kind, np.arange(len(raw.levels), dtype=np.int32), raw.levels))[:]
    names = [each.levels[code] if code >= 0 else level for code, level in zip(codes, raw.levels, strict=True)]
    return np.array([*names, None], dtype=object)[raw.codes]
