"""Metrics of a saved model on another table, in the memory of a block of its rows."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from linreg_cli.data.assemble import assemble
from linreg_cli.data.columns.kinds import BLOCK_ROWS, Mask, RawColumn, Rows
from linreg_cli.data.columns.rows import row_blocks
from linreg_cli.data.dataset import SPLITS, Dataset
from linreg_cli.data.encoding.treatments import Treatment, as_trained, treatments
from linreg_cli.data.roles import RowWeights, checked_weights, weight_column
from linreg_cli.data.tables.blocks import NotInBlocksError, whole_says_more
from linreg_cli.data.tables.table import Cells, Table
from linreg_cli.evaluation.metrics import ErrorSums, Metrics, split_metrics
from linreg_cli.evaluation.predictions import predicted_blocks
from linreg_cli.evaluation.saved_model import SavedModel, input_columns, largest_block, raw_inputs
from linreg_cli.model import linear_layer
from linreg_cli.optim.losses import Loss, chunk_rows
from linreg_cli.optim.rows import TrainRows, sum_of_weights
from linreg_cli.optim.split_rows import Zeros, no_values, scaled


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
        TemporaryFileError: if there is no room for a temporary file that reading in blocks needs.
    """
    sums, n_rows = _Sums(saved), 0
    with whole_says_more():
        for dataset, n_read in _used_rows(saved, table):
            n_rows = n_read
            if dataset is not None:
                sums.add(dataset)
            del dataset  # before the next rows are read
    metrics = sums.metrics()
    return {**metrics, "dropped": n_rows - metrics["n"]} if n_rows > metrics["n"] else metrics


class _Sums:
    """What the metrics are made of, added up over the train split of one dataset after the other."""

    def __init__(self, saved: SavedModel) -> None:
        self._saved, self._dtype = saved, linear_layer(saved.model).weight.dtype
        self._loss, self._total, self._n_elements = Loss(saved.config.loss, saved.config.huber_delta), 0.0, 0.0
        self._errors = ErrorSums()
        self._most = chunk_rows(len(saved.preprocessor.features.columns))
        self._scaled, self._predicted = (
            _Regrouped(self._most, self._add_losses),
            _Regrouped(BLOCK_ROWS, self._add_errors),
        )
        self._zeros, self._wrong = no_values(saved.preprocessor), [~each for each in no_values(saved.preprocessor)]

    def add(self, dataset: Dataset) -> None:
        """Add rows.

        Raises:
            DataError: for a value that overflows the dtype of the model.
        """
        for _, rows in row_blocks(dataset.splits["train"], dataset.n_samples, self._most):
            zeros = no_values(self._saved.preprocessor)
            found = scaled(dataset, self._saved.preprocessor, rows, self._dtype, zeros)
            self._note(dataset, rows, zeros)
            weights = None if found.weight_n is None else found.weight_n.numpy()
            self._scaled.add(found.X_nd.numpy(), found.y_nk.numpy(), weights)
        for block, actual, predicted in predicted_blocks(self._saved.formula, dataset, dataset.splits["train"]):
            self._predicted.add(actual, predicted, dataset.weights_of(block))

    def metrics(self) -> Metrics:
        """The metrics of all rows.

        Raises:
            NotInBlocksError: if there are none, or a column that is zeros in the dtype, and should not be.
        """
        self._scaled.finish()
        self._predicted.finish()
        if not self._errors.n:
            raise NotInBlocksError("no row is used")
        if any((zeros & wrong).any() for zeros, wrong in zip(self._zeros, self._wrong, strict=True)):
            raise NotInBlocksError("a column is zeros")
        loss = self._loss.of_sum(self._total, self._n_elements)
        return split_metrics(self._saved.formula.targets, self._errors, loss)

    def _add_losses(self, *arrays: Any) -> None:
        X_nd, y_nk, weight_n = (None if each is None else torch.from_numpy(each) for each in arrays)
        assert X_nd is not None
        assert y_nk is not None
        self._total = self._loss.sum_over(self._saved.model, X_nd, y_nk, self._total, weight_n=weight_n)
        self._n_elements += sum_of_weights(TrainRows(X_nd, y_nk, weight_n)) * y_nk.shape[1]

    def _add_errors(self, actual: Any, predicted: Any, weights: Any) -> None:
        self._errors.add(actual, predicted, weights)

    def _note(self, dataset: Dataset, rows: Rows | slice, zeros: Zeros) -> None:
        """Note the columns that have had zeros only, and those of them that have had other values in the table."""
        scalings = self._saved.preprocessor.features, self._saved.preprocessor.targets
        for scaling, all_, wrong, own in zip(scalings, self._zeros, self._wrong, zeros, strict=True):
            all_ &= own
            for position in np.flatnonzero(all_ & ~wrong).tolist():
                alone = np.arange(len(own)) == position
                wrong[position] = scaling.first_fault(dataset, rows, self._dtype, alone) is not None


class _Regrouped:
    """Rows that come in blocks of any size and are handed on in blocks of one size; the last one has the rest.

    Args:
        n_rows: of a block.
        use: takes its arrays, which the next block overwrites.
    """

    def __init__(self, n_rows: int, use: Callable[..., None]) -> None:
        self._n_rows, self._use, self._filled = n_rows, use, 0
        self._held: list[npt.NDArray[Any] | None] = []

    def add(self, *arrays: npt.NDArray[Any] | None) -> None:
        """Take rows: arrays of one length, the first of them not None."""
        if not self._held:  # pages that are never written take no memory
            self._held = [
                None if each is None else np.empty((self._n_rows, *each.shape[1:]), each.dtype) for each in arrays
            ]
        at, count = 0, 0 if arrays[0] is None else len(arrays[0])
        while at < count:
            stop = min(count, at + self._n_rows - self._filled)
            end = self._filled + stop - at
            for place, values in zip(self._held, arrays, strict=True):
                if place is not None and values is not None:
                    place[self._filled : end] = values[at:stop]
            self._filled, at = end, stop
            if end == self._n_rows:
                self.finish()

    def finish(self) -> None:
        """Hand on what is left."""
        if self._filled:
            self._use(*(None if each is None else each[: self._filled] for each in self._held))
        self._filled = 0


def _used_rows(saved: SavedModel, table: Table) -> Iterator[tuple[Dataset | None, int]]:
    """The rows, encoded, block by block, and how many were read until then; None where no row of a block is used.

    Raises:
        DataError, NotInBlocksError: as `metrics_in_blocks`.
    """
    encoder, targets = saved.preprocessor.inputs, saved.formula.targets
    treated = _treated(saved, table.columns)
    numbers, text = input_columns(encoder)
    numbers = [*numbers, *weight_columns(saved, table.columns, (*numbers, *targets, *text))]
    zones: dict[str, bool] = {}
    n_read = 0
    for cells in table.cell_blocks([*numbers, *targets], text, largest=largest_block(saved)):
        if not cells.num_rows:
            continue
        raw = raw_inputs(cells, encoder, targets, saved, table, zones)
        n_read += cells.num_rows
        if _all_dropped(raw, treated, cells.num_rows):
            yield None, n_read
            continue
        block = assembled(saved, raw, table.name, table.columns)
        yield replace(block, weights=weights_in(saved, cells, block.splits["train"], table.name)), n_read


def _all_dropped(raw: Mapping[str, RawColumn], treated: Mapping[str, Treatment], n_rows: int) -> bool:
    """Whether a cell is missing in each row of a block, in a column whose missing cells drop the row."""
    dropped: Mask = np.zeros(n_rows, dtype=bool)
    for column, values in raw.items():
        if treated[column].missing == "drop" and values.n_missing:
            dropped |= values.missing()
    return bool(dropped.all())
