"""Errors of the schema as messages: the place, what was found, what is allowed, a hint."""

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from linreg_cli.config.data import SOURCES
from linreg_cli.config.schema import SCHEDULES, SECTIONS, Section
from linreg_cli.config.source import Node
from linreg_cli.config.types import quotes_hint, shown, truth_hint
from linreg_cli.errors import Fault, did_you_mean
from linreg_cli.wording import exact

Path = tuple[str | int, ...]

_TAGGED: dict[Path, tuple[str, str, Any]] = {
    ("data",): ("source", "table", SOURCES),
    ("optimizer", "schedule"): ("kind", "constant", SCHEDULES),
}

#: Names that other tools have for our keys.
ALIASES: dict[str | int, str] = {
    "learning_rate": "optimizer.lr",
    "eta0": "optimizer.lr",
    "max_iter": "train.epochs",
    "n_epochs": "train.epochs",
    "num_epochs": "train.epochs",
    "random_state": "seed",
    "fit_intercept": "model.bias",
    "normalize": "preprocess.standardize",
    "label": "data.target",
}

#: Keys that were removed, and what to do instead. The config of an older run may hold them.
RETIRED: dict[Path, str] = {
    (
        "data",
        "cache",
    ): "was removed: a Parquet file is read as fast as the cache was; remove the key, and convert "
    "a table that is slow to read to Parquet",
}

#: Path -> what a text must match, in words.
PATTERNS: dict[Path, str] = {
    ("name",): "letters and digits of any script, '.', '_' and '-', not beginning with '.' or '-', and no path "
    "separators",
    ("train", "device"): "auto, cpu, cuda or cuda:N",
    ("data", "sha256"): "64 hexadecimal digits",
}

_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}

_LIMITS: dict[str, Callable[[dict[str, Any]], str]] = {
    "greater_than": lambda ctx: f"must be above {exact(ctx['gt'])}",
    "greater_than_equal": lambda ctx: f"must be at least {exact(ctx['ge'])}",
    "less_than": lambda ctx: f"must be below {exact(ctx['lt'])}",
    "less_than_equal": lambda ctx: f"must be at most {exact(ctx['le'])}",
    "finite_number": lambda _: "must be finite",
    "string_too_long": lambda ctx: f"must be at most {ctx['max_length']} characters long",
    "string_too_short": lambda ctx: f"must be at least {ctx['min_length']} character long",
    "too_short": lambda ctx: f"needs at least {ctx['min_length']} entry",
}


def without_retired(values: dict[str, Any]) -> dict[str, Any]:
    """The values of a stored config without the keys that were removed."""
    for *parents, key in RETIRED:
        section = values
        for step in parents:
            section = section.get(str(step)) or {}
        section.pop(str(key), None)
    return values


def fault_at(tree: Node, path: Path, message: str, *, key: bool = False) -> Fault:
    """A fault at one place of the config: file, line, column and the source line."""
    origin, _ = tree.locate(path, key=key)
    return Fault(message, str(origin), origin.excerpt())


def fault_paths(error: ValidationError, tree: Node) -> list[tuple[str, Path]]:
    """The kind and the path of every fault that the schema found."""
    return [(detail["type"], _path(detail, tree)) for detail in error.errors(include_url=False)]


def faults(error: ValidationError, tree: Node, *, missing: bool = True) -> list[Fault]:
    """Every fault that the schema found, in the order of the file, one for each place.

    Args:
        error: of the schema.
        tree: the values as written.
        missing: whether keys that are required and missing count.
    """
    found: dict[Path, tuple[tuple[int, int], Fault]] = {}
    counted: list[Path] = []
    for detail in error.errors(include_url=False):
        path = _path(detail, tree)
        if path not in found and (missing or detail["type"] != "missing"):
            is_key = detail["type"] == "extra_forbidden"
            counted += [path] if detail["type"] == "too_short" else []
            origin, _ = tree.locate(path, key=is_key)
            found[path] = (
                (origin.line, origin.column),
                fault_at(tree, path, _message(detail, path, tree), key=is_key),
            )
    for path in counted:  # a wrong entry is not counted, so the length error follows from it
        if any(other[: len(path)] == path and other != path for other in found):
            del found[path]
    return [fault for _, fault in sorted(found.values(), key=lambda pair: pair[0])]


def _path(detail: ErrorDetails, tree: Node) -> Path:
    """pydantic's location without the names of union members, which are no keys."""
    path: list[str | int] = []
    node: Node | None = tree
    tags = [(*path, tag) for path, (_, _, kinds) in _TAGGED.items() for tag in kinds]
    tagged = False
    for step in detail["loc"]:
        if not tagged and (*path, step) in tags:  # a member of a union, even where a key has the same name
            tagged = True
            continue
        tagged = False
        value = node.value if node is not None else None
        if isinstance(value, dict) and step in value:
            path.append(step)
            node = value[step]
        elif isinstance(value, list) and isinstance(step, int):
            path.append(step)
            node = value[step] if step < len(value) else None
    if detail["type"] == "missing":
        path.append(detail["loc"][-1])
    return tuple(path)


def _message(detail: ErrorDetails, path: Path, tree: Node) -> str:
    kind, context, value = detail["type"], detail.get("ctx", {}), detail["input"]
    name = ".".join(str(step) for step in path)
    if kind == "extra_forbidden":
        return _unknown_key(path, tree)
    if kind == "missing":
        return f"{name} is required"
    if kind == "linreg":
        return f"{name}: {detail['msg']}"
    if kind == "union_tag_invalid":
        tag_key, _, kinds = _TAGGED[path]
        tag = str(context["tag"])
        return f"{name}.{tag_key}: unknown value {tag!r}{did_you_mean(tag, list(kinds))}"
    if kind in _LIMITS:
        return f"{name} {_LIMITS[kind](context)}, found {shown(value)}"
    if kind == "string_pattern_mismatch":
        return f"{name}: expected {PATTERNS[path]}, found {shown(value)}"
    if kind == "literal_error":
        expected = context["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        hint = did_you_mean(value, expected) if isinstance(value, str) else f"; allowed: {', '.join(expected)}"
        return f"{name}: unknown value {shown(value) if not isinstance(value, str) else repr(value)}{hint}"
    if kind in _EXPECTED:
        return f"{name}: expected {_EXPECTED[kind]}, found {shown(value)}{_type_hint(kind, value)}"
    return f"{name}: {detail['msg']}"


def _type_hint(kind: str, value: Any) -> str:
    if kind in ("int_type", "float_type"):
        return quotes_hint(value)
    if kind == "bool_type":
        return truth_hint(value)
    if kind == "string_type" and not isinstance(value, dict | list | tuple) and value is not None:
        return "; put it in quotes"
    return ""


def section_at(path: Path, tree: Node) -> type[Section] | None:
    """The class of the section at a path; None if there is none."""
    names = tuple(str(step) for step in path)
    if names[:2] == ("preprocess", "columns") and len(names) == 3:
        names = (*names[:2], "COLUMN")
    if names in _TAGGED:
        tag_key, default, _ = _TAGGED[names]
        _, node = tree.locate(path)
        tag = node.value[tag_key].value if tag_key in node.value else default
        names = (*names, str(tag))
    return SECTIONS.get(names)


def _unknown_key(path: Path, tree: Node) -> str:
    if path in RETIRED:
        return f"{'.'.join(map(str, path))} {RETIRED[path]}"
    *parents, key = path
    section = section_at(tuple(parents), tree)
    here = ".".join(str(step) for step in parents)
    message = f"unknown key {str(key)!r}" + (f" in {here}" if here else "")
    if section is None:
        return message
    if key in ALIASES:
        return f"{message}; did you mean {ALIASES[key]}?"
    before, colon, value = str(key).partition(":")
    if colon and value and before in section.model_fields:
        return f"{message}; write a blank after the colon: {before}: {value}"
    owners = [owner for owner, other in SECTIONS.items() if key in other.model_fields]
    for owner in owners:  # the same mapping under another source or kind
        if owner[:-1] == tuple(parents) and owner[:-1] in _TAGGED:
            near = get_close_matches(str(key), list(section.model_fields), n=1, cutoff=0.8)
            remedy = f"did you mean {near[0]!r}? Else remove it" if near else "remove it"
            return f"{message}: it belongs to {_TAGGED[owner[:-1]][0]}: {owner[-1]}; {remedy}"
    # A typo of a key in this section comes first, then the same key of another section, then a similar key.
    if owners and not get_close_matches(str(key), list(section.model_fields), n=1, cutoff=0.8):
        owner = owners[0][:-1] if owners[0][:-1] in _TAGGED else owners[0]
        return f"{message}; did you mean {'.'.join((*owner, str(key)))}?"
    return message + did_you_mean(str(key), list(section.model_fields))
