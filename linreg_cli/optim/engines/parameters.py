"""Conversion of parameters and momentum to flat arrays, padded to whole vectors for compiled code, and back."""

import copy
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from linreg_cli.model import linear_layer
from linreg_cli.optim.engines.kernels.signatures import LANES
from linreg_cli.optim.plan import StepPlan
from linreg_cli.optim.state import TrainingState

Array = np.ndarray[Any, np.dtype[Any]]


class PackedParameters:
    """A copy of the parameters and momentum buffers in the memory layout of the kernels.

    All arrays have the dtype of the model and are padded with zeros.

    Attributes:
        w: weights, shape (n_targets * D,), where D is n_features rounded up to whole vectors.
        b: bias, shape (K,), where K is n_targets rounded up; zeros for a model without a bias.
        mw: momentum buffer of the weights, same shape as `w`.
        mb: momentum buffer of the bias, same shape as `b`.
        bias: whether the model has a bias.
        has_buffer: whether a momentum buffer exists, which is so after the first step with momentum.
    """

    def __init__(self, state: TrainingState) -> None:
        layer = linear_layer(state.model)
        weight, bias = layer.weight.detach(), cast(Tensor | None, layer.bias)
        momentum = state.momentum.get("0.weight")
        self.bias = bias is not None
        self.has_buffer = momentum is not None
        self.w = self._pad(weight)
        self.mw = np.zeros_like(self.w) if momentum is None else self._pad(momentum)
        self.b = np.zeros(rounded_up(len(weight)), self.w.dtype) if bias is None else self._pad(bias.detach()[None])
        self.mb = self._pad(state.momentum["0.bias"][None]) if "0.bias" in state.momentum else np.zeros_like(self.b)

    def replaced(self, numbers: Array) -> "PackedParameters":
        """The same layout with other numbers: those of `w`, `b`, `mw` and `mb`, one after another."""
        other, ends = copy.copy(self), np.cumsum([len(self.w), len(self.b), len(self.w)])
        other.w, other.b, other.mw, other.mb = np.split(numbers, ends)
        return other

    def write_back(self, state: TrainingState, plan: StepPlan, updates: int) -> None:
        """Copy parameters and buffers back into the state, in place.

        Args:
            state: the one that this was made from.
            plan: the steps, for whether there are momentum buffers.
            updates: how many updates were made; with 0 nothing is copied.
        """
        if not updates:
            return
        layer = linear_layer(state.model)
        parameters = [("0.weight", layer.weight, self.w, self.mw)]
        if self.bias:
            parameters.append(("0.bias", layer.bias, self.b, self.mb))
        for name, parameter, values, buffer in parameters:
            parameter.detach().copy_(self._cut(values, parameter.shape))
            if plan.momentum != 0:
                state.momentum[name] = self._cut(buffer, parameter.shape).clone().to(parameter.device)

    @staticmethod
    def _pad(values: Tensor) -> Array:
        rows, columns = values.shape
        numbers = values.cpu().numpy()
        padded = np.zeros((rows, rounded_up(columns)), numbers.dtype)
        padded[:, :columns] = numbers
        return padded.reshape(-1)

    @staticmethod
    def _cut(array: Array, shape: torch.Size) -> Tensor:
        if len(shape) == 1:
            return torch.from_numpy(array[: shape[0]])
        return torch.from_numpy(array.reshape(shape[0], -1)[:, : shape[1]])


def rounded_up(count: int, unit: int = LANES) -> int:
    """The smallest multiple of `unit` that is at least `count`; by default whole vectors.

    >>> rounded_up(9), rounded_up(4, 3)
    (16, 6)
    """
    return -(-count // unit) * unit
