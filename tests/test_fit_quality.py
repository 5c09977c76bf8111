"""What a fit is worth, by the command line: inference as statsmodels has it, certified optima, recovered truths."""

import csv
import json

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from conftest import CONFIGS
from statsmodels.stats.outliers_influence import variance_inflation_factor
from statsmodels.stats.stattools import durbin_watson

from linreg_cli.convergence import fit_problem, original
from linreg_cli.wording import number

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


def test_the_condition_number_as_given_is_that_of_the_columns_in_original_units(houses):
    design = np.loadtxt("houses.csv", delimiter=",", skiprows=1)
    design[:, 3] = 1.0
    optimum = houses["optimum"]
    assert optimum["condition_number_as_given"] == pytest.approx(np.linalg.cond(design), rel=1e-6)
    scaled = (design[:, :3] - design[:, :3].mean(axis=0)) / design[:, :3].std(axis=0)
    assert optimum["condition_number"] == pytest.approx(np.linalg.cond(scaled), rel=1e-6)


def test_the_table_of_coefficients_fits_eighty_columns(linreg, houses):
    text = linreg("evaluate", "latest").out
    table, _, prose = text.partition("optimum: ")
    assert max(map(len, table.splitlines())) <= 80
    assert len([line for line in table.splitlines() if "std err" in line]) == 2
    assert prose.split("\n")[1] == ""  # not wrapped, since stdout is no terminal
    assert "Durbin-Watson" in text


def test_a_model_far_from_the_optimum_gets_no_errors(linreg, houses, config_file):
    short = linreg("train", "-c", config_file(config_of("houses.csv", "price", 3)), *FULL, "--set", "optimizer.lr=0.01")
    refused = short.json["metrics"]["inference"]["refused"]
    assert "standard errors away" in refused
    assert "the gap is" in refused
    assert "; train with --set " in refused
    shown = linreg("evaluate", "latest").out
    assert "classic standard errors of the exact fit" in shown
    assert "none of these are statistics of the trained model: the model is not at the optimum" in shown


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


def test_training_ends_with_the_truth_beside_the_estimates(linreg):
    """Mini-batches end too far from the optimum for intervals, so the intervals are those of the exact fit."""
    result = linreg("train", "-c", CONFIGS / "synthetic.yaml", "--set", "plots=false")
    assert result.code == 0
    found = linreg("evaluate", "latest", "--json").json
    synthetic, exact = found["truth"], found["optimum"]["inference"]
    assert [synthetic["coefficients"][name]["true"] for name in ("x1", "x2", "bias")] == [2, -3.4, 4.2]
    assert synthetic["intervals_of"] == "exact"
    for name, values in synthetic["coefficients"].items():
        interval = exact["coefficients"][name]
        assert values["covered"] == (interval["ci_low"] <= values["true"] <= interval["ci_high"])
    table = [line.split() for line in result.out.partition("  truth  ")[2].splitlines()]
    assert table[0][-4:] == ["in", "exact", "fit's", "interval"]
    for line, (name, values) in zip(table[1:4], synthetic["coefficients"].items(), strict=True):
        assert line[0].strip("()") == name
        numbers = [number(values[key]) for key in ("true", "estimate", "error")]
        assert line[1:] == [*numbers, "yes" if values["covered"] else "no"]
    again = linreg("train", "-c", CONFIGS / "synthetic.yaml", "--set", "plots=false", "--json").json
    assert again["truth"] == synthetic


def test_a_damaged_truth_does_not_stop_training(linreg, houses, tmp_path):
    (tmp_path / "houses.truth.json").write_text("{}")
    result = linreg("train", "houses.csv", "--target", "price", "--set", "train.epochs=2")
    assert result.code == 0
    assert "houses.truth.json: the file is not the truth of a generated table; move it, or generate" in result.err
    assert (tmp_path / "outputs" / "houses-0001" / "plots" / "coefficients.png").is_file()


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


# --- tables that ship with statsmodels, and ill-scaled ones, at the optimum that auto reaches


def shipped(name):
    frame = getattr(sm.datasets, name).load_pandas()
    return frame.exog.drop(columns="const", errors="ignore"), frame.endog


def ill_scaled(seed):
    # Wider scales (1e-4 beside 1e6) cost statsmodels' own pseudo-inverse of raw columns more than eight digits.
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(60, 4)) @ (np.eye(4) + 0.4 * rng.normal(size=(4, 4))) * [0.01, 1.0, 100.0, 10.0]
    X += [1, 0, 300, -3]
    y = X @ (rng.normal(size=4) / X.std(0)) + rng.standard_t(4, size=60)
    return pd.DataFrame(X, columns=list("abcd")), pd.Series(y, name="y")


@pytest.mark.parametrize("name", ["stackloss", "longley", "ccard", 1, 2])
def test_every_number_agrees_with_statsmodels(linreg, config_file, tmp_path, name):
    X, y = shipped(name) if isinstance(name, str) else ill_scaled(name)
    pd.concat([X, y], axis=1).to_csv(tmp_path / "t.csv", index=False)
    path = config_file(config_of(tmp_path / "t.csv", y.name, 20000))
    result = linreg("train", "-c", path, *FULL, "--set", "train.stop_gap=1e-18")
    assert result.code == 0, result.err
    ours = result.json["metrics"]["inference"]
    theirs = sm.OLS(y, sm.add_constant(X)).fit()
    robust, interval = theirs.get_robustcov_results("HC3"), theirs.conf_int()
    exog = theirs.model.exog
    for i, column in enumerate(["bias", *X.columns]):
        expected = {
            "estimate": theirs.params.iloc[i], "std_err": theirs.bse.iloc[i], "std_err_hc3": robust.bse[i],
            "t": theirs.tvalues.iloc[i], "p": theirs.pvalues.iloc[i],
            "ci_low": interval.iloc[i, 0], "ci_high": interval.iloc[i, 1],
        }  # fmt: skip
        if i:
            expected["vif"] = variance_inflation_factor(exog, i)
        found = ours["coefficients"][column]
        assert {key: found[key] for key in expected} == pytest.approx(expected, rel=1e-8), column
    facts = {
        "residual_std": np.sqrt(theirs.mse_resid), "r2": theirs.rsquared, "r2_adjusted": theirs.rsquared_adj,
        "f": theirs.fvalue, "f_p": theirs.f_pvalue, "aic": theirs.aic, "bic": theirs.bic,
        "durbin_watson": durbin_watson(theirs.resid), "n": len(X),
    }  # fmt: skip
    assert {key: ours[key] for key in facts} == pytest.approx(facts, rel=1e-8)
    with open(f"{result.json['path']}/influence.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    influence = theirs.get_influence()
    for key, values in {
        "leverage": influence.hat_matrix_diag, "cooks_distance": influence.cooks_distance[0],
        "standardized_residual": influence.resid_studentized_internal,
    }.items():  # fmt: skip
        np.testing.assert_allclose([float(row[key]) for row in rows], values, rtol=1e-8, atol=1e-12)
    # PRESS by statsmodels: the mean square of e / (1 - h).
    left_out = result.json["metrics"]["optimum"]["leave_one_out"]
    assert left_out["mse"] == pytest.approx(float(np.mean(influence.resid_press**2)), rel=1e-8)
    spread = float(np.var(y))
    assert left_out["r2"] == pytest.approx(1 - left_out["mse"] / spread, rel=1e-9)


@pytest.mark.parametrize(
    ("columns", "settings", "solved"),
    [
        ("whole", [], 1),  # float32 keeps whole numbers
        ("decimal", [], 2),  # and not these
        ("decimal", ["train.dtype=float64"], 1),
        ("whole", ["preprocess.standardize=true"], 2),
    ],
)
def test_least_squares_is_solved_once_where_the_trained_numbers_are_those_of_the_table(
    linreg, tmp_path, monkeypatch, columns, settings, solved
):
    rng = np.random.default_rng(0)
    values = rng.integers(-50, 50, size=(200, 3)) / {"whole": 1, "decimal": 10}[columns]
    np.savetxt(tmp_path / "t.csv", values, delimiter=",", header="a,b,y", comments="", fmt="%.17g")
    (tmp_path / "t.yaml").write_text(
        "data: {path: t.csv, target: y}\noptimizer: {lr: 1e-5}\ntrain: {epochs: 1}\nplots: false\n"
    )
    calls = []
    for module in (fit_problem, original):
        real = module.of_rows
        monkeypatch.setattr(
            module, "of_rows", lambda *args, real=real, **options: calls.append(1) or real(*args, **options)
        )
    result = linreg("train", "-c", "t.yaml", "--json", *(part for each in settings for part in ("--set", each)))
    assert (result.code, len(calls)) == (0, solved), result.err
    optimum = result.json["metrics"]["optimum"]["parameters"]
    A = np.column_stack([values[:, :2], np.ones(200)])
    best = np.linalg.lstsq(A, values[:, 2], rcond=None)[0]
    assert [*optimum["weights"].values(), optimum["bias"]] == pytest.approx(best.tolist(), rel=1e-11)


def test_the_row_that_cannot_be_left_out_has_its_number_of_the_table(linreg, config_file):
    x, z = np.zeros(20), np.random.default_rng(0).normal(size=20)
    x[14] = 1.0
    pd.DataFrame({"x": x, "z": z, "y": z**2}).to_csv("t.csv", index=False)
    split = ["--set", "data.split={train: 0.7, test: 0.3}", "--set", "seed=3"]
    config = config_file(config_of("t.csv", "y", 1))
    found = linreg("train", "-c", config, *FULL, *split).json["metrics"]["optimum"]
    said = "without row 15 the columns are linearly dependent"
    assert found["leave_one_out"]["reason"] == said
    assert "row 15 alone" in found["inference"]["coefficients"]["x"]["std_err_hc3_reason"]
    assert linreg("inspect", "-c", config, *FULL, *split).json["optimum"]["leave_one_out"]["reason"] == said


@pytest.mark.parametrize("from_statistics", [False, True])
def test_a_column_of_ones_is_an_intercept(linreg, config_file, from_statistics):
    """The same fit as with model.bias, standardised or not: that of statsmodels with a constant."""
    rng = np.random.default_rng(3)
    table = pd.DataFrame({"one": 1.0, "x": rng.normal(size=30), "y": 5 + rng.normal(size=30)})
    table.to_csv("t.csv", index=False)
    config = config_file(config_of("t.csv", "y", 100).replace("bias: true", "bias: false"))
    if from_statistics:
        settings = ["--set", "preprocess.standardize=true"]
        assert linreg("stats", "-c", config, *settings, "-o", "t.stats").code == 0
    found = linreg("train", "-c", config, *FULL, *(["--stats", "t.stats"] if from_statistics else [])).json
    theirs = sm.OLS(table["y"], table[["one", "x"]]).fit()
    assert found["metrics"]["parameters"]["weights"] == pytest.approx(dict(theirs.params), rel=1e-9)
    inference = found["metrics"]["inference"]
    assert [inference["r2"], inference["f"]] == pytest.approx([theirs.rsquared, theirs.fvalue], rel=1e-9)
    assert (inference["r2_definition"], found["warnings"]) == ("centred", [])
