"""How the cells and the numbers of a text file are written, and text as numbers."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from linreg_cli.config.formats import SEPARATORS
from linreg_cli.remedies import setting

Text = TypeVar("Text", pa.Array, pa.ChunkedArray)


@dataclass(frozen=True)
class TextFormat:
    """How a CSV is written.

    Attributes:
        delimiter: between the cells; None: by the suffix of the file.
        decimal: the decimal mark, `.` or `,`.
        thousands: between groups of three digits, a key of `SEPARATORS`; None: nothing.
        encoding: a codec of Python.
        of_run: whether these are settings of a run, which a message cannot tell to change.
    """

    delimiter: str | None = None
    decimal: str = "."
    thousands: str | None = None
    encoding: str = "utf-8"
    of_run: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether numbers are written as Python writes them."""
        return self.decimal == "." and self.thousands is None

    def remedy(self, key: str, value: Any, otherwise: str) -> str:
        """What to do: set a key, or for a table that is not read in the way of the run, something else."""
        return otherwise if self.of_run else f"set {setting(key, value)}"

    def float64(self, text: Text) -> Text | None:
        """Trimmed text as float64; None if a cell is not a number in this format.

        >>> german = TextFormat(decimal=",", thousands=".")
        >>> german.float64(pa.array(["2.011", "-0,8", None])).to_pylist(), german.float64(pa.array(["1.23"]))
        ([2011.0, -0.8, None], None)
        """
        if self.thousands is not None:
            marks = f"[{SEPARATORS[self.thousands]}]"
            grouped = pc.match_substring_regex(text, f"^{number_pattern(self.decimal, self.thousands, grouped=True)}$")
            text = pc.if_else(grouped, pc.replace_substring_regex(text, marks, ""), text)
        if self.decimal == ",":
            if pc.any(pc.match_substring(text, ".")).as_py():
                return None
            text = pc.replace_substring(text, ",", ".")
        try:
            return pc.cast(text, pa.float64())
        except pa.ArrowInvalid:
            return None


DEFAULT = TextFormat()


@dataclass(frozen=True)
class AsText:
    """The cells of a text file as they stand in it.

    Attributes:
        format: how it is written.
        read: columns -> their cells as text, null where they are missing.
    """

    format: TextFormat
    read: Callable[[Sequence[str]], pa.Table]


def number_pattern(decimal: str, thousands: str | None, *, grouped: bool = False) -> str:
    """A regular expression for numbers, for Python and for RE2.

    Groups have three digits, and the first one does not begin with 0, as in 0.125.

    Args:
        decimal: the decimal mark.
        thousands: a key of `SEPARATORS`, or None.
        grouped: whether only numbers with at least one separator match.
    """
    whole = "[0-9]+"
    if thousands is not None:
        groups = f"[1-9][0-9]{{0,2}}(?:[{SEPARATORS[thousands]}][0-9]{{3}})+"
        whole = groups if grouped else f"(?:{groups}|{whole})"
    mark = re.escape(decimal)
    fraction = "" if grouped else f"|{mark}[0-9]+"
    return f"[-+]?(?:{whole}(?:{mark}[0-9]*)?{fraction})(?:[eE][-+]?[0-9]+)?"
