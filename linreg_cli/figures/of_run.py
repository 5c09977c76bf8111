"""The pictures of a run, drawn from its folder alone."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pcsv

from linreg_cli.errors import UsageError
from linreg_cli.figures.canvas import render
from linreg_cli.figures.clouds import SplitPoints
from linreg_cli.figures.fit import fit_figure, predicted_figure
from linreg_cli.figures.influence import leverage_figure
from linreg_cli.figures.loss import LossCurve, loss_figure
from linreg_cli.figures.residuals import residual_figure
from linreg_cli.files import make_folder, write_bytes
from linreg_cli.runs.store import RunFolder

KINDS = ("loss", "fit", "predicted", "residuals", "leverage")
FORMATS = ("png", "svg", "pdf")

_LOSS_NAMES = {
    "mse": "mean squared error",
    "sse": "sum of squared errors",
    "half_mse": "half the mean squared error",
    "mae": "mean absolute error",
    "huber": "mean Huber loss",
}


def draw_run(run: RunFolder, kinds: Sequence[str], format: str) -> dict[str, bytes]:
    """Draw a run's pictures.

    Args:
        run: a run with a history; one that diverged has no predictions and gets the loss only.
        kinds: of `KINDS`; empty for all that the run can show.
        format: `png`, `svg` or `pdf`.

    Returns:
        file name -> content.

    Raises:
        UsageError: if a picture was asked for that this run does not have.
        StoreError: if a file of the run is missing or damaged.
    """
    record = run.record()
    published = (run.path / "predictions.csv").is_file()
    table = _csv(run, "predictions.csv", text=("split",)) if published and set(kinds or KINDS) != {"loss"} else None
    targets, feature = _layout(table)
    curved = record.get("target_transform", "none") != "none"
    feature = None if curved else feature  # the fit is no line in original units
    possible = [
        "loss",
        *(["fit"] if feature else []),
        *(["predicted", "residuals"] if table is not None else []),
        *(["leverage"] if published and (run.path / "influence.csv").is_file() else []),
    ]
    for kind in kinds:
        if kind not in possible:
            if not published and record["status"] == "finished":
                run.read("predictions.csv")  # says that the file is missing
            more = "its target was transformed" if curved else "it has more than one feature"
            more = _no_influence(run) if kind == "leverage" and published else more
            why = more if published else f"its status is {record['status']}"
            raise UsageError(f"run {run.id} has no {kind} picture, because {why}; it has: {', '.join(possible)}")
    pictures: dict[str, bytes] = {}
    names = _file_names(targets)
    for kind in kinds or possible:
        if kind == "loss":
            figure = loss_figure(
                [loss_curve(run)],
                loss=_loss_name(record),
                title=f"Training loss of {run.id}",
                optimum=_optimum(run) if published else None,
            )
            pictures[f"loss.{format}"] = render(figure, format)
            continue
        assert table is not None
        for target in targets:
            suffix = f"-{names[target]}" if len(targets) > 1 else ""
            with run.holding_together("{run,metrics}.json, predictions.csv", pa.ArrowException):
                figure = _FIGURES[kind](run, table, target, feature)
            pictures[f"{kind}{suffix}.{format}"] = render(figure, format)
    return pictures


def overlay(runs: Sequence[RunFolder], format: str) -> bytes:
    """The loss curves of several runs in one picture."""
    losses = {_loss_name(run.record()) for run in runs}
    title = "Training loss of " + (" and ".join(run.id for run in runs) if len(runs) <= 3 else f"{len(runs)} runs")
    return render(loss_figure([loss_curve(run) for run in runs], loss=" / ".join(sorted(losses)), title=title), format)


def write_pictures(pictures: dict[str, bytes], folder: Path) -> list[Path]:
    """Write pictures into a folder, which is made if it is missing.

    Raises:
        StoreError: if the folder cannot be written.
    """
    make_folder(folder)
    for name, content in pictures.items():
        write_bytes(folder / name, content)
    return [folder / name for name in pictures]


def loss_curve(run: RunFolder) -> LossCurve:
    """The loss after each epoch, from `history.csv`.

    Raises:
        StoreError: if that is missing or damaged.
    """
    history = _csv(run, "history.csv")
    if not {"epoch", "train_loss"} <= set(history.column_names):
        raise run.damaged("history.csv", "it lacks the columns epoch and train_loss")
    validation = _floats(history, "validation_loss") if "validation_loss" in history.column_names else None
    return LossCurve(run.id, _floats(history, "epoch"), _floats(history, "train_loss"), validation)


def _optimum(run: RunFolder) -> float | None:
    optimum = run.read_json("metrics.json").get("optimum")
    value = optimum.get("train_loss") if isinstance(optimum, dict) else None
    if isinstance(optimum, dict) and optimum.get("gap_relative_to") == "constant":
        value = 0.0  # to rounding, whose digits mean nothing
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _loss_name(record: dict[str, Any]) -> str:
    name = _LOSS_NAMES.get(record.get("loss", ""), "loss")
    return f"{name} (target standardised)" if record.get("target_standardized") else name


def _csv(run: RunFolder, name: str, *, text: tuple[str, ...] = ()) -> pa.Table:
    """A CSV of the run: numbers in every column but those of `text`."""
    content = run.read(name)
    try:
        names = pcsv.read_csv(io.BytesIO(content), pcsv.ReadOptions(use_threads=False)).column_names
        types = {column: pa.string() if column in text else pa.float64() for column in names}
        return pcsv.read_csv(io.BytesIO(content), convert_options=pcsv.ConvertOptions(column_types=types))
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise run.damaged(name, str(error).splitlines()[0]) from None


def _floats(table: pa.Table, column: str) -> Any:
    return table.column(column).to_numpy()


def _layout(table: pa.Table | None) -> tuple[list[str], str | None]:
    """Names of the targets ('' for a single one) and of the only feature."""
    if table is None:
        return [], None
    names = table.column_names
    feature = next((name.removeprefix("feature:") for name in names if name.startswith("feature:")), None)
    return [name.removeprefix("target").removeprefix(":") for name in names if name.split(":")[0] == "target"], feature


def _points(table: pa.Table, target: str, feature: str | None) -> list[SplitPoints]:
    suffix = f":{target}" if target else ""
    split = table.column("split").to_numpy()
    actual, predicted = _floats(table, f"target{suffix}"), _floats(table, f"prediction{suffix}")
    x = _floats(table, f"feature:{feature}") if feature else None
    return [
        SplitPoints(name, actual[split == name], predicted[split == name], None if x is None else x[split == name])
        for name in dict.fromkeys(split)
    ]


def _target_name(run: RunFolder, target: str) -> str:
    return target or str(run.record()["data"]["targets"][0])


def _fit(run: RunFolder, table: pa.Table, target: str, feature: str | None) -> Any:
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


def _predicted(run: RunFolder, table: pa.Table, target: str, feature: str | None) -> Any:
    name = _target_name(run, target)
    return predicted_figure(
        _points(table, target, feature), target=name, title=f"Predicted and actual {name}, {run.id}"
    )


def _residuals(run: RunFolder, table: pa.Table, target: str, feature: str | None) -> Any:
    name = _target_name(run, target)
    return residual_figure(_points(table, target, feature), target=name, title=f"Residuals of {name}, {run.id}")


def _leverage(run: RunFolder, table: pa.Table, target: str, feature: str | None) -> Any:
    name, suffix = _target_name(run, target), f":{target}" if target else ""
    rows = _csv(run, "influence.csv")
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


def _no_influence(run: RunFolder) -> str:
    """Why a run that has ended has no picture of leverage."""
    inference = run.read_json("metrics.json").get("inference")
    refused = inference.get("refused") if isinstance(inference, dict) else None
    return f"inference was refused: {refused}" if refused else "an older version trained it; train it again"


_FIGURES: dict[str, Callable[[RunFolder, pa.Table, str, str | None], Any]] = {
    "fit": _fit,
    "predicted": _predicted,
    "residuals": _residuals,
    "leverage": _leverage,
}


def _file_names(targets: Sequence[str]) -> dict[str, str]:
    """A name for the files of each target, without marks that file systems refuse, and no two alike."""
    names: dict[str, str] = {}
    for target in targets:
        base = name = "".join(mark if mark.isalnum() or mark in "._-" else "_" for mark in target)
        number = 2
        while name.casefold() in {taken.casefold() for taken in names.values()}:
            name, number = f"{base}_{number}", number + 1
        names[target] = name
    return names
