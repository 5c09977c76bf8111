"""A picture of the error against the number of rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from linreg_cli.figures.canvas import SPLITS, blank, finish, set_limits, style
from linreg_cli.figures.looks import COLOURS, DASHES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

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
        curves: one for each run; at least one.
        target: name of the target.
        title: above the picture.
    """
    with style():
        figure, axes = blank(title, "rows of the train split (log scale)", f"RMSE of {target}")
        entries: Entries = []
        lows, highs = [], []
        for run, curve in enumerate(curves):
            alone = len(curves) == 1
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
                entries.append((line, part if alone else f"{curve.label}, {part}"))
                lows.append(float(low.min()))
                # The first subsets have hardly more rows than parameters, and may have errors without bound.
                highs.append(float(np.quantile(high, 0.9)) if len(high) > 3 else float(high.max()))
        if lows:
            sizes = np.unique(np.concatenate([curve.sizes for curve in curves]))
            axes.set_xscale("log")
            _row_ticks(axes, sizes)
            set_limits(axes, "y", 0.0 if min(lows) < 0.5 * max(highs) else min(lows), max(highs), few=False)
        finish(figure, axes, entries)
    return figure


def _row_ticks(axes: "Axes", sizes: np.ndarray) -> None:
    """Ticks at 1, 2 and 5 times the powers of ten within the sizes, written in full."""
    low, high = float(sizes[0]) / 1.1, float(sizes[-1]) * 1.1
    ticks = [m * 10.0**k for k in range(10) for m in (1, 2, 5) if low <= m * 10.0**k <= high]
    if len(ticks) > 8:
        ticks = [tick for tick in ticks if str(round(tick)).startswith("1")]
    axes.set_xticks(ticks or [float(sizes[-1])], [f"{round(tick):,}" for tick in ticks or [float(sizes[-1])]])
    axes.xaxis.set_minor_formatter("")
    axes.set_xlim(low, high)
