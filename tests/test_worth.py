"""What a fit is worth, by the command line: inference as statsmodels has it, certified optima, recovered truths."""

import csv
import json

import numpy as np
import pytest
import statsmodels.api as sm
from conftest import CONFIGS
from statsmodels.stats.stattools import durbin_watson

FULL = [
    *("--json", "--set", "train.batch_size=full", "--set", "train.dtype=float64", "--set", "plots=false"),
    *("--set", "preprocess.standardize=true", "--set", "optimizer.lr=auto", "--set", "optimizer.momentum=auto"),
]


def config_of(path, target: str, epochs: int, features: str = "null") -> str:
    return (
        f"data: {{path: {path}, target: '{target}', features: {features}}}\n"
        f"train: {{epochs: {epochs}}}\nevaluate: {{}}\nmodel: {{bias: true}}\n"
    )


@pytest.fixture
def houses(linreg, config_file):
    """A table of generated houses and a run at its optimum."""
    source = ["--set", "data.n_samples=200", "-o", "houses.csv"]
    assert linreg("generate-data", "-c", CONFIGS / "housing.yaml", *source).code == 0
    result = linreg("train", "-c", config_file(config_of("houses.csv", "price", 300)), *FULL)
    assert result.code == 0, result.err
    return result.json["metrics"]


def test_evaluate_agrees_with_statsmodels(linreg, houses):
    values = np.loadtxt("houses.csv", delimiter=",", skiprows=1)
    theirs = sm.OLS(values[:, 3], sm.add_constant(values[:, :3])).fit()
    robust, interval = theirs.get_robustcov_results("HC3"), theirs.conf_int()
    shown = linreg("evaluate", "latest", "--json").json
    assert shown["inference"] == houses["inference"]
    for i, name in enumerate(["bias", "bedrooms", "bathrooms", "sqft_living"]):
        ours = shown["inference"]["coefficients"][name]
        expected = {
            "estimate": theirs.params[i], "std_err": theirs.bse[i], "std_err_hc3": robust.bse[i],
            "t": theirs.tvalues[i], "p": theirs.pvalues[i], "ci_low": interval[i, 0], "ci_high": interval[i, 1],
        }  # fmt: skip
        assert {key: ours[key] for key in expected} == pytest.approx(expected, rel=1e-8), name
    facts = {
        "residual_std": np.sqrt(theirs.mse_resid), "r2_adjusted": theirs.rsquared_adj, "f": theirs.fvalue,
        "aic": theirs.aic, "bic": theirs.bic, "durbin_watson": durbin_watson(theirs.resid), "n": 200,
    }  # fmt: skip
    assert {key: shown["inference"][key] for key in facts} == pytest.approx(facts, rel=1e-8)


def test_the_table_of_coefficients_fits_eighty_columns(linreg, houses):
    text = linreg("evaluate", "latest").out
    assert max(map(len, text.splitlines())) <= 80
    [header] = [line for line in text.splitlines() if "std err" in line]
    assert len(header) <= 80
    assert "Durbin-Watson" in text


def test_a_model_far_from_the_optimum_gets_no_errors(linreg, houses, config_file):
    short = linreg("train", "-c", config_file(config_of("houses.csv", "price", 3)), *FULL, "--set", "optimizer.lr=0.01")
    refused = short.json["metrics"]["inference"]["refused"]
    assert "standard errors away" in refused
    assert "the gap is" in refused
    assert "train for more epochs" in refused
    assert "no standard errors: the model is not at the optimum" in linreg("evaluate", "latest").out


def test_weight_decay_refuses_inference(linreg, houses, config_file):
    path = config_file(config_of("houses.csv", "price", 50))
    result = linreg("train", "-c", path, *FULL, "--set", "optimizer.weight_decay=0.1")
    assert "set optimizer.weight_decay: 0" in result.json["metrics"]["inference"]["refused"]


def test_the_truth_beside_a_table_and_of_a_synthetic_run_is_compared(linreg, houses):
    truth = linreg("evaluate", "latest", "--json").json["truth"]
    assert truth["coefficients"].keys() == {"bedrooms", "bathrooms", "sqft_living", "bias"}
    assert truth["noise_mse"] == 60000**2
    for name, values in truth["coefficients"].items():
        inference = houses["inference"]["coefficients"][name]
        assert values["error"] == values["estimate"] - values["true"]
        assert values["covered"] == (inference["ci_low"] <= values["true"] <= inference["ci_high"])
    assert "mse of the noise alone: 3,600,000,000" in linreg("evaluate", "latest").out
    assert linreg("train", "-c", CONFIGS / "synthetic.yaml", "--set", "plots=false").code == 0
    synthetic = linreg("evaluate", "latest", "--json").json["truth"]
    assert synthetic["coefficients"]["x1"]["true"] == 2
    assert synthetic["coefficients"]["x1"]["covered"] is None  # mini-batches end too far from the optimum


def test_a_damaged_truth_is_a_data_error(linreg, houses, tmp_path):
    (tmp_path / "houses.truth.json").write_text("{}")
    result = linreg("evaluate", "latest", "--json")
    assert (result.code, result.json["error"]["kind"]) == (3, "data")


# --- real tables; the published digits are those of REFERENCE in tests/test_reference_cases.py


@pytest.mark.parametrize(
    ("file", "target", "features", "expected"),
    [
        ("portland_47.csv", None, "null", {"bias": 89597.909542, "size_sqft": 139.210674, "bedrooms": -8738.019112}),
        ("advertising.csv", "Sales", "[TV]", {"bias": 7.03259354913, "TV": 0.04753664}),
        ("advertising.csv", "Sales", "[Radio, TV]", {"bias": 2.92109991241, "Radio": 0.18799423, "TV": 0.04575482}),
        ("food_truck_97.csv", None, "null", {"bias": -3.89578088, "population_10k": 1.19303364}),
    ],
)
def test_real_tables_reach_their_published_optimum(linreg, config_file, real_data, file, target, features, expected):
    with open(real_data / file, newline="") as table:
        header = next(csv.reader(table))
    names = {name.lower(): name for name in header}
    target = names[target.lower()] if target else header[-1]
    wanted = "null" if features == "null" else json.dumps([names[part.lower()] for part in features[1:-1].split(", ")])
    path = config_file(config_of(real_data / file, target, 400, wanted))
    metrics = linreg("train", "-c", path, *FULL).json["metrics"]
    assert metrics["optimum"]["gap"] < 1e-6
    found = {"bias": metrics["optimum"]["parameters"]["bias"], **metrics["optimum"]["parameters"]["weights"]}
    for name, value in expected.items():
        found_value = found[names.get(name.lower(), name)]
        assert found_value == pytest.approx(value, rel=1e-9, abs=0.5e-8), name


@pytest.mark.parametrize(("name", "digits"), [("Norris", 12), ("Longley", 11), ("Wampler1", 6), ("Filip", 7)])
def test_nist_digits_of_the_optimum(linreg, config_file, real_data, name, digits):
    with open(real_data / "nist" / "certified.json") as file:
        certified = json.load(file)[name]
    path = config_file(config_of(real_data / "nist" / f"{name}.csv", "y", 5))
    metrics = linreg("train", "-c", path, *FULL).json["metrics"]
    found = metrics["optimum"]["parameters"]
    values = [found["bias"], *found["weights"].values()]
    for ours, theirs in zip(values, certified["params"], strict=True):
        assert ours == pytest.approx(theirs, rel=10.0**-digits, abs=10.0**-digits)
