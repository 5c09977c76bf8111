"""The picture of a sweep: a curve for one key with numbers, a map for two keys, else the points in order of rank."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from linreg_cli.figures.canvas import (
    HUGE,
    LABEL,
    SMALL,
    blank,
    empty,
    finish,
    log_ticks,
    render,
    set_limits,
    set_log_axis,
    set_names,
    style,
)
from linreg_cli.figures.labels import fitted
from linreg_cli.figures.library import drawing
from linreg_cli.figures.looks import COLOURS, DASHES
from linreg_cli.sweeps.found import is_number, shown
from linreg_cli.sweeps.store import Point, Sweep
from linreg_cli.wording import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from linreg_cli.figures.canvas import Entries

_LR = "optimizer.lr"
#: Values with this ratio are on a logarithmic axis, or have logarithmic colours.
_WIDE = 20.0
#: The most values of a key that are named beside a map.
_NAMED = 24
#: The points that are ranked in a picture; the others are counted.
MOST = 30
#: Up to so many cells in a row the numbers are written into them.
_WRITTEN = 10
_GOOD, _BAD, _BEST = COLOURS[0], "#D55E00", "#000000"


def sweep_picture(sweep: Sweep, format: str = "png") -> bytes:
    """The picture as `png`, `svg` or `pdf`.

    Raises:
        PlotError: if matplotlib cannot draw.
    """
    with drawing():
        return render(sweep_figure(sweep), format)


def sweep_figure(sweep: Sweep) -> "Figure":
    """The metric of a sweep against what it varies.

    One key whose values are numbers: a curve. Two keys: a map with a cell for each pair of values. Other keys, and more
    of them: the points from the best to the worst. Points without a result are marked and counted.
    """
    if len(sweep.grid) == 1 and sum(_position(each, next(iter(sweep.grid))) is not None for each in sweep.points) > 1:
        [key] = sweep.grid
        if all(is_number(value) or (key == _LR and value == "auto") for value in sweep.grid[key]):
            return _curve(sweep, key)
    return _map(sweep) if len(sweep.grid) == 2 else _ranked(sweep)


def _title(sweep: Sweep) -> str:
    return f"Sweep {sweep.id}: {sweep.metric}, {'highest' if sweep.highest else 'lowest'} is best"


def _position(point: Point, key: str) -> float | None:
    """Where a point is on the axis of a key; of a rate that `auto` chose, the rate."""
    value: Any = point.overrides[key]
    value = point.lr if value == "auto" and key == _LR else value
    return float(value) if is_number(value) and abs(value) <= HUGE else None


def _results(sweep: Sweep) -> dict[int, float]:
    """Number of a point -> its metric, where it has one that can be drawn."""
    return {
        each.point: each.metric for each in sweep.of("finished") if each.metric is not None and abs(each.metric) <= HUGE
    }


def _without(sweep: Sweep, results: dict[int, float]) -> list[tuple[str, list[Point]]]:
    """What the points without a result are called, with those points."""
    groups: dict[str, list[Point]] = {}
    for each in sweep.points:
        if each.point not in results:
            groups.setdefault("no value" if each.status == "finished" else each.status, []).append(each)
    return list(groups.items())


def _curve(sweep: Sweep, key: str) -> "Figure":
    results = _results(sweep)
    entries: Entries = []
    with style():
        figure, axes = blank(_title(sweep), key, sweep.metric)
        places = {each.point: x for each in sweep.points if (x := _position(each, key)) is not None}
        xs = sorted(places.values())
        is_log = xs[0] > 0 and xs[-1] / xs[0] >= _WIDE
        order = sorted((point for point in results if point in places), key=lambda point: places[point])
        xy = [places[point] for point in order], [results[point] for point in order]
        look: dict[str, Any] = {"color": _GOOD, "marker": "o", "markersize": 9, "linewidth": 2.4, "gid": "points"}
        (line,) = axes.plot(*xy, markeredgecolor="white", zorder=3, **look)
        entries.append((line, f"{sweep.metric}, {len(order)} of {len(sweep.points)} points"))
        _mark_winner(axes, sweep, results, places, entries)
        limits = _lines_of_rates(axes, sweep, key, (xs[0], xs[-1]), entries, is_log=is_log)
        _mark_without(axes, sweep, results, places, entries)
        _set_x(axes, min([*xs, *limits]), max([*xs, *limits]), is_log=is_log, label=key)
        if order:
            _set_metric(axes, "y", xy[1], sweep.metric)
        else:
            axes.set_yticks([])
        finish(figure, axes, entries)
    return figure


def _mark_winner(
    axes: "Axes", sweep: Sweep, results: dict[int, float], places: dict[int, float], entries: "Entries"
) -> None:
    """Draw a ring around the winner."""
    winner = sweep.winner
    if winner is None or winner.point not in results or winner.point not in places:
        return
    y = results[winner.point]
    (ring,) = axes.plot(
        [places[winner.point]], [y], "o", markersize=19, markerfacecolor="none", markeredgecolor=_BEST,
        markeredgewidth=2.2, zorder=4, gid="winner",
    )  # fmt: skip
    value = " and ".join(shown(each) for each in winner.overrides.values())
    entries.append((ring, f"winner: {value}, with {number(y, 4)}"))


def _lines_of_rates(
    axes: "Axes", sweep: Sweep, key: str, span: tuple[float, float], entries: "Entries", *, is_log: bool
) -> list[float]:
    """Draw the limits of the learning rate, and what `auto` would choose; returns the rates that the axis must show."""
    if key != _LR:
        return []
    rates = [(each["rate"], f"limit of the rate, {each['covers']}: {number(each['rate'], 4)}") for each in sweep.limits]
    chosen = ((sweep.auto or {}).get("lr") or {}).get("value")
    rates += [(chosen, f"auto would choose {number(chosen, 4)}")] if chosen else []
    low, high = span
    near = (low / 10, high * 10) if is_log else (low - (high - low), high + (high - low))
    inside = []
    for index, (rate, label) in enumerate(rates):
        is_auto = chosen is not None and index == len(rates) - 1
        colour, dashes = (COLOURS[2], DASHES[4]) if is_auto else (_BAD, DASHES[(index + 1) % len(DASHES)])
        is_near = near[0] <= rate <= near[1] and (rate > 0 or not is_log)
        (line,) = axes.plot([], [], color=colour, linestyle=dashes, linewidth=2.4, gid=f"rate-{index}")
        if is_near:
            line.set_data([rate, rate], [0, 1])
            line.set(transform=axes.get_xaxis_transform(), zorder=2)
            inside.append(float(rate))
        entries.append((line, label if is_near else f"{label} (beyond the axis)"))
    return inside


def _mark_without(
    axes: "Axes", sweep: Sweep, results: dict[int, float], places: dict[int, float], entries: "Entries"
) -> None:
    """Mark the points without a result along the upper edge."""
    for index, (name, points) in enumerate(_without(sweep, results)):
        x = [places[each.point] for each in points if each.point in places]
        colour, marker = (_BAD, "X") if name == "diverged" else ("#4D4D4D", "v")
        (line,) = axes.plot(
            x, [0.965 - 0.05 * index] * len(x), marker, color=colour, markersize=12, markeredgecolor="white",
            clip_on=False, transform=axes.get_xaxis_transform(), zorder=4, gid=name,
        )  # fmt: skip
        entries.append((line, f"{name} ({len(points)})"))


def _set_x(axes: "Axes", low: float, high: float, *, is_log: bool, label: str) -> None:
    if is_log:
        set_log_axis(axes, low, high, "x")
        axes.set_xlabel(*fitted(f"{label} (log scale)", LABEL, 7.0))
    else:
        set_limits(axes, "x", low, high, few=False)


def _set_metric(axes: "Axes", which: str, values: Sequence[float], label: str, inches: float = 4.6) -> None:
    low, high = min(values), max(values)
    if low > 1 / HUGE and high / low >= _WIDE:
        set_log_axis(axes, low, high, which)
        axes.set(**{f"{which}label": ""})
        getattr(axes, f"set_{which}label")(*fitted(f"{label} (log scale)", LABEL, inches))
    else:
        set_limits(axes, which, low, high, few=False)
    if which == "y":  # room for the marks along the upper edge
        bottom, top = axes.get_ylim()
        share = 0.08
        if axes.get_yscale() == "log":
            axes.set_ylim(bottom, top * (top / bottom) ** share)
        else:
            axes.set_ylim(bottom, top + share * (top - bottom))


def _map(sweep: Sweep) -> "Figure":
    """A cell for each pair of values: dark is good."""
    from matplotlib.colors import LogNorm, Normalize

    rows_key, columns_key = sweep.grid
    results = _results(sweep)
    rows, columns = (_ordered(sweep.grid[key]) for key in (rows_key, columns_key))
    cells = np.full((len(rows), len(columns)), np.nan)
    at: dict[tuple[int, int], Point] = {}
    for each in sweep.points:
        place = rows.index(each.overrides[rows_key]), columns.index(each.overrides[columns_key])
        at[place] = each
        cells[place] = results.get(each.point, np.nan)
    values = cells[np.isfinite(cells)]
    with style():
        figure = empty(_title(sweep), min(11.0, max(5.2, 2.8 + 0.75 * len(rows))))
        axes = figure.add_subplot()
        is_log = len(values) > 0 and values.min() > 1 / HUGE and values.max() / values.min() >= _WIDE
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
            for width, colour in ((6.5, "white"), (3.5, _BAD)):
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
        (line,) = axes.plot([], [], "s", markerfacecolor="none", markeredgecolor=_BAD, markeredgewidth=3)
        entries.append((line, f"winner: {number(results[winner.point], 4)}"))
    for name, points in _without(sweep, results):
        (line,) = axes.plot([], [], "s", color="#BFBFBF", markeredgecolor="#8C8C8C")
        hatched = ", hatched" if name == "diverged" else ""
        entries.append((line, f"{name} ({len(points)}{hatched})"))
    if entries:
        finish(figure, axes, entries)


def _ranked(sweep: Sweep) -> "Figure":
    """The points from the best to the worst, those without a result last."""
    results = _results(sweep)
    order = sorted(results, key=lambda point: -results[point] if sweep.highest else results[point])
    rest = [each.point for _, points in _without(sweep, results) for each in points]
    drawn = [*order, *rest][:MOST]
    names = [_short(sweep.points[point - 1]) for point in drawn]
    entries: Entries = []
    with style():
        figure, axes = blank(_title(sweep), sweep.metric, "", height=max(4.6, 2.6 + 0.36 * len(drawn)))
        at = {point: position for position, point in enumerate(drawn)}
        shown_results = {point: results[point] for point in drawn if point in results}
        (line,) = axes.plot(
            list(shown_results.values()), [at[point] for point in shown_results], "o", color=_GOOD, markersize=10,
            markeredgecolor="white", zorder=3, gid="points",
        )  # fmt: skip
        entries.append((line, f"{sweep.metric}, {len(results)} of {len(sweep.points)} points"))
        winner = sweep.winner
        if winner is not None and winner.point in shown_results:
            (ring,) = axes.plot(
                [results[winner.point]], [at[winner.point]], "o", markersize=18, markerfacecolor="none",
                markeredgecolor=_BEST, markeredgewidth=2.2, zorder=4, gid="winner",
            )  # fmt: skip
            entries.append((ring, f"winner: {number(results[winner.point], 4)}"))
        for name, points in _without(sweep, results):
            ys = [at[each.point] for each in points if each.point in at]
            colour, marker = (_BAD, "X") if name == "diverged" else ("#4D4D4D", "v")
            (line,) = axes.plot(
                [0.985] * len(ys), ys, marker, color=colour, markersize=12, markeredgecolor="white",
                transform=axes.get_yaxis_transform(), zorder=4, gid=name,
            )  # fmt: skip
            entries.append((line, f"{name} ({len(points)})"))
        if shown_results:
            _set_metric(axes, "x", list(shown_results.values()), sweep.metric, 7.0)
        set_names(axes, "y", names, SMALL if len(drawn) <= 20 else 0.8 * SMALL, 4.2)
        axes.set_ylim(len(drawn) - 0.4, -0.6)  # the best on top
        axes.grid(visible=False, axis="y")
        if len(drawn) < len(sweep.points):
            axes.set_title(f"{len(drawn)} of {len(sweep.points):,} points", fontsize=0.9 * SMALL)
        finish(figure, axes, entries)
    return figure


def _short(point: Point) -> str:
    """The overrides of a point, the keys without their sections."""
    return ", ".join(f"{key.rpartition('.')[2]} {shown(value)}" for key, value in point.overrides.items())
