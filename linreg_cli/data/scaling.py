"""Scaling of the columns, fitted on the train split: original units to the units of the model, and back."""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from linreg_cli.data.columns.kinds import Mask, take
from linreg_cli.data.columns.rows import as_slice, count, first_row, in_order, part
from linreg_cli.data.dataset import Column, Dataset, Rows
from linreg_cli.data.encoding.transform import forward
from linreg_cli.data.train_moments import train_moments, transformed
from linreg_cli.errors import DataError
from linreg_cli.remedies import setting
from linreg_cli.wording import number

if TYPE_CHECKING:
    import torch

#: Below this, the squares in a standard deviation underflow.
_SMALLEST = 1e-150

_BLOCK_ROWS = 8_192


@dataclass(frozen=True)
class Scaling:
    """scaled = (f(original) - center) / scale, column by column. A scale of 0 marks a column that is set to 0.

    Attributes:
        columns: names, in order.
        center: shape (n_columns,), float64, in units of f.
        scale: shape (n_columns,), float64, in units of f, at least 0.
        transform: the function f: `none`, `log` or `log1p`.
    """

    columns: tuple[str, ...]
    center: Column
    scale: Column
    transform: str = "none"

    @classmethod
    def identity(cls, columns: tuple[str, ...]) -> "Scaling":
        """Center 0 and scale 1 for every column."""
        return cls(columns, np.zeros(len(columns)), np.ones(len(columns)))

    @classmethod
    def standard(
        cls,
        columns: tuple[str, ...],
        dataset: Dataset,
        *,
        ddof: int,
        centered: bool,
        constant_scale: float | None,
        transform: str = "none",
    ) -> "Scaling":
        """Standardising with the mean and the standard deviation of the train split, weighted where rows have weights.

        Args:
            columns: the columns to scale.
            dataset: holds the columns and the train split.
            ddof: the variance divides by n - ddof.
            centered: whether the mean is subtracted.
            constant_scale: the scale of a constant column: 0 sets it to 0, 1 only centres it, and None sets it to 0 if
                it is centred, else to 1 or -1, since without an intercept it stands for one.
            transform: the function f.

        Raises:
            DataError: if the train split has too few rows for `ddof`, or a standard deviation overflows float64.
        """
        if len(dataset.splits["train"]) <= ddof:
            raise DataError(
                f"preprocess.ddof: {ddof} needs at least {ddof + 1} train rows, found {len(dataset.splits['train'])}",
                dataset.name,
            )
        center, scale = np.zeros(len(columns)), np.zeros(len(columns))
        for position, (column, found) in enumerate(train_moments(dataset, columns, transform, ddof).items()):
            # min and max, because rounding error gives a constant column a tiny standard deviation
            constant, deviation = found.low == found.high, found.deviation
            center[position] = found.first if constant else found.mean
            if not (constant or (_SMALLEST < deviation < np.inf)):
                message = f"values from {number(found.low)} to {number(found.high)} cannot be standardised in float64"
                raise DataError(f"column {column!r}: {message}; use another unit", dataset.name)
            if constant and constant_scale is None:
                scale[position] = 0.0 if centered else abs(found.first)
            else:
                scale[position] = constant_scale if constant else deviation
        return cls(columns, center if centered else np.zeros(len(columns)), scale, transform)

    def tensor(
        self, dataset: Dataset, rows: Rows | slice, dtype: "torch.dtype", *, zeros: Mask | None = None
    ) -> "torch.Tensor":
        """The scaled columns as a row-major tensor, shape (n_rows, n_columns).

        Args:
            dataset: holds the columns.
            rows: numbers of the rows, in the order of the tensor.
            dtype: of the tensor.
            zeros: where these are some of the rows: which columns have had zeros only so far, changed in place; for
                `first_fault` when all rows are there.

        Raises:
            DataError: for a value that overflows `dtype`, and a column that would be zeros in it, with its row and
                column.
        """
        import torch

        chosen = as_slice(rows)
        n_rows = count(chosen, dataset.n_samples)
        out = torch.empty(n_rows, len(self.columns), dtype=dtype)
        X_nd, are_zeros = out.numpy(), np.ones(len(self.columns), dtype=bool) if zeros is None else zeros
        for columns, positions, start in self._pieces(dataset, chosen, n_rows):
            stop = min(start + _BLOCK_ROWS, n_rows)
            block, written = part(chosen, start, stop), X_nd[start:stop, positions]
            # An overflow is found in the tensor, and an underflow of all values too.
            with np.errstate(over="ignore", under="ignore", invalid="ignore"):
                for position, place in zip(range(len(self.columns))[positions], written.T, strict=True):
                    center, scale = self.center[position], self.scale[position]
                    about = columns, self.columns[position], block, dataset.before
                    values = transformed(self.transform, dataset.name, *about)
                    if scale == 0:
                        values = np.zeros(stop - start)
                    elif center != 0 or scale != 1:
                        values = (values - center) / scale
                    place[:] = values
                finite = np.isfinite(written.sum())
            if not finite and not np.isfinite(written).all():
                self._check(dataset, chosen, dtype, None)
            maybe = are_zeros[positions]
            maybe[maybe] = ~written[:, maybe].any(axis=0)  # a view: the columns without a value so far
        if zeros is None:
            self._check(dataset, chosen, dtype, are_zeros)
        return out

    def _check(self, dataset: Dataset, rows: Rows | slice, dtype: "torch.dtype", zeros: Mask | None) -> None:
        if (found := self.first_fault(dataset, rows, dtype, zeros)) is not None:
            raise found[1]

    def first_fault(
        self, dataset: Dataset, rows: Rows | slice, dtype: "torch.dtype", zeros: Mask | None = None
    ) -> tuple[int, DataError] | None:
        """Of the values that `dtype` does not hold, that of the first column and its first row in the table.

        Args:
            dataset: as in `tensor`.
            rows: likewise.
            dtype: likewise.
            zeros: the columns that are zeros in the tensor, for those that should not be; None: values that overflow.

        Returns:
            The position of the column, and the error; None if there is no such value.
        """
        import torch

        in_table = rows if isinstance(rows, slice) else in_order(rows)
        verb, kind = "overflows" if zeros is None else "underflows", torch.empty(0, dtype=dtype).numpy().dtype
        about = self.scale != 0 if zeros is None else (self.scale != 0) & zeros
        for position in np.flatnonzero(about).tolist():
            column, center, scale = self.columns[position], self.center[position], self.scale[position]

            def bad(block: Rows | slice, column: str = column, center: Any = center, scale: Any = scale) -> Mask:
                values = transformed(self.transform, dataset.name, dataset.columns, column, block, dataset.before)
                if zeros is not None:
                    return np.asarray(values != center)
                with np.errstate(over="ignore", under="ignore", invalid="ignore"):
                    return np.asarray(~np.isfinite(((values - center) / scale).astype(kind)))

            try:
                row, n_bad = first_row(in_table, dataset.n_samples, bad)
            except DataError as error:
                return position, error
            if n_bad:
                return position, self._fault(verb, dataset, row, column, dtype)
        return None

    @property
    def stack(self) -> tuple[Sequence[str], Sequence[Callable[[Column], Column]]]:
        """The columns, and for each what scales its values in float64; of a table whose values are in range."""
        return self.columns, [functools.partial(self.scaled, position) for position in range(len(self.columns))]

    def scaled(self, position: int, values: Column) -> Column:
        """Values of the column at a position, in scaled units."""
        if self.scale[position] == 0:
            return np.zeros(len(values))
        return np.asarray((forward(self.transform, values) - self.center[position]) / self.scale[position])

    def _pieces(
        self, dataset: Dataset, rows: Rows | slice, n_rows: int
    ) -> Iterator[tuple[Mapping[str, Column], slice, int]]:
        """(source of some columns, their positions, first row of the block) for each block of the tensor."""
        starts = range(0, n_rows, _BLOCK_ROWS)
        if not isinstance(rows, np.ndarray) or (np.diff(rows) > 0).all():
            # A block stays in the processor's cache while its columns, which are strided, are written.
            for start in starts:
                yield dataset.columns, slice(None), start
            return
        for position, column in enumerate(self.columns):
            held = {column: dataset.columns[column]}  # rows in any order: each column is read once, as a whole
            for start in starts:
                yield held, slice(position, position + 1), start

    def _fault(self, verb: str, dataset: Dataset, row: int, column: str, dtype: "torch.dtype") -> DataError:
        (value,), name = take(dataset.columns, column, slice(row, row + 1)), str(dtype).removeprefix("torch.")
        scaled = "preprocess.standardize_target" if column in dataset.targets else "preprocess.standardize"
        return DataError(
            f"{number(value)} {verb} {name}; set {setting('train.dtype', 'float64')} or {setting(scaled, True)}",
            f"{dataset.name}, row {dataset.before + row + 1}, column {column!r}",
        )

    def as_json(self) -> list[dict[str, Any]]:
        """For `preprocess.json`: one entry for each column."""
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
