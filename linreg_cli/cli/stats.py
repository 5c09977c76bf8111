"""`linreg stats`: second moments of a table or of a part of it, and `merge`."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linreg_cli.cli import destination, options, output
from linreg_cli.cli.command import App, Group
from linreg_cli.cli.table_input import standard_input
from linreg_cli.cli.table_words import table_faults
from linreg_cli.errors import UsageError
from linreg_cli.paths import expanded, output_path
from linreg_cli.wording import one_line, plural

if TYPE_CHECKING:
    from linreg_cli.statistics.facts import TableStatistics

stats_app = App(
    cls=Group,
    help="Keep what one pass over a table finds, for later fits.",
    invoke_without_command=True,
    rich_markup_mode=None,
)

_PART = re.compile(r"([0-9]{1,9})/([0-9]{1,9})")
_SUFFIXES = (".safetensors",)

_Out = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="FILE", parser=output_path, help="Where to write: NAME.safetensors; - is stdout."
    ),
]  # fmt: skip


@stats_app.callback()
def stats(
    context: typer.Context,
    config: Annotated[
        list[str] | None,
        typer.Option(
            "--config",
            "-c",
            metavar="FILE",
            parser=options.config_path,
            help="A config file; - is stdin. May be repeated; later files override earlier ones, key by key.",
        ),
    ] = None,
    part: Annotated[
        str | None,
        typer.Option(
            "--part", metavar="I/N", help="Only part I of N, rows in order; I counts from 1. Merge them with 'merge'."
        ),
    ] = None,
    out: _Out = None,
    set_: options.Set = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Keep what one pass over a table finds, for later fits.

    Second moments of the train split as a triangular factor, levels, extremes, missing cells. 'inspect --stats FILE'
    and 'train --stats FILE' (full batch, squared loss) read it. With --part any machine summarises the rows it has.
    """
    if context.invoked_subcommand is not None:
        if config or part or out or set_:
            raise UsageError("options of 'linreg stats' stand before 'merge'; give merge its files and -o after it")
        return
    if not config:
        raise UsageError("a config is needed: linreg stats -c FILE -o FILE", "-c")
    if faults := table_faults(config, "stats", "-c"):
        raise UsageError(faults)
    to_stdout = _checked(out, as_json=as_json)
    index, of = _part(part)
    from linreg_cli.cli.progress import Progress
    from linreg_cli.config import load_config

    loaded = load_config(config, set_ or [])
    from linreg_cli.statistics.measure import Part, measure

    progress = Progress()
    try:
        progress.stage("reading the data")
        with standard_input(), loaded.placing_errors():
            found = measure(loaded.config, Part(index, of))
    finally:
        progress.done()
    _written(out, found, as_json=as_json, to_stdout=to_stdout)


@stats_app.command("merge")
def merge(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", parser=expanded, help="The files of all parts, in any order."),
    ],
    out: _Out = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Merge the parts of a table: the result stands for the whole.

    The same parts give the same bytes in any order. A part that is missing, or there twice, or of another config, table
    or division, is refused.
    """
    to_stdout = _checked(out, as_json=as_json)
    if twice := sorted({file for file in files if files.count(file) > 1}):
        raise UsageError("the file is named twice; name each part once", twice[0])
    from linreg_cli.errors import DataError, Fault
    from linreg_cli.statistics.kept import read_statistics
    from linreg_cli.statistics.merge import merge_statistics

    parts, faults = {}, list[Fault]()
    for file in files:
        try:
            parts[file] = read_statistics(file)
        except DataError as error:
            faults += error.faults
    if faults:
        raise DataError(faults)
    _written(out, merge_statistics(parts), as_json=as_json, to_stdout=to_stdout)


def _checked(out: Path | None, *, as_json: bool) -> bool:
    """Whether the statistics go to stdout.

    Raises:
        UsageError: without `-o`, and for a name that promises another format.
    """
    if out is None:
        raise UsageError("name the file that is written, such as: -o stats.safetensors", "-o")
    to_stdout = destination.goes_to_stdout(out, as_json=as_json)
    destination.refuse_run_folder(out, "")
    destination.check_suffix(out, _SUFFIXES, "statistics")
    return to_stdout


def _part(text: str | None) -> tuple[int, int]:
    """I and N of `--part I/N`.

    Raises:
        UsageError: unless 1 <= I <= N.
    """
    if text is None:
        return 1, 1
    match = _PART.fullmatch(text)
    index, of = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= index <= of:
        raise UsageError(f"expected I/N with I from 1 to N, such as 1/3, found {text!r}", "--part")
    return index, of


def _written(out: Path | None, found: "TableStatistics", *, as_json: bool, to_stdout: bool) -> None:
    """Write the statistics, and show what they are of."""
    from linreg_cli.statistics.kept import write_statistics

    assert out is not None
    write_statistics(out, found)
    index, of = found.part
    if as_json:
        values = {"path": str(out), "part": [index, of], "rows": found.n_rows, "dropped": found.n_dropped}
        output.print_json({**values, "splits": dict(found.splits), "columns": len(found.moments.keys)})
    elif not to_stdout:
        part = f"part {index}/{of}: " if of > 1 else ""
        rows = f"{part}{plural(found.n_rows, 'row')}, {found.n_train:,} of them in the train split"
        output.show(one_line(rows), one_line(str(out)))
