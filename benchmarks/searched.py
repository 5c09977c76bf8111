"""Tools with schedules of their own, tuned by trying them: scikit-learn's SGDRegressor and Vowpal Wabbit."""

import functools
import itertools
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.peers import vowpal
from benchmarks.problems import Array, Problem
from benchmarks.steps import Steps

GapOf = Callable[[Array], float]
Found = tuple[str, Callable[[], Array] | None]

#: A search tries nothing more after this many seconds; each table has one search a gap.
SECONDS = 8.0
PASSES = (1, 2, 3, 5, 8, 13, 20, 40, 80)
#: Cells above which Vowpal Wabbit's text, ten bytes a cell, is not written.
MOST_CELLS = 20_000_000
BFGS = "--bfgs --termination 0 --l2 1e-12"


def sgd_regressor(table: Problem, wanted: float, gap_of: GapOf) -> Found:
    """Rates, schedules and averaging, and as many epochs as it takes."""
    from sklearn.linear_model import SGDRegressor

    base = {"alpha": 0.0, "tol": None, "shuffle": False}
    schedules: list[dict[str, Any]] = [{"learning_rate": "constant", "average": average} for average in (False, True)]
    schedules += [{"learning_rate": "invscaling", "power_t": power} for power in (0.25, 0.5)]

    def made(options: dict[str, Any], epochs: int) -> Callable[[], Array]:
        def run() -> Array:
            model = SGDRegressor(**base, **options, max_iter=epochs).fit(table.X, table.y)
            return np.append(model.coef_.astype(np.float64), model.intercept_)

        return run

    rates = [share / float(table.curvatures.sum()) for share in (1.0, 0.3, 0.1, 0.03, 0.01, 0.003)]
    options = [schedule | {"eta0": rate} for rate, schedule in itertools.product(rates, schedules)]
    return _search([(_words(option), functools.partial(made, option)) for option in options], wanted, gap_of)


def vowpal_wabbit(table: Problem, wanted: float, gap_of: GapOf) -> Found:
    """Its adaptive, normalised steps with several rates and schedules, and its BFGS."""
    import vowpalwabbit  # noqa: F401 - to be missed before the size is looked at

    if table.X.size > MOST_CELLS:
        return f"not run: its text would take {table.X.size / 1e8:.1f} GB", None
    steps = Steps(table, 1, 0.0)
    wide = "--holdout_off --min_prediction -1e9 --max_prediction 1e9"
    flags = [BFGS]
    flags += [f"-l {rate} --power_t {power}" for power in (0.5, 0.0, 1.0) for rate in (0.5, 0.1, 2.0, 0.02)]

    def passes(flag: str, count: int) -> Callable[[], Array]:
        # The first pass of BFGS only finds the gradient.
        return vowpal(steps, f"{flag} {wide} --passes {count + (flag == BFGS)}")

    return _search([(flag, functools.partial(passes, flag)) for flag in flags], wanted, gap_of)


def _search(candidates: list[tuple[str, Callable[[int], Callable[[], Array]]]], wanted: float, gap_of: GapOf) -> Found:
    """The setting, and the passes, that take the least time to a gap."""
    best: tuple[float, str, Callable[[], Array]] | None = None
    least_gap, begun = math.inf, time.monotonic()
    for name, made in candidates:
        for passes in PASSES:
            run = made(passes)
            begun_run = time.perf_counter()
            found = _quiet(run)
            milliseconds, gap = (time.perf_counter() - begun_run) * 1e3, gap_of(found)
            least_gap = min(least_gap, gap)
            if (best and milliseconds > best[0]) or not math.isfinite(gap):
                break
            if gap < wanted:
                best = milliseconds, f"{name}, {passes} pass{'es' if passes > 1 else ''}", run
                break
        if time.monotonic() - begun > SECONDS:
            break
    return (best[1], best[2]) if best else (f"not reached: {least_gap:.1g} at best", None)


def _quiet(run: Callable[[], Array]) -> Array:
    try:
        return run()
    except ValueError:  # scikit-learn's word for parameters that are not finite
        return np.array([math.nan])


def _words(options: dict[str, Any]) -> str:
    average = ", averaged" if options.get("average") else ""
    power = f" {options['power_t']}" if "power_t" in options else ""
    return f"{options['learning_rate']}{power}, eta0 {options['eta0']:.2g}{average}"


#: name -> (how to find a setting, package).
TOOLS: dict[str, tuple[Callable[[Problem, float, GapOf], Found], str]] = {
    "scikit-learn SGDRegressor": (sgd_regressor, "scikit-learn"),
    "Vowpal Wabbit, from its cache": (vowpal_wabbit, "vowpalwabbit"),
}
