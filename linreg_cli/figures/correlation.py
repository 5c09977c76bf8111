"""A picture of the correlations between the columns of the train split."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from linreg_cli.figures.canvas import SMALL, empty, set_names, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: The columns that are drawn; the others are counted.
MOST = 40
#: Up to so many columns the numbers are written into the cells.
_WRITTEN = 12


def correlation_figure(correlation: np.ndarray, names: Sequence[str], *, title: str, n_targets: int = 1) -> "Figure":
    """Pearson's correlations as a map from -1 (orange) over 0 (white) to 1 (blue), the targets last.

    Of more than 40 columns those are drawn whose largest correlation with another is highest, and the targets.

    Args:
        correlation: shape (n, n), NaN for a constant column.
        names: of the columns, n.
        title: above the picture.
        n_targets: of the last columns, the number that are targets.
    """
    from matplotlib.colors import LinearSegmentedColormap

    n = len(names)
    strongest = np.nan_to_num(np.abs(correlation - np.eye(n))).max(axis=1)
    strongest[n - n_targets :] = np.inf
    kept = np.sort(np.argsort(-strongest, kind="stable")[:MOST]) if n > MOST else np.arange(n)
    cells, shown = correlation[np.ix_(kept, kept)], [names[i] for i in kept]
    with style():
        figure = empty(title, 8.6)
        axes = figure.add_subplot()
        signed = LinearSegmentedColormap.from_list("signed", ["#D55E00", "#F6D5BE", "#FFFFFF", "#BFD9EA", "#0072B2"])
        colours = signed.with_extremes(bad="#BFBFBF")
        image = axes.imshow(cells, cmap=colours, vmin=-1, vmax=1, interpolation="nearest")
        bar = figure.colorbar(image, ax=axes, shrink=0.8)
        bar.set_ticks([-1, -0.5, 0, 0.5, 1], labels=["−1", "−0.5", "0", "0.5", "1"])
        bar.set_label("Pearson's correlation", fontsize=SMALL, labelpad=8)
        size = SMALL * min(1.0, 28 / max(len(shown), 1))
        for which in ("x", "y"):
            set_names(axes, which, shown, size, 1.9)
        axes.tick_params(axis="x", labelrotation=90)
        axes.grid(visible=False)
        if n > len(shown):
            axes.set_title(f"the {len(shown)} most correlated of {n:,} columns", fontsize=0.9 * SMALL)
        if len(shown) <= _WRITTEN:
            for i, j in np.ndindex(cells.shape):
                value = float(cells[i, j])
                text = "–" if np.isnan(value) else f"{round(value, 2) + 0.0:.2f}".replace("-", "−")
                dark = abs(np.nan_to_num(value)) > 0.75
                axes.text(
                    j,
                    i,
                    text,
                    ha="center",
                    va="center",
                    fontsize=min(13.0, 120 / len(shown)),
                    color="white" if dark else "black",
                )
    return figure
