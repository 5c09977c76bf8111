"""One command on tables that statsmodels ships: no edit, and the exact fit with its intervals.

The expected numbers are statsmodels' least squares on the rows of the train split, and the R2 of its predictions.
"""

import json

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
