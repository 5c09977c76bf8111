"""The exact fit is always reported, by statsmodels' figures, and how far from it the trained model is."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

SHORT = ["--json", "--set", "plots=false", "--set", "train.epochs=3"]


@pytest.fixture
def table(tmp_path):
    """Columns far from zero and of other sizes, two targets of which one is positive and skewed, and a category."""
    rng = np.random.default_rng(3)
    n = 80
    frame = pd.DataFrame({"year": 2000 + rng.integers(0, 24, n), "size": rng.lognormal(5, 0.4, n)})
    frame["kind"] = rng.choice(["flat", "house", "villa"], n)
    signal = 0.03 * (frame["year"] - 2000) + 0.004 * frame["size"] + 0.3 * (frame["kind"] == "villa")
    frame["price"] = np.exp(3 + signal + 0.2 * rng.standard_t(5, n))
    frame["days"] = 40 - 5 * signal + rng.normal(size=n)
    frame.to_csv(tmp_path / "t.csv", index=False)
    return frame


def design(frame, bias=True):
    columns = {"year": frame["year"], "size": frame["size"]}
    columns |= {f"kind={level}": (frame["kind"] == level) * 1.0 for level in (["house", "villa"] if bias else [])}
    X = pd.DataFrame(columns)
    return X.assign(bias=1.0) if bias else X


def config(target, text="", features="[year, size, kind]"):
    data = f"data: {{path: t.csv, target: {target}, features: {features}}}\n"
    return f"{data}preprocess: {{categorical: one_hot, standardize: true{text}}}\n"


def agrees(found, theirs, parameters, distance):
    """The inference and the distances of one target are those of a fit by statsmodels."""
    robust, interval = theirs.get_robustcov_results("HC3"), theirs.conf_int()
    trained = {**parameters["weights"], "bias": parameters["bias"]}
    away = {**distance["weights"], "bias": distance["bias"]}
    for i, name in enumerate(theirs.params.index):
        expected = {
            "estimate": theirs.params[name], "std_err": theirs.bse[name], "std_err_hc3": robust.bse[i],
            "t": theirs.tvalues[name], "p": theirs.pvalues[name],
            "ci_low": interval.loc[name, 0], "ci_high": interval.loc[name, 1],
        }  # fmt: skip
        ours = found["coefficients"][name]
        assert {key: ours[key] for key in expected} == pytest.approx(expected, rel=1e-8), name
        assert away[name] == pytest.approx((trained[name] - theirs.params[name]) / theirs.bse[name], rel=1e-6), name
    assert found["residual_std"] == pytest.approx(theirs.mse_resid**0.5, rel=1e-10)
    assert found["covariance"] == "classic"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("transform", ["none", "log"])
def test_a_model_far_from_the_exact_fit_has_the_inference_of_that_fit(linreg, config_file, table, dtype, transform):
    path = config_file(config("price", f", target_transform: {transform}"))
    metrics = linreg("train", "-c", path, *SHORT, "--set", f"train.dtype={dtype}").json["metrics"]
    assert "not at the optimum" in metrics["inference"]["refused"]
    y = table["price"] if transform == "none" else np.log(table["price"])
    optimum = metrics["optimum"]
    agrees(optimum["inference"], sm.OLS(y, design(table)).fit(), metrics["parameters"], optimum["distance"])
    assert optimum["inference"]["units"] == {"none": "original", "log": "transformed"}[transform]
    assert max(map(abs, optimum["distance"]["weights"].values())) > 0.01
    assert linreg("evaluate", "latest", "--json").json["optimum"] == optimum


def test_without_an_intercept_there_is_no_distance_of_one(linreg, config_file, table):
    path = config_file(config("price", "", "[year, size]") + "model: {bias: false}\noptimizer: {lr: auto}\n")
    metrics = linreg("train", "-c", path, *SHORT).json["metrics"]
    theirs = sm.OLS(table["price"], design(table, bias=False)).fit()
    agrees(metrics["optimum"]["inference"], theirs, metrics["parameters"], metrics["optimum"]["distance"])
    assert metrics["optimum"]["distance"]["bias"] is None


def test_each_of_several_targets_has_its_own(linreg, config_file, table):
    metrics = linreg("train", "-c", config_file(config("[price, days]")), *SHORT).json["metrics"]
    parameters, optimum = metrics["parameters"], metrics["optimum"]
    for target in ("price", "days"):
        own, away = (
            {key: each[key][target] for key in ("weights", "bias")} for each in (parameters, optimum["distance"])
        )
        agrees(optimum["inference"][target], sm.OLS(table[target], design(table)).fit(), own, away)


def test_a_model_at_the_exact_fit_has_the_same_inference(linreg, config_file, table):
    path = config_file(config("price") + "optimizer: {lr: auto, momentum: auto}\n")
    exact = ["train.epochs=300", "train.batch_size=full", "train.dtype=float64"]
    settings = [part for each in exact for part in ("--set", each)]
    metrics = linreg("train", "-c", path, *SHORT, *settings).json["metrics"]
    assert metrics["inference"] == metrics["optimum"]["inference"]
    distance = metrics["optimum"]["distance"]
    assert max(map(abs, [*distance["weights"].values(), distance["bias"]])) < 0.01


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        (["optimizer.weight_decay=0.1"], "weight decay biases the coefficients"),
        (["loss=mae"], "not valid for loss: mae"),
        (["loss=huber", "optimizer.lr=auto"], "not valid for loss: huber"),
        (["data.features=[year, year2]"], "the coefficients are not unique"),
        (["data.split={train: 0.05, validation: 0.95}"], "4 rows and 5 parameters leave no residual degrees"),
        (["data.target=double", "data.features=[size]"], "the fit is exact within rounding error"),
    ],
)
def test_where_least_squares_has_no_standard_errors_the_reason_stands_there(
    linreg, config_file, table, tmp_path, settings, why
):
    table.assign(year2=2 * table["year"], double=2.5 * table["size"]).to_csv(tmp_path / "t.csv", index=False)
    options = [part for each in settings for part in ("--set", each)]
    result = linreg("train", "-c", config_file(config("price")), *SHORT, *options)
    assert result.code == 0, result.err
    metrics = result.json["metrics"]
    optimum = metrics["optimum"]
    assert why in optimum["inference"]["refused"]
    assert (optimum["distance"], optimum["distance_reason"]) == (None, optimum["inference"]["refused"])
    assert why in metrics["inference"]["refused"]


def test_a_target_without_residuals_beside_one_with_them_has_no_standard_errors_and_says_why(
    linreg, config_file, table, tmp_path
):
    table.assign(double=2.5 * table["size"] + 1).to_csv(tmp_path / "t.csv", index=False)
    path = config_file(config("[price, double]", "", "[year, size]"))
    result = linreg("train", "-c", path, *SHORT)
    optimum = result.json["metrics"]["optimum"]
    assert abs(optimum["distance"]["weights"]["price"]["size"]) > 0
    # Rounding leaves residuals of about 1e-13, which are no measure of noise.
    assert optimum["distance"]["weights"]["double"]["size"] is None
    found = optimum["inference"]["double"]["coefficients"]["size"]
    assert found["estimate"] == pytest.approx(2.5)
    assert (found["std_err"], found["ci_low"], found["p"]) == (None, None, None)
    assert "fitted exactly" in found["std_err_reason"]
    assert optimum["inference"]["price"]["coefficients"]["size"]["std_err"] > 0
    shown = " ".join(linreg("runs", "show", result.json["run"]).out.split())
    assert "no standard errors: the target is fitted exactly within rounding error" in shown


def test_hc3_is_what_the_tests_and_intervals_are_of_where_it_is_asked_for(linreg, config_file, table):
    path = config_file(config("price") + "evaluate: {covariance: HC3}\n")
    metrics = linreg("train", "-c", path, *SHORT).json["metrics"]
    found = metrics["optimum"]["inference"]
    theirs = sm.OLS(table["price"], design(table)).fit(cov_type="HC3", use_t=True)
    classic = sm.OLS(table["price"], design(table)).fit()
    interval = theirs.conf_int()
    assert found["covariance"] == "HC3"
    for name in theirs.params.index:
        expected = {
            "std_err": classic.bse[name], "std_err_hc3": theirs.bse[name], "t": theirs.tvalues[name],
            "ci_low": interval.loc[name, 0], "ci_high": interval.loc[name, 1],
        }  # fmt: skip
        ours = found["coefficients"][name]
        assert {key: ours[key] for key in expected} == pytest.approx(expected, rel=1e-9), name
        assert ours["p"] == pytest.approx(theirs.pvalues[name], rel=1e-8)
    assert (found["f"], found["f_p"]) == pytest.approx((theirs.fvalue, theirs.f_pvalue), rel=1e-7)
    # Distances are in classic standard errors whatever is shown.
    other = linreg("train", "-c", path, *SHORT, "--set", "evaluate.covariance=classic").json["metrics"]
    assert metrics["optimum"]["distance"] == other["optimum"]["distance"]
    assert other["optimum"]["inference"]["coefficients"]["size"]["std_err_hc3"] == pytest.approx(theirs.bse["size"])


def test_a_row_of_leverage_one_leaves_no_hc3(linreg, config_file, table, tmp_path):
    table.loc[6, "kind"] = "zeppelin"
    table.to_csv(tmp_path / "t.csv", index=False)
    path = config_file(config("price"))
    optimum = linreg("train", "-c", path, *SHORT).json["metrics"]["optimum"]
    size = optimum["inference"]["coefficients"]["size"]
    assert size["std_err_hc3"] is None
    assert (
        size["std_err_hc3_reason"] == "row 7 alone determines a coefficient (its leverage is 1), so HC3 is not defined"
    )
    assert size["std_err"] > 0
    result = linreg("train", "-c", path, *SHORT, "--set", "evaluate.covariance=HC3")
    refused = result.json["metrics"]["optimum"]["inference"]["refused"]
    assert refused.startswith("row 7 alone")
    assert refused.endswith("set evaluate.covariance: classic")
    assert result.json["metrics"]["inference"]["refused"] == refused


def test_cluster_is_not_a_covariance(linreg, config_file, table):
    result = linreg("train", "-c", config_file(config("price")), "--set", "evaluate.covariance=cluster")
    assert result.code == 2
    assert "evaluate.covariance" in result.err
