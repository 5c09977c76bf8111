"""`linreg report`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linreg_cli import wording
from linreg_cli.cli import destination, options, output
from linreg_cli.errors import StoreError, UsageError
from linreg_cli.paths import output_path
from linreg_cli.remedies import command

if TYPE_CHECKING:
    from linreg_cli.runs.store import RunFolder
    from linreg_cli.sweeps.store import SweepFolder

_SUFFIXES = (".html", ".htm")


def report(
    runs: Annotated[
        list[str],
        typer.Argument(metavar="RUN...", help="One run, or several to compare; or one sweep, as sweeps/ID or a path."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            parser=output_path,
            help="Where to write; - is stdout; default: report.html in the run, for several in OUTPUTS/comparisons.",
        ),
    ] = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    outputs: options.Outputs = options.OUTPUTS,
) -> None:
    """Write one HTML file about a run, several runs or a sweep.

    The file is self-contained: it can be mailed, kept as a CI artifact and printed. A run that did not finish has a
    report, too. Prints the path.
    """
    from linreg_cli.files import make_folder, write_bytes
    from linreg_cli.report.document import page_of
    from linreg_cli.runs.compare import comparison_name
    from linreg_cli.runs.store import REPORT
    from linreg_cli.sweeps.store import as_sweep

    to_stdout = destination.goes_to_stdout(out, as_json=as_json)
    if len(runs) == 1 and (swept := as_sweep(outputs, runs[0])) is not None:
        _of_sweep(swept, out, as_json=as_json, to_stdout=to_stdout)
        return
    found = [_found(outputs, run) for run in runs]
    folders = list({folder.path.resolve(): folder for folder in found}.values())
    if out is None and len(folders) == 1:
        path = folders[0].path / REPORT
    elif out is None:
        path = outputs / "comparisons" / f"{comparison_name('report', [run.id for run in folders])}.html"
    else:
        path = out
        destination.refuse_run_folder(out, REPORT)
        destination.check_suffix(out, _SUFFIXES, "reports")
    with output.warning_of_fonts():
        content = page_of(folders).encode("utf-8")
    if out is None:
        make_folder(path.parent)
    write_bytes(path, content, own=out is None)
    if to_stdout:
        return
    if as_json:
        output.print_json({"report": str(path), "runs": [folder.id for folder in folders]})
    else:
        output.show(wording.one_line(str(path)))


def _of_sweep(folder: "SweepFolder", out: Path | None, *, as_json: bool, to_stdout: bool) -> None:
    """Write the report of a sweep."""
    from linreg_cli.files import write_bytes
    from linreg_cli.report.sweep import sweep_page
    from linreg_cli.runs.store import REPORT

    path = folder.path / REPORT if out is None else out
    if out is not None:
        destination.refuse_run_folder(out, REPORT)
        destination.check_suffix(out, _SUFFIXES, "reports")
    with output.warning_of_fonts():
        content = sweep_page(folder).encode("utf-8")
    write_bytes(path, content, own=out is None)
    if as_json:
        output.print_json({"report": str(path), "sweep": folder.id})
    elif not to_stdout:
        output.show(wording.one_line(str(path)))


def _found(outputs: Path, run: str) -> "RunFolder":
    """The run; the name of the page in the place of one is an error of its own."""
    from linreg_cli.runs.find import find_run

    try:
        return find_run(outputs, run)
    except StoreError:
        if not run.lower().endswith(_SUFFIXES):
            raise
        message = f"no run is called so; for the name of the file write {command('-o', run)}"
        raise UsageError(message, run) from None
