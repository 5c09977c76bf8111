"""Moments of parts of rows, joined: those of all rows, whatever the parts, as numpy has them."""

import itertools

import numpy as np
import pytest

from linreg_cli.statistics.moments import Key, Moments, gap_of, level_of, merged, target_of, value_of

N = 400
RNG = np.random.default_rng(3)
X = 1e9 + RNG.uniform(-1, 1, N)
Z = RNG.standard_normal(N)
Z[RNG.random(N) < 0.2] = np.nan
CITY = RNG.choice(["a", "b", "c"], N)
CITY[:300][CITY[:300] == "c"] = "a"  # a level that the last part alone has
Y = 3 * (X - 1e9) + np.nan_to_num(Z) + RNG.standard_normal(N)
KEYS = (value_of("x"), value_of("z"), gap_of("z"), level_of("city", "a"), level_of("city", "c"), target_of("y"))
DIVISIONS = {
    "one": [N],
    "rows alone at the ends": [1, N - 1, N],
    "seven": [3, 40, 41, 150, 300, 399, N],
    "halves": [N // 2, N],
}


def of_columns(columns: dict[Key, np.ndarray]) -> Moments:
    return Moments.of_rows(tuple(columns), np.stack([np.zeros(len(next(iter(columns.values())))), *columns.values()]))


def of_part(rows: slice) -> Moments:
    columns = {value_of("x"): X[rows], value_of("z"): Z[rows], target_of("y"): Y[rows]}
    if np.isnan(Z[rows]).any():
        columns[gap_of("z")] = np.isnan(Z[rows]).astype(float)
    for level in ("a", "c"):
        if (CITY[rows] == level).any():
            columns[level_of("city", level)] = (CITY[rows] == level).astype(float)
    return of_columns(columns)


def parts_of(division: str) -> list[Moments]:
    return [of_part(slice(*ends)) for ends in itertools.pairwise([0, *DIVISIONS[division]])]


def of_numpy(center: np.ndarray) -> np.ndarray:
    """Z'Z of the columns about a center, a missing cell being 0."""
    columns = [np.ones(N)]
    columns += [np.nan_to_num(values - about) for values, about in ((X, center[0]), (Z, center[1]))]
    columns += [np.isnan(Z), CITY == "a", CITY == "c", Y - center[-1]]
    A = np.stack([np.asarray(each, dtype=float) for each in columns])
    return A @ A.T


@pytest.mark.parametrize("division", DIVISIONS)
def test_the_moments_of_any_division_are_those_of_numpy(division):
    found = merged(parts_of(division), KEYS)
    expected = of_numpy(found.center)
    scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    assert found.n == N
    assert np.abs(found.R.T @ found.R - expected).max() < 1e-12 * N
    assert (np.abs(found.R.T @ found.R - expected) / scale).max() < 1e-12
    assert np.array_equal(found.R, np.triu(found.R))


@pytest.mark.parametrize("division", DIVISIONS)
def test_the_means_are_those_of_the_cells_that_are_there(division):
    found = merged(parts_of(division), KEYS)
    expected = [X.mean(), np.nanmean(Z), np.isnan(Z).mean(), np.mean(CITY == "a"), np.mean(CITY == "c"), Y.mean()]
    np.testing.assert_allclose(found.mean, expected, rtol=1e-15, atol=1e-14)


def test_a_spread_of_one_about_a_billion_keeps_its_digits():
    found = merged(parts_of("seven"), KEYS)
    of_x = found.about(np.append(found.mean[:1], found.center[1:])).R[:, 1]
    assert np.sqrt(of_x @ of_x / N) == pytest.approx(float(np.std(X - 1e9)), rel=1e-9)


def test_a_constant_column_has_its_value_as_its_center_and_no_spread():
    values = np.full(7, 0.1)
    parts = [of_columns({value_of("x"): values[rows]}) for rows in (slice(0, 3), slice(3, 4), slice(4, 7))]
    found = merged(parts, (value_of("x"),))
    assert found.mean.tolist() == [0.1]
    assert np.abs(found.R[:, 1]).max() == 0


def test_parts_without_rows_change_nothing():
    whole = merged(parts_of("halves"), KEYS)
    more = merged([*parts_of("halves"), Moments.none(KEYS)], KEYS)
    np.testing.assert_allclose(more.R.T @ more.R, whole.R.T @ whole.R, rtol=1e-12, atol=1e-9)
    assert merged([Moments.none(KEYS), Moments.none(KEYS)], KEYS).n == 0


def test_the_only_set_with_rows_stays_as_it_is():
    whole = merged(parts_of("halves"), KEYS)
    assert merged([whole], KEYS) is whole
    assert Moments.none(KEYS).joined(whole, keys=KEYS) is whole
    other, expected = whole.joined(keys=KEYS[::-1]), whole.arranged(KEYS[::-1]).R
    np.testing.assert_allclose(other.R.T @ other.R, expected.T @ expected, atol=1e-12)
    assert np.array_equal(other.R, np.triu(other.R))
