"""Tables that are written come back as they were."""

import gzip

import numpy as np
import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
import pytest

from linreg_cli.data.tables import write
from linreg_cli.data.tables.open import open_table
from linreg_cli.data.tables.write import COLUMN_BYTES, GROUP_BYTES, table_suffix, write_table
from linreg_cli.errors import UsageError

SUFFIXES = [".csv", ".csv.gz", ".csv.zst", ".tsv", ".parquet", ".arrow", ".feather", ".jsonl"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_numbers_come_back_bit_for_bit(tmp_path, suffix):
    # 1/3, the smallest normal double and 0.1 + 0.2 need all their digits.
    values = np.array([1 / 3, 2.2250738585072014e-308, 0.1 + 0.2, -1e300, 5.0])
    path = tmp_path / f"t{suffix}"
    assert write_table(path, suffix, pa.table({"x": values, "y": values[::-1]})) == 5
    table = open_table(str(path)).read(["y", "x"])
    assert table.column("x").to_numpy().tobytes() == values.tobytes()
    assert table.column("y").to_numpy().tobytes() == values[::-1].tobytes()


def test_batches_become_one_table(tmp_path):
    batches = (pa.RecordBatch.from_pydict({"x": [float(start), start + 1.0]}) for start in range(0, 6, 2))
    assert write_table(tmp_path / "t.parquet", ".parquet", batches) == 6
    assert pq.read_table(tmp_path / "t.parquet").column("x").to_pylist() == [0, 1, 2, 3, 4, 5]


def test_csv_quotes_only_where_it_must(tmp_path):
    write_table(tmp_path / "plain.csv", ".csv", pa.table({"name": ["a", "b c"], "x": [1.5, 2.0]}))
    assert (tmp_path / "plain.csv").read_text() == "name,x\na,1.5\nb c,2\n"
    awkward = ['say "hi"', "a,b", "two\nlines", ""]
    write_table(tmp_path / "awkward.csv", ".csv", pa.table({"a,b": awkward, "x": [1, 2, 3, 4]}))
    options = pcsv.ParseOptions(newlines_in_values=True)
    back = pcsv.read_csv(tmp_path / "awkward.csv", parse_options=options)
    assert back.column_names == ["a,b", "x"]
    assert back.column(0).to_pylist() == awkward


def test_an_empty_table_keeps_its_header(tmp_path):
    schema = pa.schema([("x", pa.float64()), ("y", pa.float64())])
    assert write_table(tmp_path / "t.csv", ".csv", schema.empty_table()) == 0
    assert (tmp_path / "t.csv").read_text() == "x,y\n"


def test_compressed_bytes_do_not_depend_on_the_time(tmp_path):
    for name in ("a", "b"):
        write_table(tmp_path / f"{name}.csv.gz", ".csv.gz", pa.table({"x": [1.0]}))
    assert (tmp_path / "a.csv.gz").read_bytes() == (tmp_path / "b.csv.gz").read_bytes()
    assert gzip.decompress((tmp_path / "a.csv.gz").read_bytes()) == b"x\n1\n"


def test_batches_of_few_rows_become_row_groups_of_some_mebibytes(tmp_path):
    """A writer keeps a description of each column of each row group: a group for each batch has megabytes of them."""
    values = np.arange(1_200_000.0)
    batches = [pa.RecordBatch.from_arrays([pa.array(part)], ["x"]) for part in np.split(values, 400)]
    write_table(tmp_path / "t.parquet", ".parquet", batches)
    metadata = pq.read_metadata(tmp_path / "t.parquet")
    groups = [metadata.row_group(each).num_rows for each in range(metadata.num_row_groups)]
    assert all(8 * rows >= GROUP_BYTES for rows in groups[:-1])
    assert len(groups) == -(-8 * len(values) // max(8 * rows for rows in groups)) < len(batches)
    np.testing.assert_array_equal(pq.read_table(tmp_path / "t.parquet").column("x").to_numpy(), values)


def test_a_row_group_of_a_wide_table_has_more_of_each_column_than_its_description(tmp_path):
    n_columns, n_rows = 500, 3_000
    schema = pa.schema([(f"x{position}", pa.float64()) for position in range(n_columns)])
    part = pa.RecordBatch.from_arrays([pa.array(np.arange(100.0))] * n_columns, schema=schema)
    write_table(tmp_path / "t.parquet", ".parquet", [part] * (n_rows // 100))
    metadata = pq.read_metadata(tmp_path / "t.parquet")
    groups = [metadata.row_group(each).num_rows for each in range(metadata.num_row_groups)]
    assert sum(groups) == n_rows
    assert all(COLUMN_BYTES <= 8 * rows < COLUMN_BYTES + 8 * 100 for rows in groups[:-1])


def test_the_row_groups_of_a_long_table_grow_with_the_square_root_of_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(write, "GROUP_BYTES", 800)
    monkeypatch.setattr(write, "COLUMN_BYTES", 0)
    batch = pa.RecordBatch.from_arrays([pa.array(np.arange(100.0))], ["x"])
    found = {}
    for n_batches in (2_500, 10_000):
        write_table(tmp_path / "t.parquet", ".parquet", [batch] * n_batches)
        metadata = pq.read_metadata(tmp_path / "t.parquet")
        sizes = [metadata.row_group(each).num_rows for each in range(metadata.num_row_groups)]
        assert sum(sizes) == 100 * n_batches
        found[n_batches] = len(sizes), max(sizes)
    for one, four in zip(found[2_500], found[10_000], strict=True):
        assert 1.7 < four / one < 2.3


@pytest.mark.parametrize(
    ("name", "suffix"), [("a.b.CSV", ".csv"), ("x.csv.gz", ".csv.gz"), ("d/y.parquet", ".parquet")]
)
def test_the_name_says_the_format(name, suffix):
    assert table_suffix(name) == suffix


@pytest.mark.parametrize("name", ["table", "table.xlsx", "table.gz"])
def test_an_unknown_format_is_a_usage_error_that_lists_the_known(name):
    with pytest.raises(UsageError, match=r"must end in one of .*\.parquet"):
        table_suffix(name)
