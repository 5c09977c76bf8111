"""The parts of dates of a table that is read block by block: texts that all differ are never in memory together."""

from collections.abc import Sequence

import numpy as np

from linreg_cli.config.terms import Term
from linreg_cli.data.columns.codes import narrow
from linreg_cli.data.columns.kinds import MISSING, Categories, Codes, Column, Numbers, RawColumn
from linreg_cli.data.columns.on_disk import NumberSink
from linreg_cli.data.encoding.date_values import date_columns, date_parts
from linreg_cli.data.tables.blocks import NotInBlocksError
from linreg_cli.data.tables.table import Table


def parts_in_blocks(
    table: Table, terms: Sequence[Term], missing_values: Sequence[str], memory_limit: int
) -> dict[str, RawColumn] | None:
    """The parts of dates that are features, as `date_parts` gives them for the whole columns.

    Args:
        table: that was opened.
        terms: the features.
        missing_values: cells that mean 'missing'.
        memory_limit: in bytes.

    Returns:
        None where the table cannot be read block by block, has no rows, or has a cell that is no date: the whole
        columns say what is wrong.

    Raises:
        TemporaryFileError: as `NumberSink.add`.
    """
    zones: dict[str, bool] = {}
    found = {term.text: _Part(term.text, term.part == "days", memory_limit) for term in terms if term.part is not None}
    n_rows = 0
    try:
        for cells in table.cell_blocks([], sorted(date_columns(terms))):
            if not cells.num_rows:
                continue
            parts, faults = date_parts(cells, terms, missing_values, table.name, zones)
            if faults:
                return None
            n_rows += cells.num_rows
            for text, values in parts.items():
                found[text].add(values)
    except NotInBlocksError:
        return None
    return {text: part.column() for text, part in found.items()} if n_rows else None


class _Part:
    """A part of dates, some rows after the other.

    Args:
        text: the feature.
        is_number: whether it is a number, and not a category.
        memory_limit: as for `NumberSink`.
    """

    def __init__(self, text: str, is_number: bool, memory_limit: int) -> None:
        self._text, self._is_number = text, is_number
        self._numbers = NumberSink([text], memory_limit)
        self._codes: list[Codes] = []
        self._levels: dict[str, int] = {}  # in order of first use

    def add(self, part: RawColumn) -> None:
        """Add rows, as `Dates.part` gives them."""
        if isinstance(part, Numbers):  # also of a category without a level
            values: Column = part.values[:]
            if self._is_number:
                self._numbers.add([values])
            else:
                self._codes.append(np.full(len(values), MISSING, dtype=np.int8))
            return
        own = [self._levels.setdefault(level, len(self._levels)) for level in part.levels]
        self._codes.append(narrow(np.array([*own, MISSING], dtype=np.int64)[part.codes], len(self._levels)))

    def column(self) -> RawColumn:
        """All rows."""
        if self._is_number:
            return Numbers(self._numbers.columns()[self._text])
        if not self._levels:
            self._numbers.add([np.full(sum(map(len, self._codes)), np.nan)])
            return Numbers(self._numbers.columns()[self._text])
        levels = sorted(self._levels, key=int)
        places = np.array([*(levels.index(level) for level in self._levels), MISSING], dtype=np.int64)
        codes = [narrow(places[each], len(levels)) for each in self._codes]
        return Categories("number", np.concatenate(codes), tuple(levels))
