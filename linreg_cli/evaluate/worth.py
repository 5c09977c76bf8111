"""What a trained model is worth beside the exact answer: its gap, and inference where it is near enough."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from linreg_cli.config.schema import Config
from linreg_cli.data import Dataset, Preprocessor
from linreg_cli.data.transform import forward
from linreg_cli.evaluate.analysis import SQUARED, Analysis
from linreg_cli.evaluate.exact import Optimum, least_squares
from linreg_cli.evaluate.factor import Array
from linreg_cli.evaluate.inference import infer, refusal
from linreg_cli.evaluate.metrics import Metrics, parameters
from linreg_cli.model import LinearFormula, fold, fold_parameters, parameters_of


def worth(
    config: Config,
    dataset: Dataset,
    preprocessor: Preprocessor,
    analysis: Analysis,
    model: torch.nn.Sequential,
    train_loss: float,
) -> Metrics:
    """`optimum` and `inference` of `metrics.json`; where there is none, the reason.

    Args:
        config: of the run.
        dataset: its rows.
        preprocessor: of the run.
        analysis: of the train split.
        model: as trained.
        train_loss: over the train split, in trained units.
    """
    original = None
    if config.loss in SQUARED and analysis.no_optimum is None:
        # Not named, so that these rows are gone before others are made.
        original = least_squares(*original_rows(dataset, preprocessor), bias=config.model.bias, loss=config.loss)
    inference = _inference(config, dataset, preprocessor, analysis, original, fold(model, preprocessor))
    if analysis.no_optimum is not None:
        return {"optimum": None, "optimum_reason": analysis.no_optimum, "inference": inference}
    optimum = _optimum(config, preprocessor, analysis, original)
    distance = analysis.distance(*parameters_of(model), train_loss)
    assert distance is not None
    position: Metrics = {"gap": distance.gap, "gap_relative_to": distance.relative_to}
    if distance.gap is None:
        position["gap_reason"] = "the optimum and the loss of the best constant are both zero, or the loss is too large"
    return {"optimum": {"train_loss": optimum.pop("train_loss"), **position, **optimum}, "inference": inference}


def original_rows(dataset: Dataset, preprocessor: Preprocessor) -> tuple[Array, Array]:
    """The train split in original units (the target's transform applied): X (n, n_features), y (n, n_targets)."""
    rows, transform = dataset.splits["train"], preprocessor.targets.transform
    X = np.column_stack([dataset.columns[name][rows] for name in dataset.features])
    return X, np.column_stack([forward(transform, dataset.columns[name][rows]) for name in dataset.targets])


def _optimum(config: Config, preprocessor: Preprocessor, analysis: Analysis, original: Optimum | None) -> Metrics:
    found = analysis.optimum
    if found is None:
        robust = analysis.robust
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
        values["condition_number_reason"] = "columns are constant or determine each other"
    if config.optimizer.weight_decay:
        # What SGD descends on when a step sees a part of a sum meets more of the penalty.
        values["objective"] = found.objective
    return values


def _inference(
    config: Config,
    dataset: Dataset,
    preprocessor: Preprocessor,
    analysis: Analysis,
    original: Optimum | None,
    trained: LinearFormula,
) -> Metrics:
    if config.optimizer.weight_decay:
        return {"refused": "weight decay biases the coefficients; set optimizer.weight_decay: 0"}
    if config.loss not in SQUARED:
        return {"refused": f"standard errors of least squares do not hold for loss: {config.loss}; train with mse"}
    if original is None:
        return {"refused": f"it needs the exact optimum: {analysis.no_optimum}"}
    if "bias" in dataset.features and config.model.bias:
        return {"refused": "a column is named 'bias', as the intercept is; rename it"}
    reason = refusal(original, config.loss, (trained.weights, trained.bias), names=dataset.features)
    if reason is not None:
        return {"refused": reason}
    X, y = original_rows(dataset, preprocessor)
    each = {
        target: {"n": len(X), **infer(original, X, y, names=dataset.features, target=k).as_json()}
        for k, target in enumerate(dataset.targets)
    }
    return each if len(each) > 1 else each[dataset.targets[0]]


def _finite(value: float) -> Any:
    return value if math.isfinite(value) else None
