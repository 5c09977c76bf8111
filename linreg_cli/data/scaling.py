"""From original units to what the model trains on, and back. Learnt on the train split only."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from linreg_cli.config.schema import PreprocessConfig
from linreg_cli.data.columns.kinds import Mask, take
from linreg_cli.data.columns.rows import StackedRows, as_slice, count, in_order, part
from linreg_cli.data.dataset import Column, Dataset, Rows
from linreg_cli.data.encoding.encode import Encoder
from linreg_cli.data.encoding.transform import NAMES, domain, forward
from linreg_cli.errors import DataError

if TYPE_CHECKING:
    import torch

FORMAT = 2

#: Below this, the squares in a standard deviation are lost to underflow.
_SMALLEST = 1e-150

_BLOCK_ROWS = 8_192


@dataclass(frozen=True)
class Scaling:
    """trained = (f(original) - center) / scale, column by column; a scale of 0 marks a column that is left at 0.

    Attributes:
        columns: names, in order.
        center: shape (n_columns,), units of f.
        scale: shape (n_columns,), units of f.
        transform: what f is: `none`, `log` or `log1p`.
    """

    columns: tuple[str, ...]
    center: Column
    scale: Column
    transform: str = "none"

    @classmethod
    def identity(cls, columns: tuple[str, ...]) -> "Scaling":
        """Leaves every column as it is."""
        return cls(columns, np.zeros(len(columns)), np.ones(len(columns)))

    @classmethod
    def standard(
        cls,
        columns: tuple[str, ...],
        dataset: Dataset,
        *,
        ddof: int,
        centered: bool,
        constant_scale: float,
        transform: str = "none",
    ) -> "Scaling":
        """Mean and standard deviation of the train split.

        Args:
            columns: the columns to scale.
            dataset: where they are.
            ddof: the variance divides by n - ddof.
            centered: false leaves the mean where it is.
            constant_scale: the scale of a column with one value: 0 leaves it at 0, 1 only centres it.
            transform: the function f.

        Raises:
            DataError: if the train split has too few rows for `ddof`, or a deviation is beyond the range of floats.
        """
        rows = as_slice(dataset.splits["train"])
        if len(dataset.splits["train"]) <= ddof:
            raise DataError(
                f"preprocess.ddof: {ddof} needs more than {len(dataset.splits['train'])} row to train on", dataset.name
            )
        center, scale = np.zeros(len(columns)), np.zeros(len(columns))
        for position, column in enumerate(columns):
            values = transformed(transform, dataset.name, dataset.columns, column, rows)
            with np.errstate(over="ignore", invalid="ignore"):
                center[position], deviation = values.mean(), values.std(ddof=ddof)
            # min and max, because rounding gives a constant column a tiny standard deviation
            constant = values.min() == values.max()
            center[position] = values[0] if constant else center[position]
            if not (constant or (_SMALLEST < deviation < np.inf)):
                message = f"values from {values.min():g} to {values.max():g} cannot be standardised in float64"
                raise DataError(f"column {column!r}: {message}; give the column in another unit", dataset.name)
            scale[position] = constant_scale if constant else deviation
        return cls(columns, center if centered else np.zeros(len(columns)), scale, transform)

    def tensor(self, dataset: Dataset, rows: Rows | slice, dtype: "torch.dtype") -> "torch.Tensor":
        """The scaled columns as a row-major tensor, shape (n_rows, n_columns).

        Args:
            dataset: holds the columns.
            rows: those wanted.
            dtype: of the tensor.

        Raises:
            DataError: for a value that is too large for `dtype`, with its row and column.
        """
        import torch

        chosen = as_slice(rows)
        n_rows = count(chosen, dataset.n_samples)
        out = torch.empty(n_rows, len(self.columns), dtype=dtype)
        X_nd = out.numpy()
        for columns, positions, start in self._pieces(dataset, chosen, n_rows):
            stop = min(start + _BLOCK_ROWS, n_rows)
            block, written = part(chosen, start, stop), X_nd[start:stop, positions]
            with np.errstate(over="ignore", invalid="ignore"):  # what does not fit is found in the tensor
                for position, place in zip(range(len(self.columns))[positions], written.T, strict=True):
                    center, scale = self.center[position], self.scale[position]
                    values = transformed(self.transform, dataset.name, columns, self.columns[position], block)
                    if scale == 0:
                        values = np.zeros(stop - start)
                    elif center != 0 or scale != 1:
                        values = (values - center) / scale
                    place[:] = values
                finite = np.isfinite(written.sum())
            if not finite and not (good := np.isfinite(written)).all():
                self._overflow(dataset, block, ~good, self.columns[positions], dtype)
        return out

    def _pieces(
        self, dataset: Dataset, rows: Rows | slice, n_rows: int
    ) -> Iterator[tuple[Mapping[str, Column], slice, int]]:
        """Where to take what from: the source of some columns, their positions, and the first row of a block."""
        starts = range(0, n_rows, _BLOCK_ROWS)
        if isinstance(rows, slice):
            # A block stays in the processor's cache while its columns are written, which are strides apart in memory.
            for start in starts:
                yield dataset.columns, slice(None), start
            return
        for position, column in enumerate(self.columns):
            held = {column: dataset.columns[column]}  # rows in any order: the whole column is read, and only once
            for start in starts:
                yield held, slice(position, position + 1), start

    def _overflow(
        self, dataset: Dataset, rows: Rows | slice, bad: Mask, columns: Sequence[str], dtype: "torch.dtype"
    ) -> None:
        position = int(np.argmax(bad.any(axis=0)))
        at = int(np.argmax(bad[:, position]))
        row, column = _row(rows, at), columns[position]
        (value,), name = take(dataset.columns, column, slice(row, row + 1)), str(dtype).removeprefix("torch.")
        raise DataError(
            f"{value:g} does not fit into {name}; set train.dtype: float64 or preprocess.standardize: true",
            f"{dataset.name}, row {row + 1}, column {column!r}",
        )

    def as_json(self) -> list[dict[str, Any]]:
        """For `preprocess.json`: one entry a column."""
        triples = zip(self.columns, self.center, self.scale, strict=True)
        return [{"column": column, "center": float(center), "scale": float(scale)} for column, center, scale in triples]

    @classmethod
    def from_json(cls, entries: list[dict[str, Any]]) -> "Scaling":
        """The inverse of `as_json`.

        Raises:
            ValueError, KeyError, TypeError: if the entries are not what `as_json` writes.
        """
        center = np.array([float(entry["center"]) for entry in entries])
        scale = np.array([float(entry["scale"]) for entry in entries])
        if not (len(entries) and np.isfinite(center).all() and np.isfinite(scale).all() and (scale >= 0).all()):
            raise ValueError("center and scale must be finite, and scale at least 0")
        return cls(tuple(str(entry["column"]) for entry in entries), center, scale)


def transformed(transform: str, name: str, columns: Mapping[str, Column], column: str, rows: Rows | slice) -> Column:
    """f of some rows of a column.

    Args:
        transform: what f is.
        name: what messages call the table.
        columns: where the column is.
        column: its name.
        rows: those wanted.

    Raises:
        DataError: for a value that f is not defined for, with its row and column.
    """
    original = take(columns, column, rows)
    values = forward(transform, original)
    if transform != "none" and (bad := np.isnan(values)).any():
        at = int(np.argmax(bad))
        row = _row(rows, at)
        raise DataError(
            f"preprocess.target_transform: {transform} needs values {domain(transform)}, found {original[at]:g}",
            f"{name}, row {row + 1}, column {column!r}",
        )
    return values


def _row(rows: Rows | slice, at: int) -> int:
    """The row of the table that is entry `at` of some rows."""
    return (rows.start or 0) + at if isinstance(rows, slice) else int(rows[at])


@dataclass(frozen=True)
class Preprocessor:
    """How the raw columns of a run become its tensors.

    Attributes:
        features: scaling of the inputs.
        targets: function and scaling of the outputs.
        encoder: from the columns of a table to the inputs; None for numbers that are taken as they are.
    """

    features: Scaling
    targets: Scaling
    encoder: Encoder | None = None

    @property
    def inputs(self) -> Encoder:
        """From the columns of a table to the inputs."""
        return self.encoder or Encoder.plain(self.features.columns)

    @classmethod
    def fit(cls, dataset: Dataset, config: PreprocessConfig, *, bias: bool) -> "Preprocessor":
        """Learn the scaling from the train split; without a bias nothing is centred, and the fold has no intercept."""
        transform = config.target_transform
        features, targets = Scaling.identity(dataset.features), Scaling.identity(dataset.targets)
        targets = replace(targets, transform=transform)
        if config.standardize:
            features = Scaling.standard(dataset.features, dataset, ddof=config.ddof, centered=bias, constant_scale=0.0)
        if config.standardize_target:
            targets = Scaling.standard(
                dataset.targets, dataset, ddof=config.ddof, centered=bias, constant_scale=1.0, transform=transform
            )
        return cls(features, targets, dataset.encoder)

    def as_json(self) -> dict[str, Any]:
        """The content of `preprocess.json`."""
        return {
            "format": FORMAT,
            "inputs": self.inputs.as_json(),
            "features": self.features.as_json(),
            "targets": self.targets.as_json(),
            "target_transform": self.targets.transform,
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Preprocessor":
        """The inverse of `as_json`; format 1 knew numbers only.

        Raises:
            ValueError, KeyError, TypeError: if the values are not what `as_json` writes.
        """
        version = values["format"]
        if version not in (1, FORMAT):
            raise ValueError(f"format {version} is not format 1 or {FORMAT}, which this version reads")
        features, targets = Scaling.from_json(values["features"]), Scaling.from_json(values["targets"])
        if version == 1:
            return cls(features, targets)
        encoder, transform = Encoder.from_json(values["inputs"]), values["target_transform"]
        if encoder.features != features.columns or transform not in NAMES:
            raise ValueError("inputs, features and target_transform do not fit together")
        return cls(features, replace(targets, transform=transform), encoder)


def original_rows(dataset: Dataset, preprocessor: Preprocessor) -> tuple[Rows | slice, StackedRows, StackedRows]:
    """The train split in the table's order and in original units (the target's transform applied).

    Returns:
        Its rows, X (n, n_features) and y (n, n_targets).
    """
    rows, transform = in_order(dataset.splits["train"]), preprocessor.targets.transform
    X = StackedRows(dataset.columns, dataset.features, rows)
    return rows, X, StackedRows(dataset.columns, dataset.targets, rows, functools.partial(forward, transform))
