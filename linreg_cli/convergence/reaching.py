"""What to set so that training ends at the optimum: advice that is true of the table and of the dtype."""

import math

import numpy as np

from linreg_cli.config.schema import Config
from linreg_cli.convergence.problem import Problem

#: The epochs to the gap at which inference is valid, about 1e-12, are at most this times the condition number of the
#: curvature without momentum, and this times its root with the best momentum: ln(1e12) / 2.
_EPOCHS_PER_CONDITION = 14.0
#: More epochs than this are not practical, with and without momentum.
_MOST_EPOCHS, _MANY_EPOCHS = 1e7, 1e5
#: Standardising is proposed if it divides the condition number of the curvature by this.
_WORTH_STANDARDIZING = 10.0
#: A mean of the target at this many times its spread costs float32 about as many of its digits.
_FAR_FROM_ZERO = 100.0


def way_to_optimum(problem: Problem, config: Config, *, is_reachable: bool) -> str:
    """The settings to change, as the end of a sentence. Each leads to the optimum, or to a truer advice of this kind.

    Args:
        problem: a squared loss whose optimum is unique, without weight decay.
        config: of the run.
        is_reachable: whether training in its dtype can end there.
    """
    spectrum, singular = problem.spectrum, problem.factor.svd()[1]
    given = spectrum.largest / spectrum.smallest
    standard = float(singular[0] / singular[-1]) ** 2
    if not config.preprocess.standardize and given > _WORTH_STANDARDIZING * standard:
        return "set preprocess.standardize: true"
    if _EPOCHS_PER_CONDITION * math.sqrt(standard) > _MOST_EPOCHS:
        condition = f"condition number {math.sqrt(standard):.2g}"
        return f"no practical number of epochs is enough for columns so multicollinear ({condition}): leave out some"
    if not is_reachable:
        remedy = "more epochs do not help, because float32 is too coarse for this table: set train.dtype: float64"
        factor = problem.optimum_as_given.factor if problem.optimum_as_given else problem.factor
        spread = np.sqrt(factor.constant_k / factor.n_samples)
        if not config.preprocess.standardize_target and np.any(factor.target_largest > _FAR_FROM_ZERO * spread):
            remedy += ", or preprocess.standardize_target: true"
        return remedy
    if problem.plan.is_full_batch and _EPOCHS_PER_CONDITION * standard > _MANY_EPOCHS:
        return "raise train.epochs, with optimizer.lr: auto and optimizer.momentum: auto"
    remedy = "raise train.epochs, or set optimizer.lr to auto if it is a number"
    return remedy if problem.plan.is_full_batch else f"{remedy}; a constant rate levels off unless the batch is full"
