"""What a header says about how its file was written."""

from collections.abc import Sequence
from pathlib import Path

_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "bars", ",": "commas", " ": "single blanks"}


def hint(columns: Sequence[str], delimiter: str, path: str, remedy: str) -> str:
    """Why a column may not be there, or nothing.

    Args:
        columns: the names in the header.
        delimiter: what the file was cut by.
        path: the file.
        remedy: what to do about another delimiter; `{}` stands for it.
    """
    if columns[0].lstrip().startswith(("#", "//")):
        return f"the first line of {Path(path).name} looks like a comment; delete it, the header must come first"
    if columns[0].lstrip().startswith(("{", "[")):
        return f"{Path(path).name} looks like JSON; write one object a line and call it .jsonl"
    if all_numbers(columns):
        return f"the first line of {Path(path).name} holds numbers; the file needs a header with column names"
    if len(columns) > 2 and sum(not column.strip() for column in columns) > len(columns) / 2:
        return f"the first line of {Path(path).name} looks like a title; delete what is above the column names"
    if len(columns) != 1:
        return ""
    # A header that is one name with other delimiters in it was cut by the wrong one.
    counts = {mark: columns[0].count(mark) for mark in _DELIMITERS if mark != delimiter}
    mark = max(counts, key=lambda candidate: counts[candidate])
    if not counts[mark]:
        return ""
    written = "\\t" if mark == "\t" else mark
    return f"the cells seem to be parted by {_DELIMITERS[mark]}; {remedy.format(written)}"


def all_numbers(columns: Sequence[str]) -> bool:
    """Whether the header may be a row of the table.

    >>> all_numbers(["1.5", "2"]), all_numbers(["x1", "2"])
    (True, False)
    """
    try:
        for column in columns:
            float(column)
    except ValueError:
        return False
    return True
