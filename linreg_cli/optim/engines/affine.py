"""The affine executor: mini-batches of squared losses as a tree of affine maps, many steps at once, on any device.

A step of SGD on a squared loss is an affine map of parameters and momentum. With theta = theta_0 + u, where theta_0 is
the state before a chunk of steps, and the rows [x 1] of a batch, of which w_i weighs row i,

    G = sum w_i x_i x_i'     r = X theta_0 - y     h = sum w_i x_i r_i'
    gradient = f (G u + h) + weight_decay (theta_0 + u)          f = 2 c, loss = c sum w_i e_i^2

G and h of all batches of a chunk are one batched product each, and the states along the chunk a tree of maps
(`affine_maps.states_along`). Since u is the distance from the last known state, nothing large is subtracted. The losses
are computed from the residuals at those states. Everything is float64; parameters and momentum are rounded to the dtype
of training at the end of a chunk.

On a CPU it is slower than compiled steps. It is for devices where a step on its own costs a launch. Chunks lie at fixed
steps of an epoch, so the bits do not depend on how a run is parted, if it is parted between chunks (`chunk_steps`).
"""

import torch
from torch import Tensor

from linreg_cli.model import linear_layer
from linreg_cli.optim.engines.affine_maps import states_along
from linreg_cli.optim.engines.reference import ReferenceExecutor
from linreg_cli.optim.engines.windows import windows_of
from linreg_cli.optim.losses import loss_scale
from linreg_cli.optim.plan import StepPlan
from linreg_cli.optim.rows import AnyRows, TrainRows
from linreg_cli.optim.state import TrainingState

#: Numbers of the rows, and of the matrices, of a chunk: 64 MiB each in float64. The most steps of a chunk: a tree of
#: 12 levels.
CHUNK_NUMBERS, MOST_STEPS = 2**23, 2**12

#: From a step on whose parameters or sum of losses come within this factor of the largest number of the training dtype,
#: a chunk is left to the reference, which finds the step at which a loss is not finite.
HEADROOM = 2.0**-16


def chunk_steps(plan: StepPlan, n_features: int) -> int:
    """The steps of a chunk of a plan: a power of two."""
    width = n_features + 1
    most = CHUNK_NUMBERS // max(plan.batch_size * width, (2 * width) ** 2)
    return _down(max(1, min(MOST_STEPS, most, 2 * plan.steps_per_epoch - 1)))


class AffineExecutor:
    """Runs steps of mse, sse and half_mse many at once.

    Args:
        rows: the train split, of the dtype and on the device of the model.
    """

    name = "affine"

    def __init__(self, rows: AnyRows) -> None:
        self._rows, self._windows, self._reference = rows, windows_of(rows, torch.int64), ReferenceExecutor(rows)

    @staticmethod
    def is_compiled(plan: StepPlan, n_features: int, n_targets: int, dtype: str, *, weighted: bool = False) -> bool:
        """Nothing is compiled; as `ReferenceExecutor.is_compiled`."""
        return True

    def load(self, plan: StepPlan) -> None:
        """Nothing; as `ReferenceExecutor.load`."""

    def chunk_steps(self, plan: StepPlan) -> int:
        """The steps of a chunk, as `trail.Chunked.chunk_steps`: a power of two."""
        return chunk_steps(plan, self._rows.n_features)

    def run(self, plan: StepPlan, state: TrainingState, start: int, stop: int) -> Tensor:
        """Take the steps `start` to `stop - 1`; as `ReferenceExecutor.run`."""
        assert state.step == start, (state.step, start)
        losses, size = [torch.empty(0, dtype=torch.float64)], self.chunk_steps(plan)
        while state.step < stop:
            epoch, batch = plan.locate(state.step)
            end = min(batch - batch % size + size, plan.steps_per_epoch) + epoch * plan.steps_per_epoch
            losses.append(self._take(plan, state, min(end, stop)))
            if state.step < min(end, stop):
                losses.append(self._reference.run(plan, state, state.step, min(end, stop)))
            if not torch.isfinite(losses[-1][-1]):
                break
        return torch.cat(losses)

    def train_loss(self, plan: StepPlan, state: TrainingState) -> float:
        """The loss over the whole train split at the parameters of the state; that of the reference."""
        return self._reference.train_loss(plan, state)

    @torch.no_grad()
    def _take(self, plan: StepPlan, state: TrainingState, stop: int) -> Tensor:
        """Take steps of one chunk, from the present one on, up to one that might overflow; returns their losses."""
        (epoch, _), steps = plan.locate(state.step), stop - state.step
        X_cbp, y_cbk, weight_cb1, count_c = self._batches(plan, state, steps)
        theta_pk, moment_pk = _parameters(state)
        residual_cbk = X_cbp @ theta_pk - y_cbk
        weighted_cpb = (X_cbp if weight_cb1 is None else X_cbp * weight_cb1).transpose(1, 2)
        G_cpp, h_cpk = weighted_cpb @ X_cbp, weighted_cpb @ residual_cbk
        scales = [loss_scale(plan.loss.name, count, y_cbk.shape[2]) for count in count_c]
        scale_c = torch.tensor(scales, dtype=torch.float64).to(G_cpp.device)
        maps = _maps(plan, epoch, scale_c, G_cpp, h_cpk, theta_pk, begins=moment_pk is None)
        moving = [torch.zeros_like(theta_pk)]
        if plan.momentum:
            moving.append(moving[0] if moment_pk is None else moment_pk)
        states = states_along(*_filled(*maps, self.chunk_steps(plan)), torch.cat(moving))[: steps + 1]
        p = len(theta_pk)
        error_cbk = residual_cbk + X_cbp @ states[:-1, :p]
        square_cbk = error_cbk.square() if weight_cb1 is None else error_cbk.square() * weight_cb1
        sums_c = square_cbk.sum(dim=(1, 2))
        largest_c = torch.maximum(sums_c, (theta_pk + states[1:, :p]).abs().amax(dim=(1, 2)))
        limit = torch.finfo(getattr(torch, self._rows.dtype)).max * HEADROOM
        fine = int((largest_c < limit).cumprod(0).sum())
        if fine:
            _write(state, theta_pk + states[fine, :p], states[fine, p:] if plan.momentum else None)
            state.step += fine
        return (scale_c * sums_c)[:fine].to(getattr(torch, self._rows.dtype)).double().cpu()

    def _batches(
        self, plan: StepPlan, state: TrainingState, steps: int
    ) -> tuple[Tensor, Tensor, Tensor | None, list[int]]:
        """The rows of the next batches: [x 1] (steps, batch, p), y (steps, batch, k), weights, and the rows of each.

        A smaller last batch is filled up with zeros, which change no sum.
        """
        rows, room = self._next_rows(plan, state.step, steps), steps * plan.batch_size
        columns = [rows.X_nd.double()]
        if linear_layer(state.model).bias is not None:
            columns.append(columns[0].new_ones(rows.n_samples, 1))

        def batched(values: Tensor) -> Tensor:
            filled = torch.nn.functional.pad(values, (0, 0, 0, room - len(values)))
            return filled.view(steps, plan.batch_size, values.shape[1])

        weights = None if rows.weight_n is None else batched(rows.weight_n.double()[:, None])
        counts = [min(plan.batch_size, rows.n_samples - at) for at in range(0, rows.n_samples, plan.batch_size)]
        return batched(torch.cat(columns, dim=1)), batched(rows.y_nk.double()), weights, counts

    def _next_rows(self, plan: StepPlan, step: int, steps: int) -> TrainRows:
        """The rows of the batches of some steps of an epoch, in their order."""
        pieces, stop = [], step + steps
        while step < stop:
            window = self._windows.of(plan, step)
            end = min(stop, window.stop)
            first, _ = plan.batch_bounds(window.batch(plan, step))
            _, last = plan.batch_bounds(window.batch(plan, end - 1))
            pieces.append(
                _copied(window.rows, slice(first, last) if window.order is None else window.order[first:last])
            )
            step = end
        if len(pieces) == 1:
            return pieces[0]
        weights = [piece.weight_n for piece in pieces if piece.weight_n is not None]
        X_nd, y_nk = (torch.cat([getattr(piece, name) for piece in pieces]) for name in ("X_nd", "y_nk"))
        return TrainRows(X_nd, y_nk, torch.cat(weights) if weights else None)


def _copied(rows: TrainRows, chosen: slice | Tensor) -> TrainRows:
    """Some rows in memory of their own: that of a window is filled again."""
    weight_n = None if rows.weight_n is None else rows.weight_n[chosen].clone()
    return TrainRows(rows.X_nd[chosen].clone(), rows.y_nk[chosen].clone(), weight_n)


def _maps(
    plan: StepPlan, epoch: int, scale_c: Tensor, G_cpp: Tensor, h_cpk: Tensor, theta_pk: Tensor, *, begins: bool
) -> tuple[Tensor, Tensor]:
    """The map of each step: of u without momentum, else of u and the buffer, one below the other.

    Args:
        plan: the update rule.
        epoch: of the steps.
        scale_c: of the sum of squares of each batch, shape (C,).
        G_cpp: see the module, shape (C, p, p).
        h_cpk: see the module, shape (C, p, k).
        theta_pk: the state before the chunk, shape (p, k).
        begins: whether there is no momentum buffer yet; then the first one is the gradient itself.
    """
    lr, momentum = plan.learning_rate(epoch), plan.momentum
    one = torch.eye(len(theta_pk)).to(G_cpp)
    factor = 2 * scale_c[:, None, None]
    M, c = factor * G_cpp + plan.weight_decay * one, factor * h_cpk + plan.weight_decay * theta_pk
    if not momentum:
        return one - lr * M, -lr * c
    share = torch.full_like(factor, 1 - plan.dampening)
    if begins:
        share[0] = 1
    # u' = u - lr (gradient [nesterov] + reach buffer'), buffer' = momentum buffer + share gradient
    reach, now = (momentum, 1.0) if plan.nesterov else (1.0, 0.0)
    of_gradient = now + reach * share
    top = torch.cat([one - lr * of_gradient * M, (-lr * reach * momentum * one).expand_as(M)], dim=2)
    bottom = torch.cat([share * M, (momentum * one).expand_as(M)], dim=2)
    return torch.cat([top, bottom], dim=1), torch.cat([-lr * of_gradient * c, share * c], dim=1)


def _filled(A_cqq: Tensor, b_cqk: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The maps, with identities after them, so that there are always as many."""
    missing, q = count - len(A_cqq), A_cqq.shape[1]
    if not missing:
        return A_cqq, b_cqk
    same = torch.eye(q).to(A_cqq).expand(missing, q, q)
    return torch.cat([A_cqq, same]), torch.cat([b_cqk, b_cqk.new_zeros(missing, *b_cqk.shape[1:])])


def _parameters(state: TrainingState) -> tuple[Tensor, Tensor | None]:
    """[weights; bias] and their momentum buffer, or None, shape (p, k), float64."""
    layer = linear_layer(state.model)

    def stacked(weight: Tensor, bias: Tensor | None) -> Tensor:
        return torch.cat([weight.T] if bias is None else [weight.T, bias[None]]).double()

    held = state.momentum
    moment = stacked(held["0.weight"], held.get("0.bias")) if "0.weight" in held else None
    return stacked(layer.weight, layer.bias), moment


def _write(state: TrainingState, theta_pk: Tensor, moment_pk: Tensor | None) -> None:
    """The inverse of `_parameters`, in place, rounded to the dtype of the model."""
    layer = linear_layer(state.model)
    d = layer.weight.shape[1]
    for name, parameter, rows in (("0.weight", layer.weight, slice(0, d)), ("0.bias", layer.bias, slice(d, d + 1))):
        if parameter is None:
            continue
        parameter.copy_(theta_pk[rows].T.reshape(parameter.shape))
        if moment_pk is not None:
            state.momentum[name] = moment_pk[rows].T.reshape(parameter.shape).to(parameter.dtype).clone()


def _down(count: int) -> int:
    """The largest power of two that is at most `count`."""
    return 1 << (count.bit_length() - 1)
