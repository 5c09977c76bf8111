"""Types of the values of the config: numbers, distributions, names, and their error messages."""

import math
import re
import sys
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from linreg_cli.addresses import without_secrets
from linreg_cli.config.source import FLOAT
from linreg_cli.errors import UsageError
from linreg_cli.lookalike import normal
from linreg_cli.paths import expanded
from linreg_cli.remedies import flow


class Section(BaseModel):
    """A part of the config: read-only, no unknown keys, no silent conversion."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def refuse(message: str) -> PydanticCustomError:
    """A validation error with this message, at the field that is being validated."""
    return PydanticCustomError("linreg", "{message}", {"message": message})


def shown(value: Any) -> str:
    """A value as the user wrote it, shortened.

    >>> shown(True), shown("5"), shown(None), shown((1, 2)), shown({"a": 1})
    ('true', "the text '5'", 'null', 'a list', 'a mapping')
    """
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return f"the text {without_secrets(value)[:40]!r}"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, tuple | list):
        return "a list" if value else "an empty list"
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:20]}... ({len(text)} characters)"


def truth_hint(value: Any) -> str:
    """What to write for a text that says true or false in another word; empty for any other value.

    >>> truth_hint("Yes"), truth_hint("maybe")
    ('; write true', '')
    """
    if isinstance(value, str) and value.lower() in ("yes", "no", "on", "off"):
        return f"; write {'true' if value.lower() in ('yes', 'on') else 'false'}"
    return ""


def quotes_hint(value: Any) -> str:
    """The hint for a number that was written in quotes.

    >>> quotes_hint("5"), quotes_hint("five")
    ('; remove the quotes', '')
    """
    return "; remove the quotes" if isinstance(value, str) and FLOAT.match(value.strip()) else ""


def is_finite_number(value: Any) -> bool:
    """Whether a value is a finite number. True and false are not.

    >>> [is_finite_number(value) for value in (1, 0.5, True, "1", float("nan"))]
    [True, True, False, False, False]
    """
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def own_path(path: str) -> str:
    """A path with the home folder in place of `~`; refused as a value if there is none."""
    try:
        return expanded(path)
    except UsageError as error:
        raise refuse(error.faults[0].message) from None


def integral(value: Any) -> Any:
    """A float without a fraction, such as `5.0` or `1e3`, as an int; other values unchanged."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


_UNITS = {"B": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([KMGT]i?)?B")


def bytes_in(size: str) -> int:
    """The bytes of a size such as `2GiB`, `500 MB` or `1.5TiB`.

    >>> bytes_in("2GiB"), bytes_in("0.5 MB"), bytes_in("64B")
    (2147483648, 500000, 64)
    """
    found = _SIZE.fullmatch(size)
    assert found is not None, size
    return int(float(found[1]) * _UNITS[found[2] or "B"])


def _size(value: Any) -> Any:
    if not isinstance(value, str) or not _SIZE.fullmatch(value) or not bytes_in(value):
        raise refuse(f"expected a size above 0 with its unit, such as 2GiB or 500MB, found {shown(value)}")
    return value


#: An amount of memory as text, with its unit.
Size = Annotated[str, Field(pattern=rf"^{_SIZE.pattern}$"), BeforeValidator(_size)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
#: Whole numbers, also written `5.0` or `1e3`.
Count = Annotated[int, Field(ge=1), BeforeValidator(integral)]
Seed = Annotated[int, Field(ge=0, lt=2**63), BeforeValidator(integral)]
Ddof = Annotated[int, Field(ge=0, le=1), BeforeValidator(integral)]


def number_or(*words: str) -> BeforeValidator:
    """A validator that accepts a number or one of `words`. The range is checked by the field's type."""

    def check(value: Any) -> Any:
        if isinstance(value, float) and not math.isfinite(value):
            raise refuse(f"must be finite, found {value}")
        if (isinstance(value, str) and value not in words) or (
            not isinstance(value, str) and not is_finite_number(value)
        ):
            raise refuse(f"expected a number or {' or '.join(words)}, found {shown(value)}{quotes_hint(value)}")
        return integral(value)

    return BeforeValidator(check)


def bool_or(word: str) -> BeforeValidator:
    """A validator that accepts true, false, or `word`."""

    def check(value: Any) -> Any:
        if value != word and not isinstance(value, bool):
            raise refuse(f"expected {word}, true or false, found {shown(value)}{truth_hint(value)}")
        return value

    return BeforeValidator(check)


class Distribution(NamedTuple):
    """A named distribution with two parameters, written `{normal: [0, 1]}`."""

    kind: str
    first: float
    second: float


#: name -> (names of the two parameters, whether a pair is valid, the rule in words)
DISTRIBUTIONS: dict[str, tuple[str, Callable[[float, float], bool], str]] = {
    "normal": ("mean, std", lambda _, std: std >= 0, "std at least 0"),
    "uniform": ("low, high", lambda low, high: low <= high, "low at most high"),
    "integers": (
        "low, high",
        lambda low, high: low <= high and low == int(low) and high == int(high) and max(abs(low), abs(high)) < 2**53,
        "whole numbers, low at most high",
    ),
    "linspace": ("first, last", lambda *_: True, ""),
    "lognormal": ("mean, std of the logarithm", lambda _, std: std >= 0, "std at least 0"),
}


def _distribution(value: Any, names: tuple[str, ...]) -> Distribution:
    if isinstance(value, Distribution):
        return value
    forms = ", ".join(f"{{{name}: [{DISTRIBUTIONS[name][0]}]}}" for name in names)
    if not isinstance(value, dict) or len(value) != 1 or next(iter(value)) not in names:
        found = f"{{{', '.join(value)}}}" if isinstance(value, dict) else shown(value)
        raise refuse(f"expected one of {forms}, found {found}")
    [(name, pair)] = value.items()
    parameters, accepts, rule = DISTRIBUTIONS[name]
    if not isinstance(pair, tuple | list) or len(pair) != 2 or not all(is_finite_number(item) for item in pair):
        raise refuse(f"{name} takes two finite numbers, [{parameters}]")
    if not accepts(pair[0], pair[1]):
        raise refuse(f"{name}: [{parameters}] needs {rule}, found [{pair[0]}, {pair[1]}]")
    return Distribution(name, pair[0], pair[1])


def _as_mapping(value: Any) -> Any:
    if isinstance(value, Distribution):
        return {value.kind: [value.first, value.second]}
    return list(value) if isinstance(value, tuple) else value


def _schema(names: tuple[str, ...]) -> dict[str, Any]:
    number, whole = {"type": "number"}, {"type": "integer", "exclusiveMinimum": -(2**53), "exclusiveMaximum": 2**53}
    spread = [number, {"type": "number", "minimum": 0}]
    pairs = {"normal": spread, "lognormal": spread, "integers": [whole, whole]}
    forms = {name: {"type": "array", "items": pairs.get(name, [number, number])} for name in names}
    return {
        "type": "object",
        "properties": {
            name: {**form, "minItems": 2, "maxItems": 2, "description": f"[{DISTRIBUTIONS[name][0]}]"}
            for name, form in forms.items()
        },
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }


#: The distribution of a generated column.
FeatureDistribution = Annotated[
    Distribution,
    PlainValidator(lambda value: _distribution(value, tuple(DISTRIBUTIONS))),
    PlainSerializer(_as_mapping),
    WithJsonSchema(_schema(tuple(DISTRIBUTIONS))),
]


def _initial(value: Any) -> Any:
    if is_finite_number(value):
        return float(value)
    if isinstance(value, tuple | list) and not isinstance(value, Distribution):
        if not value or not all(is_finite_number(item) for item in value):
            raise refuse("expected a list of finite numbers, one for each parameter")
        return tuple(float(item) for item in value)
    if isinstance(value, dict | Distribution):
        return _distribution(value, ("normal", "uniform"))
    forms = "a number, a list of numbers, {normal: [mean, std]} or {uniform: [low, high]}"
    raise refuse(f"expected {forms}, found {shown(value)}")


_numbers: dict[str, Any] = {"type": "array", "items": {"type": "number"}, "minItems": 1}

#: Initial values: one number for all parameters, a list with one for each, or a distribution.
Initial = Annotated[
    float | tuple[float, ...] | Distribution,
    PlainValidator(_initial),
    PlainSerializer(_as_mapping),
    WithJsonSchema({"anyOf": [{"type": "number"}, _numbers, _schema(("normal", "uniform"))]}),
]


def _weights(value: Any) -> Any:
    if isinstance(value, dict) and value and all(is_finite_number(item) for item in value.values()):
        return {name: float(item) for name, item in value.items()}
    if isinstance(value, tuple | list) and value and all(is_finite_number(item) for item in value):
        return tuple(float(item) for item in value)
    raise refuse("expected a list of numbers, or a mapping of column names to numbers")


#: True weights of generated data, by position or by name.
Weights = Annotated[
    dict[str, float] | tuple[float, ...],
    PlainValidator(_weights),
    PlainSerializer(lambda value: value if isinstance(value, dict) else list(value)),
    WithJsonSchema(
        {"anyOf": [_numbers, {"type": "object", "additionalProperties": {"type": "number"}, "minProperties": 1}]}
    ),
]


def _names(value: Any) -> Any:
    names = (value,) if isinstance(value, str) else value
    if not isinstance(names, tuple | list) or not all(isinstance(name, str) and name for name in names):
        pair = isinstance(names, tuple | list) and any(isinstance(name, dict) for name in names)
        hint = "; a product is written a:b, without a blank" if pair else ""
        raise refuse(
            "expected a column name or a list of them (quote a name that reads as a number), "
            f"found {shown(value)}{hint}"
        )
    if not names:
        raise refuse("the list is empty; it needs at least one column")
    names = [normal(name) for name in names]
    duplicates = sorted({name for name in names if names.count(name) > 1})
    if duplicates:
        raise refuse(f"named more than once: {', '.join(duplicates)}")
    return normal(value) if isinstance(value, str) else tuple(map(normal, value))


_column: dict[str, Any] = {"type": "string", "minLength": 1}
_columns: dict[str, Any] = {"type": "array", "items": _column, "minItems": 1, "uniqueItems": True}

#: One column, or several.
Columns = Annotated[
    str | tuple[str, ...],
    PlainValidator(_names),
    PlainSerializer(lambda value: value if isinstance(value, str) else list(value)),
    WithJsonSchema({"anyOf": [_column, _columns]}),
]


def _column_list(value: Any) -> Any:
    if isinstance(value, str):
        raise refuse(f"expected a list of column names; write {flow([value])}")
    return _names(value)


#: A name, in Unicode's normal form C.
Name = Annotated[str, AfterValidator(normal)]
#: Several columns, in this order.
ColumnList = Annotated[tuple[str, ...], BeforeValidator(_column_list), WithJsonSchema(_columns)]


def _point(value: Any) -> Any:
    return (value,) if is_finite_number(value) else value


#: The features of one row, text for a category. One feature may be a bare number.
Point = Annotated[
    tuple[float | str, ...],
    BeforeValidator(_point),
    Field(min_length=1),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number"},
                {"type": "array", "items": {"anyOf": [{"type": "number"}, {"type": "string"}]}, "minItems": 1},
            ]
        }
    ),
]
