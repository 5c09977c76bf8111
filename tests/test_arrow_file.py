"""The rows of an Arrow file in batches: the same ones, however large those are that it was written in."""

import numpy as np
import pyarrow as pa
import pytest

from linreg_cli.data.tables import parquet_rows
from linreg_cli.data.tables.arrow_file import arrow_batches, as_written
from linreg_cli.data.tables.open import open_table

N = 1_000
TABLE = pa.table(
    {
        "x": pa.array(np.random.default_rng(0).normal(size=N)),
        "i": pa.array([None if i % 7 == 0 else i for i in range(N)], pa.int32()),
        "t": pa.array([f"text {i % 13}" if i % 5 else None for i in range(N)]),
        "b": pa.array([i % 3 == 0 for i in range(N)]),
        "l": pa.array([[i, i + 1] for i in range(N)]),
        "c": pa.array([f"level {i % 3}" for i in range(N)]).dictionary_encode(),
    }
)


def write(path, compression=None, rows=N):
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_file(str(path), TABLE.schema, options=options) as writer:
        writer.write_table(TABLE, max_chunksize=rows)
    return path


def read(path, columns, n_rows, most):
    with pa.OSFile(str(path)) as stream:
        return list(arrow_batches(stream, columns, n_rows, most))


@pytest.mark.parametrize("compression", [None, "lz4"])
@pytest.mark.parametrize("columns", [list(TABLE.schema.names), ["b", "x"], ["t"]])
@pytest.mark.parametrize("most", [1, 20_000])
def test_columns_of_a_large_batch_that_are_read_some_at_a_time_are_those_of_pyarrow(
    tmp_path, compression, columns, most
):
    for rows in (N, 400):
        found = read(write(tmp_path / "t.arrow", compression, rows), columns, 128, most)
        assert max(each.num_rows for each in found) == 128
        assert pa.Table.from_batches(found).equals(TABLE.select(columns))


def test_the_rows_of_a_large_batch_are_counted_by_its_narrowest_column(tmp_path, monkeypatch):
    path, asked, opened = write(tmp_path / "t.arrow"), [], pa.ipc.open_file
    monkeypatch.setattr(pa.ipc, "open_file", lambda *of, **how: asked.append(how) or opened(*of, **how))
    found = read(path, [], 300, 1)
    assert [(each.num_rows, each.num_columns) for each in found] == [(300, 0), (300, 0), (300, 0), (100, 0)]
    assert [each["options"].included_fields for each in asked if each] == [[TABLE.schema.get_field_index("b")]]


def test_small_batches_stay_as_they_were_written(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_rows, "open_nameless", lambda: pytest.fail("no temporary file is needed"))
    found = read(write(tmp_path / "t.arrow", rows=400), ["x", "t"], 128, 2**30)
    assert [each.num_rows for each in found] == [400, 400, 200]


def test_streams_are_read_in_their_own_batches(tmp_path):
    with pa.ipc.new_stream(str(tmp_path / "t.arrow"), TABLE.schema) as writer:
        writer.write_table(TABLE, max_chunksize=600)
    assert [each.num_rows for each in read(tmp_path / "t.arrow", ["x"], 128, 1)] == [600, 400]
    with pa.OSFile(str(tmp_path / "t.arrow")) as stream:
        schema, batches = as_written(stream)
        assert pa.Table.from_batches(batches, schema).equals(TABLE)


def test_a_table_of_one_large_batch_gives_the_same_cells_within_a_limit(tmp_path):
    path = str(write(tmp_path / "t.arrow"))
    plain, limited = (open_table(path, missing_values=[], memory_limit=limit) for limit in (None, 1_000))
    assert limited.n_rows() == plain.n_rows() == N
    blocks = [each.select(["x", "i", "t"]) for each in limited.row_blocks(8_000, one_dictionary=False)]
    assert max(each.num_rows for each in blocks) < N
    assert pa.concat_tables(blocks).equals(TABLE.select(["x", "i", "t"]))
    cells = [each.read(["x", "i"], ["t"]) for each in (plain, limited)]
    assert np.array_equal(*(each.numbers["i"].values[:] for each in cells), equal_nan=True)
    assert np.array_equal(cells[1].numbers["x"].values[:], TABLE.column("x").to_numpy())
    assert limited.cell("t", 998) == "text 10"
