"""Learning rates: where they stop working, which is best, and what a gradient certifies.

All of it is about a quadratic with curvatures lambda (`linreg_cli.convergence.spectrum`), on which each eigenvector's
distance z from the optimum moves by itself. With h = lambda + weight_decay, torch.optim.SGD does

    v <- momentum v + (1 - dampening) h z      (the first v is h z, undampened; dampening needs momentum)
    z <- z - lr v,  or with Nesterov  z <- z - lr (h z + momentum v)
"""

import math
from dataclasses import dataclass

import numpy as np

from linreg_cli.least_squares.factor import Array
from linreg_cli.optim.plan import StepPlan

#: How far below a sharp limit a chosen rate stays, so that rounding (float32's too) cannot carry it across.
_MARGIN = 1e-6


@dataclass(frozen=True)
class SgdRule:
    """How torch.optim.SGD moves, all but the rate.

    Attributes:
        momentum: in [0, 1).
        dampening: has no effect without momentum, as in torch.
        nesterov: needs momentum, and no dampening.
        weight_decay: at least 0.
    """

    momentum: float = 0.0
    dampening: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0

    @classmethod
    def of(cls, plan: StepPlan) -> "SgdRule":
        """The rule of a plan."""
        return cls(plan.momentum, plan.dampening, plan.nesterov and plan.momentum > 0, plan.weight_decay)

    @property
    def gain(self) -> float:
        """The share of each gradient that enters the buffer."""
        return 1 - self.dampening if self.momentum else 1.0


@dataclass(frozen=True)
class Rate:
    """A rate that was chosen, and why.

    Attributes:
        lr: the rate.
        momentum: the momentum that belongs to it.
        why: a sentence for the record.
    """

    lr: float
    momentum: float
    why: str


def stable_rate(curvature: float, rule: SgdRule) -> float:
    """The sharp limit for a full batch: below it every start converges, above it almost none does.

    With h = curvature + weight_decay and momentum b: plain 2 / h; momentum 2 (1 + b) / ((1 - dampening) h);
    Nesterov 2 (1 + b) / ((1 + 2 b) h). They are where a root of z^2 - (1 + b - lr (1 - dampening) h) z + b, or of
    z^2 - (1 + b) (1 - lr h) z + b (1 - lr h), reaches -1. Infinite where nothing is curved, or where full
    dampening keeps every gradient but the first out.

    Args:
        curvature: the largest of the full-batch loss.
        rule: how SGD moves.

    >>> round(stable_rate(4.0, SgdRule()), 12), round(stable_rate(4.0, SgdRule(momentum=0.9)), 12)
    (0.5, 0.95)

    Source: B. T. Polyak, Some methods of speeding up the convergence of iteration methods, 1964.
    """
    h, b = curvature + rule.weight_decay, rule.momentum
    if h <= 0 or rule.gain <= 0:
        return math.inf
    if rule.nesterov:
        return 2 * (1 + b) / ((1 + 2 * b) * h)
    return 2 * (1 + b) / (rule.gain * h)


def batch_safe_rate(curvature: float, rule: SgdRule) -> float:
    """A rate at which no sequence of batches, however unlucky, can drive the distance away.

    With h = (the largest curvature of any batch) + weight_decay. Plain: 2 / h, where each step is a contraction.
    Momentum b: 2 (1 - b)^2 / ((1 + b) (1 - dampening) h), and Nesterov 2 (1 - b)^2 / ((1 - b + 2 b^2) h), from the
    circle criterion for a curvature that changes from step to step between 0 and h. That is sufficient, not
    necessary: with momentum much larger rates usually work.

    Args:
        curvature: the largest of any batch, from `linreg_cli.convergence.batch_curvature`.
        rule: how SGD moves.

    >>> round(batch_safe_rate(4.0, SgdRule()), 12)
    0.5

    Source: G. Zames, On the input-output stability of time-varying nonlinear feedback systems, 1966.
    """
    h = curvature + rule.weight_decay
    if h <= 0 or rule.gain <= 0:
        return math.inf
    return 2 / h * _circle(rule) / rule.gain


def best_rate(largest: float, smallest: float, rule: SgdRule, *, momentum: float | None = None) -> Rate:
    """The full-batch rate whose slowest direction is fastest.

    With h = curvature + weight_decay: plain 2 / (h_max + h_min); momentum b given 2 (1 + b) / (h_max + h_min),
    with dampening divided by 1 - dampening; momentum free 4 / (sqrt(h_max) + sqrt(h_min))^2 with b = ((sqrt(k) -
    1) / (sqrt(k) + 1))^2 and k = h_max / h_min (Polyak's optimal heavy ball). Nesterov has no closed form; its
    two ends are balanced by bisection. Always at least 1e-6 (relative) below the sharp limit.

    Args:
        largest: the largest curvature.
        smallest: the smallest that is not zero; flat directions need no rate.
        rule: how SGD moves; its momentum is not read.
        momentum: the momentum to use; None chooses it, for the heavy ball, without dampening.

    >>> best_rate(3.0, 1.0, SgdRule(), momentum=0.0).lr
    0.5
    >>> best_rate(9.0, 1.0, SgdRule())
    Rate(lr=0.25, momentum=0.25, why='4 / (sqrt(largest) + sqrt(smallest))^2, the optimal heavy ball')
    """
    high, low = largest + rule.weight_decay, smallest + rule.weight_decay
    if high <= 0:
        return Rate(1.0, momentum or 0.0, "the loss is flat, so any rate does")
    if momentum is None:
        root = math.sqrt(high / low)
        chosen = ((root - 1) / (root + 1)) ** 2
        rule = SgdRule(chosen, 0.0, False, rule.weight_decay)
        lr, why = (
            4 / (math.sqrt(high) + math.sqrt(low)) ** 2,
            "4 / (sqrt(largest) + sqrt(smallest))^2, the optimal heavy ball",
        )
    else:
        rule = SgdRule(momentum, rule.dampening, rule.nesterov and momentum > 0, rule.weight_decay)
        lr, why = 2 * (1 + momentum) / (rule.gain * (high + low)), "2 / (largest + smallest curvature)"
        if momentum:
            why = "2 (1 + momentum) / (largest + smallest curvature)"
    if rule.nesterov:
        lr, why = (
            _balance(high, low, rule.momentum),
            "the rate at which Nesterov's two slowest directions are equally fast",
        )
    limit = stable_rate(largest, rule) * (1 - _MARGIN)
    return Rate(min(lr, limit), rule.momentum, why)


def mean_square_rate(spread: float, largest: float, smallest: float, batch_size: int, rule: SgdRule) -> float:
    """A rate below which random batches bring a run nearer to its optimum on average, in the mean square.

    With L of `batch_curvature.mean_square_curvature`, R / B = L - (1 - 1/B) h_max the part of it that is noise, q =
    (1 + b) / (1 - b) and h = curvature + weight_decay. Plain: 2 / (L + weight_decay). Momentum b:

        2 (1 + b) / ((1 - dampening) max over curvatures (q (R - curvature) / B + h))

    since white noise of variance 1 in the gradient leaves E[z^2] = lr (1 + b) / ((1 - b) h (2 (1 + b) - lr h)), and
    the noise that a distance z makes, at most (R - curvature) curvature z^2 / B in all, must leave less than z^2. The
    maximum is at one end of the spectrum. Nesterov: the same with its own E[z^2], by bisection. Sufficient; sharp
    where every row is as long as the others and all curvatures are equal.

    Args:
        spread: L, for the batches of the run.
        largest: curvature that a step meets on average.
        smallest: the smallest that is not zero.
        batch_size: B, rows drawn independently of each other.
        rule: how SGD moves.

    >>> mean_square_rate(4.0, 1.0, 1.0, 1, SgdRule())
    0.5
    >>> round(mean_square_rate(4.0, 1.0, 1.0, 1, SgdRule(momentum=0.5)), 12)  # 2 x 1.5 / (3 x 3 + 1)
    0.3
    """
    b, ends = rule.momentum, (largest, smallest)
    row = (spread - (1 - 1 / batch_size) * largest) * batch_size
    if largest + rule.weight_decay <= 0 or rule.gain <= 0:
        return math.inf
    if not b:
        return 2 / (spread + rule.weight_decay)
    q = (1 + b) / (1 - b)
    if not rule.nesterov:
        most = max(q * max(row - h, 0.0) / batch_size + h + rule.weight_decay for h in ends)
        return 2 * (1 + b) / (rule.gain * most)
    below, above = 0.0, stable_rate(largest, rule)
    for _ in range(80):
        middle = (below + above) / 2
        squares = stationary_square(middle, np.array(ends) + rule.weight_decay, rule)
        fed = max(max(row - h, 0.0) / batch_size * square for h, square in zip(ends, squares, strict=True))
        below, above = (middle, above) if fed < 1 else (below, middle)
    return below


def stationary_square(lr: float, h: Array, rule: SgdRule) -> Array:
    """h E[z^2] in the long run, for white noise of variance 1 in the gradient; only below the limit of the rate.

    Plain and heavy ball: an AR(2) process, of variance lr (1 + b) / ((1 - b) h (2 (1 + b) - lr h)) with lr times
    1 - dampening. Nesterov: an ARMA(2, 1) process.

    Args:
        lr: the rate.
        h: curvatures with the weight decay, above 0.
        rule: how SGD moves.
    """
    b = rule.momentum
    if not (b and rule.nesterov):
        lr = lr * rule.gain
        square: Array = lr * (1 + b) / ((1 - b) * (2 * (1 + b) - lr * h))
        return square
    q = 1 - lr * h
    noise = ((1 + b) ** 2 + b**2) * (1 + b * q) - 2 * b * (1 + b) ** 2 * q
    return np.asarray(lr * noise / ((1 - b * q) * (1 + (1 + 2 * b) * q)))


def safe_batch_rate(batch_largest: float, rule: SgdRule) -> Rate:
    """The highest rate for mini-batches where nothing else is known: half the batch-safe limit of plain steps.

    At half the limit no step can overshoot the optimum of the batch that it sees, whatever rows that batch has,
    so the loss of that batch falls in every step; the limit itself would let it stand still. With momentum b it is
    divided by 1 / (1 - b), as far as a gradient moves the parameters in the end, which keeps random batches below
    `mean_square_rate`; that no sequence of batches can do harm is known for much lower rates only.

    Args:
        batch_largest: the largest curvature of any batch.
        rule: how SGD moves.
    """
    lr = batch_safe_rate(batch_largest, SgdRule(weight_decay=rule.weight_decay)) / 2
    lr = lr if math.isfinite(lr) else 1.0
    if not rule.momentum or rule.gain <= 0:
        return Rate(lr, rule.momentum, "half the rate that is safe for every batch")
    lr *= (1 - rule.momentum) / rule.gain
    return Rate(lr, rule.momentum, "half the rate that is safe for every batch, divided by what momentum adds up to")


def _circle(rule: SgdRule) -> float:
    """s in the batch-safe limit 2 s / h: 1 without momentum.

    With G the transfer function from -(curvature times position) to the position at rate 1, the criterion is
    lr h <= -1 / (least real part of G on the unit circle), which is attained towards z = 1. Heavy ball:
    G = z / ((z - 1)(z - b)), least -(1 + b) / (2 (1 - b)^2). Nesterov: G = ((1 + b) z - b) / ((z - 1)(z - b)),
    least -(1 - b + 2 b^2) / (2 (1 - b)^2).
    """
    b = rule.momentum
    return (1 - b) ** 2 / ((1 - b + 2 * b * b) if rule.nesterov else (1 + b))


def _balance(high: float, low: float, momentum: float) -> float:
    # The speed falls with the rate at the low end and rises at the high end, beyond 1 / high.
    below, above = 1 / high, 2 * (1 + momentum) / ((1 + 2 * momentum) * high)
    for _ in range(80):
        middle = (below + above) / 2
        if _nesterov_radius(1 - middle * low, momentum) > _nesterov_radius(1 - middle * high, momentum):
            below = middle
        else:
            above = middle
    return below


def _nesterov_radius(q: float, momentum: float) -> float:
    """The largest root of z^2 - (1 + momentum) q z + momentum q, in absolute value; q = 1 - lr h."""
    half, product = (1 + momentum) * q / 2, momentum * q
    discriminant = half * half - product
    return math.sqrt(product) if discriminant < 0 else abs(half) + math.sqrt(discriminant)
