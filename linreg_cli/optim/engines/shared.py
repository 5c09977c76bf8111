"""The work on the shards, shared with other processes where there are some."""

import itertools
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from linreg_cli.blas import one_blas_thread
from linreg_cli.data.columns.divided import DividedRows
from linreg_cli.optim.engines.shard_batches import Batches, of_all_shards
from linreg_cli.optim.engines.shard_work import ShardWork
from linreg_cli.optim.packing import Packing
from linreg_cli.optim.plan import StepPlan
from linreg_cli.optim.rows import AnyRows, MeasuredRows, SharedTrainRows, TrainRows

if TYPE_CHECKING:  # several processes are rare, and its imports take time
    from linreg_cli.ranks.group import Ranks


class SharedWork:
    """What an executor of rank 0, or of the only process, does with the shards of a plan.

    Args:
        rows: the train split.
    """

    def __init__(self, rows: AnyRows) -> None:
        self._rows = rows
        self._ranks = rows.divided.ranks if isinstance(rows, SharedTrainRows) else None
        self._work: ShardWork | None = None
        self._number = -1

    def of(self, plan: StepPlan, *kernels: str) -> "SharedWork":
        """The same for a plan, with the kernels loaded in every process.

        Args:
            plan: the steps.
            kernels: the names of those that the work will call.

        Raises:
            EngineError: if a kernel cannot be loaded or compiled.
        """
        assert plan.shards is not None
        if self._work is not None and self._work.plan is plan:
            return self
        rows = self._rows
        assert not isinstance(rows, MeasuredRows), "there are none"
        if not isinstance(rows, SharedTrainRows):
            self._work = ShardWork(plan, rows.part(0, plan.n_samples), range(plan.shards.count))
            self._work.load(kernels)
            return self
        ranks, given = rows.divided.ranks, rows.divided.number
        held, self._number = plan.shards.of_ranks(ranks.size), ranks.next_number()
        packing = rows.packing
        self._work = ShardWork(plan, _held(ranks, given), held[0], _Exchange(ranks, held, self._number, packing))
        self._work.load(kernels)  # first: the other ranks find on the disk what was compiled
        ranks.ask(_begin, self._number, replace(plan, learning_rate=_not_asked_for), kernels, given)
        ranks.done()
        return self

    def run(self, *arguments: Any) -> Any:
        """`ShardWork.run`, in every process, or here where the others give this one their rows."""
        assert self._work is not None
        return self._work.run(*arguments) if self._work.steps_at_once else self.together("run", *arguments)

    def together(self, name: str, *arguments: Any) -> Any:
        """Call a method of `ShardWork` in every process, with the same arguments; returns its result here."""
        assert self._work is not None
        if self._ranks is not None:
            self._ranks.ask(_call, self._number, name, *arguments)
        found = getattr(self._work, name)(*arguments)
        if self._ranks is not None:
            self._ranks.done()
        return found


def serve(ranks: "Ranks") -> int:
    """What every rank but 0 does: the work that rank 0 asks for.

    Returns:
        The exit code of rank 0.

    Raises:
        RankLost: if rank 0 has ended without saying so.
    """
    with one_blas_thread():
        return ranks.serve()


def _begin(ranks: "Ranks", number: int, plan: StepPlan, kernels: tuple[str, ...], rows: int) -> None:
    """As another rank, hold the work of a number on the shards of this rank, whose rows it holds."""
    assert plan.shards is not None
    shards = plan.shards.of_ranks(ranks.size)
    work = ShardWork(plan, _held(ranks, rows), shards[ranks.rank], _Exchange(ranks, shards, number, Packing.none()))
    work.load(kernels)
    ranks.held[number] = work


def _held(ranks: "Ranks", number: int) -> TrainRows:
    """The rows of the shards of this rank, in memory."""
    rows: DividedRows = ranks.held[number]
    own = slice(0, rows.n_samples)
    X_nd, y_nk = (torch.from_numpy(np.asarray(each[own])) for each in (rows.X_nd, rows.y_nk))
    return TrainRows(X_nd, y_nk, None if rows.weight_n is None else torch.from_numpy(rows.weight_n[own]).to(X_nd.dtype))


def _call(ranks: "Ranks", number: int, name: str, *arguments: Any) -> None:
    """As another rank, call a method of the work of a number."""
    getattr(ranks.held[number], name)(*arguments)


def _not_asked_for(epoch: int) -> float:
    """In place of the learning rate of a plan, which is sent with the steps: a function of a schedule is no message."""
    raise AssertionError(epoch)


class _Exchange:
    """The exchange of the sums of shards that ranks hold, and of their rows; the ranks hold their work by `number`."""

    def __init__(self, ranks: "Ranks", held: list[range], number: int, packing: Packing) -> None:
        self._ranks, self._held, self._number, self._packing = ranks, held, number, packing
        self._counted: tuple[int, Any] | None = None

    def gather(self, parts_SW: Any) -> None:
        """As `shard_work.Exchange.gather`."""
        self._ranks.gather(parts_SW, self._held)

    def batches(self, own: Batches, epoch: int, first: int, count: int, at_once: int) -> Generator[Batches, None, None]:
        """As `shard_work.Exchange.batches`: the next ones come while steps are taken."""
        n_SC = self._counts(own, epoch)
        ends = [*range(first, first + count, at_once), first + count]
        self._ranks.ask(_give_batches, self._number, epoch, ends, self._packing)
        windows = (self._window(own, n_SC, begin, end) for begin, end in itertools.pairwise(ends))
        ahead = [next(windows)]
        try:
            for begin, end in itertools.pairwise(ends):
                rows, wait = ahead.pop()
                wait()
                ahead = [*itertools.islice(windows, 1)]
                _put(rows, own.some(begin, end - begin))
                yield of_all_shards(rows, n_SC[:, begin:end], self._held, own, begin)
        finally:
            for _, wait in itertools.chain(ahead, windows):  # those that are not wanted any more
                wait()
            self._ranks.done()

    def _counts(self, own: Batches, epoch: int) -> Any:
        """How many rows each shard has of each batch of an epoch, shape (n_shards, n_batches)."""
        if self._counted is None or self._counted[0] != epoch:
            self._counted = None
            found = self._ranks.in_turn(_count, self._number, epoch, here=lambda: own.counts)
            self._counted = epoch, np.concatenate([*found])
        return self._counted[1]

    def _window(self, own: Batches, n_SC: Any, first: int, stop: int) -> tuple[TrainRows, Callable[[], None]]:
        """Rows of some batches, process by process, that others send from now on, and what waits for them."""
        sizes = [int(n_SC[held.start : held.stop, first:stop].sum()) for held in self._held]
        bounds = [0, *itertools.accumulate(sizes)]
        rows = own.rows.empty(bounds[-1])
        parts = [rows.part(*ends) for ends in itertools.pairwise(bounds)]
        coming = [self._packing.room(part.tensors) if rank else [] for rank, part in enumerate(parts)]
        travelling = [(rank, each) for rank, some in enumerate(coming) for each in some if each.numel()]
        received = self._ranks.receiving(travelling)

        def wait() -> None:
            received()
            for part, travelled in zip(parts[1:], coming[1:], strict=True):
                self._packing.unpack(travelled, part.tensors)

        return rows, wait


def _put(rows: TrainRows, first: TrainRows) -> None:
    """Fill in the first of some rows."""
    for all_of_them, values in zip(rows.tensors, first.tensors, strict=True):
        all_of_them[: len(values)] = values


def _count(ranks: "Ranks", number: int, epoch: int) -> Any:
    """As another rank, how many rows each of its shards has of each batch of an epoch."""
    return ranks.held[number].batches(epoch).counts


def _give_batches(ranks: "Ranks", number: int, epoch: int, ends: list[int], packing: Packing) -> None:
    """As another rank, send rank 0 its rows of the batches from each to the next."""
    batches: Batches = ranks.held[number].batches(epoch)
    for first, stop in itertools.pairwise(ends):
        for values in packing.packed(batches.some(first, stop - first).tensors):
            if values.numel():
                ranks.send(values, 0)
