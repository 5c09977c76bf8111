"""`optimizer.lr: auto` and `optimizer.momentum: auto`: the same data and config always give the same numbers."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from linreg_cli.config.schema import Config, OptimizerConfig
from linreg_cli.convergence.analysis import Analysis, motion_of
from linreg_cli.convergence.dynamics import ConstantRate, Modes
from linreg_cli.convergence.gradient_noise import batch_noise
from linreg_cli.convergence.rate_search import BatchProblem, best_batch_rate
from linreg_cli.convergence.rates import Motion, Rate, batch_safe_rate, best_rate
from linreg_cli.least_squares.factor import Array
from linreg_cli.optim.schedules import Schedule, schedule

_SET = "set in the config"
#: A relative gap at which a run has arrived.
_ARRIVED = 1e-6


@dataclass(frozen=True)
class Chosen:
    """The rate and the momentum of a run.

    Attributes:
        config: with numbers in place of `auto`.
        lr: {"value", "why"}, for `run.json`.
        momentum: the same.
    """

    config: Config
    lr: dict[str, Any]
    momentum: dict[str, Any]


def resolve(config: Config, analysis: Analysis, weights: Array, bias: Array | None) -> Chosen:
    """Put numbers in place of `auto`.

    Full batch and a squared loss: the rate (and momentum, see `_heavy_ball`) whose slowest direction is fastest.
    Mini-batches: momentum 0, and of the rates that are safe for every batch the one from which the forecast ends
    lowest. huber: half of what is safe for its largest curvature, that of half_mse, and momentum 0.

    Args:
        config: of the run.
        analysis: of its train split.
        weights: at the start, shape (n_features, n_targets), trained units.
        bias: shape (n_targets,), or None.

    Raises:
        ValueError: where nothing can be chosen; the message begins with the key.
    """
    optimizer = config.optimizer
    lr, momentum = optimizer.lr, optimizer.momentum
    if lr != "auto" and momentum != "auto":
        return Chosen(config, _explained(lr, _SET), _explained(momentum, _SET))
    key = "lr" if lr == "auto" else "momentum"
    if analysis.unknown:
        raise ValueError(f"{key}: auto needs the curvature of the loss: {analysis.unknown}; give a number")
    motion, why = motion_of(config), _SET
    if lr == momentum == "auto" and analysis.squared and analysis.full_batch:
        rate, reason, why = _heavy_ball(config, analysis, motion, (weights, bias))
        return _chosen(config, rate.lr, rate.momentum, reason, why)
    if momentum == "auto":
        value, why = _momentum(analysis, motion, lr)
        motion = Motion(value, motion.dampening, False, motion.weight_decay)
    reason = _SET
    if lr == "auto":
        rate = _rate(config, analysis, motion, (weights, bias))
        lr, reason = rate.lr, rate.why
    return _chosen(config, lr, motion.momentum, reason, why)


def _chosen(config: Config, lr: float, momentum: float, reason: str, why: str) -> Chosen:
    resolved = config.optimizer.model_copy(update={"lr": lr, "momentum": momentum})
    config = config.model_copy(update={"optimizer": resolved})
    return Chosen(config, _explained(lr, reason), _explained(momentum, why))


def _explained(value: float, why: str) -> dict[str, Any]:
    return {"value": value, "why": why}


def _momentum(analysis: Analysis, motion: Motion, lr: Any) -> tuple[float, str]:
    if not analysis.squared:
        return 0.0, f"auto: 0, since the best momentum is known for squared losses, and this is {analysis.loss.name}"
    if not analysis.full_batch:
        return 0.0, (
            "auto: 0, since with mini-batches momentum amplifies the noise of the batches, which sets where a run ends"
        )
    largest, smallest = analysis.spectrum.largest, analysis.spectrum.smallest
    ends = [lr * (h + motion.weight_decay) for h in (largest, smallest)]
    if not ends[0] < 4:
        limit = 4 / (largest + motion.weight_decay)
        raise ValueError(
            f"momentum: auto cannot help: no momentum converges at optimizer.lr: {lr:g}, the limit is {limit:.3g}; "
            "lower it, or set it to auto"
        )
    # Below this the roots of z^2 - (1 + b - lr h) z + b are real and the larger one slower; above it |z| = sqrt(b).
    value = max((1 - math.sqrt(end)) ** 2 for end in ends)
    return value, "auto: the largest (1 - sqrt(lr * curvature))^2, with which no direction is slower than the slowest"


def _heavy_ball(
    config: Config, analysis: Analysis, motion: Motion, start: tuple[Array, Array | None]
) -> tuple[Rate, str, str]:
    """The heavy ball, and why its rate and its momentum: the optimal one, if the epochs are enough for it.

    With the optimal one the directions of large curvature first grow, for about as many steps as the flattest one
    needs, so a run of fewer may end far above its start. Unless its forecast arrives (`_ARRIVED`), it is held against
    the heavy balls for the larger ones of the curvatures, which leave the flattest directions where they are, and of 50
    of them the one whose forecast ends lowest is taken where that is less than half as far from the optimum.
    """
    spectrum, optimum, epochs = analysis.spectrum, analysis.optimum, config.train.epochs
    best = best_rate(spectrum.largest, spectrum.smallest, motion)
    k = (spectrum.largest + motion.weight_decay) / max(spectrum.smallest + motion.weight_decay, 1e-300)
    reason = f"auto: {best.why} ({_ends(analysis)})"
    why = (
        "auto: ((sqrt(k) - 1) / (sqrt(k) + 1))^2, the optimal heavy ball, with k = largest / smallest curvature = "
        f"{k:.6g}"
    )
    if optimum is None or optimum.relative_to <= 0 or config.optimizer.schedule.kind != "constant":
        return best, reason, why
    distances, base = analysis.distances(*start), optimum.relative_to

    def gap(rate: Rate, epochs: int) -> float:  # exact, since a step sees every row
        ball = Motion(rate.momentum, 0.0, False, motion.weight_decay)
        with np.errstate(over="ignore", invalid="ignore"):
            found = ConstantRate(Modes.of(spectrum, distances, ball, None), rate.lr, base).gap(epochs)
        return found if math.isfinite(found) else math.inf

    arrives = gap(best, epochs)
    if arrives <= _ARRIVED:
        return best, reason, why
    curvatures = np.geomspace(spectrum.smallest, spectrum.largest, 50).tolist()
    others = [best_rate(spectrum.largest, curvature, motion) for curvature in curvatures]
    rate = min(others, key=lambda other: gap(other, epochs))
    if not 2 * gap(rate, epochs) < arrives:
        return best, reason, why
    told = f"auto: the heavy ball with the lowest forecast after {epochs:,} epochs, a gap of {gap(rate, epochs):.3g}; "
    told += f"the optimal one (rate {best.lr:.6g}, momentum {best.momentum:.6g}) would be at {arrives:.3g} then"
    return rate, told, told


def _ends(analysis: Analysis) -> str:
    return f"largest curvature {analysis.spectrum.largest:.6g}, smallest {analysis.spectrum.smallest:.6g}"


def _rate(config: Config, analysis: Analysis, motion: Motion, start: tuple[Array, Array | None]) -> Rate:
    if not analysis.squared:
        limit = batch_safe_rate(analysis.batches.largest, motion) / 2
        why = (
            "auto: half the rate that is safe for half_mse, whose curvature huber's never exceeds; the optimum need "
            "not be approached as fast as possible"
        )
        return Rate(limit if math.isfinite(limit) else 1.0, motion.momentum, why)
    spectrum = analysis.spectrum
    if analysis.full_batch:
        rate = best_rate(spectrum.largest, spectrum.smallest, motion, momentum=motion.momentum)
        return Rate(rate.lr, rate.momentum, f"auto: {rate.why} ({_ends(analysis)})")
    assert analysis.optimum is not None
    noise = batch_noise(
        spectrum,
        analysis.optimum,
        analysis.X_nd,
        analysis.y_nk,
        loss=analysis.loss.name,
        batch_size=analysis.batch_size,
    )
    problem = BatchProblem(
        spectrum,
        analysis.distances(*start),
        analysis.batches.largest,
        motion,
        noise,
        analysis.optimum.relative_to * analysis.share,
    )
    rate = best_batch_rate(problem, config.train.epochs, shape_of(config.optimizer))
    return Rate(rate.lr, rate.momentum, f"auto: {rate.why}; {analysis.batches.covers}")


def shape_of(optimizer: OptimizerConfig) -> Schedule | None:
    """epoch -> rate as a share of the first; None where the rate is constant."""
    if optimizer.schedule.kind == "constant":
        return None
    return schedule(optimizer.model_copy(update={"lr": 1.0}))
