"""A run that ends far above its start has diverged, also with a finite loss; one that ends above it says so."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from linreg_cli.config import load_config
from linreg_cli.convergence.outcome import risen_loss
from linreg_cli.pipeline.prepare import prepare
from linreg_cli.pipeline.silent import Silent

CASE = """
name: end
data: {{source: inline, columns: [x, y], rows: {rows}}}
optimizer: {{lr: {lr}, momentum: {momentum}}}
train: {{epochs: {epochs}, batch_size: {batch}, dtype: float64}}
plots: false
"""
STREAM = np.random.default_rng(3)
X = STREAM.normal(size=30)
ROWS = [[round(float(x), 4), round(float(2 * x + e), 4)] for x, e in zip(X, STREAM.normal(size=30), strict=True)]


def case(config_file, **values) -> Path:
    return config_file(CASE.format(**{"rows": ROWS, "momentum": 0, "epochs": 20, "batch": "full", **values}))


def losses(run: Path) -> list[float]:
    lines = (run / "history.csv").read_text(encoding="utf-8").splitlines()
    return [float(line.split(",")[lines[0].split(",").index("train_loss")]) for line in lines[1:]]


def limit() -> float:
    """2 / h of the full batch, from numpy's eigenvalues of the Hessian 2 / n [x 1]'[x 1]."""
    A = np.column_stack([[row[0] for row in ROWS], np.ones(len(ROWS))])
    return float(2 / np.linalg.eigvalsh(2 * A.T @ A / len(A))[-1])


def constant_loss() -> float:
    return float(np.var([row[1] for row in ROWS]))


@pytest.mark.parametrize("batch", ["full", 7])
def test_a_finite_loss_beyond_ten_times_the_start_and_the_constant_has_diverged(linreg, config_file, tmp_path, batch):
    config = case(config_file, lr=1.3 * limit(), batch=batch, epochs=8 if batch == "full" else 4)
    result = linreg("train", "-c", config, "--force")
    assert result.code == 4
    ends = losses(tmp_path / "outputs/end-0001")
    assert np.isfinite(ends[-1])
    assert ends[-1] > 10 * max(ends[0], constant_loss())
    record = json.loads((tmp_path / "outputs/end-0001/run.json").read_text(encoding="utf-8"))
    assert record["status"] == "diverged"
    assert not (tmp_path / "outputs/end-0001/model.safetensors").exists()
    assert (tmp_path / "outputs/end-0001/checkpoint.safetensors").exists()
    assert "error: outputs/end-0001: training diverged: the train loss after epoch" in result.err
    assert linreg("report", "end-0001").code == 0
    assert linreg("train", "--resume", "end-0001").code == 6


def test_below_ten_times_the_constant_a_run_has_not_diverged_and_warns(linreg, config_file, tmp_path):
    # Two steps above the limit: the loss rises, by less than ten times the larger of the two.
    result = linreg("train", "-c", case(config_file, lr=1.3 * limit(), epochs=2), "--force", "--json")
    assert result.code == 0, result.err
    first, *_, last = losses(tmp_path / "outputs/end-0001")
    assert first < last < 10 * max(first, constant_loss())
    assert "loss_rose" in [each["kind"] for each in result.json["warnings"]]


def test_a_start_near_zero_is_compared_with_the_best_constant(linreg, config_file, tmp_path):
    # From the optimum every step of single rows adds noise: many times the start's loss, and far below the constant's.
    rows = [[x, 2 * x + 1 + 1e-4 * (-1) ** x] for x in range(-4, 5)]
    config = case(config_file, rows=rows, lr=0.01, batch=1, epochs=3)
    result = linreg("train", "-c", config, "--set", "model.init={weight: 2.0, bias: 1.0}")
    assert result.code == 0, result.err


def test_the_rise_is_measured_from_the_start_of_the_run_and_not_from_where_it_was_resumed(linreg, config_file):
    # The rate of the cosine rises again past T_max, and with it the noise: above epoch 10, and below the start.
    schedule = "optimizer.schedule={kind: cosine, T_max: 10}"
    config = case(config_file, lr=0.15, momentum=0.9, batch=3, epochs=10)
    assert linreg("train", "-c", config, "--set", schedule).code == 0
    resumed = linreg("train", "--resume", "end-0001", "--set", "train.epochs=20")
    whole = linreg("train", "-c", config, "--set", schedule, "--set", "train.epochs=20")
    ends = losses(Path("outputs/end-0002"))
    assert ends[10] < ends[20] < ends[0]
    assert resumed.messages == whole.messages
    assert "rose" not in whole.err


def test_a_resumed_run_repeats_the_warnings_of_the_settings(linreg, config_file):
    config = case(config_file, lr=1.05 * limit(), epochs=2)
    first = linreg("train", "-c", config, "--force", "--json")
    resumed = linreg("train", "--resume", "end-0001", "--set", "train.epochs=3", "--json")
    assert [each["kind"] for each in first.json["warnings"]] == [each["kind"] for each in resumed.json["warnings"]]
    assert "rate" in [each["kind"] for each in first.json["warnings"]]


@pytest.mark.parametrize(
    "values",
    [
        {"lr": 0.25, "momentum": 0.9, "batch": 29, "epochs": 100},
        {"lr": 1.9 * limit(), "momentum": 0.95, "epochs": 1},
        {"lr": 1.3 * limit(), "epochs": 2},
        {"lr": 0.9 * limit(), "batch": 1, "epochs": 2},
        {"lr": 3.0, "epochs": 7, "loss": "mae"},
    ],
)
def test_each_setting_that_is_advised_ends_below_the_start(linreg, config_file, values):
    loss = values.pop("loss", "mse")
    config = case(config_file, **values)
    sets = ["--set", f"loss={loss}", "--set", "model.init={weight: 1.9, bias: 0.0}"]  # near the optimum
    result = linreg("train", "-c", config, "--force", *sets)
    ends = losses(Path("outputs/end-0001"))
    assert ends[-1] > ends[0], "the case shows nothing"
    lines = result.err.splitlines()
    message = next((line for line in lines if "the train loss rose" in line), lines[-1])
    # What leads to the exact fit, as options; where nothing is known to, one setting or another.
    whole = re.findall(r"--set \S+", message)
    single = re.findall(r"optimizer\.(?:lr|momentum): [0-9.e-]+", message.split("set ")[-1])
    ways = [" ".join(whole).split()] if whole else [["--set", each.replace(": ", "=")] for each in single]
    assert ways, result.err
    for number, each in enumerate(ways, start=2):
        followed = linreg("train", "-c", config, *sets, *each)
        assert followed.code == 0, followed.err
        after = losses(Path(f"outputs/end-{number:04}"))
        assert after[-1] < after[0], each


def test_without_a_limit_of_the_rate_the_cause_is_not_said_to_be_noise(linreg, config_file):
    # Two rows are hardly noisier than all three: the steps of huber are too long in every batch.
    config = case(config_file, rows=[[0, 0], [1, 2], [2, 4.1]], lr=4, batch=2, epochs=3)
    start = ["--set", "loss=huber", "--set", "model.init={weight: 2.0, bias: 0.0}"]
    result = linreg("train", "-c", config, *start)
    assert "too high for this run" in result.err.lower()
    assert "noise" not in result.err


def test_advice_with_a_weight_decay_says_what_it_was_measured_by(linreg, config_file):
    config = case(config_file, lr=3.0, batch=29, epochs=2)
    start = [
        "--set",
        "loss=huber",
        "--set",
        "optimizer.weight_decay=0.3",
        "--set",
        "model.init={weight: 2.0, bias: 0.0}",
    ]
    result = linreg("train", "-c", config, *start)
    assert "with which the loss plus its penalty falls" in result.err, result.err


@pytest.mark.parametrize(("rise", "is_penalty"), [(0.59, True), (0.61, False)])
def test_a_loss_that_rose_by_more_than_the_penalty_at_the_start_is_not_put_down_to_it(rise, is_penalty, config_file):
    """The penalty at the start is 0.3 / 2 * 2**2 = 0.6, and cannot fall by more."""
    settings = ["optimizer.weight_decay=0.3", "model.init={weight: 2.0, bias: 0.0}"]
    prepared = prepare(load_config([str(case(config_file, lr=0.1))], settings), Silent())
    said = risen_loss(1.0, 1.0 + rise, prepared.config, prepared.problem).message
    assert ("and that fell" in said) is is_penalty, said
