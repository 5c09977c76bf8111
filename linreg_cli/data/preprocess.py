"""From original units to what the model trains on, and back. Learnt on the train split only."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from linreg_cli.config.schema import PreprocessConfig
from linreg_cli.data.dataset import Column, Dataset, Rows
from linreg_cli.errors import DataError

if TYPE_CHECKING:
    import torch

FORMAT = 1

#: Below this, the squares in a standard deviation are lost to underflow.
_SMALLEST = 1e-150


@dataclass(frozen=True)
class Scaling:
    """trained = (original - center) / scale, column by column; a scale of 0 marks a column that is left at 0.

    Attributes:
        columns: names, in order.
        center: shape (n_columns,), original units.
        scale: shape (n_columns,), original units.
    """

    columns: tuple[str, ...]
    center: Column
    scale: Column

    @classmethod
    def identity(cls, columns: tuple[str, ...]) -> "Scaling":
        """Leaves every column as it is."""
        return cls(columns, np.zeros(len(columns)), np.ones(len(columns)))

    @classmethod
    def standard(
        cls, columns: tuple[str, ...], dataset: Dataset, *, ddof: int, centered: bool, constant_scale: float
    ) -> "Scaling":
        """Mean and standard deviation of the train split.

        Args:
            columns: the columns to scale.
            dataset: where they are.
            ddof: the variance divides by n - ddof.
            centered: false leaves the mean where it is.
            constant_scale: the scale of a column with one value: 0 leaves it at 0, 1 only centres it.

        Raises:
            DataError: if the train split has too few rows for `ddof`, or a deviation is beyond the range of floats.
        """
        rows = dataset.splits["train"]
        if len(rows) <= ddof:
            raise DataError(f"preprocess.ddof: {ddof} needs more than {len(rows)} row to train on", dataset.name)
        center, scale = np.zeros(len(columns)), np.zeros(len(columns))
        for position, column in enumerate(columns):
            values = dataset.columns[column][rows]
            with np.errstate(over="ignore", invalid="ignore"):
                center[position], deviation = values.mean(), values.std(ddof=ddof)
            # min and max, because rounding gives a constant column a tiny standard deviation
            constant = values.min() == values.max()
            center[position] = values[0] if constant else center[position]
            if not (constant or (_SMALLEST < deviation < np.inf)):
                message = f"values from {values.min():g} to {values.max():g} cannot be standardised in float64"
                raise DataError(f"column {column!r}: {message}; give the column in another unit", dataset.name)
            scale[position] = constant_scale if constant else deviation
        return cls(columns, center if centered else np.zeros(len(columns)), scale)

    def tensor(self, columns: dict[str, Column], rows: Rows | slice, dtype: "torch.dtype") -> "torch.Tensor":
        """The scaled columns as a row-major tensor, shape (n_rows, n_columns).

        Raises:
            DataError: for a value that is too large for `dtype`, with its row and column.
        """
        import torch

        n_rows = len(columns[self.columns[0]][rows])
        out = torch.empty(n_rows, len(self.columns), dtype=dtype)
        for position, column in enumerate(self.columns):
            values = columns[column][rows]
            center, scale = self.center[position], self.scale[position]
            if scale == 0:
                values = np.zeros(n_rows)
            elif center != 0 or scale != 1:
                values = (values - center) / scale
            with np.errstate(over="ignore"):  # an overflow is found below, with its row
                out.numpy()[:, position] = values
            if not bool(torch.isfinite(out[:, position]).all()):
                self._overflow(columns[column], rows, out[:, position], column, dtype)
        return out

    def _overflow(
        self, values: Column, rows: Rows | slice, cast: "torch.Tensor", column: str, dtype: "torch.dtype"
    ) -> None:
        at = int((~cast.isfinite()).nonzero()[0, 0])
        row = at if isinstance(rows, slice) else int(rows[at])
        name = str(dtype).removeprefix("torch.")
        raise DataError(
            f"{values[row]:g} does not fit into {name}; set train.dtype: float64 or preprocess.standardize: true",
            f"row {row + 1}, column {column!r}",
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


@dataclass(frozen=True)
class Preprocessor:
    """How the raw columns of a run become its tensors.

    Attributes:
        features: scaling of the inputs.
        targets: scaling of the outputs.
    """

    features: Scaling
    targets: Scaling

    @classmethod
    def fit(cls, dataset: Dataset, config: PreprocessConfig, *, bias: bool) -> "Preprocessor":
        """Learn the scaling from the train split; without a bias nothing is centred, and the fold has no intercept."""
        features, targets = Scaling.identity(dataset.features), Scaling.identity(dataset.targets)
        if config.standardize:
            features = Scaling.standard(dataset.features, dataset, ddof=config.ddof, centered=bias, constant_scale=0.0)
        if config.standardize_target:
            targets = Scaling.standard(dataset.targets, dataset, ddof=config.ddof, centered=bias, constant_scale=1.0)
        return cls(features, targets)

    def as_json(self) -> dict[str, Any]:
        """The content of `preprocess.json`."""
        return {"format": FORMAT, "features": self.features.as_json(), "targets": self.targets.as_json()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Preprocessor":
        """The inverse of `as_json`.

        Raises:
            ValueError, KeyError, TypeError: if the values are not what `as_json` writes.
        """
        if values["format"] != FORMAT:
            raise ValueError(f"format {values['format']} is not format {FORMAT}, which this version reads")
        return cls(Scaling.from_json(values["features"]), Scaling.from_json(values["targets"]))
