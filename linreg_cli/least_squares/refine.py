"""Iterative refinement of a least-squares solution, with residuals in twice the working precision.

A double-double is an unevaluated sum hi + lo of two float64 with |lo| <= ulp(hi) / 2: about 32 digits.

Sources: T. J. Dekker, A floating-point technique for extending the available precision, 1971 (products);
D. E. Knuth, The Art of Computer Programming, vol. 2 (sums); Å. Björck, Iterative refinement of linear least
squares solutions, 1967 (the iteration).
"""

import math

import numpy as np

from linreg_cli.least_squares.decompositions import solve_triangle
from linreg_cli.least_squares.factor import EPS, Array, Factor

_SPLITTER = 2.0**27 + 1
_MAX_ITERATIONS = 6

DoubleDouble = tuple[Array, Array]


def two_sum(a: Array, b: Array) -> DoubleDouble:
    """a + b exactly, elementwise, as the rounded sum and its rounding error.

    >>> two_sum(np.array([1.0]), np.array([1e-20]))
    (array([1.]), array([1.e-20]))
    """
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def two_product(a: Array, b: Array) -> DoubleDouble:
    """a * b exactly, elementwise, as the rounded product and its rounding error, for values below about 1e300.

    >>> hi, lo = two_product(np.array([1 + 2.0**-30]), np.array([1 + 2.0**-30]))
    >>> float(lo[0]) == 2.0**-60
    True
    """
    product = a * b
    a_hi = _SPLITTER * a
    a_hi = a_hi - (a_hi - a)
    b_hi = _SPLITTER * b
    b_hi = b_hi - (b_hi - b)
    a_lo, b_lo = a - a_hi, b - b_hi
    return product, ((a_hi * b_hi - product) + a_hi * b_lo + a_lo * b_hi) + a_lo * b_lo


def add(a: DoubleDouble, b: DoubleDouble) -> DoubleDouble:
    """The sum of two double-doubles, elementwise, with a relative error of about 1e-32 without cancellation."""
    hi, lo = two_sum(a[0], b[0])
    return two_sum(hi, lo + (a[1] + b[1]))


def refine(
    X_nd: Array, y_nk: Array, factor: Factor, theta_spk: Array
) -> tuple[Array, Array | None, Array, Array] | None:
    """Weights, bias, level and residuals of the least-squares solution to about 15 digits.

    The centred and scaled design matrix is stored as double-doubles, so it has no rounding error. The iteration solves
    the augmented system r + A x = y, A' r = 0 for corrections of x and r. It converges for condition numbers below
    about 1e15.

    Args:
        X_nd: shape (n_samples, n_features), float64.
        y_nk: shape (n_samples, n_targets), float64.
        factor: of X and y, of full rank.
        theta_spk: the solution to refine, shape (n_parameters, n_targets), in the coordinates of `Factor.rows`.

    Returns:
        The weights (n_features, n_targets), the bias (n_targets,) or None, the level (n_targets,) of `Optimum`, and the
        residuals y - X w - b (n_samples, n_targets), in the units of X and y, times the square roots of the weights of
        the rows; None if the iteration does not converge.
    """
    A = _exact_design(X_nd, factor)
    Q, R = np.linalg.qr(A[0])
    weights, bias = np.empty((X_nd.shape[1], y_nk.shape[1])), np.empty(y_nk.shape[1])
    level = np.zeros(y_nk.shape[1])
    residuals = np.empty_like(y_nk)
    for t in range(y_nk.shape[1]):
        y_scale = factor.target_scale[t]
        hi, lo = two_sum(y_nk[:, t], np.full(len(y_nk), -factor.target_center[t]))
        target = _times_root((hi / y_scale, lo / y_scale), factor)
        solution = _iterate(A, target, Q, R, theta_spk[:, t])
        if solution is None:
            return None
        (x_hi, x_lo), r = solution
        residuals[:, t] = r * y_scale
        d = len(factor.scale)
        weights[:, t] = x_hi[:d] * y_scale / factor.scale
        if factor.bias:
            level[t], center = y_scale * x_hi[-1], factor.center / factor.scale
            product, rest = two_product(x_hi[:d], center)
            parts = [factor.target_center[t] / y_scale, x_hi[-1], x_lo[-1]]
            bias[t] = y_scale * math.fsum([*parts, *-product, *-rest, *-(x_lo[:d] * center)])
    return weights, bias if factor.bias else None, level, residuals


def _exact_design(X_nd: Array, factor: Factor) -> DoubleDouble:
    hi, lo = two_sum(X_nd, np.broadcast_to(-factor.center, X_nd.shape))
    hi, lo = hi / factor.scale, lo / factor.scale
    if factor.bias:
        n = len(X_nd)
        hi, lo = np.column_stack([hi, np.ones(n)]), np.column_stack([lo, np.zeros(n)])
    return _times_root((hi, lo), factor)


def _times_root(values: DoubleDouble, factor: Factor) -> DoubleDouble:
    """Rows times the square roots of their weights; these are exact numbers, those of the factor."""
    if factor.root_n is None:
        return values
    root = np.broadcast_to(np.asarray(factor.root_n).reshape(-1, *[1] * (values[0].ndim - 1)), values[0].shape)
    hi, lo = two_product(values[0], root)
    return two_sum(hi, lo + values[1] * root)


def _iterate(A: DoubleDouble, y: DoubleDouble, Q: Array, R: Array, start: Array) -> tuple[DoubleDouble, Array] | None:

    x: DoubleDouble = (start.copy(), np.zeros_like(start))
    r = y[0] - A[0] @ start
    last, moved = math.inf, math.inf
    for _ in range(_MAX_ITERATIONS):
        f, g = _residuals(A, y, x, r)
        projected, h = Q.T @ f, solve_triangle(R, g, transposed=True)
        dx = solve_triangle(R, projected - h)
        last, moved = moved, float(np.linalg.norm(dx))
        if not moved < last / 2:
            break
        x = two_sum(*add(x, (dx, np.zeros_like(dx))))
        r = r + (f - Q @ projected) + Q @ h
    # Converged if the last correction is within the rounding error of x in float64.
    converged = min(moved, last) <= 1e3 * EPS * float(np.linalg.norm(x[0]))
    return (x, r) if converged or not np.any(x[0]) else None


def _residuals(A: DoubleDouble, y: DoubleDouble, x: DoubleDouble, r: Array) -> tuple[Array, Array]:
    """y - r - A x and -A' r, each summed in double-double and rounded once."""
    total = add(y, (-r, np.zeros_like(r)))
    g = np.empty(A[0].shape[1])
    for j in range(A[0].shape[1]):
        a_hi, a_lo = A[0][:, j], A[1][:, j]
        hi, lo = two_product(a_hi, np.full(len(r), -x[0][j]))
        total = add(total, (hi, lo - a_lo * x[0][j] - a_hi * x[1][j]))
        hi, lo = two_product(a_hi, r)
        g[j] = -math.fsum([*hi.tolist(), *lo.tolist(), float(a_lo @ r)])
    return total[0] + total[1], g
