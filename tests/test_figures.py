"""What the pictures promise: limits, colours, readable names, nothing covered or cut off, the same bytes again."""

import hashlib
import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from linreg_cli.figures.canvas import render
from linreg_cli.figures.clouds import MOST_POINTS, SplitPoints
from linreg_cli.figures.fit import fit_figure, predicted_figure
from linreg_cli.figures.loss import LossCurve, loss_figure
from linreg_cli.figures.residuals import residual_figure

FORMATS = ("png", "svg", "pdf")
HARD_NAME = "price_in_$_of_\\alpha_{x}^2 & 100%"
LONG_NAME = "the_price_of_the_house_including_every_tax_and_fee_that_the_buyer_pays_" * 3


def reference() -> list[SplitPoints]:
    """Three points to train on and one to test, on y = 2x + 1."""
    train, test = np.array([1.0, 2.0, 3.0]), np.array([4.0])
    return [
        SplitPoints("train", 2 * train + 1, 2 * train + 1, train),
        SplitPoints("test", 2 * test + 1, 2 * test + 1, test),
    ]


def noisy(scale: float = 1.0, n: int = 90, shift: float = 0.0) -> list[SplitPoints]:
    rng = np.random.default_rng(0)
    splits = []
    for split in ("train", "validation", "test"):
        x = rng.uniform(0, 100, n) * scale + shift
        splits.append(SplitPoints(split, x + scale * rng.normal(0, 10, n), x, x))
    return splits


def fit(points: list[SplitPoints], slope: float = 2.0, intercept: float = 1.0) -> Figure:
    return fit_figure(points, slope=slope, intercept=intercept, feature="x", target="y", title="Fit")


def curve(losses: list[float], label: str = "gd-0001", validation: list[float] | None = None) -> LossCurve:
    held_out = None if validation is None else np.array(validation)
    return LossCurve(label, np.arange(len(losses)), np.array(losses), held_out)


def losses_of(*curves: LossCurve) -> Figure:
    return loss_figure(curves, loss="mean squared error", title="Loss")


def line(figure: Figure, gid: str) -> Line2D:
    (found,) = [line for line in figure.axes[0].lines if line.get_gid() == gid]
    return found


def legend_texts(figure: Figure) -> list[str]:
    return [text.get_text().replace("\n", " ") for text in figure.legends[0].get_texts()]


def unwrapped(text: str) -> str:
    return "".join(text.split())


def all_figures(points: list[SplitPoints], name: str = "y") -> list[Figure]:
    return [
        fit_figure(points, slope=1.0, intercept=0.0, feature=name, target=name, title=name),
        predicted_figure(points, target=name, title=name),
        residual_figure(points, target=name, title=name),
    ]


def in_view(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= value <= limits[1]


def assert_legible(figure: Figure) -> None:
    """Every text is inside the figure, and the legend covers neither the axes nor a drawn point."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    axes = figure.axes[0]
    x_labels = [
        text for text in axes.get_xticklabels() if text.get_text() and in_view(text.get_position()[0], axes.get_xlim())
    ]
    y_labels = [text for text in axes.get_yticklabels() if in_view(text.get_position()[1], axes.get_ylim())]
    legends = [legend.get_window_extent(renderer) for legend in figure.legends]
    for text in [*figure.texts, axes.xaxis.label, axes.yaxis.label, *x_labels, *y_labels, *axes.texts]:
        if not text.get_text():
            continue
        box = text.get_window_extent(renderer)
        assert box.x0 >= 0, text
        assert box.y0 >= 0, text
        assert box.x1 <= figure.bbox.x1, text
        assert box.y1 <= figure.bbox.y1, text
        assert not any(box.overlaps(legend) for legend in legends), text
    for box in legends:
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.x1
        assert not box.overlaps(axes.get_window_extent(renderer))
        for drawn in axes.lines:
            points = axes.transData.transform(drawn.get_xydata())
            shown = [xy for xy in points if not drawn.get_clip_on() or axes.bbox.contains(*xy)]
            assert not any(box.contains(x, y) for x, y in shown)
    boxes = [text.get_window_extent(renderer) for text in x_labels]
    assert not any(a.overlaps(b) for a, b in itertools.pairwise(boxes))


def test_the_reference_case_has_the_published_limits() -> None:
    axes = fit(reference()).axes[0]
    assert axes.get_xlim() == (0, 5)
    assert axes.get_ylim() == (0, 10)
    assert all(grid.get_visible() for grid in [*axes.get_xgridlines(), *axes.get_ygridlines()])


def test_train_is_blue_and_test_red_with_other_markers_and_the_line_black_on_top() -> None:
    figure = fit(reference())
    train, test, fitted = (line(figure, gid) for gid in ("train", "test", "line"))
    red, green, blue = to_rgb(train.get_color())
    assert blue > max(red, green)
    red, green, blue = to_rgb(test.get_color())
    assert red > 2 * max(green, blue)
    assert to_rgb(fitted.get_color()) == (0, 0, 0)
    assert train.get_marker() != test.get_marker()
    assert fitted.get_zorder() > max(train.get_zorder(), test.get_zorder())


def test_splits_are_told_apart_by_colour_and_by_marker() -> None:
    points = [SplitPoints(split, p.actual, p.predicted) for split in ("train", "validation", "test", "data")
              for p in noisy()[:1]]  # fmt: skip
    drawn = [line(predicted_figure(points, target="y", title=""), p.split) for p in points]
    assert len({to_rgb(cloud.get_color()) for cloud in drawn}) == 4
    assert len({cloud.get_marker() for cloud in drawn}) == 4


def test_the_fitted_line_crosses_the_whole_width() -> None:
    figure = fit(noisy(), slope=1.5, intercept=-3.0)
    x, y = line(figure, "line").get_data()
    assert (x[0], x[-1]) == figure.axes[0].get_xlim()
    assert y == pytest.approx(1.5 * x - 3)
    assert legend_texts(figure)[-1] == "fitted line: y = 1.5 x − 3"


@pytest.mark.parametrize(
    ("low", "high", "starts_at_zero"),
    [(2.0, 6.0, True), (2.01, 6.0, False), (0.0, 4.0, False), (-1.0, 4.0, False), (7.0, 8.0, False)],
)
def test_an_axis_starts_at_zero_only_where_the_lowest_value_is_near_it(
    low: float, high: float, starts_at_zero: bool
) -> None:
    x = np.array([low, high])
    left, right = fit([SplitPoints("train", x, x, x)]).axes[0].get_xlim()
    assert left < low
    assert right > high
    assert (left == 0) == starts_at_zero


@pytest.mark.parametrize("scale", [1e-9, 1e-3, 1.0, 1e6, 1e12])
@pytest.mark.parametrize("shift", [0.0, -50.0, 1e4])
def test_limits_are_outer_ticks_strictly_beyond_every_point_and_waste_little(scale: float, shift: float) -> None:
    for figure in all_figures(noisy(scale, shift=shift * scale)):
        axes = figure.axes[0]
        drawn = np.concatenate([line(figure, gid).get_xydata() for gid in ("train", "validation", "test")])
        for values, limits, ticks in zip(
            drawn.T, (axes.get_xlim(), axes.get_ylim()), (axes.get_xticks(), axes.get_yticks()), strict=True
        ):
            assert limits == (ticks[0], ticks[-1])
            assert limits[0] < values.min()
            assert limits[1] > values.max()
            assert 3 <= len(ticks) <= 11
        x_low, x_high = axes.get_xlim()
        assert x_high - x_low < 3.1 * np.ptp(drawn[:, 0])


@pytest.mark.parametrize("name", ["y", HARD_NAME, "_leading", "a  b\tc"])
def test_labels_hold_the_names_of_the_columns_as_they_are(name: str) -> None:
    wanted = unwrapped(name)
    for figure in all_figures(noisy(), name):
        axes = figure.axes[0]
        assert wanted in unwrapped(axes.get_xlabel())
        assert wanted in unwrapped(axes.get_ylabel())
        assert wanted == unwrapped(figure.get_suptitle())
        assert not any(text.get_parse_math() for text in (axes.xaxis.label, axes.yaxis.label, figure.texts[0]))
        assert len(render(figure, "png")) > 5_000


def test_the_axes_say_what_they_show() -> None:
    predicted = predicted_figure(noisy(), target="price", title="").axes[0]
    assert (predicted.get_xlabel(), predicted.get_ylabel()) == ("actual price", "predicted price")
    residual = residual_figure(noisy(), target="price", title="").axes[0]
    assert residual.get_xlabel() == "predicted price"
    assert residual.get_ylabel() == "residual of price (actual − predicted)"
    loss = losses_of(curve([3.0, 2.0])).axes[0]
    assert (loss.get_xlabel(), loss.get_ylabel()) == ("epoch", "mean squared error")


@pytest.mark.parametrize(
    ("name", "scale"),
    [("y", 1e-9), ("y", 1.0), ("y", 1e6), ("y", 1e12), (HARD_NAME, 1.0), (LONG_NAME, 1e6), ("W" * 150, 1.0)],
)
def test_nothing_is_covered_or_cut_off(name: str, scale: float) -> None:
    for figure in all_figures(noisy(scale), name):
        assert_legible(figure)


def test_nothing_is_covered_or_cut_off_in_loss_pictures() -> None:
    one = curve([100 * 0.5**k for k in range(40)], validation=[90 * 0.6**k for k in range(40)])
    assert_legible(losses_of(one))
    assert_legible(losses_of(*[curve([k * 3.0, k * 2.0], f"run-{k:04d}", [k * 4.0, k]) for k in range(1, 30)]))
    assert_legible(loss_figure([curve([2.0, 1.0], LONG_NAME)], loss=LONG_NAME, title=LONG_NAME))


def test_a_label_that_starts_with_an_underscore_stays_in_the_legend() -> None:
    assert legend_texts(losses_of(curve([2.0, 1.0], "_hidden$1$"))) == ["_hidden$1$, train"]


def test_characters_without_a_glyph_are_shown_as_boxes_and_not_warned_of() -> None:
    figure = residual_figure(noisy(), target="a\x07\U00013000b", title="")
    assert figure.axes[0].get_xlabel() == "predicted a□□b"
    assert render(figure, "png").startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("losses", "scale"),
    [
        ([29.0, 1.0, 1e-9], "log"),
        ([1.01, 0.01], "log"),
        ([0.99, 0.01], "linear"),
        ([100.0, 1.0, 0.0], "linear"),
        ([100.0, 1.0, -1e-3], "linear"),
        ([5.0, 5.0], "linear"),
        ([1e3, np.inf, np.nan, 1.0], "log"),
        ([1.0, np.inf], "linear"),
    ],
)
def test_the_loss_axis_is_logarithmic_where_positive_losses_span_over_two_decades(
    losses: list[float], scale: str
) -> None:
    axes = losses_of(curve(losses)).axes[0]
    assert axes.get_yscale() == scale
    assert axes.get_ylabel().endswith("(log scale)") == (scale == "log")
    finite = [value for value in losses if np.isfinite(value)]
    assert axes.get_ylim()[0] < min(finite)
    assert axes.get_ylim()[1] > max(finite)


def test_log_ticks_are_labelled_in_plain_digits() -> None:
    def labels(*losses: float) -> list[str]:
        return [text.get_text() for text in losses_of(curve(list(losses))).axes[0].get_yticklabels()]

    assert labels(1e3, 1e-3) == ["0.001", "0.01", "0.1", "1", "10", "100", "1000"]
    assert labels(12.0, 0.1) == ["0.1", "0.2", "0.5", "1", "2", "5", "10"]
    assert labels(1.0, 1e-6) == ["10⁻⁶", "10⁻⁵", "10⁻⁴", "10⁻³", "10⁻²", "10⁻¹", "10⁰"]
    assert 4 <= len(labels(1e100, 1e-100)) <= 9


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([1.0, 4.0], ["0", "1", "2", "3", "4", "5"]),
        ([75e3, 7.7e6], ["0", "2,000,000", "4,000,000", "6,000,000", "8,000,000"]),
        ([2018.0, 2022.0], ["2017", "2018", "2019", "2020", "2021", "2022", "2023"]),
        ([1e9 + 1, 1e9 + 3], [f"1,000,000,00{d}" for d in ("0.5", "1.0", "1.5", "2.0", "2.5", "3.0", "3.5")]),
        ([1e9, 4e9], ["0", "1×10⁹", "2×10⁹", "3×10⁹", "4×10⁹", "5×10⁹"]),
        ([-5e-9, -1e-9], ["−6×10⁻⁹", "−5×10⁻⁹", "−4×10⁻⁹", "−3×10⁻⁹", "−2×10⁻⁹", "−1×10⁻⁹", "0"]),
        ([-0.25, 0.25], ["−0.3", "−0.2", "−0.1", "0.0", "0.1", "0.2", "0.3"]),
    ],
)
def test_ticks_are_written_in_full_without_an_offset(values: list[float], labels: list[str]) -> None:
    y = np.array(values)
    figure = fit([SplitPoints("train", y, y, np.array([1.0, 2.0]))], slope=0.0, intercept=float(y[0]))
    render(figure, "png")
    axis = figure.axes[0].yaxis
    assert [text.get_text() for text in axis.get_ticklabels()] == labels
    assert axis.get_offset_text().get_text() == ""


def test_few_epochs_show_markers_and_many_a_plain_line() -> None:
    assert line(losses_of(curve([2.0, 1.0])), "train-0").get_marker() == "o"
    assert line(losses_of(curve(list(range(1, 3_000)))), "train-0").get_marker() in ("", "None")


@pytest.mark.parametrize("epochs", [1, 2, 3, 7, 29, 1_000, 12_345])
def test_epoch_ticks_are_whole_numbers_from_zero(epochs: int) -> None:
    ticks = losses_of(curve(list(np.linspace(2, 1, epochs + 1)))).axes[0].get_xticks()
    assert ticks[0] == 0
    assert all(tick == round(tick) <= epochs for tick in ticks)
    assert 2 <= len(ticks) <= 9


def test_several_runs_differ_in_colour_dashes_and_marker_and_validation_is_dashed_in_the_same_colour() -> None:
    losses = [float(k) for k in range(100, 1, -1)]
    figure = losses_of(*[curve(losses, f"run-{k}", losses) for k in range(5)])
    trains = [line(figure, f"train-{k}") for k in range(5)]
    validations = [line(figure, f"validation-{k}") for k in range(5)]
    assert len({to_rgb(train.get_color()) for train in trains}) == 5
    assert len({train.get_marker() for train in trains}) == 5
    # Line2D has no public access to a dash pattern.
    assert len({str(train._unscaled_dash_pattern) for train in trains}) == 5
    assert [v.get_color() for v in validations] == [t.get_color() for t in trains]
    assert {v.get_linestyle() for v in validations} == {"--"}
    assert legend_texts(figure)[:2] == ["run-0, train", "run-0, validation"]


def test_non_finite_losses_are_left_out_and_owned_up_to() -> None:
    figure = losses_of(curve([4.0, np.nan, np.inf, 1e200, 3.0]))
    assert line(figure, "train-0").get_xydata().tolist() == [[0, 4], [4, 3]]
    assert legend_texts(figure) == ["gd-0001, train (3 not finite)"]


def test_a_large_split_is_sampled_evenly_and_the_legend_says_so() -> None:
    x = np.arange(1_000_000.0)
    test = x[:250_000]
    points = [SplitPoints("train", x, x, x), SplitPoints("test", test, test, test)]
    for figure in all_figures(points):
        # 5,000 points in all, in the proportion of the splits
        assert legend_texts(figure)[:2] == ["train (4,000 of 1,000,000)", "test (1,000 of 250,000)"]
        assert len(line(figure, "test").get_xdata()) == MOST_POINTS / 5
    drawn = line(fit(points), "train").get_xdata()
    assert set(np.diff(drawn)) == {250}
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


DEGENERATE = {
    "one point": ([5.0], [5.0]),
    "one point at zero": ([0.0], [0.0]),
    "all equal": ([5.0] * 9, [5.0] * 9),
    "equal but for rounding": ([1e12, 1e12 + 1e-3], [1e12, 1e12]),
    "negative": ([-3.0, -2.0, -1.0], [-3.0, -2.5, -1.0]),
    "tiny": ([1e-9, 2e-9], [1e-9, 3e-9]),
    "subnormal": ([1e-310, 2e-310], [1e-310, 3e-310]),
    "huge": ([1e12, 2e12], [1e12, 3e12]),
    "huge predictions": ([1.0, 2.0], [1e140, -1e140]),
    "predictions that overflow": ([1.0, 2.0], [1e308, -1e308]),
    "nothing finite": ([np.nan, 2.0], [1.0, np.inf]),
    "empty": ([], []),
}


@pytest.mark.parametrize("case", DEGENERATE)
def test_degenerate_points_still_give_a_picture(case: str) -> None:
    actual, predicted = (np.array(column) for column in DEGENERATE[case])
    for figure in all_figures([SplitPoints("train", actual, predicted, predicted)]):
        assert_legible(figure)
        assert len(render(figure, "svg")) > 1_000
        limits = [*figure.axes[0].get_xlim(), *figure.axes[0].get_ylim()]
        assert np.all(np.isfinite(limits))


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


@pytest.mark.parametrize("figure", [losses_of(), fit([]), losses_of(curve([np.nan]))])
def test_a_picture_of_nothing_says_so(figure: Figure) -> None:
    assert [text.get_text() for text in figure.axes[0].texts] == ["no finite values to draw"]
    assert_legible(figure)


def test_input_that_cannot_be_drawn_is_refused() -> None:
    three, two, column = np.arange(3.0), np.arange(2.0), np.arange(3.0)[:, None]
    for bad in (two, column, three[:1]):
        with pytest.raises(ValueError, match="one length"):
            losses_of(LossCurve("a", three, bad, None))
        with pytest.raises(ValueError, match="one length"):
            predicted_figure([SplitPoints("train", three, bad)], target="y", title="")
        with pytest.raises(ValueError, match="one length"):
            residual_figure([SplitPoints("train", bad, three)], target="y", title="")
        with pytest.raises(ValueError, match="one length"):
            fit([SplitPoints("train", three, three, bad)])
    with pytest.raises(ValueError, match="the test split has no single feature"):
        fit([SplitPoints("test", three, three)])
    with pytest.raises(ValueError, match="png, svg or pdf, not 'jpg'"):
        render(fit(reference()), "jpg")


def test_a_png_has_ten_by_seven_inches_at_120_dots() -> None:
    header = render(fit(reference()), "png")[16:24]
    assert (int.from_bytes(header[:4]), int.from_bytes(header[4:])) == (1200, 840)


@pytest.mark.parametrize("format", FORMATS)
def test_a_picture_has_the_same_bytes_each_time(format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    figure = fit(noisy())
    first = render(figure, format)
    # matplotlib takes the date from here, if it writes one.
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
    assert render(figure, format) == first
    assert render(fit(noisy()), format) == first
    assert render(fit(noisy(), slope=2.5), format) != first


CHILD = """
import hashlib, sys
import numpy as np
import linreg_cli.figures.canvas as canvas
from linreg_cli.figures import clouds, fit, loss, residuals
assert not [name for name in sys.modules if name.split(".")[0] in ("matplotlib", "torch")]
x = np.arange(1.0, 4.0)
points = [clouds.SplitPoints("train", x * x, 4 * x, x)]
figure = fit.fit_figure(points, slope=4.0, intercept=-3.0, feature="x", target="y", title="t")
for format in ("png", "svg", "pdf"):
    print(hashlib.sha256(canvas.render(figure, format)).hexdigest())
canvas.render(loss.loss_figure([loss.LossCurve("a", x, x, x)], loss="l", title="t"), "png")
canvas.render(fit.predicted_figure(points, target="y", title="t"), "png")
canvas.render(residuals.residual_figure(points, target="y", title="t"), "png")
assert "matplotlib" in sys.modules
assert "matplotlib.pyplot" not in sys.modules, "pyplot"
assert "torch" not in sys.modules
"""


def test_a_fresh_process_imports_matplotlib_late_and_pyplot_never_and_draws_the_same_bytes(tmp_path: Path) -> None:
    x = np.arange(1.0, 4.0)
    points = [SplitPoints("train", x * x, 4 * x, x)]
    figure = fit_figure(points, slope=4.0, intercept=-3.0, feature="x", target="y", title="t")
    here = [hashlib.sha256(render(figure, format)).hexdigest() for format in FORMATS]
    # A user's own settings must neither show nor break anything.
    (tmp_path / "matplotlibrc").write_text("axes.facecolor: red\nfont.size: 40\nsavefig.bbox: tight\n")
    environment = {"MATPLOTLIBRC": str(tmp_path), "PYTHONHASHSEED": "7", "MPLCONFIGDIR": str(tmp_path)}
    root = Path(__file__).parents[1]
    child = subprocess.run(
        [sys.executable, "-c", CHILD], env=environment, cwd=root, capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stderr
    assert child.stdout.split() == here


def test_global_settings_are_left_alone() -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    render(fit(reference()), "png")
    assert dict(matplotlib.rcParams) == before
