"""What every picture promises: limits, readable names, nothing covered or cut off, the same bytes again."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from drawings import (
    FORMATS,
    HARD_NAME,
    LONG_NAME,
    all_figures,
    assert_legible,
    curve,
    fit,
    line,
    losses_of,
    noisy,
    reference,
    unwrapped,
)
from matplotlib.figure import Figure

from linreg_cli.figures import fonts
from linreg_cli.figures.canvas import render
from linreg_cli.figures.clouds import SplitPoints
from linreg_cli.figures.fit import fit_figure, predicted_figure
from linreg_cli.figures.loss import LossCurve, loss_figure
from linreg_cli.figures.residuals import residual_figure
from linreg_cli.wording import one_line


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
def test_the_limits_of_few_points_are_outer_ticks_strictly_beyond_them(scale: float, shift: float) -> None:
    for figure in all_figures(noisy(scale, n=20, shift=shift * scale)):
        axes = figure.axes[0]
        drawn = np.concatenate([line(figure, gid).get_xydata() for gid in ("train", "validation", "test")])
        for values, limits, ticks in zip(
            drawn.T, (axes.get_xlim(), axes.get_ylim()), (axes.get_xticks(), axes.get_yticks()), strict=True
        ):
            assert limits == (ticks[0], ticks[-1])
            assert limits[0] < values.min()
            assert limits[1] > values.max()
            assert 3 <= len(ticks) <= 11


@pytest.mark.parametrize("scale", [1e-9, 1e-3, 1.0, 1e6, 1e12])
@pytest.mark.parametrize("shift", [0.0, -50.0, 1e4])
def test_the_limits_of_many_points_are_near_them(scale: float, shift: float) -> None:
    for figure in all_figures(noisy(scale, shift=shift * scale)):
        axes = figure.axes[0]
        drawn = np.concatenate([line(figure, gid).get_xydata() for gid in ("train", "validation", "test")])
        both = figure.get_suptitle() == "y" and axes.get_xlabel().startswith("actual")
        for values, limits, ticks in zip(
            drawn.T, (axes.get_xlim(), axes.get_ylim()), (axes.get_xticks(), axes.get_yticks()), strict=True
        ):
            size = np.ptp(drawn) if both else np.ptp(values)
            assert limits[0] < values.min() < values.max() < limits[1]
            assert limits[1] - limits[0] == pytest.approx(1.08 * size, rel=0.01)
            assert 3 <= len(ticks) <= 11
            assert limits[0] <= ticks[0] < ticks[-1] <= limits[1]


@pytest.mark.parametrize("name", ["y", HARD_NAME, "_leading", "a  b\tc"])
def test_labels_hold_the_names_of_the_columns_as_they_are(name: str) -> None:
    wanted = unwrapped(one_line(name))
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


def test_characters_without_a_glyph_are_shown_as_boxes_and_not_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(fonts._families, "\U00013000", None)
    figure = residual_figure(noisy(), target="a\x07\U00013000b", title="")
    assert figure.axes[0].get_xlabel() == "predicted a\\x07□b"
    assert render(figure, "png").startswith(b"\x89PNG")


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
    assert render(fit(noisy()), format) == first
    if format == "png":  # laid out again, a figure differs in the last bits of its positions, which svg has in its ids
        assert render(figure, format) == first
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


def test_the_fitted_line_stays_in_view_to_its_ends_and_a_far_one_does_not_squeeze_the_points():
    x = np.concatenate([np.linspace(0, 1, 60), [4.0]])
    y = np.concatenate([np.linspace(0, 1, 60), [3.0]])  # the line is above the last point, at 4
    figure = fit([SplitPoints("train", y, y, x)], slope=1.0, intercept=0.0)
    assert figure.axes[0].get_ylim()[1] > 4
    figure = fit([SplitPoints("train", y, y, x)], slope=100.0, intercept=0.0)
    assert figure.axes[0].get_ylim()[1] < 5
