"""What the command line prints as a warning is in `run.warnings` for a program, also after training."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import linreg_cli
from linreg_cli.evaluation import predict, saved_model, whole_table

CONFIG = {
    "data": {"target": "y"},
    "preprocess": {"missing": "drop"},
    "optimizer": {"lr": 0.1},
    "train": {"batch_size": "full", "epochs": 20},
    "plots": False,
}


def table(n_rows, name="x"):
    rng = np.random.default_rng(0)
    x = rng.normal(size=n_rows)
    return pd.DataFrame({name: x, "y": 2 * x + rng.normal(size=n_rows)})


@pytest.fixture
def run(tmp_path):
    return linreg_cli.train(CONFIG, data=table(50), outputs=tmp_path / "outputs")


def later(run):
    """The warnings that are not those of training."""
    return run.warnings[len(run.record["warnings"]) :]


@pytest.mark.parametrize("call", ["evaluate", "predict"])
@pytest.mark.parametrize("limit", [None, 100])
def test_a_table_that_is_read_as_a_whole_above_the_limit_is_a_warning(run, tmp_path, monkeypatch, call, limit):
    for module in (saved_model, whole_table):
        monkeypatch.setattr(module, "limit_in", lambda source: limit)
    path = tmp_path / "t.jsonl"
    table(40).to_json(path, orient="records", lines=True)
    for _ in range(2):  # it is one warning
        getattr(run, call)(path)
    assert [each["kind"] for each in later(run)] == ([] if limit is None else ["memory"])
    if limit is not None:
        assert "come into memory, more than data.memory_limit of the run (100 bytes)" in later(run)[0]["message"]
    assert later(linreg_cli.load_run(run.path)) == []


def test_rows_without_a_prediction_are_a_warning_and_null(run):
    rows = table(40)
    rows.loc[[3, 7], "x"] = np.nan
    assert run.predict(rows)["prediction"].isna().sum() == 2
    [warning] = later(run)
    assert warning["kind"] == "no_prediction"
    assert warning["message"].startswith("2 of 40 rows have no prediction: ")


def test_characters_without_a_font_are_a_warning(tmp_path):
    name = "x\U0001f4b0\uf8ff"  # of the private use area: no font has it
    run = linreg_cli.train(CONFIG, data=table(50, name), outputs=tmp_path / "outputs")
    assert later(run) == []
    run.plot("coefficients")
    assert [each["kind"] for each in later(run)] == ["font"]


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl", ".feather"])
def test_predictions_of_a_file_are_those_of_its_rows(run, tmp_path, suffix):
    rows, path = table(70_000), tmp_path / f"t{suffix}"
    if suffix == ".csv":
        rows.to_csv(path, index=False, float_format="%.17g")
    elif suffix == ".jsonl":
        rows.to_json(path, orient="records", lines=True, double_precision=15)
        rows = pd.read_json(path, lines=True, precise_float=True)
    else:
        (rows.to_parquet if suffix == ".parquet" else rows.to_feather)(path)
    found = run.predict(path)
    assert isinstance(found, pa.Table)
    assert found.column("prediction").to_pylist() == run.predict(rows)["prediction"].tolist()


def test_a_file_that_can_be_read_in_blocks_does_not_come_into_memory_as_a_whole(run, tmp_path, monkeypatch):
    def whole(*args, **options):
        raise AssertionError

    rows = table(40)
    rows["town"] = pd.Categorical(["Oslo", "Voss"] * 20)  # each block may have another dictionary
    rows.to_parquet(tmp_path / "t.parquet")
    monkeypatch.setattr(predict, "predict_table", whole)
    assert run.predict(tmp_path / "t.parquet").num_rows == 40
    with pytest.raises(AssertionError):
        run.predict(rows)  # which is in memory
