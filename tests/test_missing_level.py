"""`missing: level`: the level of missing cells, against scikit-learn and pandas, and repeated at prediction."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import OneHotEncoder

from linreg_cli.config import Config, load_config
from linreg_cli.data import load_dataset
from linreg_cli.data.encoding.encode import Encoder
from linreg_cli.data.encoding.inputs import input_from_json
from linreg_cli.errors import DataError, LinregError

LEVEL = {"categorical": "one_hot", "missing": "level"}


def frame(rows: int = 60) -> pd.DataFrame:
    """Numbers, text, truth values and codes with missing cells in different rows; `full` and `plain` have none."""
    stream = np.random.default_rng(5)
    table = pd.DataFrame(
        {
            "area": stream.normal(100, 20, rows).round(2),
            "garage": stream.choice(["Attchd", "Basment", "Detchd"], rows),
            "paved": stream.choice(["true", "false"], rows),
            "zone": stream.choice([10, 9, 200], rows),
            "fence": "GdPrv",
            "full": stream.normal(size=rows).round(3),
            "plain": stream.choice(["p", "q"], rows),
            "y": stream.normal(size=rows).round(4),
        }
    )
    for position, column in enumerate(["area", "garage", "paved", "zone", "fence"]):
        table[column] = table[column].astype(object).where(np.arange(rows) % (position + 3) != 0, None)
    return table


@pytest.fixture
def table(tmp_path):
    frame().to_csv(tmp_path / "t.csv", index=False)
    return tmp_path / "t.csv"


def load(path, preprocess=LEVEL, **data):
    return load_dataset(
        Config.model_validate({"data": {"path": str(path), "target": "y", **data}, "preprocess": preprocess})
    )


def error_of(path, preprocess=LEVEL, **data):
    with pytest.raises(LinregError) as caught:
        load(path, preprocess, **data)
    return str(caught.value).replace(f"{path}", "")


def test_numbers_are_those_of_a_simple_imputer_with_indicators(table):
    dataset = load(table, features=("area", "full"))
    values = frame()[["area", "full"]].to_numpy(dtype=float)
    expected = SimpleImputer(strategy="mean", add_indicator=True).fit_transform(values)
    assert dataset.features == ("area", "area=(missing)", "full")
    ours = np.column_stack([dataset.columns[name] for name in ("area", "full", "area=(missing)")])
    np.testing.assert_allclose(ours, expected, rtol=1e-15)


@pytest.mark.parametrize("column", ["garage", "paved", "fence", "zone"])
def test_categories_are_those_of_a_one_hot_encoder_with_the_level_last(table, column):
    """scikit-learn sorts a missing cell (nan) last as well; `drop="first"` drops the first real level."""
    dataset = load(table, {**LEVEL, "columns": {"zone": {"categorical": "one_hot"}}}, features=(column,))
    cells = frame()[[column]].astype(object)
    cells = cells.where(cells.notna(), np.nan)
    encoder = OneHotEncoder(drop="first", sparse_output=False).fit(cells)
    names = [f"{column}={'(missing)' if level != level else level}" for level in encoder.categories_[0][1:]]
    assert dataset.features == tuple(names)
    np.testing.assert_array_equal(np.column_stack([dataset.columns[name] for name in names]), encoder.transform(cells))


def test_predictions_of_least_squares_are_those_of_pandas_and_scikit_learn(table):
    dataset = load(table)
    X = np.column_stack([dataset.columns[name] for name in dataset.features])
    given = frame()
    parts = [given[["area", "full"]].astype(float).fillna(given["area"].astype(float).mean()), given["area"].isna()]
    parts += [given["zone"].astype(float).fillna(given["zone"].astype(float).mean()), given["zone"].isna()]
    texts = ["garage", "paved", "fence", "plain"]
    parts += [pd.get_dummies(given[texts].fillna("missing"), drop_first=True)]  # which drops another level
    Z, y = np.column_stack([np.asarray(part, dtype=float) for part in parts]), given["y"]
    expected = LinearRegression().fit(Z, y).predict(Z)
    assert X.shape == Z.shape
    np.testing.assert_allclose(LinearRegression().fit(X, y).predict(X), expected, atol=1e-12)


def test_every_format_gives_the_same_inputs(table, tmp_path):
    preprocess = {**LEVEL, "columns": {"zone": {"categorical": "one_hot"}}}
    typed = frame().astype({"zone": "Int64", "garage": "category"})
    typed["paved"] = typed["paved"].map({"true": True, "false": False})
    typed["area"] = typed["area"].astype(float)
    typed.to_parquet(tmp_path / "t.parquet")
    assert load(tmp_path / "t.parquet", preprocess).fingerprint() == load(table, preprocess).fingerprint()


def test_without_a_reference_level_the_missing_cells_have_theirs_too(table):
    names = load(table, {**LEVEL, "drop_first": False}, features=("garage",)).features
    assert names == ("garage=Attchd", "garage=Basment", "garage=Detchd", "garage=(missing)")


def test_columns_without_missing_cells_in_the_train_split_get_no_indicator(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("x,c,y,s\n1,a,1,train\n4,b,2,train\n7,b,3,train\n,,3,test\n")
    split = {"column": "s"}
    dataset = load(path, {**LEVEL, "unknown": "ignore"}, split=split)
    assert dataset.features == ("x", "c=b")
    assert dataset.columns["x"].tolist() == [1, 4, 7, 4]  # the mean of the train split
    assert dataset.columns["c=b"].tolist() == [0, 1, 1, 0]
    message = error_of(path, split=split)
    assert "(missing) is not a level of the train split (a, b)" in message
    assert "preprocess.unknown: ignore" in message


@pytest.mark.parametrize(
    ("text", "preprocess", "found"),
    [
        ("c,x,y\n(missing),1,1\na,2,2\n,3,3\n", LEVEL, "column 'c': a level is called '(missing)'"),
        ("x,x=(missing),y\n1,2,1\n,3,2\n4,5,6\n", LEVEL, "two inputs have the name 'x=(missing)'"),
        ("x,y\n1,1\n2,\n3,3\n", LEVEL, "drop such rows with preprocess.columns: {y: {missing: drop}}"),
        ("x,y\n1,1\n,2\n", {**LEVEL, "columns": {"y*": {"missing": "level"}, "z": {}}}, "there is no column 'z'"),
    ],
)  # fmt: skip
def test_what_is_refused(text, preprocess, found, tmp_path):
    (tmp_path / "t.csv").write_text(text)
    assert found in error_of(tmp_path / "t.csv", preprocess)


def test_a_level_of_that_name_is_one_with_missing_cells_where_the_config_says_so(tmp_path):
    (tmp_path / "t.csv").write_text("c,y\n(missing),1\na,2\n,3\nb,4\n")
    dataset = load(tmp_path / "t.csv", {**LEVEL, "missing_values": ("", "(missing)")})
    assert dataset.columns["c=(missing)"].tolist() == [1, 0, 1, 0]


def test_a_category_whose_train_cells_are_all_missing_has_no_reference_level(tmp_path):
    (tmp_path / "t.csv").write_text("c,x,y,s\n,1,1,train\n,2,2,train\na,3,3,test\n")
    message = error_of(tmp_path / "t.csv", split={"column": "s"})
    assert "every cell of the train split is missing, so there is no reference level" in message
    assert "data.ignore: [c]" in message


def test_a_target_has_no_level(config_file):
    path = config_file("data: {path: t.csv, target: y}\npreprocess: {columns: {y: {missing: level}}}\n")
    with pytest.raises(LinregError, match="y is the target, which is not filled in; use error or drop"):
        load_config([str(path)], [])


def test_the_encoding_survives_json(table):
    encoder = load(table).encoder
    assert Encoder.from_json(json.loads(json.dumps(encoder.as_json()))) == encoder


@pytest.mark.parametrize(
    "change", [{"levels": ["a", "b"]}, {"gaps_are_level": 1}, {"drop_first": None}, {"levels": ["(missing)", "a"]}]
)
def test_a_stored_encoding_that_contradicts_itself_is_refused(change):
    entry = {
        "column": "c", "kind": "category", "of": "text", "levels": ["a", "(missing)"], "drop_first": True,
        "missing": "level", "unknown": "error", "gaps_are_level": True,
    }  # fmt: skip
    assert input_from_json(entry).features == ("c=(missing)",)
    with pytest.raises(ValueError, match=r"."):
        input_from_json({**entry, **change})


CONFIG = """
data: {path: t.csv, target: y, split: {train: 0.75, test: 0.25}}
preprocess: {standardize: true, standardize_target: true, categorical: one_hot, missing: level}
optimizer: {lr: auto, momentum: auto}
train: {batch_size: full, epochs: 60, dtype: float64}
evaluate: {cross_validation: {folds: 3}}
plots: false
"""


def test_a_run_says_what_it_did_and_predicts_with_it(table, linreg, config_file):
    config_file(CONFIG, "c.yaml")
    trained = linreg("train", "-c", "c.yaml", "--json")
    assert trained.code == 0, trained.err
    weights = trained.json["metrics"]["parameters"]["weights"]
    bias = trained.json["metrics"]["parameters"]["bias"]
    head = "area,garage,paved,zone,fence,full,plain\n"
    (table.parent / "new.csv").write_text(f"{head},,,,,,p\n,(missing),true,9,GdPrv,0,p\n")
    predicted = linreg("predict", "latest", "--data", "new.csv", "-o", "-")
    assert predicted.code == 0, predicted.err
    stored = json.loads((next((table.parent / "outputs").iterdir()) / "preprocess.json").read_text())
    fills = {each["column"]: each["fill"] for each in stored["inputs"] if each["kind"] == "number"}
    gap = bias + sum(fills[name] * weights[name] for name in ("area", "zone", "full"))
    gap += sum(weights[f"{name}=(missing)"] for name in ("area", "zone", "garage", "paved", "fence"))
    found = [float(line.rsplit(",", 1)[1]) for line in predicted.out.splitlines()[1:]]
    assert found[0] == pytest.approx(gap, abs=1e-12)
    other = fills["area"] * weights["area"] + weights["area=(missing)"] + weights["garage=(missing)"]
    assert found[1] == pytest.approx(bias + other + weights["paved=true"] + 9 * weights["zone"], abs=1e-12)
    assert "full: 1 missing cell filled with the mean of the train split" in predicted.err
    (table.parent / "gap.csv").write_text(f"{head}100,Attchd,true,9,GdPrv,0,\n")
    refused = linreg("predict", "latest", "--data", "gap.csv")
    assert refused.code == 3
    assert "(missing) is not a level of the train split (p, q)" in refused.err


def test_the_table_of_columns_says_what_was_done(table, linreg, config_file):
    config_file(CONFIG, "c.yaml")
    said = linreg("train", "-c", "c.yaml", "--dry-run").err
    assert "filled with the mean, 96.308; with an indicator" in said
    assert "4 levels: Attchd, Basment, Detchd, (missing); 3 inputs" in said


def test_inspect_counts_the_level(table, linreg, config_file):
    config_file(CONFIG, "c.yaml")
    columns = {each["name"]: each for each in linreg("inspect", "-c", "c.yaml", "--json").json["columns"]}
    assert columns["fence"]["levels"] == {"GdPrv": pytest.approx(38, abs=7), "(missing)": pytest.approx(7, abs=7)}
    assert sum(columns["fence"]["levels"].values()) == 45


def load_patterns(tmp_path, columns, names=("ab", "ac", "a*", "b")):
    lines = [",".join([*names, "y"]), ",".join(["1"] * len(names) + ["1"]), ",".join([""] * len(names) + ["2"])]
    (tmp_path / "t.csv").write_text("\n".join([*lines, ",".join(["3"] * len(names) + ["4"])]) + "\n")
    dataset = load(tmp_path / "t.csv", {"missing": "median", "columns": columns})
    return {each.column: each.missing for each in dataset.inputs}


def test_patterns_name_several_columns_and_a_name_comes_first(tmp_path):
    assert load_patterns(tmp_path, {"a?": {"missing": "level"}}) == {
        "ab": "level", "ac": "level", "a*": "level", "b": "median",
    }  # fmt: skip
    names = {"ac": {"missing": "mean"}, "a[bc]": {"missing": "level"}}
    assert load_patterns(tmp_path, names) == {"ab": "level", "ac": "mean", "a*": "median", "b": "median"}


def test_a_key_that_is_a_column_is_no_pattern(tmp_path):
    assert load_patterns(tmp_path, {"a*": {"missing": "level"}}) == {
        "ab": "median", "ac": "median", "a*": "level", "b": "median",
    }  # fmt: skip
    assert load_patterns(tmp_path, {"a*": {"missing": "level"}}, ("ab", "ac")) == {"ab": "level", "ac": "level"}


def test_of_several_patterns_the_last_that_sets_something_wins(tmp_path):
    columns = {"*": {"missing": "level"}, "a?": {"missing": "mean"}, "?b": {"categorical": "error"}}
    assert load_patterns(tmp_path, columns, ("ab", "c")) == {"ab": "mean", "c": "level"}
    columns = {"a?": {"missing": "mean"}, "*": {"missing": "level"}}
    assert load_patterns(tmp_path, columns, ("ab", "c")) == {"ab": "level", "c": "level"}


def test_case_counts_and_names_are_compared_in_normal_form(tmp_path):
    with pytest.raises(DataError, match=r"no column matches 'A\?'; did you mean 'ab'\?|no column matches 'A\?'"):
        load_patterns(tmp_path, {"A?": {"missing": "mean"}})
    assert load_patterns(tmp_path, {"Gro\u0308*": {"missing": "mean"}}, ("Größe",)) == {"Größe": "mean"}


def test_a_pattern_for_the_target_is_as_a_setting_for_all(tmp_path):
    """`*` sweeps over the target, whose missing cells are told with their remedy."""
    (tmp_path / "t.csv").write_text("x,y\n1,\n,2\n3,3\n")
    message = error_of(tmp_path / "t.csv", {"columns": {"*": {"missing": "level"}}})
    assert "column 'y': the cell is missing; fill it in, or drop such rows" in message
    assert 'drop such rows with preprocess.columns: {"*": {missing: level}, y: {missing: drop}}' in message


def test_the_resolved_config_has_the_patterns_as_they_were_written(table, linreg, config_file):
    config_file(CONFIG.replace("missing: level", "columns: {'[a-z]*': {missing: level}}"), "c.yaml")
    assert linreg("train", "-c", "c.yaml", "--quiet", "--set", "evaluate.cross_validation=null").code == 0
    again = next((table.parent / "outputs").iterdir()) / "config.yaml"
    assert "'[a-z]*':" in again.read_text()
    assert linreg("evaluate", "latest", "--data", "t.csv").code == 0


def test_columns_that_are_treated_alike_share_a_line(linreg, tmp_path):
    rows = [",".join(["lo" if (n + k) % 2 else "hi" for k in range(9)] + [str(n * n % 11)]) for n in range(60)]
    (tmp_path / "t.csv").write_text("\n".join([",".join([*(f"c{k}" for k in range(9)), "y"]), *rows]) + "\n")
    shown = linreg("train", "t.csv", "--target", "y", "--features", "c0,c1,c2,c3,c4,c5", "--dry-run").err
    assert "c0, c1 and 4 more  text        0  2 levels: hi, lo; 1 input" in shown
    assert "  c1  " not in shown
