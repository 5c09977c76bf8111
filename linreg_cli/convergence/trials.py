"""Runs that are computed and not taken: how many epochs some settings take to the exact fit."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from linreg_cli.config.schema import Config
from linreg_cli.convergence.approach import Approach
from linreg_cli.convergence.auto import resolve
from linreg_cli.convergence.of_config import problem_of
from linreg_cli.convergence.problem import Problem
from linreg_cli.convergence.rates import SgdRule, best_rate
from linreg_cli.data import Dataset, Preprocessor
from linreg_cli.errors import DataError
from linreg_cli.least_squares.inference import refusal
from linreg_cli.optim.plan import StepPlan

#: More epochs than these take more than a few minutes.
MOST_EPOCHS = 300_000


class Trials:
    """Runs that are computed, not taken: each differs from a config by some settings."""

    def __init__(self, problem: Problem, config: Config, dataset: Dataset, preprocessor: Preprocessor) -> None:
        self._config, self._dataset = config, dataset
        pre = config.preprocess
        self._own = (pre.standardize, pre.standardize_target, config.train.dtype)
        self._known: dict[tuple[bool, bool, str], tuple[Problem, Preprocessor] | None] = {
            self._own: (problem, preprocessor)
        }
        self._approaches: dict[tuple[bool, bool, str], Approach] = {}

    def epochs(self, changes: Mapping[str, Any], aim: float) -> int | None:
        """The epochs, with two significant digits, after which every coefficient is within `aim` standard errors.

        None if it takes more than `MOST_EPOCHS`, if rounding is in the way, or if columns cannot be scaled so.
        """
        config = changed(self._config, changes)
        try:
            problem, preprocessor = self.problem(changes)
        except DataError:
            return None
        optimum, key = problem.optimum, _scaling(config)
        if optimum is None or not optimum.is_unique or no_exact_fit(problem):
            return None
        if key not in self._approaches:
            self._approaches[key] = Approach.of(problem, preprocessor)
        return _epochs(config, problem, self._approaches[key], aim)

    def problem(self, changes: Mapping[str, Any]) -> tuple[Problem, Preprocessor]:
        """The problem with some settings, and its preprocessing.

        Raises:
            DataError: if the columns cannot be scaled so.
        """
        config = changed(self._config, changes)
        key = _scaling(config)
        if key not in self._known:
            self._known[key] = self._assembled(config, key)
        found = self._known[key]
        if found is None:
            raise DataError("a column cannot be scaled")
        return found

    def _assembled(self, config: Config, key: tuple[bool, bool, str]) -> tuple[Problem, Preprocessor] | None:
        problem, preprocessor = self._known[self._own] or (None, None)
        assert problem is not None
        assert preprocessor is not None
        if key[:2] == self._own[:2] and problem.given is not None:
            X_nd, y_nk = problem.given()
            return replace(problem, X_nd=X_nd, y_nk=y_nk, given=None, eps=None), preprocessor
        try:
            preprocessor = Preprocessor.fit(self._dataset, config.preprocess, bias=config.model.bias)
            return problem_of(config, self._dataset, preprocessor), preprocessor
        except DataError:
            return None


def no_exact_fit(problem: Problem) -> str | None:
    """Why the exact fit of the table as given is not known, not unique, or leaves no residuals to estimate errors."""
    if not problem.plan.loss.is_squared:
        return f"loss: {problem.plan.loss.name} has another optimum than least squares; train with loss: mse"
    if problem.no_optimum_reason:
        return f"the exact fit is not known: {problem.no_optimum_reason}"
    assert problem.optimum_as_given is not None
    return refusal(problem.optimum_as_given, problem.plan.loss.name)


def _epochs(config: Config, problem: Problem, approach: Approach, aim: float) -> int | None:
    """The epochs of `Trials.epochs` for a config whose schedule is constant."""
    plan = StepPlan.from_config(config, len(problem.X_nd))
    rule, is_auto = SgdRule.of(plan), config.optimizer.lr == "auto"
    lr = plan.learning_rate(0)
    if is_auto:
        best = best_rate(problem.spectrum.largest, problem.spectrum.smallest, rule)
        lr, rule = best.lr, SgdRule(best.momentum)
    if not approach.rounding(lr, rule) <= aim:
        return None
    needed = first_epochs(lambda epochs: approach.bound(lr, rule, epochs) <= aim, MOST_EPOCHS)
    # The rate of `auto` depends on the number of epochs, and with momentum the distance swings.
    while needed is not None and (epochs := generous(needed)) <= MOST_EPOCHS:
        if is_auto:
            lr, rule = _chosen(config, problem, epochs)
        if approach.bound(lr, rule, epochs) <= aim:
            return epochs
        needed = epochs
    return None


def _chosen(config: Config, problem: Problem, epochs: int) -> tuple[float, SgdRule]:
    """The rate and the momentum that `auto` takes for a number of epochs."""
    config = changed(config, {"train.epochs": epochs})
    long = replace(problem, plan=StepPlan.from_config(config, len(problem.X_nd)))
    long.optimum, long.spectrum, long.start_distances = problem.optimum, problem.spectrum, problem.start_distances
    found = resolve(config, long)
    return float(found.lr.value), SgdRule(float(found.momentum.value))


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


def _scaling(config: Config) -> tuple[bool, bool, str]:
    return config.preprocess.standardize, config.preprocess.standardize_target, config.train.dtype
