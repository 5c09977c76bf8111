"""Gates: conditions on the metrics of a run, such as `test.r2 >= 0.9`, that it must pass."""

import math
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from linreg_cli.metric_paths import Missing, Path, metric_at, parse_path

OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
# The last operator counts: names of columns may contain others, as in `parameters.weights.size=<10 >= 0`.
_GATE = re.compile(
    r"\s*(?P<metric>\S(.*[^\s<>=!])?)\s*(?P<operator>"
    + "|".join(sorted(OPERATORS, key=len, reverse=True))
    + r")\s*(?P<value>[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?)\s*",
    re.DOTALL,
)


@dataclass(frozen=True)
class Comparison:
    """A condition `metric operator value`.

    Attributes:
        metric: path in `metrics.json`, as the user wrote it.
        operator: one of `OPERATORS`.
        value: the threshold, in units of the metric.

    >>> Comparison("test.r2", ">=", 0.9).holds(0.95)
    True
    """

    metric: str
    operator: str
    value: float

    def holds(self, measured: float) -> bool:
        """Whether a measured value meets the condition."""
        return OPERATORS[self.operator](measured, self.value)

    @property
    def path(self) -> Path:
        """The steps of the metric."""
        return parse_path(self.metric)

    def __str__(self) -> str:
        return f"{self.metric} {self.operator} {self.value:g}"


def parse_comparison(text: str) -> Comparison:
    """Parse a condition.

    >>> parse_comparison("test.r2 >= 0.9")
    Comparison(metric='test.r2', operator='>=', value=0.9)

    Raises:
        ValueError: with a message for the user.
    """
    match = _GATE.fullmatch(text)
    if match is None:
        raise ValueError(
            f"{text!r} is not METRIC OPERATOR NUMBER, such as 'test.r2 >= 0.9' ({' '.join(OPERATORS)}); a part of the "
            'metric may be in quotes: parameters.weights."city=New York" > 0'
        )
    parse_path(match["metric"])
    return Comparison(match["metric"], match["operator"], float(match["value"]))


@dataclass(frozen=True)
class GateResult:
    """The result of one gate.

    Attributes:
        gate: as the user wrote it.
        passed: whether the run passes it.
        measured: the value of the metric; None if it is missing or not a finite number.
        reason: why the gate failed, in words; empty if it passed.
    """

    gate: str
    passed: bool
    measured: float | None
    reason: str = ""


def check_gates(gates: Sequence[str], fail_if: Sequence[str], metrics: dict[str, Any]) -> list[GateResult]:
    """Check every gate. A metric that is missing, null or not finite fails its gate.

    Args:
        gates: conditions that must hold, such as `test.r2 >= 0.9`.
        fail_if: conditions that must not hold, such as `test.r2 < 0.9`.
        metrics: the content of `metrics.json`, and `seconds`.

    Returns:
        One result per gate, those of `gates` first.

    Raises:
        ValueError: for a text that is not a condition.

    >>> [result.passed for result in check_gates(["test.r2 >= 0.9"], ["test.r2 < 0.5"], {"test": {"r2": 0.7}})]
    [False, True]
    """
    return [_check(text, text, metrics, want=True) for text in gates] + [
        _check(text, f"fail if {text}", metrics, want=False) for text in fail_if
    ]


def _check(text: str, gate: str, metrics: dict[str, Any], *, want: bool) -> GateResult:
    comparison = parse_comparison(text)
    value = metric_at(metrics, comparison.path)
    if isinstance(value, Missing):
        return GateResult(gate, False, None, value.why(comparison.metric))
    if not math.isfinite(value):
        return GateResult(gate, False, None, f"{comparison.metric} is {value}")
    if comparison.holds(value) is want:
        return GateResult(gate, True, value)
    return GateResult(gate, False, value, f"{comparison.metric} is {value:.6g}")
