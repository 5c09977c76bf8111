"""Clouds of points, one a split, and the straight line that they are held against.

Splits differ in markers, not only in colour. Legends own up to rows that are not drawn.
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


#: Points drawn of one split; more only darken the cloud and swell the file.
MOST_POINTS = 5_000

Cloud = tuple[str, np.ndarray, np.ndarray]  # the split, x, y
Rule = tuple[float, float, str, Any]  # slope, intercept, label, dashes

# By the points of the largest split: at most this many, marker size in points, opacity.
_MARKS = ((30, 15.0, 1.0), (300, 8.0, 0.85), (1_500, 5.5, 0.6), (MOST_POINTS, 4.5, 0.45))


@dataclass(frozen=True)
class SplitPoints:
    """One split of one target."""

    split: str  #: `train`, `validation`, `test`, or `data` for another table
    actual: np.ndarray  #: (n,) targets in original units
    predicted: np.ndarray  #: (n,) predictions in the same units
    x: np.ndarray | None = None  #: (n,) the only feature in original units, if there is one


def cloud_figure(
    clouds: list[Cloud], labels: tuple[str, str, str], rule: Rule, equal: bool = False, level: Sequence[float] = ()
) -> "Figure":
    """Clouds under a straight line, on equal axes or not, with the heights of `level` inside the limits."""
    slope, intercept, rule_label, dashes = rule
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
                rule_label += " (outside the picture)"
            heights = np.where(np.abs(heights) <= HUGE, heights, np.nan)
            # The white rim keeps the line visible in a dense cloud.
            axes.plot(x_ticks, heights, color="white", linewidth=4.5, alpha=0.7, zorder=4)
            (line,) = axes.plot(x_ticks, heights, "k", linewidth=2.5, linestyle=dashes, zorder=5, gid="line")
            entries.append((line, rule_label))
        finish(figure, axes, entries, right=equal)
    return figure


def scatter(axes: "Axes", points: list[tuple[str, int, np.ndarray]], kept: int = 0) -> "Entries":
    """Draws (split, rows in all, drawable points), the first `kept` of each for certain; the legend's entries."""
    most = min(max((xy.shape[1] for _, _, xy in points), default=0), MOST_POINTS)
    # Splits are thinned alike, so that a small one drawn last does not bury a large one that was thinned.
    thinning = min(1.0, MOST_POINTS / max(sum(xy.shape[1] for _, _, xy in points), 1))
    _, size, alpha = next(mark for mark in _MARKS if most <= mark[0])
    entries = []
    for split, total, (x, y) in points:
        drawn, (colour, marker) = math.ceil(len(x) * thinning), SPLITS.get(split, ("#8C4A9E", "D"))
        first = min(kept, drawn)
        rows = first + np.arange(drawn - first) * (len(x) - first) // max(drawn - first, 1)
        rows = np.concatenate([np.arange(first), rows])
        # Every point is inside the limits; unclipped, a marker beside the frame stays whole.
        (cloud,) = axes.plot(x[rows], y[rows], marker, color=colour, alpha=alpha, zorder=3, clip_on=False, gid=split)
        cloud.set(markersize=size, markeredgecolor="white", markeredgewidth=0.8 if size > 5 else 0)
        entries.append((cloud, split + note(drawn, len(x), total)))
    return entries
