"""Ascending row numbers as bits, compared with the arrays of numbers that they stand for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linreg_cli.data.columns import row_set
from linreg_cli.data.columns.row_set import RowSet
from linreg_cli.data.columns.rows import as_slice, first_row, in_order, part, pick, row_blocks

MANY = 200_001  # more than a group of 65,536 rows, and no multiple of 8


def drawn(share: float = 0.3, n_rows: int = MANY, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(n_rows) < share


@given(st.lists(st.booleans(), max_size=70), st.integers(0, 70), st.integers(0, 70))
def test_small_sets_are_the_rows_of_their_mask(mask, start, stop):
    mask = np.array(mask, dtype=bool)
    rows, expected = RowSet.where(mask), np.flatnonzero(mask)
    assert rows.tolist() == expected.tolist() == list(rows)
    assert rows[start:stop].tolist() == expected[start:stop].tolist()
    assert rows.between(start, min(stop, len(rows))).tolist() == expected[start:stop].tolist()
    assert [rows[i] for i in range(-len(rows), len(rows))] == [*expected, *expected]
    low, high = sorted((min(start, len(mask)), min(stop, len(mask))))
    assert rows.mask(low, high).tolist() == mask[low:high].tolist()


def test_slices_and_positions_across_groups():
    mask = drawn()
    rows, expected = RowSet.where(mask), np.flatnonzero(mask)
    assert np.asarray(rows).dtype == np.int32
    for start, stop in ((0, len(expected)), (19_000, 21_000), (len(expected) - 1, len(expected) + 9), (7, 3)):
        assert np.array_equal(rows[start:stop], expected[start:stop])
    positions = np.random.default_rng(1).permutation(len(expected))[:5_000]
    assert np.array_equal(rows[positions], expected[positions])
    assert np.array_equal(pick(rows, positions), expected[positions])
    assert np.array_equal(part(rows, 5, 90_000), expected[5:90_000])
    with pytest.raises(IndexError):
        rows[len(expected)]


def test_masks_of_any_length_make_the_same_set():
    mask = drawn()
    parts = np.split(mask, [0, 3, 65_536, 65_541, 131_072])
    assert RowSet.of_blocks(parts).tolist() == np.flatnonzero(mask).tolist()


def test_sets_are_joined_and_cut():
    first, second = drawn(seed=0), drawn(seed=1)
    a, b = RowSet.where(first), RowSet.where(second)
    assert (a & b).tolist() == np.flatnonzero(first & second).tolist()
    assert RowSet.of([a, b], MANY).tolist() == np.flatnonzero(first | second).tolist()
    assert RowSet.of([a, np.array([5, 2], dtype=np.int32)], MANY).mask(0, 6)[[2, 5]].all()


def test_consecutive_rows_are_a_slice_and_others_are_not():
    assert as_slice(RowSet.all(MANY)) == slice(0, MANY)
    assert in_order(RowSet.all(MANY).between(70_000, 80_000)) == slice(70_000, 80_000)
    rows = RowSet.where(drawn())
    assert as_slice(rows) is rows is in_order(rows)
    assert as_slice(RowSet.all(3).between(2, 2)) is not None


def test_blocks_cover_the_rows_in_their_order():
    order = np.random.default_rng(0).permutation(10)
    assert np.concatenate([block for _, block in row_blocks(order, 10, size=3)]).tolist() == order.tolist()
    mask = drawn()
    found = [block for _, block in row_blocks(RowSet.where(mask), MANY)]
    assert np.array_equal(np.concatenate(found), np.flatnonzero(mask))


def test_the_first_row_is_the_lowest_whatever_the_order():
    values = np.arange(100_000) % 7 == 3
    order = np.random.default_rng(0).permutation(100_000)
    expected = (3, int(values.sum()))
    for rows in (order, slice(0, 100_000), RowSet.all(100_000)):
        assert first_row(rows, 100_000, lambda block: values[block]) == expected
    assert first_row(order, 100_000, lambda block: values[block] & False) == (100_000, 0)


def test_it_takes_one_bit_a_row():
    import tracemalloc

    tracemalloc.start()
    rows = RowSet.all(4_000_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(rows) == 4_000_000
    assert peak < 3 * 4_000_000 / 8


def test_rows_that_are_read_again_are_the_same_and_few_groups_are_kept(monkeypatch):
    monkeypatch.setattr(row_set, "_KEPT", 3)
    mask = np.random.default_rng(5).random(8 * 65_536 + 11) < 0.7
    rows, expected = RowSet.where(mask), np.flatnonzero(mask)
    for _ in range(2):
        for start in range(0, len(expected), 50_000):
            np.testing.assert_array_equal(rows[start : start + 50_000], expected[start : start + 50_000])
            assert len(rows._kept) <= 3
    assert rows.tolist() == expected.tolist() == [*rows]
