"""Runs that are computed and not taken: how many epochs some settings take to the exact fit."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from linreg_cli.config.schema import Config
from linreg_cli.convergence.approach import Approach
from linreg_cli.convergence.auto import resolve
from linreg_cli.convergence.original import in_scaled_units
from linreg_cli.convergence.problem import Problem
from linreg_cli.convergence.rates import SgdRule, best_rate
from linreg_cli.convergence.spectrum import Spectrum, curvature
from linreg_cli.data import Dataset, Preprocessor
from linreg_cli.errors import DataError
from linreg_cli.least_squares.optimum import Optimum
from linreg_cli.least_squares.refusal import NEAR
from linreg_cli.optim.plan import StepPlan

#: More epochs than these take more than a few minutes.
MOST_EPOCHS = 300_000


_Scaling = tuple[bool, bool, str]


@dataclass(frozen=True, eq=False)
class _Course:
    """What full batches approach with some scaling and dtype, from where, and how far from the exact fit."""

    problem: Problem
    approach: Approach


class Trials:
    """Runs that are computed and not taken: each differs from a config by some settings.

    Args:
        problem: the plan and the train split; a squared loss without weight decay.
        config: of the run.
        dataset: the rows.
        preprocessor: of the run.
        original: the exact fit of the train split in original units, unique and with residuals.
    """

    def __init__(
        self, problem: Problem, config: Config, dataset: Dataset, preprocessor: Preprocessor, original: Optimum
    ) -> None:
        self._problem, self._config, self._dataset = problem, config, dataset
        self._preprocessor, self._original = preprocessor, original
        self._courses: dict[_Scaling, _Course | None] = {}

    def epochs(self, changes: Mapping[str, Any], aim: float) -> int | None:
        """The epochs, with two significant digits, after which every coefficient is within `aim` standard errors.

        None if it takes more than `MOST_EPOCHS`, if rounding is in the way, or if columns cannot be scaled so.

        Args:
            changes: dotted key -> value; the schedule is then constant.
            aim: a distance in standard errors.
        """
        config = changed(self._config, changes)
        course = self._course(config)
        return None if course is None else _epochs(config, course.problem, course.approach, aim)

    def reaches(self) -> bool:
        """Whether the settings lead within `NEAR` standard errors as they are: full batches, and enough of them."""
        config, plan = self._config, self._problem.plan
        course = self._course(config)
        if course is None or not plan.is_full_batch or config.train.early_stopping:
            return False
        gap = config.train.stop_gap
        sooner = 0.0 if gap is None else distance_at(course.problem.optimum, gap)
        schedule = None if config.optimizer.schedule.kind == "constant" else plan.learning_rate
        rule = self._problem.rule
        return course.approach.bound(plan.learning_rate(0), rule, plan.epochs, schedule) + sooner < NEAR

    def spectrum(self, changes: Mapping[str, Any]) -> Spectrum | None:
        """The curvature with some settings; None if columns cannot be scaled so."""
        course = self._course(changed(self._config, changes))
        return None if course is None else course.problem.spectrum

    def _course(self, config: Config) -> _Course | None:
        key = _scaling(config)
        if key not in self._courses:
            self._courses[key] = self._computed(config, key)
        return self._courses[key]

    def _computed(self, config: Config, key: _Scaling) -> _Course | None:
        own, trained = _scaling(self._config), self._problem.optimum
        if key == own:
            if trained is None or not trained.is_unique:  # in float32
                return None
            return self._with(self._problem, trained, self._preprocessor, self._problem.unit)
        preprocessor, unit = self._preprocessor, float(np.finfo(config.train.dtype).eps)
        if key[:2] != own[:2]:
            try:
                preprocessor = Preprocessor.fit(self._dataset, config.preprocess, bias=config.model.bias)
            except DataError:
                return None
        if not preprocessor.features.scale.all():
            return None
        optimum = in_scaled_units(self._original, preprocessor)
        if not np.all(np.abs(optimum.factor.largest) < np.finfo(config.train.dtype).max):
            return None
        problem = replace(self._problem, given=None, eps=unit)
        problem.optimum, problem.range_reason = optimum, None
        problem.spectrum = curvature(optimum.factor, problem.curvature_loss)
        return self._with(problem, optimum, preprocessor, unit)

    def _with(self, problem: Problem, optimum: Optimum, preprocessor: Preprocessor, unit: float) -> _Course | None:
        if not problem.spectrum.eigenvalues[-1] > 0:  # it underflows
            return None
        start = problem.start_distances
        about = optimum, problem.spectrum, start, unit, preprocessor, self._original
        return _Course(problem, Approach.of(*about))


def distance_at(optimum: Optimum | None, gap: float) -> float:
    """The most standard errors that a coefficient can be away at a relative gap of the loss.

    Its square is at most (n - p) times the gap of its target's loss, and the gap of one target is at most that of all
    times the sum of the lowest losses over its own.

    Args:
        optimum: of the numbers that are trained on.
        gap: (loss - optimum) / optimum.
    """
    assert optimum is not None
    losses, factor = optimum.losses(optimum.weights, optimum.bias), optimum.factor
    return math.sqrt((factor.n_samples - factor.n_parameters) * gap * float(losses.sum() / losses.min()))


def _epochs(config: Config, problem: Problem, approach: Approach, aim: float) -> int | None:
    """The epochs of `Trials.epochs` for a config whose schedule is constant."""
    lr, rule = _usual(config, problem)
    if not approach.rounding(lr, rule) <= aim:
        return None
    needed = first_epochs(lambda epochs: approach.bound(lr, rule, epochs) <= aim, MOST_EPOCHS)
    # The rate of `auto` depends on the number of epochs, and with momentum the distance swings.
    while needed is not None and (epochs := generous(needed)) <= MOST_EPOCHS:
        if approach.bound(*_chosen(config, problem, epochs), epochs) <= aim:
            return epochs
        needed = epochs
    return None


def _plan(config: Config, problem: Problem) -> StepPlan:
    return StepPlan.from_config(config, len(problem.X_nd), problem.X_nd.shape[1] + problem.y_nk.shape[1])


def _usual(config: Config, problem: Problem) -> tuple[float, SgdRule]:
    """The rate and the momentum of a long run, for a first guess."""
    rule = SgdRule.of(_plan(config, problem))
    if isinstance(config.optimizer.lr, float):
        return config.optimizer.lr, rule
    momentum = None if config.optimizer.momentum == "auto" else rule.momentum
    best = best_rate(problem.spectrum.largest, problem.spectrum.smallest, rule, momentum=momentum)
    return best.lr, rule.with_momentum(best.momentum)


def _chosen(config: Config, problem: Problem, epochs: int) -> tuple[float, SgdRule]:
    """The rate and the momentum that a config has after `auto` is resolved for a number of epochs."""
    config = changed(config, {"train.epochs": epochs})
    long = replace(problem, plan=_plan(config, problem))
    long.optimum, long.spectrum, long.start_distances = problem.optimum, problem.spectrum, problem.start_distances
    long.range_reason = problem.range_reason
    found = resolve(config, long)
    return float(found.lr.value), long.rule.with_momentum(float(found.momentum.value))


def first_epochs(is_near: Callable[[int], bool], most: int) -> int | None:
    """The first of a number of epochs that is near, up to swings on the way; None if none up to `most` is."""
    low, high = 0, 1
    while not is_near(high):
        if high >= most:
            return None
        low, high = high, min(2 * high, most)
    while high - low > max(1, low // 100):
        middle = (low + high) // 2
        low, high = (low, middle) if is_near(middle) else (middle, high)
    return high


def generous(epochs: int) -> int:
    """At least a tenth more, rounded up to two significant digits.

    >>> generous(3), generous(57), generous(1_234)
    (4, 63, 1400)
    """
    more = math.ceil(epochs * 1.1)
    unit: int = 10 ** max(len(str(more)) - 2, 0)
    return math.ceil(more / unit) * unit


def value_of(config: Config, key: str) -> Any:
    """The value of a dotted key."""
    section, name = key.split(".")
    return getattr(getattr(config, section), name)


def changed(config: Config, changes: Mapping[str, Any]) -> Config:
    """A config with other values, by dotted key."""
    sections: dict[str, dict[str, Any]] = {}
    for key, value in changes.items():
        section, name = key.split(".")
        sections.setdefault(section, {})[name] = value
    return config.model_copy(
        update={section: getattr(config, section).model_copy(update=values) for section, values in sections.items()}
    )


def _scaling(config: Config) -> _Scaling:
    return config.preprocess.standardize, config.preprocess.standardize_target, config.train.dtype
