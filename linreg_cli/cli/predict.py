"""`linreg predict`."""

import io
import sys
from pathlib import Path
from typing import Annotated

import typer

from linreg_cli.cli import options, output
from linreg_cli.errors import UsageError


def predict(
    run: options.Run,
    data: Annotated[str, typer.Option("--data", metavar="PATH", help="The table; its columns are matched by name.")],
    out: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="PATH", help="Where to write; default: CSV on stdout."),
    ] = None,
    as_json: options.Json = False,
    outputs: options.Outputs = options.OUTPUTS,
) -> None:
    """Append predictions to a table.

    The target column may be absent; other columns pass through unchanged.
    """
    import pyarrow as pa

    from linreg_cli.data.write import is_text, table_suffix, write_table
    from linreg_cli.runs.store import find_run

    suffix = table_suffix(out) if out is not None else ".csv"
    if out is not None and out.exists() and Path(data).exists() and out.samefile(data):
        raise UsageError("this is the table itself, which is never written to; choose another with -o", str(out))
    folder = find_run(outputs, run)
    from linreg_cli.evaluate.predict import predict_table
    from linreg_cli.evaluate.trained import load_trained
    from linreg_cli.runs.atomic import replacing

    table, added = predict_table(load_trained(folder), data, typed=not is_text(suffix))
    gaps = table.column(added[0]).null_count
    if gaps:
        missing = "a cell is missing that training dropped rows for (preprocess.missing: drop)"
        print(f"warning: {gaps:,} of {table.num_rows:,} rows have no prediction: {missing}", file=sys.stderr)
    result = {"run": folder.id, "rows": table.num_rows, "columns": added}
    try:  # one row tells whether the format can hold every column, before anything is written
        write_table(io.BytesIO(), suffix, table.slice(0, 1))
    except pa.ArrowException as error:
        raise UsageError(f"cannot write this table as {suffix}: {error}; write .parquet with -o", data) from None
    if out is not None:
        with replacing(out) as sibling:
            write_table(sibling, suffix, table)
        result["path"] = str(out)
        if not as_json:
            print(out)
    elif not as_json:
        write_table(sys.stdout.buffer, suffix, table)
    else:
        result["predictions"] = {name: table.column(name).to_pylist() for name in added}
    if as_json:
        output.print_json(result)
