"""The coefficients of a run as one table for each target: estimates, and the statistics that are valid for them.

The terminal and the report show the same rows. They are made of `metrics.json` alone.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from linreg_cli.decimals import place_of, placed
from linreg_cli.wording import bounded, number, p_value, plural

if TYPE_CHECKING:
    import pyarrow as pa

#: A distance from the exact fit is shown if one coefficient is at least this many standard errors away.
SHOWN_DISTANCE = 0.01

#: The covariance -> the key of its standard errors.
STD_ERR = {"classic": "std_err", "HC3": "std_err_hc3", "cluster": "std_err_cluster"}


@dataclass(frozen=True)
class Coefficient:
    """One coefficient, in original units (with a target transform, in those of the transformed target).

    Attributes:
        name: the input, or "bias".
        is_bias: whether it is the intercept; an input may be called "bias" too.
        estimate: the trained estimate.
        exact: that of the exact fit; None where it is not known or not unique.
        std_err: the standard error, by the covariance of the table.
        std_errs: covariance -> the standard error by it.
        ci_low: the lower end of the 95 % interval.
        ci_high: the upper end.
        t: estimate over standard error.
        p: the two-sided p-value of t.
        vif: the variance inflation factor.
        distance: (trained - exact) / standard error.
    """

    name: str
    is_bias: bool
    estimate: float
    exact: float | None
    std_err: float | None = None
    std_errs: Mapping[str, float] = field(default_factory=dict)
    ci_low: float | None = None
    ci_high: float | None = None
    t: float | None = None
    p: float | None = None
    vif: float | None = None
    distance: float | None = None

    @property
    def numbers(self) -> list[float]:
        """The estimates and the ends of the interval, as far as there are any."""
        found = (self.estimate, self.exact, self.ci_low, self.ci_high)
        return [value for value in found if value is not None and math.isfinite(value)]


@dataclass(frozen=True)
class CoefficientTable:
    """The coefficients of one target.

    Attributes:
        target: its name.
        rows: the coefficients, the bias last.
        of: the fit that the statistics are of: `trained`, `exact`, or None where there are none.
        refused: why there are none for the trained model; None where there are.
        covariance: of the standard errors, t, p and intervals: a key of `STD_ERR`.
        fit: the statistics of the whole fit: n, r2, f and others, as `inference` of `metrics.json` has them; empty
            where there are none.
    """

    target: str
    rows: tuple[Coefficient, ...]
    of: str | None
    refused: str | None
    covariance: str
    fit: Mapping[str, Any]

    @property
    def shows_exact(self) -> bool:
        """Whether the exact estimates stand beside the trained ones: if a distance is shown, or not known."""
        if any(row.distance is not None for row in self.rows):
            return self.shows_distance
        differ = (row.exact is not None and number(row.exact) != number(row.estimate) for row in self.rows)
        return self.of != "trained" and any(differ)

    @property
    def shows_distance(self) -> bool:
        """Whether a coefficient is so far from the exact fit that the distance is shown."""
        return any(row.distance is not None and abs(row.distance) >= SHOWN_DISTANCE for row in self.rows)

    @property
    def has_bias(self) -> bool:
        """Whether the model has an intercept."""
        return any(row.is_bias for row in self.rows)

    @property
    def lacking(self) -> str | None:
        """Why some coefficients have no standard error where others have one; None where all have one."""
        key = f"{STD_ERR.get(self.covariance, 'std_err')}_reason"
        reasons = (values.get(key) for values in self.fit.get("coefficients", {}).values())
        return next((f"no standard error where '-' stands: {reason}" for reason in reasons if reason), None)

    def first(self, most: int) -> list[Coefficient]:
        """The first so many coefficients, and the bias."""
        return [row for position, row in enumerate(self.rows) if position < most or row.is_bias]

    @property
    def degrees(self) -> int:
        """The degrees of freedom of the residuals."""
        return int(self.fit["n"]) - len(self.fit["coefficients"])

    @property
    def degrees_of_f(self) -> tuple[int, int]:
        """The degrees of freedom of F: of what it tests, and of the residuals; with clusters their number - 1."""
        tested = len(self.fit["coefficients"]) - (self.fit.get("r2_definition") != "uncentred")
        return tested, self.fit["n_clusters"] - 1 if self.covariance == "cluster" else self.degrees


def coefficient_tables(metrics: Mapping[str, Any], targets: Sequence[str]) -> list[CoefficientTable]:
    """The coefficients of each target.

    Args:
        metrics: the content of `metrics.json`.
        targets: the names of the targets.

    >>> metrics = {"parameters": {"weights": {"x": 2.0}, "bias": None}, "inference": {"refused": "one row"}}
    >>> [table] = coefficient_tables(metrics, ["y"])
    >>> [(row.name, row.estimate, row.std_err) for row in table.rows], table.refused
    ([('x', 2.0, None)], 'one row')
    """
    return [_table(metrics, target, len(targets) > 1) for target in targets]


def _table(metrics: Mapping[str, Any], target: str, several: bool) -> CoefficientTable:
    optimum = metrics.get("optimum") or {}
    trained, refused = _statistics(metrics, target, several)
    exact, _ = _statistics(optimum, target, several)
    found = trained or exact
    best = optimum.get("parameters") if optimum.get("is_unique") is not False else None
    weights, bias = _of(metrics["parameters"], target, several)
    names = [*((name, False) for name in weights), *([("bias", True)] if bias is not None else [])]
    covariance = found.get("covariance", "classic")
    each = found.get("coefficients", {})
    exactly = {name: values["estimate"] for name, values in exact.get("coefficients", {}).items()}
    rows = []
    for name, is_bias in names:
        values = each.get(name, {})
        rows.append(
            Coefficient(
                name=name,
                is_bias=is_bias,
                estimate=_at((weights, bias), name, is_bias),
                exact=exactly[name] if exactly else _at(_of(best, target, several), name, is_bias) if best else None,
                std_err=values.get(STD_ERR.get(covariance, "std_err")),
                std_errs={kind: values[key] for kind, key in STD_ERR.items() if values.get(key) is not None},
                distance=_at(_of(optimum["distance"], target, several), name, is_bias)
                if optimum.get("distance")
                else None,
                **{key: values.get(key) for key in ("ci_low", "ci_high", "t", "p", "vif")},
            )
        )
    of = "trained" if trained else "exact" if exact else None
    lacking = [values["std_err_reason"] for values in each.values() if values.get("std_err_reason")]
    if lacking:
        of, refused, found = None, lacking[0], {}
        rows = [replace(row, exact=None) for row in rows]
    return CoefficientTable(target, tuple(rows), of, refused, covariance, found)


def shown_columns(table: CoefficientTable, rows: Sequence[Coefficient], digits: int = 4) -> dict[str, list[str]]:
    """The columns of a table as text: title -> a cell for each coefficient.

    The numbers of a coefficient are rounded alike: `digits` significant digits of its standard error. The columns are
    `estimate`, or `trained` and `exact` where they differ; `std err`, `low` and `high` (of the 95 % interval) and `p`
    where there are statistics; `distance` where it is shown.

    Args:
        table: the coefficients of a target.
        rows: those of them that are shown.
        digits: of the standard error.
    """
    places = [place_of(row.std_err, digits, max(map(abs, row.numbers), default=0.0)) for row in rows]

    def at_place(values: Iterable[float | None]) -> list[str]:
        return [placed(value, place) for value, place in zip(values, places, strict=True)]

    shown = {"trained" if table.shows_exact else "estimate": at_place(row.estimate for row in rows)}
    if table.shows_exact:
        shown["exact"] = at_place(row.exact for row in rows)
    if table.of is not None:
        shown["std err"] = [placed(row.std_err, place_of(row.std_err, digits)) for row in rows]
        shown["low"], shown["high"] = (at_place(getattr(row, f"ci_{end}") for row in rows) for end in ("low", "high"))
        shown["p"] = [p_value(row.p) for row in rows]
    if table.shows_distance:
        shown["distance"] = [_at_most(row.distance) for row in rows]
    return shown


def more_columns(table: CoefficientTable, rows: Sequence[Coefficient]) -> dict[str, list[str]]:
    """Further columns where there are statistics: t, the standard errors of other covariances, variance inflation."""
    if table.of is None:
        return {}
    shown = {"t": [_at_most(row.t) for row in rows]}
    for kind in STD_ERR:
        if kind != table.covariance and any(kind in row.std_errs for row in rows):
            errors = [row.std_errs.get(kind) for row in rows]
            shown[f"{kind} std err"] = [placed(error, place_of(error)) for error in errors]
    return {**shown, "VIF": [_at_most(row.vif) for row in rows]}


def errors_in_words(table: CoefficientTable) -> str:
    """Which standard errors a table shows, and of which fit, for its title."""
    kind = {"classic": "classic", "cluster": "cluster-robust"}.get(table.covariance, f"{table.covariance} (robust)")
    count = f" ({plural(table.fit['n_clusters'], 'cluster')})" if table.covariance == "cluster" and table.fit else ""
    return f"{kind} standard errors{' of the exact fit' if table.of == 'exact' else ''}{count}"


def as_arrow(tables: Sequence[CoefficientTable]) -> "pa.Table":
    """The tables as one Arrow table, whose metadata has `statistics_of` and `covariance`.

    Returns:
        term, estimate, std_err, t, p, ci_low, ci_high, distance; with several targets, `target` comes first.
    """
    import numpy as np
    import pyarrow as pa

    from linreg_cli.data.columns.arrow import texts, to_arrow

    rows = [(table, row) for table in tables for row in table.rows]
    several = len(tables) > 1
    columns = {"target": texts([table.target for table, _ in rows])} if several else {}
    columns["term"] = texts([row.name for _, row in rows])
    for name in ("estimate", "std_err", "t", "p", "ci_low", "ci_high", "distance"):
        values = [getattr(row, name) for _, row in rows]
        known = np.array([value is not None for value in values], dtype=bool)
        columns[name] = to_arrow(np.array(values, dtype=np.float64), known)
    about = {"statistics_of": tables[0].of or "none", "covariance": tables[0].covariance}
    return pa.table(columns).replace_schema_metadata(about)


def _at_most(value: float | None) -> str:
    """A number that compares: with two decimals where it is below a million."""
    return bounded(value) if value is None or abs(value) > 1e6 else placed(value, -2)


def _statistics(group: Mapping[str, Any], target: str, several: bool) -> tuple[Mapping[str, Any], str | None]:
    """`inference` of one target, empty where there is none; and why not."""
    found = group.get("inference")
    if not found:
        return {}, "the run was trained by an older version of linreg"
    if isinstance(found.get("refused"), str):
        return {}, found["refused"]
    return (found[target] if several else found), None


def _of(parameters: Mapping[str, Any], target: str, several: bool) -> tuple[Mapping[str, float], float | None]:
    """The weights and the bias of one target."""
    weights, bias = parameters["weights"], parameters["bias"]
    return (weights[target], bias[target]) if several else (weights, bias)


def _at(parameters: tuple[Mapping[str, float], float | None], name: str, is_bias: bool) -> Any:
    return parameters[1] if is_bias else parameters[0].get(name)
