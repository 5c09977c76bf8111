"""What is odd about a fit is a finding, and what is not odd is none."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from statsmodels.stats.outliers_influence import OLSInfluence
from statsmodels.stats.stattools import durbin_watson

from linreg_cli.config import load_config

TEXT = "data: {path: t.csv, target: y}\npreprocess: {categorical: one_hot, standardize: true}\nplots: false\n"
KINDS = {"heteroskedastic", "autocorrelation", "multicollinear", "influential"}


@pytest.fixture
def said(linreg, config_file, tmp_path):
    """Train on a frame; the messages of the findings about the fit, by kind."""

    def train(frame, *settings):
        frame.to_csv(tmp_path / "t.csv", index=False)
        options = [part for each in settings for part in ("--set", each)]
        result = linreg("train", "-c", config_file(TEXT), "--json", *options)
        assert result.code == 0, result.err
        found = [each for each in result.json["warnings"] if each["kind"] in KINDS]
        # In the order of the terminal, all of them are there too.
        assert all(each["message"] in result.err for each in found)
        return {each["kind"]: each["message"] for each in found}

    return train


def table(rng, n=300):
    return pd.DataFrame({"a": rng.normal(size=n), "b": rng.normal(size=n), "y": rng.normal(size=n)})


def test_a_table_like_any_other_has_no_findings(said):
    frame = table(np.random.default_rng(0))
    assert said(frame) == {}
    assert said(frame.head(10)) == {}
    assert said(frame.assign(k=np.random.default_rng(1).choice(list("aaaaaaabbbc"), 300))) == {}


def test_unequal_variances_name_the_column_and_the_setting_that_helps(said, linreg):
    rng = np.random.default_rng(1)
    frame = table(rng)
    frame["y"] = frame["a"] + rng.normal(size=300) * np.exp(frame["a"])
    found = said(frame)
    theirs = sm.OLS(frame["y"], sm.add_constant(frame[["a", "b"]])).fit()
    ratio = theirs.get_robustcov_results("HC3").bse[1] / theirs.bse["a"]
    assert ratio > 1.5
    assert f"that of a is {theirs.bse['a']:.3g}" in found["heteroskedastic"]
    assert f"({ratio:.3g} times)" in found["heteroskedastic"]
    remedy = found["heteroskedastic"].rsplit("Set ", 1)[1]
    assert load_config([], ["data.source=synthetic", remedy.replace(": ", "=")]).config.evaluate.covariance == "HC3"
    assert "heteroskedastic" not in said(frame, remedy.replace(": ", "="))  # nothing is left to do


@pytest.mark.parametrize(("sign", "word"), [(0.7, "similar"), (-0.7, "opposite")])
def test_neighbours_that_are_alike_are_reported_in_the_order_of_the_table(said, sign, word):
    rng = np.random.default_rng(2)
    frame = table(rng)
    errors = [0.0]
    for _ in range(299):
        errors.append(sign * errors[-1] + rng.normal())
    frame["y"] = frame["a"] + errors
    value = durbin_watson(sm.OLS(frame["y"], sm.add_constant(frame[["a", "b"]])).fit().resid)
    found = said(frame)["autocorrelation"]
    assert f"neighbouring residuals are {word}: Durbin-Watson is {value:.3g}" in found
    assert "in the order of the rows" in found
    # A split at random leaves the rows of the train split in the order of the table.
    assert "autocorrelation" in said(frame, "data.split={train: 0.9, test: 0.1}")
    assert "autocorrelation" not in said(frame.sample(frac=1, random_state=0))


def test_a_table_sorted_by_its_target_is_not_called_autocorrelated(said):
    frame = table(np.random.default_rng(3)).sort_values("y")
    assert "autocorrelation" not in said(frame)
    assert "autocorrelation" not in said(frame[::-1])


def test_multicollinear_columns_are_named_with_their_figures_and_can_be_left_out(said):
    rng = np.random.default_rng(4)
    frame = table(rng)
    frame.insert(0, "twin of a", frame["a"] + 0.1 * rng.normal(size=300))
    found = said(frame)["multicollinear"]
    assert "twin of a (" in found
    assert ", because other columns say nearly the same" in found
    assert found.endswith(("data.ignore: ['twin of a']", "data.ignore: [a]"))
    assert "multicollinear" not in said(frame, found.rsplit("leave one out: ", 1)[1].replace(": ", "=", 1))
    assert "multicollinear" not in said(frame, "model.bias=false", "optimizer.lr=auto")


def test_indicators_beside_a_rare_reference_level_are_not_called_multicollinear(said):
    rng = np.random.default_rng(5)
    kinds = np.array(["a", *rng.choice(list("bc"), 297), "a", "a"])
    frame = table(rng).assign(kind=kinds)
    X = sm.add_constant(pd.get_dummies(frame["kind"], drop_first=True, dtype=float))
    share = X.corr().loc["b", "c"] ** 2
    assert 1 / (1 - share) > 10
    assert "multicollinear" not in said(frame)


def test_a_column_and_its_square_are_not_called_multicollinear(said):
    frame = table(np.random.default_rng(9))
    frame["a"] = 20 + frame["a"]
    assert "multicollinear" not in said(frame, "data.features=[a, a^2, b]")


def test_influential_rows_are_numbered_as_in_the_table(said):
    rng = np.random.default_rng(6)
    frame = table(rng)
    frame.loc[[41, 137], ["a", "y"]] = [[30.0, -60.0], [40.0, 20.0]]
    cooks = OLSInfluence(sm.OLS(frame["y"], sm.add_constant(frame[["a", "b"]])).fit()).cooks_distance[0]
    assert set(np.flatnonzero(cooks > 1)) == {41, 137}
    found = said(frame)["influential"]
    for row in (41, 137):
        assert f"row {row + 1} ({cooks[row]:.3g})" in found
    # Without the rows before it, of another split, a row keeps its number.
    frame["part"] = ["test"] * 20 + ["train"] * 280
    assert "row 42 (" in said(frame, "data.split={column: part}")["influential"]


def test_anscombes_third_set_has_its_outlier(said):
    """F. J. Anscombe, Graphs in statistical analysis, 1973."""
    x = [10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5]
    y = [7.46, 6.77, 12.74, 7.11, 7.81, 8.84, 6.08, 5.39, 8.15, 6.42, 5.73]
    assert said(pd.DataFrame({"x": x, "y": y})).keys() == {"influential"}


def test_findings_of_one_of_several_targets_name_it(said, linreg, config_file, tmp_path):
    rng = np.random.default_rng(7)
    frame = table(rng)
    frame["z"] = frame["a"] + rng.normal(size=300) * frame["a"] ** 2
    frame["y"] = np.cumsum(rng.normal(size=300))
    found = said(frame, "data.target=[y, z]")
    assert "the residuals of z have unequal variances" in found["heteroskedastic"]
    assert "neighbouring residuals of y are similar" in found["autocorrelation"]


def test_gates_count_findings(linreg, config_file, tmp_path):
    rng = np.random.default_rng(8)
    frame = table(rng)
    frame["y"] = np.cumsum(rng.normal(size=300))
    frame.to_csv(tmp_path / "t.csv", index=False)
    result = linreg("train", "-c", config_file(TEXT), "--fail-if", "warnings.autocorrelation > 0")
    assert result.code == 5
    assert linreg("train", "-c", config_file(TEXT), "--fail-if", "warnings.heteroskedastic > 0").code == 0
