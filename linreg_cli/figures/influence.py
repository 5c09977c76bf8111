"""Influence of single rows on the fit: leverage, standardised residuals, Cook's distance."""

from typing import TYPE_CHECKING

import numpy as np

from linreg_cli.figures.canvas import SMALL, blank, finish, set_axis, style, ticks_beyond
from linreg_cli.figures.clouds import scatter
from linreg_cli.wording import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from linreg_cli.figures.canvas import Entries


#: Rows that are labelled in the picture.
MOST_NAMED = 5


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

    Vertical lines are at the mean leverage p / n and at twice the mean. The rows with the largest Cook's distance are
    labelled.

    Args:
        leverage: h, shape (n,), in [0, 1].
        residual: r, internally studentised, shape (n,).
        cooks: Cook's distance D, shape (n,).
        rows: label of each row, shape (n,).
        n_samples: rows of the fit; the arrays may have only some of them.
        n_parameters: p, parameters of the fit.
        title: above the picture.

    Source: R. D. Cook, S. Weisberg, Residuals and Influence in Regression, 1982: D = r^2 h / (p (1 - h)).
    """
    drawable = np.isfinite(residual) & np.isfinite(cooks)
    # The most influential rows first: these are always drawn, the others may be sampled.
    order = np.flatnonzero(drawable)[np.argsort(-cooks[drawable], kind="stable")]
    h, r, names = leverage[order], residual[order], rows[order]
    with style():
        figure, axes = blank(title, "leverage", "standardised residual")
        entries = scatter(axes, [("train", len(leverage), np.stack([h, r]))], kept=MOST_NAMED)
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
                entries.append((line, f"{'mean' if times == 1 else 'twice the mean'} {number(times * mean, 3)}"))
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
        entries.append((line, f"Cook's distance {number(distance)}{'' if inside else ' (outside)'}"))


def _name_rows(axes: "Axes", h: np.ndarray, r: np.ndarray, names: np.ndarray) -> None:
    """Label points with their rows, inside the frame and without overlap."""
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
