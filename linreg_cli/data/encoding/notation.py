"""Numbers as people write them: decimal commas, separators of thousands, currency and percent signs, trailing minus."""

import itertools
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from linreg_cli.config.formats import SEPARATORS
from linreg_cli.data.columns.arrow import null_text, texts
from linreg_cli.data.tables.text_format import NEEDED_UNITS, TextFormat, number_pattern
from linreg_cli.wording import exact, rounded

_BLANKS = SEPARATORS[" "]
_DASHES = "\u2212\u2013\u2014\uff0d"
#: Code of a currency before or after a number.
CURRENCY_CODE = (
    r"(?:USD|EUR|GBP|CHF|JPY|CNY|INR|CAD|AUD|NZD|SEK|NOK|DKK|PLN|CZK|HUF|BRL|MXN|ZAR|TRY|KRW|SFr\.|Fr\.|kr\.?|Rs\.?"
    r"|[A-Z]{1,3}[$\u00a3\u00a5])"
)
_GROUPS_OF_TWO = re.compile(r"[-+]?[0-9]{1,2}(?:,[0-9]{2})+,[0-9]{3}(?:\.[0-9]*)?")
#: What may stand about a number -> the number with it.
_WRAPPED = {
    "a dash for its decimals": f"(.*[0-9])[.,](?:--?|[{_DASHES}])",
    "an apostrophe before it": "['\u2018\u2019`](.+)",
    "the form of a formula": '="(.*)"',
}
_MARKS = {".": "dots", ",": "commas", "'": "apostrophes", " ": "blanks"}


@dataclass(frozen=True)
class Notation:
    """A way to write numbers: a decimal mark and a separator of thousands, or None."""

    decimal: str
    thousands: str | None

    def matches(self, cell: str) -> bool:
        """Whether a cell is a number in this notation."""
        return _PATTERNS[self].fullmatch(cell) is not None

    def plain(self, cell: str) -> str:
        """A number as Python writes it."""
        if self.thousands is not None:
            cell = re.sub(f"[{SEPARATORS[self.thousands]}]", "", cell)
        return cell.replace(self.decimal, ".")

    def in_words(self, other: "Notation") -> str:
        """What is different from another notation.

        >>> Notation(",", ".").in_words(Notation(".", None))
        'decimal commas and dots for thousands'
        """
        parts = [] if self.decimal == other.decimal else ["decimal commas" if self.decimal == "," else "decimal points"]
        if self.thousands != other.thousands:
            parts.append(f"{_MARKS[self.thousands]} for thousands" if self.thousands else "no mark for thousands")
        return " and ".join(parts)


NOTATIONS = [Notation(*pair) for pair in itertools.product(".,", (None, *SEPARATORS)) if pair[0] != pair[1]]
_PATTERNS = {each: re.compile(number_pattern(each.decimal, each.thousands)) for each in NOTATIONS}


def notation_of(text: TextFormat) -> Notation:
    """The notation that a table is read in."""
    return Notation(text.decimal, text.thousands)


def number_test(text: TextFormat) -> Callable[[str], bool]:
    """Whether a cell of a column is a number as the column is read.

    >>> is_number = number_test(TextFormat(decimal=",", unit="kg"))
    >>> is_number("1,5 kg"), is_number("1,5"), is_number("1.5 kg")
    (True, True, False)
    """
    notation, unit = notation_of(text), text.unit
    return lambda cell: (unit not in NEEDED_UNITS or unit in cell) and notation.matches(text.cell_without_unit(cell))


def is_number_otherwise(cell: str) -> bool:
    r"""Whether a cell is a number in some notation, or one with a sign.

    >>> [is_number_otherwise(cell) for cell in ("1.234,5", "12\u202f500", "12-", "$5", "12 %", "red", "A12")]
    [True, True, True, True, True, False, False]
    """
    if not any(mark.isdigit() for mark in cell):
        return False
    return bool(plainly(cell)) or bool(signed(cell))


def signed(cell: str, decimal: str = ".") -> str:
    r"""The sign of a number that is written in another way, and how to write it; an empty text for other cells.

    Args:
        cell: without blanks around it.
        decimal: the decimal mark of the table.

    >>> signed("12-"), signed("($1,234.50)")
    ('it has a trailing minus sign; write -12', 'it has parentheses and a currency sign; write -1234.50')
    >>> signed("12 %"), signed("abc"), signed("1,5")
    ('it has a percent sign; write 12 (percent) or 0.12', '', '')
    """
    rest, found, negative = cell.strip(), [], False
    while True:
        name, changed, flips = _without_sign(rest)
        if not name:
            break
        rest, negative = changed, negative != flips
        found += [] if name in found else [name]
    if not found:
        return ""
    minus = "-" if negative else ""
    numbers = plainly(rest)
    if not numbers or (negative and rest.startswith("-")):
        return ""
    ways = minus + numbers[0].lstrip("+")
    if len(numbers) > 1:
        ways = f"{ways}, or {minus}{numbers[1].lstrip('+')} if the mark has the other meaning"
    if "a percent sign" in found and len(numbers) == 1:
        ways = f"{ways} (percent) or {exact(rounded(float(minus + numbers[0]) / 100, 15))}"
    return f"it has {' and '.join(found)}; write {ways.replace('.', decimal)}"


def plainly(cell: str) -> list[str]:
    """A number as Python writes it; two where a mark may have either meaning, none for other cells.

    >>> plainly("1.500"), plainly("13,65,448.5"), plainly("red")
    (['1.500', '1500'], ['1365448.5'], [])
    """
    if _GROUPS_OF_TWO.fullmatch(cell):
        return [cell.replace(",", "")]
    return list(dict.fromkeys(each.plain(cell) for each in NOTATIONS if each.matches(cell)))


def _without_sign(text: str) -> tuple[str, str, bool]:
    """The name of the outermost sign, the text without it, and whether it makes a number negative."""
    if hidden := [mark for mark in text if unicodedata.category(mark) == "Cf"]:
        rest = "".join(mark for mark in text if unicodedata.category(mark) != "Cf").strip()
        return f"an invisible character (U+{ord(hidden[0]):04X})", rest, False
    if inner := re.fullmatch(r"\((.*)\)", text):
        return "parentheses", inner[1].strip(), True
    for name, pattern in _WRAPPED.items():
        if inner := re.fullmatch(pattern, text):
            return name, inner[1].strip(), False
    if text[:1] in _DASHES and text[1:]:
        return "a dash for a minus sign", text[1:].strip(), True
    if text[-1:] in f"-{_DASHES}" and text[:-1]:
        return "a trailing minus sign", text[:-1].strip(), True
    if text[-1:] == "+" and text[:-1]:
        return "a trailing plus sign", text[:-1].strip(), False
    if blank := re.fullmatch(f"([-+])[{_BLANKS}]+(.+)", text):
        return "a blank after its sign", blank[1].replace("+", "") + blank[2], False
    if text[-1:] in ("%", "\u2030", "\uff05"):
        return ("a per mille sign" if text[-1] == "\u2030" else "a percent sign"), text[:-1].strip(), False
    for mark, other in ((text[:1], text[1:]), (text[-1:], text[:-1])):
        if mark and unicodedata.category(mark) == "Sc":
            return "a currency sign", other.strip(), False
    for place in (f"([-+]?){CURRENCY_CODE}[{_BLANKS}]*(.+)", f"([-+]?)(.+?)[{_BLANKS}]*{CURRENCY_CODE}"):
        if code := re.fullmatch(place, text):
            return "the code of a currency", code[1] + code[2], False
    if text[:1] in ("-", "+") and text[1:2] and unicodedata.category(text[1]) == "Sc":
        return "a currency sign", text[0] + text[2:].strip(), False
    if re.fullmatch("[0-9]+(_[0-9]+)+", text):
        return "underscores", text.replace("_", ""), False
    if re.fullmatch(r"[-+]?[0-9]*\.[0-9]*[dD][-+][0-9]+", text):
        return "a D for its exponent", re.sub("[dD]", "e", text), False
    normal = _latin_digits(text)
    if normal != text and any(each.matches(normal) for each in NOTATIONS) and not set(text) & set(_BLANKS):
        return "digits of another script", normal, False
    return "", text, False


def _latin_digits(text: str) -> str:
    """A text with its digits, signs and Arabic decimal and thousands marks as ASCII has them."""
    digits = "".join(str(unicodedata.decimal(mark, mark)) for mark in text)
    return unicodedata.normalize("NFKC", digits.replace("\u066b", ".").replace("\u066c", ","))


def present(values: pa.ChunkedArray, missing_values: Sequence[str]) -> pa.ChunkedArray:
    """Cells without leading and trailing blanks; null where they are missing."""
    trimmed = pc.utf8_trim_whitespace(values.cast(pa.string()))
    gaps = pc.is_in(trimmed, texts(sorted({mark.strip() for mark in missing_values})))
    return pc.if_else(gaps, null_text(), trimmed)


@dataclass(frozen=True)
class OtherNotation:
    """Columns of numbers in another notation than the table is read in.

    Attributes:
        ways: the notations in which all columns are numbers, and every mark is used; several where cells such as
            1,500 leave it open.
        examples: column -> row, from 0, and cell that the notation changes; in the order of the table.
        leftover: column -> row and cell of the first cell that is no number in any notation.
    """

    ways: tuple[Notation, ...]
    examples: Mapping[str, tuple[int, str]]
    leftover: Mapping[str, tuple[int, str]]


def other_notation(
    faulty: Mapping[str, pa.ChunkedArray], others: Mapping[str, pa.ChunkedArray], now: Notation
) -> OtherNotation | None:
    """The notation in which columns are numbers; None if there is no such notation for all of them.

    Args:
        faulty: columns that are not numbers as they are read, from `present`.
        others: columns that are; they must be numbers in the other notation too, perhaps of another value.
        now: how the table is read.
    """
    sets = {}
    for column, text in faulty.items():
        cells = [cell for cell in pc.unique(text).to_pylist() if cell is not None]
        fitting = [{each for each in NOTATIONS if each.matches(cell)} for cell in cells]
        numbers = [found for found in fitting if found]
        if 2 * len(numbers) > len(cells) and (common := set.intersection(*numbers)) and now not in common:
            sets[column] = common
    if not sets:
        return None
    every = {**{column: faulty[column] for column in sets}, **others}
    ways = [
        way
        for way in NOTATIONS
        if way in set.intersection(*sets.values())
        and all(_all_match(text, way) for text in others.values())
        and all(any(_has(text, mark) for text in every.values()) for mark in _new_marks(way, now))
    ]
    if not ways:
        return None
    changed = {column: text for column, text in every.items() if column in sets or _has_changed(text, ways, now)}
    examples = {column: _first(text, lambda cell: _changes(cell, ways, now)) for column, text in changed.items()}
    leftover = {column: _first(faulty[column], lambda cell: not _in_any(cell)) for column in sets}
    return OtherNotation(
        tuple(ways),
        {column: found for column, found in examples.items() if found},
        {column: found for column, found in leftover.items() if found},
    )


def _in_any(cell: str) -> bool:
    return any(each.matches(cell) for each in NOTATIONS)


def _new_marks(way: Notation, now: Notation) -> Iterator[str]:
    """The marks that a notation has and another one has not, or for another purpose."""
    if way.decimal != now.decimal and way.thousands != now.decimal:  # else it is the only one that is left
        yield way.decimal
    if way.thousands is not None and way.thousands != now.thousands:
        yield way.thousands


def _has(text: pa.ChunkedArray, mark: str) -> bool:
    marks = f"[{SEPARATORS[mark]}]" if mark in SEPARATORS else re.escape(mark)
    return bool(pc.any(pc.match_substring_regex(text, marks)).as_py())


def _all_match(text: pa.ChunkedArray, way: Notation) -> bool:
    # `inf` and `nan` are numbers in every notation
    pattern = f"^(?:{number_pattern(way.decimal, way.thousands)}|[-+]?(?i:inf|infinity|nan))$"
    return pc.all(pc.match_substring_regex(text, pattern)).as_py() in (True, None)


def _has_changed(text: pa.ChunkedArray, ways: Sequence[Notation], now: Notation) -> bool:
    return any(_has(text, mark) for way in ways for mark in _new_marks(way, now))


def _changes(cell: str, ways: Sequence[Notation], now: Notation) -> bool:
    """Whether a cell is read as another number, or as a number at all, in another notation."""
    found = {way.plain(cell) for way in ways if way.matches(cell)}
    return bool(found) and (not now.matches(cell) or found != {now.plain(cell)})


def _first(text: pa.ChunkedArray, is_wanted: Callable[[str], bool]) -> tuple[int, str] | None:
    """The row, from 0, and the text of the first cell with a property; None without any."""
    cells = [cell for cell in pc.unique(text).to_pylist() if cell is not None and is_wanted(cell)]
    if not cells:
        return None
    cell = cells[0]  # unique keeps the order of the first occurrences
    return pc.index(text, texts([cell])[0]).as_py(), cell
