"""Placeholders: text such as NULL or #N/A that stands for a missing cell without being one of `missing_values`."""

from collections.abc import Sequence

import numpy as np

from linreg_cli.data.columns.kinds import Categories
from linreg_cli.data.encoding.column_faults import column_fault
from linreg_cli.data.encoding.levels import value_of
from linreg_cli.errors import Fault
from linreg_cli.fixes import Step
from linreg_cli.remedies import also_missing, for_columns, quoted

#: What databases, spreadsheets and statistics packages write, which is no word of any language.
_MARKS = frozenset(
    r"""
    null (null) [null] <null> \n <na> #n/a #n/a! #na #null! #value! #div/0! #ref! #num! #name? n/a n.a. n.a na nan -nan
    1.#qnan -1.#ind 1.#ind . .. ... - -- --- – — * ** ? ?? ??? _ n/k n/d n.d.
    """.split()  # noqa: SIM905 - as a list, it is a line for each
)
#: Words that stand for a missing cell among numbers, and may be levels among other words.
_ENGLISH = frozenset(["none", "nil", "missing", "unknown", "undefined", "void", "empty", "blank"])
_WORDS = _ENGLISH | frozenset(["无", "空", "缺失", "未知", "不详"])
#: With so many different numbers, a column that mostly holds one other text is numbers with a placeholder.
_MANY_NUMBERS = 5
#: With so many levels or fewer, a column that mostly holds numbers may be a category.
_FEW_LEVELS = 20


def is_placeholder(level: str, *, among_numbers: bool) -> bool:
    """Whether a text stands for a missing cell.

    >>> is_placeholder("NULL", among_numbers=False), is_placeholder("None", among_numbers=False)
    (True, False)
    >>> is_placeholder("None", among_numbers=True), is_placeholder("EU", among_numbers=True)
    (True, False)
    """
    folded = level.casefold()
    return folded in _MARKS or (among_numbers and folded in _WORDS)


def placeholder_fault(
    values: Categories, column: str, missing_values: Sequence[str], name: str, *, max_levels: int
) -> Fault | None:
    """The fault of a column of numbers and placeholders; None for another column.

    Args:
        values: the column as a category of text.
        column: its name.
        missing_values: cells that mean 'missing'.
        name: the table, for messages.
        max_levels: the levels that it may have as a category; 0 if it must be numbers.
    """
    words = [code for code, level in enumerate(values.levels) if value_of(level) is None]
    n_numbers = len(values.levels) - len(words)
    known = all(is_placeholder(values.levels[code], among_numbers=True) for code in words)
    one_word = len(words) == 1 and n_numbers >= _MANY_NUMBERS and 2 * np.sum(values.codes == words) > len(values.codes)
    if not words or not n_numbers or not (known or one_word):
        return None
    row = int(np.argmax(np.isin(values.codes, words)))
    first = values.levels[values.codes[row]]
    number = next(level for level in values.levels if value_of(level) is not None)
    counts = np.bincount(values.codes[values.codes >= 0], minlength=len(values.levels))
    found = ", ".join(f"{quoted(values.levels[code])} in {counts[code]:,}" for code in words)
    others = [values.levels[code] for code in words if values.levels[code] != first]
    message = f"{quoted(first)} is not a number, and the other cells are, such as {number}"
    message += f" ({found} of {int(counts.sum()):,} cells)"
    message += f"; correct it, or, if it means 'missing', set {also_missing(first, column, [*missing_values, *others])}"
    few = len(values.levels) <= _FEW_LEVELS or 2 * counts[words].sum() > counts.sum()
    if few and len(values.levels) <= max_levels:
        message += f"; to use the column as text, set {for_columns([column], 'categorical', 'one_hot')}"
    where = f"{name}, row {row + 1}, column {column!r}"
    if not known:  # a text that may mean something else
        return Fault(message, where, columns=(column,))
    marks = [Step("missing_values", values.levels[code]) for code in words]
    return column_fault("placeholder", column, message, where, f"{quoted(first)} in row {row + 1}", *marks)
