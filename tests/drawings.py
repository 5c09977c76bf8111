"""Points and losses to draw, the pictures of them, and how a picture is read back."""

import itertools

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from linreg_cli.figures.clouds import SplitPoints
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
