"""Rows that are made when they are asked for are those of the whole matrix."""

import numpy as np
import pytest
from left_out import errors_of_folds, errors_of_rows

from linreg_cli.data.columns.kinds import EncodedColumns
from linreg_cli.data.columns.rows import StackedRows
from linreg_cli.least_squares.inference import infer
from linreg_cli.least_squares.solve import least_squares

ROWS = {
    "all": np.arange(40),
    "in the middle": np.arange(5, 30),
    "shuffled": np.random.default_rng(1).permutation(40)[:30],
}


@pytest.fixture(params=ROWS, name="stacked")
def _stacked(request):
    rng, rows = np.random.default_rng(0), ROWS[request.param]
    codes = rng.integers(0, 3, 40).astype(np.int32)
    columns = EncodedColumns(
        {"x": rng.normal(size=40), "z": rng.normal(size=40)}, {"c=b": (codes, 1), "c=c": (codes, 2)}
    )
    dense = np.column_stack([columns[name][rows] for name in ("x", "c=b", "c=c", "z")])
    return StackedRows(columns, ("x", "c=b", "c=c", "z"), rows), dense


def test_every_way_to_ask_gives_the_rows_of_the_matrix(stacked):
    X, dense = stacked
    assert (len(X), X.shape, X.size) == (len(dense), dense.shape, dense.size)
    for chosen in (slice(0, 7), slice(7, None), slice(3, 3), slice(-4, None), np.array([3, 0, 11])):
        np.testing.assert_array_equal(X[chosen], dense[chosen])
    np.testing.assert_array_equal(np.asarray(X), dense)


def test_exact_answers_are_those_of_the_matrix_to_the_bit(stacked):
    X, dense = stacked
    y = np.random.default_rng(2).normal(size=(len(dense), 1))
    ours, theirs = (least_squares(each, y, bias=True) for each in (X, dense))
    assert ours.weights.tobytes() == theirs.weights.tobytes()
    names = ("x", "b", "c", "z")
    assert infer(ours, X, y, names=names).as_json() == infer(theirs, dense, y, names=names).as_json()
    assert errors_of_rows(ours, X, y).tobytes() == errors_of_rows(theirs, dense, y).tobytes()
    folds = np.array_split(np.random.default_rng(3).permutation(len(dense)), 4)
    assert errors_of_folds(ours, X, y, folds).tobytes() == errors_of_folds(theirs, dense, y, folds).tobytes()
