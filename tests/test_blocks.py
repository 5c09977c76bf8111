"""Tables read block by block, and kept in a cache: the same cells as read whole, or the same errors."""

import gzip
import hashlib
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
import pytest

from linreg_cli.data import cache
from linreg_cli.data.blocks import UnevenLinesError, line_blocks
from linreg_cli.data.cache import cached
from linreg_cli.data.cells import Treatment, raw_columns
from linreg_cli.data.open import open_table
from linreg_cli.errors import DataError


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(line_blocks, "__defaults__", (64,))
    monkeypatch.setattr("linreg_cli.data.arrow_table.BATCH_ROWS", 7)


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
    with pytest.raises(DataError, match=r"b.parquet: lacks columns that a.parquet has: z"):
        folder.read(["z"])


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(text())
    return path


def reader(path, seen):
    def read():
        seen.append(1)
        return open_table(str(path)).read(["x", "y"], text=["c"])

    return read


def cache_of(path):
    """The only cache of a table that was read with no options."""
    digest = hashlib.sha256(b"{}").hexdigest()[:8]
    return path.with_name(f".{path.name}.{digest}.linreg-cache")


def test_the_cache_gives_the_same_cells_without_reading(source):
    seen = []
    first, second = (cached(str(source), {}, reader(source, seen)) for _ in range(2))
    assert len(seen) == 1
    assert list(first.numbers) == list(second.numbers) == ["x", "y"]
    for name in "xy":
        assert first.numbers[name].values[:].tobytes() == second.numbers[name].values[:].tobytes()
    assert first.others.column("c").to_pylist() == second.others.column("c").to_pylist()
    for options in ({"delimiter": ";"}, {}, {"delimiter": ";"}):
        cached(str(source), options, reader(source, seen))
    assert len(seen) == 2, "each set of options has a cache of its own"
    assert len(list(source.parent.glob(".t.csv.*.linreg-cache"))) == 2


@pytest.mark.parametrize("change", ["content", "time", "same size and time"])
def test_the_cache_of_a_file_that_changed_is_not_used(change, source):
    seen = []
    cached(str(source), {}, reader(source, seen))
    status = source.stat()
    if change != "time":
        source.write_text(source.read_text().replace("red", "tan", 1) + ("" if "size" in change else "1,2,red\n"))
    if change != "content":
        os.utime(source, ns=(status.st_atime_ns, status.st_mtime_ns + (change == "time")))
    table = cached(str(source), {}, reader(source, seen))
    assert len(seen) == 2
    assert ("tan" in table.column("c").to_pylist()) is (change != "time")


def test_the_cache_of_another_version_is_not_used(source, monkeypatch):
    seen = []
    cached(str(source), {}, reader(source, seen))
    monkeypatch.setattr(cache, "__version__", "0.0.0")
    cached(str(source), {}, reader(source, seen))
    assert len(seen) == 2


def test_a_system_without_owners_has_a_cache_too(source, monkeypatch):
    monkeypatch.delattr(os, "getuid")
    seen = []
    for _ in range(2):
        cached(str(source), {}, reader(source, seen))
    assert len(seen) == 1


def test_what_killed_runs_left_is_swept_when_a_cache_is_written(source):
    part = f"{cache_of(source).name}.part-"
    old, new, other = (source.with_name(name) for name in (f"{part}a", f"{part}b", "mine.part-c"))
    for path in (old, new, other):
        path.write_bytes(b"torn")
    for path in (old, other):
        os.utime(path, (1, 1))
    cached(str(source), {}, reader(source, []))
    assert [path.exists() for path in (old, new, other)] == [False, True, True]
    assert not [path for path in source.parent.glob("*.part-*") if path not in (new, other)]


@pytest.mark.parametrize("damage", ["cut", "bit", "empty", "other"])
def test_a_damaged_cache_is_made_anew(damage, source):
    seen = []
    whole = cached(str(source), {}, reader(source, seen)).column("x").to_pylist()
    content = bytearray(cache_of(source).read_bytes())
    content[len(content) // 2] ^= 1 if damage == "bit" else 0
    damaged = {"cut": content[:-100], "bit": content, "empty": b"", "other": b"x" * 10_000}[damage]
    cache_of(source).write_bytes(damaged)
    for count in (2, 2):
        assert cached(str(source), {}, reader(source, seen)).column("x").to_pylist() == whole
        assert len(seen) == count


def test_a_folder_that_cannot_be_written_leaves_the_cache_elsewhere(source, tmp_path, monkeypatch):
    monkeypatch.setenv("LINREG_CACHE", str(tmp_path / "kept"))
    cache_of(source).mkdir()  # in the way, also for a user who may write everywhere
    seen = []
    for _ in range(2):
        cached(str(source), {}, reader(source, seen))
    assert len(seen) == 1
    assert len(list((tmp_path / "kept" / "tables").iterdir())) == 1


def test_a_change_in_the_middle_of_a_large_file_is_noticed_though_its_time_is_put_back(tmp_path):
    source = tmp_path / "t.csv"
    source.write_text("x,y\n" + "1,2\n" * 100_000)
    cached(str(source), {}, lambda: open_table(str(source)).read(["x", "y"]))
    status, content = source.stat(), bytearray(source.read_bytes())
    content[len(content) // 2 // 4 * 4] = ord("7")
    source.write_bytes(content)
    os.utime(source, ns=(status.st_atime_ns, status.st_mtime_ns))
    table = cached(str(source), {}, lambda: open_table(str(source)).read(["x", "y"]))
    assert 7.0 in table.column("x").to_pylist()


def test_a_cache_that_can_be_kept_nowhere_is_refused(source, tmp_path, monkeypatch):
    monkeypatch.setenv("LINREG_CACHE", str(tmp_path / "kept"))
    cache_of(source).mkdir()
    (tmp_path / "kept").write_text("in the way")
    with pytest.raises(DataError, match=r"nothing can be kept.*set data\.cache: false"):
        cached(str(source), {}, reader(source, []))


def test_a_run_with_a_cache_is_the_same_run(linreg, config_file, source):
    config = config_file(
        f"data: {{path: {source}, target: y}}\n"
        "preprocess: {categorical: one_hot, missing: drop, standardize: true}\ntrain: {epochs: 2}\nplots: false\n"
    )
    runs = [linreg("train", "-c", config, "--set", f"data.cache={cache}", "-q") for cache in ("false", "true", "true")]
    assert [run.code for run in runs] == [0, 0, 0], runs[0].err
    folders = [run.out.strip() for run in runs]
    assert len(list(source.parent.glob(".t.csv.*.linreg-cache"))) == 1
    for name in ("model.safetensors", "metrics.json", "predictions.csv", "preprocess.json"):
        contents = {Path(folder, name).read_bytes() for folder in folders}
        assert len(contents) == 1, name


def test_a_spreadsheet_note_before_the_header_is_told(tmp_path):
    (tmp_path / "t.csv").write_text("sep=;\nx;y\n1;2\n")
    with pytest.raises(DataError, match=r'line 1: a note for spreadsheets .* set data.delimiter: ";"'):
        open_table(str(tmp_path / "t.csv"), delimiter=";")
