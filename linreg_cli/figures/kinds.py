"""The kinds of pictures: what each is drawn from, and why a run may not have it."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from linreg_cli.evaluation.intervals import stored_factor
from linreg_cli.evaluation.truth import readable_truth
from linreg_cli.figures.by_feature import by_feature_figure
from linreg_cli.figures.coefficients import CoefficientSet, coefficient_figure
from linreg_cli.figures.correlation import correlation_figure
from linreg_cli.figures.epochs import Axes, gap, gaps, how_it_ended, loss, losses, no_gap, together
from linreg_cli.figures.fit import Bands, fit_figure, predicted_figure
from linreg_cli.figures.influence import leverage_figure
from linreg_cli.figures.landscape import descent, landscape
from linreg_cli.figures.learning_curve import learning_curve_figure
from linreg_cli.figures.material import Material, floats
from linreg_cli.figures.path import path_figure
from linreg_cli.figures.residuals import qq_figure, residual_figure, scale_location_figure
from linreg_cli.figures.subsets import columns_against, correlations, learning_curve
from linreg_cli.runs.history import MAX_PARAMETERS
from linreg_cli.runs.store import INFERENCE_FILE
from linreg_cli.stored_remedies import rewritten

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Kind:
    """A kind of picture.

    Attributes:
        why_not: why a run does not have it; None if it has.
        draw: draws it for one target, or "" for a picture of all targets.
        per_target: whether there is one for each target.
        overlays: draws it for several runs with their labels and a target; None: it does not overlay runs.
        names_diverged: whether an overlay of several runs only names those that diverged, and does not refuse them.
        default: whether `train` draws it.
        has_axes: whether it is a curve over the epochs, with a choice of its axes.
        needs_rows: whether it is drawn from the rows of the table, and not from the run folder alone.
    """

    why_not: Callable[[Material], str | None]
    draw: Callable[[Material, str, Axes], "Figure"]
    per_target: bool = True
    overlays: Callable[[Sequence[Material], Sequence[str], str, Axes], "Figure"] | None = None
    names_diverged: bool = False
    default: Callable[[Material], bool] = lambda _: False
    has_axes: bool = False
    needs_rows: bool = False


def _always(_: Material) -> bool:
    return True


def unevaluated(run: Material) -> str | None:
    """Why there are no predictions; raises StoreError where the file is missing from a run that has finished."""
    if run.evaluated:
        return None
    status = run.record()["status"]
    if status == "finished":
        run.read("predictions.csv")  # raises: the file is missing
    return f"its status is {status}"


def _no_predictions(run: Material) -> str | None:
    """Why an evaluated run has no predictions of its rows."""
    if why := unevaluated(run):
        return why
    return None if run.has_predictions else "it was trained with evaluate.predictions: none"


def _no_line(run: Material) -> str | None:
    if why := _no_predictions(run):
        return why
    if run.transform != "none":
        return "its target was transformed"
    return None if run.feature else "it has more than one feature"


def _fit(run: Material, target: str, _: Axes) -> "Figure":
    feature = run.feature
    assert feature is not None
    parameters = run.read_json("metrics.json")["parameters"]
    weights, bias = run.of_target(parameters["weights"], target), run.of_target(parameters["bias"], target)
    history = run.history(run.parameter_columns(target))
    start = None if history is None else (float(history[0, 0]), float(history[0, 1]) if history.shape[1] > 1 else 0.0)
    return fit_figure(
        run.points(target),
        slope=weights[feature],
        intercept=bias or 0.0,
        feature=feature,
        target=target,
        title=f"{target} against {feature}: the fitted line of {run.id}",
        start=start,
        bands=_bands(run, target),
    )


def _bands(run: Material, target: str) -> Bands | None:
    """The bands of the fitted line, the ends of `predict --interval`; None where inference is refused."""
    inference = run.read_json("metrics.json").get("inference") or {}
    if isinstance(inference.get("refused"), str) or not run.has(INFERENCE_FILE):
        return None
    factor, k = stored_factor(run, run.record(), 1, len(run.targets)), run.targets.index(target)
    return lambda x, kind: factor.half_widths(x[:, None], kind, 0.95)[:, k]


def _predicted(run: Material, target: str, _: Axes) -> "Figure":
    return predicted_figure(run.points(target), target=target, title=f"Predicted and actual {target}, {run.id}")


def _residuals(run: Material, target: str, _: Axes) -> "Figure":
    name = run.fitted_name(target)
    return residual_figure(run.points(target, fitted=True), target=name, title=f"Residuals of {name}, {run.id}")


def _no_influence(run: Material) -> str | None:
    """Why an evaluated run has no standardised residuals."""
    if why := unevaluated(run):
        return why
    if os.path.isfile(run.path / "influence.csv"):
        return None
    metrics = run.read_json("metrics.json")
    found = (metrics.get("optimum") or {}).get("inference") or metrics.get("inference") or {}
    older = "it was trained by an older version of linreg; train it again"
    return f"inference was refused: {rewritten(found['refused'])}" if "refused" in found else older


def _qq(run: Material, target: str, _: Axes) -> "Figure":
    residuals, rows = run.standardized(target)
    name = run.fitted_name(target)
    title = f"Normal Q–Q of {name}, {run.fit_name}"
    what, weights = f"standardised residual of {name}", run.influence_weights(target)
    return qq_figure(residuals, rows, what=what, title=title, weights=weights)


def _scale_location(run: Material, target: str, _: Axes) -> "Figure":
    residuals, rows = run.standardized(target)
    predicted = run.exactly_fitted(target)
    name = run.fitted_name(target)
    title = f"Scale–location of {name}, {run.fit_name}"
    weights = run.influence_weights(target)
    return scale_location_figure(predicted, residuals, rows, target=name, title=title, weights=weights)


def _leverage(run: Material, target: str, _: Axes) -> "Figure":
    suffix, rows = f":{target}" if len(run.targets) > 1 else "", run.table("influence.csv")
    inference = run.of_target_inference(target)
    assert inference is not None
    return leverage_figure(
        floats(rows, "leverage"),
        floats(rows, f"standardized_residual{suffix}"),
        floats(rows, f"cooks_distance{suffix}"),
        floats(rows, "row").astype(int),
        n_samples=int(inference["n"]),
        n_parameters=len(inference["coefficients"]),
        title=f"Influence of each row on {run.fitted_name(target)}, {run.fit_name}",
        weights=run.influence_weights(target),
    )


def _by_feature(run: Material, target: str, _: Axes) -> "Figure":
    residuals, columns = columns_against(run, target)
    name, n = run.fitted_name(target), run.record()["data"]["rows"]["train"]
    sampled = f", {len(residuals):,} of {n:,} rows" if len(residuals) < n else ""
    title = f"Residuals of {name} by feature, {run.id}{sampled}"
    weighted = "weight" in run.predictions.column_names
    return by_feature_figure(residuals, columns, target=name, title=title, weighted=weighted)


def _no_coefficients(run: Material) -> str | None:
    if why := unevaluated(run):
        return why
    data = run.record()["data"]
    if "std" not in data:
        return "it was trained by an older version of linreg; train it again"
    return None if any(data["std"][name] != 0 for name in data["features"]) else "its features are constant"


def coefficient_set(run: Material, target: str, label: str) -> CoefficientSet:
    """The coefficients of a run per standard deviation of each feature."""
    metrics, deviations = run.read_json("metrics.json"), run.record()["data"]["std"]
    # A constant feature does not vary: it would be drawn at 0, whatever its coefficient is.
    names = tuple(name for name in run.record()["data"]["features"] if deviations[name] != 0)
    std = np.array([np.nan if deviations[name] is None else deviations[name] for name in names])

    def scaled(weights: dict[str, Any] | None) -> np.ndarray:
        found = [(weights or {}).get(name) for name in names]
        out: np.ndarray = std * np.array([np.nan if weight is None else float(weight) for weight in found])
        return out

    optimum = metrics.get("optimum") or {}
    exact = optimum.get("parameters", {}).get("weights") if optimum.get("is_unique") else None
    inference = run.of_target_inference(target)
    coefficients = {} if inference is None else inference["coefficients"]
    low, high = (scaled({name: values[end] for name, values in coefficients.items()}) for end in ("ci_low", "ci_high"))
    known = readable_truth(run.config)
    true = known["weights"] if known and known["target"] == target and run.transform == "none" else None
    return CoefficientSet(
        label,
        names,
        scaled(run.of_target(metrics["parameters"]["weights"], target)),
        scaled(None if exact is None else run.of_target(exact, target)),
        low,
        high,
        scaled(true),
    )


def _coefficients(run: Material, target: str, _: Axes) -> "Figure":
    name = run.fitted_name(target)
    return coefficient_figure([coefficient_set(run, target, run.id)], target=name, title=f"Coefficients of {run.id}")


def _several_coefficients(runs: Sequence[Material], labels: Sequence[str], target: str, _: Axes) -> "Figure":
    sets = [
        CoefficientSet.of_diverged(label, end) if (end := how_it_ended(run)) else coefficient_set(run, target, label)
        for run, label in zip(runs, labels, strict=True)
    ]
    return coefficient_figure(sets, target=runs[0].fitted_name(target), title=f"Coefficients of {together(runs)}")


def _correlation(run: Material, _: str, __: Axes) -> "Figure":
    title = f"Correlations in the train split of {run.id}"
    return correlation_figure(*correlations(run), title=title, n_targets=len(run.targets))


def _learning_curve(run: Material, target: str, axes: Axes) -> "Figure":
    return _learning_curves([run], [run.id], target, axes)


def _learning_curves(runs: Sequence[Material], labels: Sequence[str], target: str, _: Axes) -> "Figure":
    curves = [learning_curve(run, target, label) for run, label in zip(runs, labels, strict=True)]
    title = f"Error of least squares by the number of rows, {together(runs)}"
    return learning_curve_figure(curves, target=runs[0].fitted_name(target), title=title)


def _no_path(run: Material) -> str | None:
    names = run.history(run.parameter_columns(run.targets[0]))
    return None if names is not None else f"its history has the parameters of at most {MAX_PARAMETERS} only"


def _is_small(run: Material) -> bool:
    return len(run.record()["data"]["features"]) + run.config.model.bias <= 2


def _path(run: Material, target: str, axes: Axes) -> "Figure":
    return _paths([run], [run.id], target, axes)


def _paths(runs: Sequence[Material], labels: Sequence[str], target: str, _: Axes) -> "Figure":
    land, note, basis = landscape(runs[0], target)
    descents = [descent(run, target, label, basis) for run, label in zip(runs, labels, strict=True)]
    what = "" if len(runs[0].targets) == 1 else f" for {target}"
    return path_figure(land, descents, title=f"Path of gradient descent{what}, {together(runs)}", note=note)


#: Every kind of picture, in the order in which they are drawn.
KINDS: dict[str, Kind] = {
    "loss": Kind(lambda _: None, loss, per_target=False, overlays=losses, default=_always, has_axes=True),
    "gap": Kind(no_gap, gap, per_target=False, overlays=gaps, has_axes=True),
    "fit": Kind(_no_line, _fit, default=_always),
    "predicted": Kind(_no_predictions, _predicted, default=_always),
    "residuals": Kind(_no_predictions, _residuals, default=_always),
    "qq": Kind(_no_influence, _qq),
    "scale_location": Kind(_no_influence, _scale_location),
    "leverage": Kind(_no_influence, _leverage),
    "residuals_by_feature": Kind(_no_predictions, _by_feature, needs_rows=True),
    "coefficients": Kind(
        _no_coefficients, _coefficients, overlays=_several_coefficients, names_diverged=True, default=_always
    ),
    "correlation": Kind(lambda _: None, _correlation, per_target=False, needs_rows=True),
    "learning_curve": Kind(lambda _: None, _learning_curve, overlays=_learning_curves, needs_rows=True),
    "path": Kind(_no_path, _path, overlays=_paths, default=_is_small, needs_rows=True),
}
