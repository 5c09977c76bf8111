"""Trained parameters beside those of the optimum, in original units, with standard errors; the truth if known."""

from collections.abc import Mapping, Sequence
from typing import Any

from linreg_cli.config.data import SyntheticData
from linreg_cli.evaluation.coefficients import (
    CoefficientTable,
    coefficient_tables,
    errors_in_words,
    more_columns,
    shown_columns,
)
from linreg_cli.evaluation.optimum_in_words import gap_in_words
from linreg_cli.report.about import verdict
from linreg_cli.report.markup import (
    Html,
    facts,
    figure_of,
    fold,
    interval,
    message,
    name,
    names,
    paragraph,
    sentence,
    short,
    stack,
    table,
    text,
)
from linreg_cli.runs.contents import RunContents
from linreg_cli.wording import bounded, condition_number, has_bias, number, p_value, parameters_title, r2_label

_INTERVAL = "95 % interval"
#: A column as the terminal calls it -> its title here.
_TITLES = {"exact": "exact fit", "distance": "distance in std err"}


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
                            f"{condition_number(condition, 6)} standardised{_condition_as_given(found)}"
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


def _condition_as_given(found: Mapping[str, Any]) -> str:
    """The condition number of the columns in original units; nothing where it is not known."""
    given = found.get("condition_number_as_given")
    return "" if given is None else f", {condition_number(given, 6)} as given"


def _leave_one_out(found: Mapping[str, Any], caption: str, r2: str) -> Html:
    cells = [figure_of(found[key]) for key in ("mse", "rmse", "r2")]
    rows = [[text("each row, by the fit to the other rows"), *cells]]
    note = paragraph(text(found["reason"]), class_="note") if found.get("reason") else None
    return stack(table(caption, ["predicted", "MSE", "RMSE", r2], rows), note)


def parameters(run: RunContents) -> Html | None:
    """A table for each target, with the statistics of the fit, or the reason why there are no standard errors."""
    if run.metrics is None:
        return None
    record = run.record()
    transform = record.get("target_transform", "none")
    tables = coefficient_tables(run.metrics, run.targets)
    parts: list[Html | None] = []
    if (refused := tables[0].refused) is not None:
        of_exact = "The statistics below are those of the exact fit, not of the trained model: "
        parts.append(paragraph(message(f"{'No standard errors: ' if tables[0].of is None else of_exact}{refused}.")))
    for each in tables:
        parts.append(_parameters(run, each, transform))
        parts.append(paragraph(sentence(text(each.lacking)), class_="note") if each.lacking else None)
        parts.append(_fit(each, "" if transform == "none" else f"{transform} of {each.target}") if each.fit else None)
    parts.append(_reference_levels(record))
    return stack(*parts)


def _parameters(run: RunContents, found: CoefficientTable, transform: str) -> Html:
    """One target's table: the interval beside the estimate, then what may be left out of view; more is folded."""
    assert run.metrics is not None
    shown: dict[str, Sequence[Html]] = {}
    cells = shown_columns(found, found.rows)
    if found.of == "exact":  # the interval is about it, so it stands before it
        order = ("estimate", "exact", "low", "trained", "distance", "p", "std err")
    else:
        order = ("estimate", "trained", "low", "p", "std err", "exact", "distance")
    for title in order:
        if title == "low" and title in cells:
            shown[_INTERVAL] = [interval(*ends) for ends in zip(cells["low"], cells["high"], strict=True)]
        elif title in cells:
            shown[_TITLES.get(title, title)] = [text(cell) for cell in cells[title]]
    if (run.metrics.get("optimum") or {}).get("is_unique") is False:
        shown |= _one_optimum(run.metrics, found, len(run.targets) > 1)
    caption = parameters_title([short(found.target)], transform).removesuffix(":")
    caption = f"Coefficients of {caption}{f', {errors_in_words(found)}' if found.of else ''}"
    more = {title: [text(cell) for cell in column] for title, column in more_columns(found, found.rows).items()}
    further = _of_coefficients(f"Further statistics of {short(found.target)}", found, more) if more else None
    folded = fold("t, other standard errors and VIF", further) if further else None
    return stack(_of_coefficients(caption, found, shown), folded)


def _of_coefficients(caption: str, found: CoefficientTable, columns: Mapping[str, Sequence[Html]]) -> Html:
    """Columns of cells as a table with a row for each coefficient."""
    labels = [text("(bias)") if row.is_bias else name(row.name) for row in found.rows]
    rows = [[label, *cells] for label, *cells in zip(labels, *columns.values(), strict=True)]
    header = ["coefficient", *columns]
    return table(caption, header, rows, intervals=[at for at, title in enumerate(header) if title == _INTERVAL])


def _one_optimum(metrics: Mapping[str, Any], found: CoefficientTable, several: bool) -> dict[str, list[Html]]:
    """The parameters at one of several optima."""
    best = (metrics.get("optimum") or {}).get("parameters")
    if not best:
        return {}
    weights, bias = _of(best, found.target if several else None)
    at = [figure_of(bias if row.is_bias else weights[row.name]) for row in found.rows]
    return {"at an optimum, one of several": at}


def _reference_levels(record: Mapping[str, Any]) -> Html | None:
    """The reference level of each category."""
    columns = (record.get("data") or {}).get("columns") or []
    levels = {each["column"]: each["reference"] for each in columns if each.get("reference")}
    if not levels:
        return None
    each = [Html(f"{name(column)}: {name(level)}") for column, level in levels.items()]
    return paragraph(text("Reference levels: "), Html(", ".join(each)), text("."), class_="note")


def _of(parameters: Mapping[str, Any], target: str | None) -> tuple[Mapping[str, float], float | None]:
    """The weights and the bias of one target."""
    weights, bias = parameters["weights"], parameters["bias"]
    return (weights, bias) if target is None else (weights[target], bias[target])


def _fit(found: CoefficientTable, of: str) -> Html:
    """The statistics of the fit; `of` is the transformed target whose units they have, or empty."""
    fit, (tested, of_f) = found.fit, found.degrees_of_f
    r2 = r2_label(fit.get("r2_definition"), found.has_bias, "R²")
    freedom, f = f"F({tested:,}, {of_f:,})", bounded(fit["f"], most=1e9)
    of = " ".join([*(["the exact fit"] if found.of == "exact" else []), *([of] if of else [])])
    return facts(
        [
            ("statistics of", text(of) if of else None),
            ("rows", figure_of(fit["n"])),
            (r2, figure_of(fit["r2"])),
            ("R², adjusted", figure_of(fit["r2_adjusted"])),
            ("residual standard error", text(f"{number(fit['residual_std'])} on {found.degrees:,} degrees of freedom")),
            (freedom, text(f"{f}, p {p_value(fit['f_p'])}") if fit["f"] is not None else None),
            ("AIC, BIC", text(f"{number(fit['aic'])}, {number(fit['bic'])}")),
            ("Durbin-Watson", figure_of(fit["durbin_watson"])),
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
    whose = " of the exact fit" if found["intervals_of"] == "exact" else ""
    header = ["parameter", "true", "trained", "error", *([f"in the 95 % interval{whose}"] if judged else [])]
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
