"""Some rows of a table: they are those of the whole table, and what stands elsewhere is not parsed."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from linreg_cli.data.tables import line_rows
from linreg_cli.data.tables.blocks import NotInBlocksError, UnevenLinesError, line_blocks
from linreg_cli.data.tables.open import open_table
from linreg_cli.data.tables.text_format import TextFormat

N_ROWS = 11
ROWS = pd.DataFrame({"a": np.arange(N_ROWS) / 4, "b": [f"t{row}é" for row in range(N_ROWS)]})
TEXT = ROWS.to_csv(index=False, lineterminator="\n")

#: Name -> file, its bytes, its encoding.
FILES = {
    "plain": ("t.csv", TEXT.encode(), "utf-8"),
    "no end": ("t.csv", TEXT.encode().rstrip(b"\n"), "utf-8"),
    "a mark": ("t.csv", b"\xef\xbb\xbf" + TEXT.encode(), "utf-8"),
    "CRLF, blank lines": ("t.csv", b"\r\n" + TEXT.replace("\n", "\r\n\r\n").encode() + b"\r\n", "utf-8"),
    "blank lines": ("t.csv", b"\n\n" + TEXT.replace("\n", "\n\n").encode(), "utf-8"),
    "CR alone within": ("t.csv", TEXT.replace("2é\n", "2é\r").encode(), "utf-8"),
    "quotes": ("t.csv", TEXT.replace("t3é", '"t3é"').encode(), "utf-8"),
    "latin-1": ("t.csv", TEXT.encode("latin-1"), "latin-1"),
    "utf-16": ("t.csv", TEXT.encode("utf-16"), "utf-16"),
    "gzip": ("t.csv.gz", gzip.compress(TEXT.encode()), "utf-8"),
}


def between(path: str, first: int, last: int, encoding: str = "utf-8") -> list[tuple[float, str]]:
    """The cells of some rows."""
    table, found = open_table(path, text=TextFormat(encoding=encoding)), []
    for cells in table.cell_blocks(["a"], ["b"], (first, last)):
        found += zip(cells.numbers["a"].values.tolist(), cells.column("b").to_pylist(), strict=True)
    return found


EXPECTED = [*zip(ROWS.a.tolist(), ROWS.b.tolist(), strict=True)]


@pytest.mark.parametrize("scan", [7, 2**17])
@pytest.mark.parametrize("variant", FILES)
def test_the_rows_of_a_text_file_are_those_of_its_lines(linreg, variant, scan, monkeypatch):
    file, content, encoding = FILES[variant]
    Path(file).write_bytes(content)
    monkeypatch.setattr("linreg_cli.data.tables.csv_part.SCAN_BYTES", scan)
    assert open_table(file, text=TextFormat(encoding=encoding)).n_rows() == N_ROWS
    for first, last in ((0, 1), (0, N_ROWS), (3, 4), (2, 9), (N_ROWS - 1, N_ROWS), (5, 5)):
        assert between(file, first, last, encoding) == EXPECTED[first:last]


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".feather"])
def test_rows_of_several_files_are_counted_through_them(linreg, suffix):
    Path("parts").mkdir()
    for at, (first, last) in enumerate([(0, 4), (4, 4), (4, 5), (5, N_ROWS)]):
        part, file = ROWS[first:last].astype({"a": float, "b": str}), f"parts/{at}{suffix}"
        arrow = pa.table({"a": pa.array(part.a), "b": pa.array(part.b.tolist(), pa.string())})
        {
            ".csv": lambda part=part, file=file: part.to_csv(file, index=False),
            ".parquet": lambda arrow=arrow, file=file: pq.write_table(arrow, file, row_group_size=2),
            ".feather": lambda arrow=arrow, file=file: feather.write_feather(arrow, file, chunksize=2),
        }[suffix]()
    assert open_table("parts").n_rows() == N_ROWS
    for first in range(N_ROWS):
        for last in (first + 1, first + 5, N_ROWS):
            assert between("parts", first, last) == EXPECTED[first:last]


def test_what_stands_in_other_rows_is_not_parsed(linreg):
    Path("t.csv").write_text("a,b\n" + "1,2,3,4\n" * 3 + "5,6\n")
    assert between("t.csv", 3, 4) == [(5.0, "6")]
    with pytest.raises(NotInBlocksError):
        between("t.csv", 2, 4)
    pq.write_table(pa.table({"a": np.arange(6.0), "b": list("uvwxyz")}), "t.parquet", row_group_size=2)
    metadata, content = pq.read_metadata("t.parquet"), bytearray(Path("t.parquet").read_bytes())
    start = metadata.row_group(1).column(0).dictionary_page_offset
    content[start : metadata.row_group(1).column(1).data_page_offset] = b"\xff" * (
        metadata.row_group(1).column(1).data_page_offset - start
    )
    Path("t.parquet").write_bytes(content)
    assert between("t.parquet", 4, 6) == [(4.0, "y"), (5.0, "z")]
    with pytest.raises(NotInBlocksError):
        between("t.parquet", 3, 6)


def test_a_quoted_line_break_is_refused_by_whoever_parses_it(linreg):
    Path("t.csv").write_text('a,b\n1,"x\ny"\n3,z\n')
    assert between("t.csv", 2, 3) == [(3.0, "z")]
    with pytest.raises(NotInBlocksError):
        between("t.csv", 0, 1)
    Path("t.csv").write_text('a,"b\n"\n1,x\n3,z\n')
    with pytest.raises(NotInBlocksError):
        open_table("t.csv").n_rows()


def test_a_line_that_is_too_long_is_refused_before_it_fills_the_memory(monkeypatch):
    monkeypatch.setattr("linreg_cli.data.tables.blocks._LONGEST_LINE", 100)
    with pytest.raises(UnevenLinesError):
        line_rows.lines_of(line_blocks(pa.BufferReader(b"x" * 1000), 50, checked=False))
