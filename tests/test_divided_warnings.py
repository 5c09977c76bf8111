"""Warnings about a table that several processes read: those of one process, found where the rows are."""

import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from thread_ranks import Several

from linreg_cli.config.schema import Config
from linreg_cli.data import load_dataset
from linreg_cli.data.checks import duplicate_rows, leaks, warnings
from linreg_cli.data.columns import fetched
from linreg_cli.data.columns.fetched import FetchedValues
from linreg_cli.data.roles import RowWeights
from linreg_cli.errors import DataError
from linreg_cli.ranks.group import START

ROWS = 3_000
KINDS = {"constant", "duplicate", "identifier", "leak", "duplicate_rows", "few_effective_rows"}


def table():
    """Columns of which each has a fault that the last rows, too, decide about."""
    rng = np.random.default_rng(8)
    x = rng.normal(size=ROWS)
    cells = {
        "x": x,
        "same": x.copy(),
        "other": np.where(np.arange(ROWS) == ROWS - 1, 7.0, x),  # the same but for the last row
        "one": np.full(ROWS, 4.0),
        "nearly_one": np.where(np.arange(ROWS) == ROWS - 2, 5.0, 4.0),
        "id": np.arange(ROWS) + 1.0,
        "days": np.arange(ROWS) * 3.0 + 100,  # a time axis, with which the target grows
        "gaps": np.where(rng.uniform(size=ROWS) < 0.1, np.nan, rng.normal(size=ROWS)),
        "w": np.where(np.arange(ROWS) >= ROWS - 3, 1e6, rng.uniform(0.5, 2, ROWS)),
        "town": rng.choice(["a", "b", "c"], ROWS),
        "y": np.exp(np.linspace(0, 5, ROWS)),
    }
    cells["twice"] = 2 * cells["y"]
    for values in cells.values():  # rows of the beginning stand at the end, too, in another split
        values[ROWS - 200 : ROWS - 100] = values[:100]
    cells["part"] = np.array(["train"] * (ROWS - 200) + ["test"] * 100 + ["train"] * 100)
    return {name: pa.array(values, from_pandas=True) for name, values in cells.items()}


def bytes_that_come_to(ranks):
    """A list that is given the bytes of each exchange to rank 0, without those that fill up the first of a message."""
    came, receive = [], ranks.receive_into

    def received(values, sender=0):
        receive(values, sender)
        is_first = values.nbytes == 8 + START  # it says how long the message is
        came.append(min(int(values[:8].view(torch.int64)), START) if is_first else values.nbytes)

    ranks.receive_into = received
    return came


def config_of(path, split, columns=("gaps",), **train):
    data = {"source": "table", "path": str(path), "target": "y", "weight": "w", "split": split}
    data |= {"ignore": ("part",)} if "test" in split else {}
    preprocess = {"categorical": "one_hot", "columns": {"gaps": {"missing": "level"}} if "gaps" in columns else {}}
    return Config.model_validate({"data": data, "preprocess": preprocess, "train": train})


@pytest.mark.parametrize(
    "split", [{"column": "part"}, {"train": 0.7, "test": 0.3}, {"by": "hash", "train": 0.9, "test": 0.1}]
)
def test_several_processes_warn_as_one_and_fetch_few_numbers(split, tmp_path, monkeypatch):
    pq.write_table(pa.table(table()), tmp_path / "t.parquet", row_group_size=400)
    monkeypatch.setattr(warnings, "SAMPLE_ROWS", 200)
    monkeypatch.setattr(warnings, "_RUN_ROWS", 20)
    monkeypatch.setattr(leaks, "MOST_SORTED", 100)
    monkeypatch.setattr(duplicate_rows, "_SAMPLE", 150)
    monkeypatch.setattr(fetched, "group_rows", lambda _: 1)  # nothing is fetched ahead
    whole = load_dataset(config_of(tmp_path / "t.parquet", split))
    kinds = {each.kind for each in whole.summary.warnings}
    assert kinds >= KINDS, kinds
    for size in (1, 2, 3, 4):
        several = Several(size)
        with several as ranks:
            came = bytes_that_come_to(ranks)
            found = load_dataset(config_of(tmp_path / "t.parquet", split, shards=5), ranks=ranks)
            assert found.summary == whole.summary
            assert found.weights.scale == whole.weights.scale
        assert not several.errors
        # Text, the sample of each column, the lowest values of a few, hashes; the table has 12 columns of 24 kB.
        assert sum(came) < 12 * 24_000 / 3


def test_the_sum_of_weights_is_rounded_once_wherever_they_are():
    rng = np.random.default_rng(3)
    weights = rng.lognormal(0, 8, 70_000)
    rows = rng.permutation(70_000)[:66_000].astype(np.int32)
    expected = 66_000 / math.fsum(weights[rows])
    assert RowWeights.of(weights, "w", rows).scale == expected
    several = Several(3)
    with several as ranks:
        for each, (first, last) in zip(several.ranks, [(0, 9), (9, 68_000), (68_000, 70_000)], strict=True):
            each.held[5] = weights[first:last]
        column = FetchedValues(ranks, 5, (0, 9, 68_000, 70_000), 1)
        assert RowWeights.of(column, "w", rows).scale == expected
        assert RowWeights.of(column, "w", rows[:0]).scale == 1
    assert not several.errors


@pytest.mark.parametrize("weight", [0.0, np.nan, np.inf, 1.7e308])
def test_a_weight_is_refused_as_by_one_process(weight, tmp_path):
    cells = {"x": np.arange(40.0), "y": np.arange(40.0) ** 2, "w": np.ones(40)}
    cells["w"][[17, 31, 39]] = weight
    pq.write_table(pa.table(cells), tmp_path / "t.parquet")
    config = config_of(tmp_path / "t.parquet", {"train": 1.0}, (), shards=4)

    def refused(ranks):
        with pytest.raises(DataError) as error:
            load_dataset(config, ranks=ranks)
        return str(error.value)

    expected = refused(None)
    assert "row 18" in expected or weight == 1.7e308
    for size in (2, 4):
        with Several(size) as ranks:
            assert refused(ranks) == expected


def test_gaps_are_fetched_as_bits_with_those_of_the_rows_that_follow(monkeypatch):
    values = np.where(np.arange(100) % 7 == 3, np.nan, np.arange(100.0))
    several = Several(2)
    with several as ranks:
        for each, (first, last) in zip(several.ranks, [(0, 33), (33, 100)], strict=True):
            each.held[5] = values[first:last]
        asked, real = [], ranks.ask
        ranks.ask = lambda *message: asked.append(message[0].__name__) or real(*message)
        column = FetchedValues(ranks, 5, (0, 33, 100), 1)
        for rows in (slice(0, 10), slice(30, 60), np.array([99, 3, 38]), slice(50, 50)):
            assert column.missing(rows).tolist() == np.isnan(values[rows]).tolist()
        assert asked == ["_answered"]
        monkeypatch.setattr(fetched, "_GAPS_AHEAD", 16)
        column = FetchedValues(ranks, 5, (0, 33, 100), 1)
        for rows in (slice(20, 30), slice(25, 80), slice(0, 100), np.array([99, 3, 38]), slice(95, 100)):
            assert column.missing(rows).tolist() == np.isnan(values[rows]).tolist()
    assert not several.errors
