"""`predictions.csv`, and the metrics of each split, in one pass over the rows."""

from collections.abc import Mapping
from pathlib import Path

from linreg_cli.data.columns.arrow import release_unused
from linreg_cli.data.columns.rows import between, count, in_order, pick
from linreg_cli.data.dataset import Dataset
from linreg_cli.data.tables.write import write_table
from linreg_cli.evaluation.metrics import ErrorSums
from linreg_cli.evaluation.prediction_lines import Errors, LinesOfRanks, all_lines, lines_of, merged_errors, of_ranks
from linreg_cli.evaluation.prediction_lines import predicted_blocks as predicted_blocks
from linreg_cli.evaluation.row_sample import SplitSample, split_samples
from linreg_cli.files import write_file
from linreg_cli.model import LinearFormula


def summed_errors(formula: LinearFormula, dataset: Dataset) -> dict[str, ErrorSums]:
    """The errors of the predictions for each split that has rows, summed for the metrics.

    Args:
        formula: the model.
        dataset: the rows and their splits.
    """
    return _summed(dataset, merged_errors(dataset.of_parts(_errors, formula)))


def _errors(dataset: Dataset, first: int, last: int, formula: LinearFormula) -> Errors:
    """The errors for the rows of a part."""
    found = Errors()
    for split in dataset.splits:
        sums = ErrorSums()
        for block, actual, predicted in predicted_blocks(formula, dataset, dataset.rows_of(split, first, last)):
            sums.add(actual, predicted, dataset.weights_of(block))
        if sums.n:
            found[split] = [sums]
    return found


def _summed(dataset: Dataset, errors: Errors) -> dict[str, ErrorSums]:
    """The sums over all parts, in their order."""
    found: dict[str, ErrorSums] = {}
    for split in dataset.splits:
        for sums in errors.get(split, ()):
            found.setdefault(split, ErrorSums()).merge(sums)
    return found


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
    release_unused()  # of what the rows were trained with
    if kept == "none":
        return summed_errors(formula, dataset)
    sizes = {split: len(rows) for split, rows in dataset.splits.items()}
    lines = lines_of(formula, dataset)
    samples = split_samples(sizes, lines.n_measures, seed, lines.measures) if kept == "sample" else {}
    if samples:
        errors = _some(path, formula, dataset, samples)
    elif (others := of_ranks(formula, dataset)) is not None:
        errors = _of_others(path, dataset, others)
    else:
        errors = Errors()

        def write(draft: Path) -> None:
            errors.clear()  # a repeated attempt begins at the first row
            write_table(draft, ".csv", (batch for _, batch in all_lines(formula, dataset, errors)))

        write_file(path, write, own=True)
    release_unused()
    return _summed(dataset, errors)


def _of_others(path: Path, dataset: Dataset, lines: LinesOfRanks) -> Errors:
    """Write the lines that each process has made of its rows."""

    def write(draft: Path) -> None:
        with open(draft, "wb") as file:
            file.writelines(lines.pieces([*dataset.splits]))

    write_file(path, write, own=True)
    lines.forget()
    return lines.errors


def _some(path: Path, formula: LinearFormula, dataset: Dataset, samples: Mapping[str, SplitSample]) -> Errors:
    """Write the lines of a sample of each split."""
    starts = _starts(dataset)
    found = dataset.of_parts(_sampled, formula, {split: sample.empty() for split, sample in samples.items()}, starts)
    for _, each in found:
        for split, sample in each.items():
            samples[split].merge(sample)
    lines = lines_of(formula, dataset)

    def write(draft: Path) -> None:
        chosen = ((split, *sample.chosen()) for split, sample in samples.items())
        rows = {split: in_order(dataset.splits[split]) for split in samples}
        write_table(draft, ".csv", (lines.of(split, pick(rows[split], at), values) for split, at, values in chosen))

    write_file(path, write, own=True)
    return merged_errors([errors for errors, _ in found])


def _starts(dataset: Dataset) -> dict[int, dict[str, int]]:
    """First row of each part -> for each split, how many of its rows come before."""
    firsts = (0,) if dataset.parts is None else dataset.parts.bounds
    rows = {split: in_order(each) for split, each in dataset.splits.items()}
    return {
        first: {split: count(between(each, 0, first), dataset.n_samples) for split, each in rows.items()}
        for first in firsts
    }


def _sampled(
    dataset: Dataset,
    first: int,
    last: int,
    formula: LinearFormula,
    samples: Mapping[str, SplitSample],
    starts: Mapping[int, Mapping[str, int]],
) -> tuple[Errors, dict[str, SplitSample]]:
    """The errors for the rows of a part, and what is sampled of them.

    Args:
        dataset: has the rows.
        first: of the part.
        last: one past its last row.
        formula: the model.
        samples: without rows.
        starts: as `_starts`.
    """
    errors, found, lines = Errors(), dict[str, SplitSample](), lines_of(formula, dataset)
    for split, sample in samples.items():
        sums, at = ErrorSums(), starts[dataset.before + first][split]
        found[split] = sample.empty()
        for block, actual, predicted in predicted_blocks(formula, dataset, dataset.rows_of(split, first, last)):
            sums.add(actual, predicted, dataset.weights_of(block))
            found[split].add(at, lines.values(dataset, block, actual, predicted))
            at += len(actual)
        if sums.n:
            errors[split] = [sums]
    return errors, found
