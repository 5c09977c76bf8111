"""Gates as a JUnit XML file, which CI systems show."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

from linreg_cli.cli.output import one_line
from linreg_cli.runs.atomic import write_bytes

if TYPE_CHECKING:
    from linreg_cli.evaluate.gates import GateResult


def write_junit(path: Path, run_id: str, gates: "Sequence[GateResult]", seconds: float = 0.0) -> None:
    """Write one test case a gate; a run without gates gives a suite without cases.

    Raises:
        StoreError: if the file cannot be written.
    """
    failures = sum(not gate.passed for gate in gates)
    counts = f'tests="{len(gates)}" failures="{failures}" errors="0" time="{seconds:.3f}"'
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f"<testsuites {counts}>",
        f"  <testsuite name={_attribute(f'linreg {run_id}')} {counts}>",
    ]
    for gate in gates:
        case = f"    <testcase classname={_attribute(f'linreg.gates.{run_id}')} name={_attribute(gate.gate)}"
        if gate.passed:
            lines.append(f"{case}/>")
        else:
            lines += [f"{case}>", f"      <failure message={_attribute(gate.reason)}/>", "    </testcase>"]
    write_bytes(path, "\n".join([*lines, "  </testsuite>", "</testsuites>", ""]).encode("utf-8", "backslashreplace"))


def _attribute(text: str) -> str:
    return quoteattr(one_line(text))
