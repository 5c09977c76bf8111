"""Which rows train, validate and test."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linreg_cli.config.data import SplitConfig
from linreg_cli.data.columns.row_set import RowSet
from linreg_cli.data.dataset import SPLITS
from linreg_cli.data.encoding.cells import category_column
from linreg_cli.data.split import hashed_splits, split_by_column, split_by_fractions, split_rows, streamed_split
from linreg_cli.errors import DataError
from linreg_cli.seeds import counted_words


def sizes(n_samples: int, **shares: float) -> list[int]:
    parts = split_by_fractions(n_samples, SplitConfig(**shares), seed=0)
    return [len(parts[name]) for name in SPLITS]


@given(n_samples=st.integers(30, 3000), percent=st.tuples(st.integers(4, 60), st.integers(4, 30)), seed=st.integers(0))
def test_every_row_is_in_exactly_one_split_of_the_asked_size(n_samples, percent, seed):
    train, validation = percent[0] / 100, percent[1] / 100
    split = SplitConfig(train=train, validation=validation, test=1 - train - validation)
    parts = split_by_fractions(n_samples, split, seed % 2**63)
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(n_samples))
    for name in SPLITS:
        # each of the two cuts is rounded
        assert abs(len(parts[name]) - n_samples * getattr(split, name)) <= 1


def test_sizes_worked_out_by_hand():
    assert sizes(10, train=0.7, validation=0.2, test=0.1) == [7, 2, 1]
    assert sizes(21_613, train=0.8, test=0.2) == [17_290, 0, 4_323]  # 0.8 x 21613 = 17290.4
    assert sizes(5) == [5, 0, 0]
    assert sizes(10, train=0.1, validation=0.2, test=0.7) == [1, 2, 7]  # 0.1 + 0.2 is above 0.3 in floats


def test_shuffling_follows_the_seed_and_its_absence_the_order():
    shares = {"train": 0.6, "test": 0.4}
    first, again, other = (split_by_fractions(100, SplitConfig(**shares), seed) for seed in (0, 0, 1))
    assert first["train"].tolist() == again["train"].tolist() != other["train"].tolist()
    assert first["train"].tolist() != sorted(first["train"].tolist())
    ordered = split_by_fractions(100, SplitConfig(**shares, shuffle=False), 0)
    assert ordered["train"].tolist() == list(range(60))
    assert ordered["test"].tolist() == list(range(60, 100))


def test_rows_that_all_train_stay_in_order():
    assert split_by_fractions(50, SplitConfig(), 0)["train"].tolist() == list(range(50))


def test_a_share_that_is_no_row_is_refused_for_every_split():
    with pytest.raises(DataError) as caught:
        split_by_fractions(3, SplitConfig(train=0.9, validation=0.05, test=0.05), 0)
    assert str(caught.value).splitlines() == [
        "data.split.validation: 0.05 of 3 rows is no row; raise it or set it to 0",
        "data.split.test: 0.05 of 3 rows is no row; raise it or set it to 0",
    ]


def words(cells):
    return category_column(pa.chunked_array([pa.array(cells, pa.string())]), ("",), "text")


def test_a_column_says_the_split():
    parts = split_by_column(words(["test", "train", "validation", "train"]), "fold", "t.csv")
    assert {name: rows.tolist() for name, rows in parts.items()} == {"train": [1, 3], "validation": [2], "test": [0]}


@pytest.mark.parametrize("label", ["Train", "", None, "0"])
def test_another_word_is_refused_with_its_row(label):
    with pytest.raises(DataError) as caught:
        split_by_column(words(["train", "test", label, label]), "fold", "t.csv")
    found = repr(label) if label else "a missing cell"
    expected = f"t.csv, row 3, column 'fold': expected train, validation or test, found {found}"
    assert str(caught.value) == expected


def test_a_column_without_a_train_row_is_refused():
    with pytest.raises(DataError, match=r"t\.csv: the train split is empty: no row has train in column 'fold'"):
        split_by_column(words(["test ", "test"]), "fold", "t.csv")


def test_early_stopping_needs_the_validation_rows_it_watches(linreg, config_file, tmp_path):
    (tmp_path / "t.csv").write_text("fold,x,y\ntrain,1,2\ntrain,2,3\n")
    config = config_file(
        "data: {path: t.csv, target: y, split: {column: fold}}\n"
        "train: {early_stopping: {monitor: validation.loss}}\nplots: false\n"
    )
    result = linreg("train", "-c", config)
    assert result.code == 3
    assert "error: t.csv: column 'fold' gives no validation rows, and early_stopping monitors them" in result.err
    assert linreg("train", "-c", config, "--set", "train.early_stopping.monitor=train.loss").code == 0


HASHED = SplitConfig(train=0.6, validation=0.1, test=0.3, by="hash")


def test_a_hashed_row_stays_where_it_is_whatever_rows_there_are():
    few, many = (split_by_fractions(n, HASHED, 3) for n in (70_000, 140_001))
    for name in SPLITS:
        assert [row for row in many[name].tolist() if row < 70_000] == few[name].tolist()
    kept = RowSet.where(np.arange(140_001) % 3 > 0)  # a third of the rows is dropped
    thinned = split_rows(kept, HASHED, 3)
    assert thinned["test"].tolist() == [row for row in many["test"].tolist() if row % 3]


def test_hashed_shares_hold_on_average_and_depend_on_the_seed():
    n = 100_000
    for seed in range(3):
        parts = split_by_fractions(n, HASHED, seed)
        assert sorted(np.concatenate([np.asarray(part) for part in parts.values()]).tolist()) == list(range(n))
        for name in SPLITS:
            share = getattr(HASHED, name)
            # five standard deviations of a binomial distribution
            assert abs(len(parts[name]) - n * share) < 5 * (n * share * (1 - share)) ** 0.5
    assert split_by_fractions(n, HASHED, 0)["test"].tolist() != parts["test"].tolist()


def test_the_hash_is_the_documented_function_of_seed_and_row():
    words = counted_words(5, "split of a row", stop=50)
    u = (words >> np.uint64(11)).astype(float) / 2**53
    expected = np.where(u < 0.6, 0, np.where(u < 0.7, 1, 2))
    assert hashed_splits(HASHED, 5, 0, 50).tolist() == expected.tolist()
    assert hashed_splits(HASHED, 5, 17, 23).tolist() == expected[17:23].tolist()


def test_all_rows_train_whatever_assigns_them():
    assert split_by_fractions(50, SplitConfig(by="hash"), 0)["train"].tolist() == list(range(50))


def test_thirds_leave_no_row_out():
    split = SplitConfig(train=1 / 3, validation=1 / 3, test=1 / 3, by="hash")
    assert sum(len(part) for part in split_by_fractions(1_000, split, 0).values()) == 1_000


def test_a_hashed_split_without_a_row_says_why():
    with pytest.raises(DataError) as caught:
        split_by_fractions(3, SplitConfig(train=0.98, validation=0.01, test=0.01, by="hash"), 0)
    lines = str(caught.value).splitlines()
    assert [line.split(":")[0] for line in lines] == ["data.split.validation", "data.split.test"]
    assert "holds on average only; raise it, or set data.split.by: shuffle" in lines[0]


@pytest.mark.parametrize(
    ("given", "by"),
    [
        (SplitConfig(train=0.8, test=0.2), "hash"),
        (SplitConfig(), "shuffle"),
        (SplitConfig(train=0.8, test=0.2, shuffle=False), "shuffle"),
        (SplitConfig(column="fold"), "shuffle"),
    ],
)
def test_only_a_random_split_is_another_one_where_rows_stay_on_the_disk(given, by):
    assert streamed_split(given).by == by
