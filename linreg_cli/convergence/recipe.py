"""The settings of a new config that lead to the exact fit."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from linreg_cli.config.schema import Config
from linreg_cli.convergence.dynamics import Modes
from linreg_cli.convergence.full_batch import full_batch_ends
from linreg_cli.convergence.gaps import certified_gap
from linreg_cli.convergence.of_config import problem_of
from linreg_cli.convergence.original import original_optimum
from linreg_cli.convergence.problem import Problem
from linreg_cli.convergence.rates import SgdRule, best_rate
from linreg_cli.convergence.reaching import AIM, impossible, no_exact_fit
from linreg_cli.convergence.trials import MOST_EPOCHS, Trials, changed, distance_at, first_epochs, generous
from linreg_cli.data import Dataset, Preprocessor
from linreg_cli.data.scaling import original_rows
from linreg_cli.least_squares.inference import refusal
from linreg_cli.remedies import setting
from linreg_cli.wording import rounded

#: The distance to aim at, in standard errors: below that of advice, because it costs little, and R2 of a few test rows
#: needs it.
FINE_AIM = AIM / 100
#: The relative gap of the loss to aim at where coefficients have no standard errors.
_AIM_GAP = 1e-12
#: More epochs than these take more than half a minute, and a new config does not set them.
_PRACTICAL_EPOCHS = 50_000
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
        why: why the run will not end at the exact fit, or why that is not known; None if it will.
    """

    lr: float | str
    momentum: float | str
    epochs: int
    stop_gap: float | None
    why: str | None


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
        return Recipe(lr, 0.9, UNKNOWN_EPOCHS, None, f"not known: {problem.no_curvature_reason}")
    new, exact = changed(config, NEW_CONFIG), problem
    if (new.preprocess, new.train.dtype) != (config.preprocess, config.train.dtype):
        preprocessor = Preprocessor.fit(dataset, new.preprocess, bias=new.model.bias)
        exact = problem_of(new, dataset, preprocessor)
    config = new
    _, X, y = original_rows(dataset, preprocessor)
    original = original_optimum(config, exact, X, y)
    why, epochs = no_exact_fit(exact, original), None
    if why is None and original is not None:
        trials = Trials(exact, config, dataset, preprocessor, original)
        epochs = trials.epochs({}, FINE_AIM)
        if epochs is None or epochs > _PRACTICAL_EPOCHS:
            epochs = trials.epochs({}, AIM)
        if epochs is None:
            why = impossible(exact, trials)
        elif epochs > _PRACTICAL_EPOCHS:
            why = f"{impossible(exact, trials)}, or train for minutes with {setting('train.epochs', epochs)}"
            epochs = None
    if epochs is None:
        epochs = min(_epochs_to_gap(exact), _UNREACHED_EPOCHS)
    return Recipe("auto", "auto", max(epochs, _LEAST_EPOCHS), _stop_gap(exact), why)


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
