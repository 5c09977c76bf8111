"""Trained parameters beside those of the optimum, in original units, with standard errors; the truth if known."""

from collections.abc import Mapping
from typing import Any

from linreg_cli.config.data import SyntheticData
from linreg_cli.report.about import verdict
from linreg_cli.report.markup import Html, facts, figure_of, name, names, paragraph, stack, table, text
from linreg_cli.runs.contents import RunContents
from linreg_cli.wording import gap_in_words, has_bias, number, p_value, parameters_title, r2_label

_ERRORS = ("std err", "HC3", "t", "p", "2.5 %", "97.5 %", "VIF")


def optimum(run: RunContents) -> Html | None:
    """The gap of the run to the lowest possible loss, and rank, condition number and leave-one-out error."""
    if run.metrics is None:
        return None
    said = gap_in_words(run.metrics)
    found = run.metrics.get("optimum")
    parts = [paragraph(text(f"{said[0].upper()}{said[1:]}."))]
    if found is not None and "rank" in found:
        unique = "yes" if found["is_unique"] else "no: other parameters have the same loss"
        condition = found["condition_number"]
        parts.append(
            facts(
                [
                    ("rank", text(f"{found['rank']:,} of {found['n_parameters']:,}{_rank_as_given(found)}")),
                    ("unique", text(unique)),
                    (
                        "condition number",
                        text(
                            f"{number(condition)} standardised, {number(found['condition_number_as_given'])} as given"
                            if condition is not None
                            else f"infinite: {found.get('condition_number_reason')}"
                        ),
                    ),
                ]
            )
        )
    if found is not None and "leave_one_out" in found:
        transform = run.record().get("target_transform", "none")
        held_out = found["leave_one_out"]
        original = transform == "none" or held_out.get("units") == "original"  # older runs have those of the transform
        units = "in original units" if original else f"of {transform} of {', '.join(run.targets)}"
        caption = f"Leave-one-out error of the optimum, {units}"
        parts.append(_leave_one_out(held_out, caption, r2_label("centred", has_bias(run.metrics["parameters"]), "R²")))
    return stack(*parts)


def _rank_as_given(found: Mapping[str, Any]) -> str:
    """The rank of the table before it was rounded to float32, if it is another one."""
    rank = (found.get("as_given") or found)["rank"]
    return "" if rank == found["rank"] else f" in float32, {rank:,} as given"


def _leave_one_out(found: Mapping[str, Any], caption: str, r2: str) -> Html:
    cells = [figure_of(found[key]) for key in ("mse", "rmse", "r2")]
    rows = [[text("each row, by the fit to the other rows"), *cells]]
    note = paragraph(text(found["reason"]), class_="note") if found.get("reason") else None
    return stack(table(caption, ["predicted", "MSE", "RMSE", r2], rows), note)


def parameters(run: RunContents) -> Html | None:
    """A table for each target, with the statistics of the fit, or the reason why there are no standard errors."""
    if run.metrics is None:
        return None
    inference = run.metrics.get("inference") or {"refused": "the run was trained by an older version of linreg"}
    refused = inference.get("refused")
    transform = run.record().get("target_transform", "none")
    parts: list[Html | None] = []
    if isinstance(refused, str):
        parts.append(paragraph(text(f"No standard errors: {refused}.")))
    for target in run.targets:
        several = len(run.targets) > 1
        own = {} if isinstance(refused, str) else inference[target] if several else inference
        caption = parameters_title([target], transform).removesuffix(":")
        parts += [_parameters(run, target if several else None, f"Parameters of {caption}", own)]
        of = "" if transform == "none" else f"{transform} of {target}"
        parts += [_fit(own, of, has_bias=has_bias(run.metrics["parameters"]))] if own else []
    return stack(*parts)


def _parameters(run: RunContents, target: str | None, caption: str, inference: Mapping[str, Any]) -> Html:
    """One target's table.

    Args:
        run: the run.
        target: its name; None for the only one, which `metrics.json` does not name.
        caption: of the table.
        inference: of the target; empty where it was refused.
    """
    assert run.metrics is not None
    trained = _of(run.metrics["parameters"], target)
    best = (run.metrics.get("optimum") or {}).get("parameters")
    optimum = _of(best, target) if best else None
    coefficients = inference.get("coefficients", {})
    several = (run.metrics.get("optimum") or {}).get("is_unique") is False
    at = "at an optimum, one of several" if several else "at the optimum"
    header = ["parameter", "trained", *([at] if optimum else []), *(_ERRORS if coefficients else [])]
    rows = []
    for key, label, of_bias in [*((key, name(key), False) for key in trained[0]), ("bias", text("(bias)"), True)]:
        values = [given[1] if of_bias else given[0][key] for given in (trained, optimum) if given]
        if values[0] is None:  # a model without an intercept
            continue
        cells = [label, *map(figure_of, values)]
        rows.append([*cells, *(_errors(coefficients[key]) if coefficients else [])])
    return table(caption, header, rows)


def _of(parameters: Mapping[str, Any], target: str | None) -> tuple[Mapping[str, float], float | None]:
    """The weights and the bias of one target."""
    weights, bias = parameters["weights"], parameters["bias"]
    return (weights, bias) if target is None else (weights[target], bias[target])


def _errors(found: Mapping[str, Any]) -> list[Html]:
    shown = [number(found["std_err"]), number(found["std_err_hc3"]), number(found["t"], 4), p_value(found["p"])]
    shown += [number(found["ci_low"]), number(found["ci_high"]), number(found["vif"], 3)]
    return [text(each) for each in shown]


def _fit(inference: Mapping[str, Any], of: str, *, has_bias: bool) -> Html:
    """The statistics of the fit; `of` is the transformed target whose units they have, or empty."""
    r2 = r2_label(inference.get("r2_definition"), has_bias, "R²")
    return facts(
        [
            ("statistics of", text(of) if of else None),
            ("rows", figure_of(inference["n"])),
            (r2, figure_of(inference["r2"])),
            ("R², adjusted", figure_of(inference["r2_adjusted"])),
            ("residual std", figure_of(inference["residual_std"])),
            ("F", text(f"{number(inference['f'])}, p {p_value(inference['f_p'])}")),
            ("AIC, BIC", text(f"{number(inference['aic'])}, {number(inference['bic'])}")),
            ("Durbin-Watson", figure_of(inference["durbin_watson"])),
        ]
    )


def truth(run: RunContents) -> Html | None:
    """The true parameters beside the trained ones; None where no truth is known."""
    found = _truth(run)
    if found is None:
        return None
    rows, judged = [], all(values["covered"] is not None for values in found["coefficients"].values())
    for key, values in found["coefficients"].items():
        label = text("(bias)") if key == "bias" else name(key)
        rows.append([label, *(figure_of(values[part]) for part in ("true", "estimate", "error"))])
        if judged:
            rows[-1].append(verdict(values["covered"], "yes" if values["covered"] else "no"))
    header = ["parameter", "true", "trained", "error", *(["in the 95 % interval"] if judged else [])]
    attained = ", ".join(f"{number(mse)} ({split})" for split, mse in found["mse"].items())
    left_out = found.get("left_out")
    return stack(
        table("The true parameters and the trained ones", header, rows, words=(0, 4)),
        facts(
            [
                ("MSE of the noise", figure_of(found["noise_mse"])),
                ("MSE attained", text(attained)),
                ("not in the model", names(left_out) if left_out else None),
            ]
        ),
    )


def _truth(run: RunContents) -> dict[str, Any] | None:
    """`evaluation.truth.compare` from the files of the run; None unless its config has a synthetic source."""
    if run.metrics is None or not isinstance(run.config.data, SyntheticData):
        return None
    # Imported here, because they load torch, which takes a second and other runs do not need.
    import numpy as np

    from linreg_cli.evaluation.truth import compare, known_truth
    from linreg_cli.model import LinearFormula

    known = known_truth(run.config)
    several = len(run.targets) > 1
    each = [_of(run.metrics["parameters"], target if several else None) for target in run.targets]
    features = tuple(run.record()["data"]["features"])
    formula = LinearFormula(
        features,
        tuple(run.targets),
        np.array([[weights[feature] for weights, _ in each] for feature in features]),
        None if each[0][1] is None else np.array([bias for _, bias in each]),
        run.record().get("target_transform", "none"),
    )
    assert known is not None
    return compare(known, formula, {"inference": {}, **run.metrics})
