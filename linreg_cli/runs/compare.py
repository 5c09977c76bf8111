"""What differs between two runs."""

from typing import Any

from linreg_cli.config import load_config
from linreg_cli.errors import ConfigError, StoreError
from linreg_cli.runs.store import RunFolder

#: Of `run.json`, what may differ for a reason; the rest are times, ids and results.
_RECORD = ("status", "device", "dtype", "engine", "data", "versions", "platform", "threads", "git_commit", "stopped")


def differences(first: RunFolder, second: RunFolder) -> list[tuple[str, Any, Any]]:
    """(key, value in the first, value in the second) wherever they differ; None for what one of them lacks.

    Raises:
        StoreError: if one of the runs is damaged.
    """
    a, b = _facts(first), _facts(second)
    return [(key, a.get(key), b.get(key)) for key in dict.fromkeys([*a, *b]) if a.get(key) != b.get(key)]


def _facts(run: RunFolder) -> dict[str, Any]:
    record = run.record()
    metrics = run.read_json("metrics.json") if (run.path / "metrics.json").is_file() else {}
    run.read("config.yaml")
    try:
        config = load_config([str(run.path / "config.yaml")]).config
    except ConfigError as error:
        raise StoreError(error.faults) from None
    return {
        **flat(config.model_dump(mode="json")),
        **flat({key: record.get(key) for key in _RECORD}),
        **flat({key: value for key, value in metrics.items() if key != "probe"}),
    }


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
