"""Pictures of residuals: against predicted values, their size, and their distribution."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from linreg_cli.figures.canvas import band_key, blank, drawable, finish, set_limits, style
from linreg_cli.figures.clouds import Cloud, SplitPoints, cloud_figure, sampled, scatter
from linreg_cli.figures.names import name_points
from linreg_cli.figures.smoother import draw_smooth

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from linreg_cli.figures.canvas import Entries

#: Rows that are named, as R's diagnostic plots name three.
MOST_NAMED = 3
#: Residuals below this share of the largest value are rounding errors.
_ROUNDING = 1e-13
_BAND = "#CCE3F0"


def residual_figure(points: Sequence[SplitPoints], *, target: str, title: str) -> "Figure":
    """Residuals (actual - predicted) against predicted values of a target, with a smooth curve through the train split.

    With weights of the rows they are multiplied by the square roots of them, so that all have one variance. The rows
    with the largest residuals are named.

    Args:
        points: of each split.
        target: name of the target.
        title: above the picture.
    """
    clouds = []
    for p in points:
        drawable(p.actual, p.predicted)
        with np.errstate(all="ignore"):
            residuals = np.subtract(p.actual, p.predicted, dtype=np.float64)
            residuals = residuals if p.root is None else residuals * p.root
        clouds.append(Cloud(p.split, p.predicted, residuals, p.n_rows))
    perfect = _how_perfect(points)

    def more(axes: "Axes", _: bool) -> "Entries":
        if perfect:
            return []
        named = [(p, cloud) for p, cloud in zip(points, clouds, strict=True) if p.rows is not None]
        if named:
            xy = np.concatenate([np.stack([cloud.x, cloud.y]).astype(np.float64) for _, cloud in named], axis=1)
            rows = np.concatenate([p.rows for p, _ in named if p.rows is not None])
            fine = np.isfinite(xy).all(axis=0)
            _name_largest(axes, xy[:, fine], xy[1, fine], rows[fine])
        return draw_smooth(axes, *drawable(clouds[0].x, clouds[0].y))

    what = f"residual of {target} (actual − predicted)"
    if any(p.root is not None for p in points):
        what = f"√weight × {what}"
    labels = title, f"predicted {target}", what
    zero = f"zero residual ({perfect})" if perfect else "zero residual"
    return cloud_figure(clouds, labels, (0.0, 0.0, zero, "--"), level=(0.0,), extra=more)


def _how_perfect(points: Sequence[SplitPoints]) -> str:
    """What all residuals are of a fit that is perfect, but perhaps for rounding; empty for any other."""
    with np.errstate(all="ignore"):
        largest = max((float(np.max(np.abs(p.actual), initial=0.0)) for p in points), default=0.0)
        worst = max((float(np.max(np.abs(p.actual - p.predicted), initial=0.0)) for p in points), default=0.0)
    if not worst <= _ROUNDING * largest:
        return ""
    return "all are rounding errors" if worst else "all are 0"


def _name_largest(axes: "Axes", xy: np.ndarray, residuals: np.ndarray, rows: np.ndarray) -> None:
    """Name the points with the largest absolute residuals, as R does in every picture."""
    largest = np.argsort(-np.abs(residuals), kind="stable")[:MOST_NAMED]
    name_points(axes, xy[:, largest], rows[largest], around=xy)


def scale_location_figure(
    predicted: np.ndarray,
    standardized: np.ndarray,
    rows: np.ndarray,
    *,
    target: str,
    title: str,
    weights: np.ndarray | None = None,
) -> "Figure":
    """The root of the absolute standardised residual against predicted values: a level curve means equal variance.

    Args:
        predicted: of the train split, shape (n,).
        standardized: residuals, internally studentised, shape (n,); NaN for a row of leverage 1.
        rows: numbers of the rows, shape (n,).
        target: name of the target.
        title: above the picture.
        weights: the number of rows that each stands for, shape (n,); None: 1.
    """
    size = np.sqrt(np.abs(standardized))
    fine = np.isfinite(size) & np.isfinite(predicted)
    x, y, names = predicted[fine], size[fine], rows[fine]
    n_rows = len(predicted) if weights is None else round(float(weights.sum()))
    with style():
        figure, axes = blank(title, f"predicted {target}", "root of |standardised residual|")
        order = np.argsort(-y, kind="stable")
        gone = np.full(int((~fine).sum()), np.nan)
        each = None if weights is None else weights[fine][order]
        cloud = Cloud("train", np.append(x[order], gone), np.append(y[order], gone), n_rows, each)
        entries = scatter(axes, [cloud], kept=MOST_NAMED)
        if len(x):
            curve = draw_smooth(axes, x, y, None if weights is None else weights[fine])
            highest = [float(np.max(line.get_ydata())) for line, _ in curve]
            set_limits(axes, "x", float(x.min()), float(x.max()), few=False)
            set_limits(axes, "y", 0.0, max(float(y.max()), *highest, 0.0), few=False)
            entries += curve
            _name_largest(axes, np.stack([x, y]), y, names)
        finish(figure, axes, entries)
    return figure


def qq_figure(
    residuals: np.ndarray, rows: np.ndarray, *, what: str, title: str, weights: np.ndarray | None = None
) -> "Figure":
    """Sorted residuals against the quantiles of the normal distribution; normal residuals lie on the line.

    The i-th of n points is at the quantile (i - a) / (n + 1 - 2 a), with a = 3/8 up to n = 10 and 1/2 above. The line
    goes through the quartiles. In the band lie 95 % of each point of n normal residuals, from the beta distribution of
    the order statistics. Of a sample, n is the number of all rows, and i the middle of those that a point stands for.

    Args:
        residuals: standardised, shape (n,); those that are not finite are left out.
        rows: numbers of the rows, shape (n,).
        what: what the residuals are, for the axis.
        title: above the picture.
        weights: the number of rows that each stands for, shape (n,); None: 1.
    """
    from scipy import special

    fine = np.isfinite(residuals)
    order = np.argsort(residuals[fine], kind="stable")
    y, names = residuals[fine][order], rows[fine][order]
    each = np.ones(len(y)) if weights is None else weights[fine][order]
    n = float(each.sum())
    with style():
        figure, axes = blank(title, "quantile of the normal distribution", what)
        entries: Entries = []
        if len(y):
            a = 3 / 8 if n <= 10 else 1 / 2
            i = np.cumsum(each) - (each - 1) / 2
            x = special.ndtri((i - a) / (n + 1 - 2 * a))
            slope, level = _through_quartiles(y, i)
            kept = sampled(x, y, 2_000)
            low, high = (
                level + slope * special.ndtri(special.betaincinv(i[kept], n - i[kept] + 1, p)) for p in (0.025, 0.975)
            )
            axes.fill_between(x[kept], low, high, color=_BAND, linewidth=0, zorder=0.2)  # below the grid
            set_limits(axes, "x", float(x[0]), float(x[-1]), few=False)
            ends = np.array(axes.get_xlim())
            lowest, highest = min(float(y[0]), float(low.min())), max(float(y[-1]), float(high.max()))
            set_limits(axes, "y", lowest, highest, few=False)
            gone = np.full(int((~fine).sum()), np.nan)
            cloud = Cloud("train", np.append(x, gone), np.append(y, gone), round(n) + len(gone))
            entries = scatter(axes, [cloud], line=(slope, level))
            limits = axes.get_ylim()
            (line,) = axes.plot(ends, level + slope * ends, "k", linewidth=2, zorder=2.5, gid="line")
            axes.set(xlim=ends, ylim=limits)
            band = band_key(axes, _BAND)
            entries += [(line, "through the quartiles"), (band, "95 % of normal residuals, point by point")]
            _name_largest(axes, np.stack([x, y]), y, names)
        finish(figure, axes, entries)
    return figure


def _through_quartiles(y: np.ndarray, i: np.ndarray) -> tuple[float, float]:
    """Slope and level of the line through the quartiles of sorted values of ranks i, as R's `qqline`."""
    n = i[-1]  # of a rank that stands for several rows, about
    low, high = np.interp(1 + (n - 1) * np.array([0.25, 0.75]), i, y)
    quartile = 0.6744897501960817  # of the normal distribution
    return float(high - low) / (2 * quartile), float(high + low) / 2
