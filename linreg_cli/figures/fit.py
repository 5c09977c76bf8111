"""Pictures of the fit: the fitted line among the points, and predicted against actual values."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from linreg_cli.figures.clouds import SplitPoints, cloud_figure
from linreg_cli.wording import number

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def fit_figure(
    points: Sequence[SplitPoints], *, slope: float, intercept: float, feature: str, target: str, title: str
) -> "Figure":
    """The target of every split against the single feature, and the fitted line.

    The limits are nice ticks strictly beyond the points. An axis starts at 0 if its lowest value is positive and at
    most half the range of the values above 0.

    Args:
        points: of each split, with `x`.
        slope: in units of the target per unit of the feature.
        intercept: in units of the target.
        feature: name of the feature.
        target: name of the target.
        title: above the picture.

    Raises:
        ValueError: if a split has no `x`.
    """
    clouds = []
    for split in points:
        if split.x is None:
            raise ValueError(f"the {split.split} split has no single feature to draw against")
        clouds.append((split.split, split.x, split.actual))
    label = f"fitted line: y = {number(slope, 7)} x + {number(intercept, 7)}".replace("+ -", "− ").replace("-", "−")
    return cloud_figure(clouds, (title, feature, target), (slope, intercept, label, "-"))


def predicted_figure(points: Sequence[SplitPoints], *, target: str, title: str) -> "Figure":
    """Predicted against actual values of a target on two equal axes, with the line of perfect prediction.

    Args:
        points: of each split.
        target: name of the target.
        title: above the picture.
    """
    clouds = [(p.split, p.actual, p.predicted) for p in points]
    labels = title, f"actual {target}", f"predicted {target}"
    return cloud_figure(clouds, labels, (1.0, 0.0, "perfect prediction", "--"), equal=True)
