"""What was found, in a few plain sentences: what was fitted, how good it is, which column matters most, what is odd.

Every sentence says no more than the run has shown: which rows the quality was measured on, that an interval contains 0
or overlaps the next, that there are no intervals and why.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from linreg_cli.decimals import cut, place_of, placed
from linreg_cli.evaluation.coefficients import Coefficient, CoefficientTable, coefficient_tables
from linreg_cli.evaluation.diagnostics import DURBIN_WATSON
from linreg_cli.evaluation.optimum_in_words import ROUNDING
from linreg_cli.findings import KINDS
from linreg_cli.report.markup import Html, element, enumerated, name, sentence, text
from linreg_cli.wording import number, plural

#: Kinds of warnings that are not about the data or the fit.
_ASIDE = ("config", "engine", "font", "plots", "resumed")
#: The most columns, targets and oddities that a sentence names.
_COLUMNS, _TARGETS, _ODD = 4, 3, 3
#: Longer names are cut in their middle; the tables have them whole.
_LONGEST = 48
#: Fewer rows than these say little about further ones.
_FEW_ROWS = 30
#: An error on unseen rows that is so many times that on the rows of the fit is worth saying.
_WORSE = 1.25
#: The chance of one such interval among all columns, above which it is no evidence.
_BY_CHANCE = 0.05

_UNFINISHED = {
    "running": "This run was still in progress when this report was written",
    "interrupted": "This run was interrupted before it finished",
    "diverged": "This run diverged: its loss grew without bound",
    "failed": "This run failed before it finished",
}


def sentences(record: Mapping[str, Any], metrics: Mapping[str, Any] | None) -> list[Html]:
    """The sentences that a report opens with.

    Args:
        record: the content of `run.json`.
        metrics: that of `metrics.json`; None for a run without results.
    """
    targets = record["data"]["targets"]
    if record["status"] != "finished" or metrics is None:
        return _unfinished(record, targets)
    tables = coefficient_tables(metrics, targets)
    return [
        *_fitted(record, metrics, targets),
        _quality(record, metrics, targets),
        *_units(record),
        *_strongest(record, metrics, tables),
        _odd(record, tables),
    ]


def _unfinished(record: Mapping[str, Any], targets: Sequence[str]) -> list[Html]:
    why = _UNFINISHED.get(record["status"], "This run has no results")
    nothing = sentence(text("There is no model, so nothing is known about "), _listed(targets, _TARGETS))
    found = record.get("diverged") or {}
    if record["status"] != "diverged" or "limit" not in found:
        return [sentence(text(why)), nothing]
    times = f"{number(found['lr'])} is {number(found['times_the_limit'], 3)} times the limit of {found['limit_of']}"
    instead = found.get("lr_instead")
    helps = f"; {number(instead)} is below it" if instead is not None else ""
    return [sentence(text(why)), nothing, sentence(text(f"The learning rate {times}{helps}"))]


# ------------------------------------------------------------------------------------------------------ what was fitted


def _fitted(record: Mapping[str, Any], metrics: Mapping[str, Any], targets: Sequence[str]) -> list[Html]:
    """What was fitted, on how many rows, by which columns; and whether the fit is exact or saturated."""
    data, transform = record["data"], record.get("target_transform", "none")
    columns = data.get("sources") or data["features"]
    by = _listed(columns, _COLUMNS) if len(columns) <= _COLUMNS else text(plural(len(columns), "column"))
    of = text("" if transform == "none" else f"{transform} of ")
    was = " was regressed on " if len(targets) == 1 else " were regressed on "
    rows = plural(metrics["train"]["n"], "row")
    loss = record.get("loss")
    how = f" and the loss {loss}" if loss in ("mae", "huber") else ""
    said = [sentence(of, _listed(targets, _TARGETS), text(was), by, text(f", using {rows}{how}"))]
    optimum = metrics.get("optimum") or {}
    if optimum.get("is_saturated"):
        free = plural(optimum["n_parameters"], "parameter")
        said.append(sentence(text(f"The fit is saturated: {free} fit these rows whatever the target is")))
    elif _is_exact(optimum):
        said.append(sentence(text("The fit is exact: no row is off by more than rounding error")))
    return said


def _is_exact(optimum: Mapping[str, Any]) -> bool:
    """Whether the rows lie on the fitted plane, and the run has reached it."""
    return optimum.get("gap_relative_to") == "constant" and (optimum.get("gap") or 0.0) <= ROUNDING


# ------------------------------------------------------------------------------------------------------- how good it is


def _quality(record: Mapping[str, Any], metrics: Mapping[str, Any], targets: Sequence[str]) -> Html:
    """How good the model is on rows that it was not fitted on, as far as that is known."""
    train, validation, test = (metrics.get(split) for split in ("train", "validation", "test"))
    if test:
        return _on_rows("test rows, which training has not seen", test, train, targets)
    if validation:
        chose = bool(record.get("stopped") or record.get("restored_epoch"))
        seen = "which may have decided when to stop" if chose else "which it was not fitted on"
        return _on_rows(f"validation rows, {seen}", validation, train, targets)
    folds = metrics.get("cross_validation") or {}
    if r2 := folds.get("r2"):
        spread = f"mean {number(r2['mean'], 3)}, standard deviation {number(r2['std'], 3)}"
        return sentence(text(f"On rows left out by {folds['folds']}-fold cross-validation, R² has {spread}"))
    held_out = (metrics.get("optimum") or {}).get("leave_one_out") or {}
    if held_out.get("r2") is not None and len(targets) == 1:
        error = f"R² is {number(held_out['r2'], 3)} and the error (RMSE) {number(held_out['rmse'], 4)}"
        return sentence(text(f"No rows were kept apart; by leave-one-out of the exact fit, {error}"))
    return sentence(
        text("No rows were kept apart, so it is not known how good it is on others; on the rows of the fit "),
        _measured(train or {}, targets),
    )


def _units(record: Mapping[str, Any]) -> list[Html]:
    """The units of the quality, where they are not those of the coefficients."""
    of = record.get("target_transform", "none")
    return [] if of == "none" else [sentence(text(f"R² and the error are in original units, not in {of} units"))]


def _on_rows(which: str, values: Mapping[str, Any], train: Any, targets: Sequence[str]) -> Html:
    n = values["n"]
    parts = [text(f"On {number(n)} {which if n > 1 else which.replace('rows', 'row', 1)}, ")]
    parts.append(_measured(values, targets))
    if train and len(targets) == 1 and values["rmse"] > _WORSE * train["rmse"] and values["rmse"] > 0:
        parts.append(text(f", against {number(train['rmse'], 4)} on the rows of the fit"))
    each = [values] if len(targets) == 1 else [values["by_target"][target] for target in targets]
    if all((one.get("r2") or 0.0) < 0 for one in each):
        parts.append(text("; predicting their mean would be better"))
    if n < _FEW_ROWS:
        parts.append(text("; so few rows say little about others"))
    return sentence(*parts)


def _measured(values: Mapping[str, Any], targets: Sequence[str]) -> Html:
    """R² and the root mean squared error, of each target."""
    if len(targets) == 1:
        r2 = "undefined" if values.get("r2") is None else number(values["r2"], 3)
        return text(f"R² is {r2} and the error (RMSE) {number(values.get('rmse'), 4)}")
    each = []
    for target in targets[:_TARGETS]:
        r2 = values["by_target"][target].get("r2")
        each.append(Html(f"{text('undefined' if r2 is None else number(r2, 3))} for {_strong(target)}"))
    return Html(text("R² is ") + enumerated(each, len(targets) - len(each), "target"))


# ---------------------------------------------------------------------------------------------------- what matters most


class _Effect(NamedTuple):
    """A coefficient as the change of the target for one standard deviation of its column.

    Attributes:
        row: the coefficient.
        size: its absolute value.
        ends: of the interval, in the units of the coefficient.
        low: the lower end of the interval of the absolute value.
        high: its upper end.
        by: the covariance of the interval where it is not that of the table.
    """

    row: Coefficient
    size: float
    ends: tuple[float, float]
    low: float
    high: float
    by: str

    @property
    def is_sure(self) -> bool:
        """Whether the interval excludes 0."""
        return self.low > 0


def _strongest(record: Mapping[str, Any], metrics: Mapping[str, Any], tables: Sequence[CoefficientTable]) -> list[Html]:
    """Which column matters most, with its interval; or why that is not known."""
    optimum = metrics.get("optimum") or {}
    if optimum.get("is_saturated") or (_is_exact(optimum) and tables[0].of is None):
        return []  # said already
    if tables[0].of is None:
        return [sentence(text(f"There are no intervals, so which column matters most is not said: {_why(tables[0])}"))]
    said = []
    if tables[0].of == "exact":
        said.append(sentence(text("Training has not reached the exact fit, and the following is about that fit")))
    of = record.get("target_transform", "none")
    for table in tables[:_TARGETS]:
        unit = Html(_strong(table.target) if of == "none" else f"{text(of)} of {_strong(table.target)}")
        said.append(_strongest_of(_effects(table, record), table, unit, several=len(tables) > 1))
    return said


def _why(table: CoefficientTable) -> str:
    return (table.refused or "not recorded").rstrip(".")


def _effects(table: CoefficientTable, record: Mapping[str, Any]) -> list[_Effect]:
    """The coefficients that have intervals, the largest first.

    Where unequal variances were found, classic intervals say too much, and those by HC3 stand in their place.
    """
    deviations, found = record["data"].get("std") or {}, []
    unequal = any(each["kind"] == "heteroskedastic" for each in findings_of(record))
    for row in table.rows:
        unit = deviations.get(row.name)
        if row.is_bias or not unit or row.ci_low is None or row.ci_high is None:
            continue
        estimate, wider, by = _estimate(row, table), 1.0, ""
        if unequal and table.covariance == "classic" and row.std_errs.get("HC3") and row.std_err:
            wider, by = row.std_errs["HC3"] / row.std_err, " by HC3"
        middle, half = (row.ci_low + row.ci_high) / 2, wider * (row.ci_high - row.ci_low) / 2
        ends, sign = (middle - half, middle + half), 1 if estimate >= 0 else -1
        low, high = sorted(sign * end * unit for end in ends)
        found.append(_Effect(row, abs(estimate) * unit, ends, low, high, by))
    return sorted(found, key=lambda effect: -effect.size)


def _estimate(row: Coefficient, table: CoefficientTable) -> float:
    """The estimate that the statistics of a table are about."""
    return row.exact if table.of == "exact" and row.exact is not None else row.estimate


def _strongest_of(effects: Sequence[_Effect], table: CoefficientTable, unit: Html, *, several: bool) -> Html:
    of = Html(f"For {unit}, " if several else "")
    if not effects:
        return sentence(of, text("which column matters most cannot be said: no interval can be compared"))
    sure = [effect for effect in effects if effect.is_sure]
    first = (sure or effects)[0]
    column, coefficient = _strong(first.row.name), f"coefficient is {_interval(first, table)}"
    if not sure and len(effects) == 1:
        said = f" matters is open: its {coefficient}, and the interval contains 0"
        return sentence(of, text("whether "), column, text(said))
    if not sure:
        said = "no column clearly matters: every interval contains 0"
        if several:
            return sentence(of, text(said))
        also = f"{said}, also that of the largest per standard deviation, "
        return sentence(text(also), column, text(f", whose {coefficient}"))
    parts = [of] if len(effects) == 1 else [of, text("compared per standard deviation, ")]
    parts += [column, text(f" matters{'' if len(effects) == 1 else ' most'}; its {coefficient}")]
    rivals = [effect for effect in effects if effect is not first and effect.high > first.low]
    if min(1.0, (first.row.p or 0.0) * len(effects)) > _BY_CHANCE:
        parts.append(text(f", but among {plural(len(effects), 'coefficient')} one such interval may be chance"))
    elif rivals:
        parts += [text(", but its interval overlaps that of "), _listed([rivals[0].row.name], 1)]
        parts.append(text(f" and of {plural(len(rivals) - 1, 'other')}" if len(rivals) > 1 else ""))
    return sentence(*parts)


def _interval(effect: _Effect, table: CoefficientTable) -> str:
    """A coefficient with its interval, rounded by its standard error."""
    place = place_of(effect.row.std_err, 3, max(map(abs, effect.row.numbers), default=0.0))
    low, high = (placed(end, place) for end in effect.ends)
    return f"{placed(_estimate(effect.row, table), place)} (95 % interval{effect.by} {low} to {high})"


# ---------------------------------------------------------------------------------------------------------- what is odd


def _odd(record: Mapping[str, Any], tables: Sequence[CoefficientTable]) -> Html:
    """Gates that failed and warnings, or that there are none."""
    failed = [gate for gate in record.get("gates") or [] if not gate["passed"]]
    odd = [f"{plural(len(failed), 'gate')} failed"] if failed else []
    kinds = dict.fromkeys(each["kind"] for each in findings_of(record))
    aside = {*_ASIDE, *(["not_converged"] if tables[0].of == "exact" else [])}  # the latter is said already
    odd += [_in_words(kind, tables) for kind in kinds if kind not in aside]
    if not odd:
        checked = "none of the checks" if tables[0].of is not None else "none of the checks that could be made"
        return sentence(text(f"{checked} found anything odd"))
    named = "; ".join(odd[:_ODD])
    more = f"; and {len(odd) - _ODD} more" if len(odd) > _ODD else ""
    return sentence(text(f"Odd: {named}{more}"))


def _in_words(kind: str, tables: Sequence[CoefficientTable]) -> str:
    """A kind of warning in words; of neighbouring residuals, which of the two they are, where the tables know it."""
    if kind == "autocorrelation":
        low, high = DURBIN_WATSON
        found = [value for table in tables if (value := table.fit.get("durbin_watson")) is not None]
        ways = {"alike" if value < low else "opposite" for value in found if not low <= value <= high}
        if len(ways) == 1:
            return f"the residuals of neighbouring rows are {ways.pop()}"
    return KINDS.get(kind, kind).partition(": ")[0]


def findings_of(record: Mapping[str, Any]) -> list[dict[str, str]]:
    """The warnings of a run, `{"kind", "message"}`; of those about the table earlier versions kept no kind."""
    found = [each for each in record.get("warnings") or [] if isinstance(each, dict)]
    said = {each["message"] for each in found}
    about_table = [message for message in record["data"].get("warnings") or [] if message not in said]
    return [*found, *({"kind": "table", "message": message} for message in about_table)]


# ------------------------------------------------------------------------------------------------------------ sentences


def _listed(names: Sequence[str], most: int) -> Html:
    return enumerated([_strong(each) for each in names[:most]], len(names) - most, "other")


def _strong(column: str) -> Html:
    return element("strong", name(cut(column, _LONGEST)))
