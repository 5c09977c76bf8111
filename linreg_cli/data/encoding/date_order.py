"""Dates with the day or the month first, such as 13/01/2020: which one it is, and how to write the year first."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from linreg_cli.data.tables.rewriting import by_command, is_rewritable
from linreg_cli.remedies import quoted, settings

_DATE = re.compile(r"\s*(\d{1,2})([-/.])(\d{1,2})\2\d{4}(?:[T ].*)?", re.ASCII)
#: The groups of the year, the month and the day for a day, or a month, that is first.
_ORDERS = {"day": r"\1\4-\3-\2", "month": r"\1\4-\2-\3"}


def year_first(cells: Iterable[str], name: str, needed: Mapping[str, Any] | None = None) -> str:
    """What the order of the dates of a column is, and what writes the year first; empty if they have no such form.

    Args:
        cells: the texts of the column that are not missing.
        name: the table, for messages.
        needed: the settings that the changed table needs, by dotted key.

    >>> year_first(["02/01/2020", "13/01/2020"], "t.parquet", {"data.features": ["days(d)"]})
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
    return _rewritten(first, order or "day", marks.pop(), name, needed or {})


def _rewritten(first: str, order: str, mark: str, name: str, needed: Mapping[str, Any]) -> str:
    """The order in words, and the command that writes the year first where the table is plain text."""
    known = first or "no cell shows whether the day or the month is first"
    if not is_rewritable(name):
        lines = f" and set {settings(needed)}" if needed else ""
        return f"{known}; write the column as 2020-01-31{lines}"
    sign = r"\." if mark == "." else mark
    expression = f"s#(^|[^0-9])([0-9]{{1,2}}){sign}([0-9]{{1,2}}){sign}([0-9]{{4}})#{_ORDERS[order]}#g"
    other = "" if first else f" if it is the day (for the month, take {_ORDERS['month']})"
    return f"{known}; {by_command(f'write the year first{other}', expression, name, needed)}"
