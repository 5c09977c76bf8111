"""Sums by shards: the same bits however the shards are divided and computed, and what refuses them."""

import contextlib
import functools
import json
import threading
import types

import numpy as np
import pytest
import torch
from other_device import OtherDevice
from plain_loop import Case
from thread_ranks import Several, held

from linreg_cli.optim.engines import costs, moments, parts, shard_work
from linreg_cli.optim.engines.parameters import PackedParameters
from linreg_cli.optim.engines.shard_work import ShardWork
from linreg_cli.optim.engines.sharded import kernels
from linreg_cli.optim.engines.shared import SharedWork
from linreg_cli.optim.engines.statistics import StatisticsExecutor
from linreg_cli.optim.rows import SharedTrainRows, TrainRows

CONFIG = """name: s
data: {path: t.csv, target: y}
optimizer: {lr: 0.02, momentum: 0.9}
train: {epochs: 4, batch_size: 4, shards: 5}
plots: false
"""


@pytest.fixture
def place(tmp_path):
    stream = np.random.default_rng(3)
    X = stream.normal(size=(13, 2)).round(3)
    y = (X @ [1.0, 2.0] + 0.3 * stream.normal(size=13)).round(3)
    rows = "".join(f"{a},{b},{c}\n" for (a, b), c in zip(X, y, strict=True))
    (tmp_path / "t.csv").write_text(f"a,b,y\n{rows}")
    (tmp_path / "c.yaml").write_text(CONFIG)
    return tmp_path


class Shared:
    """An exchange between threads, each in place of a process."""

    def __init__(self, size):
        self.barrier, self.parts = threading.Barrier(size), [None] * size

    def of(self, rank, held):
        def gather(mine):
            self.parts[rank] = mine.copy()
            self.barrier.wait()
            for other, rows in zip(self.parts, held, strict=True):
                mine[rows.start : rows.stop] = other[rows.start : rows.stop]
            self.barrier.wait()

        return types.SimpleNamespace(gather=gather)


def rows_of(case, dtype):
    weights = case.weights()
    return TrainRows(*(each.to(dtype) for each in (*case.data(), *([] if weights is None else [weights]))))


def by_ranks(case, size, device=None):
    """What the first of `size` ranks has after all steps: losses, parameters, the loss over all rows, their weight.

    With `device`, each adds up its shards there; see `other_device.py`.
    """
    plan, rows, state = case.plan(), rows_of(case, torch.float32), case.state("float32")
    within = contextlib.nullcontext if device is None else OtherDevice
    several = Several(size, within)
    with several, within():
        if size > 1:
            arrays = [None if each is None else each.numpy() for each in (rows.X_nd, rows.y_nk, rows.weight_n)]
            rows = SharedTrainRows(held(*arrays, plan.shards, several.ranks))
        work, packed = SharedWork(rows).of(plan, *kernels(weighted=case.weighted)), PackedParameters(state)
        losses = work.run(packed, 0, np.array(case.rates), plan.total_steps, device)
        loss_sum, weights = (
            work.together(name, *more) for name, *more in (["loss_sum", packed, device], ["weight_sum"])
        )
    assert not several.errors
    bits = b"".join([losses.tobytes(), packed.w.tobytes(), packed.b.tobytes(), packed.mw.tobytes()])
    return bits, loss_sum, weights


CASES = {
    "mse, momentum": Case("mse", "momentum", 4, rows=13, shards=5),
    "in order": Case("mse", "decay+nesterov", 4, rows=13, shards=5, shuffle=False),
    "blocks": Case("mae", "plain", 4, rows=13, shards=5, blocks=3),
    "huber, full batch": Case("huber", "dampening", 13, rows=13, shards=5),
    "one row a step, wide": Case("huber", "momentum", 1, rows=13, features=45, shards=4, rates=(0.002, 0.001)),
    "a shard for each row": Case("sse", "plain", 6, rows=13, targets=3, features=9, shards=13, rates=(0.002,)),
    "more shards than rows": Case("mse", "momentum", 4, rows=13, shards=20),
    "diverges": Case("mse", "plain", 3, rows=13, shards=5, rates=(1e4,) * 5),
    "weights": Case("huber", "momentum", 4, rows=13, shards=5, weighted=True),
    "weights, full batch": Case("mse", "plain", 97, rows=97, targets=2, features=20, shards=7, weighted=True),
    "long rows": Case("half_mse", "plain", 20, rows=97, features=20, shards=7),
}


@pytest.mark.parametrize("bytes_at_once", [0, 200, 2**20], ids=["sums of each step", "rows of a few", "rows of all"])
@pytest.mark.parametrize("name", CASES)
def test_any_division_of_the_shards_gives_the_same_bits(monkeypatch, name, bytes_at_once):
    """Whatever processes give: each other the sums of each step, or the first one the rows of several steps at once."""
    alone = by_ranks(CASES[name], 1)
    monkeypatch.setattr(costs, "BYTES_AT_ONCE", bytes_at_once)
    if not bytes_at_once:
        monkeypatch.setattr(costs, "BYTES_A_SECOND", 0.0)
    for size in (2, 3, 4):
        assert by_ranks(CASES[name], size) == alone, size


@pytest.mark.parametrize(("bytes_a_second", "processes"), [(5e8, 1), (0.0, 3)], ids=["rows", "sums of each step"])
def test_only_the_first_process_takes_the_steps_of_small_batches(monkeypatch, bytes_a_second, processes):
    called, own = [], ShardWork.run
    monkeypatch.setattr(ShardWork, "run", lambda *arguments: called.append(0) or own(*arguments))
    monkeypatch.setattr(costs, "BYTES_A_SECOND", bytes_a_second)
    by_ranks(CASES["mse, momentum"], 3)
    assert len(called) == processes


@pytest.mark.parametrize("bytes_at_once", [0, 200], ids=["sums of each step", "rows of a few"])
@pytest.mark.parametrize("name", CASES)
def test_steps_on_devices_have_the_bits_of_any_division_and_are_those_of_the_cpu(monkeypatch, name, bytes_at_once):
    """Pretended devices; to the bit between divisions, within the rounding error of float32 of the CPU."""
    monkeypatch.setattr(parts, "PART_ELEMENTS", 30)  # shards of several parts
    case = CASES[name]
    expected, loss_sum, _ = by_ranks(case, 1)
    alone = by_ranks(case, 1, "meta")
    assert len(alone[0]) == len(expected), "as many steps, also where one diverges"
    if name != "diverges":
        losses = [np.frombuffer(each[: 8 * case.plan().total_steps]) for each in (alone[0], expected)]
        np.testing.assert_allclose(*losses, rtol=2e-5)
        assert alone[1] == pytest.approx(loss_sum, rel=2e-5)
    monkeypatch.setattr(costs, "BYTES_AT_ONCE", bytes_at_once)
    if not bytes_at_once:
        monkeypatch.setattr(costs, "BYTES_A_SECOND", 0.0)
    for size in (2, 3):
        assert by_ranks(case, size, "meta") == alone, size


def moments_of(case, size, device=None):
    plan, whole = case.plan(), rows_of(case, torch.float64)
    held, bounds, shared, found = plan.shards.of_ranks(size), plan.shards.bounds, Shared(size), [None] * size

    def one(rank):
        rows = whole.part(int(bounds[held[rank].start]), int(bounds[held[rank].stop]))
        work = ShardWork(plan, rows, held[rank], shared.of(rank, held) if size > 1 else None)
        with contextlib.nullcontext() if device is None else OtherDevice():
            fit = np.ones((case.targets, case.features)), np.zeros(case.features + case.targets)
            sums, rest = work.moments(device), work.residual_moments(*fit, device)
        found[rank] = [np.asarray(each).tobytes() for part in (*sums, rest) for each in part]

    threads = [threading.Thread(target=one, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return found


@pytest.mark.parametrize(
    ("features", "shards", "weighted"), [(3, 5, False), (3, 50, False), (420, 5, False), (3, 5, True), (3, 50, True)]
)
def test_the_moments_of_a_full_batch_are_the_same_bits_in_every_rank(features, shards, weighted):
    case = Case("mse", batch_size=41, rows=41, features=features, targets=2, shards=shards, weighted=weighted)
    (alone,) = moments_of(case, 1)
    for size in (2, 3):
        assert moments_of(case, size) == [alone] * size, size


@pytest.mark.parametrize("weighted", [False, True])
def test_moments_that_each_process_adds_up_on_a_device_are_those_of_products_on_the_cpu(monkeypatch, weighted):
    """Of any division: the device is pretended, so its bits are the CPU's, and its tensors do not meet those of it."""
    monkeypatch.setattr(parts, "PART_ELEMENTS", 7)
    case = Case("mse", batch_size=41, rows=41, features=3, targets=2, shards=5, weighted=weighted)
    there = [moments_of(case, size, "meta") for size in (1, 2, 3)]
    monkeypatch.setattr(moments, "WIDE", 1)
    assert there == [moments_of(case, 1) * size for size in (1, 2, 3)]


def test_every_process_is_asked_to_add_up_its_shards_on_its_device():
    """The name goes with the question; the device is the CPU, so the bits are those without one."""
    case, found = Case("mse", "momentum", 41, rows=41, targets=2, shards=5), []
    plan, asked = case.plan(), []
    for size, device in ((1, None), (1, torch.device("cpu")), (3, torch.device("cpu"))):
        several = Several(size)
        with several, pytest.MonkeyPatch.context() as patch:
            patch.setattr(shard_work, "of_process", lambda name: asked.append(name) or torch.device(name))
            rows, state = rows_of(case, torch.float32), case.state("float32")
            if size > 1:
                rows = SharedTrainRows(held(rows.X_nd.numpy(), rows.y_nk.numpy(), None, plan.shards, several.ranks))
            executor = StatisticsExecutor(rows, device)
            executor.load(plan)
            losses = executor.run(plan, state, 0, plan.total_steps).tolist()
        found.append([losses, *(value.tolist() for value in state.model.parameters())])
    assert asked == ["cpu"] * 4
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("case", [CASES["huber, full batch"], CASES["mse, momentum"]], ids=["full", "batches"])
def test_neither_threads_nor_parts_of_a_shard_change_a_bit(monkeypatch, case):
    monkeypatch.setattr(parts, "PART_ELEMENTS", 3)  # a part has one row
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            found.append(by_ranks(case, 1))
    finally:
        torch.set_num_threads(before)
    assert found[0] == found[1]


def test_a_run_with_shards_repeats_and_resumes_with_the_same_bits(linreg, place):
    config = functools.partial(linreg, "train", "--quiet", "-c")
    assert config("c.yaml").code == 0
    assert config("outputs/s-0001/config.yaml").code == 0
    assert config("c.yaml", "--set", "train.epochs=2").code == 0
    assert linreg("train", "--resume", "s-0003", "--quiet", "--set", "train.epochs=4").code == 0
    models = {(place / "outputs" / f"s-000{i}" / "model.safetensors").read_bytes() for i in (1, 2, 3)}
    assert len(models) == 1
    record = json.loads((place / "outputs" / "s-0001" / "run.json").read_text())
    assert (record["engine"]["name"], record["engine"]["why"]) == (
        "sharded", "auto: sums are those of 5 shards, in their order",
    )  # fmt: skip
    assert "launch" not in record


def test_a_full_batch_with_shards_takes_the_statistics_of_the_shards(linreg, place):
    assert linreg("train", "-c", "c.yaml", "--quiet", "--set", "train.batch_size=full").code == 0
    assert linreg("train", "-c", "c.yaml", "--quiet", "--set", "train.batch_size=full", "--set",
                  "train.engine=sharded").code == 0  # fmt: skip
    first, second = (json.loads((place / "outputs" / f"s-000{i}" / "metrics.json").read_text()) for i in (1, 2))
    records = [json.loads((place / "outputs" / f"s-000{i}" / "run.json").read_text()) for i in (1, 2)]
    assert [each["engine"]["name"] for each in records] == ["statistics", "sharded"]
    assert first["train"]["loss"] == pytest.approx(second["train"]["loss"], rel=1e-6)


@pytest.mark.parametrize("batch", [4, "full"])
def test_weighted_rows_with_shards_are_trained_on_as_without(linreg, place, batch):
    """A third column as weights: the losses and parameters of the loop that autograd takes."""
    rows = (place / "t.csv").read_text().splitlines()
    (place / "t.csv").write_text("\n".join([f"{rows[0]},w", *(f"{row},{1 + i % 4}" for i, row in enumerate(rows[1:]))]))
    config = functools.partial(linreg, "train", "-c", "c.yaml", "--quiet", "--set", "data.weight=w", "--set")
    assert config(f"train.batch_size={batch}").code == 0
    for more in (["reference"], ["sharded", "train.shards=3"]):
        sets = [word for each in more[1:] or ["train.shards=null"] for word in ("--set", each)]
        assert config(f"train.batch_size={batch}", "--set", f"train.engine={more[0]}", *sets).code == 0
    runs = [json.loads((place / "outputs" / f"s-000{i}" / "metrics.json").read_text()) for i in (1, 2, 3)]
    for found in (runs[0], runs[2]):
        assert found["train"]["loss"] == pytest.approx(runs[1]["train"]["loss"], rel=1e-5)
        assert found["parameters"]["weights"] == pytest.approx(runs[1]["parameters"]["weights"], rel=1e-4)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["train.engine=native"], "native cannot run this plan: it does not add up shard by shard"),
        (["train.engine=reference"], "reference cannot run this plan: it does not add up shard by shard"),
        (["train.shards=null", "train.engine=sharded"], "sharded cannot run this plan: train.shards is not set"),
        (["train.shards=0"], "train.shards"),
        (["train.shards=4097"], "train.shards"),
    ],
)
def test_shards_are_honoured_or_refused(linreg, place, settings, words):
    sets = [word for setting in settings for word in ("--set", setting)]
    result = linreg("train", "-c", "c.yaml", *sets)
    assert result.code == 2
    assert words in result.err
    assert not (place / "outputs").exists()
