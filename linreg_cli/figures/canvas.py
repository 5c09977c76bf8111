"""What all pictures share: size and style, colours of the splits, ticks, names of any length, the legend.

Arrays in, a matplotlib figure out, without a display, pyplot or a change of global settings. Legends are outside the
axes, where they cover no data. Empty splits are skipped; arrays that are not of shape (n,) and one length raise a
ValueError. `$`, `_` and `\\` in a name are drawn as they are.
"""

import contextlib
import functools
import math
import threading
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from linreg_cli.figures.fonts import OWN
from linreg_cli.figures.labels import fitted, width_in_inches
from linreg_cli.figures.library import drawing, load, quiet
from linreg_cli.figures.palette import png
from linreg_cli.forks import free_in_child

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    Entries = list[tuple[Line2D, str]]

# Differences and transforms of larger numbers overflow, so these count as not finite; those below 1 / HUGE count as 0.
HUGE = 1e150
#: The margin between the points and the frame, as a share of their range.
MARGIN = 0.04
#: With at most so many points an axis ends at round numbers beyond them, as one draws a few points by hand.
FEW = 30
# split -> (colour, marker). Okabe and Ito's palette, with another red.
SPLITS = {"train": ("#0072B2", "o"), "validation": ("#E69F00", "s"), "test": ("#D62728", "^")}
_WIDTH, HEIGHT, DPI = 10.0, 7.0, 120
_TITLE, LABEL, SMALL = 20.5, 18.0, 17.0
_LOOK = {"font.size": SMALL, "axes.grid": True, "axes.axisbelow": True, "grid.color": "#D9D9D9"}
_SAFE = {"text.parse_math": False, "agg.path.chunksize": 20_000, "svg.hashsalt": "linreg"}
_STYLING = free_in_child(threading.RLock())
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def render(figure: "Figure", format: str, dpi: int = DPI) -> bytes:
    """A figure as `png`, `svg` or `pdf`, whose pixels are so many per inch; equal figures give equal bytes.

    Raises:
        ValueError: for any other format.
    """
    undated = {"png": [], "svg": ["Date", "Creator"], "pdf": ["CreationDate", "Creator", "Producer"]}
    if format not in undated:
        raise ValueError(f"a picture is png, svg or pdf, not {format!r}")
    with drawing(), style():
        if format == "png":
            return png(_drawn(figure, dpi))
        buffer = BytesIO()
        figure.savefig(buffer, format=format, dpi=dpi, metadata=dict.fromkeys(undated[format]))
    return buffer.getvalue()


def _drawn(figure: "Figure", dpi: int) -> np.ndarray:
    """The pixels of a figure, shape (height, width, 4). `savefig` would go through all of it twice."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    before = figure.canvas, figure.dpi
    canvas: Any = FigureCanvasAgg(figure)
    try:
        figure.set_dpi(dpi)
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())
    finally:
        figure.set_canvas(before[0])
        figure.set_dpi(before[1])


@contextlib.contextmanager
def style() -> Iterator[None]:
    """A context with matplotlib's defaults and the settings of this module; the user's matplotlibrc is ignored.

    The settings are those of the process. Threads enter it one after the other: the second of two would otherwise take
    the settings of the first for those of the user, and leave them behind.
    """
    load()
    from matplotlib import rc_context

    with _STYLING, quiet(), rc_context(_settings()):
        yield


@functools.cache
def _settings() -> Any:
    """matplotlib's defaults, but for the back end, which is no matter of style, and what this module sets.

    The same as the style `default` of `matplotlib.style`, whose import reads thirty files.
    """
    from matplotlib import rcParamsDefault

    kept: dict[str, Any] = {name: value for name, value in rcParamsDefault.items() if not name.startswith("backend")}
    return {**kept, **_LOOK, **_SAFE, "font.family": [OWN]}


def blank(title: str, x_label: str, y_label: str, height: float = HEIGHT) -> "tuple[Figure, Axes]":
    """A figure with empty axes; title and labels are wrapped and made smaller until they fit.

    Args:
        title: above the picture.
        x_label: of the axis.
        y_label: of the axis.
        height: in inches.
    """
    figure = empty(title, height)
    axes = figure.add_subplot()
    axes.set_xlabel(*fitted(x_label, LABEL, 7.0))
    axes.set_ylabel(*fitted(y_label, LABEL, 4.8))
    return figure, axes


def empty(title: str, height: float = HEIGHT) -> "Figure":
    """A figure without axes, under a title; its height is in inches."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure(figsize=(_WIDTH, height), dpi=DPI, layout=ConstrainedLayoutEngine(w_pad=0.14, h_pad=0.12))
    text, font = fitted(title, _TITLE, 9.2)
    figure.suptitle(text, **font)
    return figure


def drawable(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The points with finite coordinates, shape (2, at most n), of x and y, both of shape (n,).

    >>> drawable(np.array([0.0, 1.0, 2.0]), np.array([5.0, np.nan, 6.0])).tolist()
    [[0.0, 2.0], [5.0, 6.0]]

    Raises:
        ValueError: unless both have the same shape (n,).
    """
    if np.ndim(x) != 1 or np.shape(x) != np.shape(y):
        raise ValueError(f"arrays (n,) of one length expected, found {np.shape(x)} and {np.shape(y)}")
    xy = np.stack([x, y]).astype(np.float64)
    return xy[:, np.all(np.abs(xy) <= HUGE, axis=0)]


def note(drawn: int, finite: int, total: int) -> str:
    """The note in the legend about rows that are not drawn, because of sampling or because they are not finite.

    >>> note(100, 1000, 1001)
    ' (100 of 1,000) (1 not finite)'
    """
    sampled = f" ({drawn:,} of {finite:,})" if drawn < finite else ""
    return f"{sampled} ({total - finite:,} not finite)" if finite < total else sampled


def nice_step(span: float, whole: bool = False) -> float:
    """The smallest of 1, 2, 2.5, 5 times a power of ten that covers the span in at most 7 steps.

    >>> nice_step(10.0)
    2.0
    """
    power = math.floor(math.log10(span / 7))
    steps = (m * 10.0 ** (power + k) for k in (0, 1) for m in (1, 2, 2.5, 5))
    return next(s for s in steps if span / s <= 7 and not (whole and s % 1))


def ticks_beyond(low: float, high: float) -> np.ndarray:
    """Nice ticks, the first below `low` and the last above `high`; from 0 if low is at most half the range above it.

    >>> ticks_beyond(1.0, 9.0).tolist()
    [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    """
    biggest = max(abs(low), abs(high))
    if high - low <= max(1e-12 * biggest, 1 / HUGE):
        half = biggest / 2 if biggest > 1 / HUGE else 1.0
        low, high = low - half, high + half
    from_zero = 0 < low <= (high - low) / 2
    step = nice_step(high if from_zero else high - low)
    first = 0 if from_zero else math.ceil(low / step) - 1
    return np.arange(first, math.floor(high / step) + 2) * step


def near(low: float, high: float) -> tuple[np.ndarray, tuple[float, float]]:
    """Nice ticks from `low` to `high`, and limits a little beyond these, so that points use the whole picture.

    >>> ticks, limits = near(0.0, 100.0)
    >>> ticks.tolist(), limits
    ([0.0, 20.0, 40.0, 60.0, 80.0, 100.0], (-4.0, 104.0))
    """
    if high - low <= max(1e-12 * max(abs(low), abs(high)), 1 / HUGE):
        ticks = ticks_beyond(low, high)
        return ticks, (float(ticks[0]), float(ticks[-1]))
    step, pad = nice_step(high - low), MARGIN * (high - low)
    first, last = math.ceil((low - pad) / step), math.floor((high + pad) / step)
    return np.arange(first, last + 1) * step, (low - pad, high + pad)


def thinned(ticks: np.ndarray, most: int) -> np.ndarray:
    """Every second, third, ... of nice ticks, so that at most so many stay; 0 does where it is one.

    >>> thinned(np.array([-0.5, 0.0, 0.5, 1.0]), 3).tolist()
    [0.0, 1.0]
    """
    if len(ticks) <= most:
        return ticks
    every, positions = math.ceil(len(ticks) / most), np.rint(ticks / (ticks[1] - ticks[0]))
    kept: np.ndarray = ticks[positions % every == 0]
    return kept


def set_limits(axes: "Axes", which: str, low: float, high: float, *, few: bool, inches: float = 7.4) -> None:
    """Set ticks and limits for values from `low` to `high`: with few points at the next ticks, else near the values."""
    if few:
        set_axis(axes, which, ticks_beyond(low, high), inches)
        return
    ticks, limits = near(low, high)
    set_axis(axes, which, ticks, inches, limits)


def set_axis(
    axes: "Axes", which: str, ticks: np.ndarray, inches: float = 7.4, limits: tuple[float, float] | None = None
) -> None:
    """Set ticks and limits of the axis `x` or `y`: limits at the outer ticks unless given; as many labels as fit."""
    labels = _tick_labels(ticks)
    needed = (max(width_in_inches(label, SMALL) for label in labels) + 0.2) * (len(ticks) - 1)
    every = max(1, math.ceil(needed / inches)) if which == "x" else 1
    first = int(np.abs(ticks).argmin()) % every
    first = first if len(ticks[first::every]) > 1 else 0  # a single label shows no scale
    labels = [label if i % every == first else "" for i, label in enumerate(labels)]
    axes.set(**{f"{which}ticks": ticks, f"{which}ticklabels": labels, f"{which}lim": limits or ticks[[0, -1]]})


def set_names(axes: "Axes", which: str, names: Sequence[str], size: float, inches: float, first: int = 0) -> None:
    """Label the positions `first`, `first` + 1, ... of the axis `x` or `y` with names, each shortened to one line.

    All have one size, the smallest that one of them needs.
    """
    smallest = min((fitted(name, size, inches, lines=1)[1]["fontsize"] for name in names), default=size)
    found = [fitted(name, smallest, inches, lines=1, smallest=1.0) for name in names]
    axes.set(**{f"{which}ticks": range(first, first + len(found)), f"{which}ticklabels": [text for text, _ in found]})
    for label, (_, font) in zip(getattr(axes, f"get_{which}ticklabels")(), found, strict=True):
        label.set(**font)


def set_log_axis(axes: "Axes", low: float, high: float, which: str = "y") -> None:
    """Make the axis `x` or `y` logarithmic, from a bit below `low` to a bit above `high`, with at most eight labels."""
    share = 0.05 * math.log10(high / low)
    ticks, labels, (bottom, top) = log_ticks(low, high, share)
    axes.set(**{f"{which}scale": "log"})
    getattr(axes, f"set_{which}ticks")(ticks, labels)
    getattr(axes, f"{which}axis").set_minor_formatter("")
    axes.set(**{f"{which}lim": (bottom, top)})


def log_ticks(low: float, high: float, beyond: float = 0.0) -> tuple[list[float], list[str], tuple[float, float]]:
    """At most eight or so ticks of a logarithmic axis, their labels, and its limits.

    Where an axis of less than a decade has fewer than three of 1, 2, 5 times a power of ten, its ticks are evenly
    spaced.

    Args:
        low: the lowest value.
        high: the highest one.
        beyond: decades between these and the limits.

    >>> log_ticks(1.0, 1000.0)[:2]
    ([1.0, 10.0, 100.0, 1000.0], ['1', '10', '100', '1000'])
    >>> log_ticks(103.0, 137.0)[1]
    ['105', '110', '115', '120', '125', '130', '135']
    """
    first, decades = math.log10(low), math.log10(high / low)
    bottom, top = 10 ** (first - beyond), 10 ** (first + decades + beyond)
    every = max(1, math.ceil(decades / 8))
    powers = (k for k in range(math.floor(first) - 1, math.ceil(first + decades) + 1) if k % every == 0)
    digits = (1, 2, 5) if decades < 3 else (1,)
    major = [(m, k) for k in powers for m in digits if bottom <= m * 10.0**k <= top]
    if len(major) < 3 and top - bottom > 1e-12 * top:
        step = nice_step(top - bottom)
        ticks = np.arange(math.ceil(bottom / step), math.floor(top / step) + 1) * step
        return ticks.tolist(), _tick_labels(ticks), (bottom, top)
    labels = [f"{m}×10{str(k).translate(_SUPERSCRIPTS)}".removeprefix("1×") for m, k in major]
    if all(-4 <= k <= 4 for _, k in major):
        labels = [f"{m * 10.0**k:.{max(-k, 0)}f}" for m, k in major]
    return [m * 10.0**k for m, k in major], labels, (bottom, top)


def set_count_axis(axes: "Axes", last: float, name: str) -> None:
    """Make the x axis of counts from 0 to `last` logarithmic from 1 on; 0 has a place of its own, left of 1."""
    axes.set_xscale("symlog", linthresh=1.0, linscale=0.4)
    every = math.ceil(max(1.0, math.log10(last)) / 7)
    powers = range(0, math.floor(math.log10(last)) + 1, every)
    labels = [f"{10**k:,}" if k < 6 else f"10{str(k).translate(_SUPERSCRIPTS)}" for k in powers]
    axes.set_xticks([0, *(10.0**k for k in powers)], ["0", *labels])
    axes.xaxis.set_minor_locator(_minor(last))
    axes.xaxis.set_minor_formatter("")
    axes.set_xlim(-0.15, last**1.03)
    axes.set_xlabel(*fitted(f"{name} (log scale from 1 on)", LABEL, 7.0))


def _minor(last: float) -> Any:
    from matplotlib.ticker import FixedLocator

    return FixedLocator([m * 10.0**k for k in range(math.floor(math.log10(last)) + 1) for m in range(2, 10)])


def _tick_labels(ticks: np.ndarray) -> list[str]:
    """Plain numbers; numbers from 10⁹ up and below 10⁻⁴ with a power of ten, such as 20×10⁹."""
    biggest, step = float(np.abs(ticks).max()) or 1.0, float(ticks[1] - ticks[0]) if len(ticks) > 1 else 1.0
    exponent = 0 if 1e-4 <= biggest < 1e9 or biggest > 1e6 * step else 3 * math.floor(math.log10(biggest) / 3)
    unit = step / 10.0**exponent
    decimals = next((d for d in range(17) if math.isclose(unit, round(unit, d), rel_tol=1e-6)), 17)
    form = f"{',' if biggest >= 1e4 and not exponent else ''}.{decimals}f"
    texts = [f"{t / 10.0**exponent + 0.0:{form}}".replace("-", "−") for t in ticks]
    power = f"×10{str(exponent).translate(_SUPERSCRIPTS)}" if exponent else ""
    return [text + power if t else text for text, t in zip(texts, ticks, strict=True)]


def band_key(axes: "Axes", colour: str) -> "Line2D":
    """What stands for a shaded band in the legend: a broad line of its colour, which is not drawn in the axes."""
    (line,) = axes.plot([], [], color=colour, linewidth=12, solid_capstyle="butt", gid="key")
    return line


def finish(figure: "Figure", axes: "Axes", entries: "Entries", right: bool = False) -> None:
    """Add the legend outside the axes, to the right or below, and a note if there is nothing to draw."""
    if not axes.images and not any(len(line.get_path()) for line in axes.lines):
        axes.text(0.5, 0.5, "no finite values to draw", transform=axes.transAxes, ha="center")
    if not entries:
        return
    texts = [fitted(label, SMALL, 2.2 if right else 8.4) for _, label in entries]
    widths = [
        1.2 + max(width_in_inches(line, font["fontsize"], font.get("fontfamily", (OWN,))) for line in text.split("\n"))
        for text, font in texts
    ]
    fits = [c for c in range(1, len(texts) + 1) if sum(map(max, np.array_split(widths, c))) < _WIDTH - 0.2]
    rows = len(texts) if right or not fits else math.ceil(len(texts) / fits[-1])
    place: dict[str, Any] = {"loc": f"outside {'right' if right else 'lower'} center", "frameon": False}
    lines, columns = [line for line, _ in entries], math.ceil(len(texts) / rows)
    legend = figure.legend(lines, ["."] * len(texts), ncols=columns, handlelength=2.6, **place)
    # Set afterwards: given above, a label that starts with an underscore would be dropped.
    for handle, shown, (text, font) in zip(legend.get_lines(), legend.get_texts(), texts, strict=True):
        shown.set(text=text, **font)
        handle.set(alpha=1, markersize=11)  # a sample of faint small points is seen
    if not right and rows > 3:
        figure.set_figheight(figure.get_figheight() + (rows - 3) * 1.6 * SMALL / 72)
