"""Gates such as `test.r2 >= 0.9`: their grammar, and whether a run passes them."""

import math
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

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


@dataclass(frozen=True)
class GateResult:
    """One gate.

    Attributes:
        gate: as the user wrote it.
        passed: whether it holds.
        measured: the value, or None.
        reason: why it failed, in words; empty if it passed.
    """

    gate: str
    passed: bool
    measured: float | None
    reason: str = ""


def check_gates(gates: Sequence[str], fail_if: Sequence[str], metrics: dict[str, Any]) -> list[GateResult]:
    """Check every gate; a metric that is missing, null or not finite fails it.

    Args:
        gates: comparisons that must hold, such as `test.r2 >= 0.9`.
        fail_if: comparisons that must not hold, such as `test.r2 < 0.9`.
        metrics: the content of `metrics.json`, and `seconds`.
    """
    return [_check(text, text, metrics, want=True) for text in gates] + [
        _check(text, f"fail if {text}", metrics, want=False) for text in fail_if
    ]


def _check(text: str, gate: str, metrics: dict[str, Any], *, want: bool) -> GateResult:
    comparison = parse_comparison(text)
    found, value = _look_up(metrics, comparison.metric.split("."))
    if not found:
        return GateResult(gate, False, None, f"there is no metric {comparison.metric}")
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        shown = "a group of metrics" if isinstance(value, dict | list) else "undefined" if value is None else value
        return GateResult(gate, False, None, f"{comparison.metric} is {shown}")
    if comparison.holds(value) is want:
        return GateResult(gate, True, value)
    return GateResult(gate, False, value, f"{comparison.metric} is {value:.6g}")


def _look_up(values: Any, path: list[str]) -> tuple[bool, Any]:
    """The value at a dotted path; names may hold dots themselves."""
    if not path:
        return True, values
    for length in range(1, len(path) + 1):
        key = ".".join(path[:length])
        if isinstance(values, dict) and key in values:
            found, value = _look_up(values[key], path[length:])
            if found:
                return True, value
    return False, None
