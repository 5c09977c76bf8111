"""The `linreg` command: its subcommands, error messages and exit codes."""

import errno
import signal
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

import typer

from linreg_cli.addresses import without_secrets
from linreg_cli.cli import output, process, ranks, streams
from linreg_cli.cli.command import App, Top
from linreg_cli.cli.completion import completion
from linreg_cli.cli.evaluate import evaluate
from linreg_cli.cli.explain import explain
from linreg_cli.cli.export import export
from linreg_cli.cli.generate import generate_data
from linreg_cli.cli.init import init
from linreg_cli.cli.inspect import inspect
from linreg_cli.cli.plot import plot
from linreg_cli.cli.predict import predict
from linreg_cli.cli.report import report
from linreg_cli.cli.runs import runs_app
from linreg_cli.cli.schema import schema
from linreg_cli.cli.stats import stats_app
from linreg_cli.cli.sweep import sweep
from linreg_cli.cli.train import train
from linreg_cli.cli.validate import validate
from linreg_cli.errors import Fault, Interrupted, LinregError, OutOfMemoryError, StoreError
from linreg_cli.runs.signals import SIGNALS, StopRequests

app = App(
    name="linreg",
    help="Linear regression by gradient descent, from a YAML file to a run.",
    cls=Top,
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
app.command("init")(init)
app.command("train")(train)
app.command("sweep")(sweep)
app.command("evaluate")(evaluate)
app.command("predict")(predict)
app.command("plot")(plot)
app.command("report")(report)
app.command("export")(export)
app.command("inspect")(inspect)
app.command("explain")(explain)
app.command("validate")(validate)
app.command("schema")(schema)
app.command("completion")(completion)
app.add_typer(stats_app, name="stats")
app.add_typer(runs_app, name="runs")


#: What the system says of a path that cannot be used, wherever that is found.
_REFUSED = {
    errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.ENOENT, errno.EISDIR, errno.EACCES, errno.EPERM, errno.EROFS,
    errno.EINVAL, errno.ENXIO, errno.ENODEV, errno.EOVERFLOW,
}  # fmt: skip
#: What a write to stdout fails with that leads nowhere: a full disk, a closed descriptor, a terminal that is gone.
_NO_OUTPUT = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EBADF, errno.EIO, errno.ENXIO, errno.EAGAIN}


def run(arguments: Sequence[str]) -> int:
    """Run one command line.

    Args:
        arguments: without the name of the program.

    Returns:
        The exit code; the table of codes is in `docs/commands.md`.
    """
    as_json = "--json" in arguments
    code = 0
    try:
        code, failure = _run(arguments, as_json=as_json)
        if failure is not None:
            output.show_error(*failure, as_json=as_json)
        sys.stdout.flush()
        return code
    except (BrokenPipeError, SystemExit):  # typer turns a closed pipe within a command into SystemExit
        streams.abandon_stdout()
        return code if code > 128 else 141  # a signal says more than the pipe that it has closed
    except OSError as error:
        if error.errno not in _NO_OUTPUT or error.filename is not None:
            return _bug(error, as_json=as_json)
        streams.abandon_stdout()
        output.show_error("store", (Fault(f"cannot write the output: {error.strerror}"),), as_json=False)
        return code if code > 128 else StoreError.exit_code


def _run(arguments: Sequence[str], *, as_json: bool) -> tuple[int, tuple[str, Sequence[Fault]] | None]:
    """The exit code, and the kind and the faults of an error that is yet to be shown."""
    try:
        result = app(args=list(arguments), prog_name="linreg", standalone_mode=False)
    except LinregError as error:
        return error.exit_code, (error.kind, error.faults)
    except typer.TyperException as error:
        return error.exit_code, ("usage", (Fault(_usage(error, arguments)),))
    except typer.Abort:
        return 130, None
    except OSError as error:
        if error.errno not in _REFUSED or error.filename is None:
            raise  # from stdout, or a bug; see `run`
        place = (
            error.filename.decode("utf-8", "surrogateescape") if isinstance(error.filename, bytes) else error.filename
        )
        return StoreError.exit_code, (StoreError.kind, (Fault(f"cannot be used: {error.strerror}", str(place)),))
    except (MemoryError, RuntimeError) as error:
        if not OutOfMemoryError.is_meant_by(error):
            return _bug(error, as_json=as_json), None
        return OutOfMemoryError.exit_code, (OutOfMemoryError.kind, OutOfMemoryError().faults)
    except Exception as error:  # a bug: reported with its traceback, and with --json as JSON, too
        return _bug(error, as_json=as_json), None
    if result == 130 and not ranks.has_launched():
        return 130, ("interrupted", (Fault("interrupted (Ctrl-C)"),))
    return result if isinstance(result, int) else 0, None


def _usage(error: typer.TyperException, arguments: Sequence[str]) -> str:
    """What is wrong with the command line, what was probably meant, and which --help to read."""
    message, context = error.format_message().rstrip("."), getattr(error, "ctx", None)
    message = " ".join(message.replace(": Value error, ", ": ").split())  # typer's own words before the reason
    if message.startswith("Usage:"):  # no command was given, and the message is the help
        output.tell(f"{error.format_message()}\n")
        message = "no command was given"
    command = context.command_path if context is not None else "linreg"
    if (meant := _meant(error, command, arguments)) is not None:
        return f"{message.partition(' (Possible options')[0]}; did you mean: {meant} (see '{command} --help')"
    return f"{message.replace('. Did you', '; did you')}; see '{command} --help'"


def _meant(error: typer.TyperException, command: str, arguments: Sequence[str]) -> str | None:
    from linreg_cli.cli.hints import hint

    given = getattr(error, "param", None)
    if type(error) is typer.BadParameter and getattr(given, "param_type_name", None) == "option":
        return None  # the value of an option is wrong, and the message says what it may be
    near = [name for name in getattr(error, "possibilities", None) or () if name != "--help"]
    return hint(getattr(error, "option_name", None), command, arguments, near=bool(near))


def _bug(error: Exception, *, as_json: bool) -> int:
    output.tell(without_secrets("".join(traceback.format_exception(error))).rstrip())
    output.show_error("bug", (Fault(f"{type(error).__name__}: {error}; this is a bug in linreg"),), as_json=as_json)
    return 1


def main() -> NoReturn:
    """The entry point of the console script; sets up the process, runs one command line and exits."""
    streams.set_up()  # first: a file that is opened must not get the number of a closed stream
    process.set_up()
    ranks.set_up()
    sys.unraisablehook = process.show_unraisable
    try:
        with StopRequests(restore=False):
            code = run(sys.argv[1:])
            _ignore_signals()
    except Interrupted as error:  # a second signal, while the first one was being reported
        _ignore_signals()
        code = error.exit_code
    ranks.end(code)
    process.leave_garbage()
    sys.exit(code)


def _ignore_signals() -> None:
    """Ignore signals from here on: only the exit is left."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
