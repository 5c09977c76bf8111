"""What `linreg inspect` forecasts (limits, steps to a gap, the floor of float32) against what training then does."""

import csv

import numpy as np
import pytest
import test_inspect
import yaml
from conftest import CONFIGS
from test_inspect import from_svd

# Fixtures of test_inspect.py: pytest finds them by their names in this module.
table = test_inspect.table


def history(tmp_path, name):
    with open(tmp_path / "outputs" / f"{name}-0001" / "history.csv") as file:
        return np.array([float(row["train_loss"]) for row in csv.DictReader(file)])


@pytest.mark.parametrize(
    "settings",
    [
        [],
        ["optimizer.momentum=0.9"],
        ["optimizer.momentum=0.9", "optimizer.nesterov=true"],
        ["optimizer.weight_decay=100"],
        ["loss=sse"],
        ["preprocess.standardize=true"],
    ],
)
def test_training_obeys_the_printed_limit(linreg, tmp_path, settings):
    options = [part for setting in [*settings, "train.dtype=float64"] for part in ("--set", setting)]
    config = ("-c", CONFIGS / "noisy_line.yaml", *options)
    # The page's own digits.
    [line] = [line for line in linreg("inspect", *config).out.splitlines() if line.startswith("  full batch ")]
    limit = float(line.split()[2])
    train = ("train", *config, "--set", "plots=false", "--set", "train.epochs=1000")
    assert linreg(*train, "--name", "below", "--set", f"optimizer.lr={0.99 * limit:.17g}").code == 0
    below = history(tmp_path, "below")
    assert below[-1] <= below[0]
    assert abs(below[-1] - below[-250]) < 0.05 * below[-1]
    above = linreg(*train, "--name", "above", "--set", f"optimizer.lr={1.01 * limit:.17g}")
    assert above.code == 4 or history(tmp_path, "above")[-1] > 1e6 * below[0]


def arrives(losses, gaps_relative_to, optimum):
    gaps = (losses - optimum) / gaps_relative_to
    return {key: int(np.argmax(gaps <= gap)) if (gaps <= gap).any() else None for key, gap in
            (("1e-3", 1e-3), ("1e-6", 1e-6))}  # fmt: skip


def exact_loss(config, scale=1.0):
    """The lowest loss by numpy's lstsq on standardised columns, and that of the mean."""
    spec = yaml.safe_load(config.read_text())
    with open(spec["data"]["path"]) as file:
        rows = list(csv.DictReader(file))
    target = spec["data"]["target"]
    names = spec["data"].get("features") or [name for name in rows[0] if name != target]
    X = np.array([[float(row[name]) for name in names] for row in rows])
    X = (X - X.mean(0)) / X.std(0)
    y = np.array([float(row[target]) for row in rows])
    A = np.column_stack([X, np.ones(len(X))])
    residuals = y - A @ np.linalg.lstsq(A, y, rcond=None)[0]
    return scale * float(np.mean(residuals**2)), scale * float(np.var(y))


def check_forecast(linreg, tmp_path, config, *, scale=1.0, reached=("1e-3", "1e-6")):
    values = linreg("inspect", "-c", config, "--json").json
    told = values["forecast"]
    epochs = 2 * max(told[key] for key in reached) + 2
    assert linreg("train", "-c", config, "--name", "real", "--set", f"train.epochs={epochs}").code == 0
    optimum, _ = exact_loss(config, scale)
    seen = arrives(history(tmp_path, "real"), optimum, optimum)
    for key in reached:
        assert told[key] / 2 <= seen[key] <= 2 * told[key] + 1, (key, told, seen)
    return told, seen


@pytest.mark.parametrize("condition", [3, 15])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_the_forecast_of_a_full_batch_comes_true(linreg, tmp_path, table, condition, momentum):
    rng = np.random.default_rng(condition)
    columns = from_svd(rng, 80, condition)
    y = sum(columns.values()) + 3 + 0.5 * rng.normal(size=80)
    config = table({**columns, "y": y}, optimizer={"lr": 0.2, "momentum": momentum})
    told, seen = check_forecast(linreg, tmp_path, config)
    # For a full batch it is exact.
    assert {key: told[key] for key in seen} == seen


def test_the_forecast_of_mini_batches_comes_true(linreg, tmp_path, table):
    rng = np.random.default_rng(1)
    columns = from_svd(rng, 400, 8)
    y = sum(columns.values()) + 3 + 0.05 * rng.normal(size=400)
    config = table({**columns, "y": y}, optimizer={"lr": 0.01}, train={"batch_size": 20})
    check_forecast(linreg, tmp_path, config, reached=("1e-3",))


@pytest.mark.parametrize(
    ("name", "target", "features", "sections", "scale"),
    [
        ("food_truck_97", "profit_10k", None, {"loss": "half_mse", "optimizer": {"lr": 0.02}}, 0.5),
        ("advertising", "Sales", None, {"preprocess": {"standardize": True}, "optimizer": {"lr": 0.1}}, 1),
        ("portland_47", "price", None, {"preprocess": {"standardize": True}, "optimizer": {"lr": 0.05}}, 1),
        (
            "auto_mpg",
            "mpg",
            ["cylinders", "displacement", "weight", "acceleration", "model_year"],
            {"preprocess": {"standardize": True}, "optimizer": {"lr": 0.2}},
            1,
        ),
        (
            "kc_house",
            "price",
            ["bedrooms", "bathrooms", "sqft_living", "floors", "grade", "lat", "yr_built"],
            {"preprocess": {"standardize": True}, "optimizer": {"lr": 0.2}},
            1,
        ),
    ],
)
def test_the_forecast_comes_true_on_real_tables(
    linreg, tmp_path, real_data, config_file, name, target, features, sections, scale
):
    data = {"path": str(real_data / f"{name}.csv"), "target": target}
    data |= {"features": features} if features else {}
    train = {"batch_size": "full", "dtype": "float64"}
    config = config_file(yaml.safe_dump({"name": name, "data": data, "train": train, "plots": False, **sections}))
    told, seen = check_forecast(linreg, tmp_path, config, scale=scale)
    assert told["method"] == "full batch: exact"
    assert {key: told[key] for key in seen} == seen


def test_the_forecast_of_mini_batches_comes_true_on_a_real_table(linreg, tmp_path, real_data, config_file):
    config = {
        "name": "advertising", "data": {"path": str(real_data / "advertising.csv"), "target": "Sales"}, "plots": False,
        "preprocess": {"standardize": True}, "optimizer": {"lr": 0.002},
        "train": {"batch_size": 20, "dtype": "float64"},
    }  # fmt: skip
    check_forecast(linreg, tmp_path, config_file(yaml.safe_dump(config)), reached=("1e-3",))


def test_a_rate_that_diverges_has_no_forecast(linreg):
    values = linreg("inspect", "-c", CONFIGS / "noisy_line.yaml", "--json", "--set", "optimizer.lr=4e-4").json
    assert values["forecast"]["1e-3"] is values["forecast"]["1e-6"] is None
    assert values["forecast"]["1e-6_reason"] == "it diverges: 0.0004 is 1.34 times the limit 0.000298"
    assert (
        "The rate 0.0004 is 1.34 times the limit 0.0002984 and diverges: set preprocess.standardize=true"
        in values["advice"][0]
    )
    page = linreg("inspect", "-c", CONFIGS / "noisy_line.yaml", "--set", "optimizer.lr=4e-4").out
    assert "diverges" in page.split("as configured")[1]


def test_every_alternative_does_what_it_says(linreg, tmp_path, table):
    rng = np.random.default_rng(2)
    columns = {"a": 3 * rng.normal(size=60) + 2, "b": rng.normal(size=60)}
    y = 0.3 * columns["a"] + columns["b"] + rng.normal(size=60)
    config = table({**columns, "y": y}, optimizer={"lr": 1e-3, "momentum": 0.5, "nesterov": True})
    alternatives = linreg("inspect", "-c", config, "--json").json["alternatives"]
    assert [alternative["label"] for alternative in alternatives] == [
        "best rate", "best rate and momentum", "standardised, best rate", "standardised, and momentum",
    ]  # fmt: skip
    optimum, _ = exact_loss(config)
    for number, alternative in enumerate(alternatives):
        options = [part for setting in alternative["set"] for part in ("--set", setting)]
        epochs = alternative["forecast"]["1e-6"]
        run = ("--name", f"way{number}", "--set", f"train.epochs={max(2 * epochs, 1)}")
        assert linreg("train", "-c", config, *options, *run).code == 0
        seen = arrives(history(tmp_path, f"way{number}"), optimum, optimum)["1e-6"]
        assert abs(seen - epochs) <= 1, alternative


def test_batches_of_a_sum_descend_as_foretold(linreg, tmp_path, table):
    # A batch of 10 of 200 rows adds the whole penalty to a twentieth of the loss.
    rng = np.random.default_rng(3)
    columns = from_svd(rng, 200, 2)
    y = sum(columns.values())
    config = table({**columns, "y": y}, loss="sse", optimizer={"lr": 0.001}, train={"batch_size": 10})
    told = linreg("inspect", "-c", config, "--json").json["forecast"]
    assert linreg("train", "-c", config, "--set", "train.epochs=100").code == 0
    losses = history(tmp_path, "t")
    constant = 200 * float(np.var(y))
    seen = arrives(losses, constant, 0.0)
    for key in seen:
        assert told[key] / 2 <= seen[key] <= 2 * told[key] + 1


def test_float32_stops_about_where_it_is_said_to(linreg, tmp_path, table):
    # A target far from zero beside a small rate: steps fall below the bias's last place. Half of that, 3e-5, is a step
    # of 0.002 on a gradient of 0.015, and the bias is so near after ln(1 / 0.0075) / (0.002 x 2) = 1,200 steps.
    rng = np.random.default_rng(5)
    x = rng.normal(size=50)
    config = table({"x": x, "y": 1000 + x + 0.1 * rng.normal(size=50)}, train={"dtype": "float32", "epochs": 3000})
    options = ("--set", "optimizer.lr=0.002", "--set", "model.init.bias=999")
    values = linreg("inspect", "-c", config, "--json", *options).json
    assert linreg("train", "-c", config, *options).code == 0
    optimum, _ = exact_loss(config)
    gap = (history(tmp_path, "t")[-1] - optimum) / optimum
    assert values["rounding_gap"] / 10 < gap < values["rounding_gap"] * 10
    assert any("train.dtype=float64" in text for text in values["advice"])


def test_a_schedule_is_foretold(linreg, tmp_path, table):
    rng = np.random.default_rng(8)
    columns = from_svd(rng, 50, 2)
    y = sum(columns.values()) + 0.3 * rng.normal(size=50)
    schedule = {"kind": "exponential", "gamma": 0.99}
    config = table({**columns, "y": y}, optimizer={"lr": 0.3, "schedule": schedule})
    told, seen = check_forecast(linreg, tmp_path, config)
    assert {key: told[key] for key in seen} == seen
    never = linreg("inspect", "-c", config, "--json", "--set", "optimizer.schedule.gamma=0.5").json["forecast"]
    assert "of the schedule the gap is" in never["1e-6_reason"]
