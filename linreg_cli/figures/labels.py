"""Texts of any length: wrapped where a reader would break them, made smaller, and at last shortened in the middle."""

import functools
import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

from linreg_cli.figures.fonts import OWN, with_fonts
from linreg_cli.wording import one_line

#: A longer text is shortened before it is measured.
_MOST_CHARACTERS = 240
#: The sizes that are tried, as shares of the size that is asked for. Smaller text is not legible on a phone.
_SHARES = (1.0, 0.88, 0.76)
#: An invisible mark: a line that begins with it goes from left to right, whatever its first letter is.
_LEFT_TO_RIGHT = "\u200e"
#: Blanks; what is in brackets; a number with its percent sign; a word.
_PIECES = re.compile(r"\s+|\([^()]*\)\S*|\S+ %\S*|\S+")
#: Of a piece that is too wide: blanks; a number with its percent sign; a word up to its underscores; a word.
_WORDS = re.compile(r"\s+|[^\s_]+ %\S*|[^\s_]*_+|[^\s_]+")

#: A text -> its width in inches at a font size.
Width = Callable[[str, float], float]


def fitted(
    text: str, size: float, inches: float, lines: int = 3, smallest: float = _SHARES[-1]
) -> tuple[str, dict[str, Any]]:
    """Wrap a text to a width in inches; the text, and the font size at which there are at most so many lines.

    Lines are about equally long. What is in brackets stays on one line where it fits. Where the smallest size is still
    too large, the middle of the text is replaced by an ellipsis. Besides the size, there are the fonts where
    matplotlib's own lacks a character.

    Args:
        text: any text; line breaks in it are blanks.
        size: in points.
        inches: the width of a line.
        lines: the most lines.
        smallest: the smallest size that is tried, as a share of `size`.
    """
    text, families = with_fonts(one_line(text))
    if len(text) > _MOST_CHARACTERS:
        text = _without_middle(text, _MOST_CHARACTERS // 2)
    width: Width = functools.partial(width_in_inches, families=families)
    smaller, found = size, [text]
    for share in (share for share in _SHARES if share >= smallest):
        smaller = share * size
        found = _wrapped(text, width, smaller, inches)
        if len(found) <= lines:
            break
    else:
        found = _shortened(text, width, smaller, inches, lines)
    fonts = {"fontfamily": families} if len(families) > 1 else {}
    lines_of_text = (line.strip() for line in _balanced(found, width, smaller, inches))
    mark = _LEFT_TO_RIGHT if _is_mixed(text) else ""
    return "\n".join(mark + line for line in lines_of_text), {"fontsize": smaller, **fonts}


def _is_mixed(text: str) -> bool:
    """Whether a text has letters of both directions, as a sentence with a name in Hebrew has.

    >>> _is_mixed("rows"), _is_mixed("שטח"), _is_mixed("שטח, actual")
    (False, False, True)
    """
    if text.isascii():
        return False
    directions = {unicodedata.bidirectional(letter) for letter in text}
    return "L" in directions and not directions.isdisjoint({"R", "AL"})


def _wrapped(text: str, width: Width, size: float, inches: float) -> list[str]:
    """The lines of a text; a word is broken only where it is wider than a line."""
    found = [""]
    for piece in _PIECES.findall(text):
        fits = width(piece, size) <= inches
        for word in (piece,) if fits else _WORDS.findall(piece):
            for part in (word,) if fits or width(word, size) <= inches else word:
                if found[-1] and width((found[-1] + part).strip(), size) > inches:
                    found.append("")
                found[-1] += part
    return found


def _balanced(found: list[str], width: Width, size: float, inches: float) -> list[str]:
    """The same number of lines, the longest of which is as short as it can be."""
    if len(found) < 2:
        return found
    text, low, high = "".join(found), inches / len(found), inches
    for _ in range(5):
        middle = (low + high) / 2
        lines = _wrapped(text, width, size, middle)
        # A narrower line would break words, or what is in brackets.
        if len(lines) == len(found) and all(width(line.strip(), size) <= middle for line in lines):
            kept = _PIECES.findall(text)
            whole = all(any(piece in line for line in lines) for piece in kept if width(piece, size) <= inches)
            if whole:
                found, high = lines, middle
                continue
        low = middle
    return found


def _shortened(text: str, width: Width, size: float, inches: float, lines: int) -> list[str]:
    """The lines of a text with an ellipsis in place of its middle, at most so many."""
    low, high = 1, len(text) // 2
    while low < high:  # the most characters that may stay at either end
        middle = (low + high + 1) // 2
        fits = len(_wrapped(_without_middle(text, middle), width, size, inches)) <= lines
        low, high = (middle, high) if fits else (low, middle - 1)
    return _wrapped(_without_middle(text, low), width, size, inches)


def _without_middle(text: str, ends: int) -> str:
    return f"{text[:ends].rstrip()}…{text[-ends:].lstrip()}"


def width_in_inches(text: str, size: float, families: Sequence[str] = (OWN,)) -> float:
    """The width of a line of text in some fonts, at a size in points."""
    return size * _relative_width(text, tuple(families)) / 72


@functools.lru_cache(maxsize=4096)
def _relative_width(text: str, families: tuple[str, ...]) -> float:
    """The width of a text in points at a font size of 1 point."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family=list(families), size=100)
    return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]) / 100
