"""Batches in a fixed order: limit, forecast and floor against SGD written out in numpy, and against torch."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from descent import descend
from designs import KINDS, LOSSES, RULES, design, gap, given, walk

from linreg_cli.convergence import crossing, fixed_order
from linreg_cli.convergence.limits import exceeded, fixed_order_limit, must_diverge
from linreg_cli.convergence.problem import Problem
from linreg_cli.optim.losses import Loss
from linreg_cli.optim.plan import StepPlan

TARGETS = (1e-1, 1e-3)


def problem(X, y, size, *, loss="mse", lr=0.01, epochs=6, theta=None, shuffle=False, **rule):
    n, d = X.shape
    rate = lr if callable(lr) else lambda epoch: lr
    plan = StepPlan(n, size, epochs, shuffle, 0, Loss(loss), rate, **rule)
    theta = np.ones((d + 1, 1)) if theta is None else theta
    return Problem(plan, X, y, tuple(f"x{j}" for j in range(d)), (theta[:-1], theta[-1]))


def case(number):
    """A random problem of the n-th combination of kind, loss and rule, with its batch size and initial parameters."""
    rng = np.random.default_rng(number)
    n, d = int(rng.integers(6, 50)), int(rng.integers(1, 4))
    X, y = design(rng, KINDS[number % len(KINDS)], n, d)
    size = int(rng.integers(1, n))
    options = {"loss": LOSSES[number % 3], **RULES[number % len(RULES)]}
    theta = rng.normal(size=(d + 1, 1)) * 3
    return X, y, size, options, theta


def cases(fast, slow):
    return [pytest.param(number, marks=[] if number < fast else pytest.mark.slow) for number in range(slow)]


def penalty(X, size, options):
    """The weight of the squared parameters in the objective that the steps of an epoch reduce.

    Of a sum each step has the whole penalty, the smaller last one too.
    """
    return options.get("weight_decay", 0.0) * (math.ceil(len(X) / size) if options["loss"] == "sse" else 1.0)


@pytest.mark.parametrize("number", cases(14, 100))
def test_the_limit_is_sharp(number):
    """At 0.98 of it the distance without noise falls, at 1.02 it grows, in 400 epochs of plain numpy."""
    X, y, size, options, theta = case(number)
    found = problem(X, y, size, theta=theta, **options)
    limit = fixed_order_limit(found, found.rule).rate
    ends = []
    for share in (0.98, 1.02):
        with np.errstate(over="ignore", invalid="ignore"):
            # The last states relative to the fixed point that they approach or leave: differences of two runs.
            runs = [list(walk(X, y, given(len(X), 800), size=size, lr=share * limit, theta=start, **options))
                    for start in (theta, theta + 1.0)]  # fmt: skip
            apart = np.array([np.linalg.norm(a - b) for a, b in zip(*runs, strict=True)])
        ends.append(apart)
    steepest = np.nan_to_num(ends[1], nan=np.inf)
    assert max(ends[0][600:]) <= max(ends[0][200:400]) * (1 + 1e-9) + 1e-12
    assert max(steepest[600:]) > max(steepest[200:400])


@pytest.mark.parametrize("number", cases(14, 100))
def test_the_gap_after_each_epoch_is_exact(number):
    X, y, size, options, theta = case(number)
    found = problem(X, y, size, theta=theta, **options)
    lr = 0.6 * fixed_order_limit(found, found.rule).rate
    expected = [float(gap(X, y, at[0], options["loss"], penalty(X, size, options))) for at in
                walk(X, y, given(len(X), 300), size=size, lr=lr, theta=theta, **options)]  # fmt: skip
    told = [found.final_gap(lr, found.rule, epochs) for epochs in (1, 2, 7, 300)]
    np.testing.assert_allclose(told, [expected[1], expected[2], expected[7], expected[300]], rtol=1e-6, atol=1e-12)
    forecast = found.forecast(lr, found.rule, TARGETS, epochs=300)
    assert forecast.start_gap == pytest.approx(expected[0])
    assert forecast.final_gap == pytest.approx(expected[300], rel=1e-6, abs=1e-12)
    for target, epoch in forecast.epochs.items():
        seen = next((at for at, value in enumerate(expected) if value <= target), None)
        assert epoch == seen or (seen is None and epoch > 300)


SHAPES = (lambda epoch: 0.8**epoch, lambda epoch: 0.5 ** (epoch // 4), lambda epoch: max(0.0, 1 - epoch / 11))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("number", range(7))
def test_a_schedule_has_a_map_for_each_epoch(number, shape):
    X, y, size, options, theta = case(number)
    found = problem(X, y, size, theta=theta, epochs=12, **options)
    high = fixed_order_limit(found, found.rule).rate

    def rate(epoch):
        return high * shape(epoch)

    *_, last = walk(X, y, given(len(X), 12), size=size, lr=rate, theta=theta, **options)
    expected = float(gap(X, y, last[0], options["loss"], penalty(X, size, options)))
    assert found.final_gap(high, found.rule, 12, shape) == pytest.approx(expected, rel=1e-7)
    forecast = found.forecast(rate, found.rule, TARGETS)
    assert forecast.final_gap == pytest.approx(expected, rel=1e-7)
    assert "schedule" in forecast.floor_gap.why


@pytest.mark.parametrize("rule", RULES)
def test_torch_takes_the_steps_that_are_forecast(rule):
    """torch.optim.SGD itself, with two targets and a smaller last batch; its first buffer is special."""
    X, _ = design(np.random.default_rng(3), "sorted", 17, 2)
    y = X @ np.array([[1.0, -2.0], [0.5, 3.0]]) + np.random.default_rng(4).normal(size=(17, 2))
    found = problem(X, y, 5, theta=np.zeros((3, 2)), **rule)
    states = descend(X, y, lr=0.02, batches=itertools.cycle(slice(at, at + 5) for at in range(0, 17, 5)), **rule)
    ends = [state for step, state in zip(range(41), states, strict=False) if step % 4 == 0]
    expected = [found.optimum.excess(*state) / found.optimum.relative_to for state in ends]
    told = [found.final_gap(0.02, found.rule, epochs) for epochs in range(1, 11)]
    np.testing.assert_allclose(told, expected[1:], rtol=1e-10)


def test_the_floor_is_the_gap_of_the_fixed_point():
    X, y = design(np.random.default_rng(0), "sorted", 40, 1)
    found = problem(X, y, 8)
    floor = found.forecast(0.1, found.rule, TARGETS, epochs=3000).floor_gap
    *_, last = walk(X, y, given(40, 3000), size=8, lr=0.1, theta=np.ones((2, 1)))
    assert floor == pytest.approx(float(gap(X, y, last[0])), rel=1e-9)
    told = found.forecast(0.1, found.rule, (floor / 2,))
    assert told.epochs[floor / 2] is None
    assert told.reasons[floor / 2].kind == "order"
    assert found.forecast(0.1, found.rule, (2 * floor,)).epochs[2 * floor] is not None


def test_rates_above_the_first_crossing_may_be_stable_again():
    """Two rows, one at a time, p = 1: an epoch multiplies by (1 - 2 lr)(1 - 20 lr), which is above -1 and below 1
    up to lr = 0.55, dips to -1.6 in between, and the first crossing of -1 is at 20 lr^2 - 11 lr + 1 = 0."""
    X, y = np.array([[1.0], [10**0.5]]), np.array([[1.0], [2.0]])
    plan = StepPlan(2, 1, 5, False, 0, Loss("mse"), lambda epoch: 0.1)
    found = Problem(plan, X, y, ("x",), (np.ones((1, 1)), None))
    roots = np.roots([20, -11, 1])
    assert fixed_order_limit(found, found.rule).rate == pytest.approx(roots.min(), rel=1e-4)
    assert must_diverge(found, found.rule, float(np.mean(roots)))
    assert exceeded(found, found.rule, float(np.mean(roots))).of == "the order given"
    above = (roots.max() + 0.55) / 2
    assert not must_diverge(found, found.rule, float(above))
    assert "converges in this order" in exceeded(found, found.rule, float(above)).consequence


def test_parts_of_an_epoch_side_by_side_give_the_same_map(monkeypatch):
    X, y = design(np.random.default_rng(1), "heavy-tailed", 203, 2)
    found = problem(X, y, 2, momentum=0.9, nesterov=True, weight_decay=0.01)
    order, rates = found.fixed_order, [1e-3, 2e-3, 5e-3]
    together = order.maps(rates, found.rule)
    monkeypatch.setattr(fixed_order, "_HELD", 1)
    monkeypatch.setattr(fixed_order.FixedOrder, "_lanes", lambda *_: 7)
    np.testing.assert_allclose(order.maps(rates, found.rule), together, rtol=1e-9, atol=1e-12)


def test_what_is_too_costly_is_not_claimed(monkeypatch):
    X, y = design(np.random.default_rng(1), "sorted", 60, 2)
    found = problem(X, y, 6)
    for module in (fixed_order, crossing):
        monkeypatch.setattr(module, "MOST_WORK", 100)
    assert "operations" in fixed_order_limit(found, found.rule).covers
    assert fixed_order_limit(found, found.rule).rate is None
    told = found.forecast(0.01, found.rule, TARGETS)
    assert told.epochs == dict.fromkeys(TARGETS)
    assert "operations" in told.final_gap.why
    assert found.final_gap(0.01, found.rule, 3) is None
    assert not must_diverge(found, found.rule, 100.0)
    assert exceeded(found, found.rule, 100.0).consequence == "training may diverge"


def test_other_plans_have_no_fixed_order():
    X, y = design(np.random.default_rng(1), "normal", 20, 2)
    shuffled = problem(X, y, 6, shuffle=True)
    assert shuffled.fixed_order is None
    assert "train.shuffle: false" in fixed_order_limit(shuffled, shuffled.rule).covers
    full = problem(X, y, 20)
    assert full.fixed_order is None
    assert fixed_order_limit(full, full.rule).rate == pytest.approx(2 / full.spectrum.largest)
    constant = problem(X, 0 * y + 1, 6)
    assert "constant" in constant.forecast(0.01, constant.rule, TARGETS).final_gap.why
    dampened = replace(constant.rule, momentum=0.5, dampening=1.0)
    assert "dampening" in problem(X, y, 6).forecast(0.01, dampened, TARGETS).final_gap.why


@pytest.mark.parametrize(
    "settings",
    [
        ["optimizer.lr=0.02"],
        ["optimizer.lr=0.02", "optimizer.momentum=0.9", "optimizer.nesterov=true"],
        ["optimizer.lr=0.05", "optimizer.schedule={kind: cosine, T_max: 40}"],
        ["optimizer.lr=0.05", "optimizer.momentum=0.5", "optimizer.schedule={kind: exponential, gamma: 0.9}"],
        ["optimizer.lr=0.3", "train.batch_size=full", "optimizer.schedule={kind: step, step_size: 9, gamma: 0.5}"],
        ["optimizer.lr=0.3", "train.batch_size=full", "optimizer.momentum=0.5"],
    ],
)
def test_a_run_ends_at_the_final_gap_that_inspect_tells(linreg, config_file, tmp_path, settings):
    X, y = design(np.random.default_rng(8), "sorted", 33, 2)
    np.savetxt(tmp_path / "t.csv", np.hstack([X, y]), delimiter=",", header="a,b,y", comments="", fmt="%.17g")
    path = config_file(
        f"name: t\ndata: {{path: {tmp_path / 't.csv'}, target: y}}\nplots: false\n"
        "train: {epochs: 40, batch_size: 7, shuffle: false, dtype: float64}\n"
    )
    sets = [part for setting in settings for part in ("--set", setting)]
    told = linreg("inspect", "-c", path, "--json", *sets).json
    ended = linreg("train", "-c", path, "--json", "--quiet", *sets).json["metrics"]["optimum"]["gap"]
    assert told["forecast"]["final_gap"] == pytest.approx(ended, rel=1e-6, abs=1e-13)
    assert ("floor_gap_reason" in told["forecast"]) == any("schedule" in setting for setting in settings)
    page = linreg("inspect", "-c", path, *sets).out
    [line] = [line for line in page.splitlines() if line.startswith("  as configured  ")]
    shown = line.split()[-1]
    assert ended < 1e-9 if shown == "<1e-9" else float(shown) == pytest.approx(ended, rel=5e-3)


def test_a_rate_that_diverges_in_the_order_is_refused(linreg, config_file, tmp_path):
    X, y = design(np.random.default_rng(8), "sorted", 33, 2)
    np.savetxt(tmp_path / "t.csv", np.hstack([X, y]), delimiter=",", header="a,b,y", comments="", fmt="%.17g")
    path = config_file(
        f"name: t\ndata: {{path: {tmp_path / 't.csv'}, target: y}}\nplots: false\n"
        "train: {epochs: 400, batch_size: 7, shuffle: false, dtype: float64}\noptimizer: {momentum: 0.9}\n"
    )
    limit = linreg("inspect", "-c", path, "--json").json["stable_lr"]["fixed_order"]
    refused = linreg("train", "-c", path, "--json", "--set", f"optimizer.lr={1.02 * limit}")
    assert (refused.code, refused.json["error"]["kind"]) == (4, "diverged")
    assert "the order given" in refused.json["error"]["message"]
    told = linreg("inspect", "-c", path, "--json", "--set", f"optimizer.lr={1.02 * limit}").json
    assert told["forecast"]["final_gap"] is None
    assert "spectral radius" in told["forecast"]["final_gap_reason"]
    assert linreg("train", "-c", path, "--json", "--set", f"optimizer.lr={1.02 * limit}", "--force").code == 4
