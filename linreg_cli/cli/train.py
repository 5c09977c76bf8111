"""`linreg train`."""

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linreg_cli.cli import coefficients, options, output
from linreg_cli.errors import Fault, UsageError

if TYPE_CHECKING:
    from linreg_cli.workflow import Outcome, Prepared


def train(
    config: options.Config,
    set_: options.Set = None,
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="Same as --set name=NAME.")] = None,
    device: Annotated[
        str | None, typer.Option("--device", metavar="DEVICE", help="Same as --set train.device=DEVICE.")
    ] = None,
    outputs: options.Outputs = options.OUTPUTS,
    fail_if: options.FailIf = None,
    as_json: options.Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the path of the run and nothing else.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything and read the data, but train nothing.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Train even at a learning rate that must diverge.")] = False,
) -> None:
    """Train a model and leave a run folder.

    Evaluates on every split and draws the pictures.
    """
    from linreg_cli.cli.progress import Progress
    from linreg_cli.config import load_config
    from linreg_cli.config.gates import parse_comparison

    for expression in fail_if or []:
        try:
            parse_comparison(expression)
        except ValueError as error:
            raise UsageError(str(error), "--fail-if") from None
    shorthands = {"name": name, "train.device": device}
    # In quotes, so that '--name 2014' is text.
    quoted = {key: json.dumps(value, ensure_ascii=False) for key, value in shorthands.items() if value is not None}
    overrides = [*(set_ or []), *(f"{key}={value}" for key, value in quoted.items())]
    loaded = load_config(config, overrides)
    from linreg_cli import workflow

    progress = Progress(quiet=quiet, as_json=as_json)
    try:
        for note in loaded.notes:
            progress.warn(note)
        if dry_run:
            prepared = workflow.prepare(loaded, progress)
            prepared.check(loaded, progress, force=force)
            progress.done()
            _show_plan(prepared, as_json=as_json)
            return
        command = ["linreg", *sys.argv[1:]]
        outcome = workflow.train_run(
            loaded, outputs=outputs, reporter=progress, command=command, fail_if=fail_if or [], force=force
        )
    finally:
        progress.done()
    _show(outcome, loaded.config, as_json=as_json, quiet=quiet)


def _show(outcome: "Outcome", config: Any, *, as_json: bool, quiet: bool) -> None:
    result = {
        "run": outcome.run.id,
        "path": str(outcome.run.path),
        "status": outcome.status,
        "metrics": outcome.metrics,
        "seconds": outcome.seconds,
        "data": outcome.run.record()["data"],
    }
    failed = [
        Fault(f"gate '{gate.gate}' failed: {gate.reason}", outcome.run.id) for gate in outcome.gates if not gate.passed
    ]
    if as_json and not failed:
        output.print_json(result)
    elif quiet and not as_json:
        print(outcome.run.path)
    elif not as_json:
        print(_summary(outcome))
    if failed:
        output.show_error("gate", failed, as_json=as_json, result=result)
        raise typer.Exit(5)


def _summary(outcome: "Outcome") -> str:
    record = outcome.run.record()
    steps = f"{record['epochs_done']:,} epochs, {record['steps_done']:,} steps"
    lines = [
        f"{outcome.run.id}: {steps} on {record['device']} in {outcome.seconds:.2f} s",
        *([f"stopped early: {outcome.stopped}"] if outcome.stopped else []),
        "",
        output.metrics_table(outcome.metrics, indent="  "),
        *output.cross_validation_lines(outcome.metrics, indent="  "),
        "",
        coefficients.gap_in_words(outcome.metrics),
        "",
        output.parameters_title(record["data"]["targets"], record.get("target_transform", "none")),
        output.parameters_table(outcome.metrics["parameters"], indent="  "),
    ]
    if outcome.metrics["probe"]:
        rows = [["probe", "before", "after"]]
        for point in outcome.metrics["probe"]:
            rows.append([", ".join(map(output.value, point[key])) for key in ("input", "before", "after")])
        lines += ["", output.columns(rows, indent="  ")]
    passed = [gate for gate in outcome.gates if gate.passed]
    lines += ["", *(f"gate '{gate.gate}' passed ({output.number(gate.measured)})" for gate in passed)] if passed else []
    lines += ["", f"run:      {outcome.run.path}"]
    lines += [f"{'pictures:' if position == 0 else '':9} {path}" for position, path in enumerate(outcome.pictures)]
    return "\n".join(lines)


def _show_plan(prepared: "Prepared", *, as_json: bool) -> None:
    plan, dataset = prepared.plan, prepared.dataset
    rows = {split: len(part) for split, part in dataset.splits.items()}
    values: dict[str, Any] = {
        "status": "dry-run",
        "rows": rows,
        "features": list(dataset.features),
        "targets": list(dataset.targets),
        "steps_per_epoch": plan.steps_per_epoch,
        "total_steps": plan.total_steps,
        "device": prepared.config.train.device,
        "lr": prepared.chosen.lr,
        "momentum": prepared.chosen.momentum,
        "engine": {"name": prepared.choice.executor.name, "why": prepared.choice.why},
    }
    if dataset.report is not None:
        values["data"] = dataset.report.as_json()
    if as_json:
        output.print_json(values)
        return
    print(f"rows:      {', '.join(f'{n:,} {split}' for split, n in rows.items() if n)}")
    print(f"features:  {', '.join(dataset.features)}")
    print(f"target:    {', '.join(dataset.targets)}")
    steps = f"{plan.epochs:,} epochs of {plan.steps_per_epoch:,} = {plan.total_steps:,}"
    print(f"steps:     {steps}, batches of {plan.batch_size:,}")
    print(f"rate:      {output.number(values['lr']['value'])} ({values['lr']['why']})")
    print(f"executor:  {prepared.choice.executor.name} on {prepared.config.train.device} ({prepared.choice.why})")
    print("nothing was trained (--dry-run)")
