"""Options that several commands share."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from linreg_cli.cli.output import prompt
from linreg_cli.cli.table_input import is_stdin
from linreg_cli.errors import UsageError
from linreg_cli.paths import expanded, output_path

OUTPUTS = Path("outputs")


def config_path(text: str) -> str:
    """The path of a config as a user gives it; `-` is standard input, which is said where nothing is piped into it."""
    if text == "-" and sys.stdin.isatty():
        prompt("standard input is a terminal; type or paste the config, and end it with Ctrl-D")
    return expanded(text)


def _table(text: str) -> str:
    return "-" if is_stdin(text) else expanded(text)


def _folder(text: str | Path) -> Path:
    return Path(expanded(str(text)))


Config = Annotated[
    list[str],
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        parser=config_path,
        help="A config file; - is stdin. May be repeated; later files override earlier ones, key by key.",
    ),
]
MaybeConfig = Annotated[
    list[str] | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        parser=config_path,
        help="A config file; - is stdin. May be repeated; later files override earlier ones, key by key. Needed "
        "without TABLE and --resume.",
    ),
]
Table = Annotated[
    str | None,
    typer.Argument(
        metavar="[TABLE]",
        parser=_table,
        help="A table: .csv, .tsv, .parquet, ..., a folder of parts, a pattern in quotes; - is stdin. Needs --target.",
    ),
]
Target = Annotated[
    list[str] | None,
    typer.Option("--target", metavar="COL[,COL]", help="The column of TABLE to predict, or several. May be repeated."),
]
Features = Annotated[
    list[str] | None,
    typer.Option(
        "--features",
        metavar="COL[,COL]",
        help="The columns of TABLE to predict from; default: every other one that can be used. May be repeated.",
    ),
]
Ignore = Annotated[
    list[str] | None,
    typer.Option("--ignore", metavar="COL[,COL]", help="Columns of TABLE that are not used. May be repeated."),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key, such as optimizer.lr=0.1. May be repeated."),
]
Outputs = Annotated[
    Path,
    typer.Option(
        "--outputs",
        envvar="LINREG_OUTPUTS",
        metavar="DIR",
        parser=_folder,
        help="The folder of the run folders.",
    ),
]
TableFormat = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help="What standard input, or a file without one of these suffixes, is: csv (default), tsv or jsonl.",
    ),
]
Statistics = Annotated[
    str | None,
    typer.Option(
        "--stats",
        metavar="FILE",
        parser=expanded,
        help="What 'linreg stats' has kept of the table, which is then not read (full batch, squared loss).",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print exactly one JSON object.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print CSV.")]
FailIf = Annotated[
    list[str] | None,
    typer.Option(
        "--fail-if", metavar="EXPR", help="Exit with code 5 if this holds, such as 'test.r2 < 0.9'. May be repeated."
    ),
]
Junit = Annotated[
    Path | None,
    typer.Option(
        "--junit", metavar="PATH", parser=output_path, help="Write the gates as JUnit XML, one test case for each."
    ),
]
Verbose = Annotated[
    bool,
    typer.Option("--verbose", "-v", help="Show on stderr what was chosen and why, and the time of each stage."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print the result only: no notes, warnings or progress.")]
Run = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run id, the name of runs (their latest), a unique prefix of an id, 'latest', or a path.",
    ),
]


def check_quiet(*, quiet: bool, verbose: bool) -> None:
    """Refuse `--quiet` together with `--verbose`.

    Raises:
        UsageError: for both.
    """
    if quiet and verbose:
        raise UsageError("--quiet and --verbose contradict each other; use one of them", "--quiet")
