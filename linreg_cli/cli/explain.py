"""`linreg explain`."""

import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linreg_cli.cli import options, output
from linreg_cli.cli.table_words import table_faults
from linreg_cli.errors import DivergedError, Fault, UsageError
from linreg_cli.wording import number, one_line

if TYPE_CHECKING:
    from linreg_cli.inspection.explain import ExplainedStep, Parameters

#: Batches with more rows and models with more features are not shown row by row.
MAX_ROWS, MAX_FEATURES = 10, 4

_FORMULAS = {
    "mse": ("mean of error^2", "(2/n) sum of error * {x}"),
    "sse": ("sum of error^2", "2 sum of error * {x}"),
    "half_mse": ("mean of error^2 / 2", "(1/n) sum of error * {x}"),
    "mae": ("mean of |error|", "(1/n) sum of sign(error) * {x}"),
    "huber": ("mean of the Huber loss of error", "(1/n) sum of clip(error, -delta, delta) * {x}"),
}


def explain(
    config: options.Config,
    steps: Annotated[int, typer.Option("--steps", min=1, metavar="K", help="Number of steps.")] = 1,
    set_: options.Set = None,
    as_json: options.Json = False,
) -> None:
    """Show gradient steps, worked by hand.

    For each step: the loss, its gradient by autograd, by formula and by finite differences, the update, and the new
    loss. Computed in float64 on the CPU, in the units of the scaled columns. Fails if the gradients differ.
    """
    from linreg_cli.cli.progress import Progress
    from linreg_cli.config import load_config

    if faults := table_faults(config, "explain", "-c"):
        raise UsageError(faults)
    loaded = load_config(config, [*(set_ or []), "train.dtype=float64", "train.device=cpu", "train.engine=reference"])
    from linreg_cli.inspection.explain import explain as work
    from linreg_cli.pipeline.prepare import prepare

    prepared = prepare(loaded, Progress(quiet=True))
    if steps > prepared.plan.total_steps:
        raise UsageError(
            f"{steps} steps are more than the {prepared.plan.total_steps} of the config; raise train.epochs", "--steps"
        )
    names = prepared.dataset.features, prepared.dataset.targets
    done: list[ExplainedStep] = []
    try:
        for step in work(prepared.plan, prepared.state, *prepared.tensors["train"], steps):
            done.append(step)
            if not as_json:
                output.show(("\n" if len(done) > 1 else "") + _page(step, *names, loaded.config))
    except DivergedError as error:
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
    }


def _page(step: "ExplainedStep", features: tuple[str, ...], targets: tuple[str, ...], config: Any) -> str:
    n_rows = len(step.rows)
    which = f"rows {', '.join(str(row + 1) for row in step.rows)}" if n_rows <= MAX_ROWS else f"{n_rows:,} rows"
    features, targets = tuple(map(one_line, features)), tuple(map(one_line, targets))
    names = [
        f"w[{feature}]" if len(targets) == 1 else f"w[{target}, {feature}]"
        for target in targets
        for feature in features
    ]
    names += [("b" if len(targets) == 1 else f"b[{target}]") for target in targets] if "bias" in step.before else []
    lines = [f"Step {step.number}: {which} of the train split, learning rate {number(step.lr)}", ""]
    meaning, formula = _FORMULAS[config.loss]
    total = number(step.loss, 12)
    if n_rows <= MAX_ROWS and len(features) <= MAX_FEATURES and len(targets) == 1:
        lines += [_rows(step, features, targets[0]), ""]
        added = " + ".join(number(term, 8) for term in _flat({"terms": step.terms}))
        total = f"{added} = {total}" if config.loss == "sse" else f"({added}) / {n_rows} = {total}"
    lines += [
        f"  loss = {meaning} = {total}",
        "",
        _gradients(step, names),
        f"  by formula: {formula.format(x='x')} for a weight",
    ]
    lines[-1] += f", {formula.format(x='1')} for b" if "bias" in step.before else ""
    lines += [f"  with error = prediction - target and n = {n_rows * len(targets)}", ""]
    ways = zip(_flat(step.direction), _flat(step.gradients["autograd"]), strict=True)
    plain = all(abs(way - gradient) <= 1e-9 * max(1, abs(gradient)) for way, gradient in ways)
    direction = "gradient" if plain else "direction (the gradient with weight decay and momentum)"
    lines += [f"  update: parameter - rate * {direction}"]
    moves = zip(names, _flat(step.before), _flat(step.direction), _flat(step.after), strict=True)
    lines += [
        f"  {name} = {number(old, 10)} - {number(step.lr)} * ({number(way, 10)}) = {number(new, 10)}"
        for name, old, way, new in moves
    ]
    return "\n".join([*lines, "", f"  new loss of the same rows = {number(step.next_loss, 12)}"])


def _gradients(step: "ExplainedStep", names: list[str]) -> str:
    columns = [_flat(step.gradients[name]) for name in ("autograd", "formula", "finite_difference")]
    rows = [["gradient", "autograd", "formula", "central difference", "largest difference"]]
    for name, *values in zip(names, *columns, strict=True):
        rows.append([name, *(number(value, 10) for value in values), number(max(values) - min(values), 2)])
    return output.aligned(rows, indent="  ")


def _rows(step: "ExplainedStep", features: tuple[str, ...], target: str) -> str:
    table = [["row", *features, target, "prediction", "error", "loss"]]
    columns = (step.targets, step.predictions, step.predictions - step.targets, step.terms)
    values = zip(*(column[:, 0].tolist() for column in columns), strict=True)
    for row, inputs, rest in zip(step.rows, step.inputs.tolist(), values, strict=True):
        table.append([str(row + 1), *(number(value, 8) for value in (*inputs, *rest))])
    return output.aligned(table, left=0, indent="  ")


def _flat(values: "Parameters") -> list[float]:
    return [float(value) for part in values.values() for value in part.flatten().tolist()]
