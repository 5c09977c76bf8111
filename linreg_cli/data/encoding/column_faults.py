"""Faults of columns that the config can solve, those of many columns in few lines."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from linreg_cli.errors import DataError, Fault
from linreg_cli.fixes import Step, block, together
from linreg_cli.readers import is_program
from linreg_cli.remedies import overrides, setting, train_again
from linreg_cli.remedies import settings as several
from linreg_cli.wording import one_line, plural

#: Kind of fault -> what is said of one column, and of several.
_SAID = {
    "text": ("holds text or categories", "hold text or categories"),
    "date": ("holds dates or times", "hold dates or times"),
    "identifier": ("looks like an identifier or free text", "look like identifiers or free text"),
    "levels": ("has more levels than preprocess.max_levels", "have more levels than preprocess.max_levels"),
    "type": ("holds values that are neither numbers nor text", "hold values that are neither numbers nor text"),
    "placeholder": ("has text that stands for a missing cell", "have text that stands for missing cells"),
    "missing": ("has missing cells", "have missing cells"),
    "empty": ("has no value to fit on", "have no value to fit on"),
    "unknown": ("has a level that no train row has", "have levels that no train row has"),
}
#: The names that a line has; the others are counted.
_NAMED = 8
#: With more characters, the same settings are not shown as options too.
_LONGEST_OPTIONS = 200


@dataclass(frozen=True)
class ColumnFault(Fault):
    """A fault of one column that a setting solves.

    Attributes:
        detail: what was found, and where in the column, such as `'RL' in row 2`.
        steps: the changes that solve it.
        n_cells: the number of cells that are concerned, where it is shown.
    """

    detail: str = ""
    steps: tuple[Step, ...] = ()
    n_cells: int | None = None


def column_fault(kind: str, column: str, message: str, where: str, detail: str, *steps: Step) -> ColumnFault:
    """A fault of one column.

    Args:
        kind: as in `_SAID`.
        column: its name.
        message: as it is shown where this is the only column that is concerned.
        where: the place.
        detail: what was found, and where in the column, in a few words.
        steps: the changes that solve it.
    """
    assert kind in _SAID, kind
    return ColumnFault(message, where, kind=kind, columns=(column,), detail=detail, steps=steps)


def solvable(faults: Iterable[Fault]) -> list[ColumnFault]:
    """Those that the config can solve."""
    return [fault for fault in faults if isinstance(fault, ColumnFault)]


def concerns_several(faults: Iterable[Fault]) -> bool:
    """Whether those that the config can solve concern more than one column."""
    return len({fault.columns for fault in solvable(faults)}) > 1


def reported(faults: Sequence[Fault], name: str, *, hint: str = "", works: bool = True) -> list[Fault]:
    """The faults of a table, with one for all columns with the same kind of fault, and one remedy for all of them.

    Where they concern one column alone, each is as precise as it was. Those that the config cannot solve stay.

    Args:
        faults: all of them.
        name: the table.
        hint: a line below the remedy.
        works: whether the table can be used with the remedy.
    """
    found = solvable(faults)
    if not concerns_several(found):
        return list(faults)
    groups = {kind: [fault for fault in found if fault.kind == kind] for kind in _SAID}
    lines = [_in_one(kind, group, name) for kind, group in groups.items() if group]
    if works:
        lines[-1] = _with_remedy(lines[-1], together([step for fault in found for step in fault.steps]), hint)
    return [*(fault for fault in faults if not isinstance(fault, ColumnFault)), *lines]


@contextlib.contextmanager
def reporting(name: str) -> Iterator[None]:
    """A block whose errors are reported as those of a table."""
    try:
        yield
    except DataError as error:
        raise DataError(reported(error.faults, name)) from None


def _with_remedy(fault: Fault, settings: Mapping[str, Any], hint: str) -> Fault:
    if again := train_again(settings):
        return replace(fault, message=f"{fault.message}; {again}", settings=settings)
    if len(settings) == 1:
        [(key, value)] = settings.items()
        message = f"{fault.message}; set {setting(key, value)}"
        return replace(fault, message=message, block=hint or None, settings=settings)
    if is_program():
        return replace(fault, message=f"{fault.message}; set {several(settings)}", settings=settings)
    below = ["paste into the config, or into a file such as fix.yaml for a further -c fix.yaml:", block(settings)]
    options = overrides(settings)
    # A shell has no quotes within quotes: what it has for them nobody reads.
    readable = len(options) <= _LONGEST_OPTIONS and """'"'"'""" not in options
    below += [f"or add {options}"] if readable else []
    return replace(fault, block="\n".join([*below, *([hint] if hint else [])]), settings=settings)


def _in_one(kind: str, faults: Sequence[ColumnFault], name: str) -> Fault:
    """One fault for all columns with a kind of fault."""
    columns, first = tuple(column for fault in faults for column in fault.columns), faults[0]
    if len(columns) == 1:
        where = f"{name}, column {columns[0]!r}"
        return Fault(f"the column {_SAID[kind][0]} ({first.detail})", where, kind=kind, columns=columns)
    shown = [_named(fault) for fault in faults[:_NAMED]]
    more = f" and {len(columns) - _NAMED:,} more" if len(columns) > _NAMED else ""
    message = f"{plural(len(columns), 'column')} {_SAID[kind][1]}: {', '.join(shown)}{more}"
    message += f" (first: {one_line(columns[0])}, {first.detail})"
    return Fault(message, name, kind=kind, columns=columns)


def _named(fault: ColumnFault) -> str:
    name = one_line(fault.columns[0])
    return name if fault.n_cells is None else f"{name} ({fault.n_cells:,})"
