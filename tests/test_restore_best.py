"""`early_stopping.restore_best`: the model that is published is that of the best epoch, however training ends."""

import csv
import json
from pathlib import Path

import pytest
from resuming import same, stop_at  # noqa: F401 - a fixture

#: The validation loss of mini-batches at a high rate goes up and down, so the best epoch is seldom the last.
CONFIG = """
name: r
data: {source: synthetic, n_samples: 60, weights: [2, -1], noise_std: 2, split: {train: 0.5, validation: 0.5}}
optimizer: {lr: 0.2}
train: {epochs: 30, batch_size: 5, early_stopping: {patience: 4, restore_best: true}}
plots: false
"""


@pytest.fixture
def train(linreg, config_file):
    path = config_file(CONFIG)

    def call(*arguments, sets=(), outputs="outputs"):
        options = [word for each in sets for word in ("--set", each)]
        result = linreg("train", "-c", path, *options, "--outputs", outputs, *arguments)
        return result, Path(outputs) / "r-0001"

    return call


def history(run: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((run / "history.csv").read_text().splitlines()))


def read(run: Path, name: str) -> dict:
    return json.loads((run / name).read_text())


@pytest.mark.parametrize("engine", ["reference", "native"])
@pytest.mark.parametrize("ends", [["train.early_stopping.patience=4"], ["train.early_stopping.patience=1000"]])
@pytest.mark.parametrize("monitor", ["validation", "train"])
def test_the_published_loss_is_the_lowest_of_the_history(train, engine, ends, monitor):
    """A replay of `history.csv`: the lowest loss, its epoch, and the parameters of that line."""
    result, run = train(sets=[f"train.engine={engine}", f"train.early_stopping.monitor={monitor}.loss", *ends])
    assert result.code == 0, result.err
    rows = history(run)[1:]
    best = min(rows, key=lambda row: float(row[f"{monitor}_loss"]))
    record, metrics = read(run, "run.json"), read(run, "metrics.json")
    assert int(best["epoch"]) == record["restored_epoch"] < len(rows)
    assert metrics[monitor]["loss"] == pytest.approx(float(best[f"{monitor}_loss"]), rel=1e-6)
    assert metrics["parameters"]["weights"] == {name: float(best[f"weight:{name}"]) for name in ("x1", "x2")}
    assert metrics["parameters"]["bias"] == float(best["bias"])
    assert record["epochs_done"] == len(rows)
    assert f"restored: the parameters of epoch {best['epoch']}, the best one" in result.out


def test_full_batches_by_their_sums_restore_too(train):
    sets = ["train.batch_size=full", "train.engine=statistics", "optimizer.lr=0.05", "train.early_stopping.patience=9"]
    result, run = train(sets=[*sets, "train.epochs=200"])
    assert result.code == 0, result.err
    lowest = min(history(run)[1:], key=lambda row: float(row["validation_loss"]))
    assert read(run, "run.json")["restored_epoch"] == int(lowest["epoch"])
    assert read(run, "metrics.json")["validation"]["loss"] == pytest.approx(float(lowest["validation_loss"]), rel=1e-6)


def test_without_it_the_last_epoch_is_published(train):
    result, run = train(sets=["train.early_stopping.restore_best=false"])
    assert result.code == 0
    assert "restored_epoch" not in read(run, "run.json")
    assert read(run, "metrics.json")["parameters"]["bias"] == float(history(run)[-1]["bias"])


@pytest.mark.parametrize("event", [8, 20, 33, 41])
def test_a_run_that_is_resumed_has_the_same_bits(train, linreg, stop_at, event):  # noqa: F811
    assert train(outputs="whole")[0].code == 0
    stop_at(event)
    assert train()[0].code == 143
    assert linreg("train", "--resume", "outputs/r-0001", "--json").code == 0
    same(Path("outputs/r-0001"), Path("whole/r-0001"))
    assert (
        read(Path("outputs/r-0001"), "run.json")["restored_epoch"]
        == read(Path("whole/r-0001"), "run.json")["restored_epoch"]
    )


def test_more_epochs_go_on_from_the_last_epoch_and_not_from_the_best(train, linreg):
    patient = "train.early_stopping.patience=1000"
    assert train(sets=[patient, "train.epochs=12"], outputs="whole")[0].code == 0
    assert train(sets=[patient, "train.epochs=8"])[0].code == 0
    assert linreg("train", "--resume", "outputs/r-0001", "--set", "train.epochs=12").code == 0
    same(Path("outputs/r-0001"), Path("whole/r-0001"))


def test_a_rate_whose_last_epochs_are_bad_is_judged_by_the_model_that_is_published(train):
    """The loss after the last epoch is ten times that of the start; that of the best epoch is below both."""
    sets = ["optimizer.lr=0.02", "train.batch_size=full", "train.epochs=60", "train.early_stopping.patience=1000"]
    rising = ["optimizer.schedule={kind: exponential, gamma: 1.1}", "train.early_stopping.monitor=train.loss"]
    result, run = train("--force", sets=[*sets, *rising])
    rows = history(run)
    assert float(rows[-1]["train_loss"]) > 10 * float(rows[0]["train_loss"])
    assert result.code == 0, result.err
    assert read(run, "metrics.json")["train"]["loss"] < float(rows[0]["train_loss"])


def test_folds_restore_as_the_run_does(train):
    one = train(sets=["evaluate.cross_validation={folds: 3}"])[0]
    other = train(sets=["evaluate.cross_validation={folds: 3}", "train.early_stopping.restore_best=false"], outputs="o")
    assert (one.code, other[0].code) == (0, 0)
    found = [read(Path(run), "metrics.json")["cross_validation"] for run in ("outputs/r-0001", "o/r-0001")]
    assert found[0]["rmse"] != found[1]["rmse"]
