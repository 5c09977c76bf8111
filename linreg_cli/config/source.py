"""YAML text to a tree of values, each with the line and column where it was written.

Scalars follow the YAML 1.2 core schema: `1e-3` is a number, `no` and `2014-10-13` are text, keys are always
text. Tags and duplicate keys are refused. Depth and size are limited, also through aliases ("billion laughs").
"""

import math
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from linreg_cli.addresses import has_secrets, without_secrets
from linreg_cli.config.escapes import LoneSurrogateError, Surrogates, in_double_quotes
from linreg_cli.errors import ConfigError, Fault
from linreg_cli.paths import nearest
from linreg_cli.readers import either
from linreg_cli.wording import one_line

MAX_BYTES = 8 * 2**20
MAX_DEPTH = 32
MAX_NODES = 2_000_000

#: What the two parsers call the reading of a text in double quotes.
_IN_QUOTES = ("while parsing a quoted scalar", "while scanning a double-quoted scalar")
_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
PREFIXED_INTEGER = re.compile(r"0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_SPECIAL = {f"{sign}{text}": float(f"{sign}inf") for sign in ("", "+", "-") for text in (".inf", ".Inf", ".INF")}
_SPECIAL |= dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan"))
_WORDS: dict[str, Any] = dict.fromkeys(("", "~", "null", "Null", "NULL"))
_WORDS |= dict.fromkeys(("true", "True", "TRUE"), True) | dict.fromkeys(("false", "False", "FALSE"), False)


@dataclass(frozen=True)
class Source:
    """A text that was read: a file, or the value of one `--set`.

    Attributes:
        name: what messages call it.
        lines: of the text.
        column_offset: characters before the text, which are added to columns of its first line.
        is_file: whether lines and columns mean something to the user.
    """

    name: str
    lines: tuple[str, ...]
    column_offset: int = 0
    is_file: bool = True


@dataclass(frozen=True)
class ConfigText:
    """A config that stands in no file: one that the program itself has written.

    Attributes:
        name: what messages call it.
        text: the YAML.
        stem: the name of its runs, where it has none.
    """

    name: str
    text: str
    stem: str


@dataclass(frozen=True)
class Origin:
    """Where a node was written; line and column count from 1."""

    source: Source
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}" if self.source.is_file else self.source.name

    def excerpt(self) -> str | None:
        """The source line, cut to 76 characters around the column, with a caret under the column; escaped."""
        if not 1 <= self.line <= len(self.source.lines):
            return None
        text, caret = self.source.lines[self.line - 1], self.column - 1
        if has_secrets(text):  # before the line is cut, which could leave half of an address
            text, whole = without_secrets(text), text
            caret = min(caret, next(at for at, (old, new) in enumerate(zip(whole, text, strict=False)) if old != new))
        if len(text) > 76:
            start = max(0, min(caret - 38, len(text) - 76))
            text, caret = text[start : start + 76], caret - start
        before, after = (one_line(part.expandtabs(1)) for part in (text[:caret], text[caret:]))
        return f"{before}{after}\n{' ' * max(caret, len(before))}^"


@dataclass
class Node:
    """A scalar, a list (`value` is a list of nodes) or a mapping (`value` is a dict of nodes)."""

    value: Any
    origin: Origin
    key_origins: dict[str, Origin] = field(default_factory=dict)
    size: int = 1

    def to_value(self) -> Any:
        """Plain Python: dict, tuple, str, int, float, bool or None."""
        if isinstance(self.value, dict):
            return {key: child.to_value() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return tuple(child.to_value() for child in self.value)
        return self.value

    def without(self, path: tuple[str | int, ...]) -> "Node":
        """The same tree without the key at `path`, if it has it."""
        key, *rest = path
        if not isinstance(self.value, dict) or key not in self.value:
            return self
        entries = {name: child for name, child in self.value.items() if name != key or rest}
        if rest:
            entries[str(key)] = self.value[key].without(tuple(rest))
        origins = {name: origin for name, origin in self.key_origins.items() if name in entries}
        return Node(entries, self.origin, origins, self.size)

    def locate(self, path: tuple[str | int, ...], *, key: bool = False) -> tuple[Origin, Any]:
        """The origin and the node at a path, or those of its nearest ancestor that is there.

        Args:
            path: keys and positions.
            key: whether the origin is that of the key instead of its value.
        """
        node, origin = self, self.origin
        for depth, step in enumerate(path):
            if isinstance(node.value, dict) and step in node.value:
                origin = node.key_origins[str(step)]
                node = node.value[step]
                if not (key and depth == len(path) - 1):
                    origin = node.origin
            elif isinstance(node.value, list) and isinstance(step, int) and step < len(node.value):
                node = node.value[step]
                origin = node.origin
            else:
                break
        return origin, node


def read_file(path: str | Path | ConfigText) -> Node:
    """The tree of one config file; `-` is standard input.

    Raises:
        ConfigError: for a file that cannot be read, is not UTF-8 text, is not YAML, or is not a mapping.
    """
    if isinstance(path, ConfigText):
        return parse(path.text, Source(path.name, tuple(path.text.splitlines()), is_file=False))
    try:
        if str(path) == "-":
            path, raw = "standard input", sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with open(path, "rb") as file:
                raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        takes = either("'linreg train -c FILE' takes a YAML file", "a config is the path of a YAML file")
        hint = f"; {takes}" if str(path) and os.path.isdir(path) else ""
        hint = nearest(str(path)) if isinstance(error, FileNotFoundError) else hint
        raise ConfigError(f"cannot read the config: {error.strerror}{hint}", str(path) or "''") from None
    except ValueError:  # a NUL in the name
        raise ConfigError("cannot read the config: not a file name", repr(str(path))) from None
    if len(raw) > MAX_BYTES:
        raise ConfigError("larger than 8 MiB; put the rows into a table (data.source: table)", str(path))
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        message = f"byte 0x{raw[error.start]:02x} is not UTF-8 text; save the file as UTF-8"
        raise ConfigError(message, f"{path}:{line}") from None
    return parse(text, Source(str(path), tuple(text.splitlines())))


def parse_override(expression: str) -> tuple[tuple[str, ...], Node]:
    """`optimizer.lr=0.1` as a path and the tree of its value.

    Raises:
        ConfigError: for text that is not KEY=VALUE, or a value that is not YAML.
    """
    name, separator, text = expression.partition("=")
    path = tuple(part.strip() for part in name.split("."))
    shown = without_secrets(expression)
    where = either(f"--set {shown}" if len(shown) <= 60 else f"--set {shown[:57]}...", f"overrides[{name!r}]")
    if len(path) > MAX_DEPTH:
        raise ConfigError(f"a key of {len(path):,} parts; none has more than {MAX_DEPTH}", where)
    if not separator or not all(path):
        raise ConfigError("expected KEY=VALUE, such as optimizer.lr=0.1", where if expression else "--set ''")
    source = Source(where, (expression,), column_offset=len(name) + 1, is_file=False)
    return path, parse(text, source, mapping_only=False)


def parse(text: str, source: Source, *, mapping_only: bool = True) -> Node:
    """The tree of one YAML document.

    Args:
        text: the document.
        source: where it comes from.
        mapping_only: whether the document must be a mapping, as a config is.

    Raises:
        ConfigError: with every duplicate key and tag, or the first error of syntax.
    """
    surrogates = Surrogates.replaced(text)
    builder = _Builder(source, surrogates)
    try:
        root = builder.document(yaml.parse(surrogates.text, Loader=_PARSER))
    except yaml.MarkedYAMLError as error:
        raise ConfigError([_syntax_fault(error, source)]) from None
    except yaml.reader.ReaderError as error:
        bad = f"#x{error.character:04x}" if isinstance(error.character, int) else repr(error.character)
        raise ConfigError(f"character {bad} is not allowed in YAML", source.name) from None
    except UnicodeEncodeError:  # bytes of a command line that are not UTF-8
        raise ConfigError("the value is not UTF-8 text", source.name) from None
    if root is None:
        root = Node({} if mapping_only else None, Origin(source, 1, 1))
    if mapping_only and not isinstance(root.value, dict):
        builder.faults.append(builder.fault(root.origin, "a config is a mapping of keys to values, such as 'data:'"))
    if builder.faults:
        raise ConfigError(builder.faults)
    return root


def _syntax_fault(error: yaml.MarkedYAMLError, source: Source) -> Fault:
    mark = error.problem_mark or error.context_mark
    message = f"not valid YAML: {error.problem or error.context}"
    if "while scanning an alias" in str(error.context):
        message += '; a text that begins with a star is written in quotes: "*"'
    if mark is None:
        return Fault(message, source.name)
    line, column = mark.line + 1, mark.column + 1 + (source.column_offset if mark.line == 0 else 0)
    if line > len(source.lines) > 0:  # something is open at the end of the text: show its last line
        line, column = len(source.lines), len(source.lines[-1]) + 1
    origin = Origin(source, line, column)
    excerpt = origin.excerpt()
    begin = error.context_mark
    if error.context in _IN_QUOTES and begin is not None and 0 <= begin.line < len(source.lines):
        offset = source.column_offset if begin.line == 0 else 0
        message += f"; {in_double_quotes(source.lines[begin.line], begin.column + offset)}"
    elif excerpt and "\t" in source.lines[line - 1]:
        message += "; indent with spaces, not tabs"
    return Fault(message, str(origin), excerpt)


class _Builder:
    """Builds nodes from parser events, with limits on depth and size."""

    def __init__(self, source: Source, surrogates: Surrogates) -> None:
        self.source, self.surrogates = source, surrogates
        self.faults: list[Fault] = []
        self.anchors: dict[str, Node] = {}

    def fault(self, origin: Origin, message: str) -> Fault:
        return Fault(message, str(origin), origin.excerpt())

    def origin(self, event: Any) -> Origin:
        mark = event.start_mark
        return Origin(
            self.source, mark.line + 1, mark.column + 1 + (self.source.column_offset if mark.line == 0 else 0)
        )

    def document(self, events: Iterator[Any]) -> Node | None:
        root = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    raise ConfigError([self.fault(self.origin(event), "a config is one YAML document")])
                root = self.node(next(events), events, depth=1)
        return root

    def node(self, event: Any, events: Iterator[Any], depth: int) -> Node:
        origin = self.origin(event)
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.anchors:
                raise ConfigError([self.fault(origin, f"the alias *{event.anchor} has no anchor before it")])
            return self.anchors[event.anchor]
        if depth > MAX_DEPTH:
            raise ConfigError([self.fault(origin, f"nested deeper than {MAX_DEPTH} levels")])
        if event.tag is not None:
            self.faults.append(self.fault(origin, f"the tag {event.tag!r} is not allowed; write the plain value"))
        if isinstance(event, yaml.ScalarEvent):
            node = Node(self.scalar(event), origin)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self.sequence(origin, events, depth)
        else:
            node = self.mapping(origin, events, depth)
        if node.size > MAX_NODES:
            raise ConfigError([self.fault(origin, f"more than {MAX_NODES:,} values; put rows into a table")])
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def sequence(self, origin: Origin, events: Iterator[Any], depth: int) -> Node:
        items: list[Node] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            items.append(self.node(event, events, depth + 1))
        return Node(items, origin, size=1 + sum(item.size for item in items))

    def mapping(self, origin: Origin, events: Iterator[Any], depth: int) -> Node:
        entries: dict[str, Node] = {}
        keys: dict[str, Origin] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key_origin = self.origin(event)
            if not isinstance(event, yaml.ScalarEvent):
                raise ConfigError([self.fault(key_origin, "a key must be plain text")])
            key = self.text(event)
            if key in keys:
                message = f"duplicate key {key!r}; it is first set on line {keys[key].line}"
                self.faults.append(self.fault(key_origin, message))
            value = self.node(next(events), events, depth + 1)
            keys.setdefault(key, key_origin)
            entries.setdefault(key, value)
        return Node(entries, origin, keys, 1 + sum(value.size for value in entries.values()))

    def text(self, event: Any) -> str:
        """The text of a scalar, in which two escapes of JSON are one character."""
        if event.style != '"':
            return self.surrogates.as_written(event.value)
        try:
            return self.surrogates.in_quotes(event.value)
        except LoneSurrogateError as error:
            message = f"\\u{error} is half of a character; one beyond U+FFFF is two escapes, such as \\ud83d\\ude00"
            self.faults.append(self.fault(self.origin(event), message))
            return ""

    def scalar(self, event: Any) -> Any:
        text = self.text(event)
        if not event.implicit[0]:  # quoted, or a block of text
            return text
        if text in _WORDS:
            return _WORDS[text]
        if text in _SPECIAL:
            return _SPECIAL[text]
        if PREFIXED_INTEGER.match(text):
            return _bounded(int(text, 0))
        if _INTEGER.match(text):
            # int() refuses thousands of digits
            return _bounded(int(text) if len(text) <= 400 else math.inf)
        return float(text) if FLOAT.match(text) else text


def _bounded(number: int | float) -> int | float:
    """The number; infinity if it overflows float64, which the schema refuses with its place."""
    return number if abs(number) <= sys.float_info.max else math.inf if number > 0 else -math.inf
