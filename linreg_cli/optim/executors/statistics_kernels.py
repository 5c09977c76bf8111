"""Compiled kernels of the statistics executor: second moments of the rows, and steps that need nothing else.

Shapes as in `native_kernels`; all moments are float64:

    mx_D (D,)  my_k (k,)    means of the columns of X and y
    S_dD (d * D,)           sum (x - mx)(x - mx)'
    q_kD (k * D,)           sum (x - mx) r              rr_k (k,)   sum r^2
    v_kD (k * D,)           the weights that the residuals r are about
"""

import numpy as np

from linreg_cli.optim.executors.addresses import item, keep, pointer, prefetch_far, put
from linreg_cli.optim.executors.compiled import inlined, kernel
from linreg_cli.optim.executors.native_kernels import sgd_update
from linreg_cli.optim.executors.simd import LANES, add, columns, gather, load, mul_add, splat, store, sub, total, widen
from linreg_cli.optim.executors.tile_kernels import load_up_to

#: Rows whose centred copy, as float64 columns, stays in the first-level cache.
BLOCK_ROWS = 128
#: Columns of a tile of the moments: its 3 x 3 sums stay in registers, and 8 features and a target make whole tiles.
TILE = 3


@kernel(fastmath={"contract"})
def part_moments(X_nd, y_nk, first, last, d, k, centre_z):
    """Sums over the rows first..last-1 of z - centre and of (z - centre)(z - centre)', where z = [x | y].

    Eight rows of a column make a vector, so that only pairs i <= j are multiplied and nothing is broadcast.

    Returns the sums, shape (Z,), and the products, shape (Z, Z) with Z = d + k rounded up to 3, right where
    row <= column; the rest is zero.
    """
    Z = (d + k + TILE - 1) // TILE * TILE
    block_zr, sums_z8, sums_zz8 = np.zeros(Z * BLOCK_ROWS), np.zeros(Z * LANES), np.zeros(Z * Z * LANES)
    X, y, block, centre = pointer(X_nd), pointer(y_nk), pointer(block_zr), pointer(centre_z)
    sums, products = pointer(sums_z8), pointer(sums_zz8)
    while first < last:
        rows = min(BLOCK_ROWS, last - first)
        _fill(X, y, first, rows, d, k, centre, block)
        rows = (rows + LANES - 1) // LANES * LANES
        for i in range(0, Z, TILE):
            _add_corner(block, i, rows, sums, products, Z)
            for j in range(i + TILE, Z, TILE):
                _add_tile(block, i, j, rows, products, Z)
        first += rows
    keep(block_zr)
    return sums_z8.reshape(Z, LANES).sum(1), sums_zz8.reshape(Z * Z, LANES).sum(1).reshape(Z, Z)


@inlined()
def _store_centred(block, j, r, column, centre, d):
    """Eight rows of column j of x; a column that pads x to whole vectors holds zeros and stays so."""
    if j < d:
        store(block, j * BLOCK_ROWS + r, sub(widen(column), splat(item(centre, j))))


@inlined()
def _fill(X, y, first, rows, d, k, centre, block):
    """Write the columns of [x | y] less their centres for some rows; rows beyond, up to a whole vector, are zero."""
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
    """Add the columns i, i + 1, i + 2 and the products of their pairs."""
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
    """Add the products of the columns i, i + 1, i + 2 and j, j + 1, j + 2."""
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


@kernel()
def loss_sum(S_dD, q_kD, rr_k, mx_D, my_k, v_kD, n, d, w_kD, b_k):
    """Sum of e^2 over all rows."""
    u_D, g_kD, gb_k = np.zeros(len(mx_D)), np.zeros(len(w_kD)), np.zeros(len(b_k))
    return _loss_and_gradient(S_dD, q_kD, rr_k, mx_D, my_k, v_kD, n, d, w_kD, b_k, u_D, g_kD, gb_k)


@kernel()
def run_steps(
    S_dD, q_kD, rr_k, mx_D, my_k, v_kD, n, d, w_kD, b_k, m_kD, mb_k, has_buffer, bias,
    factor, count, rates, momentum, dampening, weight_decay, nesterov, losses,
):  # fmt: skip
    """Take len(losses) steps, or stop before the update at a loss that is not finite; returns the losses computed.

    The loss is factor * (sum of e^2) / count.
    """
    u_D, g_kD, gb_k = np.zeros(len(mx_D)), np.zeros(len(w_kD)), np.zeros(len(b_k))
    w, m, g, b, mb, gb = pointer(w_kD), pointer(m_kD), pointer(g_kD), pointer(b_k), pointer(mb_k), pointer(gb_k)
    one, scale, rule = w_kD.dtype.type, 2 * factor / count, (momentum, dampening, weight_decay, nesterov)
    done = len(losses)
    for step in range(len(losses)):
        value = _loss_and_gradient(S_dD, q_kD, rr_k, mx_D, my_k, v_kD, n, d, w_kD, b_k, u_D, g_kD, gb_k)
        # The sum is rounded to the training dtype first: where that overflows, torch's loss is infinite too.
        value = float(one(one(factor * value) / one(count)))
        losses[step] = value
        if not np.isfinite(value):
            done = step + 1
            break
        rate = rates[step]
        sgd_update(w, m, g, len(w_kD), scale, has_buffer, rate, *rule)
        if bias:
            sgd_update(b, mb, gb, len(b_k), scale, has_buffer, rate, *rule)
        has_buffer = has_buffer or momentum != 0
    keep(g_kD)
    keep(gb_k)
    return done
