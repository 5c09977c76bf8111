"""The metric that the points of a sweep are compared by, and which point is the winner."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from linreg_cli.errors import ConfigError, Fault
from linreg_cli.metric_paths import Missing, metric_at, parse_path

if TYPE_CHECKING:
    from linreg_cli.config import Config

#: Metrics that are best when highest.
_HIGHEST = ("r2", "r2_adjusted")
#: The error of a cross-validation that a loss is about; the squared losses have mse.
_ERRORS = {"mae": "mae", "huber": "mae"}
#: Keys that change the units, or the definition, of a loss.
_OF_LOSS = (
    "loss", "huber_delta", "preprocess.standardize_target", "preprocess.target_transform", "data.target", "data",
    "preprocess",
)  # fmt: skip
#: Metrics that differ by less, relatively, are equal.
_TIED = 1e-12


def is_best_when_highest(metric: str) -> bool:
    """Whether the winner is the point whose metric is highest.

    >>> is_best_when_highest("validation.r2"), is_best_when_highest("cross_validation.r2.mean")
    (True, True)
    >>> is_best_when_highest("validation.loss")
    False
    """
    return any(step in _HIGHEST for step, _ in parse_path(metric))


def choose_metric(configs: "Sequence[Config]", asked: str | None = None) -> tuple[str, str | None]:
    """The metric that every point has, and a warning about it, or None.

    Args:
        configs: of the points.
        asked: the value of `--metric`; None: the loss on the validation split, else the error of the cross-validation,
            else the loss on the train split.

    Raises:
        ConfigError: for a metric that the runs of a point do not have.
    """
    from linreg_cli.config.metric_names import known_features, metric_names  # late: lists of runs read no config

    names = [metric_names(config, known_features(config)) for config in configs]
    if asked is not None:
        _refuse_unknown(asked, names)
        return asked, None
    candidates = ["validation.loss", f"cross_validation.{_ERRORS.get(configs[0].loss, 'mse')}.mean"]
    for metric in candidates:
        if not any(_why_missing(metric, each) for each in names):
            return metric, None
    warning = (
        "there are no validation rows, so the points are compared by train.loss, which prefers whatever fits the train "
        "rows best; set data.split.validation or evaluate.cross_validation, or choose with --metric"
    )
    return "train.loss", warning


def changed_units(metric: str, keys: Sequence[str]) -> str | None:
    """A warning if the grid varies what the metric is measured in."""
    varied = [key for key in keys if key in _OF_LOSS]
    if not metric.endswith(".loss") or not varied:
        return None
    other = metric.replace(".loss", ".rmse")
    return f"{metric} is in the units of training, which may change with {varied[0]}; compare by --metric {other}"


def _refuse_unknown(asked: str, names: Sequence[dict[str, Any]]) -> None:
    try:
        reasons = [why for each in names if (why := _why_missing(asked, each))]
    except ValueError as error:
        raise ConfigError(str(error), "--metric") from None
    if reasons:
        raise ConfigError([Fault(why, "--metric") for why in dict.fromkeys(reasons)])


def _why_missing(metric: str, names: dict[str, Any]) -> str | None:
    found = metric_at(names, parse_path(metric))
    return found.why(metric) if isinstance(found, Missing) else None


def measured(metric: str, values: Mapping[str, Any]) -> float | None:
    """The metric of a run; None where it is undefined or not finite.

    Args:
        metric: its path.
        values: `metrics.json`, with `seconds` and `warnings`.
    """
    found = metric_at(dict(values), parse_path(metric))
    return float(found) if not isinstance(found, Missing) and math.isfinite(found) else None


def best_of(values: Mapping[int, float], *, highest: bool) -> tuple[int | None, list[int]]:
    """The point with the best metric, the first of several that are equal, and the others that are.

    Args:
        values: number of a point -> its metric.
        highest: whether the best is the highest.

    >>> best_of({1: 0.5, 2: 0.25, 3: 0.25}, highest=False), best_of({}, highest=False)
    ((2, [3]), (None, []))
    """
    if not values:
        return None, []
    best = (max if highest else min)(values.values())
    equal = [point for point, value in values.items() if math.isclose(value, best, rel_tol=_TIED, abs_tol=0.0)]
    return equal[0], equal[1:]
