"""The limit of the rate for batches in a fixed order: the first rate at which an epoch is no longer a contraction."""

import math
from dataclasses import dataclass

import numpy as np

from linreg_cli.convergence.fixed_order import MOST_WORK, FixedOrder
from linreg_cli.convergence.rates import SgdRule, batch_safe_rate

#: Neighbouring rates of the scan differ by this part, or by up to the second if they are costly.
_FINEST, _COARSEST = 0.01, 0.1
#: The rates that are tried to look closer, after the scan.
_CLOSER = 50
#: The scan ends at this multiple of the highest rate that is proven to be stable.
_HIGHEST = 1e7
#: The rates that are tried at once.
_TOGETHER = 32


@dataclass(frozen=True)
class Crossing:
    """The lowest rate at which the spectral radius of an epoch crosses 1.

    Attributes:
        rate: the rate; infinite if there is none.
        spacing: the relative distance of the rates that were tried below it. An unstable range that is narrower may
            have been missed.
    """

    rate: float
    spacing: float


def first_crossing(order: FixedOrder, rule: SgdRule, known: float | None = None) -> Crossing | None:
    """The lowest rate at which the spectral radius of an epoch crosses 1: below it, every start converges.

    The radius is not a monotone function of the rate, so rates are scanned upwards from the highest one that is proven
    to be stable, 1 % apart, and finer near the highest local maxima of the radius; then the interval is bisected. At
    some higher rates the order may be stable again.

    Args:
        order: the rows of the run.
        rule: the parameters of SGD.
        known: a rate that is tried too, such as that of the run.

    Returns:
        The crossing; None if the scan would be too costly.
    """
    if (rule, known) not in order.crossings:
        order.crossings[rule, known] = _search(order, rule, known)
    found: Crossing | None = order.crossings[rule, known]
    return found


def _search(order: FixedOrder, rule: SgdRule, known: float | None) -> Crossing | None:
    low = batch_safe_rate(order.steepest, rule)
    if not math.isfinite(low) or not len(order.h):
        return Crossing(math.inf, _FINEST)
    # A scan usually ends below 4 times the limit of the average batch.
    width = math.log(4 * max(2 * (1 + rule.momentum) / (rule.gain * order.average) / low, 1))
    affordable = MOST_WORK / order.cost(rule) - _CLOSER
    spacing = max(_FINEST, width / affordable) if affordable > 0 else math.inf
    if spacing > _COARSEST:
        return None
    rates, radii = _scan(order, rule, low, spacing, known)
    if radii[-1] <= 1:
        return Crossing(math.inf, spacing)
    below, above = _resonance(order, rule, rates, radii) or (rates[-2], rates[-1])
    for _ in range(3):
        finer = np.linspace(below, above, 11)[1:].tolist()
        first = int(np.flatnonzero(np.append(order.radii(finer[:-1], rule) > 1, True))[0])
        below, above = (finer[first - 1] if first else below), finer[first]
    return Crossing(below, spacing)


def _scan(
    order: FixedOrder, rule: SgdRule, low: float, spacing: float, known: float | None
) -> tuple[list[float], list[float]]:
    """Rates upwards from `low` and their radii, of which the last is the first above 1 (or too high a rate)."""
    rates, radii, at = [low * (1 - 1e-9)], [0.0], 0
    while radii[-1] <= 1 and rates[-1] < _HIGHEST * low:
        block = [low * math.exp(spacing * (at + j)) for j in range(_TOGETHER)]
        at += _TOGETHER
        if known is not None and rates[-1] < known < block[-1]:
            block = sorted([*block, known])
        found = order.radii(block, rule)
        stop = int(np.flatnonzero(np.append(found[:-1] > 1, True))[0]) + 1
        rates += block[:stop]
        radii += found[:stop].tolist()
    return rates, radii


def _resonance(order: FixedOrder, rule: SgdRule, rates: list[float], radii: list[float]) -> tuple[float, float] | None:
    """A stable rate and an unstable one above it, near the two highest local maxima of the radii; None if none."""
    inner = [i for i in range(1, len(rates) - 1) if radii[i] >= max(radii[i - 1], radii[i + 1])]
    for i in sorted(sorted(inner, key=lambda i: -radii[i])[:2]):
        finer = np.linspace(rates[i - 1], rates[i + 1], 11).tolist()
        unstable = np.flatnonzero(order.radii(finer[1:-1], rule) > 1)
        if len(unstable):
            return finer[int(unstable[0])], finer[int(unstable[0]) + 1]
    return None
