"""The entries of `data.features`: columns, features made of columns such as `log(area)`, and `"*"` for every other one.

The grammar is closed, and nothing of the config is evaluated:

    entry   = column | product | part(column) | "*"
    product = factor | factor:factor | factor:factor:factor
    factor  = column | column^2 ... column^9 | log(column) | log1p(column) | sqrt(column)
    part    = days | year | month | weekday | hour

Names of columns may contain anything, so an entry is read with the columns of the table at hand: a column that is
really called so comes first.
"""

import itertools
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from linreg_cli.errors import closest, did_you_mean
from linreg_cli.remedies import EVERY

FUNCTIONS = ("log", "log1p", "sqrt")
PARTS = ("days", "year", "month", "weekday", "hour")
POWERS = range(2, 10)
MOST_FACTORS = 3

ALLOWED = (
    "allowed are a column, a:b, a^2 to a^9, log(a), log1p(a), sqrt(a), products of two or three of these, and days(d), "
    'year(d), month(d), weekday(d), hour(d), and "*" for every other column'
)

_CALL = re.compile(r"([^\W\d]\w*)\((.*)\)", re.DOTALL)
_UNCLOSED = re.compile(r"(\w+)\([^)]*$")
_POWER = re.compile(r"(.+?)\s*(\^|\*\*)\s*(.*)", re.DOTALL)
#: From this similarity on, an entry that is not of the grammar may be the name of a column, mistyped.
_NEARLY = 0.85
_OPERATOR = re.compile(r"[-+*/]")


@dataclass(frozen=True)
class Factor:
    """A column, a power of it, or a function of it.

    Attributes:
        column: its name.
        function: `log`, `log1p`, `sqrt`; None: none.
        power: 1 to 9; 1 with a function.
    """

    column: str
    function: str | None = None
    power: int = 1

    @property
    def is_plain(self) -> bool:
        """Whether this is the column itself."""
        return self.function is None and self.power == 1

    def __str__(self) -> str:
        if self.function is not None:
            return f"{self.function}({self.column})"
        return self.column if self.power == 1 else f"{self.column}^{self.power}"


@dataclass(frozen=True)
class Term:
    """One entry of `data.features`, read with the columns at hand.

    Attributes:
        text: the entry, which names the feature.
        factors: one to three.
        part: the part of a date that the only factor becomes: `days`, `year`, `month`, `weekday` or `hour`; or None.
    """

    text: str
    factors: tuple[Factor, ...]
    part: str | None = None

    @classmethod
    def of_column(cls, column: str) -> "Term":
        """A column as it is."""
        return cls(column, (Factor(column),))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it is made of, in order of first use."""
        return tuple(dict.fromkeys(factor.column for factor in self.factors))

    @property
    def is_plain(self) -> bool:
        """Whether it is a column as it is."""
        return self.part is None and len(self.factors) == 1 and self.factors[0].is_plain

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for entries that are the same feature, such as `a:b` and `b:a`."""
        return self.part, tuple(sorted(map(str, self.factors)))


class TermError(ValueError):
    """An entry that is no feature of a table.

    Attributes:
        column: the column that the table lacks, of an entry that is of the grammar; None: it is not of the grammar.
    """

    def __init__(self, message: str, column: str | None = None) -> None:
        super().__init__(message)
        self.column = column


def parse(text: str, columns: Collection[str]) -> Term:
    """Read one entry other than `"*"`.

    Args:
        text: the entry.
        columns: the columns of the table, in order; quickest if it is a mapping or a set.

    Raises:
        TermError: if it is not of the grammar, names a column that is not there, or can be read in two ways.

    >>> parse("log(area):rooms^2", ["area", "rooms"]).factors
    (Factor(column='area', function='log', power=1), Factor(column='rooms', function=None, power=2))
    >>> parse("log(area)", ["area", "log(area)"]).is_plain
    True
    """
    if text in columns:
        return Term.of_column(text)
    call = _CALL.fullmatch(text.strip())
    if call is not None and call[1] in PARTS and (column := _known(call[2], columns)) is not None:
        return Term(text, (Factor(column),), call[1])
    readings = dict.fromkeys(_readings(text, columns))
    if not readings:
        raise _error(text, columns)
    if len(readings) > 1:
        ways = " or as ".join(" times ".join(map(repr, map(str, factors))) for factors in readings)
        raise TermError(f"{text!r} can be read as {ways}; rename a column")
    [factors] = readings
    _refuse_repeated(text, factors)
    return Term(text, factors)


def expand(
    entries: Sequence[str], columns: Sequence[str], free: Sequence[str]
) -> tuple[list[Term], list[tuple[int, TermError]]]:
    """Read all entries.

    Args:
        entries: of `data.features`.
        columns: the columns of the table.
        free: those that `"*"` may stand for: neither target nor ignored, without another use. `"*"` is each of them
            that no entry names by itself, and that no entry takes as a date.

    Returns:
        The terms in order, and (position of the entry, what is wrong) for each entry that cannot be read.

    >>> terms, _ = expand(["*", "days(sold)", "x"], ["x", "sold", "z", "y"], ["x", "sold", "z"])
    >>> [term.text for term in terms]
    ['z', 'days(sold)', 'x']
    """
    known = dict.fromkeys(columns)
    read: list[Term | None] = []
    faults: list[tuple[int, TermError]] = []
    first: dict[tuple[object, ...], str] = {}
    for position, entry in enumerate(entries):
        term = None
        if not _is_every(entry, known):
            try:
                term = parse(entry, known)
                if first.setdefault(term.key, entry) != entry:
                    raise TermError(f"{entry!r} is the same feature as {first[term.key]!r}; remove one")
            except TermError as error:
                faults.append((position, error))
        read.append(term)
    taken = {term.columns[0] for term in read if term is not None and (term.is_plain or term.part is not None)}
    every = [Term.of_column(column) for column in free if column not in taken]
    out: list[Term] = []
    for entry, term in zip(entries, read, strict=True):
        out += every if _is_every(entry, known) else [] if term is None else [term]
    return out, faults


def sources(terms: Sequence[Term]) -> tuple[str, ...]:
    """The columns that some terms are made of, in order of first use.

    >>> sources([parse("b:log(a)", ["a", "b"]), parse("a", ["a"])])
    ('b', 'a')
    """
    return tuple(dict.fromkeys(column for term in terms for column in term.columns))


def _is_every(entry: str, columns: Collection[str]) -> bool:
    return entry == EVERY and EVERY not in columns


def _known(text: str, columns: Collection[str]) -> str | None:
    """The column that a text names, with or without the blanks around it."""
    return text if text in columns else text.strip() if text.strip() in columns else None


def _readings(text: str, columns: Collection[str]) -> Iterator[tuple[Factor, ...]]:
    """Each way to read a text as a product; a name may contain colons."""
    marks = [position for position, mark in enumerate(text) if mark == ":"]
    for count in range(MOST_FACTORS):
        for cuts in itertools.combinations(marks, count):
            ends = (-1, *cuts, len(text))
            factors = [_factor(text[start + 1 : end], columns) for start, end in itertools.pairwise(ends)]
            if all(factors):
                yield tuple(factor for factor in factors if factor is not None)


def _factor(piece: str, columns: Collection[str]) -> Factor | None:
    if (column := _known(piece, columns)) is not None:
        return Factor(column)
    piece = piece.strip()
    call = _CALL.fullmatch(piece)
    if call is not None and call[1] in FUNCTIONS and (column := _known(call[2], columns)) is not None:
        return Factor(column, call[1])
    base, mark, power = piece.rpartition("^")
    if mark and (column := _known(base, columns)) is not None and power.strip() in map(str, POWERS):
        return Factor(column, None, int(power))
    return None


def _refuse_repeated(text: str, factors: tuple[Factor, ...]) -> None:
    for one, other in itertools.combinations(factors, 2):
        if one.column == other.column and one.function == other.function:
            power = one.power + other.power
            better = f"; write {one.column}^{power}" if one.function is None and power in POWERS else ""
            raise TermError(f"{text!r}: {one.column} is in the product twice{better}")


def _error(text: str, columns: Collection[str]) -> TermError:
    """What is wrong with an entry that cannot be read."""
    call = _CALL.fullmatch(text.strip())
    pieces, start = [text] if call and _is_balanced(call[2]) else text.split(":"), 0
    if len(pieces) > MOST_FACTORS and all(_factor(piece, columns) for piece in pieces):
        return TermError(f"{text!r}: a product has two or three factors, found {len(pieces)}")
    for piece in pieces:
        if _factor(piece, columns) is None:
            found = _why(piece.strip(), columns, alone=len(pieces) == 1)
            where = f" (character {start + 1} of {text!r})" if len(pieces) > 1 else ""
            if isinstance(found, TermError):
                return TermError(f"{found}{where}", found.column)
            near = get_close_matches(text, list(columns), n=1, cutoff=_NEARLY)
            meant = f"did you mean the column {near[0]!r}?" if near else ALLOWED
            return TermError(f"{text!r}: {found}{where}; {meant}")
        start += len(piece) + 1
    raise AssertionError(text)


def _why(piece: str, columns: Collection[str], *, alone: bool) -> str | TermError:
    """Why a piece of an entry is no factor: a sentence, or the error about a column that is not there."""
    if not piece:
        return "a factor of the product is empty"
    if call := _CALL.fullmatch(piece):
        name, inner = call.groups()
        if name in PARTS and not alone:
            return f"{name}() of a date stands by itself, and is no factor of a product"
        if name not in (*FUNCTIONS, *PARTS):
            near = closest(name, [*FUNCTIONS, *PARTS])
            return f"there is no function {name!r}{f', but {near}()' if near else ''}"
        if _known(inner, columns) is None and _is_made(inner):
            return f"{name}() takes one column, found {inner!r}"
        return _lacking(inner, columns)
    if (unclosed := _UNCLOSED.match(piece)) and unclosed[1] in (*FUNCTIONS, *PARTS):
        return "a parenthesis is not closed"
    if power := _POWER.fullmatch(piece):
        base, mark, exponent = power.groups()
        if mark == "**" and _known(base, columns) is not None:
            return f"a power is written {base}^{exponent or 2}"
        if mark == "^":
            if exponent not in map(str, POWERS):
                return f"a power is a whole number from 2 to 9, found {exponent!r}"
            return f"a power is one of a column, found {base!r}" if _is_made(base) else _lacking(base, columns)
    for mark in _OPERATOR.finditer(piece):
        parts = piece[: mark.start()], piece[mark.end() :]
        if all(_known(part, columns) is not None for part in parts):
            a, b = (part.strip() for part in parts)
            return f"a product is written {a}:{b}" if mark[0] == "*" else f"{mark[0]!r} has no meaning here"
    return _lacking(piece, columns)


def _is_balanced(text: str) -> bool:
    """Whether each parenthesis that a text opens is closed, and none before."""
    depths = list(itertools.accumulate((mark == "(") - (mark == ")") for mark in text))
    return not depths or (depths[-1] == 0 and min(depths) == 0)


def _is_made(text: str) -> bool:
    """Whether a text looks like a function, a product or a power, and not like a column."""
    return _CALL.fullmatch(text.strip()) is not None or any(mark in text for mark in ":^")


def _lacking(column: str, columns: Collection[str]) -> TermError:
    return TermError(f"there is no column {column!r}{did_you_mean(column, list(columns))}", column)
