"""Names beside single points, which cover neither each other nor, where there is room, other points."""

from typing import TYPE_CHECKING

import numpy as np

from linreg_cli.figures.canvas import FEW, SMALL

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: The size of the names in points, the height of one, and the width of a character, as shares of the frame.
_SIZE, _HIGH, _WIDE = 0.85 * SMALL, 0.045, 0.016
#: Points of a straight line: in the width of a name of one digit there is at least one.
_LEAST = 200
#: Where a name is tried: to the right or the left, above or below, near or farther away.
_SPOTS = [(side, above, far) for far in (1, 3, 5) for above in (1, -1) for side in (1, -1)]


def _curves(axes: "Axes") -> list[np.ndarray]:
    """The reference line and the smooth curves that are drawn already, each of shape (2, n)."""
    drawn = (line for line in axes.get_lines() if line.get_gid() in ("line", "smooth"))
    return [np.array(line.get_data(), dtype=float) for line in drawn]


def _dense(curve: np.ndarray) -> np.ndarray:
    """So many points of a curve that a name cannot lie on it between two of them."""
    at = np.linspace(0, curve.shape[1] - 1, max(40 * curve.shape[1], _LEAST))
    return np.array([np.interp(at, np.arange(curve.shape[1]), values) for values in curve])


def name_points(axes: "Axes", xy: np.ndarray, names: np.ndarray, *, around: np.ndarray) -> None:
    """Label points, the first ones first, inside the frame, without overlap, and where few points are covered.

    Args:
        axes: with its final limits.
        xy: coordinates, shape (2, n).
        names: shape (n,).
        around: all points that are drawn, shape (2, m).
    """
    from matplotlib import patheffects

    start, size = np.array([[axes.get_xlim()[0]], [axes.get_ylim()[0]]]), np.array([axes.get_xlim(), axes.get_ylim()])
    points = (np.hstack([around, *map(_dense, _curves(axes))]) - start) / np.diff(size, axis=1)
    taken: list[tuple[float, float, float]] = []  # middle and half the width, as shares of the frame
    gap = 11 if around.shape[1] <= FEW else 7  # few points are large
    for name, (x, y), (across, up) in zip(names, xy.T.tolist(), ((xy - start) / np.diff(size, axis=1)).T, strict=True):
        half = _WIDE / 2 * len(str(name)) + 0.004
        best: tuple[int, tuple[int, int, int], tuple[float, float, float]] | None = None
        for side, above, far in _SPOTS:
            middle, height = across + side * (half + 0.0015 * gap), up + (0.0018 * gap + 0.0125 * (2 * far - 1)) * above
            if not (half < middle < 1 - half and 0.03 < height < 0.97):
                continue
            if any(abs(middle - m) < half + w and abs(height - t) < _HIGH for m, t, w in taken):
                continue
            covered = np.abs(points - [[middle], [height]]) < [[half], [_HIGH / 2]]
            count = int(covered.all(axis=0).sum()) + far - 1  # a name that is far away is not seen to belong
            if best is None or count < best[0]:
                best = count, (side, above, far), (middle, height, half)
        if best is None:
            continue  # without a name rather than with one that covers another
        _, (side, above, far), place = best
        taken.append(place)
        label = axes.annotate(
            str(name),
            (x, y),
            xytext=(gap * side, (gap / 2 + 12 * (far - 1) / 2) * above),
            textcoords="offset points",
            ha="left" if side > 0 else "right",
            va="bottom" if above > 0 else "top",
            fontsize=_SIZE,
            zorder=6,
        )
        label.set_path_effects([patheffects.withStroke(linewidth=2.5, foreground="white", alpha=0.75)])
