"""Compiled steps whose sums over rows are those of the shards, added up in their order; shapes as in `batches`.

    ends      the shards held here, batch by batch: positions of the batch b and the shard s are ends[b held + s] to
              ends[b held + s + 1] - 1; they are those of `order_n`, or where rows come as given, of X itself
    parts_SW  (shards * W,)  W = 1 + k D + K: the loss of a shard's rows of the batch, sum f x and sum f, float64

One function takes whole steps of one process, and the two halves of a step of several, between which the parts are
exchanged. So the same machine code computes every sum, and the bits do not depend on the number of processes.
"""

import numpy as np

from linreg_cli.optim.engines.kernels.batches import sgd_update
from linreg_cli.optim.engines.kernels.compiler import inlined, kernel
from linreg_cli.optim.engines.kernels.pointers import item, number, put
from linreg_cli.optim.engines.kernels.signatures import LANES
from linreg_cli.optim.engines.kernels.simd import add, load, splat, store
from linreg_cli.optim.engines.kernels.tiles import FAST, SSE, sums_of


@inlined(fastmath=FAST)
def _steps(
    X_nd, y_nk, weight_n, order_n, shuffled, ends, held, first, shards, w_kD, b_k, m_kD, mb_k, has_buffer, d, k, n,
    batch, bias, loss, delta, lr, momentum, dampening, weight_decay, nesterov, position, losses, steps, adding,
    updating, parts_SW, dots_8, g_kD, gb_k,
):  # fmt: skip
    """As `run_steps`; `weight_n` is None, or the weights."""
    D, K = (d + LANES - 1) // LANES * LANES, (k + LANES - 1) // LANES * LANES
    width, W, done = number(w_kD, delta), 1 + k * D + K, steps
    has_buffer = has_buffer != 0
    for step in range(steps):
        at = position + step
        for s in range(held if adding != 0 else 0):
            begin, stop = np.int64(item(ends, at * held + s)), np.int64(item(ends, at * held + s + 1))
            value = sums_of(
                X_nd, y_nk, weight_n, order_n, shuffled != 0, begin, stop, stop, w_kD, b_k, d, k, loss, width, dots_8,
                g_kD, gb_k, True,
            )  # fmt: skip
            start = (first + s) * W
            put(parts_SW, start, value)
            for c in range(0, k * D, LANES):
                store(parts_SW, start + 1 + c, load(g_kD, c))
            for c in range(0, K, LANES):
                store(parts_SW, start + 1 + k * D + c, load(gb_k, c))
        if updating == 0:
            break
        value = 0.0
        for c in range(0, k * D, LANES):
            store(g_kD, c, splat(0.0))
        for c in range(0, K, LANES):
            store(gb_k, c, splat(0.0))
        for s in range(shards):
            start = s * W
            value += item(parts_SW, start)
            for c in range(0, k * D, LANES):
                store(g_kD, c, add(load(g_kD, c), load(parts_SW, start + 1 + c)))
            for c in range(0, K, LANES):
                store(gb_k, c, add(load(gb_k, c), load(parts_SW, start + 1 + k * D + c)))
        rows = min(at * batch + batch, n) - at * batch
        count = 1.0 if loss == SSE else float(rows * k)
        # The sum is rounded to the training dtype first, because torch's loss is infinite if that overflows.
        value = float(number(w_kD, value) / number(w_kD, count))
        put(losses, step, value)
        if not np.isfinite(value):
            done = step + 1
            break
        scale = (2.0 if loss <= SSE else 1.0) / count
        sgd_update(w_kD, m_kD, g_kD, k * D, scale, has_buffer, lr, momentum, dampening, weight_decay, nesterov != 0)
        if bias != 0:
            sgd_update(b_k, mb_k, gb_k, K, scale, has_buffer, lr, momentum, dampening, weight_decay, nesterov != 0)
        has_buffer = has_buffer or momentum != 0
    return done


@kernel(fastmath=FAST)
def run_steps(
    X_nd, y_nk, order_n, shuffled, ends, held, first, shards, w_kD, b_k, m_kD, mb_k, has_buffer, d, k, n, batch, bias,
    loss, delta, lr, momentum, dampening, weight_decay, nesterov, position, losses, steps, adding, updating,
    parts_SW, dots_8, g_kD, gb_k,
):  # fmt: skip
    """Take `steps` steps of an epoch, or stop before the update at a loss that is not finite; returns the losses taken.

    The first step is batch `position`. With `adding`, the parts of the shards first..first + held - 1 are computed;
    with `updating`, all parts are added up and the update is made. Both, for every step, where all shards are held.
    """
    return _steps(
        X_nd, y_nk, None, order_n, shuffled, ends, held, first, shards, w_kD, b_k, m_kD, mb_k, has_buffer, d, k, n,
        batch, bias, loss, delta, lr, momentum, dampening, weight_decay, nesterov, position, losses, steps, adding,
        updating, parts_SW, dots_8, g_kD, gb_k,
    )  # fmt: skip


@kernel(fastmath=FAST)
def weighted_run_steps(
    X_nd, y_nk, weight_n, order_n, shuffled, ends, held, first, shards, w_kD, b_k, m_kD, mb_k, has_buffer, d, k, n,
    batch, bias, loss, delta, lr, momentum, dampening, weight_decay, nesterov, position, losses, steps, adding,
    updating, parts_SW, dots_8, g_kD, gb_k,
):  # fmt: skip
    """As `run_steps`, of rows with weights."""
    return _steps(
        X_nd, y_nk, weight_n, order_n, shuffled, ends, held, first, shards, w_kD, b_k, m_kD, mb_k, has_buffer, d, k, n,
        batch, bias, loss, delta, lr, momentum, dampening, weight_decay, nesterov, position, losses, steps, adding,
        updating, parts_SW, dots_8, g_kD, gb_k,
    )  # fmt: skip
