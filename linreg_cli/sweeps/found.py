"""What a sweep has found, in a few sentences that say no more than its points do."""

from collections.abc import Sequence
from typing import Any

from linreg_cli.remedies import flow
from linreg_cli.sweeps.store import Point, Sweep
from linreg_cli.wording import gap, number, plural, ratio

_LR, _MOMENTUM = "optimizer.lr", "optimizer.momentum"
#: Keys with numbers of which none is more than another.
_NO_ORDER = ("seed",)
#: The most points that a sentence names.
_NAMED = 4
#: Rates that differ by less, relatively, are alike.
_ALIKE = 0.05


def sentences(sweep: Sweep) -> list[str]:
    """What was found: the winner, its distance from the optimum and from `auto`, and how many points ended how."""
    found = _winner(sweep)
    winner = sweep.winner
    if winner is not None:
        found += [*_edges(sweep, winner), *_optimum(winner), *_auto(sweep, winner)]
    return [*found, _counts(sweep), *_diverged(sweep)]


def is_number(value: Any) -> bool:
    """Whether a value of the grid is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def shown(value: Any) -> str:
    """A value of the grid for people.

    >>> shown(0.30000000000000004), shown("auto"), shown(None), shown(["a", "b"])
    ('0.3', 'auto', 'null', '[a, b]')
    """
    return number(value) if is_number(value) else value if isinstance(value, str) else flow(value)


def called(point: Point) -> str:
    """The overrides of a point for people.

    >>> called(Point(1, {"optimizer.lr": 0.1, "train.batch_size": "full"}))
    'optimizer.lr 0.1, train.batch_size full'
    """
    return ", ".join(f"{key} {shown(value)}" for key, value in point.overrides.items())


def _counts(sweep: Sweep) -> str:
    parts = [
        f"{len(points):,} {'not begun' if status == 'waiting' else status}"
        for status in ("finished", "diverged", "failed", "interrupted", "running", "waiting")
        if (points := sweep.of(status))
    ]
    return f"{plural(len(sweep.points), 'point')}: {', '.join(parts)}."


def _winner(sweep: Sweep) -> list[str]:
    best, tied = sweep.best()
    how = "highest" if sweep.highest else "lowest"
    if best is None:
        other, _ = sweep.best(failing=True)
        if other is None:
            return []
        return [
            f"No point passes its gates; of the others point {other.point} ({called(other)}, run {other.run}) has the "
            f"{how} {sweep.metric}, {number(other.metric)}."
        ]
    said = f"The winner is point {best.point} ({called(best)}, run {best.run}) with the {how} {sweep.metric}, "
    said += number(best.metric)
    values = {each.metric for each in sweep.of("finished") if each.metric is not None and each.gates is not False}
    others = sorted(values - {best.metric, *(each.metric for each in tied)}, reverse=sweep.highest)
    said += f"; the next best is {number(others[0])}" if others else ""
    found = [f"{said}."]
    if tied:
        found.append(f"It is a tie: {_listed(tied)} {'has' if len(tied) == 1 else 'have'} the same {sweep.metric}.")
    failing = [each for each in sweep.of("finished") if each.gates is False]
    if failing:
        found.append(f"{plural(len(failing), 'finished point')} cannot win, because a gate failed: {_listed(failing)}.")
    return found


def _edges(sweep: Sweep, winner: Point) -> list[str]:
    """Keys whose best value is the smallest or the largest of the grid, so that a better one may lie outside."""
    found = []
    for key, values in sweep.grid.items():
        numbers, value = [each for each in values if is_number(each)], winner.overrides[key]
        if len(numbers) < 2 or value not in (min(numbers), max(numbers)) or not is_number(value):
            continue
        # No setting is best below zero, and `auto` may have tried what lies outside.
        if key in _NO_ORDER or "auto" in values or value == 0 == min(numbers):
            continue
        beyond = "smaller" if value == min(numbers) else "larger"
        found.append(
            f"{key} {shown(value)} is the {beyond.removesuffix('r')}st of the grid; {beyond} values may be better."
        )
    return found


def _optimum(winner: Point) -> list[str]:
    if winner.gap is None:
        return []
    return [f"The gap of its train loss to the exact optimum is {gap(winner.gap)}."]


def _auto(sweep: Sweep, winner: Point) -> list[str]:
    """How far the rate of the winner is from the one that `auto` would have chosen."""
    chosen = (sweep.auto or {}).get("lr")
    if chosen is None or not is_number(winner.lr) or not winner.lr or not chosen["value"]:
        return []
    times = chosen["value"] / winner.lr
    if abs(times - 1) < 1e-9:
        compared = "that of the winner"
    elif abs(times - 1) <= _ALIKE:
        compared = "close to the winner's"
    else:
        compared = f"{ratio(times)} times the winner's" if times > 1 else f"the winner's divided by {ratio(1 / times)}"
    ball = sweep.auto["momentum"] if sweep.auto and _MOMENTUM in sweep.grid else None
    momentum = f" and the momentum {number(ball['value'])}" if ball else ""
    others = " with the winner's other settings" if len(sweep.grid) > 1 + bool(ball) else ""
    return [f"auto would choose the rate {number(chosen['value'])}{momentum}{others}: {compared}."]


def _diverged(sweep: Sweep) -> list[str]:
    points = sweep.of("diverged")
    if not points:
        return []
    limits = [f"{number(each['rate'])} ({each['covers']})" for each in sweep.limits]
    known = f"; limits of the rate: {', '.join(limits)}" if limits and list(sweep.grid) == [_LR] else ""
    return [f"Diverged: {_listed(points)}{known}."]


def _listed(points: Sequence[Point]) -> str:
    named = [f"point {each.point} ({called(each)})" for each in points[:_NAMED]]
    more = len(points) - _NAMED
    return ", ".join([*named, *([f"{more:,} more"] if more > 0 else [])])
