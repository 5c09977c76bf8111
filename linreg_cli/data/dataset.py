"""Named numeric columns with their splits, the same for every source of data."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from linreg_cli.data.columns.digest import Digest
from linreg_cli.data.columns.kinds import BLOCK_ROWS, Codes, EncodedColumns, Numbers, RawColumn
from linreg_cli.data.columns.kinds import Column as Column
from linreg_cli.data.columns.kinds import Rows as Rows
from linreg_cli.data.columns.moments import Moments
from linreg_cli.data.columns.rows import between, in_order, in_turn, values_in_turn
from linreg_cli.data.encoding.derived import DerivedInput
from linreg_cli.data.encoding.encode import Encoder
from linreg_cli.data.encoding.inputs import Input
from linreg_cli.data.encoding.treatments import Treatment
from linreg_cli.data.roles import RowWeights
from linreg_cli.data.summary import DataSummary

if TYPE_CHECKING:  # shards are rare, and torch takes time
    from linreg_cli.ranks.parts import Held, Parts

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Dataset:
    """The rows of one run, in original units.

    Attributes:
        name: the path or the kind of source, for messages.
        features: names of the model's inputs, in order; `column=level` for an indicator.
        targets: names of the columns to predict.
        columns: name -> float64 values, shape (n_samples,); finite in the rows of the splits.
        splits: `train`, `validation` and `test` -> row numbers from 0. A split may be empty; a dropped row is in none.
        encoder: how the columns of the table became inputs; None for numbers that were not encoded.
        raw: the columns as they were read, for encoding them again; None if there is nothing to encode.
        summary: what was found in the table and done to it; None for data that is not from a table.
        treated: column of the table -> what the config says about it.
        digest: the fingerprint, where rows were not read; None: it is computed from them.
        known: column -> its moments in the train split, of a transformed target in its units, where rows were not read.
        clusters: that of each row of the table, as `Roles.clusters`; None without `evaluate.cluster`.
        weights: of the rows of the table, with mean 1 over the train split; None: all are 1.
        parts: by which sums over rows are added up, perhaps by several processes; None: all rows are one part.
        before: rows of the table before the first one here, where other processes have them; numbers of rows in
            `splits` and in the columns are those here.
    """

    name: str
    features: tuple[str, ...]
    targets: tuple[str, ...]
    columns: Mapping[str, Column]
    splits: Mapping[str, Rows]
    encoder: Encoder | None = None
    raw: Mapping[str, RawColumn] | None = None
    summary: DataSummary | None = None
    treated: Mapping[str, Treatment] = field(default_factory=dict)
    digest: str | None = None
    known: Mapping[str, Moments] = field(default_factory=dict)
    clusters: Codes | None = None
    weights: RowWeights | None = None
    parts: "Parts | None" = None
    before: int = 0

    def of_parts(self, function: Callable[..., Any], *arguments: Any) -> list[Any]:
        """What a function gives for each part of the rows of the table that has some, in their order.

        Where several processes have the rows, each calls it with a dataset of those that it has.

        Args:
            function: (dataset, first row, one past the last, *arguments) -> anything; at the top of a module, and
                without effects. Rows are numbers of that dataset, to which `before` is added for those of the table.
            arguments: few numbers, since other processes are sent them.

        Raises:
            RankError: with what another process has raised.
        """
        if self.parts is None:
            return [function(self, 0, self.n_samples, *arguments)]
        return self.parts.of(self, function, arguments)

    def held(self) -> "Held | None":
        """These rows where several processes have them; None: they are all here."""
        return None if self.parts is None else self.parts.held(self)

    def rows_of(self, split: str, first: int, last: int) -> Rows | slice:
        """The rows of a split in a part, in the order of the table; `first` and `last` are as `of_parts` gives them."""
        return between(in_order(self.splits[split]), first, last)

    def weights_of(self, rows: Rows | slice) -> Column | None:
        """The weights of some rows, float64, shape (n_rows,); None: all are 1."""
        return None if self.weights is None else self.weights[rows]

    def resplit(self, splits: Mapping[str, Rows]) -> "Dataset":
        """The same rows in other splits, with weights scaled to mean 1 over the new train split."""
        old = self.weights
        weights = None if old is None else RowWeights.of(old.values, old.column, splits["train"])
        return replace(self, splits=splits, weights=weights)

    @cached_property
    def summed(self) -> dict[tuple[str, str], Any]:
        """What passes over the train split have found: (column, transform) -> what `train_moments` keeps of it."""
        return {}

    @property
    def n_samples(self) -> int:
        """Rows of the table, with those that were dropped."""
        if isinstance(self.columns, EncodedColumns):
            return self.columns.n_samples
        return len(self.columns[self.targets[0]])

    @property
    def columns_read(self) -> list[Any]:
        """Every column that was read, values or codes, not those that are computed from others."""
        found: list[Any] = []
        if self.raw is not None:
            found += [each.values if isinstance(each, Numbers) else each.codes for each in self.raw.values()]
        else:
            found += (self.columns.numbers if isinstance(self.columns, EncodedColumns) else self.columns).values()
        found += [] if self.clusters is None else [self.clusters]
        return found + ([] if self.weights is None else [self.weights.values])

    @property
    def inputs(self) -> tuple[Input | DerivedInput, ...]:
        """How each feature is encoded, in order."""
        return (self.encoder or Encoder.of_numbers(self.features)).inputs

    @property
    def plain_inputs(self) -> tuple[Input, ...]:
        """How each feature that is a column as it is is encoded, in order."""
        return (self.encoder or Encoder.of_numbers(self.features)).plain

    @property
    def sources(self) -> tuple[str, ...]:
        """The columns that the features are made of, in order of first use."""
        return (self.encoder or Encoder.of_numbers(self.features)).columns

    def fingerprint(self) -> str:
        """SHA-256 of the names, the values and the splits: equal for equal data, whatever its source."""
        if self.digest is not None:
            return self.digest
        with Digest() as digest:
            for name in (*self.features, *self.targets):
                digest.add(f"{name}\0".encode())
                digest.add_all(in_turn(self.columns, name))
            if self.weights is not None:
                digest.add(f"{self.weights.column}\0".encode())
                digest.add_all(values_in_turn(self.weights.values))
            for rows in self.splits.values():
                digest.add(b"|")
                starts = range(0, len(rows), BLOCK_ROWS)
                digest.add_all(rows[start : start + BLOCK_ROWS].astype(np.int64) for start in starts)
            return f"sha256:{digest.hexdigest()}"
