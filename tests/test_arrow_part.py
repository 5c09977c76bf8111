"""One file of a table with column types: the rows of each format as pyarrow has them, and errors that name the file."""

import json
import warnings

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from linreg_cli.data.tables.arrow_part import ArrowPart
from linreg_cli.data.tables.blocks import ColumnSink
from linreg_cli.errors import DataError

ROWS = pa.table({"x": np.arange(100) / 8, "c": [f"level {i % 3}" for i in range(100)]})


def stream(path):
    with pa.ipc.new_stream(path, ROWS.schema) as writer:
        writer.write_table(ROWS, max_chunksize=9)


def ipc(path):
    with pa.ipc.new_file(path, ROWS.schema) as writer:
        writer.write_table(ROWS, max_chunksize=9)


def feather_1(path):
    with warnings.catch_warnings(action="ignore"):  # Arrow may stop to write them, not to read them
        feather.write_feather(ROWS, path, version=1)


WRITERS = {
    "t.parquet": lambda path: pq.write_table(ROWS, path, row_group_size=11),
    "file.arrow": ipc,
    "stream.arrow": stream,
    "v1.feather": feather_1,
    "v2.feather": lambda path: feather.write_feather(ROWS, path, chunksize=9),
    "t.jsonl": lambda path: path.write_text("\n".join(map(json.dumps, ROWS.to_pylist()))),
}


@pytest.fixture(params=WRITERS)
def path(request, tmp_path):
    WRITERS[request.param](tmp_path / request.param)
    return tmp_path / request.param


@pytest.mark.filterwarnings("ignore:Feather V1:DeprecationWarning")
@pytest.mark.parametrize("rows", [None, (0, 100), (17, 58), (99, 100), (40, 40)])
def test_rows_are_those_that_were_written(path, rows):
    part = ArrowPart(str(path), 2**30)
    expected = ROWS if rows is None else ROWS.slice(rows[0], rows[1] - rows[0])
    found = list(part.batches(["c", "x"], rows=rows))
    got = pa.Table.from_batches(found, pa.schema([ROWS.field("c"), ROWS.field("x")]))
    assert got.to_pylist() == expected.select(["c", "x"]).to_pylist()
    assert (part.n_rows(), part.schema.names, part.read().to_pylist()) == (100, ["x", "c"], ROWS.to_pylist())
    assert part.absent(["c", "z"]) == ["z"]


@pytest.mark.filterwarnings("ignore:Feather V1:DeprecationWarning")
def test_a_collector_gets_the_columns_also_of_no_row(path):
    for rows, count in ((None, 100), ((17, 17), 0)):
        sink = ColumnSink(["x"], ())
        ArrowPart(str(path), 2**30).pour(["x", "c"], sink, rows)
        cells = sink.cells()
        assert (len(cells.numbers["x"].values), cells.others.num_rows, cells.others.column_names) == (
            count,
            count,
            ["c"],
        )


@pytest.mark.filterwarnings("ignore:Feather V1:DeprecationWarning")
def test_every_way_to_read_a_damaged_file_names_it(path):
    part = ArrowPart(str(path), 2**30)
    path.write_bytes(b"no table")
    ways = [
        lambda: ArrowPart(str(path), 2**30),
        part.n_rows,
        part.read,
        lambda: list(part.batches(["x"])),
        lambda: part.pour(["x"], ColumnSink(["x"], ()), None),
    ]
    for way in ways:
        with pytest.raises(DataError) as error:
            way()
        [fault] = error.value.faults
        assert str(fault).startswith(str(path))
        if path.suffix != ".jsonl":  # whose line is shown
            assert fault.message.startswith(f"cannot be read as {path.suffix}: ")


@pytest.mark.parametrize("way", ["batches", "read"])
def test_memory_that_ran_out_is_no_fault_of_the_file(tmp_path, monkeypatch, way):
    WRITERS["t.parquet"](tmp_path / "t.parquet")
    part = ArrowPart(str(tmp_path / "t.parquet"), 2**30)

    def out_of_memory(*args, **options):
        raise pa.ArrowMemoryError("malloc of size 64 failed")

    monkeypatch.setattr(pq.ParquetFile, "iter_batches" if way == "batches" else "read", out_of_memory)
    with pytest.raises(MemoryError):
        list(part.batches(["x"])) if way == "batches" else part.read()
