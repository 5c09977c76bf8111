"""Tables of the inference and of the true coefficients of a run; within 80 columns if names are short."""

from textwrap import wrap
from typing import TYPE_CHECKING, Any

from linreg_cli.cli.output import aligned, first_names, left_out
from linreg_cli.wording import number, one_line, p_value, r2_label

if TYPE_CHECKING:
    from linreg_cli.model import LinearFormula


def inference_text(metrics: dict[str, Any], formula: "LinearFormula") -> str:
    """The coefficients of each target with standard errors, tests and confidence intervals, or why there are none.

    Args:
        metrics: `metrics.json` of a run, with `inference`.
        formula: the trained model.
    """
    targets = formula.targets
    inference = metrics["inference"]
    if "refused" in inference:
        return "\n".join(wrap(one_line(f"no standard errors: {inference['refused']}"), 80, break_long_words=False))
    each = {targets[0]: inference} if len(targets) == 1 else inference
    return "\n\n".join(_one(target, each[target], formula) for target in targets)


def truth_text(truth: dict[str, Any]) -> str:
    """The true and the trained coefficients, the mse of the noise and that of the model.

    Args:
        truth: `truth` of `metrics.json`.
    """
    rows = [["truth", "true", "trained", "error", "in interval"]]
    for name in first_names(truth["coefficients"]):
        values = truth["coefficients"][name]
        covered = {None: "-", True: "yes", False: "no"}[values["covered"]]
        rows.append([_label(name), *(number(values[key]) for key in ("true", "estimate", "error")), covered])
    lines = [aligned(rows), *left_out(truth["coefficients"])]
    if truth.get("left_out"):
        lines.append(
            f"omitted variables, which bias correlated coefficients: {', '.join(map(one_line, truth['left_out']))}"
        )
    attained = ", ".join(f"{number(mse)} ({split})" for split, mse in truth["mse"].items())
    return "\n".join([*lines, f"mse of the noise alone: {number(truth['noise_mse'])}", f"mse of the model: {attained}"])


def _one(target: str, inference: dict[str, Any], formula: "LinearFormula") -> str:
    title = [] if formula.transform == "none" else [f"statistics of {formula.transform} of {target}, in its units:"]
    r2 = r2_label(inference.get("r2_definition"), formula.bias is not None)
    rows = [[target, "estimate", "std err", "HC3", "t", "p", "2.5 %", "97.5 %", "VIF"]]
    for name in first_names(inference["coefficients"]):
        values = inference["coefficients"][name]
        shown = [number(values[key]) for key in ("estimate", "std_err", "std_err_hc3")]
        shown += [number(values["t"], 4), p_value(values["p"])]
        shown += [number(values["ci_low"]), number(values["ci_high"]), number(values["vif"], 3)]
        rows.append([_label(name), *shown])
    first = [("n", inference["n"]), (r2, inference["r2"]), ("adjusted", inference["r2_adjusted"])]
    second = [("F", inference["f"]), ("p of F", inference["f_p"]), ("residual std", inference["residual_std"])]
    third = [("AIC", inference["aic"]), ("BIC", inference["bic"]), ("Durbin-Watson", inference["durbin_watson"])]
    facts = ["   ".join(f"{name} {number(value)}" for name, value in line) for line in (first, second, third)]
    return "\n".join([*title, aligned(rows), *left_out(inference["coefficients"]), *facts])


def _label(name: str) -> str:
    name = one_line(name)
    return "(bias)" if name == "bias" else name if len(name) <= 18 else f"{name[:9]}…{name[-8:]}"
