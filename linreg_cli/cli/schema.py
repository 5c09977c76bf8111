"""`linreg schema`."""

from pathlib import Path
from typing import Annotated

import typer

from linreg_cli.cli import destination, output
from linreg_cli.paths import output_path
from linreg_cli.wording import json_text, one_line


def schema(
    out: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", parser=output_path, help="Where to write; default, and -: stdout."
        ),
    ] = None,
) -> None:
    """Print the JSON Schema of the config, for editors.

    An editor with a YAML language server completes and checks a config whose first line is
    '# yaml-language-server: $schema=FILE', FILE relative to the config.
    """
    from linreg_cli.config.json_schema import json_schema

    if out is None or destination.goes_to_stdout(out, as_json=False):
        output.print_json(json_schema())
        return
    destination.check_suffix(out, (".json",), "JSON Schemas")
    from linreg_cli.files import write_bytes

    write_bytes(out, f"{json_text(json_schema())}\n".encode())
    output.show(one_line(str(out)))
