"""Which device and which executor run the plan, and why."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from linreg_cli.optim.plan import StepPlan
from linreg_cli.optim.reference import ReferenceExecutor
from linreg_cli.optim.state import TrainingState


class Executor(Protocol):
    """Runs a plan; `linreg_cli.optim.reference` says what each call means."""

    name: str

    def run(self, plan: StepPlan, state: TrainingState, start: int, stop: int) -> Tensor:
        """Take the steps `start` to `stop - 1`; the loss of each batch."""

    def train_loss(self, plan: StepPlan, state: TrainingState) -> float:
        """The loss over the whole train split."""


#: name -> how to make one from (X, y). The names are the values of `train.engine` besides `auto`.
EXECUTORS: dict[str, Callable[[Tensor, Tensor], Executor]] = {ReferenceExecutor.name: ReferenceExecutor}


@dataclass(frozen=True)
class Choice:
    """An executor and the reason for it, in words; both go into `run.json`."""

    executor: Executor
    why: str


def choose(engine: str, X_nd: Tensor, y_nk: Tensor) -> Choice:
    """The executor that the config names, or for `auto` the best one for this plan."""
    if engine == "auto":
        return Choice(ReferenceExecutor(X_nd, y_nk), "auto: the reference loop is the only executor of this version")
    return Choice(EXECUTORS[engine](X_nd, y_nk), "named by train.engine")


def resolve_device(name: str) -> torch.device:
    """The torch device for `train.device`; `auto` is CUDA where there is one.

    Raises:
        ValueError: for a CUDA device that this machine or this build of torch does not have.
    """
    if name == "cpu":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        if name == "auto":
            return torch.device("cpu")
        built = "this build of torch has no CUDA" if torch.version.cuda is None else "torch finds no CUDA device"
        raise ValueError(f"{name} is not available: {built}; use cpu, or auto to take CUDA only where there is one")
    count = torch.cuda.device_count()
    _, _, index = name.partition(":")
    if index and int(index) >= count:  # torch keeps an index in eight bits, so it must not see a larger one
        raise ValueError(f"{name} is not available: there are {count} CUDA devices, cuda:0 to cuda:{count - 1}")
    return torch.device("cuda" if name == "auto" else name)
