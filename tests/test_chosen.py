"""Sums and medians of rows in several processes have the bits of one process."""

import math

import numpy as np
import pytest
from thread_ranks import Several

from linreg_cli.data.columns.chosen import ChosenRows
from linreg_cli.data.columns.fetched import FetchedValues
from linreg_cli.data.columns.kinds import Numbers
from linreg_cli.data.columns.row_set import RowSet
from linreg_cli.data.encoding.encode import Encoder
from linreg_cli.data.encoding.treatments import Treatment

ROWS = 400_000
BOUNDS = {2: (0, 150_001, ROWS), 3: (0, 7, 200_000, ROWS)}


def column(*, gaps):
    rng = np.random.default_rng(2)
    values = rng.lognormal(sigma=3, size=ROWS) * rng.choice([-1, 1], ROWS)
    values[rng.uniform(size=ROWS) < 0.1 * gaps] = np.nan
    return values


def rows_of(kind):
    rng = np.random.default_rng(4)
    if kind == "set":
        return RowSet.where(rng.uniform(size=ROWS) < 0.8)
    return slice(11, ROWS - 3) if kind == "slice" else rng.permutation(ROWS)[:60_000]


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("kind", ["set", "slice", "array"])
def test_the_bits_are_those_of_one_process(size, kind):
    rows, bounds = rows_of(kind), BOUNDS[size]
    several = Several(size)
    with several as ranks:
        for gaps in (False, True):
            values = column(gaps=gaps)
            for each in several.ranks:
                each.held[gaps] = values[bounds[each.rank] : bounds[each.rank + 1]]
            here = ChosenRows(values, rows, gaps)
            divided = ChosenRows(FetchedValues(ranks, gaps, bounds, 1), rows, gaps)
            assert divided.sums_of_blocks() == here.sums_of_blocks()
            assert divided.median() == here.median()
            chosen = values[rows if isinstance(rows, slice) else np.asarray(rows)]
            assert here.median() == np.nanmedian(chosen)
            mean = math.fsum(chosen[~np.isnan(chosen)]) / np.count_nonzero(~np.isnan(chosen))
            assert divided.mean() == here.mean()
            assert math.isclose(here.mean(), mean, rel_tol=1e-9)
            assert divided.ends() == here.ends() == (np.nanmin(chosen), np.nanmax(chosen))
            if not gaps:
                assert divided.total() == here.total()
                # numpy 2.0 adds up numbers in an order that depends on where they lie in memory
                rounding = 0.0 if np.lib.NumpyVersion(np.__version__) >= "2.1.0" else 1e-15
                assert math.isclose(here.total(), np.sum(chosen.copy()), rel_tol=rounding)
    assert not several.errors


def test_only_blocks_of_two_processes_are_fetched():
    values, bounds = column(gaps=False), BOUNDS[2]
    several = Several(2)
    with several as ranks:
        for each in several.ranks:
            each.held[3] = values[bounds[each.rank] : bounds[each.rank + 1]]
        fetched, divided = [], FetchedValues(ranks, 3, bounds, 8)
        real = divided._fetched
        divided._fetched = lambda first, last: fetched.append(last - first) or real(first, last)
        ChosenRows(divided, slice(0, ROWS), gaps=False).total()
        ChosenRows(divided, slice(0, ROWS)).sums_of_blocks()
    assert 0 < sum(fetched) < 2.1 * 2**16


@pytest.mark.parametrize("value", [0.1, -2.118415367099353, 1e9 + 0.1, 0.0])
def test_the_mean_of_equal_cells_is_their_value(value):
    values = np.full(3 * 2**16 + 5, value)
    values[: 2**16 + 3] = np.nan
    rows = slice(0, len(values))
    assert ChosenRows(values, rows).mean() == value
    several = Several(2)
    with several as ranks:
        bounds = (0, 2**16, len(values))
        for each in several.ranks:
            each.held[0] = values[bounds[each.rank] : bounds[each.rank + 1]]
        assert ChosenRows(FetchedValues(ranks, 0, bounds, 1), rows).mean() == value
    values[-1] = np.nextafter(value, np.inf)
    present = values[~np.isnan(values)]
    assert math.isclose(
        ChosenRows(values, rows).mean(), math.fsum(present) / len(present), rel_tol=1e-15, abs_tol=1e-320
    )
    assert math.isnan(ChosenRows(np.full(3, np.nan), slice(0, 3)).mean())


def test_the_mean_of_zeros_of_both_signs_is_0_however_they_are_divided():
    values = np.array([0.0] * 6 + [np.nan] + [-0.0] * 3 + [0.0] * 9)
    found = [ChosenRows(values, slice(0, 19)).mean(), ChosenRows(-values, slice(0, 19)).mean()]
    for cut in (3, 8):
        several = Several(2)
        with several as ranks:
            several.ranks[0].held[5], several.ranks[1].held[5] = values[:cut], values[cut:]
            found.append(ChosenRows(FetchedValues(ranks, 5, (0, cut, 19), 1), slice(0, 19)).mean())
        assert not several.errors
    assert [math.copysign(1, each) for each in found] == [1.0] * 4


def test_a_constant_column_stays_constant_where_missing_cells_are_filled_with_its_mean():
    raw, treated = {"x": Numbers(np.array([0.1, np.nan, 0.1, 0.1]))}, {"x": Treatment(missing="mean")}
    fitted = Encoder.fit(raw, treated, np.arange(4), drop_first=True, keep_one=False, unknown="error", name="t.csv")
    assert fitted.inputs[0].fill == 0.1 != np.mean([0.1] * 3)
