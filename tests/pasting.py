"""Messages and what they tell to paste: the grammar of remedies, and pasting as a user does it."""

import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from linreg_cli.remedies import flow

_KEY = r"(?:(?:data|preprocess|optimizer|train|model|evaluate)\.[a-z_.]+|loss)"
#: The words before a line that can be pasted.
_BEFORE = re.compile(rf"(?:set|with|or|and|such as) ({_KEY}): ")
_PLAIN = re.compile(r"[^\s,;)]+")

Line = tuple[str, str]


def value_at(text: str, start: int) -> str:
    """The YAML flow value that begins at a position: quoted, in brackets, or one plain word."""
    if text[start] not in "\"'[{":
        return _PLAIN.match(text, start)[0]
    depth, at, quote = 0, start, ""
    while True:
        mark = text[at]
        if quote:
            if (mark == "\\" and quote == '"') or (mark == quote and text[at + 1 : at + 2] == quote == "'"):
                at += 1
            elif mark == quote:
                quote = ""
        elif mark in "\"'" and text[at - 1] in " [{:":
            quote = mark
        elif mark in "[{":
            depth += 1
        elif mark in "]}":
            depth -= 1
        at += 1
        if not depth and not quote:
            return text[start:at]


def remedies(message: str) -> Iterator[list[Line]]:
    """Each remedy of a message: lines that are joined by 'and' belong together."""
    together: list[Line] = []
    at = end = 0
    while found := _BEFORE.search(message, at):
        value = value_at(message, found.end())
        joined = found[0].startswith("and ") and message[end : found.start()].strip() == ""
        if together and not joined:
            yield together
            together = []
        together = [*together, (found[1], value)]
        at = end = found.end() + len(value)
    if together:
        yield together


def _inside(given: dict[str, Any], path: list[str], value: str) -> str:
    """A mapping as YAML, with a line pasted in place of the entry that it has."""
    entries = {key: flow(each) for key, each in given.items()}
    key, *inner = path
    entries[key] = _inside(given.get(key, {}), inner, value) if inner else value
    return f"{{{', '.join(f'{name}: {each}' for name, each in entries.items())}}}"


def command_in(message: str) -> str | None:
    """The command that changes the file, for a shell."""
    found = re.search(r"such as by: (sed .+? > \S+?)(?:; then|$)", message)
    return found[1] if found else None


def pasted(config: dict[str, dict[str, Any]], lines: list[Line]) -> str:
    """A config as YAML, with lines pasted in place of those that it has."""
    text = {(section, key): flow(value) for section, keys in config.items() for key, value in keys.items()}
    for key, value in lines:
        section, name, *inner = key.split(".")
        text[section, name] = _inside(config.get(section, {}).get(name, {}), inner, value) if inner else value
    sections = dict.fromkeys(section for section, _ in text)
    return "".join(
        f"{section}:\n" + "".join(f"  {name}: {value}\n" for (owner, name), value in text.items() if owner == section)
        for section in sections
    )


def complaints(stderr: str) -> list[str]:
    """The errors and warnings that were shown."""
    return [line.split(": ", 1)[1] for line in stderr.splitlines() if line.startswith(("error: ", "warning: "))]


def try_remedies(
    call: Callable[..., Any], config: dict[str, dict[str, Any]], folder: Path
) -> Iterator[tuple[str, list[Line], list[str]]]:
    """Paste every remedy of every message about a config, into the file and as `--set`.

    Args:
        call: runs a command line.
        config: section -> key -> value.
        folder: the current folder.

    Yields:
        The message, the lines that were pasted, the messages afterwards.
    """
    (folder / "c.yaml").write_text(pasted(config, []), encoding="utf-8")
    for message in complaints(call("train", "-c", "c.yaml", "--dry-run").err):
        if shell := command_in(message):
            subprocess.run(["bash", "-c", shell], cwd=folder, check=True)
        for lines in remedies(message):
            (folder / "pasted.yaml").write_text(pasted(config, lines), encoding="utf-8")
            after = complaints(call("train", "-c", "pasted.yaml", "--dry-run").err)
            settings = [part for key, value in lines for part in ("--set", f"{key}={value}")]
            also = complaints(call("train", "-c", "c.yaml", *settings, "--dry-run").err)
            assert len(also) == len(after), (shlex.join(settings), also, after)  # the places have other names
            yield message, lines, after
