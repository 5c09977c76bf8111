"""Which settings lead a run to the exact fit, every coefficient within 0.01 standard errors; or why none do.

Where a full-batch run of a squared loss stands after any number of epochs is exact (`convergence.approach`), so every
answer is computed, and holds when it is followed.
"""

import contextlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from linreg_cli.config.schema import Config, ConstantSchedule
from linreg_cli.convergence.problem import Problem
from linreg_cli.convergence.trials import Trials, no_exact_fit, value_of
from linreg_cli.data import Dataset, Preprocessor
from linreg_cli.errors import DataError
from linreg_cli.least_squares.inference import NEAR
from linreg_cli.wording import number

#: The distance to aim at, in standard errors.
AIM = NEAR / 10
#: More epochs than these take more than a few seconds.
FEW_EPOCHS = 10_000
#: A condition number of standardised columns up to which it is not the reason, and a loading that is worth a name.
_MILD, _LARGE_LOADING = 1e3, 0.05

Settings = tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Reaching:
    """The settings that lead to the exact fit.

    Attributes:
        overrides: (key, value) for `--set`, in the order to show; empty where `why` is set.
        epochs: of the run; None where `why` is set.
        why: why no settings lead there, and what to do, as the end of a sentence; None if some do.
    """

    overrides: Settings
    epochs: int | None
    why: str | None


def reaching(problem: Problem, config: Config, dataset: Dataset, preprocessor: Preprocessor) -> Reaching:
    """The smallest change of the settings that leads to the exact fit.

    More epochs are tried first, then a full batch with the rate and the momentum of `auto`, each in the dtype given and
    in float64, then standardised columns. The first that takes at most 10,000 epochs is taken; else the fastest.

    Args:
        problem: the plan and the train split.
        config: of the run, with `auto` where it was given.
        dataset: the rows.
        preprocessor: of the run.
    """
    why = no_exact_fit(problem)
    if why:
        return Reaching((), None, why)
    trials = Trials(problem, config, dataset, preprocessor)
    best: Reaching | None = None
    for changes in _candidates(config, problem):
        epochs = trials.epochs(changes, AIM)
        if epochs is not None and (best is None or best.epochs is None or epochs < best.epochs):
            best = Reaching(_overrides(config, {**changes, "train.epochs": epochs}), epochs, None)
            if epochs <= FEW_EPOCHS:
                break
    return best or Reaching((), None, impossible(problem, trials))


def _candidates(config: Config, problem: Problem) -> Iterator[dict[str, Any]]:
    """Changes besides the epochs, the smaller ones first."""
    optimizer, train = config.optimizer, config.train
    fixed = {"train.early_stopping": None, "train.stop_gap": None}
    auto: dict[str, Any] = {"train.batch_size": "full", "optimizer.lr": "auto", "optimizer.momentum": "auto"}
    auto |= {"optimizer.nesterov": False, "optimizer.dampening": 0.0, "optimizer.schedule": ConstantSchedule()}
    numbers = "auto" not in (optimizer.lr, optimizer.momentum)
    as_it_is: list[dict[str, Any]] = (
        [{}] if numbers and problem.plan.is_full_batch and optimizer.schedule.kind == "constant" else []
    )
    finer = [{}] if train.dtype == "float64" else [{}, {"train.dtype": "float64"}]
    for dtype in finer:
        yield from ({**fixed, **change, **dtype} for change in (*as_it_is, auto))
    scaled: dict[str, Any] = {"preprocess.standardize": True}
    if not config.preprocess.standardize:
        yield from ({**fixed, **scaled, **auto, **dtype} for dtype in finer)
    if not config.preprocess.standardize_target:
        yield {**fixed, **scaled, "preprocess.standardize_target": True, **auto, **finer[-1]}


def impossible(problem: Problem, trials: Trials) -> str:
    """Why no settings lead to the exact fit although it is unique, and what to do."""
    with contextlib.suppress(DataError):
        problem = trials.problem({"preprocess.standardize": True, "train.dtype": "float64"})[0]
    spectrum = problem.spectrum
    largest = spectrum.loadings(problem.features, max(spectrum.rank - 1, 0))
    names = [repr(name) for name, loading in largest if loading > _LARGE_LOADING and name != "bias"]
    condition = math.sqrt(spectrum.largest / spectrum.smallest) if spectrum.smallest > 0 else math.inf
    if condition > _MILD:
        size = f"condition number {number(condition, 2)}"
        columns = f"leave out columns, first {' or '.join(names)}" if names else "leave out columns"
        return f"the columns are too multicollinear for gradient descent ({size}): {columns}"
    return (
        "the residuals are so small that rounding in float64 moves the coefficients by more than 0.01 standard errors"
    )


def _overrides(config: Config, changes: Mapping[str, Any]) -> Settings:
    """The changes that are some, with values as YAML has them."""
    return tuple((key, _plain(value)) for key, value in changes.items() if value_of(config, key) != value)


def _plain(value: Any) -> Any:
    return value.model_dump() if isinstance(value, ConstantSchedule) else value


#: The epochs to the gap at which inference is valid, about 1e-12, are at most this times the condition number of the
#: curvature without momentum, and this times its root with the best momentum: ln(1e12) / 2.
_EPOCHS_PER_CONDITION = 14.0
#: More epochs than this are not practical, with and without momentum.
_OLD_MOST, _MANY_EPOCHS = 1e7, 1e5
#: Standardising is proposed if it divides the condition number of the curvature by this.
_WORTH_STANDARDIZING = 10.0
#: A mean of the target at this many times its spread costs float32 about as many of its digits.
_FAR_FROM_ZERO = 100.0


def way_to_optimum(problem: Problem, config: Config, *, is_reachable: bool) -> str:
    """The settings to change, as the end of a sentence. Each leads to the optimum, or to a truer advice of this kind.

    Args:
        problem: a squared loss whose optimum is unique, without weight decay.
        config: of the run.
        is_reachable: whether training in its dtype can end there.
    """
    spectrum, singular = problem.spectrum, problem.factor.svd()[1]
    given = spectrum.largest / spectrum.smallest
    standard = float(singular[0] / singular[-1]) ** 2
    if not config.preprocess.standardize and given > _WORTH_STANDARDIZING * standard:
        return "set preprocess.standardize: true"
    if _EPOCHS_PER_CONDITION * math.sqrt(standard) > _OLD_MOST:
        condition = f"condition number {number(math.sqrt(standard), 2)}"
        return f"no practical number of epochs is enough for columns so multicollinear ({condition}): leave out some"
    if not is_reachable:
        remedy = "more epochs do not help, because float32 is too coarse for this table: set train.dtype: float64"
        factor = problem.optimum_as_given.factor if problem.optimum_as_given else problem.factor
        spread = np.sqrt(factor.constant_k / factor.n_samples)
        if not config.preprocess.standardize_target and np.any(factor.target_largest > _FAR_FROM_ZERO * spread):
            remedy += ", or preprocess.standardize_target: true"
        return remedy
    if problem.plan.is_full_batch and _EPOCHS_PER_CONDITION * standard > _MANY_EPOCHS:
        return "raise train.epochs, with optimizer.lr: auto and optimizer.momentum: auto"
    remedy = "raise train.epochs, or set optimizer.lr to auto if it is a number"
    return remedy if problem.plan.is_full_batch else f"{remedy}; a constant rate levels off unless the batch is full"
