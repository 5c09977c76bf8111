"""The tables of the coefficients of a run and of its true coefficients; within 80 columns if names are short."""

from collections.abc import Callable, Sequence
from typing import Any

from linreg_cli.cli.output import MOST_PARAMETERS, WIDTH, aligned, first_names, heading, left_out, prose
from linreg_cli.decimals import at_mark, at_right, cut, text_width
from linreg_cli.evaluation.coefficients import (
    Coefficient,
    CoefficientTable,
    coefficient_tables,
    errors_in_words,
    more_columns,
    shown_columns,
)
from linreg_cli.wording import bounded, number, one_line, p_value, parameters_title, plural, r2_label

_INDENT = "  "
_GAP = "  "
_INTERVAL = "95 % interval"
#: Names may stand on lines of their own where at least this width is left for the other names.
_LEAST_NAME = 12


def coefficients_text(
    metrics: dict[str, Any], record: dict[str, Any], *, details: bool = False, reasons: bool = True
) -> str:
    """A table of the coefficients for each target, with standard errors, 95 % intervals and p, or why there are none.

    Args:
        metrics: the content of `metrics.json`.
        record: that of `run.json`.
        details: whether to show t, other standard errors, variance inflation factors, AIC, BIC and Durbin-Watson.
        reasons: whether to say why the statistics are those of the exact fit, where they are.
    """
    tables = coefficient_tables(metrics, record["data"]["targets"])
    parts: list[str] = []
    room = MOST_PARAMETERS
    for position, table in enumerate(tables):
        if room <= 0:
            parts.append(f"... and {plural(len(tables) - position, 'more target')}; metrics.json has them all")
            break
        parts.append(_block(table, record.get("target_transform", "none"), room, details=details))
        if table.of is None and table.refused != tables[0 if position else -1].refused:
            parts[-1] += "\n" + prose(f"no standard errors: {table.refused}", indent=_INDENT)
        room -= len(table.rows)
    refused = tables[0].refused if len({table.refused for table in tables}) == 1 else None
    if refused is not None and (reasons or tables[0].of is None):
        what = "no standard errors" if tables[0].of is None else "none of these are statistics of the trained model"
        parts.append(prose(f"{what}: {refused}", indent=_INDENT))
    return "\n\n".join([*parts, *_references(record)])


def truth_text(truth: dict[str, Any], indent: str = "") -> str:
    """The true and the trained coefficients, the mse of the noise and that of the model.

    Args:
        truth: from `evaluation.truth.compare`.
        indent: before each line.
    """
    whose = "exact fit's" if truth["intervals_of"] == "exact" else "95 %"
    rows = [["truth", "true", "trained", "error", f"in {whose} interval"]]
    for name in first_names(truth["coefficients"]):
        values = truth["coefficients"][name]
        covered = {None: "-", True: "yes", False: "no"}[values["covered"]]
        label = "(bias)" if name == "bias" else cut(one_line(name), 30)
        rows.append([label, *(number(values[key]) for key in ("true", "estimate", "error")), covered])
    lines = [aligned(rows, indent=indent), *left_out(len(truth["coefficients"]) - MOST_PARAMETERS, indent)]
    if truth.get("left_out"):
        names = ", ".join(map(one_line, truth["left_out"]))
        lines.append(prose(f"omitted variables, which bias correlated coefficients: {names}", indent=indent))
    attained = ", ".join(f"{number(mse)} ({split})" for split, mse in truth["mse"].items())
    lines.append(f"{indent}mse of the noise alone: {number(truth['noise_mse'])}")
    return "\n".join([*lines, f"{indent}mse of the model: {attained}"])


def _block(table: CoefficientTable, transform: str, most: int, *, details: bool) -> str:
    """One target: title, coefficients, statistics of the fit."""
    title = parameters_title([table.target], transform).removesuffix(":")
    if table.of is not None:
        title += f", with {errors_in_words(table)}"
    rows = table.first(most)
    parts = [heading(prose(f"{title}:")), _table(table, rows), *left_out(len(table.rows) - len(rows), _INDENT)]
    if table.lacking:
        parts.append(prose(table.lacking, indent=_INDENT))
    if table.shows_distance:
        parts.append(f"{_INDENT}distance: (trained - exact) / standard error")
    if table.fit:
        parts += [f"{_INDENT}{line}" for line in _fit(table)]
    if table.fit and details:
        fit = table.fit
        names = {"AIC": fit["aic"], "BIC": fit["bic"], "Durbin-Watson": fit["durbin_watson"]}
        parts.append(_INDENT + ", ".join(f"{name} {number(value)}" for name, value in names.items()))
        parts += ["", _named([_label(row) for row in rows], _columns(more_columns(table, rows)))]
    return "\n".join(parts)


def _fit(table: CoefficientTable) -> list[str]:
    """The quality of the fit in two lines."""
    fit, (tested, of_f) = table.fit, table.degrees_of_f
    r2 = r2_label(fit.get("r2_definition"), table.has_bias)
    of = "exact fit: " if table.of == "exact" else ""
    first = f"{of}residual standard error {number(fit['residual_std'])} on {table.degrees:,} degrees of freedom"
    second = f"{r2} {number(fit['r2'])}, adjusted {number(fit['r2_adjusted'])}"
    if fit["f"] is not None:
        p = p_value(fit["f_p"])
        second += f"; F({tested:,}, {of_f:,}) {_equal(bounded(fit['f'], most=1e9))}, p {_equal(p)}"
    return [first, second]


def _equal(figure: str) -> str:
    """A figure after its name: `= 12.5`, or `<0.0001` as it is."""
    return figure if figure[0] in "<>" else f"= {figure}"


def _table(table: CoefficientTable, rows: Sequence[Coefficient]) -> str:
    """The coefficients, rounded by their standard errors to as many digits as there is room for.

    Where 80 columns are too few even so, the exact estimates are left out, which the distance stands for; then numbers
    are aligned at the right; else there are two tables: estimates and distance, then their errors.
    """
    labels = [_label(row) for row in rows]
    longest = max(map(text_width, labels))
    each = [shown_columns(table, rows, digits) for digits in (4, 3)]
    narrow = [*each, shown_columns(table, rows, 2)]
    narrow = [{title: cells for title, cells in shown.items() if title != "exact"} for shown in narrow]
    short = min(longest, _LEAST_NAME)  # names may stand on lines of their own
    ways = [(longest, each, at_mark), (short, each, at_mark)]
    ways += [(longest, narrow[:2], at_mark)] if "distance" in each[0] else []
    ways += [(longest, narrow, at_right), (short, narrow, at_right)]
    for least, tried, align in ways:
        for shown in tried:
            if _room(_columns(shown, align)) >= least:
                lacks = "exact" in each[0] and "exact" not in shown
                note = [f"{_INDENT}interval: about the exact estimate (metrics.json has it)"] if lacks else []
                return "\n".join([_named(labels, _columns(shown, align)), *note])
    errors = {title: cells for title, cells in each[0].items() if title in ("std err", "low", "high", "p")}
    estimates = {title: cells for title, cells in each[0].items() if title not in errors}
    return "\n\n".join(_named(labels, _columns(part)) for part in (estimates, errors) if part)


def _columns(shown: dict[str, list[str]], align: Callable[[Sequence[str]], list[str]] = at_mark) -> list[str]:
    """The columns as lines: the titles, then a line for each coefficient."""
    lines = [""] * (1 + len(next(iter(shown.values()))))
    for title, cells in shown.items():
        if title == "high":
            continue
        if title == "low":
            low, high = align(cells), align(shown["high"])
            title, cells = _INTERVAL, [f"{a}{_GAP}{b}" for a, b in zip(low, high, strict=True)]
        lines = [f"{line}{_GAP}{cell}" for line, cell in zip(lines, align([title, *cells]), strict=True)]
    return lines


def _room(lines: Sequence[str]) -> int:
    """The columns that are left for names."""
    return WIDTH - len(_INDENT) - text_width(lines[0])


def _named(labels: Sequence[str], lines: Sequence[str]) -> str:
    """A table with the names before its lines; a name that needs more room than there is has a line of its own."""
    room = max(_room(lines), _LEAST_NAME)
    width = max((text_width(label) for label in labels if text_width(label) <= room), default=_LEAST_NAME)
    found = []
    for label, line in zip(["", *labels], lines, strict=True):
        if text_width(label) > width:
            found.append(_INDENT + cut(label, WIDTH - len(_INDENT)))
            label = ""
        found.append((_INDENT + label + " " * (width - text_width(label)) + line).rstrip())
    return "\n".join(found)


def _references(record: dict[str, Any]) -> list[str]:
    """The reference level of each category, once."""
    columns = record["data"].get("columns") or []
    features = [each for each in columns if each.get("reference") and each.get("role") != "source"]
    found = [(one_line(each["column"]), one_line(each["reference"])) for each in features]
    if not found:
        return []
    if len(found) == 1:
        return [prose("{}: reference level {}".format(*found[0]), indent=_INDENT)]
    shown = ", ".join(f"{column}={level}" for column, level in found[:MOST_PARAMETERS])
    more = f" and {len(found) - MOST_PARAMETERS:,} more" if len(found) > MOST_PARAMETERS else ""
    return [prose(f"reference levels: {shown}{more}", indent=_INDENT)]


def _label(row: Coefficient) -> str:
    return "(bias)" if row.is_bias else one_line(row.name)
