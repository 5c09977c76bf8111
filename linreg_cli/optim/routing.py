"""The way of the rows of a divided table to the processes that train on their shards; no process has all of them.

Each process scales its rows of the table block by block, in rounds that all of them make together. In a round a process
gives every other one the rows of its block whose places in the order of training are in the shards of that one.
"""

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from linreg_cli.data import Dataset, Preprocessor
from linreg_cli.data.columns.divided import DividedRows, RowsOfRanks
from linreg_cli.data.columns.rows import as_slice, count, part
from linreg_cli.errors import DataError
from linreg_cli.optim.held import HeldMatrix
from linreg_cli.optim.packing import Packing
from linreg_cli.optim.row_order import COUNTED_ROWS, Blocks, RowOrder
from linreg_cli.optim.rows import SharedTrainRows, TrainRows
from linreg_cli.optim.split_rows import (
    Refused,
    Zeros,
    block_rows,
    is_ascending,
    no_values,
    refused,
    rows_in_parts,
    scaled,
)
from linreg_cli.ranks.parts import Held
from linreg_cli.ranks.shards import Shards

if TYPE_CHECKING:
    from linreg_cli.ranks.group import Ranks

Places = npt.NDArray[np.signedinteger[Any]]


@dataclass(frozen=True, eq=False)
class Route:
    """What every process has to know.

    Attributes:
        table: by which each holds its rows of the table, a `Dataset`.
        number: by which each will hold the rows of its shards, as `DividedRows`.
        preprocessor: whose scaling is applied.
        dtype: of training, `float32` or `float64`.
        shards: of the train split.
        starts: how many train rows the processes before each one have, and all of them.
        order: that in which rows stand, where each process can compute it.
        places: by which each holds the place of each of its train rows in the order of training; None: those of
            `order`, or of the table.
    """

    table: int
    number: int
    preprocessor: Preprocessor
    dtype: str
    shards: Shards
    starts: list[int]
    order: Blocks | None
    places: int | None

    def bounds(self, size: int) -> list[int]:
        """The first place of each of `size` processes in the order of training, and the number of all places."""
        held = self.shards.of_ranks(size)
        return [int(self.shards.bounds[at]) for at in (*(each.start for each in held), held[-1].stop)]


def is_routed(dataset: Dataset, ranks: "Ranks | None") -> bool:
    """Whether processes have parts of a table, so that rows go from each to each."""
    return ranks is not None and ranks.size > 1 and dataset.held() is not None


def routed(
    dataset: Dataset, preprocessor: Preprocessor, order: RowOrder, dtype: torch.dtype, shards: Shards, *, fits: bool
) -> SharedTrainRows:
    """As rank 0, let every process hold the scaled rows of its train shards, in the order of training.

    Args:
        dataset: of a table that processes have parts of.
        preprocessor: its scaling.
        order: of training.
        dtype: of training.
        shards: of the train split.
        fits: whether the memory of this process may hold all rows, where something needs them in one place.

    Raises:
        DataError: for a value that overflows `dtype`, and a column that would be zeros in it.
    """
    held = _held(dataset)
    ranks, starts = held.ranks, [0, *itertools.accumulate(held.everywhere(_train_rows))]
    places = _send_places(dataset, order, starts)
    name, number = str(dtype).removeprefix("torch."), ranks.next_number()
    in_blocks = order if isinstance(order, Blocks) else None
    route = Route(held.number, number, preprocessor, name, shards, starts, in_blocks, places)
    found = ranks.everywhere(_go, route)
    _refuse(dataset, preprocessor, "train", dtype, found)
    widths = [len(dataset.features), len(dataset.targets)]
    bounds, n = route.bounds(ranks.size), shards.n_samples
    X_nd, y_nk = (
        HeldMatrix(ranks, number, column, (n, width), name, bounds, fits=fits) for column, width in enumerate(widths)
    )
    weights = None
    if dataset.weights is not None:
        weights = HeldMatrix(ranks, number, 2, (n, 1), np.float64, bounds, fits=True)[0:n][:, 0]
    packing = Packing.of(dataset, preprocessor.features, name)
    return SharedTrainRows(RowsOfRanks(X_nd, y_nk, weights, ranks, number), packing)


def held_out_of_ranks(
    dataset: Dataset, preprocessor: Preprocessor, split: str, dtype: torch.dtype, *, stored: bool
) -> RowsOfRanks:
    """As rank 0, let every process hold the scaled rows of a split that it has in the table, in its parts of the table.

    Args:
        dataset: of a table that processes have parts of.
        preprocessor: its scaling.
        split: which rows.
        dtype: of the numbers.
        stored: whether they are kept in temporary files, and not in memory.

    Raises:
        DataError: as `routed`.
    """
    held, name = _held(dataset), str(dtype).removeprefix("torch.")
    ranks, number = held.ranks, held.ranks.next_number()
    found = held.everywhere(_hold_split, number, preprocessor, split, name, stored)
    _refuse(dataset, preprocessor, split, dtype, [each[:2] for each in found])
    n, bounds = len(dataset.splits[split]), [0, *itertools.accumulate(each[2] for each in found)]
    widths = len(dataset.features), len(dataset.targets)
    X_nd, y_nk = (
        HeldMatrix(ranks, number, at, (n, width), name, bounds, fits=not stored) for at, width in enumerate(widths)
    )
    return RowsOfRanks(X_nd, y_nk, None, ranks, number)


def _held(dataset: Dataset) -> Held:
    """A dataset whose rows several processes have."""
    held = dataset.held()
    assert held is not None
    return held


def _train_rows(ranks: "Ranks", table: int) -> int:
    return len(ranks.held[table].splits["train"])


def _send_places(dataset: Dataset, order: RowOrder, starts: list[int]) -> int | None:
    """Give each process the place of each of its train rows; returns the number by which it holds them.

    None where processes know them: of rows in the order of the table, and of blocks.
    """
    rows = as_slice(dataset.splits["train"])
    if isinstance(order, Blocks) or is_ascending(rows):
        return None
    ranks, dtype = _held(dataset).ranks, np.int32 if dataset.n_samples < 2**31 else np.int64
    place: Places = np.full(dataset.n_samples, -1, dtype)
    place[np.asarray(rows)] = np.arange(starts[-1], dtype=dtype)
    place = place[place >= 0]
    number = ranks.next_number()
    ranks.held[int(number)] = place[: starts[1]].copy()
    ranks.ask(_hold_places, number, starts, place.dtype.name)
    for rank in range(1, ranks.size):
        ranks.send(torch.from_numpy(place[starts[rank] : starts[rank + 1]]), rank)
    ranks.done()
    return number


def _hold_places(ranks: "Ranks", number: int, starts: list[int], dtype: str) -> None:
    """As another rank, receive the places of its train rows."""
    length = starts[ranks.rank + 1] - starts[ranks.rank]
    ranks.held[number] = ranks.receive([length], dtype).numpy()


def _places(ranks: "Ranks", route: Route) -> Places:
    """The place of each train row of this process in the order of training, in the order of the table."""
    first, last = route.starts[ranks.rank], route.starts[ranks.rank + 1]
    dtype = np.int32 if route.starts[-1] < 2**31 else np.int64
    if route.places is not None:
        places: Places = ranks.held.pop(route.places)
        return places
    if route.order is None:
        return np.arange(first, last, dtype=dtype)
    order = route.order
    found: Places = np.empty(last - first, dtype)
    next_of = np.array([order.members(block).start for block in range(order.n_blocks)], dtype=np.int64)
    cuts = [*range(0, first, COUNTED_ROWS), *range(first, last, COUNTED_ROWS), last]
    for begin, end in itertools.pairwise(cuts):  # the rows of the processes before are counted
        block = order.block_of(begin, end)
        counts = np.bincount(block, minlength=order.n_blocks)
        if begin >= first:
            here = found[begin - first : end - first]
            before = np.cumsum(counts) - counts
            here[np.argsort(block, kind="stable")] = np.arange(end - begin) + np.repeat(next_of - before, counts)
        next_of += counts
    return found


def _go(ranks: "Ranks", route: Route) -> tuple[Refused | None, Zeros]:
    """In every process: give the others their rows, and hold those of its own shards.

    Returns:
        What the dtype does not hold of the rows in the table that are here, and which columns are zeros there.
    """
    dataset, dtype, bounds = ranks.held[route.table], getattr(torch, route.dtype), route.bounds(ranks.size)
    rows, places = as_slice(dataset.splits["train"]), _places(ranks, route)
    d, k, weighted = len(dataset.features), len(dataset.targets), dataset.weights is not None
    mine = slice(bounds[ranks.rank], bounds[ranks.rank + 1])
    out = _Own(mine, d, k, dtype, weighted=weighted)
    zeros, fault, size = no_values(route.preprocessor), None, block_rows(dataset)
    packing = Packing.of(dataset, route.preprocessor.features, route.dtype)
    longest = max(last - first for first, last in itertools.pairwise(route.starts))
    n = count(rows, dataset.n_samples)
    for start in range(0, longest, size):
        at = slice(min(start, n), min(start + size, n)) if fault is None else slice(0, 0)
        try:
            some = scaled(dataset, route.preprocessor, part(rows, at.start, at.stop), dtype, zeros)
        except DataError:  # the others wait for the rest of the rounds
            fault, at = refused(dataset, route.preprocessor, rows, dtype), slice(0, 0)
            if fault is None:  # another error, such as a file that cannot be read
                raise
            some = scaled(dataset, route.preprocessor, slice(0, 0), dtype, zeros)
        _round(ranks, some, places[at], bounds, out, packing)
    held = route.shards.of_ranks(ranks.size)[ranks.rank]
    parts = (route.shards.bounds[held.start : held.stop + 1] - mine.start).tolist()
    X_nd, y_nk, *weights = (each.numpy() for each in out.rows.tensors)
    ranks.held[route.number] = DividedRows(X_nd, y_nk, weights[0] if weights else None, parts, before=mine.start)
    return fault, zeros


class _Own:
    """The rows of the shards of this process, filled in at their places, which are `where` in the order of training."""

    def __init__(self, where: slice, d: int, k: int, dtype: torch.dtype, *, weighted: bool) -> None:
        count = where.stop - where.start
        weight_n = torch.empty(count, dtype=dtype) if weighted else None
        self.rows = TrainRows(torch.empty(count, d, dtype=dtype), torch.empty(count, k, dtype=dtype), weight_n)
        self._first = where.start

    def write(self, places: Places, rows: TrainRows) -> None:
        """Fill in rows of the same dtype."""
        if not len(places):
            return
        at: Any = torch.from_numpy(places.astype(np.int64) - self._first)
        if places[-1] - places[0] == len(places) - 1 and is_ascending(places):
            at = slice(int(at[0]), int(at[-1]) + 1)
        for own, values in zip(self.rows.tensors, rows.tensors, strict=True):
            own[at] = values


def _round(ranks: "Ranks", some: TrainRows, places: Places, bounds: list[int], out: _Own, packing: Packing) -> None:
    """Give each process those of some rows that are its own, and write what the others give."""
    rank_of = np.searchsorted(bounds[1:], places, side="right")
    order = np.argsort(rank_of, kind="stable")
    counts = np.zeros((ranks.size, ranks.size))
    counts[ranks.rank] = np.bincount(rank_of, minlength=ranks.size)
    ranks.gather(counts, [range(rank, rank + 1) for rank in range(ranks.size)])
    ordered, sent = some.chosen(torch.from_numpy(order)), torch.from_numpy(places[order])
    ends = np.cumsum(counts[ranks.rank]).astype(int).tolist()
    given = list(itertools.pairwise([0, *ends]))
    first, last = given[ranks.rank]
    out.write(sent[first:last].numpy(), ordered.part(first, last))
    incoming = counts[:, ranks.rank].astype(int).tolist()
    incoming[ranks.rank] = 0
    rows_in = [ordered.empty(each) for each in incoming]
    given[ranks.rank] = first, first
    places_in = [torch.empty(each, dtype=sent.dtype) for each in incoming]
    coming = [[at, *packing.room(rows.tensors)] for at, rows in zip(places_in, rows_in, strict=True)]
    ranks.exchange([[sent[a:b], *packing.packed(ordered.part(a, b).tensors)] for a, b in given], coming)
    for at, rows, (_, *travelled) in zip(places_in, rows_in, coming, strict=True):
        packing.unpack(travelled, rows.tensors)
        out.write(at.numpy(), rows)


def _hold_split(
    ranks: "Ranks", table: int, number: int, preprocessor: Preprocessor, split: str, dtype: str, stored: bool
) -> tuple[Refused | None, Zeros, int]:
    """In every process: hold its rows of a split; returns as `_go`, and how many there are."""
    dataset, zeros, kind = ranks.held[table], no_values(preprocessor), getattr(torch, dtype)
    try:
        rows = rows_in_parts(dataset, preprocessor, split, kind, dataset.parts.bounds, stored=stored, zeros=zeros)
    except DataError:
        fault = refused(dataset, preprocessor, as_slice(dataset.splits[split]), kind)
        if fault is None:  # another error, such as a full disk
            raise
        return fault, zeros, 0
    ranks.held[number] = rows
    return None, zeros, len(rows.X_nd)


def _refuse(dataset: Dataset, preprocessor: Preprocessor, split: str, dtype: torch.dtype, found: list[Any]) -> None:
    """Raise the error that one process with all rows has.

    Args:
        dataset: of the table.
        preprocessor: its scaling.
        split: the rows.
        dtype: of training.
        found: by each process, as `_go` returns it.
    """
    faults = [fault for fault, _ in found if fault is not None]
    if not faults:
        zeros = tuple(np.logical_and.reduce(each) for each in zip(*(zeros for _, zeros in found), strict=True))
        scales = preprocessor.features.scale, preprocessor.targets.scale
        if any((each & (scale != 0)).any() for each, scale in zip(zeros, scales, strict=True)):
            name = str(dtype).removeprefix("torch.")
            lost = _held(dataset).everywhere(_lost, preprocessor, split, name, zeros)
            faults = [fault for fault in lost if fault is not None]
    if faults:
        raise DataError(min(faults, key=lambda fault: fault[:2])[2])


def _lost(
    ranks: "Ranks", table: int, preprocessor: Preprocessor, split: str, dtype: str, zeros: Zeros
) -> Refused | None:
    """In every process: its first row that is not zero in a column that would be zeros."""
    dataset = ranks.held[table]
    return refused(dataset, preprocessor, as_slice(dataset.splits[split]), getattr(torch, dtype), zeros)
