"""Memory that runs out within Arrow, whose error of it is one of Arrow's, is said as such wherever it happens."""

from dataclasses import replace

import pandas as pd
import pyarrow as pa
import pyarrow.json as pj
import pyarrow.parquet as pq
import pytest

from linreg_cli.cli import predict
from linreg_cli.data.tables.blocks import ColumnSink
from linreg_cli.figures import kinds


def no_memory(*args, **options):
    raise pa.ArrowMemoryError("malloc of size 64 failed")


@pytest.fixture
def trained(linreg, tmp_path):
    rows = pd.DataFrame({"x": range(40), "y": [2.0 * x + x % 3 for x in range(40)]})
    rows.to_parquet(tmp_path / "t.parquet")
    rows.to_json(tmp_path / "t.jsonl", orient="records", lines=True)
    (tmp_path / "parts").mkdir()
    for part in (0, 1):
        rows[part::2].to_parquet(tmp_path / "parts" / f"{part}.parquet")
    assert linreg("train", "t.parquet", "--target", "y", "-q", "--set", "plots=false").code == 0
    return linreg


@pytest.mark.parametrize(
    ("module", "name", "command"),
    [
        (pq.ParquetFile, "iter_batches", ("predict", "t", "--data", "t.parquet")),
        (ColumnSink, "cells", ("train", "parts", "--target", "y")),
        (pj, "read_json", ("evaluate", "t", "--data", "t.jsonl")),
        (predict, "_write", ("predict", "t", "--data", "t.parquet")),
    ],
    ids=["file", "parts", "json", "write"],
)
def test_memory_that_ran_out_is_what_the_error_says(trained, monkeypatch, module, name, command):
    monkeypatch.setattr(module, name, no_memory)
    result = trained(*command)
    assert (result.code, result.out) == (3, "")
    assert result.err.splitlines()[-1].startswith("error: out of memory; use fewer rows or columns")


def test_a_run_is_not_damaged_by_a_picture_for_which_memory_ran_out(trained, monkeypatch):
    monkeypatch.setitem(kinds.KINDS, "loss", replace(kinds.KINDS["loss"], draw=no_memory))
    result = trained("plot", "t", "--kind", "loss")
    assert (result.code, "damaged" in result.err) == (3, False)
    assert "out of memory" in result.err
