"""Pictures of residuals: against predicted values, their size, and their distribution."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from linreg_cli.figures.canvas import SMALL, blank, drawable, finish, set_limits, style
from linreg_cli.figures.clouds import SplitPoints, cloud_figure, sampled, scatter, sizes_of
from linreg_cli.figures.smoother import smooth

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from linreg_cli.figures.canvas import Entries

#: The colour of smooth curves, which no split has.
CURVE = "#009E73"
#: Rows that are named, as R's diagnostic plots name three.
MOST_NAMED = 3


def residual_figure(points: Sequence[SplitPoints], *, target: str, title: str) -> "Figure":
    """Residuals (actual - predicted) against predicted values of a target, with a smooth curve through the train split.

    Args:
        points: of each split.
        target: name of the target.
        title: above the picture.
    """
    clouds = []
    for p in points:
        drawable(p.actual, p.predicted)
        with np.errstate(all="ignore"):
            clouds.append((p.split, p.predicted, np.subtract(p.actual, p.predicted, dtype=np.float64)))

    def more(axes: "Axes", few: bool) -> "Entries":
        return [] if few else _curve(axes, *drawable(*clouds[0][1:]))

    labels = title, f"predicted {target}", f"residual of {target} (actual − predicted)"
    line = 0.0, 0.0, "zero residual", "--"
    return cloud_figure(clouds, labels, line, level=(0.0,), sizes=sizes_of(points), extra=more)


def scale_location_figure(
    predicted: np.ndarray, standardized: np.ndarray, rows: np.ndarray, *, target: str, title: str
) -> "Figure":
    """The root of the absolute standardised residual against predicted values: a level curve means equal variance.

    Args:
        predicted: of the train split, shape (n,).
        standardized: residuals, internally studentised, shape (n,); NaN for a row of leverage 1.
        rows: numbers of the rows, shape (n,).
        target: name of the target.
        title: above the picture.
    """
    size = np.sqrt(np.abs(standardized))
    fine = np.isfinite(size) & np.isfinite(predicted)
    x, y, names = predicted[fine], size[fine], rows[fine]
    with style():
        figure, axes = blank(title, f"predicted {target}", "root of |standardised residual|")
        order = np.argsort(-y, kind="stable")
        points = np.stack([x[order], y[order]])
        entries = scatter(axes, [("train", len(predicted), points)], kept=MOST_NAMED)
        if len(x):
            set_limits(axes, "x", float(x.min()), float(x.max()), few=False)
            set_limits(axes, "y", 0.0, float(y.max()), few=False)
            entries += _curve(axes, x, y)
            name_points(axes, points[:, :MOST_NAMED], names[order][:MOST_NAMED])
        finish(figure, axes, entries)
    return figure


def qq_figure(residuals: np.ndarray, rows: np.ndarray, *, what: str, title: str) -> "Figure":
    """Sorted residuals against the quantiles of the normal distribution; normal residuals lie on the line.

    The i-th of n points is at the quantile (i - a) / (n + 1 - 2 a), with a = 3/8 up to n = 10 and 1/2 above. The line
    goes through the quartiles. In the band lie 95 % of each point of n normal residuals, from the beta distribution of
    the order statistics.

    Args:
        residuals: standardised, shape (n,); those that are not finite are left out.
        rows: numbers of the rows, shape (n,).
        what: what the residuals are, for the axis.
        title: above the picture.
    """
    from scipy import special

    fine = np.isfinite(residuals)
    order = np.argsort(residuals[fine], kind="stable")
    y, names, n = residuals[fine][order], rows[fine][order], int(fine.sum())
    with style():
        figure, axes = blank(title, "quantile of the normal distribution", what)
        entries: Entries = []
        if n:
            a = 3 / 8 if n <= 10 else 1 / 2
            i = np.arange(1, n + 1)
            x = special.ndtri((i - a) / (n + 1 - 2 * a))
            slope, level = _through_quartiles(y)
            kept = sampled(x, y, 2_000)
            low, high = (
                level + slope * special.ndtri(special.betaincinv(i[kept], n - i[kept] + 1, p)) for p in (0.025, 0.975)
            )
            axes.fill_between(x[kept], low, high, color="#0072B2", alpha=0.13, linewidth=0, zorder=1.2)
            set_limits(axes, "x", float(x[0]), float(x[-1]), few=False)
            ends = np.array(axes.get_xlim())
            lowest, highest = min(float(y[0]), float(low.min())), max(float(y[-1]), float(high.max()))
            set_limits(axes, "y", lowest, highest, few=False)
            worst = np.argsort(-np.abs(y - level - slope * x), kind="stable")[:MOST_NAMED]
            entries = scatter(axes, [("train", len(residuals), np.stack([x, y]))], line=(slope, level))
            limits = axes.get_ylim()
            (line,) = axes.plot(ends, level + slope * ends, "k", linewidth=2, zorder=2.5, gid="line")
            (edge,) = axes.plot([], [], color="#0072B2", alpha=0.35, linewidth=7)
            axes.set(xlim=ends, ylim=limits)
            entries += [(line, "through the quartiles"), (edge, "95 % of normal residuals, point by point")]
            name_points(axes, np.stack([x[worst], y[worst]]), names[worst])
        finish(figure, axes, entries)
    return figure


def _through_quartiles(y: np.ndarray) -> tuple[float, float]:
    """Slope and level of the line through the quartiles, as R's `qqline`."""
    low, high = np.quantile(y, [0.25, 0.75])
    quartile = 0.6744897501960817  # of the normal distribution
    return float(high - low) / (2 * quartile), float(high + low) / 2


def _curve(axes: "Axes", x: np.ndarray, y: np.ndarray) -> "Entries":
    """A smooth curve through the points, and its entry of the legend."""
    at, height = smooth(x, y)
    if not len(at):
        return []
    (line,) = axes.plot(at, height, color=CURVE, linewidth=2.6, zorder=5.5, gid="smooth")
    return [(line, "smooth curve (lowess, train)")]


def name_points(axes: "Axes", xy: np.ndarray, names: np.ndarray) -> None:
    """Label points, the first ones first, inside the frame and without overlap.

    Args:
        axes: with its final limits.
        xy: coordinates, shape (2, n).
        names: shape (n,).
    """
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    taken: list[tuple[float, float, float]] = []  # middle and half the width, as shares of the frame
    spots = [(side, above, far) for far in (1, 3, 5) for above in (1, -1) for side in (1, -1)]
    for name, x, y in zip(names, *xy.tolist(), strict=True):
        half = 0.008 * len(str(name)) + 0.004
        across, up = (x - left) / (right - left), (y - low) / (high - low)
        for side, above, far in spots:
            middle, height = across + side * (half + 0.01), up + 0.025 * above * far
            free = all(abs(middle - m) > half + w or abs(height - t) > 0.045 for m, t, w in taken)
            if free and half < middle < 1 - half and 0.03 < height < 0.97:
                break
        else:
            continue  # without a name rather than with one that covers another
        taken.append((middle, height, half))
        axes.annotate(
            str(name),
            (x, y),
            xytext=(7 * side, (3 + 12 * (far - 1)) * above),
            textcoords="offset points",
            ha="left" if side > 0 else "right",
            va="bottom" if above > 0 else "top",
            fontsize=0.85 * SMALL,
            zorder=6,
        )
