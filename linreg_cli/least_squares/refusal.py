"""Where inference does not hold: for another optimum, without residuals, and away from the optimum."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from linreg_cli.least_squares.distance import shift_in_errors
from linreg_cli.least_squares.optimum import Optimum
from linreg_cli.optim.losses import is_squared
from linreg_cli.remedies import setting
from linreg_cli.wording import gap, number, plural, ratio

#: The largest distance of a trained coefficient from the optimum, in standard errors. At 0.01 the coverage of a 95 %
#: interval is 94.999 %: a shift by d standard errors costs d^2 z phi(z) of coverage, with z = 1.96 and the normal
#: density phi.
NEAR = 1e-2


def other_optimum(loss: str, weight_decay: float) -> str | None:
    """Why a run approaches another optimum than that of least squares, and what to do; None if it does not.

    >>> other_optimum("mse", 0.0) is None, other_optimum("mse", 0.1)
    (True, 'weight decay biases the coefficients; set optimizer.weight_decay: 0')
    """
    if not is_squared(loss):
        return f"inference of least squares is not valid for loss: {loss}; train with {setting('loss', 'mse')}"
    if weight_decay:
        return f"weight decay biases the coefficients; set {setting('optimizer.weight_decay', 0)}"
    return None


def refusal(
    optimum: Optimum,
    loss: str,
    trained: tuple[npt.ArrayLike, npt.ArrayLike | None] | None = None,
    *,
    remedy: Callable[[], str] | None = None,
    names: Sequence[str] = (),
) -> str | None:
    """Why inference is not valid, and what to do about it; None if it is valid.

    Args:
        optimum: of the train split in original units, with the weight decay of the run.
        loss: the loss of the run.
        trained: the weights (n_features, n_targets) and the bias (n_targets,) of the trained model in original units;
            None for the optimum itself.
        remedy: what to do if the model is not at the optimum, for the message.
        names: of the features, for the message.
    """
    factor = optimum.factor
    n, p = factor.n_samples, factor.n_parameters
    if (why := other_optimum(loss, optimum.weight_decay)) is not None:
        return why
    if n <= p:
        saturated = f"the fit is saturated ({'n = p' if n == p else 'n < p'}): " if optimum.is_saturated else ""
        return (
            f"{saturated}{plural(n, 'row')} and {plural(p, 'parameter')} leave no residual degrees of freedom to "
            "estimate the noise; use more rows or fewer columns"
        )
    if not optimum.is_unique:
        return (
            f"the coefficients are not unique (rank {optimum.rank} of {p}); "
            "leave out linearly dependent columns (data.ignore)"
        )
    if optimum.is_zero:
        return "the fit is exact within rounding error, so there are no residuals to estimate the noise"
    if trained is None:
        return None
    shift = shift_in_errors(optimum, *trained)
    shift[:, optimum.exactly_fitted()] = 0.0  # such a target has no standard errors
    worst = np.unravel_index(int(np.argmax(shift)), shift.shape)
    if shift[worst] < NEAR:
        return None
    ways = remedy() if remedy else "raise train.epochs, or set optimizer.lr to auto if it is a number"
    labels = [*(names or [f"feature {j + 1}" for j in range(len(factor.scale))]), "bias"]
    relative, base = optimum.gap(*trained)
    distance = "not defined" if relative is None else f"{gap(relative)} times the {base}'s loss"
    return (
        f"the model is not at the optimum: {labels[worst[0]]!r} is {ratio(float(shift[worst]))} standard errors "
        f"away; the limit is {number(NEAR)} (the gap is {distance}); {ways}"
    )
