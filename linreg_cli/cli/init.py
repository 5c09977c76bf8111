"""`linreg init`."""

import os
from pathlib import Path
from typing import Annotated

import typer

from linreg_cli.addresses import has_keys, has_secrets
from linreg_cli.cli import destination, options, output
from linreg_cli.cli.folder import CONFIGS
from linreg_cli.cli.table_input import check_format, standard_input
from linreg_cli.cli.table_words import Words
from linreg_cli.errors import UsageError
from linreg_cli.paths import is_written_through, output_path
from linreg_cli.wording import one_line


def init(
    table: options.Table = None,
    target: options.Target = None,
    features: options.Features = None,
    ignore: options.Ignore = None,
    format_: options.TableFormat = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            parser=output_path,
            help="Where to write; - is stdout; default: NAME.yaml here, for the table NAME.csv.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
    quiet: options.Quiet = False,
) -> None:
    """Write a commented config.

    For a TABLE, one that fits its columns and says why: which are left out, which are categories, what is done about
    gaps. Without a table, a config to start from. Prints the path.
    """
    from linreg_cli.files import write_bytes

    to_stdout = destination.goes_to_stdout(out, as_json=False)
    destination.check_suffix(out, CONFIGS, "configs")
    check_format(format_)
    words = Words(table, target, features, ignore, format_)
    if table is None and format_ is not None:
        raise UsageError("it is about a TABLE, and none was given; in a config set data.format", "--format")
    with standard_input():
        words.check(name="init")
        path, content = _content(words, out)
    if not force and not is_written_through(path) and os.path.isfile(path):
        raise UsageError("the file exists; overwrite it with --force, or choose another one with -o", str(path))
    if os.path.isdir(path):
        raise UsageError("this is a folder; give the name of a file with -o", str(path))
    if is_written_through(path) and has_keys(table or ""):
        message = "the config holds the keys of the address; write it to a file with -o FILE, or set them in the"
        raise UsageError(f"{message} environment, as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", table)
    write_bytes(path, content.encode("utf-8"), mode=0o600 if has_secrets(content) else None)
    if not to_stdout:
        output.show(one_line(str(path)))


def _content(words: Words, out: Path | None) -> tuple[Path, str]:
    """The path of the config and its content."""
    from linreg_cli.config.formats import table_stem
    from linreg_cli.starter.blank import blank
    from linreg_cli.starter.text import head

    usual = Path(f"{table_stem(words.table or '') or 'config'}.yaml")
    path = out or usual
    file = str(usual if is_written_through(path) else path)  # what goes to a pipe is kept under some name
    if words.table is None:
        return path, blank(file)
    draft = words.draft(words.overrides, lambda _: None)
    config = draft.load(words.overrides).config
    for finding in (*draft.choices.warnings(config), *draft.choices.outlook_of(config)):
        output.warn_of(finding)
    return path, head(draft.choices, file) + draft.text
