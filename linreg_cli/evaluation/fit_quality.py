"""The quality of a fit: its gap to the exact optimum, the leave-one-out error, and inference where the gap is small."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from linreg_cli.config.schema import Config
from linreg_cli.convergence.original import original_rows
from linreg_cli.convergence.problem import Problem
from linreg_cli.convergence.reaching import Reaching, not_converged
from linreg_cli.data import Dataset, Preprocessor
from linreg_cli.data.columns.rows import in_order
from linreg_cli.evaluation.diagnostics import diagnose
from linreg_cli.evaluation.exact_fit import ExactFit, exact_fit
from linreg_cli.evaluation.held_out import left_out
from linreg_cli.evaluation.metrics import Metrics, parameters, units_of
from linreg_cli.findings import Finding
from linreg_cli.least_squares.influence import influence_table
from linreg_cli.least_squares.optimum import Optimum
from linreg_cli.least_squares.refusal import NEAR
from linreg_cli.model import LinearFormula, fold, fold_parameters, parameters_of

#: Cells of the train split up to which `metrics.json` has the leave-one-out error. `linreg inspect` always has it.
MOST_HELD_OUT_CELLS = 2_000_000
_NO_GAP = "the optimum and the loss of the best constant are both zero, or the loss is too large"


@dataclass(frozen=True)
class FitQuality:
    """The quality of a fit.

    The gap is (loss - optimum) / optimum of the train loss in scaled units, with the penalty where there is weight
    decay. Where the optimum is zero within rounding error it is (loss - optimum) / (loss of the best constant).

    Attributes:
        metrics: two keys of `metrics.json`. `optimum`: the lowest train loss, `gap`, rank, condition numbers,
            leave-one-out error, the parameters at the optimum in original units, their inference, and the `distance`
            of the trained ones from them; None with `optimum_reason` where it is not computed. `inference`: standard
            errors, p-values and intervals of the trained model, by target if there are several; `refused` with the
            reason where they would not be valid.
        influence: the rows of `influence.csv`: leverage, standardised residual and Cook's distance of train rows
            at the exact fit; None where that has no inference.
        findings: warnings about the fit.
        exact: the exact fit.
    """

    metrics: Metrics
    influence: pa.Table | None
    findings: list[Finding]
    exact: ExactFit


def fit_quality(
    config: Config,
    dataset: Dataset,
    preprocessor: Preprocessor,
    problem: Problem,
    model: torch.nn.Sequential,
    train_loss: float,
    way: Callable[[Optimum | None], Reaching],
) -> FitQuality:
    """Compare a trained model with the exact optimum, and infer standard errors if it is close enough.

    Args:
        config: of the run.
        dataset: the rows.
        preprocessor: of the run.
        problem: the plan and the train split.
        model: the trained model, in scaled units.
        train_loss: its loss over the train split, in scaled units; infinite where it overflows.
        way: the exact fit in original units -> what leads there, if the model is not there.
    """
    rows, parts = in_order(dataset.splits["train"]), original_rows(problem, dataset, preprocessor)
    exact = exact_fit(config, dataset, problem, rows, parts)
    influence = influence_table(rows, exact.fits) if exact.fits else None
    findings = diagnose(exact, config, preprocessor, rows, parts)
    found = compared(config, preprocessor, problem, model, train_loss, way, exact, influence, findings)
    optimum = found.metrics["optimum"]
    if (
        optimum is None
        or exact.optimum is None
        or config.optimizer.weight_decay
        or parts.X_nd.size > MOST_HELD_OUT_CELLS
    ):
        return found
    optimum["leave_one_out"] = left_out(exact.optimum, parts, config.preprocess, numbers=rows)
    return found


def compared(
    config: Config,
    preprocessor: Preprocessor,
    problem: Problem,
    model: torch.nn.Sequential,
    train_loss: float,
    way: Callable[[Optimum | None], Reaching],
    exact: ExactFit,
    influence: pa.Table | None,
    findings: list[Finding],
) -> FitQuality:
    """`fit_quality` without the leave-one-out error; no row is read.

    Args:
        config: of the run.
        preprocessor: of the run.
        problem: as in `fit_quality`, and so are `model`, `train_loss` and `way`.
        model: the trained model.
        train_loss: its loss.
        way: what leads to the exact fit.
        exact: the exact fit.
        influence: as in `FitQuality`.
        findings: about the exact fit.
    """
    trained, transform = fold(model, preprocessor), config.preprocess.target_transform
    refused = exact.trained_refusal(config, problem, trained, lambda: way(exact.optimum).remedy)
    inference = {"refused": refused} if refused else exact.as_json(transform)
    if problem.no_optimum_reason is not None:
        none = {"optimum": None, "optimum_reason": problem.no_optimum_reason, "inference": inference}
        return FitQuality(none, influence, findings, exact)
    optimum = _optimum(config, preprocessor, problem, exact.optimum)
    distance = problem.distance(*parameters_of(model), train_loss)
    assert distance is not None
    position: Metrics = {"gap": distance.gap, "gap_relative_to": distance.relative_to}
    if distance.gap is None:
        position["gap_reason"] = _NO_GAP
    optimum = {"units": units_of(transform), "train_loss": optimum.pop("train_loss"), **position, **optimum}
    if exact.optimum is not None and not config.optimizer.weight_decay and config.train.dtype == "float32":
        optimum |= {"numbers": "rounded to float32"}
        optimum["as_given"] = _as_given(exact.optimum, preprocessor, trained)
    optimum |= {**exact.distance(trained), "inference": exact.as_json(transform)}
    findings = [*_not_converged(exact, trained, way), *findings]
    return FitQuality({"optimum": optimum, "inference": inference}, influence, findings, exact)


def _not_converged(
    exact: ExactFit, trained: LinearFormula, way: Callable[[Optimum | None], Reaching]
) -> Iterator[Finding]:
    column, distance = exact.furthest(trained)
    if distance >= NEAR:
        yield not_converged(column, distance, way(exact.optimum))


def _as_given(original: Optimum, preprocessor: Preprocessor, trained: LinearFormula) -> Metrics:
    """The lowest train loss and the rank of the table before its values were rounded to float32, and the gap to it.

    Losses are in scaled units, as those of the rounded numbers beside them.
    """
    scale = original.scale / preprocessor.targets.scale**2
    with np.errstate(over="ignore", invalid="ignore"):
        lowest = float(scale @ original.losses(original.weights, original.bias))
        if len(set(scale.tolist())) == 1:  # with the digits of the refined solution
            lowest = original.train_loss * float(scale[0]) / original.scale
        loss = float(scale @ original.losses(trained.weights, trained.bias))
    against = float(scale @ original.factor.constant_k) if original.is_zero else lowest
    relative = _finite(max(loss - lowest, 0.0) / against) if against > 0 else None
    return {
        "train_loss": lowest,
        "gap": relative,
        **({"gap_reason": _NO_GAP} if relative is None else {}),
        "gap_relative_to": "constant" if original.is_zero else "optimum",
        "rank": original.rank,
        "is_unique": original.is_unique,
    }


def _optimum(config: Config, preprocessor: Preprocessor, problem: Problem, original: Optimum | None) -> Metrics:
    found = problem.optimum
    if found is None:
        robust = problem.robust
        assert robust is not None
        formula = fold_parameters(robust.weights, robust.bias, preprocessor)
        return {
            "train_loss": robust.train_loss,
            "parameters": parameters(formula),
            "is_unique": robust.is_unique,
            "method": robust.method,
        }
    formula = fold_parameters(found.weights, found.bias, preprocessor)
    given = found if original is None else original  # the former knows the scaled columns alone
    if original is not None and not config.optimizer.weight_decay:
        # From the fit in original units, since the scaled units may be float32.
        formula = replace(formula, weights=original.weights, bias=original.bias)
    values: Metrics = {
        "train_loss": found.train_loss,
        "parameters": parameters(formula),
        "rank": found.rank,
        "n_parameters": found.factor.n_parameters,
        "is_unique": found.is_unique,
        "is_saturated": found.is_saturated,
        "condition_number": _finite(found.condition_number),
        "condition_number_as_given": _finite(given.condition_number_as_given),
    }
    for name in ("condition_number", "condition_number_as_given"):
        if values[name] is None:
            values[f"{name}_reason"] = "columns are constant or linearly dependent"
    if found.rank < found.factor.n_parameters:
        values["dependent_columns"] = list(problem.dependent_columns)
    if config.optimizer.weight_decay:
        # Loss and penalty, which SGD minimises. With batches of a sum, each step adds the whole penalty to a part of
        # the loss, so the penalty counts more than with the full batch.
        values["objective"] = found.objective
    return values


def _finite(value: float) -> Any:
    return value if math.isfinite(value) else None
