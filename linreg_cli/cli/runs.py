"""`linreg runs`: list, show, diff, label, rm."""

import fnmatch
import json
import sys
from typing import Annotated, Any

import typer

from linreg_cli import wording
from linreg_cli.cli import coefficients, options, output
from linreg_cli.cli.command import App
from linreg_cli.errors import StoreError, UsageError, did_you_mean
from linreg_cli.runs.find import find_run
from linreg_cli.runs.store import STATUSES, RunFolder, list_runs
from linreg_cli.sweeps.store import find_sweep, sweep_of

runs_app = App(help="List, show, compare, label and remove runs.", no_args_is_help=True, rich_markup_mode=None)

_COLUMNS = (
    "run",
    "label",
    "status",
    "created",
    "epochs",
    "train_loss",
    "train_r2",
    "validation_r2",
    "test_r2",
    "seconds",
    "data",
)


@runs_app.command("list")
def list_(
    status: Annotated[
        list[str] | None,
        typer.Option("--status", metavar="STATUS", help="Only runs with this status. May be repeated."),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Only runs of this name; * and ? are wildcards.")
    ] = None,
    label: Annotated[str | None, typer.Option("--label", metavar="LABEL", help="Only runs with this label.")] = None,
    sweep: Annotated[
        str | None,
        typer.Option(
            "--sweep", metavar="SWEEP", help="Only runs of this sweep: its id, its name (the latest), a path."
        ),
    ] = None,
    sort: Annotated[
        str, typer.Option("--sort", metavar="KEY", help="The column to sort by; runs without a value come last.")
    ] = "created",
    reverse: Annotated[bool, typer.Option("--reverse", help="Sort in descending order.")] = False,
    as_json: options.Json = False,
    as_csv: options.Csv = False,
    quiet: options.Quiet = False,
    outputs: options.Outputs = options.OUTPUTS,
) -> None:
    """List the runs, oldest first.

    A run whose process was killed is shown as interrupted. Damaged folders are reported on stderr and skipped.
    """
    for value, allowed, option in [
        *((item, STATUSES, "--status") for item in status or []),
        (sort, _COLUMNS, "--sort"),
    ]:
        if value not in allowed:
            raise UsageError(f"unknown value {value!r}{did_you_mean(value, allowed)}", option)
    of_sweep = None if sweep is None else find_sweep(outputs, sweep).id
    readable, damaged = list_runs(outputs)
    for error in damaged:
        output.warn(str(error))
    rows = [
        row
        for run, record in readable
        if (row := _row(run, record))
        and (not status or row["status"] in status)
        and (name is None or fnmatch.fnmatchcase(run.id.rpartition("-")[0], name))
        and (label is None or row["label"] == label)
        and (of_sweep is None or sweep_of(record, of_sweep) is not None)
    ]
    known = sorted((row for row in rows if row[sort] is not None), key=lambda row: row[sort], reverse=reverse)
    rows = [*known, *(row for row in rows if row[sort] is None)]
    if as_json:
        output.print_json({"runs": rows})
    elif as_csv:
        output.show_csv([_COLUMNS, *([row[column] for column in _COLUMNS] for row in rows)])
    elif readable and not rows:
        output.show(wording.one_line(f"none of the {len(readable)} runs in {outputs} matches"))
    elif not rows:
        output.show(wording.one_line(f"there are no runs in {outputs}; start one with 'linreg train -c CONFIG'"))
    else:
        shown = [name for name in _COLUMNS if any(row[name] is not None for row in rows)]
        lines = [[_cell(name, row[name]) for name in shown] for row in rows]
        output.show(output.aligned([shown, *lines], left=sum(name in shown for name in _COLUMNS[:4])))


@runs_app.command("show")
def show(
    run: options.Run,
    as_json: options.Json = False,
    as_csv: options.Csv = False,
    outputs: options.Outputs = options.OUTPUTS,
) -> None:
    """Show one run: its record and its metrics.

    With --csv, a line for each value of run.json and metrics.json, with the path of its key joined by dots.
    """
    folder = find_run(outputs, run)
    record = folder.record()
    metrics = folder.read_json("metrics.json") if folder.has("metrics.json") else None
    if as_json:
        output.print_json({"run": folder.id, "path": str(folder.path), "record": record, "metrics": metrics})
        return
    if as_csv:
        from linreg_cli.runs.compare import flat

        values = flat({"record": record, "metrics": metrics})
        lists = {
            key: json.dumps(value, ensure_ascii=False) for key, value in values.items() if type(value) in (list, bool)
        }
        output.show_csv([("key", "value"), *{**values, **lists}.items()])
        return
    with folder.reporting_damage("{run,metrics}.json"):
        lines = _described(record, metrics)
    output.show(wording.one_line(str(folder.path)), *lines)


@runs_app.command("diff")
def diff(
    run: options.Run,
    other: Annotated[str, typer.Argument(metavar="OTHER", help="Another run.")],
    as_json: options.Json = False,
    as_csv: options.Csv = False,
    outputs: options.Outputs = options.OUTPUTS,
) -> None:
    """Show what differs between two runs: config, data, versions, machine, metrics.

    Times and ids, which always differ, are left out.
    """
    from linreg_cli.runs.compare import differences

    folders = find_run(outputs, run), find_run(outputs, other)
    found = differences(*folders)
    if as_json:
        values = {key: {"first": first, "second": second} for key, first, second in found}
        output.print_json({"runs": [folder.id for folder in folders], "differences": values})
    elif as_csv:
        output.show_csv([("key", *(folder.id for folder in folders)), *found])
    elif not found:
        output.show(wording.one_line(f"{folders[0].id} and {folders[1].id} differ only in times and ids"))
    else:
        shown = found[: output.MOST_PARAMETERS]
        cells = [[key, *map(_short, values)] for key, *values in shown]
        lines = output.left_out(len(found) - len(shown), where="--json")
        output.show(output.aligned([["", *(folder.id for folder in folders)], *cells], left=3), *lines)


def _short(value: Any) -> str:
    text = "-" if value is None else wording.one_line(str(value))
    return text if len(text) <= 40 else f"{text[:37]}..."


@runs_app.command("label")
def label(
    run: options.Run,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The label; an empty text removes it.")],
    as_json: options.Json = False,
    outputs: options.Outputs = options.OUTPUTS,
) -> None:
    """Give a run a label, which 'runs list' shows."""
    from linreg_cli.runs.edit import set_label

    folder = find_run(outputs, run)
    set_label(folder, text)
    if as_json:
        output.print_json({"run": folder.id, "label": text or None})


@runs_app.command("rm")
def rm(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="The runs to remove.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: options.Json = False,
    outputs: options.Outputs = options.OUTPUTS,
) -> None:
    """Remove runs permanently.

    Asks for confirmation; without a terminal, --yes is needed. If a run is in use or cannot be found, none is removed.
    """
    from linreg_cli.runs.edit import check_removable, remove

    folders = {folder.path.absolute(): folder for folder in (find_run(outputs, run) for run in runs)}
    for folder in folders.values():
        check_removable(folder)
    names = ", ".join(wording.one_line(folder.id) for folder in folders.values())
    if not yes:
        if as_json or not sys.stdin.isatty():
            raise UsageError(f"this removes {names} permanently; confirm with --yes")
        typer.confirm(f"Remove {names} permanently?", abort=True, err=True)
    for folder in folders.values():
        remove(folder)
    if as_json:
        output.print_json({"removed": [folder.id for folder in folders.values()]})
    else:
        output.show(f"removed {names}")


def _described(record: dict[str, Any], metrics: dict[str, Any] | None) -> list[str]:
    rows = [
        [name, str(record[name])]
        for name in ("label", "status", "created", "finished", "seconds", "command", "device", "dtype")
        if record.get(name) is not None
    ]
    rows += [["error", str(record["error"])]] if "error" in record else []
    data = record.get("data") or {}
    splits = ", ".join(f"{n:,} {split}" for split, n in data.get("rows", {}).items() if n)
    for gate in record.get("gates") or []:
        rows += [["gate", f"{gate['gate']}: {'passed' if gate['passed'] else 'failed, ' + gate['reason']}"]]
    rows += [["resumed", wording.plural(len(record["resumed"]), "time")]] if record.get("resumed") else []
    rows += [["data", f"{data.get('name')} ({splits})"]]
    rows += [["engine", "{name} ({why})".format(**record["engine"])]] if record.get("engine") else []
    lines = [output.aligned(rows, left=2, indent="  ")]
    if metrics is not None:
        lines += ["", output.metrics_table(metrics, record, indent="  ")]
        lines += ["", coefficients.coefficients_text(metrics, record)]
    return lines


def _row(run: RunFolder, record: dict[str, Any]) -> dict[str, Any]:
    try:
        metrics = run.read_json("metrics.json")
    except StoreError:
        metrics = {}
    splits = {name: values for name, values in metrics.items() if isinstance(values, dict)}
    r2 = {f"{split}_r2": splits.get(split, {}).get("r2") for split in ("train", "validation", "test")}
    row = {
        "run": run.id,
        "label": record.get("label"),
        "status": record["status"],
        "created": record.get("created"),
        "epochs": record.get("epochs_done"),
        "train_loss": splits.get("train", {}).get("loss"),
        **r2,
        "seconds": record.get("seconds"),
        "data": (record.get("data") or {}).get("name"),
    }
    numbers = ("epochs", "train_loss", *r2, "seconds")
    fits = {key: isinstance(value, (int, float) if key in numbers else str) for key, value in row.items()}
    return {key: value if fits[key] else None for key, value in row.items()}


def _cell(name: str, value: Any) -> str:
    if name == "created":
        return str(value)[:19].replace("T", " ")
    if name in ("data", "label"):
        return "-" if value is None else str(value)
    return (
        wording.duration(value).removesuffix(" s")
        if name == "seconds" and value is not None
        else value
        if isinstance(value, str)
        else wording.number(value)
    )
