"""Scatter plots: the points of each split, and a straight reference line.

Splits differ in markers, not only in colour. The legend says how many rows are not drawn.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from linreg_cli.figures.canvas import FEW, HUGE, SPLITS, blank, drawable, finish, note, set_limits, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from linreg_cli.figures.canvas import Entries


#: Points drawn of one split; more only darken the picture and enlarge the file.
MOST_POINTS = 5_000

ReferenceLine = tuple[float, float, str, Any]  # slope, intercept, label, dashes

# (points of the largest split up to which this applies, marker size in points, opacity).
_MARKS = ((FEW, 15.0, 1.0), (300, 8.0, 0.85), (1_500, 5.5, 0.6), (MOST_POINTS, 4.5, 0.45))
#: The most points of a split that lie above a line, which is seen between them.
MOST_ABOVE = 300
#: Of each split so many of the lowest and the highest points, in each direction, are drawn whatever is sampled.
_EXTREMES = 10


@dataclass(frozen=True)
class SplitPoints:
    """The points of one split and one target.

    Attributes:
        split: `train`, `validation`, `test`, or `data` for another table.
        actual: targets in original units, shape (n,).
        predicted: predictions in the same units, shape (n,).
        x: the single feature in original units, shape (n,); None if there are several.
        rows: their numbers, shape (n,); None: no row is named.
        n_rows: of the split, of which the points may be a sample; None: they are all.
        root: the square roots of the weights of the rows, shape (n,); None: all are 1.
    """

    split: str
    actual: np.ndarray
    predicted: np.ndarray
    x: np.ndarray | None = None
    rows: np.ndarray | None = None
    n_rows: int | None = None
    root: np.ndarray | None = None


@dataclass(frozen=True)
class Cloud:
    """Points to draw.

    Attributes:
        split: the split, or `data`.
        x: shape (n,).
        y: shape (n,).
        n_rows: the rows that the points stand for; None: as many as there are points.
        weights: the number of rows that each point stands for, shape (n,); None: all stand for equally many.
    """

    split: str
    x: np.ndarray
    y: np.ndarray
    n_rows: int | None = None
    weights: np.ndarray | None = None

    @property
    def note(self) -> Callable[[int, int], str]:
        """The numbers of points that are drawn and that could be -> the note about the others, for the legend."""
        n_rows = len(self.x) if self.n_rows is None else self.n_rows
        return lambda drawn, drawable: note(drawn, n_rows - (len(self.x) - drawable), n_rows)


def cloud_figure(
    clouds: list[Cloud],
    labels: tuple[str, str, str],
    line: ReferenceLine,
    equal: bool = False,
    level: Sequence[float] = (),
    extra: Callable[["Axes", bool], "Entries"] | None = None,
) -> "Figure":
    """A scatter plot of several splits with a reference line.

    Up to 300 points lie above the line, and more below it, where they would cover it.

    Args:
        clouds: the points of each split.
        labels: title, label of x, label of y.
        line: the reference line y = slope x + intercept, over the range of the points.
        equal: whether both axes have the same limits.
        level: values of y that the limits include.
        extra: draws more into the axes, given whether there are few points, and returns its entries of the legend.
    """
    slope, intercept, line_label, dashes = line
    points = [drawable(cloud.x, cloud.y) for cloud in clouds]
    xs, ys = np.concatenate([np.empty((2, 0)), *points], axis=1)
    most = max((xy.shape[1] for xy in points), default=0)
    few = most <= FEW
    with style():
        figure, axes = blank(*labels)
        entries = scatter(axes, clouds, line=(float(slope), float(intercept)))
        if len(xs):
            around = np.concatenate([xs, ys]) if equal else xs, np.concatenate([ys, xs if equal else level])
            for which, values, inches in (("x", around[0], 4.0 if equal else 7.4), ("y", around[1], 7.4)):
                set_limits(axes, which, float(values.min()), float(values.max()), few=few, inches=inches)
            ends = np.array(axes.get_xlim()) if few or equal or not slope else np.array([xs.min(), xs.max()])
            # Python's floats overflow without a warning.
            heights = np.array([float(slope) * x + float(intercept) for x in ends.tolist()])
            low, high = axes.get_ylim()
            if not (heights.min() <= high and heights.max() >= low):
                line_label += " (outside the picture)"
            heights = np.where(np.abs(heights) <= HUGE, heights, np.nan)
            width, order = (2.5 if few else 2.0), (2.5 if most <= MOST_ABOVE else 5)
            (drawn,) = axes.plot(ends, heights, "k", linewidth=width, linestyle=dashes, zorder=order, gid="line")
            entries.append((drawn, line_label))
            entries += extra(axes, few) if extra is not None else []
        finish(figure, axes, entries, right=equal)
    return figure


def scatter(
    axes: "Axes", clouds: Sequence[Cloud], *, line: tuple[float, float] = (0.0, 0.0), kept: int = 0
) -> "Entries":
    """Draw points and return the entries of the legend.

    Of many points a sample is drawn: every k-th, and always the outermost, also those farthest from the line. Points
    that are not finite are left out.

    Args:
        axes: where to draw.
        clouds: of each split.
        line: slope and intercept of the line that the points farthest from are drawn.
        kept: the first so many finite points of each split are drawn even if the split is sampled.
    """
    points = [(cloud, drawable(cloud.x, cloud.y)) for cloud in clouds if len(cloud.x)]
    most = min(max((xy.shape[1] for _, xy in points), default=0), MOST_POINTS)
    # All splits are sampled at the same rate, so that a small one drawn last does not cover a large sampled one.
    thinning = min(1.0, MOST_POINTS / max(sum(xy.shape[1] for _, xy in points), 1))
    _, size, alpha = next(mark for mark in _MARKS if most <= mark[0])
    entries = []
    for position, (cloud, (x, y)) in enumerate(points):
        drawn, (colour, marker) = math.ceil(len(x) * thinning), SPLITS.get(cloud.split, ("#8C4A9E", "D"))
        rows = sampled(x, y, drawn, line, kept, cloud.weights)
        # Every point is inside the limits. Without clipping, a marker near the frame is drawn completely.
        (marks,) = axes.plot(x[rows], y[rows], marker, color=colour, alpha=alpha, clip_on=False, gid=cloud.split)
        marks.set(markersize=size, markeredgecolor="white", markeredgewidth=0.8 if size > 5 else 0)
        marks.set_zorder(3 + position / 10)
        if cloud.split != "train" and most > FEW:  # hollow, so that the points behind are seen
            marks.set(markerfacecolor="none", markeredgecolor=colour, markeredgewidth=1.2, alpha=min(1.0, alpha + 0.2))
        entries.append((marks, cloud.split + cloud.note(len(rows), len(x))))
    return entries


def sampled(
    x: np.ndarray,
    y: np.ndarray,
    most: int,
    line: tuple[float, float] = (0.0, 0.0),
    kept: int = 0,
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """The indices of about `most` points, ascending: the outermost, the first `kept`, and evenly spaced others.

    Args:
        x: shape (n,).
        y: shape (n,).
        most: the number of indices, if all points stand for equally many rows.
        line: slope and intercept; the points farthest above and below the line are among the outermost.
        kept: so many of the first points are always taken.
        weights: the number of rows that each of the first points stands for, shape (at least n,); the others are then
            taken in proportion to it.

    >>> sampled(np.arange(1000.0), np.arange(1000.0), 1000).tolist() == list(range(1000))
    True
    """
    if len(x) <= most and weights is None:
        return np.arange(len(x))
    with np.errstate(all="ignore"):
        off = np.nan_to_num(y - (line[0] * x + line[1]))
    each = min(_EXTREMES, most // 8, len(x))
    ends = [np.argpartition(sign * values, max(each - 1, 0))[:each] for values in (x, y, off) for sign in (1, -1)]
    always = np.unique(np.concatenate([np.arange(min(kept, most, len(x))), *ends]))[:most]
    if weights is not None:
        return np.union1d(always, in_proportion(weights[: len(x)], most))
    others = np.setdiff1d(np.arange(len(x)), always, assume_unique=True)
    some = np.arange(most - len(always)) * len(others) // max(most - len(always), 1)
    return np.sort(np.concatenate([always, others[some]]))


def in_proportion(weights: np.ndarray, most: int) -> np.ndarray:
    """The indices of at most so many points, ascending, taken at even distances along the sum of their weights.

    >>> in_proportion(np.array([1.0, 1.0, 8.0, 8.0, 1.0, 1.0]), 5).tolist()
    [2, 3]
    """
    ends = np.cumsum(weights)
    most = max(int(min(most, ends[-1] / weights.max())), 1) if len(ends) else 0
    return np.searchsorted(ends, (np.arange(most) + 0.5) * ends[-1] / most) if most else np.arange(0)
