"""Tables of every format: the same values from all of them, read and never written."""

import hashlib
import json

import numpy as np
import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from reading import error_of, load

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
    assert error_of(tmp_path) == f"{tmp_path}: the folder has no .csv, .tsv, .parquet, .arrow, .feather or .jsonl files"


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


def test_a_split_column_must_hold_text(tmp_path):
    pq.write_table(pa.table({"s": [["train"]], "x": [1], "y": [2]}), tmp_path / "t.parquet")
    assert "column 's' has type list" in error_of(tmp_path / "t.parquet", split={"column": "s"})


def test_a_categorical_split_column(tmp_path):
    folds = pa.array(["train", "test", "train"]).dictionary_encode()
    pq.write_table(pa.table({"s": folds, "x": [1, 2, 3], "y": [1, 2, 3]}), tmp_path / "t.parquet")
    dataset = load(tmp_path / "t.parquet", split={"column": "s"})
    assert dataset.features == ("x",)
    assert dataset.splits["train"].tolist() == [0, 2]
