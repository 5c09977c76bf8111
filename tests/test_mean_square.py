"""The mean-square limit of random batches: at 0.98 of it the mean gap of 50 runs in plain numpy does not grow."""

import numpy as np
import pytest
from designs import KINDS, LOSSES, RULES, design, gap, shuffled, walk
from test_fixed_order import penalty, problem

from linreg_cli.convergence import mean_square as module
from linreg_cli.convergence import second_moments
from linreg_cli.convergence.limits import average_batch_limit, batch_safe_limit, exceeded, mean_square_limit
from linreg_cli.convergence.mean_square import mean_square
from linreg_cli.convergence.rates import SgdRule
from linreg_cli.convergence.second_moments import SecondMoments


def case(number):
    """A random problem: every kind, every rule, single rows to all but one, often with a last batch of one row."""
    rng = np.random.default_rng(number)
    n, d = int(rng.integers(8, 50)), int(rng.integers(1, 4))
    X, y = design(rng, KINDS[number % len(KINDS)], n, d)
    size = (1, n - 1, n // 2, max(2, (n - 1) // 3), int(rng.integers(1, n)))[number % 5]
    options = {"loss": LOSSES[number // 5 % 3], **RULES[number // 3 % len(RULES)]}
    return X, y, size, options, rng.normal(size=(d + 1, 1)) * 3


def mean_gaps(X, y, size, lr, options, theta, epochs, runs=50):
    states = walk(X, y, shuffled(len(X), epochs, runs, seed=1), size=size, lr=lr, theta=theta, **options)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.array([gap(X, y, at, options["loss"], penalty(X, size, options)).mean() for at in states])


@pytest.mark.parametrize(
    "number", [pytest.param(number, marks=[] if number < 12 else pytest.mark.slow) for number in range(100)]
)
def test_the_mean_gap_does_not_grow_below_the_limit(number):
    X, y, size, options, theta = case(number)
    found = problem(X, y, size, theta=theta, shuffle=True, **options)
    limit = mean_square_limit(found, found.rule).rate
    epochs = int(np.clip(6000 // -(-len(X) // size), 80, 400))
    gaps = mean_gaps(X, y, size, 0.98 * limit, options, theta, epochs)
    assert gaps[-epochs // 4 :].mean() < gaps[0]


def test_a_last_batch_of_one_row_is_counted():
    """30 rows in batches of 29: the mean over 29 rows hardly varies, and the single row of each epoch does."""
    rng = np.random.default_rng(0)
    X, y = design(rng, "normal", 30, 1)
    theta = np.zeros((2, 1))
    for number, options in enumerate(({"momentum": 0.9}, {}, {"momentum": 0.9, "nesterov": True})):
        options = {"loss": "mse", **options}
        found = problem(X, y, 29, theta=theta, shuffle=True, **options)
        limit, average = mean_square_limit(found, found.rule).rate, average_batch_limit(found, found.rule).rate
        assert limit < 0.7 * average, number
        gaps = mean_gaps(X, y, 29, 0.98 * limit, options, theta, 200)
        assert gaps[-50:].mean() < gaps[0]
    assert "the last of 1" in mean_square_limit(found, found.rule).covers
    # Half of the average batch's limit is far above, and says so before training.
    found = problem(X, y, 29, theta=theta, shuffle=True, momentum=0.9)
    assert exceeded(found, found.rule, 0.5 * average_batch_limit(found, found.rule).rate).of.startswith("the mean squ")
    grown = mean_gaps(X, y, 29, average, {"loss": "mse", "momentum": 0.9}, theta, 200)
    assert not grown[-1] < 10 * grown[0]


@pytest.mark.parametrize("options", [{}, {"momentum": 0.6}, {"momentum": 0.6, "nesterov": True}])
@pytest.mark.parametrize("loss", LOSSES)
def test_the_map_of_independent_batches_is_the_mean_over_all_of_them(loss, options):
    """4 rows in batches of 3 and 1: all 4 x 4 pairs of a first and a second batch, by torch's rule written out."""
    from itertools import combinations

    rng = np.random.default_rng(1)
    X, y = design(rng, "normal", 4, 1)
    found = problem(X, y, 3, loss=loss, shuffle=True, weight_decay=0.1, **options)
    moments, rule = module._moments(found), found.rule
    moments = SecondMoments(moments.rows, moments.eigenvalues, loss, 1, 3)
    lr, start = 0.05, rng.normal(size=(4 if rule.momentum else 2, 5))
    start = start @ start.T

    def step(rows):
        A = moments.rows[list(rows)]
        H = {"mse": 2, "half_mse": 1, "sse": 2 * len(A)}[loss] / len(A) * A.T @ A + 0.1 * np.eye(2)
        if not rule.momentum:
            return np.eye(2) - lr * H
        buffer = np.hstack([H, 0.6 * np.eye(2)])
        moved = np.hstack([H, np.zeros((2, 2))]) + 0.6 * buffer if rule.nesterov else buffer
        return np.vstack([np.eye(2, 4) - lr * moved, buffer])

    maps = [step(b) @ step(a) for a in combinations(range(4), 3) for b in combinations(range(4), 1)]
    expected = np.mean([P @ start @ P.T for P in maps], axis=0)
    left, right = np.triu_indices(len(start))
    np.testing.assert_allclose(moments.independent(lr, rule) @ start[left, right], expected[left, right], rtol=1e-10)
    if rule.momentum:  # a first batch and its complement, with a sampling error of 1 / sqrt(1,000)
        orders = [(set(range(4)) - {last}, {last}) for last in range(4)]
        exact = np.mean([step(b) @ step(a) @ start @ (step(b) @ step(a)).T for a, b in orders], axis=0)
        sampled = moments.reshuffled(lr, rule) @ start[left, right]
        np.testing.assert_allclose(sampled, exact[left, right], rtol=0.05, atol=0.01 * np.abs(exact).max())


def test_many_parameters_have_a_sufficient_limit():
    rng = np.random.default_rng(2)
    X, y = design(rng, "heavy-tailed", 60, 3)
    for options in ({}, {"momentum": 0.9}):
        found = problem(X, y, 25, shuffle=True, **options)
        exact = mean_square(found, found.rule)
        assert exact.by_epochs
        found.results.clear()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(second_moments, "MOST_DIMENSIONS", 1)
            sufficient = mean_square(found, found.rule)
        assert not sufficient.by_epochs
        assert sufficient.rate <= exact.rate
    found = problem(X, y, 25, loss="sse", shuffle=True, momentum=0.9)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(second_moments, "MOST_DIMENSIONS", 1)
        assert mean_square(found, found.rule).rate == batch_safe_limit(found, found.rule).rate
        assert "sufficient" in mean_square_limit(found, found.rule).covers


def test_what_has_no_mean_square_limit_says_why():
    X, y = design(np.random.default_rng(3), "normal", 20, 2)
    assert "fixed" in mean_square_limit(problem(X, y, 5), SgdRule()).covers
    assert "only batch" in mean_square_limit(problem(X, y, 20), SgdRule()).covers


def test_few_batches_of_many_rows_are_not_limited_for_want_of_sampled_orders():
    """The mean over 2,000 of 4,000 normal rows hardly varies, so half the average batch's limit is below the limit."""
    X, y = design(np.random.default_rng(4), "normal", 4_000, 5)
    found = problem(X, y, 2_000, theta=np.zeros((6, 1)), shuffle=True, momentum=0.9)
    limit, average = mean_square(found, found.rule).rate, average_batch_limit(found, found.rule).rate
    assert 0.5 * average < limit <= average
    gaps = mean_gaps(X, y, 2_000, 0.98 * limit, {"loss": "mse", "momentum": 0.9}, np.zeros((6, 1)), 60, runs=5)
    assert gaps[-15:].mean() < gaps[0]
