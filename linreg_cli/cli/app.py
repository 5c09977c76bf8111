"""The `linreg` command: its subcommands, error messages and exit codes."""

import errno
import io
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

import typer

from linreg_cli.cli import output, process
from linreg_cli.cli.evaluate import evaluate
from linreg_cli.cli.explain import explain
from linreg_cli.cli.generate import generate_data
from linreg_cli.cli.inspect import inspect
from linreg_cli.cli.plot import plot
from linreg_cli.cli.predict import predict
from linreg_cli.cli.report import report
from linreg_cli.cli.runs import runs_app
from linreg_cli.cli.train import train
from linreg_cli.cli.validate import validate
from linreg_cli.errors import Fault, Interrupted, LinregError, OutOfMemoryError, StoreError
from linreg_cli.runs.signals import StopRequests

_EPILOG = "Start with: linreg train -c configs/housing.yaml"

app = typer.Typer(
    name="linreg",
    help="Linear regression by gradient descent, from a YAML file to a run.",
    epilog=_EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


@app.callback(invoke_without_command=True)
def _top(
    version: bool = typer.Option(False, "--version", help="Show the version and exit.", is_eager=True),
) -> None:
    if version:
        from linreg_cli import __version__

        output.show(f"linreg {__version__}")
        raise typer.Exit


app.command("generate-data")(generate_data)
app.command("generate", hidden=True)(generate_data)
app.command("train")(train)
app.command("evaluate")(evaluate)
app.command("predict")(predict)
app.command("plot")(plot)
app.command("report")(report)
app.command("inspect")(inspect)
app.command("explain")(explain)
app.command("validate")(validate)
app.add_typer(runs_app, name="runs")


def run(arguments: Sequence[str]) -> int:
    """Run one command line.

    Args:
        arguments: without the name of the program.

    Returns:
        The exit code; the table of codes is in `docs/commands.md`.
    """
    as_json = "--json" in arguments
    try:
        code = _run(arguments, as_json=as_json)
        sys.stdout.flush()
        return code
    except (BrokenPipeError, SystemExit):  # typer turns a closed pipe within a command into SystemExit
        _abandon_stdout()
        return 141
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            return _bug(error, as_json=as_json)
        _abandon_stdout()
        output.show_error("store", (Fault(f"cannot write the output: {error.strerror}"),), as_json=False)
        return StoreError.exit_code


def _run(arguments: Sequence[str], *, as_json: bool) -> int:
    try:
        result = app(args=list(arguments), prog_name="linreg", standalone_mode=False)
    except LinregError as error:
        output.show_error(error.kind, error.faults, as_json=as_json)
        return error.exit_code
    except typer.TyperException as error:
        output.show_error("usage", (Fault(_usage(error)),), as_json=as_json)
        return error.exit_code
    except typer.Abort:
        return 130
    except OSError:
        raise  # from stdout, or a bug; see `run`
    except (MemoryError, RuntimeError) as error:
        if not OutOfMemoryError.is_meant_by(error):
            return _bug(error, as_json=as_json)
        output.show_error(OutOfMemoryError.kind, OutOfMemoryError().faults, as_json=as_json)
        return OutOfMemoryError.exit_code
    except Exception as error:  # a bug: reported with its traceback, and with --json as JSON, too
        return _bug(error, as_json=as_json)
    if result == 130:
        output.show_error("interrupted", (Fault("interrupted (Ctrl-C)"),), as_json=as_json)
    return result if isinstance(result, int) else 0


def _usage(error: typer.TyperException) -> str:
    """What is wrong with the command line, and which --help to read."""
    message, context = error.format_message().rstrip("."), getattr(error, "ctx", None)
    if message.startswith("Usage:"):  # no command was given, and the message is the help
        output.tell(f"{message}.\n")
        message = "no command was given"
    command = context.command_path if context is not None else "linreg"
    return f"{message.replace('. Did you', '; did you')}; see '{command} --help'"


def _abandon_stdout() -> None:
    """Redirect stdout to the null device, so that flushing at exit cannot fail again."""
    descriptor = os.open(os.devnull, os.O_WRONLY)
    os.dup2(descriptor, 1)
    os.close(descriptor)


def _bug(error: Exception, *, as_json: bool) -> int:
    traceback.print_exception(error)
    output.show_error("bug", (Fault(f"{type(error).__name__}: {error}; this is a bug in linreg"),), as_json=as_json)
    return 1


def main() -> NoReturn:
    """The entry point of the console script; sets up the process, runs one command line and exits."""
    process.set_up()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a name that the terminal cannot encode must not fail
    sys.unraisablehook = process.show_unraisable
    try:
        with StopRequests(restore=False):
            code = run(sys.argv[1:])
            _ignore_signals()
    except Interrupted as error:  # a second signal, while the first one was being reported
        _ignore_signals()
        code = error.exit_code
    process.leave_garbage()
    sys.exit(code)


def _ignore_signals() -> None:
    """Ignore signals from here on: only the exit is left."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
