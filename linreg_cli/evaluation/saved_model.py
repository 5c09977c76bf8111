"""A run folder as the model that it holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from linreg_cli.config import Config
from linreg_cli.config.types import is_address
from linreg_cli.data import Preprocessor
from linreg_cli.data.columns.kinds import RawColumn
from linreg_cli.data.encoding.cells import category_column, number_column
from linreg_cli.data.encoding.encode import Encoder, NumberInput
from linreg_cli.data.tables.open import open_table, text_suffix
from linreg_cli.data.tables.table import Cells, Table, refuse_bad_names
from linreg_cli.errors import DataError, Fault, closest
from linreg_cli.model import LinearFormula, build_model, fold
from linreg_cli.runs.checkpoint import load_model
from linreg_cli.runs.config import config_of
from linreg_cli.runs.store import RunFolder


@dataclass(frozen=True)
class SavedModel:
    """The model of a finished run, and what belongs to it.

    Attributes:
        run: its folder.
        record: `run.json`.
        config: `config.yaml`.
        preprocessor: `preprocess.json`.
        model: `model.safetensors`, on the CPU.
        formula: both together, in original units.
    """

    run: RunFolder
    record: dict[str, Any]
    config: Config
    preprocessor: Preprocessor
    model: nn.Sequential
    formula: LinearFormula


def load_saved_model(run: RunFolder) -> SavedModel:
    """Read the model of a run.

    Raises:
        StoreError: if the run has no model, or one of its files is damaged.
    """
    record = run.record()
    config = config_of(run).config
    run.verify(record, "preprocess.json", "model.safetensors")
    values = run.read_json("preprocess.json")
    try:
        preprocessor = Preprocessor.from_json(values)
    except (ValueError, KeyError, TypeError) as error:
        raise run.damaged("preprocess.json", f"{type(error).__name__}: {error}") from None
    n_features, n_targets = len(preprocessor.features.columns), len(preprocessor.targets.columns)
    tensors = load_model(run, n_features, n_targets)
    model = build_model(n_features, n_targets, bias="0.bias" in tensors, dtype=tensors["0.weight"].dtype)
    model.load_state_dict(tensors)
    return SavedModel(run, record, config, preprocessor, model, fold(model, preprocessor))


def input_columns(encoder: Encoder) -> tuple[list[str], list[str]]:
    """The columns that are read as numbers, and those that are read as text."""
    numbers = [each.column for each in encoder.inputs if isinstance(each, NumberInput)]
    return numbers, [each.column for each in encoder.inputs if not isinstance(each, NumberInput)]


def raw_inputs(
    cells: Cells, encoder: Encoder, targets: Sequence[str], saved: SavedModel, path: str
) -> dict[str, RawColumn]:
    """The columns of another table, of the kinds that were learnt.

    Raises:
        DataError: if there is no row, or a column that should hold numbers does not.
    """
    if not cells.num_rows:
        raise DataError("the table has no rows", path)
    marks = saved.config.preprocess.missing_values
    raw: dict[str, RawColumn] = {}
    faults = []
    for each in (*encoder.inputs, *map(NumberInput, targets)):
        if isinstance(each, NumberInput):
            found = number_column(cells, each.column, marks, path)
            if isinstance(found, Fault):
                faults.append(found)
            else:
                raw[each.column] = found
        else:
            raw[each.column] = category_column(cells.column(each.column), marks, each.kind)
    if faults:
        raise DataError(faults)
    return raw


def open_for(saved: SavedModel, path: str, names: Sequence[str]) -> Table:
    """Open a table that a run is applied to, read as the run's own table was.

    Raises:
        DataError: if it lacks some of the columns `names`.
    """
    if is_address(path):
        raise DataError("only a config can name an address, with data.sha256; download the file", path)
    delimiter = getattr(saved.config.data, "delimiter", None) if text_suffix(path) else None
    marks = saved.config.preprocess.missing_values
    table = open_table(path, delimiter=delimiter, missing_values=marks)
    if delimiter is not None and not set(names) <= set(table.columns):
        usual = open_table(path, missing_values=marks)  # written by somebody else, with the delimiter of its suffix
        table = usual if set(names) <= set(usual.columns) else table
    lacking = [name for name in names if name not in table.columns]
    if lacking:
        near = {name: closest(name, table.columns) for name in lacking}
        named = ", ".join(name if near[name] is None else f"{name} (did you mean {near[name]!r}?)" for name in lacking)
        message = f"the run needs columns that the table lacks: {named}; it has {', '.join(table.columns)}"
        hint = table.hint("write the table as the run's own was written")
        raise DataError([Fault(message, path), *([Fault(hint, path)] if hint else [])])
    refuse_bad_names(table.columns, names, path)
    return table
