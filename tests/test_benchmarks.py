"""The benchmark compares equal steps, calls a slowdown a slowdown and noise noise, and owns up to what is missing."""

import json
import math

import numpy as np
import pytest
from conftest import REPOSITORY

from benchmarks import ours, page, peers, picture, quick, same_steps, time_to_gap
from benchmarks.measure import fresh_process, summary
from benchmarks.problems import problem
from benchmarks.ratios import LEAST_MARGIN, Spread, limit, regressed, regressions
from benchmarks.steps import Steps, difference
from linreg_cli.least_squares.solve import least_squares


def numpy_steps(steps):
    """The definition again, in float64 numpy: w -= lr * mean of 2 e x."""
    X, y = steps.table.X.astype(np.float64), steps.table.y.astype(np.float64)
    w, b = np.zeros(X.shape[1]), 0.0
    for order in steps.orders():
        rows = np.arange(len(X)) if order is None else order
        for first in range(0, len(X), steps.batch):
            batch = rows[first : first + steps.batch]
            e = X[batch] @ w + b - y[batch]
            w, b = w - steps.rate * 2 * (X[batch].T @ e) / len(batch), b - steps.rate * 2 * e.mean()
    return np.append(w, b)


def takers():
    table = problem(500, 4)
    for batch, shuffle, epochs in ((1, True, 1), (1, False, 1), (32, True, 1), (500, False, 3)):
        steps = Steps(table, batch, table.rate, epochs, shuffle)
        for contender in same_steps.CONTENDERS:
            if contender.takes(steps):
                order = "shuffled" if shuffle else "as given"
                yield pytest.param(contender, steps, id=f"{contender.name}-{batch}-{order}")


@pytest.mark.parametrize(("contender", "steps"), list(takers()))
def test_every_engine_takes_the_same_steps(contender, steps):
    if contender.package:
        pytest.importorskip(contender.package)
    # 500 steps of float32 may differ by about 500 units in the last place, 6e-8 each; a factor of two in the rate,
    # or another order of the rows, differs by more than 1e-2.
    assert difference(contender.engine(steps)(), numpy_steps(steps)) < 3e-5


def test_float64_torch_is_the_definition_to_rounding():
    table = problem(200, 3)
    for batch, shuffle in ((1, True), (32, False), (200, False)):
        steps = Steps(table, batch, table.rate, 1, shuffle)
        assert difference(ours.float64_torch(steps), numpy_steps(steps)) < 1e-13


def test_a_part_of_the_steps_is_scaled_by_the_work_left_out():
    steps = Steps(problem(2000, 3), 10, 1e-3)
    part = steps.part(most_steps=50, most_rows=10**9)
    assert (len(part.table.X), steps.work / part.work) == (500, 4)
    full = Steps(problem(2000, 3), 2000, 1e-3, epochs=100)
    assert (full.part(10, 100).epochs, full.work / full.part(10, 100).work) == (10, 10)


def test_the_gap_is_that_of_the_loss():
    table = problem(300, 3)
    optimum = least_squares(table.X, table.y[:, None], bias=True)
    at = np.append(optimum.weights.ravel(), optimum.bias) + 0.01
    X, y = table.X.astype(np.float64), table.y.astype(np.float64)
    loss = np.mean((X @ at[:-1] + at[-1] - y) ** 2)
    assert time_to_gap.gap_of(at, optimum) == pytest.approx((loss - optimum.train_loss) / optimum.train_loss, rel=1e-9)
    assert time_to_gap.gap_of(at * np.nan, optimum) == math.inf


def test_a_setting_that_is_found_reaches_its_gap():
    table = problem(2000, 4, "ill")
    optimum = least_squares(table.X, table.y[:, None], bias=True)
    for gap, reached in time_to_gap.search(table, optimum).items():
        best = min(reached, key=lambda tuned: tuned.epochs)
        steps = Steps(table, best.batch, best.rate, best.epochs, momentum=best.momentum)
        assert time_to_gap.gap_of(ours.slices(steps)(), optimum) < 1.01 * float(gap)


def test_a_slowdown_beyond_the_noise_is_a_regression_and_noise_is_none():
    stored = Spread(0.9, 1.0, 1.1)
    assert regressed(stored, Spread(1.9, 2.0, 2.1))
    assert not regressed(stored, Spread(0.95, 1.1, 1.3))
    assert not regressed(stored, Spread(1.0, 2.0, 3.0))  # as often at the stored ratio as far above
    assert not regressed(stored, Spread(0.4, 0.5, 0.6))  # faster


def test_the_margin_is_the_noise_of_the_noisier_set_and_never_less_than_a_quarter():
    quiet, noisy = Spread(1.0, 1.0, 1.0), Spread(0.5, 1.0, 1.5)
    assert limit(quiet, quiet) == 1 + LEAST_MARGIN
    assert limit(quiet, noisy) == 2.0
    assert limit(noisy, quiet) == 3.0


def test_false_alarms_are_rare_and_a_doubling_is_always_seen():
    stream = np.random.default_rng(0)

    def sample(centre, noise):
        return Spread.of((centre * np.exp(noise * stream.standard_normal(9))).tolist())

    for noise in (0.02, 0.1, 0.3):
        alarms = sum(regressed(sample(1, noise), sample(1, noise)) for _ in range(2000))
        assert alarms <= 20  # of 2,000; three in a row are needed to fail
    assert all(regressed(sample(1, 0.05), sample(2, 0.05)) for _ in range(2000))


def test_only_ratios_that_are_stored_are_compared():
    slow, quick_one = Spread(9.0, 9.0, 9.0), Spread(1.0, 1.0, 1.0)
    now = {"new": slow, "worse": slow, "same": quick_one}
    assert regressions({"worse": quick_one, "same": quick_one, "gone": quick_one}, now) == ["worse"]


class Answers(quick.Pair):
    """A pair with given ratios instead of measured ones."""

    def __init__(self, *ratios):
        super().__init__(lambda: 0.0, lambda: 0.0)
        object.__setattr__(self, "ratios", iter(ratios))

    def samples(self):
        return [next(self.ratios)] * 5


@pytest.fixture
def stored(tmp_path):
    path = tmp_path / "quick.json"
    path.write_text(json.dumps({"cpu": "another", "ratios": {"r": {"low": 0.9, "median": 1.0, "high": 1.1}}}))
    return path


def test_what_regresses_in_every_attempt_fails(stored, capsys):
    assert quick.compare({"r": Answers(3.0, 3.0, 3.0)}, stored) == 1
    assert "REGRESSED" in capsys.readouterr().out


def test_what_regresses_once_is_measured_again_and_passes(stored, capsys):
    assert quick.compare({"r": Answers(3.0, 1.0)}, stored) == 0
    assert "REGRESSED" not in capsys.readouterr().out


def test_what_is_missing_is_skipped_by_name(monkeypatch):
    def missing(steps):
        raise ImportError

    slices = next(contender for contender in same_steps.CONTENDERS if contender.engine is ours.slices)
    absent = same_steps.Contender("JAX lax.scan", missing, package="jax")
    monkeypatch.setattr(same_steps, "CONTENDERS", (absent, slices))
    engines = same_steps.cell(Steps(problem(64, 2), 8, 1e-3), 2)
    assert page.time_of(engines["JAX lax.scan"]) == "skipped: jax is not installed"
    assert engines["torch: tensor slices"]["difference"] < 1e-5


def test_numbers_have_the_digits_that_they_deserve():
    numbers = {1234.5: "1,234", 99.96: "100", 12.345: "12.3", 1.2345: "1.23", 0.12345: "0.12"}
    assert {value: page.number(value) for value in numbers} == numbers
    assert page.time_of(summary([1.0, 2.0, 3.0], 9.0, 10.0)) == "≈ 20.0 ± 10.0"


def test_only_what_stands_between_the_marks_is_written():
    text = f"before\n{page.BEGIN}old\n{page.END}after\n"
    assert page.between_marks(text, "new\n") == f"before\n{page.BEGIN}new\n{page.END}after\n"
    shown = page.PAGE.read_text(encoding="utf-8")
    assert (shown.count(page.BEGIN), shown.count(page.END)) == (1, 1)


def drawn_cell():
    times = {f"engine {i}": 10.0**i for i in range(1, 7)} | {"linreg native": 17.0}
    engines = {name: summary([ms] * 5, 0.0) for name, ms in times.items()} | {"JAX": {"skipped": "not installed"}}
    floors = {"read": summary([0.5] * 5, 0.0), "gather": summary([20.0] * 5, 0.0)}
    return {**picture.DRAWN, "table": "1,000,000 x 8", "floors": floors, "engines": engines}


def test_the_legend_of_the_picture_covers_nothing_and_every_value_is_inside():
    figure = picture.figure(drawn_cell())
    figure.draw_without_rendering()
    axes, legend = figure.axes[0], figure.legends[0].get_window_extent()
    assert not legend.overlaps(axes.get_tightbbox())
    assert all(axes.bbox.x1 >= text.get_window_extent().x1 for text in axes.texts)
    assert [label.get_text() for label in axes.get_yticklabels()][-2:] == ["linreg native", "engine 1"]


def test_a_picture_needs_its_cell():
    assert picture.draw([]) is None
    assert picture.draw([drawn_cell()])[:4] == b"\x89PNG"


def test_memory_of_a_fresh_process_is_its_own_and_not_its_parents(tmp_path):
    import sys

    ballast = np.ones(300 * 2**17)  # 300 MiB in this process
    assert fresh_process([sys.executable, "-S", "-c", "pass"], tmp_path)["mib"] < 100
    assert len(ballast)
    with pytest.raises(RuntimeError, match="no such thing"):
        fresh_process([sys.executable, "-S", "-c", "raise SystemExit('no such thing')"], tmp_path)


def test_stored_results_are_small_and_name_no_place_of_a_machine():
    for path in (REPOSITORY / "benchmarks" / "results").glob("*.json"):
        text = path.read_text(encoding="utf-8")
        assert len(text) < 200_000
        assert not any(part in text for part in ("/home", "/root", "/tmp", "/work", "/usr"))


def test_a_table_for_vowpal_wabbit_goes_with_its_cache(tmp_path):
    pytest.importorskip("vowpalwabbit")
    table = problem(50, 2)
    peers.vowpal_wabbit(Steps(table, 1, 1e-3))()
    assert table in peers._CACHES
