"""Hints from the header of a CSV about what is wrong with the file."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from linreg_cli.config.data import STDIN_NAME
from linreg_cli.data.tables.text_format import TextFormat
from linreg_cli.errors import Fault, did_you_mean

_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "vertical bars", ",": "commas", " ": "single spaces"}


def hint(columns: Sequence[str], text: TextFormat, path: str, lines: Sequence[str]) -> Fault | None:
    """Why a column may be missing, and what to do; None if the header looks right.

    Args:
        columns: the names in the header.
        text: how the file was read, with its delimiter.
        path: the file.
        lines: its first lines, without blank ones.
    """
    mark = _delimiter(columns[0], lines) if len(columns) == 1 else None
    every_line = mark not in (None, " ") and all(line.count(str(mark)) == columns[0].count(str(mark)) for line in lines)
    # Decimal commas are in most lines of a table with another delimiter, as the cells below a title are.
    if not every_line and (wrong := _other_content(columns, text, path, lines)):
        return Fault(wrong, path)
    if mark is None:
        return None
    remedy = text.remedy("data.delimiter", mark, "write it in the format of the training data")
    message = f"the cells seem to be separated by {_DELIMITERS[mark]}; {remedy}"
    return Fault(message, path, settings={"data.delimiter": mark})


def other_columns(headers: Sequence[tuple[str, Sequence[str]]]) -> list[Fault]:
    """A fault for each part of a table whose columns are not those of the first part; their order may be another one.

    Args:
        headers: file and names of the columns, for each part.
    """
    first, names = headers[0]
    faults = []
    for file, others in headers[1:]:
        if sorted(names) == sorted(others):
            if names != others and len(set(names)) < len(names):
                faults.append(Fault(f"two columns have one name, and their order is not that of {first}", file))
            continue
        lacking, more = Counter(names) - Counter(others), Counter(others) - Counter(names)
        found = [f"column {name!r} of {first} is missing here" for name in lacking][:1]
        if more:
            position = next(at for at, name in enumerate(others) if name in more)
            name = others[position]
            near = did_you_mean(name, [*lacking]) if lacking else ""
            found.append(f"column {position + 1} is {name!r}, which {first} does not have{near}")
        message = f"{'; '.join(found)}; the parts of a table have the same columns, in any order"
        faults.append(Fault(message, file))
    return faults


def _other_content(columns: Sequence[str], text: TextFormat, path: str, lines: Sequence[str]) -> str:
    """Why the first line is no header; an empty text if it may be one."""
    if columns[0].lstrip().startswith(("#", "//")):
        return f"the first line of {Path(path).name} looks like a comment; delete it: the header must be the first line"
    if columns[0].lstrip().startswith(("{", "[")):
        if path == STDIN_NAME:
            return (
                "it looks like JSON; if each line is an object, add --format jsonl, or data.format: jsonl to a config"
            )
        return f"{Path(path).name} looks like JSON; write one object per line and rename it to .jsonl"
    if all_numbers(columns):
        return f"the first line of {Path(path).name} holds numbers only; add a header with column names"
    if len(columns) > 2 and sum(not column.strip() for column in columns) > len(columns) / 2:
        return f"the first line of {Path(path).name} looks like a title; delete the lines above the column names"
    if len(columns) == 1 and 2 * sum((text.delimiter or ",") in line for line in lines[1:]) > len(lines[1:]):
        return f"the first line of {Path(path).name} looks like a title; delete the lines above the column names"
    return ""


def _delimiter(name: str, lines: Sequence[str]) -> str | None:
    """The delimiter of a table that was read with another one, so that the header is one name; None without any.

    >>> _delimiter("Lot Size;Sale Price", ["Lot Size;Sale Price", "1;2"]), _delimiter("x", ["x", "1"])
    (';', None)
    """
    counts = {mark: name.count(mark) for mark in _DELIMITERS if mark in name}
    alike = [mark for mark in counts if all(line.count(mark) == counts[mark] for line in lines)]
    return max(alike or counts, key=lambda mark: (mark != " ", counts[mark]), default=None)


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
