"""predictions.csv and the metrics of a run come from one pass over its rows."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics as sk

from linreg_cli import files
from linreg_cli.evaluation import prediction_lines, predictions
from linreg_cli.model import LinearFormula

CONFIG = """
name: p
data:
  {source: synthetic, n_samples: 100, weights: WEIGHTS, noise_std: 0.5, split: {train: 0.6, validation: 0.2, test: 0.2}}
train: {epochs: 2}
plots: false
"""


@pytest.fixture
def run(linreg, config_file, tmp_path, monkeypatch):
    """Train by blocks of seven rows; what was predicted, and the run."""
    predicted, real = [], LinearFormula.predict

    def predict(formula, columns, rows=slice(None)):
        found = real(formula, columns, rows)
        predicted.append(len(found))
        return found

    monkeypatch.setattr(prediction_lines, "BLOCK_ROWS", 7)
    monkeypatch.setattr(LinearFormula, "predict", predict)
    monkeypatch.setattr(files, "RETRY_SECONDS", (0.0, 0.0))

    def train(weights: str) -> Path:
        predicted.clear()
        result = linreg("train", "-c", config_file(CONFIG.replace("WEIGHTS", weights)), "--quiet")
        assert result.code == 0, result.err
        return tmp_path / "outputs" / "p-0001"

    return train, predicted


def written(folder: Path) -> list[dict[str, str]]:
    with open(folder / "predictions.csv", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("weights", ["[2]", "[2, 3]"])
def test_every_row_is_predicted_once_and_written_and_measured(run, weights):
    train, predicted = run
    folder = train(weights)
    # 60 rows are eight blocks of seven and one of four; 20 are two of seven and one of six.
    assert predicted == [*[7] * 8, 4, *[7, 7, 6] * 2]
    lines, metrics = written(folder), json.loads((folder / "metrics.json").read_text())
    assert sorted(int(line["row"]) for line in lines) == list(range(1, 101))
    for split, n in (("train", 60), ("validation", 20), ("test", 20)):
        actual, found = (
            np.array([float(line[column]) for line in lines if line["split"] == split])
            for column in ("target", "prediction")
        )
        assert (len(actual), metrics[split]["n"]) == (n, n)
        # sums of up to 60 float64 terms in another order: 60 eps = 1.4e-14 at most, for r2 relative to 1 - r2
        assert metrics[split]["mse"] == pytest.approx(sk.mean_squared_error(actual, found), rel=1e-12)
        assert metrics[split]["mae"] == pytest.approx(sk.mean_absolute_error(actual, found), rel=1e-12)
        assert metrics[split]["r2"] == pytest.approx(sk.r2_score(actual, found), abs=1e-12)


def test_a_write_that_is_tried_again_counts_each_row_once(run, monkeypatch):
    train, predicted = run
    whole = train("[2, 3]")
    expected = (whole / "predictions.csv").read_bytes(), (whole / "metrics.json").read_bytes()
    real, attempts = predictions.write_table, []

    def failing(target, suffix, batches):
        attempts.append(target)
        if len(attempts) < 3:
            for _ in zip(range(5 * len(attempts)), batches, strict=False):
                pass
            raise OSError(28, "No space left on device")
        return real(target, suffix, batches)

    monkeypatch.setattr(predictions, "write_table", failing)
    for path in whole.iterdir():
        path.unlink()
    whole.rmdir()
    again = train("[2, 3]")
    assert len(attempts) == 3
    assert sum(predicted) > 100  # the attempts that failed predicted too
    assert ((again / "predictions.csv").read_bytes(), (again / "metrics.json").read_bytes()) == expected
