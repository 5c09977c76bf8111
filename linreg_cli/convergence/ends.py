"""The objective at the end of a run for several rates and momenta: exact where it can be, else its expectation."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from linreg_cli.config.schema import Config
from linreg_cli.convergence.dynamics import Modes
from linreg_cli.convergence.full_batch import full_batch_ends
from linreg_cli.convergence.problem import Problem
from linreg_cli.convergence.rates import Rate, SgdRule
from linreg_cli.convergence.rehearsal import is_short, rehearse
from linreg_cli.least_squares.factor import Array
from linreg_cli.optim.schedules import Schedule, schedule

#: The most work for a schedule of a full batch, in products of directions, epochs and candidates.
MOST_WORK = 1e8


def scheduled(config: Config, lr: float) -> Schedule:
    """The schedule of a config at another initial rate: epoch (from 0) -> learning rate."""
    return schedule(config.optimizer.model_copy(update={"lr": lr}))


def exact_ends(config: Config, problem: Problem, rule: SgdRule, rates: Sequence[Rate]) -> Array | None:
    """The objective after the epochs of the plan for each of C candidates, in the order of the rows of the run.

    For a squared loss it is that above the minimum, in the units of a step (`Problem.relative_to`); for another loss
    the objective itself.

    Args:
        config: its schedule is used.
        problem: the plan and the train split.
        rule: dampening, Nesterov and weight decay; its momentum is not used.
        rates: the candidates.

    Returns:
        Shape (C,), infinite where a run overflows; None if it would take more than about a second.
    """
    constant = config.optimizer.schedule.kind == "constant"
    schedules = [scheduled(config, rate.lr) for rate in rates]
    if problem.is_quadratic and problem.plan.is_full_batch:
        modes = Modes.of(problem.step_spectrum, problem.start_distances, rule, None)
        if not constant and len(modes.h) * problem.plan.epochs * len(rates) > MOST_WORK:
            return None
        return full_batch_ends(
            modes.h,
            modes.square,
            rates=[rate.lr for rate in rates],
            momenta=[rate.momentum for rate in rates],
            rule=rule,
            epochs=problem.plan.epochs,
            schedules=None if constant else schedules,
        )
    if is_short(problem, len(rates)):
        return rehearse(problem, rule, schedules, [rate.momentum for rate in rates])
    order = problem.fixed_order if problem.is_quadratic else None
    if order is None or order.too_costly(rule, len(rates) * (1 if constant else problem.plan.epochs)):
        return None
    return expected_ends(config, problem, rule, rates)


def expected_ends(config: Config, problem: Problem, rule: SgdRule, rates: Sequence[Rate]) -> Array:
    """The expectation of `exact_ends` over random orders of the rows; for a squared loss. For a fixed order, exact."""
    constant, found = config.optimizer.schedule.kind == "constant", []
    for rate in rates:
        shape = None if constant else partial(_shape, scheduled(config, rate.lr), rate.lr)
        gap = problem.final_gap(rate.lr, rule.with_momentum(rate.momentum), problem.plan.epochs, shape)
        found.append(np.inf if gap is None else gap)
    return np.array(found) * (problem.relative_to or 1.0)


def _shape(rates: Schedule, initial: float, epoch: int) -> float:
    return rates(epoch) / initial
