"""Hints from the header of a CSV about what is wrong with the file."""

import re
from collections.abc import Sequence
from pathlib import Path

from linreg_cli.data.tables.text_format import TextFormat

_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "vertical bars", ",": "commas", " ": "single spaces"}


def hint(columns: Sequence[str], text: TextFormat, path: str) -> str:
    """Why a column may be missing, and what to do; an empty text if the header looks right.

    Args:
        columns: the names in the header.
        text: how the file was read, with its delimiter.
        path: the file.
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
    counts = {mark: columns[0].count(mark) for mark in _DELIMITERS if mark != text.delimiter}
    mark = max(counts, key=lambda candidate: counts[candidate])
    if not counts[mark]:
        return ""
    remedy = text.remedy("data.delimiter", mark, "write it in the format of the training data")
    return f"the cells seem to be separated by {_DELIMITERS[mark]}; {remedy}"


def is_aligned(lines: Sequence[str]) -> bool:
    """Whether the cells of a table are aligned with runs of blanks.

    Args:
        lines: the first lines, without blank ones.

    >>> is_aligned(["x    y", " 1.5  2", "10.5  3"]), is_aligned(["x y", "1 2"]), is_aligned(["x,y", "1,  2"])
    (True, False, False)
    """
    cells = {len(line.split()) for line in lines}
    runs = any(re.search(r"\s{2,}|^\s", line.rstrip()) for line in lines)
    return len(lines) > 1 and len(cells) == 1 and min(cells) > 1 and runs and not any("," in line for line in lines)


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
