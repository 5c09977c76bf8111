"""Training without a run folder, by the rules of a run: for the folds of a cross-validation, and for an estimator."""

import functools
import math
from dataclasses import dataclass

import torch

from linreg_cli.config import Config
from linreg_cli.convergence.diagnosis import diagnosis
from linreg_cli.convergence.outcome import has_diverged
from linreg_cli.optim.fit import Diverged, Evaluated, fit
from linreg_cli.optim.state import TrainingState
from linreg_cli.optim.stopping import EarlyStopping
from linreg_cli.pipeline.prepared import Prepared


@dataclass(frozen=True)
class Trained:
    """What came of it; the parameters are in the state of the `Prepared`.

    Attributes:
        losses: train losses before the first step and after each epoch, in scaled units; the last may be infinite.
        epochs: epochs done.
        diverged_in: the epoch, from 1, at the end of which, or within which, training had diverged; None if it did not.
    """

    losses: list[float]
    epochs: int
    diverged_in: int | None


def trained_in_memory(part: Prepared) -> Trained:
    """Take the steps of a plan, stopped by the rules of its config."""
    gap, (stopping, monitor) = part.config.train.stop_gap, early_stopping(part.config)
    events = fit(
        part.plan,
        part.choice.executor,
        part.state,
        validation_loss=(lambda _: part.loss("validation")) if part.has_validation else None,
        stopping=stopping,
        monitor=monitor,
        distances=None if gap is None else functools.partial(part.problem.distances_of, certify=True),
        stop_gap=gap,
    )
    seen, epochs, last = [], 0, 0
    for event in events:
        if isinstance(event, Evaluated):
            epochs = last = event.epoch
            seen.append(event.train_loss)
        elif isinstance(event, Diverged):
            last = event.epoch
            seen.append(event.loss)
    if stopping is not None and math.isfinite(seen[-1]) and restore_best(part.state, stopping):
        seen.append(part.loss("train"))
    diverged = not math.isfinite(seen[-1]) or has_diverged(seen[0], seen[-1], part.problem)
    return Trained(seen, epochs, max(last, 1) if diverged else None)


def early_stopping(config: Config) -> tuple[EarlyStopping | None, str]:
    """The stopping rule at its start, if there is one, and the loss that it monitors."""
    options = config.train.early_stopping
    if options is None:
        return None, "train.loss"
    return EarlyStopping(options.patience, options.min_delta, options.restore_best), options.monitor


@torch.no_grad()
def restore_best(state: TrainingState, stopping: EarlyStopping) -> bool:
    """Set the parameters to those of the best epoch, in place, where they were kept; returns whether they were."""
    if stopping.kept is None:
        return False
    for name, value in state.model.named_parameters():
        value.copy_(stopping.kept[name])
    return True


def remedy(part: Prepared) -> str:
    """What helps a run that diverges."""
    problem = part.problem
    standardized = part.config.preprocess.standardize
    details = diagnosis(problem, problem.rule, problem.plan.learning_rate(0), standardized=standardized)
    return str(details["message"]) if details else "Lower optimizer.lr"
