"""A smooth curve through a cloud of points."""

from typing import TYPE_CHECKING

import numpy as np

from linreg_cli.figures.clouds import in_proportion, sampled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from linreg_cli.figures.canvas import Entries

#: The colour of smooth curves, which no split has.
CURVE = "#009E73"

#: More points than this are thinned first; the curve changes by less than the width of its line.
_MOST = 5_000
#: Of fewer points each local line would go through two or three, and its bends would be those of the noise.
_LEAST = 10


def draw_smooth(axes: "Axes", x: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None) -> "Entries":
    """Draw a smooth curve through points of the train split, as `smooth`; its entry of the legend, if there is one."""
    at, height = smooth(x, y, weights)
    if not len(at):
        return []
    (line,) = axes.plot(at, height, color=CURVE, linewidth=2.6, zorder=5.5, gid="smooth")
    return [(line, "smooth curve (lowess, train)")]


def smooth(x: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The curve of `lowess` through a sample of the points, ascending in x.

    It is empty for fewer than 10 points, between which it would go from one to the next, and for fewer than 3 values of
    x.

    Args:
        x: shape (n,), finite.
        y: shape (n,), finite.
        weights: the number of rows that each point stands for, shape (n,); None: 1. The sample has points of each
            weight as often as the table has.
    """
    rows = sampled(x, y, _MOST) if weights is None else in_proportion(weights, _MOST)
    order = np.argsort(x[rows], kind="stable")
    x, y = x[rows][order], y[rows][order]
    if len(x) < _LEAST or len(np.unique(x)) < 3:
        return np.empty(0), np.empty(0)
    return x, lowess(x, y, delta=0.01 * float(x[-1] - x[0]))


def lowess(
    x: np.ndarray, y: np.ndarray, *, fraction: float = 2 / 3, iterations: int = 3, delta: float = 0.0
) -> np.ndarray:
    """Locally weighted linear regression, robust against outliers: the fitted values at x, shape (n,).

    At each point a line is fitted to the nearest `fraction` of the points with weights (1 - (d / h)^3)^3, where d is
    the distance and h that of the farthest of them. Each iteration multiplies the weights by (1 - (r / 6 m)^2)^2,
    where r is the residual and m the median of |r|. The defaults are those of R's `lowess` and of its diagnostic plots.

    Args:
        x: shape (n,), ascending.
        y: shape (n,).
        fraction: of the points that a line is fitted to.
        iterations: robustifying ones, after the first fit.
        delta: points closer than this to the last fitted one are interpolated.

    Source: W. S. Cleveland, Robust locally weighted regression and smoothing scatterplots, 1979.

    >>> x = np.arange(6.0)
    >>> lowess(x, 2 * x + 1).round(12).tolist()
    [1.0, 3.0, 5.0, 7.0, 9.0, 11.0]
    """
    n = len(x)
    k = min(max(int(fraction * n + 1e-10), 2), n)
    anchors = _anchors(x, delta)
    starts = _starts(x, anchors, k)
    robust, fitted = np.ones(n), np.empty(n)
    for _ in range(iterations + 1):
        at = np.array([_local(x, y, robust, i, slice(left, left + k)) for i, left in zip(anchors, starts, strict=True)])
        fitted = np.interp(x, x[anchors], at)
        residual = np.abs(y - fitted)
        scale = 6 * float(np.median(residual))
        if scale <= 1e-12 * float(np.abs(y).max(initial=0.0)):
            break
        share = residual / scale
        robust = np.where(share >= 0.999, 0.0, np.where(share <= 0.001, 1.0, (1 - share**2) ** 2))
    return fitted


def _anchors(x: np.ndarray, delta: float) -> np.ndarray:
    """The points at which lines are fitted: the first, the last, and others about `delta` apart."""
    out = [0]
    while out[-1] < len(x) - 1:
        last = out[-1]
        beyond = int(np.searchsorted(x, x[last] + delta, side="right"))
        same = int(np.searchsorted(x, x[last], side="right")) - 1  # points of equal x have one fitted value
        out.append(min(max(beyond - 1, same + 1), len(x) - 1))
    return np.array(out)


def _starts(x: np.ndarray, anchors: np.ndarray, k: int) -> list[int]:
    """The first of the k nearest points of each anchor."""
    starts, left = [], 0
    for i in anchors:
        while left + k < len(x) and x[i] - x[left] > x[left + k] - x[i]:
            left += 1
        starts.append(left)
    return starts


def _local(x: np.ndarray, y: np.ndarray, robust: np.ndarray, i: int, near: slice) -> float:
    """The value at x[i] of the line through the points near it."""
    distance = np.abs(x[near] - x[i])
    reach = float(distance.max())
    share = distance / reach if reach > 0 else distance
    weight = robust[near] * np.where(share > 0.999, 0.0, np.where(share <= 0.001, 1.0, (1 - share**3) ** 3))
    total = float(weight.sum())
    if total <= 0:
        return float(y[i])
    mean_x, mean_y = float(weight @ x[near]) / total, float(weight @ y[near]) / total
    off = x[near] - mean_x
    spread = float(weight @ off**2)
    if spread <= (1e-3 * float(x[-1] - x[0])) ** 2 * total:
        return mean_y
    return mean_y + float(weight @ (off * (y[near] - mean_y))) / spread * float(x[i] - mean_x)
