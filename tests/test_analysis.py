"""What training says of itself: the gap, the limits of the rate, certified stopping, by the command line."""

import csv
import itertools
import json
import re

import numpy as np
import pytest
from conftest import CONFIGS

from linreg_cli.convergence.rates import SgdRule, stable_rate
from linreg_cli.convergence.spectrum import curvature
from linreg_cli.least_squares.solve import least_squares

# Two columns of different scale, whose optimum is away from the start along both.
ROWS = 40
BASE = f"""
name: t
data:
  source: synthetic
  n_samples: {ROWS}
  features: {{a: {{normal: [1, 2]}}, b: {{uniform: [-1, 1]}}}}
  weights: {{a: 2, b: -3}}
  noise_std: 0.5
model: {{init: {{weight: 0}}}}
train: {{epochs: 800, batch_size: full, dtype: float64}}
plots: false
"""
MOTIONS = {
    "plain": {},
    "momentum": {"momentum": 0.9},
    "dampened": {"momentum": 0.5, "dampening": 0.3},
    "nesterov": {"momentum": 0.9, "nesterov": True},
    "weight decay": {"weight_decay": 0.5},
    "all": {"momentum": 0.7, "nesterov": True, "weight_decay": 0.3},
}


@pytest.fixture
def base(config_file):
    return config_file(BASE)


@pytest.fixture
def table(linreg, base):
    """The rows of BASE as X (n, 2) and y (n, 1)."""
    assert linreg("generate-data", "-c", base, "-o", "t.csv").code == 0
    values = np.loadtxt("t.csv", delimiter=",", skiprows=1)
    return values[:, :2], values[:, 2:]


def settings(**values) -> list[str]:
    return [part for key, value in values.items() for part in ("--set", f"optimizer.{key}={json.dumps(value)}")]


def sets(*assignments: str) -> list[str]:
    return [part for assignment in assignments for part in ("--set", assignment)]


def history(path) -> list[dict[str, float]]:
    with open(f"{path}/history.csv", newline="") as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


def record(path) -> dict:
    with open(f"{path}/run.json") as file:
        return json.load(file)


# --- limits


# Every loss with every motion, and random tables, are in test_limits_hold.py.
@pytest.mark.parametrize(("case", "loss"), list(zip(MOTIONS, itertools.cycle(["mse", "half_mse", "sse"]))))
def test_a_hundredth_below_the_limit_converges_and_a_hundredth_above_is_refused_and_diverges(
    linreg, base, table, tmp_path, case, loss
):
    X, y = table
    options = MOTIONS[case]
    found = least_squares(X, y, bias=True, loss=loss)
    limit = stable_rate(curvature(found.factor, loss).largest, SgdRule(**options))
    call = ["train", "-c", base, "--json", "--set", f"loss={loss}", *settings(**options)]
    below = linreg(*call, *settings(lr=0.99 * limit))
    assert (below.code, below.err) == (0, "")
    assert below.json["metrics"]["optimum"]["gap"] < 1e-6
    above = linreg(*call, *settings(lr=1.01 * limit))
    assert (above.code, above.json["error"]["kind"]) == (4, "diverged")
    message = above.json["error"]["message"]
    assert f"is 1.01 times the limit {limit:.3g} of full-batch training" in message
    assert "column 'a' has" in message
    assert "--force trains anyway" in message
    assert sorted(path.name for path in (tmp_path / "outputs").iterdir()) == ["t-0001"]
    forced = linreg(*call, *settings(lr=1.01 * limit), "--force")
    assert forced.err.startswith("warning: optimizer.lr: ")
    assert "--force" not in forced.err
    losses = [row["train_loss"] for row in history("outputs/t-0002")]
    assert losses[-1] > 10 * losses[len(losses) // 2]


def test_the_refusal_points_at_the_line_and_the_advice_in_it_works(linreg, base, config_file):
    path = config_file(BASE + "optimizer:\n  lr: 2\n", "high.yaml")
    result = linreg("train", "-c", path)
    assert result.code == 4
    first, source, caret = result.err.splitlines()
    assert first.startswith(f"error: {path}:13:7: optimizer.lr: 2 is ")
    assert (source, caret) == ("      lr: 2", "          ^")
    advised = first.split("Set optimizer.lr: ")[1].split(",")[0]
    assert linreg("train", "-c", path, "--set", f"optimizer.lr={advised}", "--quiet").err == ""
    assert linreg("train", "-c", path, "--dry-run").code == 4


def test_noisy_line_is_refused_at_the_rate_that_it_names(linreg, tmp_path):
    result = linreg("train", "-c", CONFIGS / "noisy_line.yaml", "--set", "optimizer.lr=4e-4", "--json")
    assert result.code == 4
    # 2 / lambda for 100 points on 0..100, from the trace and determinant of (2/n) [X 1]'[X 1]
    x = np.linspace(0, 100, 100)
    a, b = 2 * np.mean(x**2), 2 * np.mean(x)
    limit = 2 / ((a + 2) / 2 + np.hypot((a - 2) / 2, b))
    assert f"is {4e-4 / limit:.3g} times the limit {limit:.3g} of full-batch" in result.json["error"]["message"]
    assert "column 'x' has 100 % of the direction of largest curvature" in result.json["error"]["message"]
    assert "preprocess.standardize: true (the full-batch limit is then 1)" in result.json["error"]["message"]
    assert not (tmp_path / "outputs").exists()


def test_a_run_that_diverged_says_in_its_record_what_was_wrong(linreg, base):
    result = linreg("train", "-c", base, "--json", *settings(lr=1.0), "--force")
    assert result.code == 4
    diverged = record("outputs/t-0001")["diverged"]
    assert diverged.keys() >= {"step", "limit", "times_the_limit", "column", "share", "lr_instead"}
    assert diverged["column"] == "a"
    assert 0.5 < diverged["share"] <= 1
    assert diverged["times_the_limit"] == pytest.approx(1.0 / diverged["limit"])
    assert f"{diverged['times_the_limit']:.3g} times the limit" in result.json["error"]["message"]
    again = linreg("train", "-c", base, "--json", *settings(lr=diverged["lr_instead"]))
    assert again.json["metrics"]["optimum"]["gap"] < 1e-6


def test_a_schedule_is_refused_only_if_it_never_falls_below_the_limit(linreg, base):
    falling = sets("optimizer.schedule={kind: exponential, gamma: 0.5}", "train.epochs=60")
    result = linreg("train", "-c", base, *settings(lr=0.3), *falling)
    assert result.code == 0
    assert result.err.startswith("warning: the rate of optimizer.schedule, up to 0.3, is ")
    assert "the loss grows while the rate is above it" in result.err
    slow = sets("optimizer.schedule={kind: exponential, gamma: 0.99}", "train.epochs=10")
    assert linreg("train", "-c", base, *settings(lr=1.0), *slow).code == 4


@pytest.mark.parametrize(
    ("lr", "words"),
    [(0.02, None), (0.08, "probably converge"), (0.12, "may diverge"), (0.15, "almost certainly diverge")],
)
def test_mini_batches_are_warned_of_with_the_probability_in_words(linreg, base, table, lr, words):
    call = ["train", "-c", base, *sets("train.batch_size=4", "train.epochs=1"), *settings(lr=lr)]
    quiet, shown = linreg(*call, "--quiet"), linreg(*call)
    assert (quiet.code, quiet.err, shown.code) == (0, "", 0)
    said = re.findall(r"training (?:will )?((?:almost certainly|probably|may) (?:con|di)verge)", shown.err)
    assert said == ([words] if words else [])
    assert shown.messages == [line for line in shown.messages if line.startswith("warning: ")]
    assert len([line for line in shown.messages if " from the exact fit; " not in line]) == len(said)
    if words:
        times, limit = map(float, re.search(r"is (\S+) times the limit (\S+) of ", shown.err).groups())
        assert times == pytest.approx(lr / limit, rel=0.01)  # three digits are shown of each
        A = np.column_stack([table[0], np.ones(ROWS)])
        average = 2 / np.linalg.eigvalsh(2 * A.T @ A / ROWS)[-1]
        is_of_the_average = limit == pytest.approx(float(average), rel=0.005)
        assert is_of_the_average == (words == "almost certainly diverge")


def test_mini_batches_that_must_diverge_are_refused(linreg, base, tmp_path):
    call = ["train", "-c", base, *sets("train.batch_size=4", "train.epochs=50")]
    result = linreg(*call, *settings(lr=50.0))
    assert (result.code, (tmp_path / "outputs").exists()) == (4, False)
    assert "of the average batch: the loss would grow without bound" in result.err
    assert linreg(*call, *settings(lr=50.0), "--force").code == 4


# --- the optimum and the gap


@pytest.mark.parametrize("extra", [[], sets("preprocess.standardize=true"), sets("optimizer.weight_decay=0.2")])
def test_the_gap_of_every_epoch_is_that_of_numpy(linreg, base, table, extra):
    X, y = table
    result = linreg("train", "-c", base, "--json", *settings(lr=0.02), *sets("train.epochs=40"), *extra)
    rows = history(result.json["path"])
    if "preprocess.standardize=true" in extra:
        X = (X - X.mean(axis=0)) / X.std(axis=0)
    A, decay = np.column_stack([X, np.ones(ROWS)]), 0.2 * ("optimizer.weight_decay=0.2" in extra)
    best = np.linalg.solve(A.T @ A * 2 / ROWS + decay * np.eye(3), A.T @ y * 2 / ROWS)
    lowest = float(np.mean((A @ best - y) ** 2)) + decay / 2 * float(np.sum(best**2))
    for row in rows:
        loss = row["train_loss"]
        if decay:
            loss += decay / 2 * (row["weight:a"] ** 2 + row["weight:b"] ** 2 + row["bias"] ** 2)
        assert row["gap"] == pytest.approx((loss - lowest) / lowest, rel=1e-8, abs=1e-12)
    optimum = result.json["metrics"]["optimum"]
    assert optimum["gap"] == rows[-1]["gap"]
    assert optimum["gap_relative_to"] == "optimum"
    assert (optimum["rank"], optimum["is_unique"]) == (3, True)


def test_the_gap_stands_between_the_losses_and_the_seconds(linreg, base):
    extra = sets("data.split={train: 0.5, validation: 0.5}", "train.epochs=1", "optimizer.lr=0.01")
    path = linreg("train", "-c", base, "--json", *extra).json["path"]
    with open(f"{path}/history.csv") as file:
        assert file.readline().startswith("epoch,step,lr,train_loss,validation_loss,gap,seconds,")


def test_the_summary_says_the_gap_in_words(linreg, base):
    assert " times as large" in linreg("train", "-c", base, *sets("optimizer.lr=0.02", "train.epochs=20")).out
    assert "the run reached it within rounding error" in linreg("train", "-c", base, *settings(lr="auto")).out


@pytest.mark.parametrize("loss", ["mae", "huber"])
def test_losses_that_are_not_squared_have_an_optimum_or_say_why_not(linreg, base, loss):
    call = ["train", "-c", base, "--json", *sets(f"loss={loss}", "optimizer.lr=0.05", "train.epochs=300")]
    optimum = linreg(*call).json["metrics"]["optimum"]
    assert optimum["train_loss"] > 0
    assert 0 <= optimum["gap"] < 0.1
    refused = linreg(*call, "--set", "optimizer.weight_decay=0.1").json["metrics"]
    assert refused["optimum"] is None
    assert "weight decay" in refused["optimum_reason"]


def test_an_optimum_that_is_not_unique_names_the_columns(linreg, config_file):
    rows = [[x, 2 * x + 1, x**2, 5, 3 * x] for x in range(6)]
    path = config_file(f"data: {{source: inline, columns: [a, b, c, k, y], rows: {rows}}}\nplots: false\n"
                       "train: {batch_size: full}\noptimizer: {lr: 1e-4}\n")  # fmt: skip
    result = linreg("train", "-c", path, "--json")
    assert result.code == 0
    assert "the optimum is not unique (rank 3 of 5): k is constant; b = 2 a + 1. The weights depend" in result.err
    assert result.json["metrics"]["optimum"]["is_unique"] is False
    assert "not unique" in result.json["metrics"]["inference"]["refused"]


@pytest.mark.parametrize(
    ("assignments", "key"),
    [
        ([], "full_batch"),
        (["train.batch_size=4"], "batch_safe"),
        (["train.batch_size=4", "optimizer.momentum=0.5"], None),
    ],
)
def test_run_json_has_the_limit_that_inspect_tells(linreg, base, assignments, key):
    extra = sets("optimizer.lr=0.01", "train.epochs=2", *assignments)
    told = linreg("inspect", "-c", base, "--json", *extra).json
    limit = record(linreg("train", "-c", base, "--json", *extra).json["path"])["lr"]["limit"]
    assert (limit["exceeded"], limit["safe"], limit["highest"]) == (False, key is not None, 0.01)
    if key is not None:
        assert limit["rate"] == pytest.approx(told["stable_lr"][key], rel=1e-9)
    else:  # with momentum only the limit of the average batch is known
        assert limit["covers"] == "the average batch"
        assert limit["rate"] == pytest.approx(stable_rate(told["curvature"]["max"], SgdRule(0.5)), rel=1e-9)


@pytest.mark.parametrize("loss", ["mae", "huber"])
def test_run_json_has_no_limit_where_none_is_known(linreg, base, loss):
    result = linreg("train", "-c", base, "--json", *sets("optimizer.lr=0.01", "train.epochs=2", f"loss={loss}"))
    assert record(result.json["path"])["lr"]["limit"] is None


# --- stop_gap


def test_stop_gap_stops_where_the_true_gap_is_below(linreg, base, table):
    X, y = table
    result = linreg("train", "-c", base, "--json", *settings(lr="auto"), "--set", "train.stop_gap=1e-4")
    rows, known = history(result.json["path"]), record(result.json["path"])
    assert known["epochs_done"] == len(rows) - 1 < 800
    assert "certified to be" in known["stopped"]
    A = np.column_stack([X, np.ones(ROWS)])
    residuals = y - A @ np.linalg.lstsq(A, y, rcond=None)[0]
    lowest = float(np.mean(residuals**2))
    gaps = [(row["train_loss"] - lowest) / lowest for row in rows]
    assert gaps[-1] < 1e-4 <= gaps[-2]


def test_stop_gap_needs_an_optimum(linreg, base, tmp_path):
    result = linreg("train", "-c", base, *settings(lr=0.01), *sets("loss=mae", "train.stop_gap=1e-3"))
    assert result.code == 2
    assert "train.stop_gap: it needs the exact optimum of a squared loss" in result.err
    assert not (tmp_path / "outputs").exists()


# --- cost


def test_what_is_too_costly_is_left_out_with_the_reason(linreg, base, monkeypatch):
    monkeypatch.setattr("linreg_cli.convergence.affordable.MOST_WORK", 100)
    result = linreg("train", "-c", base, "--json", *settings(lr=0.01), "--set", "train.epochs=2")
    assert result.code == 0
    assert result.json["metrics"]["optimum"] is None
    assert "rows x parameters^2 is at most 100" in result.json["metrics"]["optimum_reason"]
    assert "gap" not in history(result.json["path"])[0]
    refused = linreg("train", "-c", base, *settings(lr="auto"))
    assert (refused.code, "rows x parameters^2" in refused.err) == (2, True)
