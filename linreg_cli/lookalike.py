"""Names and levels that look the same and are not: no-break spaces, zero-width marks, letters of another script."""

import unicodedata
from collections.abc import Iterable

#: Letters of the Cyrillic and Greek scripts that look as those of the Latin script do, and what they look like.
_FOREIGN = dict(
    zip(
        "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420"
        "\u0421\u0422\u0425\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7\u03bf",
        "aeopcyxijsABEKMHOPCTXABEZHIKMNOPTYXo",
        strict=True,
    )
)
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63\uff0d"
_QUOTES = "\u2018\u2019\u02bc\u2032"


def normal(text: str) -> str:
    """A text in Unicode's normal form C, in which names and levels are compared.

    >>> normal("gro\u0308\u00dfe") == "gr\u00f6\u00dfe"
    True
    """
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def appearance(text: str) -> str:
    """What a text looks like: texts that look the same have the same appearance.

    >>> appearance("New\u00a0York") == appearance("New York\u200b") == "New York"
    True
    """
    if not text.isascii():
        kept = (mark for mark in unicodedata.normalize("NFKC", text) if unicodedata.category(mark) != "Cf")
        text = "".join(map(_plain, kept))
    return " ".join(text.split())


def _plain(mark: str) -> str:
    return "-" if mark in _DASHES else "'" if mark in _QUOTES else _FOREIGN.get(mark, mark)


def same_appearance(text: str, others: Iterable[str]) -> str | None:
    """The first of some texts that looks the same as another one and is not; None if there is none.

    Texts of ASCII differ visibly, or in blanks.

    >>> same_appearance("a b", ["ab", "a\u202fb"]) == "a\u202fb"
    True
    """
    look = appearance(text)
    return next((other for other in others if _alike(text, other) and appearance(other) == look), None)


def _alike(text: str, other: str) -> bool:
    return other != text and not (text.isascii() and other.isascii())


def difference(text: str, other: str) -> str:
    """What tells two texts apart that look the same, in words.

    >>> difference("New\u00a0York", "New York")
    '"New\\\\u00a0York" has U+00A0 (no-break space)'
    """
    for one, two in ((text, other), (other, text)):
        odd = [mark for mark in dict.fromkeys(one) if mark not in two and not mark.isascii()]
        if odd:
            marks = ", ".join(f"U+{ord(mark):04X} ({unicodedata.name(mark, 'unnamed').lower()})" for mark in odd)
            return f"{in_ascii(one)} has {marks}"
    return "they differ in blanks, or in the order of their marks"


def in_ascii(text: str) -> str:
    """A text in double quotes, as YAML reads it back, with escapes for all but ASCII.

    >>> in_ascii("a\u00a0b")
    '"a\\\\u00a0b"'
    """
    marks = (f"\\u{ord(mark):04x}" if ord(mark) < 0x10000 else f"\\U{ord(mark):08x}" for mark in text)
    pairs = zip(text, marks, strict=True)
    return '"' + "".join(mark if 32 <= ord(mark) < 127 and mark not in '"\\' else code for mark, code in pairs) + '"'
