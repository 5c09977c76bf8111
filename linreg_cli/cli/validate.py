"""`linreg validate`."""

from typing import Annotated

import typer

from linreg_cli import wording
from linreg_cli.cli import options, output
from linreg_cli.errors import ConfigError, Fault
from linreg_cli.paths import expanded


def validate(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", parser=expanded, help="Config files, each checked alone; - is stdin."),
    ],
    as_json: options.Json = False,
) -> None:
    """Check configs and report every error at once.

    No data is read.
    """
    from linreg_cli.config import load_config

    faults: list[Fault] = []
    for file in files:
        try:
            loaded = load_config([file])
        except ConfigError as error:
            faults += error.faults
        else:
            if not as_json:
                output.show(wording.one_line(f"{'standard input' if file == '-' else file}: ok"))
            for note in loaded.notes:
                output.warn(f"{file}: {note.message}")
    if faults:
        raise ConfigError(faults)
    if as_json:
        output.print_json({"valid": files})
