"""Every stated limit: full batches by the command line and in plain numpy, and the batch-safe limit of any order.

The mean-square limit is held to its word in test_mean_square.py, that of a fixed order in test_fixed_order.py.
"""

import csv
import json

import numpy as np
import pytest
from designs import KINDS, LOSSES, RULES, design, given, shuffled, walk
from test_fixed_order import problem

from linreg_cli.convergence.limits import batch_safe_limit, full_batch_limit

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


def problem_of(number):
    """A random table of the n-th kind with the n-th loss and rule."""
    rng = np.random.default_rng(7000 + number)
    n, d = int(rng.integers(6, 50)), int(rng.integers(1, 4))
    X, y = design(rng, KINDS[number % len(KINDS)], n, d)
    options = {"loss": LOSSES[number % 3], **RULES[number % len(RULES)]}
    return rng, X, y, options, rng.normal(size=(d + 1, 1))


def a_hundred(fast):
    return [pytest.param(number, marks=[] if number < fast else pytest.mark.slow) for number in range(100)]


def apart(X, y, orders, size, lr, theta, options):
    """The distance of two runs after each epoch, by SGD written out in numpy: the noise at the optimum cancels."""
    orders = list(orders)
    with np.errstate(over="ignore", invalid="ignore"):
        one, other = (list(walk(X, y, iter(orders), size=size, lr=lr, theta=start, **options))
                      for start in (theta, theta + 1.0))  # fmt: skip
        return np.array([np.linalg.norm(a - b) for a, b in zip(one, other, strict=True)])


@pytest.mark.parametrize("number", a_hundred(14))
def test_the_full_batch_limit_holds_for_random_tables(number):
    _, X, y, options, theta = problem_of(number)
    found = problem(X, y, len(X), theta=theta, **options)
    limit = full_batch_limit(found, found.rule).rate
    below, above = (apart(X, y, given(len(X), 800), len(X), share * limit, theta, options) for share in (0.98, 1.02))
    assert max(below[600:]) <= max(below[200:400]) * (1 + 1e-9) + 1e-12
    assert max(np.nan_to_num(above[600:], nan=np.inf)) > max(above[200:400])


@pytest.mark.parametrize("number", a_hundred(14))
def test_no_order_diverges_below_the_batch_safe_limit(number):
    """Random orders, the given one, and one that repeats: the longest rows together, first, in every epoch."""
    rng, X, y, options, theta = problem_of(number)
    n = len(X)
    size = int(rng.integers(1, n))
    longest = np.argsort(-(X**2).sum(axis=1))[None]
    found = problem(X, y, size, theta=theta, shuffle=True, **options)
    lr = 0.98 * batch_safe_limit(found, found.rule).rate
    for orders in (given(n, 200), shuffled(n, 200, 1, number), (longest for _ in range(201))):
        seen = apart(X, y, orders, size, lr, theta, options)
        assert max(seen[100:]) <= max(seen[:50]) * (1 + 1e-9) + 1e-12
