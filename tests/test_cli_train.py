"""`linreg train` as a user meets it."""

import csv
import json
import os
from pathlib import Path

import pytest
import yaml
from conftest import CONFIGS
from safetensors import safe_open
from safetensors.torch import load_file

SMALL = """
name: small
data:
  source: synthetic
  n_samples: 60
  weights: {a: 2, b: -3}
  split: {train: 0.5, validation: 0.25, test: 0.25}
train: {epochs: 4}
probe: [[1, 1]]
plots: false
"""

FILES = {
    "run.json", "config.yaml", "history.csv", "metrics.json", "model.safetensors",
    "preprocess.json", "checkpoint.safetensors", "predictions.csv", "inference.safetensors",
    "influence.csv", "batches.csv",
}  # fmt: skip


@pytest.fixture
def small(config_file) -> Path:
    return config_file(SMALL, "small.yaml")


def names(folder: Path) -> set[str]:
    return set(os.listdir(folder))


def test_train_prints_one_json_object_and_leaves_a_complete_run(linreg, tmp_path):
    result = linreg("train", "-c", CONFIGS / "smoke.yaml", "--json", "--fail-if", "test.r2 < 0.9")
    assert result.code == 0, result.err
    assert set(result.json) == {"run", "path", "status", "metrics", "seconds", "warnings", "data", "truth"}
    assert result.json["status"] == "finished"
    assert names(tmp_path / "outputs" / "smoke-0001") == FILES


def test_each_file_holds_what_the_contract_says(linreg, small, tmp_path):
    result = linreg("train", "-c", small, "--json")
    run = tmp_path / "outputs" / "small-0001"
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics == result.json["metrics"]
    for split, n in {"train": 30, "validation": 15, "test": 15}.items():
        assert metrics[split].keys() >= {"loss", "mse", "rmse", "mae", "r2", "n"}
        assert metrics[split]["n"] == n
    assert metrics["parameters"].keys() == {"units", "weights", "bias"}
    assert list(metrics["parameters"]["weights"]) == ["a", "b"]
    [probe] = metrics["probe"]
    assert probe["input"] == [1, 1]
    assert len(probe["before"]) == len(probe["after"]) == 1
    record = json.loads((run / "run.json").read_text())
    assert record.keys() >= {
        "format", "run", "label", "status", "created", "finished", "command", "versions", "git_commit", "device",
        "engine", "data", "seconds",
    }  # fmt: skip
    assert (record["run"], record["status"], record["label"]) == ("small-0001", "finished", None)
    assert record["engine"]["why"]
    assert record["data"]["fingerprint"].startswith("sha256:")
    with safe_open(run / "model.safetensors", "pt") as model:
        assert {key: model.get_slice(key).get_shape() for key in model.keys()} == {  # noqa: SIM118
            "0.weight": [1, 2],
            "0.bias": [1],
        }
    with open(run / "predictions.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["split", "row", "target", "prediction"]
    assert sorted(int(row["row"]) for row in rows) == list(range(1, 61))


def test_the_history_has_a_row_an_epoch_and_the_state_before_training_first(linreg, small, tmp_path):
    linreg("train", "-c", small)
    with open(tmp_path / "outputs" / "small-0001" / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    columns = ["epoch", "step", "lr", "train_loss", "validation_loss", "seconds", "weight:a", "weight:b", "bias"]
    assert [column for column in rows[0] if column != "gap"] == columns
    # 30 rows in batches of 10: 3 steps an epoch
    assert [(row["epoch"], row["step"]) for row in rows] == [(str(epoch), str(3 * epoch)) for epoch in range(5)]
    assert float(rows[0]["bias"]) == 0.0  # model.init.bias
    metrics = json.loads((tmp_path / "outputs" / "small-0001" / "metrics.json").read_text())
    assert float(rows[-1]["weight:a"]) == metrics["parameters"]["weights"]["a"]
    assert float(rows[-1]["train_loss"]) == metrics["train"]["loss"]


@pytest.mark.parametrize(
    "extra",
    [[], ["--set", "optimizer.momentum=0.9", "--set", "train.shuffle=false"], ["--set", "preprocess.standardize=true"]],
)
def test_a_run_is_repeated_by_its_own_config_bit_for_bit(linreg, small, tmp_path, monkeypatch, extra):
    first = linreg("train", "-c", small, "--json", *extra).json
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    config = tmp_path / first["path"] / "config.yaml"
    second = linreg("train", "-c", config, "--json").json
    assert second["metrics"] == first["metrics"]
    runs = [tmp_path / first["path"], elsewhere / second["path"]]
    for name in ("config.yaml", "model.safetensors", "preprocess.json", "predictions.csv"):
        assert (runs[0] / name).read_bytes() == (runs[1] / name).read_bytes(), name
    # A checkpoint also holds the history, whose seconds are never the same.
    tensors = [load_file(run / "checkpoint.safetensors") for run in runs]
    assert tensors[0].keys() == tensors[1].keys()
    assert all(tensors[0][name].equal(tensors[1][name]) for name in tensors[0] if name != "history")
    histories = []
    for run in runs:
        with open(run / "history.csv", newline="") as file:
            histories.append([{**row, "seconds": ""} for row in csv.DictReader(file)])
    assert histories[0] == histories[1]


def test_a_table_with_a_relative_path_is_repeated_from_another_folder(linreg, tmp_path, config_file, monkeypatch):
    (tmp_path / "t.csv").write_text("x,y\n1,2\n2,4\n3,6\n")
    config_file("data: {path: t.csv, target: y}\nplots: false\n")
    first = linreg("train", "-c", "config.yaml", "--json").json
    before = (tmp_path / "t.csv").read_bytes()
    (tmp_path / "t.csv").chmod(0o444)
    monkeypatch.chdir("/")
    second = linreg("train", "-c", tmp_path / first["path"] / "config.yaml", "--outputs", tmp_path / "o", "--json").json
    assert second["metrics"] == first["metrics"]
    assert (tmp_path / "t.csv").read_bytes() == before


# --- output


def test_results_go_to_stdout_and_progress_alone_to_stderr_when_it_is_no_terminal(linreg, small):
    result = linreg("train", "-c", small)
    assert (result.code, result.messages, len(result.err.splitlines())) == (0, [], 6)
    assert result.out.startswith("small-0001: 4 epochs, 12 steps on ")
    assert "run:      outputs/small-0001\n" in result.out
    assert "\x1b" not in result.out


def test_quiet_prints_the_path_of_the_run_and_nothing_else(linreg, small):
    result = linreg("train", "-c", small, "--quiet", "--set", "huber_delta=2")
    assert (result.code, result.out, result.err) == (0, "outputs/small-0001\n", "")


def test_a_setting_without_effect_is_a_warning_on_stderr(linreg, small):
    result = linreg("train", "-c", small, "--json", "--set", "huber_delta=2")
    assert result.messages == ["warning: huber_delta: 2 has no effect with loss: mse"]
    assert result.json["status"] == "finished"


def test_pictures_are_drawn_unless_plots_is_false(linreg, small, tmp_path):
    result = linreg("train", "-c", small, "--set", "plots=true")
    pictures = names(tmp_path / "outputs" / "small-0001" / "plots")
    assert pictures >= {"loss.png", "predicted.png", "residuals.png"}
    for name in pictures:
        path = f"outputs/small-0001/plots/{name}"
        assert path in result.out
        assert (tmp_path / path).read_bytes().startswith(b"\x89PNG")


# --- options


@pytest.mark.parametrize("name", ["2014", "1e3", "null", "a.b_c-d", "latest", "Übung"])
def test_the_name_may_be_given_on_the_command_line(linreg, small, tmp_path, name):
    result = linreg("train", "-c", small, "--quiet", "--name", name)
    assert result.out == f"outputs/{name}-0001\n"
    assert yaml.safe_load((tmp_path / "outputs" / f"{name}-0001" / "config.yaml").read_text())["name"] == name


def test_set_overrides_the_file_and_is_in_the_resolved_config(linreg, small, tmp_path):
    result = linreg("train", "-c", small, "--set", "optimizer.lr=1e-3", "--set", "seed=7", "--quiet")
    config = yaml.safe_load((tmp_path / result.out.strip() / "config.yaml").read_text())
    assert (config["optimizer"]["lr"], config["seed"], config["train"]["engine"] != "auto") == (0.001, 7, True)


def test_outputs_may_be_given_as_an_option_and_in_the_environment(linreg, small, monkeypatch, tmp_path):
    monkeypatch.setenv("LINREG_OUTPUTS", "from the environment")
    assert linreg("train", "-c", small, "--quiet").out == "from the environment/small-0001\n"
    assert linreg("train", "-c", small, "--quiet", "--outputs", "deep/er").out == "deep/er/small-0001\n"
    assert linreg("runs", "show", "latest", "--json").json["run"] == "small-0001"
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize("as_json", [False, True])
def test_a_dry_run_writes_nothing(linreg, small, tmp_path, as_json):
    before = names(tmp_path)
    result = linreg("train", "-c", small, "--dry-run", *(["--json"] if as_json else []))
    assert (result.code, result.err, names(tmp_path)) == (0, "", before)
    if as_json:
        assert result.json["status"] == "dry-run"
        assert result.json["total_steps"] == 12
        assert result.json["rows"] == {"train": 30, "validation": 15, "test": 15}
    else:
        assert result.out.endswith("nothing was trained (--dry-run)\n")


def test_verbose_says_what_was_chosen_and_what_each_stage_took(linreg, small):
    result = linreg("train", "-c", small, "-v", "--json")
    assert result.code == 0, result.err
    record = json.loads((Path(result.json["path"]) / "run.json").read_text())
    lines = result.err.splitlines()
    assert f"engine: {record['engine']['name']} ({record['engine']['why']})" in lines
    assert f"rate: {record['lr']['value']:g} (set in the config)" in lines
    assert "momentum: 0 (set in the config)" in lines
    assert any(line.startswith(f"checkpoints: {record['checkpoints']['count']}, ") for line in lines)
    took = [line.rpartition(": ")[0] for line in result.messages if line.endswith(" s") and line[-4].isdigit()]
    stages = ["loading torch", "reading the data", "preparing", "training", "evaluating"]
    assert [name for name in took if name in stages] == stages
    assert linreg("train", "-c", small).messages == []


def test_verbose_tells_of_plain_data_and_of_what_auto_chose(linreg, config_file, tmp_path):
    (tmp_path / "t.csv").write_text("x,y\n1,2\n2,4\n3,6\n4,8.5\n")
    config = config_file("data: {path: t.csv, target: y}\noptimizer: {lr: auto}\nplots: false\n")
    result = linreg("train", "-c", config, "--verbose")
    assert "t.csv: 4 rows\n  numbers without missing cells: x, y\n" in result.err
    assert "(auto: " in result.err.partition("\nrate: ")[2].partition("\n")[0]


def test_quiet_and_verbose_contradict_each_other(linreg, small, tmp_path):
    result = linreg("train", "-c", small, "-q", "-v")
    assert (result.code, "use one of them" in result.err) == (2, True)
    assert not (tmp_path / "outputs").exists()
