"""One pass over a table, or a part of its rows, block by block: its statistics."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from linreg_cli.config.given import messages_about
from linreg_cli.config.schema import Config
from linreg_cli.data.columns.kinds import MISSING, Categories, Column, Mask, Numbers
from linreg_cli.data.dataset import SPLITS
from linreg_cli.data.tables.blocks import NotInBlocksError
from linreg_cli.data.tables.table import Cells
from linreg_cli.errors import DataError
from linreg_cli.statistics.canonical import canonical
from linreg_cli.statistics.derived import derived_terms
from linreg_cli.statistics.facts import TableStatistics, WeightFacts, keys_of
from linreg_cli.statistics.moments import Key, Moments, gap_of, level_of, target_of, value_of, without
from linreg_cli.statistics.opened import opened_source
from linreg_cli.statistics.source import Source

#: Rows of a block of moments: few enough to fit into the cache, enough to amortise the cost of a QR.
_BLOCK_ROWS = 8_192


@dataclass(frozen=True)
class Part:
    """Part I of N, of rows in order: rows (I - 1) n / N to I n / N of the n rows, rounded down; I counts from 1."""

    index: int
    of: int

    def rows(self, n_rows: int) -> tuple[int, int]:
        """The first row of the part, from 0, and one past the last.

        >>> [Part(index, 3).rows(10) for index in (1, 2, 3)]
        [(0, 3), (3, 6), (6, 10)]
        """
        return (self.index - 1) * n_rows // self.of, self.index * n_rows // self.of


WHOLE = Part(1, 1)


def measure(config: Config, part: Part = WHOLE) -> TableStatistics:
    """The statistics of the rows of a part of the table of a config.

    Args:
        config: the data, the split and the preprocessing.
        part: which rows.

    Raises:
        SettingError: for settings whose figures need all rows at once.
        DataError: for a table that cannot be read in blocks, or whose cells are not what the config says.
    """
    with messages_about(config):
        source = opened_source(config)
        n_rows = None if part.of == 1 else source.count()
        if n_rows is not None and part.of > n_rows:
            raise DataError(f"{part.of:,} parts are more than the {n_rows:,} rows; make fewer parts", source.table.name)
        bounds = None if n_rows is None else part.rows(n_rows)
        try:
            found = _Pass(source).over(source.blocks(bounds))
        except NotInBlocksError as error:
            raise source.not_in_blocks(error) from None
        if not found.n_rows:
            raise DataError("the table has no rows", source.table.name)
        table = source.identity() | {"n_rows": found.n_rows if n_rows is None else n_rows}
        found = replace(found, table=table, part=(part.index, part.of))
        return canonical(found) if part.of == 1 else found


class _Pass:
    """Sums up blocks of rows."""

    def __init__(self, source: Source) -> None:
        self._source = source
        names = (*source.columns, *(term.text for term in derived_terms(source.terms)))
        self._facts = {column: source.facts(column) for column in names}
        self._moments = Moments.none(())
        self._digest = hashlib.sha256()
        self._counts = dict.fromkeys(SPLITS, 0)
        self._n_rows = self._n_dropped = 0
        self._weights = None if source.data.weight is None else WeightFacts(source.data.weight)
        self._held: dict[Key, list[Column]] = {}
        self._held_weights: list[Column] = []
        self._n_held = 0

    def over(self, blocks: Iterator[tuple[int, Cells]]) -> TableStatistics:
        """The statistics of blocks of rows, each with the number of its first row."""
        for first, cells in blocks:
            self._add(first, cells)
        self._flush()
        columns = tuple(self._facts.values())
        moments = self._moments.joined(Moments.none(()), keys_of(columns))
        return TableStatistics(
            self._source.settings, {}, (1, 1), (self._digest.hexdigest(),), self._n_rows, self._n_dropped,
            self._counts, columns, moments, self._weights,
        )  # fmt: skip

    def _add(self, first: int, cells: Cells) -> None:
        source, n_rows = self._source, cells.num_rows
        raw = source.raw(cells, first)
        dropped: Mask = np.zeros(n_rows, dtype=bool)
        for column in source.dropping:
            if raw[column].n_missing:
                dropped |= raw[column].missing()
        split = source.split_of(cells, first, n_rows)
        for position, name in enumerate(SPLITS):
            self._counts[name] += int(np.count_nonzero(~dropped & (split == position)))
        self._n_rows += n_rows
        self._n_dropped += int(np.count_nonzero(dropped))
        source.refuse_gaps(raw, ~dropped, first)
        train = ~dropped & (split == 0)
        if self._weights is not None:
            weights = source.weights_of(cells, ~dropped, first)[train]
            self._weights = self._weights.with_weights(weights)
            self._held_weights.append(weights)
        made = source.derived(raw, ~dropped, first)
        of_numbers = {column: Numbers(each.values) for column, each in made.items() if each.values is not None}
        for column, values in (raw | of_numbers).items():
            if isinstance(values, Categories):
                self._see_category(column, values, train, ~dropped)
            else:
                self._see_numbers(column, values, train, first)
        for column, each in made.items():
            for missing, products in each.without:
                self._see_products(column, missing, products[train])
        self._n_held += int(np.count_nonzero(train))
        if self._n_held >= _BLOCK_ROWS:
            self._flush()

    def _see_numbers(self, column: str, values: Numbers, train: Mask, first: int) -> None:
        facts, cells = self._facts[column], values.values[:][train]
        if facts.role == "target":
            cells = self._source.transformed(column, cells, train, first)
        empty = np.isnan(cells)
        gaps = int(np.count_nonzero(empty))
        facts = facts.with_numbers(cells[~empty] if gaps else cells, values.n_missing, gaps)
        if facts.kind == "empty" and values.n_missing < len(values.values):
            facts = replace(facts, kind="number")
        self._facts[column] = facts
        self._hold(target_of(column) if facts.role == "target" else value_of(column), cells)
        if facts.role != "target":
            self._hold(gap_of(column), empty.astype(np.float64))

    def _see_products(self, column: str, missing: str, products: Column) -> None:
        """A feature in the train rows of a key of `Made.without`; elsewhere it is kept as 0."""
        here = ~np.isnan(products)
        if here.any():
            known = missing in self._facts[column].without
            self._facts[column] = self._facts[column].with_values(missing, products[here])
            if not known:
                self._source.refuse_products(self._facts[column])
            self._hold(without(column, missing), np.where(here, products, 0.0))

    def _see_category(self, column: str, values: Categories, train: Mask, used: Mask) -> None:
        codes, of_used, n_levels = values.codes[train], values.codes[used], len(values.levels)
        counts = np.bincount(codes[codes >= 0], minlength=n_levels).tolist()
        there = np.bincount(of_used[of_used >= 0], minlength=n_levels) > 0
        gaps = int(np.count_nonzero(codes == MISSING))
        found = (pair for pair, is_used in zip(zip(values.levels, counts, strict=True), there, strict=True) if is_used)
        facts = self._facts[column].with_levels(dict(found), values.n_missing, gaps)
        self._facts[column] = replace(facts, kind=values.kind if values.levels else facts.kind, is_category=True)
        self._source.refuse_levels(self._facts[column])
        for code, level in enumerate(values.levels):
            self._hold(level_of(column, level), (codes == code).astype(np.float64))
        self._hold(gap_of(column), (codes == MISSING).astype(np.float64))

    def _hold(self, key: Key, values: Column) -> None:
        """Keep a column of the block until there are enough rows for a QR; before its first block it was 0."""
        held = self._held.setdefault(key, [])
        if before := self._n_held - sum(map(len, held)):
            held.append(np.zeros(before))
        held.append(values)

    def _flush(self) -> None:
        """Add the rows that are held to the moments."""
        if not self._n_held:
            self._held, self._held_weights = {}, []
            return
        columns = {}
        for key, blocks in self._held.items():
            values = np.concatenate(blocks)
            values = np.append(values, np.zeros(self._n_held - len(values)))
            columns[key] = values
            self._digest.update("\0".join(key).encode())
            self._digest.update(np.ascontiguousarray(values).data)
        columns = {key: values for key, values in columns.items() if key[0] != "gap" or values.any()}
        weights = np.concatenate(self._held_weights) if self._held_weights else None
        if weights is not None:
            self._digest.update(np.ascontiguousarray(weights).data)
        block = Moments.of_rows(columns, weights)
        keys = tuple(dict.fromkeys((*self._moments.keys, *block.keys)))
        self._moments = self._moments.joined(block, keys)
        self._held, self._held_weights, self._n_held = {}, [], 0
