"""`linreg inspect --json`: the result of `inspect_config` as one JSON object."""

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from linreg_cli.convergence.forecast import Forecast
    from linreg_cli.convergence.problem import Problem
    from linreg_cli.inspection.inspect import Inspection, OptimumErrors, Ridge
    from linreg_cli.least_squares.optimum import Optimum


def inspection_as_json(found: "Inspection", sentences: list[str], *, ridge: bool) -> dict[str, Any]:
    """The JSON object of `linreg inspect --json`.

    Args:
        found: the result of `inspect_config`.
        sentences: the advice.
        ridge: whether the ridge path was requested.
    """
    from linreg_cli.inspection.advice import rank_meaning

    dataset, factor = found.dataset, found.problem.factor
    dependent = "columns are linearly dependent, so it is infinite"
    values: dict[str, Any] = {
        "name": found.config.name,
        "n_samples": factor.n_samples,
        "n_features": len(dataset.features),
        "n_targets": len(dataset.targets),
        "n_parameters": factor.n_parameters,
        "rows": {split: len(rows) for split, rows in dataset.splits.items()},
        "columns": _columns(found),
        "rank": factor.rank,
        "rank_as_given": found.rank_as_given,
        "rank_meaning": rank_meaning(found),
        "dependent_columns": list(found.problem.dependent_columns),
        **_number("condition_number", found.condition_number, dependent),
        **_number("condition_number_standardized", found.condition_number_standardized, dependent),
        "curvature": _curvature(found),
        "stable_lr": _stable(found),
        "forecast": forecast_values(found.plans[0].forecast) if found.is_squared else _no_forecast(found),
    }
    if found.is_squared:
        values["standardized"] = _comparison(found.standardized)
        values["rounding_gap"] = found.rounding_gap
    values["alternatives"] = [
        {
            "label": plan.label,
            "set": list(plan.overrides),
            "lr": plan.lr,
            "momentum": plan.momentum,
            "forecast": forecast_values(plan.forecast),
        }
        for plan in found.plans[1:]
    ]
    values["optimum"] = _optimum(found)
    if ridge:
        values["ridge"] = _ridge(found.ridge, found)
        if found.ridge is None:
            values["ridge_reason"] = f"{found.config.loss} is not a squared loss"
    return {**values, "advice": sentences}


def _columns(found: "Inspection") -> list[dict[str, Any]]:
    return [
        {
            "name": column.name,
            "role": column.role,
            "kind": column.kind,
            "min": column.minimum,
            "mean": column.mean,
            "max": column.maximum,
            "std": column.std,
            "missing": column.missing,
            **({"treatment": column.treatment} if column.missing else {}),
            **({"levels": column.levels} if column.levels is not None else {}),
        }
        for column in found.columns
    ]


def not_squared(found: "Inspection") -> str:
    """Why a value is not available for the loss."""
    return f"{found.config.loss} is not a squared loss, so its curvature is not constant"


def forecast_values(forecast: "Forecast") -> dict[str, Any]:
    """A forecast, with the reason for each value that is null."""
    from linreg_cli.inspection.advice import gap_name

    values: dict[str, Any] = {}
    for target, epochs in forecast.epochs.items():
        key = gap_name(target)
        values[key] = epochs
        if epochs is None:
            values[f"{key}_reason"] = forecast.reasons[target].why
    values["start_gap"] = forecast.start_gap if math.isfinite(forecast.start_gap) else None
    for key, gap in (("final_gap", forecast.final_gap), ("floor_gap", forecast.floor_gap)):
        values |= _number(key, gap, "it overflows") if isinstance(gap, float) else _number(key, None, gap.why)
    return {**values, "method": forecast.method}


def _no_forecast(found: "Inspection") -> dict[str, Any]:
    from linreg_cli.inspection.advice import gap_name
    from linreg_cli.inspection.training_plans import TARGETS

    keys = [*(gap_name(target) for target in TARGETS), "final_gap", "floor_gap"]
    return {key: value for name in keys for key, value in _number(name, None, not_squared(found)).items()}


def _number(key: str, value: float | None, reason: str) -> dict[str, Any]:
    if value is not None and math.isfinite(value):
        return {key: value}
    return {key: None, f"{key}_reason": reason}


def _curvature(found: "Inspection") -> dict[str, Any]:
    if not found.is_squared:
        return {"max": None, "min": None, "reason": not_squared(found)}
    spectrum, names = found.problem.spectrum, found.dataset.features
    ends = {"max": 0, "min": max(spectrum.rank - 1, 0)}
    loadings = {
        end: [{"column": name, "share": loading} for name, loading in spectrum.loadings(names, at)]
        for end, at in ends.items()
    }
    return {"max": spectrum.largest, "min": spectrum.smallest, "carried_by": loadings}


def _stable(found: "Inspection") -> dict[str, Any]:
    if not found.is_squared:
        keys = ("full_batch", "batch_safe", "mean_square", "fixed_order")
        values: dict[str, Any] = {**dict.fromkeys(keys), "reason": not_squared(found)}
        if found.huber_lr is not None:
            values["sufficient"] = found.huber_lr
            values["sufficient_covers"] = "huber with a full batch and without momentum; higher rates may converge too"
        return values
    values = {}
    for name, limit in found.limits.items():
        values[name] = limit.rate
        values[f"{name}_covers" if limit.rate is not None else f"{name}_reason"] = limit.covers
    return values


def _comparison(standardized: "Problem | None") -> dict[str, Any] | None:
    """The curvature and the limits with `preprocess.standardize: true`."""
    if standardized is None:
        return None
    from linreg_cli.convergence.limits import batch_safe_limit, full_batch_limit

    spectrum, rule = standardized.spectrum, standardized.rule
    limits = {"full_batch": full_batch_limit, "batch_safe": batch_safe_limit}
    return {
        "curvature": {"max": spectrum.largest, "min": spectrum.smallest},
        "stable_lr": {name: limit(standardized, rule).rate for name, limit in limits.items()},
    }


def _optimum(found: "Inspection") -> dict[str, Any] | None:
    """Parameters and errors of ordinary least squares; without rows the errors are of the transformed target, too."""
    from linreg_cli.evaluation.metrics import units_of

    errors, dataset = found.held_out, found.dataset
    if errors is None and found.problem.measured is None:
        return None
    optimum = errors.optimum if errors is not None else found.problem.exact["original"]
    each = []
    for k in range(len(dataset.targets)):
        weights = dict(zip(dataset.features, optimum.weights[:, k].tolist(), strict=True))
        each.append({"weights": weights, "bias": None if optimum.bias is None else float(optimum.bias[k])})
    names, trained = dataset.targets, units_of(found.config.preprocess.target_transform)
    return {
        "units": "original" if errors is not None else trained,
        "parameters_units": trained,
        "parameters": each[0] if len(each) == 1 else dict(zip(names, each, strict=True)),
        **_errors(errors, optimum),
    }


def _errors(errors: "OptimumErrors | None", optimum: "Optimum") -> dict[str, Any]:
    """The errors of the optimum; without rows those of the train split alone, in units of the transformed target."""
    if errors is None:
        why = "it needs the rows, and statistics hold none"
        squares = optimum.losses(optimum.weights, optimum.bias)
        rmse = math.sqrt(float(squares.mean()) / optimum.factor.n_samples)
        lost = {"leave_one_out": None, "k_fold": None}
        return {"rmse": rmse, **lost, **{f"{name}_reason": why for name in lost}}
    found = {"leave_one_out": errors.leave_one_out, "k_fold": errors.k_fold, "folds": errors.folds}
    return {"rmse": errors.fitted["rmse"], **found}


def _ridge(ridge: "Ridge | None", found: "Inspection") -> dict[str, Any] | None:
    if ridge is None:
        return None
    path, names = ridge.path, found.dataset.features
    steps = []
    for position, decay in enumerate(ridge.weight_decays):
        error = float(path.leave_one_out[position])
        step: dict[str, Any] = {"weight_decay": decay}
        step |= _number("leave_one_out_mse", error, "without some row the columns are linearly dependent")
        step["weights"] = dict(zip(names, path.weights[position].tolist(), strict=True))
        step["bias"] = None if path.bias is None else path.bias[position].tolist()
        steps.append(step)
    plain = _number("leave_one_out_mse", ridge.unpenalised.mse, ridge.unpenalised.reason or "")
    best = {key: steps[path.best][key] for key in ("weight_decay", "leave_one_out_mse")}
    predicted, actual = (values.tolist() for values in ridge.means)
    return {
        "units": "as trained",
        "shrinks_mean": ridge.shrinks_mean,
        "mean_prediction": predicted,
        "mean_target": actual,
        "no_penalty": plain,
        "best": best,
        "path": steps,
    }
