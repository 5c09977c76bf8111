"""Ways to train a table, each with its forecast: the config's own, and better ones."""

import math
from dataclasses import dataclass, replace

from linreg_cli.config.schema import Config
from linreg_cli.convergence.forecast import Forecast
from linreg_cli.convergence.limits import average_batch_limit, mean_square_limit
from linreg_cli.convergence.problem import Problem
from linreg_cli.convergence.rate_search import best_batch_rate, cosine, fewest_epochs, fewest_falling
from linreg_cli.convergence.rates import Rate, SgdRule, best_rate
from linreg_cli.optim.schedules import Schedule

#: The relative gaps that a forecast is about.
TARGETS = (1e-3, 1e-6)
#: The highest momentum that is proposed; beyond it a run takes millions of epochs anyway.
MOST_MOMENTUM = 0.999999


@dataclass(frozen=True)
class TrainingPlan:
    """A way to train, and when it arrives.

    Attributes:
        label: what it changes, in words.
        overrides: the `--set` expressions that change the config into it; none for the config itself.
        lr: the rate, or that of the first epoch.
        momentum: the momentum.
        forecast: epochs to each gap.
    """

    label: str
    overrides: tuple[str, ...]
    lr: float
    momentum: float
    forecast: Forecast


def training_plans(config: Config, problem: Problem, standardized: Problem | None) -> tuple[TrainingPlan, ...]:
    """The config's own plan first, then what may be better.

    Args:
        config: with numbers in place of `auto`.
        problem: its plan and its train split; the loss is squared.
        standardized: the same with standardised columns, where that is another one.
    """
    plan, rule = problem.plan, problem.rule
    scheduled = config.optimizer.schedule.kind != "constant"
    rate = plan.learning_rate if scheduled else plan.learning_rate(0)
    own = TrainingPlan("as configured", (), plan.learning_rate(0), plan.momentum, expected(problem, rate, rule))
    found, best = [own], _plan(config, "best rate", (), problem, plan.momentum)
    if scheduled or abs(best.lr / own.lr - 1) > 2e-3:  # lr: auto is that already, but for its digits
        found.append(best)
    if plan.is_full_batch:
        found.append(_plan(config, "best rate and momentum", (), problem, None))
    else:
        found += _patient(config, problem)
    if not plan.is_full_batch and problem.batch_share == 1:
        # A full batch of a sum is another loss beside the same penalty.
        found.append(_plan(config, "full batch, best rate", ("train.batch_size=full",), problem, plan.momentum))
    if standardized is not None:
        change = ("preprocess.standardize=true",)
        found.append(_plan(config, "standardised, best rate", change, standardized, plan.momentum))
        if plan.is_full_batch:
            found.append(_plan(config, "standardised, and momentum", change, standardized, None))
    return tuple(found)


def expected(problem: Problem, rate: float | Schedule, rule: SgdRule, *, full: bool = False) -> Forecast:
    """When a run at this rate arrives.

    A plain run of mini-batches above the mean-square limit, but below that of the average batch, may not settle: only
    where it starts is known.

    Args:
        problem: the table, and the plan but for its rate and momentum.
        rate: a number, or epoch (from 0) -> rate.
        rule: how SGD moves.
        full: as if the batch were full.
    """
    if not (full or problem.plan.is_full_batch or callable(rate) or problem.rule.momentum):
        limit, average = mean_square_limit(problem, problem.rule).rate, average_batch_limit(problem, problem.rule).rate
        if limit is not None and limit <= rate < (math.inf if average is None else average):
            reason = f"{rate:g} is above {limit:.4g}, so the run may not settle: the noise of its batches may grow"
            below = expected(problem, limit / 2, rule)  # of which only the start is of this rate too
            never = dict.fromkeys(TARGETS)
            return replace(below, epochs=never, reasons=dict.fromkeys(TARGETS, reason), floor_gap=None)
    return problem.forecast(rate, rule, TARGETS, full=full)


def best_of(problem: Problem, *, momentum: float | None, full: bool = False) -> Rate:
    """The best rate, cut to four digits so that it can be written into a config.

    Full batch: that of `best_rate`. Mini-batches: that of `best_batch_rate`, with the config's momentum. Both are
    for a constant rate, and there what `optimizer.lr: auto` takes, but for the digits.

    Args:
        problem: the table, and the plan but for its rate.
        momentum: to use; None chooses it, for a full batch.
        full: as if the batch were full.
    """
    plan, rule, spectrum = problem.plan, problem.rule, problem.spectrum
    if momentum is not None and rule.gain <= 0:
        return Rate(1.0, momentum, "full dampening keeps every gradient but the first out, so no rate helps")
    if full or plan.is_full_batch:
        rate = best_rate(spectrum.largest, spectrum.smallest, rule, momentum=momentum)
        if momentum is not None:
            return Rate(rounded_down(rate.lr), momentum, rate.why)
        return Rate(rounded_down(rate.lr), min(1 - float(f"{1 - rate.momentum:.3g}"), MOST_MOMENTUM), rate.why)
    if not problem.batches.largest > 0 or rule.gain <= 0:
        return Rate(1.0, momentum or 0.0, "nothing is curved or nothing moves, so any rate does")
    found = best_batch_rate(problem.batch_problem(rule), plan.epochs)
    return Rate(rounded_down(found.lr), found.momentum, found.why)


def _patient(config: Config, problem: Problem) -> list[TrainingPlan]:
    """For mini-batches: the epochs with which a constant rate ends at a gap of 1e-6, and a falling rate if sooner.

    The noise of the batches keeps any constant rate at a distance that falls with the rate, so one that is low enough
    for the end is slow from the start. A schedule is proposed only where its own forecast arrives in two thirds of the
    epochs or fewer.
    """
    rule, momentum = problem.rule, problem.plan.momentum
    if not (problem.batches.largest > 0 and rule.gain > 0 and problem.relative_to > 0):
        return []
    batches, target, found = problem.batch_problem(rule), TARGETS[-1], []
    constant = "optimizer.schedule={kind: constant}" if config.optimizer.schedule.kind != "constant" else ""
    epochs = fewest_epochs(batches, target)
    if epochs is not None and epochs != problem.plan.epochs:
        rate = best_batch_rate(batches, epochs)
        change = [f"optimizer.lr={rounded_down(rate.lr):g}", f"train.epochs={epochs}", constant]
        overrides, forecast = tuple(filter(None, change)), expected(problem, rounded_down(rate.lr), rule)
        found.append(TrainingPlan("best rate, more epochs", overrides, rate.lr, momentum, forecast))
    falling = fewest_falling(batches, cosine, target, int((epochs or 3_000) / 1.5))
    if falling is not None and batches.noise.variances.any():
        lr = rounded_down(batches.highest.lr)
        forecast = expected(problem, lambda epoch: lr * cosine(min(epoch, falling), falling), rule)
        schedule = f"optimizer.schedule={{kind: cosine, T_max: {falling}}}"
        change = [f"optimizer.lr={lr:g}", schedule, f"train.epochs={falling}"]
        found.append(TrainingPlan("falling rate (cosine)", tuple(change), lr, momentum, forecast))
    return found


def _plan(
    config: Config, label: str, change: tuple[str, ...], problem: Problem, momentum: float | None
) -> TrainingPlan:
    full = "train.batch_size=full" in change
    best, rule = best_of(problem, momentum=momentum, full=full), problem.rule
    if momentum is None:
        rule = SgdRule(best.momentum, 0.0, False, rule.weight_decay)
        change = (*change, f"optimizer.momentum={best.momentum:.12g}")
        change += ("optimizer.nesterov=false",) if config.optimizer.nesterov else ()
        change += ("optimizer.dampening=0",) if config.optimizer.dampening else ()
    change = (*change, f"optimizer.lr={best.lr:g}")
    if config.optimizer.schedule.kind != "constant":
        change = (*change, "optimizer.schedule={kind: constant}")
    return TrainingPlan(label, change, best.lr, best.momentum, expected(problem, best.lr, rule, full=full))


def rounded_down(value: float, digits: int = 4) -> float:
    """The largest number of so many significant digits that is not above a positive value.

    >>> rounded_down(0.000298356), rounded_down(2.0)
    (0.0002983, 2.0)
    """
    rounded = float(f"{value:.{digits - 1}e}")
    if rounded > value:
        unit = 10.0 ** (math.floor(math.log10(value)) - digits + 1)
        rounded = float(f"{rounded - unit:.{digits - 1}e}")
    return rounded
