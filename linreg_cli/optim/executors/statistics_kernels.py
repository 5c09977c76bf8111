"""Compiled kernels of the statistics executor: second moments of the rows, and steps that need nothing else.

Shapes as in `native_kernels`; all moments are float64:

    mx_D (D,)  my_k (k,)    means of the columns of X and y
    S_dD (d * D,)           sum (x - mx)(x - mx)'
    q_kD (k * D,)           sum (x - mx) r              rr_k (k,)   sum r^2
    v_kD (k * D,)           the weights that the residuals r are about
"""

import numpy as np
from numba import njit

from linreg_cli.optim.executors.native_kernels import load_up_to, sgd_update
from linreg_cli.optim.executors.simd import LANES, add, load, mul, mul_add, splat, store, sub, total, widen

#: Rows whose centred copy stays in the first-level cache.
BLOCK_ROWS = 64


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def part_moments(X_nd, y_nk, first, last, d, k):
    """Means and centred second moments of the rows first..last-1, about their own means.

    Returns z_Z, the means of the columns [x | y], and M_ZD of shape (Z, D), Z = d + k rounded up to 4: its rows are
    sum (z_i - mean)(x - mean)', exact where column >= row / 8 * 8 (the rest is the mirror image); and yy_k.
    """
    D, Z = (d + LANES - 1) // LANES * LANES, (d + k + 3) // 4 * 4
    z_Z, yy_k, M_ZD = np.zeros(Z), np.zeros(k), np.zeros(Z * D)
    mean_D = np.zeros(D)
    for c in range(0, D, LANES):
        s0, s1, n = splat(0.0), splat(0.0), d - c
        for r in range(first, last - 1, 2):
            s0 = add(s0, widen(load_up_to(X_nd, r * d + c, n)))
            s1 = add(s1, widen(load_up_to(X_nd, r * d + d + c, n)))
        if (last - first) % 2:
            s0 = add(s0, widen(load_up_to(X_nd, (last - 1) * d + c, n)))
        store(mean_D, c, mul(add(s0, s1), splat(1.0 / (last - first))))
    z_Z[:d] = mean_D[:d]
    for t in range(k):
        s = 0.0
        for r in range(first, last):
            s += y_nk[r * k + t]
        z_Z[d + t] = s / (last - first)
    stride = D + (Z + LANES)
    block = np.zeros(BLOCK_ROWS * stride)
    while first < last:
        rows = min(BLOCK_ROWS, last - first)
        for r in range(rows):
            for c in range(0, D, LANES):
                x = sub(widen(load_up_to(X_nd, (first + r) * d + c, d - c)), load(mean_D, c))
                store(block, r * stride + c, x)
            for t in range(k):
                value = y_nk[(first + r) * k + t] - z_Z[d + t]
                block[r * stride + d + t] = value
                yy_k[t] += value * value
        for i in range(0, Z, 4):
            # Rows of S need their upper triangle only; rows of q, which come after them, need every column.
            for c in range(i // LANES * LANES if i + 4 <= d else 0, D, LANES):
                at = i * D + c
                s0, s1 = load(M_ZD, at), load(M_ZD, at + D)
                s2, s3 = load(M_ZD, at + 2 * D), load(M_ZD, at + 3 * D)
                for r in range(rows):
                    x, z = load(block, r * stride + c), r * stride + i
                    s0 = mul_add(splat(block[z]), x, s0)
                    s1 = mul_add(splat(block[z + 1]), x, s1)
                    s2 = mul_add(splat(block[z + 2]), x, s2)
                    s3 = mul_add(splat(block[z + 3]), x, s3)
                store(M_ZD, at, s0)
                store(M_ZD, at + D, s1)
                store(M_ZD, at + 2 * D, s2)
                store(M_ZD, at + 3 * D, s3)
        first += rows
    return z_Z, M_ZD.reshape(Z, D), yy_k


@njit(forceinline=True)
def _loss_and_gradient(S_dD, q_kD, rr_k, mx_D, my_k, v_kD, n, d, w_kD, b_k, u_D, g_kD, gb_k):
    """Sum of e^2 over all rows; half its gradient goes into g and gb."""
    D, value = len(mx_D), 0.0
    for t in range(len(my_k)):
        c = float(b_k[t]) - my_k[t]
        for j in range(d):
            c += mx_D[j] * w_kD[t * D + j]
            u_D[j] = w_kD[t * D + j] - v_kD[t * D + j]
        quadratic, offset = splat(0.0), splat(n * c)
        for j in range(0, D, LANES):
            s = splat(0.0)
            for i in range(d):
                s = mul_add(splat(u_D[i]), load(S_dD, i * D + j), s)
            minus_q = mul_add(splat(-1.0), load(q_kD, t * D + j), splat(0.0))
            s = add(s, minus_q)
            quadratic = mul_add(load(u_D, j), add(s, minus_q), quadratic)
            store(g_kD, t * D + j, mul_add(offset, load(mx_D, j), s))
        gb_k[t] = n * c
        value += total(quadratic) + rr_k[t] + n * c * c
    return value


@njit(cache=True, nogil=True)
def loss_sum(S_dD, q_kD, rr_k, mx_D, my_k, v_kD, n, d, w_kD, b_k):
    """Sum of e^2 over all rows."""
    u_D, g_kD, gb_k = np.zeros(len(mx_D)), np.zeros(len(w_kD)), np.zeros(len(b_k))
    return _loss_and_gradient(S_dD, q_kD, rr_k, mx_D, my_k, v_kD, n, d, w_kD, b_k, u_D, g_kD, gb_k)


@njit(cache=True, nogil=True)
def run_steps(
    S_dD, q_kD, rr_k, mx_D, my_k, v_kD, n, d, w_kD, b_k, m_kD, mb_k, has_buffer, bias,
    factor, count, rates, momentum, dampening, weight_decay, nesterov, losses,
):  # fmt: skip
    """Take len(losses) steps, or stop before the update at a loss that is not finite; returns the losses computed.

    The loss is factor * (sum of e^2) / count.
    """
    u_D, g_kD, gb_k = np.zeros(len(mx_D)), np.zeros(len(w_kD)), np.zeros(len(b_k))
    one, scale = w_kD.dtype.type, 2 * factor / count
    for step in range(len(losses)):
        value = _loss_and_gradient(S_dD, q_kD, rr_k, mx_D, my_k, v_kD, n, d, w_kD, b_k, u_D, g_kD, gb_k)
        # The sum is rounded to the training dtype first: where that overflows, torch's loss is infinite too.
        value = float(one(one(factor * value) / one(count)))
        losses[step] = value
        if not np.isfinite(value):
            return step + 1
        rate = rates[step]
        sgd_update(w_kD, m_kD, g_kD, scale, has_buffer, rate, momentum, dampening, weight_decay, nesterov)
        if bias:
            sgd_update(b_k, mb_k, gb_k, scale, has_buffer, rate, momentum, dampening, weight_decay, nesterov)
        has_buffer = has_buffer or momentum != 0
    return len(losses)
