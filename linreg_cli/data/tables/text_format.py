"""How the cells and the numbers of a text file are written, and text as numbers."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from linreg_cli.config.formats import SEPARATORS
from linreg_cli.lookalike import normal
from linreg_cli.remedies import setting

Text = TypeVar("Text", pa.Array, pa.ChunkedArray)

#: Units without which a number means something else: 0.05 may be 5 %.
NEEDED_UNITS = ("%", "\u2030", "\uff05")


@dataclass(frozen=True)
class TextFormat:
    """How a CSV is written.

    Attributes:
        delimiter: between the cells; None: by the suffix of the file.
        decimal: the decimal mark, `.` or `,`.
        thousands: between groups of three digits, a key of `SEPARATORS`; None: nothing.
        encoding: a codec of Python.
        of_run: whether these are settings of a run, which a message cannot tell to change.
        units: column -> what may stand before or behind its numbers.
        unit: that of the column whose cells are read; see `of`.
    """

    delimiter: str | None = None
    decimal: str = "."
    thousands: str | None = None
    encoding: str = "utf-8"
    of_run: bool = False
    units: Mapping[str, str] = field(default_factory=dict)
    unit: str = ""

    def of(self, column: str) -> "TextFormat":
        """How the cells of a column are written."""
        return replace(self, unit=self.units.get(normal(column), "")) if self.units else self

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
        if self.unit:
            if self.unit in NEEDED_UNITS and pc.all(pc.match_substring(text, self.unit)).as_py() not in (True, None):
                return None
            text = self.without_unit(text)
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

    def without_unit(self, text: Text) -> Text:
        """Trimmed text without the unit of its column.

        >>> TextFormat(unit="$").without_unit(pa.array(["$ 5", "-$5", "5$", "5", "$", None])).to_pylist()
        ['5', '-5', '5', '5', '$', None]
        """
        if not self.unit:
            return text
        return pc.replace_substring_regex(text, self._with_unit, r"\1\2\3")

    def plain(self, text: Text) -> Text:
        """Trimmed text with its numbers as Python writes them, and other cells as they are.

        >>> TextFormat(decimal=",", thousands=".", unit="kg").plain(pa.array(["2.011,5 kg", "a,b", "1.5"])).to_pylist()
        ['2011.5', 'a,b', '1.5']
        """
        plain = self.without_unit(text)
        is_number = pc.match_substring_regex(plain, f"^{number_pattern(self.decimal, self.thousands)}$")
        if self.thousands is not None:
            plain = pc.replace_substring_regex(plain, f"[{SEPARATORS[self.thousands]}]", "")
        return pc.if_else(is_number, pc.replace_substring(plain, self.decimal, "."), text)

    def cell_without_unit(self, cell: str) -> str:
        """The same for one cell."""
        return re.sub(self._with_unit, lambda found: "".join(found.groups(default="")), cell) if self.unit else cell

    @property
    def _with_unit(self) -> str:
        unit, blanks = re.escape(self.unit), f"[{SEPARATORS[' ']}]*"
        return f"^(?:([-+]?){unit}{blanks}(.*[0-9].*)|(.*[0-9].*?){blanks}{unit})$"


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
