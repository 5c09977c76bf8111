"""Intervals about predictions are those of statsmodels' get_prediction, in original units."""

import csv
import json

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from safetensors.numpy import load_file
from statsmodels.stats.outliers_influence import OLSInfluence

EXACT = [
    *("--json", "--set", "plots=false", "--set", "train.batch_size=full", "--set", "train.epochs=2000"),
    *("--set", "optimizer.lr=auto", "--set", "optimizer.momentum=auto", "--set", "train.stop_gap=1e-20"),
]


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(3)
    n = 60
    frame = pd.DataFrame({"year": 2000 + rng.integers(0, 24, n), "size": rng.lognormal(5, 0.4, n)})
    frame["kind"] = rng.choice(["flat", "house", "villa"], n)
    signal = 0.03 * (frame["year"] - 2000) + 0.004 * frame["size"] + 0.3 * (frame["kind"] == "villa")
    frame["price"] = np.exp(3 + signal + 0.1 * rng.normal(size=n) * frame["size"] / 150)
    frame["days"] = 40 - 5 * signal + rng.normal(size=n)
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.head(7).drop(columns=["price", "days"]).to_csv(tmp_path / "new.csv", index=False)
    return frame


def design(frame, features, bias=True):
    X = frame[[name for name in ("year", "size") if name in features]].astype(float)
    if "kind" in features:
        X = X.assign(house=(frame["kind"] == "house") * 1.0, villa=(frame["kind"] == "villa") * 1.0)
    return X.assign(bias=1.0) if bias else X


def config(target="price", features="[year, size, kind]", more="standardize: true"):
    data = f"data: {{path: t.csv, target: {target}, features: {features}}}\n"
    return f"{data}preprocess: {{categorical: one_hot, {more}}}\n"


def predicted(linreg, *options):
    result = linreg("predict", "latest", "--data", "new.csv", "--json", *options)
    assert result.code == 0, result.err
    return result.json["predictions"]


def expected(theirs, X, kind, level, back=lambda values: values):
    frame = theirs.get_prediction(X).summary_frame(alpha=1 - level)
    name = {"prediction": "obs_ci", "confidence": "mean_ci"}[kind]
    return back(frame["mean"]), back(frame[f"{name}_lower"]), back(frame[f"{name}_upper"])


def agree(found, name, values, rel=1e-10):
    """Widths to 1e-10; ends as well as the trained prediction agrees with that of the exact fit."""
    _, low, high = (np.asarray(each) for each in values)
    ours = np.array(found[f"{name}_high"]) - np.array(found[f"{name}_low"])
    np.testing.assert_allclose(ours, high - low, rtol=rel)
    np.testing.assert_allclose(found[f"{name}_low"], low, rtol=1e-5)
    assert (np.array(found[f"{name}_low"]) < found[name]).all()
    assert (np.array(found[name]) < found[f"{name}_high"]).all()


@pytest.mark.parametrize("kind", ["prediction", "confidence"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_widths_are_those_of_statsmodels(linreg, config_file, table, kind, dtype):
    result = linreg("train", "-c", config_file(config()), *EXACT, "--set", f"train.dtype={dtype}")
    assert "refused" not in result.json["metrics"]["inference"], result.json["metrics"]["inference"]
    X = design(table, "year size kind")
    theirs = sm.OLS(table["price"], X).fit()
    for level in (0.95, 0.5, 0.999):
        found = predicted(linreg, "--interval", kind, "--level", level)
        assert list(found) == ["prediction", "prediction_low", "prediction_high"]
        agree(found, "prediction", expected(theirs, X.head(7), kind, level))


def test_a_model_without_an_intercept_as_given(linreg, config_file, table):
    text = config(features="[year, size]", more="standardize: false") + "model: {bias: false}\n"
    result = linreg("train", "-c", config_file(text), *EXACT, "--set", "train.dtype=float64")
    assert "refused" not in result.json["metrics"]["inference"], result.json["metrics"]["inference"]
    X = design(table, "year size", bias=False)
    found = predicted(linreg, "--interval", "prediction")
    agree(found, "prediction", expected(sm.OLS(table["price"], X).fit(), X.head(7), "prediction", 0.95))


@pytest.mark.parametrize("estimate", ["median", "mean"])
@pytest.mark.parametrize("kind", ["prediction", "confidence"])
def test_ends_of_a_log_target_are_transformed_back(linreg, config_file, table, kind, estimate):
    text = config(more=f"standardize: true, target_transform: log, target_estimate: {estimate}")
    run = linreg("train", "-c", config_file(text), *EXACT, "--set", "train.dtype=float64").json
    X = design(table, "year size kind")
    theirs = sm.OLS(np.log(table["price"]), X).fit()
    found = predicted(linreg, "--interval", kind)
    # Duan's factor multiplies the mean and its interval; an observation is an observation.
    factor = np.mean(np.exp(theirs.resid)) if (kind, estimate) == ("confidence", "mean") else 1.0
    _, low, high = expected(theirs, X.head(7), kind, 0.95, np.exp)
    np.testing.assert_allclose(found["prediction_low"], low * factor, rtol=1e-8)
    np.testing.assert_allclose(found["prediction_high"], high * factor, rtol=1e-8)
    ratio = np.array(found["prediction_high"]) / np.array(found["prediction_low"])
    np.testing.assert_allclose(np.log(ratio), np.log(high / low), rtol=1e-10)
    assert run["status"] == "finished"


@pytest.mark.parametrize("kind", ["prediction", "confidence"])
def test_hc3_is_honoured_as_statsmodels_does(linreg, config_file, table, kind):
    text = config() + "evaluate: {covariance: HC3}\n"
    linreg("train", "-c", config_file(text), *EXACT, "--set", "train.dtype=float64")
    X = design(table, "year size kind")
    theirs = sm.OLS(table["price"], X).fit(cov_type="HC3", use_t=True)
    found = predicted(linreg, "--interval", kind)
    agree(found, "prediction", expected(theirs, X.head(7), kind, 0.95), rel=1e-9)
    classic = expected(sm.OLS(table["price"], X).fit(), X.head(7), kind, 0.95)
    assert not np.allclose(np.subtract(found["prediction_high"], found["prediction_low"]), classic[2] - classic[1])


def test_each_of_several_targets_has_its_own(linreg, config_file, table, tmp_path):
    text = config("[price, days]")
    linreg("train", "-c", config_file(text), *EXACT, "--set", "train.dtype=float64")
    table.head(7).assign(**{"prediction:days_low": "taken"}).to_csv(tmp_path / "new.csv", index=False)
    result = linreg("predict", "latest", "--data", "new.csv", "--interval", "confidence", "-o", "out.csv", "--json")
    names = [f"{name}{end}" for name in ("prediction:price", "prediction:days_2") for end in ("", "_low", "_high")]
    assert result.json["columns"] == names
    assert (result.json["interval"], result.json["level"]) == ("confidence", 0.95)
    with open(tmp_path / "out.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    X = design(table, "year size kind")
    for target, name in (("price", "prediction:price"), ("days", "prediction:days_2")):
        found = {each: [float(row[each]) for row in rows] for each in names if each.startswith(name)}
        agree(found, name, expected(sm.OLS(table[target], X).fit(), X.head(7), "confidence", 0.95))


def test_a_row_without_a_prediction_has_no_ends(linreg, config_file, table, tmp_path):
    text = config(more="standardize: true, missing: drop")
    linreg("train", "-c", config_file(text), *EXACT, "--set", "train.dtype=float64")
    (tmp_path / "new.csv").write_text("year,size,kind\n2010,150,flat\n,150,flat\n")
    found = predicted(linreg, "--interval", "prediction")
    assert [found[name][1] for name in found] == [None, None, None]
    assert None not in [found[name][0] for name in found]


def test_a_model_far_from_the_exact_fit_has_no_intervals_and_says_what_helps(linreg, config_file, table):
    path = config_file(config())
    linreg("train", "-c", path, "--set", "plots=false", "--set", "train.epochs=2")
    result = linreg("predict", "latest", "--data", "new.csv", "--interval", "prediction")
    assert (result.code, result.out) == (3, "")
    assert "inference was refused: the model is not at the optimum" in result.err
    assert linreg("predict", "latest", "--data", "new.csv").code == 0


def test_a_run_without_the_file_or_with_another_one_is_told_what_to_do(linreg, config_file, table, tmp_path):
    run = linreg("train", "-c", config_file(config()), *EXACT, "--set", "train.dtype=float64").json
    path = tmp_path / run["path"] / "inference.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[:-8] + b"\0" * 8)
    changed = linreg("predict", "latest", "--data", "new.csv", "--interval", "prediction")
    assert (changed.code, "SHA-256" in changed.err) == (6, True)
    path.unlink()
    missing = linreg("predict", "latest", "--data", "new.csv", "--interval", "prediction")
    assert missing.code == 6
    assert "train it again: linreg train -c " in missing.err
    assert linreg("predict", "latest", "--data", "new.csv").code == 0


def test_the_file_is_small_and_a_resumed_run_writes_the_same(linreg, config_file, table, tmp_path):
    text = config(more="standardize: true")
    run = linreg("train", "-c", config_file(text), *EXACT, "--set", "train.dtype=float64").json
    path = tmp_path / run["path"] / "inference.safetensors"
    tensors = load_file(path)
    # Four columns and the intercept: 5 x 5, their centres, the residual deviation, the degrees of freedom.
    assert sum(values.nbytes for values in tensors.values()) == 8 * (25 + 4 + 1 + 1)
    record = json.loads((path.parent / "run.json").read_text())
    assert set(record["digests"]) == {"model.safetensors", "preprocess.json", "inference.safetensors"}
    X = design(table, "year size kind")
    hat = OLSInfluence(sm.OLS(table["price"], X).fit()).hat_matrix_diag
    z = np.column_stack([X.drop(columns="bias") - tensors["center"], np.ones(len(X))])
    np.testing.assert_allclose(np.sum(np.linalg.solve(tensors["factor"].T, z.T) ** 2, axis=0), hat, rtol=1e-9)
    before = path.read_bytes()
    resumed = linreg("train", "--resume", run["run"], "--set", "train.epochs=2001", "--json")
    assert resumed.code == 0
    assert path.read_bytes() == before


@pytest.mark.parametrize("level", ["0", "1", "-0.5", "95", "nan", "1.5"])
def test_a_level_is_a_probability(linreg, config_file, table, level):
    linreg("train", "-c", config_file(config()), "--set", "plots=false")
    result = linreg("predict", "latest", "--data", "new.csv", "--interval", "prediction", f"--level={level}")
    assert result.code == 2
    assert "--level: the level must be above 0 and below 1" in result.err
    assert ("did you mean 0.95?" in result.err) == (level == "95")
    alone = linreg("predict", "latest", "--data", "new.csv", "--level", "0.9")
    assert (alone.code, "add --interval prediction or confidence" in alone.err) == (2, True)
