"""The results of gates as a JUnit XML file, which CI systems display."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

from linreg_cli.cli.destination import check_suffix
from linreg_cli.errors import LinregError, OutOfMemoryError, StoreError, UsageError
from linreg_cli.files import write_bytes
from linreg_cli.paths import is_stdout
from linreg_cli.wording import one_line

if TYPE_CHECKING:
    from linreg_cli.gates import GateResult

#: The name of a test case, and (`failure` or `error`, reason), or None if it passed.
_Case = tuple[str, tuple[str, str] | None]


def write_junit(path: Path, run_id: str, gates: "Sequence[GateResult]", seconds: float = 0.0) -> None:
    """Write one test case per gate; without gates the test suite is empty.

    Args:
        path: the file.
        run_id: the name of the suite.
        gates: the results.
        seconds: the time of the run.

    Raises:
        StoreError: if the file cannot be written.
    """
    cases = [(gate.gate, None if gate.passed else ("failure", gate.reason)) for gate in gates]
    _write(path, f"linreg {run_id}", f"linreg.gates.{run_id}", cases, seconds)


@contextlib.contextmanager
def recording_error(path: Path | None, command: str) -> Iterator[None]:
    """A context; if it ends with a user error, that is written as the only test case, and raised again.

    Args:
        path: the file, or None for none.
        command: the name of the test case.

    Raises:
        UsageError: for a file that is standard output, or has the suffix of another format.
    """
    if is_stdout(path):
        raise UsageError("standard output has the results of the command; name a file", "--junit")
    check_suffix(path, (".xml",), "the results of gates")
    try:
        yield
    except (LinregError, MemoryError, RuntimeError) as error:
        shown = OutOfMemoryError() if OutOfMemoryError.is_meant_by(error) else error
        if path is not None and isinstance(shown, LinregError):
            with contextlib.suppress(StoreError, BrokenPipeError):  # only the first error is reported
                _write(path, "linreg", f"linreg.{shown.kind}", [(command, ("error", str(shown)))])
        raise


def _write(path: Path, suite: str, group: str, cases: Sequence[_Case], seconds: float = 0.0) -> None:
    """Write a suite of cases."""
    kinds = [found[0] for _, found in cases if found is not None]
    counts = f'tests="{len(cases)}" failures="{kinds.count("failure")}" errors="{kinds.count("error")}"'
    counts += f' time="{seconds:.3f}"'
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f"<testsuites {counts}>",
        f"  <testsuite name={_attribute(suite)} {counts}>",
    ]
    for name, found in cases:
        case = f"    <testcase classname={_attribute(group)} name={_attribute(name)}"
        if found is None:
            lines.append(f"{case}/>")
        else:
            kind, why = found
            lines += [f"{case}>", f"      <{kind} message={_attribute(why)}/>", "    </testcase>"]
    write_bytes(path, "\n".join([*lines, "  </testsuite>", "</testsuites>", ""]).encode("utf-8", "backslashreplace"))


def _attribute(text: str) -> str:
    return quoteattr(one_line(text))
