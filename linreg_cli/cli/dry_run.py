"""`linreg train --dry-run`: what a run would do."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from linreg_cli import wording
from linreg_cli.cli import output

if TYPE_CHECKING:
    from linreg_cli.cli.progress import Progress
    from linreg_cli.config import LoadedConfig
    from linreg_cli.pipeline.prepared import Prepared
    from linreg_cli.ranks.group import Ranks
    from linreg_cli.starter.known import Known


def show_plan(
    loaded: "LoadedConfig",
    known: "Known | None",
    progress: "Progress",
    fail_if: list[str],
    outputs: Path,
    statistics: str | None,
    ranks: "Ranks | None",
    *,
    force: bool,
    as_json: bool,
) -> None:
    """Prepare a run, without training, and show what it would do; the arguments are those of `train_run`."""
    from linreg_cli.pipeline.measured import prepared_from

    prepared = prepared_from(statistics, loaded, progress, fail_if=fail_if, outputs=outputs, known=known, ranks=ranks)
    prepared.check(loaded, progress, force=force)
    progress.done()
    values = _values(prepared)
    if as_json:
        output.print_json(values)
    else:
        output.show(*map(wording.one_line, _lines(prepared, values)))


def _values(prepared: "Prepared") -> dict[str, Any]:
    """What a run would do, as JSON has it."""
    plan, dataset = prepared.plan, prepared.dataset
    values: dict[str, Any] = {
        "status": "dry-run",
        "rows": {split: len(part) for split, part in dataset.splits.items()},
        "features": list(dataset.features),
        "targets": list(dataset.targets),
        "steps_per_epoch": plan.steps_per_epoch,
        "total_steps": plan.total_steps,
        "device": prepared.config.train.device,
        "lr": prepared.chosen.lr.as_json(),
        "momentum": prepared.chosen.momentum.as_json(),
        "engine": prepared.choice.as_json(),
    }
    if dataset.summary is not None:
        values["data"] = dataset.summary.as_json()
    return values


def _lines(prepared: "Prepared", values: dict[str, Any]) -> list[str]:
    """The same for a reader."""
    plan, dataset, engine = prepared.plan, prepared.dataset, values["engine"]
    steps = f"{wording.plural(plan.epochs, 'epoch')} of {plan.steps_per_epoch:,} = {plan.total_steps:,}"
    return [
        f"rows:      {', '.join(f'{n:,} {split}' for split, n in values['rows'].items() if n)}",
        f"features:  {', '.join(dataset.features)}",
        f"target:    {', '.join(dataset.targets)}",
        f"steps:     {steps}, batches of {plan.batch_size:,}",
        f"rate:      {wording.number(values['lr']['value'])} ({values['lr']['why']})",
        f"executor:  {engine['name']} on {prepared.config.train.device} ({engine['why']})",
        "nothing was trained (--dry-run)",
    ]
