"""Config files and overrides become one validated `Config`, or an error with every fault."""

import contextlib
import json
import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from linreg_cli.config import diagnostics
from linreg_cli.config.data import SOURCES, STDIN, TableData
from linreg_cli.config.merge import KIND_KEYS, merged
from linreg_cli.config.notes import notes
from linreg_cli.config.partial import FaultyError, usable_part
from linreg_cli.config.rules import broken_rules
from linreg_cli.config.schema import SCHEDULES, Config
from linreg_cli.config.source import FLOAT, PREFIXED_INTEGER, ConfigText, Node
from linreg_cli.errors import ConfigError, SettingError
from linreg_cli.findings import Finding
from linreg_cli.wording import escaped


@dataclass(frozen=True)
class LoadedConfig:
    """A config, with the place where each of its values was written.

    Attributes:
        config: the validated values.
        tree: the values as written, with file, line and column.
        notes: a warning for each setting that has no effect.
    """

    config: Config
    tree: Node
    notes: tuple[Finding, ...]

    def error(self, key: str | Sequence[str | int], message: str) -> ConfigError:
        """A config error at a key, for what is found after validation, such as a missing GPU.

        Args:
            key: the path of the key, with dots or as steps, where a number is a position in a list.
            message: what was found, what is allowed, what to do.
        """
        path = tuple(key.split(".")) if isinstance(key, str) else tuple(key)
        return ConfigError([diagnostics.fault_at(self.tree, path, f"{_dotted(path)}: {message}")])

    @contextlib.contextmanager
    def placing_errors(self) -> Iterator[None]:
        """A block in which a `SettingError` becomes a config error with the file and line of the setting.

        Raises:
            ConfigError: for a `SettingError` in the block.
        """
        try:
            yield
        except SettingError as error:
            faults = [fault for key, message in error.settings for fault in self.error(key, message).faults]
            raise ConfigError(faults) from None


def load_config(
    files: Sequence[str | ConfigText], overrides: Sequence[str] = (), *, stored: bool = False
) -> LoadedConfig:
    """Read, merge and validate.

    Args:
        files: config files; later ones override earlier ones, key by key.
        overrides: `key.path=value` expressions, applied after the files.
        stored: whether the file belongs to a run, which an older version may have written: removed keys are ignored.

    Raises:
        ConfigError: with every fault of the files and overrides that can be read, of the values, and of the rules
            between those keys that have no fault of their own.
    """
    # An override that changes a kind is applied first, so that the other overrides are checked against the new kind.
    kinds = {".".join((*path, key)) for path, key in KIND_KEYS.items()}
    ordered = sorted(overrides, key=lambda expression: "".join(expression.partition("=")[0].split()) not in kinds)
    layers = merged(tuple(files), tuple(ordered), _carry)
    tree, found = layers.tree, layers.faults
    for path in diagnostics.RETIRED if stored else ():
        tree = tree.without(path)
    values = tree.to_value()
    values.setdefault("name", default_name(files))
    config: Config | None
    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        found += diagnostics.faults(error, tree, missing=not layers.unread)  # what was not read may hold these keys
        config = None
    if found:
        config = None if () in layers.unread else usable_part(tree, values, layers.unread)
    if config is not None:
        rules = [*broken_rules(config, stored=stored, partial=bool(found)), *_twice_read(config, files)]
        found += [diagnostics.fault_at(tree, path, f"{_dotted(path)}: {message}") for path, message in rules]
    if found or config is None:
        raise ConfigError(found)
    return LoadedConfig(config, tree, tuple(Finding("config", note) for note in notes(config)))


def _twice_read(config: Config, files: Sequence[str | ConfigText]) -> Iterator[tuple[tuple[str, ...], str]]:
    """A fault for standard input that is a config and the table, too."""
    with contextlib.suppress(FaultyError):  # where the source itself is at fault; pydantic 2.8 asks it for an attribute
        if STDIN in files and isinstance(config.data, TableData) and not config.data.is_kept:
            message = "standard input is the config (-c -), and can be read only once; name a file of the two"
            yield ("data", "path"), message


def default_name(files: Sequence[str | ConfigText]) -> str:
    """The name of the runs of a config that has none: the stem of its first file, or `run` if that is no file.

    What a name cannot contain, such as a blank, becomes a hyphen.

    Args:
        files: the config files, in the order in which they are merged.

    >>> default_name([]), default_name(["-"])
    ('run', 'run')
    """
    fallback = str(Config.model_fields["name"].default)
    first = files[0] if files else ""
    if not isinstance(first, ConfigText) and not os.path.isfile(first):  # the overrides alone, stdin, or a pipe
        return fallback
    given = first.stem if isinstance(first, ConfigText) else Path(first).stem
    stem = re.sub(r"[^\w.-]+", "-", unicodedata.normalize("NFC", given)).lstrip(".-")
    short = stem[: Config.MAX_NAME].encode()[: Config.MAX_NAME_BYTES].decode(errors="ignore")
    return short.rstrip("-") or fallback


def merged_text(files: Sequence[str | ConfigText], overrides: Sequence[str] = ()) -> str:
    """What `load_config` would validate, as one YAML file: the values as written, and the name of the runs.

    Args:
        files: as in `load_config`.
        overrides: as in `load_config`.

    Raises:
        ConfigError: with every fault of the files and overrides that cannot be read.
    """
    layers = merged(tuple(files), tuple(overrides), _carry)
    if layers.faults:
        raise ConfigError(layers.faults)
    return _dumped({"name": default_name(files), **layers.tree.to_value()})


def dump_config(config: Config) -> str:
    """The resolved config as YAML, every key written out; loading it gives an equal `Config`."""
    return _dumped(config.model_dump(mode="json"))


def _dumped(values: dict[str, Any]) -> str:
    values = json.loads(json.dumps(values))  # lists in place of tuples
    text = str(yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110))
    return escaped(text)  # only text in double quotes has characters to escape, and Python's escapes are those of YAML


class _Dumper(yaml.SafeDumper):
    """Quotes text that YAML 1.1 would read as a number, and writes flat lists on one line."""


def _represent_list(dumper: yaml.SafeDumper, values: list[Any]) -> yaml.Node:
    flat = all(not isinstance(value, list | dict) for value in values)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=flat)


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    # Line breaks and control characters can be escaped in double quotes only.
    style = None if text.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(list, _represent_list)
_Dumper.add_representer(str, _represent_text)
# Text such as '1e3' is a number in YAML 1.2 and text in YAML 1.1: these resolvers make the dumper quote it.
_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", FLOAT, list("-+.0123456789"))
_Dumper.add_implicit_resolver("tag:yaml.org,2002:int", PREFIXED_INTEGER, ["0"])


def _dotted(path: tuple[str | int, ...]) -> str:
    return ".".join(str(step) for step in path)


def _carry(old: Node, new_kind: str) -> Node:
    """What is kept of `data` or of a schedule when a later file or override changes its kind.

    Keys that only other kinds have are dropped. Keys that no kind has are kept, so that they are reported. The
    columns of a synthetic source become the features of a table.
    """
    kinds = SOURCES if new_kind in SOURCES else SCHEDULES
    if new_kind not in kinds:
        return old
    elsewhere = {key for section in kinds.values() for key in section.model_fields}
    kept = {key: node for key, node in old.value.items() if key in kinds[new_kind].model_fields or key not in elsewhere}
    features = kept.get("features")
    if features is not None and new_kind != "synthetic" and isinstance(features.value, dict):
        names = [Node(name, features.key_origins[name]) for name in features.value]
        kept["features"] = Node(names, features.origin)
    if features is not None and new_kind == "synthetic" and isinstance(features.value, list):
        del kept["features"]
    return Node(kept, old.origin, {key: old.key_origins[key] for key in kept})
