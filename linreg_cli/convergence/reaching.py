"""Which settings lead a run to the exact fit, every coefficient within 0.01 standard errors; or why none do.

Where a full-batch run of a squared loss stands after any number of epochs is exact (`convergence.approach`), so every
answer is computed, and holds when it is followed.
"""

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from linreg_cli.config.given import messages_about
from linreg_cli.config.schema import Config, ConstantSchedule
from linreg_cli.convergence.auto import chosen_keys
from linreg_cli.convergence.fewer import MOST_LEFT_OUT, fewer
from linreg_cli.convergence.original import original_optimum, original_rows
from linreg_cli.convergence.problem import Problem
from linreg_cli.convergence.trials import Trials, value_of
from linreg_cli.data import Dataset, Preprocessor
from linreg_cli.data.checks.wording import listed
from linreg_cli.findings import Finding
from linreg_cli.least_squares.optimum import Optimum
from linreg_cli.least_squares.refusal import NEAR, other_optimum, refusal
from linreg_cli.remedies import overrides, without
from linreg_cli.wording import condition_number, ratio

#: The distance to aim at, in standard errors.
AIM = NEAR / 10
#: More epochs than these take more than a few seconds.
FEW_EPOCHS = 10_000
#: A condition number of standardised columns up to which it is not the reason.
_MILD = 1e3

Settings = tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Reaching:
    """The settings that lead to the exact fit.

    Attributes:
        overrides: (key, value) for `--set`, in the order to show; empty where nothing leads there, and where the
            settings lead there as they are.
        epochs: of the run; None where nothing leads there.
        why: why no settings lead there as long as all columns are used, as the end of a sentence; None if some do.
        left_out: the columns without which the settings lead to the exact fit of the others.
    """

    overrides: Settings
    epochs: int | None
    why: str | None
    left_out: tuple[str, ...] = ()

    @property
    def remedy(self) -> str:
        """What to do, as the end of a sentence."""
        if self.why is None:
            return f"train with {overrides(dict(self.overrides))}"
        if not self.left_out:
            return self.why
        rest = f"without {listed(self.left_out)} the exact fit is reached"
        return f"{self.why}; {rest}: train with {overrides(dict(self.overrides))}"


def reaching(
    problem: Problem,
    config: Config,
    dataset: Dataset,
    preprocessor: Preprocessor,
    original: Optimum | None = None,
    *,
    auto: Collection[str] | None = None,
    failed: bool = False,
) -> Reaching:
    """The smallest change of the settings that leads to the exact fit.

    More epochs are tried first, then a full batch with the rate and the momentum of `auto`, each in the dtype given and
    in float64, then standardised columns. The first that takes at most 10,000 epochs is taken; else the fastest. Where
    none leads there, columns are left out that are nearly dependent on others.

    Args:
        problem: the plan and the train split.
        config: of the run.
        dataset: the rows.
        preprocessor: of the run.
        original: the exact fit in original units, where it is there already.
        auto: which of `lr` and `momentum` are named `auto` where the steps stay what they are; None: `chosen_keys` of a
            config with numbers.
        failed: whether a run with the settings as they are is known to end elsewhere.
    """
    if original is None and problem.measured is not None:
        original = problem.exact["original"]
    if original is None:
        original = original_optimum(config, problem, original_rows(problem, dataset, preprocessor))
    why = no_exact_fit(problem, original)
    if why or original is None:
        return Reaching((), None, why)
    trials = Trials(problem, config, dataset, preprocessor, original)
    if auto is None:
        auto = chosen_keys(config, problem) if _goes_on(config, problem) else ()
    if not failed and trials.reaches():
        return Reaching((), config.train.epochs, None)
    if (found := _settings(trials, config, problem, auto)) is not None:
        return found
    condition = _condition_number(problem, trials)
    if condition <= _MILD:
        why = "the residuals are so small that rounding in float64 moves the coefficients by more than 0.01 standard"
        return Reaching((), None, f"{why} errors; no settings lead there")
    why = f"the columns are too multicollinear for gradient descent (condition number {condition_number(condition, 2)})"
    for part in fewer(config, dataset, original.factor):
        trials = Trials(part.problem, config, part.dataset, part.preprocessor, part.original)
        if (found := _settings(trials, config, part.problem, auto, same=False)) is not None:
            with messages_about(config):
                ignored: Settings = tuple(without(*part.left_out).items())
            fewer_inputs: Settings = (("probe", []),) if config.probe else ()
            return Reaching((*ignored, *fewer_inputs, *found.overrides), found.epochs, why, part.left_out)
    return Reaching((), None, f"{why}; no settings lead there, nor does leaving out up to {MOST_LEFT_OUT} columns")


def _settings(
    trials: Trials, config: Config, problem: Problem, auto: Collection[str], *, same: bool = True
) -> Reaching | None:
    """The smallest change of the settings with which `trials` end at the exact fit; None if there is none.

    Args:
        trials: of the table.
        config: of the run.
        problem: of the table.
        auto: see `reaching`.
        same: whether it is the table that the run has trained on, to another end.
    """
    best: Reaching | None = None
    for changes in _candidates(config, problem, auto):
        epochs = trials.epochs(changes, AIM)
        if epochs is None or (best is not None and best.epochs is not None and best.epochs <= epochs):
            continue
        overrides = _overrides(config, {**changes, "train.epochs": epochs})
        if same and {key for key, _ in overrides} <= {"train.epochs"} and epochs <= config.train.epochs:
            continue  # the run has shown that this does not lead there
        best = Reaching(overrides, epochs, None)
        if epochs <= FEW_EPOCHS:
            break
    return best


def not_converged(column: str, distance: float, way: Reaching) -> Finding:
    """The warning about a coefficient that is 0.01 standard errors or more from the exact fit.

    Args:
        column: of the coefficient that is furthest from it, or `bias`.
        distance: in standard errors.
        way: what leads there.
    """
    fact = f"coefficient {column!r} is {ratio(distance)} standard errors from the exact fit"
    return Finding("not_converged", f"{fact}{': ' if way.why else '; '}{way.remedy}")


def _candidates(config: Config, problem: Problem, auto: Collection[str]) -> Iterator[dict[str, Any]]:
    """Changes besides the epochs, the smaller ones first."""
    ending = {"train.early_stopping": None, "train.stop_gap": None}
    chosen: dict[str, Any] = {"train.batch_size": "full", "optimizer.lr": "auto", "optimizer.momentum": "auto"}
    chosen |= {"optimizer.nesterov": False, "optimizer.dampening": 0.0, "optimizer.schedule": ConstantSchedule()}
    longer: list[dict[str, Any]] = []
    if _goes_on(config, problem):
        longer.append({f"optimizer.{key}": "auto" for key in auto})
    finer: list[dict[str, Any]] = [{}] if config.train.dtype == "float64" else [{}, {"train.dtype": "float64"}]
    for dtype in finer:
        yield from ({**ending, **change, **dtype} for change in (*longer, chosen))
    scaled: dict[str, Any] = {"preprocess.standardize": True}
    if not config.preprocess.standardize:
        yield from ({**ending, **scaled, **chosen, **dtype} for dtype in finer)
    if not config.preprocess.standardize_target:
        yield {**ending, **scaled, "preprocess.standardize_target": True, **chosen, **finer[-1]}


def _goes_on(config: Config, problem: Problem) -> bool:
    """Whether more epochs alone lead nearer to the exact fit."""
    return problem.plan.is_full_batch and config.optimizer.schedule.kind == "constant"


def no_exact_fit(problem: Problem, original: Optimum | None) -> str | None:
    """Why the exact fit of the table as given is not known, not unique, or leaves no residuals; None if it is and does.

    Args:
        problem: the plan and the train split.
        original: the optimum in original units, where it is known.
    """
    loss = problem.plan.loss.name
    if (why := other_optimum(loss, problem.plan.weight_decay)) is not None:
        return why
    if original is None:
        return f"the exact optimum is not known: {problem.no_optimum_reason}"
    return refusal(original, loss)


def _condition_number(problem: Problem, trials: Trials) -> float:
    """That of the standardised columns, in float64."""
    spectrum = trials.spectrum({"preprocess.standardize": True, "train.dtype": "float64"}) or problem.spectrum
    return math.sqrt(spectrum.largest / spectrum.smallest) if spectrum.smallest > 0 else math.inf


def _overrides(config: Config, changes: Mapping[str, Any]) -> Settings:
    """The changes that are some, with values as YAML has them."""
    return tuple((key, _plain(value)) for key, value in changes.items() if value_of(config, key) != value)


def _plain(value: Any) -> Any:
    return value.model_dump() if isinstance(value, ConstantSchedule) else value
