"""`optimizer.lr: auto` against half and a tenth of the limit, on random designs, trained by torch.optim.SGD itself.

The gap is (objective - minimum) / minimum, the minimum from numpy's least squares of the penalised system.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from descent import state_after

from linreg_cli.config.schema import Config
from linreg_cli.convergence.auto import resolve
from linreg_cli.convergence.problem import Problem
from linreg_cli.convergence.rates import SgdRule, stable_rate
from linreg_cli.optim.plan import StepPlan

KINDS = ("correlated", "heavy", "sorted", "duplicated", "rare")
#: The gap up to which a run may end: twice the larger of 1 % and the better of half and a tenth of the limit.
GOOD, TIMES = 0.01, 2.0


def design(stream: np.random.Generator, kind: str) -> tuple[np.ndarray, np.ndarray]:
    n, d = int(stream.integers(20, 200)), int(stream.integers(1, 6))
    X = stream.normal(size=(n, d))
    if kind == "correlated":
        X = X[:, :1] + 10.0 ** stream.uniform(-2.5, 0) * X
    elif kind == "heavy":
        X = stream.standard_t(1.5, size=(n, d))
    elif kind == "duplicated":
        X = np.repeat(X[: max(n // 4, d + 2)], 4, axis=0)
    elif kind == "rare":
        X[:, 0] = np.arange(len(X)) < 2
    spread = np.where(X.std(axis=0) > 0, X.std(axis=0), 1)
    X = (X - X.mean(axis=0)) / spread
    y = X @ stream.normal(size=(X.shape[1], 1)) * stream.uniform(0, 2) + stream.normal(size=(len(X), 1))
    order = np.argsort(y[:, 0]) if kind == "sorted" else stream.permutation(len(X))
    return X[order], y[order]


def settings(stream: np.random.Generator, n: int) -> dict:
    epochs = int(10 ** stream.uniform(0.5, 2.3))
    momentum = [0.0, 0.5, 0.9, "auto"][stream.integers(4)]
    schedule = [
        {"kind": "constant"},
        {"kind": "cosine", "T_max": epochs, "eta_min": 0.0},
        {"kind": "step", "step_size": max(epochs // 3, 1), "gamma": 0.3},
        {"kind": "exponential", "gamma": 0.97},
    ][stream.choice(4, p=[0.55, 0.15, 0.15, 0.15])]
    sizes = [1, 2, max(n // 10, 1), max(n - 1, 1), n // 2, n, n]
    return {
        "data": {"source": "inline", "columns": ("x", "y"), "rows": ((1, 1), (2, 2))},
        "seed": int(stream.integers(1000)),
        "optimizer": {
            "lr": "auto",
            "momentum": momentum,
            "weight_decay": float(stream.choice([0.0, 0.0, 0.05])),
            "nesterov": momentum == 0.9 and bool(stream.integers(2)),
            "schedule": schedule,
        },
        "train": {
            "epochs": epochs,
            "batch_size": int(sizes[stream.integers(len(sizes))]),
            "shuffle": bool(stream.integers(4)),
            "dtype": "float64",
        },
    }


def trained(config: Config, X: np.ndarray, y: np.ndarray, lr: float, momentum: float) -> float:
    """The objective at the end of torch's own run at a rate, from zero."""
    optimizer = config.optimizer.model_copy(update={"lr": lr, "momentum": momentum})
    plan = StepPlan.from_config(config.model_copy(update={"optimizer": optimizer}), len(X), X.shape[1] + 1)

    def batches():
        for epoch in range(plan.epochs):
            order = plan.row_order(epoch)
            rows = torch.arange(len(X)) if order is None else order
            for batch in range(plan.steps_per_epoch):
                yield rows[slice(*plan.batch_bounds(batch))]

    with np.errstate(all="ignore"):
        weights, bias = state_after(
            plan.total_steps, X, y, lr=lambda step: plan.learning_rate(plan.locate(step)[0]), momentum=momentum,
            nesterov=plan.nesterov and momentum > 0, weight_decay=plan.weight_decay, batches=batches(),
        )  # fmt: skip
        return objective(config, X, y, np.vstack([weights, bias]))


def objective(config: Config, X: np.ndarray, y: np.ndarray, theta: np.ndarray) -> float:
    e = X @ theta[:-1] + theta[-1] - y
    found = float(np.mean(e**2)) + config.optimizer.weight_decay / 2 * float(np.sum(theta**2))
    return found if np.isfinite(found) else np.inf


def lowest(config: Config, X: np.ndarray, y: np.ndarray) -> float:
    """The minimum of the objective: least squares with rows sqrt(n weight_decay / 2) I below the design."""
    A = np.column_stack([X, np.ones(len(X))])
    penalty = np.sqrt(len(X) * config.optimizer.weight_decay / 2) * np.eye(A.shape[1])
    theta = np.linalg.lstsq(np.vstack([A, penalty]), np.vstack([y, np.zeros((A.shape[1], 1))]), rcond=None)[0]
    return objective(config, X, y, theta)


def check(seed: int) -> None:
    stream = np.random.default_rng(seed)
    X, y = design(stream, KINDS[seed % len(KINDS)])
    config = Config.model_validate(settings(stream, len(X)))
    start = np.zeros((X.shape[1], 1)), np.zeros(1)
    problem = Problem(
        StepPlan.from_config(config, len(X), X.shape[1] + 1), X, y, tuple(f"x{j}" for j in range(X.shape[1])), start
    )
    chosen = resolve(config, problem)
    momentum = float(chosen.momentum.value)
    rule = replace(SgdRule.of(problem.plan), momentum=momentum, nesterov=config.optimizer.nesterov and momentum > 0)
    limit, minimum = stable_rate(problem.spectrum.largest, rule), lowest(config, X, y)
    ends = [trained(config, X, y, lr, momentum) for lr in (float(chosen.lr.value), limit / 2, limit / 10)]
    first = objective(config, X, y, np.zeros((X.shape[1] + 1, 1)))
    auto, *others = [(end - minimum) / minimum for end in ends]
    said = f"seed {seed}: {config.optimizer} {config.train}, n {len(X)}: {auto:.4g}, others {others}: {chosen.lr.why}"
    assert ends[0] <= first * (1 + 1e-9), said
    assert auto <= TIMES * max(GOOD, min(others)), said


@pytest.mark.parametrize("seed", range(20))
def test_auto_ends_near_the_better_of_half_and_a_tenth_of_the_limit(seed):
    check(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20, 220))
def test_auto_ends_near_the_better_of_half_and_a_tenth_of_the_limit_on_200_designs(seed):
    check(seed)
