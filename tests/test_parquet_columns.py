"""Columns of numbers of Parquet files: a few at a time, with the cells that pyarrow has."""

import os

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
    return read_numbers([TableFile(str(part)) for part in parts], ["x", "g", "i", "s"], marks)


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


def exact_columns():
    """Columns with the ends of their types, and the bytes that a number of each takes on the disk."""
    rng, single = np.random.default_rng(3), np.finfo(np.float32)
    ends = [single.max, single.smallest_subnormal, -0.0, np.nan, np.inf, 1 / 3]
    plain = {
        "float32": np.concatenate([np.array(ends, np.float32), rng.normal(size=994).astype(np.float32)]),
        "float16": rng.normal(size=1_000).astype(np.float16),
        "uint8": np.arange(1_000).astype(np.uint8),
        "int16": rng.integers(-(2**15), 2**15, 1_000, dtype=np.int16),
        "uint16": rng.integers(0, 2**16, 1_000, dtype=np.uint16),
        "int32": np.concatenate([[2**24 + 1, 2**31 - 1], np.arange(998)]).astype(np.int32),  # not exact in float32
        "float64": rng.normal(size=1_000),
    }
    return plain, {"int32": 8, "float64": 8}


def test_columns_of_short_types_take_half_of_the_space_on_the_disk_and_give_the_same_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr(on_disk, "GROUP_CELLS", 64)
    monkeypatch.setattr(on_disk, "GROUP_ROWS", 16)
    handles, nameless = [], on_disk.open_nameless
    monkeypatch.setattr(on_disk, "open_nameless", lambda: handles.append(nameless()) or handles[-1])
    plain, long = exact_columns()
    pq.write_table(pa.table(plain), tmp_path / "t.parquet")
    files = [TableFile(str(tmp_path / "t.parquet"))]
    found = read_numbers(files, list(plain), ())
    assert os.fstat(handles[0].fileno()).st_size == 1_000 * sum(long.get(name, 4) for name in plain)
    for name, values in plain.items():
        assert found[name].values[0:1_000].tobytes() == values.astype(np.float64).tobytes(), name
        some = np.array([999, 0, 512])
        assert found[name].values[some].tobytes() == values[some].astype(np.float64).tobytes(), name


def test_a_column_that_is_short_in_one_part_only_is_kept_in_full(tmp_path, monkeypatch):
    monkeypatch.setattr(on_disk, "GROUP_CELLS", 8)
    monkeypatch.setattr(on_disk, "GROUP_ROWS", 4)
    parts = [pa.array([0.5] * 10, pa.float32()), pa.array([0.1] * 10, pa.float64())]
    for place, values in enumerate(parts):
        pq.write_table(pa.table({"x": values}), tmp_path / f"{place}.parquet")
    files = [TableFile(str(tmp_path / f"{place}.parquet")) for place in range(2)]
    found = read_numbers(files, ["x"], ())["x"].values
    assert found[0:20].tolist() == [0.5] * 10 + [0.1] * 10


def test_missing_and_infinite_cells_are_counted_while_they_are_read(parts, monkeypatch):
    expected = {name: whole(parts, name) for name in "xgis"}
    monkeypatch.setattr(on_disk, "GROUP_CELLS", 64)
    monkeypatch.setattr(on_disk, "GROUP_ROWS", 16)
    found = read(parts, marks=[-3.0])
    monkeypatch.setattr(on_disk.NumberFile, "read", None)  # nothing is read back
    for name, values in expected.items():
        assert found[name].n_missing == np.count_nonzero(np.isnan(values) | (values == -3)), name
        assert found[name].n_infinite == 0
