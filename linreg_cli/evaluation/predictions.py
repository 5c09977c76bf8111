"""Predictions of a model for the rows of a dataset, block by block."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from linreg_cli.data.columns.arrow import repeated, to_arrow
from linreg_cli.data.columns.kinds import BLOCK_ROWS, Column, Rows, take
from linreg_cli.data.columns.rows import as_slice, count, in_order, part, pick
from linreg_cli.data.dataset import Dataset
from linreg_cli.data.tables.write import write_table
from linreg_cli.evaluation.metrics import ErrorSums
from linreg_cli.files import write_file
from linreg_cli.model import LinearFormula


def predicted_blocks(
    formula: LinearFormula, dataset: Dataset, rows: Rows | slice
) -> Iterator[tuple[Rows | slice, Column, Column]]:
    """Blocks of at most `BLOCK_ROWS` rows: (rows, actual, predicted).

    Both arrays have shape (rows of the block, n_targets), dtype float64, and are in original units.

    Args:
        formula: the model.
        dataset: with the columns.
        rows: positions in the table, in ascending order.
    """
    chosen = as_slice(rows)
    n_rows = count(chosen, dataset.n_samples)
    for start in range(0, n_rows, BLOCK_ROWS):
        block = part(chosen, start, min(start + BLOCK_ROWS, n_rows))
        actual = np.column_stack([take(dataset.columns, target, block) for target in formula.targets])
        yield block, actual, formula.predict(dataset.columns, block)


def summed_errors(formula: LinearFormula, dataset: Dataset, rows: Rows) -> ErrorSums:
    """The errors of the predictions for some rows, summed for the metrics.

    Args:
        formula: the model.
        dataset: with the columns.
        rows: positions in the table, at least one, in any order.
    """
    sums = ErrorSums()
    for _, actual, predicted in predicted_blocks(formula, dataset, in_order(rows)):
        sums.add(actual, predicted)
    return sums


def write_predictions(path: Path, formula: LinearFormula, dataset: Dataset) -> dict[str, ErrorSums]:
    """Write `predictions.csv` (split, row, target, prediction), and sum the errors of each split in the same pass.

    Rows are numbered from 1; those of a split are in the order of the table. With several targets, the last two columns
    are `target:<name>` and `prediction:<name>` for each. With a single feature, `feature:<name>` is the last column, so
    that the fitted line can be drawn from the run folder alone.

    Args:
        path: the file, written atomically.
        formula: the model.
        dataset: the rows and their splits.

    Returns:
        split -> its errors, for each split that has rows.

    Raises:
        StoreError: if the file cannot be written.
    """
    sums: dict[str, ErrorSums] = {}

    def write(draft: Path) -> None:
        sums.clear()  # a repeated attempt begins at the first row
        write_table(draft, ".csv", _batches(formula, dataset, sums))

    write_file(path, write, own=True)
    return sums


def _batches(formula: LinearFormula, dataset: Dataset, sums: dict[str, ErrorSums]) -> Iterator[pa.RecordBatch]:
    """The content of `predictions.csv`, block by block; the errors of each block are added to `sums`."""
    only = dataset.features[0] if len(dataset.features) == 1 else None
    for split, rows in dataset.splits.items():
        for block, actual, predicted in predicted_blocks(formula, dataset, in_order(rows)):
            sums.setdefault(split, ErrorSums()).add(actual, predicted)
            numbers = pick(block, np.arange(len(actual)))
            columns = {"split": repeated(split, len(numbers)), "row": to_arrow(numbers.astype(np.int64) + 1)}
            for position, target in enumerate(formula.targets):
                suffix = f":{target}" if len(formula.targets) > 1 else ""
                columns[f"target{suffix}"] = to_arrow(actual[:, position] + 0.0)  # no negative zero
                columns[f"prediction{suffix}"] = to_arrow(predicted[:, position])
            if only is not None:
                columns[f"feature:{only}"] = to_arrow(take(dataset.columns, only, block))
            yield pa.record_batch(columns)
