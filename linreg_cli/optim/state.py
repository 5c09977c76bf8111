"""TrainingState: what a step changes."""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn


@dataclass
class TrainingState:
    """The parameters, the state of torch.optim.SGD, and how many steps were taken.

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
        """A copy that later steps do not change."""
        parameters = {name: value.detach().clone() for name, value in self.model.named_parameters()}
        return Snapshot(parameters, {name: value.clone() for name, value in self.momentum.items()}, self.step)

    @torch.no_grad()
    def restore(self, snapshot: "Snapshot") -> None:
        """Go back to a snapshot."""
        for name, value in self.model.named_parameters():
            value.copy_(snapshot.parameters[name])
        self.momentum = {
            name: value.to(next(self.model.parameters()).device, copy=True) for name, value in snapshot.momentum.items()
        }
        self.step = snapshot.step


@dataclass(frozen=True)
class Snapshot:
    """A state at rest: what a checkpoint holds.

    Attributes:
        parameters: name -> values.
        momentum: name -> momentum buffer.
        step: steps taken.
    """

    parameters: dict[str, Tensor]
    momentum: dict[str, Tensor]
    step: int
