"""Diagnostics in words: every warning of the run with what helps, then the checks that found nothing, with figures."""

import contextlib
from collections.abc import Iterator

from linreg_cli.errors import StoreError
from linreg_cli.evaluation.coefficients import SHOWN_DISTANCE, CoefficientTable, coefficient_tables
from linreg_cli.evaluation.diagnostics import MOST_VIF
from linreg_cli.findings import shown
from linreg_cli.report.about import verdict
from linreg_cli.report.found import findings_of
from linreg_cli.report.markup import Html, bullets, element, lines, name, stack, text
from linreg_cli.runs.contents import RunContents
from linreg_cli.wording import number

#: Targets whose checks are written out; all of their warnings are.
_MOST_TARGETS = 3


def diagnostics(run: RunContents) -> Html | None:
    """The warnings and the checks; None where there are neither."""
    found = findings_of(run.record())
    items = [Html(f"{verdict(False, each['kind'])} {lines(each['message'])}") for each in found[:10]]
    items += [text(line) for line in shown([each["message"] for each in found])[10:]]
    kinds = {each["kind"] for each in found}
    if run.metrics is not None:
        tables = coefficient_tables(run.metrics, run.targets)
        for table in tables[:_MOST_TARGETS]:
            of = Html(f" of {name(table.target)}") if len(tables) > 1 else Html("")
            items += list(_checks(run, table, kinds, of))
        if tables[0].of is None:
            items.append(Html(f"{_aside('not checked')} {text(f'residuals and coefficients: {tables[0].refused}')}"))
    listed = bullets(items)
    return listed and stack(element("div", listed, class_="checks"))


def _aside(words: str) -> Html:
    return element("span", text(f"– {words}"), class_="label")


def _checks(run: RunContents, table: CoefficientTable, kinds: set[str], of: Html) -> Iterator[Html]:
    """The checks of one target that found nothing."""

    def passed(what: str, *said: Html) -> Html:
        return Html(f"{verdict(True, what)}{of} {''.join(said)}")

    distances = [abs(row.distance) for row in table.rows if row.distance is not None]
    if distances and max(distances) < SHOWN_DISTANCE and "not_converged" not in kinds:
        yield passed(
            "converged",
            text(f"no coefficient is {number(SHOWN_DISTANCE)} standard errors or more from the exact fit"),
        )
    if "heteroskedastic" not in kinds and (ratio := _most_ratio(table)) is not None:
        said = f"HC3 and classic standard errors differ by a factor of at most {number(ratio, 3)}"
        yield passed("equal variances", text(said))
    if "autocorrelation" not in kinds and table.fit.get("durbin_watson") is not None:
        found = number(table.fit["durbin_watson"], 3)
        yield passed("independent neighbours", text(f"Durbin-Watson is {found}, and about 2 without autocorrelation"))
    if "multicollinear" not in kinds:
        factors = [(row.vif, row.name) for row in table.rows if row.vif is not None]
        if factors and max(factors)[0] <= MOST_VIF:
            vif, column = max(factors)
            yield passed(
                "columns apart", text(f"the largest variance inflation factor is {number(vif, 3)}, of "), name(column)
            )
    if "influential" not in kinds and (most := _most_influential(run, table)) is not None:
        distance, row = most
        yield passed("no row decides", text(f"the largest Cook's distance is {number(distance, 3)}, of row {row:,}"))


def _most_ratio(table: CoefficientTable) -> float | None:
    """The largest ratio between HC3 and classic standard errors, either way."""
    pairs = [(row.std_errs.get("HC3"), row.std_errs.get("classic")) for row in table.rows]
    ratios = [max(hc3 / classic, classic / hc3) for hc3, classic in pairs if hc3 and classic]
    return max(ratios, default=None)


def _most_influential(run: RunContents, table: CoefficientTable) -> tuple[float, int] | None:
    """The largest Cook's distance and its row, counted from 1; None where it is not known."""
    if table.of is None or not run.has("influence.csv"):
        return None
    key = f"cooks_distance:{table.target}" if len(run.targets) > 1 else "cooks_distance"
    with contextlib.suppress(StoreError, KeyError):
        rows = run.table("influence.csv")
        pairs = zip(rows[key].to_pylist(), rows["row"].to_pylist(), strict=True)
        known = [(distance, int(row)) for distance, row in pairs if distance is not None and distance == distance]
        return max(known, default=None)
    return None
