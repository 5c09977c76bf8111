"""Training on a device that is not the CPU, as far as a pretended one shows it; `test_cuda.py` asks a real one."""

import contextlib
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq
import pytest
import torch
from other_device import DEVICE, Elsewhere, other_device

from linreg_cli.errors import EngineError
from linreg_cli.optim import transfer

pytestmark = pytest.mark.usefixtures("small_pieces")


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(5)
    X = rng.normal(size=(300, 3)) * [1, 5, 0.2] + [0, 3, 1]
    columns = {**{name: X[:, i] for i, name in enumerate("abc")}, "y": X @ [1.0, -2.0, 3.0] + rng.normal(size=300)}
    columns["p"] = rng.uniform(0.1, 4, size=300)
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    (tmp_path / "c.yaml").write_text(
        f"name: d\nplots: false\ndata: {{path: {tmp_path / 't.parquet'}, target: y, ignore: [p],\n"
        "  split: {train: 0.7, validation: 0.2, test: 0.1, by: hash}}\n"
        "preprocess: {standardize: true}\noptimizer: {lr: 0.02, momentum: 0.5}\n"
        "train: {epochs: 3, batch_size: 8, shuffle: blocks, blocks: 5}\n"
    )
    return tmp_path / "t.parquet"


def trained(linreg, table: Path, *settings: str) -> Path:
    result = linreg("train", "-c", table.with_name("c.yaml"), "-q", *(t for s in settings for t in ("--set", s)))
    assert result.code == 0, result.err
    return Path(result.out.strip())


def contents(run: Path) -> dict:
    """What a run computed, but for the optimum, which rows on the disk have for a squared loss only."""
    history = csv.read_csv(run / "history.csv")
    kept = [name for name in history.column_names if name not in ("seconds", "gap")]
    files = {name: (run / name).read_bytes() for name in ("model.safetensors", "predictions.csv", "preprocess.json")}
    metrics = json.loads((run / "metrics.json").read_text())
    metrics = {key: metrics[key] for key in ("train", "validation", "test", "parameters")}
    return files | {"history": history.select(kept).to_pylist(), "metrics": metrics}


RUNS = {
    "reference": ["train.engine=reference"],
    "reference, huber": ["train.engine=reference", "loss=huber"],
    "affine": ["train.engine=affine"],
    "affine, weights": ["train.engine=affine", "data.weight=p", "data.ignore=[]", "train.dtype=float64"],
    "early stopping": ["train.engine=reference", "train.early_stopping={patience: 1, restore_best: true}"],
    "full batch of mae": [
        "train.engine=reference", "loss=mae", "train.batch_size=full", "train.shuffle=true", "train.blocks=null",
    ],
}  # fmt: skip


def record(run: Path) -> dict:
    return json.loads((run / "run.json").read_text())


@pytest.mark.parametrize("name", RUNS)
def test_a_run_there_in_memory_and_streamed_is_that_of_the_cpu(name, linreg, table, monkeypatch):
    """To the bit, since the numbers of the device are the CPU's: an order or a row of another batch would show."""
    settings = [*RUNS[name], "evaluate.predictions=all"]
    here = trained(linreg, table, *settings)
    for stream in (False, True):
        with other_device(monkeypatch):
            run = trained(linreg, table, *settings, "train.device=cuda", f"data.stream={str(stream).lower()}")
        assert (record(run)["device"], record(run)["data"]["stream"]["value"]) == ("cuda", stream)
        assert contents(run) == contents(here)


@pytest.mark.parametrize("stream", ["false", "true"])
def test_full_batches_there_take_the_moments_of_the_rows(stream, linreg, table, monkeypatch):
    """A matrix product adds up the moments there, a kernel on the CPU: within rounding error of each other."""
    settings = ["train.batch_size=full", "train.shuffle=true", "train.blocks=null", "train.epochs=40"]
    settings += ["train.dtype=float64", "train.engine=statistics"]
    here = trained(linreg, table, *settings)
    with other_device(monkeypatch):
        run = trained(linreg, table, *settings, f"data.stream={stream}", "train.device=cuda")
    found, expected = (json.loads((each / "metrics.json").read_text()) for each in (run, here))
    for split in ("train", "validation", "test"):
        for name in ("loss", "mae", "r2"):
            assert found[split][name] == pytest.approx(expected[split][name], rel=1e-10)
    assert found["parameters"]["weights"] == pytest.approx(expected["parameters"]["weights"], rel=1e-10)


def test_full_batches_with_shards_add_up_each_shard_there(linreg, table, monkeypatch):
    settings = ["train.batch_size=full", "train.shuffle=true", "train.blocks=null", "train.shards=4"]
    settings += ["train.dtype=float64", "train.epochs=40"]
    here = trained(linreg, table, *settings)
    with other_device(monkeypatch, free=1):  # it holds a part of a shard at a time
        run = trained(linreg, table, *settings, "train.device=cuda")
    assert (record(run)["engine"]["name"], record(run)["device"]) == ("statistics", "cuda")
    assert record(run)["engine"]["why"].endswith("4 shards, in their order, of each process on its meta device")
    found, expected = (json.loads((each / "metrics.json").read_text()) for each in (run, here))
    assert found["train"]["loss"] == pytest.approx(expected["train"]["loss"], rel=1e-10)
    assert found["parameters"]["weights"] == pytest.approx(expected["parameters"]["weights"], rel=1e-10)


STEPS = {
    "batches": ["train.batch_size=8"],
    "batches, huber, weights": ["train.batch_size=30", "loss=huber", "data.weight=p", "data.ignore=[]"],
    "full batch of mae": ["train.batch_size=full", "train.shuffle=true", "train.blocks=null", "loss=mae"],
    "early stopping": ["train.early_stopping={patience: 1, restore_best: true}", "train.epochs=9"],
}


@pytest.mark.parametrize("name", STEPS)
def test_steps_with_shards_add_up_each_shard_there(name, linreg, table, monkeypatch):
    """Batches of a step and full batches that are no squares: torch there, a kernel here, within rounding error."""
    settings = [*STEPS[name], "train.shards=4", "train.dtype=float64"]
    here = trained(linreg, table, *settings)
    with other_device(monkeypatch, free=1):
        run = trained(linreg, table, *settings, "train.device=cuda")
    assert (record(run)["engine"]["name"], record(run)["device"]) == ("sharded", "cuda")
    found, expected = (contents(each) for each in (run, here))
    assert [row["step"] for row in found["history"]] == [row["step"] for row in expected["history"]]
    for metrics in (found["metrics"], expected["metrics"]):
        metrics["n"] = [metrics[split].pop("n") for split in ("train", "validation", "test")]
    assert found["metrics"]["n"] == expected["metrics"]["n"]
    assert found["metrics"]["parameters"]["weights"] == pytest.approx(
        expected["metrics"]["parameters"]["weights"], rel=1e-10
    )
    assert found["metrics"]["train"]["loss"] == pytest.approx(expected["metrics"]["train"]["loss"], rel=1e-10)


def test_each_process_of_a_machine_has_a_device_of_its_own(monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    for rank, expected in (("0", "cuda:0"), ("1", "cuda:1"), ("2", "cuda:0")):
        monkeypatch.setenv("LOCAL_RANK", rank)
        assert transfer.of_process("cuda") == torch.device(expected)
    assert transfer.of_process("cuda:1") == torch.device("cuda:1")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    with pytest.raises(EngineError, match=r"a process finds no CUDA device on its machine; set train.device: cpu"):
        transfer.of_process("cuda")


def test_a_copy_to_cuda_begins_after_the_steps_on_what_it_overwrites_and_is_done_when_it_returns(monkeypatch):
    """What is asked of torch, which a build without CUDA does not do."""
    asked, given = [], torch.arange(6.0).view(2, 3)

    class Stream:
        def __init__(self, device):
            self.device = device

        def wait_stream(self, other):
            asked.append(("wait", other))

        def synchronize(self):
            asked.append(("synchronize", there.tolist()))

    @contextlib.contextmanager
    def stream(which):
        asked.append(("copy in", which.device))
        yield

    monkeypatch.setattr("torch.cuda.Stream", Stream)
    monkeypatch.setattr("torch.cuda.stream", stream)
    monkeypatch.setattr("torch.cuda.default_stream", lambda device: "that of the steps")
    there = torch.zeros(2, 3)
    transfer._stream.cache_clear()
    transfer.copy([(given, there)], torch.device("cuda:1"))
    transfer._stream.cache_clear()
    cuda = torch.device("cuda:1")
    assert asked == [("wait", "that of the steps"), ("copy in", cuda), ("synchronize", given.tolist())]
    monkeypatch.setattr(torch, "empty", lambda *shape, dtype, pin_memory: (shape, dtype, pin_memory))
    assert transfer.memory((2, 3), torch.float32, cuda) == ((2, 3), torch.float32, True)
    assert transfer.memory((2, 3), torch.float32, None) == ((2, 3), torch.float32, False)


def test_a_run_there_is_resumed_there(linreg, table, monkeypatch):
    settings = ["train.engine=reference", "data.stream=true"]
    whole = trained(linreg, table, *settings, "train.epochs=6")
    with other_device(monkeypatch):
        run = trained(linreg, table, *settings, "train.epochs=2", "train.device=cuda")
        result = linreg("train", "--resume", run, "-q", "--set", "train.epochs=6")
    assert result.code == 0, result.err
    assert contents(run)["model.safetensors"] == contents(whole)["model.safetensors"]


def test_rows_that_the_device_cannot_hold_are_streamed_onto_it_and_a_decision_says_so(linreg, table, monkeypatch):
    for free, streams in ((9_600, False), (9_500, True)):  # 300 rows of 4 numbers of 4 bytes are 4,800
        with other_device(monkeypatch, free):
            run = trained(linreg, table, "train.device=cuda", "train.engine=reference")
        decision = record(run)["data"]["stream"]
        assert (decision["value"], decision["auto"]) == (streams, True)
        assert "half of the free memory of meta" in decision["why"]
        assert contents(run)["history"] == contents(trained(linreg, table, "train.engine=reference"))["history"]


@pytest.mark.parametrize(
    ("settings", "free", "why", "remedy"),
    [
        (
            ["data.stream=false"],
            4_608,
            "the rows take 4.688 KiB, and 4.5 KiB of meta are free",
            "data.stream: true",
        ),
    ],
)
def test_a_device_that_cannot_train_on_the_rows_is_refused_if_named_and_else_left_alone(
    settings, free, why, remedy, linreg, table, monkeypatch
):
    given = [text for each in settings for text in ("--set", each)]
    with other_device(monkeypatch, free):
        refused = linreg("train", "-c", "c.yaml", "--device", "cuda", *given)
        assert (refused.code, "train.device: " in refused.err) == (2, True)
        assert f"{why}; set train.device: cpu, or {remedy}" in refused.err.replace("\n", " ")
        assert not Path("outputs").exists()
        run = trained(linreg, table, *settings)
    assert record(run)["device"] == "cpu"
    assert record(run)["data"]["stream"]["why"].endswith(f"; trained on the CPU, since {why}")


def test_the_device_mixes_no_tensors_and_its_numbers_come_back_by_copies_alone(monkeypatch):
    with other_device(monkeypatch):
        there = torch.ones(2).to(DEVICE)
        assert (type(there + 1), there.device, type(there.cpu())) == (Elsewhere, DEVICE, torch.Tensor)
        with pytest.raises(AssertionError, match="tensors of two devices"):
            there + torch.ones(2)
        with pytest.raises((TypeError, RuntimeError)):
            there.numpy()
