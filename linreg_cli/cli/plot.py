"""`linreg plot`."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linreg_cli import wording
from linreg_cli.cli import destination, options, output
from linreg_cli.errors import StoreError, UsageError
from linreg_cli.paths import output_path

if TYPE_CHECKING:
    from linreg_cli.runs.store import RunFolder


def plot(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="One run, or several to overlay.")],
    kind: Annotated[
        list[str] | None,
        typer.Option("--kind", metavar="KIND", help="loss, fit, predicted, residuals or leverage; default: all."),
    ] = None,
    format_: Annotated[str, typer.Option("--format", metavar="FORMAT", help="png, svg or pdf.")] = "png",
    folder: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            parser=output_path,
            help="The folder to write to; - for one picture on stdout; default: the run's plots/.",
        ),
    ] = None,
    as_json: options.Json = False,
    outputs: options.Outputs = options.OUTPUTS,
) -> None:
    """Draw the pictures of a run, or the loss curves of several.

    One run: all its pictures, or those of --kind. Several runs: their loss curves in one picture. Prints the paths.
    """
    from linreg_cli.errors import did_you_mean
    from linreg_cli.figures.of_run import FORMATS, KINDS, draw_run, overlay, write_pictures
    from linreg_cli.files import write_bytes
    from linreg_cli.runs.compare import comparison_name

    for value, allowed, option in [
        *((item, KINDS, "--kind") for item in kind or []),
        (format_, FORMATS, "--format"),
    ]:
        if value not in allowed:
            raise UsageError(f"unknown value {value!r}{did_you_mean(value, allowed)}", option)
    to_stdout = destination.goes_to_stdout(folder, as_json=as_json)
    is_picture = folder is not None and folder.suffix.lower().lstrip(".") in FORMATS and not os.path.isdir(folder)
    if is_picture and not to_stdout:
        raise UsageError("-o is a folder, and a picture has the name of its kind; write -o DIR", str(folder))
    folders = [_found(outputs, run, KINDS) for run in runs]
    if len(folders) > 1 and kind and set(kind) != {"loss"}:
        raise UsageError("several runs have only a loss picture; for other kinds give one run", "--kind")
    with output.warning_of_fonts():
        if len(folders) == 1:
            pictures, target = draw_run(folders[0], kind or (), format_), folder or folders[0].path / "plots"
        else:
            name = comparison_name("loss", [run.id for run in folders])
            pictures = {f"{name}.{format_}": overlay(folders, format_)}
            target = folder or outputs / "comparisons"
    if to_stdout:
        if len(pictures) != 1:
            raise UsageError(f"{len(pictures)} pictures do not go into one file; choose one with --kind", "-o")
        write_bytes(target, next(iter(pictures.values())))
        return
    paths = write_pictures(pictures, target)
    if as_json:
        output.print_json({"pictures": [str(path) for path in paths]})
    else:
        output.show(*(wording.one_line(str(path)) for path in paths))


def _found(outputs: Path, run: str, kinds: Sequence[str]) -> "RunFolder":
    """The run; a kind of picture in the place of one is an error of its own."""
    from linreg_cli.runs.find import find_run

    try:
        return find_run(outputs, run)
    except StoreError:
        if run not in kinds:
            raise
        raise UsageError(f"this is a kind of picture, and no run is called so; write --kind {run}", run) from None
