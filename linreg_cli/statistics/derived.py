"""Features that are made of columns, as statistics keep them: of numbers, row by row.

A product with a missing cell is known but for the fills, which the merge gives: it is the product of its other factors,
times those of the fills. So it is kept as one column for each set of columns that are missing together. The levels of
a product of categories are those that occur together in the whole table; it is refused.
"""

import itertools
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from linreg_cli.config.terms import Term
from linreg_cli.data.columns.kinds import Column, Mask, Numbers, RawColumn
from linreg_cli.data.encoding.derived import DerivedInput, Product, applied, domain_faults
from linreg_cli.errors import DataError, SettingError
from linreg_cli.remedies import leave_out


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
            f"into the table, leave them out with {leave_out(*found)}, or train on the rows",
        )


@dataclass(frozen=True, eq=False)
class Made:
    """A feature that is made of columns, in the rows of a block.

    Attributes:
        values: shape (n_rows,), float64; nan where a cell is missing of which it is made.
        without: as JSON the columns that are missing together -> in these rows the product of the factors of the other
            columns, and nan elsewhere.
    """

    values: Column
    without: Mapping[str, Column]


def derived_values(terms: Sequence[Term], raw: Mapping[str, RawColumn], used: Mask, name: str) -> dict[str, Made]:
    """Entry -> its values in each row of a block; any value in a row that is not used.

    Args:
        terms: of all features.
        raw: the columns of the block.
        used: which rows are in a split.
        name: the table, for messages.

    Raises:
        DataError: for a value outside the domain of a function, and an overflow; rows are those of the block.
    """
    made = [DerivedInput(term.text, term.factors) for term in derived_terms(terms)]
    if not made:
        return {}
    numbers, empty = {}, {}
    for column in dict.fromkeys(column for each in made for column in each.columns):
        values = raw[column]
        assert isinstance(values, Numbers)
        empty[column] = np.isnan(values.values[:])
        # What a missing cell is filled with is a number that the functions take, as the others are.
        numbers[column] = np.where(empty[column], 1.0, values.values[:])
    faults = domain_faults(made, numbers, np.flatnonzero(used).astype(np.int32), name, trained=False)
    if faults:
        raise DataError(faults)
    return {each.column: _made(each, numbers, empty, used) for each in made}


def _made(each: DerivedInput, numbers: Mapping[str, Column], empty: Mapping[str, Mask], used: Mask) -> Made:
    missing = np.stack([empty[column] for column in each.columns])
    every = slice(0, len(used))
    values = Product(tuple((numbers[factor.column], factor) for factor in each.factors))[every]
    without = {}
    for subset in _subsets(each.columns) if missing.any() else ():
        gone = np.array([column in subset for column in each.columns])
        here = (missing == gone[:, None]).all(axis=0) & used
        if here.any():
            rest = tuple((numbers[factor.column], factor) for factor in each.factors if factor.column not in subset)
            without[json.dumps(subset)] = np.where(here, Product(rest)[every] if rest else 1.0, np.nan)
    return Made(np.where(missing.any(axis=0), np.nan, values), without)


def _subsets(columns: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for size in range(1, len(columns) + 1):
        yield from itertools.combinations(columns, size)


def of_fills(each: DerivedInput, without: str, fills: Mapping[str, float]) -> float:
    """The product of the factors of the columns that are missing together, of their fills.

    Args:
        each: the feature.
        without: a key of `Made.without`.
        fills: column -> what its missing cells are filled with.
    """
    missing = set(json.loads(without))
    found = 1.0
    for factor in each.factors:
        if factor.column in missing:
            found *= float(applied(factor, np.array([fills[factor.column]]))[0])
    return found
