"""What is known of columns of numbers that come block by block: their ends, whole numbers, missing cells."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from linreg_cli.least_squares.decompositions import Array
from linreg_cli.statistics.facts import ColumnFacts

_NO_VALUE = float("inf"), float("-inf")


class NumberFacts:
    """Facts of columns of numbers, found for all columns of a block at once."""

    def __init__(self) -> None:
        self._ends: dict[str, tuple[float, float]] = {}
        self._not_whole, self._with_cells = set[str](), set[str]()
        self._missing, self._gaps = Counter[str](), Counter[str]()

    def add_cells(self, column: str, n_cells: int, n_missing: int, n_gaps: int) -> None:
        """Count cells of a block.

        Args:
            column: its name.
            n_cells: of it, in all rows.
            n_missing: those that are missing.
            n_gaps: those that are missing in train rows.
        """
        if n_missing < n_cells:
            self._with_cells.add(column)
        if n_missing:
            self._missing[column] += n_missing
            self._gaps[column] += n_gaps

    def add_values(self, columns: Sequence[str | None], values: Array) -> None:
        """Look at train rows.

        Args:
            columns: the name of each column; None for one that is not looked at.
            values: shape (n_columns, n_rows), at least one row; nan where a cell is missing.
        """
        # plus 0: among zeros of both signs, the one that is found depends on the blocks and on the processor
        lows, highs = ((ufunc.reduce(values, axis=1) + 0.0).tolist() for ufunc in (np.fmin, np.fmax))
        for column, low, high, of_column in zip(columns, lows, highs, values, strict=True):
            if column is None or low != low:  # nan: all cells are missing
                continue
            before = self._ends.get(column, _NO_VALUE)
            self._ends[column] = min(before[0], low), max(before[1], high)
            if column not in self._not_whole:
                present = of_column[~np.isnan(of_column)] if self._gaps[column] else of_column
                if not np.array_equal(present, np.rint(present)):
                    self._not_whole.add(column)

    def has_gaps(self, column: str) -> bool:
        """Whether a cell of a train row is missing, in a block so far."""
        return self._gaps[column] > 0

    def ends(self) -> dict[str, tuple[float, float]]:
        """Column -> the lowest and the highest value, of columns with a value."""
        return self._ends

    def added_to(self, facts: ColumnFacts) -> ColumnFacts:
        """What is known of a column otherwise, and what was found here."""
        column = facts.column
        low, high = self._ends.get(column, _NO_VALUE)
        return replace(
            facts,
            kind="number" if facts.kind == "empty" and column in self._with_cells else facts.kind,
            missing=facts.missing + self._missing[column],
            gaps=facts.gaps + self._gaps[column],
            low=min(facts.low, low),
            high=max(facts.high, high),
            whole=facts.whole and column not in self._not_whole,
        )
