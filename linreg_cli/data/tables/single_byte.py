"""Which encoding of one byte a character a text is in: the likelihood of its letters in languages that use it.

The words with bytes above ASCII are read in each encoding. A language has a share of such letters and an order of them
by frequency, from which their probabilities fall exponentially. What no word of it has costs as much as a rare letter:
capitals after small letters, signs within a word, letters of two scripts in one.
"""

import codecs
import functools
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

#: Words that are looked at, each once, and their longest part.
_MOST_WORDS, _LONGEST = 400, 40
#: A word that has bytes above ASCII; a blank without a break (A0) ends it.
_WORD = re.compile(rb"[A-Za-z]*[\x80-\x9f\xa1-\xff](?:[A-Za-z]|[\x80-\x9f\xa1-\xff])*")
#: The logarithm of the probability of a letter that the language does not have, of a sign about a word or within it, of
#: a byte that is no character, and of letters that do not fit together.
_FOREIGN, _SIGN, _SIGN_WITHIN, _NO_CHARACTER, _ODD_CASE, _CAPITALS = -8.0, -4.0, -8.0, -30.0, -4.0, -0.7
#: Letters that end a word, and never stand within one.
_FINAL = "ςםןךףץ"
#: A capital after a small letter, or a small letter after two capitals, one of which is not ASCII; see `_case`.
_ODD = re.compile("(?:l[UA]|aU)|(?:[UA]Ul|U[UA]l|UUa)")
#: Marks about words, which are less odd than other signs.
_QUOTES = "«»„“”‘’–—…№°€"
#: The difference of two logarithms below which a reading is about as likely as the best one.
EVEN = 3.0
#: Letters that end a word, and never stand within one.
_FINAL = "ςםןךףץ"
#: A capital after a small letter, or a small letter after two capitals, one of which is not ASCII; see `_case`.
_ODD = re.compile("(?:l[UA]|aU)|(?:[UA]Ul|U[UA]l|UUa)")
#: Marks about words, which are less odd than other signs.
_QUOTES = "«»„“”‘’–—…№°€"
#: The difference of two logarithms below which a reading is about as likely as the best one.
EVEN = 3.0
#: For a script of two bytes a character: that of such text among tables, of a character, and of one beside a letter of
#: ASCII in a word. There are some thousand characters, of which a few hundred are frequent.
_OF_TWO_BYTES, _CHARACTER, _BESIDE_ASCII = -1.0, -6.5, -1.5


@dataclass(frozen=True)
class _Language:
    """A language as an encoding has it.

    Attributes:
        letters: its letters above ASCII, the most frequent first.
        share: of these among all of its letters; 1 for a script of its own.
        prior: the logarithm of how frequent such tables are.
    """

    letters: str
    share: float = 1.0
    prior: float = 0.0

    @functools.cached_property
    def log_p(self) -> dict[str, float]:
        """The logarithm of the probability of each letter."""
        scale = max(len(self.letters) / 3, 1.5)
        weights = [math.exp(-at / scale) for at in range(len(self.letters))]
        return {
            letter: math.log(self.share * weight / sum(weights))
            for letter, weight in zip(self.letters, weights, strict=True)
        }


#: Encoding -> the languages that are written in it; the usual ones come first, which are taken where two are as likely.
_LANGUAGES: dict[str, tuple[_Language, ...]] = {
    "cp1252": (
        _Language("äüöß", 0.05),
        _Language("éèàêçâîôûùœëïü", 0.05),
        _Language("óíáéñúü", 0.05),
        _Language("ãçáéíóõâêúôà", 0.06),
        _Language("èàòùìé", 0.04),
        _Language("äåöé", 0.08),
        _Language("øåæé", 0.05),
        _Language("áíðóéúöæþý", 0.12, -1.5),
        _Language("àéèóíúòçï", 0.05, -1.0),
        _Language("ëéïèö", 0.02),
    ),
    "cp1250": (
        _Language("łąęóżśćńź", 0.09, -1.5),
        _Language("áíěéřýčžšůúňóťď", 0.14, -1.5),
        _Language("áíéčýžšúťľňôóďäĺŕ", 0.12, -2.0),
        _Language("áéőóöíüúű", 0.12, -1.5),
        _Language("ăîâşţ", 0.08, -2.0),
        _Language("čšžćđ", 0.05, -2.0),
    ),
    "cp1251": (
        _Language("оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъё", 1.0, -1.2),
        _Language("оанівертслкудмпязьбгйчхцїжюєшщфґ", 1.0, -2.5),
        _Language("аоиентрсвлдпкмзябугщчцъжхшйюфь", 1.0, -2.5),
        _Language("аоиенртсјвукдлпмбгзњшљчћжцхђфџ", 1.0, -3.5),
    ),
    "koi8-r": (_Language("оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъё", 1.0, -4.5),),
    "cp1253": (_Language("αοιετσνηυρπκμλςωάγίόδήέχθύφβώξζψϊϋΐΰ", 1.0, -3.0),),
    "cp1254": (_Language("ıüşğçöâîû", 0.12, -1.5),),
    "cp1255": (_Language("יוהלאתרבםמשנחעדקצפגסזטכןךץף", 1.0, -3.5),),
    "cp1256": (_Language("اليمنرتوهةبعدسفكقحجأصطشىخإذضثغزءئؤآظ", 1.0, -3.0),),
    "cp1257": (
        _Language("ėšžųįūąčę", 0.08, -3.5),
        _Language("āīēšūžņļčģķ", 0.11, -3.5),
        _Language("äõüöšž", 0.07, -4.0),
    ),
    "cp874": (
        _Language(
            "านรกอเงมย่ลว้ดทส\u0e31\u0e35ต\u0e34ปบค\u0e37หแจพชข\u0e38ใไ\u0e39โ\u0e47\u0e4cถณศผซธษ\u0e33ะญภฟ", 1.0, -1.5
        ),
    ),
}


@dataclass(frozen=True)
class Reading:
    """The likeliest encoding of one byte a character.

    Attributes:
        encoding: its name.
        rivals: encodings in which the words read differently and are about as likely.
        log_p: the logarithm of its likelihood.
    """

    encoding: str
    rivals: tuple[str, ...] = ()
    log_p: float = 0.0


def reading(head: bytes) -> Reading:
    """The likeliest encoding of a text.

    Args:
        head: its first bytes.

    >>> reading("cena,wartość\\n1,2\\n".encode("cp1250")).encoding, reading("τιμή\\n".encode("cp1253")).encoding
    ('cp1250', 'cp1253')
    """
    found = (word[:_LONGEST] for word in _WORD.findall(head) if len(word) > 1)  # one letter says nothing
    words = [*dict.fromkeys(found)][:_MOST_WORDS]
    if not words:
        return Reading("cp1252")
    read = {encoding: [*_decoded(words, encoding)] for encoding in _LANGUAGES}
    scores = {
        encoding: max(each.prior + sum(_log_p(word, each) for word in read[encoding]) for each in languages)
        for encoding, languages in _LANGUAGES.items()
    }
    best = max(scores, key=scores.__getitem__)
    rivals = sorted(
        (each for each in scores if scores[each] > scores[best] - EVEN and read[each] != read[best]),
        key=lambda each: -scores[each],
    )
    return Reading(best, tuple(rivals[:2]), scores[best])


def _decoded(words: list[bytes], encoding: str) -> Iterator[str]:
    decode = codecs.lookup(encoding).decode
    return (decode(word, "replace")[0] for word in words)


def _log_p(word: str, language: _Language) -> float:
    """The logarithm of the probability of a word of a language."""
    inside = word.strip(_QUOTES)
    total = _SIGN * (len(word) - len(inside))
    if language.share == 1.0 and any(mark.isascii() for mark in inside):
        total += _FOREIGN
    for at, mark in enumerate(inside):
        if not mark.isascii():
            total += _log_p_of(mark, language, within=0 < at < len(inside) - 1)
        elif language.share < 1:
            total += math.log1p(-language.share)
    total += _ODD_CASE * len(_ODD.findall("".join(map(_case, inside))))
    if len(inside) > 1 and inside.isupper():
        total += _CAPITALS
    return total


def _case(mark: str) -> str:
    """`U` for a capital, `l` for a small letter, and `-` for other characters; of ASCII `A` and `a`."""
    upper, lower = ("A", "a") if mark.isascii() else ("U", "l")
    return upper if mark.isupper() else lower if mark.islower() else "-"


def _log_p_of(mark: str, language: _Language, *, within: bool) -> float:
    if mark == "\ufffd":
        return _NO_CHARACTER
    small = "ı" if mark == "İ" else mark.lower()  # its small letter is of ASCII
    if within and small in _FINAL:
        return _FOREIGN
    if (found := language.log_p.get(small)) is not None:
        return found
    return _FOREIGN if mark.isalpha() and mark not in "ªºµ" else _SIGN_WITHIN if within else _SIGN
