"""Where the rounding of the dtype of training stops gradient descent."""

import numpy as np

from linreg_cli.convergence.problem import Problem
from linreg_cli.convergence.rates import SgdRule
from linreg_cli.least_squares.factor import EPS


def rounding_gap(problem: Problem, lr: float, rule: SgdRule) -> float:
    """The gap at which updates are lost in the rounding of the dtype of training, up to a factor of about ten.

    A parameter p stays the same if lr |g| is below half a unit in its last place, which is at most eps |p| / 2. For
    gradients that are uniform below that, the expected objective is above its minimum by the sum of
    (v_i'd)^2 / (6 h_i) over the eigenvectors v_i of curvature h_i, where d = eps |p| / (2 lr). With momentum, lr is
    the effective rate lr (1 - dampening) / (1 - momentum).

    Args:
        problem: the train split and its plan.
        lr: the learning rate, above 0.
        rule: the parameters of SGD.
    """
    optimum = problem.optimum
    assert optimum is not None
    if rule.gain <= 0 or not problem.spectrum.largest > 0:
        return 0.0
    h = problem.step_spectrum.eigenvalues + rule.weight_decay
    parameters = optimum.weights if optimum.bias is None else np.vstack([optimum.weights, optimum.bias])
    rest = problem.unit * np.abs(parameters) / 2 / (lr * rule.gain / (1 - rule.momentum))
    curved = h > EPS * h.max(initial=0.0)
    squares = (problem.spectrum.eigenvectors[:, curved] ** 2).T @ rest**2
    excess = float(np.sum(squares / (6 * h[curved, None])))
    return excess / problem.relative_to if problem.relative_to > 0 else 0.0
