"""The picture of a sweep of two keys: a map with a cell for each pair of values."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from linreg_cli.figures.canvas import HUGE, LABEL, SMALL, empty, finish, log_ticks, set_names, style
from linreg_cli.figures.labels import fitted
from linreg_cli.figures.sweep_parts import DIVERGED, WIDE, results_of, title_of, without_result
from linreg_cli.sweeps.found import is_number, shown
from linreg_cli.sweeps.store import Point, Sweep
from linreg_cli.wording import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from linreg_cli.figures.canvas import Entries

#: The most values of a key that are named beside a map.
_NAMED = 24
#: Up to so many cells in a row the numbers are written into them.
_WRITTEN = 10


def map_figure(sweep: Sweep) -> "Figure":
    """A cell for each pair of values of two keys: dark is good, the winner is outlined, what diverged is hatched."""
    from matplotlib.colors import LogNorm, Normalize

    rows_key, columns_key = sweep.grid
    results = results_of(sweep)
    rows, columns = (_ordered(sweep.grid[key]) for key in (rows_key, columns_key))
    cells = np.full((len(rows), len(columns)), np.nan)
    at: dict[tuple[int, int], Point] = {}
    for each in sweep.points:
        place = rows.index(each.overrides[rows_key]), columns.index(each.overrides[columns_key])
        at[place] = each
        cells[place] = results.get(each.point, np.nan)
    values = cells[np.isfinite(cells)]
    with style():
        figure = empty(title_of(sweep), min(11.0, max(5.2, 2.8 + 0.75 * len(rows))))
        axes = figure.add_subplot()
        is_log = len(values) > 0 and values.min() > 1 / HUGE and values.max() / values.min() >= WIDE
        low, high = (values.min(), values.max()) if len(values) else (0.0, 1.0)
        norm = LogNorm(low, high) if is_log else Normalize(low, high if high > low else low + 1)
        image = axes.imshow(
            cells, cmap="cividis_r" if sweep.highest else "cividis", norm=norm, aspect="auto", interpolation="nearest"
        )
        bar = figure.colorbar(image, ax=axes)
        if is_log:
            ticks, labels, _ = log_ticks(float(low), float(high))
            bar.set_ticks(ticks, labels=labels)
            bar.ax.minorticks_off()
        text, font = fitted(f"{sweep.metric}{' (log scale)' if is_log else ''}, dark is good", SMALL, 4.0)
        bar.set_label(text, **font)
        set_names(axes, "x", _thinned(columns), SMALL, 7.0 / min(len(columns), _NAMED))
        set_names(axes, "y", _thinned(rows), SMALL if len(rows) <= 12 else 0.8 * SMALL, 2.0)
        axes.set_xlabel(*fitted(columns_key, LABEL, 7.0))
        axes.set_ylabel(*fitted(rows_key, LABEL, 4.0))
        axes.grid(visible=False)
        _fill(axes, cells, at, sweep, norm)
        _finish_map(figure, axes, sweep, results)
    return figure


def _ordered(values: Sequence[Any]) -> list[Any]:
    """Numbers from the lowest to the highest, then the other values as they were given."""
    return [*sorted(each for each in values if is_number(each)), *(each for each in values if not is_number(each))]


def _thinned(values: Sequence[Any]) -> list[str]:
    """The values as names, where there are many each second, third, ... of them."""
    every = -(-len(values) // _NAMED)
    return ["" if position % every else shown(value) for position, value in enumerate(values)]


def _fill(axes: "Axes", cells: np.ndarray, at: dict[tuple[int, int], Point], sweep: Sweep, norm: Any) -> None:
    """Write the numbers, hatch the cells without one, and outline the winner."""
    from matplotlib.patches import Rectangle

    winner = sweep.winner
    written = max(cells.shape) <= _WRITTEN
    size = min(SMALL, 120 / max(cells.shape))
    for (i, j), point in at.items():
        corner = (j - 0.5, i - 0.5)
        if np.isnan(cells[i, j]):
            diverged = point.status == "diverged"
            hatch = "///" if diverged else ""
            axes.add_patch(
                Rectangle(
                    corner, 1, 1, facecolor="#EDEDED", edgecolor="#8C8C8C", hatch=hatch, linewidth=0.5, gid=point.status
                )
            )
            text = point.status
        else:
            text = number(float(cells[i, j]), 3)
        if written:
            share = float(norm(cells[i, j])) if not np.isnan(cells[i, j]) else 1.0
            dark = not np.isnan(cells[i, j]) and (share < 0.55) != sweep.highest
            box = {"facecolor": "#EDEDED", "edgecolor": "none", "pad": 2.0} if np.isnan(cells[i, j]) else None
            shortened, font = fitted(text, size, 6.2 / cells.shape[1], lines=1)
            axes.text(j, i, shortened, ha="center", va="center", color="white" if dark else "black", bbox=box, **font)
        if winner is not None and point.point == winner.point:
            for width, colour in ((6.5, "white"), (3.5, DIVERGED)):
                axes.add_patch(
                    Rectangle(
                        corner,
                        1,
                        1,
                        fill=False,
                        edgecolor=colour,
                        linewidth=width,
                        zorder=5,
                        clip_on=False,
                        gid="winner",
                    )
                )


def _finish_map(figure: "Figure", axes: "Axes", sweep: Sweep, results: dict[int, float]) -> None:
    """The legend of a map: what is outlined, and what the cells without a number are."""
    entries: Entries = []
    winner = sweep.winner
    if winner is not None and winner.point in results:
        (line,) = axes.plot([], [], "s", markerfacecolor="none", markeredgecolor=DIVERGED, markeredgewidth=3)
        entries.append((line, f"winner: {number(results[winner.point], 4)}"))
    for name, points in without_result(sweep, results):
        (line,) = axes.plot([], [], "s", color="#BFBFBF", markeredgecolor="#8C8C8C")
        hatched = ", hatched" if name == "diverged" else ""
        entries.append((line, f"{name} ({len(points)}{hatched})"))
    if entries:
        finish(figure, axes, entries)
