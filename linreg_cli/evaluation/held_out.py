"""Metrics of held-out predictions of the exact fit: leave-one-out and k-fold cross-validation without refitting.

Each is summed over blocks of rows: no array has a number for each row, but for the fold of each.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from linreg_cli.config.preprocess import PreprocessConfig
from linreg_cli.data.columns.divided import DividedRows, Part, in_order
from linreg_cli.data.columns.kinds import Rows
from linreg_cli.data.columns.row_weights import At
from linreg_cli.data.encoding.transform import inverse
from linreg_cli.evaluation.metrics import IN_ORIGINAL_UNITS, ErrorSums, Metrics
from linreg_cli.least_squares.factor import BLOCK_ROWS, Array
from linreg_cli.least_squares.folds import Folds, folds_left_out, groups, shifts
from linreg_cli.least_squares.optimum import Optimum
from linreg_cli.least_squares.resampling import Needed, residuals, rows_at, rows_left_out

#: The most rows for which every row gets the smearing factor of the fit to the others, at a cost of rows x rows.
MOST_LEFT_OUT = 3_000


def left_out(
    optimum: Optimum,
    rows: DividedRows,
    options: PreprocessConfig,
    folds: Folds | None = None,
    count: int = 0,
    *,
    numbers: Rows | slice | None = None,
) -> Metrics:
    """The metrics of k-fold cross-validation of the exact fit, or of leave-one-out.

    With f the transform, a row y is predicted by f^-1(f(y) - e), where e is its error in units of f under the fit to
    the rows that are not left out with it; with the smearing factor s of that fit, by f^-1(f(y) - e + log s). mse is
    the mean of the squared differences over rows and targets; r2 is 1 - mse / variance of y, averaged over targets.
    Means and variances are weighted as the rows are.

    Args:
        optimum: of the same rows, in units of f(y), without weight decay.
        rows: X and f(y).
        options: with f and what predictions estimate.
        folds: the fold of each row, from 0; None: each row is left out alone.
        count: how many folds there are.
        numbers: the positions of the rows in the table, from 0, for the reason; None: no row is named.

    Returns:
        `units`, `r2_definition`, `mse`, `rmse` and `r2`, in original units of the target; those that are undefined are
        None, and `reason` says why.
    """
    transform, smeared, what = options.target_transform, options.target_estimate == "mean", "fold"
    if folds is None and not smeared:
        return _metrics(rows.of_parts(_without_rows, optimum.bare, transform), numbers)
    if folds is None:
        count, what = rows.n_samples, "row"
        if count > MOST_LEFT_OUT:
            return _metrics([f"with preprocess.target_estimate: mean it is computed for up to {MOST_LEFT_OUT:,} rows"])
        folds = np.arange(count)
    found: list[ErrorSums | Needed] = []
    for group in groups(optimum, count):
        shift = shifts(optimum, rows, folds, group, what=what)
        if isinstance(shift, Needed):
            return _metrics([shift], numbers)
        about = optimum.bare, folds, group, shift
        factors = _factors(rows.of_parts(_smeared, *about)) if smeared else None
        found += rows.of_parts(_without_folds, *about, transform, factors)
    return _metrics(found)


def fitted(optimum: Optimum, rows: DividedRows, options: PreprocessConfig) -> Metrics:
    """The metrics of the exact fit on its own rows; arguments as those of `left_out`."""
    own = optimum.bare
    smearing = in_order(rows.of_parts(_exponentials, own)) if options.target_estimate == "mean" else None
    factors = None if smearing is None else smearing / rows.n_samples
    return _metrics(rows.of_parts(_own, own, options.target_transform, factors))


def _metrics(found: Sequence[ErrorSums | Needed | str], numbers: Rows | slice | None = None) -> Metrics:
    """The metrics of the sums of all parts, or why there are none."""
    none: Metrics = {**IN_ORIGINAL_UNITS, "mse": None, "rmse": None, "r2": None}
    sums = ErrorSums()
    for each in found:
        if not isinstance(each, ErrorSums):
            return {**none, "reason": each if isinstance(each, str) else each.reason(numbers)}
        sums.merge(each)
    metrics = sums.metrics()
    if metrics["mse"] is None:
        return {**none, "reason": "a held-out prediction overflows float64"}
    values: Metrics = {**IN_ORIGINAL_UNITS, **{name: metrics[name] for name in ("mse", "rmse", "r2")}}
    return values if values["r2"] is not None else {**values, "reason": "R2 is undefined: a target is constant"}


class _Errors:
    """Sums of errors in original units, from those in units of the transform.

    Args:
        part: has the rows.
        transform: of the target.
    """

    def __init__(self, part: Part, transform: str) -> None:
        self.sums, self._weight_n, self._transform = ErrorSums(), part.weight_n, transform

    def add(self, at: At, y: Array, errors: Array, factors: Array | None = None) -> None:
        """Add rows, whose predictions are multiplied by smearing factors, (n_rows, k) or (k,), if there are some."""
        actual = inverse(self._transform, y)
        if self._transform != "none":
            predicted = y - errors if factors is None else y - errors + np.log(factors)
            with np.errstate(invalid="ignore"):
                errors = actual - inverse(self._transform, predicted)
        self.sums.add_errors(actual, errors, None if self._weight_n is None else self._weight_n[at])


def _without_rows(part: Part, optimum: Optimum, transform: str) -> ErrorSums | Needed:
    """The sums of the leave-one-out errors of a part, or the row without which there are none; a pass."""
    errors = _Errors(part, transform)
    return rows_left_out(part, optimum, errors.add) or errors.sums


def _without_folds(
    part: Part, optimum: Optimum, folds: Folds, group: range, shift: Array, transform: str, factors: Array | None
) -> ErrorSums:
    """The sums of the errors of the rows of a part that are in a group of folds; a pass."""
    errors = _Errors(part, transform)

    def add(at: At, y: Array, e: Array) -> None:
        own = None if factors is None else factors[folds[part.among_all(at)].astype(np.intp) - group.start]
        errors.add(at, y, e, own)

    folds_left_out(part, optimum, folds, group, shift, add)
    return errors.sums


def _own(part: Part, optimum: Optimum, transform: str, factors: Array | None) -> ErrorSums:
    """The sums of the errors of the fit on its own rows, of those of a part; a pass."""
    errors = _Errors(part, transform)
    residuals(part, optimum, lambda at, y, e: errors.add(at, y, e, factors))
    return errors.sums


def _exponentials(part: Part, optimum: Optimum) -> Array:
    """The sums of exp(e) over the residuals of the rows of a part, (n_targets,); a pass."""
    sums = np.zeros(optimum.factor.n_targets)

    def add(at: At, y: Array, e: Array) -> None:
        with np.errstate(over="ignore"):
            np.add(sums, np.exp(e).sum(axis=0), out=sums)

    residuals(part, optimum, add)
    return sums


def _smeared(
    part: Part, optimum: Optimum, folds: Folds, group: range, shift: Array
) -> tuple[Array, npt.NDArray[np.intp]]:
    """The sums of exp(e) over the rows of a part that are not in a fold, and their number, for each fold of a group.

    Residuals e are those of the fit to the other folds. Shapes (len(group), n_targets) and (len(group), 1); a pass.
    """
    sums, counts = np.zeros((len(group), optimum.factor.n_targets)), np.zeros((len(group), 1), dtype=np.intp)
    for at in part.blocks(BLOCK_ROWS):
        own, (_, e, q) = folds[part.among_all(at)], rows_at(part, optimum, at)
        for position, fold in enumerate(group):
            others = own != fold
            with np.errstate(over="ignore"):
                sums[position] += np.exp(e + q @ shift[position])[others].sum(axis=0)
            counts[position] += np.count_nonzero(others)
    return sums, counts


def _factors(found: Sequence[tuple[Array, npt.NDArray[np.intp]]]) -> Array:
    """The smearing factor of each fold of a group, (len(group), n_targets)."""
    sums, counts = (in_order(each) for each in zip(*found, strict=True))
    factors: Array = sums / counts
    return factors
