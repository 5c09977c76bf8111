"""TrainingState: what a step updates."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn


class TrainingState:
    """The parameters, the momentum buffers of SGD, and the number of steps taken.

    Args:
        model: nn.Sequential(nn.Linear); its parameters are updated in place.
        momentum: see below; None: empty.
        step: steps taken so far.

    Attributes:
        model: as given.
        momentum: parameter name -> momentum buffer of the parameter's shape and dtype; empty before the
            first step and without momentum, as in `torch.optim.SGD.state_dict()`.
        step: steps taken so far.
    """

    def __init__(self, model: nn.Sequential, momentum: dict[str, Tensor] | None = None, step: int = 0) -> None:
        self._model, self._momentum, self.step = model, {} if momentum is None else momentum, step
        self._recall: Callable[[], None] | None = None

    @property
    def model(self) -> nn.Sequential:
        """See the class."""
        self.settle()
        return self._model

    @property
    def momentum(self) -> dict[str, Tensor]:
        """See the class."""
        self.settle()
        return self._momentum

    @momentum.setter
    def momentum(self, momentum: dict[str, Tensor]) -> None:
        self._momentum = momentum

    def follow(self, step: int, recall: Callable[[], None]) -> None:
        """Go to the state after `step` steps; `recall` sets parameters and buffers, once they are asked for.

        Most epochs of a long run are only written into the history, and copying the state would take most of their
        time.
        """
        self.step, self._recall = step, recall

    def settle(self) -> None:
        """Set what `follow` has left for later."""
        recall, self._recall = self._recall, None
        if recall is not None:
            recall()

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
