"""Columns that are missing in the same rows share one indicator, so that the exact fit is unique.

The expected figures are statsmodels' on a design that pandas makes, with one indicator of gaps.
"""

import json

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from sklearn.linear_model import LinearRegression

from linreg_cli.config import Config
from linreg_cli.data import load_dataset
from linreg_cli.data.encoding.encode import Encoder
from linreg_cli.errors import DataError

LEVEL = {"categorical": "one_hot", "missing": "level"}


def houses(rows: int = 200) -> pd.DataFrame:
    """Houses, every fifth of which has no garage: its type, its finish and its year are missing."""
    stream = np.random.default_rng(3)
    table = pd.DataFrame(
        {
            "area": stream.normal(100, 20, rows).round(1),
            "kind": stream.choice(["Attchd", "Detchd"], rows),
            "finish": stream.choice(["Fin", "RFn", "Unf"], rows),
            "year": stream.integers(1950, 2010, rows).astype(float),
        }
    )
    table["price"] = (table["area"] * 1000 + stream.normal(0, 9000, rows)).round()
    table.loc[np.arange(rows) % 5 == 0, ["kind", "finish", "year"]] = np.nan
    return table


@pytest.fixture
def table(tmp_path):
    houses().to_csv(tmp_path / "houses.csv", index=False)
    return tmp_path / "houses.csv"


def load(path, preprocess=LEVEL, **data):
    return load_dataset(
        Config.model_validate({"data": {"path": str(path), "target": "price", **data}, "preprocess": preprocess})
    )


def test_one_command_shows_inference_and_keeps_every_column(table, linreg):
    result = linreg("train", "houses.csv", "--target", "price", "--json", "--set", "data.split.test=0", "--set",
                    "data.split.train=1", "--set", "plots=false")  # fmt: skip
    assert result.code == 0, result.err
    given = houses()
    kind, finish = given["kind"], given["finish"]
    X = pd.DataFrame({"area": given["area"], "kind=Detchd": kind == "Detchd", "kind=(missing)": kind.isna()})
    X = X.assign(**{f"finish={level}": finish == level for level in ("RFn", "Unf")})
    X["year"] = given["year"].fillna(given["year"].mean())
    fit = sm.OLS(given["price"], sm.add_constant(X.astype(float))).fit()
    found = result.json["metrics"]["inference"]["coefficients"]
    assert {*found} == {*X.columns, "bias"}
    for name in X.columns:
        assert found[name]["std_err"] == pytest.approx(fit.bse[name], rel=1e-6)
        assert found[name]["estimate"] == pytest.approx(fit.params[name], abs=0.01 * fit.bse[name])
    assert result.json["warnings"] == []
    columns = {each["column"]: each.get("gaps_of") for each in result.json["data"]["columns"]}
    assert columns == {"area": None, "kind": None, "finish": "kind", "year": "kind", "price": None}


def test_it_is_said_once_for_each_column(table, linreg):
    said = linreg("train", "houses.csv", "--target", "price", "--dry-run").err
    assert said.count("missing where kind is") == 2
    assert "ignored" not in said
    text = linreg("init", "houses.csv", "--target", "price", "-o", "-").out
    assert "finish: {categorical: one_hot, missing: level}" in text
    assert "for which that of kind stands" in text
    assert "the indicator of kind says where" in text


def test_the_fitted_values_are_those_of_all_indicators(table):
    dataset = load(table)
    X = np.column_stack([dataset.columns[name] for name in dataset.features])
    given = houses()
    texts = pd.get_dummies(given[["kind", "finish"]].fillna("none"), dtype=float)
    Z = np.column_stack([given["area"], given["year"].fillna(0), texts])
    y = given["price"]
    ours, theirs = (LinearRegression().fit(each, y).predict(each) for each in (X, Z))
    np.testing.assert_allclose(ours, theirs, rtol=1e-9)


def test_gaps_that_differ_in_one_train_row_are_not_shared(tmp_path):
    given = houses()
    given.loc[0, "finish"] = "Fin"
    given.to_csv(tmp_path / "t.csv", index=False)
    assert {"kind=(missing)", "finish=(missing)"} <= {*load(tmp_path / "t.csv").features}
    assert "year=(missing)" not in load(tmp_path / "t.csv").features


def test_a_gap_alone_is_an_unknown_level_of_a_category(table):
    """No train row tells what it means; a number is filled in with the mean, as without an indicator."""
    encoder = load(table).encoder
    alone = {"area": 100.0, "kind": "Detchd", "finish": None, "year": None, "price": 1.0}
    for unknown in ("error", "ignore"):
        stored = [{**each, "unknown": unknown} if "unknown" in each else each for each in encoder.as_json()]
        raw = load_raw(table, alone)
        again = Encoder.from_json(stored)
        if unknown == "error":
            with pytest.raises(DataError, match=r"row 201, column 'finish'.*\(missing\) is not a level"):
                again.encode(raw, np.array([200]), "t", trained=True)
            continue
        row = again.encode(raw, np.array([200]), "t", trained=True)
        found = {name: row[name][200] for name in again.features}
        assert found.pop("year") == pytest.approx(houses()["year"].mean())
        assert found == {"area": 100, "kind=Detchd": 1, "kind=(missing)": 0, "finish=RFn": 0, "finish=Unf": 0}


def load_raw(path, row):
    """The columns of the table with one more row."""
    more = pd.DataFrame([*houses().to_dict("records"), row])
    more.to_csv(path.parent / "more.csv", index=False)
    return load(path.parent / "more.csv", {**LEVEL, "unknown": "ignore"}).raw


def test_without_a_reference_level_a_category_keeps_its_own(table):
    assert "finish=(missing)" in load(table, {**LEVEL, "drop_first": False}).features


def test_products_keep_the_levels_that_they_are_made_of(table):
    features = load(table, features=("kind", "finish", "area:finish")).features
    assert {"finish=(missing)", "area:finish=(missing)"} <= {*features}


@pytest.mark.parametrize("change", [{"gaps_of": 1}, {"gaps_of": "area"}, {"gaps_of": "nothing"}, {"drop_first": False}])
def test_a_stored_encoding_that_contradicts_itself_is_refused(table, change):
    entries = json.loads(json.dumps(load(table).encoder.as_json()))
    assert Encoder.from_json(entries).as_json() == entries
    changed = [{**each, **change} if each["column"] == "finish" else each for each in entries]
    with pytest.raises(ValueError, match=r"."):
        Encoder.from_json(changed)
