"""The choice of the learning rate and the momentum for `optimizer.lr: auto` and `optimizer.momentum: auto`.

It is deterministic: the same data and config always give the same numbers.
"""

import math
from dataclasses import dataclass

import numpy as np

from linreg_cli.config.schema import Config, OptimizerConfig
from linreg_cli.convergence.dynamics import ConstantRate, Modes
from linreg_cli.convergence.problem import Problem
from linreg_cli.convergence.rate_search import best_batch_rate
from linreg_cli.convergence.rates import Rate, SgdRule, batch_safe_rate, best_rate
from linreg_cli.decisions import Decision
from linreg_cli.errors import SettingError
from linreg_cli.optim.schedules import Schedule, schedule

_SET = "set in the config"
#: The relative gap at which a run counts as converged.
_CONVERGED = 1e-6


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

    Full batch, squared loss: the rate, or the rate and momentum (see `_heavy_ball`), with the smallest asymptotic
    convergence factor (`rates.best_rate`). Mini-batches: momentum 0, and of the rates that are safe for every batch the
    one with the lowest forecast of the final gap (`rate_search.best_batch_rate`). huber: half the batch-safe rate of
    half_mse, whose curvature is an upper bound of its own, and momentum 0.

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
        message = f"auto needs the curvature of the loss: {problem.no_curvature_reason}; give a number"
        raise SettingError(("optimizer", key), message)
    rule = problem.rule
    if lr == momentum == "auto" and problem.plan.loss.is_squared and problem.plan.is_full_batch:
        rate, reason, why = _heavy_ball(config, problem)
        return _resolved(config, Decision(rate.lr, reason, auto=True), Decision(rate.momentum, why, auto=True))
    ball = Decision(rule.momentum, _SET, auto=False)
    if momentum == "auto":
        ball = _momentum(problem, lr)
        rule = SgdRule(float(ball.value), rule.dampening, False, rule.weight_decay)
    found = Decision(lr, _SET, auto=False)
    if lr == "auto":
        rate = _rate(config, problem, rule)
        found = Decision(rate.lr, rate.why, auto=True)
    return _resolved(config, found, ball)


def _resolved(config: Config, lr: Decision, momentum: Decision) -> ResolvedOptimizer:
    resolved = config.optimizer.model_copy(update={"lr": lr.value, "momentum": momentum.value})
    return ResolvedOptimizer(config.model_copy(update={"optimizer": resolved}), lr, momentum)


def _momentum(problem: Problem, lr: float | str) -> Decision:
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
            f"no momentum converges at optimizer.lr: {lr:g}; the limit is {limit:.3g}; "
            "lower optimizer.lr, or set it to auto",
        )
    # With a smaller b the roots of z^2 - (1 + b - lr h) z + b are real, and the larger one is above sqrt(b). With a
    # larger b the roots are complex, and |z| = sqrt(b).
    value = max((1 - math.sqrt(end)) ** 2 for end in ends)
    why = "auto: the largest (1 - sqrt(lr * curvature))^2, the momentum with the fastest convergence at this rate"
    return Decision(value, why, auto=True)


def _heavy_ball(config: Config, problem: Problem) -> tuple[Rate, str, str]:
    """Rate and momentum of the heavy ball, with the reasons for both: the optimal ones, if the run is long enough.

    With the optimal ones, the distance along directions of large curvature first grows, for about as many steps as the
    flattest direction needs, so a shorter run may end far above its initial loss. If the forecast of the final gap is
    above `_CONVERGED`, the optimal heavy ball is compared with 50 others, each optimal for the largest curvature and a
    larger smallest one; they hardly change the flattest directions. The one with the lowest forecast is chosen if it
    at least halves the gap.
    """
    spectrum, optimum, epochs, rule = problem.step_spectrum, problem.optimum, config.train.epochs, problem.rule
    best = best_rate(spectrum.largest, spectrum.smallest, rule)
    k = (spectrum.largest + rule.weight_decay) / max(spectrum.smallest + rule.weight_decay, 1e-300)
    reason = f"auto: {best.why} ({_ends(problem)})"
    why = (
        "auto: ((sqrt(k) - 1) / (sqrt(k) + 1))^2, the optimal heavy ball, with k = largest / smallest curvature = "
        f"{k:.6g}"
    )
    if optimum is None or optimum.relative_to <= 0 or config.optimizer.schedule.kind != "constant":
        return best, reason, why
    distances, base = problem.start_distances, optimum.relative_to

    def gap(rate: Rate, epochs: int) -> float:  # exact for a full batch
        ball = SgdRule(rate.momentum, 0.0, False, rule.weight_decay)
        with np.errstate(over="ignore", invalid="ignore"):
            found = ConstantRate(Modes.of(spectrum, distances, ball, None), rate.lr, base).gap(epochs)
        return found if math.isfinite(found) else math.inf

    final = gap(best, epochs)
    if final <= _CONVERGED:
        return best, reason, why
    curvatures = np.geomspace(spectrum.smallest, spectrum.largest, 50).tolist()
    others = [best_rate(spectrum.largest, curvature, rule) for curvature in curvatures]
    rate = min(others, key=lambda other: gap(other, epochs))
    if not 2 * gap(rate, epochs) < final:
        return best, reason, why
    reason = f"auto: the heavy ball with the lowest forecast after {epochs:,} epochs, a gap of {gap(rate, epochs):.3g}"
    reason += f"; the gap of the optimal one (rate {best.lr:.6g}, momentum {best.momentum:.6g}) would be {final:.3g}"
    return rate, reason, reason


def _ends(problem: Problem) -> str:
    spectrum = problem.step_spectrum
    return f"largest curvature {spectrum.largest:.6g}, smallest {spectrum.smallest:.6g}"


def _rate(config: Config, problem: Problem, rule: SgdRule) -> Rate:
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
    rate = best_batch_rate(problem.batch_problem(rule), config.train.epochs, shape_of(config.optimizer))
    return Rate(rate.lr, rate.momentum, f"auto: {rate.why}; {problem.batches.covers}")


def shape_of(optimizer: OptimizerConfig) -> Schedule | None:
    """The schedule as epoch (from 0) -> rate / initial rate; None for a constant rate."""
    if optimizer.schedule.kind == "constant":
        return None
    return schedule(optimizer.model_copy(update={"lr": 1.0}))
