"""The rows of a Parquet file in batches: the same ones, however few columns are read at a time."""

import datetime
import os
from io import FileIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from linreg_cli.data.tables import parquet_rows
from linreg_cli.data.tables.open import open_table
from linreg_cli.data.tables.parquet_rows import of_rows, row_batches, rows_within
from linreg_cli.errors import DataError
from linreg_cli.temporary import folder

N = 1_000


@pytest.fixture
def path(tmp_path):
    """Row groups of 300 rows, and one of none, of columns of many types with gaps."""
    rng = np.random.default_rng(0)
    columns = {
        "x": pa.array(rng.normal(size=N)), "i": pa.array([None if i % 7 == 0 else i for i in range(N)]),
        "t": pa.array([f"text {i % 13}" if i % 5 else None for i in range(N)]),
        "d": pa.array([datetime.date(2020, 1, 1) + datetime.timedelta(i) for i in range(N)]),
        "b": pa.array([i % 3 == 0 for i in range(N)]), "l": pa.array([[i, i + 1] for i in range(N)]),
        "s": pa.array([{"u": i, "v": str(i)} for i in range(N)]), "a.b": pa.array(np.arange(N, dtype="float32")),
    }  # fmt: skip
    table = pa.table(columns)
    with pq.ParquetWriter(tmp_path / "t.parquet", table.schema) as writer:
        for start in range(0, N, 300):
            writer.write_table(table.slice(start, 300))
        writer.write_table(table.slice(0, 0))
    return tmp_path / "t.parquet"


def batches(path, columns, n_rows, most, groups=None):
    with pq.ParquetFile(path, pre_buffer=False, buffer_size=1_000) as file:
        chosen = range(file.metadata.num_row_groups) if groups is None else groups
        return list(row_batches(file, list(chosen), columns, n_rows, buffer=1_000, most=most))


@pytest.mark.parametrize("n_rows", [128, 300, 450, 5_000])
@pytest.mark.parametrize("columns", [["x", "i", "t", "d", "b", "l", "s", "a.b"], ["a.b", "t", "x"], ["s", "l"]])
def test_batches_from_the_disk_are_those_of_pyarrow(path, columns, n_rows, monkeypatch):
    opened = []
    monkeypatch.setattr(
        parquet_rows, "open_nameless", lambda real=parquet_rows.open_nameless: opened.append(1) or real()
    )
    for groups in (None, [1, 2], [3]):
        direct = batches(path, columns, n_rows, 2**30, groups)
        assert not opened
        found = batches(path, columns, n_rows, 1_000, groups)
        assert opened
        opened.clear()
        assert [each.num_rows for each in found] == [each.num_rows for each in direct]
        assert all(one.equals(other) for one, other in zip(found, direct, strict=True))


def test_no_more_columns_are_read_at_a_time_than_a_reader_may_hold(tmp_path):
    rng = np.random.default_rng(0)
    pq.write_table(pa.table({f"x{j}": rng.normal(size=20_000) for j in range(40)}), tmp_path / "t.parquet")
    read = []

    class Noting(pq.ParquetFile):
        def iter_batches(self, *arguments, **more):
            read.append(arguments[2])
            return super().iter_batches(*arguments, **more)

    with Noting(tmp_path / "t.parquet", pre_buffer=False, buffer_size=2**18) as file:
        names = [f"x{j}" for j in range(40)]
        found = pa.Table.from_batches(row_batches(file, [0], names, 1_000, buffer=2**18, most=2**22))
        # 20,000 numbers of 8 bytes and their dictionary, and what is read ahead of them
        assert file.metadata.row_group(0).column(0).total_uncompressed_size > 160_000
    assert max(map(len, read)) <= 2**20 // 320_000
    assert [name for some in read for name in some] == names
    assert found.equals(pq.read_table(tmp_path / "t.parquet"))


def test_a_table_is_read_in_the_memory_that_its_limit_leaves(path):
    direct, found = (open_table(str(path), memory_limit=limit) for limit in (None, 6_000))
    columns = [name for name in direct.columns if name != "s"]
    one, other = (pa.concat_tables(each.row_blocks()).select(columns) for each in (direct, found))
    assert one.equals(other)
    assert found.cell("t", 901) == direct.cell("t", 901)
    blocks = zip(found.cell_blocks(["x"], ["t"], (250, 950)), direct.cell_blocks(["x"], ["t"], (250, 950)), strict=True)
    for ours, theirs in blocks:
        assert np.array_equal(ours.numbers["x"].values[:], theirs.numbers["x"].values[:])
        assert ours.others.equals(theirs.others)


def test_rows_are_regrouped_and_none_is_lost():
    parts = [
        pa.record_batch({"x": pa.array(range(start, stop), pa.int64())})
        for start, stop in ((0, 3), (3, 3), (3, 11), (11, 12))
    ]
    for n_rows in (1, 4, 12, 50):
        found = list(of_rows(parts, n_rows))
        assert [value for batch in found for value in batch.column("x").to_pylist()] == list(range(12))
        assert {batch.num_rows for batch in found[:-1]} <= {n_rows}


@pytest.mark.parametrize("what", ["making", "writing"])
def test_a_full_disk_is_named_and_not_the_table(path, monkeypatch, what):
    class Full(FileIO):
        def write(self, content):
            raise OSError(28, os.strerror(28))

    def opened():
        if what == "making":
            raise OSError(28, os.strerror(28))
        return Full(os.devnull, "r+b")

    monkeypatch.setattr(parquet_rows, "open_nameless", opened)
    with pytest.raises(DataError, match=f"^{folder()}: a temporary file .* No space left on device; set TMPDIR to "):
        open_table(str(path), memory_limit=6_000).read(["x"], ["t", "d", "l"])


@pytest.mark.parametrize("sampled", [True, False])
def test_rows_with_long_cells_are_counted_by_what_they_take(tmp_path, sampled):
    """Numbers take 8 bytes; 2,000 texts that differ 500 and an offset; of 5 texts the file stores each once."""
    rng = np.random.default_rng(0)
    differ = ["".join(rng.choice(list("abcdefgh"), 500)) for _ in range(2_000)]
    columns = {"x": rng.normal(size=2_000), "differ": differ, "five": [differ[i % 5] for i in range(2_000)]}
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    with pq.ParquetFile(tmp_path / "t.parquet") as file:
        rows = {
            names: rows_within(file, [0], names.split(), 2**20, sampled=sampled) for names in ("x", "differ", "five")
        }
        both = rows_within(file, [0], ["x", "differ"], 2**20, sampled=sampled)
    assert rows["x"] is None
    assert rows["differ"] == pytest.approx(2**20 / 504, rel=0.01)
    assert both == pytest.approx(2**20 / 512, rel=0.01)
    assert rows["five"] == pytest.approx(2**20 / 504, rel=0.01) if sampled else rows["five"] > 2**16


def test_blocks_of_rows_with_long_cells_are_no_larger_than_was_asked(tmp_path):
    texts = [chr(97 + i % 26) * 10_000 for i in range(3_000)]
    pq.write_table(pa.table({"x": np.arange(3_000.0), "t": texts}), tmp_path / "t.parquet")
    table = open_table(str(tmp_path / "t.parquet"), missing_values=[])
    blocks = list(table.row_blocks(2**20))
    assert max(block.nbytes for block in blocks) <= 2**20
    assert min(block.num_rows for block in blocks[:-1]) > 50
    assert pa.concat_tables(blocks).column("t").to_pylist() == texts
