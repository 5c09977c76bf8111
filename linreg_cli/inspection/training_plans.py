"""Alternative settings for a run, each with its forecast: the config's own and faster ones."""

import math
from dataclasses import dataclass

from linreg_cli.config.schema import Config
from linreg_cli.convergence.forecast import Forecast, NotReached
from linreg_cli.convergence.limits import average_batch_limit, mean_square_limit
from linreg_cli.convergence.problem import Problem
from linreg_cli.convergence.rate_search import best_batch_rate, cosine, fewest_epochs, fewest_falling
from linreg_cli.convergence.rates import Rate, SgdRule, best_rate, rounded_down
from linreg_cli.optim.schedules import Schedule
from linreg_cli.wording import exact, number, rounded

#: The relative gaps of a forecast.
TARGETS = (1e-3, 1e-6)
#: The number of rates that are tried for a fixed order, each the one before divided by the square root of 2.
_CANDIDATES = 41
#: The highest momentum that is proposed; where a higher one is optimal, a run takes millions of epochs.
MOST_MOMENTUM = 0.999999


@dataclass(frozen=True)
class TrainingPlan:
    """Settings of the optimiser, the batches and the scaling for a run, with the forecast of their convergence.

    Attributes:
        label: what differs from the config, in words.
        overrides: the `--set` expressions that change the config to these settings; empty for the config itself.
        lr: the initial learning rate, in scaled units.
        momentum: in [0, 1).
        forecast: the number of epochs to each relative gap.
        decreasing: whether it replaces a constant rate by a decreasing one.
    """

    label: str
    overrides: tuple[str, ...]
    lr: float
    momentum: float
    forecast: Forecast
    decreasing: bool = False


def training_plans(config: Config, problem: Problem, standardized: Problem | None) -> tuple[TrainingPlan, ...]:
    """The plan of the config, then alternatives that may converge faster.

    Args:
        config: with numbers in place of `auto`.
        problem: the plan and the train split of the config; the loss is squared.
        standardized: the same with standardised columns; None if the columns are standardised or cannot be.

    Returns:
        At least one; the first is that of the config.
    """
    plan, rule = problem.plan, problem.rule
    scheduled = config.optimizer.schedule.kind != "constant"
    rate = plan.learning_rate if scheduled else plan.learning_rate(0)
    own = TrainingPlan("as configured", (), plan.learning_rate(0), plan.momentum, expected(problem, rate, rule))
    found, best = [own], _plan(config, "best rate", (), problem, plan.momentum)
    if scheduled or abs(best.lr / own.lr - 1) > 2e-3:  # lr: auto gives the same rate before it is rounded
        found.append(best)
    if plan.is_full_batch:
        found.append(_plan(config, "best rate and momentum", (), problem, None))
    else:
        found += _longer_runs(config, problem)
    if not plan.is_full_batch and problem.batch_share == 1:
        # For a sum, the weight of the loss relative to the penalty would change with the batch size.
        change = ("train.batch_size=full",)
        found.append(_plan(config, "full batch, best rate", change, problem, plan.momentum, full_batch=True))
    if standardized is not None:
        change = ("preprocess.standardize=true",)
        found.append(_plan(config, "standardised, best rate", change, standardized, plan.momentum))
        if plan.is_full_batch:
            found.append(_plan(config, "standardised, and momentum", change, standardized, None))
    return tuple(found)


def expected(
    problem: Problem, rate: float | Schedule, rule: SgdRule, *, full_batch: bool = False, epochs: int | None = None
) -> Forecast:
    """The forecast of a run at a rate.

    Random mini-batches may not converge at a rate between the mean-square limit and that of the average batch. Their
    forecast has the initial gap only.

    Args:
        problem: the train split, and the plan except for its rate and momentum.
        rate: a learning rate, or a schedule: epoch (from 0) -> learning rate.
        rule: the parameters of SGD.
        full_batch: forecast a full batch instead of the batches of the plan.
        epochs: the length of the run; None: that of the plan.
    """
    if not (full_batch or problem.plan.is_full_batch or problem.has_fixed_order):
        highest = rate if not callable(rate) else max(rate(e) for e in range(epochs or problem.plan.epochs))
        limit, average = mean_square_limit(problem, rule).rate, average_batch_limit(problem, rule).rate
        if limit is not None and limit <= highest < (math.inf if average is None else average):
            why = f"{number(highest)} is above {number(limit, 4)}, so the run may not converge"
            why += ": the noise of the batches may grow"
            below = problem.forecast(limit / 2, rule, TARGETS)  # for the initial gap, which does not depend on the rate
            return Forecast.refused(TARGETS, NotReached("other", why), below.start_gap, below.method)
        if problem.plan.loss.is_sum and rule.weight_decay and problem.plan.n_samples % problem.plan.batch_size:
            why = "with sse and a weight decay, a smaller last batch shifts the point that a run approaches"
            below = problem.forecast(rate, rule, TARGETS)
            return Forecast.refused(TARGETS, NotReached("other", why), below.start_gap, below.method)
    return problem.forecast(rate, rule, TARGETS, full_batch=full_batch, epochs=epochs)


def best_of(problem: Problem, *, momentum: float | None, full_batch: bool = False) -> Rate:
    """The best constant rate, rounded down to four significant digits so that it can be pasted into a config.

    Full batch: that of `rates.best_rate`. Mini-batches: that of `rate_search.best_batch_rate`, with the momentum of the
    config; for a fixed order, the one of its candidates with the lowest final gap, exactly.

    Args:
        problem: the train split, and the plan except for its rate.
        momentum: to use; None chooses the optimal one, for a full batch.
        full_batch: for a full batch instead of the batches of the plan.
    """
    plan, rule, spectrum = problem.plan, problem.rule, problem.spectrum
    if momentum is not None and rule.gain <= 0:
        why = "a dampening of 1 keeps all gradients but the first out of the momentum buffer, so no rate converges"
        return Rate(1.0, momentum, why)
    if full_batch or plan.is_full_batch:
        rate = best_rate(spectrum.largest, spectrum.smallest, rule, momentum=momentum)
        if momentum is not None:
            return Rate(rounded_down(rate.lr), momentum, rate.why)
        return Rate(rounded_down(rate.lr), min(1 - rounded(1 - rate.momentum, 3), MOST_MOMENTUM), rate.why)
    if not problem.batches.largest > 0 or rule.gain <= 0:
        return Rate(1.0, momentum or 0.0, "the loss is constant or its gradient is not used, so the rate has no effect")
    found = _best_in_order(problem) or best_batch_rate(problem.batch_problem(rule), plan.epochs)
    return Rate(rounded_down(found.lr), found.momentum, found.why)


def _best_in_order(problem: Problem) -> Rate | None:
    """For a fixed order, the candidate of `best_batch_rate` with the lowest final gap; None if that is too costly."""
    rule, order = problem.rule, problem.fixed_order
    if order is None or order.too_costly(rule, _CANDIDATES):
        return None
    highest = problem.batch_problem(rule).highest
    rates = [highest.lr * 2.0 ** (-j / 2) for j in range(_CANDIDATES)]
    best = min(rates, key=lambda lr: order.final_gap(lr, rule, problem.plan.epochs) or 0.0)
    return Rate(best, highest.momentum, "the lowest final gap in this order")


def _longer_runs(config: Config, problem: Problem) -> list[TrainingPlan]:
    """For mini-batches: the epochs that a constant rate needs to a gap of 1e-6, and a cosine schedule if it is faster.

    The noise of the batches keeps a constant rate at a gap that falls with the rate. A rate that is low enough for the
    final gap is slow in the beginning. A schedule is proposed if its forecast needs at most two thirds of the epochs.
    """
    rule, momentum = problem.rule, problem.plan.momentum
    if not (problem.batches.largest > 0 and rule.gain > 0 and problem.relative_to > 0) or problem.has_fixed_order:
        return []
    batches, target, found = problem.batch_problem(rule), TARGETS[-1], []
    constant = "optimizer.schedule={kind: constant}" if config.optimizer.schedule.kind != "constant" else ""
    epochs = fewest_epochs(batches, target)
    if epochs is not None and epochs != problem.plan.epochs:
        rate = best_batch_rate(batches, epochs)
        change = [f"optimizer.lr={exact(rounded_down(rate.lr))}", f"train.epochs={epochs}", constant]
        overrides, forecast = tuple(filter(None, change)), expected(problem, rounded_down(rate.lr), rule, epochs=epochs)
        found.append(TrainingPlan("best rate, more epochs", overrides, rate.lr, momentum, forecast))
    falling = fewest_falling(batches, cosine, target, int((epochs or 3_000) / 1.5))
    if falling is not None and batches.noise.variances.any():
        lr = rounded_down(batches.highest.lr)
        forecast = expected(problem, lambda epoch: lr * cosine(min(epoch, falling), falling), rule, epochs=falling)
        schedule = f"optimizer.schedule={{kind: cosine, T_max: {falling}}}"
        change = [f"optimizer.lr={exact(rounded(lr, 6))}", schedule, f"train.epochs={falling}"]
        found.append(TrainingPlan("falling rate (cosine)", tuple(change), lr, momentum, forecast, decreasing=True))
    return found


def _plan(
    config: Config,
    label: str,
    change: tuple[str, ...],
    problem: Problem,
    momentum: float | None,
    *,
    full_batch: bool = False,
) -> TrainingPlan:
    best, rule = best_of(problem, momentum=momentum, full_batch=full_batch), problem.rule
    if momentum is None:
        rule = SgdRule(best.momentum, 0.0, False, rule.weight_decay)
        change = (*change, f"optimizer.momentum={exact(rounded(best.momentum, 12))}")
        change += ("optimizer.nesterov=false",) if config.optimizer.nesterov else ()
        change += ("optimizer.dampening=0",) if config.optimizer.dampening else ()
    change = (*change, f"optimizer.lr={exact(rounded(best.lr, 6))}")
    if config.optimizer.schedule.kind != "constant":
        change = (*change, "optimizer.schedule={kind: constant}")
    forecast = expected(problem, best.lr, rule, full_batch=full_batch)
    return TrainingPlan(label, change, best.lr, best.momentum, forecast)
