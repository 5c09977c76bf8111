"""The settings of a new config that lead to the exact fit."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from linreg_cli.config.schema import Config
from linreg_cli.convergence.dynamics import Modes
from linreg_cli.convergence.full_batch import full_batch_ends
from linreg_cli.convergence.gaps import certified_gap
from linreg_cli.convergence.of_config import problem_of
from linreg_cli.convergence.original import original_optimum, original_rows
from linreg_cli.convergence.problem import Problem
from linreg_cli.convergence.rates import SgdRule, best_rate
from linreg_cli.convergence.reaching import AIM, no_exact_fit, reaching
from linreg_cli.convergence.trials import MOST_EPOCHS, Trials, changed, distance_at, first_epochs, generous
from linreg_cli.data import Dataset, Preprocessor
from linreg_cli.findings import Finding
from linreg_cli.least_squares.refusal import refusal
from linreg_cli.optim.engines.costs import estimate
from linreg_cli.wording import rounded

#: The distance to aim at, in standard errors: below that of advice, because it costs little, and R2 of a few test rows
#: needs it.
FINE_AIM = AIM / 100
#: The relative gap of the loss to aim at where coefficients have no standard errors.
_AIM_GAP = 1e-12
#: Seconds that a new config may train for.
_PRACTICAL_SECONDS = 30.0
#: The epochs where the exact fit cannot be reached, and where it is not known.
_UNREACHED_EPOCHS, UNKNOWN_EPOCHS = 10_000, 1_000
#: The epochs of a new config, at least: fewer are enough for some tables, but not once a column is added.
_LEAST_EPOCHS = 100
#: The settings of a new config beside the epochs and the gap.
NEW_CONFIG: Mapping[str, Any] = {
    "preprocess.standardize": True,
    "preprocess.standardize_target": True,
    "optimizer.lr": "auto",
    "optimizer.momentum": "auto",
    "train.batch_size": "full",
    "train.dtype": "float64",
}


@dataclass(frozen=True)
class Recipe:
    """The settings of a new config whose columns are standardised and whose batch is full.

    Attributes:
        lr: `auto`, or a rate that is stable where the curvature is not computed.
        momentum: `auto`, or a number beside such a rate.
        epochs: of training.
        stop_gap: the gap to stop at; None where none can be certified.
        outlook: that the run will not end at the exact fit, and what to do, or why there is none or none is known; None
            if it will.
    """

    lr: float | str
    momentum: float | str
    epochs: int
    stop_gap: float | None
    outlook: Finding | None


def recipe(config: Config, problem: Problem, dataset: Dataset, preprocessor: Preprocessor) -> Recipe:
    """The rate, the epochs and the gap to stop at, for a new config with the settings of `NEW_CONFIG`.

    The dtype of these is float64: a full batch of a squared loss is trained from second moments, so an epoch costs the
    same in both dtypes, and float32 cannot resolve every table.

    Args:
        config: of the table, with a squared loss; `NEW_CONFIG` is put in place of its own settings, so a rate that is a
            number does, where `auto` would be refused.
        problem: the plan and the train split of the config.
        dataset: the rows.
        preprocessor: of the config.

    Raises:
        DataError: if a column cannot be standardised.
    """
    if problem.no_curvature_reason:
        # No curvature of standardised columns is above their number, times two for a mean of squares.
        lr = rounded(1 / (2 * (problem.X_nd.shape[1] + 1)), 1)
        return Recipe(lr, 0.9, UNKNOWN_EPOCHS, None, _not_known(problem.no_curvature_reason))
    new, exact = changed(config, NEW_CONFIG), problem
    if (new.preprocess, new.train.dtype) != (config.preprocess, config.train.dtype):
        preprocessor = Preprocessor.fit(dataset, new.preprocess, bias=new.model.bias)
        exact = problem_of(new, dataset, preprocessor)
    original = original_optimum(new, exact, original_rows(exact, dataset, preprocessor))
    if original is None:
        return _unreached(new, exact, _not_known(str(exact.no_optimum_reason)))
    if (why := no_exact_fit(exact, original)) is not None:
        return _unreached(new, exact, Finding("no_exact_fit", f"the exact fit has no standard errors: {why}"))
    trials = Trials(exact, new, dataset, preprocessor, original)
    for aim in (FINE_AIM, AIM):
        epochs = trials.epochs({}, aim)
        if epochs is not None and _seconds(exact, epochs) <= _PRACTICAL_SECONDS:
            return Recipe("auto", "auto", max(epochs, _LEAST_EPOCHS), _stop_gap(exact), None)
    found = _unreached(new, exact, None)
    new = changed(new, {"train.epochs": found.epochs, "train.stop_gap": found.stop_gap})
    way = reaching(exact, new, dataset, preprocessor, original, auto=(), failed=True)
    reason = way.remedy if way.epochs is None or way.why else f"that takes {way.epochs:,} epochs; {way.remedy}"
    return replace(found, outlook=Finding("not_converged", f"training will not end at the exact fit: {reason}"))


def _not_known(reason: str) -> Finding:
    return Finding("no_exact_fit", f"whether training ends at the exact fit is not known: {reason}")


def _unreached(config: Config, problem: Problem, outlook: Finding | None) -> Recipe:
    """The recipe where there is no exact fit to end at, or it takes too long."""
    epochs = max(min(_epochs_to_gap(problem), _UNREACHED_EPOCHS), _LEAST_EPOCHS)
    return Recipe("auto", "auto", epochs, _stop_gap(problem), outlook)


def _seconds(problem: Problem, epochs: int) -> float:
    """The estimated time of a full-batch run, which takes its steps from second moments."""
    plan, (d, k) = replace(problem.plan, epochs=epochs), (problem.X_nd.shape[1], problem.y_nk.shape[1])
    return estimate("statistics", plan, d, k, compiled=True).steps


def _epochs_to_gap(problem: Problem) -> int:
    """The epochs of the optimal heavy ball to a relative gap of the loss of 1e-12; at most `MOST_EPOCHS`."""
    spectrum, base = problem.spectrum, problem.relative_to
    if not spectrum.rank:
        return 1
    best = best_rate(spectrum.largest, spectrum.smallest, SgdRule())
    modes = Modes.of(spectrum, problem.start_distances, SgdRule(), None)

    def is_near(epochs: int) -> bool:
        rates, momenta = [best.lr], [best.momentum]
        ends = full_batch_ends(modes.h, modes.square, rates=rates, momenta=momenta, rule=modes.rule, epochs=epochs)
        return bool(ends[0] <= _AIM_GAP * (base or 1.0))

    return generous(first_epochs(is_near, MOST_EPOCHS) or MOST_EPOCHS)


def _stop_gap(problem: Problem) -> float | None:
    """The gap below which every coefficient is within `FINE_AIM` standard errors; None if it is not certified."""
    optimum = problem.optimum
    assert optimum is not None
    gap = _AIM_GAP
    if refusal(optimum, problem.plan.loss.name) is None:
        gap = (FINE_AIM / distance_at(optimum, 1.0)) ** 2
    gap = rounded(gap, 1)
    least = certified_gap(optimum, optimum.weights, optimum.bias) if optimum.relative_to > 0 else None
    return gap if least is not None and gap > 10 * least else None
