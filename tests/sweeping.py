"""Sweeps that were never run, for the tests of their pictures and pages."""

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from linreg_cli.sweeps.store import Point, Sweep, SweepFolder


def made(
    grid: dict[str, Sequence[Any]],
    result: Callable[[dict[str, Any]], float | str],
    metric: str = "validation.loss",
    name: str = "a-0001",
    **more: Any,
) -> Sweep:
    """A sweep; `result` gives the metric of a point, or the status of one without a result."""
    points = []
    for number, values in enumerate(itertools.product(*grid.values()), 1):
        overrides = dict(zip(grid, values, strict=True))
        found, lr = result(overrides), overrides.get("optimizer.lr")
        point = Point(number, overrides, run=f"a-{number:04d}", lr=lr if isinstance(lr, float) else 0.5)
        if isinstance(found, str):
            point.status, point.run, point.error = found, None, f"why it has {found}"
        else:
            point.status, point.metric, point.gap, point.seconds = "finished", found, abs(found) / 10, 1.5
        points.append(point)
    return Sweep(name, {key: list(each) for key, each in grid.items()}, metric, points, status="finished", **more)


def written(sweep: Sweep, outputs: Path) -> SweepFolder:
    """The folder of a sweep."""
    folder = SweepFolder(outputs / "sweeps" / sweep.id)
    folder.path.mkdir(parents=True)
    folder.save(sweep)
    return folder
