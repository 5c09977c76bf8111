"""The pictures of a run, drawn from its folder, and of several runs in one picture."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from linreg_cli.config import Config
from linreg_cli.config.data import FrameData, TableData
from linreg_cli.errors import LinregError, PlotError, UsageError, did_you_mean
from linreg_cli.figures.canvas import DPI, render
from linreg_cli.figures.epochs import Axes, how_it_ended
from linreg_cli.figures.kinds import KINDS, Kind
from linreg_cli.figures.library import drawing
from linreg_cli.figures.material import Material
from linreg_cli.figures.train_rows import TrainRows
from linreg_cli.files import make_folder, write_bytes
from linreg_cli.runs.labels import labels_of
from linreg_cli.runs.store import RunFolder

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("png", "svg", "pdf")
#: In place of kinds: every one that the run has.
ALL = "all"

_FILES = "{run,metrics,preprocess}.json, history.csv, predictions.csv, influence.csv"


def draw_run(
    run: RunFolder,
    kinds: Sequence[str],
    format: str,
    *,
    axes: Axes | None = None,
    rows: TrainRows | None = None,
    skipped: Callable[[LinregError], object] | None = None,
    dpi: int = DPI,
) -> dict[str, bytes]:
    """Draw a run's pictures.

    Args:
        run: a run with a history. One that diverged has no predictions and gets only what needs none.
        kinds: some of `KINDS`, or `ALL`; empty: those that `train` draws.
        format: `png`, `svg` or `pdf`.
        axes: of the curves over the epochs.
        rows: those of the run, if they are at hand; None: they are read again where a picture needs them.
        skipped: called with the reason for each picture that matplotlib cannot draw, and of `ALL` also for each whose
            rows cannot be read again; None: the first one is raised.
        dpi: dots per inch; a picture is 10 inches wide.

    Returns:
        file name -> content.

    Raises:
        UsageError: for a kind that this run does not have.
        PlotError: if matplotlib cannot draw.
        StoreError: if a file of the run is missing or damaged.
    """
    material = Material.of(run, rows)
    pictures: dict[str, bytes] = {}
    left_out: dict[str, dict[str, None]] = {}  # why -> the kinds
    names = _file_names(material.targets)
    for name, kind in _chosen(material, kinds).items():
        for target in material.targets if kind.per_target else ("",):
            suffix = f"-{names[target]}" if kind.per_target and len(material.targets) > 1 else ""
            try:
                with material.reporting_damage(_FILES, pa.ArrowException), drawing():
                    figure = kind.draw(material, target, axes or Axes())
                pictures[f"{name}{suffix}.{format}"] = render(figure, format, dpi)
            except PlotError as error:
                if skipped is None:
                    raise
                skipped(error)
            except UsageError as error:  # the rows are not at hand any more
                if skipped is None or ALL not in kinds:
                    raise
                left_out.setdefault(str(error), {})[name] = None
    for why, left in left_out.items():
        assert skipped is not None
        skipped(UsageError(why, ", ".join(left)))
    return pictures


def _chosen(run: Material, kinds: Sequence[str]) -> dict[str, Kind]:
    """The kinds to draw.

    Raises:
        UsageError: for one that the run does not have, with those that it has.
    """
    if not kinds:
        return {name: kind for name, kind in _possible(run).items() if kind.default(run)}
    if ALL in kinds:
        return _possible(run)
    return {name: _kind(run, name) for name in kinds}


def _kind(run: Material, name: str) -> Kind:
    """A kind that the run has.

    Raises:
        UsageError: if it does not have it, with those that it has.
    """
    if why := _why_not(run, KINDS[name]):
        raise UsageError(f"run {run.id} has no {name} picture, because {why}; it has: {', '.join(_possible(run))}")
    return KINDS[name]


def _possible(run: Material) -> dict[str, Kind]:
    """The kinds that the run has."""
    return {name: kind for name, kind in KINDS.items() if _why_not(run, kind) is None}


def _why_not(run: Material, kind: Kind) -> str | None:
    """Why a run does not have a kind; None if it has."""
    # config.yaml is read only for the kinds that need it.
    gone = _rows_gone(run) if kind.needs_rows and run.rows is None else None
    return gone or kind.why_not(run)


def _rows_gone(run: Material) -> str | None:
    """Why the rows of a run cannot be read again: they are a frame's, came from standard input, or were not read."""
    data = run.config.data
    if isinstance(data, FrameData):
        return "it shows the rows, which are those of a data frame (in Python, give it as rows=frame)"
    if isinstance(data, TableData) and not data.is_kept:
        return "it shows the rows, which came from standard input and are kept in no file"
    if "statistics" in run.record():
        return "it shows the rows, and the run was trained from statistics"
    return None


def figure_of(
    run: RunFolder, kind: str, target: str | None = None, *, axes: Axes | None = None, rows: TrainRows | None = None
) -> "Figure":
    """One picture of a run as a matplotlib figure, which belongs to no window and no global state.

    Args:
        run: as in `draw_run`.
        kind: one of `KINDS`.
        target: the target that it is about; None where there is one, or the picture is of all of them.
        axes: of the curves over the epochs.
        rows: as in `draw_run`.

    Raises:
        UsageError: for a kind or a target that the run does not have.
        PlotError, StoreError: as `draw_run`.
    """
    if kind not in KINDS:
        raise UsageError(f"unknown value {kind!r}{did_you_mean(kind, list(KINDS))}", "kind")
    material = Material.of(run, rows)
    chosen, axes = _kind(material, kind), axes or Axes()
    if axes != Axes() and not chosen.has_axes:
        curves = " and ".join(name for name, each in KINDS.items() if each.has_axes)
        raise UsageError(f"scale and x are about the pictures {curves}; leave them out", "kind")
    if target is not None and target not in material.targets:
        raise UsageError(f"{run.id} has no target {target!r}{did_you_mean(target, material.targets)}", "target")
    if chosen.per_target and target is None and len(material.targets) > 1:
        raise UsageError(f"{run.id} has several targets; choose one: {', '.join(material.targets)}", "target")
    of = (target or material.targets[0]) if chosen.per_target else ""
    with material.reporting_damage(_FILES, pa.ArrowException), drawing():
        return chosen.draw(material, of, axes)


def overlay(
    runs: Sequence[RunFolder], format: str, kind: str = "loss", axes: Axes | None = None, dpi: int = DPI
) -> dict[str, bytes]:
    """Several runs in one picture, labelled by what differs between them.

    Args:
        runs: at least two.
        format: `png`, `svg` or `pdf`.
        kind: one that overlays runs.
        axes: of the curves over the epochs.
        dpi: as in `draw_run`.

    Returns:
        what the name of the file ends in, such as `-price` for one of several targets -> content.

    Raises:
        UsageError: for a kind that does not overlay runs, or that one of the runs does not have, and for runs of
            different data where the picture needs the same.
        StoreError: if a file of a run is missing or damaged.
        PlotError: if matplotlib cannot draw.
    """
    read = [Material.of(run) for run in runs]
    chosen = KINDS[kind]
    if chosen.overlays is None:
        several = ", ".join(name for name, each in KINDS.items() if each.overlays is not None)
        raise UsageError(f"a {kind} picture shows one run; of several runs there are: {several}", "--kind")
    reasons = [_why_not(run, chosen) for run in read]
    for run, why in zip(read, reasons, strict=True):
        only_named = chosen.names_diverged and how_it_ended(run) and None in reasons
        if why and not only_named:
            raise UsageError(f"run {run.id} has no {kind} picture, because {why}")
    if chosen.per_target:
        _refuse_other_data(read, kind)
    labels = labels_of(read)
    out: dict[str, bytes] = {}
    names = _file_names(read[0].targets)
    for target in read[0].targets if chosen.per_target else ("",):
        ending = f"-{names[target]}" if chosen.per_target and len(read[0].targets) > 1 else ""
        with read[0].reporting_damage(_FILES, pa.ArrowException), drawing():
            out[ending] = render(chosen.overlays(read, labels, target, axes or Axes()), format, dpi)
    return out


def _refuse_other_data(runs: Sequence[Material], kind: str) -> None:
    """Refuse runs whose coefficients or paths cannot be compared."""
    for run in runs[1:]:
        if why := _apart(runs[0], run, kind):
            raise UsageError(f"{runs[0].id} and {run.id} {why}", "--kind")


def _apart(one: Material, other: Material, kind: str) -> str | None:
    """Why two runs do not fit into a picture: paths lie on one surface, that of the loss in the same parameters."""
    if one.targets != other.targets:
        return f"have other targets, so they share no {kind} picture"
    if kind != "path":
        return None
    data = [[run.record()["data"].get(key) for key in ("fingerprint", "features")] for run in (one, other)]
    if data[0] != data[1]:
        return "were trained on other data, so they share no loss"
    if _surface(one.config) != _surface(other.config):
        return "have another loss, penalty, intercept or scaling, so they share no path"
    return None


def _surface(config: Config) -> tuple[object, ...]:
    """What the loss is a function of, beside the data."""
    delta = config.huber_delta if config.loss == "huber" else None
    return config.preprocess, config.loss, delta, config.model.bias, config.optimizer.weight_decay


def write_pictures(pictures: dict[str, bytes], folder: Path) -> list[Path]:
    """Write pictures into a folder, which is created if it is missing; returns their paths.

    Raises:
        StoreError: if the folder cannot be written.
    """
    make_folder(folder)
    for name, content in pictures.items():
        write_bytes(folder / name, content, own=True)
    return [folder / name for name in pictures]


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
