"""`optimizer.lr: auto` and `optimizer.momentum: auto`: the same data and config always give the same numbers."""

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
#: A relative gap at which a run has arrived.
_ARRIVED = 1e-6


@dataclass(frozen=True)
class Chosen:
    """The rate and the momentum of a run.

    Attributes:
        config: with numbers in place of `auto`.
        lr: the rate (of the first epoch).
        momentum: the momentum.
    """

    config: Config
    lr: Decision
    momentum: Decision


def resolve(config: Config, problem: Problem) -> Chosen:
    """Put numbers in place of `auto`.

    Full batch and a squared loss: the rate (and momentum, see `_heavy_ball`) whose slowest direction is fastest.
    Mini-batches: momentum 0, and of the rates that are safe for every batch the one from which the forecast ends
    lowest. huber: half of what is safe for its largest curvature, that of half_mse, and momentum 0.

    Args:
        config: of the run.
        problem: its train split and its plan, whose rate and momentum count where they are numbers.

    Raises:
        SettingError: where nothing can be chosen.
    """
    lr, momentum = config.optimizer.lr, config.optimizer.momentum
    if lr != "auto" and momentum != "auto":
        return Chosen(config, Decision(lr, _SET, auto=False), Decision(momentum, _SET, auto=False))
    key = "lr" if lr == "auto" else "momentum"
    if problem.no_curvature_reason:
        message = f"auto needs the curvature of the loss: {problem.no_curvature_reason}; give a number"
        raise SettingError(("optimizer", key), message)
    rule = problem.rule
    if lr == momentum == "auto" and problem.plan.loss.is_squared and problem.plan.is_full_batch:
        rate, reason, why = _heavy_ball(config, problem)
        return _chosen(config, Decision(rate.lr, reason, auto=True), Decision(rate.momentum, why, auto=True))
    ball = Decision(rule.momentum, _SET, auto=False)
    if momentum == "auto":
        ball = _momentum(problem, lr)
        rule = SgdRule(float(ball.value), rule.dampening, False, rule.weight_decay)
    found = Decision(lr, _SET, auto=False)
    if lr == "auto":
        rate = _rate(config, problem, rule)
        found = Decision(rate.lr, rate.why, auto=True)
    return _chosen(config, found, ball)


def _chosen(config: Config, lr: Decision, momentum: Decision) -> Chosen:
    resolved = config.optimizer.model_copy(update={"lr": lr.value, "momentum": momentum.value})
    return Chosen(config.model_copy(update={"optimizer": resolved}), lr, momentum)


def _momentum(problem: Problem, lr: float | str) -> Decision:
    """The momentum for a rate that is given, or for a rate of a loss or of batches for which it is 0."""
    rule = problem.rule
    if not problem.plan.loss.is_squared:
        why = f"auto: 0, since the best momentum is known for squared losses, and this is {problem.plan.loss.name}"
        return Decision(0.0, why, auto=True)
    if not problem.plan.is_full_batch:
        why = "auto: 0, since momentum amplifies the noise of mini-batches, which decides where a run ends"
        return Decision(0.0, why, auto=True)
    assert not isinstance(lr, str)
    largest, smallest = problem.step_spectrum.largest, problem.step_spectrum.smallest
    ends = [lr * (h + rule.weight_decay) for h in (largest, smallest)]
    if not ends[0] < 4:
        limit = 4 / (largest + rule.weight_decay)
        raise SettingError(
            ("optimizer", "momentum"),
            f"auto cannot help: no momentum converges at optimizer.lr: {lr:g}, the limit is {limit:.3g}; "
            "lower it, or set it to auto",
        )
    # Below this the roots of z^2 - (1 + b - lr h) z + b are real and the larger one slower; above it |z| = sqrt(b).
    value = max((1 - math.sqrt(end)) ** 2 for end in ends)
    why = "auto: the largest (1 - sqrt(lr * curvature))^2, with which no direction is slower than the slowest"
    return Decision(value, why, auto=True)


def _heavy_ball(config: Config, problem: Problem) -> tuple[Rate, str, str]:
    """The heavy ball, and why its rate and its momentum: the optimal one, if the epochs are enough for it.

    With the optimal one the directions of large curvature first grow, for about as many steps as the flattest one
    needs, so a run of fewer may end far above its start. Unless its forecast arrives (`_ARRIVED`), it is held against
    the heavy balls for the larger ones of the curvatures, which leave the flattest directions where they are, and of 50
    of them the one whose forecast ends lowest is taken where that is less than half as far from the optimum.
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

    def gap(rate: Rate, epochs: int) -> float:  # exact, since a step sees every row
        ball = SgdRule(rate.momentum, 0.0, False, rule.weight_decay)
        with np.errstate(over="ignore", invalid="ignore"):
            found = ConstantRate(Modes.of(spectrum, distances, ball, None), rate.lr, base).gap(epochs)
        return found if math.isfinite(found) else math.inf

    arrives = gap(best, epochs)
    if arrives <= _ARRIVED:
        return best, reason, why
    curvatures = np.geomspace(spectrum.smallest, spectrum.largest, 50).tolist()
    others = [best_rate(spectrum.largest, curvature, rule) for curvature in curvatures]
    rate = min(others, key=lambda other: gap(other, epochs))
    if not 2 * gap(rate, epochs) < arrives:
        return best, reason, why
    reason = f"auto: the heavy ball with the lowest forecast after {epochs:,} epochs, a gap of {gap(rate, epochs):.3g}"
    reason += f"; the optimal one (rate {best.lr:.6g}, momentum {best.momentum:.6g}) would be at {arrives:.3g} then"
    return rate, reason, reason


def _ends(problem: Problem) -> str:
    spectrum = problem.step_spectrum
    return f"largest curvature {spectrum.largest:.6g}, smallest {spectrum.smallest:.6g}"


def _rate(config: Config, problem: Problem, rule: SgdRule) -> Rate:
    if not problem.plan.loss.is_squared:
        limit = batch_safe_rate(problem.batches.largest, rule) / 2
        why = (
            "auto: half the rate that is safe for half_mse, whose curvature huber's never exceeds; the optimum need "
            "not be approached as fast as possible"
        )
        return Rate(limit if math.isfinite(limit) else 1.0, rule.momentum, why)
    spectrum = problem.step_spectrum
    if problem.plan.is_full_batch:
        rate = best_rate(spectrum.largest, spectrum.smallest, rule, momentum=rule.momentum)
        return Rate(rate.lr, rate.momentum, f"auto: {rate.why} ({_ends(problem)})")
    rate = best_batch_rate(problem.batch_problem(rule), config.train.epochs, shape_of(config.optimizer))
    return Rate(rate.lr, rate.momentum, f"auto: {rate.why}; {problem.batches.covers}")


def shape_of(optimizer: OptimizerConfig) -> Schedule | None:
    """epoch -> rate as a share of the first; None where the rate is constant."""
    if optimizer.schedule.kind == "constant":
        return None
    return schedule(optimizer.model_copy(update={"lr": 1.0}))
