"""The results of a run: gates, metrics, cross-validation, probes and pictures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linreg_cli.errors import LinregError, PlotError, StoreError, UsageError
from linreg_cli.figures.canvas import render
from linreg_cli.figures.kinds import KINDS
from linreg_cli.figures.of_run import figure_of as figure_of_run
from linreg_cli.figures.of_run import overlay
from linreg_cli.report.about import verdict
from linreg_cli.report.contents import Shareable, curve_of
from linreg_cli.report.markup import (
    Html,
    bullets,
    element,
    figure_of,
    message,
    name,
    paragraph,
    picture,
    short,
    stack,
    table,
    text,
)
from linreg_cli.wording import METRICS, estimate_in_words, has_bias, number, value

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Metric -> its title. The first columns of a table are those that a phone shows.
_NAMES = {"n": "n", "r2": METRICS["r2"], "rmse": METRICS["rmse"], **METRICS, "loss": "loss"}
#: Dots per inch: sharp at twice the width that a screen has for one of two pictures side by side. A comparison has
#: those of all runs and should be small enough to be mailed, too.
DOTS, DOTS_OF_SEVERAL = 96, 78
#: Kind of picture -> what each shows. `{fitted}` is the target as it was fitted, such as the log of it.
_SHOWS = {
    "loss": "The loss after each epoch.",
    "fit": "The rows of each split, {target} against the only feature, with the fitted line.",
    "predicted": "Predicted against actual {target} of each split, with the line of perfect prediction.",
    "residuals": "Residuals of {fitted} (actual − predicted) against predicted values.",
    "qq": "Standardised residuals of {fitted} against the quantiles of the normal distribution, with a 95 % band.",
    "scale_location": "The size of the standardised residuals of {fitted} against predicted values.",
    "leverage": "Standardised residuals of {fitted} against leverage; curves of Cook's distance where in view.",
    "coefficients": "Coefficients for {fitted} per standard deviation of each feature.",
}
#: What only some pictures of a kind show -> how the line of it is called in a figure, and the words of a caption.
_MORE = {
    "fit": ("band-", " and its 95 % bands"),
    "residuals": ("smooth", ", with a smooth curve"),
    "coefficients": ("interval-", ", with 95 % intervals of the exact fit"),
}


def gates(run: Shareable) -> Html | None:
    """Each gate with what it measured; None for a run without gates."""
    found = run.record().get("gates") or []
    rows = []
    for gate in found:
        result = verdict(gate["passed"], "passed" if gate["passed"] else "failed")
        rows.append([element("code", text(gate["gate"])), result, figure_of(gate["measured"]), text(gate["reason"])])
    header = ["gate", "result", "measured", "reason"]
    return table("Gates of the run", header, rows, words=(0, 1, 3)) if rows else None


def metrics(run: Shareable) -> Html | None:
    """The metrics of each split, for all targets together and for each."""
    if not run.splits:
        return None
    what = "all targets" if len(run.targets) > 1 else short(run.targets[0])
    parts = [_metrics(f"Metrics of {what}", run.splits, list(_NAMES))]
    if len(run.targets) > 1:
        for target in run.targets:
            own = {split: values["by_target"][target] for split, values in run.splits.items()}
            parts.append(_metrics(f"Metrics of {short(target)}", own, [key for key in _NAMES if key != "loss"]))
    said = "Loss is in scaled units; the other metrics are in original units."
    if estimate := estimate_in_words(run.record()):
        said += f" Predictions estimate {estimate}."
    if not has_bias((run.metrics or {})["parameters"]):
        said += " R² is centred: relative to the mean of the split."
    return stack(*parts, paragraph(text(said), class_="note"))


def _metrics(caption: str, splits: Mapping[str, Mapping[str, Any]], keys: Sequence[str]) -> Html:
    rows = [[text(split), *(_metric(values, key) for key in keys)] for split, values in splits.items()]
    reasons = [
        text(f"{split} {_NAMES.get(key, key)} is undefined: {why}")
        for split, values in splits.items()
        for key, why in reasons_of(values).items()
    ]
    return stack(table(caption, ["split", *(_NAMES[key] for key in keys)], rows), bullets(reasons))


def reasons_of(values: Mapping[str, Any]) -> dict[str, str]:
    """Metric -> why it is undefined.

    >>> reasons_of({"r2": None, "r2_reason": "the target is constant", "mse": 0.0})
    {'r2': 'the target is constant'}
    """
    return {key.removesuffix("_reason"): why for key, why in values.items() if key.endswith("_reason")}


def _metric(values: Mapping[str, Any], key: str) -> Html:
    return text("undefined") if f"{key}_reason" in values else figure_of(values.get(key))


def cross_validation(run: Shareable) -> Html | None:
    """Mean and standard deviation of each metric over the folds, and each fold; None without cross-validation."""
    found = (run.metrics or {}).get("cross_validation")
    if not found:
        return None
    keys = list(METRICS)
    rows = [
        [element("strong", text(title)), *(_of_fold(found[key], part) for key in keys)]
        for title, part in (("mean", "mean"), ("standard deviation", "std"))
    ]
    for fold in range(found["folds"]) if any(found[key] for key in keys) else ():
        rows.append([text(f"fold {fold + 1}"), *(_of_fold(found[key], "values", fold) for key in keys)])
    reasons = dict.fromkeys(reasons_of(found).values())
    header = ["over the folds", *(_NAMES[key] for key in keys)]
    return stack(
        paragraph(
            text(f"Each of {found['folds']} folds of the train split, predicted by a model trained on the other folds.")
        ),
        table("Cross-validated metrics: mean, standard deviation and each fold", header, rows),
        bullets([text(f"undefined: {reason}") for reason in reasons]),
    )


def _of_fold(summary: Mapping[str, Any] | None, part: str, fold: int | None = None) -> Html:
    if summary is None:
        return text("undefined")
    return figure_of(summary[part] if fold is None else summary[part][fold])


def probe(run: Shareable) -> Html | None:
    """Predictions before and after training; None for a run without probes."""
    points = (run.metrics or {}).get("probe") or []
    if not points:
        return None
    header = ["input"]
    for moment in ("before", "after"):
        header += [moment] if len(run.targets) == 1 else [f"{moment}, {target}" for target in run.targets]
    rows = []
    for point in points:
        shown = ", ".join(map(value, point["input"]))
        rows.append([name(shown), *(figure_of(predicted) for key in ("before", "after") for predicted in point[key])])
    data = run.record()["data"]
    columns = [each["column"] for each in data.get("columns") or () if each["role"] == "feature"]
    order = data.get("sources") or columns or data["features"]  # runs of earlier versions have no sources
    note = paragraph(text("Inputs are "), name(", ".join(order)), text("."), class_="note")
    return stack(table("Predictions before and after training", header, rows), note)


def pictures(run: Shareable, kinds: Sequence[str] = tuple(_SHOWS), most: int | None = None, dpi: int = DOTS) -> Html:
    """Pictures that can be drawn from the run folder alone; for one that cannot be drawn, the reason.

    Args:
        run: the run.
        kinds: those to draw; the ones that the run does not have are left out.
        most: the number of pictures; None: all of them.
        dpi: dots per inch; a picture is 10 inches wide.
    """
    figures: list[Html] = []
    failures = []
    of = run.record().get("target_transform", "none")
    transform = "" if of == "none" else f"{of} of "
    for kind in kinds:
        if most is not None and len(figures) >= most:
            break
        targets = run.targets if KINDS[kind].per_target else [None]
        try:
            drawn = [figure_of_run(run, kind, target) for target in targets]
            pngs = [render(figure, "png", dpi) for figure in drawn]
        except UsageError:  # the run has no such picture
            continue
        except (StoreError, PlotError) as error:
            failures.append(_why(run, error))
            continue
        for target, figure, png in zip(targets, drawn, pngs, strict=True):
            named = "" if target is None else short(target)
            shows = _caption(figure, kind).format(target=named, fitted=transform + named)
            alt = _loss_alt(run) if kind == "loss" else f"Picture: {shows}{_also(figure)}"
            figures.append(picture(png, alt, shows))
    return stack(element("div", *figures[:most], class_="pictures") if figures else None, not_drawn(failures))


def _caption(figure: "Figure", kind: str) -> str:
    """What a figure shows, with nothing that only others of its kind show, such as intervals where there are none."""
    found = _SHOWS[kind]
    if kind not in _MORE:
        return found
    called, more = _MORE[kind]
    drawn = any(str(line.get_gid()).startswith(called) for line in figure.axes[0].lines)
    return f"{found.removesuffix('.')}{more}." if drawn else found


def _also(figure: "Figure") -> str:
    """What is seen in a figure and not said in its caption: the equation of a line, and the rows that are named."""
    labels = [label.get_text() for legend in figure.legends for label in legend.get_texts()]
    equations = [" ".join(label.split()) for label in labels if label.startswith("fitted line")]
    named = [label.get_text() for label in figure.axes[0].texts if label.get_text().isdigit()]
    rows = [f"Named: {'row' if len(named) == 1 else 'rows'} {', '.join(named)}"] if named else []
    return "".join(f" {each[0].upper()}{each[1:]}." for each in [*equations, *rows])


def overlaid(runs: Sequence[Shareable]) -> Html:
    """The loss curves of several runs in one picture, or the reason why there is none."""
    try:
        png = overlay(runs, "png", dpi=DOTS)[""]
    except (StoreError, PlotError) as error:
        return stack(not_drawn([_why(runs[0], error)]))
    each = ", ".join(run.id for run in runs)
    return picture(
        png, f"Picture: loss against epoch of {each}, a curve each.", "The loss after each epoch of every run."
    )


def not_drawn(failures: Sequence[str]) -> Html | None:
    """The reasons why pictures are missing, each once."""
    found = (message(f"A picture could not be drawn: {why}") for why in dict.fromkeys(failures))
    return stack(*(paragraph(each, class_="note") for each in found)) or None


def _why(run: Shareable, error: LinregError) -> str:
    """The name of the damaged file, without its folder, and what is wrong."""
    whole = "; ".join(
        f"{Path(fault.where).name}: {fault.message}" if fault.where else fault.message for fault in error.faults
    )
    return run.shareable(whole)


def _loss_alt(run: Shareable) -> str:
    curve = curve_of(run)
    if curve is None or not len(curve.train):
        return "Picture: loss against epoch."
    ends = f"{number(float(curve.train[0]))} at epoch 0 to {number(float(curve.train[-1]))} at the last"
    return f"Picture: loss against epoch; the train loss goes from {ends}."
