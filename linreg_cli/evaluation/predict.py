"""A trained run applied to a table: the prediction columns appended, everything else passed through."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from linreg_cli.data.columns.arrow import to_arrow
from linreg_cli.data.columns.kinds import rows_where
from linreg_cli.data.summary import UsedColumn, used_columns
from linreg_cli.data.tables.blocks import cells_of
from linreg_cli.errors import DataError
from linreg_cli.evaluation.saved_model import SavedModel, input_columns, open_for, raw_inputs


@dataclass(frozen=True)
class Predicted:
    """A table with its predictions.

    Attributes:
        table: the table, the added columns last.
        added: their names.
        delimiter: between the cells of the table that was read, if it is a text file.
        columns: what was found in the columns that the model needs, and done to them.
    """

    table: pa.Table
    added: list[str]
    delimiter: str | None
    columns: tuple[UsedColumn, ...]


def predict_table(saved: SavedModel, path: str, *, typed: bool = False) -> Predicted:
    """The table with its predictions in original units.

    Columns are matched by name, in any order; columns that the model does not know pass through unchanged
    (of a text file, as the text that they are). The target may be absent. A row with a gap in a column whose gaps
    were dropped in training gets no prediction.

    Args:
        saved: the run.
        path: the table.
        typed: whether columns of a text file that hold numbers only become numbers, for a format with types.

    Raises:
        DataError: if a feature is missing, is not numeric where it should be, or holds what training did not allow,
            or a prediction is beyond the range of a float.
    """
    encoder = saved.preprocessor.inputs
    table = open_for(saved, path, encoder.columns)
    cells = table.read_all()
    numbers, _ = input_columns(encoder)
    needed = table.numbers(cells.select(list(encoder.columns)), numbers)
    known = cells_of(needed, numbers, saved.config.preprocess.missing_values)
    raw = raw_inputs(known, encoder, (), saved, path)
    dropped = encoder.dropped(raw)
    rows = rows_where(~dropped)
    predicted = saved.formula.predict(encoder.encode(raw, rows, path))
    overflow = ~np.isfinite(predicted).all(axis=1) & ~dropped
    if overflow.any():
        row = int(np.argmax(overflow)) + 1
        raise DataError("the prediction is too large for a floating-point number", f"{path}, row {row}")
    added = prediction_names(saved.formula.targets, table.columns)
    if typed:
        cells = table.typed(cells)
    for position, name in enumerate(added):
        cells = cells.append_column(name, to_arrow(predicted[:, position], ~dropped))
    return Predicted(cells, added, table.delimiter, used_columns(raw, encoder, {}, rows))


def prediction_names(targets: Sequence[str], taken: Sequence[str]) -> list[str]:
    """`prediction`, or `prediction:<target>` for several targets, with a number where the table has that name.

    >>> prediction_names(["price"], ["sqft", "prediction"])
    ['prediction_2']
    """
    names: list[str] = []
    for target in targets:
        base = name = "prediction" if len(targets) == 1 else f"prediction:{target}"
        number = 2
        while name in (*taken, *names):
            name, number = f"{base}_{number}", number + 1
        names.append(name)
    return names
