"""`linreg inspect`."""

from typing import Annotated

import typer

from linreg_cli.cli import options, output


def inspect(
    config: options.Config,
    set_: options.Set = None,
    ridge: Annotated[bool, typer.Option("--ridge", help="Also the error of ridge penalties on rows left out.")] = False,
    as_json: options.Json = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say on stderr what each stage took.")] = False,
) -> None:
    """Say what training will be like, before any.

    The columns, how well conditioned they are, which learning rates are stable, how many epochs it will take, what
    would be faster, and what to do. Reads the data once; trains and writes nothing.
    """
    from linreg_cli.cli.progress import Progress
    from linreg_cli.config import load_config

    loaded = load_config(config, set_ or [])
    from linreg_cli.inspection.advice import advice
    from linreg_cli.inspection.inspect import inspect_config

    progress = Progress(quiet=False, verbose=verbose)
    try:
        for note in loaded.notes:
            progress.warn(note)
        found = inspect_config(loaded, progress, ridge=ridge)
    finally:
        progress.done()
    said = advice(found)
    if as_json:
        from linreg_cli.cli.inspect_json import inspection_as_json

        output.print_json(inspection_as_json(found, said, ridge=ridge))
    else:
        from linreg_cli.cli.inspect_page import page

        print(page(found, said, ridge=ridge))
