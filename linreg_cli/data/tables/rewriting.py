"""The command that writes a text file in a form that is read, for messages about one that is not."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from linreg_cli.config.formats import CSV_SUFFIXES
from linreg_cli.data.tables.standard_input import is_copy
from linreg_cli.remedies import command, given, settings


def is_rewritable(name: str) -> bool:
    """Whether a table is a file of plain text, which a command can change; its encoding is not looked at.

    Args:
        name: the path of the table.
    """
    path = Path(name)
    return path.suffix.lower() in CSV_SUFFIXES and path.is_file() and not is_copy(name)


def by_command(words: str, expression: str, name: str, needed: Mapping[str, Any], *, of_run: bool = False) -> str:
    """What to do in words, the command that writes the changed file, and the settings that read it.

    Args:
        words: what is changed in the file.
        expression: the change, for sed -E.
        name: the path of a file that is rewritable.
        needed: the settings that the changed file needs, by dotted key.
        of_run: whether a run is applied to the table, whose settings stay; also where messages are about a run.

    >>> print(by_command("drop the title", "1d", "t.csv", {"seed": 1}))
    drop the title, such as by: sed -E 1d t.csv > t_changed.csv; then set data.path: t_changed.csv and seed: 1
    """
    path = Path(name)
    changed = str(path.with_name(f"{path.stem}_changed{path.suffix}"))
    way = f"{words}, such as by: {command('sed', '-E', expression, str(path))} > {command(changed)}"
    if of_run or given("run", None) is not None:
        return way
    return f"{way}; then set {settings({'data.path': changed, **needed})}"
