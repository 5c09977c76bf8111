"""Predictions of a saved model for a table: prediction columns are appended, all others pass through unchanged."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from linreg_cli.config.given import messages_about
from linreg_cli.data.columns.arrow import to_arrow
from linreg_cli.data.columns.kinds import rows_where
from linreg_cli.data.encoding.column_faults import reporting
from linreg_cli.data.summary import UsedColumn, used_columns
from linreg_cli.data.tables.blocks import cells_of
from linreg_cli.errors import DataError
from linreg_cli.evaluation.intervals import Asked, ends, load_factor
from linreg_cli.evaluation.saved_model import SavedModel, input_columns, open_for, raw_inputs

#: What the names of the ends of an interval have after that of the prediction.
ENDS = ("_low", "_high")


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
    numbers, _ = input_columns(encoder)
    needed = table.numbers(cells.select(list(encoder.columns)), numbers)
    known = cells_of(needed, numbers, saved.config.preprocess.missing_values)
    raw = raw_inputs(known, encoder, (), saved, table)
    dropped = encoder.dropped(raw)
    rows = rows_where(~dropped)
    with messages_about(saved.config, saved.run.path), reporting(path):
        columns = encoder.encode(raw, rows, path, trained=True)
        predicted = saved.formula.predict(columns)
    values = [predicted]
    if interval is not None and factor is not None:
        values += ends(factor, saved.formula, columns, interval)
    overflow = ~np.isfinite(np.hstack(values)).all(axis=1) & ~dropped
    if overflow.any():
        row = int(np.argmax(overflow)) + 1
        what = "prediction" if not np.isfinite(predicted[row - 1]).all() else "interval"
        raise DataError(f"the {what} overflows float64", f"{path}, row {row}")
    endings = ("", *ENDS) if interval else ("",)
    names = prediction_names(saved.formula.targets, table.columns, endings)
    added = [f"{name}{ending}" for name in names for ending in endings]
    if typed:
        cells = table.typed(cells, numbers)
    for position, name in enumerate(added):
        target, kind = divmod(position, len(endings))
        cells = cells.append_column(name, to_arrow(values[kind][:, target], ~dropped))
    if table.written_columns != table.columns:
        cells = cells.rename_columns([*table.written_columns, *added])
    return Predicted(cells, added, table.delimiter, used_columns(raw, encoder, {}, rows))


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
