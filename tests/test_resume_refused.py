"""What `--resume` refuses, warns of and allows: changed configs and data, finished, diverged and busy runs."""

import json
import os

import numpy as np
import pytest
import resuming
import torch
from resuming import content, same

from linreg_cli.runs.lock import hold

# Fixtures of resuming.py: pytest finds them by their names in this module.
train = resuming.train
stop_at = resuming.stop_at

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
    for change, shown in (
        ("model.bias=false", "true, and now it is false"),
        ("train.stop_gap=0.5", "null, and now it is 0.5"),
    ):
        result = linreg("train", "--resume", "r", "--set", change)  # as a config has them
        assert f"{change.split('=')[0]}: the run has {shown}" in result.err
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
    expected = f"warning: {said}: the last digits of the result may differ from those of an uninterrupted run"
    assert warned == ([expected] if said else [])


def test_threads_do_not_change_the_sums_of_shards(linreg, train, stop_at, tmp_path):
    stop_at(5)
    assert train("--set", "train.shards=2").code == 143
    path = tmp_path / "outputs" / "r-0001" / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"threads": 99}))
    result = linreg("train", "--resume", "r")
    assert (result.code, "last digits" in result.err) == (0, False)
    assert "resumed" not in {each["kind"] for each in json.loads(path.read_text())["warnings"]}


def test_a_run_goes_on_with_the_config_that_has_another_name(linreg, config_file, tmp_path):
    """The name of a run is not a setting, unless the command line asks for another one."""
    text = "data: {source: synthetic, n_samples: 20}\ntrain: {epochs: 4}\nplots: false\n"
    config_file(text, "a.yaml")
    assert linreg("train", "-c", "a.yaml").code == 0
    config_file(text, "b.yaml")
    assert "is already complete" in linreg("train", "--resume", "a-0001", "-c", "b.yaml").out
    config_file(f"name: own\n{text}", "c.yaml")
    for words in (["-c", "b.yaml", "--set", "name=b"], ["-c", "c.yaml", "--name", "b"], ["--name", "b"]):
        refused = linreg("train", "--resume", "a-0001", *words)
        assert (refused.code, "name: the run has a, and now it is b" in refused.err) == (2, True)
    assert linreg("train", "-c", "c.yaml", "--name", "other").out.startswith("other-0001: ")
    more = linreg("train", "-c", "c.yaml", "--resume", "other", "--set", "train.epochs=5", "--json")
    assert (more.code, more.json["run"]) == (0, "other-0001")
    assert "\nname: other\n" in f"\n{(tmp_path / 'outputs/other-0001/config.yaml').read_text()}"
