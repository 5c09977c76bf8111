"""Tables read block by block: the same cells as read whole, or the same errors."""

import gzip

import numpy as np
import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
import pytest

from linreg_cli.data.encoding.cells import raw_columns
from linreg_cli.data.encoding.treatments import Treatment
from linreg_cli.data.tables.blocks import (
    NotInBlocksError,
    UnevenLinesError,
    cells_of_block,
    line_blocks,
    whole_says_more,
)
from linreg_cli.data.tables.object_stores import ObjectError
from linreg_cli.data.tables.open import open_table
from linreg_cli.data.tables.text_format import TextFormat
from linreg_cli.errors import DataError, TemporaryFileError


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr("linreg_cli.data.tables.csv_part.block_bytes", lambda n_columns: 64)
    monkeypatch.setattr("linreg_cli.data.tables.arrow_part.BATCH_ROWS", 7)


def rows(n=200):
    rng = np.random.default_rng(0)
    return [
        (f"{x!r}", f"{'' if i % 17 == 3 else i}", "red" if i % 3 else "blue")
        for i, x in enumerate(rng.normal(size=n).tolist())
    ]


def text(sep="\n", quote="", n=200):
    lines = ["x,y,c", *(f"{x},{y},{quote}{c}{quote}" for x, y, c in rows(n))]
    return sep.join(lines) + sep


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
@pytest.mark.parametrize("kind", ["plain", "crlf", "quoted", "no last newline", "byte order mark", "blank lines"])
def test_blocks_hold_what_the_whole_file_holds(kind, suffix, tmp_path, small_blocks):
    content = {
        "plain": text(), "crlf": text("\r\n"), "quoted": text(quote='"'), "no last newline": text().rstrip("\n"),
        "byte order mark": "\ufeff" + text(), "blank lines": text().replace("\n", "\n\n"),
    }[kind].encode()  # fmt: skip
    path = tmp_path / f"t{suffix}"
    path.write_bytes(gzip.compress(content) if suffix.endswith("gz") else content)
    table = open_table(str(path)).read(["x", "y"], either=["c"])
    (tmp_path / "w.csv").write_bytes(content)
    whole = pcsv.read_csv(tmp_path / "w.csv")
    assert np.array_equal(table.column("x").to_numpy(), whole.column("x").to_numpy())
    expected = whole.column("y").cast(pa.float64()).to_numpy(zero_copy_only=False)
    assert np.array_equal(table.column("y").to_numpy(), expected, equal_nan=True)
    assert table.column("c").to_pylist() == whole.column("c").to_pylist()


def test_text_after_the_first_block_is_told_with_its_row(tmp_path, small_blocks):
    lines = text().splitlines()
    lines[151] = "?,1,red"
    (tmp_path / "t.csv").write_text("\n".join(lines))
    cells = open_table(str(tmp_path / "t.csv")).read(["x", "y"])
    _, [fault] = raw_columns(cells, {"x": Treatment(), "y": Treatment()}, (), "t")
    assert str(fault).startswith("t, row 151, column 'x': '?' is not a number")


def test_a_ragged_line_in_a_later_block_is_told_with_its_line(tmp_path, small_blocks):
    lines = text().splitlines()
    lines[151] = "1,2"
    (tmp_path / "t.csv").write_text("\n".join(lines))
    with pytest.raises(DataError, match=r"line 152: 2 cells, and the header has 3"):
        open_table(str(tmp_path / "t.csv")).read(["x", "y"])


def test_a_quoted_line_break_has_the_file_read_whole(tmp_path, small_blocks):
    lines = ["x,c", *(f'{i},"a\n{i},b"' for i in range(100))]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    table = open_table(str(tmp_path / "t.csv")).read(["x"], text=["c"])
    assert table.column("x").to_pylist() == list(range(100))
    assert table.column("c").to_pylist() == [f"a\n{i},b" for i in range(100)]
    with open(tmp_path / "t.csv", "rb") as stream, pytest.raises(UnevenLinesError):
        list(line_blocks(stream))


def test_blocks_end_with_lines_and_lose_nothing(tmp_path):
    (tmp_path / "t").write_bytes(content := text().encode())
    with open(tmp_path / "t", "rb") as stream:
        found = list(line_blocks(stream, 100))
    assert b"".join(found) == content
    assert len(found) > 10
    assert all(block.endswith(b"\n") for block in found)


def test_numbers_that_mean_missing_are_missing_however_they_are_written(tmp_path):
    (tmp_path / "t.csv").write_text("x,y\n1,2\n-999.0,3\n-9.99e2,-999\n")
    pq.write_table(pa.table({"x": [1, -999, -999], "y": [2.0, 3.0, -999.0]}), tmp_path / "t.parquet")
    for name in ("t.csv", "t.parquet"):
        cells = open_table(str(tmp_path / name), missing_values=("?", "-999")).read(["x", "y"])
        assert (cells.numbers["x"].n_missing, cells.numbers["y"].n_missing) == (2, 1), name
        assert cells.numbers["x"].missing().tolist() == [False, True, True]


def test_a_blank_line_in_a_table_of_one_column_is_a_missing_cell(tmp_path):
    (tmp_path / "t.csv").write_text("x\n1\n\n3\n\n")  # the file's own last line end and a blank line are no cells
    table = open_table(str(tmp_path / "t.csv"))
    np.testing.assert_array_equal(table.read(["x"]).numbers["x"].values[:], [1.0, np.nan, 3.0])
    assert table.read_all().column("x").to_pylist() == ["1", "", "3"]


def test_parquet_parts_in_batches(tmp_path, small_blocks):
    pq.write_table(pa.table({"x": range(20), "c": ["a"] * 20, "z": [1] * 20}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"c": ["b"] * 15, "x": [0.5] * 15}), tmp_path / "b.parquet")
    folder = open_table(str(tmp_path))
    table = folder.read(["x"], text=["c"])
    assert table.column("x").to_pylist() == [*range(20), *[0.5] * 15]
    assert table.column("c").to_pylist() == ["a"] * 20 + ["b"] * 15
    assert folder.read_all().column("z").to_pylist() == [1] * 20 + [None] * 15
    with pytest.raises(DataError, match=r"b.parquet: columns of a.parquet are missing here: z"):
        folder.read(["z"])


def test_a_spreadsheet_note_before_the_header_is_told(tmp_path):
    (tmp_path / "t.csv").write_text("sep=;\nx;y\n1;2\n")
    with pytest.raises(DataError, match=r'line 1: a "sep=" line of Excel, .* set data.delimiter: ";"'):
        open_table(str(tmp_path / "t.csv"), text=TextFormat(";"))


def test_missing_and_infinite_cells_of_a_block_are_counted_though_its_columns_are_looked_at_together():
    inf, largest = float("inf"), np.finfo(float).max
    block = pa.table(
        {
            "both ends": [inf, -inf, 1.0, 2.0],  # their sum is nan
            "gaps": pa.array([None, float("nan"), 3, 4], pa.float32()),
            "marked": pa.array([-999, 5, 6, -999], pa.int64()),
            "large": [largest, largest, 1.0, 2.0],  # finite, but their sum is not
            "plain": pa.array([1, 2, 3, 4], pa.uint8()),
            "text": list("abcd"),
        }
    )
    found = cells_of_block(block, ["plain", "gaps", "marked", "large", "both ends"], ["-999"])
    counts = {name: (column.n_missing, column.n_infinite) for name, column in found.numbers.items()}
    assert counts == {"plain": (0, 0), "gaps": (2, 0), "marked": (2, 0), "large": (0, 0), "both ends": (0, 2)}
    assert found.others.column_names == ["text"]
    np.testing.assert_array_equal(found.numbers["marked"].values[:], [np.nan, 5, 6, np.nan])
    assert found.numbers["plain"].values[:].dtype == np.float64


@pytest.mark.parametrize("error", [ObjectError("gone", "s3://b/t.csv"), TemporaryFileError("No space left on device")])
def test_what_is_no_fault_of_the_table_has_it_not_read_again(error, tmp_path, monkeypatch):
    """A table that is read as a whole comes into memory, which a full disk does not ask for."""

    def failing(*args, **options):
        raise error

    (tmp_path / "t.csv").write_text(text())
    table = open_table(str(tmp_path / "t.csv"))
    monkeypatch.setattr("linreg_cli.data.tables.csv_part.CsvPart.blocks", failing)
    with pytest.raises(type(error)):
        list(table.row_blocks())
    error = DataError("'?' is not a number")
    with pytest.raises(NotInBlocksError, match="is not a number"):
        list(table.row_blocks())


def test_memory_that_ran_out_while_a_block_was_read_is_said_and_not_tried_again():
    with pytest.raises(MemoryError), whole_says_more():
        raise pa.ArrowMemoryError("malloc of size 64 failed")
