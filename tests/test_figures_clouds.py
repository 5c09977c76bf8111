"""Points of the splits: told apart, sampled evenly, the fitted line through them, residuals around zero."""

import numpy as np
import pytest
from drawings import all_figures, fit, legend_texts, line, losses_of, noisy, reference
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb

from linreg_cli.figures.canvas import render
from linreg_cli.figures.clouds import MOST_POINTS, SplitPoints
from linreg_cli.figures.fit import predicted_figure
from linreg_cli.figures.loss import LossCurve
from linreg_cli.figures.residuals import residual_figure


def test_the_reference_case_has_the_published_limits() -> None:
    axes = fit(reference()).axes[0]
    assert axes.get_xlim() == (0, 5)
    assert axes.get_ylim() == (0, 10)
    assert all(grid.get_visible() for grid in [*axes.get_xgridlines(), *axes.get_ygridlines()])


def test_train_is_blue_and_test_red_with_other_markers_and_the_line_black_below_few_points() -> None:
    figure = fit(reference())
    train, test, fitted = (line(figure, gid) for gid in ("train", "test", "line"))
    red, green, blue = to_rgb(train.get_color())
    assert blue > max(red, green)
    red, green, blue = to_rgb(test.get_color())
    assert red > 2 * max(green, blue)
    assert to_rgb(fitted.get_color()) == (0, 0, 0)
    assert train.get_marker() != test.get_marker()
    assert fitted.get_zorder() < min(train.get_zorder(), test.get_zorder())


def test_the_line_is_above_many_points_and_test_in_front_but_hollow() -> None:
    train, test, fitted = (line(fit(noisy(n=90)), gid) for gid in ("train", "test", "line"))
    assert fitted.get_zorder() < train.get_zorder() < test.get_zorder()  # up to 300 points, between which it is seen
    train, test, fitted = (line(fit(noisy(n=301)), gid) for gid in ("train", "test", "line"))
    assert fitted.get_zorder() > test.get_zorder() > train.get_zorder()
    assert test.get_markerfacecolor() == "none"
    assert train.get_markerfacecolor() != "none"


def test_splits_are_told_apart_by_colour_and_by_marker() -> None:
    points = [SplitPoints(split, p.actual, p.predicted) for split in ("train", "validation", "test", "data")
              for p in noisy()[:1]]  # fmt: skip
    drawn = [line(predicted_figure(points, target="y", title=""), p.split) for p in points]
    assert len({to_rgb(cloud.get_color()) for cloud in drawn}) == 4
    assert len({cloud.get_marker() for cloud in drawn}) == 4


def test_the_fitted_line_crosses_the_whole_width_of_few_points_and_ends_with_many() -> None:
    figure = fit(reference(), slope=1.5, intercept=-3.0)
    assert tuple(line(figure, "line").get_xdata()) == figure.axes[0].get_xlim()
    points = noisy()
    figure = fit(points, slope=1.5, intercept=-3.0)
    x, y = line(figure, "line").get_data()
    drawn = np.concatenate([p.x for p in points if p.x is not None])
    assert (x[0], x[-1]) == (drawn.min(), drawn.max())
    assert y == pytest.approx(1.5 * x - 3)
    assert legend_texts(figure)[-1] == "fitted line: y = 1.5 x − 3"


def test_a_large_split_is_sampled_evenly_and_the_legend_says_so() -> None:
    x = np.arange(1_000_000.0)
    test = x[:250_000]
    points = [SplitPoints("train", x, x, x), SplitPoints("test", test, test, test)]
    for figure in all_figures(points):
        # 5,000 points in all, in the proportion of the splits
        assert legend_texts(figure)[:2] == ["train (4,000 of 1,000,000)", "test (1,000 of 250,000)"]
        assert len(line(figure, "test").get_xdata()) == MOST_POINTS / 5
    drawn = line(fit(points), "train").get_xdata()
    assert {0.0, x[-1]} <= set(drawn)
    assert np.diff(drawn).max() < 300
    assert line(fit(points), "train").get_alpha() < 1


def test_few_points_are_big_and_many_are_small() -> None:
    assert line(fit(noisy(n=10)), "train").get_markersize() > 2 * line(fit(noisy(n=4_000)), "train").get_markersize()


def test_rows_that_are_not_finite_are_left_out_and_owned_up_to() -> None:
    y = np.array([1.0, 2.0, np.nan, 4.0])
    figure = predicted_figure([SplitPoints("test", y, np.array([1.0, np.inf, 3.0, 5.0]))], target="y", title="")
    assert line(figure, "test").get_xydata().tolist() == [[1, 1], [4, 5]]
    assert legend_texts(figure)[0] == "test (2 not finite)"


def test_predicted_against_actual_has_equal_limits_and_the_diagonal() -> None:
    figure = predicted_figure(noisy(), target="y", title="")
    axes = figure.axes[0]
    assert axes.get_xlim() == axes.get_ylim()
    x, y = line(figure, "line").get_data()
    assert np.array_equal(x, y)
    assert (x[0], x[-1]) == axes.get_xlim()
    assert legend_texts(figure)[-1] == "perfect prediction"
    FigureCanvasAgg(figure).draw()
    box = axes.get_window_extent()
    assert 0.8 < box.width / box.height < 1.25


def test_residuals_are_actual_minus_predicted_around_a_line_at_zero() -> None:
    actual, predicted = np.array([10.0, 12.0]), np.array([7.0, 8.0])
    figure = residual_figure([SplitPoints("train", actual, predicted)], target="y", title="")
    assert line(figure, "train").get_xydata().tolist() == [[7, 3], [8, 4]]
    assert set(line(figure, "line").get_ydata()) == {0}
    low, high = figure.axes[0].get_ylim()
    assert low < 0 < 4 < high


@pytest.mark.parametrize(
    ("slope", "intercept"),
    [(1e30, -1e30), (1e308, 1e308), (np.float64(1e308), np.float64(1e308)), (np.nan, 0.0), (0.0, 1e3)],
)
def test_a_line_out_of_sight_is_owned_up_to(slope: float, intercept: float) -> None:
    figure = fit(reference(), slope, intercept)
    render(figure, "png")
    assert figure.axes[0].get_ylim() == (0, 10)
    visible = slope == 1e30
    assert legend_texts(figure)[-1].endswith("(outside the picture)") != visible


def test_empty_splits_are_skipped() -> None:
    empty = np.empty(0)
    figure = fit([*reference(), SplitPoints("validation", empty, empty, empty)])
    assert legend_texts(figure) == ["train", "test", "fitted line: y = 2 x + 1"]
    no_validation = LossCurve("a", np.arange(2), np.array([2.0, 1.0]), empty)
    assert legend_texts(losses_of(no_validation)) == ["a, train"]


def test_the_outermost_of_many_points_are_always_drawn() -> None:
    rng = np.random.default_rng(0)
    predicted = rng.normal(size=100_000)
    actual = predicted + rng.normal(size=100_000)
    actual[4_321] += 50  # the worst residual
    predicted[1_234] = 17.0
    for figure in (predicted_figure, residual_figure):
        drawn = line(figure([SplitPoints("train", actual, predicted)], target="y", title=""), "train").get_xydata()
        columns = (actual, predicted) if figure is predicted_figure else (predicted, actual - predicted)
        for row in (4_321, 1_234):
            assert [columns[0][row], columns[1][row]] in drawn.tolist()
