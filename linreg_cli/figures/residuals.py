"""What a model leaves over."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from linreg_cli.figures.canvas import drawable
from linreg_cli.figures.clouds import SplitPoints, cloud_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def residual_figure(points: Sequence[SplitPoints], *, target: str, title: str) -> "Figure":
    """Residuals, actual minus predicted, against the predicted values of a column, with the line of no error."""
    clouds = []
    for p in points:
        drawable(p.actual, p.predicted)
        with np.errstate(all="ignore"):
            clouds.append((p.split, p.predicted, np.subtract(p.actual, p.predicted, dtype=np.float64)))
    labels = title, f"predicted {target}", f"residual of {target} (actual − predicted)"
    return cloud_figure(clouds, labels, (0.0, 0.0, "no error", "--"), level=(0.0,))
