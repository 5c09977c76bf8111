"""The one object about a plan and its train rows: what it keeps, what it refuses to know, and what it agrees with."""

from dataclasses import replace

import numpy as np
import pytest

from linreg_cli.convergence import affordable
from linreg_cli.convergence.problem import Problem
from linreg_cli.optim.losses import Loss
from linreg_cli.optim.plan import StepPlan

STREAM = np.random.default_rng(3)
X = STREAM.normal(size=(60, 3)) * [1.0, 5.0, 0.1] + [0.0, 2.0, -1.0]
Y = X @ [[1.0], [-2.0], [3.0]] + 0.5 + STREAM.normal(size=(60, 1))
A = np.column_stack([X, np.ones(60)])


def problem(loss="mse", *, batch_size=60, X=X, y=Y, shuffle=True, **settings):
    plan = StepPlan(
        n_samples=len(X), batch_size=batch_size, epochs=5, shuffle=shuffle, seed=0, loss=Loss(loss),
        learning_rate=lambda epoch: 0.01, **settings,
    )  # fmt: skip
    start = np.zeros((X.shape[1], y.shape[1])), np.zeros(y.shape[1])
    return Problem(plan, X, y, tuple("abc"[: X.shape[1]]), start)


def test_another_rate_keeps_what_was_worked_out_and_another_batch_is_refused():
    given = problem()
    optimum, spectrum = given.optimum, given.spectrum
    other = given.with_plan(replace(given.plan, learning_rate=lambda epoch: 0.5, momentum=0.9, nesterov=True))
    assert other.optimum is optimum
    assert other.spectrum is spectrum
    assert (given.rule.momentum, other.rule.momentum, other.rule.nesterov) == (0.0, 0.9, True)
    with pytest.raises(AssertionError):
        given.with_plan(replace(given.plan, batch_size=10))


@pytest.mark.parametrize("loss", ["mse", "half_mse", "sse"])
@pytest.mark.parametrize("batch_size", [60, 7])
def test_the_distance_is_that_of_numpy(loss, batch_size):
    """(loss - optimum) / optimum, from residuals that numpy's lstsq leaves."""
    scale = {"mse": 1 / 60, "half_mse": 1 / 120, "sse": 1.0}[loss]
    lowest = scale * float(np.sum((A @ np.linalg.lstsq(A, Y, rcond=None)[0] - Y) ** 2))
    at_zero = scale * float(np.sum(Y**2))
    given = problem(loss, batch_size=batch_size)
    distance = given.distance(*given.start, at_zero, certify=True)
    assert distance.gap == pytest.approx((at_zero - lowest) / lowest, rel=1e-12)
    assert distance.relative_to == "optimum"
    assert distance.certified > distance.gap


@pytest.mark.parametrize("batch_size", [60, 7])
def test_what_a_step_meets_of_a_sum_is_the_share_of_its_batch(batch_size):
    given = problem("sse", batch_size=batch_size)
    largest = float(np.linalg.eigvalsh(2 * A.T @ A)[-1])
    assert given.batch_share == batch_size / 60
    assert given.spectrum.largest == pytest.approx(largest, rel=1e-12)
    assert given.step_spectrum.largest == pytest.approx(largest * batch_size / 60, rel=1e-12)


@pytest.mark.parametrize(("batch_size", "steps"), [(60, 1), (20, 3), (7, 9)])
def test_the_optimum_of_a_sum_with_weight_decay_is_where_the_steps_of_an_epoch_add_up_to_nothing(batch_size, steps):
    """Each step has the whole penalty, the smaller last one too: 7 rows at a time of 60 add it 9 times, not 60 / 7."""
    given = problem("sse", batch_size=batch_size, weight_decay=0.5)
    expected = np.linalg.solve(2 * A.T @ A + steps * 0.5 * np.eye(4), 2 * A.T @ Y)
    found = np.vstack([given.optimum.weights, given.optimum.bias])
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_the_curvature_of_standardised_columns():
    Z = np.column_stack([(X - X.mean(axis=0)) / X.std(axis=0), np.ones(60)])
    assert problem().standardized_curvature == pytest.approx(float(np.linalg.eigvalsh(2 / 60 * Z.T @ Z)[-1]), rel=1e-12)


def test_what_cannot_be_known_has_a_reason(monkeypatch):
    assert problem("mae").no_curvature_reason == "loss: mae is piecewise linear and has no curvature"
    for unit in (1e150, 1e-150, 1e-310):
        assert "beyond the range" in problem(X=X * unit).no_optimum_reason
    assert problem(X=np.column_stack([X[:, 0], np.zeros(60)])).no_optimum_reason is None
    monkeypatch.setattr(affordable, "MOST_WORK", 100)
    costly = problem()
    assert "rows x parameters^2 is at most 100" in costly.no_curvature_reason
    assert costly.optimum is None
    assert not costly.is_quadratic
    assert replace(costly, allow_slow=True).optimum is not None


def test_the_start_does_not_move_with_the_parameters(linreg, config_file):
    """The forecast's start is that of the run, though the tensors of the model are changed in place."""
    from linreg_cli.config import load_config
    from linreg_cli.pipeline.prepare import prepare
    from linreg_cli.pipeline.silent import Silent

    path = config_file("data: {source: synthetic, n_samples: 50}\ntrain: {dtype: float64}\n")
    prepared = prepare(load_config([str(path)]), Silent())
    before = prepared.problem.start[0].copy()
    prepared.choice.executor.run(prepared.plan, prepared.state, 0, 5)
    assert np.array_equal(prepared.problem.start[0], before)


def test_numbers_are_judged_by_the_dtype_that_is_trained_in():
    """A third column that adds up to 1e-7 is a sum in float32, and a column of its own in float64."""
    nearly = np.column_stack([X[:, :2], X[:, 0] + X[:, 1] + 1e-7 * STREAM.normal(size=60)])
    exact = problem(X=nearly)
    assert (exact.factor.rank, exact.dependent_columns) == (4, ())
    cast = problem(X=nearly.astype(np.float32), y=Y.astype(np.float32))
    judged = replace(exact, eps=float(np.finfo(np.float32).eps))
    for given in (cast, judged):
        assert (given.factor.rank, given.dependent_columns) == (3, ("a", "b", "c"))
