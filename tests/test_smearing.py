"""`preprocess.target_estimate: mean` is Duan's smearing estimate, wherever predictions are made."""

import csv
import json

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold

FORWARD, INVERSE = {"log": np.log, "log1p": np.log1p}, {"log": np.exp, "log1p": np.expm1}
TEXT = """
data: {{path: t.csv, target: {target}{split}}}
preprocess: {{target_transform: {transform}, target_estimate: {estimate}, standardize: true, standardize_target: true}}
optimizer: {{lr: auto, momentum: auto}}
train: {{epochs: 300, batch_size: full, dtype: float64}}
evaluate: {{cross_validation: {{folds: 4}}}}
probe: [[0.5, -1]]
plots: false
"""


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(5)
    X = rng.normal(size=(60, 2))
    Y = np.exp(0.5 + X @ np.array([[0.5, 0.2], [-0.4, 0.6]]) + 0.8 * rng.standard_t(8, size=(60, 2)))
    rows = np.column_stack([X, Y])
    np.savetxt(tmp_path / "t.csv", rows, delimiter=",", header="a,b,y,z", comments="", fmt="%.17g")
    return X, Y


def write(tmp_path, transform="log", estimate="mean", target="y, ignore: [z]", split=""):
    (tmp_path / "c.yaml").write_text(TEXT.format(transform=transform, estimate=estimate, target=target, split=split))


def smeared(X, y, X_new, transform):
    """The definition: the mean of the inverse over all residuals, for each prediction."""
    fit = LinearRegression().fit(X, FORWARD[transform](y))
    residuals = FORWARD[transform](y) - fit.predict(X)
    return INVERSE[transform](fit.predict(X_new)[:, None] + residuals).mean(axis=1)


@pytest.mark.parametrize("transform", ["log", "log1p"])
def test_predictions_are_the_mean_over_the_residuals(linreg, tmp_path, table, transform):
    X, y = table[0], table[1][:, 0]
    write(tmp_path, transform)
    result = linreg("train", "-c", "c.yaml", "--json")
    assert result.code == 0, result.err
    metrics, expected = result.json["metrics"], smeared(X, y, X, transform)
    with open(tmp_path / "outputs" / "c-0001" / "predictions.csv") as file:
        written = [float(row["prediction"]) for row in csv.DictReader(file)]
    assert written == pytest.approx(expected.tolist(), rel=1e-9)
    assert metrics["train"]["rmse"] == pytest.approx(np.mean((y - expected) ** 2) ** 0.5, rel=1e-9)
    assert metrics["train"]["r2"] == pytest.approx(r2_score(y, expected), rel=1e-9)
    assert metrics["probe"][0]["after"] == pytest.approx(smeared(X, y, np.array([[0.5, -1]]), transform), rel=1e-9)
    predicted = linreg("predict", "c", "--data", "t.csv", "--json").json["predictions"]["prediction"]
    assert predicted == pytest.approx(expected.tolist(), rel=1e-9)
    evaluated = linreg("evaluate", "c", "--json").json
    assert evaluated["train"] == metrics["train"]
    other = linreg("evaluate", "c", "--data", "t.csv", "--json").json["data"]
    assert other["rmse"] == pytest.approx(metrics["train"]["rmse"], rel=1e-12)


@pytest.mark.parametrize("transform", ["log", "log1p"])
def test_held_out_rows_have_the_factor_of_the_others(linreg, tmp_path, table, transform):
    X, y = table[0], table[1][:, 0]
    write(tmp_path, transform, split=", split: {shuffle: false}")
    metrics = linreg("train", "-c", "c.yaml", "--json").json["metrics"]
    everyone = np.arange(len(y))
    alone = [smeared(X[everyone != i], y[everyone != i], X[[i]], transform)[0] for i in everyone]
    found = metrics["optimum"]["leave_one_out"]
    assert found["mse"] == pytest.approx(np.mean((y - alone) ** 2), rel=1e-9)
    assert found["r2"] == pytest.approx(r2_score(y, alone), rel=1e-9)
    errors = []
    for rest, held_out in KFold(4).split(X):
        errors.append(np.mean((y[held_out] - smeared(X[rest], y[rest], X[held_out], transform)) ** 2) ** 0.5)
    assert metrics["cross_validation"]["rmse"]["values"] == pytest.approx(errors, rel=1e-8)
    inspected = linreg("inspect", "-c", "c.yaml", "--json").json["optimum"]
    assert inspected["k_fold"]["mse"] == pytest.approx(np.mean(np.square(errors)), rel=1e-8)
    assert inspected["rmse"] == pytest.approx(metrics["train"]["rmse"], rel=1e-8)


def test_the_mean_is_estimated_better_than_by_the_median(linreg, tmp_path, table):
    y = table[1][:, 0]
    for estimate, near in (("mean", True), ("median", False)):
        write(tmp_path, estimate=estimate)
        assert linreg("train", "-c", "c.yaml", "--name", estimate).code == 0
        predicted = linreg("predict", estimate, "--data", "t.csv", "--json").json["predictions"]["prediction"]
        assert bool(abs(np.mean(predicted) / np.mean(y) - 1) < 0.1) is near
        shown = linreg("evaluate", estimate).out
        assert f"predictions: estimate the {estimate} of y" in shown


def test_each_target_has_its_factor_and_the_run_keeps_it(linreg, tmp_path, table):
    X, Y = table
    write(tmp_path, target="[y, z]")
    assert linreg("train", "-c", "c.yaml").code == 0
    stored = json.loads((tmp_path / "outputs" / "c-0001" / "preprocess.json").read_text())
    residuals = np.log(Y) - LinearRegression().fit(X, np.log(Y)).predict(X)
    assert (stored["format"], stored["target_estimate"]) == (3, "mean")
    assert stored["smearing"] == pytest.approx(np.exp(residuals).mean(axis=0).tolist(), rel=1e-9)
    stored["smearing"] = [-1.0, 1.0]
    (tmp_path / "outputs" / "c-0001" / "preprocess.json").write_text(json.dumps(stored))
    assert linreg("predict", "c", "--data", "t.csv").code == 6


def test_a_run_that_goes_on_gets_the_factor_of_its_last_state(linreg, tmp_path, table):
    write(tmp_path)
    assert linreg("train", "-c", "c.yaml", "--set", "train.epochs=3", "--set", "optimizer={lr: 0.1}").code == 0
    assert linreg("train", "--resume", "c", "--set", "train.epochs=6").code == 0
    assert (
        linreg("train", "-c", "c.yaml", "--set", "train.epochs=6", "--set", "optimizer={lr: 0.1}", "--name", "d").code
        == 0
    )
    for name in ("preprocess.json", "predictions.csv", "metrics.json"):
        assert (tmp_path / "outputs" / "c-0001" / name).read_bytes() == (
            tmp_path / "outputs" / "d-0001" / name
        ).read_bytes()


def test_without_a_transform_it_is_refused(linreg, tmp_path, table):
    write(tmp_path, transform="none")
    result = linreg("validate", "c.yaml")
    assert result.code == 2
    assert "preprocess.target_estimate: mean is for a transformed target" in result.err
    write(tmp_path, transform="none", estimate="median")
    assert linreg("validate", "c.yaml").code == 0
