"""How well a model fits: the fitted line among the points, and predictions against what was measured."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from linreg_cli.figures.clouds import SplitPoints, cloud_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def fit_figure(
    points: Sequence[SplitPoints], *, slope: float, intercept: float, feature: str, target: str, title: str
) -> "Figure":
    """The points of every split against the only feature, and the fitted line.

    The limits are nice ticks strictly beyond the points; an axis starts at 0 where its lowest value is positive
    and at most half the values' range above 0. `slope` is in units of the target per unit of the feature, and
    `feature` and `target` are the columns' names.

    Raises:
        ValueError: if a split has no `x`.
    """
    clouds = []
    for split in points:
        if split.x is None:
            raise ValueError(f"the {split.split} split has no single feature to draw against")
        clouds.append((split.split, split.x, split.actual))
    label = f"fitted line: y = {slope:,.7g} x + {intercept:,.7g}".replace("+ -", "− ").replace("-", "−")
    return cloud_figure(clouds, (title, feature, target), (slope, intercept, label, "-"))


def predicted_figure(points: Sequence[SplitPoints], *, target: str, title: str) -> "Figure":
    """Predicted against actual values of a column on two equal axes, with the line of perfect prediction."""
    clouds = [(p.split, p.actual, p.predicted) for p in points]
    labels = title, f"actual {target}", f"predicted {target}"
    return cloud_figure(clouds, labels, (1.0, 0.0, "perfect prediction", "--"), equal=True)
