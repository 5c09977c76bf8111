"""Certified digits by the command line: every NIST StRD set of linear regression, in either dtype, scaled or not."""

import csv
import itertools
import json
import math
from fractions import Fraction

import numpy as np
import pytest
from certified import SETS, solve

#: Sets that are read from the folder of real tables, with the digits asked of them.
REAL = {"Norris": 12, "Longley": 12, "Filip": 7, "NoInt1": 14, "Wampler1": 6}
WAYS = list(itertools.product(("float32", "float64"), (False, True)))


def digits(found, certified) -> float:
    """The smallest number of digits that agree: -log10 of the relative error."""
    errors = [abs(Fraction(a) - Fraction(b)) / abs(Fraction(b)) for a, b in zip(found, certified, strict=True)]
    return min(16.0 if not error else -math.log10(error) for error in errors)


def write(path, rows, targets):
    names = [f"x{j}" for j in range(1, len(rows[0]) + 1)]
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([[*names, "y"], *([*row, y] for row, y in zip(rows, targets, strict=True))])
    return path


@pytest.fixture
def optimum(linreg, config_file):
    """Train a few epochs on a table; gives the parameters of the optimum in the order of the certified ones."""

    def train(path, intercept, dtype, standardize):
        config = {
            "data": {"path": str(path), "target": "y"}, "model": {"bias": intercept}, "loss": "sse", "plots": False,
            "preprocess": {"standardize": standardize}, "optimizer": {"lr": "auto"},
            "train": {"epochs": 3, "batch_size": "full", "dtype": dtype},
        }  # fmt: skip
        config = config_file(json.dumps(config))
        result = linreg("train", "-c", config, "--json")
        assert result.code == 0, result.err
        inspected = linreg("inspect", "-c", config, "--json").json["optimum"]["parameters"]
        known = result.json["metrics"]["optimum"]
        # To 24 bits, the ten powers of Filip are dependent: a change within the rounding of the cells lowers the rank.
        assert known["is_unique"] == (dtype == "float64" or path.name != "Filip.csv")
        return [
            [*([found["bias"]] if intercept else []), *found["weights"].values()]
            for found in (known["parameters"], inspected)
        ], known

    return train


@pytest.mark.parametrize(("dtype", "standardize"), WAYS)
@pytest.mark.parametrize("name", SETS)
def test_the_optimum_has_the_certified_digits(optimum, tmp_path, name, dtype, standardize):
    rows, intercept, certified, squares, wanted = SETS[name]
    both, known = optimum(write(tmp_path / "t.csv", *rows), intercept, dtype, standardize)
    for found in both:
        assert digits(found, certified) >= wanted
    if squares and dtype == "float64":
        assert digits([known["train_loss"]], [squares]) >= 10


@pytest.mark.parametrize("name", SETS)
def test_the_certified_values_are_those_of_the_data(name):
    """Solved in fractions, the numbers typed in give every certified digit (15 of them are printed)."""
    rows, intercept, certified, squares, _ = SETS[name]
    theta, rest = solve(rows, intercept=intercept)
    for found, printed in zip(theta, certified, strict=True):
        assert float(found) == pytest.approx(printed, rel=5e-15)
    assert float(rest) == pytest.approx(squares, rel=5e-15)


@pytest.mark.parametrize(("dtype", "standardize"), WAYS)
@pytest.mark.parametrize("name", REAL)
def test_real_sets_have_the_certified_digits(optimum, real_data, name, dtype, standardize):
    certified = json.loads((real_data / "nist" / "certified.json").read_text())[name]
    both, _ = optimum(real_data / "nist" / f"{name}.csv", certified["intercept"], dtype, standardize)
    for found in both:
        assert digits(found, certified["params"]) >= REAL[name]


@pytest.mark.parametrize("name", ["Filip", "Longley"])
def test_what_is_lost_is_lost_in_the_file(optimum, real_data, name):
    """13 digits beside the exact solution of the numbers in the file: the powers of Filip are stored rounded."""
    with open(real_data / "nist" / f"{name}.csv", newline="") as file:
        table = list(csv.DictReader(file))
    stored = [[str(Fraction(float(cell))) for key, cell in row.items() if key != "y"] for row in table]
    theta, _ = solve((stored, [str(Fraction(float(row["y"]))) for row in table]), intercept=True)
    both, _ = optimum(real_data / "nist" / f"{name}.csv", True, "float32", False)
    for found in both:
        assert digits(found, theta) >= 13


def test_inference_at_the_optimum_has_the_certified_digits(linreg, config_file, tmp_path):
    """Pontius: certified standard errors, residual standard deviation, R2 and F (NIST StRD)."""
    rows, *_ = SETS["Pontius"]
    config = {
        "data": {"path": str(write(tmp_path / "t.csv", *rows)), "target": "y"}, "preprocess": {"standardize": True},
        "optimizer": {"lr": "auto", "momentum": "auto"}, "plots": False,
        "train": {"epochs": 1000, "batch_size": "full", "dtype": "float64"},
    }  # fmt: skip
    found = linreg("train", "-c", config_file(json.dumps(config)), "--json").json["metrics"]["inference"]
    errors = [found["coefficients"][name]["std_err"] for name in ("bias", "x1", "x2")]
    assert digits(errors, [0.107938612033077e-03, 0.157817399981659e-09, 0.486652849992036e-16]) >= 11
    assert digits([found["residual_std"]], [0.205177424076185e-03]) >= 11
    assert found["r2"] == pytest.approx(0.999999900178537, abs=1e-14)
    assert np.isfinite(found["f"])
