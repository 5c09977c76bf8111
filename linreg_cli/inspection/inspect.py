"""inspect_config: what can be known about a training before its first step."""

import math
from dataclasses import dataclass, replace

import numpy as np

from linreg_cli.config import LoadedConfig
from linreg_cli.config.schema import Config
from linreg_cli.convergence.limits import Limit, batch_safe_limit, full_batch_limit, mean_square_limit
from linreg_cli.convergence.problem import Problem
from linreg_cli.convergence.rates import SgdRule, stable_rate
from linreg_cli.data import Dataset, Preprocessor
from linreg_cli.data.columns.rows import StackedRows, in_order
from linreg_cli.data.scaling import original_rows
from linreg_cli.errors import DataError
from linreg_cli.evaluation.cross_validation import folds
from linreg_cli.inspection.column_summary import ColumnSummary, summaries
from linreg_cli.inspection.training_plans import TrainingPlan, training_plans
from linreg_cli.least_squares.factor import EPS, Array, factorise
from linreg_cli.least_squares.resampling import HeldOut, RidgePath, k_fold, leave_one_out, ridge_path
from linreg_cli.least_squares.solve import Optimum, condition_numbers, least_squares
from linreg_cli.pipeline.prepare import Prepared, Reporter, prepare

#: Parts of the k-fold error where `evaluate.cross_validation` says none.
FOLDS = 5


@dataclass(frozen=True)
class Ridge:
    """Penalties on the weights, each judged by leaving rows out.

    Attributes:
        path: in the order of `weight_decays`, which are those of the config's loss and batches.
        weight_decays: torch.optim.SGD's `weight_decay`.
        unpenalised: the leave-one-out error without a penalty.
    """

    path: RidgePath
    weight_decays: tuple[float, ...]
    unpenalised: HeldOut


@dataclass(frozen=True, eq=False)
class HeldOutErrors:
    """Errors of the optimum on rows left out of the fit, in original units (the target's transform applied).

    Attributes:
        optimum: of the whole train split, without weight decay.
        fitted: root mean square of its residuals.
        leave_one_out: each row predicted by the fit of the others.
        k_fold: each fold predicted by the fit of the others.
        folds: how many.
        spread: shape (n_targets,), standard deviation of each target, n in the denominator.
    """

    optimum: Optimum
    fitted: float
    leave_one_out: HeldOut
    k_fold: HeldOut | None
    folds: int
    spread: Array


@dataclass(frozen=True, eq=False)
class Inspection:
    """Everything that `inspect` knows.

    Attributes:
        config: as it would be trained.
        dataset: the rows.
        columns: of the table, features first, then targets.
        problem: the plan and the train split in the units that are trained: rank, dependent columns, curvature,
            limits and forecasts are read from it. Its numbers are float64, so that what is said is about the data; what
            the rounding of the dtype that is trained in makes of rank and gap is counted in.
        standardized: the same with `preprocess.standardize: true`; None where the config says so already, where it
            cannot be, and for a loss that is not squared.
        condition_number: of [X 1] in original units; infinite where columns are dependent.
        condition_number_standardized: the same of standardised columns.
        plans: the config's own way to train first, then better ones; empty for a loss that is not squared.
        rounding_gap: the gap near which steps get lost in the rounding of the config's dtype, roughly.
        huber_lr: for huber, a rate below which a full batch without momentum converges, else None.
        ridge: where it was asked for and applies.
        held_out: errors of the optimum on rows that it was not fitted to; None where it is not worked out.
    """

    config: Config
    dataset: Dataset
    columns: tuple[ColumnSummary, ...]
    problem: Problem
    standardized: Problem | None
    condition_number: float
    condition_number_standardized: float
    plans: tuple[TrainingPlan, ...]
    rounding_gap: float
    huber_lr: float | None
    ridge: Ridge | None
    held_out: HeldOutErrors | None

    @property
    def is_squared(self) -> bool:
        """Whether the loss is squared, so that it has one curvature everywhere."""
        return self.problem.plan.loss.is_squared

    @property
    def limits(self) -> dict[str, Limit]:
        """The limits of the rate by the names that `stable_lr` has; only for a squared loss."""
        problem, rule = self.problem, self.problem.rule
        return {
            "full_batch": full_batch_limit(problem, rule),
            "batch_safe": batch_safe_limit(problem, rule),
            "mean_square": mean_square_limit(problem, rule),
        }


def inspect_config(loaded: LoadedConfig, reporter: Reporter, *, ridge: bool = False) -> Inspection:
    """Read the data once and say what training it will be like. Nothing is trained and nothing is written.

    Args:
        loaded: the config; its device and its executor are not used, and its dtype only for what rounding does.
        reporter: where progress goes.
        ridge: whether to work out the ridge path too.

    Raises:
        ConfigError, DataError: as for `prepare`.
    """
    config = loaded.config
    exact = config.train.model_copy(update={"dtype": "float64", "device": "cpu", "engine": "reference"})
    prepared = prepare(replace(loaded, config=config.model_copy(update={"train": exact})), reporter)
    reporter.stage("finding the optimum and the curvature")
    eps = float(np.finfo(config.train.dtype).eps)
    problem = prepared.problem
    if problem.no_factor_reason or eps != EPS:  # a table that takes minutes is worth them here
        problem = replace(problem, patient=True, eps=eps)
    _refuse_extremes(problem)
    squared = problem.plan.loss.is_squared
    dataset, rule = prepared.dataset, problem.rule
    standardized = _standardized(prepared, problem) if squared and not config.preprocess.standardize else None
    given, standard = _condition_numbers(prepared, problem)
    return Inspection(
        config=config,
        dataset=dataset,
        columns=summaries(dataset),
        problem=problem,
        standardized=standardized,
        condition_number=given,
        condition_number_standardized=standard,
        plans=training_plans(prepared.config, problem, standardized) if squared else (),
        rounding_gap=problem.rounding_gap(problem.plan.learning_rate(0), rule) if squared else 0.0,
        huber_lr=_huber_lr(problem) if config.loss == "huber" else None,
        ridge=_ridge(problem) if ridge and squared else None,
        held_out=_held_out(prepared, problem) if squared else None,
    )


def _refuse_extremes(problem: Problem) -> None:
    """Refuse columns whose squares overflow or underflow.

    Raises:
        DataError: with what to do about it.
    """
    reason = problem.no_factor_reason
    if reason is None and problem.plan.loss.is_squared:
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            curved = problem.spectrum.eigenvalues[: problem.spectrum.rank]
        if not np.all((curved > 0) & np.isfinite(curved)):
            reason = "the squares of the values are beyond the range of float64"
    if reason is not None:
        raise DataError(f"{reason}; give the columns in another unit, or set preprocess.standardize: true")


def _condition_numbers(prepared: Prepared, problem: Problem) -> tuple[float, float]:
    """Of [X 1] in original units, as given and standardised; infinite where the trained columns are dependent."""
    config, dataset = prepared.config, prepared.dataset
    if problem.factor.rank < problem.factor.n_parameters:
        return math.inf, math.inf
    factor = problem.factor
    if config.preprocess.standardize:
        rows = in_order(dataset.splits["train"])
        X_nd, y_nk = (StackedRows(dataset.columns, names, rows) for names in (dataset.features, dataset.targets))
        factor = factorise(X_nd, y_nk, bias=config.model.bias)
    standardized, as_given = condition_numbers(factor)
    return as_given, standardized


def _standardized(prepared: Prepared, problem: Problem) -> Problem | None:
    """The same training with `preprocess.standardize: true`, from the same initial parameters."""
    dataset, config = prepared.dataset, prepared.config
    options = config.preprocess.model_copy(update={"standardize": True})
    try:
        preprocessor = Preprocessor.fit(dataset, options, bias=config.model.bias)
    except DataError:  # values that cannot be standardised; training as configured can still be forecast
        return None
    X_nd = preprocessor.features.tensor(dataset, dataset.splits["train"], prepared.tensors["train"][1].dtype)
    return replace(problem, X_nd=X_nd.numpy())


def _held_out(prepared: Prepared, problem: Problem) -> HeldOutErrors:
    """Leave-one-out and K folds as `evaluate.cross_validation` cuts them, without refitting."""
    dataset, config = prepared.dataset, prepared.config
    given, rows = config.evaluate.cross_validation, dataset.splits["train"]
    _, X, given_y = original_rows(dataset, prepared.preprocessor)
    y = np.asarray(given_y)
    optimum = problem.optimum
    assert optimum is not None
    if not _as_it_is(config) or optimum.weight_decay or optimum.factor.eps > EPS:
        optimum = least_squares(X, y, bias=config.model.bias, loss="mse")
    count = min(given.folds if given is not None else FOLDS, len(rows))
    k_folded = None
    if count > 1:
        cut = folds(rows, count, shuffle=config.data.split.shuffle, seed=config.seed)
        rising = np.sort(rows)
        k_folded = k_fold(optimum, X, y, [np.searchsorted(rising, np.sort(fold)) for fold in cut])
    fitted = math.sqrt(optimum.train_loss / (optimum.scale * y.size))
    return HeldOutErrors(optimum, fitted, leave_one_out(optimum, X, y), k_folded, count, y.std(axis=0))


def _as_it_is(config: Config) -> bool:
    """Whether the trained units are the original ones (after the target's transform)."""
    return not (config.preprocess.standardize or config.preprocess.standardize_target)


def _ridge(problem: Problem) -> Ridge:
    """The ridge path of the train split in trained units."""
    plain, spectrum, loss = problem.optimum, problem.spectrum, problem.plan.loss.name
    assert plain is not None
    # From well below the flattest direction that the data can tell from rounding, to where everything is shrunk.
    low = min(1e-6 * spectrum.largest, max(1e-2 * spectrum.smallest, 1e-14 * spectrum.largest))
    penalties = np.geomspace(low, 10 * spectrum.largest, 25) if spectrum.largest else np.geomspace(1e-6, 10, 25)
    path = ridge_path(problem.factor, problem.X_nd, problem.y_nk, penalties.tolist(), loss=loss)
    if plain.weight_decay:
        plain = least_squares(problem.X_nd, problem.y_nk, bias=problem.bias, loss=loss)
    decays = tuple(decay * problem.batch_share for decay in path.weight_decays)
    return Ridge(path, decays, leave_one_out(plain, problem.X_nd, problem.y_nk))


def _huber_lr(problem: Problem) -> float | None:
    """2 / (largest curvature of half_mse + weight decay): the Huber loss is nowhere more curved, and it is convex."""
    lr = stable_rate(problem.spectrum.largest, SgdRule(weight_decay=problem.plan.weight_decay))
    return lr if math.isfinite(lr) else None
