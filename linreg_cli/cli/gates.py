"""`--fail-if`, and the end of a command whose gate failed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

from linreg_cli.cli import output
from linreg_cli.errors import Fault, GateError, UsageError

if TYPE_CHECKING:
    from linreg_cli.gates import GateResult


def checked(expressions: Sequence[str] | None) -> list[str]:
    """The expressions of `--fail-if`, all of which can be read.

    Raises:
        UsageError: for one that cannot.
    """
    from linreg_cli.gates import parse_comparison

    for expression in expressions or ():
        try:
            parse_comparison(expression)
        except ValueError as error:
            raise UsageError(str(error), "--fail-if") from None
    return list(expressions or ())


def failed(gates: Sequence["GateResult"], run: str) -> list[Fault]:
    """What is wrong, one fault a gate that failed."""
    return [Fault(f"gate '{gate.gate}' failed: {gate.reason}", run) for gate in gates if not gate.passed]


def stop(faults: Sequence[Fault], *, as_json: bool, result: dict[str, Any]) -> None:
    """If a gate failed, say so (with `--json` beside the result) and end with its exit code."""
    if faults:
        output.show_error(GateError.kind, faults, as_json=as_json, result=result)
        raise typer.Exit(GateError.exit_code)
