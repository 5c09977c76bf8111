"""What a program hands over, as a config has it: paths or mappings, overrides, and text, numbers and lists in them."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from linreg_cli import remedies
from linreg_cli.config.data import FrameData
from linreg_cli.config.load import LoadedConfig, load_config
from linreg_cli.config.source import ConfigText
from linreg_cli.errors import ConfigError, Fault, UsageError
from linreg_cli.paths import expanded

#: A config: the path of a YAML file, several of them (later ones override earlier ones), or a mapping.
Given = str | os.PathLike[str] | Mapping[str, Any] | Sequence[str | os.PathLike[str]]


def loaded_from(config: Given, overrides: Mapping[str, Any], *, has_frame: bool) -> LoadedConfig:
    """The config of files or of a mapping, with the overrides.

    Args:
        config: the paths, or the mapping.
        overrides: dotted key -> value, as `--set` has them.
        has_frame: whether its rows are those of a data frame, which is then its source.

    Raises:
        ConfigError: as `load_config`, and for what is neither a path nor a mapping.
    """
    files: list[str | ConfigText]
    if isinstance(config, Mapping):
        files = [ConfigText("the config", remedies.flow(plain(config)), "run")]
    elif isinstance(config, str | os.PathLike):
        files = [expanded(os.fspath(config))]
    elif isinstance(config, Sequence) and all(isinstance(each, str | os.PathLike) for each in config):
        files = [expanded(os.fspath(each)) for each in config]
    else:
        raise ConfigError(f"a config is a path or a mapping, found a {type(config).__name__}", "the config")
    if "-" in files:
        raise ConfigError("standard input is read by the command line only; give a path or a mapping", "the config")
    source = [remedies.override("data.source", FrameData.model_fields["source"].default)] if has_frame else []
    loaded = load_config(files, [*source, *expressions(overrides)])
    if has_frame and not isinstance(loaded.config.data, FrameData):
        raise loaded.error("data.source", f"{loaded.config.data.source} takes no frame, and one was given as data")
    return loaded


def expressions(overrides: Mapping[str, Any]) -> list[str]:
    """Overrides as `--set` has them.

    >>> expressions({"optimizer.lr": 0.1, "data.features": ("a", "b")})
    ['optimizer.lr=0.1', 'data.features=[a, b]']

    Raises:
        UsageError: for what is no mapping.
        ConfigError: as `plain`.
    """
    if not isinstance(overrides, Mapping):
        raise UsageError(f"overrides are a mapping of key to value, found a {type(overrides).__name__}", "overrides")
    return [remedies.override(key, value) for key, value in plain(overrides, "overrides").items()]


def plain(values: Mapping[Any, Any], name: str = "the config") -> dict[str, Any]:
    """A mapping with Python's own numbers, texts and lists in it, however deep.

    Args:
        values: keys are text. Numbers and arrays of numpy become Python's; a path becomes text.
        name: what messages call it.

    Raises:
        ConfigError: with every key that is no text, and every value that no config can have.

    >>> import numpy as np
    >>> plain({"data": {"features": ("a", "b")}, "optimizer.lr": np.float64(0.1)})
    {'data': {'features': ['a', 'b']}, 'optimizer.lr': 0.1}
    """
    faults: list[Fault] = []
    found: dict[str, Any] = _plain(values, (), name, faults)
    if faults:
        raise ConfigError(faults)
    return found


def _plain(value: Any, path: tuple[str, ...], name: str, faults: list[Fault]) -> Any:
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                faults.append(Fault(f"a key is text, found {key!r}", ".".join((name, *path))))
        return {
            key: _plain(each, (*path, key), name, faults) for key, each in value.items() if isinstance(key, str)
        }  # fmt: skip
    if value is None or isinstance(value, bool | str):
        return value if not isinstance(value, str) else str(value)
    if isinstance(value, int | float):
        return float(value) if isinstance(value, float) else int(value)
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    if hasattr(value, "tolist") and not isinstance(value, type):  # numbers and arrays of numpy, and what follows it
        return _plain(value.tolist(), path, name, faults)
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [_plain(each, (*path, str(position)), name, faults) for position, each in enumerate(value)]
    faults.append(Fault(f"a {type(value).__name__} is no value of a config", f"{name}, {'.'.join(path)}"))
    return None
