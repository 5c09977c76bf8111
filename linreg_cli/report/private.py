"""What of a run may leave the machine: no secrets of addresses, and no folders, which name people and projects.

Of a path the name of the file is left. It is found as one by where it stands: as a word of the command line, in quotes,
at the start of a message, or as two or more names with a slash before each.
"""

import re
import shlex
from collections.abc import Iterable
from pathlib import PurePath, PureWindowsPath
from typing import Any

from linreg_cli.addresses import without_secrets

#: What an absolute path begins with; the scheme of a local file or database may stand before it.
_ROOT = r"(?:(?:file|sqlite):/*(?=/))?(?:[A-Za-z]:[\\/]|~[\w.-]*/|/|\\\\)"
#: Folders without blanks, where no path or address goes on.
_BARE = re.compile(rf"(?<![\w/\\.:~<*)\]])(?:{_ROOT}(?:[^\s/\\'\"`<>|]+[/\\])+|~[\w.-]+/)")
#: Folders in quotes.
_QUOTED = re.compile(rf"(?<!\w)(['\"`]){_ROOT}(?:[^'\"`\n/\\]+[/\\])+(?=[^'\"`\n]*\1)")
#: Folders at the start of a line, which ends the place of an error with a colon.
_PLACE = re.compile(rf"^{_ROOT}(?:[^\n:/\\]+[/\\])+(?=[^\n:/\\]*:(?:\s|$))", flags=re.MULTILINE)
#: Keys of `run.json` below `data` whose values are names of the table, and no paths.
_NAMES = ("features", "sources", "targets", "columns")


def without_folders(text: str, known: Iterable[str] = ()) -> str:
    """A text with the name of the file in place of every absolute path, and without the secrets of addresses.

    Args:
        text: a message, a command line or a config.
        known: absolute paths that the text may hold, also with blanks in their names.

    >>> without_folders("/home/ann/my data/t.csv: row 3: no number")
    't.csv: row 3: no number'
    >>> without_folders("linreg train -c /home/ann/a.yaml --set data.path=C:/t/b.csv, at 3/4 of km/h")
    'linreg train -c a.yaml --set data.path=b.csv, at 3/4 of km/h'
    >>> without_folders("see https://ann:pw@host/folder/a.csv")
    'see https://***@host/folder/a.csv'
    """
    text = without_secrets(text)
    for path in sorted(known, key=len, reverse=True):
        name, parent = _name(path).replace("\\", r"\\"), _pure(path).parent  # a template has no other special mark
        text = re.sub(rf"{_pattern(path)}(?![\w.-])", name, text)
        if len(parent.parts) > 1:
            text = re.sub(rf"{_pattern(str(parent))}[/\\]", "", text)
    text = _PLACE.sub("", text)
    text = _QUOTED.sub(lambda found: found[1], text)
    return _BARE.sub("", text)


def paths_in(command: str) -> list[str]:
    """The absolute paths in a command line, each a word or what is behind the `=` of one.

    >>> paths_in("linreg train -c '/a b/c.yaml' --set data.path=/d/e.csv --set train.epochs=3")
    ['/a b/c.yaml', '/d/e.csv']
    """
    try:
        words = shlex.split(command)
    except ValueError:  # not written by a shell's rules
        words = command.split()
    parts = [part for word in words for part in (word, word.partition("=")[2])]
    return [part for part in parts if is_absolute(part) and len(PurePath(part).parts) > 2]


def command_without_folders(command: str) -> str:
    """A command line with the name of the file in place of every absolute path.

    >>> command_without_folders("linreg train -c '/a b/c.yaml' --set data.path=/d/e.csv --set seed=1")
    'linreg train -c c.yaml --set data.path=e.csv --set seed=1'
    """
    try:
        words = shlex.split(command)
    except ValueError:
        return without_folders(command)
    shown = []
    for word in words:
        key, mark, value = word.partition("=")
        if is_absolute(word):
            word = _name(word)
        elif is_absolute(value):
            word = f"{key}{mark}{_name(value)}"
        shown.append(without_folders(word))
    return shlex.join(shown)


def is_absolute(path: str) -> bool:
    """Whether a path names its place on the machine.

    >>> is_absolute("/a/b.csv"), is_absolute("~/b.csv"), is_absolute("C:\\\\b.csv"), is_absolute("a/b.csv")
    (True, True, True, False)
    """
    return path.startswith(("/", "~")) or PureWindowsPath(path).is_absolute()


def values_without_folders(values: Any, known: Iterable[str] = ()) -> Any:
    """The values of `run.json` with every text as `without_folders` gives it; names of columns stay as they are."""
    if isinstance(values, str):
        return without_folders(values, known)
    if isinstance(values, list):
        return [values_without_folders(value, known) for value in values]
    if isinstance(values, dict):
        return {key: _value_without_folders(key, value, known) for key, value in values.items()}
    return values


def _value_without_folders(key: str, value: Any, known: Iterable[str]) -> Any:
    if key in _NAMES:
        return value
    if key == "command" and isinstance(value, str):
        return command_without_folders(value)
    return values_without_folders(value, known)


def _pure(path: str) -> PurePath:
    return PureWindowsPath(path) if "\\" in path else PurePath(path)


def _name(path: str) -> str:
    return _pure(path).name or path


def _pattern(path: str) -> str:
    """A pattern of a path, whose blanks may be the end of a line, as in long values of YAML."""
    return r"\s+".join(map(re.escape, re.split(r"\s+", path)))
