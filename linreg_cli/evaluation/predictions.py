"""Predictions of a model for the rows of a dataset, block by block."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from linreg_cli.data.columns.arrow import release_unused, repeated, to_arrow
from linreg_cli.data.columns.kinds import BLOCK_ROWS, Column, Rows, take
from linreg_cli.data.columns.row_set import RowArray
from linreg_cli.data.columns.rows import as_slice, count, in_order, part, pick
from linreg_cli.data.dataset import Dataset
from linreg_cli.data.tables.write import write_table
from linreg_cli.evaluation.metrics import ErrorSums
from linreg_cli.evaluation.row_sample import split_samples
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
    for block, actual, predicted in predicted_blocks(formula, dataset, in_order(rows)):
        sums.add(actual, predicted, dataset.weights_of(block))
    return sums


def write_predictions(
    path: Path, formula: LinearFormula, dataset: Dataset, *, kept: str = "all", seed: int = 0
) -> dict[str, ErrorSums]:
    """Write `predictions.csv` (split, row, target, prediction), and sum the errors of each split in the same pass.

    Rows are numbered from 1; those of a split are in the order of the table. With several targets, the last two columns
    are `target:<name>` and `prediction:<name>` for each. With a single feature, `feature:<name>` is the last column, so
    that the fitted line can be drawn from the run folder alone. With weights of the rows, `weight` comes after it,
    scaled to mean 1 over the train split.

    Args:
        path: the file, written atomically.
        formula: the model.
        dataset: the rows and their splits.
        kept: the rows that the file has, as `evaluate.predictions`: `all`, `sample`, or `none`, which writes no file.
        seed: of the sample.

    Returns:
        split -> its errors, for each split that has rows; all of its rows, whatever the file has.

    Raises:
        StoreError: if the file cannot be written.
    """
    if kept == "none":
        return {split: summed_errors(formula, dataset, rows) for split, rows in dataset.splits.items() if len(rows)}
    sums: dict[str, ErrorSums] = {}

    def write(draft: Path) -> None:
        sums.clear()  # a repeated attempt begins at the first row
        lines = _Lines(formula.targets, dataset.features, weighted=dataset.weights is not None)
        found = _all(formula, dataset, lines, sums) if kept == "all" else _some(formula, dataset, lines, sums, seed)
        write_table(draft, ".csv", found)

    write_file(path, write, own=True)
    release_unused()
    return sums


class _Lines:
    """The lines of `predictions.csv` about some rows.

    Args:
        targets: their names.
        features: of the dataset.
        weighted: whether the rows have weights.
    """

    def __init__(self, targets: Sequence[str], features: Sequence[str], *, weighted: bool = False) -> None:
        self._targets, self._weighted = targets, weighted
        self._only = features[0] if len(features) == 1 else None

    def values(self, dataset: Dataset, rows: Rows | slice, actual: Column, predicted: Column) -> Column:
        """The numbers of the lines of some rows: targets, predictions, the single feature, the weight.

        Returns:
            Shape (n_rows, n_values).
        """
        weights = dataset.weights_of(rows)
        x = [] if self._only is None else [take(dataset.columns, self._only, rows)[:, None]]
        x += [] if weights is None else [weights[:, None]]
        return np.hstack([actual + 0.0, predicted, *x])  # no negative zero in a target

    def measures(self, values: Column) -> Column:
        """What has extremes: the values, and the residuals; shape (n_rows, n_measures)."""
        k = len(self._targets)
        with np.errstate(all="ignore"):
            own = values[:, :-1] if self._weighted else values
            return np.hstack([own, values[:, :k] - values[:, k : 2 * k]])

    @property
    def n_measures(self) -> int:
        """Columns of `measures`."""
        return 3 * len(self._targets) + (self._only is not None)

    def of(self, split: str, rows: RowArray, values: Column) -> pa.RecordBatch:
        """The lines.

        Args:
            split: the name of the split.
            rows: numbers of the rows, from 0.
            values: as `values`.
        """
        columns = {"split": repeated(split, len(rows)), "row": to_arrow(rows.astype(np.int64) + 1)}
        for position, target in enumerate(self._targets):
            suffix = f":{target}" if len(self._targets) > 1 else ""
            columns[f"target{suffix}"] = to_arrow(np.ascontiguousarray(values[:, position]))
            columns[f"prediction{suffix}"] = to_arrow(np.ascontiguousarray(values[:, len(self._targets) + position]))
        if self._only is not None:
            columns[f"feature:{self._only}"] = to_arrow(np.ascontiguousarray(values[:, 2 * len(self._targets)]))
        if self._weighted:
            columns["weight"] = to_arrow(np.ascontiguousarray(values[:, -1]))
        return pa.record_batch(columns)


def _all(
    formula: LinearFormula, dataset: Dataset, lines: _Lines, sums: dict[str, ErrorSums]
) -> Iterator[pa.RecordBatch]:
    """The lines of all rows, block by block; the errors of each block are added to `sums`."""
    for split, rows in dataset.splits.items():
        for block, actual, predicted in predicted_blocks(formula, dataset, in_order(rows)):
            sums.setdefault(split, ErrorSums()).add(actual, predicted, dataset.weights_of(block))
            numbers = pick(block, np.arange(len(actual)))
            yield lines.of(split, numbers, lines.values(dataset, block, actual, predicted))


def _some(
    formula: LinearFormula, dataset: Dataset, lines: _Lines, sums: dict[str, ErrorSums], seed: int
) -> Iterator[pa.RecordBatch]:
    """The lines of a sample, split by split; as `_all` where there are no more rows than a sample has."""
    sizes = {split: len(rows) for split, rows in dataset.splits.items()}
    samples = split_samples(sizes, lines.n_measures, seed, lines.measures)
    if not samples:
        yield from _all(formula, dataset, lines, sums)
    for split, sample in samples.items():
        first, rows = 0, in_order(dataset.splits[split])
        for block, actual, predicted in predicted_blocks(formula, dataset, rows):
            sums.setdefault(split, ErrorSums()).add(actual, predicted, dataset.weights_of(block))
            sample.add(first, lines.values(dataset, block, actual, predicted))
            first += len(actual)
        positions, values = sample.chosen()
        yield lines.of(split, pick(rows, positions), values)
