"""The limit of the rate below which the expected squared distance falls with random batches, for whole epochs."""

from dataclasses import dataclass

import numpy as np

from linreg_cli.convergence.batch_curvature import mean_square_curvature
from linreg_cli.convergence.problem import Problem
from linreg_cli.convergence.rates import SgdRule, batch_safe_rate, mean_square_rate, stable_rate
from linreg_cli.convergence.second_moments import SecondMoments, is_affordable
from linreg_cli.optim.row_order import Blocks

#: At the limit, the fluctuation of the Hessians could still grow by this factor: a margin for what is not counted, and
#: for the floor. The distance that the noise causes is then at most about 1 / (1 - 1/2) = 2 times that of noise that is
#: fixed at the optimum.
MARGIN = 2.0
#: Neighbouring rates of the scan differ by this factor; the limit is then bisected.
_SPACING, _BISECTIONS = 1.15, 6


@dataclass(frozen=True)
class MeanSquareLimit:
    """The limit, and how it was found.

    Attributes:
        rate: in scaled units; infinite if there is none.
        by_epochs: whether it is that of the map of an epoch; otherwise it is that of a sufficient condition.
    """

    rate: float
    by_epochs: bool


def mean_square(problem: Problem, rule: SgdRule) -> MeanSquareLimit:
    """The limit of a run with random mini-batches.

    Up to 171 second moments (18 parameters with the bias, or 9 with momentum): the lowest rate at which the map of
    an epoch on second moments (`second_moments`) has a spectral radius of 1, with a margin of 2 for the
    fluctuation. The batches of both sizes are in it. More parameters, and few batches of many rows with momentum:
    the lower of `rates.mean_square_rate` for the two batch sizes, with the same margin. For a mean loss, the second
    moments of the smaller batch exceed those of the larger one, so an epoch of both is no worse than one of the
    smaller alone. For sse with momentum and a smaller last batch, where this does not hold:
    `rates.batch_safe_rate`.

    Args:
        problem: the plan and the train split; the loss is squared.
        rule: the parameters of SGD.
    """
    key = ("mean square", rule)
    if key not in problem.results:
        problem.results[key] = _found(problem, rule)
    found: MeanSquareLimit = problem.results[key]
    return found


def is_by_epochs(problem: Problem, rule: SgdRule) -> bool:
    """Whether `mean_square` is found from the map of an epoch, and not from a sufficient condition."""
    if isinstance(problem.plan.rows, Blocks):  # whose rows may be on the disk, where the rate has to be the same
        return False
    return is_affordable(problem.plan.n_samples, problem.spectrum.rank, problem.plan.batch_size, rule)


def _found(problem: Problem, rule: SgdRule) -> MeanSquareLimit:
    highest = stable_rate(problem.step_spectrum.largest, rule)
    if not np.isfinite(highest) or not problem.factor.rank:
        return MeanSquareLimit(highest, True)
    if is_by_epochs(problem, rule):
        return MeanSquareLimit(_scan(_moments(problem), rule, _sufficient(problem, rule), highest), True)
    plan = problem.plan
    unproven = rule.momentum and plan.loss.is_sum and plan.n_samples % plan.batch_size
    rate = batch_safe_rate(problem.batches.largest, rule) if unproven else _sufficient(problem, rule)
    return MeanSquareLimit(rate, False)


def _moments(problem: Problem) -> SecondMoments:
    spectrum, plan = problem.step_spectrum, problem.plan
    V = spectrum.eigenvectors[:, : spectrum.rank]
    X = np.asarray(problem.X_nd, dtype=np.float64)
    along = X @ V[: X.shape[1]] + (V[-1] if problem.bias else 0.0)
    along = problem.factor.weighted(along, slice(None))
    eigenvalues = spectrum.eigenvalues[: spectrum.rank]
    return SecondMoments(along, eigenvalues, plan.loss.name, problem.factor.n_targets, plan.batch_size, MARGIN)


def _sufficient(problem: Problem, rule: SgdRule) -> float:
    plan, rates = problem.plan, []
    for size in {plan.batch_size, plan.n_samples % plan.batch_size or plan.batch_size}:
        met = problem.spectrum.scaled(size / plan.n_samples if plan.loss.is_sum else 1.0)
        loss, parts = plan.loss.name, problem.parts
        L = mean_square_curvature(problem.factor, problem.X_nd, loss=loss, batch_size=size, divided=parts)
        spread = met.largest + MARGIN * max(L - met.largest, 0.0)
        # In the mean square of a sum of b rows, a row counts as in the mean of b rows, times b.
        per_mean = size if plan.loss.is_sum else 1
        scaled = (spread / per_mean, met.largest / per_mean, met.smallest / per_mean, size)
        mean_rule = SgdRule(rule.momentum, rule.dampening, rule.nesterov, rule.weight_decay / per_mean)
        rates.append(mean_square_rate(*scaled, mean_rule) / per_mean)
    return min(rates)


def _scan(moments: SecondMoments, rule: SgdRule, start: float, highest: float) -> float:
    """The lowest rate with a radius of 1, from below a rate that is sufficient under stronger assumptions."""
    below = min(start, highest)
    while moments.radius(below, rule) > 1 and below > 1e-9 * highest:
        below /= 2
    above = below
    while above < highest and moments.radius(above, rule) <= 1:
        below, above = above, min(above * _SPACING, highest)
    if moments.radius(above, rule) <= 1:
        return highest
    for _ in range(_BISECTIONS):
        middle = (below + above) / 2
        below, above = (below, middle) if moments.radius(middle, rule) > 1 else (middle, above)
    return below
