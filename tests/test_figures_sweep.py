"""The picture of a sweep: where each point is, and what is said of those without a result."""

import io

import numpy as np
import pytest
from PIL import Image
from sweeping import made

from linreg_cli.figures.sweep import MOST, sweep_figure, sweep_picture

RATES = [0.001, 0.01, 0.1, 1.0, 3.0]
LIMITS = [{"rate": 0.88, "covers": "full-batch training"}]
AUTO = {"lr": {"value": 0.47}, "momentum": {"value": 0.0}}


def of_rate(overrides):
    return "diverged" if overrides["optimizer.lr"] > 0.88 else 1 / overrides["optimizer.lr"]


def drawn(axes, gid):
    [line] = [each for each in axes.lines if each.get_gid() == gid]
    return np.asarray(line.get_xdata(), dtype=float).tolist(), np.asarray(line.get_ydata(), dtype=float).tolist()


def legend(figure):
    return [text.get_text().replace("\n", " ") for text in figure.legends[0].get_texts()]


def test_a_rate_is_drawn_against_the_metric_with_its_limit_and_what_auto_would_choose():
    figure = sweep_figure(made({"optimizer.lr": RATES}, of_rate, limits=LIMITS, auto=AUTO))
    [axes] = figure.axes
    assert drawn(axes, "points") == ([0.001, 0.01, 0.1], [1000.0, 100.0, 10.0])
    assert drawn(axes, "winner") == ([0.1], [10.0])
    assert drawn(axes, "diverged")[0] == [1.0, 3.0]
    assert drawn(axes, "rate-0")[0] == [0.88, 0.88]
    assert drawn(axes, "rate-1")[0] == [0.47, 0.47]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert axes.get_xlim()[0] < 0.001
    assert axes.get_xlim()[1] > 3.0
    assert legend(figure) == [
        "validation.loss, 3 of 5 points", "winner: 0.1, with 10", "limit of the rate, full-batch training: 0.88",
        "auto would choose 0.47", "diverged (2)",
    ]  # fmt: skip


def test_points_are_in_order_of_their_values_and_auto_is_at_the_rate_that_it_chose():
    grid = {"optimizer.lr": [0.1, "auto", 0.01]}
    figure = sweep_figure(made(grid, lambda each: 2.0 if each["optimizer.lr"] == "auto" else 1.0))
    assert drawn(figure.axes[0], "points") == ([0.01, 0.1, 0.5], [1.0, 1.0, 2.0])


@pytest.mark.parametrize(
    ("values", "scale"), [([1, 2, 3, 19], "linear"), ([1, 20], "log"), ([0, 100], "linear"), ([-1, 50], "linear")]
)
def test_an_axis_is_logarithmic_where_positive_values_span_more_than_a_decade(values, scale):
    figure = sweep_figure(made({"train.epochs": values}, lambda _: 1.0))
    assert figure.axes[0].get_xscale() == scale


def test_a_limit_far_from_the_rates_is_named_and_does_not_squeeze_them():
    far = [{"rate": 1e6, "covers": "full-batch training"}]
    figure = sweep_figure(made({"optimizer.lr": RATES}, of_rate, limits=far))
    assert figure.axes[0].get_xlim()[1] < 10
    assert "limit of the rate, full-batch training: 1,000,000 (beyond the axis)" in legend(figure)


def test_limits_of_the_rate_are_not_drawn_against_another_key():
    figure = sweep_figure(made({"train.epochs": [1, 2]}, lambda _: 1.0, limits=LIMITS, auto=AUTO))
    assert not [line for line in figure.axes[0].lines if str(line.get_gid()).startswith("rate")]


def test_two_keys_are_a_map_with_numbers_the_winner_outlined_and_what_diverged_hatched():
    grid = {"optimizer.lr": [1.0, 0.1, 0.01], "optimizer.momentum": [0.9, 0.0]}
    figure = sweep_figure(made(grid, lambda each: of_rate(each) if each["optimizer.momentum"] else "failed"))
    axes = figure.axes[0]
    cells = np.ma.filled(axes.images[0].get_array(), np.nan)
    assert np.array_equal(cells, [[np.nan, 100.0], [np.nan, 10.0], [np.nan, np.nan]], equal_nan=True)
    assert sorted(text.get_text() for text in axes.texts) == ["10", "100", "diverged", "failed", "failed", "failed"]
    hatched = [patch for patch in axes.patches if patch.get_hatch()]
    assert [patch.get_gid() for patch in hatched] == ["diverged"]
    assert hatched[0].get_xy() == (0.5, 1.5)
    assert {patch.get_xy() for patch in axes.patches if patch.get_gid() == "winner"} == {(0.5, 0.5)}
    assert legend(figure) == ["winner: 10", "diverged (1, hatched)", "failed (3)"]


@pytest.mark.parametrize(("metric", "winner"), [("test.rmse", (-0.5, -0.5)), ("test.r2", (0.5, 0.5))])
def test_dark_is_good_whether_the_metric_is_best_when_low_or_high(metric, winner):
    grid = {"seed": [1, 2], "train.epochs": [1, 2]}
    figure = sweep_figure(made(grid, lambda each: each["seed"] * each["train.epochs"] / 10, metric))
    image, axes = figure.axes[0].images[0], figure.axes[0]
    brightness = image.to_rgba(image.get_array())[..., :3].sum(axis=-1)
    best = np.unravel_index(brightness.argmin(), brightness.shape)
    assert (best[1] - 0.5, best[0] - 0.5) == winner
    assert {patch.get_xy() for patch in axes.patches if patch.get_gid() == "winner"} == {winner}


def test_categories_and_more_keys_are_ranked_the_best_on_top():
    grid = {"data.features": [["a"], ["a", "b"], ["c"]]}
    result = {"a": 3.0, "a b": 1.0, "c": "failed"}
    figure = sweep_figure(made(grid, lambda each: result[" ".join(each["data.features"])]))
    axes = figure.axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["features [a, b]", "features [a]", "features [c]"]
    assert drawn(axes, "points") == ([1.0, 3.0], [0.0, 1.0])
    assert drawn(axes, "failed")[1] == [2.0]
    assert axes.get_ylim()[0] > axes.get_ylim()[1], "the first one is on top"


def test_of_many_points_the_best_are_drawn_and_the_number_is_said():
    grid = {"seed": list(range(10)), "train.epochs": [1, 2], "loss": ["mse", "mae"]}
    figure = sweep_figure(made(grid, lambda each: float(each["seed"])))
    assert len(figure.axes[0].get_yticklabels()) == MOST
    assert figure.axes[0].get_title() == f"{MOST} of 40 points"
    assert max(drawn(figure.axes[0], "points")[0]) == 7.0


GRIDS = {
    "curve": {"optimizer.lr": [1.0, 2.0]},
    "map": {"optimizer.lr": [1.0, 2.0], "seed": [1, 2]},
    "ranked": {"optimizer.lr": [1.0, 2.0], "seed": [1, 2], "train.epochs": [1, 2]},
    "names": {"data.target": ["x" * 300, "große $_\\"]},
}


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("result", ["diverged", 0.0, -1e300, 1.0])
def test_no_result_and_no_name_breaks_a_picture(grid, result):
    picture = Image.open(io.BytesIO(sweep_picture(made(GRIDS[grid], lambda _: result))))
    assert picture.size[0] == 1200
    assert len(picture.convert("RGB").getcolors(1_000_000)) > 2


def test_a_large_map_names_some_of_its_values_and_equal_sweeps_have_equal_pictures():
    sweep = made({"seed": list(range(60)), "train.epochs": [1, 2]}, lambda each: 1.0 + each["seed"])
    labels = [label.get_text() for label in sweep_figure(sweep).axes[0].get_yticklabels()]
    assert [label for label in labels if label] == [str(seed) for seed in range(0, 60, 3)]
    assert sweep_picture(sweep) == sweep_picture(sweep)


@pytest.mark.parametrize("key", ["optimizer.lr", "data.target"])
def test_points_that_fail_a_gate_are_hollow_and_counted(key):
    sweep = made({key: [1.0, 2.0, 3.0] if key == "optimizer.lr" else ["a", "b", "c"]}, lambda _: 1.0)
    sweep.points[0].gates, sweep.points[2].gates = False, True
    figure = sweep_figure(sweep)
    [line] = [each for each in figure.axes[0].lines if each.get_gid() == "gates"]
    assert (len(line.get_xdata()), line.get_markerfacecolor()) == (1, "white")
    assert "a gate failed (1)" in legend(figure)


@pytest.mark.parametrize(("metric", "edge"), [("validation.loss", 1.0), ("validation.r2", 0.0)])
@pytest.mark.parametrize(("key", "axis"), [("optimizer.lr", 1), ("data.target", 0)])
def test_points_without_a_result_are_marked_at_the_edge_where_the_metric_is_worst(key, axis, metric, edge):
    values = [1.0, 2.0, 3.0] if key == "optimizer.lr" else ["a", "b", "c"]
    sweep = made({key: values}, lambda each: "failed" if each[key] == values[1] else float(values.index(each[key])))
    sweep.metric = metric
    figure = sweep_figure(sweep)
    places = drawn(figure.axes[0], "failed")[axis]
    assert len(places) == 1
    assert abs(places[0] - edge) < 0.05
    limits = (figure.axes[0].get_xlim, figure.axes[0].get_ylim)[axis]()
    results = drawn(figure.axes[0], "points")[axis]
    assert min(results) > limits[0]
    assert max(results) < limits[1]
