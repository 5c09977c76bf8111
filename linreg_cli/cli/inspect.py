"""`linreg inspect`."""

from typing import Annotated

import typer

from linreg_cli.cli import options, output
from linreg_cli.cli.table_input import standard_input
from linreg_cli.cli.table_words import table_faults
from linreg_cli.errors import UsageError


def inspect(
    config: options.Config,
    set_: options.Set = None,
    ridge: Annotated[bool, typer.Option("--ridge", help="Also the leave-one-out errors of ridge penalties.")] = False,
    statistics: options.Statistics = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show the time of each stage on stderr.")] = False,
) -> None:
    """Show what is known before training.

    The columns, their condition number, the stable learning rates, the number of epochs, faster settings, and what to
    do. Reads the data once; trains and writes nothing.
    """
    from linreg_cli.cli.progress import Progress
    from linreg_cli.config import load_config

    options.check_quiet(quiet=quiet, verbose=verbose)
    if faults := table_faults(config, "inspect", "-c"):
        raise UsageError(faults)
    if statistics is not None and ridge:
        raise UsageError("ridge penalties are compared row by row; leave --stats or --ridge out", "--ridge")
    loaded = load_config(config, set_ or [])
    from linreg_cli.inspection.advice import advice
    from linreg_cli.inspection.inspect import inspect_config
    from linreg_cli.inspection.inspect_statistics import inspect_statistics

    progress = Progress(verbose=verbose)
    try:
        for note in loaded.notes:
            progress.warn(note)
        with standard_input():
            if statistics is None:
                found = inspect_config(loaded, progress, ridge=ridge)
            else:
                found = inspect_statistics(loaded, progress, statistics)
    finally:
        progress.done()
    sentences = advice(found)
    if as_json:
        from linreg_cli.cli.inspect_json import inspection_as_json

        output.print_json(inspection_as_json(found, sentences, ridge=ridge))
    else:
        from linreg_cli.cli.inspect_page import page

        output.show(page(found, sentences, ridge=ridge))
