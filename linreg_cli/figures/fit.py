"""Pictures of the fit: the fitted line among the points, and predicted against actual values."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from linreg_cli.figures.canvas import band_key, drawable
from linreg_cli.figures.clouds import Cloud, SplitPoints, cloud_figure
from linreg_cli.wording import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from linreg_cli.figures.canvas import Entries

#: Points at which a band is computed.
_BAND_POINTS = 201


#: x of shape (n,), and `confidence` or `prediction` -> half the width of the 95 % band at x, shape (n,).
Bands = Callable[[np.ndarray, str], np.ndarray]


def fit_figure(
    points: Sequence[SplitPoints],
    *,
    slope: float,
    intercept: float,
    feature: str,
    target: str,
    title: str,
    start: tuple[float, float] | None = None,
    bands: Bands | None = None,
) -> "Figure":
    """The target of every split against the single feature, the fitted line, and its bands.

    Few points: the limits are nice ticks strictly beyond them, and an axis starts at 0 if its lowest value is positive
    and at most half the range of the values above 0. Many points: the limits are near them, and the line ends with
    them.

    Args:
        points: of each split, with `x`.
        slope: in units of the target per unit of the feature.
        intercept: in units of the target.
        feature: name of the feature.
        target: name of the target.
        title: above the picture.
        start: slope and intercept before training, drawn as a thin dashed line.
        bands: the 95 % confidence and prediction bands; None: none are drawn.

    Raises:
        ValueError: if a split has no `x`.
    """
    clouds = []
    for split in points:
        if split.x is None:
            raise ValueError(f"the {split.split} split has no single feature to draw against")
        clouds.append(Cloud(split.split, split.x, split.actual, split.n_rows))
    level_part = f" + {number(intercept)}" if intercept else ""
    label = f"fitted line: y = {number(slope)} x{level_part}".replace("+ -", "− ").replace("-", "−")

    def more(axes: "Axes", few: bool) -> "Entries":
        low, high = axes.get_xlim()
        if not few:
            values = np.concatenate([cloud.x[np.isfinite(cloud.x)] for cloud in clouds])
            low, high = float(values.min()), float(values.max())
        x = np.linspace(low, high, _BAND_POINTS)
        entries: Entries = []
        limits = axes.get_ylim()
        if start is not None:
            (line,) = axes.plot(x, start[0] * x + start[1], color="#595959", linewidth=1.8, linestyle=(0, (4, 2)))
            line.set(zorder=2.2, gid="start")
            heights = line.get_ydata()
            outside = not (np.min(heights) <= limits[1] and np.max(heights) >= limits[0])
            entries.append((line, "before training" + (" (outside the picture)" if outside else "")))
        if bands is not None:
            entries += _draw_bands(axes, x, slope * x + intercept, bands)
        axes.set_ylim(limits)
        return entries

    level = _ends(clouds, slope, intercept)
    return cloud_figure(clouds, (title, feature, target), (slope, intercept, label, "-"), level=level, extra=more)


def _ends(clouds: Sequence[Cloud], slope: float, intercept: float) -> list[float]:
    """The ends of the line over the points, if they are at most half the range of the points beyond these.

    A line that is far from the points, such as one that was hardly trained, does not squeeze them.
    """
    x, y = np.concatenate([np.empty((2, 0)), *(drawable(cloud.x, cloud.y) for cloud in clouds)], axis=1)
    if not len(x):
        return []
    room = (float(y.max()) - float(y.min())) / 2
    # Python's floats overflow without a warning.
    ends = [float(slope) * end + float(intercept) for end in (float(x.min()), float(x.max()))]
    near = all(float(y.min()) - room <= end <= float(y.max()) + room for end in ends)
    return ends if near else []


def _draw_bands(axes: "Axes", x: np.ndarray, height: np.ndarray, bands: Bands) -> "Entries":
    """Both bands, shaded behind the points."""
    entries: Entries = []
    bands_of = (("prediction", "#56B4E9", "#E0F1FB", 0.1), ("confidence", "#0072B2", "#B3D3E8", 0.3))
    for kind, colour, shade, order in bands_of:  # below the grid
        reach = bands(x, kind)
        axes.fill_between(x, height - reach, height + reach, color=shade, linewidth=0, zorder=order)
        axes.plot(x, height + reach, color=colour, linewidth=1.2, zorder=order + 0.1, gid=f"band-{kind}")
        axes.plot(x, height - reach, color=colour, linewidth=1.2, zorder=order + 0.1)
        entries.append((band_key(axes, shade), f"95 % {kind} band"))
    return entries


def predicted_figure(points: Sequence[SplitPoints], *, target: str, title: str) -> "Figure":
    """Predicted against actual values of a target on two equal axes, with the line of perfect prediction.

    Args:
        points: of each split.
        target: name of the target.
        title: above the picture.
    """
    clouds = [Cloud(p.split, p.actual, p.predicted, p.n_rows) for p in points]
    labels = title, f"actual {target}", f"predicted {target}"
    return cloud_figure(clouds, labels, (1.0, 0.0, "perfect prediction", "--"), equal=True)
