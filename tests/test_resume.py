"""A run that was stopped and taken up again ends as one that was never stopped, to the bit."""

import json
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from linreg_cli.cli import progress
from linreg_cli.errors import StoreError
from linreg_cli.optim import fit as fit_module
from linreg_cli.optim.engines.select import EXECUTORS
from linreg_cli.pipeline import train as training
from linreg_cli.runs.checkpoint import CHECKPOINT_FILE, PREVIOUS_FILE, load_checkpoint
from linreg_cli.runs.lock import hold
from linreg_cli.runs.store import RunFolder

# 10 train rows in batches of 4: 3 steps an epoch, the last of them with 2 rows.
BASE = """
name: r
data: {source: synthetic, n_samples: 14, noise_std: 0.5, split: {train: 0.7143, validation: 0.2857}}
optimizer: {lr: 0.05, momentum: 0.9, nesterov: true}
train: {epochs: 4, batch_size: 4, device: cpu}
probe: [[1, 2]]
plots: false
"""
STEPS = 12

VARIANTS = {
    "momentum": [],
    "plain": ["optimizer.momentum=0", "optimizer.nesterov=false"],
    "step": ["optimizer.schedule={kind: step, step_size: 2, gamma: 0.5}", "loss=huber"],
    "exponential": ["optimizer.schedule={kind: exponential, gamma: 0.8}", "loss=mae", "optimizer.weight_decay=0.1"],
    "cosine": ["optimizer.schedule={kind: cosine, T_max: 3}", "loss=half_mse", "train.dtype=float64"],
    "sse": ["loss=sse", "optimizer.lr=0.005", "optimizer.nesterov=false", "optimizer.dampening=0.5"],
    "full": ["train.batch_size=full", "preprocess.standardize=true"],
    "early stopping": ["train.early_stopping={patience: 1, min_delta: 0.5}"],
    "as given": ["train.shuffle=false", "train.batch_size=1", "optimizer.lr=0.005", "train.epochs=2"],
}
#: What the default suite holds every executor to; the reference is held to all, and the slow suite holds all to all.
BRIEF = ("momentum", "full")


@pytest.fixture
def train(linreg, config_file):
    path = config_file(BASE)

    def call(*arguments, sets=(), outputs="outputs"):
        options = [part for item in sets for part in ("--set", item)]
        return linreg("train", "-c", path, *options, "--outputs", outputs, *arguments)

    return call


@pytest.fixture
def stop_at(monkeypatch):
    """Ask to stop, by a real SIGTERM, at the N-th event of training; every step is a segment of its own."""
    monkeypatch.setattr(fit_module, "SEGMENT_SECONDS", 0.0)
    left = [0]
    real = progress.Progress.event

    def event(self, what):
        real(self, what)
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(progress.Progress, "event", event)

    def at(number: int) -> None:
        left[0] = number

    return at


def history(run: Path) -> list[list[str]]:
    lines = [line.split(",") for line in (run / "history.csv").read_text().splitlines()]
    seconds = lines[0].index("seconds")
    return [line[:seconds] + line[seconds + 1 :] for line in lines]


def same(run: Path, other: Path) -> None:
    for name in ("model.safetensors", "metrics.json", "predictions.csv", "preprocess.json", "config.yaml"):
        assert (run / name).read_bytes() == (other / name).read_bytes(), name
    assert history(run) == history(other)
    epochs = [line[0] for line in history(run)[1:]]
    assert epochs == [str(epoch) for epoch in range(len(epochs))], "each epoch once"
    records = [json.loads((path / "run.json").read_text()) for path in (run, other)]
    for key in ("status", "steps_done", "epochs_done", "stopped", "digests", "steps"):
        assert records[0][key] == records[1][key], key


@pytest.mark.parametrize(
    ("engine", "variant"),
    [
        pytest.param(engine, variant, marks=[] if engine == "reference" or variant in BRIEF else pytest.mark.slow)
        for engine in sorted(EXECUTORS)
        for variant in VARIANTS
        if engine != "statistics" or variant == "full"
    ],
)
def test_stopped_at_any_step_a_run_ends_as_if_it_had_not_been(linreg, train, stop_at, tmp_path, engine, variant):
    sets = [*VARIANTS[variant], f"train.engine={engine}"]
    whole = train(sets=sets, outputs="whole")
    assert whole.code == 0, whole.err
    positions = set()
    for number in range(1, 100):
        stop_at(number)
        outputs = f"o{number}"
        result = train(sets=sets, outputs=outputs)
        run = tmp_path / outputs / "r-0001"
        if result.code == 0:  # there are fewer events than that
            break
        assert result.code == 143, result.err
        assert json.loads((run / "run.json").read_text())["status"] == "interrupted"
        checkpoint, warnings = load_checkpoint(RunFolder(run))
        assert (warnings, checkpoint is not None) == ([], True)
        positions.add(checkpoint.snapshot.step)
        resumed = linreg("train", "--resume", "r", "--outputs", outputs, "--json")
        assert resumed.code == 0, resumed.err
        same(run, tmp_path / "whole" / "r-0001")
    record = json.loads((tmp_path / "whole" / "r-0001" / "run.json").read_text())
    assert positions == set(range(record["steps_done"] + 1))
    assert (record["stopped"] is not None) == (variant == "early stopping")
    assert number > 2


def test_a_run_may_be_stopped_again_and_again(linreg, train, stop_at, tmp_path):
    assert train(outputs="whole").code == 0
    stop_at(1)
    assert train().code == 143
    stops = 1
    while True:
        stop_at(2)
        result = linreg("train", "--resume", "latest")
        if result.code == 0:
            break
        assert result.code == 143, result.err
        stops += 1
    assert stops > 5
    same(tmp_path / "outputs" / "r-0001", tmp_path / "whole" / "r-0001")
    record = json.loads((tmp_path / "outputs" / "r-0001" / "run.json").read_text())
    assert len(record["resumed"]) == stops
    assert [entry["step"] for entry in record["resumed"]] == sorted(entry["step"] for entry in record["resumed"])


@pytest.mark.parametrize("phase", ["evaluating", "drawing the pictures"])
def test_stopped_after_training_a_run_still_ends_the_same(linreg, train, monkeypatch, tmp_path, phase):
    sets = ["plots=true"]
    assert train(sets=sets, outputs="whole").code == 0
    real = progress.Progress.stage

    def stage(self, text):
        real(self, text)
        if text == phase:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(progress.Progress, "stage", stage)
        assert train(sets=sets).code == 130
    run = tmp_path / "outputs" / "r-0001"
    assert json.loads((run / "run.json").read_text())["status"] == "interrupted"
    assert linreg("train", "--resume", run).code == 0
    same(run, tmp_path / "whole" / "r-0001")
    pictures = [
        sorted(path.name for path in (folder / "plots").iterdir()) for folder in (run, tmp_path / "whole/r-0001")
    ]
    assert pictures[0] == pictures[1] != []


def test_checkpoints_by_time_lie_within_epochs_too(linreg, train, monkeypatch, tmp_path):
    monkeypatch.setattr(fit_module, "SEGMENT_SECONDS", 0.0)
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(training, "CHECKPOINT_RATIO", 0.0)
    saved = []
    real = training.save_checkpoint
    monkeypatch.setattr(
        training, "save_checkpoint", lambda run, point: (saved.append(point.snapshot.step), real(run, point))
    )
    assert train().code == 0
    assert saved == [*range(STEPS + 1), STEPS]
    newest, _ = load_checkpoint(RunFolder(tmp_path / "outputs" / "r-0001"))
    assert newest.snapshot.step == STEPS


def test_without_a_reason_only_the_end_is_saved(train, tmp_path):
    """A checkpoint costs at most a hundredth of the time that has passed since the last one, and 10 s are few."""
    assert (training.CHECKPOINT_SECONDS, training.CHECKPOINT_RATIO) == (10.0, 100.0)
    assert train().code == 0
    run = tmp_path / "outputs" / "r-0001"
    assert json.loads((run / "run.json").read_text())["checkpoints"]["count"] == 1
    assert not (run / PREVIOUS_FILE).exists()


# ------------------------------------------------------------------------------- what is refused, what is not


CHANGES = [
    "seed=1", "loss=mae", "huber_delta=2", "name=other", "probe=[[1, 3]]", "plots=true", "gates=[train.r2 > 0]",
    "data.n_samples=15", "data.weights=[1, 2]", "data.bias=1", "data.noise_std=0.1", "data.target=z",
    "data.split={train: 0.5, validation: 0.5}", "data.split.shuffle=false",
    "data.features={a: {uniform: [0, 1]}, b: {uniform: [0, 2]}}",
    "preprocess.standardize=true", "preprocess.standardize_target=true", "preprocess.ddof=1",
    "model.bias=false", "model.init.weight=0", "model.init.bias=1",
    "optimizer.lr=0.1", "optimizer.momentum=0.5", "optimizer.nesterov=false", "optimizer.weight_decay=1",
    "optimizer.schedule={kind: exponential, gamma: 0.5}",
    "train.batch_size=2", "train.shuffle=false", "train.dtype=float64", "train.checkpoint_every=1", "train.epochs=3",
    "train.early_stopping={patience: 3}",
]  # fmt: skip


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("finished", [False, True])
def test_a_changed_config_is_refused_with_the_differences(linreg, train, stop_at, tmp_path, finished):
    stop_at(0 if finished else 5)
    assert train().code == (0 if finished else 143)
    run = tmp_path / "outputs" / "r-0001"
    before = content(run)
    for change in CHANGES:
        result = linreg("train", "--resume", "r", "--set", change)
        assert result.code == 2, change
        key = change.split("=")[0]
        assert any(line.startswith(f"error: r-0001: {key}") for line in result.err.splitlines()), (change, result.err)
        assert "and now it is" in result.err
        assert "without --resume" in result.err
        assert content(run) == before, change
    result = linreg("train", "--resume", "r", "--set", "seed=1", "--set", "optimizer.lr=0.1", "--json")
    assert [fault["message"] for fault in result.json["error"]["faults"]][:2] == [
        "optimizer.lr: the run has 0.05, and now it is 0.1",
        "seed: the run has 0, and now it is 1",
    ]


def test_an_edited_config_of_the_run_is_a_changed_config(linreg, train, stop_at, tmp_path):
    stop_at(5)
    assert train().code == 143
    path = tmp_path / "outputs" / "r-0001" / "config.yaml"
    path.write_text(path.read_text().replace("lr: 0.05", "lr: 0.06"))
    result = linreg("train", "--resume", "r")
    assert (result.code, "optimizer.lr: the run has 0.05, and now it is 0.06" in result.err) == (2, True)


def test_the_same_config_may_be_given_again(linreg, train, stop_at, tmp_path):
    assert train(outputs="whole").code == 0
    stop_at(5)
    assert train().code == 143
    assert train("--resume", "r").code == 0
    same(tmp_path / "outputs" / "r-0001", tmp_path / "whole" / "r-0001")


@pytest.mark.parametrize("schedule", ["{kind: constant}", "{kind: cosine, T_max: 4}"])
@pytest.mark.parametrize("stopped", [0, 5])
def test_more_epochs_end_as_if_they_had_been_asked_for_at_once(linreg, train, stop_at, tmp_path, schedule, stopped):
    sets = [f"optimizer.schedule={schedule}", "train.early_stopping={patience: 1, min_delta: 0.001}"]
    assert train(sets=[*sets, "train.epochs=7"], outputs="whole").code == 0
    stop_at(stopped)
    assert train(sets=sets).code == (143 if stopped else 0)
    result = linreg("train", "--resume", "r", "--set", "train.epochs=7")
    assert result.code == 0, result.err
    same(tmp_path / "outputs" / "r-0001", tmp_path / "whole" / "r-0001")


def test_a_finished_run_is_complete_already(linreg, train, tmp_path):
    assert train().code == 0
    before = content(tmp_path / "outputs")
    result = linreg("train", "--resume", "r")
    assert result.code == 0
    assert result.out == "r-0001 is already complete: all 4 epochs are done; raise train.epochs to continue\n"
    result = linreg("train", "--resume", "r", "--json")
    assert (result.code, result.json["status"]) == (0, "finished")
    assert content(tmp_path / "outputs") == before


def test_after_early_stopping_no_step_more(linreg, train, tmp_path):
    assert train(sets=["train.early_stopping={patience: 1, min_delta: 100}"]).code == 0
    before = content(tmp_path / "outputs")
    for options in ((), ("--set", "train.epochs=9")):
        result = linreg("train", "--resume", "r", *options)
        assert (result.code, "already complete: it was stopped early" in result.out) == (0, True)
    assert content(tmp_path / "outputs") == before


def test_a_diverged_run_is_refused_with_advice(linreg, train, tmp_path):
    assert train(sets=["optimizer.lr=1e30"]).code == 4
    before = content(tmp_path / "outputs")
    result = linreg("train", "--resume", "r")
    assert result.code == 6
    assert "the run has diverged" in result.err
    assert "lower optimizer.lr" in result.err
    assert content(tmp_path / "outputs") == before


def test_changed_data_are_refused(linreg, config_file, stop_at, tmp_path):
    table = "x,y\n" + "".join(f"{x},{2 * x + 1}\n" for x in range(10))
    (tmp_path / "t.csv").write_text(table)
    config = config_file("name: t\ndata: {path: t.csv, target: y}\nplots: false\noptimizer: {lr: 0.001}\n")
    stop_at(2)
    assert linreg("train", "-c", config).code == 143
    (tmp_path / "t.csv").write_text(table.replace("9,19", "9,20"))
    before = content(tmp_path / "outputs")
    result = linreg("train", "--resume", "t")
    assert result.code == 3
    assert "the data has changed since the run began: its fingerprint was sha256:" in result.err
    assert content(tmp_path / "outputs") == before
    (tmp_path / "t.csv").write_text(table)
    assert linreg("train", "--resume", "t").code == 0


def test_a_run_in_use_is_refused_with_the_process(linreg, train, stop_at, tmp_path):
    stop_at(3)
    assert train().code == 143
    run = tmp_path / "outputs" / "r-0001"
    lock = hold(run)
    result = linreg("train", "--resume", "r")
    assert (result.code, f"in use by PID {os.getpid()}" in result.err) == (6, True)
    lock.release()
    assert linreg("train", "--resume", "r").code == 0
    assert [path.name for path in run.iterdir() if path.name.startswith(".")] == []


def test_what_has_no_meaning_together_is_a_usage_error(linreg, train):
    assert train().code == 0
    assert linreg("train").code == 2
    assert "--resume" in linreg("train").err
    assert linreg("train", "--resume", "r", "--dry-run").code == 2
    assert linreg("train", "--resume", "nothing").code == 6


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"versions": {"torch": "1.0.0"}}, f"torch 1.0.0 is now {torch.__version__}"),
        ({"versions": {"numpy": "1.2.3"}}, f"numpy 1.2.3 is now {np.__version__}"),
        ({"threads": 99}, f"99 threads are now {torch.get_num_threads()}"),
        ({"versions": {}, "threads": None}, None),
        ({}, None),
    ],
    ids=["torch", "numpy", "threads", "not known", "nothing"],
)
def test_what_changes_the_last_digits_is_warned_of_on_resume(linreg, train, stop_at, tmp_path, changed, said):
    stop_at(5)
    assert train().code == 143
    path = tmp_path / "outputs" / "r-0001" / "run.json"
    record = json.loads(path.read_text())
    assert {"torch", "numpy"} <= record["versions"].keys()
    if changed.get("versions"):
        changed = {"versions": record["versions"] | changed["versions"]}
    path.write_text(json.dumps(record | changed))
    result = linreg("train", "--resume", "r")
    assert result.code == 0
    warned = [line for line in result.err.splitlines() if "last digits" in line or " is now " in line]
    expected = f"warning: {said}: the run may end with other last digits than without the stop"
    assert warned == ([expected] if said else [])


# --------------------------------------------------------------------------------------------- damaged checkpoints


@pytest.fixture
def interrupted(train, stop_at, tmp_path) -> Path:
    """A run that was stopped in its third epoch, with two checkpoints: after the second epoch, and at the stop."""
    assert train(outputs="whole", sets=["train.checkpoint_every=2"]).code == 0
    stop_at(8)
    assert train(sets=["train.checkpoint_every=2"]).code == 143
    run = tmp_path / "outputs" / "r-0001"
    assert (run / PREVIOUS_FILE).exists()
    return run


def test_a_damaged_checkpoint_is_found_wherever_the_damage_is(interrupted):
    run, path = RunFolder(interrupted), interrupted / CHECKPOINT_FILE
    (interrupted / PREVIOUS_FILE).unlink()
    good = path.read_bytes()
    damaged = [good[:length] for length in range(0, len(good), 7)]
    for position in range(0, len(good), 3):
        flipped = bytearray(good)
        flipped[position] ^= 1 << position % 8
        damaged.append(bytes(flipped))
    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(StoreError, match=r"no intact checkpoint is left; train again|format .* (newer|older)"):
            load_checkpoint(run)
    path.write_bytes(good)
    assert load_checkpoint(run)[0] is not None


@pytest.mark.parametrize("damage", ["empty", "truncated", "flipped", "missing"])
def test_the_previous_checkpoint_is_used_with_a_warning(linreg, interrupted, tmp_path, damage):
    path = interrupted / CHECKPOINT_FILE
    good = path.read_bytes()
    match damage:
        case "empty":
            path.write_bytes(b"")
        case "truncated":
            path.write_bytes(good[: len(good) // 2])
        case "flipped":
            path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
        case "missing":
            path.unlink()
    result = linreg("train", "--resume", "r")
    assert result.code == 0, result.err
    if damage != "missing":
        assert f"{PREVIOUS_FILE} (step 6) is used instead" in result.err
    same(interrupted, tmp_path / "whole" / "r-0001")


def test_without_a_whole_checkpoint_there_is_advice(linreg, interrupted):
    for name in (CHECKPOINT_FILE, PREVIOUS_FILE):
        (interrupted / name).write_bytes((interrupted / name).read_bytes()[:-1])
    result = linreg("train", "--resume", "r")
    assert (result.code, "train again with 'linreg train -c" in result.err) == (6, True)


def test_a_run_without_any_checkpoint_begins_anew(linreg, interrupted, tmp_path):
    for name in (CHECKPOINT_FILE, PREVIOUS_FILE):
        (interrupted / name).unlink()
    assert linreg("train", "--resume", "r").code == 0
    same(interrupted, tmp_path / "whole" / "r-0001")


def test_a_moved_run_goes_on(linreg, interrupted, tmp_path):
    shutil.copytree(interrupted, tmp_path / "elsewhere")
    assert linreg("train", "--resume", tmp_path / "elsewhere").code == 0
    for name in ("model.safetensors", "predictions.csv"):
        assert (tmp_path / "elsewhere" / name).read_bytes() == (tmp_path / "whole" / "r-0001" / name).read_bytes()


def test_a_checkpoint_that_is_a_pickle_is_never_executed(linreg, interrupted, tmp_path):
    touched = tmp_path / "touched"
    (interrupted / CHECKPOINT_FILE).write_bytes(f"cposix\nsystem\n(S'touch {touched}'\ntR.".encode())
    (interrupted / PREVIOUS_FILE).unlink()
    assert linreg("train", "--resume", "r").code == 6
    assert not touched.exists()


def test_what_a_killed_writer_left_is_cleaned(linreg, interrupted, tmp_path):
    (interrupted / ".checkpoint.safetensors.123.tmp").write_bytes(b"half")
    (interrupted / ".owner").write_text("123\n")
    assert linreg("train", "--resume", "r").code == 0
    assert [path.name for path in interrupted.iterdir() if path.name.startswith(".")] == []


def test_a_flipped_model_is_found(linreg, train, tmp_path):
    assert train().code == 0
    run = tmp_path / "outputs" / "r-0001"
    assert linreg("evaluate", "r").code == 0
    for name in ("model.safetensors", "preprocess.json"):
        good = (run / name).read_bytes()
        for position in range(0, len(good), 11):
            flipped = bytearray(good)
            flipped[position] ^= 1
            (run / name).write_bytes(flipped)
            result = linreg("evaluate", "r")
            assert (result.code, "its SHA-256 digest is not the one in run.json" in result.err) == (6, True)
        (run / name).write_bytes(good)
    assert linreg("evaluate", "r").code == 0
