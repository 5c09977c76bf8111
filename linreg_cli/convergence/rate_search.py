"""The rate and the epochs of mini-batches, by forecast: what `lr: auto` takes and what `inspect` proposes."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from linreg_cli.convergence.dynamics import ConstantRate, Modes, scheduled_gaps
from linreg_cli.convergence.gradient_noise import Noise
from linreg_cli.convergence.rates import Rate, SgdRule, safe_batch_rate, stable_rate
from linreg_cli.convergence.spectrum import Spectrum
from linreg_cli.least_squares.factor import Array

#: Rates that are tried: the safe one, halved this often in half steps.
_HALF_STEPS = 80
#: The same for a schedule, in whole steps, each of which costs an epoch-by-epoch forecast.
_STEPS, _MOST_SCHEDULED = 6, 2_000
_MOST_EPOCHS = 1_000_000


@dataclass(frozen=True, eq=False)
class BatchProblem:
    """What a choice for mini-batches depends on.

    Attributes:
        spectrum: in trained units; with sse scaled by batch_size / n_samples.
        start: shape (n_parameters, n_targets), from `Spectrum.distances`.
        batch_largest: the largest curvature of any batch, from `linreg_cli.convergence.batch_curvature`.
        rule: how SGD moves.
        noise: of the batches.
        relative_to: the loss that gaps are relative to, in the units of the spectrum's loss.
    """

    spectrum: Spectrum
    start: Array
    batch_largest: float
    rule: SgdRule
    noise: Noise
    relative_to: float

    @property
    def highest(self) -> Rate:
        """The highest rate that is considered: `safe_batch_rate`, never above half the full-batch limit."""
        safe = safe_batch_rate(self.batch_largest, self.rule)
        lr = min(safe.lr, stable_rate(self.spectrum.largest, self.rule) / 2)
        return Rate(lr, safe.momentum, safe.why)

    @property
    def modes(self) -> Modes:
        """The curved directions."""
        return Modes.of(self.spectrum, self.start, self.rule, self.noise)


def best_batch_rate(problem: BatchProblem, epochs: int, shape: Callable[[int], float] | None = None) -> Rate:
    """Of the safe rates the one from which the forecast ends lowest.

    Candidates are the highest safe rate and what halving it gives: a high rate forgets the start sooner, a low one
    lets less of the batches' noise through, and which matters more depends on the epochs. The same data and config
    always give the same rate.

    Args:
        problem: the table and how SGD moves.
        epochs: that the run will have.
        shape: epoch (from 0) -> rate as a share of the first, for a schedule; None for a constant rate.
    """
    modes, highest = problem.modes, problem.highest
    limits = f"of the rates up to {highest.lr:.6g}, {highest.why},"
    if shape is None:
        candidates = [highest.lr * 2.0 ** (-j / 2) for j in range(_HALF_STEPS + 1)]
        best = min(candidates, key=lambda lr: ConstantRate(modes, lr, 1.0).gap(epochs))
    elif epochs > _MOST_SCHEDULED:
        return Rate(highest.lr, highest.momentum, f"{highest.why}; the schedule does the rest")
    else:
        best = min(
            (highest.lr * 2.0**-j for j in range(_STEPS + 1)),
            key=lambda lr: _end(modes, lambda epoch: lr * shape(epoch), epochs),
        )
    return Rate(best, highest.momentum, f"{limits} the one from which the forecast ends lowest after {epochs:,} epochs")


def fewest_epochs(problem: BatchProblem, target: float) -> int | None:
    """The fewest epochs for which some safe constant rate is foretold to end at or below a gap; None above 10^6."""
    highest, modes = problem.highest.lr, problem.modes
    rates = [ConstantRate(modes, highest * 2.0 ** (-j / 2), problem.relative_to) for j in range(_HALF_STEPS + 1)]
    able = [rate for rate in rates if rate.floor < target]
    return _fewest(lambda epochs: min(rate.gap(epochs) for rate in able) <= target, _MOST_EPOCHS) if able else None


def cosine(epoch: int, epochs: int) -> float:
    """The rate as a share of the first, of `schedule: {kind: cosine, T_max: epochs}`.

    >>> cosine(0, 10), cosine(5, 10)
    (1.0, 0.5)
    """
    return (1 + math.cos(math.pi * epoch / epochs)) / 2


def fewest_falling(problem: BatchProblem, shape: Callable[[int, int], float], target: float, most: int) -> int | None:
    """The fewest epochs for which a schedule from the highest safe rate ends at or below a gap.

    Args:
        problem: the table and how SGD moves.
        shape: epoch, epochs -> rate as a share of the first.
        target: a relative gap.
        most: epochs to consider, at most 2,000.
    """
    highest, modes = problem.highest.lr, problem.modes
    if not problem.relative_to > 0:
        return None

    def arrives(epochs: int) -> bool:
        return _end(modes, lambda epoch: highest * shape(epoch, epochs), epochs) / problem.relative_to <= target

    return _fewest(arrives, min(most, _MOST_SCHEDULED))


def _end(modes: Modes, rate: Callable[[int], float], epochs: int) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        *_, (gap, _) = scheduled_gaps(modes, rate, 1.0, epochs)
    return gap if np.isfinite(gap) else float("inf")


def _fewest(arrives: Callable[[int], bool], most: int) -> int | None:
    """The least number from 1 to `most` that arrives, if all above one do; None if `most` itself does not."""
    low, high = 0, 1
    while not arrives(high):
        if high >= most:
            return None
        low, high = high, min(2 * high, most)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if arrives(middle) else (middle, high)
    return high
