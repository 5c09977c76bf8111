"""Residuals against each feature, in small multiples."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from linreg_cli.figures.canvas import FEW, HUGE, LABEL, SMALL, SPLITS, empty, set_limits, set_names, style
from linreg_cli.figures.clouds import sampled
from linreg_cli.figures.labels import fitted, width_in_inches
from linreg_cli.figures.smoother import CURVE, smooth

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Columns that are drawn; the others are counted.
MOST = 12
#: Levels of a category that have a box; the rarer ones are left out, and counted.
MOST_LEVELS = 12
_ACROSS, _HEIGHT_OF_ONE = 3, 2.9
#: The width of the frames of a row together, about.
_INCHES = 7.4
_POINTS = 2_000
#: Between the names of two levels, and between the frames of a row, in inches.
_GAP, _GAP_OF_FRAMES = 0.06, 0.25
#: The points outside the whiskers of a box.
_OUTSIDE = {
    "marker": "o", "markersize": 3.5, "alpha": 0.5, "markerfacecolor": SPLITS["train"][0], "markeredgewidth": 0
}  # fmt: skip


@dataclass(frozen=True)
class Against:
    """The values of one column.

    Attributes:
        name: of the column.
        values: numbers, shape (n,), for a column of numbers; else the position of each cell in `levels`, -1 for none.
        levels: of a category; None for a column of numbers.
    """

    name: str
    values: np.ndarray
    levels: tuple[str, ...] | None = None


def by_feature_figure(
    residuals: np.ndarray, columns: Sequence[Against], *, target: str, title: str, weighted: bool = False
) -> "Figure":
    """Residuals of the train split against each column: points with a smooth curve, or a box for each level.

    A curve that is not level is a pattern that the model has missed, such as a bend. Of more than 12 columns those are
    drawn whose curve or whose boxes vary most.

    Args:
        residuals: actual - predicted, shape (n,); with weights of the rows times the square roots of them.
        columns: with values of the same rows.
        target: name of the target.
        title: above the picture.
        weighted: whether the rows have weights.
    """
    order = sorted(range(len(columns)), key=lambda at: -_pattern(residuals, columns[at]))
    kept = sorted(order[:MOST])
    across = min(_ACROSS, max(len(kept), 1))
    down = math.ceil(len(kept) / across)
    more, n_rows = len(columns) - len(kept), len(residuals)
    notes = [f"the {len(kept)} with the strongest patterns of {len(columns):,}"] if more else []
    if n_rows > _POINTS and any(columns[at].levels is None for at in kept):
        notes.append(f"{_POINTS:,} of {n_rows:,} rows as points")
    with style():
        figure = empty(
            f"{title} ({'; '.join(notes)})" if notes else title,
            1.3 + _HEIGHT_OF_ONE * down,
        )
        what = "√weight × residual" if weighted else "residual"
        text, font = fitted(f"{what} of {target}", LABEL, min(4.6, _HEIGHT_OF_ONE * down - 0.6), lines=2)
        figure.supylabel(text, **font)
        fine = residuals[np.abs(residuals) <= HUGE]
        for position, at in enumerate(kept):
            axes = figure.add_subplot(down, across, position + 1)
            axes.tick_params(labelsize=0.75 * SMALL)  # before names of levels, which may be smaller
            if columns[at].levels is None:
                _points(axes, columns[at].values, residuals, across)
            else:
                _boxes(axes, columns[at], residuals, across)
            if len(fine):
                set_limits(axes, "y", min(0.0, float(fine.min())), max(0.0, float(fine.max())), few=False)
            axes.axhline(0, color="black", linestyle="--", linewidth=1.2, zorder=2)
            axes.set_xlabel(*fitted(columns[at].name, SMALL, _INCHES / across, lines=2))
            if position % across:
                axes.set_yticklabels([])
    return figure


def _pattern(residuals: np.ndarray, column: Against) -> float:
    """The share of the variance of the residuals that their means over tenths of the column, or its levels, explain."""
    fine = np.isfinite(residuals) & (np.abs(column.values) <= HUGE)
    if column.levels is None:
        ranks = np.argsort(np.argsort(column.values[fine], kind="stable"), kind="stable")
        groups = ranks * 10 // max(len(ranks), 1)
    else:
        fine &= column.values >= 0
        groups = column.values[fine].astype(int)
    r = residuals[fine]
    total = float(np.var(r)) * len(r)
    if not total > 0:
        return 0.0
    counts = np.bincount(groups)
    sums = np.bincount(groups, weights=r - r.mean())
    return float((sums[counts > 0] ** 2 / counts[counts > 0]).sum()) / total


def _points(axes: "Axes", values: np.ndarray, residuals: np.ndarray, across: int) -> None:
    fine = (np.abs(values) <= HUGE) & (np.abs(residuals) <= HUGE)
    x, y = values[fine], residuals[fine]
    if not len(x):
        return
    rows = sampled(x, y, _POINTS)
    size, alpha = (8.0, 1.0) if len(rows) <= FEW else (5.0, 0.7) if len(rows) <= 200 else (3.0, 0.4)
    (cloud,) = axes.plot(x[rows], y[rows], "o", color=SPLITS["train"][0], markersize=size, alpha=alpha, zorder=3)
    cloud.set(markeredgewidth=0, gid="train")
    at, height = smooth(x, y)
    axes.plot(at, height, color=CURVE, linewidth=2.2, zorder=4, gid="smooth")
    set_limits(axes, "x", float(x.min()), float(x.max()), few=False, inches=6.0 / across)


def _boxes(axes: "Axes", column: Against, residuals: np.ndarray, across: int) -> None:
    assert column.levels is not None
    counts = np.bincount(column.values[column.values >= 0].astype(int), minlength=len(column.levels))
    common = np.sort(np.argsort(-counts, kind="stable")[:MOST_LEVELS])
    common = common[counts[common] > 0]
    groups = [residuals[(column.values == level) & (np.abs(residuals) <= HUGE)] for level in common]
    boxes = axes.boxplot(groups, widths=0.6, patch_artist=True, flierprops=_OUTSIDE)
    for box, middle in zip(boxes["boxes"], boxes["medians"], strict=True):
        box.set(facecolor="#BFD9EA", edgecolor=SPLITS["train"][0])
        middle.set(color="black", linewidth=1.6)
    left = int((counts > 0).sum()) - len(common)
    set_names(axes, "x", [column.levels[level] for level in common], 0.75 * SMALL, 1.1, first=1)
    names = axes.get_xticklabels()
    widths = [width_in_inches(name.get_text(), float(name.get_fontsize()), name.get_fontfamily()) for name in names]
    # The names of two boxes meet where half of each and a gap are wider than the boxes are apart. The outermost may
    # reach a little out of the frame.
    apart = 0.9 * _INCHES / across / max(len(names), 1)
    ends = (end - _GAP_OF_FRAMES for end in widths[:1] + widths[-1:])
    needed = [*((one + next_) / 2 for one, next_ in itertools.pairwise(widths)), *ends]
    meet = max(needed, default=0.0) + _GAP > apart
    axes.tick_params(axis="x", labelrotation=90 if meet else 0)
    if left:
        axes.set_title(f"{left} rarer levels not drawn", fontsize=0.7 * SMALL)
