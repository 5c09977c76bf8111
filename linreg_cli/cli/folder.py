"""Commands that work in the current folder, for the help. Nothing is read but names, and not many of them."""

import contextlib
import itertools
import os
from collections.abc import Sequence

from linreg_cli.remedies import command
from linreg_cli.wording import is_shown

#: Entries of a folder that are looked at: it may hold a million files.
MOST_ENTRIES = 1000
#: Endings of tables and of configs; those of tables are the ones of `config/formats.py`, which takes pydantic.
TABLES = (".csv", ".csv.gz", ".csv.zst", ".tsv", ".tsv.gz", ".tsv.zst", ".parquet", ".arrow", ".feather", ".jsonl")
CONFIGS = (".yaml", ".yml")


def commands_here() -> list[str]:
    """What may be done in the current folder, as commands to paste: with its tables, its configs and its runs."""
    names = _names(".")
    tables, configs = _ending(names, TABLES), _ending(names, CONFIGS)
    configs += [os.path.join("configs", name) for name in _ending(_names("configs"), CONFIGS)]
    lines = [command("linreg", "train", tables[0], "--target", "COLUMN")] if tables else []
    lines += [command("linreg", "train", "-c", configs[0])] if configs else []
    outputs = os.path.expanduser(os.environ.get("LINREG_OUTPUTS") or "outputs")
    if any(os.path.lexists(os.path.join(outputs, name, "run.json")) for name in _names(outputs) if name[0] != "."):
        lines.append(command("linreg", "predict", "latest", "--data", tables[0] if tables else "TABLE"))
    return lines or ["linreg train TABLE --target COLUMN", "linreg init", "linreg generate-data"]


def _names(folder: str) -> list[str]:
    """The first names of a folder; empty where it cannot be read."""
    with contextlib.suppress(OSError, ValueError), os.scandir(folder) as entries:
        return [entry.name for entry in itertools.islice(entries, MOST_ENTRIES)]
    return []


def is_config(name: str) -> bool:
    """Whether a name is that of a config, by its ending."""
    return name.lower().endswith(CONFIGS)


def _ending(names: Sequence[str], suffixes: Sequence[str]) -> list[str]:
    """The names with one of the suffixes, sorted; names that a terminal would not show as they are are left out."""
    return sorted(
        name
        for name in names
        if name.lower().endswith(tuple(suffixes)) and not name.startswith((".", "-")) and all(map(is_shown, name))
    )
