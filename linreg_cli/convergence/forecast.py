"""The number of epochs that a learning rate needs, from the spectrum and the initial parameters, without training.

The expected dynamics are those of `linreg_cli.convergence.dynamics`. The forecast of a full-batch run is exact within
rounding error; it is not a bound.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from linreg_cli import wording
from linreg_cli.convergence.dynamics import MAX_EPOCHS, ConstantRate, Modes, scheduled_gaps
from linreg_cli.convergence.gradient_noise import Noise
from linreg_cli.convergence.rates import SgdRule, stable_rate
from linreg_cli.convergence.spectrum import Spectrum
from linreg_cli.least_squares.factor import Array
from linreg_cli.wording import number, plural

#: Every epoch is evaluated up to this one; after it, epochs 1 % apart, with bisection between two of them.
_EVERY_EPOCH = 2048
#: The longest schedule that is forecast to its end.
_MOST_SCHEDULED = 20_000


@dataclass(frozen=True)
class NotReached:
    """The reason why a run does not reach a gap.

    Attributes:
        kind: `diverges`, `too long` (more epochs than are forecast), `noise` (of random batches), `order` (a fixed
            order of the batches ends above the gap) or `other`.
        why: a sentence for people; no code reads it.
    """

    kind: Literal["diverges", "too long", "noise", "order", "other"]
    why: str


#: How accurate the forecasts of mini-batches are. In 100 random tables, 90 % were 0.6 to 1.3 times the mean of 50 runs
#: at up to half the mean-square limit, and 0.5 to 2.4 times at the limit; with single outlying rows 0.2 times.
_EXPECTED = "mini-batches: the expected gap, usually within 40 % up to half the mean-square limit, then a factor of 2"
_AT_OPTIMUM = "mini-batches: the expected gap, noise taken at the optimum, so too low near the mean-square limit"
#: Why a schedule has no floor.
NO_FLOOR = NotReached("other", "the floor is that of a constant rate, and the rate follows a schedule")


@dataclass(frozen=True)
class Forecast:
    """The number of epochs after which the relative gap of a run is at most each target.

    gap = (objective - minimum) / (the loss that gaps are relative to); for mini-batches, its expectation.

    Attributes:
        epochs: target gap -> the first epoch (from 1; 0 is the initial state) at whose end the gap is at most the
            target; None if there is none.
        reasons: target gap -> the reason, for targets without an epoch.
        start_gap: the gap of the initial parameters.
        final_gap: the gap after the last epoch of the run; a `NotReached` if none can be given.
        floor_gap: the gap at which the batches keep a run on average, at a constant rate; 0 for a full batch; a
            `NotReached` if a run does not converge, or may not, and for a schedule.
        method: the accuracy of the forecast, in words.
    """

    epochs: dict[float, int | None]
    reasons: dict[float, NotReached]
    start_gap: float
    final_gap: float | NotReached
    floor_gap: float | NotReached
    method: str

    @property
    def floor(self) -> float | None:
        """`floor_gap` where there is one."""
        return None if isinstance(self.floor_gap, NotReached) else self.floor_gap

    @classmethod
    def refused(cls, targets: Sequence[float], why: NotReached, start_gap: float, method: str) -> "Forecast":
        """A forecast of the initial gap alone, with one reason for everything else."""
        return cls(dict.fromkeys(targets), dict.fromkeys(targets, why), start_gap, why, why, method)


def forecast(
    spectrum: Spectrum,
    start: Array,
    *,
    rate: float | Callable[[int], float],
    rule: SgdRule,
    relative_to: float,
    targets: Sequence[float] = (1e-3, 1e-6),
    epochs: int = 1,
    noise: Noise | None = None,
    max_epochs: int | None = None,
) -> Forecast:
    """The number of epochs until the relative gap of the objective is at most each target.

    gap = (objective - minimum) / relative_to, where the objective includes the penalty of the weight decay.

    Full batch: exact within rounding error, for any rate, momentum, dampening and weight decay. With momentum the gap
    oscillates, so after 2,048 epochs a first crossing that lasts less than 1 % of the epochs may be missed.

    Mini-batches: the expected gap over random orders of the rows. The noise of the gradients is that at the optimum;
    for a constant rate and up to 300 parameters, its growth with the distance is included. Single runs scatter around
    the expectation. Rows in a fixed order: see `linreg_cli.convergence.fixed_order_forecast`.

    Args:
        spectrum: in scaled units; for sse with mini-batches, scaled by batch_size / n_samples.
        start: the distances of the initial parameters, shape (n_parameters, n_targets), from `Spectrum.distances`.
        rate: a learning rate, or a schedule: epoch (from 0) -> learning rate.
        rule: the parameters of SGD.
        relative_to: the loss that gaps are relative to, `Optimum.relative_to`, in the units of the spectrum's loss.
        targets: relative gaps, above 0.
        epochs: the length of the run, for the final gap.
        noise: of mini-batches; None for a full batch.
        max_epochs: the longest run; None: 10,000,000 epochs for a constant rate and 10,000 for a schedule.

    >>> unit = Spectrum(np.array([1.0]), np.eye(1), 1, 1, False)
    >>> forecast(unit, np.array([[1.0]]), rate=0.5, rule=SgdRule(), relative_to=0.5).epochs
    {0.001: 5, 1e-06: 10}
    """
    modes = Modes.of(spectrum, start, rule, noise)
    method = "full batch: exact" if noise is None else _AT_OPTIMUM
    if noise is not None and noise.coupling is not None and not callable(rate):
        method = _EXPECTED
    start_gap = float(modes.energy.sum()) / relative_to if relative_to > 0 else math.inf
    if relative_to <= 0:
        reason = NotReached("other", "the target is constant, so the relative gap is not defined")
        return Forecast.refused(targets, reason, start_gap, method)
    if callable(rate):
        with np.errstate(over="ignore", invalid="ignore"):
            return _scheduled(modes, rate, relative_to, targets, epochs, max_epochs or 10_000, start_gap, method)
    limit = stable_rate(spectrum.largest, rule)
    if not 0 < rate < limit:
        times = f"{number(rate / limit, 3)} times the limit {number(limit, 3)}" if rate > 0 else "not above 0"
        return Forecast.refused(
            targets, NotReached("diverges", f"it diverges: {number(rate)} is {times}"), start_gap, method
        )
    if rule.gain <= 0:
        reason = NotReached("other", "a dampening of 1 keeps all gradients but the first out of the momentum buffer")
        return Forecast.refused(targets, reason, start_gap, method)
    return _constant(modes, rate, relative_to, targets, epochs, max_epochs or MAX_EPOCHS, start_gap, method)


def final_gap(modes: Modes, lr: float, base: float, epochs: int, shape: Callable[[int], float] | None = None) -> float:
    """The expected relative gap after the last epoch; infinite if it overflows or its noise does not settle.

    Args:
        modes: of the problem.
        lr: the learning rate of a constant schedule, or that before the first epoch.
        base: the loss that the gap is relative to, above 0.
        epochs: the length of the run.
        shape: epoch (from 0) -> rate / initial rate; None for a constant rate.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        if shape is not None:
            *_, (found, _) = scheduled_gaps(modes, lambda epoch: lr * shape(epoch), base, epochs)
        elif modes.noise is not None and not lr < stable_rate(float(modes.eigenvalues.max(initial=0.0)), modes.rule):
            return math.inf
        else:
            run = ConstantRate(modes, lr, base)
            found = run.gap(epochs) if run.settles else math.inf
    return found if math.isfinite(found) else math.inf


def _constant(
    modes: Modes,
    lr: float,
    base: float,
    targets: Sequence[float],
    last: int,
    horizon: int,
    start_gap: float,
    method: str,
) -> Forecast:
    with np.errstate(over="ignore", invalid="ignore"):
        run = ConstantRate(modes, lr, base)
    if not run.settles:
        why = f"the noise of the batches is too large at the rate {number(lr)}, so a run may not converge"
        return Forecast.refused(targets, NotReached("noise", why), start_gap, method)
    epochs: dict[float, int | None] = {}
    reasons: dict[float, NotReached] = {}
    for target in targets:
        reachable = run.floor < target
        epochs[target] = first_epoch(run.gap, target, horizon, not modes.rule.momentum) if reachable else None
        if not reachable:
            why = f"the noise of the batches keeps the gap near {wording.gap(run.floor)} on average"
            why += "; a lower rate reduces it"
            reasons[target] = NotReached("noise", why)
        elif epochs[target] is None:
            reasons[target] = NotReached("too long", f"it takes more than {horizon:,} epochs")
    return Forecast(epochs, reasons, start_gap, run.gap(last), run.floor, method)


def first_epoch(gap_at: Callable[[int], float], target: float, horizon: int, monotone: bool) -> int | None:
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
    last: int,
    horizon: int,
    start_gap: float,
    method: str,
) -> Forecast:
    """The forecast of a schedule, epoch by epoch, up to `horizon` epochs."""
    horizon = max(horizon, min(last, _MOST_SCHEDULED))
    final: float | NotReached = NotReached("too long", f"a schedule is forecast for up to {horizon:,} epochs")
    epochs: dict[float, int] = {}
    for epoch, (gap, _) in enumerate(scheduled_gaps(modes, rate, base, horizon)):
        epochs.update({target: epoch for target in targets if target not in epochs and gap <= target})
        if epoch == last:
            final = gap
        if (len(epochs) == len(targets) and epoch >= last) or not gap <= 1e30:
            break
    lacking = NotReached("other", f"after {plural(epoch, 'epoch')} of the schedule the gap is {wording.gap(gap)}")
    if not gap <= 1e30:
        lacking = NotReached("diverges", "it diverges")
        final = final if epoch > last else lacking
    reasons = {target: lacking for target in targets if target not in epochs}
    found = {target: epochs.get(target) for target in targets}
    return Forecast(found, reasons, start_gap, final, NO_FLOOR, method)
