"""`predict` and `evaluate --data` a block of rows at a time: what they write and say is that of the whole table."""

import errno
import json
import os

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from linreg_cli.data.tables import arrow_table, csv_part, csv_table, parquet_rows
from linreg_cli.data.tables.blocks import NotInBlocksError
from linreg_cli.data.tables.exact_kinds import ExactKinds
from linreg_cli.data.tables.text_format import DEFAULT, TextFormat
from linreg_cli.data.tables.text_numbers import as_exact_numbers, as_numbers
from linreg_cli.evaluation import evaluate, intervals, other_table, predict, prediction_lines, saved_model, whole_table
from linreg_cli.optim import losses

CONFIG = {
    "name": "b", "plots": False, "seed": 3,
    "data": {"path": "train.csv", "target": "y", "features": ["a", "size", "town", "weekday(day)", "days(day)"]},
    "preprocess": {
        "standardize": True, "unknown": "ignore", "categorical": "one_hot",
        "columns": {"a": {"missing": "drop"}, "size": {"missing": "median"}, "town": {"missing": "level"}},
    },
    "optimizer": {"lr": "auto", "momentum": "auto"}, "evaluate": {"covariance": "HC3"},
    "train": {"epochs": 3000, "batch_size": "full", "dtype": "float64", "stop_gap": 1e-12},
}  # fmt: skip


def table(n, seed=0):
    """Gaps, levels, dates, quotes, and columns that are exactly numbers in the first rows alone."""
    rng = np.random.default_rng(seed)
    day = np.datetime64("2020-01-01") + rng.integers(0, 700, n)
    frame = pd.DataFrame({
        "id": [f"{i:05d}" for i in range(n)], "note": ["x" if i < n - 5 else 'say "a, b"' for i in range(n)],
        "a": rng.normal(size=n).round(4), "size": rng.integers(1, 99, n).astype(float),
        "town": rng.choice(["Ulm", "Bonn", "Köln"], n), "day": day.astype(str),
        "count": np.arange(n), "share": [f"{i / 8}" if i < n - 3 else "n/a" for i in range(n)],
    })  # fmt: skip
    frame["y"] = 2 * frame["a"] + 0.1 * frame["size"] + (frame["town"] == "Ulm") + rng.normal(size=n) / 9
    for column in ("a", "size", "town"):
        frame.loc[rng.choice(n, n // 10, replace=False), column] = None
    return frame


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of a few rows, also where sums and products are made of blocks."""
    monkeypatch.setattr(csv_part, "block_bytes", lambda n_columns: 400)
    monkeypatch.setattr(arrow_table, "group_rows", lambda n_columns: 7)
    for module in (intervals, other_table, predict, prediction_lines):
        monkeypatch.setattr(module, "BLOCK_ROWS", 13)
    monkeypatch.setattr(losses, "CHUNK_NUMBERS", 120)


@pytest.fixture
def trained(linreg, config_file, tmp_path):
    table(300).to_csv(tmp_path / "train.csv", index=False)
    result = linreg("train", "-c", config_file(json.dumps(CONFIG)), "--quiet")
    assert result.code == 0, result.err


def not_in_blocks(*_, **__):
    raise NotInBlocksError


def both(linreg, monkeypatch, tmp_path, command, *arguments, out=None):
    """The result of a command in blocks, and of the whole table, and the bytes that both wrote."""

    def call():
        result = linreg(command, "b", *arguments)
        return result, (tmp_path / out).read_bytes() if out and (tmp_path / out).exists() else None

    fell_back = []

    def noting(owner, name):
        real = getattr(owner, name)
        patch.setattr(owner, name, lambda *a, **k: fell_back.append(name) or real(*a, **k))

    with monkeypatch.context() as patch:
        noting(predict, "predict_table")
        noting(evaluate, "_metrics_of_table")
        noting(csv_table.CsvTable, "read")
        blocks, first = call()
    with monkeypatch.context() as patch:
        for each in (csv_table.CsvTable, arrow_table.ArrowTable):
            patch.setattr(each, "row_blocks", not_in_blocks)
            patch.setattr(each, "cell_blocks", not_in_blocks)
        rows, second = call()
    assert (blocks.code, blocks.out, blocks.err) == (rows.code, rows.out, rows.err)
    return blocks, first, second, bool(fell_back)


@pytest.mark.parametrize("interval", [(), ("--interval", "prediction"), ("--interval", "confidence", "--level", "0.5")])
@pytest.mark.parametrize("out", [None, "out.csv", "out.csv.gz"])
def test_text_is_written_byte_by_byte_as_of_the_whole_table(
    linreg, trained, small_blocks, monkeypatch, tmp_path, out, interval
):
    table(101, seed=1).assign(town=lambda t: t["town"].replace("Bonn", "Rom")).to_csv(tmp_path / "n.csv", index=False)
    arguments = ["--data", "n.csv", *(["-o", out] if out else []), *interval]
    result, first, second, fell_back = both(linreg, monkeypatch, tmp_path, "predict", *arguments, out=out)
    assert (result.code, fell_back) == (0, False)
    assert first == second
    assert "10 of 101 rows have no prediction" in result.err
    assert "cells with levels that are not in the train split" in result.err


@pytest.mark.parametrize("source", ["n.csv", "n.parquet", "n.arrow"])
@pytest.mark.parametrize("out", ["out.parquet", "out.arrow", "out.tsv"])
def test_a_table_with_types_is_the_same(linreg, trained, small_blocks, monkeypatch, tmp_path, source, out):
    frame = table(101, seed=1)
    frame.to_csv(tmp_path / "n.csv", index=False)
    whole = pa.Table.from_pandas(frame, preserve_index=False)
    pq.write_table(whole, tmp_path / "n.parquet", row_group_size=40)
    with pa.ipc.new_file(tmp_path / "n.arrow", whole.schema) as file:
        file.write_table(whole, 20)
    result, first, second, fell_back = both(
        linreg, monkeypatch, tmp_path, "predict", "--data", source, "-o", out, out=out
    )
    assert (result.code, fell_back) == (0, False)
    if out == "out.tsv":
        assert first == second
        return
    read = (
        (lambda b: pq.read_table(pa.BufferReader(b)))
        if "parquet" in out
        else (lambda b: pa.ipc.open_file(b).read_all())
    )
    one, other = read(first), read(second)
    assert one.schema.equals(other.schema, check_metadata=True)
    assert one.equals(other)
    assert one.num_rows == 101


def test_the_values_in_json_are_the_same(linreg, trained, small_blocks, monkeypatch, tmp_path):
    table(50, seed=1).to_csv(tmp_path / "n.csv", index=False)
    result, *_ = both(linreg, monkeypatch, tmp_path, "predict", "--data", "n.csv", "--json")
    assert len(result.json["predictions"]["prediction"]) == result.json["rows"] == 50


FAULTS = {
    "a number": ("size", "12,5"), "an infinite number": ("size", "1e999"), "a date": ("day", "yesterday"),
    "a zone": ("day", "2020-01-05T00:00:00Z"), "an overflow": ("a", "1e308"), "a code": ("size", "007"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_a_fault_in_the_last_block_is_that_of_the_whole_table(
    linreg, trained, small_blocks, monkeypatch, tmp_path, fault, command
):
    column, cell = FAULTS[fault]
    frame = table(60, seed=1).astype(object)
    frame.loc[58, column] = cell
    frame.to_csv(tmp_path / "n.csv", index=False)
    result, *_, fell_back = both(linreg, monkeypatch, tmp_path, command, "--data", "n.csv")
    if (command, fault) != ("evaluate", "an overflow"):
        assert (result.code, result.out) == (3, "")
        assert "row 59" in result.err or "60 cells" in result.err
    assert fell_back or result.code == 0


@pytest.mark.parametrize("content", ["a,size,town,day\n", 'a,size,town,day\n1,2,"Ulm\nSöflingen",2020-01-01\n'])
def test_an_empty_table_and_line_breaks_within_quotes_are_those_of_the_whole_table(
    linreg, trained, monkeypatch, tmp_path, content
):
    (tmp_path / "n.csv").write_text(content)
    *_, fell_back = both(linreg, monkeypatch, tmp_path, "predict", "--data", "n.csv")
    assert fell_back


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_metrics_of_a_table_have_the_bits_of_the_whole_table(
    linreg, trained, small_blocks, monkeypatch, tmp_path, kind
):
    frame = table(203, seed=2)
    frame.loc[:30, "a"] = None  # blocks without a row that is used
    frame.to_csv(tmp_path / "n.csv", index=False)
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), tmp_path / "n.parquet")
    result, *_, fell_back = both(linreg, monkeypatch, tmp_path, "evaluate", "--data", f"n.{kind}", "--json")
    assert (result.code, fell_back) == (0, False)
    used = frame[frame["a"].notna()]
    assert (result.json["data"]["n"], result.json["data"]["dropped"]) == (len(used), 203 - len(used))


def parquet(path, n, *, dictionary=False):
    """The table with its towns as text, or of dictionary type as a pandas categorical is stored; its rows."""
    frame = table(n, seed=2)
    kept = frame.astype({"town": "category"}) if dictionary else frame
    pq.write_table(pa.Table.from_pandas(kept, preserve_index=False), path, row_group_size=40)
    return frame


def limited(monkeypatch, limit):
    for module in (saved_model, whole_table):
        monkeypatch.setattr(module, "limit_in", lambda source: limit)


@pytest.mark.parametrize("command", ["evaluate", "predict"])
def test_a_memory_limit_makes_blocks_smaller_and_no_bit_different(linreg, trained, monkeypatch, tmp_path, command):
    parquet(tmp_path / "n.parquet", 203)
    found, rows = [], []
    real = arrow_table.cells_of_block if command == "evaluate" else predict.cells_of_block
    for limit in (None, 16 * 8 * 9 * 20):  # 20 rows of 9 columns of float64 in a block, of which there are 16
        with monkeypatch.context() as patch:
            limited(patch, limit)
            for module in (arrow_table, predict):
                patch.setattr(
                    module, "cells_of_block", lambda block, *a: rows.append(block.num_rows) or real(block, *a)
                )
            found.append(linreg(command, "b", "--data", "n.parquet", "--json"))
        assert sum(rows) == 203
        most = 36 if command == "evaluate" else 20  # of 5 columns, of 9; fewer, since texts take more than numbers
        assert max(rows) == 203 if limit is None else most / 2 < max(rows) < most
        rows.clear()
    assert (found[0].code, found[0].out) == (0, found[1].out)


@pytest.mark.parametrize("command", ["evaluate", "predict"])
def test_a_full_disk_is_an_error_and_the_table_is_not_read_as_a_whole(linreg, trained, monkeypatch, tmp_path, command):
    """Reading the columns some at a time is what the limit asks for; without it the limit would be ignored."""
    parquet(tmp_path / "n.parquet", 203)

    def full():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    limited(monkeypatch, 2_000)
    assert linreg(command, "b", "--data", "n.parquet").code == 0
    monkeypatch.setattr(parquet_rows, "open_nameless", full)
    result = linreg(command, "b", "--data", "n.parquet")
    assert (result.code, result.out) == (3, "")
    assert "No space left on device; set TMPDIR to a folder on another disk, or raise data.memory_limit" in result.err


@pytest.mark.parametrize("out", ["out.parquet", "out.csv"])
def test_a_column_of_dictionary_type_is_predicted_in_blocks_and_stays_one(
    linreg, trained, small_blocks, monkeypatch, tmp_path, out
):
    frame = parquet(tmp_path / "n.parquet", 203, dictionary=True)
    result, first, second, fell_back = both(
        linreg, monkeypatch, tmp_path, "predict", "--data", "n.parquet", "-o", out, out=out
    )
    assert (result.code, fell_back) == (0, False)
    if out == "out.csv":
        assert first == second
        return
    one, other = pq.read_table(pa.BufferReader(first)), pq.read_table(pa.BufferReader(second))
    assert one.schema.equals(other.schema, check_metadata=True)
    assert pa.types.is_dictionary(one.schema.field("town").type)
    assert one.column("town").to_pylist() == [None if pd.isna(each) else each for each in frame["town"]]
    assert one.column("prediction").equals(other.column("prediction"))


def test_a_table_that_is_read_as_a_whole_above_the_limit_is_warned_of(linreg, trained, monkeypatch, tmp_path):
    table(60, seed=2).to_json(tmp_path / "n.jsonl", orient="records", lines=True)
    for limit, n_warnings in ((None, 0), (1_000_000, 0), (5_000, 1)):
        limited(monkeypatch, limit)
        for command in (("predict", "-o", "out.csv"), ("evaluate",)):
            result = linreg(*command[:1], "b", "--data", "n.jsonl", *command[1:])
            assert result.code == 0
            assert result.err.count("come into memory, more than data.memory_limit of the run") == n_warnings


def test_a_column_of_zeros_in_one_block_is_no_fault_and_of_the_whole_table_is(
    linreg, small_blocks, config_file, monkeypatch, tmp_path
):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(200, 2)), columns=["a", "y"])
    frame.to_csv(tmp_path / "train.csv", index=False)
    data = {"path": "train.csv", "target": "y"}
    config = {"name": "b", "plots": False, "data": data, "optimizer": {"lr": 0.01}, "train": {"dtype": "float32"}}
    assert linreg("train", "-c", config_file(json.dumps(config)), "--quiet").code == 0
    for kept, code in ((50, 0), (0, 3)):
        frame.assign(a=frame["a"].where(frame.index < kept, 1e-60)).to_csv(tmp_path / "n.csv", index=False)
        result, *_, fell_back = both(linreg, monkeypatch, tmp_path, "evaluate", "--data", "n.csv", "--json")
        assert (result.code, fell_back) == (code, code == 3)


def test_a_part_of_dates_that_are_all_missing_has_no_level(linreg, trained, tmp_path, config_file):
    frame = table(9, seed=2)
    frame["day"] = None
    frame.to_csv(tmp_path / "n.csv", index=False)
    result = linreg("predict", "b", "--data", "n.csv")
    assert result.code == 3
    assert "column 'day'" in result.err or "day" in result.err


COLUMNS = [
    ["1", "2", "", "3"], ["1", "2.5", "NA", "3"], ["1.0", "2", "3"], ["2", "2.0"], ["12345678901234567", "1"],
    ["18446744073709551615", "1"], ["18446744073709551615", "-1"], ["007", "1"], ["1e-05", "0.5"], ["0.00001", "0.5"],
    ["", "NA"], ["a", "1"], ["1.10", "1"], ["-0.0", "0.0"], ["-0", "0"], [" 5", "6 "], ["1e400", "1"], ["-999", "1"],
    ["99999999999999999999999", "1"], ["1e+16", "2.5"], ["1e16", "2.5"],
]  # fmt: skip


@pytest.mark.parametrize("cells", COLUMNS, ids=" ".join)
@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("text", [DEFAULT, TextFormat(",", ",")])
def test_types_are_those_of_the_whole_column(cells, known, text):
    """`typed` of a text file: the exact type, else float64 for a column that is known to be numbers, else text."""
    marks = ["", "NA", "-999"]
    values = pa.chunked_array([cells])
    exact = as_exact_numbers(values, marks, whole=not text.is_plain)
    if exact is None and known:
        exact = as_numbers(values, marks, text)
    expected = values if exact is None or exact.null_count == len(exact) else exact
    kinds = ExactKinds(["c"], ["c"] if known else [], marks, text)
    blocks = [pa.table({"c": [cell]}) for cell in cells]
    try:
        for block in blocks:
            kinds.see(block)
        found = pa.concat_tables(kinds.applied(block) for block in blocks).column("c")
    except NotInBlocksError:
        assert len({float(cell) for cell in cells}) < len(set(cells)) or cells == ["1.0", "2", "3"]
        return
    assert found.type == expected.type
    assert found.to_pylist() == expected.to_pylist()
