"""The processes that train one run together: how they find each other, ask, exchange sums, and end.

Rank 0 has the run: it decides, asks and writes. The others wait for functions that it asks them to call, each on what
it holds. Everything goes over gloo, in the order of the ranks.
"""

import contextlib
import itertools
import json
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from linreg_cli.errors import Fault, LinregError, OutOfMemoryError, RankError, RankLost
from linreg_cli.ranks.messages import Number, read, written
from linreg_cli.ranks.rendezvous import ARRIVAL, agreed_prefix

Array = np.ndarray[Any, np.dtype[Any]]

#: How long to wait for a process that is at work: other ranks wait while rank 0 reads and evaluates, and a process that
#: ends closes its connections, which is noticed at once.
WORK = timedelta(days=30)
#: Seconds that rank 0 waits for the reason why a rank has ended.
REASON_SECONDS = 1.0
#: Bytes that are sent at once.
PIECE = 2**26
#: Bytes of a message that go with its size. An exchange takes some tenths of a millisecond, however few bytes it has.
START = 1024

_FAILED = "failed"


class Ranks:
    """This process among those that train together.

    Attributes:
        rank: its number, from 0.
        size: how many there are.
        launch: the id of the launch that started them, or None.
        held: number -> what this process holds; see `messages.Shared`.
    """

    def __init__(self, rank: int, size: int, store: Store | None, launch: str | None) -> None:
        self.rank, self.size, self._store, self.launch = rank, size, store, launch
        self._asking, self._numbers = False, itertools.count()
        self.held: dict[int, Any] = {}
        self._gone: list[int] = []

    @classmethod
    def alone(cls, launch: str | None = None) -> "Ranks":
        """The only process of a launch."""
        return cls(0, 1, None, launch)

    @classmethod
    def join(cls, launch: str | None) -> "Ranks":
        """Find the others by the variables that torchrun sets; returns when every one has come.

        Args:
            launch: the id of the launch.

        Raises:
            RankLost: if some do not come within half an hour.
        """
        with _noticing_loss(None):
            found, rank, size = next(rendezvous("env://", timeout=ARRIVAL))
            store = PrefixStore(agreed_prefix(found, rank, size), found)
            dist.init_process_group("gloo", store=store, rank=rank, world_size=size, timeout=WORK)
        return cls(rank, size, store, launch)

    def ask(self, function: Callable[..., Any], *arguments: Any) -> None:
        """As rank 0, let every other rank call a function; what belongs to it ends with `done`.

        Args:
            function: (ranks, *arguments) -> ignored; at the top of a module.
            arguments: as `messages.written`.
        """
        self._send_message((function, arguments))

    def everywhere(self, function: Callable[..., Any], *arguments: Any) -> list[Any]:
        """As rank 0, what a function returns in each process, in their order.

        Args:
            function: (ranks, *arguments) -> what `answer` sends; at the top of a module.
            arguments: as `messages.written`.

        Raises:
            RankError: with the error of another rank; that of this one is raised as it is.
            RankLost: if a rank ends.
        """
        return [*self.in_turn(function, *arguments)]

    def in_turn(
        self, function: Callable[..., Any], *arguments: Any, here: Callable[[], Any] | None = None
    ) -> Iterator[Any]:
        """As `everywhere`, one after the other, so that this process never has what two others have returned.

        Args:
            function: as there.
            arguments: as there.
            here: what this process calls in place of the function; None: the function.
        """
        if self.size > 1:
            self.ask(_answered, function, arguments)
        yield function(self, *read(written(arguments), self.held)) if here is None else here()
        for rank in range(1, self.size):
            yield self.answer_of(rank)
        self.done()

    def done(self) -> None:
        """As rank 0, note that every rank has what it was asked for, and waits."""
        self._asking = False

    def serve(self) -> int:
        """As another rank, call what rank 0 asks for until it ends; returns its exit code.

        Raises:
            RankLost: if rank 0 has ended without saying so.
        """
        while True:
            function, arguments, gone = read(self._broadcast(b""), self.held)
            self._forget(gone)
            if function is None:
                return int(arguments)
            function(self, *arguments)

    def _send_message(self, content: Any) -> None:
        assert self.rank == 0
        assert not self._asking, "the others wait with the answers to what was asked before; after an error, nothing is"
        self._asking = True
        gone = [self._gone.pop() for _ in range(len(self._gone))]
        self._broadcast(written((*content, gone)))
        self._forget(gone)

    def _forget(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            self.held.pop(number, None)

    def _broadcast(self, content: bytes) -> bytes:
        """What rank 0 gives every rank."""
        with _noticing_loss(self):
            return _carried(content, lambda part: dist.broadcast(part, src=0))

    def next_number(self) -> Number:
        """As rank 0, a number that was not given before, for what each process is to hold.

        They hold it as long as this process has the number: when nothing here refers to it any more, the next message
        lets them forget what it stands for.
        """
        return Number(next(self._numbers), self._gone)

    def end(self, code: int) -> None:
        """As rank 0, let every other rank end with an exit code.

        One that is still at what it was asked for notices the lost connection, and finds the code in the store.
        """
        if self._asking:
            self._leave_word("end", code, ())
        else:
            with contextlib.suppress(RankError, RankLost):
                self._send_message((None, code))
        self.leave()

    def leave(self) -> None:
        """End the threads of the connections, which would abort the process at its end."""
        if dist.is_initialized():
            dist.destroy_process_group()

    def send(self, values: Tensor, to: int) -> None:
        """Send numbers to another rank; see `receive`."""
        with _noticing_loss(self):
            for piece in torch.split(_bytes(values.contiguous()), PIECE):
                dist.send(piece, to)

    def receive(self, shape: Sequence[int], dtype: str, sender: int = 0) -> Tensor:
        """Receive numbers from another rank; from rank 0 if nothing else is said."""
        values = torch.empty(*shape, dtype=getattr(torch, dtype))
        self.receive_into(values, sender)
        return values

    def receive_into(self, values: Tensor, sender: int = 0) -> None:
        """As `receive`, into a tensor of their shape, contiguous."""
        with _noticing_loss(self):
            for piece in torch.split(_bytes(values), PIECE):
                dist.recv(piece, sender)

    def answer(self, found: object) -> None:
        """As another rank, send rank 0 what it has asked for; see `answer_of`."""
        _carried(written(found), lambda part: self.send(part, 0))

    def answer_of(self, rank: int) -> Any:
        """As rank 0, what another rank has answered."""
        return read(_carried(b"", lambda part: self.receive_into(part, rank)), self.held)

    def gather(self, parts_SW: Array, held: Sequence[range]) -> None:
        """Fill in the rows of other ranks.

        Args:
            parts_SW: float64; this rank has filled in its own rows.
            held: the rows of each rank, contiguous and in their order.
        """
        width, most = parts_SW.shape[1], max(map(len, held))
        own, mine = held[self.rank], np.zeros((most, width))
        mine[: len(own)] = parts_SW[own.start : own.stop]
        found = torch.empty(self.size, most, width, dtype=torch.float64)
        with _noticing_loss(self):
            dist.all_gather([*found], torch.from_numpy(mine))
        for rows, part in zip(held, found.numpy(), strict=True):
            parts_SW[rows.start : rows.stop] = part[: len(rows)]

    def receiving(self, found: Sequence[tuple[int, Tensor]]) -> Callable[[], None]:
        """Begin to receive numbers that other ranks `send`, and return what waits for them.

        Args:
            found: (rank, contiguous numbers that are filled in), those of a rank in the order in which it sends them.
        """
        with _noticing_loss(self):
            works = [dist.irecv(part, rank) for rank, each in found for part in torch.split(_bytes(each), PIECE)]

        def wait() -> None:
            with _noticing_loss(self):
                for work in works:
                    assert work is not None
                    work.wait()

        return wait

    def exchange(self, given: Sequence[Sequence[Tensor]], found: Sequence[Sequence[Tensor]]) -> None:
        """Give every other rank numbers, and receive those that it gives; all ranks call it at once.

        Args:
            given: for each rank, contiguous; those for this one stay.
            found: from each rank, contiguous, filled in; as many numbers, of the same dtypes, as that rank gives.
        """
        with _noticing_loss(self):
            works = [dist.irecv(_bytes(values), rank) for rank, values in self._travelling(found)]
            works += [dist.isend(_bytes(values), rank) for rank, values in self._travelling(given)]
            for work in works:
                assert work is not None
                work.wait()

    def _travelling(self, of_ranks: Sequence[Sequence[Tensor]]) -> list[tuple[int, Tensor]]:
        """(rank, numbers) of the other ranks that have some."""
        all_of_them = [(rank, each) for rank, several in enumerate(of_ranks) for each in several]
        return [(rank, each) for rank, each in all_of_them if rank != self.rank and each.numel()]

    def fail(self, error: BaseException) -> None:
        """Leave the reason for rank 0 why this rank ends."""
        if isinstance(error, LinregError):
            kind, code, faults = error.kind, error.exit_code, error.faults
        elif OutOfMemoryError.is_meant_by(error):
            kind, code, faults = OutOfMemoryError.kind, OutOfMemoryError.exit_code, OutOfMemoryError().faults
        else:
            kind, code, faults = "bug", 1, (Fault("".join(traceback.format_exception(error)).rstrip()),)
        self._leave_word(kind, code, faults)

    def _leave_word(self, kind: str, code: int, faults: Sequence[Fault]) -> None:
        """Leave the reason in the store why this rank ends."""
        values = {"kind": kind, "code": code, "faults": [[fault.message, fault.where] for fault in faults]}
        with contextlib.suppress(RuntimeError):
            assert self._store is not None
            self._store.set(_FAILED, json.dumps(values))

    def reason(self) -> LinregError:
        """Why a rank has ended: its own error, or that it was lost."""
        until = time.monotonic() + REASON_SECONDS
        with contextlib.suppress(RuntimeError):
            assert self._store is not None
            while not self._store.check([_FAILED]):
                if time.monotonic() > until:
                    break
                time.sleep(0.02)
            else:
                values = json.loads(self._store.get(_FAILED))
                return RankError(values["kind"], values["code"], [Fault(*each) for each in values["faults"]])
        return RankLost(f"one of the {self.size} processes has ended, often because its memory ran out")


def _carried(content: bytes, carry: Callable[[Tensor], object]) -> bytes:
    """A message that goes from one process to others: its size and its first bytes together, then the others, if any.

    Args:
        content: the message; without bytes where it is received.
        carry: called with bytes, which it sends or fills in.
    """
    start = torch.zeros(8 + START, dtype=torch.uint8)
    whole = torch.frombuffer(bytearray(content), dtype=torch.uint8) if content else start[:0]
    start[:8] = torch.tensor([len(content)]).view(torch.uint8)
    start[8 : 8 + len(content)] = whole[:START]
    carry(start)
    if not content:
        whole = torch.empty(int(start[:8].view(torch.int64)), dtype=torch.uint8)
        whole[:START] = start[8 : 8 + len(whole)]
    if len(whole) > START:
        carry(whole[START:])
    return content or whole.numpy().tobytes()


def _bytes(values: Tensor) -> Tensor:
    """The bytes of contiguous numbers, in their place.

    The stride of a single number may be anything, such as 0, of which torch makes no view in another dtype.
    """
    return values.view(-1).as_strided((values.numel(),), (1,)).view(torch.uint8)


def _answered(ranks: Ranks, function: Callable[..., Any], arguments: Sequence[Any]) -> None:
    """As another rank, call a function and send rank 0 what it returns."""
    ranks.answer(function(ranks, *arguments))


@contextlib.contextmanager
def _noticing_loss(ranks: Ranks | None) -> Iterator[None]:
    """A context in which a connection that is lost is reported as the end of a rank, with the reason.

    Raises:
        RankError: with the error of another rank.
        RankLost: if a rank has ended without one, or did not come.
    """
    try:
        yield
    except (RuntimeError, OSError) as error:
        if ranks is None:
            raise RankLost(f"not all of the processes have come: {str(error).partition(chr(10))[0]}") from None
        if not _is_of_a_connection(error):
            raise
        raise ranks.reason() from None


def _is_of_a_connection(error: RuntimeError | OSError) -> bool:
    """Whether an error means a lost process; gloo's have no type of their own, and begin with a path in its sources."""
    return isinstance(error, OSError | dist.DistError) or "gloo" in str(error) or "onnection" in str(error)
