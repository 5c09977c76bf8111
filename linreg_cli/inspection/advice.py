"""The advice of `linreg inspect`, in sentences, the most important first."""

import math
from collections.abc import Sequence

from linreg_cli import wording
from linreg_cli.convergence.limits import average_batch_limit, exceeded, mean_square_limit, must_diverge
from linreg_cli.inspection.inspect import Inspection
from linreg_cli.inspection.training_plans import TrainingPlan
from linreg_cli.least_squares.dependence import Combination
from linreg_cli.least_squares.refusal import NEAR
from linreg_cli.wording import condition_number, number, plural

#: More epochs than this are not practical.
MOST_PRACTICAL_EPOCHS = 1_000_000
#: A faster setting is proposed if it saves at least this factor, and at least this many epochs.
MIN_SAVING, MIN_SAVED_EPOCHS = 3.0, 30
#: Lower gaps are not told apart.
MIN_GAP = 1e-6


def advice(found: Inspection) -> list[str]:
    """What to do, from what is known before training.

    Returns:
        At least one sentence, each with the fact first and then the settings to change.
    """
    return [*_to_lower_losses(found), *_to_the_exact_fit(found)]


def _to_the_exact_fit(found: Inspection) -> list[str]:
    """The settings that the warning about a trained model that is not there would name; none where it is."""
    if found.way is None or not found.way.overrides:
        return []
    return [f"To the exact fit, every coefficient within {number(NEAR)} standard errors: {found.way.remedy}."]


def _to_lower_losses(found: Inspection) -> list[str]:
    sentences = [*_table(found)]
    if not found.is_squared:
        return [*sentences, _not_squared(found)]
    own, better = found.plans[0], found.plans[1:]
    if found.problem.relative_to <= 0:
        return [*sentences, "The target is constant: there is nothing to learn."]
    fastest = min(better, key=_epochs, default=own)  # a sum of standardised columns at the best rate has no other plan
    if min(_epochs(own), _epochs(fastest)) > MOST_PRACTICAL_EPOCHS and found.problem.plan.is_full_batch:
        return [*sentences, _impractical(found, fastest)]
    problem = _rate_problem(found, own)
    if problem:
        return [*sentences, f"{problem}: {_remedy(own, better)}." if better else f"{problem}."]
    rises = _rises(found, own, better)
    noise = [] if rises else _noise(found, own)
    sentences += [*rises, *noise]
    target = _finest(own)
    now = _epochs(own, target)
    faster = tuple(c for c in better if now > max(MIN_SAVING * _epochs(c, target), MIN_SAVED_EPOCHS))
    if faster and not noise and not rises:
        sentences.append(f"Other settings converge faster: {_remedy(own, faster)}.")
    sentences += [] if noise or rises else _length(found, own)
    if not sentences and target is not None:
        planned = found.problem.plan.epochs
        reached = f"The settings reach a gap of {gap_name(target)} in {_count(own, target)} of {planned:,} epochs"
        sentences.append(f"{reached}: train.")
    return sentences or [_lower(own, better) or "No faster settings were found: train, and check the loss curve."]


def rank_meaning(found: Inspection) -> str:
    """The rank in words: whether the data determine every parameter."""
    factor = found.problem.factor
    if factor.rank == factor.n_parameters:
        return "every parameter is determined by the data"
    free = factor.n_parameters - factor.rank
    words = f"{free} direction{'s' if free > 1 else ''} of the parameters change{'' if free > 1 else 's'} no prediction"
    if factor.n_samples < factor.n_parameters:
        return f"{words}: there are fewer rows ({factor.n_samples:,}) than parameters ({factor.n_parameters:,})"
    if found.problem.plan.weight_decay:
        return f"{words}; the optimum is unique because of the weight decay"
    if _is_rounded(found):
        return f"{words} in float32, so the optimum is not unique; as given, the rank is {found.rank_as_given}"
    return f"{words}, so the optimum is not unique"


def _is_rounded(found: Inspection) -> bool:
    """Whether columns are dependent because of the rounding to float32 only."""
    return found.config.train.dtype == "float32" and found.rank_as_given > found.problem.factor.rank


def _table(found: Inspection) -> list[str]:
    if not found.problem.dependent_columns or found.problem.plan.weight_decay:
        return []
    dependent = list(found.problem.dependent_columns)
    spread = dict(zip(found.dataset.features, found.problem.factor.spread, strict=True))
    constant = [name for name in dependent if not spread[name]]
    sentences = []
    if found.problem.factor.n_samples < found.problem.factor.n_parameters:
        sentences.append("There are fewer rows than parameters: add rows, or leave out columns (data.ignore).")
    elif _is_rounded(found):
        return [f"{_columns(dependent)[0]} constant or linearly dependent in float32 only. Set train.dtype=float64."]
    else:
        sentences += _dependent([name for name in dependent if spread[name]], found.problem.combinations)
    if constant:
        words, them = _columns(constant)
        sentences.append(f"{words} constant in the train split: leave {them} out (data.ignore).")
    return sentences


def _dependent(names: list[str], combinations: Sequence[Combination]) -> list[str]:
    """The advice about dependent columns that vary.

    Args:
        names: of the columns. One that is dependent on no other is so on the intercept, within rounding error.
        combinations: as many of them as rounding leaves.
    """
    alone = {each.name for each in combinations if not each.terms}
    rest = [name for name in names if name not in alone]
    rest = rest if len(rest) > 1 else []
    rounded = [name for name in names if name not in rest]
    sentences = []
    if rest:
        determined = [each.name for each in combinations if each.terms]
        leave = f"leave out {_names(determined)}" if len(determined) > 1 else "leave out one of them"
        sentences.append(f"Columns {_names(rest)} are linearly dependent: {leave} (data.ignore).")
    if rounded:
        words, them = _columns(rounded)
        sentences.append(f"{words} constant within rounding error: leave {them} out (data.ignore).")
    return sentences


def _columns(names: list[str]) -> tuple[str, str]:
    """The subject of a sentence about columns, with its verb, and the pronoun for them."""
    return (f"Column {_names(names)} is", "it") if len(names) == 1 else (f"Columns {_names(names)} are", "them")


def _not_squared(found: Inspection) -> str:
    if found.config.loss == "huber":
        words = "Curvature, limits of the rate and forecasts are available for squared losses only"
        if found.huber_lr is None:
            return f"{words}; the curvature of huber is not constant."
        return (
            f"{words}. The curvature of huber is at most that of half_mse: a full batch without momentum converges at "
            f"rates below {number(found.huber_lr, 4)}."
        )
    return (
        "Curvature, limits of the rate and forecasts are available for squared losses only; mae has no curvature. "
        "A constant rate ends in a band around the optimum whose width falls with the rate: use a decreasing rate "
        "(optimizer.schedule)."
    )


def _impractical(found: Inspection, fastest: TrainingPlan) -> str:
    """The advice for a table on which full-batch gradient descent takes too many epochs."""
    condition = found.condition_number_standardized
    size = condition_number(condition, 2)
    standardized = found.standardized is not None or found.config.preprocess.standardize
    columns_are = ", even with standardised columns" if standardized else ""
    spectrum = (found.standardized or found.problem).spectrum
    loadings = spectrum.loadings(found.dataset.features, max(spectrum.rank - 1, 0))
    columns = [name for name, loading in loadings if loading > 0.05 and name != "bias"]
    return (
        f"Gradient descent will not converge in a practical number of epochs{columns_are}: at the best rate and "
        f"momentum, a gap of 1e-6 takes {_count(fastest)} epochs, because the columns are multicollinear (condition "
        f"number {size}). Leave out or combine columns, first {_names(columns)}; or solve least squares exactly, "
        "by QR."
    )


def _rate_problem(found: Inspection, own: TrainingPlan) -> str | None:
    """The limit that the rate of the config exceeds, in words; None if it exceeds none."""
    problem = found.problem
    rate = f"The rate {number(own.lr)}"
    if problem.has_fixed_order:
        above = exceeded(problem, problem.rule, own.lr) if must_diverge(problem, problem.rule, own.lr) else None
        return None if above is None else f"{rate} is above {number(above.rate, 4)} and diverges in this order"
    limit = average_batch_limit(problem, problem.rule).rate
    if limit is not None and own.lr >= limit:
        return f"{rate} is {number(own.lr / limit, 3)} times the limit {number(limit, 4)} and diverges"
    mean_square = mean_square_limit(problem, problem.rule).rate
    if mean_square is not None and not found.problem.plan.is_full_batch and own.lr >= mean_square:
        if found.problem.plan.momentum:
            return f"{rate} is above {number(mean_square, 4)}, below which random batches are known to converge"
        return f"{rate} is above {number(mean_square, 4)}, so a run with random batches may not converge"
    return None


def _noise(found: Inspection, own: TrainingPlan) -> list[str]:
    """The gap at which mini-batches level off at a constant rate, and settings that reach a smaller one."""
    floor, epochs = own.forecast.floor, own.forecast.epochs
    if found.problem.plan.is_full_batch or floor is None or floor < 1e-6 or epochs[1e-6] is not None:
        return []
    if found.problem.has_fixed_order:
        where = f"In this order, batches at the rate {number(own.lr)} end at a gap of {wording.gap(floor, 2)}"
        return [f"{where}. A lower rate with more epochs ends lower, as train.batch_size=full does."]
    ways = [plan for plan in found.plans[1:] if plan.forecast.epochs[1e-6] is not None]
    falling = [plan for plan in ways if plan.decreasing]
    size = found.problem.plan.batch_size
    fact = (
        f"Batches of {plural(size, 'row')} at the rate {number(own.lr)} level off near a gap of "
        f"{wording.gap(floor, 2)}, because of the noise of their gradients"
    )
    if falling:
        plan = falling[0]
        return [f"{fact}. A decreasing rate reaches 1e-6: set {', '.join(plan.overrides)}."]
    return [f"{fact}. A lower rate with more epochs, or a larger batch, ends lower."]


def _rises(found: Inspection, own: TrainingPlan, better: Sequence[TrainingPlan]) -> list[str]:
    """The advice for settings whose forecast after the epochs given is above the start."""
    start, end = own.forecast.start_gap, _final(own)
    if not max(start, MIN_GAP) < end < math.inf:
        return []
    fact = f"The run will end above its start: at a gap of {wording.gap(end)}, from {wording.gap(start)}"
    if not found.problem.has_fixed_order and not found.problem.plan.is_full_batch:
        fact = fact.replace("will end", "is expected to end")
    lowest = min(better, key=_final, default=own)
    target = _finest(own)
    enough = 0 if target is None else own.forecast.epochs[target] or 0
    remedy = "Lower optimizer.lr"
    if _final(lowest) < start:
        remedy = f"Set {', '.join(lowest.overrides)} (a gap of {wording.gap(_final(lowest))})"
    elif enough > found.problem.plan.epochs:
        remedy = f"Set train.epochs={enough} (a gap of {gap_name(target or 0)})"
    return [f"{fact}. {remedy}."]


def _lower(own: TrainingPlan, better: Sequence[TrainingPlan]) -> str | None:
    """The settings that end at less than half the gap of the config's after the epochs given; None if none do."""
    lowest = min(better, key=_final, default=own)
    if not MIN_GAP < 2 * _final(lowest) < _final(own) < math.inf:
        return None
    gaps = f"a gap of {wording.gap(_final(lowest))} after the epochs given, instead of {wording.gap(_final(own))}"
    return f"Other settings end lower: set {', '.join(lowest.overrides)} ({gaps})."


def _final(plan: TrainingPlan) -> float:
    gap = plan.forecast.final_gap
    return gap if isinstance(gap, float) else math.inf


def _length(found: Inspection, own: TrainingPlan) -> list[str]:
    """Advice on the number of epochs and on the dtype; what to set only where `_to_the_exact_fit` does not say it."""
    sentences, settings = [], {} if found.way is None else dict(found.way.overrides)
    planned, coarse, fine = found.problem.plan.epochs, own.forecast.epochs[1e-3], own.forecast.epochs[1e-6]
    if coarse is not None and coarse > planned:
        words = f"With the settings as configured, {planned:,} epochs are too few: a gap of 1e-3 takes {coarse:,}"
        sentences.append(f"{words}." if settings else f"{words} (set train.epochs={coarse}).")
    elif coarse is not None and fine is not None and fine > planned:
        words = f"The {planned:,} epochs reach a gap of 1e-3 (after {coarse:,}); a gap of 1e-6 takes {fine:,}"
        sentences.append(f"{words}." if settings else f"{words} (set train.epochs={fine}).")
    gap = found.rounding_gap
    if gap > 1e-6 and found.config.train.dtype == "float32" and found.problem.plan.is_full_batch:
        words = f"In float32, rounding stops the updates at a gap near {wording.gap(gap, 1)}"
        sentences.append(f"{words}." if "train.dtype" in settings else f"{words}: set train.dtype=float64.")
    return sentences


def gap_name(gap: float) -> str:
    """A gap as a key of a forecast in JSON.

    >>> gap_name(1e-3)
    '1e-3'
    """
    return f"{gap:.0e}".replace("e-0", "e-")


def _remedy(own: TrainingPlan, better: tuple[TrainingPlan, ...]) -> str:
    """The settings to change: the fewest ones whose epochs are within a factor of `MIN_SAVING` of the fastest plan."""
    target = _finest(own) or next(
        (t for t in (1e-6, 1e-3) if any(c.forecast.epochs[t] is not None for c in better)), None
    )
    best = min(_epochs(plan, target) for plan in better)
    near = [plan for plan in better if _epochs(plan, target) <= MIN_SAVING * best]
    plan = min(near, key=lambda plan: len(plan.overrides))
    settings = f"set {', '.join([*plan.overrides, *_enough_epochs(own, plan, target)])}"
    if target is None or plan.forecast.epochs[target] is None:
        floor = plan.forecast.floor
        return (
            settings if floor is None else f"{settings} (the run then levels off near a gap of {wording.gap(floor, 2)})"
        )
    before = own.forecast.epochs[target]
    instead = f" instead of {before:,}" if before is not None else ""
    return f"{settings} (epochs to a gap of {gap_name(target)}: {plan.forecast.epochs[target]:,}{instead})"


def _enough_epochs(own: TrainingPlan, plan: TrainingPlan, target: float | None) -> list[str]:
    """The epochs of a plan as a setting, if after those given it does not end below the start and the config's end."""
    epochs = None if target is None else plan.forecast.epochs[target]
    is_lower = _final(plan) < min(_final(own), own.forecast.start_gap) or _final(plan) <= MIN_GAP
    if epochs is None or is_lower or any(text.startswith("train.epochs=") for text in plan.overrides):
        return []
    return [f"train.epochs={epochs}"]


def _finest(plan: TrainingPlan) -> float | None:
    """The smallest target gap that a plan reaches; None if it reaches none."""
    return next((target for target in (1e-6, 1e-3) if plan.forecast.epochs[target] is not None), None)


def _epochs(plan: TrainingPlan, target: float | None = 1e-6) -> float:
    """The epochs to a gap, for comparisons; if it is not reached, 1e9 plus those to 1e-3."""
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
