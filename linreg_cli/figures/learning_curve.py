"""A picture of the error against the number of rows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from linreg_cli.figures.canvas import SPLITS, band_key, blank, finish, set_limits, style
from linreg_cli.figures.looks import COLOURS, DASHES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    from linreg_cli.figures.canvas import Entries


@dataclass(frozen=True)
class LearningCurve:
    """Errors of least squares on nested subsets of the train split, for several orders of its rows.

    Attributes:
        label: the run.
        sizes: rows of the subsets, ascending, shape (m,).
        train: RMSE on the subset, shape (n_orders, m), in units of the target.
        held_out: RMSE on rows that no subset has, same shape.
        held_out_name: what these rows are, such as `test`.
    """

    label: str
    sizes: np.ndarray
    train: np.ndarray
    held_out: np.ndarray
    held_out_name: str


def learning_curve_figure(curves: Sequence[LearningCurve], *, target: str, title: str) -> "Figure":
    """The median RMSE over the orders against the rows, on a logarithmic axis, with the range from lowest to highest.

    Args:
        curves: one for each run; at least one. Those that are equal are drawn once.
        target: name of the target.
        title: above the picture.
    """
    curves = _distinct(curves)
    alone = len(curves) == 1
    with style():
        figure, axes = blank(title, "rows of the train split (log scale)", f"RMSE of {target}")
        drawn: list[tuple[Line2D, str, float]] = []
        lows, highs = [], []
        for run, curve in enumerate(curves):
            for part, errors, dashes in (("train", curve.train, "--"), (curve.held_out_name, curve.held_out, "-")):
                colour = SPLITS["train" if part == "train" else "test"][0] if alone else COLOURS[run % len(COLOURS)]
                fine = np.isfinite(errors).all(axis=0)
                if not fine.any():
                    continue
                sizes, middle = curve.sizes[fine], np.median(errors[:, fine], axis=0)
                low, high = errors[:, fine].min(axis=0), errors[:, fine].max(axis=0)
                axes.fill_between(sizes, low, high, color=colour, alpha=0.15, linewidth=0, zorder=1.5)
                kind = dashes if alone else DASHES[run % len(DASHES)]
                (line,) = axes.plot(
                    sizes, middle, color=colour, linestyle=kind, linewidth=2.6, marker="o", markersize=6
                )
                line.set(zorder=3, gid=f"{part}-{run}", markerfacecolor=colour if part != "train" else "white")
                label = part if not curve.label or alone else f"{curve.label}, {part}"
                drawn.append((line, label, float(middle.max())))
                lows.append(float(low.min()))
                # The first subsets have hardly more rows than parameters, and may have errors without bound.
                highs.append(float(np.quantile(high, 0.9)) if len(high) > 3 else float(high.max()))
        entries: Entries = []
        if lows:
            sizes = np.unique(np.concatenate([curve.sizes for curve in curves]))
            axes.set_xscale("log")
            _row_ticks(axes, sizes)
            set_limits(axes, "y", 0.0 if min(lows) < 0.5 * max(highs) else min(lows), max(highs), few=False)
            top = axes.get_ylim()[1]
            entries = [(line, f"{label} (leaves the picture)" if most > top else label) for line, label, most in drawn]
            entries.append(
                (band_key(axes, "#C8C8C8"), f"lowest to highest of {len(curves[0].train)} orders of the rows")
            )
        finish(figure, axes, entries)
    return figure


def _distinct(curves: Sequence[LearningCurve]) -> list[LearningCurve]:
    """The curves that differ; the label of one that several runs have names them all, or counts them."""
    found: dict[bytes, list[LearningCurve]] = {}
    for curve in curves:
        found.setdefault(curve.sizes.tobytes() + curve.train.tobytes() + curve.held_out.tobytes(), []).append(curve)
    return [
        replace(same[0], label=" and ".join(each.label for each in same) if len(same) < 3 else f"{len(same)} runs")
        for same in found.values()
    ]


def _row_ticks(axes: "Axes", sizes: np.ndarray) -> None:
    """At least two ticks, and at most eight, at round numbers within the sizes, written in full."""
    low, high = float(sizes[0]) / 1.1, float(sizes[-1]) * 1.1
    for digits in ((1,), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8), range(10, 100)):
        ticks = [m * 10.0**k for k in range(-1, 10) for m in digits]
        ticks = [tick for tick in ticks if low <= tick <= high and tick == round(tick)]
        if len(ticks) > 2:
            break
    ticks = ticks[:: math.ceil(len(ticks) / 8)] if ticks else [float(sizes[-1])]
    axes.set_xticks(ticks, [f"{round(tick):,}" for tick in ticks])
    axes.xaxis.set_minor_formatter("")
    axes.set_xlim(low, high)
