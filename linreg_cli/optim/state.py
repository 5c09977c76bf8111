"""TrainingState: what a step updates."""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn


@dataclass
class TrainingState:
    """The parameters, the momentum buffers of SGD, and the number of steps taken.

    Attributes:
        model: nn.Sequential(nn.Linear); its parameters are updated in place.
        momentum: parameter name -> momentum buffer of the parameter's shape and dtype; empty before the
            first step and without momentum, as in `torch.optim.SGD.state_dict()`.
        step: steps taken so far.
    """

    model: nn.Sequential
    momentum: dict[str, Tensor] = field(default_factory=dict)
    step: int = 0

    def snapshot(self) -> "Snapshot":
        """A copy of the state, which later steps do not change."""
        parameters = {name: value.detach().clone() for name, value in self.model.named_parameters()}
        return Snapshot(parameters, {name: value.clone() for name, value in self.momentum.items()}, self.step)

    @torch.no_grad()
    def restore(self, snapshot: "Snapshot") -> None:
        """Set the state to that of a snapshot, in place."""
        for name, value in self.model.named_parameters():
            value.copy_(snapshot.parameters[name])
        self.momentum = {
            name: value.to(next(self.model.parameters()).device, copy=True) for name, value in snapshot.momentum.items()
        }
        self.step = snapshot.step


@dataclass(frozen=True)
class Snapshot:
    """A copy of a `TrainingState`, as it is saved in a checkpoint.

    Attributes:
        parameters: parameter name -> values: `0.weight` (n_targets, n_features), `0.bias` (n_targets,).
        momentum: parameter name -> momentum buffer, as in `TrainingState`.
        step: steps taken.
    """

    parameters: dict[str, Tensor]
    momentum: dict[str, Tensor]
    step: int
