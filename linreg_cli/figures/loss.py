"""Curves over the epochs: the loss, and the gap to the optimum.

Runs differ in dashes and markers, not only in colour.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from linreg_cli.figures.canvas import (
    HUGE,
    LABEL,
    MARGIN,
    SPLITS,
    blank,
    drawable,
    finish,
    nice_step,
    set_axis,
    set_count_axis,
    set_log_axis,
    style,
    ticks_beyond,
)
from linreg_cli.figures.labels import fitted
from linreg_cli.figures.looks import COLOURS, DASHES, MARKERS
from linreg_cli.wording import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from linreg_cli.figures.canvas import Entries

#: A value above this many times the start of the runs that fell is out of the picture: on a logarithmic axis, and on a
#: linear one.
_MOST_LOG, _MOST_LINEAR = 1_000.0, 20.0
#: The loss of a batch that is this many times below every other loss is out of the picture.
_FAR_BELOW = 30.0
#: Runs whose numbers of steps differ by this factor are drawn against the logarithm of the step.
_SQUEEZED = 10.0


@dataclass(frozen=True)
class LossCurve:
    """The loss of one run after each epoch, in scaled units, or another value of each epoch.

    Attributes:
        label: the name of the run in the legend.
        epochs: epochs or steps done, 0 first, shape (n,).
        train: loss over the whole train split, shape (n,).
        validation: loss over the validation split, shape (n,); None without one.
        end: how the run ended, if it diverged, such as `diverged at step 12`.
        batches: steps done and the loss of the batch that follows, shape (n, 2); None: they are not drawn.
    """

    label: str
    epochs: np.ndarray
    train: np.ndarray
    validation: np.ndarray | None
    end: str = ""
    batches: np.ndarray | None = None


def loss_figure(
    curves: Sequence[LossCurve],
    *,
    loss: str,
    title: str,
    optimum: float | None = None,
    scale: str = "auto",
    x_label: str = "epoch",
) -> "Figure":
    """Loss against epoch of one run or several; logarithmic if the losses are positive and span over two decades.

    Losses that are not finite or above 1e150 are left out, and the legend says how many. Where one run fell and another
    rose, the axis ends at 1,000 times the start of those that fell (20 times on a linear axis), so that they are seen.
    Where one took ten times the steps of another, as with batches of another size, the axis of steps is logarithmic.

    Args:
        curves: in the order of the legend.
        loss: the name of the loss, for the y axis.
        title: above the picture.
        optimum: the lowest possible train loss, drawn as a horizontal line. One far below every loss is only named in
            the legend.
        scale: `auto`, `linear` or `log`; values that are not positive are left out of `log`, and counted.
        x_label: what `epochs` counts.
    """
    entries: Entries = []
    with style():
        figure, axes = blank(title, x_label, loss)
        for run, curve in enumerate(curves):
            for part, values in (("train", curve.train), ("validation", curve.validation)):
                if values is not None and len(values):
                    positive = np.where(values > 0, values, np.nan) if scale == "log" else values
                    epochs, losses = drawable(curve.epochs, positive)
                    (line,) = axes.plot(epochs, losses, **_run_look(run, part, len(epochs), len(curves) == 1))
                    more = f" ({curve.end})" if curve.end and part == "train" else ""
                    entries.append((line, f"{curve.label}, {part}{more}{_left_out(values, is_log=scale == 'log')}"))
        epochs, losses = (np.concatenate([np.empty(0), *(line.get_data()[i] for line, _ in entries)]) for i in (0, 1))
        if len(curves) == 1 and curves[0].batches is not None:
            losses = np.append(losses, _batches(axes, curves[0].batches, losses, entries))
        if len(epochs):
            if x_label == "step" and _lengths_differ(curves):
                set_count_axis(axes, float(epochs.max()), x_label)
            else:
                _set_x(axes, epochs)
            _set_y(axes, losses, curves, loss, optimum, scale, entries)
        finish(figure, axes, entries)
    return figure


def _left_out(values: np.ndarray, *, is_log: bool) -> str:
    """The note in the legend about values that are not drawn: how many, and why."""
    finite = np.isfinite(values)
    reasons = {
        "not finite": ~finite,
        "above 10¹⁵⁰": finite & (np.abs(values) > HUGE),
        "not above 0": finite & (values <= 0) & is_log,
    }
    return "".join(f" ({np.count_nonzero(which):,} {why})" for why, which in reasons.items() if which.any())


def _batches(axes: "Axes", points: np.ndarray, losses: np.ndarray, entries: "Entries") -> Any:
    """Draw the losses of the batches faintly, behind the others; returns those that the axis must include.

    A batch that the model happens to fit would stretch a logarithmic axis by decades.
    """
    steps, values = drawable(points[:, 0], points[:, 1])
    if not len(steps):
        return values
    (line,) = axes.plot(steps, values, color="0.62", linewidth=0.8, alpha=0.7, zorder=1.2, gid="batches")
    every = len(points) > points[-1, 0]
    entries.append((line, "each batch" if every else "batches, lowest and highest"))
    least = float(losses[losses > 0].min()) / _FAR_BELOW if (losses > 0).any() else -math.inf
    return values[values >= least]


def _lengths_differ(curves: Sequence[LossCurve]) -> bool:
    """Whether one run took at least ten times the steps of another, which would be squeezed at the left."""
    lasts = [float(curve.epochs[-1]) for curve in curves if len(curve.epochs) and not curve.end]
    return len(lasts) > 1 and max(lasts) >= _SQUEEZED * max(min(lasts), 1.0)


def _set_x(axes: "Axes", epochs: np.ndarray) -> None:
    first, last = epochs.min(), max(epochs.max(), epochs.min() + 1)
    step = nice_step(last - first, whole=True)
    set_axis(axes, "x", np.arange(math.ceil(first / step), math.floor(last / step) + 1) * step)
    axes.set_xlim(first - 0.03 * (last - first), last + 0.03 * (last - first))


def _set_y(
    axes: "Axes",
    losses: np.ndarray,
    curves: Sequence[LossCurve],
    loss: str,
    optimum: float | None,
    scale: str,
    entries: "Entries",
) -> None:
    low, high = float(losses.min()), float(losses.max())
    ceiling = _ceiling(curves)
    is_log = scale == "log" or (scale == "auto" and low > 1 / HUGE and min(high, _MOST_LOG * ceiling) / low > 100)
    high = min(high, (_MOST_LOG if is_log else _MOST_LINEAR) * ceiling)
    if optimum is not None and 0 <= optimum <= HUGE:
        low = _with_optimum(axes, optimum, low, high, entries, is_log=is_log)
    if is_log and low > 1 / HUGE:
        set_log_axis(axes, low, max(high, low * 1.0001))
        axes.set_ylabel(*fitted(f"{loss} (log scale)", LABEL, 4.8))
        return
    ticks, limits = ticks_beyond(low, high), None
    if ticks[0] < 0 <= low:  # an axis that goes on far below 0 looks as if a loss could, too
        ticks = ticks[ticks >= 0]
        limits = -MARGIN * float(ticks[-1]), float(ticks[-1])
    set_axis(axes, "y", ticks, limits=limits)


def _ceiling(curves: Sequence[LossCurve]) -> float:
    """The highest start of the runs that ended below it, where others rose far above it; else infinite."""
    starts, risen = [], False
    for curve in curves:
        _, losses = drawable(curve.epochs, curve.train)
        if len(losses) and losses[-1] <= losses[0] and not curve.end:
            starts.append(float(losses[0]))
        else:
            risen = True
    return max(starts) if starts and risen and max(starts) > 0 else math.inf


def _with_optimum(axes: "Axes", optimum: float, low: float, high: float, entries: "Entries", *, is_log: bool) -> float:
    """Draw the line of the optimum; returns the lowest value that the axis must include."""
    # On a logarithmic axis an optimum of 1e-30 would squeeze the curve into a corner.
    far = is_log and optimum < low / 1e3
    (line,) = axes.plot([], [], "k", linestyle=(0, (4, 2)), linewidth=1.8, gid="optimum")
    if not far:
        line.set_data([0, 1], [optimum, optimum])
        line.set(transform=axes.get_yaxis_transform(), zorder=1.5)
    entries.append((line, f"optimum: {number(optimum)}{' (far below)' if far else ''}"))
    return low if far else min(low, optimum)


def _run_look(run: int, part: str, n: int, alone: bool) -> dict[str, Any]:
    """Colour, dashes and markers of a curve of n points: at most 30 points all get markers, more get about eight."""
    held_out, few = part == "validation", n <= 30
    dashes = "--" if held_out else DASHES[run % len(DASHES)]
    colour, marker = COLOURS[run % len(COLOURS)], MARKERS[run % len(MARKERS)]
    if alone:
        colour, marker = SPLITS[part][0], SPLITS[part][1] if few else ""
    every = 1 if few else n // 8
    # Staggered, so that runs can be distinguished where their curves coincide.
    marks = {"marker": marker, "markevery": ((every * run // 3 + every // 2 * held_out) % every, every)}
    line = {"color": colour, "linestyle": dashes, "linewidth": 2.4 if held_out else 3.0, "gid": f"{part}-{run}"}
    return {**line, **marks, "markersize": 9, "markeredgecolor": "white"}
