"""Values that a program hands over, as a config has them: text, numbers, lists and mappings."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from linreg_cli.errors import ConfigError, Fault


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
