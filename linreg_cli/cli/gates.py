"""`--fail-if`, and the exit of a command whose gate failed."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from linreg_cli.cli import output
from linreg_cli.errors import Fault, GateError, UsageError

if TYPE_CHECKING:
    from linreg_cli.gates import GateResult, ReferenceValue


def checked(expressions: Sequence[str] | None) -> list[str]:
    """The expressions of `--fail-if`, after a check of their grammar.

    Raises:
        UsageError: for every expression that is not METRIC OPERATOR NUMBER.
    """
    from linreg_cli.gates import parse_comparison

    faults = []
    for expression in expressions or ():
        try:
            parse_comparison(expression)
        except ValueError as error:
            faults.append(Fault(str(error), "--fail-if"))
    if faults:
        raise UsageError(faults)
    return list(expressions or ())


def references(expressions: Sequence[str], outputs: Path) -> "dict[str, ReferenceValue]":
    """The metrics of other runs that the expressions of `--fail-if` name.

    Args:
        expressions: as `checked` gives them.
        outputs: the folder of the run folders.

    Raises:
        UsageError: for every one that there is not.
    """
    from linreg_cli.runs.references import references_of

    found, wrong = references_of(expressions, outputs)
    if wrong:
        raise UsageError([Fault(why, "--fail-if") for _, why in wrong])
    return found


def failed(gates: Sequence["GateResult"], run: str) -> list[Fault]:
    """A fault for each gate that failed.

    Args:
        gates: all gates of a run.
        run: the id of the run.
    """
    return [Fault(f"gate '{gate.gate}' failed: {gate.reason}", run) for gate in gates if not gate.passed]


def stop(faults: Sequence[Fault], *, as_json: bool, result: dict[str, Any]) -> None:
    """If a gate failed, report it (with `--json` beside the result) and exit with code 5.

    Args:
        faults: those of `failed`.
        as_json: whether stdout carries JSON.
        result: the result of the command.

    Raises:
        typer.Exit: if there is a fault.
    """
    if faults:
        output.show_error(GateError.kind, faults, as_json=as_json, result=result)
        raise typer.Exit(GateError.exit_code)
