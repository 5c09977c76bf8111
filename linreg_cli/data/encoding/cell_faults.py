"""Faults of single cells: missing ones, and levels that the train split does not have."""

from dataclasses import replace

from linreg_cli.config.preprocess import FOR_NUMBERS
from linreg_cli.data.columns.kinds import MISSING, UNKNOWN, Categories, CodesOnAccess, Numbers, RawColumn, Rows, n_cells
from linreg_cli.data.columns.rows import first_row
from linreg_cli.data.encoding.column_faults import column_fault
from linreg_cli.data.encoding.inputs import CategoryInput
from linreg_cli.data.encoding.levels import MISSING_LEVEL, written
from linreg_cli.errors import Fault
from linreg_cli.fixes import Step
from linreg_cli.lookalike import difference, in_ascii, same_appearance
from linreg_cli.remedies import change, for_columns, leave_out, missing, quoted, with_mark, without_mark


def missing_fault(
    values: RawColumn, rows: Rows, column: str, name: str, remedy: str, step: Step | None = None
) -> Fault | None:
    """A fault for the first missing cell of a column among some rows; None if there is none.

    Args:
        values: the column.
        rows: numbers of the rows that are used.
        column: its name.
        name: the table, for messages.
        remedy: what to do.
        step: the change of the config that solves it, if there is one.
    """
    row, n_gaps = first_row(rows, n_cells(values), values.missing) if values.n_missing else (0, 0)
    if not n_gaps:
        return None
    cell = None if values.cell is None else values.cell(row)
    found = "is missing"
    if not (cell is None or cell != cell or (isinstance(cell, str) and not cell.strip())):
        found = (
            f"is {quoted(cell) if isinstance(cell, str) else cell}, which preprocess.missing_values counts as missing"
        )
        if isinstance(values, Categories):
            keep = without_mark(written(cell))
            remedy = f"if it is a level, {keep}; {remedy}" if keep else remedy
    more = f" ({n_gaps:,} missing cells in the column)" if n_gaps > 1 else ""
    message, where = f"the cell {found}{more}; {remedy}", f"{name}, row {row + 1}, column {column!r}"
    if step is None:
        return Fault(message, where, columns=(column,))
    if step.key == "ignore":
        return column_fault("empty", column, message, where, f"all {n_cells(values):,} cells are missing", step)
    detail = f"row {row + 1}" if n_gaps == 1 else f"{n_gaps:,} cells, the first in row {row + 1}"
    return replace(column_fault("missing", column, message, where, detail, step), n_cells=n_gaps)


def missing_number_fault(values: Numbers, rows: Rows, column: str, name: str, *, trained: bool) -> Fault | None:
    """The fault of a feature of numbers with missing cells that are not filled in; None without such cells.

    Args:
        values: the column.
        rows: numbers of the rows that are used.
        column: its name.
        name: the table, for messages.
        trained: whether a model was trained already.
    """
    way = f"{change(*missing(column, 'mean'))} (or median, level or drop)"
    remedy = f"fill it in, {way}, or leave the column out with {leave_out(column)}"
    step, ignore = Step("missing", "level", column), Step("ignore", column=column)
    if trained:
        remedy = f"fill it in, or {way}"
    elif values.n_missing == len(values.values):
        remedy, step = f"no cell of the column has a value; leave the column out with {leave_out(column)}", ignore
    return missing_fault(values, rows, column, name, remedy, step)


def category_fault(
    each: CategoryInput, codes: CodesOnAccess, values: Categories, rows: Rows, name: str, *, trained: bool
) -> Fault | None:
    """The fault of a category with missing cells, or with levels that the train split does not have.

    Args:
        each: the encoding.
        codes: of the cells, as `each.codes` gives them.
        values: the column.
        rows: numbers of the rows that are used.
        name: the table, for messages.
        trained: whether a model was trained already.
    """
    level, ignored = Step("missing", "level", each.column), Step("unknown", "ignore")
    if each.missing != "level":
        why = f"a category has no {each.missing}; " if each.missing in FOR_NUMBERS else ""
        way = f"{change(*missing(each.column, 'level'))} (or drop)"
        remedy, step = f"{why}fill it in, {way}, or leave the column out with {leave_out(each.column)}", level
        if trained:
            remedy = f"fill it in, or, to treat it as none of the levels, {change('preprocess.unknown', 'ignore')}"
            step = ignored
        if fault := missing_fault(values, rows, each.column, name, remedy, step):
            return fault
    row, n_unseen = first_row(rows, n_cells(values), lambda block: codes[block] == UNKNOWN)
    if not n_unseen or each.unknown == "ignore":
        return None
    levels = ", ".join(each.levels[:10]) + (", ..." if len(each.levels) > 10 else "")
    more = f", nor are {n_unseen - 1:,} more cells" if n_unseen > 1 else ""
    if values.codes[row] == MISSING:
        found = f"missing in row {row + 1}"
        message = f"the cell is missing, and {MISSING_LEVEL} is not a level of the train split ({levels}){more}"
    else:
        name_of = values.levels[values.codes[row]]
        found = f"{quoted(name_of)} in row {row + 1}"
        message = f"{name_of!r} is not a level of the train split ({levels}){more}"
        if same := same_appearance(name_of, each.levels):
            message += f"; it looks the same as {in_ascii(same)}: {difference(name_of, same)}"
    ignore = f"to treat it as none of them, {change('preprocess.unknown', 'ignore')}"
    where = f"{name}, row {row + 1}, column {each.column!r}"
    return column_fault("unknown", each.column, f"{message}; {ignore}", where, found, ignored)


def missing_level_fault(each: CategoryInput, name: str) -> Fault | None:
    """The fault of a category whose missing cells cannot be a level: it has a level of that name, or no other.

    Args:
        each: the encoding, fitted on the train split.
        name: the table, for messages.
    """
    where = f"{name}, column {each.column!r}"
    if not each.gaps_are_level or (each.own_levels and MISSING_LEVEL not in each.own_levels):
        return None
    if not each.own_levels:
        message = "every cell of the train split is missing, so there is no reference level"
        message += f"; leave it out with {leave_out(each.column)}"
        return column_fault(
            "empty",
            each.column,
            message,
            where,
            "every cell of the train split is missing",
            Step("ignore", column=each.column),
        )
    message = f"a level is called {quoted(MISSING_LEVEL)}, as that of missing cells would be"
    if same := with_mark(MISSING_LEVEL):
        message += f"; if its cells are missing too, {same}"
    drop = for_columns([each.column], "missing", "drop")
    return Fault(f"{message}; otherwise rename it, or leave rows with missing cells out with {drop}", where)
