"""The exact fit of the squared loss in original units: its inference, and how far from it the trained model is."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from linreg_cli.config.schema import Config
from linreg_cli.convergence.original import original_optimum
from linreg_cli.convergence.problem import Problem
from linreg_cli.convergence.reaching import no_exact_fit
from linreg_cli.data import Dataset
from linreg_cli.data.columns.divided import DividedRows
from linreg_cli.data.columns.kinds import Codes, Rows
from linreg_cli.data.columns.rows import pick, row_blocks
from linreg_cli.evaluation.metrics import Metrics, parameters, units_of
from linreg_cli.least_squares.clusters import Clusters
from linreg_cli.least_squares.distance import distance_in_errors
from linreg_cli.least_squares.inference import ZERO, Inference, infer
from linreg_cli.least_squares.optimum import Optimum
from linreg_cli.least_squares.refusal import refusal
from linreg_cli.model import LinearFormula
from linreg_cli.remedies import setting

_NO_ERRORS = "the target is fitted exactly within rounding error, so there are no residuals to estimate the noise"
#: What is not known of a coefficient without standard errors.
_OF_ERRORS = ("std_err", "std_err_hc3", "std_err_cluster", "t", "p", "ci_low", "ci_high")


@dataclass(frozen=True)
class ExactFit:
    """Least squares on the train split as the table has it, in original units and float64.

    Attributes:
        optimum: without a penalty; None where none is known.
        fits: its inference by target; empty where there is none.
        refused: why there is none; None if there is.
        lacking: `std_err_hc3` and `std_err_cluster`, where there are none -> why.
    """

    optimum: Optimum | None
    fits: Mapping[str, Inference]
    refused: str | None
    lacking: Mapping[str, str] = field(default_factory=dict)

    def trained_refusal(
        self, config: Config, problem: Problem, trained: LinearFormula, remedy: Callable[[], str]
    ) -> str | None:
        """Why the inference is not that of the trained model; None if it is.

        Args:
            config: of the run.
            problem: the plan and the train split.
            trained: the model in original units.
            remedy: what to do if the model is not at the optimum.
        """
        if self.optimum is None or self.refused is not None:
            return self.refused
        factor = problem.factor
        if factor.rank < self.optimum.rank:
            rank = f"rank {factor.rank} of {factor.n_parameters}, and {self.optimum.rank} as given"
            return f"the coefficients are not unique in {config.train.dtype} ({rank}); {remedy()}"
        at = (trained.weights, trained.bias)
        return refusal(self.optimum, config.loss, at, remedy=remedy, names=trained.features)

    def furthest(self, trained: LinearFormula) -> tuple[str, float]:
        """The coefficient that is furthest from the exact fit, and its distance in standard errors; 0 without any.

        Args:
            trained: the model in original units.
        """
        if self.optimum is None or not self.fits:
            return "", 0.0
        errors = np.abs(distance_in_errors(self.optimum, trained.weights, trained.bias))
        errors = np.where(np.isnan(errors), math.inf, errors)
        errors[:, self.optimum.exactly_fitted()] = 0.0  # such a target has no standard errors
        position, target = np.unravel_index(int(np.argmax(errors)), errors.shape)
        return [*trained.features, "bias"][position], float(errors[position, target])

    @property
    def n_samples(self) -> int:
        """Rows of the train split; 0 where there is no exact fit."""
        return 0 if self.optimum is None else self.optimum.factor.n_samples

    def as_json(self, transform: str) -> Metrics:
        """`inference` of `metrics.json`: by target if there are several, or `{"refused": reason}`.

        Args:
            transform: of the targets, in whose units the figures are.
        """
        if not self.fits:
            return {"refused": self.refused}
        units = units_of(transform)
        each = {name: {"units": units, "n": self.n_samples, **fit.as_json()} for name, fit in self.fits.items()}
        assert self.optimum is not None
        for found, exactly in zip(each.values(), self.optimum.exactly_fitted(), strict=True):
            if exactly:
                for coefficient in found["coefficients"].values():
                    none = dict.fromkeys(key for key in _OF_ERRORS if key in coefficient)
                    coefficient |= none | {"std_err_reason": _NO_ERRORS}
        for key, reason in self.lacking.items():
            for found in each.values():
                if key in found:
                    found |= {key: None, f"{key}_reason": reason}
                    continue
                for coefficient in found["coefficients"].values():
                    coefficient |= {key: None, f"{key}_reason": reason}
        return each if len(each) > 1 else next(iter(each.values()))

    def distance(self, trained: LinearFormula) -> Metrics:
        """`distance` of `optimum`: (trained - exact) / classic standard error of each coefficient, as `parameters`.

        Args:
            trained: the model in original units.
        """
        if self.optimum is None or not self.fits:
            return {"distance": None, "distance_reason": self.refused}
        errors = distance_in_errors(self.optimum, trained.weights, trained.bias)
        errors[:, self.optimum.exactly_fitted()] = math.nan
        n_features = len(trained.features)
        bias = None if trained.bias is None else errors[n_features]
        formula = LinearFormula(trained.features, trained.targets, errors[:n_features], bias)
        found = parameters(formula)
        values = {key: _finite(found[key]) for key in ("weights", "bias")}
        return {"distance": values, **({} if np.isfinite(errors).all() else {"distance_reason": _NO_ERRORS})}


def exact_fit(config: Config, dataset: Dataset, problem: Problem, rows: Rows | slice, parts: DividedRows) -> ExactFit:
    """The exact fit and its inference.

    Args:
        config: of the run.
        dataset: the rows.
        problem: the plan and the train split, in scaled units.
        rows: the indices of the rows of the train split, in the order of the table.
        parts: the train split in original units, as `original_rows` gives it.
    """
    optimum, (X, y) = original_optimum(config, problem, parts), (parts.X_nd, parts.y_nk)
    why = no_exact_fit(problem, optimum)
    if why is None and "bias" in dataset.features and config.model.bias:
        why = "a column is named 'bias', which is the name of the intercept; rename it"
    if optimum is None or why is not None:
        return ExactFit(optimum, {}, why)
    names, covariance = dataset.features, config.evaluate.covariance
    clusters = None if dataset.clusters is None else Clusters.of(_codes_of(dataset.clusters, rows))
    lacking: dict[str, str] = {}
    if clusters is not None and clusters.count < 2:
        reason = f"all train rows are in one cluster of {config.evaluate.cluster}, and standard errors need several"
        lacking["std_err_cluster"] = reason
        if covariance == "cluster":
            return _without_errors(optimum, reason)
    fits = {
        target: infer(optimum, X, y, names=names, target=k, covariance=covariance, clusters=clusters, divided=parts)
        for k, target in enumerate(dataset.targets)
    }
    alone = next(iter(fits.values())).alone
    if len(alone):
        row = int(pick(rows, alone[:1])[0]) + 1
        reason = f"row {row} alone determines a coefficient (its leverage is 1), so HC3 is not defined"
        lacking["std_err_hc3"] = reason
        if covariance == "HC3":
            return _without_errors(optimum, reason)
    if (undefined := _undefined_error(optimum, fits)) is not None:
        return _without_errors(optimum, undefined)
    return ExactFit(optimum, fits, None, lacking)


def _undefined_error(optimum: Optimum, fits: Mapping[str, Inference]) -> str | None:
    """Why no coefficient has a standard error of the covariance that is asked for; None if some have one."""
    kind = next(iter(fits.values())).covariance
    if kind == "classic":
        return None
    for fit, exactly in zip(fits.values(), optimum.exactly_fitted(), strict=True):
        errors = fit.std_err_hc3 if kind == "HC3" else fit.std_err_cluster
        if exactly or (errors is not None and not np.isnan(errors).all()):
            return None
    return f"the {kind} standard error of each coefficient is not defined: {ZERO[kind]}"


def _codes_of(codes: Codes, rows: Rows | slice) -> Codes:
    """The codes of some rows, shape (n_rows,)."""
    if isinstance(rows, slice):
        return codes[rows]
    found = np.empty(len(rows), codes.dtype)
    for start, block in row_blocks(rows, len(codes)):
        some = codes[block]
        found[start : start + len(some)] = some
    return found


def _without_errors(optimum: Optimum, reason: str) -> ExactFit:
    return ExactFit(optimum, {}, f"{reason}; set {setting('evaluate.covariance', 'classic')}")


def _finite(values: Any) -> Any:
    """The same numbers, nested as they are, with None for those that are not finite."""
    if isinstance(values, dict):
        return {name: _finite(value) for name, value in values.items()}
    return values if values is None or math.isfinite(values) else None
