"""A run that was stopped and taken up again ends as one that was never stopped, to the bit."""

import json
import os
import signal

import pytest
import resuming
from resuming import STEPS, same

from linreg_cli.cli import progress
from linreg_cli.findings import Finding
from linreg_cli.optim import fit as fit_module
from linreg_cli.optim.engines.select import EXECUTORS
from linreg_cli.pipeline import train as training
from linreg_cli.pipeline.resume import Resumption
from linreg_cli.runs.checkpoint import PREVIOUS_FILE, load_checkpoint
from linreg_cli.runs.store import RunFolder

# Fixtures of resuming.py: pytest finds them by their names in this module.
train = resuming.train
stop_at = resuming.stop_at

VARIANTS = {
    "momentum": [],
    "plain": ["optimizer.momentum=0", "optimizer.nesterov=false"],
    "step": ["optimizer.schedule={kind: step, step_size: 2, gamma: 0.5}", "loss=huber"],
    "exponential": ["optimizer.schedule={kind: exponential, gamma: 0.8}", "loss=mae", "optimizer.weight_decay=0.1"],
    "cosine": ["optimizer.schedule={kind: cosine, T_max: 3}", "loss=half_mse", "train.dtype=float64"],
    "sse": ["loss=sse", "optimizer.lr=0.005", "optimizer.nesterov=false", "optimizer.dampening=0.5"],
    "full": ["train.batch_size=full", "preprocess.standardize=true"],
    "early stopping": ["train.early_stopping={patience: 1, min_delta: 0.5}"],
    "stop gap": ["train.stop_gap=10", "optimizer.lr=0.02"],
    "loss rose": ["model.init={weight: [2.0, -3.4], bias: 4.2}", "optimizer.lr=0.1", "train.batch_size=2"],
    "blocks": ["train.shuffle=blocks", "train.blocks=3", "train.epochs=2"],
    "as given": ["train.shuffle=false", "train.batch_size=1", "optimizer.lr=0.005", "train.epochs=2"],
}
#: What an executor needs besides its name.
NEEDS = {"sharded": ["train.shards=3"]}


def takes(engine: str, variant: str) -> bool:
    """Whether an executor can run a variant."""
    if engine == "affine":
        return variant not in ("step", "exponential")
    return engine != "statistics" or variant == "full"


#: What the default suite holds every executor to; the reference is held to all, and the slow suite holds all to all.
BRIEF = ("momentum", "full")


@pytest.mark.parametrize(
    ("engine", "variant"),
    [
        pytest.param(engine, variant, marks=[] if engine == "reference" or variant in BRIEF else pytest.mark.slow)
        for engine in sorted(EXECUTORS)
        for variant in VARIANTS
        if takes(engine, variant)
    ],
)
def test_stopped_at_any_step_a_run_ends_as_if_it_had_not_been(linreg, train, stop_at, tmp_path, engine, variant):
    sets = [*VARIANTS[variant], f"train.engine={engine}", *NEEDS.get(engine, [])]
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
    # `affine` takes the few steps of an epoch as one chunk.
    apart = record["steps_done"] // record["epochs_done"] if engine == "affine" else 1
    assert positions == set(range(0, record["steps_done"] + 1, apart))
    assert (record["stopped"] is not None) == (variant in ("early stopping", "stop gap"))
    assert ("loss_rose" in [each["kind"] for each in record["warnings"]]) == (variant == "loss rose")
    assert number > 2


def test_stopped_after_the_last_epoch_of_a_run_that_diverges_it_still_diverges(linreg, train, stop_at):
    sets = ["optimizer.lr=0.7", "optimizer.momentum=0", "optimizer.nesterov=false", "train.epochs=6"]
    whole = train("--force", sets=sets, outputs="whole")
    assert whole.code == 4, whole.err
    assert "the train loss after epoch 6 is" in whole.err
    stop_at(19)  # the evaluations before and after 6 epochs of 3 steps, and what is between them
    assert train("--force", sets=sets).code == 143
    resumed = linreg("train", "--resume", "r")
    assert resumed.code == 4, resumed.err
    said = [result.err[result.err.index("error: ") :] for result in (whole, resumed)]
    assert said[1].replace("outputs", "whole") == said[0]


def test_stopped_among_epochs_that_are_taken_together(linreg, train, stop_at, tmp_path, monkeypatch):
    monkeypatch.setattr(fit_module, "SEGMENT_SECONDS", 1e9)  # 1, 2, 4 and 8 epochs in a call
    stopping = "train.early_stopping={patience: 3, restore_best: true}"
    sets = ["train.batch_size=full", "train.epochs=15", "train.engine=statistics", "train.checkpoint_every=4", stopping]
    assert train(sets=sets, outputs="whole").code == 0
    for number in (2, 3, 5, 10, 12):
        stop_at(number)
        assert train(sets=sets, outputs=f"o{number}").code == 143
        run = tmp_path / f"o{number}" / "r-0001"
        checkpoint, _ = load_checkpoint(RunFolder(run))
        assert checkpoint.snapshot.step == number - 1
        assert linreg("train", "--resume", "r", "--outputs", f"o{number}").code == 0
        same(run, tmp_path / "whole" / "r-0001")


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


def test_a_run_that_goes_on_keeps_its_warnings(linreg, stop_at, tmp_path):
    lines = [f"{row},{row % 3},{2 * row + row % 2}\n" for row in range(60)]
    (tmp_path / "t.csv").write_text("a,b,y\n" + "".join(lines))
    settings = {
        "data.stream": "true", "optimizer.lr": "0.0001", "huber_delta": "2",  # with mse: no effect
        "train.batch_size": "4", "plots": "false", "train.epochs": "3", "data.split": "{train: 0.8, test: 0.2}",
    }  # fmt: skip
    start = ["train", "t.csv", "--target", "y"]
    for key, value in settings.items():
        start += ["--set", f"{key}={value}"]
    assert linreg(*start, "--outputs", "whole").code == 0
    stop_at(3)
    assert linreg(*start).code == 143
    assert linreg("train", "--resume", "t").code == 0
    found = [
        json.loads((tmp_path / folder / "t-0001" / "run.json").read_text())["warnings"]
        for folder in ("outputs", "whole")
    ]
    assert found[0] == found[1]
    assert {"config", "stream"} <= {each["kind"] for each in found[0]}
    same(tmp_path / "outputs" / "t-0001", tmp_path / "whole" / "t-0001")


def test_warnings_about_a_launch_are_those_of_the_one_that_began_the_run():
    began = [Finding("config", "a"), Finding("ranks", "estimated on 3"), Finding("collinear", "b")]
    record = {"warnings": [each.as_json() for each in began]}
    resumption = Resumption(None, None, record, None, None, [], None)
    for processes in ([], [Finding("ranks", "estimated on 2")]):
        assert resumption.with_earlier([began[0], began[2], *processes]) == began
    now = Finding("leak", "c")
    assert resumption.with_earlier([now, began[0]]) == [*began[:2], now]
