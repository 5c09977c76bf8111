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
    "preprocess.json", "checkpoint.safetensors", "predictions.csv",
}  # fmt: skip


@pytest.fixture
def small(config_file) -> Path:
    return config_file(SMALL, "small.yaml")


def names(folder: Path) -> set[str]:
    return set(os.listdir(folder))


def test_train_prints_one_json_object_and_leaves_a_complete_run(linreg, tmp_path):
    result = linreg("train", "-c", CONFIGS / "smoke.yaml", "--json", "--fail-if", "test.r2 < 0.9")
    assert result.code == 0, result.err
    assert set(result.json) == {"run", "path", "status", "metrics", "seconds", "data"}
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
    assert metrics["parameters"].keys() == {"weights", "bias"}
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


def test_results_go_to_stdout_and_nothing_to_stderr_when_it_is_no_terminal(linreg, small):
    result = linreg("train", "-c", small)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("small-0001: 4 epochs, 12 steps on ")
    assert "run:      outputs/small-0001\n" in result.out
    assert "\x1b" not in result.out


def test_quiet_prints_the_path_of_the_run_and_nothing_else(linreg, small):
    result = linreg("train", "-c", small, "--quiet", "--set", "huber_delta=2")
    assert (result.code, result.out, result.err) == (0, "outputs/small-0001\n", "")


def test_a_setting_without_effect_is_a_warning_on_stderr(linreg, small):
    result = linreg("train", "-c", small, "--json", "--set", "huber_delta=2")
    assert result.err == "warning: huber_delta: 2 has no effect with loss: mse\n"
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
    if name == "Übung":
        assert result.code == 2
        assert not (tmp_path / "outputs").exists()
    else:
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


# --- failure


FAILURES = {
    "usage": (["--frob"], 2, "usage"),
    "config": (["--set", "optimizer.lr=-1"], 2, "config"),
    "no such table": (["--set", "data.source=table", "--set", "data.path=no.csv", "--set", "data.target=y"], 3, "data"),
    "diverged": (["--set", "optimizer.lr=1e30", "--set", "train.epochs=20"], 4, "diverged"),
    "gate": (["--fail-if", "train.r2 > -1e9"], 5, "gate"),
    "store": (["--outputs", "small.yaml"], 6, "store"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_a_failure_has_its_exit_code_an_error_line_and_a_json_object(linreg, small, tmp_path, case):
    arguments, code, kind = FAILURES[case]
    # The refusal of a rate that must diverge comes before training; `--force` is not needed to see exit code 4.
    plain = linreg("train", "-c", small, *arguments)
    assert plain.code == code
    assert plain.err.startswith("error: ")
    assert "Traceback" not in plain.err
    result = linreg("train", "-c", small, "--json", *arguments)
    assert result.code == code
    assert result.json["error"].keys() >= {"kind", "message", "where"}
    assert result.json["error"]["kind"] == kind
    if code in (2, 3, 6):
        assert not (tmp_path / "outputs").exists()


def test_a_run_that_diverges_keeps_its_last_finite_state_and_publishes_no_model(linreg, small, tmp_path):
    result = linreg("train", "-c", small, "--set", "optimizer.lr=10", "--set", "train.epochs=500", "--force") \
        if "--force" in linreg("train", "--help").out \
        else linreg("train", "-c", small, "--set", "optimizer.lr=10", "--set", "train.epochs=500")  # fmt: skip
    assert result.code == 4
    run = tmp_path / "outputs" / "small-0001"
    assert names(run) == FILES - {"metrics.json", "model.safetensors", "predictions.csv"}
    record = json.loads((run / "run.json").read_text())
    assert record["status"] == "diverged"
    assert "diverged at step" in record["error"]
    with safe_open(run / "checkpoint.safetensors", "pt") as checkpoint:
        for key in checkpoint.keys():  # noqa: SIM118
            assert bool(checkpoint.get_tensor(key).isfinite().all())


@pytest.mark.parametrize(
    ("gate", "reason"),
    [
        ("test.r2 >= 2", "test.r2 is "),
        ("test.nope >= 0", "there is no metric test.nope"),
        ("test >= 0", "test is a group of metrics"),
        ("probe >= 0", "probe is a group of metrics"),
    ],
)
def test_a_gate_that_fails_fails_a_complete_run(linreg, small, tmp_path, gate, reason):
    result = linreg("train", "-c", small, "--set", f"gates=['{gate}']", "--json")
    assert result.code == 5
    assert result.err.startswith(f"error: small-0001: gate '{gate}' failed: {reason}")
    assert result.json.keys() == {"run", "path", "status", "metrics", "seconds", "data", "error"}
    assert result.json["error"]["where"] == "small-0001"
    assert names(tmp_path / "outputs" / "small-0001") == FILES
    record = json.loads((tmp_path / "outputs" / "small-0001" / "run.json").read_text())
    assert (record["status"], record["gates"][0]["passed"]) == ("finished", False)


def test_gates_that_hold_are_named_and_the_run_passes(linreg, small):
    result = linreg("train", "-c", small, "--set", "gates=[train.n == 30, seconds < 1e6]", "--fail-if", "test.n > 15")
    assert (result.code, result.err) == (0, "")
    assert "gate 'train.n == 30' passed (30)" in result.out
    assert "gate 'fail if test.n > 15' passed (15)" in result.out


def test_every_gate_that_fails_is_reported(linreg, small):
    result = linreg("train", "-c", small, "--quiet", "--set", "gates=[test.r2 > 2]", "--fail-if", "test.n == 15")
    assert (result.code, result.out) == (5, "outputs/small-0001\n")
    assert len(result.err.splitlines()) == 2


def test_a_complete_run_that_is_resumed_still_meets_its_gates(linreg):
    linreg("train", "-c", CONFIGS / "smoke.yaml")
    result = linreg("train", "--resume", "smoke", "--fail-if", "test.r2 > 0.5", "--json")
    assert (result.code, result.json["error"]["kind"], result.json["status"]) == (5, "gate", "finished")
    assert linreg("train", "--resume", "smoke", "--fail-if", "test.r2 < 0.5").code == 0


def test_a_start_that_is_too_large_is_told_as_that(linreg):
    start = ("train", "-c", CONFIGS / "points.yaml", "--set")
    result = linreg(*start, "model.init.weight=1e39", "--set", "train.dtype=float32")
    assert (result.code, "1e+39 overflows float32; start from smaller values" in result.err) == (2, True)
    result = linreg(*start, "model.init.weight=1e200")
    assert result.code == 4
    assert "the loss is inf before the first step; start from smaller values (model.init)" in result.err
    assert "last finite state" not in result.err


def test_verbose_says_what_was_chosen_and_what_each_stage_took(linreg, small):
    result = linreg("train", "-c", small, "-v", "--json")
    assert result.code == 0, result.err
    record = json.loads((Path(result.json["path"]) / "run.json").read_text())
    lines = result.err.splitlines()
    assert f"engine: {record['engine']['name']} ({record['engine']['why']})" in lines
    assert f"rate: {record['lr']['value']:g} (set in the config)" in lines
    assert "momentum: 0 (set in the config)" in lines
    assert any(line.startswith(f"checkpoints: {record['checkpoints']['count']}, ") for line in lines)
    took = [line.rpartition(": ")[0] for line in lines if line.endswith(" s") and line[-4].isdigit()]
    stages = ["loading torch", "reading the data", "preparing", "training", "evaluating"]
    assert [name for name in took if name in stages] == stages
    assert linreg("train", "-c", small).err == ""


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


RISING = """
data: {source: synthetic, n_samples: 200, bias: 0, weights: {a: 1, b: 100}, noise_std: 0.1,
       features: {a: {normal: [0, 1]}, b: {normal: [0, 0.01]}}}
train: {epochs: 20, batch_size: full, dtype: float64}
plots: false
"""


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        # near the limit, 1.65: the double root of a heavy ball, which grows for dozens of steps before it shrinks
        ("optimizer: {lr: 1.64, momentum: 0.96}", "overshoots before it converges"),
        # from the truth itself, which is nearer to the optimum than the noise of two rows leaves a run
        (
            "optimizer: {lr: 0.02}\nmodel: {init: {weight: [1, 100], bias: 0}}\ntrain: {batch_size: 2}",
            "noise of batches",
        ),
    ],
)
def test_a_loss_that_rose_under_a_stable_rate_is_not_blamed_on_it(settings, expected, linreg, config_file):
    files = [config_file(RISING, "a.yaml"), config_file(settings, "b.yaml")]
    result = linreg("train", "-c", files[0], "-c", files[1])
    assert result.code == 0, result.err
    [line] = [line for line in result.err.splitlines() if "the train loss rose" in line]
    assert expected in line
    assert "the rate is stable" in line
    assert "standardize" not in line


def test_a_gap_that_float32_cannot_certify_is_told_before_training(linreg, config_file):
    config = config_file(RISING + "optimizer: {lr: auto}\n")
    asked = ("train", "-c", config, "--set", "train.stop_gap=1e-13", "--set", "train.dtype=float32")
    assert "train.stop_gap: 1e-13 can never be certified: the rounding error of float32" in linreg(*asked).err
    assert "never be certified" not in linreg(*asked, "--set", "train.dtype=float64").err


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("optimizer: {weight_decay: 1.0, lr: 0.01}\ntrain: {epochs: 50}", "the penalty of the weight decay"),
        ("loss: huber\nhuber_delta: 0.01\noptimizer: {lr: 50}\ntrain: {epochs: 3}", "probably too large"),
    ],
)
def test_a_loss_that_rose_is_not_put_down_to_rounding(settings, expected, linreg, config_file):
    base = (
        "data: {source: inline, columns: [x, y], rows: [[1, 1], [2, 2.1], [3, 2.9], [4, 4.2]]}\n"
        "model: {init: {weight: [1.04], bias: -0.05}}\ntrain: {batch_size: full}\nplots: false\n"
    )
    result = linreg("train", "-c", config_file(base, "a.yaml"), "-c", config_file(settings, "b.yaml"))
    [line] = [line for line in result.err.splitlines() if "the train loss rose" in line]
    assert expected in line
    assert "rounding" not in line
