"""One pass over a table, or a part of its rows, block by block: its statistics."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from linreg_cli.config.given import messages_about
from linreg_cli.config.schema import Config
from linreg_cli.data.columns.arrow import release_unused
from linreg_cli.data.columns.kinds import MISSING, Categories, Column, Mask, Numbers, RawColumn, Rows
from linreg_cli.data.dataset import SPLITS
from linreg_cli.data.tables.blocks import NotInBlocksError, one_ahead
from linreg_cli.data.tables.table import Cells
from linreg_cli.errors import DataError
from linreg_cli.statistics.block_faults import size_faults
from linreg_cli.statistics.canonical import canonical
from linreg_cli.statistics.collected import Collected, RowsDigest
from linreg_cli.statistics.counting import ValueCounts
from linreg_cli.statistics.derived import derived_terms
from linreg_cli.statistics.facts import Plain, TableStatistics, WeightFacts, keys_of
from linreg_cli.statistics.moments import Moments, gap_of, level_of, target_of, value_of, without
from linreg_cli.statistics.number_facts import NumberFacts
from linreg_cli.statistics.opened import opened_source
from linreg_cli.statistics.refusals import refuse_width
from linreg_cli.statistics.source import Source

#: Rows of the factors of blocks that are joined at once.
_JOINED_ROWS = 512


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
        DataError: for a table that cannot be read in blocks, or whose cells are not what the config says or too large.
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
        self._moments, self._blocks = Moments.none(()), list[Moments]()
        self._digest = RowsDigest()
        self._counts = dict.fromkeys(SPLITS, 0)
        self._n_rows = self._n_dropped = 0
        self._weights = None if source.data.weight is None else WeightFacts(source.data.weight)
        self._rows, self._row_weights = Collected(), list[Column]()
        self._numbers = NumberFacts()
        self._value_counts = {
            column: ValueCounts() for column, facts in self._facts.items() if facts.histogram is not None
        }

    def over(self, blocks: Iterator[tuple[int, Cells]]) -> TableStatistics:
        """The statistics of blocks of rows, each with the number of its first row."""
        for first, cells, raw in one_ahead((first, cells, self._source.raw(cells, first)) for first, cells in blocks):
            self._add(first, cells, raw)
            del cells, raw  # what is needed of them was copied
            refuse_width(self._source.config, len(self._rows.keys), self._rows.n_rows)
            if self._rows.are_enough:
                self._sum_up()
        self._sum_up()
        for column in [*self._value_counts]:  # one after the other, for memory
            self._facts[column] = replace(self._facts[column], histogram=self._value_counts.pop(column).histogram())
        columns = tuple(self._numbers.added_to(facts) for facts in self._facts.values())
        moments = self._moments.joined(*self._blocks, keys=keys_of(columns))
        return TableStatistics(
            self._source.settings, {}, (1, 1), (self._digest.hexdigest(),), self._n_rows, self._n_dropped,
            self._counts, columns, moments, self._weights,
        )  # fmt: skip

    def _add(self, first: int, cells: Cells, raw: Mapping[str, RawColumn]) -> None:
        source, n_rows = self._source, cells.num_rows
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
        train = np.flatnonzero(~dropped & (split == 0))
        if self._weights is not None:
            weights = source.weights_of(cells, ~dropped, first)[train]
            self._weights = self._weights.with_weights(weights)
            self._row_weights.append(weights)
        made = source.derived(raw, ~dropped, first)
        of_numbers = {column: Numbers(each.values) for column, each in made.items() if each.values is not None}
        for column, values in {**raw, **of_numbers}.items():
            if isinstance(values, Categories):
                self._see_category(column, values, train, ~dropped)
            else:
                self._see_numbers(column, values, train, first)
        for column, each in made.items():
            for missing, products in each.without:
                self._see_products(column, missing, products[train])
        self._rows.end(len(train))

    def _see_numbers(self, column: str, values: Numbers, train: Rows, first: int) -> None:
        is_target = self._facts[column].role == "target"
        cells = self._rows.room(target_of(column) if is_target else value_of(column), len(train))
        if len(train) == len(values.values):
            cells[:] = values.values[:]
        else:  # no row is beyond the end: faster than the default mode
            np.take(values.values[:], train, out=cells, mode="clip")
        if is_target:
            cells[:] = self._source.transformed(column, cells, train, first)
        gaps = 0
        if (n_missing := values.n_missing) and (empty := np.isnan(cells)).any():
            gaps = int(np.count_nonzero(empty))
            if not is_target:
                self._rows.room(gap_of(column), len(train))[:] = empty
        self._numbers.add_cells(column, len(values.values), n_missing, gaps)

    def _see_products(self, column: str, missing: str, products: Column) -> None:
        """A feature in the train rows of a key of `Made.without`; elsewhere it is kept as 0."""
        here = ~np.isnan(products)
        if here.any():
            known = missing in self._facts[column].without
            self._facts[column] = self._facts[column].with_values(missing, products[here])
            if not known:
                self._source.refuse_products(self._facts[column])
            self._rows.room(without(column, missing), len(products))[:] = np.where(here, products, 0.0)

    def _see_category(self, column: str, values: Categories, train: Rows, used: Mask) -> None:
        codes, of_used, n_levels = values.codes[train], values.codes[used], len(values.levels)
        counts = np.bincount(codes[codes >= 0], minlength=n_levels).tolist()
        there = np.bincount(of_used[of_used >= 0], minlength=n_levels) > 0
        gaps = int(np.count_nonzero(codes == MISSING))
        found = (pair for pair, is_used in zip(zip(values.levels, counts, strict=True), there, strict=True) if is_used)
        facts = self._facts[column].with_levels(dict(found), values.n_missing, gaps)
        self._facts[column] = replace(facts, kind=values.kind if values.levels else facts.kind, is_category=True)
        self._source.refuse_levels(self._facts[column])
        for code, level in enumerate(values.levels):
            if counts[code]:
                np.equal(codes, code, out=self._rows.room(level_of(column, level), len(codes)))
        if gaps:
            self._rows.room(gap_of(column), len(codes))[:] = codes == MISSING

    def _sum_up(self) -> None:
        """Add the rows that were collected to the moments."""
        rows = self._rows
        if rows.n_rows:
            weights = np.concatenate(self._row_weights) if self._row_weights else None
            keys, values = rows.keys, rows.values[1:]
            self._numbers.add_values([key[1] if key[0] in ("value", "target") else None for key in keys], values)
            if faults := size_faults(self._numbers.ends(), self._source.table.name):
                raise DataError(faults)
            self._digest.add(["\0".join(key) for key in keys], values)
            if weights is not None:
                self._digest.add(["weights"], weights[None])
            of_numbers = [
                (key[1], each) for key, each in zip(keys, values, strict=True) if key[0] in ("value", "target")
            ]
            sorted_some = [self._look_at(column, each) for column, each in of_numbers]
            if any(sorted_some):
                release_unused()
            self._blocks.append(Moments.of_rows(keys, rows.values, weights))
            if sum(len(each.R) for each in self._blocks) >= _JOINED_ROWS:
                of_all = dict.fromkeys(key for each in (self._moments, *self._blocks) for key in each.keys)
                self._moments, self._blocks = self._moments.joined(*self._blocks, keys=tuple(of_all)), []
        rows.clear()
        self._row_weights = []

    def _look_at(self, column: str, train: Column) -> bool:
        """Add train rows of a column of numbers to its histogram, and to its moments without weights.

        Returns:
            As `ValueCounts.add`.
        """
        counts, plain = self._value_counts.get(column), self._facts[column].plain
        if counts is None and plain is None:
            return False
        present = train[~np.isnan(train)] if self._numbers.has_gaps(column) else train
        if plain is not None:
            self._facts[column] = replace(self._facts[column], plain=plain.joined(Plain.of(present)))
        return counts is not None and counts.add(present)
