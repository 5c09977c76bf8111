"""Words for inputs that are not unique. What is left out is a column of the table, not the indicator of a level."""

from collections.abc import Iterable, Mapping, Sequence

from linreg_cli.data.checks.collinear import Combination


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
            found.append(f"{name} is the same as {first}; leave one of them out with data.ignore")
        elif len(same) == 1:
            found.append(f"{name} is the same as {first}; {_leave_out(columns)}")
        else:
            message = f"{len(same)} levels of {columns[0]} are levels of {columns[1]} under another name"
            found.append(f"{message}, such as {name} and {first}; {_leave_out(columns)}")
    return found


def combined(combinations: Iterable[Combination], column_of: Mapping[str, str]) -> list[str]:
    """A sentence for each column with inputs that others give.

    Args:
        combinations: what was found.
        column_of: input -> column of the table.
    """
    groups: dict[str, list[Combination]] = {}
    for each in combinations:
        groups.setdefault(column_of[each.name], []).append(each)
    found = []
    for column, given in groups.items():
        first = given[0]
        formula = f"{first.name}{_formula(first.terms, first.constant)}"
        if all(column_of[name] == name for name in (first.name, *first.terms)):
            found.append(f"{formula}: the weights of these columns are not unique; leave one out with data.ignore")
            continue
        others = dict.fromkeys(column_of[name] for each in given for name in each.terms)
        if len(given) > 1:
            levels = f"{len(given)} levels of {column} are combinations of inputs of {listed(list(others))}"
            formula = f"{levels}, such as {formula}"
        remedy = _leave_out(list(dict.fromkeys([column, *others])))
        found.append(f"{formula}: the weights of these inputs are not unique; {remedy}")
    return found


def _leave_out(columns: Sequence[str]) -> str:
    some = f"{', '.join(columns[:-1])} or {columns[-1]}" if 1 < len(columns) <= 5 else listed(columns)
    return f"leave out {some} with data.ignore: [{columns[0]}]"


def _formula(terms: Mapping[str, float], constant: float) -> str:
    if len(terms) > 4:
        return f" is a combination of {listed(list(terms))}"
    parts: list[str] = []
    for name, weight in terms.items():
        size = "" if abs(abs(weight) - 1) < 1e-6 else f"{abs(weight):.4g} "
        sign = "- " if weight < 0 else "+ " if parts else ""
        parts.append(f"{sign}{size}{name}")
    if constant:
        parts.append(f"{'-' if constant < 0 else '+'} {abs(constant):.4g}")
    return f" = {' '.join(parts)}"


def listed(names: Sequence[str]) -> str:
    """Names, the first few of many."""
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
