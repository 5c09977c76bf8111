"""What only a CUDA device can show: executors there against those of the CPU, rows that are moved, and whole runs."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from plain_loop import LOSSES, OPTIMIZERS, Case, assert_near, plain_loop, tolerance

from linreg_cli.convergence.on_disk import free_on
from linreg_cli.optim.engines import moments
from linreg_cli.optim.engines.select import EXECUTORS, unable
from linreg_cli.optim.rows import StoredRows, TrainRows
from linreg_cli.optim.state import TrainingState
from linreg_cli.optim.transfer import of_process

pytestmark = pytest.mark.cuda

if not torch.cuda.is_available():
    pytest.skip("no CUDA device", allow_module_level=True)

DEVICE = torch.device("cuda")
ON_DEVICES = [name for name in EXECUTORS if name not in ("native", "sharded")]


def on_device(case, name, dtype):
    X, y = (values.to(DEVICE, getattr(torch, dtype)) for values in case.data())
    state = TrainingState(case.state(dtype).model.to(DEVICE))
    return EXECUTORS[name](TrainRows(X, y)), state


@pytest.mark.parametrize("name", ON_DEVICES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_steps_are_those_of_the_plain_loop(name, dtype, optimizer):
    """The bound is that of the CPU, which TF32 (10 bits of a product) would exceed a hundred times."""
    cases = [Case(loss, optimizer, size) for loss in LOSSES for size in (1, 3, 10)]
    for case in (each for each in cases if unable(name, each.plan(), DEVICE.type) is None):
        (executor, state), plan = on_device(case, name, dtype), case.plan()
        losses = executor.run(plan, state, 0, plan.total_steps)
        bound = tolerance(case, dtype, plan.total_steps)
        steps = plain_loop(case)
        assert_near(losses, torch.tensor([step.loss for step in steps], dtype=torch.float64), bound, str(case))
        for key, value in state.model.named_parameters():
            assert_near(value.cpu(), steps[-1].parameters[key], bound, f"{case}: {key}")
        assert {value.device.type for value in state.momentum.values()} <= {DEVICE.type}


@pytest.mark.parametrize("name", ON_DEVICES)
def test_divergence_is_met_at_the_same_step_as_on_the_cpu(name):
    case = Case(batch_size=10, rates=(1e4,) * 60)
    executor, state = on_device(case, name, "float32")
    expected, plan = case.state("float32"), case.plan()
    losses = executor.run(plan, state, 0, plan.total_steps)
    assert len(losses) == len(case.executor("reference", "float32").run(plan, expected, 0, plan.total_steps))
    assert state.step == expected.step


def test_a_shuffled_order_is_that_of_the_cpu():
    case = Case(rows=1000, batch_size=32)
    for blocks in (None, 4):
        (executor, state), plan = on_device(replace(case, blocks=blocks), "affine", "float64"), replace(case).plan()
        plan = replace(plan, n_blocks=blocks)
        executor.run(plan, state, 0, plan.total_steps)
        expected = case.state("float64")
        case.executor("reference", "float64").run(plan, expected, 0, plan.total_steps)
        for key, value in expected.model.named_parameters():
            assert torch.allclose(dict(state.model.named_parameters())[key].cpu(), value, rtol=1e-12, atol=1e-13), key


#: Several blocks of a megabyte, of which the next one is copied while steps are taken from one.
LARGE = Case(rows=200_000, features=16, batch_size=500, blocks=9, rates=(0.002,) * 2, optimizer="momentum")


@pytest.mark.parametrize("ahead", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", ON_DEVICES)
def test_rows_that_are_moved_have_the_bits_of_rows_that_lie_there(name, weighted, ahead):
    """A copy that is not done, or begins before the steps on what it overwrites are, would show."""
    case = replace(LARGE, weighted=weighted, batch_size=LARGE.rows if name == "statistics" else LARGE.batch_size)
    tensors = [*case.data(), *([case.weights()] if weighted else [])]
    there, plan = TrainRows(*(each.to(DEVICE, torch.float32) for each in tensors)), case.plan()
    stored = StoredRows.empty(case.rows, case.features, 1, "float32", weighted=weighted)
    stored.write(0, TrainRows(*(each.float() for each in tensors)))
    stored.onto, stored.ahead, found = DEVICE, ahead, []
    for rows in (there, stored):
        state, executor = TrainingState(case.state("float32").model.to(DEVICE)), EXECUTORS[name](rows)
        losses = executor.run(plan, state, 0, plan.total_steps)
        parameters = [value.cpu().tolist() for value in state.model.parameters()]
        found.append([losses.tolist(), parameters, executor.train_loss(plan, state)])
    assert found[0] == found[1]


def test_moments_of_a_part_that_is_moved_are_those_of_the_cpu():
    rows = TrainRows(*LARGE.data())
    (n, mean, M), (m, other, N) = (moments.of_part(rows, 7, 100_000, onto) for onto in (None, of_process("cuda")))
    assert n == m
    np.testing.assert_allclose(other, mean, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(N, M, rtol=1e-11, atol=1e-7)


def test_a_run_there_in_memory_streamed_and_by_shards(linreg, tmp_path):
    X, y = LARGE.data()
    columns = {**{f"x{i}": X[:, i].numpy() for i in range(16)}, "y": y[:, 0].numpy()}
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    (tmp_path / "c.yaml").write_text(
        "name: g\nplots: false\ndata: {path: t.parquet, target: y, split: {train: 0.8, test: 0.2, by: hash}}\n"
        "optimizer: {lr: 0.002}\nloss: mse\ntrain: {epochs: 2, batch_size: 500, shuffle: blocks, blocks: 9}\n"
    )

    def trained(*settings):
        given = [text for each in settings for text in ("--set", each)]
        result = linreg("train", "-c", "c.yaml", "-q", "--device", DEVICE.type, *given)
        assert result.code == 0, result.err
        run = Path(result.out.strip())
        return json.loads((run / "run.json").read_text()), run

    assert free_on(DEVICE) > 2**20
    for engine in ("reference", "affine"):
        runs = [trained(f"train.engine={engine}", f"data.stream={stream}") for stream in ("false", "true")]
        assert [record["data"]["stream"]["value"] for record, _ in runs] == [False, True]
        assert len({(run / "model.safetensors").read_bytes() for _, run in runs}) == 1
    full = ["train.batch_size=full", "train.shuffle=true", "train.blocks=null", "train.epochs=50"]
    losses = []
    for settings in ([], ["data.stream=true"], ["train.shards=4"]):
        record, run = trained(*full, *settings)
        assert record["engine"]["name"] == "statistics"
        losses.append(json.loads((run / "metrics.json").read_text())["test"]["loss"])
    assert losses == pytest.approx([losses[0]] * 3, rel=1e-6)
