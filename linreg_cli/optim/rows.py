"""The rows of the train split, as every executor is given them: in memory, or on the disk."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from linreg_cli.data.columns.divided import RowsOfRanks
from linreg_cli.data.columns.row_file import StoredMatrix, stored
from linreg_cli.errors import DataError
from linreg_cli.optim import transfer
from linreg_cli.optim.packing import Packing
from linreg_cli.readers import without_statistics

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, eq=False)
class TrainRows:
    """The train split in scaled units and the dtype of training, in memory, on the device of the model.

    Attributes:
        X_nd: inputs, shape (n_samples, n_features), float32 or float64.
        y_nk: targets, shape (n_samples, n_targets), of the same dtype and on the same device.
        weight_n: weights of the rows, with mean 1, shape (n_samples,), of the same dtype; None: all are 1.

    >>> rows = TrainRows(torch.zeros(5, 3), torch.zeros(5, 1))
    >>> rows.n_samples, rows.n_features, rows.n_targets, rows.dtype, len(rows.part(1, 3).X_nd)
    (5, 3, 1, 'float32', 2)
    """

    X_nd: Tensor
    y_nk: Tensor
    weight_n: Tensor | None = None

    @property
    def n_samples(self) -> int:
        """Rows."""
        return len(self.X_nd)

    @property
    def n_features(self) -> int:
        """Columns of X."""
        return self.X_nd.shape[1]

    @property
    def n_targets(self) -> int:
        """Columns of y."""
        return self.y_nk.shape[1]

    @property
    def is_weighted(self) -> bool:
        """Whether the rows have weights."""
        return self.weight_n is not None

    @property
    def dtype(self) -> str:
        """`float32` or `float64`."""
        return str(self.X_nd.dtype).removeprefix("torch.")

    @property
    def device(self) -> torch.device:
        """Where the numbers are."""
        return self.X_nd.device

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """Inputs, targets, and weights where rows have some."""
        return (self.X_nd, self.y_nk) if self.weight_n is None else (self.X_nd, self.y_nk, self.weight_n)

    def like(self, device: torch.device) -> "TrainRows":
        """Memory of a device for as many rows, whose numbers are arbitrary."""
        X_nd, y_nk, *weights = (torch.empty_like(each, device=device) for each in self.tensors)
        return TrainRows(X_nd, y_nk, weights[0] if weights else None)

    def empty(self, n_samples: int) -> "TrainRows":
        """Memory for so many rows of these columns, whose numbers are arbitrary."""
        return TrainRows(*(torch.empty(n_samples, *each.shape[1:], dtype=each.dtype) for each in self.tensors))

    def on(self, device: torch.device) -> "TrainRows":
        """The same rows on a device."""
        X_nd, y_nk, *weights = (each.to(device) for each in self.tensors)
        return TrainRows(X_nd, y_nk, weights[0] if weights else None)

    def contiguous(self) -> "TrainRows":
        """The same rows, row-major in memory."""
        weights = None if self.weight_n is None else self.weight_n.contiguous()
        return replace(self, X_nd=self.X_nd.contiguous(), y_nk=self.y_nk.contiguous(), weight_n=weights)

    def part(self, first: int, last: int) -> "TrainRows":
        """The rows `first` to `last - 1`."""
        weights = None if self.weight_n is None else self.weight_n[first:last]
        return TrainRows(self.X_nd[first:last], self.y_nk[first:last], weights)

    def chosen(self, order_n: Tensor) -> "TrainRows":
        """A copy of the rows at some positions, in their order."""
        weights = None if self.weight_n is None else self.weight_n[order_n]
        return TrainRows(self.X_nd[order_n], self.y_nk[order_n], weights)

    def parts(self, size: int) -> Iterator["TrainRows"]:
        """All rows in order, `size` at a time."""
        for first in range(0, self.n_samples, size):
            yield self.part(first, min(first + size, self.n_samples))


class StoredRows:
    """The train split in a temporary file: the same numbers in the same order as `TrainRows`, read in parts.

    Args:
        X_nd: inputs, shape (n_samples, n_features), float32 or float64.
        y_nk: targets, shape (n_samples, n_targets), of the same dtype.
        weight_n1: weights of the rows, with mean 1, shape (n_samples, 1), of the same dtype; None: all are 1.

    Attributes:
        ahead: whether there is memory to read the next rows of an epoch ahead.
        onto: the device that rows are moved to when they are read; None: they are used where they are read, by the CPU.

    >>> rows = StoredRows.empty(5, 3, 1, "float32")
    >>> rows.write(0, TrainRows(torch.ones(2, 3), torch.ones(2, 1)))
    >>> rows.n_samples, rows.n_features, rows.part(1, 3).X_nd.tolist()
    (5, 3, [[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
    """

    def __init__(self, X_nd: StoredMatrix, y_nk: StoredMatrix, weight_n1: StoredMatrix | None = None) -> None:
        self.X_nd, self.y_nk, self.weight_n1 = X_nd, y_nk, weight_n1
        self.n_samples, self.n_features = X_nd.shape
        self.n_targets, self.dtype, self.ahead = y_nk.shape[1], str(X_nd.dtype), True
        self.onto: torch.device | None = None

    @property
    def device(self) -> torch.device:
        """Where rows are when they have been read."""
        return self.onto or torch.device("cpu")

    @property
    def is_weighted(self) -> bool:
        """Whether the rows have weights."""
        return self.weight_n1 is not None

    @classmethod
    def empty(
        cls, n_samples: int, n_features: int, n_targets: int, dtype: str, *, weighted: bool = False
    ) -> "StoredRows":
        """Rows that are to be written; as `row_file.stored`."""
        return cls(*stored(n_samples, [n_features, n_targets, *([1] if weighted else [])], dtype))

    def write(self, first: int, rows: TrainRows) -> None:
        """Write some rows from position `first` on.

        Raises:
            DataError: as `StoredMatrix.write`.
        """
        self.X_nd.write(rows.X_nd.numpy(), first)
        self.y_nk.write(rows.y_nk.numpy(), first)
        if self.weight_n1 is not None:
            assert rows.weight_n is not None
            self.weight_n1.write(rows.weight_n.numpy()[:, None], first)

    def contiguous(self) -> "StoredRows":
        """As they are, which is row-major."""
        return self

    def room(self, count: int) -> TrainRows:
        """Memory of the process for a number of rows, whose numbers are arbitrary."""
        dtype = getattr(torch, self.dtype)
        weights = None if self.weight_n1 is None else transfer.memory((count,), dtype, self.onto)
        widths = self.n_features, self.n_targets
        X_nd, y_nk = (transfer.memory((count, width), dtype, self.onto) for width in widths)
        return TrainRows(X_nd, y_nk, weights)

    def moved(self, rows: TrainRows, out: TrainRows | None = None) -> TrainRows:
        """Rows that were read, on the device that they are moved to; `out` is memory there, None: new memory."""
        if self.onto is None:
            return rows
        out = out or rows.like(self.onto)
        transfer.copy(list(zip(rows.tensors, out.tensors, strict=True)), self.onto)
        return out

    def read_into(self, out: TrainRows, first: int) -> TrainRows:
        """Fill memory for some rows with those from position `first` on; returns it.

        Raises:
            DataError: as `StoredMatrix.read_into`.
        """
        self.X_nd.read_into(out.X_nd.numpy(), first)
        self.y_nk.read_into(out.y_nk.numpy(), first)
        if self.weight_n1 is not None:
            assert out.weight_n is not None
            self.weight_n1.read_into(out.weight_n.numpy()[:, None], first)
        return out

    def read(self, first: int, last: int) -> TrainRows:
        """The rows `first` to `last - 1` in memory of the process; as `read_into`."""
        return self.read_into(self.room(last - first), first)

    def part(self, first: int, last: int) -> TrainRows:
        """The rows `first` to `last - 1`, on the device; as `read_into`."""
        return self.moved(self.read(first, last))

    def chosen(self, order_n: Tensor) -> TrainRows:
        """The rows at some positions, in their order, in memory of the process."""
        at = order_n.numpy()
        weights = None if self.weight_n1 is None else torch.from_numpy(self.weight_n1[at][:, 0])
        return TrainRows(torch.from_numpy(self.X_nd[at]), torch.from_numpy(self.y_nk[at]), weights)

    def parts(self, size: int) -> Iterator[TrainRows]:
        """All rows in order, `size` at a time, in the same memory: each is valid until the next one."""
        room = self.room(min(size, self.n_samples))
        for first in range(0, self.n_samples, size):
            yield self.moved(self.read_into(room.part(0, min(size, self.n_samples - first)), first))


class SharedTrainRows:
    """As rank 0 of several, the train split: the same numbers in the same order as `TrainRows`, in the memory of all.

    Args:
        divided: the rows of the shards, each in the memory of its process, float32 or float64; the weights, with mean 1
            and in the precision of training, here, too.
        packing: in which their rows travel between processes; None: as they are.
    """

    device = torch.device("cpu")

    def __init__(self, divided: RowsOfRanks, packing: Packing | None = None) -> None:
        self.packing = packing or Packing.none()
        self.divided, self.X_nd, self.y_nk, self.weights = divided, divided.X_nd, divided.y_nk, divided.weight_n
        self.n_samples, self.n_features = self.X_nd.shape
        self.n_targets, self.dtype = self.y_nk.shape[1], str(self.X_nd.dtype)
        self.is_weighted = self.weights is not None

    def contiguous(self) -> "SharedTrainRows":
        """As they are, which is row-major."""
        return self

    def part(self, first: int, last: int) -> TrainRows:
        """The rows `first` to `last - 1` in the memory of this process."""
        X_nd, y_nk = (torch.from_numpy(np.array(each[first:last])) for each in (self.X_nd, self.y_nk))
        weights = None if self.weights is None else torch.from_numpy(self.weights[first:last]).to(X_nd.dtype)
        return TrainRows(X_nd, y_nk, weights)

    def parts(self, size: int) -> Iterator[TrainRows]:
        """All rows in order, `size` at a time."""
        for first in range(0, self.n_samples, size):
            yield self.part(first, min(first + size, self.n_samples))


@dataclass(frozen=True, eq=False)
class MeasuredRows:
    """The train split of which only second moments are known, of its columns x and y in scaled units, in float64.

    Attributes:
        n_samples: rows.
        mean_z: the means of [x | y], shape (d + k,).
        S_dd: the sum of (x - mean)(x - mean)' over the rows.
        fit_kd: weights of a fit to the targets, close to the best one.
        q_kd: the sum of r (x - mean)' for its residuals r.
        rr_k: the sum of r^2.
        dtype: in which parameters are trained, `float32` or `float64`.
        has_constant: whether the columns, with those of an intercept, add up to a constant.
    """

    n_samples: int
    mean_z: Array
    S_dd: Array
    fit_kd: Array
    q_kd: Array
    rr_k: Array
    dtype: str
    has_constant: bool
    device = torch.device("cpu")
    is_weighted = False

    @property
    def n_features(self) -> int:
        """Columns of x."""
        return int(self.fit_kd.shape[1])

    @property
    def n_targets(self) -> int:
        """Columns of y."""
        return int(self.fit_kd.shape[0])

    def contiguous(self) -> "MeasuredRows":
        """As they are."""
        return self

    def part(self, first: int, last: int) -> TrainRows:
        """Refused: there are no rows.

        Raises:
            DataError: always.
        """
        raise DataError(f"the rows of the train split are to be read, and statistics hold none; {without_statistics()}")

    def parts(self, size: int) -> Iterator[TrainRows]:
        """As `part`."""
        yield self.part(0, size)


#: Rows whose weights are added up together.
_PART_ROWS = 131_072

#: What an executor takes; only where they are in memory do rows have tensors.
AnyRows = TrainRows | StoredRows | SharedTrainRows | MeasuredRows


def row_bytes(rows: AnyRows) -> int:
    """Bytes of a row: its inputs, targets and weight."""
    if isinstance(rows, MeasuredRows):
        return 0
    return (rows.n_features + rows.n_targets + rows.is_weighted) * int(np.dtype(rows.dtype).itemsize)


def sum_of_weights(rows: AnyRows) -> float:
    """The sum of the weights of the rows, float64: their number, but for the rounding of weights to the dtype.

    >>> sum_of_weights(TrainRows(torch.zeros(2, 3), torch.zeros(2, 1), torch.tensor([0.5, 1.5])))
    2.0
    """
    weights: Any = None
    if isinstance(rows, SharedTrainRows):
        weights = rows.weights
    elif not isinstance(rows, MeasuredRows):
        weights = rows.weight_n1 if isinstance(rows, StoredRows) else rows.weight_n
    if weights is None:
        return float(rows.n_samples)
    parts = (weights[first : first + _PART_ROWS] for first in range(0, rows.n_samples, _PART_ROWS))
    return sum(float(torch.as_tensor(part).double().sum()) for part in parts)
