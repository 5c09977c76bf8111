"""Every stated limit of a full batch by the command line: 0.99 of it converges, 1.01 of it diverges."""

import csv
import json

import numpy as np
import pytest

MOTIONS = {
    "plain": {},
    "momentum": {"momentum": 0.9},
    "nesterov": {"momentum": 0.9, "nesterov": True},
    "weight decay": {"weight_decay": 0.5},
    "nesterov and decay": {"momentum": 0.8, "nesterov": True, "weight_decay": 0.2},
    "dampening": {"momentum": 0.6, "dampening": 0.3},
    "dampening and decay": {"momentum": 0.6, "dampening": 0.5, "weight_decay": 0.1},
}


def write(path, seed, n_targets):
    """A random table of columns with scales, offsets and correlations of their own."""
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(8, 60)), int(rng.integers(1, 5))
    X = rng.normal(size=(n, d)) @ (np.eye(d) + 0.3 * rng.normal(size=(d, d)))
    X = X * 10 ** rng.uniform(-1, 1, d) + rng.normal(size=d)
    Y = X @ rng.normal(size=(d, n_targets)) + rng.normal(size=(n, n_targets))
    with open(path, "w", newline="") as file:
        names = [*(f"x{j}" for j in range(d)), *(f"y{k}" for k in range(n_targets))]
        csv.writer(file).writerows([names, *np.hstack([X, Y]).tolist()])
    return [f"y{k}" for k in range(n_targets)]


@pytest.mark.parametrize(("seed", "loss"), [(1, "mse"), (2, "sse"), (3, "half_mse")])
@pytest.mark.parametrize("rule", MOTIONS)
def test_full_batches_obey_the_limit(linreg, config_file, tmp_path, seed, rule, loss):
    targets = write(tmp_path / "t.csv", 100 * seed + len(rule), 1 + seed % 2)
    config = {
        "data": {"path": str(tmp_path / "t.csv"), "target": targets}, "loss": loss, "plots": False,
        "model": {"bias": seed != 3, "init": {"weight": {"normal": [0, 1]}}},
        "optimizer": {"lr": 1e-9, **MOTIONS[rule]},
        "train": {"epochs": 250, "batch_size": "full", "dtype": "float64"},
    }  # fmt: skip
    path = config_file(json.dumps(config))
    limit = linreg("inspect", "-c", path, "--json").json["stable_lr"]["full_batch"]
    below, above = (("--set", f"optimizer.lr={share * limit!r}") for share in (0.99, 1.01))
    # Along the steepest direction a step multiplies the distance by 0.98 or 1.02 (plain), further from 1 with momentum:
    # 1.02^(2 x 250) = 2e4 for the loss.
    result = linreg("train", "-c", path, "--json", *below)
    assert result.code == 0, result.err
    with open(f"{result.json['path']}/history.csv", newline="") as file:
        gaps = [float(row["gap"]) for row in csv.DictReader(file)]
    assert gaps[-1] < gaps[0]
    assert gaps[-1] <= max(gaps[125:])
    refused = linreg("train", "-c", path, "--json", *above)
    assert (refused.code, refused.json["error"]["kind"]) == (4, "diverged")
    forced = linreg("train", "-c", path, "--json", "--force", *above)
    if forced.code == 0:
        assert forced.json["metrics"]["optimum"]["gap"] > 100 * gaps[0]
    else:
        assert forced.code == 4
