"""Dates with the day or the month first, such as 13/01/2020: which one it is, and how to write the year first."""

import re
from collections.abc import Iterable
from pathlib import Path

from linreg_cli.config.formats import CSV_SUFFIXES
from linreg_cli.remedies import command, given, quoted, setting

_DATE = re.compile(r"\s*(\d{1,2})([-/.])(\d{1,2})\2\d{4}(?:[T ].*)?", re.ASCII)
#: The groups of the year, the month and the day for a day, or a month, that is first.
_ORDERS = {"day": r"\1\4-\3-\2", "month": r"\1\4-\2-\3"}


def year_first(cells: Iterable[str], name: str, *settings: str) -> str:
    """What the order of the dates of a column is, and what writes the year first; empty if they have no such form.

    Args:
        cells: the texts of the column that are not missing.
        name: the table, for messages.
        settings: lines of the config that the changed table needs.

    >>> year_first(["02/01/2020", "13/01/2020"], "t.parquet", "data.features: ['days(d)']")
    "the day is first, as '13/01/2020' shows; write the column as 2020-01-31 and set data.features: ['days(d)']"
    >>> year_first(["2020-01-31"], "t.csv")
    ''
    """
    found = [(cell.strip(), match) for cell in cells if (match := _DATE.fullmatch(cell))]
    marks = {match[2] for _, match in found}
    if len(marks) != 1:
        return ""
    shows = {
        "day": next((cell for cell, match in found if int(match[1]) > 12), None),
        "month": next((cell for cell, match in found if int(match[3]) > 12), None),
    }
    if all(shows.values()):
        return ""
    order = next((order for order, cell in shows.items() if cell is not None), None)
    first = f"the {order} is first, as {quoted(shows[order] or '')} shows" if order is not None else ""
    return _rewritten(first, order or "day", marks.pop(), name, settings)


def _rewritten(first: str, order: str, mark: str, name: str, settings: tuple[str, ...]) -> str:
    """The order in words, and the command that writes the year first where the table is plain text."""
    known = first or "no cell shows whether the day or the month is first"
    path = Path(name)
    is_file = path.suffix.lower() in CSV_SUFFIXES and path.is_file() and given("run", None) is None
    if not is_file:
        lines = f" and set {' and '.join(settings)}" if settings else ""
        return f"{known}; write the column as 2020-01-31{lines}"
    changed = str(path.with_name(f"{path.stem}_changed{path.suffix}"))
    sign = r"\." if mark == "." else mark
    expression = f"s#(^|[^0-9])([0-9]{{1,2}}){sign}([0-9]{{1,2}}){sign}([0-9]{{4}})#{_ORDERS[order]}#g"
    other = "" if first else f" if it is the day (for the month, take {_ORDERS['month']})"
    lines = " and ".join((setting("data.path", changed), *settings))
    how = f"write the year first{other}, such as by: {command('sed', '-E', expression, str(path))} > {command(changed)}"
    return f"{known}; {how}; then set {lines}"
