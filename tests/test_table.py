"""Tables of every format: the same values from all of them, and what is said about bad ones."""

import datetime
import gzip
import hashlib
import json
import math
import os

import numpy as np
import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from linreg_cli.config import Config
from linreg_cli.data import load_dataset
from linreg_cli.data.encoding.cells import Treatment, raw_columns
from linreg_cli.data.tables.blocks import cells_of
from linreg_cli.errors import DataError

N_ROWS = 500


@pytest.fixture
def table() -> pa.Table:
    stream = np.random.default_rng(8)
    values = stream.normal(size=N_ROWS) * 10.0 ** stream.integers(-30, 30, N_ROWS)
    return pa.table(
        {
            "note": [f'row {row}, "quoted"' for row in range(N_ROWS)],
            "x": values,
            "n": stream.integers(-5, 5, N_ROWS),
            "y": stream.random(N_ROWS),
        }
    )


def write_csv(table, path, delimiter=","):
    with pa.output_stream(str(path), compression="detect") as sink:
        pcsv.write_csv(table, sink, pcsv.WriteOptions(delimiter=delimiter))


def write_parts(table, path):
    path.mkdir()
    for number, start in enumerate(range(0, N_ROWS, 200)):
        pq.write_table(table.slice(start, 200), path / f"part-{number}.parquet")
    (path / "_SUCCESS").touch()


def write_stream(table, path):
    """As Hugging Face's datasets are kept: batches without a table of them at the end."""
    with pa.ipc.new_stream(path, table.schema) as sink:
        sink.write_table(table, max_chunksize=77)


def write_jsonl(table, path):
    path.write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))


WRITERS = {
    "t.csv": write_csv,
    "t.CSV": write_csv,
    "t.csv.gz": write_csv,
    "t.csv.zst": write_csv,
    "t.tsv": lambda table, path: write_csv(table, path, "\t"),
    "t.tsv.gz": lambda table, path: write_csv(table, path, "\t"),
    "t.parquet": lambda table, path: pq.write_table(table, path, row_group_size=77),
    "t.arrow": lambda table, path: feather.write_feather(table, str(path), compression="uncompressed"),
    "t.feather": lambda table, path: feather.write_feather(table, str(path), compression="lz4"),
    "stream.arrow": write_stream,
    "t.jsonl": write_jsonl,
    "parts": write_parts,
}


def config(path, **data) -> Config:
    return Config.model_validate({"data": {"path": str(path), "target": "y", **data}})


def load(path, **data):
    return load_dataset(config(path, **data))


def error_of(path, **data) -> str:
    with pytest.raises(DataError) as caught:
        load(path, **data)
    return str(caught.value)


@pytest.fixture
def csv(tmp_path):
    """Write `t.csv` and give its path."""

    def write(content: str | bytes, name: str = "t.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_same_bits(name, table, tmp_path):
    path = tmp_path / name
    WRITERS[name](table, path)
    dataset = load(path, ignore=("note",))
    assert dataset.features == ("x", "n")
    assert dataset.n_samples == N_ROWS
    for column in ("x", "n", "y"):
        assert dataset.columns[column].dtype == np.float64
        assert dataset.columns[column].tobytes() == table.column(column).to_numpy().astype(np.float64).tobytes()


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.parquet", "parts", "t.jsonl"])
def test_a_source_table_is_only_read(name, table, tmp_path):
    path = tmp_path / name
    WRITERS[name](table, path)
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    before = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in files}
    for file in files:
        file.chmod(0o444)
    tmp_path.chmod(0o555)
    try:
        load(path, ignore=("note",))
    finally:
        tmp_path.chmod(0o755)
    assert {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in files} == before


@pytest.mark.parametrize("features", [("n", "x"), ("x",)])
def test_features_come_in_the_order_of_the_config(features, table, tmp_path):
    WRITERS["t.csv"](table, tmp_path / "t.csv")
    assert load(tmp_path / "t.csv", features=features).features == features


WHOLE = gzip.compress(b"x,y\n" + b"1.2345,2.3456\n" * 5000, mtime=0)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv.gz", b"x,y\n1,2\n", "cannot be read: zlib inflate failed"),
        ("t.csv.gz", WHOLE[: len(WHOLE) // 2], "cannot be read: Truncated compressed stream"),
        ("t.parquet", b"x,y\n1,2\n", "cannot be read as .parquet"),
        ("t.arrow", b"x,y\n1,2\n" * 10, "cannot be read as .arrow"),
        ("t.jsonl", b"", "cannot be read as .jsonl: Empty JSON file"),
        ("t.jsonl", b'{"x": 1, "y": 2}\n\n{"x": 1,\n', "t.jsonl, line 3: expected a JSON object, found '{\"x\": 1,'"),
        ("t.jsonl", b"[1, 2]\n", "t.jsonl, line 1: expected a JSON object, found '[1, 2]'"),
        (
            "t.jsonl",
            b'{"x": 1, "y": 2}\n{"x": "a", "y": 2}\n',
            "line 2: 'x' is text, and on line 1 it is a number; use one type",
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


def test_a_delimiter_is_for_text(tmp_path, table):
    pq.write_table(table, tmp_path / "t.parquet")
    assert "data.delimiter is for CSV files, and this is .parquet" in error_of(tmp_path / "t.parquet", delimiter=";")


def test_the_digest_is_checked(csv):
    path = csv("x,y\n1,2\n")
    right = hashlib.sha256(path.read_bytes()).hexdigest()
    assert load(path, sha256=right).n_samples == load(path, sha256=right.upper()).n_samples == 1
    wrong = "0" * 64
    expected = f"{path}: the file is not the expected one: its SHA-256 digest is {right}, and data.sha256 is {wrong}"
    assert error_of(path, sha256=wrong) == expected
    assert (
        error_of(path.parent, sha256=right)
        == f"{path.parent}: data.sha256 is the digest of one file, and this is a folder; remove it"
    )


def test_parts_may_order_columns_and_type_numbers_differently(tmp_path):
    pq.write_table(pa.table({"x": [1.5], "y": [1]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"y": [2.5], "x": [2]}), tmp_path / "b.parquet")
    dataset = load(tmp_path)
    assert dataset.columns["x"].tolist() == [1.5, 2]
    assert dataset.columns["y"].tolist() == [1, 2.5]


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"x": [1.0]}, "b.parquet: columns of a.parquet are missing here: y"),
        ({"x": ["a"], "y": [1]}, ": the schemas of the parts differ: Unable to merge: Field x"),
    ],
)
def test_parts_that_do_not_fit(second, message, tmp_path):
    pq.write_table(pa.table({"x": [1.0], "y": [1]}), tmp_path / "a.parquet")
    pq.write_table(pa.table(second), tmp_path / "b.parquet")
    assert message in error_of(tmp_path)


def test_a_folder_without_parts(tmp_path):
    assert error_of(tmp_path) == f"{tmp_path}: the folder has no .parquet files"


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
            "row 1, column 'x': the column holds numbers as text, such as '1'; store it with",
        ),
        (pa.array(["a", "b"], pa.large_string()), "row 1, column 'x': 'a' is not a number"),
        (pa.array(["a", "b"]).dictionary_encode(), "row 1, column 'x': 'a' is not a number"),
        (
            pa.array([True, False]),
            "the column holds true and false; set preprocess.categorical: one_hot, leave the column out",
        ),
        (pa.array([DAY, DAY]), "the column holds dates or times, such as 2020-01-31; leave the column out"),
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


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1, 2], pa.int8()),
        pa.array([1, 2], pa.uint64()),
        pa.array([1, 2], pa.float32()),
        pa.array(np.array([1, 2], np.float16)),
        pa.array([1, 2]).cast(pa.decimal128(30, 4)),
    ],
    ids=lambda value: str(value.type),
)
def test_every_kind_of_number_is_a_number(values, tmp_path):
    pq.write_table(pa.table({"x": values, "y": [1, 2]}), tmp_path / "t.parquet")
    assert load(tmp_path / "t.parquet").columns["x"].tolist() == [1.0, 2.0]


def test_faults_of_all_columns_are_reported_at_once():
    values = pa.table({"a": ["u"], "b": [math.inf], "c": [1.0], "d": [True]})
    raw, faults = raw_columns(cells_of(values, list("abcd"), ()), dict.fromkeys("abcd", Treatment()), (), "t")
    assert [fault.where for fault in faults] == [f"t, row 1, column '{name}'" for name in "abd"]
    assert list(raw) == ["c"]


def test_a_split_column_must_hold_text(tmp_path):
    pq.write_table(pa.table({"s": [["train"]], "x": [1], "y": [2]}), tmp_path / "t.parquet")
    assert "column 's' has type list" in error_of(tmp_path / "t.parquet", split={"column": "s"})


def test_a_categorical_split_column(tmp_path):
    folds = pa.array(["train", "test", "train"]).dictionary_encode()
    pq.write_table(pa.table({"s": folds, "x": [1, 2, 3], "y": [1, 2, 3]}), tmp_path / "t.parquet")
    dataset = load(tmp_path / "t.parquet", split={"column": "s"})
    assert dataset.features == ("x",)
    assert dataset.splits["train"].tolist() == [0, 2]


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
                "p.csv: the table lacks columns that the run needs: x, z; it has z;x;y",
                "p.csv: the cells seem to be separated by semicolons; write it in the format of the training data",
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
        ("t.txt", "x,y\n1,2\n", "rename it to .csv, and set data.delimiter"),
        (
            "t.csv",
            '{"x": 1, "y": 2}\n{"x": 3, "y": 4}\n',
            "looks like JSON; write one object per line and rename it to .jsonl",
        ),
        ("t.csv", "x y\n1 2\n", 'the cells seem to be separated by single spaces; set data.delimiter: " "'),
        ("t.csv", "Sales 2020,,\nx,z,y\n1,2,3\n", "looks like a title; delete the lines above the column names"),
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
        ("\u22123.5", "the minus sign is a dash: write -3.5"),
        ("(3.5)", "write -3.5 if the parentheses mean a negative number"),
        ("$(3.5)", "correct the cell"),
    ],
)
def test_a_number_that_is_written_otherwise_is_not_called_missing(cell, remedy, tmp_path):
    (tmp_path / "t.csv").write_text("x,y\n" + "1,2\n" * 5 + f"{cell},3\n")
    message = error_of(tmp_path / "t.csv")
    assert remedy in message
    assert ("missing_values" in message) is (cell == "$(3.5)")


def test_a_target_of_truths_is_told_in_words_that_fit(tmp_path):
    pq.write_table(pa.table({"x": [1.0, 2.0], "y": [True, False]}), tmp_path / "t.parquet")
    assert "the column holds true and false; convert it to 0 and 1, or choose another" in error_of(
        tmp_path / "t.parquet"
    )
