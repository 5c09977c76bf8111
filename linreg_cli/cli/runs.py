"""`linreg runs list` and `linreg runs show`."""

import csv
import sys
from typing import Annotated, Any

import typer

from linreg_cli.cli import options, output
from linreg_cli.errors import StoreError
from linreg_cli.runs.store import RunFolder, find_run, list_runs

runs_app = typer.Typer(help="Look at the runs that there are.", no_args_is_help=True, rich_markup_mode=None)

_COLUMNS = (
    "run",
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
    as_json: options.Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    outputs: options.Outputs = options.OUTPUTS,
) -> None:
    """List the runs, oldest first.

    Damaged folders are named on stderr and skipped.
    """
    readable, damaged = list_runs(outputs)
    for error in damaged:
        print(f"warning: {error}", file=sys.stderr)
    rows = [_row(run, record) for run, record in readable]
    if as_json:
        output.print_json({"runs": rows})
    elif as_csv:
        writer = csv.DictWriter(sys.stdout, _COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    elif not rows:
        print(f"no runs in {outputs}; make one with 'linreg train -c CONFIG'")
    else:
        shown = [name for name in _COLUMNS if any(row[name] is not None for row in rows)]
        lines = [[_cell(name, row[name]) for name in shown] for row in rows]
        print(output.columns([shown, *lines], left=3))


@runs_app.command("show")
def show(run: options.Run, as_json: options.Json = False, outputs: options.Outputs = options.OUTPUTS) -> None:
    """Show one run: its record and its metrics."""
    folder = find_run(outputs, run)
    record = folder.record()
    metrics = folder.read_json("metrics.json") if (folder.path / "metrics.json").is_file() else None
    if as_json:
        output.print_json({"run": folder.id, "path": str(folder.path), "record": record, "metrics": metrics})
        return
    try:
        lines = _described(record, metrics)
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        reason = f"they do not hold what linreg writes ({type(error).__name__}: {error})"
        raise folder.damaged("{run,metrics}.json", reason) from None
    print(folder.path)
    print("\n".join(lines))


def _described(record: dict[str, Any], metrics: dict[str, Any] | None) -> list[str]:
    rows = [
        [name, str(record[name])]
        for name in ("status", "created", "finished", "seconds", "command", "device", "dtype")
        if name in record
    ]
    rows += [["error", str(record["error"])]] if "error" in record else []
    data = record.get("data") or {}
    splits = ", ".join(f"{n:,} {split}" for split, n in data.get("rows", {}).items() if n)
    rows += [["data", f"{data.get('name')} ({splits})"]]
    rows += [["engine", "{name} ({why})".format(**record["engine"])]] if record.get("engine") else []
    lines = [output.columns(rows, left=2, indent="  ")]
    if metrics is not None:
        lines += ["", output.metrics_table(metrics, indent="  ")]
        lines += ["", output.parameters_table(metrics["parameters"], indent="  ")]
    return lines


def _row(run: RunFolder, record: dict[str, Any]) -> dict[str, Any]:
    try:
        metrics = run.read_json("metrics.json")
    except StoreError:
        metrics = {}
    splits = {name: values for name, values in metrics.items() if isinstance(values, dict)}
    r2 = {f"{split}_r2": splits.get(split, {}).get("r2") for split in ("train", "validation", "test")}
    return {
        "run": run.id,
        "status": record["status"],
        "created": record.get("created"),
        "epochs": record.get("epochs_done"),
        "train_loss": splits.get("train", {}).get("loss"),
        **r2,
        "seconds": record.get("seconds"),
        "data": (record.get("data") or {}).get("name"),
    }


def _cell(name: str, value: Any) -> str:
    if name == "created":
        return str(value)[:19].replace("T", " ")
    if name == "data":
        return str(value)
    return (
        f"{value:.2f}"
        if name == "seconds" and value is not None
        else value
        if isinstance(value, str)
        else output.number(value)
    )
