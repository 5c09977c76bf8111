"""Words for inputs that equal others. What is left out is a column of the table, not the indicator of a level."""

from collections.abc import Iterable, Mapping, Sequence

from linreg_cli.remedies import leave_out


def equal(pairs: Iterable[tuple[str, str]], column_of: Mapping[str, str]) -> list[str]:
    """A sentence for each pair of columns with inputs that are the same.

    Args:
        pairs: an input, and the first one that it equals.
        column_of: input -> column of the table.
    """
    groups: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for name, first in pairs:
        groups.setdefault((column_of[name], column_of[first]), []).append((name, first))
    found = []
    for columns, same in groups.items():
        name, first = same[0]
        if columns == (name, first):
            found.append(f"{name} is the same as {first}; leave one of them out with {leave_out(name)}")
        elif len(same) == 1:
            found.append(f"{name} is the same as {first}; {_leave_out(columns)}")
        else:
            message = f"{len(same)} levels of {columns[0]} are levels of {columns[1]} under another name"
            found.append(f"{message}, such as {name} and {first}; {_leave_out(columns)}")
    return found


def _leave_out(columns: Sequence[str]) -> str:
    some = f"{', '.join(columns[:-1])} or {columns[-1]}" if 1 < len(columns) <= 5 else listed(columns)
    return f"leave out {some} with {leave_out(columns[0])}"


def listed(names: Sequence[str]) -> str:
    """Names, the first few of many."""
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
