"""Named numeric columns with their splits, the same for every source of data."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from linreg_cli.data.columns.kinds import BLOCK_ROWS, EncodedColumns, RawColumn, take
from linreg_cli.data.columns.kinds import Column as Column
from linreg_cli.data.columns.kinds import Rows as Rows
from linreg_cli.data.encoding.encode import Encoder
from linreg_cli.data.encoding.inputs import Input
from linreg_cli.data.encoding.treatments import Treatment
from linreg_cli.data.summary import DataSummary
from linreg_cli.errors import DataError, Fault, did_you_mean
from linreg_cli.remedies import setting

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
    """

    name: str
    features: tuple[str, ...]
    targets: tuple[str, ...]
    columns: Mapping[str, Column]
    splits: dict[str, Rows]
    encoder: Encoder | None = None
    raw: Mapping[str, RawColumn] | None = None
    summary: DataSummary | None = None
    treated: Mapping[str, Treatment] = field(default_factory=dict)

    @property
    def n_samples(self) -> int:
        """Rows of the table, with those that were dropped."""
        if isinstance(self.columns, EncodedColumns):
            return self.columns.n_samples
        return len(self.columns[self.targets[0]])

    @property
    def inputs(self) -> tuple[Input, ...]:
        """How each feature column is encoded, in order."""
        return (self.encoder or Encoder.plain(self.features)).inputs

    def fingerprint(self) -> str:
        """SHA-256 of the names, the values and the splits: equal for equal data, whatever its source."""
        digest = hashlib.sha256()
        for name in (*self.features, *self.targets):
            digest.update(f"{name}\0".encode())
            for start in range(0, self.n_samples, BLOCK_ROWS):
                values = take(self.columns, name, slice(start, start + BLOCK_ROWS))
                digest.update(np.ascontiguousarray(values).data)
        for rows in self.splits.values():
            digest.update(b"|")
            for start in range(0, len(rows), BLOCK_ROWS):
                digest.update(rows[start : start + BLOCK_ROWS].astype(np.int64).data)
        return f"sha256:{digest.hexdigest()}"


def choose_columns(
    available: Sequence[str],
    targets: tuple[str, ...],
    features: tuple[str, ...] | None,
    ignore: tuple[str, ...],
    *,
    reserved: tuple[str, ...] = (),
    index: Collection[str] = (),
    name: str,
) -> tuple[str, ...]:
    """The feature columns: those named, or every column without another use.

    Args:
        available: the columns of the table.
        targets: the columns to predict.
        features: the columns to predict from; None: all others.
        ignore: columns that are not used.
        reserved: columns with another use, such as `data.split.column`.
        index: columns that hold the index of a data frame: features only if they are named.
        name: the table, for messages.

    Raises:
        DataError: with every column that does not exist or has two uses, and if no feature is left.

    >>> choose_columns(["id", "x", "z", "y"], ("y",), None, ("id",), name="t.csv")
    ('x', 'z')
    """
    wanted = {
        "data.target": targets,
        "data.features": features or (),
        "data.ignore": ignore,
        "data.split.column": reserved,
    }
    faults = [
        Fault(f"{key}: there is no column {column!r}{did_you_mean(column, available)}", name)
        for key, columns in wanted.items()
        for column in columns
        if column not in available
    ]
    if features is None:
        taken = {*targets, *ignore, *reserved, *index}
        chosen = tuple(column for column in available if column not in taken)
    else:
        chosen = features
        faults += [
            Fault(f"data.features: {column!r} is also under {key}", name)
            for key, columns in (
                ("data.target", targets),
                ("data.ignore", ignore),
                ("data.split.column", reserved),
            )
            for column in columns
            if column in features
        ]
    faults += [Fault(f"data.ignore: {column!r} is also the target", name) for column in targets if column in ignore]
    both = [column for column in targets if column in reserved]
    faults += [Fault(f"data.split.column: {column!r} is also the target", name) for column in both]
    if not faults and not chosen:
        message = "no feature is left: every column is a target or ignored"
        left = [column for column in index if column not in (*targets, *ignore, *reserved)]
        if left:
            message += f", or the index of a data frame; to use that, set {setting('data.features', left)}"
        faults.append(Fault(message, name))
    if faults:
        raise DataError(faults)
    return chosen
