"""The JSON Schema says of every value what the loader says of it, but for a list of exceptions."""

import json
import math
import re
from typing import Any

import pytest
import test_config_errors
import test_config_rules
import test_config_schema
import test_config_values
from conftest import CONFIGS
from jsonschema import Draft7Validator
from pydantic import ValidationError

from linreg_cli.config.json_schema import json_schema
from linreg_cli.config.load import _carry
from linreg_cli.config.merge import merged
from linreg_cli.config.schema import SECTIONS, Config
from linreg_cli.errors import ConfigError

SCHEMA = json_schema()
VALIDATOR = Draft7Validator(SCHEMA)

#: What the loader refuses and a JSON Schema cannot, by the loader's words.
EXCEPTIONS = {
    "must be finite|finite number|numbers, one for each|list of numbers": "NaN and infinities: JSON has none",
    "low at most high": "a comparison of two values",
    "unknown encoding|not an encoding": "only Python knows its codecs",
    "named more than once|named twice": "names that are the same in Unicode's normal form",
    "bytes in UTF-8": "bytes are not characters",
    r"should match pattern '\^\\w": "other characters than letters beyond ASCII",
    "home folder": "only the system knows its users",
}

#: A whole config of each source and kind.
BASES: dict[tuple[str, ...], dict[str, Any]] = {
    ("data", "table"): {"data": {"path": "a.csv", "target": "y"}},
    ("data", "synthetic"): {"data": {"source": "synthetic"}},
    ("data", "inline"): {"data": {"source": "inline", "columns": ["x", "y"], "rows": [[1, 2]]}},
    ("data", "frame"): {"data": {"source": "frame", "target": "y"}},
    ("optimizer", "schedule", "step"): {"optimizer": {"schedule": {"kind": "step", "step_size": 1}}},
    ("optimizer", "schedule", "exponential"): {"optimizer": {"schedule": {"kind": "exponential", "gamma": 0.5}}},
    ("optimizer", "schedule", "cosine"): {"optimizer": {"schedule": {"kind": "cosine", "T_max": 1}}},
    ("evaluate", "cross_validation"): {"evaluate": {"cross_validation": {"folds": 2}}},
}
#: Values of every kind, near every bound.
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, 2, -1, 5.0, 0.5, 1e-3, 1.5, -0.5, 2**63 - 2**10, 2**63, 1e300,
    "", "x", "y", "auto", "full", "5", "1e-3", "true", "no", ".", ",", "'", " ", "\u00a0", "\u2019", ";", "||", "none",
    "error", "drop", "mean", "median", "log", "log1p", "one_hot", "ignore", "mse", "huber", "msee", "float64", "native",
    "cuda:0", "cuda:01", "cpu", "gpu", "train.loss", "validation.loss", "step", "constant", "table", "synthetic", "HC3",
    "inline", "frame", "exponential", "cosine", "utf-8", "latin-1", "a" * 64, "A" * 100, "a" * 101,
    "größe", "-a", ".a", "a b", "a/b", "a.b-c_1", "_", "данные",
    [], [1], [1, 2], [0.5, "x"], ["x"], ["x", "y"], ["x", "x"], [""], [None], [[1, 2]], [[1, 2], [3, 4]], [["x"]], [[]],
    {}, {"x": 1}, {"a": 1.5, "b": 2}, {"a": "b"}, {"": {}}, {"normal": [0, 1]}, {"normal": [0, -1]}, {"normal": [0]},
    {"uniform": [0, 1]}, {"integers": [1, 6]}, {"a": {"integers": [1, 6]}}, {"a": {"integers": [1, 1.5]}},
    {"a": {"integers": [0, 2**53]}}, {"a": {"linspace": [3, 1]}}, {"a": {"lognormal": [7.5, -0.4]}},
    {"a": {"normal": [0, 1], "uniform": [0, 1]}}, {"a": {"gauss": [0, 1]}}, {"a": {"missing": "median"}},
    {"a": {"missing": None, "categorical": "one_hot"}}, {"a": {"mising": "drop"}}, {"kind": "step"}, {"folds": 2},
    {"kind": "step", "step_size": 2}, {"kind": "cosine"}, {"kind": "linear"}, {"step_size": 2}, {"source": "synthetic"},
    {"train": 0.8, "test": 0.2}, "hash", {"monitor": "train.loss"}, {"source": "excel"}, {"path": "a.csv"},
    {"folds": 1},
)  # fmt: skip


def put(values: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """A copy with a value at a path."""
    head, *rest = path
    return {**values, head: put(values.get(head) or {}, tuple(rest), value) if rest else value}


def cases() -> dict[str, list[tuple[tuple[str, ...], dict[str, Any]]]]:
    """Section -> (path, config) for each of its keys and each value, and for a key that it does not have."""
    found = {}
    for at, section in SECTIONS.items():
        base = BASES.get(at, {})
        base = base if "data" in base else {**BASES["data", "table"], **base}
        of_a_kind = (at in BASES and at[0] != "evaluate") or at[-1:] == ("constant",)
        parents = at[:-1] if of_a_kind else at
        paths = [(*parents, name) for name in (*section.model_fields, "nonsense")]
        found[".".join(at) or "top level"] = [(path, put(base, path, value)) for path in paths for value in VALUES]
    return found


def refusals(values: Any) -> list[str]:
    """What the loader says of plain values, but for the rules between keys."""
    try:
        Config.model_validate(as_tuples(values))
    except ValidationError as error:
        return [detail["msg"] for detail in error.errors(include_url=False)]
    return []


def as_tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: as_tuples(each) for key, each in value.items()}
    return tuple(map(as_tuples, value)) if isinstance(value, list) else value


def as_lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: as_lists(each) for key, each in value.items()}
    return [as_lists(each) for each in value] if isinstance(value, list | tuple) else value


def is_excused(messages: list[str], values: Any) -> bool:
    """Whether each of the loader's reasons is one that a schema cannot express."""
    numbers = next(iter(EXCEPTIONS))
    rules = [rule for rule in EXCEPTIONS if rule != numbers or not all(map(math.isfinite, floats(values)))]
    return all(any(re.search(rule, message) for rule in rules) for message in messages)


def floats(value: Any) -> list[float]:
    if isinstance(value, dict | list | tuple):
        return [each for item in (value.values() if isinstance(value, dict) else value) for each in floats(item)]
    return [value] if isinstance(value, float) else []


def disagreement(values: Any) -> str | None:
    said, valid = refusals(values), VALIDATOR.is_valid(as_lists(values))
    if not said and not valid:
        [*errors] = VALIDATOR.iter_errors(as_lists(values))
        return f"the loader accepts it, the schema does not: {errors[0].message[:100]}"
    if said and valid and not is_excused(said, values):
        return f"the schema accepts it, the loader does not: {said}"
    return None


def test_the_schema_is_one():
    Draft7Validator.check_schema(SCHEMA)
    text = json.dumps(SCHEMA)
    assert "$ref" not in text
    assert '"title"' not in text


@pytest.mark.parametrize("section", cases())
def test_schema_and_loader_agree_on_every_key_and_value(section):
    wrong = {
        f"{'.'.join(path)} {json.dumps(values)[:300]}": why
        for path, values in cases()[section]
        if (why := disagreement(values))
    }
    assert wrong == {}


def test_the_values_are_accepted_and_refused():
    """Otherwise the two could agree by refusing everything."""
    for section, each in cases().items():
        verdicts = {path: set() for path, _ in each}
        for path, values in each:
            verdicts[path].add(not refusals(values))
        one_sided = [path for path, seen in verdicts.items() if len(seen) < 2 and path[-1] != "nonsense"]
        assert one_sided == [], section


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_shipped_config_is_valid_and_names_the_schema(path):
    tree = merged((str(path),), (), _carry).tree
    assert [error.message for error in VALIDATOR.iter_errors(as_lists(tree.to_value()))] == []
    first = path.read_text(encoding="utf-8").splitlines()[0]
    mark, _, schema = first.partition("$schema=")
    assert mark == "# yaml-language-server: "
    assert json.loads((path.parent / schema).read_text(encoding="utf-8")) == SCHEMA


def parameters(module: Any) -> list[list[str]]:
    """Every list of overrides in the parameters of the tests of a module."""
    marks = [mark for test in vars(module).values() for mark in getattr(test, "pytestmark", [])]
    found = []
    for mark in marks:
        for given in mark.args[1] if mark.name == "parametrize" else ():
            first = given[0] if isinstance(given, tuple) else given
            settings = [first] if isinstance(first, str) else first
            if isinstance(settings, list) and all("=" in setting for setting in settings):
                found.append(settings)
    return found


@pytest.mark.parametrize("base", ["SYNTHETIC", "TABLE", "INLINE"])
def test_schema_and_loader_agree_on_the_configs_of_the_other_tests(base):
    settings = [each for module in (test_config_rules, test_config_schema, test_config_values) for each in
                parameters(module)]  # fmt: skip
    settings += [[f"{key}={wrong}"] for kind, keys in test_config_values.FIELDS.items() for key in keys
                 for wrong in test_config_values.WRONG[kind]]  # fmt: skip
    settings += [[f"{key}={number}"] for key in test_config_values.RANGES for number in test_config_values.NUMBERS]
    assert len(settings) > 500
    wrong, refused = {}, 0
    for each in settings:
        values = merged((), (*getattr(test_config_schema, base), *each), _carry).tree.to_value()
        refused += bool(refusals(values))
        if why := disagreement(values):
            wrong[" ".join(each)] = why
    assert wrong == {}
    assert refused > 300


def test_schema_and_loader_agree_on_the_files_of_the_golden_errors(tmp_path):
    wrong, seen = {}, 0
    for name, (text, _) in test_config_errors.GOLDEN.items():
        (tmp_path / "c.yaml").write_text(text)
        try:
            values = merged((str(tmp_path / "c.yaml"),), (), _carry).tree.to_value()
        except ConfigError:  # not YAML
            continue
        seen += 1
        if why := disagreement(values):
            wrong[name] = why
    assert wrong == {}
    assert seen >= len(test_config_errors.GOLDEN) - 2


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"source": "synthetic", "path": "a.csv"}, "'path' was unexpected"),
        ({"path": "a.csv"}, "'target' is a required property"),
        ({"source": "excel"}, "'excel' is not one of ['table', 'synthetic', 'inline', 'frame']"),
    ],
)
def test_what_is_wrong_is_said_of_the_kind_that_is_written(values, message):
    [error] = VALIDATOR.iter_errors({"data": values})
    assert error.message.endswith(message) or message in error.message


def test_a_switch_that_has_words_too_names_them_all():
    # yaml-language-server 1.25 says of a word that is none of several alternatives: Expected "boolean".
    [error] = VALIDATOR.iter_errors({"data": {"source": "synthetic"}, "train": {"shuffle": "block"}})
    assert (error.validator, error.validator_value) == ("enum", [True, False, "blocks"])


@pytest.mark.parametrize("name", ["größe", "данные", "価格", "a.b-c_1", "_x", "é" * 60])
def test_a_name_of_any_script_is_one_in_the_editor_too(name):
    assert VALIDATOR.is_valid({"name": name, "data": {"source": "synthetic"}})


def test_the_command_prints_the_schema_and_writes_it(linreg, tmp_path):
    assert linreg("schema").json == SCHEMA
    result = linreg("schema", "-o", "s.json")
    assert (result.code, result.out, json.loads((tmp_path / "s.json").read_text())) == (0, "s.json\n", SCHEMA)
    result = linreg("schema", "-o", "s.yaml")
    assert (result.code, "the name must end in .json" in result.err) == (2, True)
    assert not (tmp_path / "s.yaml").exists()
