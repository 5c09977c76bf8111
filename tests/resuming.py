"""A small run, how it is stopped at any event, and what two runs must share to be the same."""

import json
import os
import signal
from pathlib import Path

import pytest

from linreg_cli.cli import progress
from linreg_cli.optim import fit as fit_module

# 10 train rows in batches of 4: 3 steps an epoch, the last of them with 2 rows.
BASE = """
name: r
data: {source: synthetic, n_samples: 14, noise_std: 0.5, split: {train: 0.7143, validation: 0.2857}}
optimizer: {lr: 0.05, momentum: 0.9, nesterov: true}
train: {epochs: 4, batch_size: 4, device: cpu}
probe: [[1, 2]]
plots: false
"""
STEPS = 12


@pytest.fixture
def train(linreg, config_file):
    path = config_file(BASE)

    def call(*arguments, sets=(), outputs="outputs"):
        options = [part for item in sets for part in ("--set", item)]
        return linreg("train", "-c", path, *options, "--outputs", outputs, *arguments)

    return call


@pytest.fixture
def stop_at(monkeypatch):
    """Ask to stop, by a real SIGTERM, at the N-th event of training; every step is a segment of its own."""
    monkeypatch.setattr(fit_module, "SEGMENT_SECONDS", 0.0)
    left = [0]
    real = progress.Progress.event

    def event(self, what):
        real(self, what)
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(progress.Progress, "event", event)

    def at(number: int) -> None:
        left[0] = number

    return at


def history(run: Path) -> list[list[str]]:
    lines = [line.split(",") for line in (run / "history.csv").read_text().splitlines()]
    seconds = lines[0].index("seconds")
    return [line[:seconds] + line[seconds + 1 :] for line in lines]


def same(run: Path, other: Path) -> None:
    for name in ("model.safetensors", "metrics.json", "predictions.csv", "preprocess.json", "config.yaml"):
        assert (run / name).read_bytes() == (other / name).read_bytes(), name
    assert history(run) == history(other)
    epochs = [line[0] for line in history(run)[1:]]
    assert epochs == [str(epoch) for epoch in range(len(epochs))], "each epoch once"
    records = [json.loads((path / "run.json").read_text()) for path in (run, other)]
    for record in records:  # but for what a resume says of itself, such as a checkpoint that was damaged
        record["warnings"] = [each for each in record["warnings"] if each["kind"] != "resumed"]
    for key in ("status", "steps_done", "epochs_done", "stopped", "digests", "steps", "warnings"):
        assert records[0][key] == records[1][key], key


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
