"""The summary of a table, for the terminal."""

from typing import TYPE_CHECKING

from linreg_cli import wording
from linreg_cli.cli import output
from linreg_cli.decimals import at_right

if TYPE_CHECKING:
    from linreg_cli.data.summary import DataSummary, UsedColumn

#: Up to so many levels are listed; more are counted.
_MAX_LEVELS = 6


def data_table(summary: "DataSummary") -> str:
    """The summary as text: a line for each column with missing cells or levels, and one for all others.

    Args:
        summary: of the table that was read.
    """
    dropped = f", {summary.n_dropped:,} dropped" if summary.n_dropped else ""
    lines = [f"{wording.one_line(summary.name)}: {summary.n_rows:,} rows{dropped}"]
    noted = [column for column in summary.columns if not column.is_plain]
    if noted:
        rows = [["column", "kind", "missing", "what was done"]]
        shown = noted[: output.MOST_PARAMETERS]
        rows += [[wording.one_line(each.column), each.kind, f"{each.missing:,}", _done(each)] for each in shown]
        counts = at_right([row[2] for row in rows])
        rows = [[*row[:2], count, row[3]] for row, count in zip(rows, counts, strict=True)]
        lines.append(output.aligned(rows, left=4, indent="  "))
        lines += output.left_out(len(noted) - len(shown), "  ", "run.json")
    plain = [column for column in summary.columns if column.is_plain]
    if plain:
        names = ", ".join(wording.one_line(column.column) for column in plain[:8])
        more = f" and {len(plain) - 8} more" if len(plain) > 8 else ""
        lines.append(f"  numbers without missing cells: {names}{more}")
    return "\n".join(lines)


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
