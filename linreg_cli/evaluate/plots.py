"""Pictures of a run: the loss, the fitted line, predictions and residuals.

Arrays in, a matplotlib figure out, without a display, pyplot or a change of global settings. Splits and runs
differ in markers or dashes, not only in colour. Legends stand outside the axes, where they cover no data, and
own up to rows that are not drawn. `$`, `_` and `\\` in a name mean nothing. Empty splits are skipped; arrays
that are not (n,) of one length raise a ValueError.
"""

import math
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    _Entries = list[tuple[Line2D, str]]

#: Points drawn of one split; more only darken the cloud and swell the file.
MOST_POINTS = 5_000
# Beyond this, or 1 / this, differences and transforms overflow: such numbers count as not finite, or as 0.
_HUGE = 1e150
_WIDTH, _HEIGHT, _DPI = 10.0, 7.0, 120
_Cloud = tuple[str, np.ndarray, np.ndarray]  # the split, x, y
_Rule = tuple[float, float, str, Any]  # slope, intercept, label, dashes

# Okabe and Ito's palette, but for a plainer red. Of a split: (colour, marker).
_SPLITS = {"train": ("#0072B2", "o"), "validation": ("#E69F00", "s"), "test": ("#D62728", "^")}
_RUN_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#4D4D4D")
_RUN_MARKERS = "osD^vP"
_RUN_DASHES: tuple[Any, ...] = ("-", (0, (6, 1.5, 1, 1.5)), (0, (1, 1)), (0, (6, 1, 1, 1, 1, 1)), (0, (10, 1)))
# By the points of the largest split: at most this many, marker size in points, opacity.
_MARKS = ((30, 15.0, 1.0), (300, 8.0, 0.85), (1_500, 5.5, 0.6), (MOST_POINTS, 4.5, 0.45))

_TITLE, _LABEL, _SMALL = 19.0, 17.0, 15.0
_LOOK = {"font.size": _SMALL, "axes.grid": True, "axes.axisbelow": True, "grid.color": "#D9D9D9"}
_SAFE = {"text.parse_math": False, "agg.path.chunksize": 20_000, "svg.hashsalt": "linreg"}
# For scripts that matplotlib's own font lacks: those of these that are installed.
_MORE_FONTS = ("Noto Sans CJK SC", "PingFang SC", "Hiragino Sans", "Microsoft YaHei", "Malgun Gothic", "Noto Sans")
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


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
    with _style():
        figure, axes = _blank(title, "epoch", loss)
        for run, curve in enumerate(curves):
            for part, values in (("train", curve.train), ("validation", curve.validation)):
                if values is not None and len(values):
                    epochs, losses = _drawable(curve.epochs, values)
                    (line,) = axes.plot(epochs, losses, **_run_look(run, part, len(epochs), len(curves) == 1))
                    entries.append((line, f"{curve.label}, {part}{_note(len(epochs), len(epochs), len(values))}"))
        epochs, losses = (np.concatenate([np.empty(0), *(line.get_data()[i] for line, _ in entries)]) for i in (0, 1))
        if len(epochs):
            first, last = epochs.min(), max(epochs.max(), epochs.min() + 1)
            step = _nice_step(last - first, whole=True)
            _set_axis(axes, "x", np.arange(math.ceil(first / step), math.floor(last / step) + 1) * step)
            axes.set_xlim(first - 0.03 * (last - first), last + 0.03 * (last - first))
            low, high = float(losses.min()), float(losses.max())
            if optimum is not None and 0 <= optimum <= _HUGE:
                low = _with_optimum(axes, optimum, low, high, entries)
            if low > 1 / _HUGE and high / low > 100:
                _set_log_axis(axes, low, high)
                axes.set_ylabel(*_fitted(f"{loss} (log scale)", _LABEL, 4.6))
            else:
                _set_axis(axes, "y", _ticks_beyond(low, high))
        _finish(figure, axes, entries)
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


def render(figure: "Figure", format: str) -> bytes:
    """The figure as `png` (120 dots per inch), `svg` or `pdf`, else a ValueError: the same bytes each time."""
    undated = {"png": ["Software"], "svg": ["Date", "Creator"], "pdf": ["CreationDate", "Creator", "Producer"]}
    if format not in undated:
        raise ValueError(f"a picture is png, svg or pdf, not {format!r}")
    buffer = BytesIO()
    with _style():
        figure.savefig(buffer, format=format, dpi=_DPI, metadata=dict.fromkeys(undated[format]))
    return buffer.getvalue()


def _style() -> AbstractContextManager[None]:
    """This module's settings over matplotlib's defaults, whatever the user's own matplotlibrc says."""
    from matplotlib import style

    return style.context(["default", {**_LOOK, **_SAFE, "font.family": _fonts()[0]}])


def _blank(title: str, x_label: str, y_label: str) -> "tuple[Figure, Axes]":
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure(figsize=(_WIDTH, _HEIGHT), dpi=_DPI, layout=ConstrainedLayoutEngine(w_pad=0.14, h_pad=0.12))
    axes = figure.add_subplot()
    text, font = _fitted(title, _TITLE, 9.2)
    figure.suptitle(text, **font)
    axes.set_xlabel(*_fitted(x_label, _LABEL, 7.0))
    axes.set_ylabel(*_fitted(y_label, _LABEL, 4.6))
    return figure, axes


def _drawable(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Of x and y (n,) the points (2, at most n) that can be drawn."""
    if np.ndim(x) != 1 or np.shape(x) != np.shape(y):
        raise ValueError(f"arrays (n,) of one length expected, found {np.shape(x)} and {np.shape(y)}")
    xy = np.stack([x, y]).astype(np.float64)
    return xy[:, np.all(np.abs(xy) <= _HUGE, axis=0)]


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
    with _style():
        figure, axes = _blank(*labels)
        entries = _scatter(axes, points)
        if len(xs):
            around = np.concatenate([xs, ys]) if equal else xs, np.concatenate([ys, xs if equal else level])
            x_ticks, y_ticks = (_ticks_beyond(values.min(), values.max()) for values in around)
            _set_axis(axes, "x", x_ticks, inches=4.0 if equal else 7.4)
            _set_axis(axes, "y", y_ticks)
            # Python's floats overflow without a warning.
            heights = np.array([float(slope) * x + float(intercept) for x in x_ticks.tolist()])
            if not (heights.min() <= y_ticks[-1] and heights.max() >= y_ticks[0]):
                rule_label += " (outside the picture)"
            heights = np.where(np.abs(heights) <= _HUGE, heights, np.nan)
            # The white rim keeps the line visible in a dense cloud.
            axes.plot(x_ticks, heights, color="white", linewidth=4.5, alpha=0.7, zorder=4)
            (line,) = axes.plot(x_ticks, heights, "k", linewidth=2.5, linestyle=dashes, zorder=5, gid="line")
            entries.append((line, rule_label))
        _finish(figure, axes, entries, right=equal)
    return figure


def _with_optimum(axes: "Axes", optimum: float, low: float, high: float, entries: "_Entries") -> float:
    """Draws the line of the optimum; the lowest value to show."""
    # On a logarithmic axis an optimum of 1e-30 would squeeze the curve into a corner.
    far = optimum < low / 1e3 and high / low > 100
    (line,) = axes.plot([], [], "k", linestyle=(0, (4, 2)), linewidth=1.8, gid="optimum")
    if not far:
        line.set_data([0, 1], [optimum, optimum])
        line.set(transform=axes.get_yaxis_transform(), zorder=1.5)
    entries.append((line, f"optimum: {optimum:.6g}{' (far below)' if far else ''}"))
    return low if far else min(low, optimum)


def _scatter(axes: "Axes", points: list[tuple[str, int, np.ndarray]]) -> "_Entries":
    """Draws (split, rows in all, drawable points) and returns the legend's entries."""
    most = min(max((xy.shape[1] for _, _, xy in points), default=0), MOST_POINTS)
    # Splits are thinned alike, so that a small one drawn last does not bury a large one that was thinned.
    thinning = min(1.0, MOST_POINTS / max(sum(xy.shape[1] for _, _, xy in points), 1))
    _, size, alpha = next(mark for mark in _MARKS if most <= mark[0])
    entries = []
    for split, total, (x, y) in points:
        drawn, (colour, marker) = math.ceil(len(x) * thinning), _SPLITS.get(split, ("#8C4A9E", "D"))
        rows = np.arange(drawn) * len(x) // max(drawn, 1)
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


def _nice_step(span: float, whole: bool = False) -> float:
    """The smallest of 1, 2, 2.5, 5 times a power of ten that crosses the span in at most 7 steps."""
    power = math.floor(math.log10(span / 7))
    steps = (m * 10.0 ** (power + k) for k in (0, 1) for m in (1, 2, 2.5, 5))
    return next(s for s in steps if span / s <= 7 and not (whole and s % 1))


def _ticks_beyond(low: float, high: float) -> np.ndarray:
    """Nice ticks, the first and last strictly beyond low and high; from 0 where that is near."""
    biggest = max(abs(low), abs(high))
    if high - low <= max(1e-12 * biggest, 1 / _HUGE):
        half = biggest / 2 if biggest > 1 / _HUGE else 1.0
        low, high = low - half, high + half
    from_zero = 0 < low <= (high - low) / 2
    step = _nice_step(high if from_zero else high - low)
    first = 0 if from_zero else math.ceil(low / step) - 1
    return np.arange(first, math.floor(high / step) + 2) * step


def _set_axis(axes: "Axes", which: str, ticks: np.ndarray, inches: float = 7.4) -> None:
    """Limits at the outer ticks, and on x as many labels as fit."""
    labels = _tick_labels(ticks)
    needed = (max(_inches(label, _SMALL) for label in labels) + 0.2) * (len(ticks) - 1)
    every = max(1, math.ceil(needed / inches)) if which == "x" else 1
    first = int(np.abs(ticks).argmin()) % every
    labels = [label if i % every == first else "" for i, label in enumerate(labels)]
    axes.set(**{f"{which}ticks": ticks, f"{which}ticklabels": labels, f"{which}lim": ticks[[0, -1]]})


def _set_log_axis(axes: "Axes", low: float, high: float) -> None:
    first, decades = math.log10(low), math.log10(high / low)
    bottom, top = 10 ** (first - 0.05 * decades), 10 ** (first + 1.05 * decades)
    every = math.ceil(decades / 8)
    powers = (k for k in range(math.floor(first) - 1, math.ceil(first + decades) + 1) if k % every == 0)
    digits = (1, 2, 5) if decades < 3 else (1,)
    major = [(m, k) for k in powers for m in digits if bottom <= m * 10.0**k <= top]
    labels = [f"{m}×10{str(k).translate(_SUPERSCRIPTS)}".removeprefix("1×") for m, k in major]
    if all(-4 <= k <= 4 for _, k in major):
        labels = [f"{m * 10.0**k:.{max(-k, 0)}f}" for m, k in major]
    axes.set_yscale("log")
    axes.set_yticks([m * 10.0**k for m, k in major], labels)
    axes.yaxis.set_minor_formatter("")
    axes.set_ylim(bottom, top)


def _tick_labels(ticks: np.ndarray) -> list[str]:
    """Numbers in full, or as 20×10⁹ from a billion up and below a ten-thousandth."""
    biggest, step = float(np.abs(ticks).max()) or 1.0, float(ticks[1] - ticks[0]) if len(ticks) > 1 else 1.0
    exponent = 0 if 1e-4 <= biggest < 1e9 or biggest > 1e6 * step else 3 * math.floor(math.log10(biggest) / 3)
    unit = step / 10.0**exponent
    decimals = next((d for d in range(17) if math.isclose(unit, round(unit, d), rel_tol=1e-6)), 17)
    form = f"{',' if biggest >= 1e4 and not exponent else ''}.{decimals}f"
    texts = [f"{t / 10.0**exponent + 0.0:{form}}".replace("-", "−") for t in ticks]
    power = f"×10{str(exponent).translate(_SUPERSCRIPTS)}" if exponent else ""
    return [text + power if t else text for text, t in zip(texts, ticks, strict=True)]


def _finish(figure: "Figure", axes: "Axes", entries: "_Entries", right: bool = False) -> None:
    """The legend outside the axes, to the right or below; a word where there is nothing to draw."""
    if not any(len(line.get_path()) for line in axes.lines):
        axes.text(0.5, 0.5, "no finite values to draw", transform=axes.transAxes, ha="center")
    if not entries:
        return
    texts = [_fitted(label, _SMALL, 2.2 if right else 8.4) for _, label in entries]
    widths = [1.2 + max(_inches(line, font["fontsize"]) for line in text.split("\n")) for text, font in texts]
    fits = [c for c in range(1, len(texts) + 1) if sum(map(max, np.array_split(widths, c))) < _WIDTH - 0.2]
    rows = len(texts) if right or not fits else math.ceil(len(texts) / fits[-1])
    place: dict[str, Any] = {"loc": f"outside {'right' if right else 'lower'} center", "frameon": False}
    lines, columns = [line for line, _ in entries], math.ceil(len(texts) / rows)
    legend = figure.legend(lines, ["."] * len(texts), ncols=columns, handlelength=2.6, **place)
    # Set afterwards: given above, a label that starts with an underscore would be dropped.
    for handle, shown, (text, font) in zip(legend.get_lines(), legend.get_texts(), texts, strict=True):
        shown.set(text=text, **font)
        handle.set(alpha=1, markersize=11)
    if not right and rows > 3:
        figure.set_figheight(_HEIGHT + (rows - 3) * 1.6 * _SMALL / 72)


def _fitted(text: str, size: float, inches: float) -> tuple[str, dict[str, Any]]:
    """The text wrapped to a width, and the font's size at which three lines do; its middle left out if huge."""
    text = " ".join("".join(c if ord(c) in _fonts()[1] or c.isspace() else "□" for c in text).split())
    text = text if len(text) <= 240 else f"{text[:120]} … {text[-117:]}"
    # After spaces and underscores; inside a word only where it is wider than a line.
    pieces = re.findall(r"\s+|[^\s_]*_+|[^\s_]+", text)
    for smaller in (size, 0.85 * size, 0.7 * size, 0.6 * size):
        lines = [""]
        for part in (p for piece in pieces for p in (piece if _inches(piece, smaller) > inches else (piece,))):
            if lines[-1] and _inches(lines[-1] + part, smaller) > inches:
                lines.append("")
            lines[-1] += part
        if len(lines) <= 3:
            break
    return "\n".join(line.strip() for line in lines), {"fontsize": smaller}


def _inches(text: str, size: float) -> float:
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family=_fonts()[0], size=size)
    return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]) / 72


@cache
def _fonts() -> tuple[list[str], frozenset[int]]:
    """The families to use, and the characters that they can show; matplotlib would warn about any other."""
    from matplotlib.font_manager import findfont, fontManager, get_font

    names = ["DejaVu Sans", *(name for name in _MORE_FONTS if name in fontManager.get_font_names())]
    return names, frozenset(c for name in names for c in get_font(findfont(name)).get_charmap())
