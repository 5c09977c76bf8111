"""`linreg sweep` with real processes: results, a killed process, Ctrl-C and resuming, what cannot be written."""

import csv
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from linreg_cli.pipeline.workers import Worker

SMALL = """
name: small
data: {path: t.csv, target: y, split: {train: 0.75, validation: 0.25}}
train: {epochs: 4, batch_size: full, dtype: float64}
gates: [train.r2 > -100]
plots: false
"""
#: A point that takes minutes, so that it is surely under way when it is stopped.
SLOW = """
name: slow
data: {path: t.csv, target: y, split: {train: 0.75, validation: 0.25}}
optimizer: {lr: 0.001}
train: {epochs: 3, batch_size: 1, dtype: float64, engine: reference}
plots: false
"""
TABLE = "a,b,y\n" + "".join(f"{x / 10},{x % 7},{x / 5 + (x % 7) * 1.5 + (x % 3) / 7}\n" for x in range(60))
#: What a run has learned: equal bits for equal bits.
LEARNED = ("model.safetensors", "metrics.json", "predictions.csv", "preprocess.json")


@pytest.fixture
def swept(linreg, tmp_path):
    """Run `linreg sweep` on a config in the current folder."""
    (tmp_path / "t.csv").write_text(TABLE)
    (tmp_path / "small.yaml").write_text(SMALL)
    (tmp_path / "slow.yaml").write_text(SLOW)

    def call(*arguments, config="small.yaml"):
        return linreg("sweep", *(["-c", config] if config else []), *arguments)

    return call


def saved(sweep: str = "small-0001") -> dict:
    return json.loads(Path("outputs/sweeps", sweep, "sweep.json").read_text())


@contextmanager
def once_a_run_trains(do, pattern: str = "slow-*") -> Iterator[None]:
    """A block beside which `do` is called with the folder of the first run that takes steps."""

    def watch() -> None:
        while not done.is_set():
            for run in Path("outputs").glob(f"{pattern}/run.json"):
                if json.loads(run.read_text())["status"] == "running":
                    do(run.parent)
                    return
            time.sleep(0.05)

    done = threading.Event()
    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_a_sweep_of_rates(swept, linreg):
    """Four rates, one of them above the limit, in two processes that read the table once each."""
    result = swept("--set", "optimizer.lr=0.001,0.02,7,auto", "--jobs", 2)
    assert result.code == 0
    found = saved()
    by_lr = {each["overrides"]["optimizer.lr"]: each for each in found["points"]}
    assert {lr: each["status"] for lr, each in by_lr.items()} == {
        0.001: "finished", 0.02: "finished", 7: "diverged", "auto": "finished",
    }  # fmt: skip
    assert found["metric"] == "validation.loss"
    assert found["status"] == "finished"
    assert by_lr[7]["run"] is None, "it was refused before the first step"
    assert "limit" in by_lr[7]["error"]
    assert found["winner"] == min(
        (each for each in found["points"] if each["metric"] is not None), key=lambda each: each["metric"]
    )
    assert found["auto"]["lr"]["value"] == by_lr["auto"]["lr"]

    # Ordinary runs, which say what they belong to, with the bits of a run alone.
    for lr, each in by_lr.items():
        if each["run"] is None:
            continue
        run = Path("outputs", each["run"])
        record, metrics = (json.loads((run / name).read_text()) for name in ("run.json", "metrics.json"))
        assert record["sweep"] == {"id": "small-0001", "point": each["point"], "overrides": {"optimizer.lr": lr}}
        assert record["status"] == "finished"
        assert each["metric"] == metrics["validation"]["loss"]
        assert each["gap"] == metrics["optimum"]["gap"]
        assert each["gates"] is True
        alone = linreg("train", "-c", "small.yaml", "--set", f"optimizer.lr={lr}", "--name", "alone", "--json").json
        for name in LEARNED:
            assert (run / name).read_bytes() == Path(alone["path"], name).read_bytes(), (lr, name)

    with open("outputs/sweeps/small-0001/sweep.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["optimizer.lr"] for row in rows] == ["0.001", "0.02", "7", "auto"]
    assert [row["run"] or None for row in rows] == [each["run"] for each in found["points"]]
    assert float(rows[0]["validation.loss"]) == found["points"][0]["metric"]
    assert Path("outputs/sweeps/small-0001/sweep.png").read_bytes().startswith(b"\x89PNG")

    # On the terminal: a line for each point as it ends, what diverged at once, the winner named.
    assert result.err.count("small-0001: 4/4") == 1
    assert "optimizer.lr 7: diverged: " in result.err
    winner = found["winner"]
    assert f"The winner is point {winner['point']} (optimizer.lr {winner['overrides']['optimizer.lr']}" in result.out
    assert "auto would choose the rate" in result.out
    assert result.out.splitlines()[-1] == "outputs/sweeps/small-0001"

    # A finished sweep has nothing left to do.
    before = Path("outputs/sweeps/small-0001/sweep.csv").read_bytes()
    again = linreg("sweep", "--resume", "small", "--json").json
    assert again["sweep"] == "small-0001"
    assert again["winner"] == winner
    assert Path("outputs/sweeps/small-0001/sweep.csv").read_bytes() == before


def test_a_killed_process_takes_one_point_with_it_and_resuming_finishes_it(swept, linreg):
    def kill(run: Path) -> None:
        os.kill(json.loads((run / "run.json").read_text())["pid"], signal.SIGKILL)

    with once_a_run_trains(kill):
        result = swept("--set", "train.epochs=1000000,2", "--set", "train.stop_gap=null", config="slow.yaml")
    assert result.code == 0
    killed, other = saved("slow-0001")["points"]
    assert (killed["status"], other["status"]) == ("interrupted", "finished")
    assert "its process was killed (SIGKILL)" in killed["error"]
    assert "epochs 1,000,000: interrupted: its process was killed (SIGKILL)" in result.err
    assert json.loads(Path("outputs", other["run"], "run.json").read_text())["status"] == "finished"

    # In place of the million epochs the run has three, so that it can finish.
    config = Path("outputs", killed["run"], "config.yaml")
    config.write_text(config.read_text().replace("epochs: 1000000", "epochs: 3"))
    Path("outputs", killed["run"], "checkpoint.safetensors").unlink(missing_ok=True)
    assert linreg("sweep", "--resume", "slow-0001").code == 0
    first, second = saved("slow-0001")["points"]
    assert (first["status"], first["run"]) == ("finished", killed["run"])
    assert second == other, "a point that has finished is left as it is"


#: In the process of a point: Ctrl-C for the sweep at the first checkpoint, and no further step until the sweep has
#: passed it on. So the point is under way, however fast it is.
AT_THE_FIRST_CHECKPOINT = """
import os, signal, time

replace = os.replace

def stopping(draft, path, **options):
    replace(draft, path, **options)
    if os.path.basename(path) == "checkpoint.safetensors" and not os.path.exists("passed_on"):
        os.kill(os.getppid(), signal.SIGINT)
        while not os.path.exists("passed_on"):
            time.sleep(0.01)

os.replace = stopping
"""


def test_ctrl_c_ends_cleanly_and_resuming_gives_the_bits_of_an_uninterrupted_sweep(
    swept, linreg, heeded_signals, tmp_path, monkeypatch
):
    epochs, stop = 40, Worker.stop
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook" / "sitecustomize.py").write_text(AT_THE_FIRST_CHECKPOINT)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "hook"), *sys.path]))
    monkeypatch.setattr(Worker, "stop", lambda worker, number: (stop(worker, number), Path("passed_on").touch()))
    result = swept(
        "--set", f"train.epochs={epochs}", "--set", "optimizer.lr=0.001,0.002", "--set", "train.batch_size=1",
        "--set", "data.split.train=0.75", "--set", "train.checkpoint_every=1", config="slow.yaml",
    )  # fmt: skip
    assert result.code == 130
    assert "go on with: linreg sweep --resume outputs/sweeps/slow-0001" in result.err
    stopped = saved("slow-0001")
    assert stopped["status"] == "interrupted"
    assert [each["status"] for each in stopped["points"]] == ["interrupted", "waiting"]
    assert linreg("sweep", "--resume", "outputs/sweeps/slow-0001").code == 0
    points = saved("slow-0001")["points"]
    assert [each["status"] for each in points] == ["finished", "finished"]
    assert points[0]["run"] == stopped["points"][0]["run"], "it goes on in its folder"
    for each in points:
        lr = each["overrides"]["optimizer.lr"]
        alone = linreg(
            "train", "-c", "slow.yaml", "--set", f"train.epochs={epochs}", "--set", f"optimizer.lr={lr}", "--name",
            "alone", "--json",
        ).json  # fmt: skip
        for name in LEARNED:
            assert Path("outputs", each["run"], name).read_bytes() == Path(alone["path"], name).read_bytes()


def test_where_every_point_fails_the_code_is_4_and_json_says_why(swept):
    result = swept("--set", "optimizer.lr=1000,2000", "--jobs", 8, "--json")
    assert result.code == 4
    assert result.json["winner"] is None
    assert [each["status"] for each in result.json["points"]] == ["diverged", "diverged"]
    assert result.json["error"]["kind"] == "diverged"
    assert result.err.count("diverged: ") == 2, "reported at once, also with --json"


def test_a_table_that_is_missing_fails_each_point_with_its_reason(swept, tmp_path):
    result = swept("--set", "data.path=t.csv,gone.csv", "--set", "optimizer.lr=0.001")
    assert result.code == 0
    there, gone = saved()["points"]
    assert (there["status"], gone["status"], gone["run"]) == ("finished", "failed", None)
    assert "gone.csv" in gone["error"]


def test_a_sweep_without_a_table_is_refused_before_its_points_also_when_it_is_resumed_elsewhere(
    swept, linreg, tmp_path, monkeypatch
):
    result = swept("--set", "data.path=gone.csv", "--set", "optimizer.lr=0.001,0.01")
    assert (result.code, result.err.count("error:"), "gone.csv: there is no such file" in result.err) == (3, 1, True)
    assert not Path("outputs").exists()

    assert swept("--set", "optimizer.lr=0.001,1000", "--jobs", 1).code == 0
    file = Path("outputs/sweeps/small-0001/sweep.json")
    stopped = saved()
    stopped["points"][1]["status"] = "waiting"
    file.write_text(json.dumps(stopped))
    before, sweep = file.read_bytes(), file.parent.absolute()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    result = linreg("sweep", "--resume", sweep)
    assert (result.code, "t.csv: there is no such file (in " in result.err) == (3, True)
    assert (sweep / "sweep.json").read_bytes() == before


def test_a_tracker_that_is_not_installed_is_refused_before_the_points(swept, monkeypatch):
    monkeypatch.setattr("linreg_cli.trackers.track.find_spec", lambda _: None)
    result = swept("--set", "track.tensorboard=true", "--set", "optimizer.lr=0.001,0.01")
    assert (result.code, "pip install 'linreg[tensorboard]'" in result.err) == (2, True)
    assert result.err.count("error:") == 1
    assert not Path("outputs").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--resume", "small-0001", "--set", "seed=1,2"], "leave --set out"),
        (["--resume", "small-0001", "--metric", "train.loss"], "leave --metric out"),
        (["--resume", "nothing"], "there is no sweep 'nothing'"),
        (["--resume", ""], "Missing option"),
        (["--set", "seed=1,2"], "Missing option"),
    ],
)
def test_what_cannot_be_resumed_is_refused(swept, arguments, said):
    result = swept(*arguments, config=None)
    assert result.code in (2, 6)
    assert said in result.err


def test_outputs_that_cannot_be_written_are_an_error_before_anything_runs(swept, tmp_path):
    (tmp_path / "file").write_text("")
    result = swept("--set", "seed=1,2", "--outputs", "file")
    assert result.code == 6
    assert "it is not a folder" in result.err


def test_a_metric_that_no_run_has_is_refused_before_anything_runs(swept, tmp_path):
    result = swept("--set", "seed=1,2", "--metric", "test.r2")
    assert (result.code, (tmp_path / "outputs").exists()) == (2, False)
    assert "the config has no test split" in result.err
