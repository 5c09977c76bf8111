"""The lines of `predictions.csv`, of rows that are in this process or in others.

Each process makes the lines of its rows, all at the same time: in memory up to 64 MiB, else in a temporary file. Rank 0
then asks for them piece by piece, in the order of the file.
"""

import contextlib
import io
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from linreg_cli.data.columns.arrow import repeated, to_arrow
from linreg_cli.data.columns.kinds import BLOCK_ROWS, Column, Rows, take
from linreg_cli.data.columns.row_file import LARGEST_ARRAY
from linreg_cli.data.columns.row_set import RowArray
from linreg_cli.data.columns.rows import as_slice, count, part, pick
from linreg_cli.data.dataset import Dataset
from linreg_cli.data.tables.write import write_table
from linreg_cli.errors import TemporaryFileError
from linreg_cli.evaluation.metrics import ErrorSums
from linreg_cli.model import LinearFormula
from linreg_cli.temporary import folder

if TYPE_CHECKING:  # several processes are rare
    from linreg_cli.ranks.group import Ranks

#: Bytes of lines that are sent at once.
PIECE = 2**22

#: Split -> its errors in each part that has rows of it, in the order of the parts.
Errors = dict[str, list[ErrorSums]]


class Lines:
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

    @property
    def n_values(self) -> int:
        """Columns of `values`."""
        return 2 * len(self._targets) + (self._only is not None) + self._weighted

    def of(self, split: str, rows: RowArray, values: Column) -> pa.RecordBatch:
        """The lines.

        Args:
            split: the name of the split.
            rows: numbers of the rows in the table, from 0.
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


def lines_of(formula: LinearFormula, dataset: Dataset) -> Lines:
    """The lines of a model's predictions for the rows of a dataset."""
    return Lines(formula.targets, dataset.features, weighted=dataset.weights is not None)


def merged_errors(found: Sequence[Errors]) -> Errors:
    """Those of several, one after the other."""
    errors = Errors()
    for each in found:
        for split, sums in each.items():
            errors.setdefault(split, []).extend(sums)
    return errors


def all_lines(formula: LinearFormula, dataset: Dataset, errors: Errors) -> Iterator[tuple[str, pa.RecordBatch]]:
    """(split, lines of some rows) of all rows that are here, split by split in the order of the table.

    Args:
        formula: the model.
        dataset: the rows and their splits.
        errors: filled in.
    """
    lines = lines_of(formula, dataset)
    for split in dataset.splits:
        for first, last in dataset.of_parts(_ends):
            sums = ErrorSums()
            for block, actual, predicted in predicted_blocks(formula, dataset, dataset.rows_of(split, first, last)):
                sums.add(actual, predicted, dataset.weights_of(block))
                numbers = pick(block, np.arange(len(actual))) + dataset.before
                yield split, lines.of(split, numbers, lines.values(dataset, block, actual, predicted))
            if sums.n:
                errors.setdefault(split, []).append(sums)


def _ends(dataset: Dataset, first: int, last: int) -> tuple[int, int]:
    """The first row of a part, and one past the last; `dataset` is not used."""
    return first, last


@dataclass(frozen=True, eq=False)
class LinesOfRanks:
    """As rank 0, the lines that several processes have made, each of its rows.

    Attributes:
        ranks: the processes.
        number: by which each holds its lines.
        header: the first line of the file.
        errors: of all rows.
        sizes: of each process, split -> bytes of its lines.
    """

    ranks: "Ranks"
    number: int
    header: bytes
    errors: Errors
    sizes: Sequence[Mapping[str, int]]

    def pieces(self, splits: Sequence[str]) -> Iterator[bytes]:
        """The bytes of the file, in pieces.

        Args:
            splits: their order in the file.
        """
        yield self.header
        starts = [0] * len(self.sizes)
        for split in splits:
            for rank, sizes in enumerate(self.sizes):
                stop = starts[rank] + sizes.get(split, 0)
                for start in range(starts[rank], stop, PIECE):
                    found = self.ranks.everywhere(_piece, self.number, rank, start, min(start + PIECE, stop))
                    yield found[rank]
                starts[rank] = stop

    def forget(self) -> None:
        """Let every process forget its lines."""
        self.ranks.everywhere(_forget, self.number)


def of_ranks(formula: LinearFormula, dataset: Dataset) -> LinesOfRanks | None:
    """The lines of a dataset whose rows several processes have, each of which makes its own; None of other datasets.

    Args:
        formula: the model.
        dataset: the rows and their splits.

    Raises:
        TemporaryFileError: if this process has no space for them.
        RankError: if another one has none.
    """
    held = dataset.held()
    if held is None:
        return None
    number = held.ranks.next_number()
    found = held.everywhere(_make, number, formula)
    errors = merged_errors([own for own, _ in found])
    return LinesOfRanks(held.ranks, number, _header(lines_of(formula, dataset)), errors, [sizes for _, sizes in found])


def _make(ranks: "Ranks", rows: int, number: int, formula: LinearFormula) -> tuple[Errors, dict[str, int]]:
    """In each process, make the lines of its rows; returns the errors, and the bytes of each split."""
    dataset, errors = ranks.held[rows], Errors()
    sizes, skipped = dict[str, int](), len(_header(lines_of(formula, dataset)))
    try:
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(tempfile.SpooledTemporaryFile(LARGEST_ARRAY, dir=folder()))
            for split, batch in all_lines(formula, dataset, errors):
                own = _csv(batch)[skipped:]
                sizes[split] = sizes.get(split, 0) + file.write(own)
            ranks.held[number] = file, stack.pop_all()
    except OSError as error:
        raise _no_file("written", error) from None
    return errors, sizes


def _piece(ranks: "Ranks", number: int, rank: int, start: int, stop: int) -> bytes:
    """In the process `rank`, some bytes of its lines; nothing in others."""
    if ranks.rank != rank:
        return b""
    file, _ = ranks.held[number]
    try:
        file.seek(start)
        found: bytes = file.read(stop - start)
    except OSError as error:
        raise _no_file("read back", error) from None
    return found


def _forget(ranks: "Ranks", number: int) -> None:
    """In each process, close the file of its lines."""
    _, stack = ranks.held.pop(number)
    stack.close()


def _no_file(what: str, error: OSError) -> TemporaryFileError:
    return TemporaryFileError(
        f"a temporary file with the lines of predictions.csv cannot be {what}: {error.strerror}; "
        "set TMPDIR to a folder on another disk",
        folder(),
    )


def _csv(batch: pa.RecordBatch) -> bytes:
    """A file with some lines."""
    text = io.BytesIO()
    write_table(text, ".csv", [batch])
    return text.getvalue()


def _header(lines: Lines) -> bytes:
    """The first line of a file."""
    return _csv(lines.of("", np.zeros(0, dtype=np.int64), np.zeros((0, lines.n_values))))
