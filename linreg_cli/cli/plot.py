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
    from linreg_cli.figures.epochs import Axes
    from linreg_cli.runs.store import RunFolder


def plot(
    runs: Annotated[
        list[str],
        typer.Argument(metavar="RUN...", help="One run, or several to overlay; or one sweep, as sweeps/ID or a path."),
    ],
    kind: Annotated[
        list[str] | None,
        typer.Option(
            "--kind",
            metavar="KIND",
            help="loss, gap, fit, predicted, residuals, qq, scale_location, leverage, residuals_by_feature, "
            "coefficients, correlation, learning_curve, path, or all that the run has. May be repeated; default: those "
            "that train draws.",
        ),
    ] = None,
    scale: Annotated[
        str, typer.Option("--scale", metavar="SCALE", help="Of loss and gap: auto, linear or log.")
    ] = "auto",
    x: Annotated[str, typer.Option("--x", metavar="X", help="Of loss and gap: epoch or step.")] = "epoch",
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
    quiet: options.Quiet = False,
    outputs: options.Outputs = options.OUTPUTS,
) -> None:
    """Draw the pictures of a run, or several runs in one picture.

    One run: those that train draws, or those of --kind. Several runs: their loss curves, or another kind that overlays
    runs (loss, gap, coefficients, learning_curve, path). Prints the paths.
    """
    from linreg_cli.figures.epochs import Axes
    from linreg_cli.figures.kinds import KINDS
    from linreg_cli.figures.of_run import ALL, FORMATS, write_pictures
    from linreg_cli.figures.sweep import sweep_picture
    from linreg_cli.files import write_bytes
    from linreg_cli.sweeps.store import as_sweep

    _check_values([*((item, (*KINDS, ALL), "--kind") for item in kind or []), (format_, FORMATS, "--format")])
    axes = Axes.checked(scale, x, "--")
    kinds = [*dict.fromkeys(kind or ())]
    _check_axes(kinds, scale, x, [name for name, each in KINDS.items() if each.has_axes])
    to_stdout = destination.goes_to_stdout(folder, as_json=as_json)
    swept = as_sweep(outputs, runs[0]) if len(runs) == 1 else None
    if swept is not None and (kinds or (scale, x) != ("auto", "epoch")):
        raise UsageError("a sweep has one picture; leave --kind, --scale and --x out", runs[0])
    is_picture = folder is not None and folder.suffix.lower().lstrip(".") in FORMATS and not os.path.isdir(folder)
    if is_picture and not to_stdout:
        raise UsageError("-o is a folder, and a picture has the name of its kind; write -o DIR", str(folder))
    folders = [] if swept is not None else [_found(outputs, run, (*KINDS, ALL)) for run in runs]
    with output.warning_of_fonts():
        if swept is not None:
            pictures, target = {f"sweep.{format_}": sweep_picture(swept.read(), format_)}, folder or swept.path
        elif len(folders) == 1:
            pictures, target = _of_one(folders[0], kinds, format_, axes), folder or folders[0].path / "plots"
        else:
            pictures, target = _overlays(folders, kinds or ["loss"], format_, axes), folder or outputs / "comparisons"
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


def _check_values(given: Sequence[tuple[str, Sequence[str], str]]) -> None:
    """Refuse a value of an option that is none of those that it may have; each value, these, and the option."""
    from linreg_cli.errors import did_you_mean

    for value, allowed, option in given:
        if value not in allowed:
            raise UsageError(f"unknown value {value!r}{did_you_mean(value, allowed)}", option)


def _check_axes(kinds: list[str], scale: str, x: str, curves: list[str]) -> None:
    """Refuse options of the axes where no picture has these axes."""
    if (scale, x) == ("auto", "epoch") or not kinds or "all" in kinds or set(kinds) & set(curves):
        return
    option = "--scale" if scale != "auto" else "--x"
    raise UsageError(
        f"it is about the pictures {' and '.join(curves)}; leave it out, or add --kind {curves[0]}", option
    )


def _of_one(run: "RunFolder", kinds: list[str], format_: str, axes: "Axes") -> dict[str, bytes]:
    """The pictures of a run, by file name; of `all`, what cannot be drawn is a warning."""
    from linreg_cli.figures.of_run import ALL, draw_run

    skipped = (lambda error: output.warn(f"not drawn: {error}")) if ALL in kinds else None
    return draw_run(run, kinds, format_, axes=axes, skipped=skipped)


def _overlays(folders: "list[RunFolder]", kinds: list[str], format_: str, axes: "Axes") -> dict[str, bytes]:
    """Several runs in one picture of each kind, by file name; of `all`, each kind that these runs can share."""
    from linreg_cli.figures.kinds import KINDS
    from linreg_cli.figures.of_run import ALL, overlay
    from linreg_cli.runs.compare import comparison_name

    pictures = {}
    every = ALL in kinds
    for kind in [name for name, each in KINDS.items() if each.overlays is not None] if every else kinds:
        name = comparison_name(kind, [run.id for run in folders])
        try:
            drawn = overlay(folders, format_, kind, axes)
        except UsageError as error:
            if not every:
                raise
            output.warn(f"not drawn: {kind}: {error.faults[0].message}")
            continue
        for ending, content in drawn.items():
            pictures[f"{name}{ending}.{format_}"] = content
    return pictures


def _found(outputs: Path, run: str, kinds: Sequence[str]) -> "RunFolder":
    """The run; a kind of picture in the place of one is an error of its own."""
    from linreg_cli.runs.find import find_run

    try:
        return find_run(outputs, run)
    except StoreError:
        if run not in kinds:
            raise
        raise UsageError(f"this is a kind of picture, and no run is called so; write --kind {run}", run) from None
