"""Which encoding bytes are in that are not UTF-8: guessed from the characters that they would be."""

import codecs
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


def candidates(head: bytes) -> Iterator[str]:
    """Encodings to try, the most likely first; the last one decodes all bytes.

    Args:
        head: the first bytes of a text, which may end within a character.

    >>> next(candidates("面积,总价".encode("gbk"))), next(candidates("größe".encode("cp1252")))
    ('gb18030', 'cp1252')
    """
    common = {encoding: _common(head, encoding) for encoding in _OF_TWO_BYTES}
    likely = max(common, key=common.__getitem__)
    if common[likely] >= _LEAST_COMMON:
        yield likely
    yield from ("cp1252", "cp932", "gb18030", "latin-1")


def _common(head: bytes, encoding: str) -> float:
    """The share of common characters among those that are not ASCII; 0 if the bytes are no text in the encoding."""
    standard, last, least = _OF_TWO_BYTES[encoding]
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError:
        return 0.0
    found = [mark.encode(standard, "ignore") for mark in text if not mark.isascii()]
    high = sum(len(each) == 2 and each[1] >= 0x80 for each in found)
    if len(set(found)) < least or high < _LEAST_HIGH * len(found):
        return 0.0
    return sum(len(each) == 2 and each[0] <= last for each in found) / len(found)
