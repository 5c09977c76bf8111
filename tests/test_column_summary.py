"""Summaries of columns that are read block by block, against pandas and numpy on whole columns."""

import tracemalloc
from fractions import Fraction
from statistics import pstdev

import numpy as np
import pandas as pd
import pytest

from linreg_cli.config import Config
from linreg_cli.data import load_dataset
from linreg_cli.data.columns import kinds, moments, rows
from linreg_cli.inspection import column_summary
from linreg_cli.inspection.column_summary import summaries, summarise

LEVELS = ["north", "east", "south"]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Blocks of 128 rows, the least of which sums have the bits of numpy."""
    for module in (column_summary, kinds, moments, rows):
        monkeypatch.setattr(module, "BLOCK_ROWS", 128)
    monkeypatch.setattr(rows.row_blocks, "__defaults__", (128,))


@pytest.fixture(name="table")
def _table(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"real": rng.normal(size=1_000), "whole": rng.integers(-9, 9, 1_000), "large": 1e200 * rng.random(1_000)}
    )
    frame["flag"], frame["flat"] = rng.integers(0, 2, 1_000), 0.1
    frame["late"] = np.where(np.arange(1_000) < 990, frame["flag"], 0.5)  # the last blocks decide what it is
    frame["city"] = rng.choice(LEVELS, 1_000)
    frame["gaps"] = frame["real"].where(rng.random(1_000) > 0.2)
    frame["district"] = frame["city"].where(rng.random(1_000) > 0.2)
    frame["part"], frame["y"] = rng.choice(["train", "test"], 1_000), rng.normal(size=1_000)
    frame.to_csv(tmp_path / "t.csv", index=False, float_format="%.17g")
    return tmp_path / "t.csv", frame


def loaded(table, split):
    preprocess = {"categorical": "one_hot", "columns": {"gaps": {"missing": "mean"}, "district": {"missing": "level"}}}
    ignored = {} if "column" in split else {"ignore": ("part",)}
    data = {"path": str(table), "target": "y", "split": split, **ignored}
    return load_dataset(Config.model_validate({"data": data, "preprocess": preprocess}))


SPLITS = [
    {"train": 1.0}, {"train": 0.5, "test": 0.5, "shuffle": False}, {"column": "part"}, {"train": 0.6, "test": 0.4},
    {"train": 0.05, "test": 0.95},
]  # fmt: skip


@pytest.mark.parametrize("split", SPLITS, ids=str)
def test_statistics_are_those_of_pandas(table, split):
    path, frame = table
    dataset = loaded(path, split)
    train = frame.iloc[np.asarray(dataset.splits["train"])]
    found = {each.name: each for each in summaries(dataset)}
    # Beyond 2^53 every float64 is a whole number.
    assert {name: each.kind for name, each in found.items()} == {
        "real": "real", "whole": "integer", "large": "integer", "flag": "binary", "flat": "constant", "gaps": "real",
        "late": "real" if (train["late"] == 0.5).any() else "binary", "city": "category", "district": "category",
        "y": "real",
    }  # fmt: skip
    for name in ("real", "whole", "large", "flag", "late", "gaps", "y"):
        one, column = found[name], train[name].dropna()
        assert (one.minimum, one.maximum) == (column.min(), column.max())
        assert one.mean == pytest.approx(column.mean(), rel=1e-12)
        unit = column.abs().max()  # the squares of the large ones overflow
        assert one.std == pytest.approx((column / unit).std(ddof=0) * unit, rel=1e-12)
    assert (found["flat"].mean, found["flat"].std) == (0.1, 0.0)
    assert found["gaps"].missing == frame["gaps"].isna().sum()
    assert found["city"].levels == train["city"].value_counts().to_dict()
    counts = train["district"].value_counts().to_dict()
    assert found["district"].levels == {**counts, "(missing)": train["district"].isna().sum()}
    assert found["y"].role == "target"


@pytest.mark.parametrize("split", [SPLITS[0], SPLITS[2]], ids=str)
def test_mean_and_deviation_have_the_bits_of_numpy_on_the_whole_column(table, split):
    path, frame = table
    dataset = loaded(path, split)
    train = frame.iloc[np.asarray(dataset.splits["train"])]
    for one in summaries(dataset):
        if one.name in ("real", "gaps", "y"):
            values = train[one.name].dropna().to_numpy()
            unit = 2.0 ** (np.frexp(np.abs(values).max())[1] - 1)
            assert one.mean == (values / unit).mean() * unit
            assert one.std == (values / unit).std() * unit


def test_without_values_there_are_no_statistics():
    summary = summarise("x", lambda start, stop: np.zeros(0), 0)
    assert (summary.kind, summary.minimum, summary.std) == ("constant", None, None)


def test_no_array_has_a_number_for_each_row(monkeypatch):
    monkeypatch.undo()
    n = 1_000_000

    def read(start, stop):
        return np.arange(start, stop, dtype=np.float64)

    tracemalloc.start()
    try:
        assert summarise("x", read, n).mean == pytest.approx((n - 1) / 2, rel=1e-13)
        assert tracemalloc.get_traced_memory()[1] < 3 * n  # of 8 bytes for each row
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("offset", [-1e12, 3.7e9, 1e300, 3e-310])
def test_the_spread_about_a_large_mean_is_that_of_the_values(offset):
    """Expected: the standard library's `pstdev` of exact fractions."""
    values = offset + np.spacing(offset) * np.random.default_rng(0).integers(-1000, 1000, 50)
    found = summarise("x", lambda start, stop: values[start:stop], 50)
    expected = float(pstdev([Fraction(each) for each in values.tolist()]))
    assert found.std == pytest.approx(expected, rel=1e-6)
