"""Features that are made of encoded columns: powers, logarithms, square roots, products, also those with categories.

They are computed from the encoded columns, so a missing cell is filled in first and the feature derived from the fill:
x^2 stays the square of x. A category in a product stands for its indicators, as in R and patsy. Its first level, the
reference level, is left out of the product where the product without the category is a feature too: the indicators of
all levels would add up to that feature.
"""

import itertools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from linreg_cli.config.terms import FUNCTIONS, POWERS, Factor, Term
from linreg_cli.data.columns.kinds import MISSING, CodesOnAccess, Column, Rows, Values
from linreg_cli.data.columns.rows import as_slice, row_blocks
from linreg_cli.data.encoding.inputs import CategoryInput, Input
from linreg_cli.errors import Fault
from linreg_cli.remedies import leave_out, setting

#: Entry -> the levels of its categories that train rows have together; None: a missing cell.
Together = Mapping[str, Collection[tuple[str | None, ...]]]

#: Function -> what it is computed with; which values it takes is said in `domain_faults`.
_FUNCTIONS: dict[str, Callable[[Column], Column]] = {"log": np.log, "log1p": np.log1p, "sqrt": np.sqrt}


@dataclass(frozen=True)
class DerivedInput:
    """A feature that is made of columns: one input, or with categories one for each combination of their levels.

    Attributes:
        column: the entry of `data.features`.
        factors: one to three.
        levels: for each input, the level of each of `categories`.
        categories: the columns of it that are categories, in order.
    """

    column: str
    factors: tuple[Factor, ...]
    levels: tuple[tuple[str, ...], ...] = ((),)
    categories: tuple[str, ...] = ()

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the inputs: the entry, with `column=level` in place of each category."""
        return tuple(map(self._name, self.levels))

    def _name(self, levels: tuple[str, ...]) -> str:
        if not self.categories:
            return self.column
        level = dict(zip(self.categories, levels, strict=True))
        return ":".join(f"{f.column}={level[f.column]}" if f.column in level else str(f) for f in self.factors)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it is made of."""
        return tuple(dict.fromkeys(factor.column for factor in self.factors))

    @property
    def numbers(self) -> tuple[Factor, ...]:
        """The factors that are numbers."""
        return tuple(factor for factor in self.factors if factor.column not in self.categories)

    def as_json(self) -> dict[str, Any]:
        """For `preprocess.json`."""
        factors = [{"column": f.column, "function": f.function, "power": f.power} for f in self.factors]
        values = {"column": self.column, "kind": "derived", "factors": factors}
        if self.categories:
            values |= {"categories": list(self.categories), "levels": [list(levels) for levels in self.levels]}
        return values

    @classmethod
    def from_json(cls, entry: dict[str, Any]) -> "DerivedInput":
        """The inverse of `as_json`.

        Raises:
            ValueError, KeyError, TypeError: if the entry is not what `as_json` writes.
        """
        factors = tuple(Factor(str(each["column"]), each["function"], int(each["power"])) for each in entry["factors"])
        known = all(each.function in (None, *FUNCTIONS) and each.power in (1, *POWERS) for each in factors)
        categories = tuple(map(str, entry.get("categories", ())))
        levels = tuple(tuple(map(str, each)) for each in entry["levels"]) if categories else ((),)
        plain = {factor.column for factor in factors if factor.is_plain}
        if not known or not factors or not plain.issuperset(categories):
            raise ValueError(f"unknown factors of {entry['column']}")
        if any(len(each) != len(categories) for each in levels):
            raise ValueError(f"a product of {entry['column']} does not have a level for each category")
        return cls(str(entry["column"]), factors, levels, categories)


@dataclass(frozen=True)
class Product:
    """A column that is a product of factors, computed on access, shape (n_samples,), float64.

    Attributes:
        numbers: columns of numbers, without missing cells in the rows that are used, and what is done with each.
        indicators: the codes of categories, and the level that is 1.
    """

    numbers: tuple[tuple[Values, Factor], ...]
    indicators: tuple[tuple[CodesOnAccess, int], ...] = ()

    def __len__(self) -> int:
        return len(self.numbers[0][0] if self.numbers else self.indicators[0][0])

    def __getitem__(self, rows: Rows | slice) -> Column:
        out: Column | None = None
        with np.errstate(all="ignore"):  # `domain_faults` reports what is not finite
            for values, factor in self.numbers:
                found = applied(factor, values[rows])
                out = found if out is None else out * found
        for codes, level in self.indicators:
            chosen = codes[rows]
            here = np.where(chosen == MISSING, np.nan, np.equal(chosen, level))
            out = here if out is None else out * here
        assert out is not None
        return out


def applied(factor: Factor, values: Column) -> Column:
    """A power or a function of some values; not finite outside its domain.

    >>> applied(Factor("x", None, 3), np.array([2.0])), applied(Factor("x", "log1p"), np.array([0.0]))
    (array([8.]), array([0.]))
    """
    if factor.function is not None:
        return np.asarray(_FUNCTIONS[factor.function](values))
    return values if factor.power == 1 else np.asarray(values**factor.power)


def coded(
    terms: Sequence[Term],
    inputs: Mapping[str, Input],
    codes: Mapping[str, CodesOnAccess],
    rows: Rows,
    most: int,
    *,
    drop_first: bool,
    keep_one: bool,
    together: Together | None = None,
) -> tuple[dict[str, DerivedInput], list[Fault]]:
    """The inputs of the terms that are made of columns.

    Args:
        terms: of all features.
        inputs: column -> its encoding.
        codes: category -> position in the levels of its encoding of each row; `MISSING` or `UNKNOWN`.
        rows: numbers of the train rows.
        most: the most inputs that a product of categories may become.
        drop_first: whether categories have a reference level.
        keep_one: whether one category keeps all levels, since the model has no bias.
        together: the combinations of levels that the train rows have, where these are not at hand.

    Returns:
        Entry -> its input, and the faults of entries without one.
    """
    keys = {term.key for term in terms}
    found: dict[str, DerivedInput] = {}
    faults: list[Fault] = []
    for term in terms:
        if term.is_plain or term.part is not None:
            continue
        one = {f.column: inputs[f.column] for f in term.factors}
        categories = {column: each for column, each in one.items() if isinstance(each, CategoryInput)}
        wrong = [f for f in term.factors if f.column in categories and not f.is_plain]
        if wrong:
            what = not_numbers(wrong[0])
            faults.append(Fault(f"data.features: {term.text!r}: {what}; leave it out with {leave_out(term.text)}"))
            continue
        reduced = {column for column in categories if drop_first and _without(term, column).key in keys}
        if together is None:
            present = _present(categories, codes, rows)
        else:
            present = _known(categories, together.get(term.text, ()))
        combined = _combinations(categories, reduced, present)
        if drop_first and not keep_one and not reduced and len(categories) == len(term.factors):
            combined = combined[1:]  # as the bias, the products of all levels add up to 1
        if len(combined) > most:
            faults.append(too_many(term, len(combined), most))
            continue
        found[term.text] = DerivedInput(term.text, term.factors, combined, tuple(categories))
    return found, faults


def too_many(term: Term, n_products: int, most: int, at_least: str = "") -> Fault:
    """The fault of a product of categories that would be more inputs than the config allows."""
    remedy = f"leave it out with {leave_out(term.text)}, or set {setting('preprocess.max_levels', n_products)}"
    what = f"{term.text!r} has {at_least}{n_products:,} products of levels: preprocess.max_levels is {most:,}"
    return Fault(f"data.features: {what}; {remedy}{' or more' if at_least else ''}")


def not_numbers(factor: Factor) -> str:
    """What is wrong with a power or a function of a category."""
    return f"{factor} needs numbers, and {factor.column} is a category"


def _without(term: Term, column: str) -> Term:
    return Term("", tuple(factor for factor in term.factors if factor.column != column))


def _present(
    categories: Mapping[str, CategoryInput], codes: Mapping[str, CodesOnAccess], rows: Rows
) -> set[tuple[int, ...]]:
    """The codes that train rows have together."""
    of_each = [codes[column] for column in categories]
    found: set[tuple[int, ...]] = set()
    for _, block in row_blocks(as_slice(rows), len(of_each[0])) if of_each else ():
        together = np.stack([each[block] for each in of_each], axis=1)
        found.update(map(tuple, np.unique(together[(together >= 0).all(axis=1)], axis=0).tolist()))
    return found


def _known(
    categories: Mapping[str, CategoryInput], together: Collection[tuple[str | None, ...]]
) -> set[tuple[int, ...]]:
    """The codes of levels that train rows have together."""
    inputs = [*categories.values()]
    return {
        tuple(
            len(each.levels) - 1 if level is None else each.own_levels.index(level)
            for each, level in zip(inputs, levels, strict=True)
        )
        for levels in together
        if all(level is not None or each.gaps_are_level for each, level in zip(inputs, levels, strict=True))
    }


def _combinations(
    categories: Mapping[str, CategoryInput], reduced: Collection[str], present: Collection[tuple[int, ...]]
) -> tuple[tuple[str, ...], ...]:
    """Combinations of levels, given as codes, without the reference levels of some categories."""
    if not categories:
        return ((),)
    ranges = [range(int(column in reduced), len(each.levels)) for column, each in categories.items()]
    return tuple(
        tuple(each.levels[code] for each, code in zip(categories.values(), combination, strict=True))
        for combination in itertools.product(*ranges)
        if combination in present
    )


def fits(each: DerivedInput, inputs: Mapping[str, Input]) -> bool:
    """Whether the columns that a feature is made of are there, numbers as numbers and categories with their levels."""
    for column in each.columns:
        if column not in inputs or isinstance(inputs[column], CategoryInput) != (column in each.categories):
            return False
    for column, levels in zip(each.categories, zip(*each.levels, strict=True), strict=False):
        category = inputs[column]
        if not (isinstance(category, CategoryInput) and set(levels) <= set(category.levels)):
            return False
    return True


def products(
    each: DerivedInput, numbers: Mapping[str, Values], codes: Mapping[str, CodesOnAccess], inputs: Mapping[str, Input]
) -> Iterator[tuple[str, Values]]:
    """(feature, its values) for each input of a derived feature.

    Args:
        each: the feature.
        numbers: column -> encoded numbers.
        codes: category -> position in the levels of its encoding.
        inputs: column -> its encoding.
    """
    factors = tuple((numbers[factor.column], factor) for factor in each.numbers)
    for feature, levels in zip(each.features, each.levels, strict=True):
        indicators = []
        for column, level in zip(each.categories, levels, strict=True):
            category = inputs[column]
            assert isinstance(category, CategoryInput)
            indicators.append((codes[column], category.levels.index(level)))
        yield feature, Product(factors, tuple(indicators))
