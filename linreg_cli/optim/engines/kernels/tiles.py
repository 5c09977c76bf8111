"""Compiled passes over some rows, eight at a time: residuals, losses and their part of the gradient.

Shapes as in `batches`. Positions are those in the row order. Sums over the rows of a tile (at most TILE_ROWS) are of
the training dtype, with at most eight consecutive additions; sums over tiles are float64.

With at most eight features, eight rows are transposed in registers, so that a vector is a column. Weights and gradient
stay in registers for a whole tile, and nothing is summed across lanes before its end. With more features, the dot
products of eight rows are summed across lanes together, and the rows are read again from the first-level cache.

The loss and the factor f of a row are multiplied by its weight. Where `weight_n` is None, numba removes what is about
weights before it compiles a function, so that rows without weights have machine code of their own.
"""

import numpy as np

from linreg_cli.optim.engines.kernels.compiler import inlined
from linreg_cli.optim.engines.kernels.pointers import item, number, per_line, prefetch, prefetch_far, put
from linreg_cli.optim.engines.kernels.signatures import LANES
from linreg_cli.optim.engines.kernels.simd import (
    absolute,
    add,
    columns,
    gather,
    lane,
    load,
    load_first,
    mul,
    mul_add,
    sign,
    smaller,
    splat,
    store,
    sub,
    total,
    totals,
    widen,
)

#: Codes of the losses; `loss <= SSE` and so on rely on their order.
MSE, SSE, HALF_MSE, MAE, HUBER = range(5)

TILE_ROWS = 64

#: Prefetch distance in rows of a random order; long enough for a read from memory, not tuned further.
AHEAD = 64

#: From so many features on, rows are read one after the other. Eight interleaved rows of several cache lines each
#: defeat the hardware prefetcher (200,000 x 128: 13.6 ms, and 3.7 row by row). Row by row is faster at 48 features and
#: not at 33; values between were not tried.
LONG_ROW = 40

# Contraction is always allowed, reassociation only where it is faster: it merges sums that were kept apart to shorten
# the chain. `nnan` and `ninf` never, since LLVM would then remove the test for divergence.
FAST = {"contract"}


@inlined()
def row_at(order_n, p):
    """The row at a position of the row order (int32 or int64), as int64."""
    return np.int64(item(order_n, p))


@inlined(fastmath=FAST)
def ask_for(X_nd, y_nk, order_n, position, last, d, k):
    """Prefetch the rows of eight positions of the row order."""
    for p in range(position, min(position + LANES, last)):
        row = row_at(order_n, p)
        for c in range(0, d, per_line(X_nd)):
            prefetch(X_nd, row * d + c)
        prefetch(X_nd, row * d + d - 1)
        prefetch(y_nk, row * k)


@inlined(fastmath=FAST)
def load_up_to(a, i, n):
    """Load `a[i : i + 8]`, of which only the first n exist; the other lanes are zero."""
    return load(a, i) if n >= LANES else load_first(a, i, n)


@inlined(fastmath=FAST)
def products(X_nd, x, w_kD, w, d):
    """A vector whose lanes sum to sum_j X[x + j] w[w + j].

    For large d there are four independent sums, since each addition waits for the one before.
    """
    s0 = splat(number(X_nd, 0.0))
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
    return s0


@inlined(fastmath=FAST)
def eight_losses(e, loss, delta, half):
    """Element losses and gradient factors f of a vector of residuals e; NaN stays NaN. `half` is a vector of 0.5.

    The gradient of the loss is scale * f x, where scale is 2 for mse and sse and 1 for the others.
    """
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


@inlined(fastmath=FAST)
def one_loss(e, loss, delta, half):
    """As `eight_losses`, for a single residual."""
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


@inlined(fastmath=FAST)
def one_row(X_nd, y_nk, weight_n, row, w_kD, b_k, d, k, loss, delta, g_kD, gb_k, gradient):
    """The loss of one row; its gradient is added to g and gb."""
    D = (d + LANES - 1) // LANES * LANES
    x, half, value = row * d, number(X_nd, 0.5), 0.0
    for t in range(k):
        e = total(products(X_nd, x, w_kD, t * D, d)) + item(b_k, t) - item(y_nk, row * k + t)
        part, f = one_loss(e, loss, delta, half)
        if weight_n is not None:
            weight = item(weight_n, row)
            part, f = part * weight, f * weight
        value += part
        if gradient:
            put(gb_k, t, item(gb_k, t) + f)
            factor = splat(f)
            for c in range(0, d, LANES):
                v = mul(factor, load_up_to(X_nd, x + c, d - c))
                store(g_kD, t * D + c, add(load(g_kD, t * D + c), widen(v)))
    return value


@inlined()
def _rows_of(order_n, shuffled, p):
    """The rows at eight consecutive positions."""
    if not shuffled:
        return p, p + 1, p + 2, p + 3, p + 4, p + 5, p + 6, p + 7
    return (
        row_at(order_n, p), row_at(order_n, p + 1), row_at(order_n, p + 2), row_at(order_n, p + 3),
        row_at(order_n, p + 4), row_at(order_n, p + 5), row_at(order_n, p + 6), row_at(order_n, p + 7),
    )  # fmt: skip


@inlined()
def _targets(y_nk, order_n, shuffled, p, k, t):
    """Target t of the rows at eight consecutive positions, as a vector."""
    if k == 1 and not shuffled:
        return load(y_nk, p)
    r0, r1, r2, r3, r4, r5, r6, r7 = _rows_of(order_n, shuffled, p)
    return gather(y_nk, r0 * k + t, r1 * k + t, r2 * k + t, r3 * k + t, r4 * k + t, r5 * k + t, r6 * k + t, r7 * k + t)


@inlined(fastmath=FAST)
def _narrow_tile(X_nd, y_nk, weight_n, order_n, shuffled, p, stop, w, b, t, d, k, loss, delta, g_kD, gb_k, gradient):
    """The loss of target t in a tile with at most eight features; w are its weights, a vector."""
    w0, w1, w2, w3 = lane(w, 0), lane(w, 1), lane(w, 2), lane(w, 3)
    w4, w5, w6, w7 = lane(w, 4), lane(w, 5), lane(w, 6), lane(w, 7)
    zero, half, bias, width = splat(number(X_nd, 0.0)), splat(number(X_nd, 0.5)), splat(b), splat(delta)
    g0, g1, g2, g3, g4, g5, g6, g7 = zero, zero, zero, zero, zero, zero, zero, zero
    value, gb = zero, zero
    while p < stop:
        r0, r1, r2, r3, r4, r5, r6, r7 = _rows_of(order_n, shuffled, p)
        if not shuffled:
            prefetch_far(X_nd, p * d)
        c0, c1, c2, c3, c4, c5, c6, c7 = columns(
            load_up_to(X_nd, r0 * d, d), load_up_to(X_nd, r1 * d, d),
            load_up_to(X_nd, r2 * d, d), load_up_to(X_nd, r3 * d, d),
            load_up_to(X_nd, r4 * d, d), load_up_to(X_nd, r5 * d, d),
            load_up_to(X_nd, r6 * d, d), load_up_to(X_nd, r7 * d, d),
        )  # fmt: skip
        e, s = mul_add(w0, c0, sub(bias, _targets(y_nk, order_n, shuffled, p, k, t))), mul(w1, c1)
        e, s = mul_add(w2, c2, e), mul_add(w3, c3, s)
        e, s = mul_add(w4, c4, e), mul_add(w5, c5, s)
        e, s = mul_add(w6, c6, e), mul_add(w7, c7, s)
        part, f = eight_losses(add(e, s), loss, width, half)
        if weight_n is not None:
            weights = _targets(weight_n, order_n, shuffled, p, 1, 0)
            part, f = mul(part, weights), mul(f, weights)
        value, gb = add(value, part), add(gb, f)
        if gradient:
            g0, g1, g2, g3 = mul_add(f, c0, g0), mul_add(f, c1, g1), mul_add(f, c2, g2), mul_add(f, c3, g3)
            g4, g5, g6, g7 = mul_add(f, c4, g4), mul_add(f, c5, g5), mul_add(f, c6, g6), mul_add(f, c7, g7)
        p += LANES
    if gradient:
        put(gb_k, t, item(gb_k, t) + total(widen(gb)))
        g = widen(totals(g0, g1, g2, g3, g4, g5, g6, g7))
        store(g_kD, t * LANES, add(load(g_kD, t * LANES), g))
    return total(widen(value))


@inlined(fastmath=FAST | {"reassoc"})
def _wide_tile(
    X_nd, y_nk, weight_n, order_n, shuffled, p, stop, w_kD, b, t, d, k, loss, delta, dots_8, g_kD, gb_k, gradient
):
    """The loss of target t in a tile with more than eight features."""
    D = (d + LANES - 1) // LANES * LANES
    zero, half, bias, width = splat(number(X_nd, 0.0)), splat(number(X_nd, 0.5)), splat(b), splat(delta)
    value, gb = zero, zero
    while p < stop:
        r0, r1, r2, r3, r4, r5, r6, r7 = _rows_of(order_n, shuffled, p)
        x0, x1, x2, x3, x4, x5, x6, x7 = r0 * d, r1 * d, r2 * d, r3 * d, r4 * d, r5 * d, r6 * d, r7 * d
        if d >= LONG_ROW:
            for r in range(LANES):
                row = row_at(order_n, p + r) if shuffled else p + r
                put(dots_8, r, total(products(X_nd, row * d, w_kD, t * D, d)))
            e = load(dots_8, 0)
        else:
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
            e = totals(s0, s1, s2, s3, s4, s5, s6, s7)
        e = add(e, sub(bias, _targets(y_nk, order_n, shuffled, p, k, t)))
        part, f = eight_losses(e, loss, width, half)
        if weight_n is not None:
            weights = _targets(weight_n, order_n, shuffled, p, 1, 0)
            part, f = mul(part, weights), mul(f, weights)
        value, gb = add(value, part), add(gb, f)
        if gradient:
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
        p += LANES
    put(gb_k, t, item(gb_k, t) + total(widen(gb)))
    return total(widen(value))


@inlined(fastmath=FAST)
def sums_of(
    X_nd,
    y_nk,
    weight_n,
    order_n,
    shuffled,
    first,
    last,
    limit,
    w_kD,
    b_k,
    d,
    k,
    loss,
    delta,
    dots_8,
    g_kD,
    gb_k,
    gradient,
):
    """The loss of the rows at positions first..last-1; with `gradient`, also sum f x in g and sum f in gb.

    `limit` is the end of the row order, beyond which nothing is prefetched.
    """
    D, value, p = (d + LANES - 1) // LANES * LANES, 0.0, first
    for c in range(0, D * k, LANES):
        store(g_kD, c, splat(0.0))
    for c in range(0, k, LANES):
        store(gb_k, c, splat(0.0))
    while p + LANES <= last:
        stop = p + min(TILE_ROWS, (last - p) // LANES * LANES)
        for q in range(p + AHEAD, stop + AHEAD if shuffled else 0, LANES):
            ask_for(X_nd, y_nk, order_n, q, limit, d, k)
        for t in range(k):
            b = item(b_k, t)
            if d <= LANES:
                w = load(w_kD, t * LANES)
                value += _narrow_tile(
                    X_nd, y_nk, weight_n, order_n, shuffled, p, stop, w, b, t, d, k, loss, delta, g_kD, gb_k, gradient
                )
            else:
                value += _wide_tile(
                    X_nd,
                    y_nk,
                    weight_n,
                    order_n,
                    shuffled,
                    p,
                    stop,
                    w_kD,
                    b,
                    t,
                    d,
                    k,
                    loss,
                    delta,
                    dots_8,
                    g_kD,
                    gb_k,
                    gradient,
                )
        p = stop
    if p < last and shuffled:
        ask_for(X_nd, y_nk, order_n, p + AHEAD, limit, d, k)
    while p < last:
        row = row_at(order_n, p) if shuffled else p
        value += one_row(X_nd, y_nk, weight_n, row, w_kD, b_k, d, k, loss, delta, g_kD, gb_k, gradient)
        p += 1
    return value
