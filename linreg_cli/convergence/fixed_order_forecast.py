"""The forecast of a run whose batches come in a fixed order: exact within rounding error."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from linreg_cli import wording
from linreg_cli.convergence.dynamics import MAX_EPOCHS
from linreg_cli.convergence.fixed_order import FixedOrder
from linreg_cli.convergence.forecast import NO_FLOOR, Forecast, NotReached, first_epoch
from linreg_cli.convergence.rates import SgdRule
from linreg_cli.wording import number, plural

METHOD = "fixed order: exact, by the affine map of an epoch"


def fixed_order_forecast(
    order: FixedOrder,
    *,
    rate: float | Callable[[int], float],
    rule: SgdRule,
    targets: Sequence[float],
    epochs: int,
) -> Forecast:
    """The epochs to each gap, the gap after the last epoch, and that of the fixed point, all at the ends of epochs.

    Constant rate: after 2,048 epochs a first crossing that lasts less than 1 % of the epochs may be missed. A schedule
    is followed to the last epoch of the run.

    Args:
        order: the rows of the run.
        rate: a learning rate, or a schedule: epoch (from 0) -> learning rate.
        rule: the parameters of SGD.
        targets: relative gaps, above 0.
        epochs: the length of the run.
    """
    begun = order.gap(order.initial(rule)) if order.relative_to > 0 else math.inf
    if not order.relative_to > 0:
        why = NotReached("other", "the target is constant, so the relative gap is not defined")
        return Forecast.refused(targets, why, begun, METHOD)
    if rule.gain <= 0:
        why = NotReached("other", "a dampening of 1 keeps all gradients but the first out of the momentum buffer")
        return Forecast.refused(targets, why, begun, METHOD)
    rates = [rate(epoch) for epoch in range(epochs)] if callable(rate) else [rate]
    costly = order.too_costly(rule, len(set(rates)))
    if costly:
        return Forecast.refused(targets, NotReached("other", costly), begun, METHOD)
    if callable(rate):
        return _scheduled(order, rates, rule, targets, begun)
    return _constant(order, rate, rule, targets, epochs, begun)


def _constant(
    order: FixedOrder, rate: float, rule: SgdRule, targets: Sequence[float], last: int, begun: float
) -> Forecast:
    if not rate > 0 or order.diverges(rate, rule):
        why = NotReached(
            "diverges", f"it diverges: at {number(rate)} an epoch in this order has a spectral radius above 1"
        )
        return Forecast.refused(targets, why, begun, METHOD)
    path = _Path(order, rate, rule)
    epochs: dict[float, int | None] = {}
    reasons: dict[float, NotReached] = {}
    for target in targets:
        epochs[target] = first_epoch(path.gap, target, MAX_EPOCHS, False)
        if epochs[target] is None:
            reasons[target] = NotReached("too long", f"it takes more than {MAX_EPOCHS:,} epochs")
            if path.floor >= target:
                ends = f"this order of the batches ends at a gap of {wording.gap(path.floor)}; a lower rate reduces it"
                reasons[target] = NotReached("order", ends)
    return Forecast(epochs, reasons, begun, path.gap(last), path.floor, METHOD)


def _scheduled(
    order: FixedOrder, rates: Sequence[float], rule: SgdRule, targets: Sequence[float], begun: float
) -> Forecast:
    distinct = sorted(set(rates))
    maps = dict(zip(distinct, order.maps(distinct, rule), strict=True))
    state = order.initial(rule)
    gaps = [begun]
    with np.errstate(over="ignore", invalid="ignore"):
        for rate in rates:
            state = maps[rate] @ state
            gaps.append(order.gap(state))
    epochs = {target: next((epoch for epoch, gap in enumerate(gaps) if gap <= target), None) for target in targets}
    final: float | NotReached = gaps[-1]
    lacking = NotReached(
        "other", f"after the {plural(len(rates), 'epoch')} of the schedule the gap is {wording.gap(gaps[-1])}"
    )
    if not gaps[-1] <= 1e30:
        final = lacking = NotReached("diverges", "it diverges")
    reasons = {target: lacking for target, epoch in epochs.items() if epoch is None}
    return Forecast(epochs, reasons, begun, final, NO_FLOOR, METHOD)


class _Path:
    """The gap after any number of epochs at a constant rate, by the powers 1, 2, 4, ... of the map of an epoch.

    Attributes:
        floor: the gap of the fixed point of an epoch.
    """

    def __init__(self, order: FixedOrder, rate: float, rule: SgdRule) -> None:
        self._order, self._start = order, order.initial(rule)
        self._powers = [order.maps([rate], rule)[0]]
        self._at, self._state = 0, self._start
        k = order.rows.n_targets
        P, c = self._powers[0][:-k, :-k], self._powers[0][:-k, -k:]
        self.floor = order.gap(np.linalg.lstsq(np.eye(len(P)) - P, c, rcond=None)[0]) if len(P) else 0.0

    def gap(self, epochs: int) -> float:
        """The gap at the end of an epoch; 0 epochs are the start."""
        if epochs < self._at:
            self._at, self._state = 0, self._start
        ahead = epochs - self._at
        for bit in range(ahead.bit_length()):
            if bit == len(self._powers):
                self._powers.append(self._powers[-1] @ self._powers[-1])
            if ahead >> bit & 1:
                self._state = self._powers[bit] @ self._state
        self._at = epochs
        return self._order.gap(self._state)
