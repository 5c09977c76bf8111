"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[
    list[str],
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="A config file. May be repeated; later files override earlier ones, key by key.",
    ),
]
MaybeConfig = Annotated[
    list[str] | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="A config file. May be repeated; later files override earlier ones, key by key. Needed without --resume.",
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key, such as optimizer.lr=0.1. May be repeated."),
]
Outputs = Annotated[
    Path, typer.Option("--outputs", envvar="LINREG_OUTPUTS", metavar="DIR", help="The folder of the run folders.")
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
    typer.Option("--junit", metavar="PATH", help="Write the gates as JUnit XML, one test case for each."),
]
Verbose = Annotated[
    bool,
    typer.Option("--verbose", "-v", help="Show on stderr what was chosen and why, and the time of each stage."),
]
Run = Annotated[str, typer.Argument(metavar="RUN", help="A run id, a unique prefix of one, 'latest', or a path.")]

OUTPUTS = Path("outputs")
