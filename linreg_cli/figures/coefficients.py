"""A picture of the coefficients of one run or several, with intervals."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from linreg_cli.figures.canvas import HUGE, SMALL, SPLITS, blank, finish, set_limits, set_names, style
from linreg_cli.figures.looks import COLOURS, MARKERS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from linreg_cli.figures.canvas import Entries

#: The coefficients that are drawn; the others are counted.
MOST = 40
#: Inches of height for each coefficient, and around them.
_ROW, _AROUND, _LOWEST = 0.34, 2.6, 4.2


@dataclass(frozen=True)
class CoefficientSet:
    """The coefficients of one run and one target, each as the change of the target for one standard deviation of x.

    All arrays have shape (n_features,), float64, in units of the target; NaN where a value is not known.

    Attributes:
        label: the run, for the legend.
        names: of the features.
        trained: w_j s_j, where s_j is the standard deviation of the feature over the train split.
        exact: the same at the exact fit.
        low: the lower end of the 95 % interval of the exact fit.
        high: its upper end.
        true: the same from the true weights of generated data.
        end: of a run that has no coefficients, and no names: how it ended, such as `diverged at step 12`.
    """

    label: str
    names: tuple[str, ...]
    trained: np.ndarray
    exact: np.ndarray
    low: np.ndarray
    high: np.ndarray
    true: np.ndarray
    end: str = ""

    @classmethod
    def of_diverged(cls, label: str, end: str) -> "CoefficientSet":
        """Of a run that diverged, which is only named."""
        none = np.empty(0)
        return cls(label, (), none, none, none, none, none, end)


def coefficient_figure(sets: Sequence[CoefficientSet], *, target: str, title: str) -> "Figure":
    """Coefficients with their 95 % intervals, the largest first; of several runs beside each other.

    Several runs that have the same exact fit show it once.

    Args:
        sets: one for each run; at least one.
        target: name and units of the target, for the axis.
        title: above the picture.
    """
    names = list(dict.fromkeys(name for each in sets for name in each.names))
    size = {name: max(_size(each, name) for each in sets) for name in names}
    shown = sorted(names, key=lambda name: -size[name])[:MOST]
    shared = len(sets) > 1 and all(_same_exact_fit(sets[0], each) for each in sets)
    with style():
        height = max(_LOWEST, _AROUND + _ROW * len(shown) * (1 if len(sets) == 1 else max(1.4, 0.35 * len(sets))))
        label = f"change of {target} for one standard deviation of the feature"
        figure, axes = blank(title, label, "", height=height)
        entries: Entries = []
        for position, each in enumerate(sets):
            entries += _draw(axes, each, shown, position, len(sets), shared=shared)
        values = [x for line in axes.lines for x in np.atleast_1d(line.get_xdata()) if abs(x) <= HUGE]
        if values:
            set_limits(axes, "x", min(0.0, *values), max(0.0, *values), few=False)
            axes.axvline(0, color="#808080", linewidth=1.2, zorder=1.5)
        set_names(axes, "y", shown, SMALL if len(shown) <= 25 else 0.8 * SMALL, 3.0)
        axes.set_ylim(len(shown) - 0.4, -0.6)  # the first one on top
        axes.grid(visible=False, axis="y")
        if len(names) > len(shown):
            axes.set_title(f"the {len(shown)} largest of {len(names):,}", fontsize=0.9 * SMALL)
        finish(figure, axes, entries)
    return figure


def _same_exact_fit(one: CoefficientSet, other: CoefficientSet) -> bool:
    """Whether two runs have one exact fit, or one of them none."""
    if not other.names:
        return True
    pairs = ((one.exact, other.exact), (one.low, other.low), (one.high, other.high))
    return one.names == other.names and all(np.allclose(a, b, rtol=1e-9, equal_nan=True) for a, b in pairs)


def _size(each: CoefficientSet, name: str) -> float:
    """What a coefficient is sorted by: the larger of its trained and exact sizes; 0 where there is none."""
    if name not in each.names:
        return 0.0
    at = each.names.index(name)
    return float(np.nanmax(np.nan_to_num(np.abs([each.trained[at], each.exact[at]]), posinf=0.0)))


def _draw(
    axes: "Axes", each: CoefficientSet, shown: Sequence[str], position: int, n_sets: int, *, shared: bool
) -> "Entries":
    alone = n_sets == 1
    at = [each.names.index(name) for name in shown if name in each.names]
    middle = np.array([row for row, name in enumerate(shown) if name in each.names], dtype=float)
    y = middle + (0.0 if alone else (position - (n_sets - 1) / 2) * min(0.7 / n_sets, 0.2))
    colour = SPLITS["train"][0] if alone else COLOURS[position % len(COLOURS)]
    marker = "o" if alone else MARKERS[position % len(MARKERS)]
    who = "" if alone else f"{each.label}, "
    if not each.names:
        (line,) = axes.plot([], [], marker, color=colour, markersize=7)
        return [(line, f"{each.label} ({each.end}, so it has no coefficients)")]
    entries: Entries = []
    if not (shared and position):
        where, looks = (middle, ("#4D4D4D", "")) if shared else (y, (colour, who))
        entries = _draw_exact(axes, each, at, where, position, *looks)
    marks = [
        (each.true[at], "*", "#000000", 13, "true", 3.2),
        (each.trained[at], marker, colour, 7, "trained", 3.4),
    ]
    for values, shape, edge, markersize, word, order in marks:
        if np.isfinite(values).any():
            (line,) = axes.plot(
                values, y, shape, color=edge, markersize=markersize, zorder=order, gid=f"{word}-{position}"
            )
            line.set(markerfacecolor=edge, markeredgewidth=1.4)
            entries.append((line, f"{who}{word}"))
    return entries


def _draw_exact(
    axes: "Axes", each: CoefficientSet, at: list[int], y: np.ndarray, position: int, colour: str, who: str
) -> "Entries":
    """The exact fit and its intervals."""
    entries: Entries = []
    ends = np.stack([each.low[at], each.high[at]])
    if np.isfinite(ends).any():
        x = np.concatenate([ends, np.full((1, len(at)), np.nan)]).T.ravel()
        (line,) = axes.plot(x, np.repeat(y, 3), color=colour, linewidth=2.4, alpha=0.55, zorder=2)
        line.set_gid(f"interval-{position}")
        entries.append((line, f"{who}95 % interval of the exact fit"))
    if np.isfinite(each.exact[at]).any():
        (line,) = axes.plot(each.exact[at], y, "D", color=colour, markersize=9, zorder=3, gid=f"exact-{position}")
        line.set(markerfacecolor="none", markeredgewidth=1.4)
        entries.append((line, f"{who}exact"))
    return entries
