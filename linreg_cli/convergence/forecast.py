"""How many epochs a rate needs, from the whole spectrum and the starting point, before the first step.

The expected dynamics are those of `linreg_cli.convergence.dynamics`: the forecast of a full-batch run is exact within
rounding error, and no bound.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from linreg_cli.convergence.dynamics import FARTHEST, ConstantRate, Modes, scheduled_gaps
from linreg_cli.convergence.gradient_noise import Noise
from linreg_cli.convergence.rates import SgdRule, stable_rate
from linreg_cli.convergence.spectrum import Spectrum
from linreg_cli.least_squares.factor import Array

#: Up to here every epoch is looked at; beyond, epochs 1 % apart, and the crossing between two by bisection.
_EVERY_EPOCH = 2048


@dataclass(frozen=True)
class Forecast:
    """When a run gets near its optimum.

    Attributes:
        epochs: target gap -> the first epoch at whose end the gap is at or below it; None if there is none.
        reasons: target gap -> why there is none.
        start_gap: the gap before the first step.
        floor_gap: the gap at which the noise of the batches keeps a run on average; 0 for a full batch; None where a
            run does not settle, or may not.
        method: in words, what the numbers are worth.
    """

    epochs: dict[float, int | None]
    reasons: dict[float, str]
    start_gap: float
    floor_gap: float | None
    method: str


def forecast(
    spectrum: Spectrum,
    start: Array,
    *,
    rate: float | Callable[[int], float],
    rule: SgdRule,
    relative_to: float,
    targets: Sequence[float] = (1e-3, 1e-6),
    noise: Noise | None = None,
    max_epochs: int | None = None,
) -> Forecast:
    """Epochs until the relative gap of the objective is at or below each target.

    Full batch: exact but for rounding, for any rate, momentum, dampening and weight decay. (Momentum makes the gap
    swing, so beyond 2,048 epochs a first crossing shorter than 1 % of the epochs may be missed.) Mini-batches: the
    expected gap, with the mean rule of random batches and their noise, which for a constant rate and up to 300
    parameters is followed away from the optimum too; single runs scatter around it. Rows in a fixed order are like
    random ones only as far as their order is without a pattern.

    Args:
        spectrum: in trained units; with sse and mini-batches scaled by batch_size / n_samples.
        start: shape (n_parameters, n_targets), from `Spectrum.distances`.
        rate: a learning rate, or epoch (from 0) -> learning rate.
        rule: how SGD moves.
        relative_to: the loss that gaps are relative to, `Optimum.relative_to`, in the units of the spectrum's loss.
        targets: relative gaps.
        noise: of mini-batches; None for a full batch.
        max_epochs: how far to look; by default 10,000,000 epochs of a constant rate and 10,000 of a schedule.

    >>> unit = Spectrum(np.array([1.0]), np.eye(1), 1, 1, False)
    >>> forecast(unit, np.array([[1.0]]), rate=0.5, rule=SgdRule(), relative_to=0.5).epochs
    {0.001: 5, 1e-06: 10}
    """
    modes = Modes.of(spectrum, start, rule, noise)
    method = "full batch: exact" if noise is None else "mini-batches: the expected gap, noise taken at the optimum"
    if noise is not None and noise.coupling is not None and not callable(rate):
        method = "mini-batches: the expected gap"
    start_gap = float(modes.energy.sum()) / relative_to if relative_to > 0 else math.inf
    if relative_to <= 0:
        return _never(targets, "the target is constant, so there is nothing to be relative to", start_gap, method)
    if callable(rate):
        with np.errstate(over="ignore", invalid="ignore"):
            return _scheduled(modes, rate, relative_to, targets, max_epochs or 10_000, start_gap, method)
    limit = stable_rate(spectrum.largest, rule)
    if not 0 < rate < limit:
        times = f"{rate / limit:.3g} times the limit {limit:.3g}" if rate > 0 else "no rate above 0"
        return _never(targets, f"it diverges: {rate:g} is {times}", start_gap, method)
    if rule.gain <= 0:
        return _never(targets, "dampening of 1 keeps every gradient but the first out of the buffer", start_gap, method)
    return _constant(modes, rate, relative_to, targets, max_epochs or FARTHEST, start_gap, method)


def _constant(
    modes: Modes, lr: float, base: float, targets: Sequence[float], horizon: int, start_gap: float, method: str
) -> Forecast:
    with np.errstate(over="ignore", invalid="ignore"):
        run = ConstantRate(modes, lr, base)
    if not run.settles:
        reason = f"the noise of the batches is too strong at the rate {lr:g} to foretell where a run goes"
        return _never(targets, reason, start_gap, method)
    epochs: dict[float, int | None] = {}
    reasons: dict[float, str] = {}
    for target in targets:
        reachable = run.floor < target
        epochs[target] = _first(run.gap, target, horizon, not modes.rule.momentum) if reachable else None
        if not reachable:
            reasons[target] = (
                f"the noise of the batches keeps the gap near {run.floor:.3g} on average; a lower rate lowers it"
            )
        elif epochs[target] is None:
            reasons[target] = f"it takes more than {horizon:,} epochs"
    return Forecast(epochs, reasons, start_gap, run.floor, method)


def _first(gap_at: Callable[[int], float], target: float, horizon: int, monotone: bool) -> int | None:
    """The first epoch with a gap at or below the target; see `forecast` for what may be missed."""
    low, high = -1, 0
    while gap_at(high) > target:
        if high >= horizon:
            return None
        step = max(1, high) if monotone else max(1, high // 100 if high > _EVERY_EPOCH else 1)
        low, high = high, min(high + step, horizon)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if gap_at(middle) <= target else (middle, high)
    return high


def _scheduled(
    modes: Modes,
    rate: Callable[[int], float],
    base: float,
    targets: Sequence[float],
    horizon: int,
    start_gap: float,
    method: str,
) -> Forecast:
    """Epoch by epoch, since each may have its own rate; the floor is that of the last epoch seen."""
    epochs, gap, floor = dict[float, int | None](), start_gap, 0.0
    for epoch, state in enumerate(scheduled_gaps(modes, rate, base, horizon)):
        gap, floor = state
        epochs.update({target: epoch for target in targets if target not in epochs and gap <= target})
        if len(epochs) == len(targets) or not gap <= 1e30:
            break
    lacking = "it diverges" if not gap <= 1e30 else f"after {epoch:,} epochs of the schedule the gap is {gap:.3g}"
    reasons = {target: lacking for target in targets if target not in epochs}
    return Forecast({target: epochs.get(target) for target in targets}, reasons, start_gap, floor, method)


def _never(targets: Sequence[float], reason: str, start_gap: float, method: str) -> Forecast:
    return Forecast(dict.fromkeys(targets), dict.fromkeys(targets, reason), start_gap, None, method)
