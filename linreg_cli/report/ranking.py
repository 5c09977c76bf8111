"""Which of several runs is better on what, in a few sentences that say no more than their metrics do."""

import math
from collections.abc import Sequence

from linreg_cli.errors import StoreError
from linreg_cli.report.markup import Html, element, enumerated, name, paragraph, sentence, text
from linreg_cli.runs.contents import RunContents
from linreg_cli.runs.labels import differences_of
from linreg_cli.wording import duration, gap, number, plural

#: Errors that differ by less, relatively, are alike.
_ALIKE = 1e-3
#: A mean difference of squared errors of fewer standard errors is what chance gives.
_SURE = 2.0
#: What is said of runs that have no results.
_ENDS = {"running": "did not finish yet", "interrupted": "did not finish"}
#: The most runs that a sentence names.
_NAMED = 4


def ranking(runs: Sequence[RunContents]) -> Html:
    """The sentences that a comparison opens with."""
    names = {run: element("strong", name(run.id)) for run in runs}
    labels = zip(runs, differences_of(runs), strict=True)
    labelled = {run: element("strong", name(f"{run.id} ({label})" if label else run.id)) for run, label in labels}
    ended = [run for run in runs if run.splits]
    said = [*_by_error(ended, labelled), *_by_gap(ended, names), *_by_time(ended, names)] if len(ended) > 1 else []
    for status in dict.fromkeys(run.record()["status"] for run in runs if not run.splits):
        without = [names[run] for run in runs if not run.splits and run.record()["status"] == status]
        has = "has" if len(without) == 1 else "have"
        said.append(sentence(_listed(without), text(f" {_ENDS.get(status, status)}, and {has} no model")))
    if len(ended) == 1:
        said.append(sentence(names[ended[0]], text(" alone has results")))
    return paragraph(Html(" ".join(said)), class_="lead")


Names = dict[RunContents, Html]


def _by_error(runs: Sequence[RunContents], names: Names) -> list[Html]:
    """Which has the lowest error on rows that none was fitted on, and whether that may be chance."""
    if len({run.record()["data"]["fingerprint"] for run in runs}) > 1 or len({tuple(run.targets) for run in runs}) > 1:
        return [text("The runs were trained on different data, so their metrics are not directly comparable.")]
    split = next((each for each in ("test", "validation", "train") if all(each in run.splits for run in runs)), None)
    if split is None:
        return [text("The runs were evaluated on different splits, so their metrics are not directly comparable.")]
    errors = {run: float(run.splits[split]["rmse"]) for run in runs}
    ranked = sorted(runs, key=lambda run: errors[run])
    best, others = ranked[0], ranked[1:]
    n = {run.splits[split]["n"] for run in runs}
    where = f"On {plural(n.pop(), f'{split} row')}" if len(n) == 1 else f"On their {split} rows"
    where += ", on which they were fitted, " if split == "train" else " "
    lowest = errors[best]
    alike = [names[run] for run in others if errors[run] - lowest <= _ALIKE * lowest]
    if len(alike) == len(others):
        return [sentence(text(f"{where}the runs are alike: the error (RMSE) is {number(lowest, 4)}"))]
    said = [text(where), names[best], text(" has the lowest error (RMSE), ")]
    said.append(text(f"{number(lowest, 4)} against {_span([errors[run] for run in others])}"))
    if alike:
        said += [text("; as good: "), _listed(alike)]
    elif split != "train" and _may_be_chance(best, others[0], split):
        said += [text("; the difference from "), names[others[0]], text(" may be chance")]
    return [sentence(*said)]


def _may_be_chance(first: RunContents, second: RunContents, split: str) -> bool:
    """Whether the mean difference of the squared errors, row by row, is less than two of its standard errors.

    False where it is not known: a sample of the predictions has the extremes, and says nothing about the mean.
    """
    if len(first.targets) > 1:
        return False
    try:
        errors = [_squared_errors(run, split) for run in (first, second)]
    except (StoreError, KeyError):
        return False
    if any(len(found) < run.splits[split]["n"] for found, run in zip(errors, (first, second), strict=True)):
        return False
    rows = sorted(errors[0].keys() & errors[1].keys())
    differences = [errors[1][row] - errors[0][row] for row in rows]
    n = len(differences)
    if n < 2:
        return True
    mean = math.fsum(differences) / n
    deviation = math.sqrt(math.fsum((each - mean) ** 2 for each in differences) / (n - 1))
    return abs(mean) < _SURE * deviation / math.sqrt(n)


def _squared_errors(run: RunContents, split: str) -> dict[float, float]:
    """Row -> its squared error, times its weight where the run has weights."""
    columns = run.table("predictions.csv", text=("split",)).to_pydict()
    weights = columns.get("weight", [1.0] * len(columns["row"]))
    rows = zip(columns["split"], columns["row"], columns["target"], columns["prediction"], weights, strict=True)
    return {row: (target - predicted) ** 2 * weight for of, row, target, predicted, weight in rows if of == split}


def _by_gap(runs: Sequence[RunContents], names: Names) -> list[Html]:
    """Which is closest to the lowest loss that it could have."""
    gaps = {run: ((run.metrics or {}).get("optimum") or {}).get("gap") for run in runs}
    known = {run: value for run, value in gaps.items() if value is not None}
    shown = {run: gap(value) for run, value in known.items()}
    if len(known) < len(runs) or len(set(shown.values())) == 1:
        return []
    best = min(known, key=lambda run: known[run])
    if list(shown.values()).count(shown[best]) > 1:
        return []
    return [sentence(names[best], text(f" is the closest to its optimum (gap {shown[best]})"))]


def _by_time(runs: Sequence[RunContents], names: Names) -> list[Html]:
    seconds = {run: run.record().get("seconds") for run in runs}
    known = {run: float(value) for run, value in seconds.items() if value is not None}
    if len(known) < len(runs):
        return []
    best = min(known, key=lambda run: known[run])
    longest = max(known.values())
    if longest < 1.5 * known[best]:
        return []
    times = f"{duration(known[best])} against up to {duration(longest)}"
    return [sentence(names[best], text(f" took the least time, {times}"))]


def _span(values: Sequence[float]) -> str:
    shown = number(min(values), 4), number(max(values), 4)
    return shown[0] if shown[0] == shown[1] else f"{shown[0]} to {shown[1]}"


def _listed(parts: Sequence[Html]) -> Html:
    return enumerated(parts[:_NAMED], len(parts) - _NAMED, "other")
