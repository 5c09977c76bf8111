"""Parts of dates block by block: those of the whole column, and none where a cell is no date."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from linreg_cli.config import load_config
from linreg_cli.config.terms import PARTS, parse
from linreg_cli.data import load_dataset, table_warnings
from linreg_cli.data.columns.kinds import Categories
from linreg_cli.data.encoding.date_blocks import parts_in_blocks
from linreg_cli.data.encoding.date_values import date_parts
from linreg_cli.data.tables import arrow_table, csv_part
from linreg_cli.data.tables.open import open_table
from linreg_cli.errors import DataError

TERMS = [parse(f"{part}(d)", ["d", "y"]) for part in PARTS]
MARKS = ("", "NA")
LIMIT = 2**30
N_ROWS = 100


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Blocks of a few rows."""
    monkeypatch.setattr(csv_part, "block_bytes", lambda n_columns: 200)
    monkeypatch.setattr(arrow_table, "group_rows", lambda n_columns: 14)


def times(seed=0):
    """Times of four centuries, the years in no order; the first twenty and some others are missing."""
    rng = np.random.default_rng(seed)
    found = pd.Series(np.datetime64("1850-01-01T00:00:00") + rng.integers(0, 12_000_000_000, N_ROWS).astype("m8[s]"))
    found[:20] = None
    found[rng.choice(N_ROWS, 9, replace=False)] = None
    return found


def written(tmp_path, column, kind="csv"):
    frame = pd.DataFrame({"d": column, "y": np.arange(len(column)) / 3})
    path = tmp_path / f"t.{kind}"
    if kind == "csv":
        frame.to_csv(path, index=False)
    else:
        pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), path, row_group_size=33)
    return str(path)


def both(path):
    """The parts in blocks, and of the whole column."""
    table = open_table(path, missing_values=MARKS)
    whole, faults = date_parts(table.read([], text=["d"]), TERMS, MARKS, "t")
    assert faults == []
    return parts_in_blocks(table, TERMS, MARKS, LIMIT), whole


@pytest.mark.parametrize("kind", ["csv", "parquet", "timestamps"])
def test_they_are_those_of_the_whole_column(kind, tmp_path):
    column = times() if kind == "timestamps" else times().map(lambda t: None if pd.isna(t) else t.isoformat())
    found, whole = both(written(tmp_path, column, "csv" if kind == "csv" else "parquet"))
    assert found.keys() == whole.keys() == {f"{part}(d)" for part in PARTS}
    for name, expected in whole.items():
        if not isinstance(expected, Categories):
            np.testing.assert_array_equal(found[name].values[:], expected.values[:])
            continue
        assert (found[name].levels, found[name].codes.dtype) == (expected.levels, expected.codes.dtype)
        np.testing.assert_array_equal(found[name].codes, expected.codes)
    assert len(found["year(d)"].levels) > 2**6


def test_a_column_without_a_date_is_nan(tmp_path):
    found, _ = both(written(tmp_path, pd.Series([None] * 30 + ["NA"] * 30, dtype=object)))
    assert all(np.isnan(part.values[:]).all() and len(part.values) == 60 for part in found.values())


FAULTS = {
    "no date": "yesterday", "a zone after dates without one": "2020-01-31T00:00:00+01:00", "a day first": "31/01/2020",
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_of_a_cell_at_fault_the_whole_column_says_which_it_is(fault, tmp_path, config_file):
    column = pd.Series([f"2020-01-{1 + row % 28:02}T00:00:00" for row in range(N_ROWS)])
    column[90] = FAULTS[fault]
    path = written(tmp_path, column)
    assert parts_in_blocks(open_table(path), TERMS, MARKS, LIMIT) is None
    config = {"data": {"path": path, "target": "y", "features": ["days(d)"], "memory_limit": "1GiB"}}
    with pytest.raises(DataError, match="row 91, column 'd'"):
        load_dataset(load_config([config_file(json.dumps(config))]).config)


def test_a_table_that_is_read_as_a_whole_gives_none(tmp_path):
    frame = pd.DataFrame({"d": ["2020-01-31"], "y": [1.0]})
    frame.to_json(tmp_path / "t.jsonl", orient="records", lines=True)
    assert parts_in_blocks(open_table(str(tmp_path / "t.jsonl")), TERMS, MARKS, LIMIT) is None
    (tmp_path / "empty.csv").write_text("d,y\n")
    assert parts_in_blocks(open_table(str(tmp_path / "empty.csv")), TERMS, MARKS, LIMIT) is None


@pytest.mark.parametrize("features", [["days(d)", "year(d)"], ["d", "month(d)"], ["*", "hour(d)"]])
def test_with_a_limit_the_rows_of_a_config_are_the_same_and_no_text_is_kept(
    features, tmp_path, config_file, monkeypatch
):
    path = written(tmp_path, times().dropna().dt.strftime("%Y-%m-%d %H:%M:%S"))
    data = {"path": path, "target": "y", "features": features}
    found, texts = [], []
    real = table_warnings._text_warning
    monkeypatch.setattr(table_warnings, "_text_warning", lambda source, of: texts.append(set(of)) or real(source, of))
    for limit in (None, "1GiB"):
        config = {"data": {**data, "memory_limit": limit}, "preprocess": {"columns": {"d": {"categorical": "one_hot"}}}}
        config["preprocess"]["max_levels"] = 1_000
        if "d" not in features:
            del config["preprocess"]["columns"]
        found.append(load_dataset(load_config([config_file(json.dumps(config))]).config))
    assert found[0].fingerprint() == found[1].fingerprint()
    assert found[0].features == found[1].features
    assert texts == [{"d"}, {"d"} if "d" in features else set()]
