"""`linreg explain`."""

import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linreg_cli.cli import options, output
from linreg_cli.cli.table_input import standard_input
from linreg_cli.cli.table_words import table_faults
from linreg_cli.errors import DivergedError, Fault, UsageError
from linreg_cli.remedies import setting

if TYPE_CHECKING:
    from linreg_cli.inspection.explain import ExplainedStep, Parameters


def explain(
    config: options.Config,
    steps: Annotated[int, typer.Option("--steps", min=1, metavar="K", help="Number of steps.")] = 1,
    set_: options.Set = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Show gradient steps, worked by hand.

    For each of the first three steps: the rows, the loss, its gradient by autograd, by formula and by finite
    differences, the update, and the new loss. For several steps also the path: the loss over the train split and the
    parameters after each. Of a wide table the columns are shown whose weights the step moves most. Computed in float64
    on the CPU, in the units of the scaled columns. Fails if the gradients differ.
    """
    from linreg_cli.cli.explain_page import MAX_PAGES, Names, page, path
    from linreg_cli.config import load_config

    if faults := table_faults(config, "explain", "-c"):
        raise UsageError(faults)
    fixed = ["train.dtype=float64", "train.device=cpu", "train.engine=reference", "train.shards=null"]
    loaded = load_config(config, [*(set_ or []), *fixed])
    from linreg_cli.inspection.explain import explain as work
    from linreg_cli.optim.rows import StoredRows, TrainRows
    from linreg_cli.pipeline.prepare import prepare
    from linreg_cli.pipeline.silent import Silent

    with standard_input():
        prepared = prepare(loaded, Silent())
    if steps > prepared.plan.total_steps:
        raise UsageError(
            f"{steps} steps are more than the {prepared.plan.total_steps} of the config; raise train.epochs", "--steps"
        )
    if isinstance(prepared.rows, StoredRows) and prepared.plan.is_full_batch:
        message = f"a step takes all rows, which stay on the disk; set {setting('train.batch_size', 32)}"
        raise UsageError(f"{message}, or {setting('data.stream', False)}", "data.stream")
    assert isinstance(prepared.rows, TrainRows | StoredRows), "there are no other processes"
    rows, names = prepared.rows, (prepared.dataset.features, prepared.dataset.targets)
    named = Names(*names, loaded.config.loss)
    done: list[ExplainedStep] = []
    try:
        for step in work(prepared.plan, prepared.state, rows, steps):
            done.append(step)
            if not as_json and len(done) <= MAX_PAGES:
                output.show(("\n" if len(done) > 1 else "") + page(step, named))
        if not as_json and len(done) > 1:
            output.show("", path(done, named))
    except DivergedError as error:
        if not as_json and len(done) > 1:
            output.show("", path(done, named))
        output.show_error(
            error.kind, error.faults, as_json=as_json, result={"steps": [_as_json(s, *names) for s in done]}
        )
        raise typer.Exit(error.exit_code) from None
    faults = [
        Fault(f"step {step.number}: {reason}; this is a bug in linreg")
        for step in done
        if (reason := step.disagreement()) is not None
    ]
    steps_json = [_as_json(step, *names) for step in done]
    if faults:
        output.show_error("bug", faults, as_json=as_json, result={"steps": steps_json})
        raise typer.Exit(1)
    if as_json:
        output.print_json(steps_json)


def _as_json(step: "ExplainedStep", features: tuple[str, ...], targets: tuple[str, ...]) -> dict[str, Any]:
    def named(values: "Parameters") -> dict[str, Any]:
        weights = {
            target: dict(zip(features, row, strict=True))
            for target, row in zip(targets, values["weight"].tolist(), strict=True)
        }
        bias = dict(zip(targets, values["bias"].tolist(), strict=True)) if "bias" in values else dict.fromkeys(targets)
        if len(targets) > 1:
            return {"weights": weights, "bias": bias}
        return {"weights": weights[targets[0]], "bias": bias[targets[0]]}

    return {
        "step": step.number,
        "rows": [row + 1 for row in step.rows],
        "lr": step.lr,
        "loss": step.loss,
        "gradient": {name: named(values) for name, values in step.gradients.items()},
        "before": named(step.before),
        "parameters": named(step.after),
        "next_loss": step.next_loss if math.isfinite(step.next_loss) else None,
        "train_loss": step.train_loss if math.isfinite(step.train_loss) else None,
        "next_train_loss": step.next_train_loss if math.isfinite(step.next_train_loss) else None,
    }
