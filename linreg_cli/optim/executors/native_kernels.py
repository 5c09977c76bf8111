"""Compiled kernels of the native executor: rows in, residuals and gradient out, one parameter update after another.

Shapes: n samples, d features, k targets, D = d rounded up to whole vectors. Everything is one-dimensional and
contiguous; parameters and gradients are padded with zeros to whole vectors, so that updates have no last case.

    X_nd  (n * d,)   y_nk  (n * k,)   order_n  (epochs * n,), or (0,) for rows as given
    w_kD  (k * D,)   b_k   (>= k,)    m_kD, mb_k: their momentum buffers         all of the training dtype
    g_kD  (k * D,)   gb_k  (>= k,)    sums of f x and of f over a batch          float64 whatever the dtype

Residuals e = x w + b - y become the factors f of the gradient sum f x while the rows are still in registers or in the
first-level cache (`tile_kernels`), so memory is read once.

float32 models: products, and sums of at most eight of them on end, are float32, as in torch; from there on sums are
float64, so that a batch of a million rows loses nothing; the update is float32, as in torch.
"""

import numpy as np

from linreg_cli.optim.executors.addresses import keep, number, pointer
from linreg_cli.optim.executors.compiled import inlined, kernel
from linreg_cli.optim.executors.simd import LANES, load, mul, mul_add, narrow, splat, store
from linreg_cli.optim.executors.tile_kernels import FAST, SSE, sums_of


@kernel(fastmath=FAST)
def pass_over(X_nd, y_nk, first, last, w_kD, b_k, d, k, loss, delta, g_kD, gb_k, gradient):
    """Sum of the element losses of the rows first..last-1; with `gradient` also sum f x and sum f, into g and gb.

    The loss is undivided and the gradient is without its scale (2, 1, 1/n ...), so that parts can be added up.
    """
    dots_8, order_0 = np.zeros(LANES, w_kD.dtype), np.zeros(1, np.int64)
    value = sums_of(
        pointer(X_nd), pointer(y_nk), pointer(order_0), False, first, last, 0, pointer(w_kD), pointer(b_k),
        d, k, loss, w_kD.dtype.type(delta), pointer(dots_8), pointer(g_kD), pointer(gb_k), gradient,
    )  # fmt: skip
    keep(dots_8)
    keep(order_0)
    return value


@inlined(fastmath=FAST)
def sgd_update(w, m, g, count, scale, has_buffer, lr, momentum, dampening, weight_decay, nesterov):
    """As `update` for `count` numbers, by pointers."""
    rate, beta, decay = splat(number(w, -lr)), splat(number(w, momentum)), splat(number(w, weight_decay))
    fresh, factor = splat(number(w, 1 - dampening)), splat(scale)
    for c in range(0, count, LANES):
        v, s = load(w, c), narrow(mul(load(g, c), factor), w)
        if weight_decay != 0:
            s = mul_add(decay, v, s)
        if momentum != 0:
            # As in torch: the first buffer is the gradient itself, without dampening.
            buffer = mul_add(beta, load(m, c), mul(fresh, s)) if has_buffer else s
            store(m, c, buffer)
            s = mul_add(beta, buffer, s) if nesterov else buffer
        store(w, c, mul_add(rate, s, v))


@kernel(fastmath=FAST)
def update(w, m, g, scale, has_buffer, lr, momentum, dampening, weight_decay, nesterov):
    """One step of torch.optim.SGD for the parameters w with buffers m, all padded to whole vectors.

    The gradient is scale * g, rounded to the type of w; from there on everything is computed in that type.
    """
    sgd_update(
        pointer(w), pointer(m), pointer(g), len(w), scale, has_buffer, lr, momentum, dampening, weight_decay, nesterov
    )


@kernel(fastmath=FAST)
def run_steps(
    X_nd, y_nk, order_n, w_kD, b_k, m_kD, mb_k, has_buffer, d, n, batch, bias,
    loss, delta, rates, momentum, dampening, weight_decay, nesterov, position, losses,
):  # fmt: skip
    """Take len(losses) steps, or stop before the update at a loss that is not finite; returns the losses computed.

    The steps begin at batch `position` of the epoch whose rate is rates[0]; order_n holds the row order of each
    epoch in turn. b_k and mb_k are padded to whole vectors; k is len(y_nk) / n.
    """
    k, limit, shuffled = len(y_nk) // n, len(order_n), len(order_n) > 0
    one = w_kD.dtype.type
    width = one(delta)
    dots_8, g_kD, gb_k = np.zeros(LANES, w_kD.dtype), np.zeros(len(w_kD)), np.zeros(len(b_k))
    X, y, order, w, b = pointer(X_nd), pointer(y_nk), pointer(order_n), pointer(w_kD), pointer(b_k)
    m, mb, dots, g, gb = pointer(m_kD), pointer(mb_k), pointer(dots_8), pointer(g_kD), pointer(gb_k)
    rule, epoch, at = (momentum, dampening, weight_decay, nesterov), 0, position * batch
    done = len(losses)
    for step in range(len(losses)):
        if at >= n:
            epoch, at = epoch + 1, 0
        last = min(at + batch, n)
        base = epoch * n if shuffled else 0
        value = sums_of(
            X, y, order, shuffled, base + at, base + last, limit, w, b, d, k, loss, width, dots, g, gb, True
        )
        count = 1.0 if loss == SSE else float((last - at) * k)
        # The sum is rounded to the training dtype first: where that overflows, torch's loss is infinite too.
        value = float(one(one(value) / one(count)))
        losses[step] = value
        if not np.isfinite(value):
            done = step + 1
            break
        scale = (2.0 if loss <= SSE else 1.0) / count
        sgd_update(w, m, g, len(w_kD), scale, has_buffer, rates[epoch], *rule)
        if bias:
            sgd_update(b, mb, gb, len(b_k), scale, has_buffer, rates[epoch], *rule)
        has_buffer = has_buffer or momentum != 0
        at = last
    keep(dots_8)
    keep(g_kD)
    keep(gb_k)
    return done
