"""What the pictures of a sweep share: which points have a result, and what the others are called."""

from linreg_cli.figures.canvas import HUGE
from linreg_cli.sweeps.store import Point, Sweep

#: Values with this ratio are on a logarithmic axis, or have logarithmic colours.
WIDE = 20.0
#: The colour of points that diverged.
DIVERGED = "#D55E00"


def title_of(sweep: Sweep) -> str:
    """What is above the picture."""
    return f"Sweep {sweep.id}: {sweep.metric}, {'highest' if sweep.highest else 'lowest'} is best"


def results_of(sweep: Sweep) -> dict[int, float]:
    """Number of a point -> its metric, where it has one that can be drawn."""
    return {
        each.point: each.metric for each in sweep.of("finished") if each.metric is not None and abs(each.metric) <= HUGE
    }


def without_result(sweep: Sweep, results: dict[int, float]) -> list[tuple[str, list[Point]]]:
    """What the points without a result are called, with those points."""
    groups: dict[str, list[Point]] = {}
    for each in sweep.points:
        if each.point not in results:
            groups.setdefault("no value" if each.status == "finished" else each.status, []).append(each)
    return list(groups.items())
