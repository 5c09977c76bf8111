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

#: How far below a sharp limit a chosen rate stays, so that rounding (float32's too) cannot carry it across.
_MARGIN = 1e-6


@dataclass(frozen=True)
class Motion:
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


def stable_rate(curvature: float, motion: Motion) -> float:
    """The sharp limit for a full batch: below it every start converges, above it almost none does.

    With h = curvature + weight_decay and momentum b: plain 2 / h; momentum 2 (1 + b) / ((1 - dampening) h);
    Nesterov 2 (1 + b) / ((1 + 2 b) h). They are where a root of z^2 - (1 + b - lr (1 - dampening) h) z + b, or of
    z^2 - (1 + b) (1 - lr h) z + b (1 - lr h), reaches -1. Infinite where nothing is curved, or where full
    dampening keeps every gradient but the first out.

    Args:
        curvature: the largest of the full-batch loss.
        motion: how SGD moves.

    >>> round(stable_rate(4.0, Motion()), 12), round(stable_rate(4.0, Motion(momentum=0.9)), 12)
    (0.5, 0.95)

    Source: B. T. Polyak, Some methods of speeding up the convergence of iteration methods, 1964.
    """
    h, b = curvature + motion.weight_decay, motion.momentum
    if h <= 0 or motion.gain <= 0:
        return math.inf
    if motion.nesterov:
        return 2 * (1 + b) / ((1 + 2 * b) * h)
    return 2 * (1 + b) / (motion.gain * h)


def batch_safe_rate(curvature: float, motion: Motion) -> float:
    """A rate at which no sequence of batches, however unlucky, can drive the distance away.

    With h = (the largest curvature of any batch) + weight_decay. Plain: 2 / h, where each step is a contraction.
    Momentum b: 2 (1 - b)^2 / ((1 + b) (1 - dampening) h), and Nesterov 2 (1 - b)^2 / ((1 - b + 2 b^2) h), from the
    circle criterion for a curvature that changes from step to step between 0 and h. That is sufficient, not
    necessary: with momentum much larger rates usually work.

    Args:
        curvature: the largest of any batch, from `linreg_cli.convergence.batch_curvature`.
        motion: how SGD moves.

    >>> round(batch_safe_rate(4.0, Motion()), 12)
    0.5

    Source: G. Zames, On the input-output stability of time-varying nonlinear feedback systems, 1966.
    """
    h = curvature + motion.weight_decay
    if h <= 0 or motion.gain <= 0:
        return math.inf
    return 2 / h * _circle(motion) / motion.gain


def best_rate(largest: float, smallest: float, motion: Motion, *, momentum: float | None = None) -> Rate:
    """The full-batch rate whose slowest direction is fastest.

    With h = curvature + weight_decay: plain 2 / (h_max + h_min); momentum b given 2 (1 + b) / (h_max + h_min),
    with dampening divided by 1 - dampening; momentum free 4 / (sqrt(h_max) + sqrt(h_min))^2 with b = ((sqrt(k) -
    1) / (sqrt(k) + 1))^2 and k = h_max / h_min (Polyak's optimal heavy ball). Nesterov has no closed form; its
    two ends are balanced by bisection. Always at least 1e-6 (relative) below the sharp limit.

    Args:
        largest: the largest curvature.
        smallest: the smallest that is not zero; flat directions need no rate.
        motion: how SGD moves; its momentum is not read.
        momentum: the momentum to use; None chooses it, for the heavy ball, without dampening.

    >>> best_rate(3.0, 1.0, Motion(), momentum=0.0).lr
    0.5
    >>> best_rate(9.0, 1.0, Motion())
    Rate(lr=0.25, momentum=0.25, why='4 / (sqrt(largest) + sqrt(smallest))^2, the optimal heavy ball')
    """
    high, low = largest + motion.weight_decay, smallest + motion.weight_decay
    if high <= 0:
        return Rate(1.0, momentum or 0.0, "the loss is flat, so any rate does")
    if momentum is None:
        root = math.sqrt(high / low)
        chosen = ((root - 1) / (root + 1)) ** 2
        motion = Motion(chosen, 0.0, False, motion.weight_decay)
        lr, why = (
            4 / (math.sqrt(high) + math.sqrt(low)) ** 2,
            "4 / (sqrt(largest) + sqrt(smallest))^2, the optimal heavy ball",
        )
    else:
        motion = Motion(momentum, motion.dampening, motion.nesterov and momentum > 0, motion.weight_decay)
        lr, why = 2 * (1 + momentum) / (motion.gain * (high + low)), "2 / (largest + smallest curvature)"
        if momentum:
            why = "2 (1 + momentum) / (largest + smallest curvature)"
    if motion.nesterov:
        lr, why = (
            _balance(high, low, motion.momentum),
            "the rate at which Nesterov's two slowest directions are equally fast",
        )
    limit = stable_rate(largest, motion) * (1 - _MARGIN)
    return Rate(min(lr, limit), motion.momentum, why)


def mean_square_rate(spread: float, largest: float, smallest: float, batch_size: int, motion: Motion) -> float:
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
        motion: how SGD moves.

    >>> mean_square_rate(4.0, 1.0, 1.0, 1, Motion())
    0.5
    >>> round(mean_square_rate(4.0, 1.0, 1.0, 1, Motion(momentum=0.5)), 12)  # 2 x 1.5 / (3 x 3 + 1)
    0.3
    """
    b, ends = motion.momentum, (largest, smallest)
    row = (spread - (1 - 1 / batch_size) * largest) * batch_size
    if largest + motion.weight_decay <= 0 or motion.gain <= 0:
        return math.inf
    if not b:
        return 2 / (spread + motion.weight_decay)
    q = (1 + b) / (1 - b)
    if not motion.nesterov:
        most = max(q * max(row - h, 0.0) / batch_size + h + motion.weight_decay for h in ends)
        return 2 * (1 + b) / (motion.gain * most)
    below, above = 0.0, stable_rate(largest, motion)
    for _ in range(80):
        middle = (below + above) / 2
        squares = stationary_square(middle, np.array(ends) + motion.weight_decay, motion)
        fed = max(max(row - h, 0.0) / batch_size * square for h, square in zip(ends, squares, strict=True))
        below, above = (middle, above) if fed < 1 else (below, middle)
    return below


def stationary_square(lr: float, h: Array, motion: Motion) -> Array:
    """h E[z^2] in the long run, for white noise of variance 1 in the gradient; only below the limit of the rate.

    Plain and heavy ball: an AR(2) process, of variance lr (1 + b) / ((1 - b) h (2 (1 + b) - lr h)) with lr times
    1 - dampening. Nesterov: an ARMA(2, 1) process.

    Args:
        lr: the rate.
        h: curvatures with the weight decay, above 0.
        motion: how SGD moves.
    """
    b = motion.momentum
    if not (b and motion.nesterov):
        lr = lr * motion.gain
        square: Array = lr * (1 + b) / ((1 - b) * (2 * (1 + b) - lr * h))
        return square
    q = 1 - lr * h
    noise = ((1 + b) ** 2 + b**2) * (1 + b * q) - 2 * b * (1 + b) ** 2 * q
    return np.asarray(lr * noise / ((1 - b * q) * (1 + (1 + 2 * b) * q)))


def safe_batch_rate(batch_largest: float, motion: Motion) -> Rate:
    """The highest rate for mini-batches where nothing else is known: half the batch-safe limit of plain steps.

    At half the limit no step can overshoot the optimum of the batch that it sees, whatever rows that batch has,
    so the loss of that batch falls in every step; the limit itself would let it stand still. With momentum b it is
    divided by 1 / (1 - b), as far as a gradient moves the parameters in the end, which keeps random batches below
    `mean_square_rate`; that no sequence of batches can do harm is known for much lower rates only.

    Args:
        batch_largest: the largest curvature of any batch.
        motion: how SGD moves.
    """
    lr = batch_safe_rate(batch_largest, Motion(weight_decay=motion.weight_decay)) / 2
    lr = lr if math.isfinite(lr) else 1.0
    if not motion.momentum or motion.gain <= 0:
        return Rate(lr, motion.momentum, "half the rate that is safe for every batch")
    lr *= (1 - motion.momentum) / motion.gain
    return Rate(lr, motion.momentum, "half the rate that is safe for every batch, divided by what momentum adds up to")


def _circle(motion: Motion) -> float:
    """s in the batch-safe limit 2 s / h: 1 without momentum.

    With G the transfer function from -(curvature times position) to the position at rate 1, the criterion is
    lr h <= -1 / (least real part of G on the unit circle), which is attained towards z = 1. Heavy ball:
    G = z / ((z - 1)(z - b)), least -(1 + b) / (2 (1 - b)^2). Nesterov: G = ((1 + b) z - b) / ((z - 1)(z - b)),
    least -(1 - b + 2 b^2) / (2 (1 - b)^2).
    """
    b = motion.momentum
    return (1 - b) ** 2 / ((1 - b + 2 * b * b) if motion.nesterov else (1 + b))


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
