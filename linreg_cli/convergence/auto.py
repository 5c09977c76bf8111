"""The choice of the learning rate and the momentum for `optimizer.lr: auto` and `optimizer.momentum: auto`.

Candidates are compared by the loss at which the run will end, and the lowest is chosen. It is known exactly for a full
batch (`full_batch`) and for a short run of mini-batches (`rehearsal`); for a long one, its expectation is
(`rate_search`). The choice is deterministic: the same data and config always give the same numbers.
"""

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from linreg_cli.config.schema import Config
from linreg_cli.convergence.ends import exact_ends, scheduled
from linreg_cli.convergence.problem import Problem
from linreg_cli.convergence.rate_search import best_batch_rate
from linreg_cli.convergence.rates import Rate, SgdRule, batch_safe_rate, best_rate, stable_rate
from linreg_cli.convergence.rehearsal import objective
from linreg_cli.decisions import Decision
from linreg_cli.errors import SettingError
from linreg_cli.least_squares.factor import Array
from linreg_cli.remedies import setting
from linreg_cli.wording import exact, gap, number, plural

_SET = "set in the config"
#: The relative gap at which a run counts as converged: the usual rate, which has a formula, is then kept.
_CONVERGED = 1e-6
#: The usual rate is also kept if its end is at most this many times the lowest.
_AS_GOOD = 1.2
#: Candidates are the limit times powers of 2^(-1/2) and a tenth of it: so many for a constant rate, fewer for a
#: schedule, whose every epoch is computed.
_HALF_STEPS, _SCHEDULED_STEPS = 80, 14
#: The candidates of a rehearsal: the limit times powers of 1/2, up to these. With the last one the parameters stay:
#: near the optimum, a smaller last batch may push every run away, however low its rate.
_REHEARSED_STEPS = (*range(1, 21), 30, 60)
#: The candidates for a momentum at a given rate, beside the usual one.
_MOMENTA = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
#: The heavy balls that are compared: each is optimal for the largest curvature and one of so many smaller ones.
_BALLS = 50


@dataclass(frozen=True)
class ResolvedOptimizer:
    """The learning rate and the momentum of a run, with the reasons for them.

    Attributes:
        config: of the run, with numbers in place of `auto`.
        lr: the initial learning rate.
        momentum: in [0, 1).
    """

    config: Config
    lr: Decision
    momentum: Decision


def resolve(config: Config, problem: Problem) -> ResolvedOptimizer:
    """Replace `auto` by numbers.

    There is a usual choice, which has a formula. Full batch, squared loss: the rate, or the rate and the momentum, with
    the smallest asymptotic convergence factor (`rates.best_rate`). Mini-batches: momentum 0, and of the rates that are
    safe for every batch the one with the lowest forecast of the final gap (`rate_search.best_batch_rate`). huber: half
    the batch-safe rate of half_mse, whose curvature is an upper bound of its own, and momentum 0.

    It is compared with other rates by the loss at the end of the epochs given, where that is known, and kept if it is
    as good. A rate next to the limit, or the optimal momentum, needs many epochs: shorter runs end far higher with it.

    Args:
        config: of the run.
        problem: its train split and its plan; the rate and the momentum of the plan are used if they are not `auto`.

    Raises:
        SettingError: if the loss has no curvature or the table is too large, and if no momentum converges at the given
            rate.
    """
    lr, momentum = config.optimizer.lr, config.optimizer.momentum
    if lr != "auto" and momentum != "auto":
        return ResolvedOptimizer(config, Decision(lr, _SET, auto=False), Decision(momentum, _SET, auto=False))
    key = "lr" if lr == "auto" else "momentum"
    if problem.no_curvature_reason:
        remedy = "give the columns in another unit" if problem.range_reason else "give a number"
        message = f"auto needs the curvature of the loss: {problem.no_curvature_reason}; {remedy}"
        raise SettingError(("optimizer", key), message)
    rule = problem.rule
    if lr == momentum == "auto" and problem.plan.loss.is_squared and problem.plan.is_full_batch:
        rate, why = _heavy_ball(config, problem)
        return _resolved(config, Decision(rate.lr, rate.why, auto=True), Decision(rate.momentum, why, auto=True))
    ball = Decision(rule.momentum, _SET, auto=False)
    if momentum == "auto":
        ball = _momentum(config, problem, lr)
        rule = rule.with_momentum(float(ball.value))
    found = Decision(lr, _SET, auto=False)
    if lr == "auto":
        rate = _rate(config, problem, rule)
        found = Decision(rate.lr, rate.why, auto=True)
    return _resolved(config, found, ball)


def chosen_keys(config: Config, problem: Problem) -> tuple[str, ...]:
    """Which of `lr` and `momentum` are what `auto` chooses, whether they were `auto` or are those numbers.

    The `config.yaml` of a run has the numbers, and gives the same results only if they are treated as `auto` was.

    Args:
        config: of the run, with numbers in place of `auto`.
        problem: its train split and its plan.

    Returns:
        `lr` and `momentum`, `lr`, or none. A momentum alone is none: those that `auto` compares are usual numbers.
    """
    own = config.optimizer
    for keys in (("lr", "momentum"), ("lr",)):
        asked = config.model_copy(update={"optimizer": own.model_copy(update=dict.fromkeys(keys, "auto"))})
        with contextlib.suppress(SettingError):
            found = resolve(asked, problem).config.optimizer
            pairs = (found.lr, own.lr), (found.momentum, own.momentum)
            if all(math.isclose(float(chosen), float(given)) for chosen, given in pairs):
                return keys
    return ()


def _resolved(config: Config, lr: Decision, momentum: Decision) -> ResolvedOptimizer:
    resolved = config.optimizer.model_copy(update={"lr": lr.value, "momentum": momentum.value})
    return ResolvedOptimizer(config.model_copy(update={"optimizer": resolved}), lr, momentum)


def _momentum(config: Config, problem: Problem, lr: float | str) -> Decision:
    """The momentum for a given rate; 0 for mini-batches and for a loss that is not squared."""
    rule = problem.rule
    if not problem.plan.loss.is_squared:
        why = f"auto: 0; the optimal momentum is known for squared losses only, not for {problem.plan.loss.name}"
        return Decision(0.0, why, auto=True)
    if not problem.plan.is_full_batch:
        why = "auto: 0; momentum amplifies the noise of mini-batches, which determines the final gap"
        return Decision(0.0, why, auto=True)
    assert not isinstance(lr, str)
    largest, smallest = problem.step_spectrum.largest, problem.step_spectrum.smallest
    ends = [lr * (h + rule.weight_decay) for h in (largest, smallest)]
    if not ends[0] < 4:
        limit = 4 / (largest + rule.weight_decay)
        raise SettingError(
            ("optimizer", "momentum"),
            f"no momentum converges at optimizer.lr: {exact(lr)}; the limit is {number(limit, 3)}; "
            f"lower optimizer.lr, or set {setting('optimizer.lr', 'auto')}",
        )
    # With a smaller b the roots of z^2 - (1 + b - lr h) z + b are real, and the larger one is above sqrt(b). With a
    # larger b the roots are complex, and |z| = sqrt(b).
    value = max((1 - math.sqrt(end)) ** 2 for end in ends)
    why = "auto: the largest (1 - sqrt(lr * curvature))^2, the momentum with the fastest convergence at this rate"
    # At a given rate, the lowest momentum that is stable is lr h / 2 - 1.
    others = [b for b in _MOMENTA if b > ends[0] / 2 - 1 or (not b and ends[0] < 2)]
    balls = [Rate(lr, b, "") for b in (value, *others)]
    found = exact_ends(config, problem, rule, balls)
    better = None if found is None else _better(problem, balls, found)
    if better is None or found is None:
        return Decision(value, why, auto=True)
    why = _compared(config, problem, "momentum", found, balls.index(better), f"momentum {number(value)}")
    return Decision(better.momentum, why, auto=True)


def _heavy_ball(config: Config, problem: Problem) -> tuple[Rate, str]:
    """Rate and momentum of the heavy ball, and the reason for the momentum: the optimal ones if the run is long enough.

    With the optimal ones, the distance along directions of large curvature first grows, for about as many steps as the
    flattest direction needs, so a shorter run may end far above its initial loss. The others are optimal for the
    largest curvature and a larger smallest one; they hardly change the flattest directions. With the momentum of each,
    half and a tenth of its limit are candidates too, and without momentum a ladder of rates.
    """
    spectrum, rule = problem.step_spectrum, replace(problem.rule, dampening=0.0, nesterov=False)
    best = best_rate(spectrum.largest, spectrum.smallest, rule)
    k = (spectrum.largest + rule.weight_decay) / max(spectrum.smallest + rule.weight_decay, 1e-300)
    best = replace(best, why=f"auto: {best.why} ({_ends(problem)})")
    why = (
        "auto: ((sqrt(k) - 1) / (sqrt(k) + 1))^2, the optimal heavy ball, with k = largest / smallest curvature = "
        f"{number(k)}"
    )
    if not spectrum.rank:
        return best, why
    count = _BALLS if config.optimizer.schedule.kind == "constant" else _BALLS // 10
    rates = [best]
    for curvature in np.geomspace(spectrum.smallest, spectrum.largest, count).tolist():
        ball = best_rate(spectrum.largest, curvature, rule)
        limit = stable_rate(spectrum.largest, rule.with_momentum(ball.momentum))
        rates += [ball, replace(ball, lr=limit / 2), replace(ball, lr=limit / 10)]
    rates += [Rate(lr, 0.0, "") for lr in _ladder(stable_rate(spectrum.largest, rule.with_momentum(0.0)), config)]
    ends = exact_ends(config, problem, rule, rates)
    rate = None if ends is None else _better(problem, rates, ends)
    if rate is None or ends is None:
        return best, why
    usual = f"the optimal heavy ball (rate {number(best.lr)}, momentum {number(best.momentum)})"
    reason = _compared(config, problem, "heavy ball", ends, rates.index(rate), usual)
    return replace(rate, why=reason), reason


def _ends(problem: Problem) -> str:
    spectrum = problem.step_spectrum
    return f"largest curvature {number(spectrum.largest)}, smallest {number(spectrum.smallest)}"


def _rate(config: Config, problem: Problem, rule: SgdRule) -> Rate:
    """The rate for a given momentum."""
    usual, limit = _usual_rate(config, problem, rule), stable_rate(problem.step_spectrum.largest, rule)
    if not math.isfinite(limit):
        return usual
    below = _ladder(limit, config) if problem.is_quadratic and problem.plan.is_full_batch else _rehearsed_rates(limit)
    rates = [usual, *(Rate(lr, rule.momentum, "") for lr in below)]
    ends = exact_ends(config, problem, rule, rates)
    rate = None if ends is None else _better(problem, rates, ends)
    if rate is None or ends is None:
        return usual
    reason = _compared(config, problem, "rate", ends, rates.index(rate), f"the rate {number(usual.lr)}")
    return replace(rate, why=reason)


def _usual_rate(config: Config, problem: Problem, rule: SgdRule) -> Rate:
    if not problem.plan.loss.is_squared:
        limit = batch_safe_rate(problem.batches.largest, rule) / 2
        why = (
            "auto: half the rate that is safe for half_mse, whose curvature is an upper bound of that of huber; "
            "a higher rate may converge faster"
        )
        return Rate(limit if math.isfinite(limit) else 1.0, rule.momentum, why)
    spectrum = problem.step_spectrum
    if problem.plan.is_full_batch:
        rate = best_rate(spectrum.largest, spectrum.smallest, rule, momentum=rule.momentum)
        return Rate(rate.lr, rate.momentum, f"auto: {rate.why} ({_ends(problem)})")
    constant = config.optimizer.schedule.kind == "constant"
    schedules = None if constant else lambda lr: scheduled(config, lr)
    rate = best_batch_rate(problem.batch_problem(rule), config.train.epochs, schedules)
    return Rate(rate.lr, rate.momentum, f"auto: {rate.why}; {problem.batches.covers}")


def _ladder(limit: float, config: Config) -> list[float]:
    """The candidates below the full-batch limit."""
    half_steps = _HALF_STEPS if config.optimizer.schedule.kind == "constant" else _SCHEDULED_STEPS
    return [limit / 10, *(limit * 2.0 ** (-j / 2) for j in range(1, half_steps + 1))]


def _rehearsed_rates(limit: float) -> list[float]:
    return [limit / 10, *(limit * 2.0**-j for j in _REHEARSED_STEPS)]


def _better(problem: Problem, rates: Sequence[Rate], ends: Array) -> Rate | None:
    """The candidate that ends lowest; None if the first one, the usual choice, is as good."""
    converged = _CONVERGED * problem.relative_to if problem.plan.loss.is_squared else 0.0
    lowest, start = int(np.argmin(ends)), objective(problem, *problem.start)
    kept = ends[0] <= max(_AS_GOOD * ends[lowest], converged) and (ends[0] <= start or ends[lowest] >= ends[0])
    return None if kept else rates[lowest]


def _compared(config: Config, problem: Problem, what: str, ends: Array, chosen: int, usual: str) -> str:
    """Why a candidate was chosen: the gap at which it ends, and that of the usual choice."""
    base, epochs = problem.relative_to if problem.plan.loss.is_squared else 0.0, config.train.epochs
    given = (float(ends[i]) for i in (chosen, 0))
    found, other = (f"a gap of {gap(end / base)}" if base > 0 else f"a loss of {number(end, 3)}" for end in given)
    how = "with the lowest forecast"
    if not problem.plan.is_full_batch:
        how = f"of {len(ends)} that ends lowest in its order of the rows, computed in advance,"
    return f"auto: the {what} {how} after {plural(epochs, 'epoch')}, {found}; with {usual} it would be {other}"
