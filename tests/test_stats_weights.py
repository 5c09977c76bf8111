"""Weights of rows in `linreg stats`: a run from them is that on the rows, and bad weights are errors with their row."""

import json
from fractions import Fraction
from pathlib import Path
from statistics import mean, pvariance

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from summarised import differences, of_both, parts, placed, table

from linreg_cli.statistics.facts import Plain

VARIANTS = {
    "gaps as a level": (),
    "the mean, no bias": ("--set", "preprocess.missing=mean", "--set", "model.bias=false", "--set", "data.ignore=[x]"),
    "medians, float32": ("--set", "preprocess.missing=median", "--set", "train.dtype=float32"),
    "a hash, rows dropped": (
        "--set", "data.split={train: 0.8, test: 0.2, by: hash}", "--set", "preprocess.missing=drop",
    ),
    "a feature too": ("--set", "data.features=[z, w, city]", "--set", "optimizer.weight_decay=0.01"),
}  # fmt: skip


def weighted() -> pd.DataFrame:
    """Weights over ten orders of magnitude, of mean 7; the missing cells of two columns differ in one light row."""
    frame = table()
    rng = np.random.default_rng(8)
    w = np.exp(rng.normal(0, 1, len(frame)))
    w[35] = 1e-10  # where z is missing
    frame["w"] = 7 * w / w.mean()
    frame["v"] = frame.z.where(frame.index != 3) * 2 + rng.standard_normal(len(frame))
    frame.loc[35, "v"] = 1.5
    return frame


@pytest.fixture
def place(linreg, tmp_path: Path) -> Path:
    return placed(tmp_path, weighted(), weight="w")


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_run_from_statistics_is_that_on_the_weighted_rows(linreg, place, variant):
    options = VARIANTS[variant]
    found, expected = of_both(linreg, *options)
    # As without weights, the rounding of the column about a billion is all that differs.
    rtol = 1e-5 if "train.dtype=float32" in options else 1e-9 if "x" not in found["parameters"]["weights"] else 2e-6
    assert differences(found, expected, rtol) == []
    one, other = (json.loads(Path(f"outputs/s-000{run}/preprocess.json").read_text())["weight"] for run in (1, 2))
    assert (one["column"], one["scale"]) == ("w", pytest.approx(other["scale"], rel=1e-14))


def test_the_exact_fit_is_that_of_weighted_least_squares(linreg, place):
    options = ("--set", "data.features=[z, city]", "--set", "preprocess.missing=drop", "--set", "train.epochs=3000")
    assert linreg("stats", "merge", *parts(linreg, 3, *options), "-o", "m.safetensors").code == 0
    done = linreg("train", "-c", "c.yaml", *options, "--stats", "m.safetensors", "--json")
    frame = weighted().dropna(subset=["z"])
    X = pd.get_dummies(frame[["z", "city"]], drop_first=True, prefix_sep="=", dtype=float)
    theirs = sm.WLS(frame.y, sm.add_constant(X), weights=frame.w).fit()
    found = json.loads(done.out)["metrics"]["optimum"]["inference"]
    for name in X.columns:
        mine = [found["coefficients"][name][key] for key in ("estimate", "std_err", "t", "p")]
        np.testing.assert_allclose(
            mine, [each[name] for each in (theirs.params, theirs.bse, theirs.tvalues, theirs.pvalues)], rtol=1e-10
        )
    mine = [found[key] for key in ("r2", "f", "aic", "bic")]
    np.testing.assert_allclose(mine, [theirs.rsquared, theirs.fvalue, theirs.aic, theirs.bic], rtol=1e-10)


def test_an_inspection_has_the_weights(linreg, place):
    options = ("--set", "data.features=[z, v, city]")
    linreg("stats", "merge", *parts(linreg, 4, *options), "-o", "m.safetensors")
    found = linreg("inspect", "-c", "c.yaml", *options, "--stats", "m.safetensors", "--json")
    expected = linreg("inspect", "-c", "c.yaml", *options, "--json")
    assert differences(json.loads(found.out), json.loads(expected.out), 1e-9) == []
    page = linreg("inspect", "-c", "c.yaml", *options, "--stats", "m.safetensors").out
    assert "weighted by w" in page


@pytest.mark.parametrize(
    ("cell", "said"),
    [("0", "the weight is 0"), ("-2", "the weight is -2"), ("", "the weight is missing"), ("u", "'u'")],
)
@pytest.mark.parametrize("part", ["1/1", "3/3"])
def test_a_bad_weight_is_an_error_with_its_row(linreg, place, cell, said, part):
    frame = weighted().astype({"w": str})
    frame.loc[50, "w"] = cell
    frame.to_csv("t.csv", index=False)
    done = linreg("stats", "-c", "c.yaml", "--part", part, "-o", "s.safetensors")
    assert (done.code, Path("s.safetensors").exists()) == (3, False)
    assert said in done.err
    assert "row 51, column 'w'" in done.err
    assert "a weight must be a finite number above 0" in done.err


def test_statistics_without_weights_are_not_those_of_a_config_with_them(linreg, place):
    linreg("stats", "-c", "c.yaml", "--set", "data.weight=null", "-o", "s.safetensors")
    done = linreg("train", "-c", "c.yaml", "--stats", "s.safetensors")
    assert (done.code, 'data.weight is "w", and null there' in done.err) == (2, True), done.err


def test_a_figure_that_the_rows_have_without_weights_is_that_or_null(linreg, place):
    options = ("--set", "data.features=[z, 'city:z', 'z:v']", "--set", "preprocess.drop_first=false")
    linreg("stats", "-c", "c.yaml", *options, "-o", "s.safetensors")
    found, expected = (
        json.loads(linreg("inspect", "-c", "c.yaml", *options, *more, "--json").out)["columns"]
        for more in (("--stats", "s.safetensors"), ())
    )
    null = [each["name"] for each in found if each["mean"] is None]
    products = ["city=c0:z", "city=c1:z", "city=c2:z", "z:v"]  # what fills the missing cells of z:v is known afterwards
    assert {*products} < {*null}
    for one, other in zip(found, expected, strict=True):
        assert one["name"] == other["name"]
        for key in ("mean", "std"):
            assert one[key] is None or one[key] == pytest.approx(other[key], rel=1e-12), one["name"]


@pytest.mark.parametrize("offset", [0.0, 1e9, -1e12])
def test_moments_without_weights_are_those_of_all_values_in_any_division(offset):
    """Expected: the standard library's variance of exact fractions; a mean of 1e12 has an error of 1e-4 by itself."""
    values = offset + np.random.default_rng(0).standard_normal(50)
    exact = [Fraction(each) for each in values.tolist()]
    for cuts in ([0], [1, 1, 7], range(50)):
        found = Plain()
        for part in np.split(values, list(cuts)):
            found = found.joined(Plain.of(part))
        assert (found.count, found.mean) == (50, pytest.approx(float(mean(exact)), rel=1e-15, abs=1e-15))
        assert found.squares / 50 == pytest.approx(float(pvariance(exact)), rel=1e-12)
