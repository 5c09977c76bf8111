"""Compiled kernels of the statistics executor: second moments of the rows, and full-batch steps from them alone.

Shapes as in `batches`; all moments are float64:

    mx_D (D,)  my_k (k,)    means of the columns of X and y
    S_dD (d * D,)           sum (x - mx)(x - mx)'
    q_kD (k * D,)           sum (x - mx) r              rr_k (k,)   sum r^2
    v_kD (k * D,)           the reference weights: r = (y - my) - (x - mx) v

u_D (D,), g_kD and gb_k are workspace, filled with zeros.
"""

import numpy as np

from linreg_cli.optim.engines.kernels.batches import sgd_update
from linreg_cli.optim.engines.kernels.compiler import inlined, kernel
from linreg_cli.optim.engines.kernels.pointers import item, number, prefetch_far, put
from linreg_cli.optim.engines.kernels.signatures import BLOCK_ROWS, LANES, TILE
from linreg_cli.optim.engines.kernels.simd import add, columns, gather, load, mul_add, splat, store, sub, total, widen
from linreg_cli.optim.engines.kernels.tiles import load_up_to


@kernel(fastmath={"contract"})
def part_moments(X_nd, y_nk, first, last, d, k, centre_z, block_Zr, sums_Z8, products_ZZ8, sums_Z, products_ZZ):
    """Sums over the rows first..last-1 of z - centre and of (z - centre)(z - centre)', where z = [x | y].

    A vector has eight rows of one column, so that only pairs of columns i <= j are multiplied and nothing is broadcast.

    The sums go into sums_Z, shape (Z,), and the products into products_ZZ, shape (Z * Z,), where Z is d + k rounded up
    to a multiple of 3. Products are complete where row <= column of the matrix. The other three arrays are workspace
    filled with zeros: block_Zr (Z * BLOCK_ROWS,), sums_Z8 (Z * 8,) and products_ZZ8 (Z * Z * 8,), the sums per lane.
    """
    Z = (d + k + TILE - 1) // TILE * TILE
    while first < last:
        rows = min(BLOCK_ROWS, last - first)
        _fill(X_nd, y_nk, first, rows, d, k, centre_z, block_Zr)
        rows = (rows + LANES - 1) // LANES * LANES
        for i in range(0, Z, TILE):
            _add_corner(block_Zr, i, rows, sums_Z8, products_ZZ8, Z)
            for j in range(i + TILE, Z, TILE):
                _add_tile(block_Zr, i, j, rows, products_ZZ8, Z)
        first += rows
    _add_lanes(sums_Z8, Z, sums_Z)
    _add_lanes(products_ZZ8, Z * Z, products_ZZ)


@inlined()
def _add_lanes(lanes, count, sums):
    """Sum the eight lanes of each of `count` sums, from the first to the last."""
    for i in range(count):
        value = 0.0
        for r in range(i * LANES, (i + 1) * LANES):
            value += item(lanes, r)
        put(sums, i, value)


@inlined()
def _store_centred(block, j, r, column, centre, d):
    """Store eight rows of column j of x, centred; columns beyond d, which pad x to whole vectors, are skipped."""
    if j < d:
        store(block, j * BLOCK_ROWS + r, sub(widen(column), splat(item(centre, j))))


@inlined()
def _fill(X, y, first, rows, d, k, centre, block):
    """Write the centred columns of [x | y] of some rows into the block; rows up to the next whole vector are zero."""
    whole = rows // LANES * LANES
    for r in range(0, whole, LANES):
        for c in range(0, d, LANES):
            x, n = (first + r) * d + c, d - c
            prefetch_far(X, x)
            c0, c1, c2, c3, c4, c5, c6, c7 = columns(
                load_up_to(X, x, n), load_up_to(X, x + d, n),
                load_up_to(X, x + 2 * d, n), load_up_to(X, x + 3 * d, n),
                load_up_to(X, x + 4 * d, n), load_up_to(X, x + 5 * d, n),
                load_up_to(X, x + 6 * d, n), load_up_to(X, x + 7 * d, n),
            )  # fmt: skip
            _store_centred(block, c, r, c0, centre, d)
            _store_centred(block, c + 1, r, c1, centre, d)
            _store_centred(block, c + 2, r, c2, centre, d)
            _store_centred(block, c + 3, r, c3, centre, d)
            _store_centred(block, c + 4, r, c4, centre, d)
            _store_centred(block, c + 5, r, c5, centre, d)
            _store_centred(block, c + 6, r, c6, centre, d)
            _store_centred(block, c + 7, r, c7, centre, d)
        for t in range(k):
            at = (first + r) * k + t
            if k == 1:
                v = load(y, at)
            else:
                v = gather(y, at, at + k, at + 2 * k, at + 3 * k, at + 4 * k, at + 5 * k, at + 6 * k, at + 7 * k)
            store(block, (d + t) * BLOCK_ROWS + r, sub(widen(v), splat(item(centre, d + t))))
    if whole < rows:
        for j in range(d + k):
            store(block, j * BLOCK_ROWS + whole, splat(0.0))
            for r in range(whole, rows):
                value = item(X, (first + r) * d + j) if j < d else item(y, (first + r) * k + j - d)
                put(block, j * BLOCK_ROWS + r, float(value) - item(centre, j))


@inlined(fastmath={"contract"})
def _add_corner(block, i, rows, sums, products, Z):
    """Add the sums of the columns i, i + 1, i + 2 and the products of their pairs (a tile on the diagonal)."""
    a, b, c, s = (i * Z + i) * LANES, ((i + 1) * Z + i + 1) * LANES, ((i + 2) * Z + i + 2) * LANES, i * LANES
    s0, s1, s2 = load(sums, s), load(sums, s + LANES), load(sums, s + 2 * LANES)
    a0, a1, a2 = load(products, a), load(products, a + LANES), load(products, a + 2 * LANES)
    b0, b1, c0 = load(products, b), load(products, b + LANES), load(products, c)
    for r in range(0, rows, LANES):
        at = i * BLOCK_ROWS + r
        u, v, w = load(block, at), load(block, at + BLOCK_ROWS), load(block, at + 2 * BLOCK_ROWS)
        s0, s1, s2 = add(s0, u), add(s1, v), add(s2, w)
        a0, a1, a2 = mul_add(u, u, a0), mul_add(u, v, a1), mul_add(u, w, a2)
        b0, b1, c0 = mul_add(v, v, b0), mul_add(v, w, b1), mul_add(w, w, c0)
    store(sums, s, s0)
    store(sums, s + LANES, s1)
    store(sums, s + 2 * LANES, s2)
    store(products, a, a0)
    store(products, a + LANES, a1)
    store(products, a + 2 * LANES, a2)
    store(products, b, b0)
    store(products, b + LANES, b1)
    store(products, c, c0)


@inlined(fastmath={"contract"})
def _add_tile(block, i, j, rows, products, Z):
    """Add the products of the columns i, i + 1, i + 2 with j, j + 1, j + 2 (a tile off the diagonal)."""
    a, b, c = (i * Z + j) * LANES, ((i + 1) * Z + j) * LANES, ((i + 2) * Z + j) * LANES
    a0, a1, a2 = load(products, a), load(products, a + LANES), load(products, a + 2 * LANES)
    b0, b1, b2 = load(products, b), load(products, b + LANES), load(products, b + 2 * LANES)
    c0, c1, c2 = load(products, c), load(products, c + LANES), load(products, c + 2 * LANES)
    for r in range(0, rows, LANES):
        left, right = i * BLOCK_ROWS + r, j * BLOCK_ROWS + r
        u, v, w = load(block, left), load(block, left + BLOCK_ROWS), load(block, left + 2 * BLOCK_ROWS)
        x, y, z = load(block, right), load(block, right + BLOCK_ROWS), load(block, right + 2 * BLOCK_ROWS)
        a0, a1, a2 = mul_add(u, x, a0), mul_add(u, y, a1), mul_add(u, z, a2)
        b0, b1, b2 = mul_add(v, x, b0), mul_add(v, y, b1), mul_add(v, z, b2)
        c0, c1, c2 = mul_add(w, x, c0), mul_add(w, y, c1), mul_add(w, z, c2)
    store(products, a, a0)
    store(products, a + LANES, a1)
    store(products, a + 2 * LANES, a2)
    store(products, b, b0)
    store(products, b + LANES, b1)
    store(products, b + 2 * LANES, b2)
    store(products, c, c0)
    store(products, c + LANES, c1)
    store(products, c + 2 * LANES, c2)


@inlined()
def _loss_and_gradient(S_dD, q_kD, rr_k, mx_D, my_k, v_kD, n, d, k, w_kD, b_k, u_D, g_kD, gb_k):
    """Returns the sum of e^2 over all rows; half its gradient goes into g and gb."""
    D, value = (d + LANES - 1) // LANES * LANES, 0.0
    for t in range(k):
        c = float(item(b_k, t)) - item(my_k, t)
        for j in range(d):
            w = float(item(w_kD, t * D + j))
            c += item(mx_D, j) * w
            put(u_D, j, w - item(v_kD, t * D + j))
        quadratic, offset = splat(0.0), splat(n * c)
        for j in range(0, D, LANES):
            s = splat(0.0)
            for i in range(d):
                s = mul_add(splat(item(u_D, i)), load(S_dD, i * D + j), s)
            minus_q = mul_add(splat(-1.0), load(q_kD, t * D + j), splat(0.0))
            s = add(s, minus_q)
            quadratic = mul_add(load(u_D, j), add(s, minus_q), quadratic)
            store(g_kD, t * D + j, mul_add(offset, load(mx_D, j), s))
        put(gb_k, t, n * c)
        value += total(quadratic) + item(rr_k, t) + n * c * c
    return value


@kernel()
def loss_sum(S_dD, q_kD, rr_k, mx_D, my_k, v_kD, n, d, k, w_kD, b_k, u_D, g_kD, gb_k):
    """The sum of e^2 over all rows, float64."""
    return _loss_and_gradient(S_dD, q_kD, rr_k, mx_D, my_k, v_kD, n, d, k, w_kD, b_k, u_D, g_kD, gb_k)


@kernel()
def run_steps(
    S_dD, q_kD, rr_k, mx_D, my_k, v_kD, n, d, k, w_kD, b_k, m_kD, mb_k, has_buffer, bias,
    factor, divisor, rates, momentum, dampening, weight_decay, nesterov, losses, steps, recorded, sums, trail,
    u_D, g_kD, gb_k,
):  # fmt: skip
    """Take `steps` steps, or stop before the update at a loss that is not finite; returns the number of losses.

    The loss is factor * (sum of e^2) / divisor; rates has the learning rate of each step. Where `recorded`, the sum of
    e^2 before each step and after the last one goes into sums, shape (steps + 1,), and w, b, m and mb after each step
    into a row of trail, shape (steps, 2 * (k * D + K)).
    """
    D, K = (d + LANES - 1) // LANES * LANES, (k + LANES - 1) // LANES * LANES
    scale, rule = 2 * factor / divisor, (momentum, dampening, weight_decay, nesterov != 0)
    has_buffer, done, end = has_buffer != 0, steps, 0
    for step in range(steps + 1 if recorded != 0 else steps):
        value = _loss_and_gradient(S_dD, q_kD, rr_k, mx_D, my_k, v_kD, n, d, k, w_kD, b_k, u_D, g_kD, gb_k)
        if recorded != 0:
            put(sums, step, value)
            if step == steps:
                break
        # The sum is rounded to the training dtype first, because torch's loss is infinite if that overflows.
        value = float(number(w_kD, factor * value) / number(w_kD, divisor))
        put(losses, step, value)
        if not np.isfinite(value):
            done = step + 1
            break
        rate = item(rates, step)
        sgd_update(w_kD, m_kD, g_kD, k * D, scale, has_buffer, rate, *rule)
        if bias != 0:
            sgd_update(b_k, mb_k, gb_k, K, scale, has_buffer, rate, *rule)
        has_buffer = has_buffer or momentum != 0
        if recorded != 0:
            end = _append(trail, end, w_kD, k * D)
            end = _append(trail, end, b_k, K)
            end = _append(trail, end, m_kD, k * D)
            end = _append(trail, end, mb_k, K)
    return done


@inlined()
def _append(trail, at, values, count):
    """Copy numbers to a position of the trail; returns the position behind them."""
    for i in range(count):
        put(trail, at + i, item(values, i))
    return at + count
