"""Compiled kernels of the native executor: rows in, residuals and gradient out, one parameter update after another.

Shapes: n samples, d features, k targets, D = d rounded up to whole vectors. Everything is one-dimensional and
contiguous; parameters and gradients are padded with zeros to whole vectors, so that updates have no last case.

    X_nd  (n * d,)   y_nk  (n * k,)   order_n  (epochs * n,), or (0,) for rows as given
    w_kD  (k * D,)   b_k   (>= k,)    m_kD, mb_k: their momentum buffers         all of the training dtype
    g_kD  (k * D,)   gb_k  (>= k,)    sums of f x and of f over a batch          float64 whatever the dtype

Eight rows are taken at a time: their residuals e = x w + b - y make one vector, which becomes the factors f of the
gradient sum f x while the rows are still in the first-level cache, so memory is read once.

float32 models: products and sums over eight rows are float32, as in torch; from there on sums are float64, so that a
batch of a million rows loses nothing; the update is float32, as in torch.
"""

import numpy as np
from numba import njit

from linreg_cli.optim.executors.simd import (
    LANES,
    absolute,
    add,
    gather,
    lane,
    load,
    load_first,
    mul,
    mul_add,
    narrow,
    prefetch,
    sign,
    smaller,
    splat,
    store,
    sub,
    total,
    totals,
    widen,
)

#: Codes of the losses.
MSE, SSE, HALF_MSE, MAE, HUBER = range(5)

#: Rows between asking for a row and using it; long enough for a read from memory, and not tuned further.
AHEAD = 64

# Reassociation and contraction only: promising that no NaN or infinity occurs would let LLVM drop the divergence test.
_FAST = {"reassoc", "contract"}


@njit(forceinline=True, fastmath=_FAST)
def ask_for(X_nd, y_nk, order_n, position, last, d, k):
    """Prefetch the rows of eight positions of the row order."""
    line = 64 // X_nd.itemsize
    for p in range(position, min(position + LANES, last)):
        row = order_n[p]
        for c in range(0, d, line):
            prefetch(X_nd, row * d + c)
        prefetch(X_nd, row * d + d - 1)
        prefetch(y_nk, row * k)


@njit(forceinline=True, fastmath=_FAST)
def dot(X_nd, x, w_kD, w, d):
    """sum_j X[x + j] w[w + j]; four independent sums where d is large, since one addition waits for the one before."""
    s0 = splat(X_nd.dtype.type(0))
    c = 0
    if d >= 4 * LANES:
        s1, s2, s3 = s0, s0, s0
        while c + 4 * LANES <= d:
            s0 = mul_add(load(X_nd, x + c), load(w_kD, w + c), s0)
            s1 = mul_add(load(X_nd, x + c + LANES), load(w_kD, w + c + LANES), s1)
            s2 = mul_add(load(X_nd, x + c + 2 * LANES), load(w_kD, w + c + 2 * LANES), s2)
            s3 = mul_add(load(X_nd, x + c + 3 * LANES), load(w_kD, w + c + 3 * LANES), s3)
            c += 4 * LANES
        s0 = add(add(s0, s1), add(s2, s3))
    while c + LANES <= d:
        s0 = mul_add(load(X_nd, x + c), load(w_kD, w + c), s0)
        c += LANES
    if c < d:
        s0 = mul_add(load_first(X_nd, x + c, d - c), load(w_kD, w + c), s0)
    return total(s0)


@njit(forceinline=True, fastmath=_FAST)
def load_up_to(a, i, n):
    """`a[i : i + 8]`, of which only the first n are there."""
    return load(a, i) if n >= LANES else load_first(a, i, n)


@njit(forceinline=True, fastmath=_FAST)
def _eight_losses(e, loss, delta, half):
    """Vector of residuals -> element losses and factors f; a loss is NaN where e is. `half` is 0.5 as a vector."""
    if loss <= SSE:
        return mul(e, e), e
    if loss == HALF_MSE:
        return mul(half, mul(e, e)), e
    size = absolute(e)
    if loss == MAE:
        return size, sign(e)
    # q (|e| - q/2) is e^2/2 where |e| = q <= delta, and delta (|e| - delta/2) elsewhere.
    q = smaller(size, delta)
    return mul(q, sub(size, mul(half, q))), mul(q, sign(e))


@njit(forceinline=True, fastmath=_FAST)
def one_loss(e, loss, delta, half):
    """The same for one residual."""
    if loss <= SSE:
        return e * e, e
    if loss == HALF_MSE:
        return half * (e * e), e
    zero = half - half
    size = abs(e)
    s = half + half if e > 0 else (-half - half if e < 0 else zero)
    if loss == MAE:
        return size, s
    q = size if size < delta else delta
    return q * (size - half * q), q * s


@njit(forceinline=True, fastmath=_FAST)
def _one_row(X_nd, y_nk, row, w_kD, b_k, d, k, loss, delta, g_kD, gb_k, gradient):
    """Loss of one row; its part of the gradient is added to g and gb."""
    D = (d + LANES - 1) // LANES * LANES
    x, half, value = row * d, w_kD.dtype.type(0.5), 0.0
    for t in range(k):
        e = dot(X_nd, x, w_kD, t * D, d) + b_k[t] - y_nk[row * k + t]
        part, f = one_loss(e, loss, delta, half)
        value += part
        if gradient:
            gb_k[t] += f
            factor = splat(f)
            for c in range(0, d, LANES):
                v = mul(factor, load_up_to(X_nd, x + c, d - c))
                store(g_kD, t * D + c, add(load(g_kD, t * D + c), widen(v)))
    return value


@njit(forceinline=True, fastmath=_FAST)
def _eight_rows(X_nd, y_nk, r0, r1, r2, r3, r4, r5, r6, r7, w_kD, b_k, d, k, loss, delta, g_kD, gb_k, gradient):
    """Loss of eight rows; their part of the gradient is added to g and gb."""
    D = (d + LANES - 1) // LANES * LANES
    x0, x1, x2, x3, x4, x5, x6, x7 = r0 * d, r1 * d, r2 * d, r3 * d, r4 * d, r5 * d, r6 * d, r7 * d
    zero, half, width = splat(w_kD.dtype.type(0)), splat(w_kD.dtype.type(0.5)), splat(delta)
    value = 0.0
    for t in range(k):
        s0, s1, s2, s3, s4, s5, s6, s7 = zero, zero, zero, zero, zero, zero, zero, zero
        for c in range(0, d, LANES):
            v, n = load(w_kD, t * D + c), d - c
            s0 = mul_add(load_up_to(X_nd, x0 + c, n), v, s0)
            s1 = mul_add(load_up_to(X_nd, x1 + c, n), v, s1)
            s2 = mul_add(load_up_to(X_nd, x2 + c, n), v, s2)
            s3 = mul_add(load_up_to(X_nd, x3 + c, n), v, s3)
            s4 = mul_add(load_up_to(X_nd, x4 + c, n), v, s4)
            s5 = mul_add(load_up_to(X_nd, x5 + c, n), v, s5)
            s6 = mul_add(load_up_to(X_nd, x6 + c, n), v, s6)
            s7 = mul_add(load_up_to(X_nd, x7 + c, n), v, s7)
        y = gather(y_nk, r0 * k + t, r1 * k + t, r2 * k + t, r3 * k + t, r4 * k + t, r5 * k + t, r6 * k + t, r7 * k + t)
        e = sub(add(totals(s0, s1, s2, s3, s4, s5, s6, s7), splat(b_k[t])), y)
        part, f = _eight_losses(e, loss, width, half)
        value += total(widen(part))
        if gradient:
            gb_k[t] += total(f)
            f0, f1, f2, f3 = lane(f, 0), lane(f, 1), lane(f, 2), lane(f, 3)
            f4, f5, f6, f7 = lane(f, 4), lane(f, 5), lane(f, 6), lane(f, 7)
            for c in range(0, d, LANES):
                n = d - c
                v = mul(f0, load_up_to(X_nd, x0 + c, n))
                u = mul(f1, load_up_to(X_nd, x1 + c, n))
                v = mul_add(f2, load_up_to(X_nd, x2 + c, n), v)
                u = mul_add(f3, load_up_to(X_nd, x3 + c, n), u)
                v = mul_add(f4, load_up_to(X_nd, x4 + c, n), v)
                u = mul_add(f5, load_up_to(X_nd, x5 + c, n), u)
                v = mul_add(f6, load_up_to(X_nd, x6 + c, n), v)
                u = mul_add(f7, load_up_to(X_nd, x7 + c, n), u)
                store(g_kD, t * D + c, add(load(g_kD, t * D + c), widen(add(v, u))))
    return value


@njit(forceinline=True, fastmath=_FAST)
def _batch(X_nd, y_nk, order_n, first, last, limit, w_kD, b_k, d, k, loss, delta, g_kD, gb_k, gradient):
    """Loss of the rows at the positions first..last-1 and, with `gradient`, their sums of f x and f in g and gb."""
    value, p = 0.0, first
    g_kD[:] = 0
    gb_k[:] = 0
    if len(order_n) == 0:
        while p + LANES <= last:
            value += _eight_rows(
                X_nd, y_nk, p, p + 1, p + 2, p + 3, p + 4, p + 5, p + 6, p + 7,
                w_kD, b_k, d, k, loss, delta, g_kD, gb_k, gradient,
            )  # fmt: skip
            p += LANES
        while p < last:
            value += _one_row(X_nd, y_nk, p, w_kD, b_k, d, k, loss, delta, g_kD, gb_k, gradient)
            p += 1
        return value
    while p + LANES <= last:
        ask_for(X_nd, y_nk, order_n, p + AHEAD, limit, d, k)
        value += _eight_rows(
            X_nd, y_nk, order_n[p], order_n[p + 1], order_n[p + 2], order_n[p + 3],
            order_n[p + 4], order_n[p + 5], order_n[p + 6], order_n[p + 7],
            w_kD, b_k, d, k, loss, delta, g_kD, gb_k, gradient,
        )  # fmt: skip
        p += LANES
    if p < last:
        ask_for(X_nd, y_nk, order_n, p + AHEAD, limit, d, k)
    while p < last:
        value += _one_row(X_nd, y_nk, order_n[p], w_kD, b_k, d, k, loss, delta, g_kD, gb_k, gradient)
        p += 1
    return value


@njit(cache=True, nogil=True, fastmath=_FAST)
def pass_over(X_nd, y_nk, first, last, w_kD, b_k, d, k, loss, delta, g_kD, gb_k, gradient):
    """Sum of the element losses of the rows first..last-1; with `gradient` also sum f x and sum f, into g and gb.

    The loss is undivided and the gradient is without its scale (2, 1, 1/n ...), so that parts can be added up.
    """
    none = np.zeros(0, np.int64)
    width = w_kD.dtype.type(delta)
    return _batch(X_nd, y_nk, none, first, last, 0, w_kD, b_k, d, k, loss, width, g_kD, gb_k, gradient)


@njit(forceinline=True, fastmath=_FAST)
def sgd_update(w, m, g, scale, has_buffer, lr, momentum, dampening, weight_decay, nesterov):
    """As `update`, to be inlined."""
    one = w.dtype.type
    rate, beta, decay = splat(one(-lr)), splat(one(momentum)), splat(one(weight_decay))
    fresh, factor = splat(one(1 - dampening)), splat(scale)
    for c in range(0, len(w), LANES):
        v, s = load(w, c), narrow(mul(load(g, c), factor), w)
        if weight_decay != 0:
            s = mul_add(decay, v, s)
        if momentum != 0:
            # As in torch: the first buffer is the gradient itself, without dampening.
            buffer = mul_add(beta, load(m, c), mul(fresh, s)) if has_buffer else s
            store(m, c, buffer)
            s = mul_add(beta, buffer, s) if nesterov else buffer
        store(w, c, mul_add(rate, s, v))


@njit(cache=True, nogil=True, fastmath=_FAST)
def update(w, m, g, scale, has_buffer, lr, momentum, dampening, weight_decay, nesterov):
    """One step of torch.optim.SGD for the parameters w with buffers m, all padded to whole vectors.

    The gradient is scale * g, rounded to the type of w; from there on everything is computed in that type.
    """
    sgd_update(w, m, g, scale, has_buffer, lr, momentum, dampening, weight_decay, nesterov)


@njit(cache=True, nogil=True, fastmath=_FAST)
def run_steps(
    X_nd, y_nk, order_n, w_kD, b_k, m_kD, mb_k, has_buffer, d, n, batch, bias,
    loss, delta, rates, momentum, dampening, weight_decay, nesterov, position, losses,
):  # fmt: skip
    """Take len(losses) steps, or stop before the update at a loss that is not finite; returns the losses computed.

    The steps begin at batch `position` of the epoch whose rate is rates[0]; order_n holds the row order of each
    epoch in turn. b_k and mb_k are padded to whole vectors; k is len(y_nk) / n.
    """
    k = len(y_nk) // n
    one = w_kD.dtype.type
    width = one(delta)
    g_kD, gb_k = np.zeros(len(w_kD)), np.zeros(len(b_k))
    shuffled = len(order_n) > 0
    epoch, at = 0, position * batch
    for step in range(len(losses)):
        if at >= n:
            epoch, at = epoch + 1, 0
        last = min(at + batch, n)
        base = epoch * n if shuffled else 0
        value = _batch(
            X_nd, y_nk, order_n, base + at, base + last, len(order_n),
            w_kD, b_k, d, k, loss, width, g_kD, gb_k, True,
        )  # fmt: skip
        count = 1.0 if loss == SSE else float((last - at) * k)
        # The sum is rounded to the training dtype first: where that overflows, torch's loss is infinite too.
        value = float(one(one(value) / one(count)))
        losses[step] = value
        if not np.isfinite(value):
            return step + 1
        scale = (2.0 if loss <= SSE else 1.0) / count
        sgd_update(w_kD, m_kD, g_kD, scale, has_buffer, rates[epoch], momentum, dampening, weight_decay, nesterov)
        if bias:
            sgd_update(b_k, mb_k, gb_k, scale, has_buffer, rates[epoch], momentum, dampening, weight_decay, nesterov)
        has_buffer = has_buffer or momentum != 0
        at = last
    return len(losses)
