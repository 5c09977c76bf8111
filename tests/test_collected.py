"""Rows that are collected for a factor, and the digest by which a changed table is noticed."""

import numpy as np
import pytest

from linreg_cli.statistics.collected import Collected, RowsDigest
from linreg_cli.statistics.moments import level_of, value_of

RNG = np.random.default_rng(2)
X = RNG.integers(0, 100, 5_000).astype(float)


def digest_of(*blocks: np.ndarray, name: str = "x") -> str:
    found = RowsDigest()
    for block in blocks:
        found.add([name], block[None])
    return found.hexdigest()


@pytest.mark.parametrize("bit", [0, 1, 31, 32, 51, 63])
def test_a_bit_of_one_cell_changes_the_digest(bit):
    changed = X.copy()
    changed.view(np.uint64)[4_321] ^= np.uint64(1 << bit)
    assert digest_of(changed) != digest_of(X)


@pytest.mark.parametrize("change", ["two signs", "all signs", "two exponents", "all exponents"])
def test_changes_of_the_upper_bits_of_many_cells_do_not_cancel(change):
    some = slice(None) if change.startswith("all") else [11, 17]
    changed = X + 1.0
    before = digest_of(changed)
    changed[some] *= -1.0 if change.endswith("signs") else 2.0**512
    assert digest_of(changed) != before


def test_rows_in_another_order_or_of_another_column_have_another_digest():
    swapped = X.copy()
    first, second = 17, int(np.flatnonzero(X[17] != X)[-1])
    swapped[[first, second]] = swapped[[second, first]]
    assert len({digest_of(X), digest_of(swapped), digest_of(X[:-1]), digest_of(X, name="y"), digest_of(X, X[:0])}) == 5
    assert digest_of(X) == digest_of(X.copy())


def test_a_column_is_zero_in_the_rows_before_its_first_and_where_nothing_was_written():
    rows = Collected()
    for start, level in ((0, None), (3, "a"), (5, None), (6, "a")):
        n = 2 if start == 3 else 1 if start else 3
        rows.room(value_of("x"), n)[:] = np.arange(start, start + n)
        if level is not None:
            rows.room(level_of("c", level), n)[:] = 1
        rows.end(n)
    assert rows.keys == (value_of("x"), level_of("c", "a"))
    assert rows.values[1:].tolist() == [[0, 1, 2, 3, 4, 5, 6], [0, 0, 0, 1, 1, 0, 1]]


def test_what_was_collected_is_forgotten():
    rows = Collected()
    rows.room(value_of("x"), 2)[:] = 7
    rows.end(2)
    rows.clear()
    rows.room(value_of("y"), 1)
    rows.end(1)
    assert (rows.keys, rows.values[1:].tolist(), rows.n_rows) == ((value_of("y"),), [[0.0]], 1)


def test_there_are_enough_rows_for_a_factor_at_some_number_for_each_column():
    for n_columns in (1, 40, 2_000):
        rows = Collected()
        while not rows.are_enough:
            for column in range(n_columns):
                rows.room(value_of(str(column)), 1_000)
            rows.end(1_000)
        assert rows.n_rows >= 8 * n_columns
        assert rows.values.nbytes < 2 * 8 * 8 * (n_columns + 1) ** 2 + 2**23
