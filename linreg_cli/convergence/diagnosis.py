"""Why a rate is too high, in words: the columns at fault, and what to set instead."""

import math
from typing import Any

from linreg_cli.convergence.limits import exceeded
from linreg_cli.convergence.problem import Problem
from linreg_cli.convergence.rates import SgdRule, batch_safe_rate, stable_rate


def diagnosis(problem: Problem, rule: SgdRule, lr: float, *, standardized: bool) -> dict[str, Any] | None:
    """For `run.json`: what a run that diverged at a rate did wrong; None where no limit is known to be exceeded."""
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
        "message": f"The rate is {times(lr, limit.rate)} the limit {limit.rate:.3g} of {limit.of}; "
        f"{at_fault(problem)}. To go on, {remedy_for(problem, rule, standardized=standardized)}",
    }


def at_fault(problem: Problem) -> str:
    """Which columns carry the eigenvector of the largest curvature."""
    loadings = problem.spectrum.loadings(problem.features)
    name, loading = loadings[0]
    if loading >= 0.5:
        return f"{_called(name)} carries {_percent(loading)} of the steepest direction"
    listed = [f"{_called(name)} ({_percent(loading)})" for name, loading in loadings]
    return f"the steepest direction is spread over columns, most of it on {', '.join(listed)}"


def remedy_for(problem: Problem, rule: SgdRule, *, standardized: bool) -> str:
    """What to set instead."""
    advice = f"set optimizer.lr: {lower_rate(problem, rule):g}, or auto"
    limit = _standardizing_helps(problem, rule, standardized)
    if limit is not None:
        advice += f", or set preprocess.standardize: true (the limit of a full batch is then {limit:.3g})"
    return advice


def lower_rate(problem: Problem, rule: SgdRule) -> float:
    """A rate that works, in two digits: half the sharp limit of a full batch, half the batch-safe rate otherwise.

    With momentum b and mini-batches 1 - b times the plain batch-safe half: as far as a step moves in the end.
    """
    if problem.plan.is_full_batch:
        rate = stable_rate(problem.step_spectrum.largest, rule) / 2
    else:
        plain = SgdRule(weight_decay=rule.weight_decay)
        rate = batch_safe_rate(problem.batches.largest, plain) / 2 * (1 - rule.momentum)
    if not 0 < rate < math.inf:
        return 1.0
    unit = 10.0 ** (math.floor(math.log10(rate)) - 1)
    return float(f"{math.floor(rate / unit) * unit:.2g}")


def times(rate: float, limit: float) -> str:
    """How many times a limit a rate is.

    >>> times(0.4, 0.3), times(1.001, 1.0)
    ('1.33 times', '1.001 times')
    """
    ratio = rate / limit
    return f"{ratio:.4g} times" if ratio < 1.1 else f"{ratio:.3g} times"


def _standardizing_helps(problem: Problem, rule: SgdRule, standardized: bool) -> float | None:
    """The full-batch limit of standardised columns, if it is well above that of the columns as they are."""
    if standardized:
        return None
    limit = stable_rate(problem.standardized_curvature, rule)
    return limit if limit > 1.5 * stable_rate(problem.step_spectrum.largest, rule) else None


def _called(name: str) -> str:
    return "the bias" if name == "bias" else f"column {name!r}"


def _percent(loading: float) -> str:
    return f"{100 * loading:.3g} %"
