"""Ranks that are threads of one process: everything that processes do, without their start."""

import contextlib
import queue
import threading
import traceback

import torch

from linreg_cli.data.columns.divided import DividedRows, RowsOfRanks
from linreg_cli.data.shared import share
from linreg_cli.optim.engines.shared import serve
from linreg_cli.ranks.group import Ranks
from linreg_cli.ranks.messages import written


class ThreadRanks(Ranks):
    """`Ranks` whose messages go through queues; a rank that fails is shown when the context ends."""

    def __init__(self, rank, size, lines):
        super().__init__(rank, size, None, None)
        self._lines = lines

    def _put(self, to, value):
        self._lines[self.rank, to].put(value)

    def _get(self, sender):
        return self._lines[sender, self.rank].get(timeout=60)

    def _broadcast(self, content):
        if self.rank:
            return self._get(0)
        for rank in range(1, self.size):
            self._put(rank, content)
        return content

    def send(self, values, to):
        self._put(to, values.clone())

    def receive_into(self, values, sender=0):
        found = self._get(sender)
        assert (found.numel(), found.dtype) == (values.numel(), values.dtype)
        values.copy_(found.view(values.shape))

    def gather(self, parts_SW, held):
        own = held[self.rank]
        for rank in range(self.size):
            if rank != self.rank:
                self._put(rank, parts_SW[own.start : own.stop].copy())
        for rank, rows in enumerate(held):
            if rank != self.rank:
                parts_SW[rows.start : rows.stop] = self._get(rank)

    def exchange(self, given, found):
        for rank, values in self._travelling(given):
            self._put(rank, values.clone())
        for rank, values in self._travelling(found):
            self.receive_into(values, rank)

    def receiving(self, found):
        return lambda: [self.receive_into(values, rank) for rank, values in found]


class Several:
    """A context with rank 0 of several ranks; the others serve it, each `within` a context of its own."""

    def __init__(self, size, within=contextlib.nullcontext):
        lines = {(one, other): queue.Queue() for one in range(size) for other in range(size)}
        self.ranks = [ThreadRanks(rank, size, lines) for rank in range(size)]
        self.errors, self._within = [], within
        self._threads = [threading.Thread(target=self._serve, args=(each,), daemon=True) for each in self.ranks[1:]]

    def _serve(self, ranks):
        threads = torch.get_num_threads()
        try:
            with self._within():
                serve(ranks)
        except BaseException as error:
            self.errors.append(error)
            traceback.print_exception(error)
            ranks._put(0, error)  # wakes rank 0, whose receive then fails
        finally:
            torch.set_num_threads(threads)

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self.ranks[0]

    def __exit__(self, *_):
        self.ranks[0]._broadcast(written((None, 0, [])))
        for thread in self._threads:
            thread.join(60)


def held(X, y, weights, shards, ranks):
    """Rows of which each of the ranks has those of its shards; of one rank, the same shards of all rows."""
    bounds, number = shards.bounds.tolist(), ranks[0].next_number()
    for rank, own in zip(ranks, shards.of_ranks(len(ranks)), strict=True):
        first, last = bounds[own.start], bounds[own.stop]
        here = [each if each is None else each[first:last].copy() for each in (X, y, weights)]
        ends = [bound - first for bound in bounds[own.start : own.stop + 1]]
        rank.held[number] = DividedRows(*here, ends, before=first)
    return ranks[0].held[number] if len(ranks) == 1 else RowsOfRanks(X, y, weights, ranks[0], number)


def divided(dataset, ranks, shards):
    """A dataset whose rows the ranks have, each those of its parts; of one rank, the same parts of all rows."""
    return share(dataset, ranks[0], shards)
