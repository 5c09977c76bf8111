"""`linreg predict` appends predictions to a table and changes nothing else in it."""

import csv
import io
import os
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

CONFIG = """
name: t
data: {source: inline, columns: [a, b, y], rows: [[1, 2, 8], [2, 1, 7], [3, 5, 21], [0, 0, 1]], target: y}
model: {init: {weight: [2, 3], bias: 1}}
optimizer: {lr: 1e-30}
train: {epochs: 1, dtype: float64}
plots: false
"""


@pytest.fixture
def trained(linreg, config_file):
    """y = 2 a + 3 b + 1 by its initial values; a rate of 1e-30 leaves them as they are."""
    assert linreg("train", "-c", config_file(CONFIG), "--quiet").code == 0


@pytest.fixture
def predict(linreg, trained, tmp_path):
    def call(content, *arguments, name="in.csv"):
        path = tmp_path / name
        path.write_text(content, newline="") if isinstance(content, str) else pq.write_table(content, path)
        return linreg("predict", "t", "--data", name, *arguments)

    return call


def cells(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def test_predictions_go_to_stdout_as_csv_and_nothing_to_stderr(predict):
    result = predict("a,b\n1,2\n10,20\n")
    assert (result.code, result.err) == (0, "")
    # by hand: 2 * 1 + 3 * 2 + 1 and 2 * 10 + 3 * 20 + 1
    rows = cells(result.out)
    assert rows[0] == ["a", "b", "prediction"]
    assert [[row[0], row[1], float(row[2])] for row in rows[1:]] == [["1", "2", 9.0], ["10", "20", 81.0]]


def test_columns_are_matched_by_name_in_any_order(predict):
    straight = [float(row[-1]) for row in cells(predict("a,b\n1,2\n3,4\n").out)[1:]]
    crossed = [float(row[-1]) for row in cells(predict("b,z,a\n2,x,1\n4,y,3\n").out)[1:]]
    assert straight == crossed == [9.0, 19.0]


def test_every_other_cell_passes_through_as_the_text_that_it_is(predict):
    texts = ["007", "1.50", "1e3", "NA", "", " padded ", "2014-10-13", "true", "é, ü", 'say "hi"', "0x10", "+1", "12,5"]
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([["id", "a", "b"], *([text, "1.0", "2"] for text in texts)])
    rows = cells(predict(out.getvalue()).out)
    assert [row[:3] for row in rows[1:]] == [[text, "1.0", "2"] for text in texts]
    assert {float(row[3]) for row in rows[1:]} == {9.0}


def test_columns_without_a_name_and_doubled_names_pass_through(predict):
    result = predict(",a,z,b,z,\n0,1,u,2,v,\n007,10,,20,w,x\n")
    assert (result.code, result.err) == (0, "")
    header, *rows = cells(result.out)
    assert header == ["", "a", "z", "b", "z", "", "prediction"]
    assert rows == [["0", "1", "u", "2", "v", "", "9"], ["007", "10", "", "20", "w", "x", "81"]]


def test_the_target_may_be_there_or_absent(predict):
    assert cells(predict("a,b,y\n1,2,5\n").out) == [["a", "b", "y", "prediction"], ["1", "2", "5", "9"]]
    assert cells(predict("a,b,y\n1,2,\n").out)[1] == ["1", "2", "", "9"]


def test_a_column_that_is_already_named_prediction_is_kept(predict):
    result = predict("a,b,prediction\n1,2,mine\n", "--json")
    assert result.json["columns"] == ["prediction_2"]
    assert cells(predict("a,b,prediction,prediction_2\n1,2,mine,too\n").out)[0][-1] == "prediction_3"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,c\n1,2\n", "the table lacks columns that the run needs: b; it has a, c"),
        ("x,y\n1,2\n", "the table lacks columns that the run needs: a, b; it has x, y"),
        ("A,B\n1,2\n", "lacks columns that the run needs: a (did you mean 'A'?), b (did you mean 'B'?); it has A, B"),
        ("a,b\n1,\n", "in.csv, row 1, column 'b'"),
        ("a,b\n1,2\n1,two\n", "in.csv, row 2, column 'b': 'two' is not a number"),
        ("a,b\n1,inf\n", "in.csv, row 1, column 'b'"),
        ("a,b\n", "no rows"),
        ("", "empty"),
        ("a,a,b\n1,2,3\n", "duplicate column name: columns 1 and 2 are 'a'"),
    ],
)
def test_a_table_that_does_not_fit_is_a_data_error_and_writes_nothing(predict, tmp_path, content, message):
    result = predict(content, "-o", "out.csv")
    assert (result.code, result.out) == (3, "")
    assert message in result.err
    assert result.err.startswith("error: ")
    assert not (tmp_path / "out.csv").exists()


def test_row_by_row_equals_all_at_once(predict):
    rows = [f"{0.1 * k},{k * k / 7}" for k in range(20)]
    together = [row[-1] for row in cells(predict("a,b\n" + "\n".join(rows) + "\n").out)[1:]]
    alone = [cells(predict(f"a,b\n{row}\n").out)[1][-1] for row in rows]
    assert together == alone


def test_parquet_to_parquet_keeps_the_types(predict, tmp_path):
    table = pa.table(
        {
            "when": pa.array([1, 2], pa.timestamp("us")), "b": pa.array([2, 4], pa.int8()), "list": [[1], []],
            "a": pa.array([1, 3], pa.float32()), "text": pa.array(["é", None]).dictionary_encode(),
        }
    )  # fmt: skip
    result = predict(table, "-o", "out.parquet", name="in.parquet")
    assert (result.code, result.out, result.err) == (0, "out.parquet\n", "")
    out = pq.read_table(tmp_path / "out.parquet")
    assert out.drop_columns(["prediction"]).equals(pq.read_table(tmp_path / "in.parquet"))
    assert out.column("prediction").to_pylist() == [9.0, 19.0]
    assert out.schema.field("prediction").type == pa.float64()


def test_a_file_and_stdout_hold_the_same_bytes(predict, tmp_path):
    content = 'id,a,b\n"x, y",1,2\nz,3,4\n'
    stdout = predict(content).out
    result = predict(content, "-o", "out.csv")
    assert result.out == "out.csv\n"
    assert (tmp_path / "out.csv").read_bytes().decode() == stdout


def test_json_is_one_object_with_the_predictions_or_the_path(predict, tmp_path):
    assert predict("a,b\n1,2\n", "--json").json == {
        "run": "t-0001", "rows": 1, "columns": ["prediction"], "repaired": [], "predictions": {"prediction": [9.0]},
    }  # fmt: skip
    result = predict("a,b\n1,2\n", "--json", "-o", "out.csv").json
    assert result == {"run": "t-0001", "rows": 1, "columns": ["prediction"], "repaired": [], "path": "out.csv"}
    assert sorted(os.listdir(tmp_path)) == ["config.yaml", "in.csv", "out.csv", "outputs"]


@pytest.mark.parametrize("output", ["in.csv", "./in.csv", "link.csv"])
def test_the_table_itself_is_never_written_to(predict, tmp_path, output):
    (tmp_path / "link.csv").symlink_to(tmp_path / "in.csv")
    result = predict("a,b\n1,2\n", "-o", output)
    assert result.code == 2
    assert "the output is the input table" in result.err
    assert (tmp_path / "in.csv").read_text() == "a,b\n1,2\n"


@pytest.mark.parametrize(
    ("output", "code", "message"),
    [
        ("out.xlsx", 2, "error: out.xlsx: unknown file format"),
        ("no/out.csv", 6, "error: no/out.csv: cannot write: there is no folder no; create it first"),
        ("outputs", 2, "error: outputs: unknown file format"),
    ],
)
def test_an_output_that_cannot_be_written_is_explained(predict, output, code, message):
    result = predict("a,b\n1,2\n", "-o", output)
    assert result.code == code
    assert result.err.startswith(message)


def test_a_column_that_csv_cannot_hold_is_explained(predict):
    result = predict(pa.table({"a": [1.0], "b": [2.0], "list": [[1, 2]]}), name="in.parquet")
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("error: in.parquet: cannot write this table as .csv: ")
    assert result.err.endswith("; write a .parquet file with -o\n")


TABLE = "c;x;y\n" + "".join(f"{'pq'[i % 2]};{i / 7:.3f};{i / 7 + i % 2:.3f}\n" for i in range(40))
SEMICOLONS = """
name: s
data: {path: t.csv, delimiter: ";", target: y}
preprocess: {categorical: one_hot, unknown: ignore, columns: {x: {missing: median}}}
train: {epochs: 1}
plots: false
"""


@pytest.fixture
def semicolons(linreg, config_file, tmp_path):
    (tmp_path / "t.csv").write_text(TABLE)
    run = linreg("train", "-c", config_file(SEMICOLONS))
    assert run.code == 0, run.err


def test_a_table_comes_out_with_the_delimiter_it_came_with_and_can_be_read_again(linreg, semicolons, tmp_path):
    assert linreg("predict", "s", "--data", "t.csv", "-o", "once.csv").code == 0
    rows = (tmp_path / "once.csv").read_text().splitlines()
    assert rows[0] == "c;x;y;prediction"
    assert linreg("predict", "s", "--data", "once.csv", "-o", "twice.csv").code == 0
    again = (tmp_path / "twice.csv").read_text().splitlines()
    assert again[0] == "c;x;y;prediction;prediction_2"
    assert [row.rsplit(";", 1)[1] for row in again[1:]] == [row.rsplit(";", 1)[1] for row in rows[1:]]
    assert linreg("predict", "s", "--data", "t.csv", "-o", "t.tsv").code == 0  # cut as its suffix says, both ways
    assert (tmp_path / "t.tsv").read_text().startswith("c\tx\ty\tprediction\n")
    assert linreg("evaluate", "s", "--data", "t.tsv", "--json").json["data"]["n"] == 40


def test_a_cell_with_the_delimiter_in_it_is_quoted(linreg, semicolons, tmp_path):
    (tmp_path / "new.csv").write_text('note;c;x\n"a;b";p;1\n')
    assert (
        cells(linreg("predict", "s", "--data", "new.csv").out.replace('"a;b"', "whole").replace(";", ","))[1][0]
        == "whole"
    )


def test_what_was_done_to_cells_is_told_and_counted(linreg, semicolons, tmp_path):
    (tmp_path / "new.csv").write_text("c;x\np;1\nz;\nz;3\n")
    result = linreg("predict", "s", "--data", "new.csv", "--json")
    assert result.err.splitlines() == [
        "note: c: 2 cells with levels that are not in the train split, treated as none of them",
        "note: x: 1 missing cell filled with the median of the train split, 2.7855",  # of 0, 1/7, ..., 39/7 in 3 digits
    ]
    levels = {
        "column": "c",
        "role": "feature",
        "kind": "text",
        "missing": 0,
        "levels": 2,
        "inputs": 1,
        "unknown": 2,
        "reference": "p",
    }
    assert result.json["repaired"][0] == levels
    assert result.json["repaired"][1]["fill"] == 2.7855


def test_levels_that_do_not_train_are_counted_in_the_run(linreg, config_file, tmp_path):
    more = TABLE + "r;1;2\nr;2;3\n"
    (tmp_path / "t.csv").write_text(more)
    split = "split: {train: 0.9, test: 0.1, shuffle: false}"
    run = linreg("train", "-c", config_file(SEMICOLONS.replace("target: y", f"target: y, {split}")))
    assert "2 cells with levels that are not in the train split, treated as none of them" in run.err
    columns = {each["column"]: each for each in linreg("runs", "show", "s", "--json").json["record"]["data"]["columns"]}
    assert columns["c"]["unknown"] == 2


@pytest.fixture
def categories(linreg, config_file, tmp_path):
    """A run on a category with the settings that are given; gives the command line."""
    rows = "".join(f"{'abc'[row % 3]},{row},{row % 3 + 0.5 * row}\n" for row in range(24))

    def train(*settings):
        (tmp_path / "t.csv").write_text("c,x,y\n" + rows)
        (tmp_path / "new.csv").write_text("c,x\na,1\n,1\n")
        path = config_file(
            "data: {path: t.csv, target: y}\npreprocess: {categorical: one_hot, standardize: true}\nplots: false\n"
        )
        result = linreg("train", "-c", path, "--quiet", *(part for each in settings for part in ("--set", each)))
        assert result.code == 0, result.err
        return linreg

    return train


def test_a_missing_category_is_none_of_the_levels_for_a_run_that_ignores_unknown_ones(categories):
    """As for OneHotEncoder(handle_unknown="ignore"): zeros. `a` is the reference level, whose indicators are 0 too."""
    linreg = categories("preprocess.unknown=ignore")
    result = linreg("predict", "latest", "--data", "new.csv", "--json")
    first, second = result.json["predictions"]["prediction"]
    assert first == second
    assert "note: c: 1 missing cell, treated as none of the levels" in result.err
    assert result.json["repaired"][0]["missing"] == 1


@pytest.mark.parametrize(("cell", "key"), [(",1", "unknown=ignore"), ("z,1", "unknown=ignore"), ("a,", "missing=mean")])
def test_the_command_that_trains_again_is_told_and_works(cell, key, categories, tmp_path):
    linreg = categories()
    (tmp_path / "new.csv").write_text(f"c,x\na,1\n{cell}\n")
    result = linreg("predict", "latest", "--data", "new.csv")
    assert result.code == 3
    command = re.search(r"train again: linreg (train -c \S+config.yaml --set \S+)", result.err)[1].split()
    assert command[-1] == f"preprocess.{key}"
    assert linreg(*command, "--quiet").code == 0
    assert linreg("predict", "latest", "--data", "new.csv").code == 0


def test_evaluate_says_so_too(categories, tmp_path):
    linreg = categories()
    (tmp_path / "new.csv").write_text("c,x,y\na,1,2\n,1,3\n")
    assert "train again: linreg train -c" in linreg("evaluate", "latest", "--data", "new.csv").err


@pytest.mark.parametrize(
    ("source", "columns"),
    [("{source: inline, columns: [a, y], rows: [[1, 3], [2, 5], [6, 13]]}", "a"), ("{source: synthetic}", "x1,x2")],
)
@pytest.mark.parametrize("missing", ["mean", "median", "drop"])
def test_numbers_without_gaps_say_what_is_done_with_those_of_another_table(
    linreg, config_file, csv, source, columns, missing
):
    """`preprocess.missing` of rows that are generated, or stand in the config."""
    text = f"data: {source}\npreprocess: {{missing: {missing}}}\nplots: false\noptimizer: {{lr: 0.01}}\n"
    assert linreg("train", "-c", config_file(text)).code == 0
    csv(f"{columns}\n" + ",".join("1" for _ in columns.split(",")) + "\n" + ("," if "," in columns else '""') + "\n")
    assert linreg("predict", "latest", "--data", "t.csv", "-o", "p.csv").code == 0
    cells = [line.rpartition(",")[2] for line in Path("p.csv").read_text().splitlines()[1:]]
    assert float(cells[0])
    assert (cells[1] == "") == (missing == "drop")
    if missing != "drop" and columns == "a":  # the mean is 3, the median 2
        fill = {"mean": 3, "median": 2}[missing]
        csv(f"a\n{fill}\n")
        assert linreg("predict", "latest", "--data", "t.csv", "-o", "q.csv").code == 0
        assert Path("q.csv").read_text().splitlines()[1].rpartition(",")[2] == cells[1]
