"""`linreg predict`."""

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from linreg_cli import wording
from linreg_cli.cli import destination, options, output, streams
from linreg_cli.cli.table_input import check_format, is_stdin, readable
from linreg_cli.errors import OutOfMemoryError, UsageError
from linreg_cli.paths import expanded, output_path

if TYPE_CHECKING:
    import pyarrow as pa

    from linreg_cli.data.summary import UsedColumn
    from linreg_cli.evaluation.predict import Predictions


class Interval(StrEnum):
    """What an interval is of."""

    prediction = "prediction"
    confidence = "confidence"


def predict(
    run: options.Run,
    data: Annotated[
        str,
        typer.Option(
            "--data",
            metavar="PATH",
            parser=expanded,
            help="The table, a folder, a pattern in quotes, or a pipe; - is stdin. Its columns are matched by name.",
        ),
    ],
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="What standard input, or a file without one of these suffixes, is, and what is written to stdout: csv "
            "(default), tsv or jsonl.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            parser=output_path,
            help="Where to write, in the format that the suffix names; default, and -: stdout, as --format says.",
        ),
    ] = None,
    interval: Annotated[
        Interval | None,
        typer.Option("--interval", help="Append NAME_low and NAME_high: of an observation, or of the mean."),
    ] = None,
    level: Annotated[
        float | None,
        typer.Option("--level", metavar="P", help="The probability that an interval covers, default 0.95."),
    ] = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    outputs: options.Outputs = options.OUTPUTS,
) -> None:
    """Append predictions to a table.

    The target column may be absent; other columns pass through unchanged. Intervals need a model at the exact fit.
    """
    from linreg_cli.config.formats import table_format
    from linreg_cli.data.tables.location import locate
    from linreg_cli.data.tables.write import is_text_suffix, table_suffix
    from linreg_cli.runs.find import find_run

    if destination.goes_to_stdout(out, as_json=as_json) or (out is None and not as_json):
        streams.require_stdout()
        out = None
    if level is not None and interval is None:
        raise UsageError("it is the level of intervals; add --interval prediction or confidence", "--level")
    level = 0.95 if level is None else level
    check_format(format_)
    suffix = table_suffix(out) if out is not None else f".{format_ or 'csv'}"
    if out is not None and os.path.isfile(out) and os.path.isfile(data) and out.samefile(data):
        raise UsageError("the output is the input table; choose another path with -o", str(out))
    folder = find_run(outputs, run)
    from linreg_cli.evaluation.intervals import Asked
    from linreg_cli.evaluation.predict import Predictions
    from linreg_cli.evaluation.saved_model import load_saved_model

    asked = None if interval is None else Asked.checked(interval.value, level, "--level")
    saved = load_saved_model(folder)
    values: dict[str, list[float | None]] = {}
    of_stdout = out is None and not is_stdin(data) and table_format(data) is not None
    with readable(data, None if of_stdout else format_) as path, streams.spool() as spool:
        typed, one_dictionary = not is_text_suffix(suffix), suffix in (".arrow", ".feather")
        found = Predictions(saved, path, output.warn_of, typed=typed, interval=asked, one_dictionary=one_dictionary)
        # A CSV goes on as it came, with its semicolons; a table of another format becomes a CSV with commas.
        delimiter = found.delimiter if locate(path).suffix == ".csv" else None
        with _refusing_types(data, suffix):
            if out is None and as_json:
                values = found.handed_to(lambda rows: _values(found.added, rows))
            else:
                _write(found, out, spool, suffix, delimiter)
        _tell(found)
        if out is None and not as_json:
            streams.copy_to_stdout(spool)
    repaired = [column.as_json() for column in found.columns if column.unknown or column.filled or column.gaps_ignored]
    result = {"run": folder.id, "rows": found.n_rows, "columns": found.added, "repaired": repaired}
    result |= {} if interval is None else {"interval": interval.value, "level": level}
    result |= {"predictions": values} if out is None else {"path": str(out)}
    if as_json:
        output.print_json(result)
    elif out is not None:
        output.show(wording.one_line(str(out)))


@contextlib.contextmanager
def _refusing_types(data: str, suffix: str) -> Iterator[None]:
    """A block that writes a table.

    Raises:
        UsageError: for types of columns that the format does not have.
    """
    import pyarrow as pa

    try:
        yield
    except pa.ArrowException as error:
        if OutOfMemoryError.is_meant_by(error):
            raise
        message = f"cannot write this table as {suffix}: {error}; write a .parquet file with -o"
        raise UsageError(message, data) from None


def _write(found: "Predictions", out: Path | None, spool: IO[bytes], suffix: str, delimiter: str | None) -> None:
    """Write the table with its predictions to a file, or for stdout to a spool."""
    from linreg_cli.data.tables.write import write_table
    from linreg_cli.files import replacing

    if out is None:
        found.handed_to(lambda rows: write_table(streams.emptied(spool), suffix, rows, delimiter))
    else:
        with replacing(out) as draft:
            found.handed_to(lambda rows: write_table(draft, suffix, rows, delimiter))


def _tell(found: "Predictions") -> None:
    """Report what was done to the cells of the table."""
    for text in _treatments(found.columns):
        output.tell(f"note: {text}")


def _values(columns: "Sequence[str]", rows: "Iterable[pa.RecordBatch]") -> dict[str, list[float | None]]:
    """The values of some columns."""
    found: dict[str, list[float | None]] = {column: [] for column in columns}
    for batch in rows:
        for column, cells in found.items():
            cells += batch.column(column).to_pylist()
    return found


def _treatments(columns: "Sequence[UsedColumn]") -> Iterator[str]:
    """A note for each column with imputed cells or unknown levels."""
    for each in columns:
        name = wording.one_line(each.column)
        if each.filled and each.fill is not None:
            cells = "1 missing cell" if each.missing == 1 else f"{each.missing:,} missing cells"
            value = f"the {each.statistic} of the train split, {wording.number(each.fill)}"
            yield f"{name}: {cells} filled with {value}"
        if each.gaps_ignored:
            yield f"{name}: {wording.plural(each.missing, 'missing cell')}, treated as none of the levels"
        if each.unknown:
            cells = wording.plural(each.unknown, "cell")
            yield f"{name}: {cells} with levels that are not in the train split, treated as none of them"
