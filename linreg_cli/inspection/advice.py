"""What to do, in words, from what `inspect` found: the most pressing first."""

import math

from linreg_cli.convergence.limits import average_batch_limit, mean_square_limit
from linreg_cli.inspection.inspect import Inspection
from linreg_cli.inspection.training_plans import TrainingPlan

#: More epochs than this are beyond patience, whatever the table.
HOPELESS_EPOCHS = 1_000_000
#: A change must save this factor, and this many epochs, before it is worth a sentence.
MIN_SAVING, MIN_SAVED_EPOCHS = 3.0, 30


def advice(found: Inspection) -> list[str]:
    """Sentences that end in something to do; at least one."""
    said = [*_table(found)]
    if not found.is_squared:
        return [*said, _not_squared(found)]
    own, better = found.plans[0], found.plans[1:]
    if found.problem.relative_to <= 0:
        return [*said, "The target is constant: there is nothing to learn."]
    quickest = min(better, key=_epochs)
    if min(_epochs(own), _epochs(quickest)) > HOPELESS_EPOCHS and found.problem.plan.is_full_batch:
        return [*said, _hopeless(found, quickest)]
    problem = _rate_problem(found, own)
    if problem:
        return [*said, f"{problem}: {_remedy(own, better)}."]
    noise = _noise(found, own)
    said += noise
    target = _finest(own)
    now = _epochs(own, target)
    faster = tuple(c for c in better if now > max(MIN_SAVING * _epochs(c, target), MIN_SAVED_EPOCHS))
    if faster and not noise:
        said.append(f"A faster way: {_remedy(own, faster)}.")
    said += [] if noise else _length(found, own)
    if not said and target is not None:
        planned = found.problem.plan.epochs
        said.append(f"Train: a gap of {gap_name(target)} is reached in {_count(own, target)} of {planned:,} epochs.")
    return said or ["Train, and watch the loss: no change of the rate promises more."]


def rank_meaning(found: Inspection) -> str:
    """What the rank says about the parameters."""
    factor = found.problem.factor
    if factor.rank == factor.n_parameters:
        return "every parameter is determined by the data"
    free = factor.n_parameters - factor.rank
    words = f"{free} direction{'s' if free > 1 else ''} of the parameters change{'' if free > 1 else 's'} no prediction"
    if factor.n_samples < factor.n_parameters:
        return f"{words}: there are fewer rows ({factor.n_samples:,}) than parameters ({factor.n_parameters:,})"
    return f"{words}, so the optimum is not unique"


def _table(found: Inspection) -> list[str]:
    if not found.problem.dependent_columns:
        return []
    spread = dict(zip(found.dataset.features, found.problem.factor.spread, strict=True))
    constant = [name for name in found.problem.dependent_columns if not spread[name]]
    rest = [name for name in found.problem.dependent_columns if spread[name]]
    said = []
    if found.problem.factor.n_samples < found.problem.factor.n_parameters:
        said.append("Add rows, or leave out columns (data.ignore): there are fewer rows than parameters.")
    elif rest:
        said.append(f"Leave out one of {_names(rest)} (data.ignore): a combination of them says nothing new.")
    if constant:
        said.append(f"Leave out {_names(constant)} (data.ignore): constant in the train split.")
    return said


def _not_squared(found: Inspection) -> str:
    if found.config.loss == "huber":
        words = "Curvature, limits of the rate and forecasts are of squared losses only; huber changes its curvature"
        if found.huber_lr is None:
            return f"{words}."
        return (
            f"{words}. It is nowhere more curved than half_mse: rates below {found.huber_lr:.4g} converge for a full "
            "batch without momentum."
        )
    return (
        "Curvature, limits of the rate and forecasts are of squared losses only; mae has none: a constant rate ends "
        "in a band around the optimum whose width falls with the rate. Let the rate fall (optimizer.schedule)."
    )


def _hopeless(found: Inspection, quickest: TrainingPlan) -> str:
    condition = found.condition_number_standardized
    number = "infinite" if math.isinf(condition) else f"{condition:.2g}"
    where = "even standardised" if found.standardized is not None or found.config.preprocess.standardize else "here"
    spectrum = (found.standardized or found.problem).spectrum
    loadings = spectrum.loadings(found.dataset.features, max(spectrum.rank - 1, 0))
    columns = [name for name, loading in loadings if loading > 0.05 and name != "bias"]
    return (
        f"Gradient descent is hopeless {where}: at the best rate and momentum a gap of 1e-6 takes {_count(quickest)} "
        f"epochs, because the columns nearly depend on each other (condition number {number}). Leave out or combine "
        f"columns, beginning with {_names(columns)}; or solve this one exactly (QR), not by steps."
    )


def _rate_problem(found: Inspection, own: TrainingPlan) -> str | None:
    """What is wrong with the config's rate, if anything."""
    problem = found.problem
    limit = average_batch_limit(problem, problem.rule).rate
    if limit is not None and own.lr >= limit:
        return f"The rate {own.lr:g} diverges, {own.lr / limit:.3g} times the limit"
    mean_square = mean_square_limit(problem, problem.rule).rate
    if mean_square is not None and not found.problem.plan.is_full_batch and own.lr >= mean_square:
        if found.problem.plan.momentum:
            return f"The rate {own.lr:g} is above {mean_square:.4g}, below which random batches are sure to settle"
        return f"The rate {own.lr:g} is above {mean_square:.4g}, so a run of random batches may not settle"
    return None


def _noise(found: Inspection, own: TrainingPlan) -> list[str]:
    """What mini-batches at a constant rate cannot reach, and what can."""
    floor, told = own.forecast.floor_gap, own.forecast
    if found.problem.plan.is_full_batch or floor is None or floor < 1e-6 or told.epochs[1e-6] is not None:
        return []
    ways = [plan for plan in found.plans[1:] if plan.forecast.epochs[1e-6] is not None]
    falling = [plan for plan in ways if any("cosine" in change for change in plan.overrides)]
    size = found.problem.plan.batch_size
    said = (
        f"Batches of {size:,} row{'s' * (size > 1)} at the rate {own.lr:g} level off near a gap of {floor:.2g}, and "
        "not at 1e-6: their noise keeps a constant rate there"
    )
    if falling:
        plan = falling[0]
        return [f"{said}. A rate that falls lets it through no more: set {', '.join(plan.overrides)}."]
    return [f"{said}; a lower rate for more epochs, or a larger batch, ends lower."]


def _length(found: Inspection, own: TrainingPlan) -> list[str]:
    """Whether the config's epochs are enough, and its number type."""
    said = []
    planned, coarse = found.problem.plan.epochs, own.forecast.epochs[1e-3]
    if coarse is not None and coarse > planned:
        said.append(f"As it is, the {planned:,} epochs are too few: a gap of 1e-3 takes {coarse:,} (train.epochs).")
    elif coarse is not None and (own.forecast.epochs[1e-6] or 0) > planned:
        reached = f"The {planned:,} epochs reach a gap of 1e-3 (after {coarse:,})"
        said.append(f"{reached}; for 1e-6 they must be {_count(own)} (train.epochs).")
    gap = found.rounding_gap
    if gap > 1e-6 and found.config.train.dtype == "float32" and found.problem.plan.is_full_batch:
        said.append(f"Set train.dtype=float64: in float32 rounding stops the steps at a gap near {gap:.0e}.")
    return said


def gap_name(gap: float) -> str:
    """A gap as the keys of a forecast have it.

    >>> gap_name(1e-3)
    '1e-3'
    """
    return f"{gap:.0e}".replace("e-0", "e-")


def _remedy(own: TrainingPlan, better: tuple[TrainingPlan, ...]) -> str:
    """What to set: the fewest changes that come within `MIN_SAVING` of the quickest way."""
    target = _finest(own) or next(
        (t for t in (1e-6, 1e-3) if any(c.forecast.epochs[t] is not None for c in better)), None
    )
    best = min(_epochs(plan, target) for plan in better)
    near = [plan for plan in better if _epochs(plan, target) <= MIN_SAVING * best]
    plan = min(near, key=lambda plan: len(plan.overrides))
    settings = f"set {', '.join(plan.overrides)}"
    if target is None or plan.forecast.epochs[target] is None:
        floor = plan.forecast.floor_gap
        return settings if floor is None else f"{settings} (it then ends near a gap of {floor:.2g})"
    before = own.forecast.epochs[target]
    instead = f", not {before:,}" if before is not None else ""
    return f"{settings} (epochs to a gap of {gap_name(target)}: {plan.forecast.epochs[target]:,}{instead})"


def _finest(plan: TrainingPlan) -> float | None:
    """The smallest gap that it reaches."""
    return next((target for target in (1e-6, 1e-3) if plan.forecast.epochs[target] is not None), None)


def _epochs(plan: TrainingPlan, target: float | None = 1e-6) -> float:
    """Epochs to a gap; where it is not reached, those to 1e-3 and as good as for ever."""
    fine, coarse = plan.forecast.epochs[target or 1e-6], plan.forecast.epochs[1e-3]
    if fine is not None:
        return max(fine, 1)
    return 1e9 + (coarse if coarse is not None else 1e9)


def _count(plan: TrainingPlan, target: float = 1e-6) -> str:
    epochs = plan.forecast.epochs[target]
    return "more than 10,000,000" if epochs is None else f"{epochs:,}"


def _names(names: list[str], most: int = 4) -> str:
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
