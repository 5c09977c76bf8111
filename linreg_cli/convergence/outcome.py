"""How a run ended, if it failed: whether it diverged, and why; why its loss rose."""

from linreg_cli.config import Config
from linreg_cli.convergence.diagnosis import diagnosis
from linreg_cli.convergence.preflight import check_rate
from linreg_cli.convergence.problem import Problem
from linreg_cli.errors import DivergedError
from linreg_cli.findings import Finding
from linreg_cli.optim.fit import Diverged, Evaluated

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
    standardized = config.preprocess.standardize
    remedy = diagnosis(problem, problem.rule, last.lr, standardized=standardized)
    details = {"step": last.step, "epoch": last.epoch, **(remedy or {})}
    why = remedy["message"] if remedy else _risen(first, last.train_loss, config, problem).split(": ", 1)[1]
    return DivergedError(
        f"training diverged: the train loss after epoch {last.epoch} is {last.train_loss:.6g}, more than 10 times the "
        f"larger of the first, {first:.6g}, and that of the best constant prediction, {problem.constant_loss:.6g}. "
        f"The last state is in the checkpoint; no model is saved. {why[0].upper()}{why[1:]}",
        where,
        details,
    )


def risen_loss(first: float, last: float, config: Config, problem: Problem) -> Finding:
    """The warning for a run whose final train loss is above its initial one: the likely cause, and what to do.

    Args:
        first: the train loss before the first step.
        last: the train loss after the last step.
        config: with numbers in place of `auto`.
        problem: the plan and the train split.
    """
    return Finding("loss_rose", _risen(first, last, config, problem))


def _risen(first: float, last: float, config: Config, problem: Problem) -> str:
    risen = f"the train loss rose from {first:.6g} to {last:.6g}"
    standardized, plan = config.preprocess.standardize, problem.plan
    found = check_rate(problem, config)
    if not problem.is_quadratic or found.refusal or found.warning:
        remedy = "lower optimizer.lr" + ("" if standardized else " or set preprocess.standardize: true")
        return f"{risen}: the learning rate is probably too large; {remedy}"
    if plan.momentum > 0:
        ways = "raise train.epochs, or set optimizer.momentum: 0"
        return f"{risen}: the rate is stable, but momentum {plan.momentum:g} overshoots before it converges; {ways}"
    if not plan.is_full_batch:
        ways = "lower optimizer.lr, or raise train.batch_size"
        return f"{risen}: the rate is stable; the cause is the noise of batches of {plan.batch_size:,} rows; {ways}"
    if plan.weight_decay > 0:
        ways = "for a lower train loss, lower optimizer.weight_decay"
        return f"{risen}: the rate is stable; SGD minimises the loss with the penalty of the weight decay; {ways}"
    if problem.optimum is not None and last - first <= problem.optimum.rounding_loss:
        return f"{risen}, within rounding error: the initial parameters were optimal"
    return f"{risen}, although the rate is stable"


def diverged_error(event: Diverged, config: Config, problem: Problem, where: str) -> DivergedError:
    """The error for a run that diverged: the step, the limit that the rate exceeds, and a rate that works.

    Args:
        event: the step whose loss was not finite.
        config: with numbers in place of `auto`.
        problem: the plan and the train split.
        where: the run folder.
    """
    standardized = config.preprocess.standardize
    if event.step == 0:
        remedy = "start from smaller values (model.init)" + (
            "" if standardized else ", or set preprocess.standardize: true"
        )
        return DivergedError(f"the loss is {event.loss} before the first step; {remedy}", where)
    details = diagnosis(problem, problem.rule, event.lr, standardized=standardized)
    remedy = "Lower optimizer.lr" + ("" if standardized else ", or set preprocess.standardize: true")
    if details:
        remedy = details["message"]
        details = {"step": event.step, "epoch": event.epoch, **details}
    return DivergedError(
        f"training diverged at step {event.step} (epoch {event.epoch}): the loss is {event.loss} "
        f"at learning rate {event.lr:g}. The last finite state (step {event.finite_step}, train loss "
        f"{event.finite_loss:.6g}) is in the checkpoint; no model is saved. {remedy}",
        where,
        details,
    )
