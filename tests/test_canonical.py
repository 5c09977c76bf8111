"""R of a table is one matrix, whatever its parts, to 1e-12 of the norms of its columns, also of dependent ones."""

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from summarised import away, parts
from test_statistics_moments import of_columns

from linreg_cli.config import load_config
from linreg_cli.statistics import canonical
from linreg_cli.statistics.canonical import folded, in_one_form, round_centers
from linreg_cli.statistics.facts import TableStatistics
from linreg_cli.statistics.measure import WHOLE, Part, measure
from linreg_cli.statistics.merge import merge_statistics
from linreg_cli.statistics.moments import gap_of, target_of, value_of

N_ROWS = 241
EVERY_ROW = tuple(range(N_ROWS + 1))

CONFIG = """\
name: s
data: {path: t.parquet, target: [y, exact], ignore: [w]}
preprocess: {missing: level, categorical: one_hot}
optimizer: {lr: 0.1}
train: {epochs: 20, batch_size: full, device: cpu, dtype: float64}
plots: false
"""
OPTIONS = {
    "as it is": [],
    "weights over ten orders": ["data.weight=w", "data.ignore=[]"],
    "features of columns": ["data.features=[a, b, 'b^2', 'b^3', 'late:b', 'g:h', 'g^2', city, twice, h, g]"],
    "a split, rows dropped": ["data.split={train: 0.8, test: 0.2, by: hash}", "preprocess.missing=drop"],
}


def table() -> pd.DataFrame:
    """Columns that depend on others in every way that a table has, some of them far from zero, sorted by a level."""
    rng = np.random.default_rng(11)
    city = np.sort(rng.choice(list("abcde"), N_ROWS, p=[0.4, 0.3, 0.2, 0.08, 0.02]))
    a, b = 1e6 + rng.standard_normal(N_ROWS), rng.choice([-1.0, 1.0], N_ROWS)
    gappy, other = a - 1e6 + rng.uniform(0, 3, N_ROWS), rng.uniform(5, 9, N_ROWS)
    gappy[::7], other[::7] = np.nan, np.nan  # missing together
    frame = pd.DataFrame({"a": a, "twice": 2 * a, "b": b, "seven": 7.3, "third": a / 3 + b, "city": city})
    frame["first"] = (city == "a").astype(float)
    frame["g"], frame["h"] = gappy, other
    frame["sum"] = frame.g + frame.h
    frame["late"] = np.where(np.arange(N_ROWS) < 200, 4.0, rng.integers(0, 5, N_ROWS))
    frame["y"] = a - 1e6 + 2 * b + (city == "b") + rng.standard_normal(N_ROWS)
    frame["exact"] = 3 * (a - 1e6) - b
    frame["w"] = np.exp(rng.normal(0, 4, N_ROWS))
    return frame


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    table().to_parquet(tmp_path / "t.parquet", index=False)
    (tmp_path / "c.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@dataclass(frozen=True)
class Cut(Part):
    """A part that ends where a test says."""

    ends: tuple[int, ...] = ()

    def rows(self, n_rows: int) -> tuple[int, int]:
        return self.ends[self.index - 1], self.ends[self.index]


def of_parts(settings: list[str], ends: tuple[int, ...]) -> TableStatistics:
    """The statistics of rows between some ends, merged."""
    config, of = load_config(["c.yaml"], settings).config, len(ends) - 1
    return merge_statistics({str(at): measure(config, Cut(at, of, ends)) for at in range(1, of + 1)})


def even(n_parts: int) -> tuple[int, ...]:
    return tuple(N_ROWS * part // n_parts for part in range(n_parts + 1))


@pytest.mark.parametrize("options", OPTIONS)
def test_the_factor_of_any_division_is_that_of_the_table_element_by_element(place, options):
    whole = measure(load_config(["c.yaml"], OPTIONS[options]).config, WHOLE)
    R = whole.moments.R
    empty = np.diag(R) == 0
    assert (np.diag(R) >= 0).all()
    assert empty.any()
    assert not R[empty].any()
    assert np.array_equal(R, np.triu(R))
    uneven = [(0, 1, 2, 5, 230, 231, N_ROWS), (0, 240, N_ROWS), (0, 60, 61, 100, N_ROWS)]
    divisions = [*map(even, (2, 3, 7, 30)), *uneven, *([EVERY_ROW] if options == "as it is" else [])]
    for ends in divisions:
        assert away(of_parts(OPTIONS[options], ends), whole) < 1e-12, ends


def test_a_column_that_is_nearly_dependent_has_a_row_of_fewer_digits_and_all_digits_in_the_products(place):
    settings = ["data.features=[b, 'a:b', city, g]"]  # a:b is 1e6 b, and 1e-6 of its length besides
    whole, found = measure(load_config(["c.yaml"], settings).config, WHOLE), of_parts(settings, even(7))
    R, other = whole.moments.R, found.moments.R
    norms = np.linalg.norm(R, axis=0)
    share = np.diag(R) / norms
    row = int(np.argmin(np.where(share > 0, share, 1.0)))
    assert 1e-7 < share[row] < 1e-5
    assert 1e-13 < away(found, whole) < 1e-15 / share[row]
    assert (np.abs(R.T @ R - other.T @ other) / np.outer(norms, norms)).max() < 1e-12


def test_the_factor_is_that_of_numpy_for_the_columns_that_do_not_depend_on_earlier_ones(place):
    moments = measure(load_config(["c.yaml"], []).config, WHOLE).moments
    frame = table()
    columns = [np.ones(N_ROWS)]
    for (kind, name, level), center in zip(moments.keys, moments.center, strict=True):
        values = frame[name]
        of_kind = {
            "value": lambda values=values, center=center: (values - center).fillna(0.0),
            "target": lambda values=values, center=center: values - center,
            "gap": lambda values=values: values.isna(),
            "level": lambda values=values, level=level: values == level,
        }
        columns.append(np.asarray(of_kind[kind](), dtype=float))
    A = np.stack(columns, axis=1)
    independent = np.diag(moments.R) > 0
    # twice, seven, third, a level of city, first, the gaps of h and of sum, sum, exact
    assert int((~independent).sum()) == 9
    expected = np.linalg.qr(A[:, independent], mode="r")
    expected *= np.sign(np.diag(expected))[:, None]
    norms = np.linalg.norm(A[:, independent], axis=0)
    assert (np.abs(moments.R[np.ix_(independent, independent)] - expected) / norms).max() < 1e-12
    of_all = np.linalg.norm(A, axis=0)
    of_all[of_all == 0] = 1.0
    assert (np.abs(moments.R.T @ moments.R - A.T @ A) / np.outer(of_all, of_all)).max() < 1e-12


def test_the_residual_of_a_target_goes_to_the_rows_that_stay():
    rng = np.random.default_rng(2)
    X, y = rng.standard_normal((30, 6)), rng.standard_normal((30, 2))
    X[:, 2], X[:, 3] = X[:, 0] - X[:, 1], X[:, 1]
    A = np.hstack([np.ones((30, 1)), X, y])
    R = folded(np.linalg.qr(A, mode="r"), np.zeros(9), np.arange(9) > 6)
    assert np.flatnonzero(np.diag(R) == 0).tolist() == [3, 4]
    np.testing.assert_allclose(R.T @ R, A.T @ A, atol=1e-13)
    left = np.linalg.lstsq(A[:, :7], y, rcond=None)[0]
    expected = np.sum((y - A[:, :7] @ left) ** 2, axis=0)
    np.testing.assert_allclose(np.sum(R[7:, 7:] ** 2, axis=0), expected, rtol=1e-13)


def test_what_rounding_leaves_of_a_target_is_its_residual_and_of_a_column_nothing():
    rng = np.random.default_rng(4)
    x = 1e9 + rng.standard_normal(100)
    stored = 3 * x - 3e9  # to half a unit in the last place of 3e9, 2e-7
    assert 1e-8 < np.std(stored - 3 * (x - 1e9)) < 1e-6
    A = np.stack([np.ones(100), x - 1e9, stored], axis=1)
    R, largest = np.linalg.qr(A, mode="r"), np.array([0, 1e9, 3e9])
    as_feature, as_target = (folded(R, largest, np.array([False, False, each])) for each in (False, True))
    assert (as_feature[2, 2], as_target[2, 2]) == (0.0, pytest.approx(abs(R[2, 2]), rel=1e-12))


@pytest.mark.parametrize("copies", [(), (3, 11, 12, 29), tuple(range(1, 40, 2))])
def test_near_copies_and_copies_are_told_apart_as_by_the_rank_of_each_number_of_columns(copies):
    """Expected: `numpy.linalg.matrix_rank` of the first columns, each number of them by itself."""
    rng = np.random.default_rng(9)
    A = np.hstack([np.ones((200, 1)), rng.standard_normal((200, 20))])
    A = np.hstack([A, A[:, 1:] + 1e-7 * rng.standard_normal((200, 20))])
    for column in copies:
        A[:, column] = A[:, column - 1]
    R = np.linalg.qr(A, mode="r")
    bound = 1e-12 * np.linalg.norm(R, axis=0)
    ranks = [0, *(np.linalg.matrix_rank(R[:n, :n] / bound[:n], tol=1.0) for n in range(1, 42))]
    found = folded(R, np.zeros(41), np.zeros(41, dtype=bool))
    assert (np.diag(found) > 0).tolist() == (np.diff(ranks) > 0).tolist()
    assert np.diff(ranks).sum() == 41 - len(copies)


def test_near_copies_of_which_none_is_a_copy_take_one_decomposition(monkeypatch):
    rng, taken = np.random.default_rng(9), []
    near = rng.standard_normal((300, 50))
    R = np.linalg.qr(np.hstack([near, near + 1e-7 * rng.standard_normal((300, 50))]), mode="r")
    decomposed = np.linalg.svd
    monkeypatch.setattr(canonical.np.linalg, "svd", lambda A, **how: taken.append(A.shape) or decomposed(A, **how))
    assert (np.diag(folded(R, np.zeros(100), np.zeros(100, dtype=bool))) > 0).all()
    assert taken == [(100, 100)]


def test_a_column_with_a_spread_of_a_few_units_in_the_last_place_is_kept():
    values = 1e9 + np.spacing(1e9) * np.arange(50.0)
    found = in_one_form(of_columns({value_of("x"): values}), [values.max()])
    assert found.R[1, 1] / np.sqrt(50) == pytest.approx(np.spacing(1e9) * np.arange(50).std(), rel=1e-6)


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e5])
def test_the_center_is_one_number_near_the_mean_however_the_rows_were_added(scale):
    rng = np.random.default_rng(7)
    values, gaps = 1e6 + scale * rng.integers(0, 2, 64), rng.random(64) < 0.3
    found = set()
    for cuts in ([0, 64], [0, 1, 64], [0, 13, 14, 40, 64], range(65)):
        parts_of = []
        for first, last in pairwise(cuts):
            rows = slice(first, last)
            parts_of.append(
                of_columns(
                    {
                        value_of("x"): np.where(gaps, np.nan, values)[rows],
                        gap_of("x"): gaps[rows] * 1.0,
                        target_of("y"): values[rows],
                    }
                )
            )
        moments = parts_of[0]
        for each in parts_of[1:]:
            moments = moments.joined(each, keys=moments.keys)
        found.add(tuple(round_centers(moments)))
    [center] = found
    assert abs(center[2] - values.mean()) < values.std() / 4
    assert center[1] == 0


def test_a_constant_column_has_its_value_as_its_center():
    moments = of_columns({value_of("x"): np.full(9, 0.1), target_of("y"): np.arange(9.0)})
    assert in_one_form(moments, [0.1, 8.0]).center[0] == 0.1
    assert not in_one_form(moments, [0.1, 8.0]).R[:, 1].any()


def test_training_from_such_a_factor_has_the_fit_of_numpy(linreg, place):
    assert linreg("stats", "merge", *parts(linreg, 3), "-o", "m.safetensors").code == 0
    train = ("train", "-c", "c.yaml", "-q", "--json")
    found = json.loads(linreg(*train, "--stats", "m.safetensors", "--set", "optimizer.lr=1e-13").out)["metrics"]
    of_rows = json.loads(linreg(*train, "--set", "optimizer.lr=1e-13").out)["metrics"]
    frame = table()
    X = frame.drop(columns=["y", "exact", "w", "city"]).assign(gap=frame.g.isna() * 1.0)
    X = X.fillna(X.mean()).join(pd.get_dummies(frame.city, prefix="city", dtype=float))
    X = np.asarray((X - X.mean()).assign(one=1.0))
    residual = frame.y - X @ np.linalg.lstsq(X, frame.y, rcond=1e-9)[0]
    # the loss of two targets is the mean over both, of which one is fitted exactly
    expected = float((residual**2).mean()) / 2
    assert found["optimum"]["train_loss"] == pytest.approx(expected, rel=1e-9)
    assert of_rows["optimum"]["train_loss"] == pytest.approx(expected, rel=1e-9)
    assert (found["optimum"]["is_unique"], found["optimum"]["rank"]) == (False, of_rows["optimum"]["rank"])
