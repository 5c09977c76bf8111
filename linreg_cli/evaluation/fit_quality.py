"""How good a fit is, beside the exact answer: its gap, and inference where it is near enough."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch

from linreg_cli.config.schema import Config
from linreg_cli.convergence.problem import Problem
from linreg_cli.data import Dataset, Preprocessor
from linreg_cli.data.columns.rows import StackedRows
from linreg_cli.data.scaling import original_rows
from linreg_cli.evaluation.metrics import Metrics, parameters
from linreg_cli.least_squares.factor import Array, blocks
from linreg_cli.least_squares.inference import Inference, infer, refusal
from linreg_cli.least_squares.influence import influence_table
from linreg_cli.least_squares.resampling import HeldOut, leave_one_out
from linreg_cli.least_squares.solve import Optimum, least_squares, loses_digits
from linreg_cli.model import LinearFormula, fold, fold_parameters, parameters_of

#: Cells of the train split up to which `metrics.json` has the leave-one-out error; `linreg inspect` always has it.
MOST_HELD_OUT_CELLS = 2_000_000


@dataclass(frozen=True)
class FitQuality:
    """How good a fit is.

    Attributes:
        metrics: `optimum` and `inference` of `metrics.json`.
        influence: `influence.csv`, of the optimum's rows; None where inference is refused.
    """

    metrics: Metrics
    influence: pa.Table | None


def fit_quality(
    config: Config,
    dataset: Dataset,
    preprocessor: Preprocessor,
    problem: Problem,
    model: torch.nn.Sequential,
    train_loss: float,
) -> FitQuality:
    """`optimum` and `inference` of `metrics.json`; where there is none, the reason.

    Args:
        config: of the run.
        dataset: its rows.
        preprocessor: of the run.
        problem: its plan and its train split.
        model: as trained.
        train_loss: over the train split, in trained units.
    """
    rows, X, y = original_rows(dataset, preprocessor)
    original = _original_optimum(config, problem, X, y)
    fits, refused = _inference(config, dataset, problem, original, (X, y), fold(model, preprocessor))
    values: Metrics = {"refused": refused}
    if fits:
        each = {target: {"n": len(fit.residuals), **fit.as_json()} for target, fit in fits.items()}
        values = each if len(each) > 1 else each[dataset.targets[0]]
    influence = influence_table(rows, fits) if fits else None
    if problem.no_optimum_reason is not None:
        none = {"optimum": None, "optimum_reason": problem.no_optimum_reason, "inference": values}
        return FitQuality(none, influence)
    optimum = _optimum(config, preprocessor, problem, original)
    distance = problem.distance(*parameters_of(model), train_loss)
    assert distance is not None
    position: Metrics = {"gap": distance.gap, "gap_relative_to": distance.relative_to}
    if distance.gap is None:
        position["gap_reason"] = "the optimum and the loss of the best constant are both zero, or the loss is too large"
    optimum = {"train_loss": optimum.pop("train_loss"), **position, **optimum}
    if original is not None and not config.optimizer.weight_decay and X.size <= MOST_HELD_OUT_CELLS:
        optimum["leave_one_out"] = held_out_metrics(leave_one_out(original, X, y), np.asarray(y).std(axis=0))
    return FitQuality({"optimum": optimum, "inference": values}, influence)


def held_out_metrics(found: HeldOut, spread_k: Array) -> Metrics:
    """`mse`, `rmse` and `r2` of rows predicted by fits without them; None with `reason` where they are undefined.

    R2 is 1 - (mean squared error) / (variance), the mean over targets.

    Args:
        found: the errors.
        spread_k: shape (n_targets,), standard deviation of each target, n in the denominator.
    """
    if found.errors is None:
        return {"mse": None, "rmse": None, "r2": None, "reason": found.reason}
    squares = np.mean(found.errors**2, axis=0)
    mse = float(np.mean(squares))
    values: Metrics = {"mse": mse, "rmse": math.sqrt(mse), "r2": None}
    if (spread_k > 0).all():
        return {**values, "r2": float(np.mean(1 - squares / spread_k**2))}
    return {**values, "reason": "R2 is undefined: a target is constant"}


def _original_optimum(config: Config, problem: Problem, X: StackedRows, y: StackedRows) -> Optimum | None:
    """The optimum of the squared loss in original units, without a penalty; None where it is not worked out.

    Solved anew only where the numbers that were trained on are others: scaled, penalised, or rounded to float32.
    """
    trained = problem.optimum
    if trained is None:
        return None
    scaled = config.preprocess.standardize or config.preprocess.standardize_target
    if not (scaled or config.optimizer.weight_decay):
        if config.train.dtype == "float64":
            return trained
        digits = trained.is_unique and not loses_digits(trained.factor, trained.weights, trained.bias)
        if digits and _are_equal(problem.X_nd, X) and _are_equal(problem.y_nk, y):
            return trained
    return least_squares(X, y, bias=config.model.bias, loss=config.loss)


def _are_equal(trained: npt.NDArray[Any], original: StackedRows) -> bool:
    """Whether no value was rounded on the way to the tensor; both in the table's order, or they differ."""
    return all(np.array_equal(trained[rows], original[rows]) for rows in blocks(len(original)))


def _optimum(config: Config, preprocessor: Preprocessor, problem: Problem, original: Optimum | None) -> Metrics:
    found = problem.optimum
    if found is None:
        robust = problem.robust
        assert robust is not None
        formula = fold_parameters(robust.weights, robust.bias, preprocessor)
        return {"train_loss": robust.train_loss, "parameters": parameters(formula), "method": robust.method}
    formula = fold_parameters(found.weights, found.bias, preprocessor)
    if original is not None and not config.optimizer.weight_decay:
        # Solved in original units: the trained ones may be single precision.
        formula = replace(formula, weights=original.weights, bias=original.bias)
    values: Metrics = {
        "train_loss": found.train_loss,
        "parameters": parameters(formula),
        "rank": found.rank,
        "n_parameters": found.factor.n_parameters,
        "is_unique": found.is_unique,
        "condition_number": _finite(found.condition_number),
        "condition_number_as_given": _finite(found.condition_number_as_given),
    }
    if not math.isfinite(found.condition_number):
        values["condition_number_reason"] = "columns are constant or depend on each other"
    if found.rank < found.factor.n_parameters:
        values["dependent_columns"] = list(problem.dependent_columns)
    if config.optimizer.weight_decay:
        # What SGD descends on when a step sees a part of a sum meets more of the penalty.
        values["objective"] = found.objective
    return values


def _inference(
    config: Config,
    dataset: Dataset,
    problem: Problem,
    original: Optimum | None,
    rows: tuple[StackedRows, StackedRows],
    trained: LinearFormula,
) -> tuple[dict[str, Inference], str | None]:
    """By target; where there is none, why."""
    if config.optimizer.weight_decay:
        return {}, "weight decay biases the coefficients; set optimizer.weight_decay: 0"
    if not problem.plan.loss.is_squared:
        return {}, f"standard errors of least squares do not hold for loss: {config.loss}; train with mse"
    if original is None:
        return {}, f"it needs the exact optimum: {problem.no_optimum_reason}"
    if "bias" in dataset.features and config.model.bias:
        return {}, "a column is named 'bias', as the intercept is; rename it"
    reason = refusal(original, config.loss, (trained.weights, trained.bias), names=dataset.features)
    if reason is not None:
        return {}, reason
    names = dataset.features
    return {target: infer(original, *rows, names=names, target=k) for k, target in enumerate(dataset.targets)}, None


def _finite(value: float) -> Any:
    return value if math.isfinite(value) else None
