"""The pictures of a run, drawn from the files in its folder alone."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from linreg_cli.data.columns.arrow import indices, to_numpy
from linreg_cli.data.columns.kinds import Column
from linreg_cli.errors import PlotError, UsageError
from linreg_cli.figures.canvas import render
from linreg_cli.figures.clouds import SplitPoints
from linreg_cli.figures.fit import fit_figure, predicted_figure
from linreg_cli.figures.influence import leverage_figure
from linreg_cli.figures.library import drawing
from linreg_cli.figures.loss import LossCurve, loss_figure
from linreg_cli.figures.residuals import residual_figure
from linreg_cli.files import make_folder, write_bytes
from linreg_cli.runs.contents import RunContents
from linreg_cli.runs.labels import labels_of
from linreg_cli.runs.store import RunFolder

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KINDS = ("loss", "fit", "predicted", "residuals", "leverage")
FORMATS = ("png", "svg", "pdf")

_LOSS_NAMES = {
    "mse": "mean squared error",
    "sse": "sum of squared errors",
    "half_mse": "half the mean squared error",
    "mae": "mean absolute error",
    "huber": "mean Huber loss",
}


def draw_run(
    run: RunFolder, kinds: Sequence[str], format: str, *, skipped: Callable[[PlotError], object] | None = None
) -> dict[str, bytes]:
    """Draw a run's pictures.

    Args:
        run: a run with a history. One that diverged has no predictions and gets the loss curve only. A `RunContents`
            reads no file twice.
        kinds: some of `KINDS`; empty: all that the run has.
        format: `png`, `svg` or `pdf`.
        skipped: called with the reason for each picture that matplotlib cannot draw; None: the first one is raised.

    Returns:
        file name -> content.

    Raises:
        UsageError: for a kind that this run does not have.
        PlotError: if matplotlib cannot draw.
        StoreError: if a file of the run is missing or damaged.
    """
    run = RunContents.of(run)
    table = _predictions(run) if set(kinds or KINDS) != {"loss"} else None
    targets, feature = _layout(run, table)
    possible = ["loss"]
    if table is not None:
        possible += [*(["fit"] if feature else []), "predicted", "residuals"]
        possible += ["leverage"] if os.path.isfile(run.path / "influence.csv") else []
    for kind in kinds:
        if kind not in possible:
            raise _refusal(run, kind, possible)
    pictures: dict[str, bytes] = {}
    names = _file_names(targets)
    for kind in kinds or possible:
        for target in targets if kind != "loss" else ("",):
            suffix = f"-{names[target]}" if len(targets) > 1 and kind != "loss" else ""
            try:
                pictures[f"{kind}{suffix}.{format}"] = render(_figure(run, table, kind, target, feature), format)
            except PlotError as error:
                if skipped is None:
                    raise
                skipped(error)
    return pictures


def _figure(run: RunContents, table: pa.Table | None, kind: str, target: str, feature: str | None) -> "Figure":
    if kind == "loss":
        with drawing():
            return _loss(run)
    assert table is not None
    with run.reporting_damage("{run,metrics}.json, predictions.csv", pa.ArrowException), drawing():
        return _FIGURES[kind](run, table, target, feature)


def overlay(runs: Sequence[RunFolder], format: str) -> bytes:
    """The loss curves of several runs in one picture, labelled by what differs between them.

    Raises:
        StoreError: if a file of a run is missing or damaged.
        PlotError: if matplotlib cannot draw.
    """
    read = [RunContents.of(run) for run in runs]
    losses = {_loss_name(run.record()) for run in read}
    title = "Training loss of " + (" and ".join(run.id for run in read) if len(read) <= 3 else f"{len(read)} runs")
    curves = [loss_curve(run, label) for run, label in zip(read, labels_of(read), strict=True)]
    with drawing():
        return render(loss_figure(curves, loss=" / ".join(sorted(losses)), title=title), format)


def write_pictures(pictures: dict[str, bytes], folder: Path) -> list[Path]:
    """Write pictures into a folder, which is created if it is missing; returns their paths.

    Raises:
        StoreError: if the folder cannot be written.
    """
    make_folder(folder)
    for name, content in pictures.items():
        write_bytes(folder / name, content, own=True)
    return [folder / name for name in pictures]


def loss_curve(run: RunContents, label: str | None = None) -> LossCurve:
    """The loss after each epoch, from `history.csv`.

    Args:
        run: the run.
        label: its name in the legend; None: its id.

    Raises:
        StoreError: if the file is missing or damaged.
    """
    history = run.table("history.csv")
    if not {"epoch", "train_loss"} <= set(history.column_names):
        raise run.damaged("history.csv", "it has no columns epoch and train_loss")
    validation = _floats(history, "validation_loss") if "validation_loss" in history.column_names else None
    return LossCurve(label or run.id, _floats(history, "epoch"), _floats(history, "train_loss"), validation)


def _evaluated(run: RunContents) -> bool:
    """Whether a run has metrics and predictions."""
    ended = run.record()["status"] == "finished" or run.has("metrics.json")
    return ended and os.path.isfile(run.path / "predictions.csv")


def _predictions(run: RunContents) -> pa.Table | None:
    return run.table("predictions.csv", text=("split",)) if _evaluated(run) else None


def _is_curved(run: RunContents) -> bool:
    """Whether the target was transformed, so that the fit is not linear in original units."""
    return bool(run.record().get("target_transform", "none") != "none")


def _refusal(run: RunContents, kind: str, possible: Sequence[str]) -> UsageError:
    """The error for a kind of picture that a run does not have, with those that it has.

    Raises:
        StoreError: if the reason is a missing file.
    """
    status = run.record()["status"]
    if not _evaluated(run):
        if status == "finished":
            run.read("predictions.csv")  # raises: the file is missing
        why = f"its status is {status}"
    elif kind == "leverage":
        why = _no_influence(run)
    else:
        why = "its target was transformed" if _is_curved(run) else "it has more than one feature"
    return UsageError(f"run {run.id} has no {kind} picture, because {why}; it has: {', '.join(possible)}")


def _loss(run: RunContents) -> "Figure":
    curve, name = loss_curve(run), _loss_name(run.record())
    optimum = _optimum(run) if _evaluated(run) else None
    return loss_figure([curve], loss=name, title=f"Training loss of {run.id}", optimum=optimum)


def _optimum(run: RunContents) -> float | None:
    optimum = run.read_json("metrics.json").get("optimum")
    value = optimum.get("train_loss") if isinstance(optimum, dict) else None
    if isinstance(optimum, dict) and optimum.get("gap_relative_to") == "constant":
        value = 0.0  # within rounding error, so its digits carry no information
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _loss_name(record: dict[str, Any]) -> str:
    name = _LOSS_NAMES.get(record.get("loss", ""), "loss")
    return f"{name} (target standardised)" if record.get("target_standardized") else name


def _floats(table: pa.Table, column: str) -> Column:
    return to_numpy(table.column(column))


def _layout(run: RunContents, table: pa.Table | None) -> tuple[list[str], str | None]:
    """Names of the targets ('' for a single one), and of the single feature if the fit is a line over it."""
    if table is None:
        return [], None
    names = table.column_names
    feature = next((name.removeprefix("feature:") for name in names if name.startswith("feature:")), None)
    targets = [name.removeprefix("target").removeprefix(":") for name in names if name.split(":")[0] == "target"]
    return targets, None if _is_curved(run) else feature


def _points(table: pa.Table, target: str, feature: str | None) -> list[SplitPoints]:
    suffix = f":{target}" if target else ""
    actual, predicted = _floats(table, f"target{suffix}"), _floats(table, f"prediction{suffix}")
    x = _floats(table, f"feature:{feature}") if feature else None
    split = table.column("split").dictionary_encode().unify_dictionaries()
    codes, points = indices(split), []
    for code, name in enumerate(split.chunk(0).dictionary.to_pylist() if len(codes) else []):
        rows = codes == code
        points.append(SplitPoints(name, actual[rows], predicted[rows], None if x is None else x[rows]))
    return points


def _target_name(run: RunContents, target: str) -> str:
    return target or str(run.record()["data"]["targets"][0])


def _fit(run: RunContents, table: pa.Table, target: str, feature: str | None) -> "Figure":
    assert feature is not None
    parameters = run.read_json("metrics.json")["parameters"]
    weights, bias = parameters["weights"], parameters["bias"]
    if target:
        weights, bias = weights[target], bias[target]
    name = _target_name(run, target)
    return fit_figure(
        _points(table, target, feature),
        slope=weights[feature],
        intercept=bias or 0.0,
        feature=feature,
        target=name,
        title=f"{name} against {feature}: the fitted line of {run.id}",
    )


def _predicted(run: RunContents, table: pa.Table, target: str, feature: str | None) -> "Figure":
    name = _target_name(run, target)
    return predicted_figure(
        _points(table, target, feature), target=name, title=f"Predicted and actual {name}, {run.id}"
    )


def _residuals(run: RunContents, table: pa.Table, target: str, feature: str | None) -> "Figure":
    name = _target_name(run, target)
    return residual_figure(_points(table, target, feature), target=name, title=f"Residuals of {name}, {run.id}")


def _leverage(run: RunContents, table: pa.Table, target: str, feature: str | None) -> "Figure":
    name, suffix = _target_name(run, target), f":{target}" if target else ""
    rows = run.table("influence.csv")
    inference = run.read_json("metrics.json")["inference"]
    inference = inference[target] if target else inference
    n, most = int(inference["n"]), len(rows)
    sampled = f", {most:,} of {n:,} rows" if most < n else ""
    return leverage_figure(
        _floats(rows, "leverage"),
        _floats(rows, f"standardized_residual{suffix}"),
        _floats(rows, f"cooks_distance{suffix}"),
        _floats(rows, "row").astype(int),
        n_samples=n,
        n_parameters=len(inference["coefficients"]),
        title=f"Influence of each row on {name}, {run.id}{sampled}",
    )


def _no_influence(run: RunContents) -> str:
    """Why an evaluated run has no leverage picture."""
    inference = run.read_json("metrics.json").get("inference")
    refused = inference.get("refused") if isinstance(inference, dict) else None
    return (
        f"inference was refused: {refused}"
        if refused
        else "it was trained by an older version of linreg; train it again"
    )


_FIGURES: dict[str, Callable[[RunContents, pa.Table, str, str | None], "Figure"]] = {
    "fit": _fit,
    "predicted": _predicted,
    "residuals": _residuals,
    "leverage": _leverage,
}


def _file_names(targets: Sequence[str]) -> dict[str, str]:
    """A file name for each target, without characters that file systems refuse; names differ in more than case."""
    names: dict[str, str] = {}
    for target in targets:
        base = name = "".join(mark if mark.isalnum() or mark in "._-" else "_" for mark in target)
        number = 2
        while name.casefold() in {taken.casefold() for taken in names.values()}:
            name, number = f"{base}_{number}", number + 1
        names[target] = name
    return names
