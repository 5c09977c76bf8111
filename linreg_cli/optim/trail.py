"""Trail: what some epochs in a row left behind, so that their evaluations are computed together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from linreg_cli.model import parameters_of
from linreg_cli.optim.plan import StepPlan
from linreg_cli.optim.state import TrainingState

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, eq=False)
class Trail:
    """The train losses and the parameters after each of N epochs.

    Attributes:
        losses: over the whole train split, without the penalty, N numbers.
        weights: in scaled units, shape (N, n_features, n_targets).
        bias: shape (N, n_targets); None for a model without an intercept.
        recall: sets the parameters and the momentum buffers of the state to those after the epoch at a position.
        refused: the loss of a batch that is not finite, before whose update the trail ends; None: it was not cut short.
    """

    losses: Sequence[float]
    weights: Array
    bias: Array | None
    recall: Callable[[int], None] = lambda _: None
    refused: float | None = None

    def at(self, position: int) -> tuple[Array, Array | None]:
        """The parameters after the epoch at a position: weights (n_features, n_targets), bias (n_targets,) or None."""
        return self.weights[position], None if self.bias is None else self.bias[position]

    @classmethod
    def of(cls, state: TrainingState, loss: float) -> "Trail":
        """The trail of one epoch, that the state is at the end of."""
        weights, bias = parameters_of(state.model)
        return cls([loss], weights[None].copy(order="K"), None if bias is None else bias[None].copy())


@runtime_checkable
class Recorder(Protocol):
    """An executor that can take the steps of several epochs of one step at once, with what is left after each."""

    def run_epochs(self, plan: StepPlan, state: TrainingState, start: int, stop: int) -> Trail:
        """Take the steps `start` to `stop - 1`, or fewer; the bits are those of `run` and `train_loss` in turn.

        The state stays as it is; `TrainingState.follow` takes it along the trail.
        """


@runtime_checkable
class Chunked(Protocol):
    """An executor whose bits depend on where calls begin within a chunk of steps."""

    def chunk_steps(self, plan: StepPlan) -> int:
        """The steps of a chunk; chunks begin at multiples of it within an epoch, and end with the epoch too."""
