"""Levels of categories: what they are called, in which order, and when a cell of another table is one of them.

A level of a column of text is the text of the cell, without blanks around it and in Unicode's normal form C. A level of
a column that is typed as numbers is a value. So '250.0' and '250.00' are two levels as text, and one as numbers.
"""

import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from decimal import Decimal

from linreg_cli import lookalike

#: Numbers as formats with types are written as text: 10, 10.0, -2.5, 1e-05; not 007, +1, 1E5 or 1_000.
_PLAIN = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:e[-+]\d{2,3})?", re.ASCII)

#: The level of missing cells, with `missing: level`.
MISSING_LEVEL = "(missing)"

#: Below it, every whole number of float64 is exact.
_EXACT = 2**53


def normal(text: str) -> str:
    """A text without blanks around it, in Unicode's normal form C.

    >>> normal(" Mu\u0308nchen ") == "M\u00fcnchen"
    True
    """
    return lookalike.normal(text.strip())


def written(cell: object) -> str:
    """The level of a cell that is not text.

    >>> written(True), written(1234567890123456701), written(98178.0), written(0.5), written(Decimal("250.00"))
    ('true', '1234567890123456701', '98178', '0.5', '250')
    """
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < _EXACT else repr(cell)
    if isinstance(cell, Decimal):
        return str(int(cell)) if cell == cell.to_integral_value() else format(cell.normalize(), "f")
    return normal(str(cell))


def value_of(level: str) -> Decimal | None:
    """The number that a level is, exactly; None for a level that is a text, such as 007.

    >>> value_of("10.0") == value_of("10"), value_of("007"), value_of("1E5")
    (True, None, None)
    """
    return Decimal(level) if _PLAIN.fullmatch(level) else None


def missing_test(missing_values: Collection[str]) -> Callable[[object], bool]:
    """Whether a cell means 'missing': text as it is written, a number by its value.

    >>> is_missing = missing_test(["-999", " ? "])
    >>> is_missing(-999.0), is_missing("-999.0"), is_missing("?"), is_missing(None), is_missing(1)
    (True, False, True, True, False)
    """
    marks = {normal(mark) for mark in missing_values}
    values = {value_of(mark) for mark in marks} - {None}

    def is_missing(cell: object) -> bool:
        if cell is None or (isinstance(cell, float) and math.isnan(cell)):
            return True
        level = written(cell)
        return level in marks or (not isinstance(cell, str) and value_of(level) in values)

    return is_missing


def is_boolean(levels: Collection[str]) -> bool:
    """Whether all levels are true or false, in any case.

    >>> is_boolean(["True", "FALSE"]), is_boolean([]), is_boolean(["true", "no"])
    (True, True, False)
    """
    return {level.lower() for level in levels} <= {"true", "false"}


def ordered(levels: Iterable[str]) -> tuple[str, ...]:
    """Levels sorted: by value if all of them are numbers, else as text. The format that they came from has no part.

    >>> ordered({"10", "9", "-1"}), ordered({"usa", "asia"}), ordered({"10", "09"}), ordered({"250.00", "250.0"})
    (('-1', '9', '10'), ('asia', 'usa'), ('09', '10'), ('250.0', '250.00'))
    """
    levels = sorted(levels)
    values = {level: value_of(level) for level in levels}
    numbers = {level: value for level, value in values.items() if value is not None}
    return tuple(sorted(levels, key=numbers.__getitem__)) if len(numbers) == len(levels) else tuple(levels)


def matches(found: Sequence[str], found_kind: str, levels: Sequence[str], kind: str) -> list[int | None]:
    """The positions in the levels of a model of the levels of a table, whatever the formats of both are.

    Levels of text match by their text. Where one side is typed as numbers, levels match by value, provided that only
    one level has it.

    Args:
        found: the levels of a table.
        found_kind: `text`, `boolean` or `number`.
        levels: the levels of a model.
        kind: of the model.

    Returns:
        For each of `found` a position in `levels`; None where it is none of them.

    >>> matches(["10.0", "007", "12"], "text", ["10", "12"], "number")
    [0, None, 1]
    >>> matches(["10", "250"], "number", ["10.0", "250.0", "250.00"], "text")
    [0, None]
    """
    if "boolean" in (kind, found_kind):
        found, levels = [each.lower() for each in found], [each.lower() for each in levels]
    exact = {level: code for code, level in enumerate(levels)}
    by_value = _by_value(levels) if "number" in (kind, found_kind) else {}
    return [exact.get(each, by_value.get(value_of(each))) for each in found]


def _by_value(levels: Sequence[str]) -> Mapping[Decimal | None, int]:
    out: dict[Decimal | None, int] = {}
    ambiguous = set()
    for code, level in enumerate(levels):
        value = value_of(level)
        if value in out:
            ambiguous.add(value)
        out[value] = code
    return {value: code for value, code in out.items() if value is not None and value not in ambiguous}
