"""Which encoding bytes are in that are not UTF-8: guessed from the characters that they would be."""

import codecs
import re
from collections.abc import Iterator

#: Encodings of two bytes a character: a character set that has its common characters first, the last first byte of
#: these, and how many different characters a guess needs. Every syllable of Korean is a common character of Chinese
#: too, but hardly are eight characters of Chinese all syllables.
_OF_TWO_BYTES = {
    "cp949": ("euc_kr", 0xC8, 8),
    "gb18030": ("gb2312", 0xD7, 1),
    "cp950": ("big5", 0xC6, 1),
    "cp932": ("shift_jis", 0x98, 1),
}
#: The share of common characters that text has at least, and of characters without a byte of ASCII: an accented letter
#: is hardly ever part of a common character, but `°C` may be one.
_LEAST_COMMON, _LEAST_HIGH = 0.8, 0.25


#: Different characters from which on a guess among encodings of two bytes is sure, if one of the two is the key.
_SURE = {"cp949": 12}
_SURE_OTHERWISE = 4
#: Different characters from which on a text may be in an encoding that is the rarer of two.
_FEWEST = 3
#: A word in Cyrillic letters of one case, or with a capital first; the share of words that are such, and of vowels in
#: them, that a text in cp1251 has at least: a text in Greek or in KOI8-R has fewer.
_CYRILLIC_WORD = re.compile("[А-ЯЁІЇЄҐЎ]?[а-яёіїєґў]+|[А-ЯЁІЇЄҐЎ]+")
_LEAST_CYRILLIC, _LEAST_VOWELS = 0.8, 0.2
#: The share of vowels from which on Cyrillic words are certain: Russian has 0.43, KOI8-R or Hebrew read so about 0.25.
_USUAL_VOWELS = 0.3
#: Marks about a word that are not ASCII.
_QUOTES = "«»„“”‘’–—…№°"
#: Letters from which on Cyrillic words are hardly Western ones, which mix accented letters with others.
_SURELY_CYRILLIC = 4
#: Different characters of two bytes: one in five of the common Chinese ones is a pair of Cyrillic capitals too, so that
#: from three on Cyrillic is likelier, and from eight on certain.
_LIKELY_CAPITALS, _SURELY_CAPITALS = 3, 8


def candidates(head: bytes) -> Iterator[str]:
    """Encodings to try, the most likely first; the last one decodes all bytes.

    Args:
        head: the first bytes of a text, which may end within a character.

    >>> next(candidates("面积,总价".encode("gbk"))), next(candidates("größe".encode("cp1252")))
    ('gb18030', 'cp1252')
    """
    yield from dict.fromkeys((*likely(head), "cp1252", "cp932", "gb18030", "latin-1"))


def likely(head: bytes) -> list[str]:
    """The encoding that the bytes are most likely in, and those that are about as likely.

    Args:
        head: as for `candidates`.

    >>> likely("цена,площадь".encode("cp1251")), likely("ЦЕНА".encode("cp1251"))
    (['cp1251'], ['gb18030', 'cp1251'])
    """
    common = {encoding: _common(head, encoding) for encoding in _OF_TWO_BYTES}
    best = max(common, key=common.__getitem__)
    letters, vowels = _cyrillic(head)
    if common[best] < _LEAST_COMMON:
        if not letters:
            return ["cp1252"]
        if letters < _SURELY_CYRILLIC:
            return ["cp1252", "cp1251"]
        return ["cp1251"] if vowels >= _USUAL_VOWELS else ["cp1251", "cp1252"]
    different = _different(head, best)
    if letters:
        if different >= _SURELY_CAPITALS:
            return ["cp1251"]
        return ["cp1251", best] if different >= _LIKELY_CAPITALS else [best, "cp1251"]
    rivals = [
        each
        for each in common
        if each != best
        and different < _SURE.get(each, _SURE.get(best, _SURE_OTHERWISE))
        and _common(head, each, least=_FEWEST) >= common[best] - 0.05
    ]
    return [best, *rivals[:1]]


def _cyrillic(head: bytes) -> tuple[int, float]:
    """How many letters the Cyrillic words have that the bytes are in cp1251, and the share of vowels; 0 if no text."""
    words = [
        word.strip(_QUOTES) for word in re.findall(r"(?:[^\W\d_]|[^\x00-\x7f\s])+", head.decode("cp1251", "replace"))
    ]
    high = [word for word in words if len(word) > 1 and not word.isascii()]
    letters = "".join(word for word in high if _CYRILLIC_WORD.fullmatch(word)).lower()
    if not letters or len(letters) < _LEAST_CYRILLIC * sum(map(len, high)):
        return 0, 0.0
    vowels = sum(letter in "аеёиоуыэюяіїє" for letter in letters) / len(letters)
    return (len(letters), vowels) if vowels >= _LEAST_VOWELS else (0, 0.0)


def _different(head: bytes, encoding: str) -> int:
    text = codecs.getincrementaldecoder(encoding)().decode(head)
    return len({mark for mark in text if not mark.isascii()})


def _common(head: bytes, encoding: str, least: int | None = None) -> float:
    """The share of common characters among those that are not ASCII; 0 if the bytes are no text in the encoding.

    Args:
        head: as for `candidates`.
        encoding: a key of `_OF_TWO_BYTES`.
        least: the number of different characters below which it is 0; None: that of a guess.
    """
    standard, last, needed = _OF_TWO_BYTES[encoding]
    least = needed if least is None else least
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError:
        return 0.0
    found = [mark.encode(standard, "ignore") for mark in text if not mark.isascii()]
    high = sum(len(each) == 2 and each[1] >= 0x80 for each in found)
    if len(set(found)) < least or high < _LEAST_HIGH * len(found):
        return 0.0
    return sum(len(each) == 2 and each[0] <= last for each in found) / len(found)
