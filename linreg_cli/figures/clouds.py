"""Scatter plots: the points of each split, and a straight reference line.

Splits differ in markers, not only in colour. The legend says how many rows are not drawn.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from linreg_cli.figures.canvas import HUGE, SPLITS, blank, drawable, finish, note, set_axis, style, ticks_beyond

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from linreg_cli.figures.canvas import Entries


#: Points drawn of one split; more only darken the picture and enlarge the file.
MOST_POINTS = 5_000

Cloud = tuple[str, np.ndarray, np.ndarray]  # split, x, y
ReferenceLine = tuple[float, float, str, Any]  # slope, intercept, label, dashes

# (points of the largest split up to which this applies, marker size in points, opacity).
_MARKS = ((30, 15.0, 1.0), (300, 8.0, 0.85), (1_500, 5.5, 0.6), (MOST_POINTS, 4.5, 0.45))


@dataclass(frozen=True)
class SplitPoints:
    """The points of one split and one target.

    Attributes:
        split: `train`, `validation`, `test`, or `data` for another table.
        actual: targets in original units, shape (n,).
        predicted: predictions in the same units, shape (n,).
        x: the single feature in original units, shape (n,); None if there are several.
    """

    split: str
    actual: np.ndarray
    predicted: np.ndarray
    x: np.ndarray | None = None


def cloud_figure(
    clouds: list[Cloud],
    labels: tuple[str, str, str],
    line: ReferenceLine,
    equal: bool = False,
    level: Sequence[float] = (),
) -> "Figure":
    """A scatter plot of several splits with a reference line.

    Args:
        clouds: the points of each split, x and y of shape (n,).
        labels: title, label of x, label of y.
        line: the reference line y = slope x + intercept.
        equal: whether both axes have the same limits.
        level: values of y that the limits include.
    """
    slope, intercept, line_label, dashes = line
    points = [(split, len(x), drawable(x, y)) for split, x, y in clouds if len(x) or len(y)]
    xs, ys = np.concatenate([np.empty((2, 0)), *(xy for _, _, xy in points)], axis=1)
    with style():
        figure, axes = blank(*labels)
        entries = scatter(axes, points)
        if len(xs):
            around = np.concatenate([xs, ys]) if equal else xs, np.concatenate([ys, xs if equal else level])
            x_ticks, y_ticks = (ticks_beyond(values.min(), values.max()) for values in around)
            set_axis(axes, "x", x_ticks, inches=4.0 if equal else 7.4)
            set_axis(axes, "y", y_ticks)
            # Python's floats overflow without a warning.
            heights = np.array([float(slope) * x + float(intercept) for x in x_ticks.tolist()])
            if not (heights.min() <= y_ticks[-1] and heights.max() >= y_ticks[0]):
                line_label += " (outside the picture)"
            heights = np.where(np.abs(heights) <= HUGE, heights, np.nan)
            # A white edge keeps the line visible among many points.
            axes.plot(x_ticks, heights, color="white", linewidth=4.5, alpha=0.7, zorder=4)
            (drawn,) = axes.plot(x_ticks, heights, "k", linewidth=2.5, linestyle=dashes, zorder=5, gid="line")
            entries.append((drawn, line_label))
        finish(figure, axes, entries, right=equal)
    return figure


def scatter(axes: "Axes", points: list[tuple[str, int, np.ndarray]], kept: int = 0) -> "Entries":
    """Draw points and return the entries of the legend.

    Args:
        axes: where to draw.
        points: (split, number of rows, drawable points of shape (2, n)).
        kept: the first so many points of each split are drawn even if the split is sampled.
    """
    most = min(max((xy.shape[1] for _, _, xy in points), default=0), MOST_POINTS)
    # All splits are sampled at the same rate, so that a small one drawn last does not cover a large sampled one.
    thinning = min(1.0, MOST_POINTS / max(sum(xy.shape[1] for _, _, xy in points), 1))
    _, size, alpha = next(mark for mark in _MARKS if most <= mark[0])
    entries = []
    for split, total, (x, y) in points:
        drawn, (colour, marker) = math.ceil(len(x) * thinning), SPLITS.get(split, ("#8C4A9E", "D"))
        first = min(kept, drawn)
        rows = first + np.arange(drawn - first) * (len(x) - first) // max(drawn - first, 1)
        rows = np.concatenate([np.arange(first), rows])
        # Every point is inside the limits. Without clipping, a marker near the frame is drawn completely.
        (cloud,) = axes.plot(x[rows], y[rows], marker, color=colour, alpha=alpha, zorder=3, clip_on=False, gid=split)
        cloud.set(markersize=size, markeredgecolor="white", markeredgewidth=0.8 if size > 5 else 0)
        entries.append((cloud, split + note(drawn, len(x), total)))
    return entries
