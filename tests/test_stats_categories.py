"""Products with categories in `linreg stats`: a run from the statistics of any parts is that on the rows."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from summarised import N_ROWS, assert_as_on_rows, away, differences, parts, placed

from linreg_cli.statistics.kept import read_statistics


def frame() -> pd.DataFrame:
    """Some combinations of levels do not occur, some in the last part alone; cells of every column are missing."""
    rng = np.random.default_rng(21)
    a, g = rng.uniform(0.1, 3, N_ROWS), rng.standard_normal(N_ROWS)
    city = np.array(["u", "v", "w"])[np.arange(N_ROWS) % 3]
    size = np.where(city == "w", "l", rng.choice(["m", "s"], N_ROWS))
    city[55:], size[55:] = "x", "l"
    y = a + (city == "v") * a - (size == "s") + np.nan_to_num(g) + rng.standard_normal(N_ROWS) / 4
    found = pd.DataFrame({"a": a, "g": g, "city": city, "size": size, "y": y, "w": rng.uniform(1, 3, N_ROWS)})
    found["ok"] = np.where(rng.random(N_ROWS) < 0.5, "True", "false")
    found.loc[::9, "g"] = np.nan
    found.loc[4::13, "city"] = None
    return found


@pytest.fixture
def place(linreg, tmp_path: Path) -> Path:
    return placed(tmp_path, frame(), ignore="[w]")


VARIANTS = {
    "a slope for each level": ("--set", "data.features=[a, city, 'a:city']"),
    "combinations of levels": ("--set", "data.features=[city, size, 'city:size', a]"),
    "without what they are made of": ("--set", "data.features=['city:size', 'g:size', 'a^2:city:size']"),
    "levels of truth, weights": (
        "--set", "data.features=[ok, 'ok:a', 'ok:city:g']", "--set", "data.weight=w", "--set", "data.ignore=[]",
    ),
    "a mean, original units, no bias": (
        "--set", "data.features=[g, 'g:size', size]", "--set", "preprocess.missing=mean",
        "--set", "preprocess.standardize=false", "--set", "model.bias=false", "--set", "optimizer.lr=0.05",
    ),
    "all levels": (
        "--set", "data.features=['city:size', a]", "--set", "preprocess.drop_first=false",
        "--set", "preprocess.standardize=false",
    ),
    "rows dropped, a hash": (
        "--set", "data.features=[g, 'g:city', city]", "--set", "preprocess.missing=drop",
        "--set", "data.split={train: 0.8, test: 0.2, by: hash}", "--set", "preprocess.unknown=ignore",
    ),
}  # fmt: skip


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_run_from_statistics_is_that_on_the_rows(linreg, place, variant):
    options = VARIANTS[variant]
    one, other = assert_as_on_rows(linreg, *options)
    linreg("stats", "-c", "c.yaml", *options, "-o", "whole.safetensors")
    assert away(read_statistics("m.safetensors"), read_statistics("whole.safetensors")) < 1e-12
    if "weights" in variant:
        one.pop("columns"), other.pop("columns")  # the figures of such columns are weighted
    assert differences(one, other, 1e-9) == []


def test_the_exact_fit_is_that_of_statsmodels(linreg, place):
    options = ("--set", "data.features=[a, size, 'a:size']")
    linreg("stats", "merge", *parts(linreg, 4, *options), "-o", "m.safetensors")
    done = linreg("train", "-c", "c.yaml", *options, "--stats", "m.safetensors", "--json")
    found = done.json["metrics"]["optimum"]["inference"]["coefficients"]
    theirs = smf.ols("y ~ a * size", frame()).fit()
    for mine, name in {"a": "a", "size=m": "size[T.m]", "a:size=s": "a:size[T.s]"}.items():
        assert found[mine]["estimate"] == pytest.approx(theirs.params[name], rel=1e-10)
        assert found[mine]["std_err"] == pytest.approx(theirs.bse[name], rel=1e-10)


def test_levels_of_every_kind_and_cells_of_a_category_without_one(linreg, place):
    made = frame().assign(code=np.arange(N_ROWS) % 2 + 7, flag=np.arange(N_ROWS) % 5 > 2, none=None)
    made.to_parquet("t.parquet", index=False, row_group_size=7)
    options = (
        "--set", "data.path=t.parquet", "--set", "preprocess.columns={code: {categorical: one_hot}}",
        "--set", "data.features=['flag:code', 'a:flag', 'code:city', city]",
    )  # fmt: skip
    linreg("stats", "merge", *parts(linreg, 5, *options), "-o", "m.safetensors")
    made_of = [
        linreg("train", "-c", "c.yaml", *options, *more, "--json") for more in (("--stats", "m.safetensors"), ())
    ]
    assert differences(*(each.json["metrics"] for each in made_of), 1e-9) == []
    options = (*options, "--set", "data.features=[a, 'a:none']")
    linreg("stats", "-c", "c.yaml", *options, "-o", "m.safetensors")
    made_of = [linreg("train", "-c", "c.yaml", *options, *more) for more in (("--stats", "m.safetensors"), ())]
    assert [each.code for each in made_of] == [3, 3]


def test_more_combinations_than_allowed_are_refused_while_they_are_read_and_as_on_the_rows(linreg, place):
    options = ("--set", "data.features=['city:size', a]", "--set", "preprocess.max_levels=4")
    read = linreg("stats", "-c", "c.yaml", *options, "-o", "m.safetensors")
    of_rows = linreg("train", "-c", "c.yaml", *options)
    assert (read.code, of_rows.code) == (0, 3)
    of_statistics = linreg("train", "-c", "c.yaml", *options, "--stats", "m.safetensors")
    assert (of_statistics.code, of_statistics.err) == (3, of_rows.err)
    wide = frame().assign(p=np.arange(N_ROWS) % 8, q=np.arange(N_ROWS) // 8)
    wide[["p", "q"]] = wide[["p", "q"]].map("c{}".format)
    wide.to_csv("t.csv", index=False)
    options = ("--set", "data.features=['p:q', a]", "--set", "preprocess.max_levels=20")
    read = linreg("stats", "-c", "c.yaml", *options, "-o", "m2.safetensors")
    assert (read.code, "'p:q' has at least 21 products of levels: preprocess.max_levels is 20" in read.err) == (3, True)
    assert "set preprocess.max_levels: 21 or more" in read.err
    assert linreg("train", "-c", "c.yaml", *options).code == 3


def test_categoricals_of_pandas_are_categories_as_on_the_rows(linreg, place):
    made = frame().assign(rooms=pd.Categorical(np.arange(N_ROWS) % 4 + 2), fold="train")
    made = made.astype({"city": "category", "ok": "category", "fold": "category"})
    made.to_parquet("t.parquet", index=False, row_group_size=7)  # each group of rows may have another dictionary
    options = (
        "--set", "data.path=t.parquet", "--set", "data.features=[a, city, rooms, 'ok:rooms']",
        "--set", "data.split={column: fold}",
    )  # fmt: skip
    linreg("stats", "merge", *parts(linreg, 3, *options), "-o", "m.safetensors")
    found, expected = (
        linreg("train", "-c", "c.yaml", *options, *more, "--json") for more in (("--stats", "m.safetensors"), ())
    )
    assert differences(found.json["metrics"], expected.json["metrics"], 1e-9) == []
    assert "rooms=5" in found.json["metrics"]["parameters"]["weights"]
    for setting in ("preprocess.categorical=error", "data.target=rooms"):
        refused = ("--set", setting, "--set", "data.features=[a, rooms]" if "error" in setting else "data.features=[a]")
        read = linreg("stats", "-c", "c.yaml", *options, *refused, "-o", "no.safetensors")
        of_rows = linreg("train", "-c", "c.yaml", *options, *refused)
        assert (read.code, read.err) == (3, of_rows.err)
