"""Features that are made of columns, as statistics keep them, row by row.

A product with a missing cell is known but for the fills, which the merge gives: it is the product of its other factors,
times those of the fills. So it is kept as one column for each set of columns that are missing together. A product with
categories is kept as one column for each combination of levels that occurs, and for each such set: which of these are
inputs, and which is a reference level, is known of the whole table.
"""

import itertools
import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from linreg_cli.config.terms import Term
from linreg_cli.data.columns.kinds import MISSING, Categories, Column, Mask, Numbers, RawColumn
from linreg_cli.data.encoding.derived import DerivedInput, Product, applied, not_numbers
from linreg_cli.data.encoding.domain_faults import domain_faults
from linreg_cli.errors import DataError, Fault
from linreg_cli.remedies import leave_out
from linreg_cli.statistics.facts import ColumnFacts


def derived_terms(terms: Sequence[Term]) -> tuple[Term, ...]:
    """The features that are made of columns, but for parts of dates, which are read as columns of their own."""
    return tuple(term for term in terms if not term.is_plain and term.part is None)


def refuse_functions(terms: Sequence[Term], categories: Collection[str], name: str) -> None:
    """Refuse powers and functions of categories.

    Raises:
        DataError: with each of them.
    """
    faults = [
        Fault(f"data.features: {term.text!r}: {not_numbers(factor)}; leave it out with {leave_out(term.text)}", name)
        for term in derived_terms(terms)
        for factor in term.factors
        if factor.column in categories and not factor.is_plain
    ]
    if faults:
        raise DataError(faults)


@dataclass(frozen=True, eq=False)
class Made:
    """A feature that is made of columns, in the rows of a block.

    Attributes:
        values: shape (n_rows,), float64; nan where a cell is missing of which it is made; None for one with categories.
        without: pairs of a key and, in the rows that it is of, the product of the factors of the columns that are not
            missing; nan elsewhere. The key is JSON: the columns that are missing together. With categories it is their
            levels, null for a missing cell, and these columns.
    """

    values: Column | None
    without: Iterable[tuple[str, Column]]


def derived_values(
    terms: Sequence[Term], raw: Mapping[str, RawColumn], used: Mask, name: str, categories: Collection[str] = ()
) -> dict[str, Made]:
    """Entry -> its values in each row of a block; any value in a row that is not used.

    Args:
        terms: of all features.
        raw: the columns of the block.
        used: which rows are in a split.
        name: the table, for messages.
        categories: the columns that are categories.

    Raises:
        DataError: for a value outside the domain of a function, and an overflow; rows are those of the block.
    """
    made = [
        DerivedInput(term.text, term.factors, categories=tuple(each for each in term.columns if each in categories))
        for term in derived_terms(terms)
    ]
    if not made:
        return {}
    numbers, empty = {}, {}
    for column in dict.fromkeys(factor.column for each in made for factor in each.numbers):
        values = raw[column]
        assert isinstance(values, Numbers)
        empty[column] = np.isnan(values.values[:])
        # What a missing cell is filled with is a number that the functions take, as the others are.
        numbers[column] = np.where(empty[column], 1.0, values.values[:])
    faults = domain_faults(made, numbers, np.flatnonzero(used).astype(np.int32), name, trained=False)
    if faults:
        raise DataError(faults)
    return {
        each.column: Made(None, _of_levels(each, raw, numbers, empty, used))
        if each.categories
        else _made(each, numbers, empty, used)
        for each in made
    }


def _made(each: DerivedInput, numbers: Mapping[str, Column], empty: Mapping[str, Mask], used: Mask) -> Made:
    missing = np.stack([empty[column] for column in each.columns])
    values = Product(tuple((numbers[factor.column], factor) for factor in each.factors))[slice(0, len(used))]
    without = {}
    for subset in _subsets(each.columns) if missing.any() else ():
        gone = np.array([column in subset for column in each.columns])
        here = (missing == gone[:, None]).all(axis=0) & used
        if here.any():
            without[json.dumps(subset)] = np.where(here, _rest(each, numbers, subset, len(used)), np.nan)
    return Made(np.where(missing.any(axis=0), np.nan, values), without.items())


def _of_levels(
    each: DerivedInput,
    raw: Mapping[str, RawColumn],
    numbers: Mapping[str, Column],
    empty: Mapping[str, Mask],
    used: Mask,
) -> Iterator[tuple[str, Column]]:
    """`Made.without` of a product with categories, of each combination of levels in turn: there may be many."""
    levels, columns = [], [column for column in each.columns if column not in each.categories]
    found = [empty[column].astype(np.int32) for column in columns]
    for column in each.categories:
        values = raw[column]
        # A block of a column without a cell has numbers that are missing.
        of_rows = values.codes[:] if isinstance(values, Categories) else np.full(len(used), MISSING)
        levels.append(values.levels if isinstance(values, Categories) else ())
        found.append(np.asarray(of_rows, dtype=np.int32))
    pattern = np.stack(found, axis=1)
    kinds, which = np.unique(pattern[used], axis=0, return_inverse=True)
    at = np.full(len(used), -1)
    at[used] = which.reshape(-1)
    for place, kind in enumerate(kinds.tolist()):
        missing = [column for column, is_missing in zip(columns, kind, strict=False) if is_missing]
        codes = kind[len(columns) :]
        names = [None if code == MISSING else own[code] for own, code in zip(levels, codes, strict=True)]
        rest = _rest(each, numbers, missing, len(used))
        yield json.dumps([names, missing], ensure_ascii=False), np.where(at == place, rest, np.nan)


def _rest(each: DerivedInput, numbers: Mapping[str, Column], missing: Collection[str], n_rows: int) -> Column | float:
    """The product of the numbers whose columns are not missing, shape (n_rows,); 1 without any."""
    rest = tuple((numbers[factor.column], factor) for factor in each.numbers if factor.column not in missing)
    return Product(rest)[slice(0, n_rows)] if rest else 1.0


def _subsets(columns: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for size in range(1, len(columns) + 1):
        yield from itertools.combinations(columns, size)


def together(facts: Sequence[ColumnFacts], terms: Sequence[Term]) -> dict[str, set[tuple[str | None, ...]]]:
    """Entry of a product with categories -> the levels that occur together in train rows, as the encoding names them.

    Args:
        facts: of all columns.
        terms: of all features.
    """
    of = {each.column: each for each in facts}
    products = [term for term in derived_terms(terms) if of[term.text].kind == "product"]
    # a category without a cell is none, and refused by the encoding
    products = [term for term in products if not any(of[column].kind == "empty" for column in term.columns)]
    return {term.text: {named_levels(term.columns, of, key) for key in of[term.text].without} for term in products}


def fewest_products(keys: Collection[str]) -> int:
    """As many inputs as a product with categories has at least, from its keys of `Made.without`.

    One level of each category may be a reference level, which is known when all rows are.
    """
    found = {tuple(json.loads(key)[0]) for key in keys}
    return len(found) - sum(max(Counter(levels).values()) for levels in zip(*found, strict=True))


def named_levels(columns: Sequence[str], of: Mapping[str, ColumnFacts], without: str) -> tuple[str | None, ...]:
    """The levels in a key of `Made.without` of a product with categories, as the encoding names them.

    Args:
        columns: that the product is made of.
        of: column -> its facts.
        without: the key.
    """
    categories = [of[column] for column in columns if of[column].is_category]
    levels = json.loads(without)[0]
    return tuple(None if level is None else each.name_of(level) for each, level in zip(categories, levels, strict=True))


def of_fills(each: DerivedInput, without: str, fills: Mapping[str, float]) -> float:
    """The product of the factors of the columns that are missing together, of their fills.

    Args:
        each: the feature.
        without: a key of `Made.without`.
        fills: column -> what its missing cells are filled with.
    """
    key = json.loads(without)
    missing, found = set(key[1] if each.categories else key), 1.0
    for factor in each.numbers:
        if factor.column in missing:
            found *= float(applied(factor, np.array([fills[factor.column]]))[0])
    return found
