"""Config files and `--set` overrides become one tree. Later ones win, key by key."""

from collections.abc import Callable
from dataclasses import dataclass

from linreg_cli.config.source import ConfigText, Node, Origin, Source, parse_override, read_file
from linreg_cli.config.types import DISTRIBUTIONS
from linreg_cli.errors import ConfigError, Fault

#: Path of a mapping -> the key that selects its kind. When a later layer changes the kind, keys that only the old
#: kind has are dropped.
KIND_KEYS = {("data",): "source", ("optimizer", "schedule"): "kind"}

#: The kind of a mapping without that key.
DEFAULT_KINDS = {"source": "table", "kind": "constant"}

Carry = Callable[[Node, str], Node]


@dataclass(frozen=True)
class Merged:
    """The layers that could be read, merged.

    Attributes:
        tree: the values.
        faults: of the layers that could not be read.
        unread: the paths of these layers' values; a file may hold any.
    """

    tree: Node
    faults: list[Fault]
    unread: list[tuple[str, ...]]


def merged(files: tuple[str | ConfigText, ...], overrides: tuple[str, ...], carry: Carry) -> Merged:
    """Read every layer and merge those that can be read.

    Args:
        files: paths, in order of increasing precedence; empty: the overrides alone.
        overrides: `key.path=value` expressions, applied after the files.
        carry: (old mapping, new kind) -> what is kept of the mapping when a later layer changes its kind.

    Raises:
        ConfigError: with the faults of all layers, if none of the files can be read.
    """
    faults: list[Fault] = []
    unread: list[tuple[str, ...]] = []
    tree: Node | None = None if files else Node({}, Origin(Source("--set", (), is_file=False), 1, 1))
    if files.count("-") > 1:
        raise ConfigError("-c - is given twice, and standard input can be read only once", "standard input")
    for file in files:
        try:
            layer = read_file(file)
        except ConfigError as error:
            faults += error.faults
            unread.append(())
            continue
        tree = layer if tree is None else _merge(tree, layer, (), carry)
    for expression in overrides:
        try:
            path, value = parse_override(expression)
        except ConfigError as error:
            faults += error.faults
            unread.append(tuple(part.strip() for part in expression.partition("=")[0].split(".")))
            continue
        if tree is not None:
            tree = _merge(tree, _nest(path, value), (), carry, replace_at=path)
    if tree is None or not (files or overrides):
        raise ConfigError(faults or "no config file was given")
    return Merged(tree, faults, unread)


def _nest(path: tuple[str, ...], value: Node) -> Node:
    for depth in reversed(range(len(path))):
        origin = Origin(value.origin.source, 1, 1 + sum(len(key) + 1 for key in path[:depth]))
        value = Node({path[depth]: value}, origin, {path[depth]: origin}, value.size + 1)
    return value


def _merge(
    old: Node, new: Node, path: tuple[str, ...], carry: Carry, replace_at: tuple[str, ...] | None = None
) -> Node:
    if not (isinstance(old.value, dict) and isinstance(new.value, dict)) or path == replace_at:
        return new
    if len(new.value) == 1 and any(
        isinstance(new.value[name].value, list) for name in DISTRIBUTIONS if name in new.value
    ):
        return new
    kind_key = KIND_KEYS.get(path)
    if kind_key is not None and kind_key in new.value:
        kind = new.value[kind_key].value
        before = old.value[kind_key].value if kind_key in old.value else DEFAULT_KINDS[kind_key]
        if before != kind:
            old = carry(old, str(kind))
    entries, keys = dict(old.value), dict(old.key_origins)
    for key, child in new.value.items():
        entries[key] = _merge(entries[key], child, (*path, key), carry, replace_at) if key in entries else child
        keys[key] = new.key_origins[key]
    return Node(entries, old.origin, keys)
