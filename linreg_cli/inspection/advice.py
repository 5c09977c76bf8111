"""What to do, in words, from what `inspect` found: the most pressing first."""

import math

from linreg_cli.inspection.inspect import Course, Inspection

#: More epochs than this are beyond patience, whatever the table.
HOPELESS_EPOCHS = 1_000_000
#: A change must save this factor, and this many epochs, before it is worth a sentence.
WORTHWHILE, WORTHWHILE_EPOCHS = 3.0, 30


def advice(found: Inspection) -> list[str]:
    """Sentences that end in something to do; at least one."""
    said = [*_table(found)]
    if found.landscape is None:
        return [*said, _not_squared(found)]
    own, better = found.courses[0], found.courses[1:]
    if found.landscape.optimum.relative_to <= 0:
        return [*said, "The target is constant: there is nothing to learn."]
    quickest = min(better, key=_epochs)
    if min(_epochs(own), _epochs(quickest)) > HOPELESS_EPOCHS and found.setting.full:
        return [*said, _hopeless(found, quickest)]
    problem = _rate_problem(found, own)
    if problem:
        return [*said, f"{problem}: {_remedy(own, better)}."]
    noise = _noise(found, own)
    said += noise
    target = _finest(own)
    now = _epochs(own, target)
    faster = tuple(c for c in better if now > max(WORTHWHILE * _epochs(c, target), WORTHWHILE_EPOCHS))
    if faster and not noise:
        said.append(f"A faster way: {_remedy(own, faster)}.")
    said += [] if noise else _length(found, own)
    if not said and target is not None:
        planned = found.setting.epochs
        said.append(f"Train: a gap of {gap_name(target)} is reached in {_count(own, target)} of {planned:,} epochs.")
    return said or ["Train, and watch the loss: no change of the rate promises more."]


def rank_meaning(found: Inspection) -> str:
    """What the rank says about the parameters."""
    factor = found.factor
    if factor.rank == factor.n_parameters:
        return "every parameter is determined by the data"
    free = factor.n_parameters - factor.rank
    words = f"{free} direction{'s' if free > 1 else ''} of the parameters change{'' if free > 1 else 's'} no prediction"
    if factor.n_samples < factor.n_parameters:
        return f"{words}: there are fewer rows ({factor.n_samples:,}) than parameters ({factor.n_parameters:,})"
    return f"{words}, so the optimum is not unique"


def _table(found: Inspection) -> list[str]:
    if not found.dependent:
        return []
    spread = dict(zip(found.dataset.features, found.factor.spread, strict=True))
    constant = [name for name in found.dependent if not spread[name]]
    rest = [name for name in found.dependent if spread[name]]
    said = []
    if found.factor.n_samples < found.factor.n_parameters:
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


def _hopeless(found: Inspection, quickest: Course) -> str:
    condition = found.condition_number_standardized
    number = "infinite" if math.isinf(condition) else f"{condition:.2g}"
    where = "even standardised" if found.standardized is not None or found.config.preprocess.standardize else "here"
    landscape = found.standardized or found.landscape
    assert landscape is not None
    carried = landscape.spectrum.carriers(found.dataset.features, max(landscape.spectrum.rank - 1, 0))
    columns = [name for name, share in carried if share > 0.05 and name != "bias"]
    return (
        f"Gradient descent is hopeless {where}: at the best rate and momentum a gap of 1e-6 takes {_count(quickest)} "
        f"epochs, because the columns nearly depend on each other (condition number {number}). Leave out or combine "
        f"columns, beginning with {_names(columns)}; or solve this one exactly (QR), not by steps."
    )


def _rate_problem(found: Inspection, own: Course) -> str | None:
    """What is wrong with the config's rate, if anything."""
    landscape = found.landscape
    assert landscape is not None
    limit = landscape.average
    if own.lr >= limit:
        return f"The rate {own.lr:g} diverges, {own.lr / limit:.3g} times the limit"
    mean_square = landscape.mean_square.lr
    if mean_square is not None and not found.setting.full and own.lr >= mean_square:
        if found.motion.momentum:
            return f"The rate {own.lr:g} is above {mean_square:.4g}, below which random batches are sure to settle"
        return f"The rate {own.lr:g} is above {mean_square:.4g}, so a run of random batches may not settle"
    return None


def _noise(found: Inspection, own: Course) -> list[str]:
    """What mini-batches at a constant rate cannot reach, and what can."""
    floor, told = own.forecast.floor_gap, own.forecast
    if found.setting.full or floor is None or floor < 1e-6 or told.epochs[1e-6] is not None:
        return []
    ways = [course for course in found.courses[1:] if course.forecast.epochs[1e-6] is not None]
    falling = [course for course in ways if any("cosine" in change for change in course.overrides)]
    size = found.setting.batch_size
    said = (
        f"Batches of {size:,} row{'s' * (size > 1)} at the rate {own.lr:g} level off near a gap of {floor:.2g}, and "
        "not at 1e-6: their noise keeps a constant rate there"
    )
    if falling:
        course = falling[0]
        return [f"{said}. A rate that falls lets it through no more: set {', '.join(course.overrides)}."]
    return [f"{said}; a lower rate for more epochs, or a larger batch, ends lower."]


def _length(found: Inspection, own: Course) -> list[str]:
    """Whether the config's epochs are enough, and its number type."""
    said = []
    planned, coarse = found.setting.epochs, own.forecast.epochs[1e-3]
    if coarse is not None and coarse > planned:
        said.append(f"As it is, the {planned:,} epochs are too few: a gap of 1e-3 takes {coarse:,} (train.epochs).")
    elif coarse is not None and (own.forecast.epochs[1e-6] or 0) > planned:
        reached = f"The {planned:,} epochs reach a gap of 1e-3 (after {coarse:,})"
        said.append(f"{reached}; for 1e-6 they must be {_count(own)} (train.epochs).")
    gap = found.rounding_gap
    if gap > 1e-6 and found.config.train.dtype == "float32" and found.setting.full:
        said.append(f"Set train.dtype=float64: in float32 rounding stops the steps at a gap near {gap:.0e}.")
    return said


def gap_name(gap: float) -> str:
    """A gap as the keys of a forecast have it.

    >>> gap_name(1e-3)
    '1e-3'
    """
    return f"{gap:.0e}".replace("e-0", "e-")


def _remedy(own: Course, better: tuple[Course, ...]) -> str:
    """What to set: the fewest changes that come within `WORTHWHILE` of the quickest way."""
    target = _finest(own) or next(
        (t for t in (1e-6, 1e-3) if any(c.forecast.epochs[t] is not None for c in better)), None
    )
    best = min(_epochs(course, target) for course in better)
    near = [course for course in better if _epochs(course, target) <= WORTHWHILE * best]
    course = min(near, key=lambda course: len(course.overrides))
    settings = f"set {', '.join(course.overrides)}"
    if target is None or course.forecast.epochs[target] is None:
        floor = course.forecast.floor_gap
        return settings if floor is None else f"{settings} (it then ends near a gap of {floor:.2g})"
    before = own.forecast.epochs[target]
    instead = f", not {before:,}" if before is not None else ""
    return f"{settings} (epochs to a gap of {gap_name(target)}: {course.forecast.epochs[target]:,}{instead})"


def _finest(course: Course) -> float | None:
    """The smallest gap that it reaches."""
    return next((target for target in (1e-6, 1e-3) if course.forecast.epochs[target] is not None), None)


def _epochs(course: Course, target: float | None = 1e-6) -> float:
    """Epochs to a gap; where it is not reached, those to 1e-3 and as good as for ever."""
    fine, coarse = course.forecast.epochs[target or 1e-6], course.forecast.epochs[1e-3]
    if fine is not None:
        return max(fine, 1)
    return 1e9 + (coarse if coarse is not None else 1e9)


def _count(course: Course, target: float = 1e-6) -> str:
    epochs = course.forecast.epochs[target]
    return "more than 10,000,000" if epochs is None else f"{epochs:,}"


def _names(names: list[str], most: int = 4) -> str:
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
