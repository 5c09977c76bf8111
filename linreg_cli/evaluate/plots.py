"""Pictures of a run: the loss, the fitted line, predictions and residuals.

Arrays in, a matplotlib figure out, without a display, without pyplot and without touching global settings.
Every split and every run has a colour and a marker or line style of its own, so colour alone tells nothing.
Legends stand outside the axes, where they cover no data. Numbers on the axes are written in full, without an
offset in a corner. Names are shown as they are: `$`, `_` and `\\` have no meaning here.
"""

import itertools
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

#: Points drawn of one split; more only darken the cloud and swell the file.
MOST_POINTS = 5_000
#: Beyond this, differences and axis transforms would overflow: such numbers count as not finite.
_HUGEST = 1e150
_WIDTH, _HEIGHT, _DPI = 10.0, 7.0, 120

# Okabe and Ito's palette, but for a plainer red; split: (colour, marker).
_SPLITS = {"train": ("#0072B2", "o"), "validation": ("#E69F00", "s"), "test": ("#D62728", "^")}
_OTHER_SPLIT = ("#8C4A9E", "D")
_RUN_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#4D4D4D")
_RUN_MARKERS = "osD^vP"
_RUN_STYLES: tuple[Any, ...] = (
    "-",
    (0, (6, 1.5, 1, 1.5)),
    (0, (1, 1)),
    (0, (6, 1.5, 1, 1.5, 1, 1.5)),
    (0, (10, 1)),
)
_VALIDATION_STYLE: Any = (0, (3.5, 2))
# Marker size in points and opacity, by the most points of any split.
_MARKS = ((30, 11.0, 1.0), (300, 7.5, 0.85), (1_500, 5.5, 0.6), (MOST_POINTS, 4.0, 0.35))

_TITLE, _LABEL, _SMALL = 19.0, 17.0, 15.0
_STYLE = {
    "text.usetex": False,
    "text.parse_math": False,
    "xtick.labelsize": _SMALL,
    "ytick.labelsize": _SMALL,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.edgecolor": "#444444",
    "axes.linewidth": 1.2,
    "grid.color": "#D9D9D9",
    "grid.linewidth": 1.0,
    "svg.hashsalt": "linreg",
}
# Scripts that matplotlib's own font lacks, from whichever of these is installed.
_MORE_FONTS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "PingFang SC", "Hiragino Sans", "Microsoft YaHei", "Malgun Gothic",
    "WenQuanYi Micro Hei", "Arial Unicode MS", "Noto Sans", "Noto Sans Devanagari", "Noto Sans Thai",
)  # fmt: skip
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class LossCurve:
    """The loss of one run after each epoch.

    Attributes:
        label: the run's name in the legend.
        epochs: (n,) epochs done, 0 first.
        train: (n,) loss over the whole train split.
        validation: (n,) loss over the validation split, or None without one.
    """

    label: str
    epochs: np.ndarray
    train: np.ndarray
    validation: np.ndarray | None


@dataclass(frozen=True)
class SplitPoints:
    """One split of one target.

    Attributes:
        split: `train`, `validation`, `test`, or `data` for another table.
        actual: (n,) targets in original units.
        predicted: (n,) predictions in the same units.
        x: (n,) the only feature in original units, if there is one.
    """

    split: str
    actual: np.ndarray
    predicted: np.ndarray
    x: np.ndarray | None = None


def loss_figure(curves: Sequence[LossCurve], *, loss: str, title: str) -> "Figure":
    """The loss against the epoch, of one run or several; dashed for validation.

    The loss axis is logarithmic where all losses are positive and span more than two decades.

    Args:
        curves: the runs, in the order of the legend; non-finite losses are left out.
        loss: the loss in words, such as "mean squared error".
        title: stands above.

    Raises:
        ValueError: if the arrays of a curve differ in length.
    """
    lines: list[tuple[np.ndarray, np.ndarray]] = []
    entries: list[tuple[Line2D, str]] = []
    with _style():
        figure, axes = _blank(title, "epoch", loss)
        for run, curve in enumerate(curves):
            for part, values in (("train", curve.train), ("validation", curve.validation)):
                if values is None or not len(values):
                    continue
                (epochs, losses), total = _drawable(curve.epochs, values)
                lines.append((epochs, losses))
                look = _run_look(run, part, len(epochs), alone=len(curves) == 1)
                (line,) = axes.plot(*_outline(epochs, losses), gid=f"run{run}-{part}", zorder=3, **look)
                entries.append((line, f"{curve.label}, {part}{_note(len(epochs), len(epochs), total)}"))
        if _any_points(axes, [losses for _, losses in lines]):
            _epoch_axis(axes, np.concatenate([epochs for epochs, _ in lines]))
            _loss_axis(axes, np.concatenate([losses for _, losses in lines]), loss)
        _add_legend(figure, entries)
    return figure


def fit_figure(
    points: Sequence[SplitPoints], *, slope: float, intercept: float, feature: str, target: str, title: str
) -> "Figure":
    """The points of every split against the only feature, and the fitted line.

    The limits are nice ticks strictly beyond the points; an axis starts at 0 where its lowest value is positive
    and no farther from 0 than half the values' range.

    Args:
        points: the splits, each with `x`; empty ones are skipped.
        slope: of the line, in units of the target per unit of the feature.
        intercept: of the line, in units of the target.
        feature: name of the feature's column.
        target: name of the target's column.
        title: stands above.

    Raises:
        ValueError: if a split has no `x`, or its arrays differ in length.
    """
    clouds = []
    for split in points:
        if split.x is None:
            raise ValueError(f"the {split.split} split has no feature to draw against")
        clouds.append((split.split, split.x, split.actual))
    with _style():
        figure, axes = _blank(title, feature, target)
        entries, xs, ys = _scatter(axes, clouds)
        if _any_points(axes, [xs]):
            x_ticks, y_ticks = _ticks_beyond(xs.min(), xs.max()), _ticks_beyond(ys.min(), ys.max())
            _set_axis(axes, "x", x_ticks)
            _set_axis(axes, "y", y_ticks)
            ends = x_ticks[[0, -1]]
            with np.errstate(all="ignore"):
                heights = slope * ends + intercept
            seen = bool(heights.min() <= y_ticks[-1] and heights.max() >= y_ticks[0])
            sign = "−" if intercept < 0 else "+"
            label = f"fitted line: y = {_number(slope)} x {sign} {_number(abs(intercept))}"
            # A line that overflowed cannot be drawn; the legend owns up to it like to any line out of sight.
            drawn = ends if np.all(np.abs(heights) <= _HUGEST) else ends[:0]
            line = _rule(axes, drawn, heights[: len(drawn)], "-")
            entries.append((line, label if seen and len(drawn) else f"{label} (outside the picture)"))
        _add_legend(figure, entries)
    return figure


def predicted_figure(points: Sequence[SplitPoints], *, target: str, title: str) -> "Figure":
    """Predicted against actual values on two equal axes, with the line of perfect prediction.

    Args:
        points: the splits; empty ones are skipped, `x` is not used.
        target: name of the target's column.
        title: stands above.

    Raises:
        ValueError: if the arrays of a split differ in length.
    """
    with _style():
        figure, axes = _blank(title, f"actual {target}", f"predicted {target}")
        axes.set_box_aspect(1)
        entries, xs, ys = _scatter(axes, [(p.split, p.actual, p.predicted) for p in points])
        if _any_points(axes, [xs]):
            ticks = _ticks_beyond(min(xs.min(), ys.min()), max(xs.max(), ys.max()))
            _set_axis(axes, "x", ticks, inches=5.0)
            _set_axis(axes, "y", ticks)
            entries.append((_rule(axes, ticks[[0, -1]], ticks[[0, -1]], (0, (5, 2))), "perfect prediction"))
        _add_legend(figure, entries, right=True)
    return figure


def residual_figure(points: Sequence[SplitPoints], *, target: str, title: str) -> "Figure":
    """Residuals, actual minus predicted, against the predicted values, with the line of no error.

    Args:
        points: the splits; empty ones are skipped, `x` is not used.
        target: name of the target's column.
        title: stands above.

    Raises:
        ValueError: if the arrays of a split differ in length.
    """
    clouds = []
    for p in points:
        _drawable(p.actual, p.predicted)
        with np.errstate(all="ignore"):
            residual = np.asarray(p.actual, dtype=np.float64) - np.asarray(p.predicted, dtype=np.float64)
        clouds.append((p.split, p.predicted, residual))
    with _style():
        figure, axes = _blank(title, f"predicted {target}", f"residual of {target}\n(actual − predicted)")
        entries, xs, ys = _scatter(axes, clouds)
        if _any_points(axes, [xs]):
            ticks = _ticks_beyond(xs.min(), xs.max())
            _set_axis(axes, "x", ticks)
            _set_axis(axes, "y", _ticks_beyond(min(ys.min(), 0.0), max(ys.max(), 0.0)))
            entries.append((_rule(axes, ticks[[0, -1]], np.zeros(2), (0, (5, 2))), "no error"))
        _add_legend(figure, entries)
    return figure


def render(figure: "Figure", format: str) -> bytes:
    """The figure as a file's bytes, the same each time: no dates, no random ids.

    Args:
        figure: one of this module's.
        format: `png` (120 dots per inch), `svg` or `pdf`.

    Raises:
        ValueError: for another format.
    """
    undated: dict[str, dict[str, None]] = {
        "png": {"Software": None},
        "svg": {"Date": None, "Creator": None},
        "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    }
    if format not in undated:
        raise ValueError(f"a picture's format is png, svg or pdf, not {format!r}")
    buffer = BytesIO()
    with _style():
        figure.savefig(buffer, format=format, dpi=_DPI, metadata=undated[format])
    return buffer.getvalue()


def _style() -> AbstractContextManager[None]:
    """This module's settings over matplotlib's defaults, whatever the user's own matplotlibrc says."""
    from matplotlib import style

    return style.context(["default", {**_STYLE, "font.family": list(_families())}])


def _blank(title: str, x_label: str, y_label: str) -> "tuple[Figure, Axes]":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, _HEIGHT), dpi=_DPI, layout="constrained")
    text, size = _fitted(title, _TITLE, 9.2)
    figure.suptitle(text, fontsize=size)
    axes = figure.add_subplot()
    text, size = _fitted(x_label, _LABEL, 7.6)
    axes.set_xlabel(text, fontsize=size, labelpad=8)
    text, size = _fitted(y_label, _LABEL, 4.6)
    axes.set_ylabel(text, fontsize=size, labelpad=8)
    return figure, axes


def _any_points(axes: "Axes", columns: Sequence[np.ndarray]) -> bool:
    if any(len(column) for column in columns):
        return True
    axes.text(0.5, 0.5, "no finite values to draw", transform=axes.transAxes, ha="center", fontsize=_LABEL)
    return False


def _drawable(*columns: np.ndarray) -> tuple[list[np.ndarray], int]:
    """The rows of which every number can be drawn, and how many rows there were."""
    if any(np.shape(column) != (len(columns[0]),) for column in columns):
        raise ValueError(f"arrays (n,) of one length expected, found {[np.shape(c) for c in columns]}")
    doubles = [np.asarray(column, dtype=np.float64) for column in columns]
    kept = np.logical_and.reduce([np.abs(column) <= _HUGEST for column in doubles])
    return [column[kept] for column in doubles], len(kept)


def _note(drawn: int, finite: int, total: int) -> str:
    """What the legend must own up to: rows that are not drawn."""
    parts = [f"{drawn:,} of {finite:,}"] if drawn < finite else []
    parts += [f"{total - finite:,} not finite"] if finite < total else []
    return f" ({'; '.join(parts)})" if parts else ""


def _scatter(
    axes: "Axes", clouds: Sequence[tuple[str, np.ndarray, np.ndarray]]
) -> "tuple[list[tuple[Line2D, str]], np.ndarray, np.ndarray]":
    """Draws the clouds; returns the legend's entries and all finite x and y, drawn or not."""
    from matplotlib.lines import Line2D

    finite = [(name, *_drawable(x, y)) for name, x, y in clouds if len(x) or len(y)]
    most = min(max((len(x) for _, (x, _), _ in finite), default=0), MOST_POINTS)
    _, size, alpha = next(mark for mark in _MARKS if most <= mark[0])
    entries = []
    for name, (x, y), total in finite:
        drawn = min(len(x), MOST_POINTS)
        rows = np.arange(drawn) * len(x) // max(drawn, 1)
        colour, marker = _SPLITS.get(name, _OTHER_SPLIT)
        look: dict[str, Any] = {
            "color": colour,
            "marker": marker,
            "linestyle": "none",
            "markeredgecolor": "white",
        }
        look["markeredgewidth"] = 0.8 if size > 5 else 0
        # Every point is inside the limits; unclipped, a marker beside the frame stays whole.
        axes.plot(x[rows], y[rows], gid=name, zorder=3, clip_on=False, alpha=alpha, markersize=size, **look)
        entries.append((Line2D([], [], markersize=11, **look), name + _note(drawn, len(x), total)))
    xs, ys = (np.concatenate([np.empty(0), *(xy[i] for _, xy, _ in finite)]) for i in (0, 1))
    return entries, xs, ys


def _rule(axes: "Axes", x: np.ndarray, y: np.ndarray, style: Any) -> "Line2D":
    """A black line above the points; a white rim keeps it visible in a dense cloud."""
    axes.plot(x, y, color="white", linewidth=6, alpha=0.8, zorder=4)
    (line,) = axes.plot(x, y, color="black", linewidth=3, linestyle=style, zorder=5, gid="line")
    return line


def _run_look(run: int, part: str, n: int, alone: bool) -> dict[str, Any]:
    """Colour, line and marker of one curve of n drawn points."""
    held_out = part == "validation"
    colour = _SPLITS[part][0] if alone else _RUN_COLOURS[run % len(_RUN_COLOURS)]
    style = _VALIDATION_STYLE if held_out else _RUN_STYLES[run % len(_RUN_STYLES)]
    look = {"color": colour, "linestyle": style, "linewidth": 2.4 if held_out else 3.0}
    if n > 30 and alone:
        return look
    every = 1 if n <= 30 else n // 8
    # Staggered, so that curves on top of each other still show which runs they are.
    first = (every * run // 3 + every // 2 * held_out) % every
    marker = _SPLITS[part][1] if alone else _RUN_MARKERS[run % len(_RUN_MARKERS)]
    return {
        **look,
        "marker": marker,
        "markersize": 9,
        "markeredgecolor": "white",
        "markevery": (first, every),
    }


def _outline(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A long curve by its ends and the lowest and highest point of each of 2,000 stretches."""
    if len(x) <= 4_000:
        return x, y
    starts = np.linspace(0, len(x), 2_001).astype(int)
    rows = {0, len(x) - 1}
    for a, b in itertools.pairwise(starts):
        rows |= {int(a + y[a:b].argmin()), int(a + y[a:b].argmax())}
    kept = sorted(rows)
    return x[kept], y[kept]


def _nice_step(span: float, whole: bool = False) -> float:
    """The smallest of 1, 2, 2.5, 5 times a power of ten that steps over the span in at most 7."""
    power = math.floor(math.log10(span / 7))
    steps = [m * 10.0 ** (power + k) for k in (0, 1) for m in (1, 2, 2.5, 5)]
    return next(s for s in steps if span / s <= 7 and not (whole and s % 1))


def _ticks_beyond(low: float, high: float) -> np.ndarray:
    """Nice ticks, the first and last strictly beyond low and high; from 0 where that is near."""
    biggest = max(abs(low), abs(high))
    if high - low <= max(1e-12 * biggest, 1 / _HUGEST):
        half = biggest / 2 if biggest > 1 / _HUGEST else 1.0
        low, high = low - half, high + half
    from_zero = 0 < low <= (high - low) / 2
    step = _nice_step(high if from_zero else high - low)
    first = 0 if from_zero else math.ceil(low / step) - 1
    return np.arange(first, math.floor(high / step) + 2) * step


def _set_axis(axes: "Axes", which: str, ticks: np.ndarray, inches: float = 7.6) -> None:
    """Limits at the outer ticks, and as many tick labels as fit."""
    labels = _tick_labels(ticks)
    step, room = ticks[1] - ticks[0], inches / (len(ticks) - 1)
    widest = max(_inches(label, _SMALL) for label in labels) + 0.2
    every = math.ceil(widest / room) if which == "x" else 1
    shown = [label if round(t / step) % every == 0 else "" for t, label in zip(ticks, labels, strict=True)]
    axes.set(**{f"{which}ticks": ticks, f"{which}ticklabels": shown, f"{which}lim": (ticks[0], ticks[-1])})


def _epoch_axis(axes: "Axes", epochs: np.ndarray) -> None:
    low, high = epochs.min(), max(epochs.max(), epochs.min() + 1)
    step = _nice_step(high - low, whole=True)
    ticks = np.arange(math.ceil(low / step), math.floor(high / step) + 1) * step
    _set_axis(axes, "x", ticks)
    axes.set_xlim(low - 0.03 * (high - low), high + 0.03 * (high - low))


def _loss_axis(axes: "Axes", losses: np.ndarray, loss: str) -> None:
    from matplotlib.ticker import NullFormatter

    low, high = float(losses.min()), float(losses.max())
    if low < 1 / _HUGEST or high / low <= 100:
        _set_axis(axes, "y", _ticks_beyond(low, high))
        return
    text, size = _fitted(f"{loss} (log scale)", _LABEL, 4.6)
    axes.set_ylabel(text, fontsize=size)
    first, last = math.log10(low), math.log10(high)
    limits = 10 ** (first - 0.05 * (last - first)), 10 ** (last + 0.05 * (last - first))
    every = math.ceil((last - first) / 8)
    powers = [10.0**k for k in range(math.floor(first) - 1, math.ceil(last) + 1) if k % every == 0]
    majors = [m * p for p in powers for m in ((1, 2, 5) if last - first < 3 else (1,))]
    minors = [m * p for p in powers for m in range(2, 10) if every == 1]
    majors, minors = ([t for t in ticks if limits[0] <= t <= limits[1]] for ticks in (majors, minors))
    axes.set_yscale("log")
    axes.set_yticks(majors, _tick_labels(np.array(majors), log=True))
    axes.set_yticks(minors, minor=True)
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylim(limits)


def _tick_labels(ticks: np.ndarray, log: bool = False) -> list[str]:
    """Each number in full: thousands separated, or as 2×10¹² from a billion up and below a thousandth."""
    low, high = float(np.abs(ticks).min()), float(np.abs(ticks).max())
    if log and (low < 1e-4 or high > 1e6):
        return [_power(f"{10 ** (math.log10(t) % 1):.0f}", math.floor(math.log10(t) + 1e-9)) for t in ticks]
    if log:
        return [f"{t:,.{_decimals(t)}f}" for t in ticks]
    step, exponent = float(ticks[1] - ticks[0]), math.floor(math.log10(high))
    mantissas = _decimals(step / 10.0**exponent)
    if -3 <= exponent < 9 or mantissas > 6:
        return [f"{t + 0.0:,.{_decimals(step)}f}".replace("-", "−") for t in ticks]
    return [_power(f"{t / 10.0**exponent:.{mantissas}f}", exponent) if t else "0" for t in ticks]


def _decimals(number: float) -> int:
    return next((d for d in range(17) if math.isclose(number, round(number, d), rel_tol=1e-6)), 17)


def _power(mantissa: str, exponent: int) -> str:
    power = f"10{str(exponent).translate(_SUPERSCRIPTS)}"
    return power if mantissa == "1" else f"{mantissa}×{power}".replace("-", "−")


def _number(value: float) -> str:
    text = f"{value:,.0f}" if 1e5 <= abs(value) < 1e9 else f"{value:,.6g}"
    mantissa, _, exponent = text.partition("e")
    return _power(mantissa, int(exponent)) if exponent else mantissa.replace("-", "−")


def _add_legend(figure: "Figure", entries: "list[tuple[Line2D, str]]", right: bool = False) -> None:
    """Outside the axes: to the right, or below in as many columns as fit."""
    if not entries:
        return
    texts = [_fitted(label, _SMALL, 2.2 if right else 8.6)[0] for _, label in entries]
    widest = max(_inches(line, _SMALL) for text in texts for line in text.split("\n")) + 1.2
    columns = 1 if right else min(len(entries), max(1, int(_WIDTH / widest)))
    # The label is set afterwards: given here, one that starts with an underscore would be dropped.
    legend = figure.legend(
        [handle for handle, _ in entries],
        ["."] * len(entries),
        loc="outside right center" if right else "outside lower center",
        ncols=columns,
        fontsize=_SMALL,
        handlelength=2.6,
        frameon=False,
    )
    for shown, text in zip(legend.get_texts(), texts, strict=True):
        shown.set_text(text)
    rows = math.ceil(len(entries) / columns)
    if not right and rows > 3:
        figure.set_figheight(_HEIGHT + (rows - 3) * 1.6 * _SMALL / 72)


def _fitted(text: str, size: float, inches: float, lines: int = 2) -> tuple[str, float]:
    """The text wrapped to a width, in a smaller font where it would take too many lines."""
    glyphs = _glyphs()
    text = " ".join("".join(c if ord(c) in glyphs or c.isspace() else "□" for c in text).split())
    text = text if len(text) <= 240 else f"{text[:120]} … {text[-117:]}"
    for smaller in (1.0, 0.85, 0.7, 0.6):
        wrapped = _wrapped(text, size * smaller, inches)
        if len(wrapped) <= lines:
            break
    return "\n".join(wrapped), size * smaller


def _wrapped(text: str, size: float, inches: float) -> list[str]:
    """Breaks after spaces and underscores, and inside a word only where it is wider than a line."""
    lines = [""]
    for piece in re.findall(r"\s+|[^\s_]*_+|[^\s_]+", text):
        for part in piece if _inches(piece, size) > inches else (piece,):
            if _inches(lines[-1] + part, size) > inches:
                lines.append("")
            lines[-1] += part
    return [line.strip() for line in lines if line.strip()]


def _inches(text: str, size: float) -> float:
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family=list(_families()), size=size)
    return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]) / 72


@cache
def _families() -> tuple[str, ...]:
    from matplotlib.font_manager import fontManager

    return ("DejaVu Sans", *(name for name in _MORE_FONTS if name in fontManager.get_font_names()))


@cache
def _glyphs() -> frozenset[int]:
    """The characters that can be shown; matplotlib would warn about any other."""
    from matplotlib.font_manager import findfont, get_font

    return frozenset(c for family in _families() for c in get_font(findfont(family)).get_charmap())
