"""The summary of a table, for the terminal."""

from typing import TYPE_CHECKING

from linreg_cli import wording
from linreg_cli.cli import output
from linreg_cli.decimals import at_right

if TYPE_CHECKING:
    from linreg_cli.data.summary import DataSummary, UsedColumn

#: Up to so many levels are listed; more are counted.
_MAX_LEVELS = 6
#: Up to so many columns that are treated alike are named in one line.
_MAX_ALIKE = 3


def data_table(summary: "DataSummary") -> str:
    """The summary as text: a line for the columns with the same levels or missing cells, and one for all others.

    Args:
        summary: of the table that was read.
    """
    dropped = f", {summary.n_dropped:,} dropped" if summary.n_dropped else ""
    lines = [f"{wording.one_line(summary.name)}: {summary.n_rows:,} rows{dropped}"]
    noted = [column for column in summary.columns if not column.is_plain]
    if noted:
        rows = [["column", "kind", "missing", "what was done"]]
        alike: dict[tuple[str, str, str], list[str]] = {}
        for each in noted:
            what = each.kind, f"{each.missing:,}", _done(each)
            alike.setdefault(what, []).append(wording.one_line(each.column))
        shown = list(alike.items())[: output.MOST_PARAMETERS]
        rows += [[_and_more(names), *what] for what, names in shown]
        counts = at_right([row[2] for row in rows])
        rows = [[*row[:2], count, row[3]] for row, count in zip(rows, counts, strict=True)]
        lines.append(output.aligned(rows, left=4, indent="  "))
        lines += output.left_out(len(noted) - sum(len(names) for _, names in shown), "  ", "run.json")
    plain = [column for column in summary.columns if column.is_plain]
    if plain:
        names = ", ".join(wording.one_line(column.column) for column in plain[:8])
        more = f" and {len(plain) - 8} more" if len(plain) > 8 else ""
        lines.append(f"  numbers without missing cells: {names}{more}")
    return "\n".join(lines)


def _and_more(names: list[str]) -> str:
    """The columns that are treated alike, the first of many."""
    few = names if len(names) <= _MAX_ALIKE else names[: _MAX_ALIKE - 1]
    return ", ".join(few) + (f" and {len(names) - len(few):,} more" if len(few) < len(names) else "")


def _done(column: "UsedColumn") -> str:
    parts = []
    if column.levels is not None:
        few = len(column.levels) <= _MAX_LEVELS
        listed = ": " + ", ".join(wording.one_line(level) for level in column.levels) if few else ""
        inputs = wording.plural(column.indicators, "input")
        levels = wording.plural(len(column.levels), "level")
        parts.append(f"{levels}{listed}; {inputs}")
    if column.unknown:
        cells = wording.plural(column.unknown, "cell")
        parts.append(f"{cells} with levels that are not in the train split, treated as none of them")
    if column.missing and column.fill is not None:
        parts.append(f"filled with the {column.statistic}, {wording.number(column.fill)}")
    if column.missing and column.indicator is not None:
        parts.append("with an indicator")
    if column.missing and column.gaps_of is not None:
        parts.append(f"missing where {wording.one_line(column.gaps_of)} is")
    if column.gaps_ignored:
        parts.append("missing cells treated as none of the levels")
    if column.missing and column.treatment == "drop":
        parts.append("rows dropped")
    return "; ".join(parts)
