"""Why a learning rate is too high, in words: the columns of the largest curvature, and a rate that works."""

import math
from typing import Any

from linreg_cli.convergence.limits import exceeded, must_diverge
from linreg_cli.convergence.problem import Problem
from linreg_cli.convergence.rates import SgdRule, batch_safe_rate, rounded_down, safe_batch_rate, stable_rate
from linreg_cli.remedies import setting
from linreg_cli.wording import number, percent, rounded


def diagnosis(problem: Problem, rule: SgdRule, lr: float, *, standardized: bool) -> dict[str, Any] | None:
    """For `run.json`: why a rate is too high; None if it is not known to exceed a limit.

    Args:
        problem: the plan and the train split.
        rule: the parameters of SGD.
        lr: the rate at which the run diverged.
        standardized: whether the features are standardised.
    """
    limit = exceeded(problem, rule, lr)
    if limit is None:
        return None
    assert limit.rate is not None
    column, loading = problem.spectrum.loadings(problem.features, 0, 1)[0]
    return {
        "lr": lr,
        "limit": limit.rate,
        "limit_of": limit.of,
        "times_the_limit": lr / limit.rate if math.isfinite(lr / limit.rate) else None,
        "column": column,
        "share": loading,
        "lr_instead": lower_rate(problem, rule),
        "standardize": _standardizing_helps(problem, rule, standardized) is not None,
        "message": f"The rate is {times(lr, limit.rate)} the limit {number(limit.rate, 3)} of {limit.of}; "
        f"{steepest_columns(problem)}. {remedy_for(problem, rule, standardized=standardized)}",
    }


def steepest_columns(problem: Problem) -> str:
    """The columns with the largest loadings of the direction of largest curvature, in words."""
    loadings = problem.spectrum.loadings(problem.features)
    name, loading = loadings[0]
    if loading >= 0.5:
        return f"{_called(name)} has {percent(loading)} of the direction of largest curvature"
    listed = [f"{_called(name)} ({percent(loading)})" for name, loading in loadings]
    return f"the direction of largest curvature is spread over columns, mainly {', '.join(listed)}"


def remedy_for(problem: Problem, rule: SgdRule, *, standardized: bool) -> str:
    """A sentence with the settings to change: a lower rate, and standardised columns if they allow a higher one."""
    rate = setting("optimizer.lr", rounded(lower_rate(problem, rule), 6))
    advice = f"Set {rate}, or auto"
    limit = _standardizing_helps(problem, rule, standardized)
    if limit is not None:
        advice += (
            f", or set {setting('preprocess.standardize', True)} (the full-batch limit is then {number(limit, 3)})"
        )
    return advice


def lower_rate(problem: Problem, rule: SgdRule) -> float:
    """A rate that is stable, rounded down to two significant digits.

    Full batch: half the sharp limit. Mini-batches: `rates.safe_batch_rate`, for a fixed order halved until it is
    stable in it. 1 if nothing limits the rate.
    """
    if problem.plan.is_full_batch:
        rate = stable_rate(problem.step_spectrum.largest, rule) / 2
    else:
        rate = safe_batch_rate(problem.batches.largest, rule).lr
        while rate > batch_safe_rate(problem.batches.largest, rule) and must_diverge(problem, rule, rate):
            rate /= 2
    if not 0 < rate < math.inf:
        return 1.0
    return rounded_down(rate, 2)


def times(rate: float, limit: float) -> str:
    """The ratio of a rate to a limit, with more digits close to 1.

    >>> times(0.4, 0.3), times(1.001, 1.0)
    ('1.33 times', '1.001 times')
    """
    ratio = rate / limit
    return f"{number(ratio, 4 if ratio < 1.1 else 3)} times"


def _standardizing_helps(problem: Problem, rule: SgdRule, standardized: bool) -> float | None:
    """The full-batch limit with standardised columns if it is more than 1.5 times the present one; otherwise None."""
    if standardized:
        return None
    limit = stable_rate(problem.standardized_curvature, rule)
    return limit if limit > 1.5 * stable_rate(problem.step_spectrum.largest, rule) else None


def _called(name: str) -> str:
    return "the bias" if name == "bias" else f"column {name!r}"
