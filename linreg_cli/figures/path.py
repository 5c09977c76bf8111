"""The way of gradient descent over the loss: on a curve for one parameter, on contours and a surface for two."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from linreg_cli.figures.canvas import (
    HUGE,
    SMALL,
    blank,
    empty,
    finish,
    near,
    set_axis,
    set_limits,
    style,
    thinned,
)
from linreg_cli.figures.labels import fitted, width_in_inches
from linreg_cli.figures.looks import COLOURS, MARKERS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from linreg_cli.figures.canvas import Entries

#: Contours, and points of the grid along each axis.
_LEVELS, _GRID, _SURFACE = 14, 120, 45
#: The distance between markers, as a share of the picture.
_APART = 0.012
#: Both axes have one scale where the ratio of their extents is above this, and its inverse too; how tall the contours
#: are, in inches.
_EQUAL, _TALL = 0.4, 3.9
#: The room around the steps, as a share of their range.
_ROOM = 0.25
#: The size of the labels of the surface, in points.
_TICKS = 0.72 * SMALL
#: A rise of the loss along one coordinate, as a share of that along the other, that is rounding error.
_NEGLIGIBLE = 1e-10


@dataclass(frozen=True)
class Landscape:
    """The loss as a function of one parameter, or of two coordinates.

    Attributes:
        loss: points, shape (n, d) with d of 1 or 2, to losses, shape (n,).
        optimum: where the loss is lowest, shape (d,); None if that is not known or not unique.
        names: of the d coordinates, with their units.
        loss_name: for the axis.
        short_names: of the d coordinates, where there is little room; empty: as `names`.
    """

    loss: Callable[[np.ndarray], np.ndarray]
    optimum: np.ndarray | None
    names: tuple[str, ...]
    loss_name: str
    short_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Descent:
    """The steps of one run.

    Attributes:
        label: of the run.
        steps: the start, and the position after each epoch, shape (m, d).
        end: how the run ended, if it diverged, such as `diverged at step 12`.
    """

    label: str
    steps: np.ndarray
    end: str = ""


def path_figure(land: Landscape, runs: Sequence[Descent], *, title: str, note: str = "") -> "Figure":
    """The steps of one run or several over the loss.

    The picture shows the start, the optimum and the steps of the runs that ended below their start. The steps of the
    others leave it.

    Args:
        land: the loss.
        runs: at least one; all with the dimensions of the landscape.
        title: above the picture.
        note: below the title, such as what the plane is.
    """
    draw = _curve if len(land.names) == 1 else _plane
    with style():
        return draw(land, runs, title, note)


def _finite(steps: np.ndarray) -> np.ndarray:
    kept: np.ndarray = steps[np.all(np.abs(steps) <= HUGE, axis=1)]
    return kept


def _box(land: Landscape, runs: Sequence[Descent]) -> tuple[np.ndarray, np.ndarray]:
    """The lower and the upper end of each coordinate in view, shape (d,) each."""
    shown = [run.steps[:1] for run in runs] + ([] if land.optimum is None else [land.optimum[None]])
    for run in runs:
        steps = _finite(run.steps)
        losses = land.loss(steps)
        shown.append(steps if losses[-1] <= losses[0] else steps[:2])
    points = np.concatenate(shown)
    low, high = points.min(axis=0), points.max(axis=0)
    size = np.where(high > low, high - low, np.maximum(np.abs(high), 1.0) * 0.5)
    middle, size = (low + high) / 2, _widened(land, size)
    low, high = middle - (0.5 + _ROOM) * size, middle + (0.5 + _ROOM) * size
    if land.optimum is not None:  # all around the optimum, where the contours close
        reach = np.maximum(np.abs(low - land.optimum), np.abs(high - land.optimum))
        low, high = np.minimum(low, land.optimum - 0.55 * reach), np.maximum(high, land.optimum + 0.55 * reach)
    return low, high


def _widened(land: Landscape, size: np.ndarray) -> np.ndarray:
    """The extent of the steps, shape (d,); of a coordinate that does not change but for rounding, as much as is seen.

    There the loss would look like a gutter, along an axis of 1e-9: it is widened until the loss rises by a twentieth of
    its rise along the other coordinate.
    """
    if land.optimum is None or len(size) < 2:
        return size
    far = float(size.max())
    curvature = (land.loss(land.optimum + far * np.eye(len(size))) - land.loss(land.optimum[None])) / far**2
    rise = curvature * size**2
    flat = (rise < _NEGLIGIBLE * rise.max()) & (curvature > 0)
    wide = np.sqrt(0.05 * rise.max() / np.where(flat, curvature, 1.0))
    found: np.ndarray = np.where(flat, wide, size)
    return found


def _look(position: int, steps: np.ndarray, size: np.ndarray, alone: bool) -> dict[str, Any]:
    """Colour and markers of a path; a step has a marker if it is far enough from the last one that has.

    Args:
        position: of the run.
        steps: shape (m, d).
        size: of the picture in the units of the steps, shape (d,).
        alone: whether there is one run.
    """
    marked, last = [], np.full(steps.shape[1], np.inf)
    for at, step in enumerate(steps / size):
        if not np.abs(step - last).max() < _APART:
            marked.append(at)
            last = step
    colour = "#B00020" if alone else COLOURS[position % len(COLOURS)]
    marker = "o" if alone else MARKERS[position % len(MARKERS)]
    width = 6.5 if len(marked) <= 30 else 4.5
    return {"color": colour, "marker": marker, "markersize": width, "markevery": marked, "linewidth": 1.5, "zorder": 4}


def _label(run: Descent, inside: np.ndarray, alone: bool) -> str:
    notes = [run.end] * bool(run.end) + ["leaves the picture"] * (not inside.all())
    what = "steps" if alone else run.label
    return f"{what} ({', '.join(notes)})" if notes else what


def _seen(steps: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """The steps up to the second of two outside; what a run that diverges does then would cover the others.

    Args:
        steps: shape (m, d).
        inside: whether each is in the picture, shape (m,).
    """
    out = np.flatnonzero(~inside[1:] & ~inside[:-1])
    shown: np.ndarray = steps[: out[0] + 2] if len(out) else steps
    return shown


def _curve(land: Landscape, runs: Sequence[Descent], title: str, note: str) -> "Figure":
    figure, axes = blank(title, land.names[0], land.loss_name)
    low, high = (float(end[0]) for end in _box(land, runs))
    x = np.linspace(low, high, 401)
    heights = land.loss(x[:, None])
    (line,) = axes.plot(
        x, heights, color="#0072B2" if len(runs) == 1 else "#7F7F7F", linewidth=2.4, zorder=2, gid="curve"
    )
    entries: Entries = [(line, "loss")]
    for position, run in enumerate(runs):
        steps = _finite(run.steps)
        inside = (steps[:, 0] >= low) & (steps[:, 0] <= high)
        steps = _seen(steps, inside)
        (drawn,) = axes.plot(
            steps[:, 0], land.loss(steps), **_look(position, steps, np.array([high - low]), len(runs) == 1)
        )
        drawn.set_gid(f"path-{position}")
        entries.append((drawn, _label(run, inside, len(runs) == 1)))
    _optimum(axes, land, land.loss(land.optimum[None]) if land.optimum is not None else None, entries)
    ticks, _ = near(low, high)
    set_axis(axes, "x", ticks[(ticks >= low) & (ticks <= high)], limits=(low, high))
    set_limits(axes, "y", float(heights.min()), float(heights.max()), few=False)
    _note(axes, note)
    finish(figure, axes, entries)
    return figure


def _optimum(axes: "Axes", land: Landscape, height: np.ndarray | None, entries: "Entries") -> None:
    if land.optimum is None:
        return
    y = land.optimum[1] if height is None or len(land.optimum) == 2 else float(height[0])
    (star,) = axes.plot(float(land.optimum[0]), float(y), "*", color="black", markersize=15, zorder=5, gid="optimum")
    star.set(linestyle="")
    entries.append((star, "optimum"))


def _note(axes: "Axes", note: str) -> None:
    if note:
        text, font = fitted(note, 0.85 * SMALL, 8.6)
        axes.set_title(text, **font)


def _plane(land: Landscape, runs: Sequence[Descent], title: str, note: str) -> "Figure":
    figure = empty(title, 6.2 if len(runs) == 1 else 7.0)
    halves = figure.add_gridspec(1, 2, wspace=0.24) if len(runs) == 1 else None
    axes = figure.add_subplot() if halves is None else figure.add_subplot(halves[0])
    low, high = _box(land, runs)
    side = [np.linspace(low[k], high[k], _GRID) for k in (0, 1)]
    grid = np.stack(np.meshgrid(*side), axis=-1)
    heights = land.loss(grid.reshape(-1, 2)).reshape(_GRID, _GRID)
    bottom = float(land.loss(land.optimum[None])[0]) if land.optimum is not None else float(heights.min())
    # Contours at equal steps of the distance from the optimum, on which the loss grows with the square.
    levels = bottom + (float(heights.max()) - bottom) * np.linspace(0, 1, _LEVELS + 1)[1:] ** 2
    if len(np.unique(levels)) == len(levels):
        axes.contourf(
            *side,
            heights,
            levels=[bottom - 1e-9 * abs(bottom) - 1e-300, *levels],
            colors=_shades(len(levels), alone=len(runs) == 1),
            zorder=1,
        )
        axes.contour(
            *side,
            heights,
            levels=levels[:-1],
            colors="#3A6F96" if len(runs) == 1 else "#7F7F7F",
            linewidths=0.9,
            zorder=2,
        )
    entries: Entries = []
    for position, run in enumerate(runs):
        steps = _finite(run.steps)
        inside = np.all((steps >= low) & (steps <= high), axis=1)
        steps = _seen(steps, inside)
        (drawn,) = axes.plot(*steps.T, **_look(position, steps, high - low, len(runs) == 1))
        drawn.set_gid(f"path-{position}")
        entries.append((drawn, _label(run, inside, len(runs) == 1)))
    (start,) = axes.plot(*runs[0].steps[0], "s", color="black", markersize=9, zorder=5, gid="start")
    start.set(markerfacecolor="white", linestyle="")
    entries.append((start, "start"))
    _optimum(axes, land, None, entries)
    inches, ratio = 3.0 if len(runs) == 1 else 7.4, float((high[0] - low[0]) / (high[1] - low[1]))
    if _EQUAL < ratio < 1 / _EQUAL:
        axes.set_aspect("equal", adjustable="box")
        inches = min(inches, _TALL * ratio)
    for which, k in (("x", 0), ("y", 1)):
        ticks, _ = near(float(low[k]), float(high[k]))
        set_axis(axes, which, ticks[(ticks >= low[k]) & (ticks <= high[k])], inches, (float(low[k]), float(high[k])))
    width = 3.6 if len(runs) == 1 else 7.0
    axes.set_xlabel(*fitted(land.names[0], SMALL, width))
    axes.set_ylabel(*fitted(land.names[1], SMALL, 4.2))
    axes.grid(visible=False)
    if note:
        text, font = _two(title, note)
        figure.suptitle(text, **font)
    if halves is not None:
        _surface(figure, halves[1], land, runs[0], low, high)
    finish(figure, axes, entries)
    return figure


def _two(title: str, note: str) -> tuple[str, dict[str, Any]]:
    text, font = fitted(title, 0.9 * 19.0, 9.2, lines=2)
    below, _ = fitted(note, 0.9 * 19.0, 9.2, lines=2)
    return f"{text}\n{below}", {**font, "fontsize": 0.85 * font["fontsize"]}


def _shades(count: int, alone: bool) -> list[tuple[float, float, float]]:
    """From near white at the optimum to blue, or to grey where runs have colours; pale enough for what is drawn on."""
    share = np.linspace(0, 1, count)[:, None]
    darkest = np.array([0.50, 0.69, 0.84] if alone else [0.78, 0.78, 0.78])
    colours = (1 - share) * np.array([0.97, 0.985, 1.0] if alone else [1.0, 1.0, 1.0]) + share * darkest
    return [tuple(colour) for colour in colours.tolist()]


def _surface(figure: "Figure", where: Any, land: Landscape, run: Descent, low: np.ndarray, high: np.ndarray) -> None:
    """The loss as a surface in three dimensions, with the steps on it."""
    axes: Any = figure.add_subplot(where, projection="3d", computed_zorder=False)
    axes.set_facecolor("none")  # its box covers the last label of the axis beside it
    axes.set_box_aspect(None, zoom=0.9)  # its labels, which are outside the box, stay in its half of the picture
    axes.set_in_layout(False)  # before 3.11, matplotlib takes its extent for so large that nothing else has room
    side = [np.linspace(low[k], high[k], _SURFACE) for k in (0, 1)]
    across, along = np.meshgrid(*side)
    heights = land.loss(np.stack([across, along], axis=-1).reshape(-1, 2)).reshape(_SURFACE, _SURFACE)
    axes.plot_surface(
        across,
        along,
        heights,
        color="#A9CCE3",
        alpha=0.8,
        shade=False,
        linewidth=0.3,
        edgecolor="#3A6F96",
        rcount=28,
        ccount=28,
    )
    steps = _finite(run.steps)
    steps = steps[np.all((steps >= low) & (steps <= high), axis=1)]
    look = _look(0, steps, high - low, alone=True)
    axes.plot(*steps.T, land.loss(steps), **{**look, "markersize": 4, "zorder": 10})
    for which, k in (("x", 0), ("y", 1)):
        ticks, _ = near(float(low[k]), float(high[k]))
        first = low[k] + 0.16 * (high[k] - low[k])  # further left, it covers the plane or a label of the other axis
        ticks = ticks[(ticks >= first) & (ticks <= high[k])]
        set_axis(axes, which, thinned(ticks, 3), 1.8, (float(low[k]), float(high[k])))
        name, font = fitted((land.short_names or land.names)[k], 0.8 * SMALL, 1.9, lines=1)
        pad = _beside(axes, which)
        getattr(axes, f"set_{which}label")(name, font, labelpad=8 + 1.2 * pad)
        axes.tick_params(which, pad=pad)
    ticks, limits = near(float(heights.min()), float(heights.max()))
    set_axis(axes, "z", thinned(ticks, 4), limits=limits)
    axes.tick_params("z", pad=2 + _beside(axes, "z", _TICKS))
    text, font = fitted(land.loss_name, 0.75 * SMALL, 3.0, lines=2)
    axes.set_title(text, **font)  # a label beside the axis would be cut off
    axes.tick_params(labelsize=_TICKS)
    axes.view_init(elev=32, azim=-60)


def _beside(axes: Any, which: str, narrow: float = 2.2 * _TICKS) -> float:
    """The distance of labels from an axis in three dimensions, in points.

    They are centred, and those wider than `narrow`, in points, would cover it.
    """
    labels = [text.get_text() for text in getattr(axes, f"get_{which}ticklabels")()]
    widest = 72 * max((width_in_inches(label, _TICKS) for label in labels), default=0.0)
    return max(0.0, 0.4 * (widest - narrow))
