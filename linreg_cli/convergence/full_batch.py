"""The end of full-batch runs at several rates and momenta, exactly and at once, from the spectrum."""

from collections.abc import Sequence

import numpy as np

from linreg_cli.convergence.rates import SgdRule
from linreg_cli.least_squares.factor import Array
from linreg_cli.optim.schedules import Schedule


def full_batch_ends(
    h: Array,
    square: Array,
    *,
    rates: Sequence[float],
    momenta: Sequence[float],
    rule: SgdRule,
    epochs: int,
    schedules: Sequence[Schedule] | None = None,
) -> Array:
    """The objective minus its minimum after a number of epochs, for each of C candidates.

    The objective is that of `linreg_cli.convergence.dynamics`: the sum over directions of h z^2 / 2, with z from the
    recursion of `linreg_cli.convergence.rates`. Exact within rounding error.

    Args:
        h: shape (n_modes,), float64, the curvature of the objective in each direction, above 0.
        square: shape (n_modes,), the initial z^2, summed over targets.
        rates: C learning rates.
        momenta: C momenta, one for each rate.
        rule: dampening and Nesterov, which hold where the momentum is above 0; its momentum is not used.
        epochs: at least 1.
        schedules: epoch (from 0) -> learning rate, for each candidate; None: constant rates.

    Returns:
        Shape (C,), float64; infinite where it overflows.

    >>> full_batch_ends(np.array([1.0]), np.array([4.0]), rates=[0.5, 1.0], momenta=[0, 0], rule=SgdRule(), epochs=2)
    array([0.125, 0.   ])
    """
    with np.errstate(over="ignore", invalid="ignore"):
        z = amplitudes(h, rates=rates, momenta=momenta, rule=rule, epochs=epochs, schedules=schedules)
        ends: Array = z**2 @ (h * square / 2)
    return np.where(np.isfinite(ends), ends, np.inf)


def amplitudes(
    h: Array,
    *,
    rates: Sequence[float],
    momenta: Sequence[float],
    rule: SgdRule,
    epochs: int,
    schedules: Sequence[Schedule] | None = None,
) -> Array:
    """z, the distance from the optimum along each direction after a number of epochs, from z = 1 at the start.

    The arguments are those of `full_batch_ends`, but curvatures may be 0: in such a direction nothing moves.

    Returns:
        Shape (C, n_modes), float64; not finite where it overflows.
    """
    lr, b = np.asarray(rates, dtype=np.float64)[:, None], np.asarray(momenta, dtype=np.float64)[:, None]
    gain = np.where(b > 0, 1 - rule.dampening, 1.0)
    ahead = b if rule.nesterov else np.zeros_like(b)
    with np.errstate(over="ignore", invalid="ignore"):
        v = np.broadcast_to(h, (len(lr), len(h))).copy()  # the first buffer is the gradient, without dampening
        if schedules is None:
            return _constant(1 - lr * (v + ahead * v), v, lr, h, b, gain, ahead, epochs - 1)
        lr = np.array([[rate(0)] for rate in schedules])
        z = 1 - lr * (v + ahead * v)
        for epoch in range(1, epochs):
            lr = np.array([[rate(epoch)] for rate in schedules])
            gradient = h * z
            v = b * v + gain * gradient
            z -= lr * np.where(ahead > 0, gradient + b * v, v)
    return z


def _constant(z: Array, v: Array, lr: Array, h: Array, b: Array, gain: Array, ahead: Array, steps: int) -> Array:
    """z after more steps at constant rates, by powers of the matrix of a step; arrays of shape (C, n_modes)."""
    M = np.empty((*z.shape, 2, 2))
    M[..., 1, 0], M[..., 1, 1] = gain * h, b
    plain = ahead == 0
    M[..., 0, 0] = np.where(plain, 1 - lr * gain * h, 1 - lr * h * (1 + b))
    M[..., 0, 1] = np.where(plain, -lr * b, -lr * b * b)
    power = np.linalg.matrix_power(M, steps)
    moved: Array = power[..., 0, 0] * z + power[..., 0, 1] * v
    return moved
