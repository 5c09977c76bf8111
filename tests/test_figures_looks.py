"""What a picture must show whatever the table: the strongest rows, what was sampled, how runs ended, what leaves it."""

import numpy as np
import pytest
from drawings import assert_legible, legend_texts, line, noisy
from matplotlib.backends.backend_agg import FigureCanvasAgg

from linreg_cli.figures.by_feature import Against, by_feature_figure
from linreg_cli.figures.clouds import SplitPoints
from linreg_cli.figures.coefficients import CoefficientSet, coefficient_figure
from linreg_cli.figures.correlation import MOST, correlation_figure
from linreg_cli.figures.fit import fit_figure
from linreg_cli.figures.influence import leverage_figure
from linreg_cli.figures.learning_curve import LearningCurve, learning_curve_figure
from linreg_cli.figures.path import Descent, Landscape, path_figure
from linreg_cli.figures.residuals import residual_figure, scale_location_figure


def numbered(n: int, outlier: int) -> SplitPoints:
    x = np.linspace(0, 10, n)
    y = x + np.sin(37 * x)
    y[outlier] += 50
    return SplitPoints("train", y, x, x, np.arange(1, n + 1), n)


def test_the_rows_with_the_largest_residuals_are_named():
    figure = residual_figure([numbered(200, 120)], target="y", title="t")
    assert figure.axes[0].texts[0].get_text() == "121"
    assert len(figure.axes[0].texts) == 3
    assert_legible(figure)


def test_a_planted_extreme_of_a_million_rows_is_drawn_and_named_and_the_sample_is_said():
    figure = residual_figure([numbered(1_000_000, 654_321)], target="y", title="t")
    assert line(figure, "train").get_ydata().max() > 45
    assert figure.axes[0].texts[0].get_text() == "654322"
    assert legend_texts(figure)[0] == "train (5,000 of 1,000,000)"


def test_points_that_are_a_sample_already_say_of_how_many_rows():
    points = numbered(400, 3)
    part = SplitPoints("train", points.actual, points.predicted, None, points.rows, 90_000)
    assert legend_texts(residual_figure([part], target="y", title="t"))[0] == "train (400 of 90,000)"


def test_residuals_that_are_rounding_errors_are_called_so_and_have_no_curve():
    x = np.linspace(1, 9, 100)
    perfect = SplitPoints("train", x, x * (1 + 1e-16 * np.arange(100)), None, np.arange(1, 101), 100)
    figure = residual_figure([perfect], target="y", title="t")
    assert "zero residual (all are rounding errors)" in legend_texts(figure)
    assert not [drawn for drawn in figure.axes[0].lines if drawn.get_gid() == "smooth"]
    assert "zero residual" in legend_texts(residual_figure(noisy(), target="y", title="t"))
    exact = residual_figure([SplitPoints("train", x, x, None, np.arange(1, 101), 100)], target="y", title="t")
    assert "zero residual (all are 0)" in legend_texts(exact)
    assert not exact.axes[0].texts  # no row is further from the line than another


def test_the_smooth_curves_of_r_are_there_for_few_rows_too_and_inside_the_picture():
    rng = np.random.default_rng(0)
    x, r = np.sort(rng.uniform(0, 9, 20)), rng.normal(size=20)
    r[-1] = 6.0
    rows = np.arange(1, 21)
    figures = [
        residual_figure([SplitPoints("train", x + r, x, None, rows, 20)], target="y", title="t"),
        scale_location_figure(x, r, rows, target="y", title="t"),
        leverage_figure(x / 20, r, r**2, rows, n_samples=20, n_parameters=2, title="t"),
    ]
    for figure in figures:
        assert_legible(figure)
        curve = line(figure, "smooth").get_ydata()
        low, high = figure.axes[0].get_ylim()
        assert low <= curve.min() <= curve.max() <= high


def test_a_fit_without_intercept_has_none_in_its_equation():
    figure = fit_figure(noisy(), slope=0.5, intercept=0.0, feature="x", target="y", title="t")
    assert "fitted line: y = 0.5 x" in legend_texts(figure)


def a_set(label: str, shift: float = 0.0, exact: float = 0.0) -> CoefficientSet:
    values = np.array([3.0, -2.0, 0.5]) + exact
    nothing = np.full(3, np.nan)
    return CoefficientSet(label, ("a", "b", "c"), values + shift, values, values - 1, values + 1, nothing)


def test_runs_with_one_exact_fit_show_it_once_and_a_diverged_one_is_named_with_its_end():
    diverged = CoefficientSet.of_diverged("lr 0.6", "diverged at step 12")
    figure = coefficient_figure([a_set("lr 0.1", 0.2), a_set("lr 0.2"), diverged], target="y", title="t")
    assert legend_texts(figure) == [
        "95 % interval of the exact fit", "exact", "lr 0.1, trained", "lr 0.2, trained",
        "lr 0.6 (diverged at step 12, so it has no coefficients)",
    ]  # fmt: skip
    assert_legible(figure)
    apart = coefficient_figure([a_set("lr 0.1"), a_set("lr 0.2", exact=1.0)], target="y", title="t")
    assert "lr 0.2, exact" in legend_texts(apart)


def test_a_path_that_diverges_is_named_with_its_end_and_covers_nothing():
    land = Landscape(lambda at: at[:, 0] ** 2 + 0.1 * at[:, 1] ** 2, np.zeros(2), ("w", "b"), "loss")
    good = np.stack([0.8 ** np.arange(40), 0.9 ** np.arange(40)], axis=1)
    bad = np.stack([(-1.5) ** np.arange(40), 0.9 ** np.arange(40)], axis=1)
    runs = [Descent("lr 0.1", good), Descent("lr 0.9", bad, "diverged at step 39")]
    figure = path_figure(land, runs, title="t")
    texts = legend_texts(figure)
    assert texts[:2] == ["lr 0.1", "lr 0.9 (diverged at step 39, leaves the picture)"]
    x = line(figure, "path-1").get_xdata()
    low, high = figure.axes[0].get_xlim()
    assert ((x < low) | (x > high)).sum() <= 2
    assert len(line(figure, "path-0").get_xdata()) == 40


def a_curve(sizes, label="t", scale=1.0):
    sizes = np.array(sizes)
    errors = scale * (1 + 5 / sizes) * np.ones((8, 1))
    return LearningCurve(label, sizes, 1 / errors, errors, "test")


@pytest.mark.parametrize("sizes", [[5, 9, 17], [9, 12, 16], [96, 150, 300], [4, 50, 158], [6, 700, 900_000]])
def test_a_learning_curve_has_at_least_two_and_at_most_eight_labels(sizes):
    axes = learning_curve_figure([a_curve(sizes)], target="y", title="t").axes[0]
    low, high = axes.get_xlim()
    ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
    assert 2 <= len(ticks) <= 8


def test_equal_learning_curves_are_drawn_once_and_the_band_is_explained():
    sizes = [5, 20, 100]
    figure = learning_curve_figure([a_curve(sizes, "lr 0.1"), a_curve(sizes, "lr 0.2")], target="y", title="t")
    assert legend_texts(figure) == ["train", "test", "lowest to highest of 8 orders of the rows"]
    both = [a_curve(sizes, "a"), a_curve(sizes, "b"), a_curve(sizes, "c", scale=2.0)]
    assert "a and b, train" in legend_texts(learning_curve_figure(both, target="y", title="t"))


def test_a_curve_that_leaves_the_picture_says_so():
    errors = np.array([900.0, 5.0, 4.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0]) * np.ones((8, 1))
    sizes = 2 ** np.arange(2, 14)
    figure = learning_curve_figure([LearningCurve("t", sizes, 1 / errors, errors, "test")], target="y", title="t")
    assert "test (leaves the picture)" in legend_texts(figure)


def test_the_target_is_always_among_the_correlations_and_names_have_one_size():
    rng = np.random.default_rng(0)
    names = [*(f"x{k}" for k in range(59)), "a name that is longer than all others are", "target"]
    figure = correlation_figure(np.corrcoef(rng.normal(size=(61, 200))), names, title="t")
    FigureCanvasAgg(figure).draw()
    labels = figure.axes[0].get_yticklabels()
    assert len(labels) == MOST
    assert labels[-1].get_text() == "target"
    assert len({label.get_fontsize() for label in labels}) == 1


def test_small_multiples_say_how_many_rows_are_drawn():
    rng = np.random.default_rng(0)
    figure = by_feature_figure(rng.normal(size=9_000), [Against("x", rng.normal(size=9_000))], target="y", title="t")
    assert figure.get_suptitle() == "t (2,000 of 9,000 rows as points)"
