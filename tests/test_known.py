"""A table that is trained without a config is read, encoded and solved once; a second reading gives the same run."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from linreg_cli.least_squares import solve
from linreg_cli.pipeline import prepare
from linreg_cli.starter import reading
from linreg_cli.starter.known import Known

N_ROWS = 60
_RANDOM = np.random.default_rng(5)
A, B, NOISE = _RANDOM.normal(size=(3, N_ROWS))
CITY = np.array(["Bath", "Hove", "York"])[_RANDOM.integers(0, 3, N_ROWS)]


def frame(**more) -> pd.DataFrame:
    return pd.DataFrame({"a": A, "b": 1e4 + 30 * B, **more, "y": 2 * A - B + 0.1 * NOISE})


def holed(values: np.ndarray, every: int) -> pd.Series:
    return pd.Series(values).mask(np.arange(len(values)) % every == 0)


TABLES = {
    "numbers": frame(),
    "gaps": frame(c=holed(A**2, 5), d=holed(B**2, 5)),
    "gaps in the target": frame().assign(y=holed(A, 7)),
    "categories": frame(city=CITY, flag=A > 0, shop=holed(CITY, 4)),
    "a constant and an identifier": frame(one=1, key=[f"k-{i:04}" for i in range(N_ROWS)], twice=2 * A),
    "dates": frame(sold=pd.date_range("2020-01-01", periods=N_ROWS, freq="37D").strftime("%Y-%m-%d")),
    "codes": frame(code=[f"{i % 4:03}" for i in range(N_ROWS)], year=[2000 + i % 3 for i in range(N_ROWS)]),
    "names": frame(**{"x ": A**2, "größe": B**3, "2020": A * B}),
}
OPTIONS = {
    "plain": [],
    "training": ["train.dtype=float32", "train.epochs=50", "optimizer.lr=0.01"],
    "ridge": ["optimizer.weight_decay=0.01", "loss=half_mse"],
    "columns": ["preprocess.missing=mean", "data.split={train: 1.0}"],
    "scaling": ["preprocess.standardize=false", "preprocess.standardize_target=false", "train.epochs=20"],
    "huber": ["loss=huber"],
}


@pytest.fixture
def train(linreg, tmp_path):
    def call(table: pd.DataFrame, outputs: str, *sets: str):
        table.to_csv(tmp_path / "t.csv", index=False)
        options = [part for each in ("plots=false", *sets) for part in ("--set", each)]
        result = linreg("train", "t.csv", "--target", "y", "--outputs", outputs, *options)
        return result, tmp_path / outputs / "t-0001"

    return call


@pytest.mark.parametrize(
    ("name", "options"),
    [*((name, "plain") for name in TABLES), *(("categories", each) for each in OPTIONS if each != "plain")],
)
def test_the_run_is_that_of_a_second_reading(train, monkeypatch, name, options):
    result, run = train(TABLES[name], "once", *OPTIONS[options])
    monkeypatch.setattr(Known, "of", lambda *_: None)
    expected, other = train(TABLES[name], "twice", *OPTIONS[options])
    assert result.code == expected.code == 0, result.err + expected.err
    said, again = (re.sub(r"(?m) +(in [0-9.]+ m?s|\d+ \w+ left)$", "", each.err) for each in (result, expected))
    assert said == again
    files = {path.name for path in other.iterdir()} - {"run.json", "history.csv", "plots"}
    for file in sorted(files - {each for each in files if each.startswith("checkpoint")}):
        assert (run / file).read_bytes() == (other / file).read_bytes(), file
    histories = [pd.read_csv(path / "history.csv").drop(columns="seconds") for path in (run, other)]
    pd.testing.assert_frame_equal(*histories, check_exact=True)
    records = [json.loads((path / "run.json").read_text()) for path in (run, other)]
    for key in ("data", "decisions", "warnings", "lr", "momentum", "engine", "digests", "stopped"):
        assert records[0].get(key) == records[1].get(key), key


def counted(monkeypatch, module, name: str) -> list:
    """Count the calls of a function, under the name that a module has for it."""
    calls, real = [], getattr(module, name)
    monkeypatch.setattr(module, name, lambda *given, **more: (calls.append(name), real(*given, **more))[1])
    return calls


@pytest.mark.parametrize(("name", "again"), [("numbers", 0), ("gaps", 0), ("dates", 1)])
def test_a_table_is_read_and_factorised_once(train, monkeypatch, name, again):
    """Dates are columns of text for a draft, and parts of dates for a run."""
    readings = counted(monkeypatch, prepare, "load_dataset")
    drafts = counted(monkeypatch, reading, "raw_columns")
    factors = counted(monkeypatch, solve, "factorise_rows")
    result, _ = train(TABLES[name], "once")
    assert result.code == 0, result.err
    assert (len(drafts), len(readings)) == (1, again)
    assert len(factors) == 2 * (1 + again)  # as trained and in original units


@pytest.mark.parametrize(
    "changed",
    [
        "preprocess.missing=level",
        "data.ignore=[a]",
        "seed=3",
        "model.bias=false",
    ],
)
def test_what_the_user_has_set_about_the_rows_is_read_anew(train, monkeypatch, changed):
    readings = counted(monkeypatch, prepare, "load_dataset")
    result, _ = train(TABLES["categories"], "once", changed)
    assert result.code == 0, result.err
    assert len(readings) == 1
