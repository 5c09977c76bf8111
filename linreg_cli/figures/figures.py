"""Pictures of a run: the loss, the fitted line, predictions, residuals and influence.

Arrays in, a matplotlib figure out (`linreg_cli.figures.canvas`). Splits and runs differ in markers or dashes, not
only in colour. Legends stand outside the axes, where they cover no data, and own up to rows that are not drawn.
Empty splits are skipped; arrays that are not (n,) of one length raise a ValueError.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from linreg_cli.figures.canvas import (
    HUGE,
    LABEL,
    SMALL,
    blank,
    finish,
    fitted,
    nice_step,
    set_axis,
    set_log_axis,
    style,
    ticks_beyond,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from linreg_cli.figures.canvas import Entries

#: Points drawn of one split; more only darken the cloud and swell the file.
MOST_POINTS = 5_000
#: Rows that the picture of influence names.
MOST_NAMED = 5
_Cloud = tuple[str, np.ndarray, np.ndarray]  # the split, x, y
_Rule = tuple[float, float, str, Any]  # slope, intercept, label, dashes

# Okabe and Ito's palette, but for a plainer red. Of a split: (colour, marker).
_SPLITS = {"train": ("#0072B2", "o"), "validation": ("#E69F00", "s"), "test": ("#D62728", "^")}
_RUN_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#4D4D4D")
_RUN_MARKERS = "osD^vP"
_RUN_DASHES: tuple[Any, ...] = ("-", (0, (6, 1.5, 1, 1.5)), (0, (1, 1)), (0, (6, 1, 1, 1, 1, 1)), (0, (10, 1)))
# By the points of the largest split: at most this many, marker size in points, opacity.
_MARKS = ((30, 15.0, 1.0), (300, 8.0, 0.85), (1_500, 5.5, 0.6), (MOST_POINTS, 4.5, 0.45))


@dataclass(frozen=True)
class LossCurve:
    """The loss of one run after each epoch."""

    label: str  #: the run's name
    epochs: np.ndarray  #: (n,) epochs done, 0 first
    train: np.ndarray  #: (n,) loss over the whole train split
    validation: np.ndarray | None  #: (n,) loss over the validation split, if there is one


@dataclass(frozen=True)
class SplitPoints:
    """One split of one target."""

    split: str  #: `train`, `validation`, `test`, or `data` for another table
    actual: np.ndarray  #: (n,) targets in original units
    predicted: np.ndarray  #: (n,) predictions in the same units
    x: np.ndarray | None = None  #: (n,) the only feature in original units, if there is one


def loss_figure(curves: Sequence[LossCurve], *, loss: str, title: str, optimum: float | None = None) -> "Figure":
    """The loss against the epoch of one run or several; logarithmic where positive and over two decades.

    `curves` come in the legend's order, `loss` is the loss in words, `optimum` the lowest that the train loss can
    be: a line across. Non-finite losses are left out; an optimum far below every loss only stands in the legend.
    """
    entries = []
    with style():
        figure, axes = blank(title, "epoch", loss)
        for run, curve in enumerate(curves):
            for part, values in (("train", curve.train), ("validation", curve.validation)):
                if values is not None and len(values):
                    epochs, losses = _drawable(curve.epochs, values)
                    (line,) = axes.plot(epochs, losses, **_run_look(run, part, len(epochs), len(curves) == 1))
                    entries.append((line, f"{curve.label}, {part}{_note(len(epochs), len(epochs), len(values))}"))
        epochs, losses = (np.concatenate([np.empty(0), *(line.get_data()[i] for line, _ in entries)]) for i in (0, 1))
        if len(epochs):
            first, last = epochs.min(), max(epochs.max(), epochs.min() + 1)
            step = nice_step(last - first, whole=True)
            set_axis(axes, "x", np.arange(math.ceil(first / step), math.floor(last / step) + 1) * step)
            axes.set_xlim(first - 0.03 * (last - first), last + 0.03 * (last - first))
            low, high = float(losses.min()), float(losses.max())
            if optimum is not None and 0 <= optimum <= HUGE:
                low = _with_optimum(axes, optimum, low, high, entries)
            if low > 1 / HUGE and high / low > 100:
                set_log_axis(axes, low, high)
                axes.set_ylabel(*fitted(f"{loss} (log scale)", LABEL, 4.6))
            else:
                set_axis(axes, "y", ticks_beyond(low, high))
        finish(figure, axes, entries)
    return figure


def fit_figure(
    points: Sequence[SplitPoints], *, slope: float, intercept: float, feature: str, target: str, title: str
) -> "Figure":
    """The points of every split against the only feature, and the fitted line.

    The limits are nice ticks strictly beyond the points; an axis starts at 0 where its lowest value is positive
    and at most half the values' range above 0. `slope` is in units of the target per unit of the feature, and
    `feature` and `target` are the columns' names.

    Raises:
        ValueError: if a split has no `x`.
    """
    clouds = []
    for split in points:
        if split.x is None:
            raise ValueError(f"the {split.split} split has no single feature to draw against")
        clouds.append((split.split, split.x, split.actual))
    label = f"fitted line: y = {slope:,.7g} x + {intercept:,.7g}".replace("+ -", "− ").replace("-", "−")
    return _cloud_figure(clouds, (title, feature, target), (slope, intercept, label, "-"))


def predicted_figure(points: Sequence[SplitPoints], *, target: str, title: str) -> "Figure":
    """Predicted against actual values of a column on two equal axes, with the line of perfect prediction."""
    clouds = [(p.split, p.actual, p.predicted) for p in points]
    labels = title, f"actual {target}", f"predicted {target}"
    return _cloud_figure(clouds, labels, (1.0, 0.0, "perfect prediction", "--"), equal=True)


def residual_figure(points: Sequence[SplitPoints], *, target: str, title: str) -> "Figure":
    """Residuals, actual minus predicted, against the predicted values of a column, with the line of no error."""
    clouds = []
    for p in points:
        _drawable(p.actual, p.predicted)
        with np.errstate(all="ignore"):
            clouds.append((p.split, p.predicted, np.subtract(p.actual, p.predicted, dtype=np.float64)))
    labels = title, f"predicted {target}", f"residual of {target} (actual − predicted)"
    return _cloud_figure(clouds, labels, (0.0, 0.0, "no error", "--"), level=(0.0,))


def leverage_figure(
    leverage: np.ndarray,
    residual: np.ndarray,
    cooks: np.ndarray,
    rows: np.ndarray,
    *,
    n_samples: int,
    n_parameters: int,
    title: str,
) -> "Figure":
    """Standardised residuals against leverage, with the curves of Cook's distance 0.5 and 1.

    Lines stand at the mean leverage p / n and at twice it; the rows of greatest Cook's distance are labelled.

    Args:
        leverage: shape (n,), in [0, 1].
        residual: shape (n,), internally studentised.
        cooks: shape (n,).
        rows: shape (n,), what to call each row.
        n_samples: rows of the fit, of which these may be some.
        n_parameters: of the fit.
        title: above the picture.

    Source: R. D. Cook, S. Weisberg, Residuals and Influence in Regression, 1982: D = r^2 h / (p (1 - h)).
    """
    drawable = np.isfinite(residual) & np.isfinite(cooks)
    # The most influential rows first: the picture thins the others, and draws all that it names.
    order = np.flatnonzero(drawable)[np.argsort(-cooks[drawable], kind="stable")]
    h, r, names = leverage[order], residual[order], rows[order]
    with style():
        figure, axes = blank(title, "leverage", "standardised residual")
        entries = _scatter(axes, [("train", len(leverage), np.stack([h, r]))], kept=MOST_NAMED)
        if len(h):
            mean = n_parameters / n_samples
            most = min(max(float(h.max()), 2 * mean), 1.0)
            x_ticks = ticks_beyond(0.0, most)
            x_ticks = x_ticks[x_ticks >= 0]
            y_ticks = ticks_beyond(min(float(r.min()), -2.0), max(float(r.max()), 2.0))
            set_axis(axes, "x", x_ticks)
            set_axis(axes, "y", y_ticks)
            axes.axhline(0, color="#808080", linewidth=1.2, zorder=2)
            for times, dashes in ((1, (0, (1, 1.5))), (2, (0, (4, 2)))):
                line = axes.axvline(times * mean, color="#4D4D4D", linestyle=dashes, linewidth=1.6, zorder=2)
                entries.append((line, f"{'mean' if times == 1 else 'twice the mean'} {times * mean:.3g}"))
            _cook_curves(axes, x_ticks, y_ticks, n_parameters, entries)
            _name_rows(axes, h[:MOST_NAMED], r[:MOST_NAMED], names)
        finish(figure, axes, entries)
    return figure


def _cook_curves(axes: "Axes", x_ticks: np.ndarray, y_ticks: np.ndarray, n_parameters: int, entries: "Entries") -> None:
    h = np.linspace(float(x_ticks[-1]) / 400, min(float(x_ticks[-1]), 1 - 1e-9), 400)
    for distance, colour, dashes in ((0.5, "#D55E00", (0, (6, 2))), (1.0, "#B00020", "-")):
        reach = np.sqrt(distance * n_parameters * (1 - h) / h)
        for sign in (1, -1):
            (line,) = axes.plot(h, sign * reach, color=colour, linestyle=dashes, linewidth=1.8, zorder=2.5)
        inside = np.mean((reach <= y_ticks[-1]) | (-reach >= y_ticks[0])) > 0.02
        entries.append((line, f"Cook's distance {distance:g}{'' if inside else ' (outside)'}"))


def _name_rows(axes: "Axes", h: np.ndarray, r: np.ndarray, names: np.ndarray) -> None:
    """Row numbers beside their points, inside the frame and not on top of each other."""
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    taken: list[tuple[float, float, float]] = []  # middle and half the width, as shares of the frame
    for at in range(len(h)):
        text, x, y = f"{names[at]}", float(h[at]), float(r[at])
        half = 0.008 * len(text) + 0.004
        across, up = (x - left) / (right - left), (y - low) / (high - low)
        for side, above in ((1, 1), (-1, 1), (1, -1), (-1, -1)):
            middle, height = across + side * (half + 0.01), up + 0.025 * above
            free = all(abs(middle - m) > half + w or abs(height - t) > 0.045 for m, t, w in taken)
            if free and half < middle < 1 - half and 0.03 < height < 0.97:
                break
        taken.append((middle, height, half))
        axes.annotate(
            text,
            (x, y),
            xytext=(7 * side, 3 * above),
            textcoords="offset points",
            ha="left" if side > 0 else "right",
            va="bottom" if above > 0 else "top",
            fontsize=0.85 * SMALL,
            zorder=6,
        )


def _drawable(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Of x and y (n,) the points (2, at most n) that can be drawn."""
    if np.ndim(x) != 1 or np.shape(x) != np.shape(y):
        raise ValueError(f"arrays (n,) of one length expected, found {np.shape(x)} and {np.shape(y)}")
    xy = np.stack([x, y]).astype(np.float64)
    return xy[:, np.all(np.abs(xy) <= HUGE, axis=0)]


def _note(drawn: int, finite: int, total: int) -> str:
    sampled = f" ({drawn:,} of {finite:,})" if drawn < finite else ""
    return f"{sampled} ({total - finite:,} not finite)" if finite < total else sampled


def _cloud_figure(
    clouds: list[_Cloud], labels: tuple[str, str, str], rule: _Rule, equal: bool = False, level: Sequence[float] = ()
) -> "Figure":
    """Clouds under a straight line, on equal axes or not, with the heights of `level` inside the limits."""
    slope, intercept, rule_label, dashes = rule
    points = [(split, len(x), _drawable(x, y)) for split, x, y in clouds if len(x) or len(y)]
    xs, ys = np.concatenate([np.empty((2, 0)), *(xy for _, _, xy in points)], axis=1)
    with style():
        figure, axes = blank(*labels)
        entries = _scatter(axes, points)
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


def _with_optimum(axes: "Axes", optimum: float, low: float, high: float, entries: "Entries") -> float:
    """Draws the line of the optimum; the lowest value to show."""
    # On a logarithmic axis an optimum of 1e-30 would squeeze the curve into a corner.
    far = optimum < low / 1e3 and high / low > 100
    (line,) = axes.plot([], [], "k", linestyle=(0, (4, 2)), linewidth=1.8, gid="optimum")
    if not far:
        line.set_data([0, 1], [optimum, optimum])
        line.set(transform=axes.get_yaxis_transform(), zorder=1.5)
    entries.append((line, f"optimum: {optimum:.6g}{' (far below)' if far else ''}"))
    return low if far else min(low, optimum)


def _scatter(axes: "Axes", points: list[tuple[str, int, np.ndarray]], kept: int = 0) -> "Entries":
    """Draws (split, rows in all, drawable points), the first `kept` of each for certain; the legend's entries."""
    most = min(max((xy.shape[1] for _, _, xy in points), default=0), MOST_POINTS)
    # Splits are thinned alike, so that a small one drawn last does not bury a large one that was thinned.
    thinning = min(1.0, MOST_POINTS / max(sum(xy.shape[1] for _, _, xy in points), 1))
    _, size, alpha = next(mark for mark in _MARKS if most <= mark[0])
    entries = []
    for split, total, (x, y) in points:
        drawn, (colour, marker) = math.ceil(len(x) * thinning), _SPLITS.get(split, ("#8C4A9E", "D"))
        first = min(kept, drawn)
        rows = first + np.arange(drawn - first) * (len(x) - first) // max(drawn - first, 1)
        rows = np.concatenate([np.arange(first), rows])
        # Every point is inside the limits; unclipped, a marker beside the frame stays whole.
        (cloud,) = axes.plot(x[rows], y[rows], marker, color=colour, alpha=alpha, zorder=3, clip_on=False, gid=split)
        cloud.set(markersize=size, markeredgecolor="white", markeredgewidth=0.8 if size > 5 else 0)
        entries.append((cloud, split + _note(drawn, len(x), total)))
    return entries


def _run_look(run: int, part: str, n: int, alone: bool) -> dict[str, Any]:
    """Colour, dashes and markers of a curve of n points: every point if few, some to tell runs apart."""
    held_out, few = part == "validation", n <= 30
    dashes = "--" if held_out else _RUN_DASHES[run % len(_RUN_DASHES)]
    colour, marker = _RUN_COLOURS[run % len(_RUN_COLOURS)], _RUN_MARKERS[run % len(_RUN_MARKERS)]
    if alone:
        colour, marker = _SPLITS[part][0], _SPLITS[part][1] if few else ""
    every = 1 if few else n // 8
    # Staggered, so that curves on top of each other still show which runs they are.
    marks = {"marker": marker, "markevery": ((every * run // 3 + every // 2 * held_out) % every, every)}
    line = {"color": colour, "linestyle": dashes, "linewidth": 2.4 if held_out else 3.0, "gid": f"{part}-{run}"}
    return {**line, **marks, "markersize": 9, "markeredgecolor": "white"}
