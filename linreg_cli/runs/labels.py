"""What several runs are called where they are shown side by side: by what differs between them."""

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from linreg_cli.addresses import values_without_secrets
from linreg_cli.errors import LinregError
from linreg_cli.remedies import flow
from linreg_cli.runs.compare import flat
from linreg_cli.runs.contents import RunContents

#: Sections of the config that change nothing about how a run learns.
_NO_MATTER = ("name", "plots", "gates", "probe", "evaluate", "track")
#: The most settings in a label, and the most characters of a value.
_MOST_SETTINGS, _MOST_CHARACTERS = 3, 24


def labels_of(runs: Sequence[RunContents]) -> list[str]:
    """A name for each of several runs: its own label, else its settings that differ, else its id.

    Two names that would be the same have the id behind them.
    """
    found = [name or run.id for name, run in zip(differences_of(runs), runs, strict=True)]
    times = Counter(found)
    return [
        name if times[name] == 1 or name == run.id else f"{name} ({run.id})"
        for name, run in zip(found, runs, strict=True)
    ]


def differences_of(runs: Sequence[RunContents]) -> list[str | None]:
    """For each run its own label, else its settings that are not the same in all runs; None where there are none.

    Settings are those of `config.yaml` that training depends on. Where one cannot be read, none are compared.
    """
    try:
        settings = [_named(run) for run in runs]
    except LinregError:
        settings = [{} for _ in runs]
    own = [run.record().get("label") for run in runs]
    return [label or text or None for label, text in zip(own, differing(settings), strict=True)]


def _named(run: RunContents) -> dict[str, Any]:
    """The settings of a run, as a label names them.

    Of a table it has the name of the file, since a path is long and private. An engine that was chosen for the run is
    left out: the choice depends on the machine, and engines agree.
    """
    settings: dict[str, Any] = values_without_secrets(flat(run.config.model_dump(mode="json")))
    if isinstance(path := settings.get("data.path"), str):
        settings["data.path"] = PurePath(path).name
    engine = run.record().get("engine")
    if isinstance(engine, dict) and engine.get("auto"):
        settings.pop("train.engine", None)
    return settings


def differing(settings: Sequence[dict[str, Any]]) -> list[str]:
    """The settings of each config that are not the same in all, in one short line; empty if there are none.

    A setting that more than half of the configs share is shown for none of these: the others differ by it.

    Args:
        settings: dotted key -> value, of each config.

    >>> differing([{"seed": 0, "optimizer.lr": 0.1}, {"seed": 0, "optimizer.lr": 0.01}])
    ['lr 0.1', 'lr 0.01']
    >>> differing([{"train.batch_size": "full", "optimizer.momentum": 0.9}, {"train.batch_size": 10}])
    ['batch_size full, momentum 0.9', 'batch_size 10']
    >>> differing([{"seed": 0, "train.epochs": 3}, {"seed": 0, "train.epochs": 4}, {"seed": 1, "train.epochs": 5}])
    ['epochs 3', 'epochs 4', 'epochs 5, seed 1']
    """
    keys = [
        key
        for key in dict.fromkeys(key for each in settings for key in each)
        if key.partition(".")[0] not in _NO_MATTER and _n_values(settings, key) > 1
    ]
    # Those first that tell the most runs apart; of equals, those that come first in the config.
    keys.sort(key=lambda key: -_n_values(settings, key))
    names, written = _short_names(keys), {key: _written(settings, key) for key in keys}
    lines = []
    for position, each in enumerate(settings):
        own = [key for key in keys if not _is_usual(settings, key, each)] or keys
        parts = [f"{names[key]} {written[key][position]}" for key in own if key in each]
        lines.append(", ".join(parts if len(parts) <= _MOST_SETTINGS else [*parts[:_MOST_SETTINGS], "…"]))
    return lines


def _n_values(settings: Sequence[dict[str, Any]], key: str) -> int:
    return len({repr(each[key]) if key in each else "" for each in settings})


def _is_usual(settings: Sequence[dict[str, Any]], key: str, one: dict[str, Any]) -> bool:
    """Whether more than half of the configs have the value that this one has."""
    return 2 * sum((key in each, each.get(key)) == (key in one, one.get(key)) for each in settings) > len(settings)


def _short_names(keys: Sequence[str]) -> dict[str, str]:
    """Keys without their section: `optimizer.lr` is `lr`; the whole key where two would be the same."""
    short = {key: key.partition(".")[2] or key for key in keys}
    times = Counter(short.values())
    return {key: name if times[name] == 1 else key for key, name in short.items()}


def _written(settings: Sequence[dict[str, Any]], key: str) -> list[str]:
    """The values of a key, with as few digits of numbers as tell them apart; empty where the key is missing."""
    for digits in (4, 6, 9, 17):
        texts = [_value(each[key], digits) if key in each else "" for each in settings]
        if len(set(texts)) == _n_values(settings, key):
            break
    return texts


def _value(value: Any, digits: int) -> str:
    if isinstance(value, float):
        return f"{value:.{digits}g}"
    text = flow(value)
    return text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 1]}…"
