"""How a run ended, if it failed: whether it diverged, and why; why its loss rose."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from linreg_cli.config import Config
from linreg_cli.convergence.diagnosis import diagnosis, steepest_columns, times
from linreg_cli.convergence.ends import exact_ends, expected_ends
from linreg_cli.convergence.preflight import check_rate
from linreg_cli.convergence.problem import Problem
from linreg_cli.convergence.rates import Rate, rounded_down
from linreg_cli.convergence.reaching import Reaching
from linreg_cli.convergence.rehearsal import objective
from linreg_cli.errors import DivergedError
from linreg_cli.findings import Finding
from linreg_cli.least_squares.factor import Array
from linreg_cli.optim.fit import Diverged, Evaluated
from linreg_cli.remedies import setting
from linreg_cli.wording import number

#: The shares of the rate that are tried as remedies.
_LOWER = (0.5, 0.1, 0.01, 0.001, 1e-4)
#: A run has diverged if its final loss is above this many times the larger of its first and the best constant's.
DIVERGED_TIMES = 10.0


def has_diverged(first: float, last: float, problem: Problem) -> bool:
    """Whether a finite final train loss is so high that the run has diverged.

    It has, above 10 times the larger of the loss before the first step and that of the best constant prediction.

    Args:
        first: the train loss before the first step.
        last: the train loss after the last step.
        problem: the plan and the train split.
    """
    # A start at the optimum of an exact fit has a loss of 0, and the rounding error of a step is no divergence.
    rounding = problem.optimum.rounding_loss if last > DIVERGED_TIMES * first and problem.optimum else 0.0
    return last > DIVERGED_TIMES * max(first, problem.constant_loss, rounding) if last > first else False


def grown_error(last: Evaluated, first: float, config: Config, problem: Problem, where: str) -> DivergedError:
    """The error for a run whose loss is finite and has grown beyond `has_diverged`.

    Args:
        last: the evaluation after the last epoch.
        first: the train loss before the first step.
        config: with numbers in place of `auto`.
        problem: the plan and the train split.
        where: the run folder.
    """
    found = diagnosis(problem, problem.rule, last.lr, standardized=config.preprocess.standardize)
    details = {"step": last.step, "epoch": last.epoch, **(found or {})}
    why = _risen(first, last.train_loss, config, problem).split(": ", 1)[1]
    if found:
        above = f"{times(last.lr, found['limit'])} the limit {number(found['limit'], 3)} of {found['limit_of']}"
        why = f"the rate is {above}; {steepest_columns(problem)}; {_remedies(config, problem)}"
    return DivergedError(
        f"training diverged: the train loss after epoch {last.epoch} is {number(last.train_loss)}, more than 10 times "
        f"the larger of the first, {number(first)}, and that of the best constant prediction, "
        f"{number(problem.constant_loss)}. "
        f"The last state is in the checkpoint; no model is saved. {why[0].upper()}{why[1:]}",
        where,
        details,
    )


def risen_loss(
    first: float, last: float, config: Config, problem: Problem, way: Callable[[], Reaching] | None = None
) -> Finding:
    """The warning for a run whose final train loss is above its initial one: the likely cause, and what to do.

    Args:
        first: the train loss before the first step.
        last: the train loss after the last step.
        config: with numbers in place of `auto`.
        problem: the plan and the train split.
        way: what leads to the exact fit: the remedy, where something does.
    """
    return Finding("loss_rose", _risen(first, last, config, problem, way))


def _risen(
    first: float, last: float, config: Config, problem: Problem, way: Callable[[], Reaching] | None = None
) -> str:
    risen, plan = f"the train loss rose from {number(first)} to {number(last)}", problem.plan
    if problem.optimum is not None and last - first <= problem.optimum.rounding_loss:
        return f"{risen}, within rounding error: the initial parameters were optimal"
    if (
        plan.weight_decay > 0
        and problem.no_curvature_reason is None
        and _penalty_explains(last - first, config, problem)
    ):
        ways = "for a lower train loss, lower optimizer.weight_decay"
        return f"{risen}: SGD minimises the loss with the penalty of the weight decay, and that fell; {ways}"
    found = check_rate(problem, config)
    cause = "the learning rate is too high for this run"
    if found.refusal or found.warning:
        cause = "the learning rate is above its limit"
    elif not problem.is_quadratic:
        # Without a limit of the rate, the noise and the steps themselves cannot be told apart.
        pass
    elif plan.momentum > 0 and plan.is_full_batch:
        cause = f"at this rate, momentum {number(plan.momentum)} lets the loss rise before it falls"
    elif not plan.is_full_batch:
        by = f", which momentum {number(plan.momentum)} amplifies," if plan.momentum > 0 else ""
        cause = f"at this rate, the noise of batches of {plan.batch_size:,} rows{by} keeps the loss up"
    reaching = None if way is None else way()
    remedy = reaching.remedy if reaching and reaching.why is None and reaching.overrides else _remedies(config, problem)
    return f"{risen}: {cause}; {remedy}"


def _penalty_explains(rise: float, config: Config, problem: Problem) -> bool:
    """Whether the objective with the penalty ended below its start: not if the loss rose by more than that penalty."""
    squares = sum(float(np.sum(np.square(each))) for each in problem.start if each is not None)
    if rise * problem.mean_share > problem.plan.weight_decay / 2 * squares:
        return False
    end = _ends(config, problem, [_as_it_is(config, problem)])
    return end is not None and end[0] < objective(problem, *problem.start)


def _remedies(config: Config, problem: Problem) -> str:
    """Settings with which the same run would end below its start: at most two of those that were computed to."""
    usual = _as_it_is(config, problem)
    tried = [(replace(usual, momentum=0.0), setting("optimizer.momentum", 0))] if usual.momentum else []
    for share in _LOWER:
        lr = rounded_down(usual.lr * share, 2)
        tried.append((replace(usual, lr=lr), setting("optimizer.lr", lr)))
    ends = _ends(config, problem, [rate for rate, _ in tried])
    if ends is None:
        return "lower optimizer.lr"
    start = objective(problem, *problem.start)
    helping = [text for (_, text), end in zip(tried, ends, strict=True) if end < start]
    if not helping:
        return "lower optimizer.lr; no rate that was tried ends below the start, which is close to the optimum"
    # The ends are those of the objective, and its penalty may fall while the train loss rises.
    measured = ", with which the loss plus its penalty falls" if problem.plan.weight_decay > 0 else ""
    return f"set {' or '.join(helping[:2])}{measured}"


def _as_it_is(config: Config, problem: Problem) -> Rate:
    return Rate(float(config.optimizer.lr), problem.plan.momentum, "")


def _ends(config: Config, problem: Problem, rates: list[Rate]) -> Array | None:
    if problem.range_reason:
        return None
    found = exact_ends(config, problem, problem.rule, rates)
    return expected_ends(config, problem, problem.rule, rates) if found is None and problem.is_quadratic else found


def diverged_error(event: Diverged, config: Config, problem: Problem, where: str) -> DivergedError:
    """The error for a run that diverged: the step, the limit that the rate exceeds, and a rate that works.

    Args:
        event: the step whose loss was not finite.
        config: with numbers in place of `auto`.
        problem: the plan and the train split.
        where: the run folder.
    """
    standardized = config.preprocess.standardize
    or_scaled = "" if standardized else f", or set {setting('preprocess.standardize', True)}"
    if event.step == 0:
        remedy = f"start from smaller values (model.init){or_scaled}"
        return DivergedError(f"the loss is {event.loss} before the first step; {remedy}", where)
    details = diagnosis(problem, problem.rule, event.lr, standardized=standardized)
    remedy = f"Lower optimizer.lr{or_scaled}"
    if details:
        remedy = details["message"]
        details = {"step": event.step, "epoch": event.epoch, **details}
    return DivergedError(
        f"training diverged at step {event.step} (epoch {event.epoch}): the loss is {event.loss} "
        f"at learning rate {number(event.lr)}. The last finite state (step {event.finite_step}, train loss "
        f"{number(event.finite_loss)}) is in the checkpoint; no model is saved. {remedy}",
        where,
        details,
    )
