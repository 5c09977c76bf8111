"""Columns that depend on each other: which take part, and what gives each."""

import numpy as np
import pytest

from linreg_cli.least_squares.dependence import combinations, dependent_columns
from linreg_cli.least_squares.factorise import factorise

STREAM = np.random.default_rng(11)
N = 200
a, b, c, d = STREAM.normal(size=(4, N))
Y = STREAM.normal(size=(N, 1))


def factor(columns, *, bias=True, dtype=np.float64):
    return factorise(np.column_stack(list(columns.values())).astype(dtype), Y.astype(dtype), bias=bias)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("columns", "involved"),
    [
        ({"a": a, "b": b, "c": c}, ""),
        ({"a": a, "b": b, "s": a + b}, "abs"),
        ({"s": a + b, "a": a, "b": b, "c": c}, "sab"),
        ({"a": a, "b": b, "c": c, "t": a + 1e-4 * b}, "abt"),  # the term of b is small, and above rounding
        ({"a": a, "k": np.full(N, 7.0)}, "k"),
        ({"a": a, "b": b, "s": a + b, "c": c, "d": d, "t": c - 2 * d + 1e3}, "absdct"),
    ],
)
def test_every_column_that_takes_part_is_named(columns, involved, dtype):
    """Taking part: leaving the column out leaves the rank as it is, counted by numpy on standardised columns."""
    found = dependent_columns(factor(columns, dtype=dtype), list(columns))
    assert set(found) == set(involved)
    X = np.column_stack(list(columns.values()))
    X = np.column_stack([np.ones(N), (X - X.mean(axis=0)) / np.where(X.std(axis=0) > 1e-9, X.std(axis=0), 1)])
    whole = np.linalg.matrix_rank(X, tol=1e-4)
    for position, name in enumerate(columns, start=1):
        without = np.linalg.matrix_rank(np.delete(X, position, axis=1), tol=1e-4)
        assert (without == whole) == (name in found), name


def test_columns_that_nearly_depend_on_others_are_not_named():
    columns = {"a": a, "near": a + 1e-4 * b, "c": c, "d": d, "s": c + d}
    for dtype in (np.float32, np.float64):
        assert dependent_columns(factor(columns, dtype=dtype), list(columns)) == ("c", "d", "s")


@pytest.mark.parametrize("bias", [True, False])
def test_combinations_give_the_columns_back(bias):
    columns = {"a": a, "b": b, "s": 2 * a - b, "c": c, "t": c + 0.25 * (2 * a - b)}
    columns |= {"f": -3 * c + 10.0} if bias else {"f": -3 * c}
    found = combinations(factor(columns, bias=bias), list(columns))
    assert [each.name for each in found] == ["s", "t", "f"]
    for each in found:
        assert not set(each.terms) & {"s", "t", "f"}
        given = sum(weight * columns[name] for name, weight in each.terms.items()) + each.constant
        assert given == pytest.approx(columns[each.name], abs=1e-12)
    assert [each.constant for each in found] == pytest.approx([0, 0, 10 * bias], abs=1e-12)


def test_independent_columns_have_none():
    columns = {"a": a, "b": b}
    assert combinations(factor(columns), list(columns)) == []
    assert dependent_columns(factor(columns), list(columns)) == ()


def test_a_rank_for_each_table_whatever_is_far_from_zero():
    """A column at 1e9 with a spread of 1 loses its own digits in float32, and none of the others'."""
    columns = {"far": 1e9 + a, "b": b, "near": b + 1e-3 * c}
    assert factor(columns).rank == 4
    assert factor(columns, dtype=np.float32).rank == 3  # 1e9 + a is a constant and rounding there
    assert dependent_columns(factor(columns, dtype=np.float32), list(columns)) == ("far",)


def test_a_column_that_float32_cannot_tell_from_a_constant_costs_itself_alone():
    """1e9 + {0, 1, 2} has a unit in the last place of 64 in float32: judged so, it is constant, and nothing else is."""
    columns = {"t": 1e9 + np.arange(N) % 3, "a": a, "b": b, "c": a + b, "d": d}
    given = factor(columns).judged_by(float(np.finfo(np.float32).eps))
    assert (factor(columns).rank, given.rank) == (5, 4)
    assert dependent_columns(factor(columns), list(columns)) == ("a", "b", "c")
    assert dependent_columns(given, list(columns)) == ("t", "a", "b", "c")
    assert [each.name for each in combinations(given, list(columns))] == ["t", "c"]


def test_near_copies_take_no_part_in_a_dependence_of_others():
    """101 columns that differ by 1e-4 of their spread, of which one is the sum of two: three take part."""
    noise = STREAM.normal(size=(N, 100))
    columns = {f"x{j}": a + 1e-4 * noise[:, j] for j in range(100)}
    columns["sum"] = columns["x0"] + columns["x1"]
    for dtype in (np.float32, np.float64):
        found = factor(columns, dtype=dtype)
        assert found.rank == 101
        assert dependent_columns(found, list(columns)) == ("x0", "x1", "sum")


@pytest.mark.parametrize("seed", range(5))
def test_taking_part_is_counted_right_beside_columns_of_any_scale(seed):
    """By the definition: a column takes part if the rank is the same without it, by the factor of the others."""
    stream = np.random.default_rng(seed)
    X = stream.normal(size=(300, 12)) @ np.diag(10.0 ** stream.uniform(-6, 6, 12)) + 10.0 ** stream.uniform(-3, 7, 12)
    X[:, 3] = X[:, 1] - 2 * X[:, 7] * (np.std(X[:, 1]) / np.std(X[:, 7]))
    X[:, 9] = X[:, 4] + 1e-5 * X[:, 10] * (np.std(X[:, 4]) / np.std(X[:, 10]))
    X[:, 11] = 5.0
    columns = {f"x{j}": X[:, j] for j in range(12)}
    for dtype in (np.float32, np.float64):
        found = factor_of(columns, dtype)
        without = {
            name: factor_of({other: x for other, x in columns.items() if other != name}, dtype).rank for name in columns
        }
        assert set(dependent_columns(found, list(columns))) == {n for n, rank in without.items() if rank == found.rank}


def factor_of(columns, dtype):
    X = np.column_stack(list(columns.values())).astype(dtype)
    return factorise(X, X[:, :1], bias=True)
