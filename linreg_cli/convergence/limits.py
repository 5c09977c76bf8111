"""Whether a rate can work, before the first step, and which column is at fault when a run diverged."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from linreg_cli.config.schema import ScheduleConfig
from linreg_cli.convergence.analysis import Analysis
from linreg_cli.convergence.rates import Motion, batch_safe_rate, stable_rate
from linreg_cli.least_squares.factor import loss_scale
from linreg_cli.optim.plan import StepPlan

#: Batches that are decomposed to see whether a run must diverge, at most; fewer where they are large.
_SAMPLED = 64
_SAMPLED_WORK = 2e9


@dataclass(frozen=True)
class Limit:
    """A rate beyond which something goes wrong.

    Attributes:
        rate: the limit.
        covers: what it is the limit of.
        consequence: of a rate above it, with its probability in words.
    """

    rate: float
    covers: str
    consequence: str


@dataclass(frozen=True)
class Verdict:
    """What is known before the first step.

    Attributes:
        refusal: why the run must diverge, or None.
        warnings: what the user should know all the same.
    """

    refusal: str | None = None
    warnings: tuple[str, ...] = field(default=())


def limits(analysis: Analysis, motion: Motion) -> list[Limit]:
    """The limits of a run's rate, highest first; those of mini-batches with momentum are not known sharply.

    Full batch: `stable_rate` is sharp. Mini-batches: above `stable_rate` of the average batch the mean of the
    parameters grows; above 2 / `mean_square_curvature` their variance does; at or below `batch_safe_rate` no order
    of the rows can do harm.
    """
    sharp = stable_rate(analysis.spectrum.largest, motion)
    if analysis.full_batch:
        return [Limit(sharp, "full-batch training", "the loss would grow until it is infinite")]
    found = [Limit(sharp, "the average batch", "training will almost certainly diverge")]
    if not motion.momentum:
        mean = 2 / (analysis.mean_square_curvature + motion.weight_decay)
        if mean < sharp:
            text = "training will probably diverge, or settle far from the optimum"
            found.append(Limit(mean, "the mean square over batches", text))
        safe = batch_safe_rate(analysis.batches.largest, motion)
        if safe < mean:
            text = "training will probably converge, but an unlucky batch may throw it off"
            found.append(Limit(safe, analysis.batches.covers, text))
    return found


def exceeded(analysis: Analysis, motion: Motion, lr: float) -> Limit | None:
    """The highest limit that a rate is above; the costly ones are worked out only for a rate that needs them."""
    if not analysis.squared or analysis.unknown:
        return None
    if not analysis.full_batch:
        lowest = stable_rate(analysis.spectrum.largest, motion)
        if not motion.momentum:
            lowest = min(lowest, batch_safe_rate(analysis.batches.largest, motion))
        if lr <= lowest:
            return None
    return next((limit for limit in limits(analysis, motion) if lr > limit.rate), None)


def known_limit(analysis: Analysis, plan: StepPlan, schedule: ScheduleConfig, motion: Motion) -> dict[str, Any] | None:
    """For `run.json`: the highest limit that the rate is above, or else the lowest that `before_training` looked at.

    `safe` says whether below it nothing can go wrong; with mini-batches and momentum, whose limit is that of the
    average batch, this is not known. None where no limit is known, or nothing limits the rate.
    """
    if not analysis.squared or analysis.unknown:
        return None
    _, highest = _extremes(plan, schedule)
    limit = above = exceeded(analysis, motion, highest)
    if limit is None and (analysis.full_batch or motion.momentum):
        limit = limits(analysis, motion)[0]
    elif limit is None:
        limit = Limit(batch_safe_rate(analysis.batches.largest, motion), analysis.batches.covers, "")
    if not 0 < limit.rate < math.inf:
        return None
    safe = above is None and (analysis.full_batch or not motion.momentum)
    values = {"rate": limit.rate, "covers": limit.covers, "highest": highest, "exceeded": above is not None}
    return {**values, "safe": safe, "consequence": None if above is None else above.consequence}


def before_training(
    analysis: Analysis, plan: StepPlan, schedule: ScheduleConfig, motion: Motion, *, standardized: bool
) -> Verdict:
    """Whether the rates of a plan can work.

    Refused is only what must diverge: a full batch whose rate is above the sharp limit in every epoch, and plain
    mini-batches whose steps expand volumes on average, for then some direction grows without bound. Everything
    else above a limit is a warning.

    Args:
        analysis: of the train split.
        plan: the steps.
        schedule: where the rate goes.
        motion: how SGD moves.
        standardized: whether the features are.
    """
    low, high = _extremes(plan, schedule)
    limit = exceeded(analysis, motion, high)
    if limit is None:
        return Verdict()
    remedy = remedy_for(analysis, motion, standardized=standardized)
    if low > limit.rate and (analysis.full_batch or _expands(analysis, plan, motion, low)):
        certain = "the loss would grow until it is infinite"
        found = f"{low:g} is {times(low, limit.rate)} the limit {limit.rate:.3g} of {limit.covers}"
        return Verdict(f"{found}: {certain}; {at_fault(analysis)}. To go on, {remedy}; --force trains all the same")
    rate = f"optimizer.lr: {high:g}" if low == high else f"the rate of optimizer.schedule, up to {high:g},"
    consequence = limit.consequence
    if analysis.full_batch:
        consequence = "the loss grows while the rate is above it"
    return Verdict(
        warnings=(
            f"{rate} is {times(high, limit.rate)} the limit {limit.rate:.3g} of {limit.covers}: {consequence}; "
            f"{at_fault(analysis)}. To be safe, {remedy}",
        )
    )


def not_unique(analysis: Analysis, left_out: Sequence[str] = ()) -> str | None:
    """A warning where other parameters do as well as the optimum's, naming columns.

    Args:
        analysis: of the train split.
        left_out: columns that training leaves at 0, which are no one's loss.
    """
    optimum = analysis.optimum
    if optimum is None or optimum.is_unique:
        return None
    names = [name for name in analysis.idle_columns() if name not in left_out]
    if not names:
        return None
    spread = dict(zip(analysis.features, optimum.factor.spread, strict=True))
    constant = [name for name in names if not spread[name]]
    others = [name for name in names if name not in constant]
    parts = [f"{_listed(constant)} {'is' if len(constant) == 1 else 'are'} constant"] if constant else []
    parts += [f"{_listed(others)} determine each other"] if others else []
    return (
        f"the optimum is not unique (rank {optimum.rank} of {optimum.factor.n_parameters}): {' and '.join(parts)}, so "
        "the weights depend on where training starts, though not the predictions of the train split; leave columns "
        "out, or set optimizer.weight_decay"
    )


def diagnosis(analysis: Analysis, motion: Motion, lr: float, *, standardized: bool) -> dict[str, Any] | None:
    """For `run.json`: what a run that diverged at a rate did wrong; None where no limit is known to be exceeded."""
    limit = exceeded(analysis, motion, lr)
    if limit is None:
        return None
    column, share = analysis.spectrum.carriers(analysis.features, 0, 1)[0]
    return {
        "lr": lr,
        "limit": limit.rate,
        "limit_of": limit.covers,
        "times_the_limit": lr / limit.rate if math.isfinite(lr / limit.rate) else None,
        "column": column,
        "share": share,
        "lr_instead": lower_rate(analysis, motion),
        "standardize": _standardizing_helps(analysis, motion, standardized) is not None,
        "message": f"The rate is {times(lr, limit.rate)} the limit {limit.rate:.3g} of {limit.covers}; "
        f"{at_fault(analysis)}. To go on, {remedy_for(analysis, motion, standardized=standardized)}",
    }


def at_fault(analysis: Analysis) -> str:
    """Which columns carry the eigenvector of the largest curvature."""
    carriers = analysis.spectrum.carriers(analysis.features)
    name, share = carriers[0]
    if share >= 0.5:
        return f"{_called(name)} carries {_percent(share)} of the steepest direction"
    shares = [f"{_called(name)} ({_percent(share)})" for name, share in carriers]
    return f"the steepest direction is spread over columns, most of it on {', '.join(shares)}"


def remedy_for(analysis: Analysis, motion: Motion, *, standardized: bool) -> str:
    """What to set instead."""
    advice = f"set optimizer.lr: {lower_rate(analysis, motion):g}, or auto"
    limit = _standardizing_helps(analysis, motion, standardized)
    if limit is not None:
        advice += f", or set preprocess.standardize: true (the limit of a full batch is then {limit:.3g})"
    return advice


def lower_rate(analysis: Analysis, motion: Motion) -> float:
    """A rate that works, in two digits: half the sharp limit of a full batch, half the batch-safe rate otherwise.

    With momentum b and mini-batches 1 - b times the plain batch-safe half: as far as a step moves in the end.
    """
    if analysis.full_batch:
        rate = stable_rate(analysis.spectrum.largest, motion) / 2
    else:
        plain = Motion(weight_decay=motion.weight_decay)
        rate = batch_safe_rate(analysis.batches.largest, plain) / 2 * (1 - motion.momentum)
    if not 0 < rate < math.inf:
        return 1.0
    unit = 10.0 ** (math.floor(math.log10(rate)) - 1)
    return float(f"{math.floor(rate / unit) * unit:.2g}")


def times(rate: float, limit: float) -> str:
    """How many times a limit a rate is.

    >>> times(0.4, 0.3), times(1.001, 1.0)
    ('1.33 times', '1.001 times')
    """
    ratio = rate / limit
    return f"{ratio:.4g} times" if ratio < 1.1 else f"{ratio:.3g} times"


def _extremes(plan: StepPlan, schedule: ScheduleConfig) -> tuple[float, float]:
    """The lowest and the highest rate of the epochs; every schedule is monotone up to the epoch `T_max`."""
    last = plan.epochs - 1
    epochs = {0, last, min(last, getattr(schedule, "T_max", last))}
    rates = [plan.learning_rate(epoch) for epoch in epochs]
    return min(rates), max(rates)


def _standardizing_helps(analysis: Analysis, motion: Motion, standardized: bool) -> float | None:
    """The full-batch limit of standardised columns, if it is well above that of the columns as they are."""
    if standardized:
        return None
    limit = stable_rate(analysis.standardized_curvature, motion)
    return limit if limit > 1.5 * stable_rate(analysis.spectrum.largest, motion) else None


def _expands(analysis: Analysis, plan: StepPlan, motion: Motion, lr: float) -> bool:
    """Whether plain steps on the run's own first batches expand volumes, on average by three standard errors.

    The mean of log |det(1 - lr H_B)| is the sum of the Lyapunov exponents of the product of random steps, so where
    it is above 0 the largest is too, and almost every start diverges almost surely.

    Source: H. Furstenberg, H. Kesten, Products of random matrices, 1960.
    """
    if motion.momentum:
        return False
    size, p = analysis.batch_size, analysis.factor.n_parameters
    count = int(min(_SAMPLED, plan.total_steps, max(4, _SAMPLED_WORK / (size * p * min(size, p)))))
    logs = []
    for step in range(count):
        epoch, batch = divmod(step, plan.steps_per_epoch)
        order, (first, last) = plan.row_order(epoch), plan.batch_bounds(batch)
        rows = torch.arange(first, last) if order is None else order[first:last]
        A = np.asarray(analysis.X_nd[rows.numpy()], dtype=np.float64)
        A = np.column_stack([A, np.ones(len(A))]) if analysis.bias else A
        h = np.zeros(p)
        singular = np.linalg.svd(A, compute_uv=False)
        h[: len(singular)] = 2 * loss_scale(analysis.loss.name, len(A), analysis.factor.n_targets) * singular**2
        logs.append(float(np.sum(np.log(np.maximum(np.abs(1 - lr * (h + motion.weight_decay)), 1e-300)))))
    error = float(np.std(logs)) / math.sqrt(len(logs))
    return float(np.mean(logs)) > 3 * error


def _called(name: str) -> str:
    return "the bias" if name == "bias" else f"column {name!r}"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _listed(names: Sequence[str], most: int = 5) -> str:
    shown = ", ".join(repr(name) for name in names[:most])
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"column{'s' if len(names) > 1 else ''} {shown}{more}"
