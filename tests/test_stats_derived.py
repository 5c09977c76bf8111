"""Features made of columns, and parts of dates, in `linreg stats`: as on the rows, or refused."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from summarised import N_ROWS, assert_as_on_rows, differences, of_both, parts, placed


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(9)
    a, b = rng.uniform(0.1, 3, N_ROWS), rng.standard_normal(N_ROWS)
    days = pd.Timestamp("2024-11-20") + pd.to_timedelta(np.arange(N_ROWS) * 3.7, "D")
    gaps = np.where(np.arange(N_ROWS) % 9 == 4, np.nan, b * 2)
    y = a**2 + np.log(a) * b + days.month.to_numpy() / 4 + np.nan_to_num(gaps) + rng.standard_normal(N_ROWS) / 4
    w = rng.uniform(1, 3, N_ROWS)
    h = np.where(np.arange(N_ROWS) % 7 == 4, np.nan, a + rng.uniform(0.1, 1, N_ROWS))
    return pd.DataFrame({"a": a, "b": b, "g": gaps, "h": h, "day": days.strftime("%Y-%m-%d %H:%M"), "w": w, "y": y})


@pytest.fixture
def place(linreg, tmp_path: Path) -> Path:
    return placed(tmp_path, frame(), ignore="[w]")


VARIANTS = {
    "powers and functions": ("--set", "data.features=[a, 'a^2', 'log(a)', 'sqrt(a):b', g]"),
    "of columns that are no features": ("--set", "data.features=['log1p(a)', 'a:b', 'b^3']"),
    "parts of a date": ("--set", "data.features=[a, 'month(day)', 'weekday(day)', 'days(day)']"),
    "weights, a fill": (
        "--set", "data.features=['a^2', b, 'a:b', g]", "--set", "data.weight=w", "--set", "data.ignore=[]",
        "--set", "preprocess.missing=mean",
    ),
    "products of fills": ("--set", "data.features=['a:g', 'g^2', 'h:g:a', h, 'log(h)']"),
    "products of medians, weights": (
        "--set", "data.features=['g^2', g, 'sqrt(h):b', 'log1p(h):g']", "--set", "data.weight=w",
        "--set", "data.ignore=[]", "--set", "preprocess.missing=median", "--set", "preprocess.standardize=false",
        "--set", "optimizer.lr=0.01",
    ),
    "rows dropped": (
        "--set", "data.features=[g, 'g^2', 'a:g']", "--set", "preprocess.missing=drop",
        "--set", "data.split={train: 0.8, test: 0.2, by: hash}",
    ),
}  # fmt: skip


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_run_from_statistics_is_that_on_the_rows(linreg, place, variant):
    one, other = assert_as_on_rows(linreg, *VARIANTS[variant])
    if variant == "products of medians, weights":  # the figures of such columns are weighted
        assert [each["mean"] for each in one.pop("columns")] != [each["mean"] for each in other.pop("columns")]
    assert differences(one, other, 1e-9) == []


def test_a_parquet_table_with_timestamps_gives_the_numbers_of_the_csv(linreg, place):
    options = VARIANTS["parts of a date"]
    linreg("stats", "merge", *parts(linreg, 2, *options), "-o", "csv.safetensors")
    frame().assign(day=pd.to_datetime(frame().day)).to_parquet("t.parquet", index=False, row_group_size=10)
    options = (*options, "--set", "data.path=t.parquet")
    linreg("stats", "merge", *parts(linreg, 3, *options), "-o", "parquet.safetensors")
    found = [
        json.loads(linreg("train", "-c", "c.yaml", *VARIANTS["parts of a date"], *more, "--json").out)["metrics"]
        for more in (("--stats", "csv.safetensors"), ("--set", "data.path=t.parquet", "--stats", "parquet.safetensors"))
    ]
    assert differences(*found, 1e-9) == []


@pytest.mark.parametrize(
    ("settings", "code", "said"),
    [
        (["data.features=['a:g']", "preprocess.missing=error"], 3, "row 5, column 'g'"),
        (["data.features=['log(b)']"], 3, "log(b) needs values above 0"),
        (["data.features=[a, 'log(city)']"], 3, "log(city) needs numbers, and city is a category"),
        (["data.features=['month(a)']"], 3, "column 'a'"),
    ],
)
def test_what_depends_on_all_rows_and_values_outside_a_domain_are_refused(linreg, place, settings, code, said):
    frame().assign(city=["u", "v"] * (N_ROWS // 2) + ["u"]).to_csv("t.csv", index=False)
    options = [option for each in settings for option in ("--set", each)]
    done = linreg("stats", "-c", "c.yaml", *options, "-o", "s.safetensors")
    assert (done.code, said in done.err) == (code, True), done.err


def test_a_value_outside_a_domain_in_a_later_part_has_its_row_of_the_table(linreg, place):
    bad = frame()
    bad.loc[47, "a"] = -2.0
    bad.to_csv("t.csv", index=False)
    options = ("--set", "data.features=['log(a)']")
    done = linreg("stats", "-c", "c.yaml", *options, "--part", "3/3", "-o", "s.safetensors")
    assert (done.code, "row 48, column 'a'" in done.err) == (3, True), done.err
    assert linreg("stats", "-c", "c.yaml", *options, "--part", "1/3", "-o", "s.safetensors").code == 0


def test_dates_of_which_some_parts_have_a_zone_are_refused(linreg, place):
    made = frame()
    made.loc[30:, "day"] += "Z"
    made.to_csv("t.csv", index=False)
    options = ("--set", "data.features=[a, 'hour(day)']", "--part", "2/2")
    done = linreg("stats", "-c", "c.yaml", *options, "-o", "s.safetensors")
    assert (done.code, "have a zone" in done.err) == (3, True), done.err


def test_a_model_from_statistics_predicts_as_that_on_the_rows(linreg, place):
    options = VARIANTS["weights, a fill"]
    of_both(linreg, *options)
    for run in (1, 2):
        assert linreg("predict", f"s-000{run}", "--data", "t.csv", "-o", f"{run}.csv").code == 0
    one, other = (pd.read_csv(f"{run}.csv").prediction for run in (1, 2))
    np.testing.assert_allclose(one, other, rtol=1e-9)
