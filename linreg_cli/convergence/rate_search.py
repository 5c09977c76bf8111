"""The search for the rate and the number of epochs of mini-batch runs, by their forecasts.

`optimizer.lr: auto` and `linreg inspect` use it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from linreg_cli.convergence.dynamics import ConstantRate, Modes, scheduled_gaps
from linreg_cli.convergence.gradient_noise import Noise
from linreg_cli.convergence.rates import Rate, SgdRule, safe_batch_rate, stable_rate
from linreg_cli.convergence.spectrum import Spectrum
from linreg_cli.least_squares.factor import Array
from linreg_cli.wording import number, plural

#: The candidates for a constant rate: the highest safe rate times 2^(-j / 2), for j up to this.
_HALF_STEPS = 80
#: The candidates for a schedule: times 2^-j, for j up to the first number, since each costs a forecast of every epoch;
#: runs of more epochs than the second number are not forecast.
_STEPS, _MOST_SCHEDULED = 6, 2_000
#: The longest run that `fewest_epochs` considers.
_MOST_EPOCHS = 1_000_000


@dataclass(frozen=True, eq=False)
class BatchProblem:
    """The data of a mini-batch run on which the choice of its rate depends; all in scaled units.

    Attributes:
        spectrum: of the expected loss of a batch: that of the whole loss, for sse times batch_size / n_samples.
        start: the distances of the initial parameters along each eigenvector, shape (n_parameters, n_targets), float64,
            from `Spectrum.distances`.
        batch_largest: the largest curvature of any batch, or a bound, from `linreg_cli.convergence.batch_curvature`.
        rule: the parameters of SGD.
        noise: of the gradients of the batches.
        relative_to: the loss that gaps are relative to, in the units of the spectrum's loss; 0 for a constant target.
    """

    spectrum: Spectrum
    start: Array
    batch_largest: float
    rule: SgdRule
    noise: Noise
    relative_to: float

    @property
    def highest(self) -> Rate:
        """The highest candidate: `safe_batch_rate`, and at most half the full-batch limit."""
        safe = safe_batch_rate(self.batch_largest, self.rule)
        lr = min(safe.lr, stable_rate(self.spectrum.largest, self.rule) / 2)
        return Rate(lr, safe.momentum, safe.why)

    @property
    def modes(self) -> Modes:
        """The directions of positive curvature."""
        return Modes.of(self.spectrum, self.start, self.rule, self.noise)


def best_batch_rate(
    problem: BatchProblem, epochs: int, schedules: Callable[[float], Callable[[int], float]] | None = None
) -> Rate:
    """The safe rate with the lowest forecast of the final gap.

    The candidates are the highest safe rate times powers of 1/2. A high rate reduces the initial distance faster, a low
    one has less noise in the end; which is better depends on the number of epochs. The result is deterministic.

    Args:
        problem: the run, except for its rate.
        epochs: the length of the run.
        schedules: initial rate -> (epoch, from 0 -> rate); None for a constant rate.

    Returns:
        The rate; above 2,000 epochs of a schedule, which are not forecast, the highest safe one.
    """
    modes, highest = problem.modes, problem.highest
    limits = f"of the rates up to {number(highest.lr)}, {highest.why},"
    if schedules is None:
        candidates = [highest.lr * 2.0 ** (-j / 2) for j in range(_HALF_STEPS + 1)]
        best = min(candidates, key=lambda lr: ConstantRate(modes, lr, 1.0).gap(epochs))
    elif epochs > _MOST_SCHEDULED:
        return Rate(highest.lr, highest.momentum, f"{highest.why}; the schedule lowers it")
    else:
        best = min(
            (highest.lr * 2.0**-j for j in range(_STEPS + 1)),
            key=lambda lr: _end(modes, schedules(lr), epochs),
        )
    return Rate(best, highest.momentum, f"{limits} the one with the lowest forecast after {plural(epochs, 'epoch')}")


def fewest_epochs(problem: BatchProblem, target: float) -> int | None:
    """The fewest epochs after which the forecast of some safe constant rate is at or below a gap.

    Args:
        problem: the run, except for its rate.
        target: a relative gap, above 0.

    Returns:
        The number of epochs; None above 1,000,000, or if the noise of every candidate is above the target.
    """
    highest, modes = problem.highest.lr, problem.modes
    rates = [ConstantRate(modes, highest * 2.0 ** (-j / 2), problem.relative_to) for j in range(_HALF_STEPS + 1)]
    able = [rate for rate in rates if rate.floor < target]
    return _fewest(lambda epochs: min(rate.gap(epochs) for rate in able) <= target, _MOST_EPOCHS) if able else None


def cosine(epoch: int, epochs: int) -> float:
    """The rate divided by the initial rate for `schedule: {kind: cosine, T_max: epochs}`: (1 + cos(pi t / T)) / 2.

    >>> cosine(0, 10), cosine(5, 10)
    (1.0, 0.5)
    """
    return (1 + math.cos(math.pi * epoch / epochs)) / 2


def fewest_falling(problem: BatchProblem, shape: Callable[[int, int], float], target: float, most: int) -> int | None:
    """The fewest epochs for which the forecast of a schedule from the highest safe rate ends at or below a gap.

    Args:
        problem: the run, except for its rate.
        shape: epoch (from 0), number of epochs -> rate / initial rate.
        target: a relative gap, above 0.
        most: the most epochs to consider, at most 2,000.

    Returns:
        The number of epochs; None if `most` are not enough.
    """
    highest, modes = problem.highest.lr, problem.modes
    if not problem.relative_to > 0:
        return None

    def reaches(epochs: int) -> bool:
        return _end(modes, lambda epoch: highest * shape(epoch, epochs), epochs) / problem.relative_to <= target

    return _fewest(reaches, min(most, _MOST_SCHEDULED))


def _end(modes: Modes, rate: Callable[[int], float], epochs: int) -> float:
    """The expected objective above its minimum after the last epoch of a schedule; infinite if it overflows."""
    with np.errstate(over="ignore", invalid="ignore"):
        *_, (gap, _) = scheduled_gaps(modes, rate, 1.0, epochs)
    return gap if np.isfinite(gap) else float("inf")


def _fewest(reaches: Callable[[int], bool], most: int) -> int | None:
    """The smallest number from 1 to `most` for which a monotone condition holds; None if it fails for `most`."""
    low, high = 0, 1
    while not reaches(high):
        if high >= most:
            return None
        low, high = high, min(2 * high, most)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reaches(middle) else (middle, high)
    return high
