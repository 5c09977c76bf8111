"""Compiled steps with batches of one row and one target, where the latency of a step counts: each waits for the last.

Shapes as in `batches`. A gradient is used at once instead of being stored and loaded. With at most eight features and
plain SGD the weights stay in a register. The critical path of a step is then one product, three additions across the
lanes, the residual, and one multiply-add.
"""

import numpy as np

from linreg_cli.optim.engines.kernels.compiler import inlined, kernel
from linreg_cli.optim.engines.kernels.pointers import item, number, put
from linreg_cli.optim.engines.kernels.signatures import LANES
from linreg_cli.optim.engines.kernels.simd import load, mul, mul_add, splat, store, total
from linreg_cli.optim.engines.kernels.tiles import (
    AHEAD,
    FAST,
    SSE,
    ask_for,
    load_up_to,
    one_loss,
    products,
    row_at,
)


@inlined(fastmath=FAST)
def _plain(X_nd, y_nk, order_n, shuffled, w_D, b_k, d, n, bias, loss, delta, rates, position, losses, steps):
    """Steps with at most eight features, without momentum and weight decay."""
    half, gain = number(X_nd, 0.5), number(X_nd, 2.0 if loss <= SSE else 1.0)
    w, b, epoch, at = load(w_D, 0), item(b_k, 0), 0, position
    learns, done = number(X_nd, 1.0 if bias else 0.0), steps
    for step in range(steps):
        if at >= n:
            epoch, at = epoch + 1, 0
        row = at
        if shuffled:
            row = row_at(order_n, at)
            if (at & 7) == 0:
                ask_for(X_nd, y_nk, order_n, at + AHEAD, n, d, 1)
        # Neither the scaled row nor b - y depends on the residual of this step, so both are off the critical path.
        x, rate = load_up_to(X_nd, row * d, d), number(X_nd, -item(rates, epoch)) * gain
        scaled = mul(splat(rate), x)
        e = total(mul(w, x)) + (b - item(y_nk, row))
        value, f = one_loss(e, loss, delta, half)
        put(losses, step, value)
        if not np.isfinite(value):
            done = step + 1
            break
        w = mul_add(splat(f), scaled, w)
        b += f * (rate * learns)
        at += 1
    store(w_D, 0, w)
    put(b_k, 0, b)
    return done


@inlined(fastmath=FAST)
def _general(
    X_nd, y_nk, order_n, shuffled, w_D, b_k, m_D, mb_k, has_buffer, d, n, bias,
    loss, delta, rates, momentum, dampening, weight_decay, nesterov, position, losses, steps,
):  # fmt: skip
    """Steps with any update rule and number of features; the bias is in a register, the weights are in the cache."""
    half, gain = number(X_nd, 0.5), number(X_nd, 2.0 if loss <= SSE else 1.0)
    beta, fresh, decay = number(X_nd, momentum), number(X_nd, 1 - dampening), number(X_nd, weight_decay)
    b, mb, epoch, at = item(b_k, 0), item(mb_k, 0), 0, position
    done = steps
    for step in range(steps):
        if at >= n:
            epoch, at = epoch + 1, 0
        row = at
        if shuffled:
            row = row_at(order_n, at)
            if (at & 7) == 0:
                ask_for(X_nd, y_nk, order_n, at + AHEAD, n, d, 1)
        x, rate = row * d, number(X_nd, -item(rates, epoch))
        e = total(products(X_nd, x, w_D, 0, d)) + (b - item(y_nk, row))
        value, f = one_loss(e, loss, delta, half)
        put(losses, step, value)
        if not np.isfinite(value):
            done = step + 1
            break
        f *= gain
        factor = splat(f)
        for c in range(0, d, LANES):
            v, s = load(w_D, c), mul(factor, load_up_to(X_nd, x + c, d - c))
            if weight_decay != 0:
                s = mul_add(splat(decay), v, s)
            if momentum != 0:
                buffer = mul_add(splat(beta), load(m_D, c), mul(splat(fresh), s)) if has_buffer else s
                store(m_D, c, buffer)
                s = mul_add(splat(beta), buffer, s) if nesterov else buffer
            store(w_D, c, mul_add(splat(rate), s, v))
        if bias:
            f += decay * b
            if momentum != 0:
                mb = beta * mb + fresh * f if has_buffer else f
                f = f + beta * mb if nesterov else mb
            b += rate * f
        has_buffer = has_buffer or momentum != 0
        at += 1
    put(b_k, 0, b)
    put(mb_k, 0, mb)
    return done


@kernel(fastmath=FAST)
def run_steps(
    X_nd, y_nk, order_n, shuffled, w_kD, b_k, m_kD, mb_k, has_buffer, d, n, bias,
    loss, delta, rates, momentum, dampening, weight_decay, nesterov, position, losses, steps,
):  # fmt: skip
    """As `batches.run_steps`, for batches of one row and one target."""
    width = number(w_kD, delta)
    if d <= LANES and momentum == 0 and weight_decay == 0:
        return _plain(
            X_nd, y_nk, order_n, shuffled != 0, w_kD, b_k, d, n, bias != 0, loss, width, rates, position, losses, steps
        )
    return _general(
        X_nd, y_nk, order_n, shuffled != 0, w_kD, b_k, m_kD, mb_k, has_buffer != 0, d, n, bias != 0,
        loss, width, rates, momentum, dampening, weight_decay, nesterov != 0, position, losses, steps,
    )  # fmt: skip
