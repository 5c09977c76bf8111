"""Diagnostics in words: every warning of the run with what helps, then the checks that found nothing, with figures."""

import contextlib
from collections.abc import Iterator

from linreg_cli.errors import StoreError
from linreg_cli.evaluation.coefficients import SHOWN_DISTANCE, CoefficientTable, coefficient_tables
from linreg_cli.evaluation.diagnostics import DURBIN_WATSON, MOST_COOK, MOST_RATIO, MOST_VIF
from linreg_cli.findings import shown
from linreg_cli.report.about import verdict
from linreg_cli.report.found import findings_of
from linreg_cli.report.markup import Html, bullets, element, message, name, stack, text
from linreg_cli.runs.contents import RunContents
from linreg_cli.wording import number

#: Targets whose checks are written out; all of their warnings are.
_MOST_TARGETS = 3


def diagnostics(run: RunContents) -> Html | None:
    """The warnings and the checks; None where there are neither."""
    found = findings_of(run.record())
    items = [Html(f"{verdict(False, each['kind'])}: {message(each['message'])}") for each in found[:10]]
    items += [message(line) for line in shown([each["message"] for each in found])[10:]]
    kinds = {each["kind"] for each in found}
    if run.metrics is not None:
        tables = coefficient_tables(run.metrics, run.targets)
        for table in tables[:_MOST_TARGETS]:
            of = Html(f" of {name(table.target)}") if len(tables) > 1 else Html("")
            items += list(_checks(run, table, kinds, of))
        if tables[0].of is None:
            items.append(Html(f"{_aside('not checked')}: {text(f'residuals and coefficients: {tables[0].refused}')}"))
    listed = bullets(items)
    return listed and stack(element("div", listed, class_="checks"))


def _aside(words: str) -> Html:
    return element("span", text(f"– {words}"), class_="label")


def _checks(run: RunContents, table: CoefficientTable, kinds: set[str], of: Html) -> Iterator[Html]:
    """The checks of one target that gave no warning; a figure that is unusual all the same has no tick."""

    def check(good: bool, what: str, *said: Html) -> Html:
        chance = text("" if good else "; chance or few rows may give that, so it is no warning")
        return Html(f"{verdict(True, what) if good else _aside(what)}{of}: {''.join(said)}{chance}")

    distances = [abs(row.distance) for row in table.rows if row.distance is not None]
    if distances and max(distances) < SHOWN_DISTANCE and "not_converged" not in kinds:
        said = f"no coefficient is {number(SHOWN_DISTANCE)} standard errors or more from the exact fit"
        yield check(True, "convergence", text(said))
    if "heteroskedastic" not in kinds and (ratio := _most_ratio(table)) is not None:
        said = f"HC3 and classic standard errors differ by a factor of at most {number(ratio, 3)}"
        yield check(ratio <= MOST_RATIO, "variances", text(said))
    if "autocorrelation" not in kinds and (found := table.fit.get("durbin_watson")) is not None:
        said = f"Durbin-Watson is {number(found, 3)}, and about 2 without autocorrelation"
        yield check(DURBIN_WATSON[0] <= found <= DURBIN_WATSON[1], "neighbouring rows", text(said))
    factors = [(row.vif, row.name) for row in table.rows if row.vif is not None]
    if "multicollinear" not in kinds and factors and max(factors)[0] <= MOST_VIF:
        said = f"the largest variance inflation factor is {number(max(factors)[0], 3)}, of "
        yield check(True, "collinearity", text(said), name(max(factors)[1]))
    if "influential" not in kinds and (most := _most_influential(run, table)) is not None:
        distance, row = most
        said = f"the largest Cook's distance is {number(distance, 3)}, of row {row:,}"
        yield check(distance <= MOST_COOK, "influence", text(said))


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
