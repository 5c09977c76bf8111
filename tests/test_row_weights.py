"""Weights that are read on access: the bits of weights in memory, and never all of them at once."""

import math

import numpy as np
import pytest

from linreg_cli.data.columns import on_disk
from linreg_cli.data.columns.kinds import BLOCK_ROWS
from linreg_cli.data.columns.on_disk import NumberPlaces
from linreg_cli.data.columns.row_set import RowSet
from linreg_cli.data.columns.row_weights import WeightsOnAccess, roots, sum_of
from linreg_cli.data.roles import RowWeights
from linreg_cli.least_squares.factorise import factorise

NUMBERS = np.random.default_rng(0).lognormal(sigma=2, size=5 * BLOCK_ROWS + 77)


@pytest.mark.parametrize("n", [1, 127, BLOCK_ROWS, BLOCK_ROWS + 1, 2 * BLOCK_ROWS + 9, 3 * BLOCK_ROWS, len(NUMBERS)])
def test_a_sum_has_the_same_bits_in_memory_and_read_and_today_those_of_numpys(n):
    """numpy 2.0 adds up all of them in another order than parts of them."""
    given = NUMBERS[:n]
    weights = WeightsOnAccess(n, lambda at: given[at])
    sums = sum_of(weights), sum_of(roots(weights), np.log)
    assert sums == (sum_of(given), sum_of(roots(given), np.log))
    for found, values in zip(sums, (given, np.log(np.sqrt(given))), strict=True):
        assert found == pytest.approx(math.fsum(values), rel=1e-13, abs=1e-13 * n)
        if np.lib.NumpyVersion(np.__version__) >= "2.4.0":
            assert found == float(values.sum())


def test_no_more_than_a_block_of_weights_is_read_for_a_factor_and_it_has_the_bits_of_weights_in_memory():
    rng, longest = np.random.default_rng(1), []
    X, y, given = rng.normal(size=(len(NUMBERS), 2)), rng.normal(size=(len(NUMBERS), 1)), NUMBERS / NUMBERS.mean()

    def read(at):
        longest.append(len(given[at]))
        return given[at]

    found = factorise(X, y, bias=True, weights=WeightsOnAccess(len(given), read))
    expected = factorise(X, y, bias=True, weights=given)
    for name in ("R_pp", "R_pk", "center", "spread", "constant_k"):
        assert getattr(found, name).tobytes() == getattr(expected, name).tobytes(), name
    assert max(longest) <= BLOCK_ROWS
    at = np.array([3, 1, 70_000])
    np.testing.assert_array_equal(found.weighted(X[at], at), expected.weighted(X[at], at))


@pytest.mark.parametrize("rows", [slice(5, 900), RowSet.where(np.arange(1_000) % 3 > 0), np.array([7, 3, 900])])
def test_weights_of_a_column_on_the_disk_are_those_of_one_in_memory(monkeypatch, rows):
    monkeypatch.setattr(on_disk, "GROUP_CELLS", 64)
    monkeypatch.setattr(on_disk, "GROUP_ROWS", 64)
    places = NumberPlaces(["w"], 1_000)
    places.put(0, 0, NUMBERS[:1_000])
    stored, held = (RowWeights(values, 0.25, "w").of_rows(rows) for values in (places.columns()["w"], NUMBERS[:1_000]))
    assert isinstance(stored, WeightsOnAccess)
    assert isinstance(held, np.ndarray)
    assert len(stored) == len(held)
    np.testing.assert_array_equal(np.asarray(stored), held)
    np.testing.assert_array_equal(stored[2:3], held[2:3])
    np.testing.assert_array_equal(stored[np.array([1, 0])], held[np.array([1, 0])])
