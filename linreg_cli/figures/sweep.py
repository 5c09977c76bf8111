"""The picture of a sweep: a curve for one key with numbers, a map for two keys, else the points in order of rank."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from linreg_cli.figures.canvas import (
    HUGE,
    LABEL,
    SMALL,
    blank,
    finish,
    render,
    set_limits,
    set_log_axis,
    set_names,
    style,
)
from linreg_cli.figures.labels import fitted
from linreg_cli.figures.library import drawing
from linreg_cli.figures.looks import COLOURS, DASHES
from linreg_cli.figures.sweep_map import map_figure
from linreg_cli.figures.sweep_parts import DIVERGED, WIDE, results_of, title_of, without_result
from linreg_cli.sweeps.found import is_number, shown
from linreg_cli.sweeps.store import Point, Sweep
from linreg_cli.wording import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from linreg_cli.figures.canvas import Entries

_LR = "optimizer.lr"
#: The points that are ranked in a picture; the others are counted.
MOST = 30
_GOOD, _BEST = COLOURS[0], "#000000"


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
    return map_figure(sweep) if len(sweep.grid) == 2 else _ranked(sweep)


def _position(point: Point, key: str) -> float | None:
    """Where a point is on the axis of a key; of a rate that `auto` chose, the rate."""
    value: Any = point.overrides[key]
    value = point.lr if value == "auto" and key == _LR else value
    return float(value) if is_number(value) and abs(value) <= HUGE else None


def _curve(sweep: Sweep, key: str) -> "Figure":
    results = results_of(sweep)
    entries: Entries = []
    with style():
        figure, axes = blank(title_of(sweep), key, sweep.metric)
        places = {each.point: x for each in sweep.points if (x := _position(each, key)) is not None}
        xs = sorted(places.values())
        is_log = xs[0] > 0 and xs[-1] / xs[0] >= WIDE
        order = sorted((point for point in results if point in places), key=lambda point: places[point])
        xy = [places[point] for point in order], [results[point] for point in order]
        look: dict[str, Any] = {"color": _GOOD, "marker": "o", "markersize": 9, "linewidth": 2.4, "gid": "points"}
        (line,) = axes.plot(*xy, markeredgecolor="white", zorder=3, **look)
        entries.append((line, f"{sweep.metric}, {len(order)} of {len(sweep.points)} points"))
        _mark_gates(axes, sweep, {point: (places[point], results[point]) for point in order}, entries)
        _mark_winner(axes, sweep, results, places, entries)
        limits = _lines_of_rates(axes, sweep, key, (xs[0], xs[-1]), entries, is_log=is_log)
        _mark_without(axes, sweep, results, places, entries)
        _set_x(axes, min([*xs, *limits]), max([*xs, *limits]), is_log=is_log, label=key)
        if order:
            _set_metric(axes, "y", xy[1], sweep.metric)
            _make_room(axes, below=sweep.highest)
        else:
            axes.set_yticks([])
        finish(figure, axes, entries)
    return figure


def _mark_gates(axes: "Axes", sweep: Sweep, places: dict[int, tuple[float, float]], entries: "Entries") -> None:
    """Draw points hollow whose runs fail a gate: they cannot win."""
    failed = [place for point, place in places.items() if sweep.points[point - 1].gates is False]
    if failed:
        look: dict[str, Any] = {"markerfacecolor": "white", "markeredgecolor": _GOOD, "markeredgewidth": 2.0}
        (line,) = axes.plot(*zip(*failed, strict=True), "o", markersize=8.5, zorder=3.5, gid="gates", **look)
        entries.append((line, f"a gate failed ({len(failed)})"))


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
        colour, dashes = (COLOURS[2], DASHES[4]) if is_auto else (DIVERGED, DASHES[(index + 1) % len(DASHES)])
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
    """Mark the points without a result along the edge where the metric is worst."""
    edge, inwards = (0.035, -0.05) if sweep.highest else (0.965, 0.05)
    for index, (name, points) in enumerate(without_result(sweep, results)):
        x = [places[each.point] for each in points if each.point in places]
        colour, marker = (DIVERGED, "X") if name == "diverged" else ("#4D4D4D", "v")
        (line,) = axes.plot(
            x, [edge - inwards * index] * len(x), marker, color=colour, markersize=12, markeredgecolor="white",
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
    if low > 1 / HUGE and high / low >= WIDE:
        set_log_axis(axes, low, high, which)
        axes.set(**{f"{which}label": ""})
        getattr(axes, f"set_{which}label")(*fitted(f"{label} (log scale)", LABEL, inches))
    else:
        set_limits(axes, which, low, high, few=False)


def _make_room(axes: "Axes", *, below: bool) -> None:
    """Widen the axis of the metric for the marks along its edge."""
    bottom, top = axes.get_ylim()
    share = 0.08
    if axes.get_yscale() == "log":
        factor = (top / bottom) ** share
        axes.set_ylim(*((bottom / factor, top) if below else (bottom, top * factor)))
    else:
        more = share * (top - bottom)
        axes.set_ylim(*((bottom - more, top) if below else (bottom, top + more)))


def _ranked(sweep: Sweep) -> "Figure":
    """The points from the best to the worst, those without a result last."""
    results = results_of(sweep)
    order = sorted(results, key=lambda point: -results[point] if sweep.highest else results[point])
    rest = [each.point for _, points in without_result(sweep, results) for each in points]
    drawn = [*order, *rest][:MOST]
    names = [_short(sweep.points[point - 1]) for point in drawn]
    entries: Entries = []
    with style():
        figure, axes = blank(title_of(sweep), sweep.metric, "", height=max(4.6, 2.6 + 0.36 * len(drawn)))
        at = {point: position for position, point in enumerate(drawn)}
        shown_results = {point: results[point] for point in drawn if point in results}
        (line,) = axes.plot(
            list(shown_results.values()), [at[point] for point in shown_results], "o", color=_GOOD, markersize=10,
            markeredgecolor="white", zorder=3, gid="points",
        )  # fmt: skip
        entries.append((line, f"{sweep.metric}, {len(results)} of {len(sweep.points)} points"))
        _mark_gates(axes, sweep, {point: (results[point], at[point]) for point in shown_results}, entries)
        winner = sweep.winner
        if winner is not None and winner.point in shown_results:
            (ring,) = axes.plot(
                [results[winner.point]], [at[winner.point]], "o", markersize=18, markerfacecolor="none",
                markeredgecolor=_BEST, markeredgewidth=2.2, zorder=4, gid="winner",
            )  # fmt: skip
            entries.append((ring, f"winner: {number(results[winner.point], 4)}"))
        edge = 0.015 if sweep.highest else 0.985  # where the metric is worst
        for name, points in without_result(sweep, results):
            ys = [at[each.point] for each in points if each.point in at]
            colour, marker = (DIVERGED, "X") if name == "diverged" else ("#4D4D4D", "v")
            (line,) = axes.plot(
                [edge] * len(ys), ys, marker, color=colour, markersize=12, markeredgecolor="white",
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
