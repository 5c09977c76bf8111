"""Features that are made of columns, as statistics keep them: of numbers without a missing cell, row by row.

A product with a filled column depends on the fill, which is known only after the merge; the levels of a product of
categories are those that occur together in the whole table. Both are refused.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from linreg_cli.config.terms import Term
from linreg_cli.data.columns.kinds import Column, Mask, Numbers, RawColumn
from linreg_cli.data.encoding.derived import DerivedInput, Product, domain_faults
from linreg_cli.errors import DataError, Fault, SettingError
from linreg_cli.remedies import for_columns, leave_out


def derived_terms(terms: Sequence[Term]) -> tuple[Term, ...]:
    """The features that are made of columns, but for parts of dates, which are read as columns of their own."""
    return tuple(term for term in terms if not term.is_plain and term.part is None)


def refuse_categories(terms: Sequence[Term], categories: Collection[str]) -> None:
    """Refuse features that are made of categories.

    Raises:
        SettingError: with each of them.
    """
    found = [term.text for term in derived_terms(terms) if set(term.columns) & set(categories)]
    if found:
        raise SettingError(
            ("data", "features"),
            f"{', '.join(map(repr, found[:5]))}: statistics hold products of numbers, not of categories; write them "
            f"into the table, leave them out with {leave_out(*found)}, or train without --stats",
        )


def derived_values(terms: Sequence[Term], raw: Mapping[str, RawColumn], used: Mask, name: str) -> dict[str, Column]:
    """Entry -> its values in each row of a block, float64, shape (n_rows,); any value in a row that is not used.

    Args:
        terms: of all features.
        raw: the columns of the block.
        used: which rows are in a split.
        name: the table, for messages.

    Raises:
        DataError: for a missing cell in a used row, a value outside the domain of a function, and an overflow; rows are
            those of the block.
    """
    made = [DerivedInput(term.text, term.factors) for term in derived_terms(terms)]
    if not made:
        return {}
    numbers, faults = {}, list[Fault]()
    for column in dict.fromkeys(column for each in made for column in each.columns):
        values = raw[column]
        assert isinstance(values, Numbers)
        numbers[column] = values.values[:]
        if values.n_missing and (empty := np.isnan(numbers[column]) & used).any():
            of = next(each.column for each in made if column in each.columns)
            message = f"the cell is missing, and {of!r} is made of it, which statistics cannot fill in beforehand"
            remedy = f"drop such rows with {for_columns([column], 'missing', 'drop')}, or train without --stats"
            faults.append(Fault(f"{message}; {remedy}", f"{name}, row {int(np.argmax(empty)) + 1}, column {column!r}"))
    rows = np.flatnonzero(used).astype(np.int32)
    faults = faults or domain_faults(made, numbers, rows, name, trained=False)
    if faults:
        raise DataError(faults)
    every = slice(0, len(used))
    return {
        each.column: Product(tuple((numbers[factor.column], factor) for factor in each.factors))[every] for each in made
    }
