"""A process of a sweep reads a table once; a run that takes the rows of another has the bits of a run alone."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPOSITORY

from linreg_cli.config import load_config
from linreg_cli.data.columns.kinds import take
from linreg_cli.pipeline import prepare
from linreg_cli.pipeline.shared_rows import SharedRows
from linreg_cli.pipeline.silent import Silent
from linreg_cli.pipeline.sweep_points import Points
from linreg_cli.runs.signals import StopRequests

CONFIG = """
name: shared
data: {path: t.csv, target: y, split: {train: 0.75, validation: 0.25}}
preprocess: {standardize: true, categorical: one_hot}
optimizer: {lr: 0.01}
train: {epochs: 3, batch_size: 8, dtype: float64}
plots: false
"""
TABLE = "a,b,kind,y\n" + "".join(f"{x / 10},{x % 7},{'uvw'[x % 3]},{x / 5 + (x % 7) * 1.5}\n" for x in range(60))
#: Overrides -> whether the rows, and whether the exact fit too, are those of the config without them.
SHARED = {
    "optimizer.lr=0.02": (True, True),
    "optimizer.momentum=0.5": (True, True),
    "optimizer.schedule={kind: exponential, gamma: 0.9}": (True, True),
    "train.epochs=5": (True, True),
    "model.init={weight: 0, bias: 1}": (True, True),
    "probe=[[1, 2, u]]": (True, True),
    "evaluate.cross_validation={folds: 3}": (True, True),
    "train.batch_size=full": (True, False),
    "train.engine=reference": (True, False),
    "optimizer.weight_decay=0.1": (True, False),
    "loss=half_mse": (True, False),
    "loss=huber": (True, False),
    "seed=1": (False, False),
    "data.features=[a]": (False, False),
    "data.split={train: 0.5, validation: 0.5}": (False, False),
    "preprocess.standardize=false": (False, False),
    "preprocess.target_transform=log1p": (False, False),
    "model.bias=false": (False, False),
    "train.dtype=float32": (False, False),
    "train.shuffle=false": (False, False),
    "train.early_stopping={patience: 2}": (False, False),
}


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text(TABLE)
    (tmp_path / "c.yaml").write_text(CONFIG)


@pytest.mark.parametrize("override", SHARED)
def test_rows_are_taken_where_they_are_the_same_and_only_there(here, override):
    """What is taken is compared with what the config would read."""
    first, second = load_config(["c.yaml"]), load_config(["c.yaml"], [override])
    found = SharedRows.of_run(first.config, prepare.prepare(first, Silent())).of(second.config)
    shares_rows, shares_fit = SHARED[override]
    assert (found is not None, found is not None and found.problem is not None) == (shares_rows, shares_fit)
    if found is None:
        return
    alone = prepare.prepare(second, Silent())
    taken = found.rows(second.config)
    assert taken.fingerprint() == alone.fingerprint
    for name in (*alone.dataset.features, *alone.dataset.targets):
        assert (take(taken.columns, name, slice(None)) == take(alone.dataset.columns, name, slice(None))).all()


def test_points_in_one_process_read_the_table_once_and_have_the_bits_of_runs_alone(here, linreg, monkeypatch):
    Path("t.csv").write_text(TABLE)  # in the folder of `linreg`
    Path("c.yaml").write_text(CONFIG)
    reads, answers = [], []
    load = prepare.load_dataset
    monkeypatch.setattr(prepare, "load_dataset", lambda *given, **more: reads.append(1) or load(*given, **more))
    points = Points("c.yaml", Path("outputs"), ["linreg", "sweep"], StopRequests(), answers.append)
    grid = [[each] for each, (rows, _) in SHARED.items() if rows] + [["optimizer.lr=0.03", "loss=mae"], ["seed=1"]]
    for number, overrides in enumerate(grid, 1):
        about = {"sweep": {"id": "shared-0001", "point": number, "overrides": {}}}
        points.do({"point": number, "overrides": overrides, "about": about, "resume": None})
    assert len(reads) == 2, "once for the first point, and once for another seed"
    ended = [each for each in answers if "status" in each]
    assert [each["status"] for each in ended] == ["finished"] * len(grid)
    for each, overrides in zip(ended, grid, strict=True):
        words = [word for override in overrides for word in ("--set", override)]
        alone = linreg("train", "-c", "c.yaml", *words, "--name", "alone", "--json").json
        for name in ("model.safetensors", "metrics.json", "predictions.csv", "preprocess.json"):
            assert Path("outputs", each["run"], name).read_bytes() == Path(alone["path"], name).read_bytes(), overrides
        records = [json.loads(Path(run, "run.json").read_text()) for run in (f"outputs/{each['run']}", alone["path"])]
        data = [{key: value for key, value in each["data"].items() if key != "stream"} for each in records]
        assert data[0] == data[1]  # `stream` says how much memory is free
        assert records[0]["warnings"] == records[1]["warnings"]


def test_a_sweep_costs_less_than_its_runs_alone(here):
    """Twenty points in two processes against twenty processes, by the CPU time of one of them; at most 1.15 times."""

    def cpu_seconds(*arguments: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        command = [sys.executable, "-m", "linreg_cli", *arguments]
        subprocess.run(command, env=environment, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    rates = ",".join(f"{0.001 * 1.2**power:.4g}" for power in range(20))
    alone = cpu_seconds("train", "-c", "c.yaml", "-q")
    assert cpu_seconds("sweep", "-c", "c.yaml", "--set", f"optimizer.lr={rates}", "--jobs", "2") <= 1.15 * 20 * alone
    assert len(list(Path("outputs").glob("shared-*"))) == 21
