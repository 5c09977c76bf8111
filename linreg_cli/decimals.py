"""Numbers of a table: rounded by their standard error, and aligned at the decimal mark; widths of text."""

import math
import re
from collections.abc import Sequence

from linreg_cli.wording import number, without_negative_zero

#: The most significant digits of an estimate whose standard error is far smaller.
MOST_DIGITS = 10
#: The most decimals; a standard error that needs more is written in scientific notation.
_MOST_DECIMALS = 10

#: A number as this package writes it: what stands before its decimal mark, and the rest.
_NUMBER = re.compile(r"([<>]?-?[\d,]+|-)((?:\.\d+)?(?:e[+-]\d+)?(?: %)?)")


def place_of(std_err: float | None, digits: int = 4, largest: float = 0.0) -> int | None:
    """The power of ten to which a number is rounded so that its standard error has `digits` significant digits.

    Args:
        std_err: the standard error; None: there is none.
        digits: its significant digits.
        largest: a number that is to have at most `MOST_DIGITS` digits.

    >>> place_of(0.01234), place_of(56789.0), place_of(1e-9, largest=12.3), place_of(None)
    (-5, 1, -8, None)
    """
    if std_err is None or not 0 < std_err < math.inf:
        return None
    least = _exponent(largest) - MOST_DIGITS + 1 if 0 < abs(largest) < math.inf else -400
    # Rounding to digits may reach the next power of ten.
    return max(int(f"{std_err:.{digits - 1}e}".partition("e")[2]) - (digits - 1), least)


def placed(value: float | None, place: int | None) -> str:
    """A number rounded at a power of ten; digits before the decimal mark are all written.

    Args:
        value: the number; None is written '-'.
        place: as `place_of` has it; None: six significant digits, as `number` writes them.

    >>> placed(-20178.06, -1), placed(278.46512, -3), placed(12345.6, 3), placed(1.23456e-9, -12)
    ('-20,178.1', '278.465', '12,346', '1.235e-09')
    """
    if value is None or place is None or not math.isfinite(value):
        return number(value)
    size = abs(value)
    if size >= 1e15 or (place < -7 and 0 < size < 1e-4):
        digits = _exponent(size) - place + 1
        return f"{value:.{min(digits, MOST_DIGITS) - 1}e}" if digits > 0 else "0"
    decimals = min(max(-place, 0), _MOST_DECIMALS)
    return f"{without_negative_zero(round(value, decimals)):,.{decimals}f}"


def _exponent(value: float) -> int:
    return math.floor(math.log10(abs(value)))


def at_mark(cells: Sequence[str]) -> list[str]:
    """Cells of one column, padded to one width, with the decimal marks of its numbers below each other.

    What is no number, such as a heading, ends at the right.

    >>> for cell in at_mark(["mse", "1,234.5", "-0.25", "7", "-"]):
    ...     print(repr(cell))
    '     mse'
    '1,234.5 '
    '   -0.25'
    '    7   '
    '    -   '
    """
    found = [_NUMBER.fullmatch(cell) for cell in cells]
    rest = max((len(match[2]) for match in found if match), default=0)
    padded = [
        cell if match is None else cell + " " * (rest - len(match[2])) for cell, match in zip(cells, found, strict=True)
    ]
    return at_right(padded)


def at_right(cells: Sequence[str]) -> list[str]:
    """Cells of one column, padded to one width at their left.

    >>> at_right(["mse", "12.5"])
    [' mse', '12.5']
    """
    width = max(map(text_width, cells), default=0)
    return [" " * (width - text_width(cell)) + cell for cell in cells]


def text_width(text: str) -> int:
    """The columns of a terminal that a text takes: two for a wide character, none for a combining one.

    >>> text_width("city"), text_width("城市")
    (4, 4)
    """
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def cut(text: str, width: int) -> str:
    """A text of at most `width` columns, shortened in its middle.

    >>> cut("number_of_bathrooms", 12), cut("short", 12)
    ('number…rooms', 'short')
    """
    if text_width(text) <= width:
        return text
    head, tail = width // 2, width - width // 2 - 1
    start, end = text[:head], text[-tail:] if tail else ""
    while text_width(start) > head:
        start = start[:-1]
    while text_width(end) > tail:
        end = end[1:]
    return f"{start}…{end}"
