"""Whether the optimum of mae or huber is unique: the directions in which the loss does not rise."""

import numpy as np

from linreg_cli.least_squares.factor import Array

#: A residual up to this multiple of the largest term of its row is zero: the optimum is known to about 1e-12 of them.
_ZERO = 1e-9
#: A dual value within this of its bound is at its bound; one that is not has an error of about 1e-12.
_BOUND = 1e-7
#: The largest value of the linear programme, at most 1 a row, that counts as zero; HiGHS is exact to 1e-7.
_FLAT = 1e-6


def is_unique_mae(A: Array, y: Array, theta: Array, duals: Array) -> bool:
    """Whether theta is the only minimiser of the sum of |y - A theta|.

    With dual values l_i in [-1, 1] such that A'l = 0 and l_i = sign(e_i) where e_i = y_i - a_i theta is not 0, the loss
    rises in direction d at the rate sum of |a_i d| + l_i a_i d over the rows with e_i = 0. It is flat just where
    a_i d = 0 for |l_i| < 1 and l_i a_i d <= 0 for |l_i| = 1, whichever optimal l is taken.

    Args:
        A: shape (n, p), float64.
        y: shape (n,).
        theta: a minimiser, shape (p,).
        duals: l, shape (n,), from the linear programme.
    """
    terms = np.abs(A) @ np.abs(theta) + np.abs(y).max(initial=0.0)
    zero = np.abs(y - A @ theta) <= _ZERO * terms
    bound = zero & (np.abs(duals) >= 1 - _BOUND)
    return _only_zero(A[zero & ~bound], -A[bound] * np.sign(duals[bound])[:, None])


def is_unique_huber(A: Array, y: Array, theta: Array, delta: float) -> bool:
    """Whether theta is the only minimiser of the sum of Huber losses of y - A theta.

    Between two minimisers every row's loss is linear, because their sum is constant and each of them is convex. So the
    rows with |e_i| < delta keep their residual, and those with |e_i| = delta may only move outwards: the minimisers lie
    in the directions d with a_i d = 0 for the former and -sign(e_i) a_i d >= 0 for the latter.

    Args:
        A: shape (n, p), float64.
        y: shape (n,).
        theta: a minimiser, shape (p,).
        delta: where the loss becomes linear, in the units of y.
    """
    e = y - A @ theta
    slack = 1e-6 * delta
    inside = np.abs(e) < delta - slack
    edge = ~inside & (np.abs(e) <= delta + slack)
    return _only_zero(A[inside], -A[edge] * np.sign(e[edge])[:, None])


def _only_zero(fixed: Array, one_sided: Array) -> bool:
    """Whether d = 0 is the only solution of fixed d = 0, one_sided d >= 0.

    Args:
        fixed: shape (n_fixed, p).
        one_sided: shape (n_one_sided, p).
    """
    p = fixed.shape[1]
    if _rank(fixed) == p:
        return True
    if _rank(np.vstack([fixed, one_sided])) < p:
        return False  # a direction in which no row moves
    from scipy.optimize import linprog

    # d is scaled so that no row moves by more than 1; if the rows cannot move at all, d is 0 by the rank above.
    lengths = np.linalg.norm(one_sided, axis=1)
    rows = one_sided / np.where(lengths > 0, lengths, 1.0)[:, None]
    solved = linprog(
        -rows.sum(axis=0),
        A_ub=np.vstack([rows, -rows]),
        b_ub=np.repeat([1.0, 0.0], len(rows)),
        A_eq=fixed if len(fixed) else None,
        b_eq=np.zeros(len(fixed)) if len(fixed) else None,
        bounds=(None, None),
        method="highs",
    )
    return solved.x is not None and -solved.fun <= _FLAT


def _rank(rows: Array) -> int:
    return int(np.linalg.matrix_rank(rows)) if rows.size else 0
