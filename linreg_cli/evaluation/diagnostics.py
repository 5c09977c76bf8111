"""What is odd about the exact fit: unequal variances, alike neighbours, multicollinear columns, influential rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from linreg_cli.config.schema import Config
from linreg_cli.data import Preprocessor
from linreg_cli.data.columns.divided import DividedRows
from linreg_cli.data.columns.kinds import Rows
from linreg_cli.data.columns.rows import Matrix, pick
from linreg_cli.data.encoding.derived import DerivedInput
from linreg_cli.data.encoding.inputs import NumberInput
from linreg_cli.evaluation.exact_fit import ExactFit
from linreg_cli.findings import Finding
from linreg_cli.least_squares.factor import Array, blocks
from linreg_cli.least_squares.inference import Inference
from linreg_cli.least_squares.residual_checks import chance_of_durbin_watson, chance_of_hc3
from linreg_cli.remedies import leave_out, setting
from linreg_cli.wording import bounded, number, plural, ratio, rounded

#: HC3 and classic standard errors that differ by more than this factor.
MOST_RATIO = 1.5
#: Residuals of neighbours count as independent for a Durbin-Watson statistic between these.
DURBIN_WATSON = (1.5, 2.5)
#: The largest p-value of these two; a table whose errors are independent and have equal variances is rarely accused.
#: Of 400 such tables of each of 36 kinds (normal, lognormal and one-hot columns; normal to lognormal errors; 50 to
#: 1,000 rows), 0 to 5 % are; by MOST_RATIO alone 0 to 100 % would be, most of those with rare levels.
RARE = 0.02
#: D. W. Marquardt, Generalized inverses, ridge regression, biased linear estimation, and nonlinear estimation, 1970.
MOST_VIF = 10.0
#: R. D. Cook, S. Weisberg, Residuals and Influence in Regression, 1982.
MOST_COOK = 1.0
#: The fewest clusters: with fewer, cluster-robust intervals tend to be too narrow, those of t with G - 1 degrees of
#: freedom too, and the more so the more their sizes differ. A. C. Cameron, D. L. Miller, A practitioner's guide to
#: cluster-robust inference, 2015: few are "less than 20 to less than 50".
LEAST_CLUSTERS = 20
#: Rows for each parameter below which a Cook's distance above 1 is nothing special: with 10 rows and 4 parameters, a
#: third of the tables of normal numbers have one; with 20 rows, 7 %.
LEAST_ROWS = 5
#: The most columns or rows that a sentence names.
_NAMED = 3


@dataclass(frozen=True)
class _Rows:
    """The train split in the order of the table: row numbers from 0, and X and transformed y in parts."""

    numbers: Rows | slice
    parts: DividedRows


def diagnose(
    exact: ExactFit,
    config: Config,
    preprocessor: Preprocessor,
    rows: Rows | slice,
    parts: DividedRows,
) -> list[Finding]:
    """Findings about the exact fit, at most one of each kind and target.

    Args:
        exact: of the train split.
        config: of the run.
        preprocessor: of the run.
        rows: the indices of the rows of the train split, in the order of the table.
        parts: the rows, as `original_rows` gives them.
    """
    given, found = _Rows(rows, parts), []
    for k, (target, fit) in enumerate(exact.fits.items()):
        of = f" of {target}" if len(exact.fits) > 1 else ""
        found += list(_unequal_variances(exact, fit, given, of)) if config.evaluate.covariance == "classic" else []
        found += list(_alike_neighbours(exact, fit, given, k, of))
        found += list(_influential_rows(fit, given, of))
    found += list(_few_clusters(exact, config))
    found += multicollinear(exact, preprocessor) if config.model.bias else []
    return found


def multicollinear(exact: ExactFit, preprocessor: Preprocessor) -> list[Finding]:
    """The finding about multicollinear columns of a model with an intercept, if there are some.

    Args:
        exact: of the train split.
        preprocessor: of the run.
    """
    if not exact.fits:
        return []
    return list(_multicollinear(next(iter(exact.fits.values())), _plain_numbers(preprocessor)))


def _unequal_variances(exact: ExactFit, fit: Inference, rows: _Rows, of: str) -> Iterator[Finding]:
    if exact.optimum is None or len(fit.alone) or not fit.std_err.all():
        return
    ratio = fit.std_err_hc3 / fit.std_err
    far = np.flatnonzero((ratio > MOST_RATIO) | (ratio < 1 / MOST_RATIO))
    if not len(far):
        return
    chance = chance_of_hc3(exact.optimum, rows.parts, fit, far) * len(ratio)  # of the rarest of all coefficients
    sure = far[chance < RARE]
    if not len(sure):
        return
    worst = int(sure[np.argmax(np.abs(np.log(ratio[sure])))])
    hc3, classic = number(float(fit.std_err_hc3[worst]), 3), number(float(fit.std_err[worst]), 3)
    yield Finding(
        "heteroskedastic",
        f"the residuals{of} have unequal variances, which classic standard errors do not allow for: that of "
        f"{fit.names[worst]} is {classic}, and {hc3} by HC3 ({number(float(ratio[worst]), 3)} times). Set "
        f"{setting('evaluate.covariance', 'HC3')}",
    )


def _few_clusters(exact: ExactFit, config: Config) -> Iterator[Finding]:
    count = next((fit.n_clusters for fit in exact.fits.values()), None)
    if config.evaluate.covariance == "cluster" and count is not None and count < LEAST_CLUSTERS:
        yield Finding(
            "few_clusters",
            f"{config.evaluate.cluster} has {plural(count, 'cluster')} in the train split; with fewer than "
            f"{LEAST_CLUSTERS}, cluster-robust standard errors tend to be too small and p-values too low; read them as "
            "lower bounds",
        )


def _alike_neighbours(exact: ExactFit, fit: Inference, rows: _Rows, k: int, of: str) -> Iterator[Finding]:
    low, high = DURBIN_WATSON
    found = fit.durbin_watson
    if exact.optimum is None or low <= found <= high or _is_sorted(rows.parts.y_nk, k):
        return
    if chance_of_durbin_watson(exact.optimum, rows.parts, fit) >= RARE:
        return
    alike = "similar" if found < 2 else "opposite"
    yield Finding(
        "autocorrelation",
        f"in the order of the rows, neighbouring residuals{of} are {alike}: Durbin-Watson is {number(found, 3)}, and 2 "
        "without autocorrelation. If the order means something, such as time, standard errors and p-values are not "
        "valid; a feature for what neighbours share may help, such as time itself",
    )


def _is_sorted(y: Matrix, k: int) -> bool:
    """Whether the rows are sorted by the target, so that neighbours are alike whatever the errors are."""
    up = down = True
    last: Array = np.zeros(0)
    for rows in blocks(len(y)):
        values = np.append(last, np.asarray(y[rows][:, k], dtype=np.float64))
        steps = np.diff(values)
        up, down = up and bool((steps >= 0).all()), down and bool((steps <= 0).all())
        if not (up or down):
            return False
        last = values[-1:]
    return True


def _influential_rows(fit: Inference, rows: _Rows, of: str) -> Iterator[Finding]:
    if len(fit.residuals) < LEAST_ROWS * len(fit.names):
        return
    found = [part.start + np.flatnonzero(fit.cooks(part) > MOST_COOK) for part in blocks(len(fit.residuals))]
    far = np.concatenate(found)
    if not len(far):
        return
    far = far[np.argsort(-fit.cooks(far), kind="stable")]
    labels = [f"row {row + 1} ({bounded(float(fit.cooks(slice(at, at + 1))[0]), 3)})" for at, row in _first(far, rows)]
    yield Finding(
        "influential",
        f"{_and_more(labels, len(far))} {'has' if len(far) == 1 else 'have'} a Cook's distance above 1: without "
        f"{'it' if len(far) == 1 else 'one of them'} the coefficients{of} would be clearly different. Check "
        f"{'its' if len(far) == 1 else 'their'} cells",
    )


def _first(positions: Rows, rows: _Rows) -> Iterator[tuple[int, int]]:
    named = positions[:_NAMED]
    return zip(named.tolist(), pick(rows.numbers, named).tolist(), strict=True)


def _plain_numbers(preprocessor: Preprocessor) -> list[str]:
    """The features that are columns of numbers as they are, and of which no other feature is made.

    Indicators of a category are left out: they are alike wherever the reference level is rare, which another reference
    level would change and the fit would not. So are a column and its square: they are alike by design.
    """
    inputs = preprocessor.inputs.inputs
    made_of = {column for each in inputs if isinstance(each, DerivedInput) for column in each.columns}
    return [each.column for each in inputs if isinstance(each, NumberInput) and each.column not in made_of]


def _multicollinear(fit: Inference, numbers: Sequence[str]) -> Iterator[Finding]:
    plain = set(numbers)
    high = {name: float(vif) for name, vif in zip(fit.names, fit.vif, strict=True) if name in plain and vif > MOST_VIF}
    if not high:
        return
    # Of two columns that are nearly the same they are equal but for their last digits, which decide nothing.
    names = sorted(high, key=lambda name: -rounded(high[name], 4))
    labels = [f"{name} ({bounded(round(high[name]))})" for name in names[:_NAMED]]
    worst = names[0]
    is_one = len(names) == 1
    yield Finding(
        "multicollinear",
        f"multicollinear columns: {_and_more(labels, len(names))} "
        f"{'has a variance inflation factor' if is_one else 'have variance inflation factors'} above 10. "
        f"{'Its standard error is' if is_one else 'Their standard errors are'} large "
        f"({ratio(high[worst] ** 0.5)} times{'' if is_one else f' for {worst}'}), because other columns say nearly "
        f"the same; predictions do not suffer. For narrower intervals leave one out: {leave_out(worst)}",
    )


def _and_more(labels: Sequence[str], count: int) -> str:
    more = count - len(labels)
    if more > 0:
        return f"{', '.join(labels)} and {more:,} more"
    return " and ".join([", ".join(labels[:-1]), labels[-1]]) if len(labels) > 1 else labels[0]
