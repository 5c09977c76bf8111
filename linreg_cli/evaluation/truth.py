"""Comparison of a model with the true coefficients, where the data was generated from known ones."""

import json
import os
from pathlib import Path
from typing import Any

from linreg_cli.config.data import SyntheticData, TableData
from linreg_cli.config.schema import Config
from linreg_cli.data.synthetic import truth
from linreg_cli.data.tables.write import truth_path
from linreg_cli.errors import DataError, UsageError
from linreg_cli.evaluation.metrics import Metrics
from linreg_cli.model import LinearFormula


def known_truth(config: Config) -> dict[str, Any] | None:
    """The true weights, bias and noise of a synthetic source, or of `<stem>.truth.json` beside a table; else None.

    Returns:
        `target`, `weights` by name, `bias` and `noise_std`, in original units; None where no truth is known.

    Raises:
        DataError: if the file is not what `linreg generate-data` writes.
    """
    if isinstance(config.data, SyntheticData):
        return truth(config.data, config.seed)
    if not isinstance(config.data, TableData):
        return None
    try:
        path = truth_path(Path(config.data.path))
    except UsageError:  # a format that linreg reads but does not write, so the table was not generated
        return None
    if not os.path.isfile(path):
        return None
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        weights = {str(name): float(weight) for name, weight in values["weights"].items()}
        numbers = {key: float(values[key]) for key in ("bias", "noise_std")}
        return {"target": str(values["target"]), "weights": weights, **numbers}
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", str(path)) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DataError(
            "the file is not the truth of a generated table; move it, or generate the table again", str(path)
        ) from None


def readable_truth(config: Config) -> dict[str, Any] | None:
    """The truth where it is known and its file is what it should be; see `known_truth`."""
    try:
        return known_truth(config)
    except DataError:
        return None


def compare(known: dict[str, Any], formula: LinearFormula, metrics: Metrics) -> Metrics | None:
    """Compare coefficients with the true ones, and the MSE of each split with that of the noise.

    True columns that the run does not use are listed as `left_out`. The bias then includes their mean effect and is not
    compared.

    Args:
        known: from `known_truth`.
        formula: the trained model in original units.
        metrics: of the run, with `inference`, and `optimum` where there is one.

    Returns:
        `truth` of `evaluate --json`: `coefficients` (`true`, `estimate`, `error` = estimate - true, and `covered`:
        whether the 95 % confidence interval contains the true value, None where there is no interval),
        `intervals_of` (`trained`, or `exact` where inference is refused for the trained model; None without
        intervals), `noise_mse` and `mse` by split. None if the run predicts another or a transformed target, or has a
        feature without a true weight.
    """
    target, weights = known["target"], known["weights"]
    if formula.transform != "none" or target not in formula.targets or not set(formula.features) <= set(weights):
        return None
    k = formula.targets.index(target)
    left_out = [name for name in weights if name not in formula.features]
    pairs = [(name, weights[name], float(formula.weights[j, k])) for j, name in enumerate(formula.features)]
    if formula.bias is not None and not left_out:
        pairs.append(("bias", known["bias"], float(formula.bias[k])))
    several = len(formula.targets) > 1
    intervals, intervals_of = _intervals(metrics["inference"], target, several), "trained"
    if not intervals:
        found = (metrics.get("optimum") or {}).get("inference") or {}
        intervals, intervals_of = _intervals(found, target, several), "exact"
    coefficients = {}
    for name, true, estimate in pairs:
        interval = intervals.get(name)
        covered = None
        if interval and None not in (interval["ci_low"], interval["ci_high"]):
            covered = interval["ci_low"] <= true <= interval["ci_high"]
        coefficients[name] = {"true": true, "estimate": estimate, "error": estimate - true, "covered": covered}
    attained = {
        split: (values["by_target"][target] if "by_target" in values else values)["mse"]
        for split in ("train", "validation", "test")
        if (values := metrics.get(split))
    }
    result: Metrics = {"coefficients": coefficients, "intervals_of": intervals_of if intervals else None}
    result |= {"noise_mse": known["noise_std"] ** 2, "mse": attained}
    return {**result, "left_out": left_out} if left_out else result


def _intervals(inference: Metrics, target: str, several: bool) -> Metrics:
    """The statistics of each coefficient; empty where inference is refused."""
    found: Metrics = (inference.get(target) or {} if several else inference).get("coefficients", {})
    return found
