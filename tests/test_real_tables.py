"""Files as people have them: the optimum of scikit-learn on the same encoding, and the same at prediction."""

import csv
import io
import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import OneHotEncoder

CONFIG = """
name: t
data: {path: t.csv, target: y, ignore: [note]}
preprocess: {standardize: true, standardize_target: true, categorical: one_hot, missing: median,
             columns: {c: {missing: drop}, zip: {categorical: one_hot}}}
optimizer: {lr: 0.3, momentum: 0.5}
train: {epochs: 400, batch_size: full, dtype: float64}
plots: false
"""
N = 60
STREAM = np.random.default_rng(11)
NUMBERS = [f"{value:.4f}" if position % 9 else "" for position, value in enumerate(STREAM.normal(size=N))]
CATEGORIES = [
    ["usa", "asia", "europe"][k] if position != 7 else "NA" for position, k in enumerate(STREAM.integers(0, 3, N))
]
ZIPS = [f"{9800 + k}" for k in STREAM.integers(0, 4, N)]
FLAGS = [["True", "False"][k] for k in STREAM.integers(0, 2, N)]
TARGETS = [f"{value:.4f}" for value in STREAM.normal(size=N) * 3 + 100]
HEADER = ["x", "c", "zip", "flag", "note", "y"]
ROWS = [list(row) for row in zip(NUMBERS, CATEGORIES, ZIPS, FLAGS, (f"n {k}" for k in range(N)), TARGETS, strict=True)]


def text_of(rows, header=HEADER) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([header, *rows])
    return out.getvalue()


def cells(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


@pytest.fixture
def train(linreg, config_file, tmp_path):
    (tmp_path / "t.csv").write_text(text_of(ROWS))

    def call(*more):
        return linreg("train", "-c", config_file(CONFIG), *more)

    return call


@pytest.fixture
def predict(train, linreg, tmp_path):
    assert train("--quiet").code == 0

    def call(text, *more, name="new.csv"):
        (tmp_path / name).write_text(text)
        result = linreg("predict", "t", "--data", name, *more)
        assert result.code == 0, result.err
        return result

    return call


@pytest.fixture(scope="module")
def expected():
    """Inputs and targets of the rows with a category, as scikit-learn encodes them, and its model."""
    kept = [row for row in ROWS if row[1] != "NA"]
    x = SimpleImputer(strategy="median").fit_transform([[float(row[0] or "nan")] for row in kept])
    indicators = OneHotEncoder(drop="first", sparse_output=False).fit_transform([row[1:4] for row in kept])
    X, y = np.hstack([x, indicators]), np.array([float(row[-1]) for row in kept])
    return X, y, LinearRegression().fit(X, y)


def test_the_optimum_is_that_of_scikit_learn_on_the_same_encoding(train, expected):
    X, y, model = expected
    metrics = train("--json").json["metrics"]
    weights = metrics["parameters"]["weights"]
    assert list(weights) == ["x", "c=europe", "c=usa", "zip=9801", "zip=9802", "zip=9803", "flag=true"]
    np.testing.assert_allclose(list(weights.values()), model.coef_, rtol=1e-6)
    assert metrics["parameters"]["bias"] == pytest.approx(model.intercept_, rel=1e-6)
    assert metrics["train"]["r2"] == pytest.approx(model.score(X, y), rel=1e-6)
    assert metrics["train"]["n"] == N - 1


def test_predictions_are_those_of_scikit_learn(predict, expected):
    X, _, model = expected
    new = [row[:5] for row in ROWS if row[1] != "NA"]
    found = [float(row[-1]) for row in cells(predict(text_of(new, HEADER[:5])).out)[1:]]
    np.testing.assert_allclose(found, model.predict(X), rtol=1e-6)


def test_columns_in_any_order_with_others_between(predict):
    straight = [row[-1] for row in cells(predict(text_of(ROWS)).out)[1:]]
    order = [3, 0, 4, 2, 1]
    turned = text_of(
        [["k", *(row[position] for position in order)] for row in ROWS], ["more", *(HEADER[k] for k in order)]
    )
    assert [row[-1] for row in cells(predict(turned).out)[1:]] == straight


def test_row_by_row_equals_all_at_once(predict):
    together = [row[-1] for row in cells(predict(text_of(ROWS)).out)[1:]]
    alone = [cells(predict(text_of([row])).out)[1][-1] for row in ROWS[:12]]
    assert alone == together[:12]


def test_a_row_that_training_would_have_dropped_gets_no_prediction(predict):
    result = predict(text_of(ROWS))
    assert [number for number, row in enumerate(cells(result.out)[1:]) if row[-1] == ""] == [7]
    assert result.err.startswith("warning: 1 of 60 rows have no prediction: a cell is missing")
    assert "\nnote: x: 7 missing cells filled with the median of the train split" in result.err


def test_a_run_that_was_moved_predicts_the_same(predict, linreg, tmp_path):
    before = predict(text_of(ROWS)).out
    shutil.move(tmp_path / "outputs" / "t-0001", tmp_path / "elsewhere")
    assert linreg("predict", "./elsewhere", "--data", "new.csv").out == before


def test_every_format_gives_the_same_predictions(predict, linreg, tmp_path):
    csv_out = [row[-1] for row in cells(predict(text_of(ROWS)).out)[1:]]
    table = pcsv.read_csv(tmp_path / "new.csv", convert_options=pcsv.ConvertOptions(strings_can_be_null=True))
    assert str(table.schema.field("flag").type) == "bool"
    table = table.set_column(1, "c", table.column("c").dictionary_encode())
    pq.write_table(table, tmp_path / "new.parquet")
    assert linreg("predict", "t", "--data", "new.parquet", "-o", "out.parquet").code == 0
    found = pq.read_table(tmp_path / "out.parquet")
    assert ["" if value is None else repr(value) for value in found.column("prediction").to_pylist()] == csv_out
    assert found.drop_columns(["prediction"]).schema.equals(pq.read_table(tmp_path / "new.parquet").schema)


def test_csv_to_parquet_carries_numbers_as_numbers(predict, tmp_path):
    rows = [["1", "usa", "9801", "True", "007", "2.5"], ["", "asia", "9802", "False", "1", "3"]]
    predict(text_of(rows), "-o", "out.parquet")
    found = pq.read_table(tmp_path / "out.parquet")
    types = {"x": "int64", "c": "string", "zip": "int64", "flag": "string", "note": "string", "y": "double"}
    assert {field.name: str(field.type) for field in found.schema} == {**types, "prediction": "double"}
    assert found.column("x").to_pylist() == [1, None]
    assert found.column("note").to_pylist() == ["007", "1"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            ["1", "mars", "9801", "True", "n", "2"],
            "row 1, column 'c': 'mars' is not a level of the train split (asia",
        ),
        (["1", "usa", "1", "True", "n", "2"], "row 1, column 'zip': '1' is not a level of the train split"),
        (["one", "usa", "9801", "True", "n", "2"], "row 1, column 'x': 'one' is not a number"),
        (
            ["1", "usa", "", "True", "n", "2"],
            "row 1, column 'zip': the cell is missing; fill it in, or, to treat it as none of the levels, train again: "
            "linreg train -c outputs/t-0001/config.yaml --set preprocess.unknown=ignore",
        ),
    ],
)
def test_a_cell_that_training_did_not_allow(row, message, predict, linreg, tmp_path):
    predict(text_of(ROWS))
    (tmp_path / "bad.csv").write_text(text_of([row]))
    result = linreg("predict", "t", "--data", "bad.csv", "-o", "out.csv")
    assert result.code == 3
    assert message in result.err
    assert not (tmp_path / "out.csv").exists()


def test_an_unknown_level_that_is_ignored_is_none_of_the_levels(train, linreg, tmp_path):
    assert train("--quiet", "--set", "preprocess.unknown=ignore").code == 0
    (tmp_path / "new.csv").write_text(text_of([["1", level, "9801", "True", "", ""] for level in ("mars", "asia")]))
    mars, asia = (row[-1] for row in cells(linreg("predict", "t", "--data", "new.csv").out)[1:])
    assert mars == asia  # asia is the level that was dropped


def test_evaluating_its_own_table_gives_the_metrics_of_the_run(train, linreg):
    trained = train("--json").json["metrics"]["train"]
    assert linreg("evaluate", "t", "--json").json["train"] == trained
    again = linreg("evaluate", "t", "--data", "t.csv", "--json").json["data"]
    assert again == {**trained, "dropped": 1}


def test_what_was_done_is_told_counted_and_kept(train, tmp_path):
    result = train()
    median = np.median([float(x) for x, c in zip(NUMBERS, CATEGORIES, strict=True) if x and c != "NA"])
    lines = [" ".join(line.split()) for line in result.messages]
    assert lines == [
        "t.csv: 60 rows, 1 dropped",
        "column kind missing what was done",
        f"x number 7 filled with the median, {median:.6g}",
        "c text 1 3 levels: asia, europe, usa; 2 inputs; rows dropped",
        "zip text 0 4 levels: 9800, 9801, 9802, 9803; 3 inputs",
        "flag boolean 0 2 levels: false, true; 1 input",
        "numbers without missing cells: y",
    ]
    data = json.loads((tmp_path / "outputs" / "t-0001" / "run.json").read_text())["data"]
    assert (data["rows_read"], data["rows_dropped"], data["warnings"]) == (60, 1, [])
    columns = {entry["column"]: entry for entry in data["columns"]}
    assert columns["c"] == {
        "column": "c", "role": "feature", "kind": "text", "missing": 1, "treatment": "drop", "fill": None,
        "levels": 3, "inputs": 2, "reference": "asia",
    }  # fmt: skip
    assert columns["x"]["missing"] == 7
    again = train("--json")
    assert (again.messages, again.json["data"]["columns"]) == ([], data["columns"])
    assert train("--quiet").err == ""


def test_one_level_is_told_in_the_singular(linreg, config_file, tmp_path):
    (tmp_path / "t.csv").write_text("x,c,y\n" + "".join(f"{k % 7},only,{(k * k) % 5}\n" for k in range(30)))
    text = "name: t\ndata: {path: t.csv, target: y}\npreprocess: {categorical: one_hot}\nplots: false\n"
    result = linreg("train", "-c", config_file(text))
    assert "1 level: only; 0 inputs" in result.err
    assert "warning: c is a constant column in the train split; leave out with data.ignore: [c]" in result.err


def test_row_numbers_of_predictions_are_those_of_the_table(train, tmp_path):
    assert train("--quiet").code == 0
    rows = cells((tmp_path / "outputs" / "t-0001" / "predictions.csv").read_text())[1:]
    assert [int(row[1]) for row in rows] == [number for number in range(1, N + 1) if number != 8]


def test_clean_numbers_are_read_without_a_word(linreg, config_file, tmp_path):
    (tmp_path / "t.csv").write_text("x,y\n" + "".join(f"{k % 7},{(k * k) % 5}\n" for k in range(30)))
    result = linreg("train", "-c", config_file("name: t\ndata: {path: t.csv, target: y}\nplots: false\n"))
    assert (result.code, result.messages) == (0, [])


def test_the_target_on_a_logarithmic_scale(linreg, config_file, tmp_path):
    x = STREAM.normal(size=50)
    y = np.exp(1.5 * x + 2 + 0.1 * STREAM.normal(size=50))
    pq.write_table(pa.table({"x": x, "y": y}), tmp_path / "t.parquet")
    text = """
name: t
data: {path: t.parquet, target: y}
preprocess: {standardize: true, target_transform: log}
optimizer: {lr: 0.3}
train: {epochs: 200, batch_size: full, dtype: float64}
probe: [0]
"""
    result = linreg("train", "-c", config_file(text), "--json")
    assert result.code == 0, result.err
    metrics, model = result.json["metrics"], LinearRegression().fit(x[:, None], np.log(y))
    assert metrics["parameters"]["weights"]["x"] == pytest.approx(model.coef_[0], rel=1e-9)
    errors = y - np.exp(model.predict(x[:, None]))
    assert metrics["train"]["rmse"] == pytest.approx(np.sqrt(np.mean(errors**2)), rel=1e-9)
    assert metrics["probe"][0]["after"] == [pytest.approx(np.exp(model.intercept_), rel=1e-9)]
    assert not (tmp_path / "outputs" / "t-0001" / "plots" / "fit.png").exists()  # no line in original units
    refused = linreg("plot", "t", "--kind", "fit")
    assert "because its target was transformed" in refused.err
    assert linreg("evaluate", "t", "--json").json["train"] == metrics["train"]


@pytest.mark.parametrize(("transform", "value", "bound"), [("log", "0", "above 0"), ("log1p", "-1", "above -1")])
def test_a_target_without_a_logarithm(linreg, config_file, tmp_path, transform, value, bound):
    (tmp_path / "t.csv").write_text(f"x,y\n1,2\n2,{value}\n")
    config = config_file(f"data: {{path: t.csv, target: y}}\npreprocess: {{target_transform: {transform}}}\n")
    result = linreg("train", "-c", config)
    assert result.code == 3
    assert result.err == (
        "error: t.csv, row 2, column 'y': "
        f"preprocess.target_transform: {transform} needs values {bound}, found {value}\n"
    )


def test_a_probe_names_categories(train):
    result = train("--json", "--set", "probe=[[1, usa, 9801, 'true']]")
    assert result.code == 0, result.err
    assert result.json["metrics"]["probe"][0]["input"] == [1, "usa", 9801, "true"]
    assert train("--quiet", "--set", "probe=[[1, mars, 9801, 'true']]").code == 2
    wrong = train("--quiet", "--set", "probe=[[one, usa, 9801, 'true']]")
    assert "probe.0: expected a number for x, found the text 'one'" in wrong.err
    assert "1 value for 4 columns (x, c, zip, flag)" in train("--quiet", "--set", "probe=[1]").err
