"""`linreg generate-data`."""

import time
from pathlib import Path
from typing import Annotated

import typer

from linreg_cli.cli import destination, options, output
from linreg_cli.cli.table_input import check_format
from linreg_cli.cli.table_words import table_faults
from linreg_cli.errors import UsageError
from linreg_cli.paths import output_path
from linreg_cli.wording import one_line


def generate_data(
    config: Annotated[
        list[str] | None,
        typer.Option(
            "--config",
            "-c",
            metavar="FILE",
            parser=options.config_path,
            help="A config file; - is stdin; default: 'data: {source: synthetic}'.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            parser=output_path,
            help="A .csv, .csv.gz, .parquet, ...; - is stdout, as --format says; default: data/NAME.csv.",
        ),
    ] = None,
    format_: Annotated[
        str | None,
        typer.Option("--format", metavar="FORMAT", help="What is written to stdout: csv (default), tsv or jsonl."),
    ] = None,
    set_: options.Set = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Write generated data as a table.

    The table is what 'data.source: synthetic' describes; <stem>.truth.json beside it holds the true weights. There is
    none beside stdout, a pipe or a device.
    """
    from linreg_cli.cli.progress import Progress
    from linreg_cli.config import load_config

    if faults := table_faults(config or (), "generate-data", "-c"):
        raise UsageError(faults)
    to_stdout = destination.goes_to_stdout(out, as_json=as_json)
    check_format(format_)
    if format_ is not None and not to_stdout:
        raise UsageError("it is for '-o -'; a file has the format of its suffix", "--format")
    begun = time.perf_counter()
    loaded = load_config(config or [], [*([] if config else ["data.source=synthetic"]), *(set_ or [])])
    from linreg_cli.pipeline.generate import generate_table

    progress = Progress()
    try:
        done = generate_table(loaded, out, progress.rows, suffix=format_ and f".{format_}")
    finally:
        progress.done()
    if to_stdout:
        return
    truth = None if done.truth_path is None else str(done.truth_path)
    if as_json:
        seconds = time.perf_counter() - begun
        values = {"path": str(done.path), "truth": truth, "rows": done.n_rows}
        output.print_json({**values, "columns": list(done.columns), "seconds": seconds})
    else:
        lines = [f"{done.n_rows:,} rows: {', '.join(done.columns)}", f"table:  {done.path}"]
        lines += [] if truth is None else [f"truth:  {truth}"]
        output.show(*map(one_line, lines))
