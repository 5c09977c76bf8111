"""Differences between runs: config, data, versions and results."""

import hashlib
from collections.abc import Sequence
from typing import Any

from linreg_cli.addresses import values_without_secrets
from linreg_cli.runs.contents import RunContents
from linreg_cli.runs.store import RunFolder

#: Keys of `run.json` that are compared; the others are times, ids and results.
_RECORD = ("status", "device", "dtype", "engine", "data", "versions", "platform", "threads", "git_commit", "stopped")

#: Characters of a name; file systems allow 255 bytes, with the suffix and what is added for a temporary file.
_LONGEST_NAME = 120


def comparison_name(kind: str, ids: Sequence[str]) -> str:
    """A file name, without suffix, for a picture or a report of several runs.

    A name that is too long is cut and ends in a hash of the whole, so that other runs get another name.

    >>> comparison_name("loss", ["a-0001", "b-0001"])
    'loss-a-0001-b-0001'
    """
    name = "-".join((kind, *ids))
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[: _LONGEST_NAME - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def differences(first: RunFolder, second: RunFolder) -> list[tuple[str, Any, Any]]:
    """(key, value in the first, value in the second) for every key whose values differ; None where a key is missing.

    Raises:
        StoreError: if one of the runs is damaged.
    """
    runs = RunContents.of(first), RunContents.of(second)
    return [(key, *values) for key, values in varying([{**settings(run), **_results(run)} for run in runs])]


def settings(run: RunContents) -> dict[str, Any]:
    """The config of a run, its data, device and versions, with dotted keys.

    Raises:
        StoreError: if the run is damaged.
    """
    record = run.record()
    return {
        **values_without_secrets(flat(run.config.model_dump(mode="json"))),
        **flat({key: record.get(key) for key in _RECORD}),
    }


def varying(facts: Sequence[dict[str, Any]]) -> list[tuple[str, list[Any]]]:
    """(key, its value in each mapping) for every key whose values are not all equal; None where a key is missing.

    >>> varying([{"seed": 0, "lr": 1}, {"seed": 0, "lr": 2}, {"seed": 0}])
    [('lr', [1, 2, None])]
    """
    rows = [(key, [each.get(key) for each in facts]) for key in dict.fromkeys(key for each in facts for key in each)]
    return [(key, values) for key, values in rows if any(value != values[0] for value in values)]


def _results(run: RunContents) -> dict[str, Any]:
    metrics = run.read_json("metrics.json") if run.has("metrics.json") else {}
    return flat({key: value for key, value in metrics.items() if key != "probe"})


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one mapping with dotted keys.

    >>> flat({"train": {"epochs": 3}, "seed": 0})
    {'train.epochs': 3, 'seed': 0}
    """
    found: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        found |= flat(value, f"{name}.") if isinstance(value, dict) and value else {name: value}
    return found
