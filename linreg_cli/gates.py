"""Gates: conditions on the metrics of a run, such as `test.r2 >= 0.9`, that it must pass.

The right side may be a metric of another run, with or without a factor: `test.rmse <= 1.02 * run(prod).test.rmse`.
"""

import contextlib
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from linreg_cli.metric_paths import Missing, Path, metric_at, parse_path
from linreg_cli.wording import number

OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
_NUMBER = r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?"
_RUN = r"run\(\s*(?P<run>[^()]*[^()\s])\s*\)\.(?P<other>\S(.*\S)?)"


def _gate(right: str) -> re.Pattern[str]:
    # The last operator counts: names of columns may contain others, as in `parameters.weights.size=<10 >= 0`.
    operators = "|".join(sorted(OPERATORS, key=len, reverse=True))
    left = rf"\s*(?P<metric>\S(.*[^\s<>=!])?)\s*(?P<operator>{operators})\s*"
    return re.compile(rf"{left}{right}\s*", re.DOTALL)


_AGAINST_RUN, _AGAINST_NUMBER = _gate(rf"((?P<value>{_NUMBER})\s*\*\s*)?{_RUN}"), _gate(rf"(?P<value>{_NUMBER})")


@dataclass(frozen=True)
class Reference:
    """A metric of another run.

    Attributes:
        run: a run id, a name, `latest`, or a path.
        metric: path in its `metrics.json`.

    >>> str(Reference("prod", "test.rmse"))
    'run(prod).test.rmse'
    """

    run: str
    metric: str

    def __str__(self) -> str:
        return f"run({self.run}).{self.metric}"


@dataclass(frozen=True)
class ReferenceValue:
    """What a reference stands for.

    Attributes:
        run: the id of the run.
        value: the value of the metric, finite.
    """

    run: str
    value: float


#: `str(reference)` -> what it stands for.
References = Mapping[str, ReferenceValue]


@dataclass(frozen=True)
class Comparison:
    """A condition `metric operator value`, or `metric operator value * reference`.

    Attributes:
        metric: path in `metrics.json`, as the user wrote it.
        operator: one of `OPERATORS`.
        value: the threshold, in units of the metric; with a reference its factor.
        reference: a metric of another run, or None.

    >>> Comparison("test.r2", ">=", 0.9).holds(0.95)
    True
    """

    metric: str
    operator: str
    value: float
    reference: Reference | None = None

    def holds(self, measured: float, references: References | None = None) -> bool:
        """Whether a measured value meets the condition."""
        return OPERATORS[self.operator](measured, self.threshold(references))

    def threshold(self, references: References | None = None) -> float:
        """The number on the right side."""
        return self.value * (references or {})[str(self.reference)].value if self.reference else self.value

    def against(self, references: References | None = None) -> str:
        """The right side in numbers, where it is a metric of another run; else "".

        >>> comparison = parse_comparison("test.rmse <= 1.5 * run(prod).test.rmse")
        >>> comparison.against({"run(prod).test.rmse": ReferenceValue("prod-0007", 2.0)})
        '1.5 * 2 = 3 of prod-0007'
        """
        if self.reference is None:
            return ""
        found = (references or {})[str(self.reference)]
        factor = "" if self.value == 1 else f"{number(self.value)} * {number(found.value)} = "
        return f"{factor}{number(self.threshold(references))} of {found.run}"

    @property
    def path(self) -> Path:
        """The steps of the metric."""
        return parse_path(self.metric)


def parse_comparison(text: str) -> Comparison:
    """Parse a condition.

    >>> parse_comparison("test.r2 >= 0.9")
    Comparison(metric='test.r2', operator='>=', value=0.9, reference=None)

    Raises:
        ValueError: with a message for the user.
    """
    against_run = _AGAINST_RUN.fullmatch(text)
    if against_run is not None:
        with contextlib.suppress(ValueError):  # a name in quotes may look like a run
            return _against_run(against_run)
    match = _AGAINST_NUMBER.fullmatch(text)
    if match is None and against_run is not None:
        return _against_run(against_run)
    if match is None:
        raise ValueError(
            f"{text!r} is not METRIC OPERATOR NUMBER, such as 'test.r2 >= 0.9' ({' '.join(OPERATORS)}); a part of the "
            'metric may be in quotes: parameters.weights."city=New York" > 0; NUMBER may be a metric of another run, '
            "1.02 * run(RUN).test.rmse"
        )
    parse_path(match["metric"])
    return Comparison(match["metric"], match["operator"], float(match["value"]))


def _against_run(match: re.Match[str]) -> Comparison:
    parse_path(match["metric"])
    parse_path(match["other"])
    factor = 1.0 if match["value"] is None else float(match["value"])
    return Comparison(match["metric"], match["operator"], factor, Reference(match["run"], match["other"]))


@dataclass(frozen=True)
class GateResult:
    """The result of one gate.

    Attributes:
        gate: as the user wrote it.
        passed: whether the run passes it.
        measured: the value of the metric; None if it is missing or not a finite number.
        reason: why the gate failed, in words; empty if it passed.
        against: the right side in numbers, where it is a metric of another run; else empty.
    """

    gate: str
    passed: bool
    measured: float | None
    reason: str = ""
    against: str = ""


def check_gates(
    gates: Sequence[str], fail_if: Sequence[str], metrics: dict[str, Any], references: References | None = None
) -> list[GateResult]:
    """Check every gate. A metric that is missing, null or not finite fails its gate.

    Args:
        gates: conditions that must hold, such as `test.r2 >= 0.9`.
        fail_if: conditions that must not hold, such as `test.r2 < 0.9`.
        metrics: the content of `metrics.json`, and `seconds`.
        references: those of all conditions.

    Returns:
        One result per gate, those of `gates` first.

    Raises:
        ValueError: for a text that is not a condition.

    >>> [result.passed for result in check_gates(["test.r2 >= 0.9"], ["test.r2 < 0.5"], {"test": {"r2": 0.7}})]
    [False, True]
    """
    return [_check(text, text, metrics, references, want=True) for text in gates] + [
        _check(text, f"fail if {text}", metrics, references, want=False) for text in fail_if
    ]


def _check(text: str, gate: str, metrics: dict[str, Any], references: References | None, *, want: bool) -> GateResult:
    comparison = parse_comparison(text)
    value = metric_at(metrics, comparison.path)
    against = comparison.against(references)
    if isinstance(value, Missing):
        return GateResult(gate, False, None, value.why(comparison.metric), against)
    if not math.isfinite(value):
        return GateResult(gate, False, None, f"{comparison.metric} is {value}", against)
    if comparison.holds(value, references) is want:
        return GateResult(gate, True, value, "", against)
    bound = f", against {against}" if against else ""
    return GateResult(gate, False, value, f"{comparison.metric} is {number(value)}{bound}", against)
