"""The number of epochs that a learning rate needs, from the spectrum and the initial parameters, without training.

The expected dynamics are those of `linreg_cli.convergence.dynamics`. The forecast of a full-batch run is exact within
rounding error; it is not a bound.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from linreg_cli.convergence.dynamics import MAX_EPOCHS, ConstantRate, Modes, scheduled_gaps
from linreg_cli.convergence.gradient_noise import Noise
from linreg_cli.convergence.rates import SgdRule, stable_rate
from linreg_cli.convergence.spectrum import Spectrum
from linreg_cli.least_squares.factor import Array

#: Every epoch is evaluated up to this one; after it, epochs 1 % apart, with bisection between two of them.
_EVERY_EPOCH = 2048


@dataclass(frozen=True)
class NotReached:
    """The reason why a run does not reach a gap.

    Attributes:
        kind: `diverges`, `too long` (more epochs than are forecast), `noise` (of the batches) or `other`.
        why: a sentence for people; no code reads it.
    """

    kind: Literal["diverges", "too long", "noise", "other"]
    why: str


@dataclass(frozen=True)
class Forecast:
    """The number of epochs after which the relative gap of a run is at most each target.

    gap = (objective - minimum) / (the loss that gaps are relative to); for mini-batches, its expectation.

    Attributes:
        epochs: target gap -> the first epoch (from 1; 0 is the initial state) at whose end the gap is at most the
            target; None if there is none.
        reasons: target gap -> the reason, for targets without an epoch.
        start_gap: the gap of the initial parameters.
        floor_gap: the gap at which the noise of the batches keeps a run on average; 0 for a full batch; None if a run
            does not converge, or may not.
        method: the accuracy of the forecast, in words.
    """

    epochs: dict[float, int | None]
    reasons: dict[float, NotReached]
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
    """The number of epochs until the relative gap of the objective is at most each target.

    gap = (objective - minimum) / relative_to, where the objective includes the penalty of the weight decay.

    Full batch: exact within rounding error, for any rate, momentum, dampening and weight decay. With momentum the gap
    oscillates, so after 2,048 epochs a first crossing that lasts less than 1 % of the epochs may be missed.

    Mini-batches: the expected gap over random orders of the rows. The noise of the gradients is that at the optimum;
    for a constant rate and up to 300 parameters, its growth with the distance is included. Single runs scatter around
    the expectation. For rows in a fixed order, the forecast assumes that the order has no pattern.

    Args:
        spectrum: in scaled units; for sse with mini-batches, scaled by batch_size / n_samples.
        start: the distances of the initial parameters, shape (n_parameters, n_targets), from `Spectrum.distances`.
        rate: a learning rate, or a schedule: epoch (from 0) -> learning rate.
        rule: the parameters of SGD.
        relative_to: the loss that gaps are relative to, `Optimum.relative_to`, in the units of the spectrum's loss.
        targets: relative gaps, above 0.
        noise: of mini-batches; None for a full batch.
        max_epochs: the longest run; None: 10,000,000 epochs for a constant rate and 10,000 for a schedule.

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
        reason = NotReached("other", "the target is constant, so the relative gap is not defined")
        return _never(targets, reason, start_gap, method)
    if callable(rate):
        with np.errstate(over="ignore", invalid="ignore"):
            return _scheduled(modes, rate, relative_to, targets, max_epochs or 10_000, start_gap, method)
    limit = stable_rate(spectrum.largest, rule)
    if not 0 < rate < limit:
        times = f"{rate / limit:.3g} times the limit {limit:.3g}" if rate > 0 else "not above 0"
        return _never(targets, NotReached("diverges", f"it diverges: {rate:g} is {times}"), start_gap, method)
    if rule.gain <= 0:
        reason = NotReached("other", "a dampening of 1 keeps all gradients but the first out of the momentum buffer")
        return _never(targets, reason, start_gap, method)
    return _constant(modes, rate, relative_to, targets, max_epochs or MAX_EPOCHS, start_gap, method)


def _constant(
    modes: Modes, lr: float, base: float, targets: Sequence[float], horizon: int, start_gap: float, method: str
) -> Forecast:
    with np.errstate(over="ignore", invalid="ignore"):
        run = ConstantRate(modes, lr, base)
    if not run.settles:
        why = f"the noise of the batches is too large at the rate {lr:g}, so a run may not converge"
        reason = NotReached("noise", why)
        return _never(targets, reason, start_gap, method)
    epochs: dict[float, int | None] = {}
    reasons: dict[float, NotReached] = {}
    for target in targets:
        reachable = run.floor < target
        epochs[target] = _first(run.gap, target, horizon, not modes.rule.momentum) if reachable else None
        if not reachable:
            why = f"the noise of the batches keeps the gap near {run.floor:.3g} on average; a lower rate reduces it"
            reasons[target] = NotReached("noise", why)
        elif epochs[target] is None:
            reasons[target] = NotReached("too long", f"it takes more than {horizon:,} epochs")
    return Forecast(epochs, reasons, start_gap, run.floor, method)


def _first(gap_at: Callable[[int], float], target: float, horizon: int, monotone: bool) -> int | None:
    """The first epoch with a gap at or below the target, within the accuracy that `forecast` states."""
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
    """The forecast of a schedule, epoch by epoch; the floor is the noise part of the gap in the last epoch."""
    epochs, gap, floor = dict[float, int | None](), start_gap, 0.0
    for epoch, state in enumerate(scheduled_gaps(modes, rate, base, horizon)):
        gap, floor = state
        epochs.update({target: epoch for target in targets if target not in epochs and gap <= target})
        if len(epochs) == len(targets) or not gap <= 1e30:
            break
    lacking = NotReached("other", f"after {epoch:,} epochs of the schedule the gap is {gap:.3g}")
    if not gap <= 1e30:
        lacking = NotReached("diverges", "it diverges")
    reasons = {target: lacking for target in targets if target not in epochs}
    return Forecast({target: epochs.get(target) for target in targets}, reasons, start_gap, floor, method)


def _never(targets: Sequence[float], reason: NotReached, start_gap: float, method: str) -> Forecast:
    return Forecast(dict.fromkeys(targets), dict.fromkeys(targets, reason), start_gap, None, method)
