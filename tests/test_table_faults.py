"""What is said about a bad table: where, what was found, and what to do."""

import datetime
import gzip
import math
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import test_table
from reading import error_of, load

from linreg_cli.data.encoding.cells import raw_columns
from linreg_cli.data.encoding.treatments import Treatment
from linreg_cli.data.tables.blocks import cells_of

# A fixture of test_table.py: pytest finds it by its name in this module.
table = test_table.table

WHOLE = gzip.compress(b"x,y\n" + b"1.2345,2.3456\n" * 5000, mtime=0)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv.gz", b"x,y\n1,2\n", "cannot be read: zlib inflate failed"),
        ("t.csv.gz", WHOLE[: len(WHOLE) // 2], "cannot be read: Truncated compressed stream"),
        ("t.parquet", b"x,y\n1,2\n", "cannot be read as .parquet"),
        ("t.arrow", b"x,y\n1,2\n" * 10, "cannot be read as .arrow"),
        ("t.jsonl", b"", "the file is empty"),
        ("t.jsonl", b'{"x": 1, "y": 2}\n\n{"x": 1,\n', "t.jsonl, line 3: expected a JSON object, found '{\"x\": 1,'"),
        ("t.jsonl", b"[1, 2]\n", "t.jsonl, line 1: expected a JSON object, found '[1, 2]'"),
        (
            "t.jsonl",
            b'{"x": 1, "y": 2}\n{"x": [1], "y": 2}\n',
            "line 2: 'x' is a list, and on line 1 it is a number; use one type",
        ),
        ("t.jsonl", b'{"x": 1, "y": 2}\n{"y": 2}\n', "row 2, column 'x': the cell is missing"),
        ("t.xlsx", b"PK", "unsupported file format; linreg reads .csv, .tsv, .csv.gz"),
        ("t", b"x,y\n1,2\n", "unsupported file format"),
        ("t.csv.bz2", b"", "unsupported file format"),
    ],
)
def test_files_that_are_not_what_they_are_called(name, content, message, csv):
    path = csv(content, name)
    error = error_of(path)
    assert error.startswith(str(path))
    assert message in error


def test_no_such_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert error_of("none.csv") == f"none.csv: there is no such file (in {tmp_path})"
    assert error_of(tmp_path / "none.csv") == f"{tmp_path / 'none.csv'}: there is no such file"
    assert "File name too long" in error_of("n" * 300 + ".csv")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(csv):
    path = csv("x,y\n1,2\n")
    path.chmod(0)
    assert f"{path}: cannot be read: Permission denied" in error_of(path)


DAY = datetime.date(2020, 1, 31)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            pa.array(["a", "b"]),
            "row 1, column 'x': 'a' is not a number; set preprocess.categorical: one_hot, leave the column out",
        ),
        (pa.array([None, "b"]), "row 2, column 'x': 'b' is not a number"),
        (
            pa.array(["1", "2"]),
            "row 1, column 'x': the column holds numbers as text, such as '1'; set preprocess.categorical: one_hot, or",
        ),
        (pa.array(["a", "b"], pa.large_string()), "row 1, column 'x': 'a' is not a number"),
        (pa.array(["a", "b"]).dictionary_encode(), "row 1, column 'x': 'a' is not a number"),
        (
            pa.array([True, False]),
            "the column holds true and false; set preprocess.categorical: one_hot, leave the column out",
        ),
        (pa.array([DAY, DAY]), "the column holds dates or times, such as 2020-01-31; take the days since 1970"),
        (pa.array([{"a": 1}, {"a": 2}]), "the column holds values of type struct<a: int64>"),
        (pa.array([1.0, None]), "row 2, column 'x': the cell is missing; fill it in"),
        (pa.array([1.0, math.nan]), "row 2, column 'x': the cell is missing; fill it in"),
        (pa.array([1.0, math.inf]), "row 2, column 'x': the value is infinite or overflows float64"),
        (pa.nulls(2), "row 1, column 'x': the cell is missing (2 missing cells in the column)"),
        (pa.nulls(2, pa.string()), "row 1, column 'x': the cell is missing (2 missing cells in the column)"),
        (pa.nulls(2, pa.date32()), "row 1, column 'x': the cell is missing (2 missing cells in the column)"),
    ],
    ids=lambda value: str(getattr(value, "type", "")),
)
def test_columns_that_are_not_numbers(values, message, tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"x": values, "y": [1, 2]}), path)
    error = error_of(path)
    assert error.startswith(f"{path}, ")
    assert message in error


def test_faults_of_all_columns_are_reported_at_once():
    values = pa.table({"a": ["u"], "b": [math.inf], "c": [1.0], "d": [True]})
    raw, faults = raw_columns(cells_of(values, list("abcd"), ()), dict.fromkeys("abcd", Treatment()), (), "t")
    assert [fault.where for fault in faults] == [f"t, row 1, column '{name}'" for name in "abd"]
    assert list(raw) == ["c"]


@pytest.mark.parametrize(
    ("data", "messages"),
    [
        ({"target": "z"}, ["data.target: there is no column 'z'; allowed: x, n, y"]),
        (
            {"features": ("x", "nn"), "ignore": ("yy",)},
            ["data.features: there is no column 'nn'; did you mean 'n'?", "data.ignore: there is no column 'yy'"],
        ),
        ({"features": ("x", "y")}, ["data.features: 'y' is also under data.target"]),
        ({"features": ("x",), "ignore": ("x",)}, ["data.features: 'x' is also under data.ignore"]),
        ({"ignore": ("y",)}, ["data.ignore: 'y' is also the target"]),
        ({"ignore": ("x", "n")}, ["no feature is left: every column is a target or ignored"]),
    ],
)
def test_columns_that_cannot_be_chosen(data, messages, csv):
    faults = error_of(csv("x,n,y\n1,2,3\n"), **data).splitlines()
    assert len(faults) == len(messages)
    for fault, message in zip(faults, messages, strict=True):
        assert message in fault


# A table that a finished run is applied to.


@pytest.fixture
def run(linreg, config_file):
    """A run on columns x, z and y, in float32; gives the command line."""
    config = config_file("data: {source: inline, columns: [x, z, y], rows: [[1, 2, 3], [2, 3, 4]]}\nplots: false\n")
    assert linreg("train", "-c", config).code == 0
    return linreg


@pytest.mark.parametrize(
    ("name", "content", "faults"),
    [
        (
            "p.csv",
            "z;x;y\n1;2;3\n",
            [
                "p.csv: the cells seem to be separated by semicolons; write it in the format of the training data",
                "p.csv: the table lacks columns that the run needs: x, z; it has z;x;y",
            ],
        ),
        ("p.csv", "z,x,y\n1e308,1e308,3\n", ["p.csv, row 1: the prediction overflows float64"]),
        ("p.csv", "z,x,y\n", ["p.csv: the table has no rows"]),
        ("p.jsonl", '{"x": 1, "y": 3}\n', ["p.jsonl: the table lacks columns that the run needs: z; it has x, y"]),
    ],
)
def test_predict_says_what_is_wrong_with_its_table(name, content, faults, run, csv):
    csv(content, name)
    run("train", "-c", "config.yaml", "--set", "model.init.weight=5", "--set", "optimizer.lr=1e-9")
    result = run("predict", "latest", "--data", name)
    assert (result.code, result.out) == (3, "")
    assert result.err.splitlines() == [f"error: {fault}" for fault in faults]


def test_evaluate_says_which_cell_does_not_fit_the_model(run, csv):
    csv("z,x,y\n1,2,3\n1,1e39,3\n", "p.csv")
    result = run("evaluate", "latest", "--data", "p.csv")
    assert result.code == 3
    assert result.err.startswith("error: p.csv, row 2, column 'x': 1e+39 overflows float32")


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "t.csv")
    assert "not a file but a pipe or a device; write the table to a file first" in error_of(tmp_path / "t.csv")


def test_parts_in_folders_of_their_own_are_refused_and_not_left_out(tmp_path):
    table = pa.table({"x": [1.0, 2.0], "y": [1, 2]})
    (tmp_path / "parts" / "year=2020").mkdir(parents=True)
    (tmp_path / "parts" / "_temporary").mkdir()
    for name in ("a.parquet", "_temporary/b.parquet"):
        pq.write_table(table, tmp_path / "parts" / name)
    assert load(tmp_path / "parts").n_samples == 2
    pq.write_table(table, tmp_path / "parts" / "year=2020" / "a.parquet")
    assert "its folder year=2020 has .parquet files too" in error_of(tmp_path / "parts")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_a_folder_that_may_not_be_read(tmp_path):
    (tmp_path / "parts").mkdir(mode=0o111)
    assert "the folder cannot be read: Permission denied" in error_of(tmp_path / "parts")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.xlsx", "PK", "save the sheet as CSV"),
        ("t.txt", "x y\n1 2\n", 'the cells seem to be separated by single spaces; set data.delimiter: " "'),
        ("t.json", "[]", "write an object in each line, of a list of objects with: jq -c '.[]' "),
        ("t.zip", "PK", "unpack it: unzip "),
        ("t", "x,y\n1,2\n", "set data.format: csv (--format csv for a file of the command line)"),
        (
            "t.csv",
            '{"x": 1, "y": 2}\n{"x": 3, "y": 4}\n',
            "looks like JSON; write one object per line and rename it to .jsonl",
        ),
        ("t.csv", "x y\n1 2\n", 'the cells seem to be separated by single spaces; set data.delimiter: " "'),
        ("t.csv", "Sales 2020,,\nx,z,y\n1,2,3\n", "looks like a title; delete the lines above the column names"),
        ("t.csv", "Sales of 2020\n\nx,y\n1,2\n3,4\n", "looks like a title; delete the lines above the column names"),
        ("t.csv", "Lot Size;y\n1;2\n", 'the cells seem to be separated by semicolons; set data.delimiter: ";"'),
        ("t.csv", "a b|c d|y\n1|2|3\n", 'the cells seem to be separated by vertical bars; set data.delimiter: "|"'),
        ("t.csv", " x , y \n1,2\n", "did you mean ' y '?"),
    ],
)
def test_what_people_have_instead_of_a_table(name, content, message, tmp_path):
    (tmp_path / name).write_text(content)
    assert message in error_of(tmp_path / name)


def test_the_target_cannot_say_the_split(tmp_path):
    (tmp_path / "t.csv").write_text("x,y\n1,2\n3,4\n")
    assert "data.split.column: 'y' is also the target" in error_of(tmp_path / "t.csv", split={"column": "y"})


@pytest.mark.parametrize(
    ("cell", "remedy"),
    [
        ("\u22123.5", "it has a dash for a minus sign; write -3.5"),
        ("(3.5)", "it has parentheses; write -3.5"),
        ("$(3.5)", "it has a currency sign and parentheses; write -3.5"),
    ],
)
def test_a_number_that_is_written_otherwise_is_not_called_missing(cell, remedy, tmp_path):
    (tmp_path / "t.csv").write_text("x,y\n" + "1,2\n" * 5 + f"{cell},3\n")
    message = error_of(tmp_path / "t.csv")
    assert remedy in message
    assert "missing_values" not in message


def test_a_target_of_truths_is_told_in_words_that_fit(tmp_path):
    pq.write_table(pa.table({"x": [1.0, 2.0], "y": [True, False]}), tmp_path / "t.parquet")
    assert "the column holds true and false; convert it to 0 and 1, or choose another" in error_of(
        tmp_path / "t.parquet"
    )
