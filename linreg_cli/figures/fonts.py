"""Fonts for names in any script: where matplotlib's own font lacks a character, any installed one that has it.

Only then are other fonts opened, and each character is looked for once in a process.
"""

import contextlib
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any

from linreg_cli.figures.library import FAILURES
from linreg_cli.findings import Finding, Warn

if TYPE_CHECKING:
    from matplotlib.ft2font import FT2Font

#: The font that matplotlib brings along.
OWN = "DejaVu Sans"
#: What is drawn for a character that no font has.
BOX = "□"

#: A family with these in its name comes last: it looks out of place beside OWN.
_UNLIKE = ("mono", "serif", "math", "stix", "bold")
#: It has a box for every character.
_LAST_RESORT = "Last Resort"

#: Character -> the family that has it, or None.
_families: dict[str, str | None] = {}
_lacking: ContextVar[dict[str, None] | None] = ContextVar("lacking", default=None)


@contextlib.contextmanager
def noting_lacking() -> Iterator[dict[str, None]]:
    """A context that collects the characters for which there is no font, in the order in which they were drawn."""
    found: dict[str, None] = {}
    token = _lacking.set(found)
    try:
        yield found
    finally:
        _lacking.reset(token)


def lacking_in_words(characters: Sequence[str]) -> str:
    """A warning about characters that no installed font has.

    >>> lacking_in_words("价房")
    "no installed font has the characters '价房', which pictures show as boxes; install a font that has them"
    """
    shown = "".join(characters[:20]) + ("..." if len(characters) > 20 else "")
    noun = "character" if len(characters) == 1 else "characters"
    which = "it" if len(characters) == 1 else "them"
    boxes = "a box" if len(characters) == 1 else "boxes"
    return (
        f"no installed font has the {noun} '{shown}', which pictures show as {boxes}; install a font that has {which}"
    )


@contextlib.contextmanager
def warning_of_lacking(warn: Warn) -> Iterator[None]:
    """A context that draws, and a warning at its end if there are characters that no installed font has."""
    with noting_lacking() as lacking:
        yield
    if lacking:
        warn(Finding("font", lacking_in_words([*lacking])))


def with_fonts(text: str) -> tuple[str, list[str]]:
    """A text with a box for each character that no font has, and the families to draw it with, OWN first."""
    wanted = dict.fromkeys(mark for mark in text if not _has(_own(), mark))
    if not wanted:
        return text, [OWN]
    unknown = [mark for mark in wanted if mark not in _families]
    if unknown:
        _families.update(_search(unknown))
    lacking = [mark for mark in wanted if _families[mark] is None]
    noted = _lacking.get()
    if noted is not None:
        noted.update(dict.fromkeys(lacking))
    families = dict.fromkeys(family for mark in wanted if (family := _families[mark]) is not None)
    return text.translate({ord(mark): BOX for mark in lacking}), [OWN, *families]


def _search(characters: Sequence[str]) -> dict[str, str | None]:
    """The family for each character: of the installed ones, that which has most of them, then those for the rest."""
    coverage: dict[str, set[str]] = {}
    for family, font in _installed():
        coverage[family] = {mark for mark in characters if _draws(font, mark)}
        if len(coverage[family]) == len(characters):
            break
    found: dict[str, str | None] = dict.fromkeys(characters)
    rest = set(characters)
    while rest and coverage:
        best = max(coverage, key=lambda family: len(coverage[family] & rest))  # of equals, the first
        if not coverage[best] & rest:
            break
        found.update(dict.fromkeys(coverage[best] & rest, best))
        rest -= coverage[best]
    return found


def _installed() -> Iterator[tuple[str, "FT2Font"]]:
    """Every installed family but OWN, with its font; at last those that were installed after matplotlib's list."""
    from matplotlib.font_manager import fontManager

    listed = {entry.name for entry in fontManager.ttflist}
    yield from _opened(listed)
    _add_new_fonts()
    yield from _opened({entry.name for entry in fontManager.ttflist} - listed)


def _opened(families: set[str]) -> Iterator[tuple[str, "FT2Font"]]:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    usable = [name for name in families if name != OWN and not name.startswith(_LAST_RESORT)]
    for name in sorted(usable, key=lambda name: (any(word in name.lower() for word in _UNLIKE), name)):
        with contextlib.suppress(*FAILURES):  # a font that is gone or damaged
            font = get_font(findfont(FontProperties(family=[name]), fallback_to_default=False))
            if font.scalable:
                yield name, font


def _add_new_fonts() -> None:
    """Add fonts to matplotlib's list, which it makes once and keeps in its cache folder."""
    from matplotlib.font_manager import findSystemFonts, fontManager

    known = {str(entry.fname) for entry in fontManager.ttflist}
    for path in findSystemFonts():
        if str(path) not in known:
            with contextlib.suppress(*FAILURES):
                fontManager.addfont(path)


def _has(font: Any, mark: str) -> bool:
    return bool(font.get_char_index(ord(mark)))


def _draws(font: Any, mark: str) -> bool:
    """Whether a font has an outline for a character; fonts of coloured pictures have none."""
    if not _has(font, mark):
        return False
    try:
        font.load_char(ord(mark))
        return len(font.get_path()[0]) > 0
    except RuntimeError:
        return False


@cache
def _own() -> "FT2Font":
    from matplotlib.font_manager import findfont, get_font

    return get_font(findfont(OWN))
