"""What differs between two runs."""

import hashlib
from collections.abc import Sequence
from typing import Any

from linreg_cli.runs.contents import RunContents
from linreg_cli.runs.store import RunFolder

#: Of `run.json`, what may differ for a reason; the rest are times, ids and results.
_RECORD = ("status", "device", "dtype", "engine", "data", "versions", "platform", "threads", "git_commit", "stopped")


#: A file's name may be of 255 bytes, with what is added to it.
_LONGEST_NAME = 120


def comparison_name(kind: str, ids: Sequence[str]) -> str:
    """A file name for something about several runs; another for others, also where it had to be cut.

    >>> comparison_name("loss", ["a-0001", "b-0001"])
    'loss-a-0001-b-0001'
    """
    name = "-".join((kind, *ids))
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[: _LONGEST_NAME - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def differences(first: RunFolder, second: RunFolder) -> list[tuple[str, Any, Any]]:
    """(key, value in the first, value in the second) wherever they differ; None for what one of them lacks.

    Raises:
        StoreError: if one of the runs is damaged.
    """
    runs = RunContents.of(first), RunContents.of(second)
    return [(key, *values) for key, values in varying([{**settings(run), **_results(run)} for run in runs])]


def settings(run: RunContents) -> dict[str, Any]:
    """The config of a run and what it met, with dotted keys: data, device, versions.

    Raises:
        StoreError: if the run is damaged.
    """
    record = run.record()
    return {**flat(run.config.model_dump(mode="json")), **flat({key: record.get(key) for key in _RECORD})}


def varying(facts: Sequence[dict[str, Any]]) -> list[tuple[str, list[Any]]]:
    """(key, its value in each) wherever not all are the same; None for what one of them lacks.

    >>> varying([{"seed": 0, "lr": 1}, {"seed": 0, "lr": 2}, {"seed": 0}])
    [('lr', [1, 2, None])]
    """
    rows = [(key, [each.get(key) for each in facts]) for key in dict.fromkeys(key for each in facts for key in each)]
    return [(key, values) for key, values in rows if any(value != values[0] for value in values)]


def _results(run: RunContents) -> dict[str, Any]:
    metrics = run.read_json("metrics.json") if (run.path / "metrics.json").is_file() else {}
    return flat({key: value for key, value in metrics.items() if key != "probe"})


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dotted keys.

    >>> flat({"train": {"epochs": 3}, "seed": 0})
    {'train.epochs': 3, 'seed': 0}
    """
    found: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        found |= flat(value, f"{name}.") if isinstance(value, dict) and value else {name: value}
    return found
