"""Influence of single rows on the fit: leverage, standardised residuals, Cook's distance."""

from typing import TYPE_CHECKING

import numpy as np

from linreg_cli.figures.canvas import blank, finish, near, set_axis, set_limits, style
from linreg_cli.figures.clouds import Cloud, scatter
from linreg_cli.figures.names import name_points
from linreg_cli.figures.smoother import draw_smooth
from linreg_cli.wording import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from linreg_cli.figures.canvas import Entries


#: Rows that are labelled in the picture.
MOST_NAMED = 5
#: The rows with the largest Cook's distance that are drawn whatever is sampled.
_ALWAYS = 100


def leverage_figure(
    leverage: np.ndarray,
    residual: np.ndarray,
    cooks: np.ndarray,
    rows: np.ndarray,
    *,
    n_samples: int,
    n_parameters: int,
    title: str,
    weights: np.ndarray | None = None,
) -> "Figure":
    """Standardised residuals against leverage, with a smooth curve and the curves of Cook's distance 0.5 and 1.

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
        weights: the number of rows that each stands for, shape (n,); None: 1.

    Source: R. D. Cook, S. Weisberg, Residuals and Influence in Regression, 1982: D = r^2 h / (p (1 - h)).
    """
    drawable = np.isfinite(residual) & np.isfinite(cooks)
    gone = np.full(int((~drawable).sum()), np.nan)
    # The most influential rows first: these are always drawn, the others may be sampled.
    order = np.flatnonzero(drawable)[np.argsort(-cooks[drawable], kind="stable")]
    h, r, names = leverage[order], residual[order], rows[order]
    each = None if weights is None else weights[order]
    with style():
        figure, axes = blank(title, "leverage", "standardised residual")
        cloud = Cloud("train", np.append(h, gone), np.append(r, gone), n_samples, each)
        entries = scatter(axes, [cloud], kept=_ALWAYS)
        if len(h):
            mean = n_parameters / n_samples
            most = max(float(h.max()), min(2 * mean, 1.0))
            ticks, (_, right) = near(0.0, most)
            set_axis(axes, "x", ticks[ticks <= 1], limits=(0.0, min(right, 1.02)))
            set_limits(axes, "y", min(float(r.min()), -2.0), max(float(r.max()), 2.0), few=False)
            axes.axhline(0, color="#808080", linewidth=1.2, zorder=2)
            for times, dashes in ((1, (0, (1, 1.5))), (2, (0, (4, 2)))):
                if times * mean <= 1:
                    line = axes.axvline(times * mean, color="#4D4D4D", linestyle=dashes, linewidth=1.6, zorder=2)
                    entries.append((line, f"{'mean' if times == 1 else 'twice the mean'} {number(times * mean, 3)}"))
            _cook_curves(axes, n_parameters, entries)
            entries += draw_smooth(axes, h, r, each)
            points = np.stack([h, r])
            name_points(axes, points[:, :MOST_NAMED], names[:MOST_NAMED], around=points)
        finish(figure, axes, entries)
    return figure


def _cook_curves(axes: "Axes", n_parameters: int, entries: "Entries") -> None:
    """The curves of Cook's distance 0.5 and 1 where they are in view."""
    (_, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    h = np.linspace(right / 400, min(right, 1 - 1e-9), 400)
    for distance, colour, dashes in ((0.5, "#D55E00", (0, (6, 2))), (1.0, "#B00020", "-")):
        reach = np.sqrt(distance * n_parameters * (1 - h) / h)
        if not np.any((reach <= high) | (-reach >= low)):
            continue
        for sign in (1, -1):
            (line,) = axes.plot(h, sign * reach, color=colour, linestyle=dashes, linewidth=1.8, zorder=2.5)
        entries.append((line, f"Cook's distance {number(distance)}"))
    axes.set_ylim(low, high)
