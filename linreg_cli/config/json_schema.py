"""The JSON Schema of the config, for editors: what it refuses, `load_config` refuses, and most of the reverse.

It cannot say what YAML alone knows (duplicate keys, tags), what JSON does not have (NaN, infinities), what only Python
knows (names of encodings), and the rules between keys (`config/rules.py`).
"""

from typing import Any

from linreg_cli.config.diagnostics import PATTERNS
from linreg_cli.config.merge import DEFAULT_KINDS, KIND_KEYS
from linreg_cli.config.schema import Config

Schema = dict[str, Any]
Path = tuple[str, ...]

_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


def json_schema() -> Schema:
    """The JSON Schema (draft 7) of a whole config. A file that only overrides another one lacks what is required.

    There are no references in it, and a section of several kinds is a condition on its kind: so editors say what is
    wrong with the kind that is written, and show the description of each key.

    >>> json_schema()["properties"]["optimizer"]["properties"]["nesterov"]["default"]
    False
    """
    given = Config.model_json_schema()
    found = _adapted(given, given.get("$defs", {}), ())
    return {"$schema": "http://json-schema.org/draft-07/schema#", **found}


def _adapted(schema: Schema, definitions: Schema, path: Path) -> Schema:
    """One part of pydantic's schema, without references, titles and the defaults of whole sections."""
    alone = schema.get("allOf", [])
    referred = schema.get("$ref") or (alone[0].get("$ref") if len(alone) == 1 else None)  # as pydantic below 2.9 does
    if referred:
        own = {key: value for key, value in schema.items() if key not in ("$ref", "allOf")}
        return _adapted({**definitions[referred.rpartition("/")[2]], **own}, definitions, path)
    kept = {key: value for key, value in schema.items() if key not in ("title", "$defs", "discriminator")}
    if "const" in kept:
        kept.pop("enum", None)  # pydantic below 2.10 writes both
    for key, value in kept.items():
        if key in _BOUNDS and value == int(value):
            kept[key] = int(value)  # pydantic below 2.11 writes 0.0
        elif key == "properties":
            kept[key] = {name: _adapted(each, definitions, (*path, name)) for name, each in value.items()}
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            kept[key] = _adapted(value, definitions, (*path, "*"))
        elif key in ("anyOf", "oneOf"):
            kept[key] = [_adapted(each, definitions, path) for each in value]
    kept = _listed(kept)
    if "properties" in kept or "oneOf" in kept:
        kept.pop("default", None)
    if path in PATTERNS and "pattern" in kept:
        kept["patternErrorMessage"] = f"expected {PATTERNS[path]}"
    return _by_kind(kept, KIND_KEYS[path]) if path in KIND_KEYS and "oneOf" in kept else kept


def _listed(schema: Schema) -> Schema:
    """`true`, `false` and words as one list: of alternatives, an editor names the type of the first alone.

    >>> _listed({"anyOf": [{"type": "boolean"}, {"const": "blocks", "type": "string"}], "default": True})
    {'enum': [True, False, 'blocks'], 'default': True}
    """
    known: dict[str, list[Any]] = {"boolean": [True, False], "null": [None]}
    values: list[Any] = []
    for each in schema.get("anyOf", []):
        some = each.get("enum", [each["const"]] if "const" in each else known.get(each.get("type")))
        if some is None or not each.keys() <= {"type", "enum", "const"}:
            return schema
        values += some
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    return {"enum": values, **rest} if values else schema


def _by_kind(schema: Schema, kind_key: str) -> Schema:
    """A section of one of several kinds, as a condition for each.

    Args:
        schema: it has the kinds as `oneOf`.
        kind_key: the key of the kind, which may be left out for the default one.
    """
    default = DEFAULT_KINDS[kind_key]
    members = {each["properties"][kind_key]["const"]: each for each in schema["oneOf"]}
    conditions = []
    for kind, member in members.items():
        named = {} if kind == default else {"required": [kind_key]}
        conditions.append({"if": {"properties": {kind_key: {"const": kind}}, **named}, "then": member})
    description = members[default]["properties"][kind_key]["description"]
    choice = {"enum": [*members], "default": default, "description": description}
    rest = {key: value for key, value in schema.items() if key != "oneOf"}
    return {**rest, "type": "object", "properties": {kind_key: choice}, "allOf": conditions}
