"""inspect_config: the data, the conditioning, the stable rates and the forecast of a run, before training."""

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from linreg_cli.config import LoadedConfig
from linreg_cli.config.schema import Config
from linreg_cli.convergence.limits import (
    Limit,
    batch_safe_limit,
    fixed_order_limit,
    full_batch_limit,
    mean_square_limit,
)
from linreg_cli.convergence.of_config import arrays_of
from linreg_cli.convergence.on_disk import rows_on_disk
from linreg_cli.convergence.original import original_rows, solved_anew
from linreg_cli.convergence.problem import Problem
from linreg_cli.convergence.rates import SgdRule, stable_rate
from linreg_cli.convergence.reaching import Reaching, reaching
from linreg_cli.convergence.stalling import rounding_gap
from linreg_cli.data import Dataset, Preprocessor
from linreg_cli.data.columns.rows import Matrix, RowsOnAccess, in_order, rounded_to
from linreg_cli.errors import DataError
from linreg_cli.evaluation.cross_validation import fold_numbers
from linreg_cli.evaluation.held_out import fitted, left_out
from linreg_cli.evaluation.metrics import Metrics
from linreg_cli.inspection.column_summary import ColumnSummary, summaries
from linreg_cli.inspection.training_plans import TrainingPlan, training_plans
from linreg_cli.least_squares.factor import EPS, Array, blocks
from linreg_cli.least_squares.factorise import factorise, factorise_rows
from linreg_cli.least_squares.optimum import Optimum
from linreg_cli.least_squares.resampling import HeldOut, RidgePath, leave_one_out, ridge_path, weighted_mean
from linreg_cli.least_squares.solve import condition_numbers, of_rows
from linreg_cli.pipeline.prepare import prepare
from linreg_cli.pipeline.prepared import Prepared, Reporter

#: The number of folds if `evaluate.cross_validation` is not set.
FOLDS = 5


@dataclass(frozen=True)
class Ridge:
    """Ridge regression with several penalties on the parameters in scaled units.

    Attributes:
        path: weights and leave-one-out errors, in the order of `weight_decays`.
        weight_decays: the values of `optimizer.weight_decay` for the loss and the batches of the config; for sse with
            mini-batches they are batch_size / n_samples times those of `path`.
        unpenalised: the leave-one-out errors without a penalty.
        means: the mean prediction of the best penalty, and the mean of the target, each of shape (n_targets,), in
            scaled units. torch's weight decay penalises the bias, so the first is smaller unless columns are centred.
        shrinks_mean: whether the penalty shrinks the mean prediction, since SGD would: there is a bias, and a column or
            a target is not centred.
    """

    path: RidgePath
    weight_decays: tuple[float, ...]
    unpenalised: HeldOut
    means: tuple[Array, Array]
    shrinks_mean: bool


@dataclass(frozen=True, eq=False)
class OptimumErrors:
    """The train and cross-validation errors of ordinary least squares, in original units.

    Attributes:
        optimum: of the train split, without weight decay, in units of the transformed target.
        fitted: the metrics on the train split, as `evaluation.held_out` has them.
        leave_one_out: those of leave-one-out cross-validation.
        k_fold: those of k-fold cross-validation; None with one row.
        folds: the number of folds.
    """

    optimum: Optimum
    fitted: Metrics
    leave_one_out: Metrics
    k_fold: Metrics | None
    folds: int


@dataclass(frozen=True, eq=False)
class Inspection:
    """The result of `inspect_config`: everything that is known before training.

    Attributes:
        config: the config as loaded.
        dataset: the rows of all splits, in original units.
        columns: summaries of the columns of the table, features first, then targets.
        problem: the plan and the train split in scaled units, in float64, or in float32 where only this has the rank of
            the training. Rank, dependent columns, curvature, limits and forecasts are computed from it. Rank and
            rounding error are judged by the machine epsilon of the dtype of training.
        standardized: the same with `preprocess.standardize: true`; None if the config has it, if a column cannot be
            standardised, and for a loss that is not squared.
        condition_number: the 2-norm condition number of [X 1] in original units; infinite if columns are linearly
            dependent.
        condition_number_standardized: that of the standardised columns.
        plans: the plan of the config, then alternatives; empty for a loss that is not squared.
        rounding_gap: the relative gap at which updates are lost in the rounding of the dtype of training, up to a
            factor of about ten; 0 for a loss that is not squared.
        huber_lr: for huber, the rate below which a full batch without momentum converges, in scaled units; None for
            other losses.
        ridge: the ridge path; None if it was not requested, and for a loss that is not squared.
        held_out: train and cross-validation errors of ordinary least squares; None for a loss that is not squared.
        way: the settings that lead to the exact fit; None for a loss that is not squared, and with weight decay.
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
    held_out: OptimumErrors | None
    way: Reaching | None

    @property
    def rank_as_given(self) -> int:
        """The rank of the table before its values are rounded to the dtype of training."""
        problem = self.problem
        if problem.given is not None:
            return factorise_rows(problem.given_rows, bias=problem.bias).rank
        return problem.factor.judged_by(EPS).rank

    @property
    def is_squared(self) -> bool:
        """Whether the loss is squared, so that its curvature is constant."""
        return self.problem.plan.loss.is_squared

    @cached_property
    def limits(self) -> dict[str, Limit]:
        """The limits of the learning rate by their keys in `stable_lr`; only for a squared loss."""
        problem, rule = self.problem, self.problem.rule
        return {
            "full_batch": full_batch_limit(problem, rule),
            "batch_safe": batch_safe_limit(problem, rule),
            "mean_square": mean_square_limit(problem, rule),
            "fixed_order": fixed_order_limit(problem, rule),
        }


def inspect_config(loaded: LoadedConfig, reporter: Reporter, *, ridge: bool = False) -> Inspection:
    """Read the data once, and compute what is known before training. Nothing is trained or written.

    Args:
        loaded: the config; its device and executor are ignored, and its dtype is used for rounding error only.
        reporter: receives progress.
        ridge: whether to compute the ridge path.

    Raises:
        ConfigError, DataError: as `prepare`.
        DataError: if the squares of the values overflow or underflow, or if there are too many parameters.
    """
    config = loaded.config
    exact = config.train.model_copy(update={"dtype": "float64", "device": "cpu", "engine": "auto"})
    eps = float(np.finfo(config.train.dtype).eps)
    prepared = prepare(replace(loaded, config=config.model_copy(update={"train": exact})), reporter, eps=eps)
    reporter.stage("finding the optimum and the curvature")
    problem = prepared.problem
    if problem.no_factor_reason:  # inspect may take minutes for a table with many rows
        problem = replace(problem, allow_slow=True)
    if problem.no_factor_reason and not problem.range_reason:
        remedy = "leave out columns (data.ignore), or train with a number for optimizer.lr, without inspect"
        raise DataError(f"{problem.no_factor_reason}; {remedy}")
    problem = _at_rank_of_training(problem, config)
    refuse_extremes(problem)
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
        rounding_gap=rounding_gap(problem, problem.plan.learning_rate(0), rule) if squared else 0.0,
        huber_lr=_huber_lr(problem) if config.loss == "huber" else None,
        ridge=_ridge(problem) if ridge and squared else None,
        held_out=_held_out(prepared, problem) if squared else None,
        way=_way(prepared, config, problem) if squared and not config.optimizer.weight_decay else None,
    )


def _way(prepared: Prepared, config: Config, problem: Problem) -> Reaching:
    """The settings that lead to the exact fit, in the dtype of the config where this is enough."""
    auto = [key for key, made in (("lr", prepared.chosen.lr), ("momentum", prepared.chosen.momentum)) if made.auto]
    train = prepared.config.train.model_copy(update={"dtype": config.train.dtype})
    own = prepared.config.model_copy(update={"train": train})
    return reaching(problem, own, prepared.dataset, prepared.preprocessor, auto=auto)


def _at_rank_of_training(problem: Problem, config: Config) -> Problem:
    """The problem with the rank that training sees: in float32, the numbers are rounded to it if this changes the rank.

    Otherwise they stay in float64, which gives curvature and forecasts more correct digits.
    """
    if config.train.dtype == "float64" or problem.no_factor_reason:
        return problem
    X_nd, y_nk = (rounded_to(values, np.float32) for values in (problem.X_nd, problem.y_nk))
    if factorise(X_nd, y_nk, bias=problem.bias, weights=problem.weight_n).rank == problem.factor.rank:
        return problem
    return replace(problem, X_nd=X_nd, y_nk=y_nk, given=lambda: problem.parts)


def refuse_extremes(problem: Problem) -> None:
    """Raise a DataError for columns whose squares overflow or underflow."""
    reason = problem.no_factor_reason
    if reason is None and problem.plan.loss.is_squared:
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            curved = problem.spectrum.eigenvalues[: problem.spectrum.rank]
        if not np.all((curved > 0) & np.isfinite(curved)):
            reason = "the squares of the values are beyond the range of float64"
    if reason is not None:
        raise DataError(f"{reason}; give the columns in another unit")


def _condition_numbers(prepared: Prepared, problem: Problem) -> tuple[float, float]:
    """Those of [X 1] in original units and of the standardised columns, in float64; infinite below full rank."""
    config, factor = prepared.config, problem.factor.judged_by(EPS)
    if config.preprocess.standardize:
        rows = original_rows(problem, prepared.dataset, prepared.preprocessor)
        squared = problem.plan.loss.is_squared
        factor = solved_anew(config, problem, rows).factor if squared else factorise_rows(rows, bias=config.model.bias)
    standardized, as_given = condition_numbers(factor)
    return as_given, standardized


def _standardized(prepared: Prepared, problem: Problem) -> Problem | None:
    """The same problem with `preprocess.standardize: true` and the same initial parameters."""
    dataset, config = prepared.dataset, prepared.config
    options = config.preprocess.model_copy(update={"standardize": True})
    try:
        preprocessor = Preprocessor.fit(dataset, options, bias=config.model.bias)
    except DataError:  # a column cannot be standardised; the forecast of the config does not need it
        return None
    dtype = torch.float64 if problem.X_nd.dtype == np.float64 else torch.float32
    if isinstance(problem.X_nd, RowsOnAccess):
        return replace(problem, X_nd=rows_on_disk(dataset, preprocessor, "train", dtype, problem.plan.rows).X_nd)
    return replace(problem, X_nd=arrays_of(problem.plan, dataset, preprocessor, dtype)[0])


def _held_out(prepared: Prepared, problem: Problem) -> OptimumErrors:
    """Leave-one-out and k-fold cross-validation, with the folds of `evaluate.cross_validation`, without refitting."""
    dataset, config = prepared.dataset, prepared.config
    given, train = config.evaluate.cross_validation, dataset.splits["train"]
    rows, optimum = original_rows(problem, dataset, prepared.preprocessor), problem.optimum
    assert optimum is not None
    if not _in_original_units(config) or optimum.weight_decay or optimum.factor.eps > EPS:
        optimum = solved_anew(config, problem, rows)
    count = min(given.folds if given is not None else FOLDS, len(train))
    own = fitted(optimum, rows, config.preprocess)
    alone = left_out(optimum, rows, config.preprocess, numbers=in_order(train))
    if count == 1:
        return OptimumErrors(optimum, own, alone, None, count)
    folds = fold_numbers(train, count, shuffle=config.data.split.shuffle, seed=config.seed)
    return OptimumErrors(optimum, own, alone, left_out(optimum, rows, config.preprocess, folds, count), count)


def _in_original_units(config: Config) -> bool:
    """Whether the scaled units are the original ones (after the transform of the target)."""
    return not (config.preprocess.standardize or config.preprocess.standardize_target)


def _ridge(problem: Problem) -> Ridge:
    """The ridge path of the train split in scaled units."""
    plain, spectrum, loss = problem.optimum, problem.spectrum, problem.plan.loss.name
    assert plain is not None
    # From well below the smallest curvature above rounding error, where nothing is shrunk, to where everything is.
    low = min(1e-6 * spectrum.largest, max(1e-2 * spectrum.smallest, 1e-14 * spectrum.largest))
    penalties = np.geomspace(low, 10 * spectrum.largest, 25) if spectrum.largest else np.geomspace(1e-6, 10, 25)
    columns = problem.X_nd, problem.y_nk
    X_mean, y_mean = (weighted_mean(problem.factor, values) for values in columns)
    centred = problem.bias and all(_is_centred(problem, values) for values in columns)
    # SGD penalises the bias, which is 0 for centred columns: there, as for any part of the rows, it keeps the mean.
    path = ridge_path(
        problem.factor, problem.X_nd, problem.y_nk, penalties.tolist(), loss=loss, penalise_bias=not centred
    )
    if plain.weight_decay:
        plain = of_rows(problem.parts, bias=problem.bias, loss=loss)
    decays = tuple(decay * problem.mean_share for decay in path.weight_decays)
    predicted = np.einsum("d,ldk->lk", X_mean, path.weights) + (0.0 if path.bias is None else path.bias)
    unpenalised = leave_one_out(plain, problem.parts)
    return Ridge(path, decays, unpenalised, (predicted[path.best], y_mean), problem.bias and not centred)


def _is_centred(problem: Problem, columns: Matrix) -> bool:
    """Whether the mean of every column is zero within rounding error."""
    largest = np.zeros(columns.shape[1])
    for rows in blocks(len(columns)):
        np.maximum(largest, np.abs(np.asarray(columns[rows], dtype=np.float64)).max(axis=0), out=largest)
    return bool(np.all(np.abs(weighted_mean(problem.factor, columns)) <= 1e-9 * largest))


def _huber_lr(problem: Problem) -> float | None:
    """2 / (largest curvature of half_mse + weight decay): the Huber loss is convex, and its curvature is not larger."""
    lr = stable_rate(problem.spectrum.largest, SgdRule(weight_decay=problem.plan.weight_decay))
    return lr if math.isfinite(lr) else None
