"""The limits of the learning rate: what each one guarantees, and which of them a rate exceeds."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from linreg_cli.config.schema import ScheduleConfig
from linreg_cli.convergence.crossing import first_crossing
from linreg_cli.convergence.mean_square import is_by_epochs, mean_square
from linreg_cli.convergence.problem import Problem
from linreg_cli.convergence.rates import SgdRule, batch_safe_rate, stable_rate
from linreg_cli.optim.losses import loss_scale
from linreg_cli.optim.schedules import extreme_rates
from linreg_cli.wording import number

#: The most batches that `must_diverge` decomposes, and the most operations; large batches are fewer.
_SAMPLED = 64
_SAMPLED_WORK = 2e9


@dataclass(frozen=True)
class Limit:
    """A limit of the learning rate.

    Attributes:
        rate: the limit, in scaled units; None if there is none.
        of: what is stable below it, such as `full-batch training`.
        covers: what it guarantees, in words, or the reason why there is none.
        consequence: of a rate above it, with its likelihood, in words.
    """

    rate: float | None
    of: str
    covers: str
    consequence: str = ""

    def is_exceeded_by(self, lr: float) -> bool:
        """Whether a rate is above the limit."""
        return self.rate is not None and lr > self.rate


def full_batch_limit(problem: Problem, rule: SgdRule) -> Limit:
    """The sharp limit of full-batch training; see `rates.stable_rate`."""
    return _limit(
        stable_rate(problem.spectrum.largest, rule),
        "full-batch training",
        "sharp: below it every start converges, above it almost none",
        "the loss would grow without bound",
    )


def average_batch_limit(problem: Problem, rule: SgdRule) -> Limit:
    """The limit below which the expected parameters converge with random batches: `rates.stable_rate` of a step.

    Except for mini-batches of sse, it is the full-batch limit.
    """
    return _limit(
        stable_rate(problem.step_spectrum.largest, rule),
        "the average batch",
        "the mean of the parameters converges",
        "training will almost certainly diverge",
    )


def mean_square_limit(problem: Problem, rule: SgdRule) -> Limit:
    """The limit below which the expected squared distance from the optimum falls; see `mean_square.mean_square`."""
    plan = problem.plan
    if plan.is_full_batch:
        return _only_batch(problem, rule)
    if not plan.rows.is_random:
        return Limit(None, "the mean square over batches", "the order of the rows is fixed, not random")
    size, last = plan.batch_size, plan.n_samples % plan.batch_size
    batches = f"batches of {size:,} rows" if size > 1 else "single rows"
    batches += f" (the last of {last:,})" if last else ""
    found = mean_square(problem, rule)
    return _limit(
        found.rate,
        "the mean square over batches",
        f"random {batches}: the expected squared distance to the optimum falls to that of the noise"
        f"{'' if found.by_epochs else ' (sufficient, not necessary)'}",
        "training may diverge, and will probably stay far from the optimum",
    )


def fixed_order_limit(problem: Problem, rule: SgdRule, lr: float | None = None) -> Limit:
    """The sharp limit of mini-batches in a fixed order; see `crossing.first_crossing`.

    Args:
        problem: the plan and the train split.
        rule: the parameters of SGD.
        lr: the rate of the run; an unstable range about it is then not missed. None: that of the plan.
    """
    plan, of = problem.plan, "the order given"
    if plan.is_full_batch:
        return _only_batch(problem, rule)
    if problem.fixed_order is None:
        return Limit(None, of, "the order of the rows is random; train.shuffle: false fixes it")
    found = first_crossing(problem.fixed_order, rule, plan.learning_rate(0) if lr is None else lr)
    if found is None:
        return Limit(None, of, "a scan of the rates takes too many operations for this table and order")
    rows = f"batches of {plan.batch_size:,} rows" if plan.batch_size > 1 else "single rows"
    covers = (
        f"{rows} in the order given: below it every start converges, just above it almost none; higher rates may be "
        f"stable again (rates {number(100 * found.spacing, 2)} % apart were tried)"
    )
    return _limit(found.rate, of, covers, "the loss would grow without bound")


def batch_safe_limit(problem: Problem, rule: SgdRule) -> Limit:
    """The limit below which no sequence of batches diverges; see `rates.batch_safe_rate`."""
    if problem.plan.is_full_batch:
        return _only_batch(problem, rule)
    worst = problem.batches
    sufficient = " (sufficient, not necessary)" if not worst.is_exact or rule.momentum else ""
    return _limit(
        batch_safe_rate(worst.largest, rule),
        worst.covers,
        f"{worst.covers}; safe in any order{sufficient}",
        "training will probably converge, but single batches may increase the loss",
    )


def _only_batch(problem: Problem, rule: SgdRule) -> Limit:
    sharp = stable_rate(problem.spectrum.largest, rule)
    return _limit(sharp, "full-batch training", "the only batch is the whole train split")


def _limit(rate: float, of: str, covers: str, consequence: str = "") -> Limit:
    if 0 < rate < math.inf:
        return Limit(rate, of, covers, consequence)
    return Limit(None, of, "the loss is constant or its gradient is not used, so no rate is too large")


def limits(problem: Problem, rule: SgdRule) -> list[Limit]:
    """The limits that the rate of a run is compared with, the highest first.

    Full batch: the sharp limit. Mini-batches: the limit of the average batch, above which the expected parameters
    diverge, the mean-square limit, above which their variance diverges, and without momentum the batch-safe limit.
    A limit with momentum that is sufficient but far from necessary is left out.
    """
    if problem.plan.is_full_batch:
        return [full_batch_limit(problem, rule)]
    found = [average_batch_limit(problem, rule)]
    others = [] if rule.momentum else [batch_safe_limit]
    if problem.plan.rows.is_random and (not rule.momentum or is_by_epochs(problem, rule)):
        others.insert(0, mean_square_limit)
    for limit in (each(problem, rule) for each in others):
        if limit.rate is not None and (found[-1].rate is None or limit.rate < found[-1].rate):
            found.append(limit)
    return found


def exceeded(problem: Problem, rule: SgdRule, lr: float) -> Limit | None:
    """The highest limit that a rate exceeds, or None; costly limits are computed only if the rate may exceed them."""
    if not problem.is_quadratic:
        return None
    if problem.fixed_order is not None:
        return _exceeded_in_order(problem, rule, lr)
    if not problem.plan.is_full_batch:
        lowest = stable_rate(problem.step_spectrum.largest, rule)
        if lr <= min(lowest, batch_safe_rate(problem.batches.largest, rule)):
            return None
    return next((limit for limit in limits(problem, rule) if limit.is_exceeded_by(lr)), None)


def _exceeded_in_order(problem: Problem, rule: SgdRule, lr: float) -> Limit | None:
    """`exceeded` for a fixed order: whether the rate itself is stable, since the stable rates need not be a range."""
    safe = batch_safe_limit(problem, rule)
    if not safe.is_exceeded_by(lr):
        return None
    if must_diverge(problem, rule, lr):
        limit = fixed_order_limit(problem, rule, lr)
        return limit if limit.is_exceeded_by(lr) else replace(safe, consequence="the loss would grow without bound")
    if rule.momentum:
        return None
    if problem.fixed_order is not None and problem.fixed_order.too_costly(rule):
        return replace(safe, consequence="training may diverge")
    return replace(safe, consequence="training converges in this order, but single batches may increase the loss")


def rate_limit(problem: Problem, schedule: ScheduleConfig, rule: SgdRule) -> dict[str, Any] | None:
    """For `run.json`: the highest limit that the rate exceeds, or else the lowest limit that it was compared with.

    `safe` is whether a rate below the limit is guaranteed to be stable. With mini-batches and momentum the limit is
    that of the average batch, which is no guarantee. None if no limit is known, or if there is none.
    """
    if not problem.is_quadratic:
        return None
    plan, (_, highest) = problem.plan, extreme_rates(schedule, problem.plan.learning_rate, problem.plan.epochs)
    limit = above = exceeded(problem, rule, highest)
    safe = above is None and (plan.is_full_batch or not rule.momentum)
    if limit is None and problem.has_fixed_order:
        limit = batch_safe_limit(problem, rule)
        if limit.is_exceeded_by(highest):
            limit = fixed_order_limit(problem, rule, highest)
        safe = limit.rate is not None
    elif limit is None:
        alone = plan.is_full_batch or rule.momentum
        limit = limits(problem, rule)[0] if alone else batch_safe_limit(problem, rule)
    if limit.rate is None:
        return None
    values = {"rate": limit.rate, "covers": limit.of, "highest": highest, "exceeded": above is not None}
    return {**values, "safe": safe, "consequence": None if above is None else above.consequence}


def must_diverge(problem: Problem, rule: SgdRule, lr: float) -> bool:
    """Whether almost every start diverges at the rate `lr`, and but for a fixed order at every higher rate.

    Full batch: a rate above the sharp limit. A fixed order: an epoch has a spectral radius above 1. Random mini-batches
    without momentum: the steps on the first batches of the run expand volumes, that is, the mean of
    log |det(1 - lr H_B)| is more than three standard errors above 0. This mean is the sum of the Lyapunov exponents of
    the product of random matrices. If it is above 0, so is the largest exponent, and almost every start diverges almost
    surely. With momentum: not known, so false.

    Source: H. Furstenberg, H. Kesten, Products of random matrices, 1960.
    """
    plan = problem.plan
    if plan.is_full_batch:
        return full_batch_limit(problem, rule).is_exceeded_by(lr)
    if problem.fixed_order is not None:
        return not problem.fixed_order.too_costly(rule) and problem.fixed_order.diverges(lr, rule)
    if rule.momentum:
        return False
    size, p = plan.batch_size, problem.factor.n_parameters
    count = int(min(_SAMPLED, plan.total_steps, max(4, _SAMPLED_WORK / (size * p * min(size, p)))))
    logs = []
    for rows in plan.batches(0, count):
        A = np.asarray(problem.X_nd[rows], dtype=np.float64)
        A = np.column_stack([A, np.ones(len(A))]) if problem.bias else A
        A = problem.factor.weighted(A, rows)
        h = np.zeros(p)
        singular = np.linalg.svd(A, compute_uv=False)
        h[: len(singular)] = 2 * loss_scale(plan.loss.name, len(A), problem.factor.n_targets) * singular**2
        logs.append(float(np.sum(np.log(np.maximum(np.abs(1 - lr * (h + rule.weight_decay)), 1e-300)))))
    error = float(np.std(logs)) / math.sqrt(len(logs))
    return float(np.mean(logs)) > 3 * error
