"""Hints from the header of a CSV about what is wrong with the file."""

from collections.abc import Sequence
from pathlib import Path

_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "vertical bars", ",": "commas", " ": "single spaces"}


def hint(columns: Sequence[str], delimiter: str, path: str, remedy: str) -> str:
    """Why a column may be missing, and what to do; an empty text if the header looks right.

    Args:
        columns: the names in the header.
        delimiter: the delimiter that the file was read with.
        path: the file.
        remedy: what to do about another delimiter, with `{}` in its place.
    """
    if columns[0].lstrip().startswith(("#", "//")):
        return f"the first line of {Path(path).name} looks like a comment; delete it: the header must be the first line"
    if columns[0].lstrip().startswith(("{", "[")):
        return f"{Path(path).name} looks like JSON; write one object per line and rename it to .jsonl"
    if all_numbers(columns):
        return f"the first line of {Path(path).name} holds numbers only; add a header with column names"
    if len(columns) > 2 and sum(not column.strip() for column in columns) > len(columns) / 2:
        return f"the first line of {Path(path).name} looks like a title; delete the lines above the column names"
    if len(columns) != 1:
        return ""
    # A header with a single name that contains other delimiters was read with the wrong one.
    counts = {mark: columns[0].count(mark) for mark in _DELIMITERS if mark != delimiter}
    mark = max(counts, key=lambda candidate: counts[candidate])
    if not counts[mark]:
        return ""
    written = "\\t" if mark == "\t" else mark
    return f"the cells seem to be separated by {_DELIMITERS[mark]}; {remedy.format(written)}"


def all_numbers(columns: Sequence[str]) -> bool:
    """Whether all names are numbers, so that the header may be the first row.

    >>> all_numbers(["1.5", "2"]), all_numbers(["x1", "2"])
    (True, False)
    """
    try:
        for column in columns:
            float(column)
    except ValueError:
        return False
    return True
