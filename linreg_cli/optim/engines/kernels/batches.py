"""Compiled kernels of the native executor: losses and gradients of batches, and SGD updates.

Shapes: n samples, d features, k targets, D = d rounded up to whole vectors. All arrays are one-dimensional and
contiguous. Parameters and gradients are padded with zeros to whole vectors, so that updates need no remainder loop.

    X_nd  (n * d,)   y_nk  (n * k,)                 of the training dtype
    w_kD  (k * D,)   b_k   (k rounded up,)          of the training dtype; m_kD, mb_k: their momentum buffers
    g_kD  (k * D,)   gb_k  (k rounded up,)          float64 whatever the dtype: sums of f x and of f over a batch
    weight_n (n,)    weights of the rows, of the training dtype
    order_n  (n,)    the row order of an epoch, not read where rows come as given
    dots_8   (8,)    workspace, of the training dtype

Residuals e = x w + b - y become the factors f of the gradient sum f x while the rows are still in registers or in the
first-level cache (`tiles`), so each row is read from memory once.

float32 models: products and sums of at most eight consecutive products are float32, as in torch. Longer sums are
float64, so that a batch of a million rows loses no digits. The update is float32, as in torch.
"""

import numpy as np

from linreg_cli.optim.engines.kernels.compiler import inlined, kernel
from linreg_cli.optim.engines.kernels.pointers import item, nowhere, number, put
from linreg_cli.optim.engines.kernels.signatures import LANES
from linreg_cli.optim.engines.kernels.simd import load, mul, mul_add, narrow, splat, store
from linreg_cli.optim.engines.kernels.tiles import FAST, SSE, sums_of


@kernel(fastmath=FAST)
def pass_over(X_nd, y_nk, first, last, w_kD, b_k, d, k, loss, delta, dots_8, g_kD, gb_k, gradient):
    """Sum of the element losses of the rows first..last-1; with `gradient` also sum f x in g and sum f in gb.

    The loss is not divided by n and the gradient lacks its scale (2, 1, 1/n ...), so that parts can be summed.
    """
    return sums_of(
        X_nd, y_nk, None, nowhere(), False, first, last, 0, w_kD, b_k,
        d, k, loss, number(w_kD, delta), dots_8, g_kD, gb_k, gradient != 0,
    )  # fmt: skip


@kernel(fastmath=FAST)
def weighted_pass_over(X_nd, y_nk, weight_n, first, last, w_kD, b_k, d, k, loss, delta, dots_8, g_kD, gb_k, gradient):
    """As `pass_over`, of rows with weights."""
    return sums_of(
        X_nd, y_nk, weight_n, nowhere(), False, first, last, 0, w_kD, b_k,
        d, k, loss, number(w_kD, delta), dots_8, g_kD, gb_k, gradient != 0,
    )  # fmt: skip


@inlined(fastmath=FAST)
def sgd_update(w, m, g, count, scale, has_buffer, lr, momentum, dampening, weight_decay, nesterov):
    """As `update`, inlined."""
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
def update(w, m, g, count, scale, has_buffer, lr, momentum, dampening, weight_decay, nesterov):
    """One step of torch.optim.SGD for the `count` parameters w with momentum buffers m, padded to whole vectors.

    The gradient is scale * g, rounded to the dtype of w, in which the rest is computed.
    """
    sgd_update(w, m, g, count, scale, has_buffer != 0, lr, momentum, dampening, weight_decay, nesterov != 0)


@inlined(fastmath=FAST)
def _steps(
    X_nd, y_nk, weight_n, order_n, shuffled, w_kD, b_k, m_kD, mb_k, has_buffer, d, k, n, batch, bias,
    loss, delta, rates, momentum, dampening, weight_decay, nesterov, position, losses, steps, dots_8, g_kD, gb_k,
):  # fmt: skip
    """As `run_steps`; `weight_n` is None, or the weights."""
    D, K = (d + LANES - 1) // LANES * LANES, (k + LANES - 1) // LANES * LANES
    width, rule = number(w_kD, delta), (momentum, dampening, weight_decay, nesterov != 0)
    has_buffer, epoch, at, done = has_buffer != 0, 0, position * batch, steps
    for step in range(steps):
        if at >= n:
            epoch, at = epoch + 1, 0
        last = min(at + batch, n)
        value = sums_of(
            X_nd, y_nk, weight_n, order_n, shuffled != 0, at, last, n, w_kD, b_k, d, k, loss, width, dots_8,
            g_kD, gb_k, True,
        )  # fmt: skip
        count = 1.0 if loss == SSE else float((last - at) * k)
        # The sum is rounded to the training dtype first, because torch's loss is infinite if that overflows.
        value = float(number(w_kD, value) / number(w_kD, count))
        put(losses, step, value)
        if not np.isfinite(value):
            done = step + 1
            break
        scale, rate = (2.0 if loss <= SSE else 1.0) / count, item(rates, epoch)
        sgd_update(w_kD, m_kD, g_kD, k * D, scale, has_buffer, rate, *rule)
        if bias != 0:
            sgd_update(b_k, mb_k, gb_k, K, scale, has_buffer, rate, *rule)
        has_buffer = has_buffer or momentum != 0
        at = last
    return done


@kernel(fastmath=FAST)
def run_steps(
    X_nd, y_nk, order_n, shuffled, w_kD, b_k, m_kD, mb_k, has_buffer, d, k, n, batch, bias,
    loss, delta, rates, momentum, dampening, weight_decay, nesterov, position, losses, steps, dots_8, g_kD, gb_k,
):  # fmt: skip
    """Take `steps` steps, or stop before the update at a loss that is not finite; returns the number of losses.

    The first step is batch `position` of the epoch with learning rate rates[0]. With shuffled rows, all steps are
    within that epoch.
    """
    return _steps(
        X_nd, y_nk, None, order_n, shuffled, w_kD, b_k, m_kD, mb_k, has_buffer, d, k, n, batch, bias, loss, delta,
        rates, momentum, dampening, weight_decay, nesterov, position, losses, steps, dots_8, g_kD, gb_k,
    )  # fmt: skip


@kernel(fastmath=FAST)
def weighted_run_steps(
    X_nd, y_nk, weight_n, order_n, shuffled, w_kD, b_k, m_kD, mb_k, has_buffer, d, k, n, batch, bias,
    loss, delta, rates, momentum, dampening, weight_decay, nesterov, position, losses, steps, dots_8, g_kD, gb_k,
):  # fmt: skip
    """As `run_steps`, of rows with weights; for batches of one row and one target too."""
    return _steps(
        X_nd, y_nk, weight_n, order_n, shuffled, w_kD, b_k, m_kD, mb_k, has_buffer, d, k, n, batch, bias, loss, delta,
        rates, momentum, dampening, weight_decay, nesterov, position, losses, steps, dots_8, g_kD, gb_k,
    )  # fmt: skip
