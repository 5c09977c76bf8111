"""Train rows on the disk: every executor takes the steps that it takes from memory, with the same bits."""

import functools
import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from plain_loop import LOSSES, OPTIMIZERS, Case, partings

from linreg_cli.optim import transfer
from linreg_cli.optim.engines import parts, windows
from linreg_cli.optim.engines.select import EXECUTORS, unable
from linreg_cli.optim.engines.windows import Pieces, StoredWindows, pieces_of
from linreg_cli.optim.row_order import Blocks, Given
from linreg_cli.optim.rows import StoredRows, TrainRows

N_ROWS = 41


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Pieces of a few rows where rows come as given, and parts of a few rows."""
    monkeypatch.setattr(windows, "PIECE_BYTES", 150)
    monkeypatch.setattr(parts, "PART_ELEMENTS", 24)


def on_disk(rows: TrainRows, onto: torch.device | None = None) -> StoredRows:
    shape = rows.n_samples, rows.n_features, rows.n_targets
    stored = StoredRows.empty(*shape, rows.dtype, weighted=rows.is_weighted)
    stored.onto = onto
    for first in range(0, rows.n_samples, 7):
        stored.write(first, rows.part(first, min(first + 7, rows.n_samples)))
    return stored


def in_memory(case: Case, dtype: str) -> TrainRows:
    weights = [] if case.weights() is None else [case.weights()]
    return TrainRows(*(values.to(getattr(torch, dtype)) for values in (*case.data(), *weights)))


def numbers(executor, case: Case, dtype: str, stops: list[int], again=None) -> list:
    """Everything that a run gives, stopped at some steps, where another executor goes on if `again` makes one."""
    plan, state, losses = case.plan(), case.state(dtype), []
    for start, stop in itertools.pairwise([0, *stops, plan.total_steps]):
        losses += executor.run(plan, state, start, stop).tolist()
        executor = again() if again else executor
    values = [value.tolist() for value in (*state.model.parameters(), *state.momentum.values())]
    return [losses, values, executor.train_loss(plan, state)]


BATCHES = [1, 3, 16, 40]
CASES = [
    *(Case(loss, optimizer, 3, rows=N_ROWS, blocks=5) for loss in LOSSES for optimizer in ("plain", "nesterov")),
    *(Case("mse", optimizer, 7, rows=N_ROWS, blocks=4) for optimizer in OPTIMIZERS),
    *(
        Case("huber", "momentum", size, bias, targets=targets, rows=N_ROWS, blocks=blocks)
        for size in BATCHES
        for bias, targets, blocks in [(True, 1, 1), (False, 2, 6), (True, 2, 41), (True, 1, 6)]
    ),
    *(Case("mae", "momentum", size, shuffle=False, rows=N_ROWS, features=2) for size in BATCHES),
    *(Case(loss, "momentum", N_ROWS, rows=N_ROWS, targets=2) for loss in LOSSES),
    *(Case(loss, "momentum", 7, rows=N_ROWS, blocks=4, weighted=True) for loss in LOSSES),
    *(Case(loss, "momentum", N_ROWS, rows=N_ROWS, weighted=True) for loss in LOSSES),
    Case("half_mse", "plain", 3, shuffle=False, rows=N_ROWS, weighted=True),
    Case("mse", "plain", 1, rows=N_ROWS, blocks=3, rates=(0.01, 0.005, 0.002)),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", EXECUTORS)
def test_steps_from_the_disk_have_the_bits_of_those_from_memory(name, dtype):
    for case in (each for each in CASES if unable(name, each.plan(), "cpu") is None):
        rows, total = in_memory(case, dtype), case.plan().total_steps
        stops = sorted({step for step in (1, total // 3, total // 3 + 1, total - 1) if 0 < step < total})
        expected = numbers(EXECUTORS[name](rows), case, dtype, stops)
        stored = on_disk(rows)
        make = functools.partial(EXECUTORS[name], stored)
        for ahead in (True, False):
            stored.ahead = ahead
            assert numbers(make(), case, dtype, stops) == expected, (ahead, case)
            again = numbers(make(), case, dtype, stops, make)
            assert again == expected, f"with another executor after each stop: {ahead} {case}"


@pytest.mark.parametrize("name", ["reference", "affine", "statistics"])
def test_rows_that_are_moved_to_a_device_have_the_bits_of_those_that_lie_there(monkeypatch, name):
    """The device is the CPU, so that the copies are made wherever the tests run; small chunks of steps for `affine`."""
    monkeypatch.setattr("linreg_cli.optim.engines.affine.CHUNK_NUMBERS", 2**9)
    copied = []
    monkeypatch.setattr("linreg_cli.optim.transfer.copy", lambda *given, _=transfer.copy: copied.append(_(*given)))
    for case in [each for each in CASES if unable(name, each.plan(), "cpu", stored=True) is None][::3]:
        rows, plan, cpu = in_memory(case, "float32"), case.plan(), torch.device("cpu")
        expected, stored = EXECUTORS[name](rows), on_disk(rows, cpu)
        stops = partings(expected, plan)[1:-1:5]
        figures, make = numbers(expected, case, "float32", stops), functools.partial(EXECUTORS[name], stored)
        for ahead in (True, False):
            stored.ahead = ahead
            copied.clear()
            assert numbers(make(), case, "float32", stops) == figures, (ahead, case)
            assert copied
            assert numbers(make(), case, "float32", stops, make) == figures, f"by several executors: {ahead} {case}"


@pytest.mark.parametrize("ahead", [True, False])
def test_windows_and_parts_lie_on_the_device_and_their_rows_come_from_memory(ahead):
    """`meta` is a device without numbers: what was left on the CPU, or read from there, would show."""
    case, there = Case("mse", "plain", 4, rows=N_ROWS, blocks=6, weighted=True), torch.device("meta")
    stored, memory = on_disk(in_memory(case, "float32"), there), on_disk(in_memory(case, "float32"))
    stored.ahead, plan = ahead, case.plan()
    found, expected = StoredWindows(stored, torch.int64), StoredWindows(memory, torch.int64)
    for step in range(plan.total_steps):
        window, same = found.of(plan, step), expected.of(plan, step)
        assert {each.device for each in (*window.rows.tensors, window.order)} == {there}
        assert window.rows.X_nd.shape == same.rows.X_nd.shape
        assert window.read.rows.X_nd.tolist() == same.rows.X_nd.tolist()
        assert window.read.order.tolist() == same.order.tolist()
    for rows in (stored.part(3, 9), *stored.parts(30)):
        assert {each.device for each in rows.tensors} == {there} == {stored.device}


@pytest.mark.parametrize("name", ["reference", "native"])
def test_begun_at_any_step_the_bits_are_those_of_a_run_from_the_start(name):
    case = Case("mse", "momentum", 4, rows=N_ROWS, blocks=6)
    rows, plan = in_memory(case, "float32"), case.plan()
    stored, expected = on_disk(rows), EXECUTORS[name](rows)
    for step in range(plan.total_steps):
        state, other = case.state("float32"), case.state("float32")
        state.step = other.step = step
        found = EXECUTORS[name](stored).run(plan, state, step, plan.total_steps)
        assert found.tolist() == expected.run(plan, other, step, plan.total_steps).tolist()


def test_steps_may_be_taken_again_as_after_a_loss_that_is_not_finite():
    case = Case("mse", "plain", 3, rows=N_ROWS, blocks=6)
    plan, executor = case.plan(), EXECUTORS["native"](on_disk(in_memory(case, "float64")))
    state = case.state("float64")
    safe = state.snapshot()
    first = executor.run(plan, state, 0, 20)
    for stop in (20, 7, 19):
        state.restore(safe)
        assert executor.run(plan, state, 0, stop).tolist() == first[:stop].tolist()


def test_windows_hold_no_more_rows_than_a_piece_and_less_than_a_batch_besides():
    for rows, size in itertools.product((Given(), Blocks(100, 0, 7), Blocks(100, 1, 100)), (1, 6, 30, 99)):
        pieces = Pieces(rows, 100, size, size=9)
        largest = 9 if isinstance(rows, Given) else max(len(rows.members(block)) for block in range(rows.n_blocks))
        assert pieces.capacity == min(100, size - 1 + largest)
        for epoch in range(3):
            ends, stops = pieces.ends(epoch), pieces.stops(epoch)
            assert (ends[0], ends[-1], stops[-1]) == (0, 100, -(-100 // size))
            begins = np.concatenate([[0], stops[:-1]]) * size
            held = (ends[1:] - begins)[np.diff(np.concatenate([[0], stops])) > 0]
            assert held.max() <= pieces.capacity


@pytest.mark.parametrize("ahead", [True, False])
def test_rows_are_read_once_an_epoch(monkeypatch, ahead):
    """Each window reads its piece alone: the rows that a batch left over come from the window before."""
    case = Case("mse", "plain", 4, rows=N_ROWS, blocks=6, rates=(0.01, 0.01, 0.01))
    plan, stored, read = case.plan(), on_disk(in_memory(case, "float32")), []
    stored.ahead, read_into = ahead, StoredRows.read_into

    def counted(self, out, first):
        read.append(out.n_samples)
        return read_into(self, out, first)

    monkeypatch.setattr(StoredRows, "read_into", counted)
    found = StoredWindows(stored, torch.int32)
    for step in range(plan.total_steps):
        window = found.of(plan, step)
        assert window.first <= step < window.stop
        assert window.rows.n_samples <= pieces_of(plan, 16).capacity
    assert sum(read) == 3 * N_ROWS


def test_another_plan_of_the_same_rows_gets_its_own_windows():
    case = Case("mse", "plain", 4, rows=N_ROWS, blocks=6)
    rows = in_memory(case, "float64")
    executor, state = EXECUTORS["native"](on_disk(rows)), case.state("float64")
    executor.run(case.plan(), state, 0, 3)
    other = replace(case, batch_size=5, blocks=3)
    found, expected = other.state("float64"), other.state("float64")
    assert (
        executor.run(other.plan(), found, 0, 9).tolist()
        == EXECUTORS["native"](rows).run(other.plan(), expected, 0, 9).tolist()
    )
