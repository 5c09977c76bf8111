"""The metrics that a run of a config has, before there is one: what its gates may name."""

import functools
from collections.abc import Callable, Collection, Sequence
from typing import Any

from linreg_cli.config.data import InlineData, SyntheticData
from linreg_cli.config.partial import FaultyError
from linreg_cli.config.schema import Config
from linreg_cli.findings import KINDS
from linreg_cli.gates import parse_comparison
from linreg_cli.metric_paths import Absent, AnyName, Missing, metric_at
from linreg_cli.remedies import setting
from linreg_cli.wording import METRICS

#: A number, a text.
_NUMBER, _TEXT = 0.0, ""


def metric_names(config: Config, features: Sequence[str] | None = None, empty: Collection[str] = ()) -> dict[str, Any]:
    """The names in the `metrics.json` of a run, in its form: a number where there will be one, "" for text.

    `Absent` stands for what the runs of the config do not have, `AnyName` for the parameters where `features` is None.

    Args:
        config: valid.
        features: names of the inputs, after encoding; None: only the table knows them.
        empty: splits that turned out to have no rows.

    >>> from linreg_cli.config.load import load_config
    >>> names = metric_names(load_config([], ["data.source=synthetic"]).config, ["x1"])
    >>> names["parameters"], names["test"].why
    ({'units': '', 'weights': {'x1': 0.0}, 'bias': 0.0}, 'the config has no test split; set data.split.test')
    """
    parts: dict[str, Callable[[Config], Any]] = {
        **{name: functools.partial(_split_of, name, empty) for name in _SPLITS},
        "parameters": functools.partial(_parameters, features=features),
        "optimum": functools.partial(_optimum, features=features),
        "inference": functools.partial(_inference, features=features),
        "probe": _probe,
        "cross_validation": _cross_validation,
    }
    names: dict[str, Any] = {}
    for name, part in parts.items():
        try:
            names[name] = part(config)
        except FaultyError:  # settings that decide it are at fault, so nothing can be said of the names
            names[name] = AnyName(_NUMBER)
    return {**names, "seconds": _NUMBER, "warnings": dict.fromkeys(KINDS, _NUMBER)}


def impossible_gate(gate: str, names: dict[str, Any]) -> str | None:
    """Why no run can pass a gate, since it has no such metric; None if one may.

    Args:
        gate: a condition.
        names: from `metric_names`.

    Raises:
        ValueError: if the text is not a condition.
    """
    comparison = parse_comparison(gate)
    found = metric_at(names, comparison.path)
    return found.why(comparison.metric) if isinstance(found, Missing) else None


def known_features(config: Config) -> tuple[str, ...] | None:
    """The names of the inputs where the config itself names them; None for a table."""
    return config.data.feature_names if isinstance(config.data, InlineData | SyntheticData) else None


def targets_of(config: Config) -> tuple[str, ...]:
    """The names of the targets."""
    return (config.data.target,) if isinstance(config.data, SyntheticData) else config.data.targets


_SPLITS = ("train", "validation", "test")


def _split_of(name: str, empty: Collection[str], config: Config) -> Any:
    targets = targets_of(config)
    own = dict.fromkeys((*METRICS, "n"), _NUMBER)
    found: dict[str, Any] = {"units": _TEXT, "r2_definition": _TEXT, "loss": _NUMBER, **own}
    found |= {"by_target": dict.fromkeys(targets, own)} if len(targets) > 1 else {}
    given, inline = config.data.split, isinstance(config.data, InlineData)
    tested = name == "test" and isinstance(config.data, InlineData) and bool(config.data.test_rows)
    if given.column is None and not tested and getattr(given, name) == 0:
        rows = " or data.test_rows" if name == "test" and inline else ""
        return Absent(f"the config has no {name} split; set data.split.{name}{rows}", found)
    return Absent(f"the {name} split has no rows", found) if name in empty else found


def _parameters(config: Config, features: Sequence[str] | None) -> dict[str, Any]:
    targets = targets_of(config)
    weights: Any = AnyName(_NUMBER) if features is None else dict.fromkeys(features, _NUMBER)
    bias: Any = _NUMBER
    if len(targets) > 1:
        weights, bias = dict.fromkeys(targets, weights), dict.fromkeys(targets, bias)
    return {
        "units": _TEXT,
        "weights": weights,
        "bias": bias
        if config.model.bias
        else Absent(f"the config has no bias; set {setting('model.bias', True)}", bias),
    }


def _optimum(config: Config, features: Sequence[str] | None) -> Any:
    parameters = _parameters(config, features)
    decay = config.optimizer.weight_decay > 0
    common = {"units": _TEXT, "train_loss": _NUMBER, "gap": _NUMBER, "parameters": parameters, "is_unique": True}
    numbers = ("rank", "n_parameters", "condition_number", "condition_number_as_given")
    held_out = {"units": _TEXT, "r2_definition": _TEXT, **dict.fromkeys(("mse", "rmse", "r2"), _NUMBER)}
    penalised = Absent(f"the config has weight decay; set {setting('optimizer.weight_decay', 0)}", held_out)
    distance = {key: parameters[key] for key in ("weights", "bias")}
    given: Any = {**dict.fromkeys(("train_loss", "gap", "rank"), _NUMBER), "gap_relative_to": _TEXT, "is_unique": True}
    if config.train.dtype == "float64" or decay:
        given = Absent("it is that of train.dtype: float32 without weight decay", given)
    squared = {
        **dict.fromkeys(numbers, _NUMBER),
        "as_given": given,
        "is_saturated": True,
        "objective": _NUMBER if decay else Absent("the config has no weight decay", _NUMBER),
        "leave_one_out": penalised if decay else held_out,
        "distance": Absent(why, distance) if (why := _no_inference(config)) else distance,
        "inference": _inference(config, features),
    }
    if _is_squared(config):
        return {**common, **squared}
    found = {**common, **{key: Absent(f"loss: {config.loss} is not squared", value) for key, value in squared.items()}}
    if decay:
        return Absent(f"no exact optimum is known for loss: {config.loss} with weight decay", found)
    return found


def _is_squared(config: Config) -> bool:
    return config.loss not in ("mae", "huber")


def _no_inference(config: Config) -> str | None:
    if config.optimizer.weight_decay:
        remedy = setting("optimizer.weight_decay", 0)
        return f"inference is refused with weight decay, which biases the coefficients; set {remedy}"
    if not _is_squared(config):
        return f"inference is refused for loss: {config.loss}; set loss: mse"
    return None


def _inference(config: Config, features: Sequence[str] | None) -> Any:
    targets = targets_of(config)
    clusters = config.evaluate.cluster is not None
    errors = ("std_err", "std_err_hc3", *(("std_err_cluster",) if clusters else ()))
    each = dict.fromkeys(("estimate", *errors, "t", "p", "ci_low", "ci_high", "vif"), _NUMBER)
    statistics = ("n", "residual_std", "r2", "r2_adjusted", "f", "f_p", "aic", "bic", "durbin_watson")
    by_name = dict.fromkeys((*(features or ()), *(["bias"] if config.model.bias else [])), each)
    found: Any = {
        "units": _TEXT,
        "r2_definition": _TEXT,
        "covariance": _TEXT,
        "coefficients": AnyName(each) if features is None else by_name,
        **dict.fromkeys((*statistics, *(("n_clusters",) if clusters else ())), _NUMBER),
    }
    found = dict.fromkeys(targets, found) if len(targets) > 1 else found
    why = _no_inference(config)
    return Absent(why, found) if why else found


def _probe(config: Config) -> Any:
    predicted = [_NUMBER] * len(targets_of(config))
    if not config.probe:
        return Absent("the config has no probe; set probe", [{"before": predicted, "after": predicted}])
    return [
        {
            "input": [_TEXT if isinstance(each, str) else _NUMBER for each in point],
            "before": predicted,
            "after": predicted,
        }
        for point in config.probe
    ]


def _cross_validation(config: Config) -> Any:
    folds = config.evaluate.cross_validation.folds if config.evaluate.cross_validation else 0
    each = {"mean": _NUMBER, "std": _NUMBER, "values": [_NUMBER] * folds}
    found = {"units": _TEXT, "r2_definition": _TEXT, "folds": _NUMBER, **dict.fromkeys(METRICS, each)}
    remedy = setting("evaluate.cross_validation", {"folds": 5})
    why = f"the config has no cross-validation; set {remedy}"
    return found if folds else Absent(why, found)
