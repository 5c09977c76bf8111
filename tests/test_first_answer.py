"""One command on tables that statsmodels ships: no edit, and the exact fit with its intervals.

The expected numbers are statsmodels' least squares on the rows of the train split, and the R2 of its predictions.
"""

import json
import shlex

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

#: Table -> target; all other columns are numbers.
TABLES = {
    "longley": "TOTEMP",
    "stackloss": "STACKLOSS",
    "ccard": "AVGEXP",
    "copper": "WORLDCONSUMPTION",
    "engel": "foodexp",
    "spector": "GPA",
    "star98": "NABOVE",
}


@pytest.mark.parametrize("name", TABLES)
def test_one_command_gives_the_exact_fit(linreg, tmp_path, name):
    frame, target = getattr(sm.datasets, name).load_pandas().data, TABLES[name]
    frame.to_csv(tmp_path / f"{name}.csv", index=False)
    result = linreg("train", f"{name}.csv", "--target", target, "--json", "--set", "plots=false")
    assert result.code == 0, result.err
    metrics, run = result.json["metrics"], tmp_path / result.json["path"]
    weights = metrics["parameters"]["weights"]
    predictions = pd.read_csv(run / "predictions.csv")
    rows = {split: part["row"].to_numpy() - 1 for split, part in predictions.groupby("split")}
    X, y = frame[list(weights)].astype(float), frame[target].astype(float)
    center, scale = X.iloc[rows["train"]].mean(), X.iloc[rows["train"]].std(ddof=0)
    Z = sm.add_constant((X - center) / scale, has_constant="add")
    fit = sm.OLS(y.iloc[rows["train"]], Z.iloc[rows["train"]]).fit()
    distance = np.array([weights[column] * scale[column] - fit.params[column] for column in weights])
    assert np.all(np.abs(distance / fit.bse[list(weights)].to_numpy()) < 0.01)
    assert metrics["train"]["r2"] == pytest.approx(fit.rsquared, abs=1e-6)
    if "test" in rows:
        true, guess = y.iloc[rows["test"]], fit.predict(Z.iloc[rows["test"]])
        r2 = 1 - np.sum((true - guess) ** 2) / np.sum((true - true.mean()) ** 2)
        assert metrics["test"]["r2"] == pytest.approx(r2, abs=1e-4)
    assert "refused" not in metrics["inference"]
    assert json.loads((run / "run.json").read_text())["decisions"]["settings"]["train.dtype"]["value"] == "float64"


def _near(columns):
    """A table whose columns are nearly dependent, for gradient descent: y is 2 a plus noise."""
    rng = np.random.default_rng(3)
    a = rng.normal(size=120)
    return pd.DataFrame({"a": a, **columns(a, rng), "y": 2 * a + rng.normal(size=120)})


#: Tables whose exact fit takes more epochs than a run of minutes has, or is out of the reach of float64.
ILL_CONDITIONED = {
    "twins": lambda: _near(lambda a, rng: {"b": a + 1e-6 * rng.normal(size=len(a)), "c": rng.normal(size=len(a))}),
    "two pairs": lambda: _near(
        lambda a, rng: {"b": a + 1e-7 * rng.normal(size=len(a)), "c": (c := rng.normal(size=len(a))), "d": c + 1e-9 * a}
    ),
    "a level": lambda: _near(
        lambda a, rng: {"c": np.where(a > 0, "u", "v"), "u": (a > 0) + 1e-8 * rng.normal(size=len(a))}
    ),
    "a polynomial": lambda: _near(lambda a, rng: {f"year{k}": (1900.0 + np.arange(len(a))) ** k for k in (1, 2, 3)}),
}


@pytest.mark.parametrize("name", ILL_CONDITIONED)
def test_where_no_settings_lead_to_the_exact_fit_the_reason_is_a_warning_and_its_advice_leads_there(
    linreg, tmp_path, name
):
    ILL_CONDITIONED[name]().to_csv(tmp_path / "t.csv", index=False)
    table, more = ("t.csv", "--target", "y"), ("--json", "--set", "plots=false")
    written = linreg("init", *table)
    assert "warning: training will not end at the exact fit: the columns are too multicollinear" in written.err
    first = linreg("train", *table, *more)
    assert first.code == 0, first.err
    [warning] = [each["message"] for each in first.json["warnings"] if each["kind"] == "not_converged"]
    assert f"warning: {warning}" in first.err
    record = json.loads((tmp_path / first.json["path"] / "run.json").read_text())
    assert warning in [each["message"] for each in record["warnings"]]
    advice = [shlex.split(each.partition("train with ")[2]) for each in (written.err, warning)]
    assert all("data.ignore" in " ".join(each) for each in advice)
    for config in (table, ("-c", "t.yaml"), ("-c", f"{first.json['path']}/config.yaml")):
        run = linreg("train", *config, *advice[config != ("-c", "t.yaml")], *more)
        assert run.code == 0, run.err
        weights, away = run.json["metrics"]["parameters"]["weights"], run.json["metrics"]["optimum"]["distance"]
        assert len(weights) < len(first.json["metrics"]["parameters"]["weights"])
        assert max(map(abs, [*away["weights"].values(), away["bias"]])) < 0.01
        assert not [each for each in run.json["warnings"] if each["kind"] == "not_converged"]


def test_where_the_exact_fit_has_no_standard_errors_the_reason_is_a_warning(linreg, tmp_path):
    (tmp_path / "t.csv").write_text("x,y\n" + "".join(f"{n},{3 * n + 1}\n" for n in range(30)))
    table = ("t.csv", "--target", "y")
    assert "warning: the exact fit has no standard errors: the fit is exact" in linreg("init", *table).err
    run = linreg("train", *table, "--json", "--set", "plots=false")
    [warning] = [each["message"] for each in run.json["warnings"] if each["kind"] == "no_exact_fit"]
    assert f"warning: {warning}" in run.err
