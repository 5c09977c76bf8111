"""The grid of a sweep: `--set key=v1,v2,...` as one point for each combination of values."""

import itertools
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from linreg_cli.addresses import has_secrets
from linreg_cli.config.source import parse_override
from linreg_cli.errors import ConfigError, Fault
from linreg_cli.remedies import override

#: The most points of a grid. Each is validated before the first one runs.
MOST_POINTS = 10_000
_CLOSES = {"[": "]", "{": "}", "(": ")"}


@dataclass(frozen=True)
class Grid:
    """The values of each key.

    Attributes:
        constants: `KEY=VALUE` expressions with one value, which every point has.
        values: dotted key -> its values, two or more.
        texts: dotted key -> the `KEY=VALUE` expression of each of its values, as the user wrote it.
    """

    constants: tuple[str, ...]
    values: dict[str, tuple[Any, ...]]
    texts: dict[str, tuple[str, ...]]

    @property
    def n_points(self) -> int:
        """The number of combinations."""
        return math.prod(map(len, self.values.values()))

    def points(self) -> Iterator[tuple[dict[str, Any], tuple[str, ...]]]:
        """The overrides of each point, and the expressions for them; the last key varies fastest."""
        for values, texts in zip(
            itertools.product(*self.values.values()), itertools.product(*self.texts.values()), strict=True
        ):
            yield dict(zip(self.values, values, strict=True)), texts


def split_values(text: str) -> list[str]:
    r"""Split at the commas that are outside brackets and quotes.

    A quote counts where a value may begin with it, so that the apostrophe of `it's` is a letter.

    >>> split_values("0.1,0.01"), split_values("[a,b],[c]"), split_values("'a,b', \"c,\\\"d\"")
    (['0.1', '0.01'], ['[a,b]', '[c]'], ["'a,b'", '"c,\\"d"'])
    >>> split_values("it's, {kind: step, gamma: 0.5}")
    ["it's", '{kind: step, gamma: 0.5}']

    Raises:
        ValueError: for a bracket or a quote that is not closed, and one that closes nothing.
    """
    parts, begin, at, open_, fresh = [], 0, 0, "", True
    while at < len(text):
        mark = text[at]
        if fresh and mark in "'\"":
            at = _end_of_quoted(text, at)
            fresh = False
            continue
        if mark in _CLOSES:
            open_ += _CLOSES[mark]
        elif open_ and mark == open_[-1]:
            open_ = open_[:-1]
        elif mark in _CLOSES.values():
            raise ValueError(f"{mark} at character {at + 1} of {text!r} closes nothing; write such a value in quotes")
        elif mark == "," and not open_:
            parts.append(text[begin:at])
            begin = at + 1
        fresh = mark in "[{,:" or (fresh and mark.isspace()) or (mark.isspace() and text[at - 1 : at] == ":")
        at += 1
    if open_:
        raise ValueError(f"{open_[-1]} is missing at the end of {text!r}; write a value with such a mark in quotes")
    return [part.strip() for part in (*parts, text[begin:])]


def _end_of_quoted(text: str, begin: int) -> int:
    """The position behind a text in quotes, as YAML has them: `''` and `\\"` are quotes within."""
    quote, at = text[begin], begin + 1
    while at < len(text):
        if quote == '"' and text[at] == "\\":
            at += 2
        elif text[at] != quote:
            at += 1
        elif quote == "'" and text[at + 1 : at + 2] == "'":
            at += 2
        else:
            return at + 1
    raise ValueError(f"the quote at character {begin + 1} of {text!r} is not closed")


def parse_grid(expressions: Sequence[str]) -> Grid:
    """The grid of `--set` expressions.

    Raises:
        ConfigError: with every expression that is no KEY=VALUE, every value that is no YAML, empty or given twice, and
            every key with several values that is given twice; for a grid without a second point, or with too many.

    >>> [overrides for overrides, _ in parse_grid(["seed=1,2", "optimizer.lr=0.1,auto", "plots=false"]).points()]
    [{'seed': 1, 'optimizer.lr': 0.1}, {'seed': 1, 'optimizer.lr': 'auto'}, {'seed': 2, 'optimizer.lr': 0.1}, \
{'seed': 2, 'optimizer.lr': 'auto'}]
    """
    faults: list[Fault] = []
    constants: list[tuple[str, str]] = []
    values: dict[str, tuple[Any, ...]] = {}
    texts: dict[str, tuple[str, ...]] = {}
    for expression in expressions:
        try:
            key, parts = _parts(expression)
            if len(parts) == 1:
                constants.append((key, expression))
                continue
            if key in values:
                raise _fault(expression, f"{key} is given twice; write all of its values in one --set")
            values[key] = _values(key, parts, expression)
            texts[key] = tuple(f"{key}={part}" for part in parts)
        except ConfigError as error:
            faults += error.faults
    faults += [
        fault
        for key, expression in constants
        if key in values
        for fault in _fault(expression, f"{key} is given twice; write all of its values in one --set").faults
    ]
    grid = Grid(tuple(expression for _, expression in constants), values, texts)
    if not faults and not values:
        message = "no --set has several values; a sweep needs one, such as --set optimizer.lr=0.01,0.1,1"
        faults.append(Fault(message, "--set"))
    if grid.n_points > MOST_POINTS:
        faults.append(Fault(f"the grid has {grid.n_points:,} points; the most are {MOST_POINTS:,}", "--set"))
    if faults:
        raise ConfigError(faults)
    return grid


def _parts(expression: str) -> tuple[str, list[str]]:
    """The dotted key, and the text of each value."""
    name, separator, text = expression.partition("=")
    key = ".".join(part.strip() for part in name.split("."))
    if not separator:
        parse_override(expression)  # raises
    try:
        return key, split_values(text)
    except ValueError as error:
        raise _fault(expression, str(error)) from None


def _values(key: str, parts: Sequence[str], expression: str) -> tuple[Any, ...]:
    faults: list[Fault] = []
    found: dict[str, Any] = {}
    for part in parts:
        try:
            if not part:
                message = "a value is empty; write null or '' for nothing, and a value with a comma in quotes"
                raise _fault(expression, message)
            value = parse_override(f"{key}={part}")[1].to_value()
            if has_secrets(override(key, value)):
                raise _fault(expression, "an address with a password or a signature; write it into a config file")
            written = json.dumps(value)
            if written in found:
                raise _fault(expression, f"the value {part} is given twice")
            found[written] = value
        except ConfigError as error:
            faults += error.faults
    if faults:
        raise ConfigError(list(dict.fromkeys(faults)))
    return tuple(found.values())


def _fault(expression: str, message: str) -> ConfigError:
    return ConfigError(message, f"--set {expression}" if len(expression) <= 60 else f"--set {expression[:57]}...")
