"""The statistics of the parts of a table become those of the table."""

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

from linreg_cli.errors import DataError, Fault
from linreg_cli.remedies import for_columns
from linreg_cli.statistics.canonical import canonical
from linreg_cli.statistics.facts import ColumnFacts, TableStatistics, WeightFacts, keys_of
from linreg_cli.statistics.moments import merged
from linreg_cli.wording import plural


def merge_statistics(parts: Mapping[str, TableStatistics]) -> TableStatistics:
    """The statistics of the whole table. The order of the parts has no effect, not on a bit.

    Args:
        parts: file -> the statistics in it, at least one.

    Raises:
        DataError: with every part that is there twice, that is missing, or that is of another config, table or number
            of parts than the first.
    """
    _refuse(parts)
    ordered = sorted(parts.values(), key=lambda each: each.part)
    first = ordered[0]
    if first.part == (1, 1):
        return first
    columns = tuple(
        reduce(ColumnFacts.joined, facts) for facts in zip(*(each.columns for each in ordered), strict=True)
    )
    weights = [each.weights for each in ordered if each.weights is not None]
    whole = TableStatistics(
        settings=first.settings,
        table=first.table,
        part=(1, 1),
        digests=tuple(digest for each in ordered for digest in each.digests),
        n_rows=sum(each.n_rows for each in ordered),
        n_dropped=sum(each.n_dropped for each in ordered),
        splits={split: sum(each.splits[split] for each in ordered) for split in first.splits},
        columns=columns,
        moments=merged([each.moments for each in ordered], keys_of(columns)),
        weights=None if first.weights is None else reduce(WeightFacts.joined, weights),
    )
    return canonical(whole)


def _refuse(parts: Mapping[str, TableStatistics]) -> None:
    """Refuse parts that are not those of one table, each once."""
    names = [*parts]
    first = parts[names[0]]
    faults = [fault for name in names[1:] for fault in _differences(parts[name], first, name, names[0])]
    if faults:
        raise DataError(faults)
    of: dict[int, list[str]] = {}
    for name, each in parts.items():
        of.setdefault(each.part[0], []).append(name)
    n_parts = first.part[1]
    for index, files in sorted(of.items()):
        faults += [
            Fault(f"part {index}/{n_parts} is in {files[0]} already; give each part once", other) for other in files[1:]
        ]
    if missing := [index for index in range(1, n_parts + 1) if index not in of]:
        named = ", ".join(f"{index}/{n_parts}" for index in missing[:10])
        more = f" and {len(missing) - 10:,} more" if len(missing) > 10 else ""
        verb = "is" if len(missing) == 1 else "are"
        make = f"linreg stats -c CONFIG --part {missing[0]}/{n_parts} -o FILE"
        faults.append(
            Fault(
                f"{plural(len(missing), 'part')} of {n_parts:,} {verb} missing: {named}{more}; make each with: {make}"
            )
        )
    if faults:
        raise DataError(faults)
    faults = [fault for name in names[1:] for fault in _other_kinds(parts[name], first, name, names[0])]
    if faults:
        raise DataError(faults)


def _differences(each: TableStatistics, first: TableStatistics, name: str, other: str) -> list[Fault]:
    """What keeps two parts from being of one table and one config."""
    faults = []
    if changed := changed_settings(each.settings, first.settings):
        faults.append(
            Fault(f"the config differs from that of {other}: {changed}; make all parts with one config", name)
        )
    elif each.table != first.table:
        which = next(key for key in first.table if each.table.get(key) != first.table[key])
        message = f"the part is of another table than {other} (its {_WHAT.get(which, which)} differ)"
        faults.append(Fault(f"{message}; make all parts from one table", name))
    elif each.part[1] != first.part[1]:
        message = f"this is part {_part(each)}, and {other} is part {_part(first)}: they are not of one division"
        faults.append(Fault(f"{message}; make all parts with one N of --part I/N", name))
    return faults


_WHAT = {"digest": "files", "columns": "columns", "n_rows": "numbers of rows"}


def _part(each: TableStatistics) -> str:
    return f"{each.part[0]}/{each.part[1]}"


def changed_settings(found: Mapping[str, Any], expected: Mapping[str, Any]) -> str:
    """The settings that differ, with both values; empty without any.

    >>> changed_settings({"seed": 1, "data.target": ["y"]}, {"seed": 0, "data.target": ["y"]})
    'seed is 1, and 0 there'
    """
    keys = [key for key in dict.fromkeys((*found, *expected)) if found.get(key) != expected.get(key)]
    return "; ".join(f"{key} is {_shown(found.get(key))}, and {_shown(expected.get(key))} there" for key in keys)


def _shown(value: Any) -> str:
    import json

    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _other_kinds(each: TableStatistics, first: TableStatistics, name: str, other: str) -> Sequence[Fault]:
    """Columns whose cells are numbers in one part and text in another."""
    pairs = [
        (mine, its)
        for mine, its in zip(each.columns, first.columns, strict=True)
        if "empty" not in (mine.kind, its.kind) and (mine.is_category, mine.kind) != (its.is_category, its.kind)
    ]
    # one line for all columns, since a mapping is pasted as a whole; the parts do not hold the entries that it has
    line = for_columns([mine.column for mine, _ in pairs], "categorical", "one_hot")
    remedy = f"set {line}, besides the entries that it has, and make all parts again"
    return [
        Fault(f"column {mine.column!r} is {_kind(mine)} here and {_kind(its)} in {other}; {remedy}", name)
        for mine, its in pairs
    ]


def _kind(facts: ColumnFacts) -> str:
    return f"a category of {facts.kind}" if facts.is_category else "numbers"
