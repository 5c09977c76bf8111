"""The optimum of the table as given, in original units; and the same in the units of another scaling."""

from dataclasses import replace

import numpy as np

from linreg_cli.config.schema import Config
from linreg_cli.convergence.problem import Problem
from linreg_cli.data import Dataset, Preprocessor
from linreg_cli.data.columns.divided import DividedRows
from linreg_cli.data.columns.row_weights import Weights, roots
from linreg_cli.data.columns.rows import Matrix
from linreg_cli.least_squares.factor import EPS, blocks
from linreg_cli.least_squares.optimum import Optimum
from linreg_cli.least_squares.solve import loses_digits, of_rows
from linreg_cli.model import unfold_parameters


def original_optimum(config: Config, problem: Problem, rows: DividedRows) -> Optimum | None:
    """The optimum of the squared loss in original units, without a penalty; None where there is none.

    It is solved anew only where training saw other numbers: scaled, penalised, or rounded to float32.

    Args:
        config: of the run.
        problem: the plan and the train split, in scaled units.
        rows: the train split in original units, as `original_rows` gives it.
    """
    weights = rows.weight_n
    trained = problem.optimum
    if trained is None:
        return None
    if problem.measured is not None:
        return problem.exact["original"]
    scaled = config.preprocess.standardize or config.preprocess.standardize_target
    if not (scaled or config.optimizer.weight_decay):
        if config.train.dtype == "float64":
            return trained if weights is None else with_weights(trained, weights)
        digits = (
            trained.is_unique and weights is None and not loses_digits(trained.factor, trained.weights, trained.bias)
        )
        if digits and _are_equal(problem.X_nd, rows.X_nd) and _are_equal(problem.y_nk, rows.y_nk):
            return trained.judged_by(EPS)
    return solved_anew(config, problem, rows)


def solved_anew(config: Config, problem: Problem, rows: DividedRows) -> Optimum:
    """The optimum of the squared loss in original units and in float64, whatever training saw; solved once.

    Arguments as those of `original_optimum`.
    """
    if "original" not in problem.exact:
        problem.exact["original"] = of_rows(rows, bias=config.model.bias, loss=config.loss)
    return problem.exact["original"]


def original_rows(problem: Problem, dataset: Dataset, preprocessor: Preprocessor) -> DividedRows:
    """The train split as `Preprocessor.original_rows` has it; always the same rows for a problem.

    Args:
        problem: the plan and the train split.
        dataset: the rows.
        preprocessor: with the transform of the targets.
    """
    if "original rows" not in problem.results:  # every process puts its own together once
        problem.results["original rows"] = preprocessor.original_rows(dataset)
    found: DividedRows = problem.results["original rows"]
    return found


def with_weights(optimum: Optimum, weights: Weights) -> Optimum:
    """The same optimum of the same rows in another order.

    Args:
        optimum: whose factor has weights.
        weights: those of the rows in that order, shape (n_samples,).
    """
    return replace(optimum, factor=replace(optimum.factor, root_n=roots(weights)))


def in_scaled_units(original: Optimum, preprocessor: Preprocessor) -> Optimum:
    """A unique optimum without a penalty in the units of a scaling, without a pass over the rows.

    Args:
        original: in original units.
        preprocessor: whose scaling is applied; no feature is constant.
    """
    factor, features, targets = original.factor, preprocessor.features, preprocessor.targets
    scaled = replace(
        factor,
        center=(factor.center - features.center) / features.scale if factor.bias else factor.center,
        scale=factor.scale / features.scale,
        spread=factor.spread / features.scale,
        largest=factor.largest / features.scale,
        target_center=(factor.target_center - targets.center) / targets.scale if factor.bias else factor.target_center,
        target_scale=factor.target_scale / targets.scale,
        target_largest=factor.target_largest / targets.scale,
        constant_k=factor.constant_k / targets.scale**2,
    )
    weights, bias = unfold_parameters(original.weights, original.bias, preprocessor)
    loss = original.scale * float(np.sum(original.losses(original.weights, original.bias) / targets.scale**2))
    constant = original.scale * float(scaled.constant_k.sum())
    share = constant / original.constant_loss if original.constant_loss > 0 else 1.0
    return replace(
        original,
        weights=weights,
        bias=bias,
        level=original.level / targets.scale,
        train_loss=loss,
        objective=loss,
        constant_loss=constant,
        rounding_loss=original.rounding_loss * share,
        zero_loss=original.zero_loss * share,
        factor=scaled,
    )


def _are_equal(trained: Matrix, original: Matrix) -> bool:
    """Whether no value was rounded on the way to the tensor. Rows in another order count as different."""
    return all(np.array_equal(trained[rows], original[rows]) for rows in blocks(len(original)))
