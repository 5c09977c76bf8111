"""Columns that wait on the disk: the same numbers as in memory, whatever is asked for and whatever fails."""

import csv
import errno
import gc
import importlib
import json
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pcsv
import pytest
from sklearn.metrics import r2_score

from linreg_cli import data, evaluation, least_squares
from linreg_cli.data.columns import number_file, on_disk
from linreg_cli.data.columns.kinds import Numbers, pieces
from linreg_cli.data.columns.number_file import StoredColumn
from linreg_cli.data.columns.on_disk import NumberPlaces, NumberSink
from linreg_cli.data.columns.rows import StackedRows
from linreg_cli.errors import DataError, TemporaryFileError
from linreg_cli.least_squares import factor


@pytest.fixture
def small_groups(monkeypatch):
    """Groups of seven rows of three columns."""
    monkeypatch.setattr(on_disk, "GROUP_CELLS", 21)
    monkeypatch.setattr(on_disk, "LARGEST_GROUP", 21)


@pytest.fixture
def small_blocks(monkeypatch):
    """Sixteen rows wherever a table is looked at block by block, in whichever modules that is."""
    found = 0
    for folder in (data, least_squares, evaluation):
        for entry in pkgutil.walk_packages(folder.__path__, f"{folder.__name__}."):
            module = importlib.import_module(entry.name)
            for name in {"BLOCK_ROWS", "_BLOCK_ROWS"} & vars(module).keys():
                monkeypatch.setattr(module, name, 16)
                found += 1
    assert found > 3, "the constant has another name"
    monkeypatch.setattr(factor.blocks, "__defaults__", (16,))


def table(n=100):
    return np.random.default_rng(1).normal(size=(3, n))


def poured(values, sizes):
    sink = NumberSink("abc")
    at = 0
    for size in sizes:
        sink.add(list(values[:, at : at + size]))
        at += size
    return sink.columns()


@pytest.mark.parametrize("n", [1, 6, 7, 8, 14, 100])
@pytest.mark.parametrize("size", [1, 5, 7, 30])
def test_columns_hold_what_was_added(n, size, small_groups):
    values = table(n)
    columns = poured(values, [size] * (n // size) + [n % size])
    assert list(columns) == ["a", "b", "c"]
    assert isinstance(columns["a"], StoredColumn) is (n >= 7), "a full group goes to the disk"
    for name, expected in zip("abc", values, strict=True):
        assert len(columns[name]) == n
        assert columns[name][:].tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    "rows",
    [slice(3, 3), slice(6, 8), slice(13, 40), slice(90, 1000), slice(None), [0], [99, 0, 50], [8, 9, 8], []],
    ids=str,
)
def test_any_rows_can_be_asked_for(rows, small_groups):
    values = table()
    column = poured(values, [100])["b"]
    rows = rows if isinstance(rows, slice) else np.array(rows, dtype=np.int64)
    np.testing.assert_array_equal(column[rows], values[1][rows])


def test_rows_that_were_changed_in_place_are_read_anew(small_groups):
    values, rows = table(), np.array([3, 4, 50])
    column = poured(values, [100])["b"]
    for changed in (3, 20, 60):
        rows[0] = changed
        np.testing.assert_array_equal(column[rows], values[1][rows])


def test_what_is_read_together_is_found_once_for_all_columns(small_groups, monkeypatch):
    found, read_together = [], number_file._read_together
    monkeypatch.setattr(number_file, "_read_together", lambda rows: found.append(len(rows)) or read_together(rows))
    values = table()
    X = StackedRows(poured(values, [100]), "abc", np.array([2, 5, 6, 40, 90]))
    np.testing.assert_array_equal(X[1:5], np.stack(values, axis=1)[[5, 6, 40, 90]])
    assert found == [4]


def test_a_table_without_columns_or_rows(small_groups):
    sink = NumberSink([])
    sink.add([])
    assert sink.columns() == {}
    assert {name: len(values) for name, values in NumberSink("ab").columns().items()} == {"a": 0, "b": 0}


class Failing:
    """A file whose `count`-th write fails, half done."""

    def __init__(self, count):
        self.file, self.left = scratch_file(), count

    def write(self, data):
        self.left -= 1
        if self.left < 0:
            self.file.write(data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        return self.file.write(data)

    def __getattr__(self, name):
        return getattr(self.file, name)


scratch_file = on_disk.open_nameless


@pytest.mark.parametrize("count", [0, 1, 3, 13])
def test_a_full_disk_leaves_everything_in_memory(count, small_groups, monkeypatch):
    files = []
    monkeypatch.setattr(on_disk, "open_nameless", lambda: files.append(Failing(count)) or files[-1])
    values = table()
    columns = poured(values, [9] * 11 + [1])
    for name, expected in zip("abc", values, strict=True):
        assert isinstance(columns[name], np.ndarray)
        np.testing.assert_array_equal(columns[name], expected)
    assert len(files) == 1, "it is not tried again"
    gc.collect()
    assert files[0].file.closed


@pytest.mark.parametrize("count", [0, 3])
def test_a_full_disk_is_an_error_where_the_columns_take_more_than_the_limit(count, small_groups, monkeypatch):
    monkeypatch.setattr(on_disk, "open_nameless", lambda: Failing(count))
    values = table()
    fits = NumberSink("abc", values.nbytes)
    fits.add([*values])
    np.testing.assert_array_equal(fits.columns()["b"], values[1])
    too_large = NumberSink("abc", values.nbytes - 8)
    too_large.add([*values[:, :98]])
    too_large.add([*values[:, 98:]])
    with pytest.raises(TemporaryFileError, match=r"No space left on device; .* set TMPDIR to a folder on another"):
        too_large.columns()


def test_places_of_a_full_disk_are_an_error_above_the_limit(small_groups, monkeypatch):
    def full():
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(on_disk, "open_nameless", full)
    assert len(NumberPlaces("ab", 1_000, 16_000).columns()["a"]) == 1_000
    with pytest.raises(TemporaryFileError, match="would take more than"):
        NumberPlaces("ab", 1_000, 15_999)


def test_writes_and_reads_may_be_cut_short_by_the_system(small_groups, monkeypatch):
    class Slow:
        def __init__(self):
            self.file = scratch_file()

        def write(self, data):
            return self.file.write(data[:11])

        def readinto(self, data):
            return self.file.readinto(data[:13])

        def __getattr__(self, name):
            return getattr(self.file, name)

    monkeypatch.setattr(on_disk, "open_nameless", Slow)
    values = table()
    assert poured(values, [100])["a"][:].tobytes() == values[0].tobytes()


def test_a_file_that_cannot_be_read_back_is_a_data_error(small_groups, monkeypatch):
    files = []
    monkeypatch.setattr(on_disk, "open_nameless", lambda: files.append(scratch_file()) or files[-1])
    column = poured(table(), [100])["a"]
    files[0].truncate(100)
    with pytest.raises(DataError, match=r"columns cannot be read back: the file is truncated"):
        column[:]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are listed under /proc")
def test_the_file_has_no_name_and_is_closed_with_its_last_column(small_groups, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    def still_open():
        links = [os.readlink(path) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
        return [link for link in links if link.startswith(str(tmp_path))]

    columns = poured(table(), [100])
    assert not list(tmp_path.iterdir())
    assert len(still_open()) == 1
    last = columns.pop("b")
    del columns
    gc.collect()
    assert len(still_open()) == 1
    del last
    gc.collect()
    assert still_open() == []


def test_the_file_of_a_table_that_is_not_read_to_its_end_is_closed(small_groups, monkeypatch):
    """Python would warn of a file that is left open, and warnings are errors here."""
    opened, real = [], on_disk.open_nameless
    monkeypatch.setattr(on_disk, "open_nameless", lambda: opened.append(real()) or opened[-1])
    sink = NumberSink("ab")
    sink.add([np.arange(100.0)] * 2)
    (file,) = opened
    assert not file.closed
    del sink
    assert file.closed


def test_gaps_and_infinities_are_counted_wherever_the_column_is(small_groups, monkeypatch):
    monkeypatch.setattr("linreg_cli.data.columns.kinds.BLOCK_ROWS", 8)
    values = table()
    values[0, [3, 50, 99]], values[0, [51, 7]], values[1, 2] = np.nan, np.inf, -np.inf
    values[2, [0, 1]] = 1e308  # a sum that overflows is not an infinite cell
    for columns in (poured(values, [100]), dict(zip("abc", values, strict=True))):
        found = [Numbers(columns[name]) for name in "abc"]
        assert [(each.n_missing, each.n_infinite) for each in found] == [(3, 2), (0, 1), (0, 0)]
        assert found[0].first_infinite() == 7
        assert np.flatnonzero(found[0].missing()).tolist() == [3, 50, 99]
        assert np.concatenate(list(pieces(columns["a"]))).tobytes() == values[0].tobytes()


def _hold_to_the_table(folder, table, log):
    """Every row is predicted once, with its own target, and the metrics are those of the predictions."""
    with open(Path(folder, "predictions.csv"), newline="") as file:
        lines = list(csv.DictReader(file))
    numbers = [int(line["row"]) for line in lines]
    assert len(set(numbers)) == len(numbers) > 250
    assert [float(line["target"]) for line in lines] == table[np.array(numbers) - 1, 2].tolist()
    metrics = json.loads(Path(folder, "metrics.json").read_text())
    for split in ("train", "validation", "test"):
        rows = [(float(line["target"]), float(line["prediction"])) for line in lines if line["split"] == split]
        if rows:
            assert metrics[split]["n"] == len(rows)
            # sums of at most 300 terms in another order: 300 eps = 7e-14
            assert metrics[split]["r2"] == pytest.approx(r2_score(*zip(*rows, strict=True)), rel=1e-12, abs=1e-12)
    weights = metrics["parameters"]["weights"]
    if set(weights) == {"a", "b", "c"} and not log:
        formula = table[:, :2] @ [weights["a"], weights["b"]] + weights["c"] + metrics["parameters"]["bias"]
        found = [float(line["prediction"]) for line in lines]
        np.testing.assert_allclose(found, formula[np.array(numbers) - 1], rtol=1e-12, atol=1e-12)


SETTINGS = {
    "in order": "train: {epochs: 3}\n",
    "split": "preprocess: {standardize: true}\ntrain: {epochs: 3}\n",
    "gaps": "preprocess: {missing: median, categorical: one_hot, standardize: true, standardize_target: true}\n",
    "dropped": "preprocess: {missing: drop, categorical: one_hot, target_transform: log1p}\noptimizer: {lr: 0.001}\n",
    "folds": "evaluate: {cross_validation: {folds: 3}}\noptimizer: {lr: auto}\ntrain: {batch_size: full, epochs: 99}\n",
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_run_whose_columns_are_on_the_disk_is_the_same_run(
    setting, linreg, config_file, tmp_path, monkeypatch, small_blocks
):
    rng = np.random.default_rng(2)
    X, words = rng.normal(size=(300, 2)), rng.choice(["red", "blue"], 300)
    y = np.abs(X @ [1.0, -2.0] + 5 + rng.normal(size=300))
    gap = np.where(rng.random(300) < 0.1, "", "0") if setting in ("gaps", "dropped") else np.full(300, "0")
    words = words if setting in ("gaps", "dropped") else np.full(300, "1")
    first = [f"{value!r}" if mark else "" for value, mark in zip(X[:, 0].tolist(), gap, strict=True)]
    lines = [f"{a},{b!r},{c},{d!r}" for a, b, c, d in zip(first, X[:, 1].tolist(), words, y.tolist(), strict=True)]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,c,y", *lines]) + "\n")
    split = "" if setting == "in order" else ", split: {train: 0.7, validation: 0.1, test: 0.2}"
    config = config_file(f"data: {{path: {tmp_path}/t.csv, target: y{split}}}\nplots: false\n{SETTINGS[setting]}")
    folders = []
    for cells in (2**19, 40):
        monkeypatch.setattr(on_disk, "GROUP_CELLS", cells)
        monkeypatch.setattr(on_disk, "LARGEST_GROUP", cells)
        run = linreg("train", "-c", config, "-q")
        assert run.code == 0, run.err
        folders.append(run.out.strip())
    for name in ("model.safetensors", "metrics.json", "predictions.csv", "preprocess.json"):
        contents = [Path(folder, name).read_bytes() for folder in folders]
        assert contents[0] == contents[1], name
    for name in ("influence.csv",):
        texts = [path.read_bytes() if (path := Path(folder, name)).exists() else None for folder in folders]
        assert texts[0] == texts[1], name
    _hold_to_the_table(folders[1], np.column_stack([X, y]), log=setting == "dropped")
    evaluated = [linreg("evaluate", folder, "--json").json for folder in folders]
    assert evaluated[0] == evaluated[1]
    predicted = [
        linreg("predict", folder, "--data", tmp_path / "t.csv", "-o", tmp_path / "p.csv") for folder in folders
    ]
    assert [each.code for each in predicted] == [0, 0]


READING = """
import sys
from linreg_cli.cli import process
process.set_up()
import torch
from linreg_cli.config import load_config
from linreg_cli.data import Preprocessor, load_dataset
import linreg_cli.data.checks.warnings, linreg_cli.data.encoding.cells
import linreg_cli.data.tables.csv_table, linreg_cli.data.tables.download

def kilobytes(key):
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key))

config = load_config([sys.argv[1]]).config
before = kilobytes("VmRSS")
dataset = load_dataset(config)
preprocessor = Preprocessor.fit(dataset, config.preprocess, bias=True)
rows = dataset.splits["train"]
tensors = [each.tensor(dataset, rows, torch.float32) for each in (preprocessor.features, preprocessor.targets)]
print((kilobytes("VmHWM") - before) * 1024 / sum(each.nbytes for each in tensors))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the size of a process is read from /proc")
@pytest.mark.parametrize("settings", ["", "preprocess: {standardize: true}\n"])
def test_reading_a_large_table_takes_less_than_twice_its_tensor(settings, config_file, tmp_path):
    rng = np.random.default_rng(0)
    values = {name: pa.array(rng.standard_normal(600_000).astype(np.float32)) for name in "abcdefghy"}
    pcsv.write_csv(pa.table(values), tmp_path / "t.csv")
    config = config_file(f"data: {{path: {tmp_path}/t.csv, target: y}}\n{settings}")
    command = [sys.executable, "-c", READING, str(config)]
    times = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert (
        1 < times < 2
    )  # 1.4 of a million rows, and blocks on their way count more beside fewer; 3.6 with all in memory


def test_few_rows_of_many_are_not_read_with_all_that_lie_between(monkeypatch):
    n = 900_000
    values = np.random.default_rng(0).normal(size=n)
    sink = NumberSink(("a",))
    sink.add([values])
    column = sink.columns()["a"]
    rows = np.arange(0, n, 500)  # near enough to be read together
    longest = []
    read = on_disk.NumberFile.read
    monkeypatch.setattr(
        on_disk.NumberFile,
        "read",
        lambda file, at, first, last: longest.append(last - first) or read(file, at, first, last),
    )
    assert np.array_equal(column[rows], values[rows])
    assert max(longest) <= 2**18
