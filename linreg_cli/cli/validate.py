"""`linreg validate`."""

from typing import Annotated

import typer

from linreg_cli import wording
from linreg_cli.cli import options, output
from linreg_cli.cli.table_words import table_faults
from linreg_cli.errors import ConfigError, Fault, UsageError


def validate(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            parser=options.config_path,
            help="Config files, each checked alone (with --resolved, merged); - is stdin.",
        ),
    ],
    resolved: Annotated[
        bool,
        typer.Option(
            "--resolved",
            help="Print the whole config as it would be used, as YAML: later files override earlier ones, and every "
            "default is written out.",
        ),
    ] = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Check configs and report every error at once.

    No data is read.
    """
    from linreg_cli.config import load_config

    tables = table_faults(files, "validate")
    if tables and resolved:
        raise UsageError(tables)
    if resolved:
        _show_resolved(files, as_json=as_json)
        return
    faults: list[Fault] = tables
    places = {fault.where for fault in tables}
    for file in (each for each in files if each not in places):
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


def _show_resolved(files: list[str], *, as_json: bool) -> None:
    """Print the config of all files together, with every key: `train -c` of it is the run of these files.

    Raises:
        ConfigError: with every fault.
    """
    from linreg_cli.config import dump_config, load_config

    loaded = load_config(files)
    for note in loaded.notes:
        output.warn(note.message)
    if as_json:
        output.print_json({"valid": files, "config": loaded.config.model_dump(mode="json")})
    else:
        output.show(dump_config(loaded.config).rstrip("\n"))
