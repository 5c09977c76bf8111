"""The grammar of gates: `test.r2 >= 0.9`."""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
_GATE = re.compile(
    r"\s*(?P<metric>[A-Za-z_]\w*(\.[^\s<>=!]+)*)\s*(?P<operator><=|>=|==|!=|<|>)\s*"
    r"(?P<value>[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?)\s*"
)


@dataclass(frozen=True)
class Comparison:
    """`metric operator value`."""

    metric: str
    operator: str
    value: float

    def holds(self, measured: float) -> bool:
        """Whether the comparison is true of a measured value."""
        return OPERATORS[self.operator](measured, self.value)

    def __str__(self) -> str:
        return f"{self.metric} {self.operator} {self.value:g}"


def parse_comparison(text: str) -> Comparison:
    """Read a comparison.

    >>> parse_comparison("test.r2 >= 0.9")
    Comparison(metric='test.r2', operator='>=', value=0.9)

    Raises:
        ValueError: with a message for the user.
    """
    match = _GATE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not METRIC OPERATOR NUMBER, such as 'test.r2 >= 0.9' ({' '.join(OPERATORS)})")
    return Comparison(match["metric"], match["operator"], float(match["value"]))
