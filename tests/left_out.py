"""The errors of rows that are left out, as whole arrays, which the package never has."""

import numpy as np

from linreg_cli.data.columns.divided import DividedRows
from linreg_cli.least_squares.folds import folds_left_out, groups, shifts
from linreg_cli.least_squares.resampling import Needed, rows_left_out


def errors_of_rows(optimum, X, y, weights=None, bounds=None):
    """The leave-one-out errors of a fit, shape (n_samples, n_targets); why there are none."""
    errors = np.full(y.shape, np.nan)
    rows = DividedRows(X, y, weights, bounds)
    reasons = [each for each in rows.of_parts(rows_left_out, optimum.bare, keep(errors)) if each]
    return reasons[0].reason(slice(None)) if reasons else errors


def errors_of_folds(optimum, X, y, folds, weights=None, bounds=None):
    """As `errors_of_rows`, of k-fold cross-validation; `folds` are the rows of each."""
    errors, numbers = np.full(y.shape, np.nan), np.full(len(y), -1)
    for number, fold in enumerate(folds):
        numbers[fold] = number
    rows = DividedRows(X, y, weights, bounds)
    for group in groups(optimum, len(folds)):
        shift = shifts(optimum, rows, numbers, group)
        if isinstance(shift, Needed):
            return shift.reason()
        rows.of_parts(folds_left_out, optimum.bare, numbers, group, shift, keep(errors))
    return errors


def keep(errors):
    """What writes the errors that a pass gives."""

    def add(at, y, e):
        assert np.isnan(errors[at]).all()  # each row once
        errors[at] = e

    return add
