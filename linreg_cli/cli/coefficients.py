"""The optimum, the inference and the truth of a run, for people: within 80 columns where names are short."""

from textwrap import wrap
from typing import Any

from linreg_cli.cli.output import columns, number

#: A gap of which nothing but the rounding of float64 is left.
ROUNDING = 1e-15


def gap_in_words(metrics: dict[str, Any]) -> str:
    """How far a run is from the optimum, in a sentence."""
    optimum = metrics.get("optimum")
    if optimum is None:
        return f"optimum: not known ({metrics.get('optimum_reason', 'an older run')})"
    zero = optimum["gap_relative_to"] == "constant"  # the optimum's own loss is nothing but rounding
    lowest = f"the lowest possible train loss is {'0, to rounding' if zero else number(optimum['train_loss'])}"
    gap = optimum["gap"]
    if gap is None:
        return f"optimum: {lowest}"
    what = "train loss" if "objective" not in optimum else "loss with its penalty"
    if gap <= ROUNDING:
        return f"optimum: {lowest}, and the run is there to rounding (gap {gap:.3g})"
    if zero:
        return f"optimum: {lowest}; the {what} is {gap:.3g} times that of the best constant"
    return f"optimum: {lowest}; the {what} is {_share(gap)} above it (gap {gap:.3g})"


def inference_text(metrics: dict[str, Any], targets: tuple[str, ...]) -> str:
    """The coefficients with their errors, tests and intervals, or why there are none."""
    inference = metrics["inference"]
    if "refused" in inference:
        return "\n".join(wrap(f"no standard errors: {inference['refused']}", 80, break_long_words=False))
    each = {targets[0]: inference} if len(targets) == 1 else inference
    return "\n\n".join(_one(target, each[target]) for target in targets)


def truth_text(truth: dict[str, Any]) -> str:
    """The true coefficients beside the trained ones, and the noise beside the loss."""
    rows = [["truth", "true", "trained", "error", "in interval"]]
    for name, values in truth["coefficients"].items():
        covered = {None: "-", True: "yes", False: "no"}[values["covered"]]
        rows.append([_label(name), *(number(values[key]) for key in ("true", "estimate", "error")), covered])
    lines = [columns(rows)]
    if truth.get("left_out"):
        lines.append(f"not in the model, so that the rest stands for them too: {', '.join(truth['left_out'])}")
    attained = ", ".join(f"{number(mse)} ({split})" for split, mse in truth["mse"].items())
    return "\n".join([*lines, f"mse of the noise alone: {number(truth['noise_mse'])}", f"mse attained: {attained}"])


def _one(target: str, inference: dict[str, Any]) -> str:
    rows = [[target, "estimate", "std err", "HC3", "t", "p", "2.5 %", "97.5 %", "VIF"]]
    for name, values in inference["coefficients"].items():
        shown = [_short(values[key]) for key in ("estimate", "std_err", "std_err_hc3")]
        shown += [_short(values["t"], 4), "-" if values["p"] is None else f"{values['p']:.2g}"]
        shown += [_short(values["ci_low"]), _short(values["ci_high"]), _short(values["vif"], 3)]
        rows.append([_label(name), *shown])
    first = [("n", inference["n"]), ("R2", inference["r2"]), ("adjusted", inference["r2_adjusted"])]
    second = [("F", inference["f"]), ("p of F", inference["f_p"]), ("residual std", inference["residual_std"])]
    third = [("AIC", inference["aic"]), ("BIC", inference["bic"]), ("Durbin-Watson", inference["durbin_watson"])]
    facts = ["   ".join(f"{name} {number(value)}" for name, value in line) for line in (first, second, third)]
    return "\n".join([columns(rows), *facts])


def _label(name: str) -> str:
    return "(bias)" if name == "bias" else name if len(name) <= 18 else f"{name[:9]}…{name[-8:]}"


def _short(value: float | None, digits: int = 5) -> str:
    return "-" if value is None else f"{value:.{digits}g}"


def _share(gap: float) -> str:
    percent = 100 * gap
    return f"{percent:.3g} %" if percent < 100 else f"{gap:.3g} times that"
