"""Published results, digit by digit: the four teaching systems from their shipped configs, and real tables.

A number is compared at the precision that its source prints, half a unit of the last digit, unless said otherwise.
"""

import csv
import json

import pytest
from conftest import CONFIGS

QUIET = ("--set", "plots=false", "--json")


@pytest.fixture
def trained(linreg):
    """Train a config and give the metrics, and the rows of `history.csv` as numbers."""

    def train(config, *arguments):
        result = linreg("train", "-c", config, *QUIET, *arguments)
        assert result.code == 0, result.err
        with open(f"{result.json['path']}/history.csv", newline="") as file:
            history = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
        return result.json["metrics"], history

    return train


def shipped(name: str):
    return CONFIGS / f"{name}.yaml"


# Case 1. torch.optim.SGD in float64 gives these digits, so they are met exactly: all 16 of them.


def test_line_through_three_points(trained):
    metrics, history = trained(shipped("points"))
    before, first, last = history[0], history[1], history[-1]
    assert (before["weight:x"], before["bias"], before["train_loss"]) == (1, 0, 29)
    # w = 1 + 0.01 x 40 and b = 0.01 x 18; the published 12.9612 has four decimals
    assert first["weight:x"] == pytest.approx(1.4, rel=1e-15)
    assert first["bias"] == pytest.approx(0.18, rel=1e-15)
    assert first["train_loss"] == pytest.approx(12.9612, rel=1e-14)
    assert (last["epoch"], last["step"]) == (1000, 1000)
    assert metrics["parameters"] == {
        "units": "original",
        "weights": {"x": 2.000148389025502},
        "bias": 0.9996626768662412,
    }
    assert metrics["test"]["n"] == 1
    assert metrics["probe"][0]["after"][0] == pytest.approx(9, abs=3e-4)


def test_noisy_points(trained):
    metrics, _ = trained(shipped("points_noisy"))
    assert metrics["parameters"] == {
        "units": "original",
        "weights": {"x": 1.846223184751381},
        "bias": 1.6152357121183563,
    }


# Case 2.


def test_gradient_descent(trained):
    metrics, history = trained(shipped("gd"))
    assert history[-1]["step"] == 100
    assert metrics["parameters"] == {"units": "original", "weights": {"x": 1.9999444396553017}, "bias": None}
    [probe] = metrics["probe"]
    assert (probe["input"], probe["before"]) == ([4], [4])
    assert probe["after"][0] == pytest.approx(7.99978, abs=0.5e-5)


def test_stochastic_gradient_descent(trained):
    metrics, history = trained(shipped("sgd"))
    assert history[-1]["step"] == 300
    assert metrics["parameters"] == {"units": "original", "weights": {"x": 1.9999999999999236}, "bias": None}


# Case 3. The limit is 2 / (largest eigenvalue of the Hessian), which is 2/n X'X, about 6,700: 2.98e-4.


def test_noisy_line(trained):
    metrics, history = trained(shipped("noisy_line"))
    assert len(history) == 1001
    assert 0 <= history[0]["weight:x"] <= 1
    assert 0 <= history[0]["bias"] <= 1
    # The least-squares weight of 100 such points has a standard error of 10 / (100 / sqrt(12) x 10) = 0.035, and the
    # intercept, which has hardly moved from its start, adds at most about 2 standard errors: 2 x 10 x 1.5 / 100.
    assert metrics["parameters"]["weights"]["x"] == pytest.approx(1, abs=0.1)
    assert metrics["train"]["rmse"] == pytest.approx(10, abs=3)


@pytest.mark.parametrize(("rate", "code"), [("2.9e-4", 0), ("4e-4", 4)])
def test_noisy_line_diverges_above_its_limit(rate, code, linreg):
    result = linreg("train", "-c", shipped("noisy_line"), *QUIET, "--set", f"optimizer.lr={rate}")
    assert result.code == code, result.err
    if code:
        assert result.json["error"]["kind"] == "diverged"


# Case 4.


def test_known_weights(trained):
    metrics, history = trained(shipped("synthetic"))
    assert len(history) == 4
    # "near 1e-4", the variance of the noise: its sample value is within 5 sqrt(2 / 1000) = 22 %, and steps of noisy
    # batches leave lr x features / batch more, a few per cent.
    assert metrics["train"]["loss"] == pytest.approx(1e-4, rel=0.3)
    weights, bias = metrics["parameters"]["weights"], metrics["parameters"]["bias"]
    assert weights["x1"] == pytest.approx(2, abs=0.01)
    assert weights["x2"] == pytest.approx(-3.4, abs=0.01)
    assert bias == pytest.approx(4.2, abs=0.01)


# Published results on real tables.


@pytest.fixture
def table_config(config_file, real_data):
    """A full-batch float64 config for one of the real tables."""

    def write(table: str, target: str, *, features: str = "null", **sections: object):
        settings = {
            "data": {"path": str(real_data / table), "target": target},
            "model": {"init": {"weight": 0, "bias": 0}},
            "loss": "half_mse",
            "train": {"epochs": 1000, "batch_size": "full", "dtype": "float64"},
        }
        if features != "null":
            settings["data"]["features"] = features.split(", ")
        for key, value in sections.items():
            settings[key] = {**settings[key], **value} if isinstance(settings.get(key), dict) else value
        return config_file(json.dumps(settings))

    return write


def test_food_truck_descent(trained, table_config):
    metrics, history = trained(table_config("food_truck_97.csv", "profit_10k", optimizer={"lr": 0.01}))
    assert len(history) == 1001
    # Published with all float64 digits: the sum of 97 terms in another order changes the last one or two.
    assert history[0]["train_loss"] == pytest.approx(32.072733877455676, rel=1e-14)
    assert history[-1]["train_loss"] == pytest.approx(4.515955503078912, rel=1e-14)
    assert metrics["train"]["loss"] == history[-1]["train_loss"]
    assert metrics["parameters"]["bias"] == pytest.approx(-3.24140214, abs=0.5e-8)
    assert metrics["parameters"]["weights"]["population_10k"] == pytest.approx(1.1272942, abs=0.5e-7)


def test_portland_descent(trained, table_config):
    config = table_config(
        "portland_47.csv",
        "price",
        preprocess={"standardize": True, "standardize_target": True, "ddof": 1},
        optimizer={"lr": 0.01},
    )
    metrics, _ = trained(config)
    assert metrics["train"]["loss"] == pytest.approx(0.13070336960771897, rel=1e-14)


def test_portland_descent_tells_the_denominators_apart(trained, table_config):
    """With n in place of n - 1 the loss is another one, so the case above shows that `ddof` is heeded."""
    config = table_config(
        "portland_47.csv",
        "price",
        preprocess={"standardize": True, "standardize_target": True, "ddof": 0},
        optimizer={"lr": 0.01},
    )
    metrics, _ = trained(config)
    assert abs(metrics["train"]["loss"] - 0.13070336960771897) > 1e-3


# Optima that descent reaches on standardised columns. There the error of a full-batch step shrinks at least by
# max |1 - lr x curvature|; the epochs make that 1e-13 or less, and 1e-11 leaves room for the fold's rounding, unless
# the source prints fewer digits.

STANDARD = {"standardize": True, "standardize_target": True}


def converged(trained, config):
    metrics, _ = trained(config)
    return metrics["parameters"]["weights"], metrics["parameters"]["bias"], metrics["train"]


def test_food_truck_optimum(trained, table_config):
    config = table_config("food_truck_97.csv", "profit_10k", preprocess={"standardize": True}, optimizer={"lr": 0.5})
    weights, bias, train = converged(trained, config)
    assert bias == pytest.approx(-3.89578088, abs=0.5e-8)
    assert weights["population_10k"] == pytest.approx(1.19303364, abs=0.5e-8)
    assert train["loss"] == pytest.approx(4.476971375975179, rel=1e-14)


def test_portland_optimum(trained, table_config):
    config = table_config("portland_47.csv", "price", preprocess=STANDARD, optimizer={"lr": 0.8}, probe=[[1650, 3]])
    metrics, _ = trained(config)
    # Printed with six decimals, and cut off rather than rounded: in exact fractions the first is 89597.9095427973.
    assert metrics["parameters"]["bias"] == pytest.approx(89597.909542, abs=1e-6)
    assert metrics["parameters"]["weights"] == {
        "size_sqft": pytest.approx(139.210674, abs=1e-6),
        "bedrooms": pytest.approx(-8738.019112, abs=1e-6),
    }
    assert metrics["probe"][0]["after"][0] == pytest.approx(293081.464335, abs=1e-6)


def test_advertising_tv_optimum(trained, table_config):
    config = table_config(
        "advertising.csv", "Sales", features="TV", preprocess={"standardize": True}, optimizer={"lr": 0.5}
    )
    weights, bias, train = converged(trained, config)
    assert bias == pytest.approx(7.03259354913, abs=0.5e-11)
    assert weights["TV"] == pytest.approx(0.04753664, abs=0.5e-8)
    assert train["r2"] == pytest.approx(0.611875050850071, abs=0.5e-14)


def test_advertising_radio_and_tv_optimum(trained, table_config):
    config = table_config(
        "advertising.csv", "Sales", features="Radio, TV", preprocess={"standardize": True}, optimizer={"lr": 0.5}
    )
    weights, bias, _ = converged(trained, config)
    assert bias == pytest.approx(2.92109991241, abs=0.5e-11)
    assert weights == {"Radio": pytest.approx(0.18799423, abs=0.5e-8), "TV": pytest.approx(0.04575482, abs=0.5e-8)}


def test_king_county_living_area_optimum(trained, table_config):
    config = table_config(
        "kc_house.csv",
        "price",
        features="sqft_living",
        preprocess=STANDARD,
        optimizer={"lr": 0.5},
        train={"epochs": 60, "batch_size": "full", "dtype": "float64"},
    )
    _, _, train = converged(trained, config)
    # 21,613 terms summed in float64: 21613 eps / 100 would do for pairwise sums
    assert train["r2"] == pytest.approx(0.4928532179037931, rel=1e-13)


@pytest.fixture
def certified(real_data):
    return json.loads((real_data / "nist" / "certified.json").read_text())


def test_norris(trained, table_config, certified):
    config = table_config("nist/Norris.csv", "y", preprocess=STANDARD, optimizer={"lr": 0.5})
    weights, bias, train = converged(trained, config)
    values = certified["Norris"]
    # The slope to 13 digits; the intercept, -0.26, is the difference of means near 400 and loses three of them.
    assert weights["x"] == pytest.approx(values["params"][1], rel=1e-13)
    assert bias == pytest.approx(values["params"][0], rel=1e-10)
    assert train["r2"] == pytest.approx(values["r2"], rel=1e-13)


def test_no_intercept(trained, table_config, certified):
    """A model without a bias goes through the origin, though the columns are standardised."""
    config = table_config(
        "nist/NoInt1.csv",
        "y",
        preprocess=STANDARD,
        optimizer={"lr": 1e-3},
        model={"bias": False, "init": {"weight": 0}},
    )
    weights, bias, _ = converged(trained, config)
    assert bias is None
    assert weights["x"] == pytest.approx(certified["NoInt1"]["params"][0], rel=1e-13)
