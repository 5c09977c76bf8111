"""Backslashes in YAML: characters that JSON writes as two escapes, and paths in double quotes."""

import re
from dataclasses import dataclass

#: A backslash and what it stands before, so that of two backslashes the second begins no escape.
_ESCAPED = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_SURROGATE = re.compile(r"u[dD][89a-fA-F]")
#: Hexadecimal digits x for which the block x800 to xFFF may stand for the surrogates, D800 to DFFF.
_DIGITS = "ecba"

#: Characters that an escape of YAML stands for -> how a message calls them.
_CONTROLS = {
    "\t": "a tab", "\n": "a line break", "\r": "a carriage return", "\b": "a backspace", "\a": "a bell",
    "\v": "a vertical tab", "\f": "a form feed", "\0": "a NUL", "\x1b": "an escape character",
}  # fmt: skip
_LETTERS = {
    "\t": "t", "\n": "n", "\r": "r", "\b": "b", "\a": "a", "\v": "v", "\f": "f", "\0": "0", "\x1b": "e",
    "\x85": "N", "\xa0": "_", "\u2028": "L", "\u2029": "P",
}  # fmt: skip


class LoneSurrogateError(ValueError):
    """Half of a pair of escapes; the argument is its code, such as `d83d`."""


@dataclass(frozen=True)
class Surrogates:
    r"""YAML text in which the escapes of surrogates are replaced by others, of the same length, that a parser accepts.

    JSON escapes a character beyond U+FFFF by two surrogates, as `\ud83d\ude00`. YAML contains JSON, and its parsers
    refuse them. Only a parser knows which text is in double quotes, so all are replaced, and restored elsewhere.

    Attributes:
        text: for the parser.
        digit: the first hexadecimal digit of the replacements, in place of `d`; empty if there are none.
    """

    text: str
    digit: str = ""

    @classmethod
    def replaced(cls, text: str) -> "Surrogates":
        """The text with its surrogates replaced by characters that it does not have."""
        if _SURROGATE.search(text) is None:
            return cls(text)
        escaped = {match[1][1:3].lower() for match in _ESCAPED.finditer(text) if match[1][0] == "u" and match[1] != "u"}
        used = {pair[0] for pair in escaped if pair[1] in "89abcdef"}
        used |= {f"{ord(mark):04x}"[0] for mark in set(text) if 0x800 <= ord(mark) <= 0xFFFF and ord(mark) & 0x800}
        digit = next((each for each in _DIGITS if each not in used), "")
        return cls(cls._exchanged(text, "d", digit), digit) if digit else cls(text)

    def in_quotes(self, value: str) -> str:
        """The value of a text in double quotes, with each pair as the character that it stands for.

        Raises:
            LoneSurrogateError: for half of a pair.
        """
        if not self.digit:
            return value
        first = int(self.digit, 16) << 12 | 0x800
        codes = {first + code: 0xD800 + code for code in range(0x800)}
        try:
            return value.translate(codes).encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError as error:
            half = error.object[error.start : error.start + 2]
            raise LoneSurrogateError(
                half.decode("utf-16", "surrogatepass").encode("unicode-escape").decode()[2:]
            ) from None

    def as_written(self, value: str) -> str:
        """Text that is not in double quotes, where a backslash is a backslash."""
        return self._exchanged(value, self.digit, "d") if self.digit else value

    @staticmethod
    def _exchanged(text: str, digit: str, other: str) -> str:
        """The text with another first digit in the escapes of a block x800 to xFFF; upper case stays upper case."""
        block = re.compile(f"u[{digit}{digit.upper()}][89a-fA-F]")

        def exchange(match: re.Match[str]) -> str:
            code = match[1]
            if len(code) == 1 or block.match(code) is None:
                return match[0]
            return f"\\u{other if code[1].islower() else other.upper()}{code[2:]}"

        return _ESCAPED.sub(exchange, text)


def in_double_quotes(line: str, column: int) -> str:
    r"""What to write in place of a text in double quotes whose backslashes are meant as backslashes.

    Args:
        line: of the config.
        column: of the quote that begins the text, from 0.

    >>> print(in_double_quotes(r'path: "C:\Users\me.csv"', 6))
    in double quotes a backslash begins an escape; write 'C:\Users\me.csv' in single quotes, or C:/Users/me.csv
    """
    text = line[column + 1 :].partition('"')[0]
    message = "in double quotes a backslash begins an escape; write"
    if line[column : column + 1] != '"' or '"' not in line[column + 1 :] or len(text) > 200:
        return f"{message} the text in single quotes, or a path with / in place of each backslash"
    quoted, slashes = text.replace("'", "''"), text.replace("\\\\", "\\").replace("\\", "/")
    return f"{message} '{quoted}' in single quotes, or {slashes}"


def control_in_path(path: str) -> str:
    r"""A hint for a path with a control character, which an escape may stand for; else an empty text.

    >>> print(control_in_path("data\table.csv"))
    ; its character 5 is a tab: in double quotes YAML reads \t so; write data/table.csv, or the path in single quotes
    """
    position, found = next(((i, mark) for i, mark in enumerate(path) if mark in _CONTROLS), (0, ""))
    if not found:
        return ""
    meant = "".join(f"/{_LETTERS[mark]}" if mark in _LETTERS else mark for mark in path).replace("\\", "/")
    return (
        f"; its character {position + 1} is {_CONTROLS[found]}: in double quotes YAML reads \\{_LETTERS[found]} so; "
        f"write {meant}, or the path in single quotes"
    )
