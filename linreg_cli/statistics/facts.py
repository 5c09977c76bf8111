"""What is kept of a table, or of a part of its rows: moments, and what is known of each column."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from linreg_cli.data.columns.kinds import Column
from linreg_cli.statistics.moments import Key, Moments, gap_of, level_of, target_of, value_of, without
from linreg_cli.statistics.quantiles import Histogram


@dataclass(frozen=True)
class Plain:
    """The moments of cells of train rows, none missing, each with the weight 1, where rows have others.

    Attributes:
        count: of the cells.
        mean: of them.
        squares: the sum of squares about the mean.
        rest: what `mean` lacks. Where it is large, its rounding error is no small part of the difference of two means.
    """

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    rest: float = 0.0

    @classmethod
    def of(cls, values: Column) -> "Plain":
        """Those of some values, shape (n_values,)."""
        if not len(values):
            return cls()
        mean = float(values[0] + np.mean(values - values[0]))
        away = values - mean
        rest = float(np.mean(away))
        return cls(len(values), mean, float(np.sum((away - rest) ** 2)), rest)

    def joined(self, other: "Plain") -> "Plain":
        """Those of the cells of both."""
        count = self.count + other.count
        if not (self.count and other.count):
            return self if self.count else other
        away, share = (other.mean - self.mean) + (other.rest - self.rest), other.count / count
        shift = self.rest + away * share
        mean, squares = self.mean + shift, self.squares + other.squares + away**2 * self.count * share
        return Plain(count, mean, squares, (self.mean - mean) + shift)


@dataclass(frozen=True)
class WeightFacts:
    """What is known of the weights of train rows, in the unit of the table.

    Attributes:
        column: its name.
        low: the lowest one; infinite without any.
        logs: the sum of their logarithms.
    """

    column: str
    low: float = float("inf")
    logs: float = 0.0

    def with_weights(self, train: Column) -> "WeightFacts":
        """Those with the weights of more rows, shape (n_rows,)."""
        return self.joined(WeightFacts(self.column, float(train.min(initial=np.inf)), float(np.sum(np.log(train)))))

    def joined(self, other: "WeightFacts") -> "WeightFacts":
        """Those of the rows of both."""
        return WeightFacts(self.column, min(self.low, other.low), self.logs + other.logs)

    def scaled(self, scale: float, n_rows: int) -> "WeightFacts":
        """Those of the weights of n_rows rows times a number."""
        return WeightFacts(self.column, self.low * scale, self.logs + n_rows * math.log(scale))


@dataclass(frozen=True, eq=False)
class ColumnFacts:
    """What is known of a column of the table, over the rows that were read.

    Attributes:
        column: its name.
        role: `feature`, `target`, or `source` for a column that features are made of and that is none.
        kind: `number`, or for a category `text`, `boolean` or `number`; `product` for a feature that is made of
            categories; `empty` for a column without a cell so far.
        is_category: whether it is a category.
        missing: missing cells, of all rows.
        gaps: missing cells of train rows.
        low: the lowest value of the train rows; infinite without one.
        high: the highest.
        whole: whether all of them are whole numbers.
        levels: level -> train rows that have it; a level of held-out rows alone has 0. Of a product the keys of
            `without`.
        histogram: of the train rows, for a median; None where the config asks for none.
        without: of a feature that is made of columns, the keys of `derived.Made.without` -> the lowest and the highest
            value in the train rows that these are of.
        plain: moments of the train rows; None where the rows have no weights, since these are in `Moments`.
    """

    column: str
    role: str
    kind: str
    is_category: bool
    missing: int = 0
    gaps: int = 0
    low: float = float("inf")
    high: float = float("-inf")
    whole: bool = True
    levels: Mapping[str, int] = field(default_factory=dict)
    histogram: Histogram | None = None
    plain: Plain | None = None
    without: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def with_levels(self, levels: Mapping[str, int], missing: int, gaps: int) -> "ColumnFacts":
        """The facts with a block of a category; the arguments as in the attributes."""
        return replace(self, levels=_summed(self.levels, levels), missing=self.missing + missing, gaps=self.gaps + gaps)

    def with_values(self, missing: str, train: Column) -> "ColumnFacts":
        """The facts with values of `derived.Made.without`, at least one, shape (n_values,)."""
        levels, whole = self.levels, self.whole
        if self.kind == "product":
            levels, whole = (
                _summed(levels, {missing: len(train)}),
                whole and bool(np.array_equal(train, np.rint(train))),
            )
        # + 0.0: which zero numpy finds among those of both signs is chance
        ends = _widened(self.without, {missing: (float(train.min()) + 0.0, float(train.max()) + 0.0)})
        return replace(self, levels=levels, without=ends, whole=whole)

    def joined(self, other: "ColumnFacts") -> "ColumnFacts":
        """The facts of the rows of both, which have one kind."""
        histogram = self.histogram
        if histogram is not None and other.histogram is not None:
            histogram = histogram.joined(other.histogram)
        plain = self.plain if self.plain is None or other.plain is None else self.plain.joined(other.plain)
        return replace(
            self,
            kind=other.kind if self.kind == "empty" else self.kind,
            is_category=self.is_category or other.is_category,
            missing=self.missing + other.missing,
            gaps=self.gaps + other.gaps,
            low=min(self.low, other.low),
            high=max(self.high, other.high),
            whole=self.whole and other.whole,
            levels=_summed(self.levels, other.levels),
            histogram=histogram,
            plain=plain,
            without=_widened(self.without, other.without),
        )

    def name_of(self, level: str) -> str:
        """A level as the encoding names it."""
        return level.lower() if self.kind == "boolean" else level

    @property
    def keys(self) -> tuple[Key, ...]:
        """The columns of `Moments` that it is kept as."""
        if self.role == "target":
            return (target_of(self.column),)
        made = (*(without(self.column, key) for key in sorted(self.without)),)
        if self.kind == "product":
            return made
        gaps = (gap_of(self.column),) if self.gaps else ()
        if self.is_category:
            return (*(level_of(self.column, level) for level, count in sorted(self.levels.items()) if count), *gaps)
        return (value_of(self.column), *gaps, *made)

    def largest(self, key: Key) -> float:
        """The largest absolute value of one of `keys`; 0 for an indicator, whose values are exact."""
        ends = self.without[key[2]] if key[0] == "without" else (self.low, self.high)
        of_numbers = key[0] in ("value", "target", "without") and np.isfinite(ends).all()
        return max(map(abs, ends)) if of_numbers else 0.0


def _widened(
    one: Mapping[str, tuple[float, float]], other: Mapping[str, tuple[float, float]]
) -> dict[str, tuple[float, float]]:
    ends = {key: (*one.get(key, ()), *other.get(key, ())) for key in sorted({*one, *other})}
    return {key: (min(values), max(values)) for key, values in ends.items()}


def _summed(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {level: one.get(level, 0) + other.get(level, 0) for level in sorted({*one, *other})}


@dataclass(frozen=True, eq=False)
class TableStatistics:
    """The statistics of a table, or of a part of its rows.

    Attributes:
        settings: dotted key of the config -> value, as far as the figures depend on it.
        table: what identifies the table: its name, its columns, its number of rows (None: one part, not counted
            before), and a digest of its files' ends and sizes.
        part: I and N of `--part I/N`; (1, 1) for the whole table, also where it was merged.
        digests: SHA-256 of the rows that each part has read, in the order of the parts.
        n_rows: rows that were read.
        n_dropped: those that were dropped because a cell is missing.
        splits: split -> rows.
        columns: what is read for the features, the targets, then the features that are made of columns.
        moments: of the train rows, weighted as they are.
        weights: of the train rows; None: all are 1.
    """

    settings: Mapping[str, Any]
    table: Mapping[str, Any]
    part: tuple[int, int]
    digests: tuple[str, ...]
    n_rows: int
    n_dropped: int
    splits: Mapping[str, int]
    columns: tuple[ColumnFacts, ...]
    moments: Moments
    weights: WeightFacts | None = None

    @property
    def features(self) -> tuple[ColumnFacts, ...]:
        """The facts of the features."""
        return tuple(each for each in self.columns if each.role == "feature")

    @property
    def targets(self) -> tuple[ColumnFacts, ...]:
        """The facts of the targets."""
        return tuple(each for each in self.columns if each.role == "target")

    @property
    def n_train(self) -> int:
        """Rows of the train split."""
        return self.splits["train"]


def keys_of(columns: Sequence[ColumnFacts]) -> tuple[Key, ...]:
    """The columns of `Moments` of some columns, in order; the targets are last, as in [1 X y]."""
    ordered = sorted(columns, key=lambda each: each.role == "target")
    return tuple(key for each in ordered for key in each.keys)
