"""The coefficients of several runs in one table for each target: a row for each term, a column for each run."""

from collections.abc import Sequence

from linreg_cli.evaluation.coefficients import Coefficient, CoefficientTable, coefficient_tables, shown_columns
from linreg_cli.report.markup import Html, element, name, names, paragraph, short, stack, table, text
from linreg_cli.runs.contents import RunContents
from linreg_cli.wording import parameters_title

_Term = tuple[str, bool]
_Column = tuple[RunContents, CoefficientTable]


def side_by_side(runs: Sequence[RunContents]) -> Html | None:
    """A table for each target that at least two runs have in the same units; None where there is none.

    Args:
        runs: in the order of the columns; those without a model have none.
    """
    groups: dict[tuple[str, str], list[_Column]] = {}  # (target, its transform) -> the runs
    for run in runs:
        if run.metrics is not None:
            transform = run.record().get("target_transform", "none")
            for found in coefficient_tables(run.metrics, run.targets):
                groups.setdefault((found.target, transform), []).append((run, found))
    shared = {key: columns for key, columns in groups.items() if len(columns) > 1}
    return stack(*(_table(target, transform, columns) for (target, transform), columns in shared.items())) or None


def _table(target: str, transform: str, columns: Sequence[_Column]) -> Html:
    cells = [_cells(found) for _, found in columns]
    terms = sorted(dict.fromkeys(term for column in cells for term in column), key=lambda term: term[1])
    rows = [
        [text("(bias)") if is_bias else name(label), *(column.get((label, is_bias), text("-")) for column in cells)]
        for label, is_bias in terms
    ]
    caption = parameters_title([short(target)], transform).removesuffix(":")
    header = ["coefficient", *(run.id for run, _ in columns)]
    ends = any("low" in shown_columns(found, found.rows) for _, found in columns)
    with_ends = ", with 95 % intervals" if ends else ""
    shown = table(f"Trained coefficients of {caption}{with_ends}", header, rows, intervals=range(1, len(header)))
    return stack(shown, _note(columns))


def _cells(found: CoefficientTable) -> dict[_Term, Html]:
    """The cell of each term: the trained coefficient and, below it, its interval."""
    shown = shown_columns(found, found.rows)
    [trained] = (shown[title] for title in ("estimate", "trained") if title in shown)
    ends = zip(shown["low"], shown["high"], strict=True) if "low" in shown else [None] * len(trained)
    return {
        _term(row): _cell(estimate, end, of_exact=found.of == "exact")
        for row, estimate, end in zip(found.rows, trained, ends, strict=True)
    }


def _term(row: Coefficient) -> _Term:
    return row.name, row.is_bias


def _cell(estimate: str, ends: tuple[str, str] | None, *, of_exact: bool) -> Html:
    """An estimate with its interval, which may be broken between its ends alone; in brackets that of the exact fit."""
    shown = element("span", text(estimate), class_="estimate")
    if ends is None:
        return shown
    low, high = (f"[{ends[0]}", f"{ends[1]}]") if of_exact else ends
    return Html(f"{shown} {element('span', text(f'{low} to'))} {element('span', text(high))}")


def _note(columns: Sequence[_Column]) -> Html | None:
    """Which intervals are those of the exact fit, and which runs have none."""
    of_exact = [run.id for run, found in columns if found.of == "exact"]
    without = [run.id for run, found in columns if found.of is None]
    said = []
    if of_exact:
        said.append(Html(f"Intervals in brackets are of the exact fit, not of the trained model: {names(of_exact)}."))
    if without:
        said.append(Html(f"Without intervals, for a reason that stands with the run: {names(without)}."))
    return paragraph(Html(" ".join(said)), class_="note") if said else None
