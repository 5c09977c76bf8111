"""Parquet in a store of objects: the same batches in few requests, of no more bytes at once than may be held."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from object_store import running_store

from linreg_cli.data.tables.parquet_ahead import opened_parquet
from linreg_cli.data.tables.table_file import TableFile

N, GROUP = 6_000, 100


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """60 row groups of 100 rows, and one of none, of 12 columns."""
    rng = np.random.default_rng(0)
    columns = {f"x{i}": pa.array(rng.normal(size=N)) for i in range(9)}
    columns["t"] = pa.array([f"text {i % 13}" if i % 5 else None for i in range(N)])
    columns["s"] = pa.array([{"u": i, "v": str(i)} for i in range(N)])
    columns["c"] = pa.array([f"level {i // 700}" for i in range(N)]).dictionary_encode()
    path = tmp_path_factory.mktemp("parquet") / "t.parquet"
    with pq.ParquetWriter(path, pa.table(columns).schema) as writer:
        writer.write_table(pa.table(columns), row_group_size=GROUP)
        writer.write_table(pa.table(columns).slice(0, 0))
    return path


@pytest.fixture
def store(path, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "AWS_ENDPOINT_URL", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    with running_store() as store:
        store.objects["b/t.parquet"] = path.read_bytes()
        yield store


def batches(part, columns, n_rows, most, groups=None):
    with opened_parquet(part, len(columns), most) as file:
        chosen = range(file.num_row_groups) if groups is None else groups
        return list(file.iter_batches(n_rows, list(chosen), columns, use_threads=False))


@pytest.mark.parametrize("most", [1, 5_000, 40_000, 2**26])
@pytest.mark.parametrize("columns", [["x0", "t", "s", "x8"], ["x3"], ["x3", "c"], []], ids=str)
def test_the_batches_are_those_of_the_file(path, store, columns, most):
    part = TableFile(store.address("b/t.parquet"))
    for n_rows, groups in ((150, None), (100, [3, 4, 5, 40]), (10_000, [60, 7]), (64, [])):
        expected = batches(TableFile(str(path)), columns, n_rows, most, groups)
        found = batches(part, columns, n_rows, most, groups)
        if "c" in columns:  # where a column of dictionary type ends its batches is the reader's choice
            expected, found = ([pa.Table.from_batches(each)] if each else [] for each in (expected, found))
        assert [each.num_rows for each in found] == [each.num_rows for each in expected]
        assert [each.to_pydict() for each in found] == [each.to_pydict() for each in expected]


def test_many_row_groups_are_read_in_few_requests_of_no_more_bytes_than_may_be_held(path, store):
    columns = [f"x{i}" for i in range(9)]
    part = TableFile(store.address("b/t.parquet"))
    about = pq.read_metadata(path)
    of_group = sum(about.row_group(0).column(place).total_compressed_size for place in range(9))
    asked = {}
    for most in (1, 20 * of_group, 2**26):
        store.ranges.clear()
        batches(part, columns, 500, most)
        data_end = len(path.read_bytes()) - about.serialized_size - 8
        asked[most] = [(start, stop) for _, start, stop in store.ranges if start < data_end and stop <= data_end]
    assert len(asked[1]) >= 60 * 9  # each column of each row group, since none of them may be held
    assert len(asked[20 * of_group]) <= 6
    assert max(stop - start for start, stop in asked[20 * of_group]) <= len(path.read_bytes()) / 2
    assert len(asked[2**26]) <= 2
