"""Rows of a spreadsheet that are none of the data: a second line of the header, and a line of totals at the end."""

from collections.abc import Iterator

import numpy as np

from linreg_cli.data.columns.kinds import BLOCK_ROWS, Numbers
from linreg_cli.data.encoding.notation import present
from linreg_cli.data.tables.rewriting import by_command, is_rewritable
from linreg_cli.errors import DataError
from linreg_cli.findings import Finding
from linreg_cli.remedies import quoted
from linreg_cli.starter.reading import Reading

#: Numbers above a total, none of which is zero: fewer may add up to the last one by chance.
_FEWEST = 10
#: How far a total may be from the sum of the numbers that are shown, which are rounded; relative.
_CLOSE = 1e-4
#: Columns that a message names.
_NAMED = 3


def refuse_second_header(reading: Reading) -> None:
    """Refuse a table whose first row has words where the rows below have numbers, such as units.

    Raises:
        DataError: for one, with the command that deletes the row.
    """
    source = reading.table.as_text()
    if source is None or reading.cells.num_rows < _FEWEST:
        return
    if any(not np.isnan(numbers.values[:1]).any() for numbers in reading.cells.numbers.values()):
        return
    words = {}
    for column in reading.cells.others.column_names:
        text = present(reading.cells.others.column(column), reading.missing_values)
        rest, written = text.slice(1), source.format.of(column)
        numbers = written.float64(rest) if rest.null_count < len(rest) else None
        if numbers is not None and text[0].is_valid and written.float64(text.slice(0, 1)) is None:
            words[column] = text[0].as_py()
    if len(words) < 2 and not words.keys() & {*reading.targets}:
        return
    shown = ", ".join(f"{quoted(word)} ({column})" for column, word in [*words.items()][:_NAMED])
    message = f"row 1 has words where the rows below have numbers: {shown}; if it is a second line of the header, "
    name = reading.table.name
    remedy = by_command("delete it", "2d", name, {}) if is_rewritable(name) else "delete it"
    raise DataError(message + remedy, name)


def totals(reading: Reading) -> Iterator[Finding]:
    """A warning about a last row that holds the sums of the rows above."""
    n_rows, name = reading.cells.num_rows, reading.table.name
    found = [column for column, values in reading.raw.items() if isinstance(values, Numbers) and _ends_in_sum(values)]
    if found:
        more = f" and {len(found) - _NAMED:,} more" if len(found) > _NAMED else ""
        message = (
            f"row {n_rows:,}, the last one, has the sums of the rows above ({', '.join(found[:_NAMED])}{more}), and "
        )
        remedy = by_command("delete it", "$d", name, {}) if is_rewritable(name) else "delete it"
        yield Finding("total_row", f"{message}counts as a row like them; {remedy}")


def _ends_in_sum(values: Numbers) -> bool:
    """Whether the last number is the sum of the others, and larger than each of them."""
    n_rows, total, size, largest, n_others = len(values.values), 0.0, 0.0, 0.0, 0
    if n_rows <= _FEWEST or np.isnan(last := float(values.values[n_rows - 1 :][0])) or last == 0:
        return False
    for start in range(0, n_rows - 1, BLOCK_ROWS):
        block = values.values[start : min(start + BLOCK_ROWS, n_rows - 1)]
        block = block[np.isfinite(block) & (block != 0)]
        total, n_others = total + float(block.sum()), n_others + len(block)
        size += float(np.abs(block).sum())
        largest = max(largest, float(np.abs(block).max(initial=0.0)))
    is_above = abs(last) > max(largest, size / 2)  # the sum of numbers of both signs may be any number
    return n_others >= _FEWEST and is_above and abs(total - last) <= _CLOSE * abs(last)
