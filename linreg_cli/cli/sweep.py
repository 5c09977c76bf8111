"""`linreg sweep`."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linreg_cli import wording
from linreg_cli.cli import options, output
from linreg_cli.cli.table_words import table_faults
from linreg_cli.errors import DivergedError, Fault, UsageError

if TYPE_CHECKING:
    from linreg_cli.config.source import ConfigText
    from linreg_cli.sweeps.store import Point, Sweep, SweepFolder

#: The points of the table on the terminal; the others are counted.
_MOST_POINTS = 100
#: Warnings about the settings of a point, which a grid tries on purpose; they are counted.
_EXPECTED = ("not_converged", "rate", "loss_rose")


def sweep(
    config: options.MaybeConfig = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="A key and its values, such as optimizer.lr=0.01,0.1,1; one value is the same for every point. May be "
            "repeated.",
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs", "-j", metavar="N", min=1, help="Processes at a time, which share the threads; default 1."
        ),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            "--metric",
            metavar="METRIC",
            help="What the points are compared by, a path into metrics.json; default: validation.loss where there is "
            "such a split, else the error of the cross-validation, else train.loss.",
        ),
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option("--resume", metavar="SWEEP", help="Train the points of a sweep that have no result; without -c."),
    ] = None,
    as_json: options.Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the path of the sweep only.")] = False,
    outputs: options.Outputs = options.OUTPUTS,
) -> None:
    """Train one run for each point of a grid, and name the best.

    --set KEY=V1,V2 gives a key several values, split at the commas outside brackets and quotes. Each combination is an
    ordinary run; a point that diverges or fails does not stop the others. OUTPUTS/sweeps/NAME-0001 has the points, a
    table and a picture.
    """
    from linreg_cli.runs.signals import StopRequests

    reporter = _Reporter(as_json=as_json)
    with StopRequests() as stops:
        folder, found = _swept(config or (), set_ or (), jobs, metric, resume, outputs, reporter, stops)
        _draw(folder, found)
    reporter.leave()
    if not as_json:
        _show(folder, found, quiet=quiet)
    if found.of("finished"):
        if as_json:
            output.print_json(_as_json(folder, found))
        return
    fault = Fault(f"no point of {folder.id} has finished; sweep.csv says why", str(folder.path))
    output.show_error(DivergedError.kind, [fault], as_json=as_json, result=_as_json(folder, found))
    raise typer.Exit(DivergedError.exit_code)


def _swept(
    config: Sequence[str],
    expressions: Sequence[str],
    jobs: int | None,
    metric: str | None,
    resume: str | None,
    outputs: Path,
    reporter: "_Reporter",
    stops: Any,
) -> "tuple[SweepFolder, Sweep]":
    """Check the options, and run or resume the sweep."""
    from linreg_cli.cli.sweep_worker import command as start
    from linreg_cli.pipeline.sweep import prepare_sweep, resume_sweep, run_sweep
    from linreg_cli.sweeps.grid import parse_grid
    from linreg_cli.sweeps.store import find_sweep

    line = ["linreg", *sys.argv[1:]]
    if resume is not None:
        given = {"--config": config, "--set": expressions, "--metric": metric}
        for option, value in given.items():
            if value:
                raise UsageError(f"--resume has the settings of its sweep; leave {option} out", option)
        folder = find_sweep(outputs, resume)
        return resume_sweep(folder, jobs=jobs, start=start, command=line, reporter=reporter, stops=stops)
    given_again = [word for each in expressions for word in ("--set", each)]
    if faults := table_faults(config, "sweep", *given_again, "-c"):
        raise UsageError(faults)
    if not config:
        raise UsageError("Missing option '--config' / '-c'; or continue a sweep with --resume SWEEP")
    grid = parse_grid(expressions)
    prepared = prepare_sweep([_at_hand(file) for file in config], grid, metric, reporter)
    return run_sweep(
        prepared, grid, outputs=outputs, jobs=jobs or 1, start=start, command=line, reporter=reporter, stops=stops
    )


def _at_hand(file: str) -> "str | ConfigText":
    """A config file; standard input is read once, though every point has the config."""
    if file != "-":
        return file
    from linreg_cli.config.load import merged_text
    from linreg_cli.config.source import ConfigText

    return ConfigText("standard input", merged_text(["-"]), "run")


def _draw(folder: "SweepFolder", found: "Sweep") -> None:
    """Draw the picture of the sweep; one that cannot be drawn is a warning."""
    from linreg_cli.errors import PlotError
    from linreg_cli.figures.sweep import sweep_picture
    from linreg_cli.sweeps.store import PICTURE

    try:
        with output.warning_of_fonts():
            folder.write(PICTURE, sweep_picture(found))
    except PlotError as error:
        output.warn(f"the picture of the sweep was not drawn: {error}")


class _Reporter:
    """Writes a line to stderr for each point that has ended, and each kind of warning of the runs once."""

    def __init__(self, *, as_json: bool) -> None:
        self._quiet = as_json
        self._seen: dict[str, int] = {}

    def begun(self, sweep: "Sweep", path: Path) -> None:
        """See `SweepReporter`."""
        if not self._quiet:
            left = len([each for each in sweep.points if each.status not in ("finished", "diverged")])
            output.tell(wording.one_line(f"{sweep.id}: {wording.plural(left, 'point')}, {sweep.metric}, in {path}"))

    def ended(self, point: "Point", sweep: "Sweep") -> None:
        """See `SweepReporter`. Points without a result are reported with --json, too."""
        from linreg_cli.sweeps.found import called

        done = len([each for each in sweep.points if each.status not in ("waiting", "running")])
        head = f"{sweep.id}: {done}/{len(sweep.points)}  {called(point)}"
        if point.status != "finished":
            first = (point.error or "").partition("\n")[0]
            output.warn(f"{head}: {point.status}{f': {first}' if first else ''}")
        elif not self._quiet:
            gates = "  a gate failed" if point.gates is False else ""
            output.tell(wording.one_line(f"{head}  {sweep.metric} {wording.number(point.metric)}{gates}"))

    def warn(self, message: str) -> None:
        """See `SweepReporter`."""
        output.warn(message)

    def warn_of_run(self, kind: str, message: str, point: "Point") -> None:
        """See `SweepReporter`."""
        self._seen[kind] = self._seen.get(kind, 0) + 1
        if self._seen[kind] == 1 and kind not in _EXPECTED:
            output.warn(f"point {point.point}: {message}")

    def leave(self) -> None:
        """Say how many warnings were not shown."""
        shown = [kind for kind in self._seen if kind not in _EXPECTED]
        more = {kind: left for kind, times in self._seen.items() if (left := times - (kind in shown))}
        if more and not self._quiet:
            listed = ", ".join(f"{times:,} {kind}" for kind, times in more.items())
            output.tell(f"more warnings, in run.json of the runs: {listed}")


def _as_json(folder: "SweepFolder", found: "Sweep") -> dict[str, Any]:
    values = found.as_json()
    kept = ("metric", "winner", "tied", "limits", "auto", "points")
    return {"sweep": found.id, "path": str(folder.path), **{key: values[key] for key in kept}}


def _show(folder: "SweepFolder", found: "Sweep", *, quiet: bool) -> None:
    """Show the points and the winner on stdout, and the path of the sweep; of a quiet one the path only."""
    from linreg_cli.sweeps.found import sentences, shown

    path = wording.one_line(str(folder.path))
    if quiet:
        return output.show(path)
    winner = found.winner
    header = ["point", *found.grid, "status", "run", found.metric, "gap", "seconds"]
    rows = []
    for each in found.points[:_MOST_POINTS]:
        cells = [f"{each.point}{' *' if each is winner else ''}", *(shown(each.overrides[key]) for key in found.grid)]
        cells += [each.status, each.run or "-", wording.number(each.metric)]
        cells += ["-" if each.gap is None else wording.gap(each.gap)]
        rows.append([*cells, "-" if each.seconds is None else wording.duration(each.seconds).removesuffix(" s")])
    lines = output.left_out(len(found.points) - len(rows), where="sweep.csv")
    output.show(output.aligned([header, *rows], left=3 + len(found.grid)), *lines, "")
    return output.show(*(output.prose(each) for each in sentences(found)), path)
