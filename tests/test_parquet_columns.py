"""Columns of numbers of Parquet files: a few at a time, with the cells that pyarrow has."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from linreg_cli.data.columns import on_disk
from linreg_cli.data.tables import parquet_columns
from linreg_cli.data.tables.parquet_columns import read_numbers
from linreg_cli.data.tables.table_file import TableFile


@pytest.fixture
def parts(tmp_path):
    """Two files of several row groups: integers, float32, decimals, gaps, and columns in another order."""
    rng, paths = np.random.default_rng(0), []
    for part, n_rows in enumerate((1_300, 700)):
        gaps = [None if i % 7 == 0 else float(i) for i in range(n_rows)]
        columns = {
            "i": pa.array(rng.integers(-9, 9, n_rows)), "s": pa.array(rng.normal(size=n_rows).astype("float32")),
            "g": pa.array(gaps), "x": pa.array(rng.normal(size=n_rows)),
        }  # fmt: skip
        names = list(columns) if part == 0 else list(columns)[::-1]
        paths.append(tmp_path / f"{part}.parquet")
        pq.write_table(pa.table({name: columns[name] for name in names}), paths[-1], row_group_size=300)
    return paths


def whole(parts, name):
    column = pa.concat_tables([pq.read_table(part).select([name]) for part in parts]).column(0)
    return np.array([np.nan if each is None else float(each) for each in column.to_pylist()])


def read(parts, marks=()):
    return read_numbers(
        [TableFile(str(part)) for part in parts], ["x", "g", "i", "s"], marks, lambda _, action: action()
    )


@pytest.mark.parametrize("cells", [4, 2**18], ids=["groups of two", "all at once"])
@pytest.mark.parametrize("group", [64, 2**19], ids=["on the disk", "in memory"])
def test_cells_are_those_of_the_files(parts, cells, group, monkeypatch):
    monkeypatch.setattr(parquet_columns, "TOGETHER_CELLS", cells)
    monkeypatch.setattr(on_disk, "GROUP_CELLS", group)
    monkeypatch.setattr(on_disk, "GROUP_ROWS", 16)
    found = read(parts)
    assert {isinstance(each.values, np.ndarray) for each in found.values()} == {group == 2**19}
    for name in found:
        np.testing.assert_array_equal(found[name].values[0:2_000], whole(parts, name))
    np.testing.assert_array_equal(found["g"].values[np.array([1_999, 3, 1_300])], whole(parts, "g")[[1_999, 3, 1_300]])


def test_numbers_that_mean_missing_are_missing(parts):
    expected = whole(parts, "i")
    found = read(parts, marks=[-3.0, 5.0])["i"].values[0:2_000]
    np.testing.assert_array_equal(found, np.where(np.isin(expected, [-3, 5]), np.nan, expected))


def test_few_columns_are_read_at_a_time_however_many_there_are(parts, monkeypatch):
    """A reader holds a page and a dictionary of each of its columns: with all of 200 at once, 600 MB."""
    together, batches = [], pq.ParquetFile.iter_batches

    def seen(self, size, row_groups, columns):
        together.append(columns)
        return batches(self, size, row_groups, columns=columns)

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", seen)
    monkeypatch.setattr(parquet_columns, "TOGETHER_CELLS", 1)
    read(parts)
    assert together == [["x", "g"], ["i", "s"]] * 2


def test_a_disk_that_is_full_leaves_the_columns_in_memory(parts, monkeypatch):
    monkeypatch.setattr(on_disk, "GROUP_CELLS", 64)
    monkeypatch.setattr(on_disk, "GROUP_ROWS", 16)
    monkeypatch.setattr(parquet_columns, "TOGETHER_CELLS", 1)
    write, calls = on_disk.NumberFile.write, []

    def full(self, *about):
        calls.append(about)
        if len(calls) > 2:
            raise OSError(28, "No space left on device")
        write(self, *about)

    monkeypatch.setattr(on_disk.NumberFile, "write", full)
    found = read(parts)
    assert len(calls) == 3
    for name in found:
        np.testing.assert_array_equal(found[name].values[0:2_000], whole(parts, name))
