"""Features made of columns, as a user meets them: trained, stored, predicted, evaluated, inspected and refused."""

import json
import re

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from conftest import REPOSITORY

N = 160
CONFIG = """
name: h
data:
  path: h.csv
  target: price
  features: ["*", log(area), "region:area", days(sold), month(sold)]
  ignore: [id]
  split: {train: 0.75, test: 0.25}
preprocess: {categorical: one_hot, standardize: true, unknown: ignore}
optimizer: {lr: auto, momentum: auto}
train: {batch_size: full, epochs: 400, dtype: float64}
probe: [[80, 3, N, 2001-05-17]]
gates: ['parameters.weights."log(area)" > 0', 'parameters.weights."month(sold)=4" <= 1000']
evaluate: {cross_validation: {folds: 3}}
plots: false
"""
FORMULA = "price ~ area + rooms + region + np.log(area) + region:area + days + C(month)"
NAMES = {
    "Intercept": "bias",
    "np.log(area)": "log(area)",
    "days": "days(sold)",
    "region[T.S]": "region=S",
    "region[T.S]:area": "region=S:area",
    **{f"C(month)[T.{month}]": f"month(sold)={month}" for month in (4, 5, 6)},
}


def houses():
    stream = np.random.default_rng(8)
    times = pd.Timestamp("2001-03-02T10:00") + pd.to_timedelta(stream.integers(0, 110 * 24, N), unit="h")
    table = pd.DataFrame(
        {
            "id": np.arange(N),
            "area": stream.lognormal(4.3, 0.4, N).round(2),
            "rooms": stream.integers(1, 7, N),
            "region": stream.choice(["N", "S"], N),
            "sold": times.strftime("%Y-%m-%d %H:%M"),
        }
    )
    slope = np.where(table.region == "S", 0.4, 0.1)
    table["price"] = 30 * np.log(table.area) + slope * table.area + times.month + stream.normal(size=N)
    return table


@pytest.fixture
def trained(linreg, tmp_path):
    houses().to_csv(tmp_path / "h.csv", index=False)
    (tmp_path / "h.yaml").write_text(CONFIG, encoding="utf-8")
    result = linreg("train", "-c", "h.yaml", "--json")
    assert result.code == 0, result.err
    return result.json


def test_the_coefficients_are_those_of_statsmodels(trained, linreg, tmp_path):
    """And prediction needs the columns alone, whatever form the dates have."""
    table = houses()
    times = pd.to_datetime(table.sold)
    table = table.assign(days=(times - pd.Timestamp(0)) / pd.Timedelta(days=1), month=times.dt.month)
    split = pd.read_csv(tmp_path / "outputs" / "h-0001" / "predictions.csv")
    train = table.iloc[split[split.split == "train"].row - 1]
    fit = smf.ols(FORMULA, train).fit()
    exact = trained["metrics"]["optimum"]["parameters"]
    found = {**exact["weights"], "bias": exact["bias"]}
    assert set(found) == {NAMES.get(name, name) for name in fit.params.index}
    for name, value in fit.params.items():
        assert found[NAMES.get(name, name)] == pytest.approx(value, rel=1e-6, abs=1e-6), name

    record = json.loads((tmp_path / "outputs" / "h-0001" / "run.json").read_text())
    roles = {each["column"]: (each["role"], each["kind"]) for each in record["data"]["columns"]}
    assert roles["log(area)"] == ("feature", "derived")
    assert roles["month(sold)"] == ("feature", "number category")

    other = table.drop(columns=["price", "days", "month"]).assign(sold=times.dt.tz_localize("UTC"), note="as it was")
    other.to_parquet(tmp_path / "new.parquet")
    result = linreg("predict", "h", "--data", "new.parquet", "-o", "out.csv")
    assert result.code == 0, result.err
    out = pd.read_csv(tmp_path / "out.csv")
    assert list(out.columns) == [*other.columns, "prediction"]
    assert set(out.note) == {"as it was"}
    np.testing.assert_allclose(out.prediction.iloc[split.row - 1], split.prediction, rtol=1e-12)
    np.testing.assert_allclose(trained["metrics"]["probe"][0]["after"][0], expected_probe(trained), rtol=1e-12)


def expected_probe(trained):
    parameters = trained["metrics"]["parameters"]
    w = parameters["weights"]
    days = (pd.Timestamp("2001-05-17") - pd.Timestamp(0)).days
    value = 80 * w["area"] + 3 * w["rooms"] + np.log(80) * w["log(area)"] + days * w["days(sold)"] + w["month(sold)=5"]
    return value + parameters["bias"]


def test_a_run_is_evaluated_again_and_on_another_table(trained, linreg, tmp_path):
    own = linreg("evaluate", "h", "--json").json
    assert own["test"]["rmse"] == pytest.approx(trained["metrics"]["test"]["rmse"], rel=1e-12)
    result = linreg("evaluate", "h", "--data", "h.csv", "--json")
    assert result.json["data"]["n"] == N
    assert (
        linreg("train", "-c", "outputs/h-0001/config.yaml", "--json").json["metrics"]["train"]
        == (trained["metrics"]["train"])
    )


def test_a_lacking_column_and_a_logarithm_of_zero_are_named_at_prediction(trained, linreg, tmp_path):
    houses().drop(columns="sold").to_csv(tmp_path / "a.csv", index=False)
    result = linreg("predict", "h", "--data", "a.csv")
    assert result.code == 3
    assert "the table lacks columns that the run needs: sold" in result.err
    table = houses().assign(sold="2001-12-24")  # a month that the train split does not have
    table.to_csv(tmp_path / "b.csv", index=False)
    result = linreg("predict", "h", "--data", "b.csv", "-o", "b_out.csv")
    assert result.code == 0
    assert "month(sold): 160 cells with levels that are not in the train split" in result.err
    table.assign(area=0.0).to_csv(tmp_path / "c.csv", index=False)
    result = linreg("predict", "h", "--data", "c.csv")
    assert result.code == 3
    assert "c.csv, row 1, column 'area': log(area) needs values above 0, found 0 (160 such cells" in result.err


def test_inspect_shows_what_the_features_are(trained, linreg):
    result = linreg("inspect", "-c", "h.yaml")
    assert result.code == 0, result.err
    assert {"log(area)", "region=S:area", "days(sold)"} <= set(result.out.split())


def test_entries_that_are_not_of_the_grammar_are_shown_in_their_lines(linreg, tmp_path):
    houses().to_csv(tmp_path / "h.csv", index=False)
    entries = '[area, log10(area),\n    "rooms^1"]'
    (tmp_path / "h.yaml").write_text(
        f"data:\n  path: h.csv\n  target: price\n  features: {entries}\n", encoding="utf-8"
    )
    result = linreg("train", "-c", "h.yaml")
    assert result.code == 2
    assert "h.yaml:4:20: data.features.1: 'log10(area)': there is no function 'log10', but log1p()" in result.err
    assert "h.yaml:5:5: data.features.2: 'rooms^1': a power is a whole number from 2 to 9" in result.err


def test_inline_rows_have_derived_features_too(linreg, tmp_path):
    data = "columns: [x, y], rows: [[1, 2], [2, 9], [3, 28], [4, 65]], features: [x^3]"
    (tmp_path / "i.yaml").write_text(
        f"data: {{source: inline, {data}}}\noptimizer: {{lr: auto, momentum: auto}}\nprobe: [5]\nplots: false\n"
        "preprocess: {standardize: true}\ntrain: {epochs: 300, batch_size: full, dtype: float64}\n",
        encoding="utf-8",
    )
    metrics = linreg("train", "-c", "i.yaml", "--json").json["metrics"]  # y = x^3 + 1
    assert metrics["parameters"]["weights"] == {"x^3": pytest.approx(1.0, abs=1e-6)}
    assert metrics["probe"][0]["after"][0] == pytest.approx(126.0, abs=1e-4)
    for features, words in {
        "[x^3, exp(x)]": "i.yaml:1:99: data.features.1: 'exp(x)': there is no function 'exp'",
        "[days(x)]": "data.features.0: 'days(x)': days() takes a column of dates, and inline rows are numbers",
    }.items():
        text = (tmp_path / "i.yaml").read_text(encoding="utf-8").replace("[x^3]", features)
        (tmp_path / "j.yaml").write_text(text, encoding="utf-8")
        result = linreg("validate", "j.yaml")
        assert (result.code, words.replace("i.yaml", "j.yaml") in result.err) == (2, True), result.err


@pytest.mark.parametrize(
    ("point", "words"),
    [
        ("[80, 3, N]", "3 values for 4 columns (area, rooms, region, sold)"),
        ("[80, 3, N, soon]", "expected a date for sold, found 'soon'"),
    ],
)
def test_a_probe_has_the_columns_in_order_of_first_use(linreg, tmp_path, point, words):
    houses().to_csv(tmp_path / "h.csv", index=False)
    (tmp_path / "h.yaml").write_text(CONFIG.replace("[80, 3, N, 2001-05-17]", point), encoding="utf-8")
    result = linreg("train", "-c", "h.yaml")
    assert (result.code, words in result.err) == (2, True), result.err


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        (
            "[*, days(sold)]",
            "h.yaml:4:15: not valid YAML: did not find expected alphabetic or numeric character; a text that",
        ),
        ("[area: rooms]", "h.yaml:4:13: data.features: expected a column name or a list of them"),
        ('"*"', 'h.yaml:4:13: data.features: expected a list of column names; write ["*"]'),
    ],
)
def test_what_yaml_reads_as_something_else_has_a_hint(linreg, tmp_path, entries, words):
    (tmp_path / "h.yaml").write_text(
        f"data:\n  path: h.csv\n  target: price\n  features: {entries}\n", encoding="utf-8"
    )
    result = linreg("validate", "h.yaml")
    assert (result.code, words in result.err) == (2, True), result.err


def test_the_report_names_what_a_probe_holds(trained, linreg, tmp_path):
    assert linreg("report", "h", "-o", "h.html").code == 0
    page = (tmp_path / "h.html").read_text(encoding="utf-8")
    assert "area, rooms, region, sold" in page


def test_the_example_of_the_page_about_tables_works(linreg, tmp_path):
    page = (REPOSITORY / "docs" / "tables.md").read_text(encoding="utf-8")
    example = re.search(r"## Features made of columns.*?```yaml\n(.*?)```", page, flags=re.DOTALL)[1]
    (tmp_path / "e.yaml").write_text(example.replace("houses.csv", "h.csv"), encoding="utf-8")
    houses().drop(columns="id").to_csv(tmp_path / "h.csv", index=False)
    result = linreg("train", "-c", "e.yaml", "--dry-run", "--json", "--set", "optimizer.lr=auto")
    assert result.code == 0, result.err
    months = [f"month(sold)={month}" for month in (4, 5, 6)]
    ours = ["rooms", "region=S", "log(area)", "rooms^2", "region=N:area", "region=S:area", "days(sold)", *months]
    assert result.json["features"] == ours
