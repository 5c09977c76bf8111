"""Pictures of residuals."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from linreg_cli.figures.canvas import drawable
from linreg_cli.figures.clouds import SplitPoints, cloud_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def residual_figure(points: Sequence[SplitPoints], *, target: str, title: str) -> "Figure":
    """Residuals (actual - predicted) against predicted values of a target, with the line of zero residual.

    Args:
        points: of each split.
        target: name of the target.
        title: above the picture.
    """
    clouds = []
    for p in points:
        drawable(p.actual, p.predicted)
        with np.errstate(all="ignore"):
            clouds.append((p.split, p.predicted, np.subtract(p.actual, p.predicted, dtype=np.float64)))
    labels = title, f"predicted {target}", f"residual of {target} (actual − predicted)"
    return cloud_figure(clouds, labels, (0.0, 0.0, "zero residual", "--"), level=(0.0,))
