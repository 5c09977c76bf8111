"""Metrics of a saved model on another table, in the memory of a block of its rows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from linreg_cli.convergence.of_config import row_weights
from linreg_cli.data.assemble import assemble
from linreg_cli.data.columns.kinds import Column, Mask, RawColumn, Rows, row_numbers, take
from linreg_cli.data.dataset import SPLITS, Dataset
from linreg_cli.data.encoding.treatments import Treatment, as_trained, treatments
from linreg_cli.data.roles import RowWeights, checked_weights, weight_column
from linreg_cli.data.tables.blocks import NotInBlocksError
from linreg_cli.data.tables.table import Cells, Table
from linreg_cli.errors import DataError
from linreg_cli.evaluation.metrics import ErrorSums, Metrics, split_metrics
from linreg_cli.evaluation.predictions import predicted_blocks
from linreg_cli.evaluation.saved_model import SavedModel, input_columns, raw_inputs
from linreg_cli.model import linear_layer
from linreg_cli.optim.losses import CHUNK_ROWS, Loss
from linreg_cli.optim.rows import TrainRows, sum_of_weights

#: The name of the weights among the columns of a block.
_WEIGHTS = "\0weights"


def assembled(saved: SavedModel, raw: Mapping[str, RawColumn], path: str, available: Sequence[str]) -> Dataset:
    """The rows of another table, encoded as the train split was; those that are used are the train split.

    Args:
        saved: the model.
        raw: the columns as they were read.
        path: the table, for messages.
        available: its columns.

    Raises:
        DataError: for cells that the model cannot take, and if no row is left.
    """
    return assemble(
        path,
        raw,
        saved.formula.targets,
        saved.config,
        lambda kept: {**dict.fromkeys(SPLITS, kept[:0]), "train": kept},
        _treated(saved, available),
        saved.preprocessor.inputs,
    )


def weight_columns(saved: SavedModel, available: Sequence[str], numbers: Sequence[str]) -> list[str]:
    """The column of the weights, where the run has weights and another table has it; empty otherwise.

    Args:
        saved: the model.
        available: the columns of the table.
        numbers: those that are read as numbers anyway, among which it is not listed again.
    """
    if saved.preprocessor.weights is None:
        return []
    column = saved.preprocessor.weights[0]
    return [column] if column in available and column not in numbers else []


def weights_in(saved: SavedModel, cells: Cells, rows: Rows, name: str) -> RowWeights | None:
    """The weights of another table, scaled as those of the train split were; None: all are 1.

    Args:
        saved: the model.
        cells: of the table, with the column of the weights where it has one.
        rows: those that are used.
        name: the table, for messages.

    Raises:
        DataError: for a weight of such a row that is no finite number above 0.
    """
    if saved.preprocessor.weights is None:
        return None
    column, scale = saved.preprocessor.weights
    if column not in cells.numbers and column not in cells.others.column_names:
        return None
    found = weight_column(cells, column, saved.config.preprocess.missing_values, name)
    return replace(checked_weights(found, column, {"train": rows}, name), scale=scale)


def _treated(saved: SavedModel, available: Sequence[str]) -> dict[str, Treatment]:
    targets = treatments(saved.config.preprocess, (), saved.formula.targets, available)
    return targets | as_trained(saved.preprocessor.inputs.sources)


def metrics_in_blocks(saved: SavedModel, table: Table) -> Metrics:
    """The metrics, with `dropped` where rows were left out; the same bits as of the whole table at once.

    Sums over rows are added up in blocks of as many used rows as they are of a whole table.

    Raises:
        NotInBlocksError: for a table that must be read as a whole, or in which something is wrong.
    """
    preprocessor, dtype = saved.preprocessor, linear_layer(saved.model).weight.dtype
    loss, errors = Loss(saved.config.loss, saved.config.huber_delta), ErrorSums()
    total, n_elements, n_used, n_rows = 0.0, 0.0, 0, 0
    try:
        for dataset, n_read in _used_rows(saved, table):
            n_rows = n_read
            every = slice(0, dataset.n_samples)
            if not dataset.n_samples:
                continue
            n_used += dataset.n_samples
            X_nd, y_nk = (each.tensor(dataset, every, dtype) for each in (preprocessor.features, preprocessor.targets))
            weights = row_weights(dataset, every, dtype)
            total = loss.sum_over(saved.model, X_nd, y_nk, total, weight_n=weights)
            n_elements += sum_of_weights(TrainRows(X_nd, y_nk, weights)) * y_nk.shape[1]
            for block, actual, predicted in predicted_blocks(saved.formula, dataset, every):
                errors.add(actual, predicted, dataset.weights_of(block))
            del dataset, X_nd, y_nk, weights  # before the next rows are held
    except DataError as error:
        raise NotInBlocksError(str(error)) from None
    if not n_used:
        raise NotInBlocksError("no row is used")
    metrics = split_metrics(saved.formula.targets, errors, loss.of_sum(total, n_elements))
    return {**metrics, "dropped": n_rows - n_used} if n_rows > n_used else metrics


def _used_rows(saved: SavedModel, table: Table) -> Iterator[tuple[Dataset, int]]:
    """The used rows, encoded, `CHUNK_ROWS` at a time, and how many rows were read until then.

    Raises:
        DataError, NotInBlocksError: as `metrics_in_blocks`.
    """
    encoder, targets = saved.preprocessor.inputs, saved.formula.targets
    names, treated = (*encoder.features, *targets), _treated(saved, table.columns)
    numbers, text = input_columns(encoder)
    numbers = [*numbers, *weight_columns(saved, table.columns, (*numbers, *targets, *text))]
    has_weights = saved.preprocessor.weights is not None and saved.preprocessor.weights[0] in table.columns
    held_names = (*names, _WEIGHTS) if has_weights else names
    zones: dict[str, bool] = {}
    held: list[dict[str, Column]] = []
    n_held = n_read = 0

    def of(columns: Mapping[str, Column]) -> Dataset:
        n_rows = len(columns[names[0]])
        splits = {**dict.fromkeys(SPLITS, row_numbers(0, 0)), "train": row_numbers(0, n_rows)}
        found = Dataset(table.name, encoder.features, targets, columns, splits)
        if has_weights and saved.preprocessor.weights is not None:
            column, scale = saved.preprocessor.weights
            found = replace(found, weights=RowWeights(columns[_WEIGHTS], scale, column))
        return found

    for cells in table.cell_blocks([*numbers, *targets], text):
        if not cells.num_rows:
            continue
        raw = raw_inputs(cells, encoder, targets, saved, table, zones)
        n_read += cells.num_rows
        if _all_dropped(raw, treated, cells.num_rows):
            continue
        block = assembled(saved, raw, table.name, table.columns)
        used = block.splits["train"]
        held.append({name: take(block.columns, name, used) for name in names})
        weights = weights_in(saved, cells, used, table.name)
        if weights is not None:
            held[-1][_WEIGHTS] = weights.values[np.asarray(used)]
        n_held += len(used)
        while n_held >= CHUNK_ROWS:
            joined = _joined(held, held_names)
            held = [{name: values[CHUNK_ROWS:].copy() for name, values in joined.items()}]
            n_held -= CHUNK_ROWS
            yield of({name: values[:CHUNK_ROWS] for name, values in joined.items()}), n_read
    yield of(_joined(held, held_names)), n_read


def _joined(parts: Sequence[Mapping[str, Column]], names: Sequence[str]) -> dict[str, Column]:
    return {name: np.concatenate([np.zeros(0), *(part[name] for part in parts)]) for name in names}


def _all_dropped(raw: Mapping[str, RawColumn], treated: Mapping[str, Treatment], n_rows: int) -> bool:
    """Whether a cell is missing in each row of a block, in a column whose missing cells drop the row."""
    dropped: Mask = np.zeros(n_rows, dtype=bool)
    for column, values in raw.items():
        if treated[column].missing == "drop" and values.n_missing:
            dropped |= values.missing()
    return bool(dropped.all())
