"""`linreg generate-data`."""

import time
from typing import Annotated

import typer

from linreg_cli.cli import options, output
from linreg_cli.wording import one_line


def generate_data(
    config: Annotated[
        list[str] | None,
        typer.Option("--config", "-c", metavar="FILE", help="A config file; default: 'data: {source: synthetic}'."),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="PATH", help="A .csv, .csv.gz or .parquet; default: data/NAME.csv."),
    ] = None,
    set_: options.Set = None,
    as_json: options.Json = False,
) -> None:
    """Write generated data as a table.

    The table is what 'data.source: synthetic' describes; <stem>.truth.json beside it holds the true weights.
    """
    from linreg_cli.cli.progress import Progress
    from linreg_cli.config import load_config

    begun = time.perf_counter()
    loaded = load_config(config or [], [*([] if config else ["data.source=synthetic"]), *(set_ or [])])
    from linreg_cli.pipeline.generate import generate_table

    progress = Progress(quiet=False)
    try:
        done = generate_table(loaded, out, progress.rows)
    finally:
        progress.done()
    if as_json:
        seconds = time.perf_counter() - begun
        values = {"path": str(done.path), "truth": str(done.truth_path), "rows": done.n_rows}
        output.print_json({**values, "columns": list(done.columns), "seconds": seconds})
    else:
        lines = [f"{done.n_rows:,} rows: {', '.join(done.columns)}", f"table:  {done.path}"]
        output.show(*map(one_line, [*lines, f"truth:  {done.truth_path}"]))
