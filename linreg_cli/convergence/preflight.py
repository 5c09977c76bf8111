"""The checks before the first step: settings that must fail are refused, settings that may fail give a warning."""

from dataclasses import dataclass, replace

import numpy as np

from linreg_cli.config import Config, LoadedConfig
from linreg_cli.convergence.diagnosis import remedy_for, steepest_columns, times
from linreg_cli.convergence.gaps import certified_gap
from linreg_cli.convergence.limits import exceeded, must_diverge
from linreg_cli.convergence.problem import Problem
from linreg_cli.convergence.uniqueness import not_unique
from linreg_cli.data import Preprocessor
from linreg_cli.errors import DivergedError
from linreg_cli.findings import Finding
from linreg_cli.optim.schedules import extreme_rates
from linreg_cli.remedies import setting
from linreg_cli.wording import exact, number


@dataclass(frozen=True)
class RateCheck:
    """The result of the check of the learning rate before the first step; at most one of the two is set.

    Attributes:
        refusal: why the run must diverge, and what to set; None if it may converge.
        warning: which limit the rate exceeds, and what to set; None if there is nothing to warn of.
    """

    refusal: str | None = None
    warning: str | None = None


def check_before_training(
    loaded: LoadedConfig,
    config: Config,
    problem: Problem,
    preprocessor: Preprocessor,
    *,
    force: bool = False,
    auto: bool = False,
) -> list[Finding]:
    """Refuse a rate that must diverge and a `stop_gap` that cannot be certified, before anything is written.

    Args:
        loaded: the config with the position of each setting.
        config: with numbers in place of `auto`.
        problem: the plan and the train split.
        preprocessor: of the run; constant columns that it sets to 0 are not reported as dependent.
        force: warn of a rate that must diverge instead of refusing it.
        auto: whether `optimizer.lr` was `auto`: the end of the run was then computed, and its rate is not warned of.

    Returns:
        The warnings.

    Raises:
        ConfigError: if `train.stop_gap` is set and the exact optimum is not available.
        DivergedError: if the rate must diverge, without `force`.
    """
    if config.train.stop_gap is not None and problem.optimum is None:
        why = problem.no_optimum_reason or f"the optimum of loss: {config.loss} has no certificate"
        remedy = setting("train.stop_gap", None)
        raise loaded.error("train.stop_gap", f"it needs the exact optimum of a squared loss: {why}; set {remedy}")
    found = RateCheck() if auto else check_rate(problem, config)
    if found.refusal and not force:
        faults = loaded.error("optimizer.lr", found.refusal).faults
        raise DivergedError([replace(fault, allowed_by="force") for fault in faults])
    high = f"optimizer.lr: {found.refusal}" if found.refusal else found.warning
    warnings = [Finding("rate", high) if high else None]
    warnings += [not_unique(problem, preprocessor), _uncertifiable_gap(config, problem)]
    return [finding for finding in warnings if finding]


def check_rate(problem: Problem, config: Config) -> RateCheck:
    """Compare the rates of all epochs with the limits.

    Only a run that must diverge is refused: a full batch whose rate is above the sharp limit in every epoch,
    mini-batches in a fixed order whose constant rate is unstable in it, and random mini-batches without momentum whose
    steps expand volumes on average (`limits.must_diverge`). Any other rate above a limit gives a warning.

    Args:
        problem: the plan and the train split.
        config: of the run; its schedule and `preprocess.standardize` are used.
    """
    rule, standardized = problem.rule, config.preprocess.standardize
    low, high = extreme_rates(config.optimizer.schedule, problem.plan.learning_rate, problem.plan.epochs)
    limit = exceeded(problem, rule, high)
    if limit is None:
        return RateCheck()
    assert limit.rate is not None
    remedy = remedy_for(problem, rule, standardized=standardized)
    # Some of the higher rates may be stable in a fixed order.
    certain = low == high or not problem.has_fixed_order
    if certain and limit.is_exceeded_by(low) and must_diverge(problem, rule, low):
        found = f"{number(low)} is {times(low, limit.rate)} the limit {number(limit.rate, 3)} of {limit.of}"
        return RateCheck(f"{found}: the loss would grow without bound; {steepest_columns(problem)}. {remedy}")
    rate = f"optimizer.lr: {exact(high)}" if low == high else f"the rate of optimizer.schedule, up to {number(high)},"
    consequence = limit.consequence
    if problem.plan.is_full_batch or (problem.has_fixed_order and must_diverge(problem, rule, high)):
        consequence = "the loss grows while the rate is above it"
    return RateCheck(
        warning=f"{rate} is {times(high, limit.rate)} the limit {number(limit.rate, 3)} of {limit.of}: {consequence}; "
        f"{steepest_columns(problem)}. {remedy}"
    )


def _uncertifiable_gap(config: Config, problem: Problem) -> Finding | None:
    """A warning if `train.stop_gap` is below the smallest gap that can be certified within rounding error.

    In float32, the smallest one is about that of the optimum of the rounded numbers, whose parameters are rounded too.
    """
    gap, optimum, given = config.train.stop_gap, problem.optimum, None
    if gap is not None:
        given = problem.optimum_as_given
    if gap is None or optimum is None or given is None or given.relative_to <= 0:
        return None
    dtype = np.dtype(config.train.dtype)
    bias = None if optimum.bias is None else optimum.bias.astype(dtype)
    least = certified_gap(given, optimum.weights.astype(dtype), bias)
    if least is None or gap > least:
        return None
    remedy = f"set {setting('train.dtype', 'float64')}" if config.train.dtype == "float32" else "set a larger gap"
    return Finding(
        "stop_gap",
        f"train.stop_gap: {exact(gap)} can never be certified: the rounding error of {config.train.dtype} is a gap of "
        f"up to {number(least, 2)} to the optimum of the table as given; {remedy}, or all epochs are trained",
    )
