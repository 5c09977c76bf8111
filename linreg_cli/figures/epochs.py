"""The curves of a run over its epochs: the loss, and the gap to the optimum."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from linreg_cli.errors import UsageError, did_you_mean
from linreg_cli.figures.loss import LossCurve, loss_figure
from linreg_cli.figures.material import Material, floats
from linreg_cli.runs.contents import RunContents

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LOSS_NAMES = {
    "mse": "mean squared error",
    "sse": "sum of squared errors",
    "half_mse": "half the mean squared error",
    "mae": "mean absolute error",
    "huber": "mean Huber loss",
}


@dataclass(frozen=True)
class Axes:
    """What a user says about the axes of curves over the epochs.

    Attributes:
        scale: `auto`, `linear` or `log`.
        x: `epoch` or `step`.
    """

    scale: str = "auto"
    x: str = "epoch"

    @classmethod
    def checked(cls, scale: str, x: str, prefix: str = "") -> "Axes":
        """What a user says about the axes.

        Raises:
            UsageError: for another value; `prefix` is what the names of the options begin with.
        """
        for value, allowed, name in ((scale, ("auto", "linear", "log"), "scale"), (x, ("epoch", "step"), "x")):
            if value not in allowed:
                raise UsageError(f"unknown value {value!r}{did_you_mean(value, allowed)}", f"{prefix}{name}")
        return cls(scale, x)


def loss_name(record: dict[str, Any]) -> str:
    """The loss of a run, for an axis."""
    name = _LOSS_NAMES.get(record.get("loss", ""), "loss")
    return f"{name} (target standardised)" if record.get("target_standardized") else name


def loss_curve(run: RunContents, label: str | None = None, x: str = "epoch") -> LossCurve:
    """The loss after each epoch, from `history.csv`.

    Args:
        run: the run.
        label: its name in the legend; None: its id.
        x: `epoch` or `step`.

    Raises:
        StoreError: if the file is missing or damaged.
    """
    history = run.table("history.csv")
    if not {x, "train_loss"} <= set(history.column_names):
        raise run.damaged("history.csv", f"it has no columns {x} and train_loss")
    validation = floats(history, "validation_loss") if "validation_loss" in history.column_names else None
    batches = _batches(run) if x == "step" else None
    return LossCurve(
        label or run.id, floats(history, x), floats(history, "train_loss"), validation, how_it_ended(run), batches
    )


def _batches(run: RunContents) -> np.ndarray | None:
    """The losses of the batches, from `batches.csv`; None without it, and for sums, which grow with the batch."""
    if not run.has("batches.csv") or run.record().get("loss") == "sse":
        return None
    table = run.table("batches.csv")
    if not {"step", "loss"} <= set(table.column_names):
        raise run.damaged("batches.csv", "it has no columns step and loss")
    return np.stack([floats(table, "step"), floats(table, "loss")], axis=1)


def how_it_ended(run: RunContents) -> str:
    """How a run ended, for the legend, such as `diverged at step 12`; empty for one that did not diverge."""
    record = run.record()
    if record["status"] != "diverged":
        return ""
    step = (record.get("diverged") or {}).get("step")
    return f"diverged at step {step:,}" if isinstance(step, int) else "diverged"


def loss(run: Material, _: str, axes: Axes) -> "Figure":
    """The loss of one run, with the optimum."""
    optimum = _optimum(run) if run.evaluated else None
    return loss_figure(
        [loss_curve(run, x=axes.x)],
        loss=loss_name(run.record()),
        title=f"Training loss of {run.id}",
        optimum=optimum,
        scale=axes.scale,
        x_label=axes.x,
    )


def losses(runs: Sequence[Material], labels: Sequence[str], _: str, axes: Axes) -> "Figure":
    """The losses of several runs."""
    names = sorted({loss_name(run.record()) for run in runs})
    curves = [loss_curve(run, label, axes.x) for run, label in zip(runs, labels, strict=True)]
    title = f"Training loss of {together(runs)}"
    return loss_figure(curves, loss=" / ".join(names), title=title, scale=axes.scale, x_label=axes.x)


def together(runs: Sequence[Material]) -> str:
    """The runs, for a title."""
    if len(runs) > 3:
        return f"{len(runs)} runs"
    *first, last = (run.id for run in runs)
    return f"{', '.join(first)} and {last}" if first else last


def _optimum(run: Material) -> float | None:
    optimum = run.read_json("metrics.json").get("optimum")
    value = optimum.get("train_loss") if isinstance(optimum, dict) else None
    if isinstance(optimum, dict) and optimum.get("gap_relative_to") == "constant":
        value = 0.0  # within rounding error, so its digits carry no information
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def no_gap(run: Material) -> str | None:
    """Why a run has no gap."""
    history = run.table("history.csv")
    if "gap" not in history.column_names:
        return "its optimum is not known"
    return None if np.isfinite(floats(history, "gap")).any() else "its optimum is 0, to which no loss can be compared"


def _gap_curve(run: Material, label: str, x: str) -> LossCurve:
    history = run.table("history.csv")
    return LossCurve(label, floats(history, x), floats(history, "gap"), None, how_it_ended(run))


def gap(run: Material, _: str, axes: Axes) -> "Figure":
    """The gap of one run."""
    return gaps([run], [run.id], "", axes)


def gaps(runs: Sequence[Material], labels: Sequence[str], _: str, axes: Axes) -> "Figure":
    """The gaps of several runs."""
    curves = [_gap_curve(run, label, axes.x) for run, label in zip(runs, labels, strict=True)]
    title = f"Gap to the optimum of {together(runs)}"
    scale = "log" if axes.scale == "auto" else axes.scale
    return loss_figure(curves, loss="gap to the optimum", title=title, scale=scale, x_label=axes.x)
