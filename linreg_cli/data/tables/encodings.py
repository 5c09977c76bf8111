"""Which encoding bytes are in that are not UTF-8: guessed from the characters that they would be."""

import codecs
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from linreg_cli.data.tables.single_byte import EVEN, reading

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


#: Lines that are looked at.
_LINES = 100
#: The logarithm of the probability of a table in an encoding of two bytes, of a character in it, of one that is a kana,
#: and of one beside a letter of ASCII in a word: of some thousand characters some hundred are frequent.
_TABLE, _CHARACTER, _KANA, _BESIDE_ASCII = -1.0, -6.5, -4.0, -1.5


@dataclass(frozen=True)
class EncodingGuess:
    """An encoding that was guessed.

    Attributes:
        reads: the encoding, then those that are about as likely -> some words as they read in it.
    """

    reads: Mapping[str, list[str]]

    @property
    def rivals(self) -> list[str]:
        """The encodings that are about as likely."""
        return [*self.reads][1:]


def sample_words(head: bytes, encoding: str) -> list[str]:
    """The first words that are not ASCII, at most three.

    >>> sample_words("x,größe,Länge\\n".encode("cp1252"), "cp1252")
    ['größe', 'Länge']
    """
    words = re.findall(r"\w+", _sample(head).decode(encoding, "ignore"))
    return [word[:30] for word in dict.fromkeys(words) if not word.isascii()][:3]


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
    sample = _sample(head)
    best, single = max(common, key=common.__getitem__), reading(sample)
    if common[best] < _LEAST_COMMON:
        return [single.encoding, *single.rivals]
    ahead, different = single.log_p - _log_p(sample, best), _different(head, best)
    if ahead > -EVEN:
        found = [single.encoding, best] if ahead > 0 else [best, single.encoding]
        return found[:1] if ahead > EVEN else found
    rivals = [
        each
        for each in common
        if each != best
        and different < _SURE.get(each, _SURE.get(best, _SURE_OTHERWISE))
        and _common(head, each, least=_FEWEST) >= common[best] - 0.05
    ]
    return [best, *rivals[:1]]


def _sample(head: bytes) -> bytes:
    """The first lines that are not ASCII, each once."""
    return b"\n".join([*dict.fromkeys(line for line in head.split(b"\n") if not line.isascii())][:_LINES])


def _log_p(sample: bytes, encoding: str) -> float:
    """The logarithm of the likelihood of the words of a text in an encoding of two bytes a character."""
    text = codecs.getincrementaldecoder(encoding)().decode(sample)
    words: dict[str, None] = dict.fromkeys(re.findall(r"[A-Za-z]*[^\x00-\x7f]+[A-Za-z]*", text))
    mixed = sum(word[0].isascii() or word[-1].isascii() for word in words)
    high = [mark for word in words for mark in word if not mark.isascii()]
    kana = sum("ぁ" <= mark <= "ヿ" for mark in high)
    return _TABLE + _BESIDE_ASCII * mixed + _KANA * kana + _CHARACTER * (len(high) - kana)


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
