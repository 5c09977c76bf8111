"""The `linreg` command: its subcommands, and errors as text and exit codes."""

import os
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

import typer

from linreg_cli.cli import output
from linreg_cli.cli.evaluate import evaluate
from linreg_cli.cli.generate import generate_data
from linreg_cli.cli.plot import plot
from linreg_cli.cli.predict import predict
from linreg_cli.cli.runs import runs_app
from linreg_cli.cli.train import train
from linreg_cli.cli.validate import validate
from linreg_cli.errors import Fault, LinregError

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

        print(f"linreg {__version__}")
        raise typer.Exit


app.command("generate-data")(generate_data)
app.command("generate", hidden=True)(generate_data)
app.command("train")(train)
app.command("evaluate")(evaluate)
app.command("predict")(predict)
app.command("plot")(plot)
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
        result = app(args=list(arguments), prog_name="linreg", standalone_mode=False)
        sys.stdout.flush()
    except LinregError as error:
        output.show_error(error.kind, error.faults, as_json=as_json)
        return error.exit_code
    except typer.TyperException as error:
        message = error.format_message().rstrip(".")
        output.show_error("usage", (Fault(f"{message}; see 'linreg --help'"),), as_json=as_json)
        return error.exit_code
    except typer.Abort:
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:  # the boundary: a bug of ours is shown whole, and still as JSON where that was asked for
        traceback.print_exc()
        output.show_error("bug", (Fault(f"{type(error).__name__}: {error}; this is a bug of linreg"),), as_json=as_json)
        return 1
    if result == 130:
        output.show_error("interrupted", (Fault("interrupted (Ctrl-C)"),), as_json=as_json)
    return result if isinstance(result, int) else 0


def main() -> NoReturn:
    """The console script."""
    sys.exit(run(sys.argv[1:]))
