"""The model of a run folder, and the columns of other tables that it is applied to."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from torch import nn

from linreg_cli.addresses import is_address
from linreg_cli.config import Config
from linreg_cli.config.data import TableData
from linreg_cli.config.formats import CSV_SUFFIXES
from linreg_cli.data import Preprocessor
from linreg_cli.data.columns.kinds import MISSING, Categories, RawColumn
from linreg_cli.data.encoding.cells import category_column, kind_of, number_column, with_cells
from linreg_cli.data.encoding.date_values import date_columns, date_parts
from linreg_cli.data.encoding.encode import Encoder
from linreg_cli.data.encoding.inputs import CategoryInput, Input, NumberInput
from linreg_cli.data.encoding.number_hints import merged_faults
from linreg_cli.data.encoding.treatments import Use
from linreg_cli.data.features import read_columns
from linreg_cli.data.opening import limit_in
from linreg_cli.data.tables.frame_table import open_frame
from linreg_cli.data.tables.location import locate
from linreg_cli.data.tables.open import open_table
from linreg_cli.data.tables.table import Cells, Table, refuse_bad_names
from linreg_cli.data.tables.text_format import TextFormat
from linreg_cli.errors import DataError, Fault, closest
from linreg_cli.lookalike import difference, in_ascii, normal, same_appearance
from linreg_cli.model import LinearFormula, build_model, fold
from linreg_cli.runs.checkpoint import load_model
from linreg_cli.runs.config import config_of
from linreg_cli.runs.store import RunFolder

#: The most columns that a message names; the others are counted.
_NAMED = 20
#: Of `data.memory_limit`, a block of rows is at most one part in so many: some of its copies are there at once.
_BLOCKS_IN_LIMIT = 16


@dataclass(frozen=True)
class SavedModel:
    """The model of a finished run with everything that applying it needs.

    Attributes:
        run: the run folder.
        record: the content of `run.json`.
        config: the resolved config, from `config.yaml`.
        preprocessor: encoding and scaling as fitted on the train split, from `preprocess.json`.
        model: nn.Sequential(nn.Linear) in scaled units and the training dtype, on the CPU, from `model.safetensors`.
        formula: preprocessor and model folded into y = X w + b in original units, float64.
    """

    run: RunFolder
    record: dict[str, Any]
    config: Config
    preprocessor: Preprocessor
    model: nn.Sequential
    formula: LinearFormula


def load_saved_model(run: RunFolder) -> SavedModel:
    """Load the model of a run.

    Raises:
        StoreError: if the run has no model, or one of its files is damaged or was changed.
    """
    record = run.record()
    config = config_of(run).config
    run.verify(record, "preprocess.json", "model.safetensors")
    values = run.read_json("preprocess.json")
    try:
        preprocessor = Preprocessor.from_json(_normal_texts(values))
    except (ValueError, KeyError, TypeError) as error:
        raise run.damaged("preprocess.json", f"{type(error).__name__}: {error}") from None
    n_features, n_targets = len(preprocessor.features.columns), len(preprocessor.targets.columns)
    tensors = load_model(run, n_features, n_targets)
    model = build_model(n_features, n_targets, bias="0.bias" in tensors, dtype=tensors["0.weight"].dtype)
    model.load_state_dict(tensors)
    return SavedModel(run, record, config, preprocessor, model, fold(model, preprocessor))


def _normal_texts(value: Any) -> Any:
    """A value of JSON with its texts in Unicode's normal form C, in which names and levels are compared."""
    if isinstance(value, dict):
        return {normal(key): _normal_texts(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_normal_texts(each) for each in value]
    return normal(value) if isinstance(value, str) else value


def input_columns(encoder: Encoder) -> tuple[list[str], list[str]]:
    """The columns that are read as numbers, and the columns that are read as text, as dates are."""
    used = read_columns(encoder.terms)
    own = [each for each in encoder.sources if used[each.column] == each.column]
    numbers = [each.column for each in own if isinstance(each, NumberInput)]
    text = [each.column for each in own if not isinstance(each, NumberInput)]
    return numbers, [*text, *sorted(date_columns(encoder.terms).difference(numbers, text))]


def raw_inputs(
    cells: Cells,
    encoder: Encoder,
    targets: Sequence[str],
    saved: SavedModel,
    table: Table,
    zones: dict[str, bool] | None = None,
) -> dict[str, RawColumn]:
    """The columns of another table, with the kinds that they had in training, and the parts of its dates.

    Args:
        cells: of the table, with the columns of the encoder and the targets.
        encoder: as fitted on the train split.
        targets: names of the targets, which are numbers.
        saved: the model, whose config says which cells count as missing.
        table: the table.
        zones: as `date_parts`, where the cells are a block of the table.

    Raises:
        DataError: if there are no rows, or a column that should contain numbers does not; one fault per column.
    """
    if not cells.num_rows:
        raise DataError("the table has no rows", table.name)
    marks = saved.config.preprocess.missing_values
    raw: dict[str, RawColumn] = {}
    source = table.as_text()
    faults: dict[str, Fault] = {}
    used = read_columns(encoder.terms)
    for each in (*encoder.sources, *map(NumberInput, targets)):
        if used.get(each.column, each.column) != each.column:
            continue  # a part of a date
        if isinstance(each, NumberInput):
            found = number_column(cells, each.column, marks, table.name, source)
            if isinstance(found, Fault):
                faults[each.column] = found
            else:
                raw[each.column] = found
        else:
            raw[each.column] = category_column(
                cells.column(each.column), marks, kind_of(cells.column(each.column).type)
            )
    parts, more = date_parts(cells, encoder.terms, marks, table.name, zones)
    kinds = {each.column: each for each in encoder.sources}
    parts = {name: _of_kind(values, kinds.get(name)) for name, values in parts.items()}
    if faults or more:
        uses: dict[str, Use] = dict.fromkeys(
            (*(column for column in raw if column in cells.numbers), *faults), "trained"
        )
        raise DataError([*merged_faults(faults, cells, marks, table.name, uses, source), *more])
    return with_cells(raw | parts, table, used)


def _of_kind(part: RawColumn, trained: Input | None) -> RawColumn:
    """A part of dates as it was in training; where all dates are missing it has no levels."""
    if isinstance(part, Categories) or not isinstance(trained, CategoryInput):
        return part
    return Categories("number", np.full(len(part.values), MISSING, dtype=np.int32), ())


def open_for(saved: SavedModel, source: str | pa.Table, names: Sequence[str]) -> Table:
    """Open a table that a saved model is applied to, with the delimiter and the missing values of its config.

    Args:
        saved: the model.
        source: the path of the table, or the rows of a data frame.
        names: the columns that are needed.

    Raises:
        DataError: if the table cannot be opened or lacks some of `names`.
    """
    marks = saved.config.preprocess.missing_values
    table = _opened(saved, source, names) if isinstance(source, str) else open_frame(source, marks)
    columns = frozenset(table.columns)
    lacking = [name for name in names if name not in columns]
    if lacking:
        near = {name: closest(name, table.columns) for name in lacking[:_NAMED]}
        named = [f"{name}{_guess(name, guess, table.columns)}" for name, guess in near.items()]
        message = f"the table lacks columns that the run needs: {_listed(named, len(lacking))}; it has "
        message += _listed(table.columns[:_NAMED], len(table.columns))
        hint = table.hint()
        raise DataError([*([hint] if hint else []), Fault(message, table.name)])
    refuse_bad_names(table.columns, names, table.name, table.written_columns)
    return table


def largest_block(saved: SavedModel) -> int | None:
    """Bytes of a block of rows that a saved model is applied to, at most; None: without `data.memory_limit`.

    A sum over rows must not depend on it.
    """
    limit = limit_in(saved.config.data)
    return None if limit is None else limit // _BLOCKS_IN_LIMIT


def _opened(saved: SavedModel, path: str, names: Sequence[str]) -> Table:
    if is_address(path):
        raise DataError(
            "an http(s) address is allowed only in a config, with data.sha256; download the file first", path
        )
    data, marks = saved.config.data, saved.config.preprocess.missing_values
    format_ = data.format if isinstance(data, TableData) and path == data.path else None
    text, suffix = TextFormat(of_run=True), locate(path, format_).suffix
    if isinstance(data, TableData) and suffix in CSV_SUFFIXES:
        text = TextFormat(data.delimiter, data.decimal, data.thousands, data.encoding, of_run=True, units=data.units)
    opened = functools.partial(
        open_table, path, missing_values=marks, format_=format_, memory_limit=limit_in(saved.config.data)
    )
    table = opened(text=text)
    other = suffix in CSV_SUFFIXES and text.delimiter is not None and CSV_SUFFIXES[suffix] != text.decimal
    if other and not set(names) <= set(table.columns):
        # it may have the delimiter that is usual for its suffix
        usual = opened(text=replace(text, delimiter=None))
        table = usual if set(names) <= set(usual.columns) else table
    return table


def _guess(name: str, guess: str | None, columns: Sequence[str]) -> str:
    if same := same_appearance(name, columns):
        return f" ({in_ascii(same)} looks the same: {difference(same, name)})"
    return "" if guess is None else f" (did you mean {guess!r}?)"


def _listed(names: Sequence[str], count: int) -> str:
    """The first names of `count`, and how many there are more."""
    return ", ".join(names) + (f" and {count - len(names):,} more" if count > len(names) else "")
