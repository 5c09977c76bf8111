"""Parameters and momentum as flat arrays padded to whole vectors, for compiled code, and back."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from linreg_cli.optim.plan import StepPlan
from linreg_cli.optim.state import TrainingState

Array = np.ndarray[Any, np.dtype[Any]]

#: Numbers of a vector; the same as in `simd`, which imports numba and therefore is not imported here.
LANES = 8


class PackedParameters:
    """A copy of the state in the layout of the kernels.

    Attributes:
        w: weights, shape (n_targets * D,), D = n_features rounded up to whole vectors; padded with zeros.
        b: bias, n_targets rounded up; zeros for a model without one.
        mw: momentum buffer of the weights, shaped likewise.
        mb: momentum buffer of the bias.
        bias: whether the model has one.
        has_buffer: whether a momentum buffer exists yet.
    """

    def __init__(self, state: TrainingState) -> None:
        parameters = dict(state.model.named_parameters())
        weight = parameters["0.weight"].detach()
        bias = parameters.get("0.bias")
        momentum = state.momentum.get("0.weight")
        self._shape = weight.shape
        self.bias = bias is not None
        self.has_buffer = momentum is not None
        self.w = self._pad(weight)
        self.mw = np.zeros_like(self.w) if momentum is None else self._pad(momentum)
        self.b = np.zeros(_rounded_up(len(weight)), self.w.dtype) if bias is None else self._pad(bias.detach()[None])
        self.mb = self._pad(state.momentum["0.bias"][None]) if "0.bias" in state.momentum else np.zeros_like(self.b)

    def write_back(self, state: TrainingState, plan: StepPlan, updates: int) -> None:
        """Put the numbers into the state, in place; `updates` says how many steps they are away from it."""
        if not updates:
            return
        pairs = {"0.weight": (self.w, self.mw), "0.bias": (self.b, self.mb)}
        with torch.no_grad():
            for name, parameter in state.model.named_parameters():
                values, buffer = (self._cut(array, parameter) for array in pairs[name])
                parameter.copy_(values)
                if plan.momentum != 0:
                    state.momentum[name] = buffer.clone()

    @staticmethod
    def _pad(values: Tensor) -> Array:
        rows, columns = values.shape
        padded = np.zeros((rows, _rounded_up(columns)), values.numpy().dtype)
        padded[:, :columns] = values.numpy()
        return padded.reshape(-1)

    def _cut(self, array: Array, like: Tensor) -> Tensor:
        if like.dim() == 1:
            return torch.from_numpy(array[: len(like)])
        rows, columns = self._shape
        return torch.from_numpy(array.reshape(rows, -1)[:, :columns])


def _rounded_up(count: int) -> int:
    return (count + LANES - 1) // LANES * LANES
