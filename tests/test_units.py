"""One name has one meaning: units and the definition of R2 stand beside every figure, in the files and on the page."""

import json

import numpy as np
import pytest
import statsmodels.api as sm
from report_pages import page
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import LeaveOneOut, cross_val_predict

from linreg_cli.runs.contents import RunContents

EXACT = "optimizer: {lr: auto, momentum: auto}\ntrain: {epochs: 400, batch_size: full, dtype: float64}\nplots: false\n"
INVERSE = {"log": np.exp, "log1p": np.expm1}


@pytest.fixture
def skewed(tmp_path):
    """A table with a right-skewed target: (X, y)."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(40, 2))
    y = np.exp(0.8 + X @ [0.6, -0.3] + 0.5 * rng.normal(size=40))
    np.savetxt(tmp_path / "t.csv", np.column_stack([X, y]), delimiter=",", header="a,b,y", comments="")
    return X, y


def trained(linreg, tmp_path, text: str) -> dict:
    (tmp_path / "c.yaml").write_text(f"data: {{path: t.csv, target: y}}\n{text}{EXACT}")
    result = linreg("train", "-c", "c.yaml", "--json")
    assert result.code == 0, result.err
    return result.json["metrics"]


@pytest.mark.parametrize("transform", ["log", "log1p"])
def test_leave_one_out_of_a_transformed_target_is_in_original_units(linreg, tmp_path, skewed, transform):
    X, y = skewed
    metrics = trained(linreg, tmp_path, f"preprocess: {{target_transform: {transform}, standardize: true}}\n")
    forward = {"log": np.log, "log1p": np.log1p}[transform]
    predicted = INVERSE[transform](cross_val_predict(LinearRegression(), X, forward(y), cv=LeaveOneOut()))
    found = metrics["optimum"]["leave_one_out"]
    assert found["units"] == "original"
    assert found["mse"] == pytest.approx(np.mean((predicted - y) ** 2), rel=1e-9)
    assert found["r2"] == pytest.approx(r2_score(y, predicted), rel=1e-9)
    assert found["rmse"] > metrics["train"]["rmse"]
    inspected = linreg("inspect", "-c", "c.yaml", "--json").json["optimum"]
    assert inspected["leave_one_out"]["mse"] == pytest.approx(found["mse"], rel=1e-12)
    assert inspected["rmse"] == pytest.approx(metrics["train"]["rmse"], rel=1e-6)


@pytest.mark.parametrize(("transform", "units"), [("none", "original"), ("log", "transformed")])
def test_every_block_has_its_units(linreg, tmp_path, skewed, transform, units):
    text = f"preprocess: {{target_transform: {transform}}}\nevaluate: {{cross_validation: {{folds: 4}}}}\n"
    metrics = trained(linreg, tmp_path, text)
    of_target = {"train": "original", "cross_validation": "original"}
    of_fit = dict.fromkeys(("parameters", "optimum", "inference"), units)
    assert {name: metrics[name]["units"] for name in (*of_target, *of_fit)} == {**of_target, **of_fit}
    assert metrics["optimum"]["parameters"]["units"] == units
    assert linreg("evaluate", "c", "--data", "t.csv", "--json").json["data"]["units"] == "original"


def test_what_stays_in_units_of_the_transform_says_so(linreg, tmp_path, skewed):
    metrics = trained(linreg, tmp_path, "preprocess: {target_transform: log, standardize_target: true}\n")
    X, y = skewed
    fit = sm.OLS(np.log(y), sm.add_constant(X)).fit()
    assert metrics["inference"]["residual_std"] == pytest.approx(fit.mse_resid**0.5, rel=1e-9)
    assert metrics["inference"]["aic"] == pytest.approx(fit.aic, rel=1e-9)
    shown = linreg("evaluate", "c").out
    assert "loss: of log of y, standardised; all others: in original units" in shown
    assert "log of y, in units of the features, with classic standard errors:" in shown
    read = page(RunContents(tmp_path / "outputs" / "c-0001"))
    assert ["statistics of", "log of y"] in read.facts
    assert "Leave-one-out error of the optimum, in original units" in read.shown


def test_a_loss_in_original_units_needs_no_word(linreg, tmp_path, skewed):
    trained(linreg, tmp_path, "preprocess: {standardize: true}\n")
    shown = linreg("evaluate", "c").out
    assert "loss:" not in shown
    assert "statistics of" not in shown
    assert "centred" not in shown


def test_r2_without_an_intercept_says_which_it_is(linreg, tmp_path, skewed):
    """statsmodels and R have the uncentred one of the fit, scikit-learn the centred one of the predictions."""
    X, y = skewed
    metrics = trained(linreg, tmp_path, "model: {bias: false}\n")
    fit = sm.OLS(y, X).fit()
    assert (metrics["inference"]["r2_definition"], metrics["train"]["r2_definition"]) == ("uncentred", "centred")
    assert metrics["inference"]["r2"] == pytest.approx(fit.rsquared, rel=1e-9)
    assert metrics["train"]["r2"] == pytest.approx(r2_score(y, fit.fittedvalues), rel=1e-6)
    shown = linreg("evaluate", "c").out
    assert f"R2 (uncentred) {fit.rsquared:.6g}" in shown
    assert "r2: centred (relative to the mean of the split)" in shown
    assert "r2: centred (relative to the mean of the split)" in linreg("runs", "show", "c").out
    read = page(RunContents(tmp_path / "outputs" / "c-0001"))
    assert "R² (uncentred)" in dict(read.facts)
    assert "R² is centred: relative to the mean of the split." in read.shown


def test_indicators_of_every_level_are_an_intercept(linreg, tmp_path):
    """So R2 of the fit is centred, as statsmodels finds."""
    rows = [("u", 1.0), ("u", 2.0), ("v", 4.0), ("v", 5.5), ("w", 9.0), ("w", 7.0)]
    (tmp_path / "t.csv").write_text("k,y\n" + "".join(f"{k},{y}\n" for k, y in rows))
    metrics = trained(linreg, tmp_path, "preprocess: {categorical: one_hot}\nmodel: {bias: false}\n")
    levels = np.array([[k == level for level in "uvw"] for k, _ in rows], dtype=float)
    fit = sm.OLS([y for _, y in rows], levels).fit()
    assert metrics["inference"]["r2_definition"] == "centred"
    assert metrics["inference"]["r2"] == pytest.approx(fit.rsquared, rel=1e-9)
    assert "R2 (centred)" in linreg("evaluate", "c").out


@pytest.mark.parametrize(
    ("rows", "bias", "saturated"),
    [
        ([[1, 2], [2, 5]], True, True),  # n = p
        ([[1, 2]], True, True),  # n < p
        ([[1, 2]], False, True),
        ([[1, 2], [2, 5], [3, 7]], True, False),
        ([[1, 2], [1, 5]], True, False),  # n = p, and the rows are not fitted
    ],
)
def test_a_saturated_fit_is_called_so(linreg, tmp_path, rows, bias, saturated):
    (tmp_path / "t.csv").write_text("x,y\n" + "".join(f"{x},{y}\n" for x, y in rows))
    metrics = trained(linreg, tmp_path, f"model: {{bias: {str(bias).lower()}}}\n")
    assert metrics["optimum"]["is_saturated"] is saturated
    assert ("refused" in metrics["inference"] and "saturated" in metrics["inference"]["refused"]) is saturated
    shown = linreg("evaluate", "c").out
    assert ("the fit is saturated" in " ".join(shown.split())) is saturated
    assert ("saturated" in linreg("train", "-c", "c.yaml").out) is saturated


def test_evaluate_prints_everything_that_the_run_has(linreg, tmp_path, skewed):
    text = "evaluate: {cross_validation: {folds: 4}}\nprobe: [[0, 0]]\n"
    metrics = trained(linreg, tmp_path, text)
    evaluated = linreg("evaluate", "c", "--json").json
    assert metrics.keys() <= evaluated.keys()
    assert (evaluated["probe"], evaluated["cross_validation"]) == (metrics["probe"], metrics["cross_validation"])
    assert (
        linreg(
            "evaluate", "c", "--fail-if", "cross_validation.rmse.mean > 1e9", "--fail-if", "probe.0.after > 1e9"
        ).code
        == 0
    )
    other = linreg("evaluate", "c", "--data", "t.csv", "--json").json
    assert other["data"]["rmse"] == pytest.approx(metrics["train"]["rmse"], rel=1e-12)
    assert (other["train"], other["train_reason"]) == (None, "the metrics are of t.csv, as data")
    for key in ("parameters", "optimum", "inference", "cross_validation", "probe"):
        assert other[key] == json.loads(json.dumps(metrics[key]))
    result = linreg("evaluate", "c", "--data", "t.csv", "--fail-if", "train.r2 < 0")
    assert result.code == 5
    assert "train is undefined, the metrics are of t.csv, as data" in result.err


def test_a_gate_on_refused_inference_says_why(linreg, tmp_path, skewed):
    (tmp_path / "c.yaml").write_text("data: {path: t.csv, target: y}\nplots: false\ngates: [inference.aic < 1e9]\n")
    result = linreg("train", "-c", "c.yaml")
    assert result.code == 5
    assert "inference.aic is not available, since inference was refused: the model is not at the optimum" in result.err
