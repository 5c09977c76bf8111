"""Learning rates of SGD on a quadratic: limits of stability, the optimal rate, the gap that a gradient certifies.

The quadratic has curvatures lambda (`linreg_cli.convergence.spectrum`). The distance z from the optimum along each
eigenvector has its own recursion, independent of the others. With h = lambda + weight_decay, torch.optim.SGD does

    v <- momentum v + (1 - dampening) h z      (the first v is h z, undampened; dampening needs momentum)
    z <- z - lr v,  or with Nesterov  z <- z - lr (h z + momentum v)
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from linreg_cli.least_squares.factor import Array
from linreg_cli.optim.plan import StepPlan

#: A chosen rate is below a sharp limit by this relative margin, so that rounding, also in float32, cannot exceed it.
_MARGIN = 1e-6


@dataclass(frozen=True)
class SgdRule:
    """The parameters of torch.optim.SGD, except for the learning rate.

    Attributes:
        momentum: in [0, 1).
        dampening: of the gradient in the buffer; without effect if momentum is 0, as in torch.
        nesterov: Nesterov momentum; requires momentum > 0 and dampening 0.
        weight_decay: at least 0; the penalty is weight_decay / 2 * (sum of squared weights and biases).
    """

    momentum: float = 0.0
    dampening: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0

    @classmethod
    def of(cls, plan: StepPlan) -> "SgdRule":
        """The parameters of a plan."""
        return cls(plan.momentum, plan.dampening, plan.nesterov and plan.momentum > 0, plan.weight_decay)

    def with_momentum(self, momentum: float) -> "SgdRule":
        """The same rule with another momentum; without momentum there is no Nesterov."""
        return replace(self, momentum=momentum, nesterov=self.nesterov and momentum > 0)

    @property
    def gain(self) -> float:
        """The factor of each gradient in the buffer: 1 - dampening with momentum, otherwise 1."""
        return 1 - self.dampening if self.momentum else 1.0


@dataclass(frozen=True)
class Rate:
    """A learning rate and a momentum that were chosen together.

    Attributes:
        lr: the learning rate, above 0, in scaled units.
        momentum: in [0, 1).
        why: the formula or the criterion of the choice, in words, for `run.json`.
    """

    lr: float
    momentum: float
    why: str


def stable_rate(curvature: float, rule: SgdRule) -> float:
    """The sharp limit for a full batch: below it every start converges, above it almost every start diverges.

    With h = curvature + weight_decay and momentum b: plain 2 / h; momentum 2 (1 + b) / ((1 - dampening) h);
    Nesterov 2 (1 + b) / ((1 + 2 b) h). At the limit a root of the characteristic polynomial is -1; it is
    z^2 - (1 + b - lr (1 - dampening) h) z + b, for Nesterov z^2 - (1 + b) (1 - lr h) z + b (1 - lr h).

    Args:
        curvature: the largest eigenvalue of the Hessian of the full-batch loss.
        rule: the parameters of SGD.

    Returns:
        The limit; infinite if h is 0, or if a dampening of 1 keeps all gradients but the first out of the buffer.

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
    """A limit below which the distance from the optimum stays bounded for every sequence of batches.

    With h = (the largest curvature of any batch) + weight_decay. Plain: 2 / h; below it each step is non-expansive.
    Momentum b: 2 (1 - b)^2 / ((1 + b) (1 - dampening) h), and Nesterov 2 (1 - b)^2 / ((1 - b + 2 b^2) h), from the
    circle criterion for a curvature that varies from step to step between 0 and h. The criterion is sufficient, not
    necessary. With momentum, much larger rates usually converge.

    Args:
        curvature: the largest curvature of any batch, from `linreg_cli.convergence.batch_curvature`.
        rule: the parameters of SGD.

    >>> round(batch_safe_rate(4.0, SgdRule()), 12)
    0.5

    Source: G. Zames, On the input-output stability of time-varying nonlinear feedback systems, 1966.
    """
    h = curvature + rule.weight_decay
    if h <= 0 or rule.gain <= 0:
        return math.inf
    return 2 / h * _circle(rule) / rule.gain


def best_rate(largest: float, smallest: float, rule: SgdRule, *, momentum: float | None = None) -> Rate:
    """The full-batch rate with the smallest asymptotic convergence factor, that of the slowest direction.

    With h = curvature + weight_decay: plain 2 / (h_max + h_min); for a given momentum b 2 (1 + b) / (h_max + h_min),
    divided by 1 - dampening; for a free momentum 4 / (sqrt(h_max) + sqrt(h_min))^2 with
    b = ((sqrt(k) - 1) / (sqrt(k) + 1))^2 and k = h_max / h_min (Polyak's optimal heavy ball). Nesterov has no closed
    form; bisection finds the rate at which the two ends of the spectrum converge equally fast. The result is at least
    1e-6 (relative) below the sharp limit.

    Args:
        largest: the largest curvature.
        smallest: the smallest curvature above 0; in flat directions the loss does not depend on the parameters.
        rule: the parameters of SGD; its momentum is ignored.
        momentum: the momentum to use; None chooses that of the optimal heavy ball, without dampening.

    >>> best_rate(3.0, 1.0, SgdRule(), momentum=0.0).lr
    0.5
    >>> best_rate(9.0, 1.0, SgdRule())
    Rate(lr=0.25, momentum=0.25, why='4 / (sqrt(largest) + sqrt(smallest))^2, the optimal heavy ball')
    """
    high, low = largest + rule.weight_decay, smallest + rule.weight_decay
    if high <= 0:
        return Rate(1.0, momentum or 0.0, "the loss is constant, so the rate has no effect")
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
            "the rate at which the largest and the smallest curvature converge equally fast with Nesterov momentum",
        )
    limit = stable_rate(largest, rule) * (1 - _MARGIN)
    return Rate(min(lr, limit), rule.momentum, why)


def mean_square_rate(spread: float, largest: float, smallest: float, batch_size: int, rule: SgdRule) -> float:
    """A limit below which the expected squared distance from the optimum decreases with random batches.

    With L from `batch_curvature.mean_square_curvature`, R / B = L - (1 - 1/B) h_max the part of L that is due to noise,
    q = (1 + b) / (1 - b) and h = curvature + weight_decay. Plain: 2 / (L + weight_decay). Momentum b:

        2 (1 + b) / ((1 - dampening) max over curvatures (q (R - curvature) / B + h))

    White noise of variance 1 in the gradient gives the stationary E[z^2] = lr (1 + b) / ((1 - b) h (2 (1 + b) - lr h)).
    At a distance z the gradient noise has a variance of at most (R - curvature) curvature z^2 / B in total, and the
    E[z^2] that it causes must be below z^2. The maximum is at one end of the spectrum. Nesterov: the same with its own
    stationary E[z^2], by bisection. The limit is sufficient. It is sharp if all rows have the same length and all
    curvatures are equal.

    Args:
        spread: L, for the batches of the run.
        largest: the largest curvature of the expected loss of a batch.
        smallest: the smallest above 0.
        batch_size: B, the number of rows, drawn independently.
        rule: the parameters of SGD.

    Returns:
        The limit; infinite if `stable_rate` is.

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
    """h E[z^2] of the stationary distribution, for white noise of variance 1 in the gradient.

    Plain and heavy ball: an AR(2) process with the variance lr (1 + b) / ((1 - b) h (2 (1 + b) - lr h)), where lr
    includes the factor 1 - dampening. Nesterov: an ARMA(2, 1) process. Defined only for rates below `stable_rate`.

    Args:
        lr: the learning rate.
        h: curvatures including the weight decay, above 0, any shape.
        rule: the parameters of SGD.

    Returns:
        Of the shape of h.
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
    """The highest rate to choose for mini-batches: half the batch-safe limit of SGD without momentum.

    At half the limit no step overshoots the minimum of its own batch, so the loss of that batch falls in every step. At
    the limit itself it may stay the same. With momentum b, a gradient moves the parameters by 1 / (1 - b) times as much
    in total, and the rate is divided by that. This is below `mean_square_rate`. Safety for every sequence of batches is
    proven for much lower rates only.

    Args:
        batch_largest: the largest curvature of any batch.
        rule: the parameters of SGD.

    >>> safe_batch_rate(4.0, SgdRule())
    Rate(lr=0.25, momentum=0.0, why='half the rate that is safe for every batch')
    """
    lr = batch_safe_rate(batch_largest, SgdRule(weight_decay=rule.weight_decay)) / 2
    lr = lr if math.isfinite(lr) else 1.0
    if not rule.momentum or rule.gain <= 0:
        return Rate(lr, rule.momentum, "half the rate that is safe for every batch")
    lr *= (1 - rule.momentum) / rule.gain
    factor = "(1 - momentum) / (1 - dampening)" if rule.dampening else "1 - momentum"
    return Rate(lr, rule.momentum, f"half the rate that is safe for every batch, times {factor}")


def rounded_down(value: float, digits: int = 4) -> float:
    """The largest number with `digits` significant digits that is not above a positive value.

    >>> rounded_down(0.000298356), rounded_down(2.0)
    (0.0002983, 2.0)
    """
    rounded = float(f"{value:.{digits - 1}e}")
    if rounded > value:
        unit = 10.0 ** (math.floor(math.log10(value)) - digits + 1)
        rounded = float(f"{rounded - unit:.{digits - 1}e}")
    return rounded


def _circle(rule: SgdRule) -> float:
    """s in the batch-safe limit 2 s / h: 1 without momentum.

    With G the transfer function from -(curvature times position) to the position at rate 1, the circle criterion is
    lr h <= -1 / (infimum of the real part of G on the unit circle), which is approached at z = 1. Heavy ball:
    G = z / ((z - 1)(z - b)), infimum -(1 + b) / (2 (1 - b)^2). Nesterov: G = ((1 + b) z - b) / ((z - 1)(z - b)),
    infimum -(1 - b + 2 b^2) / (2 (1 - b)^2).
    """
    b = rule.momentum
    return (1 - b) ** 2 / ((1 - b + 2 * b * b) if rule.nesterov else (1 + b))


def _balance(high: float, low: float, momentum: float) -> float:
    # Above 1 / high, a higher rate makes the smallest curvature converge faster and the largest one slower.
    below, above = 1 / high, 2 * (1 + momentum) / ((1 + 2 * momentum) * high)
    for _ in range(80):
        middle = (below + above) / 2
        if _nesterov_radius(1 - middle * low, momentum) > _nesterov_radius(1 - middle * high, momentum):
            below = middle
        else:
            above = middle
    return below


def _nesterov_radius(q: float, momentum: float) -> float:
    """The spectral radius: the largest |z| with z^2 - (1 + momentum) q z + momentum q = 0, where q = 1 - lr h."""
    half, product = (1 + momentum) * q / 2, momentum * q
    discriminant = half * half - product
    return math.sqrt(product) if discriminant < 0 else abs(half) + math.sqrt(discriminant)
