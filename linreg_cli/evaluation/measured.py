"""The evaluation of a model that was trained from statistics: what needs rows is null, with the reason."""

import math
from collections.abc import Callable

import numpy as np
from torch import nn

from linreg_cli.config import Config
from linreg_cli.convergence.problem import Problem
from linreg_cli.convergence.reaching import Reaching, no_exact_fit
from linreg_cli.data import Dataset, Preprocessor
from linreg_cli.evaluation.coefficients import STD_ERR
from linreg_cli.evaluation.diagnostics import multicollinear
from linreg_cli.evaluation.evaluate import Evaluation
from linreg_cli.evaluation.exact_fit import ExactFit
from linreg_cli.evaluation.fit_quality import compared
from linreg_cli.evaluation.metrics import IN_ORIGINAL_UNITS, OVERFLOW, Metrics, parameters
from linreg_cli.least_squares.decompositions import Array
from linreg_cli.least_squares.inference import infer
from linreg_cli.least_squares.optimum import Optimum
from linreg_cli.least_squares.without_rows import Sums
from linreg_cli.model import LinearFormula, fold

#: Why a figure is null.
NO_ROWS = "it needs the rows, and the run was trained from statistics; 'linreg evaluate RUN' reads them"
_TRANSFORMED = "the target was transformed, and original units need the rows; 'linreg evaluate RUN' reads them"
#: What inference does not have.
_LACKING = {"std_err_hc3": NO_ROWS, "durbin_watson": NO_ROWS}


def evaluate_measured(
    config: Config,
    dataset: Dataset,
    preprocessor: Preprocessor,
    model: nn.Sequential,
    problem: Problem,
    train_loss: float,
    way: Callable[[Optimum | None], Reaching],
    has_constant: bool,
) -> Evaluation:
    """As `evaluate_model`, of a run whose rows were not read.

    Args:
        config: of the run.
        dataset: without rows.
        preprocessor: of the run.
        model: the trained model, in scaled units.
        problem: the plan and the factor of the train split; `exact["original"]` is the exact fit in original units.
        train_loss: the loss of the model on the train split, in scaled units.
        way: the exact fit -> what leads there, if the model is not there.
        has_constant: as in `MeasuredRows`.
    """
    trained, original = fold(model, preprocessor), problem.exact["original"]
    metrics: Metrics = {"train": _train_metrics(trained, original, train_loss)}
    for split in ("validation", "test"):
        rows = len(dataset.splits[split])
        metrics |= {split: None, **({f"{split}_reason": NO_ROWS} if rows else {})}
    metrics["parameters"] = parameters(trained)
    exact = _exact_fit(config, dataset, problem, None if problem.optimum is None else original, has_constant)
    found = list(multicollinear(exact, preprocessor)) if config.model.bias else []
    loss = train_loss if math.isfinite(train_loss) else math.inf
    quality = compared(config, preprocessor, problem, model, loss, way, exact, None, found)
    if quality.metrics["optimum"] is not None:
        quality.metrics["optimum"]["leave_one_out_reason"] = NO_ROWS
    return Evaluation(metrics | quality.metrics, None, quality.findings, quality.exact)


def _train_metrics(trained: LinearFormula, original: Optimum, loss: float) -> Metrics:
    """Metrics of the train split from the factor: those of squared errors."""
    factor = original.factor
    with np.errstate(over="ignore"):  # what overflows is reported as such
        squares = original.losses(trained.weights, trained.bias)
    every = slice(None)
    metrics: Metrics = {**IN_ORIGINAL_UNITS, "loss": loss if math.isfinite(loss) else None}
    metrics |= _squared(trained, squares, factor.constant_k, factor.n_samples, every)
    if len(trained.targets) > 1:
        metrics["by_target"] = {
            target: _squared(trained, squares, factor.constant_k, factor.n_samples, slice(k, k + 1))
            for k, target in enumerate(trained.targets)
        }
    return metrics


def _squared(trained: LinearFormula, squares: Array, constants: Array, n: int, targets: slice) -> Metrics:
    if trained.transform != "none":
        lost = ("mse", "rmse", "mae", "r2")
        return {**dict.fromkeys(lost), "n": n, **{f"{name}_reason": _TRANSFORMED for name in lost}}
    own, constant = squares[targets], constants[targets]
    found: Metrics = {"mse": None, "rmse": None, "mae": None, "r2": None, "n": n, "mae_reason": NO_ROWS}
    with np.errstate(over="ignore"):
        mse = float(np.mean(own)) / n
        values = {"mse": mse, "rmse": math.sqrt(mse)}
        if (constant > 0).all():
            values["r2"] = float(np.mean(1 - own / constant))
        else:
            found["r2_reason"] = "the target is constant in this split"
    for name, value in values.items():
        found |= {name: value} if math.isfinite(value) else {f"{name}_reason": OVERFLOW}
    return found


def _exact_fit(
    config: Config, dataset: Dataset, problem: Problem, original: Optimum | None, has_constant: bool
) -> ExactFit:
    why = no_exact_fit(problem, original)
    if why is None and "bias" in dataset.features and config.model.bias:
        why = "a column is named 'bias', which is the name of the intercept; rename it"
    if original is None or why is not None:
        return ExactFit(original, {}, why)
    none = np.zeros((0, len(dataset.features))), np.zeros((0, len(dataset.targets)))
    n = original.factor.n_samples
    squares = original.factor.constant_k + n * np.array([dataset.known[name].mean for name in dataset.targets]) ** 2
    sums = Sums(has_constant, squares)
    fits = {
        target: infer(original, *none, names=dataset.features, target=k, sums=sums)
        for k, target in enumerate(dataset.targets)
    }
    clusters = {} if config.evaluate.cluster is None else {STD_ERR["cluster"]: NO_ROWS}
    return ExactFit(original, fits, None, {**_LACKING, **clusters})
