"""Faults of features that are made of columns: values outside the domain of a function, and products that overflow."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from linreg_cli.config.terms import Factor
from linreg_cli.data.columns.kinds import Column, Mask, Rows, Values
from linreg_cli.data.columns.rows import first_row, in_blocks
from linreg_cli.data.encoding.derived import DerivedInput, Product
from linreg_cli.errors import Fault
from linreg_cli.remedies import leave_out
from linreg_cli.wording import number

#: Function -> which values it takes, and these in words.
_DOMAINS: dict[str, tuple[Callable[[Column], Mask], str]] = {
    "log": (lambda values: values > 0, "above 0"),
    "log1p": (lambda values: values > -1, "above -1"),
    "sqrt": (lambda values: values >= 0, "of 0 or more"),
}


def domain_faults(
    derived: Sequence[DerivedInput], numbers: Mapping[str, Values], rows: Rows, name: str, *, trained: bool
) -> list[Fault]:
    """The faults of values outside the domain of a function, and of products that overflow.

    Args:
        derived: the features.
        numbers: column -> encoded numbers.
        rows: numbers of the rows that are used.
        name: the table, for messages.
        trained: whether a model was trained already.
    """
    faults: list[Fault] = []
    chosen = in_blocks(rows)
    bad_columns = set()
    entries: dict[Factor, list[str]] = {}  # those with each function
    for each in derived:
        for factor in each.numbers:
            if factor.function is not None:
                entries.setdefault(factor, []).append(each.column)
    for factor, own in entries.items():
        assert factor.function is not None
        values, (inside, words) = numbers[factor.column], _DOMAINS[factor.function]
        bad = _first(values, chosen, inside)
        if bad is not None:
            bad_columns.add(factor.column)
            others = f" ({bad[1]:,} such cells in the column)" if bad[1] > 1 else ""
            found = number(float(values[bad[0] : bad[0] + 1][0]))
            message = f"{factor} needs values {words}, found {found}{others}"
            remedy = _remedy(factor, own, values, chosen, trained=trained)
            faults.append(Fault(f"{message}; {remedy}", _where(name, bad[0], factor.column)))
    for each in derived:
        if not each.numbers or bad_columns.intersection(each.columns):
            continue
        product = Product(tuple((numbers[factor.column], factor) for factor in each.numbers))
        bad = _first(product, chosen, np.isfinite)
        if bad is not None:
            more = f" ({bad[1]:,} such rows)" if bad[1] > 1 else ""
            remedy = f"use another unit, or leave it out with {leave_out(each.column)}"
            remedy = "correct the cell" if trained else remedy
            where = _where(name, bad[0], each.numbers[0].column)
            faults.append(Fault(f"{each.column} overflows float64{more}; {remedy}", where))
    return faults


def _remedy(factor: Factor, entries: Sequence[str], values: Values, rows: Rows | slice, *, trained: bool) -> str:
    if trained:
        return "correct the cell, or leave the row out of the table"
    ways = ["correct the cell"]
    if factor.function == "log" and _first(values, rows, _DOMAINS["log1p"][0]) is None:
        ways.append(f"write {Factor(factor.column, 'log1p')}")
    return f"{', '.join(ways)}, or leave it out with {leave_out(*entries)}"


def _where(name: str, row: int, column: str) -> str:
    return f"{name}, row {row + 1}, column {column!r}"


def _first(values: Values, rows: Rows | slice, is_good: Callable[[Column], Mask]) -> tuple[int, int] | None:
    """The first row whose value is at fault, and how many are; None if there is none."""
    first, n_bad = first_row(rows, len(values), lambda block: ~is_good(values[block]))
    return (first, n_bad) if n_bad else None
