"""By what the points of a sweep are compared, who wins, and what is said of it."""

import math

import pytest

from linreg_cli.config import load_config
from linreg_cli.errors import ConfigError
from linreg_cli.sweeps.found import sentences
from linreg_cli.sweeps.metric import best_of, changed_units, choose_metric, is_best_when_highest, measured
from linreg_cli.sweeps.store import Point, Sweep

PLAIN = ["data.source=synthetic"]
SPLIT = [*PLAIN, "data.split={train: 0.8, validation: 0.2}"]
FOLDS = [*PLAIN, "evaluate.cross_validation={folds: 3}"]


def configs(*overrides):
    return [load_config([], each).config for each in overrides]


@pytest.mark.parametrize(
    ("overrides", "metric"),
    [
        ([SPLIT], "validation.loss"),
        ([[*SPLIT, *FOLDS]], "validation.loss"),
        ([FOLDS], "cross_validation.mse.mean"),
        ([[*FOLDS, "loss=mae"]], "cross_validation.mae.mean"),
        ([[*FOLDS, "loss=huber"]], "cross_validation.mae.mean"),
        ([PLAIN], "train.loss"),
        ([[*SPLIT, *FOLDS], FOLDS], "cross_validation.mse.mean"),
        ([SPLIT, PLAIN], "train.loss"),
    ],
)
def test_the_metric_is_one_that_every_point_has(overrides, metric):
    chosen, warning = choose_metric(configs(*overrides))
    assert chosen == metric
    assert (warning is not None) == (metric == "train.loss")


@pytest.mark.parametrize("metric", ["validation.r2", "test.rmse", "train.los", "nonsense", "", "train", "train..r2"])
def test_a_metric_that_the_runs_do_not_have_is_refused(metric):
    with pytest.raises(ConfigError) as caught:
        choose_metric(configs(PLAIN), metric)
    assert "--metric" in str(caught.value)


def test_a_metric_is_named_by_the_one_that_was_meant():
    with pytest.raises(ConfigError, match=r"did you mean train\.rmse"):
        choose_metric(configs(PLAIN), "train.rmsee")


def test_r2_is_best_when_highest_and_errors_when_lowest():
    assert [is_best_when_highest(each) for each in ("test.r2", "optimum.inference.r2_adjusted", "test.rmse")] == [
        True, True, False,
    ]  # fmt: skip
    assert best_of({1: 0.2, 2: 0.9}, highest=True)[0] == 2
    assert best_of({1: 0.2, 2: 0.9}, highest=False)[0] == 1
    assert best_of({1: -0.2, 2: -0.9}, highest=True)[0] == 1


def test_a_tie_is_one_within_rounding_error_and_the_first_wins():
    values = {1: 0.3, 2: 0.1 + 0.2, 3: 0.3 * (1 + 1e-9), 4: 5.0}
    assert best_of(values, highest=False) == (1, [2])


def test_what_is_not_finite_or_undefined_cannot_win():
    assert measured("test.r2", {"test": {"r2": None, "r2_reason": "one row"}}) is None
    assert measured("test.loss", {"test": {"loss": math.inf}}) is None
    assert measured("test.loss", {"test": {"loss": 2}}) == 2.0


@pytest.mark.parametrize("key", ["loss", "preprocess.standardize_target", "preprocess.target_transform"])
def test_a_loss_whose_units_the_grid_varies_is_warned_of(key):
    assert "--metric validation.rmse" in changed_units("validation.loss", ["optimizer.lr", key])
    assert changed_units("validation.rmse", [key]) is None
    assert changed_units("validation.loss", ["optimizer.lr"]) is None


def sweep(*metrics, grid=None, metric="validation.loss", **more):
    """Points at the rates 1, 2, ...; None: diverged."""
    grid = grid or {"optimizer.lr": [float(n) for n in range(1, len(metrics) + 1)]}
    [(key, values)] = grid.items()
    points = [
        Point(n, {key: value}, "diverged" if each is None else "finished", f"a-{n:04d}", each)
        for n, (value, each) in enumerate(zip(values, metrics, strict=True), 1)
    ]
    return Sweep("a-0001", grid, metric, points, **more)


def test_a_gate_that_fails_keeps_a_point_from_winning():
    found = sweep(1.0, 2.0, 3.0)
    found.points[0].gates, found.points[1].gates, found.points[2].gates = False, True, True
    assert found.winner.point == 2
    said = " ".join(sentences(found))
    assert "The winner is point 2" in said
    assert "1 finished point cannot win, because a gate failed: point 1" in said


def test_where_no_point_passes_its_gates_none_wins():
    found = sweep(1.0, 2.0)
    for each in found.points:
        each.gates = False
    assert (found.winner, found.as_json()["winner"]) == (None, None)
    assert "No point passes its gates; of the others point 1 " in " ".join(sentences(found))


def test_a_tie_is_said_with_every_point():
    said = " ".join(sentences(sweep(2.0, 1.0, 1.0, 1.0)))
    assert "The winner is point 2 (optimizer.lr 2, run a-0002)" in said
    assert "It is a tie: point 3 (optimizer.lr 3), point 4 (optimizer.lr 4) have the same validation.loss." in said
    assert "the next best is 2." in said


def test_a_winner_at_the_edge_of_the_grid_is_said_and_one_below_what_diverged_is_not():
    assert "optimizer.lr 1 is the smallest of the grid; smaller values may be better." in sentences(sweep(1.0, 2.0))
    assert "optimizer.lr 2 is the largest of the grid; larger values may be better." in sentences(sweep(2.0, 1.0))
    assert not any("of the grid" in each for each in sentences(sweep(2.0, 1.0, None)))
    for grid in ({"optimizer.lr": [0.1, 0.4, "auto"]}, {"optimizer.momentum": [0.9, 0.5, 0]}, {"seed": [1, 2, 3]}):
        assert not any("of the grid" in each for each in sentences(sweep(3.0, 2.0, 1.0, grid=grid)))


def test_the_distance_to_what_auto_would_choose_is_said():
    found = sweep(2.0, 1.0, None, auto={"lr": {"value": 8.0}, "momentum": {"value": 0.5}})
    found.points[1].lr = 2.0
    assert "auto would choose the rate 8: 4 times the winner's." in sentences(found)
    found.points[1].lr = 16.0
    assert "auto would choose the rate 8: the winner's divided by 2." in sentences(found)
    found.points[1].lr = 8.0
    assert "auto would choose the rate 8: that of the winner." in sentences(found)


def test_the_gap_to_the_exact_optimum_is_said():
    found = sweep(2.0, 1.0)
    found.points[1].gap = 0.25
    assert "The gap of its train loss to the exact optimum is 0.25." in sentences(found)


def test_highest_wins_for_r2():
    found = sweep(0.5, 0.9, metric="test.r2")
    assert found.winner.point == 2
    assert "with the highest test.r2, 0.9" in " ".join(sentences(found))
