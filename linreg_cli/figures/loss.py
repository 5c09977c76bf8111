"""Loss curves of runs. Runs differ in dashes and markers, not only in colour."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from linreg_cli.figures.canvas import (
    HUGE,
    LABEL,
    SPLITS,
    blank,
    drawable,
    finish,
    fitted,
    nice_step,
    note,
    set_axis,
    set_log_axis,
    style,
    ticks_beyond,
)
from linreg_cli.wording import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from linreg_cli.figures.canvas import Entries


_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#4D4D4D")
_MARKERS = "osD^vP"
_DASHES: tuple[Any, ...] = ("-", (0, (6, 1.5, 1, 1.5)), (0, (1, 1)), (0, (6, 1, 1, 1, 1, 1)), (0, (10, 1)))


@dataclass(frozen=True)
class LossCurve:
    """The loss of one run after each epoch, in scaled units.

    Attributes:
        label: the name of the run in the legend.
        epochs: epochs done, 0 first, shape (n,).
        train: loss over the whole train split, shape (n,).
        validation: loss over the validation split, shape (n,); None without one.
    """

    label: str
    epochs: np.ndarray
    train: np.ndarray
    validation: np.ndarray | None


def loss_figure(curves: Sequence[LossCurve], *, loss: str, title: str, optimum: float | None = None) -> "Figure":
    """Loss against epoch of one run or several; logarithmic if the losses are positive and span over two decades.

    Losses that are not finite are left out, and the legend says how many.

    Args:
        curves: in the order of the legend.
        loss: the name of the loss, for the y axis.
        title: above the picture.
        optimum: the lowest possible train loss, drawn as a horizontal line. One far below every loss is only named in
            the legend.
    """
    entries = []
    with style():
        figure, axes = blank(title, "epoch", loss)
        for run, curve in enumerate(curves):
            for part, values in (("train", curve.train), ("validation", curve.validation)):
                if values is not None and len(values):
                    epochs, losses = drawable(curve.epochs, values)
                    (line,) = axes.plot(epochs, losses, **_run_look(run, part, len(epochs), len(curves) == 1))
                    entries.append((line, f"{curve.label}, {part}{note(len(epochs), len(epochs), len(values))}"))
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


def _with_optimum(axes: "Axes", optimum: float, low: float, high: float, entries: "Entries") -> float:
    """Draw the line of the optimum; returns the lowest value that the axis must include."""
    # On a logarithmic axis an optimum of 1e-30 would squeeze the curve into a corner.
    far = optimum < low / 1e3 and high / low > 100
    (line,) = axes.plot([], [], "k", linestyle=(0, (4, 2)), linewidth=1.8, gid="optimum")
    if not far:
        line.set_data([0, 1], [optimum, optimum])
        line.set(transform=axes.get_yaxis_transform(), zorder=1.5)
    entries.append((line, f"optimum: {number(optimum)}{' (far below)' if far else ''}"))
    return low if far else min(low, optimum)


def _run_look(run: int, part: str, n: int, alone: bool) -> dict[str, Any]:
    """Colour, dashes and markers of a curve of n points: at most 30 points all get markers, more get about eight."""
    held_out, few = part == "validation", n <= 30
    dashes = "--" if held_out else _DASHES[run % len(_DASHES)]
    colour, marker = _COLOURS[run % len(_COLOURS)], _MARKERS[run % len(_MARKERS)]
    if alone:
        colour, marker = SPLITS[part][0], SPLITS[part][1] if few else ""
    every = 1 if few else n // 8
    # Staggered, so that runs can be distinguished where their curves coincide.
    marks = {"marker": marker, "markevery": ((every * run // 3 + every // 2 * held_out) % every, every)}
    line = {"color": colour, "linestyle": dashes, "linewidth": 2.4 if held_out else 3.0, "gid": f"{part}-{run}"}
    return {**line, **marks, "markersize": 9, "markeredgecolor": "white"}
