"""A dataset whose rows are divided among processes: each has those of its canonical parts, to the bit."""

import gc

import numpy as np
import pytest
from thread_ranks import Several

from linreg_cli.config.schema import Config
from linreg_cli.data import load_dataset
from linreg_cli.data.assemble import resplit
from linreg_cli.data.columns import shared as columns_module
from linreg_cli.data.columns.kinds import take
from linreg_cli.data.shared import PartsOfDatasets
from linreg_cli.ranks.parts import PartsHere
from linreg_cli.ranks.shards import Shards

ROWS, SHARDS = 203, 5


@pytest.fixture
def table(tmp_path):
    """A table with every kind of column that a run may have."""
    rng = np.random.default_rng(3)

    def text(values, empty):
        return np.where(rng.uniform(size=ROWS) < empty, "", values)

    columns = {
        "area": text(rng.uniform(20, 200, ROWS).round(1).astype(str), 0.1),
        "rooms": text(rng.integers(1, 7, ROWS).astype(str), 0.1),
        "town": text(rng.choice(["Aa", "Bern", "Chur"], ROWS), 0.1),
        "sold": np.array(["2020-01-01", "2021-07-09", "2022-11-30"])[np.arange(ROWS) % 3],
        "w": rng.uniform(0.5, 2, ROWS).round(3).astype(str),
        "who": rng.choice(["x", "y", "z", "u"], ROWS),
        "price": text((rng.normal(size=ROWS) * 50 + 300).round(2).astype(str), 0.05),
    }
    lines = [",".join(columns), *(",".join(row) for row in zip(*columns.values(), strict=True))]
    (tmp_path / "homes.csv").write_text("\n".join(lines) + "\n")
    return str(tmp_path / "homes.csv")


def config_of(table, **more):
    features = ["area", "rooms", "log(area)", "area:town", "town", "days(sold)", "month(sold)"]
    data = {"source": "table", "path": table, "target": "price", "features": features, "weight": "w"}
    data |= {"split": {"train": 0.7, "validation": 0.1, "test": 0.2}} | more.pop("data", {})
    preprocess = {
        "missing": "level",
        "categorical": "one_hot",
        "columns": {"price": {"missing": "drop"}, "rooms": {"missing": "median"}},
    }
    given = {"data": data, "preprocess": preprocess, "evaluate": {"cluster": "who"}, "train": {"shards": SHARDS}}
    return Config.model_validate(given | more)


def same(one, other):
    return np.asarray(one).dtype == np.asarray(other).dtype and np.asarray(one).tobytes() == np.asarray(other).tobytes()


def check_part(whole, part, first, last):
    """A process has the rows `first` to `last - 1` of everything."""
    assert (part.before, part.n_samples) == (first, last - first)
    assert (part.name, part.features, part.targets, part.encoder) == (
        whole.name, whole.features, whole.targets, whole.encoder
    )  # fmt: skip
    rng = np.random.default_rng(1)
    for name in (*whole.features, *whole.targets):
        values = take(whole.columns, name, slice(first, last))
        assert same(take(part.columns, name, slice(None)), values), name
        some = rng.permutation(last - first)[:10]
        assert same(take(part.columns, name, some), values[some]), name
    for name, rows in whole.splits.items():
        rows = np.sort(np.asarray(rows))
        assert np.asarray(part.splits[name]).tolist() == (rows[(rows >= first) & (rows < last)] - first).tolist()
    if whole.weights is not None:
        assert same(part.weights_of(slice(None)), whole.weights_of(slice(first, last)))
    if whole.clusters is not None:
        assert same(part.clusters[:], whole.clusters[first:last])
    for name, raw in (whole.raw or {}).items():
        assert same(part.raw[name].missing(), raw.missing(slice(first, last)))
        assert part.raw[name].n_missing == np.count_nonzero(raw.missing(slice(first, last)))


def check(whole, several, number):
    bounds = Shards(whole.n_samples, SHARDS).bounds
    for ranks in several.ranks:
        held = Shards(whole.n_samples, SHARDS).of_ranks(len(several.ranks))[ranks.rank]
        part = ranks.held[number]
        check_part(whole, part, int(bounds[held.start]), int(bounds[held.stop]))
        assert part.parts == PartsHere(tuple((bounds[held.start : held.stop + 1] - bounds[held.start]).tolist()))


def column_sum(dataset, first, last, name):
    return dataset.before + first, float(np.nansum(take(dataset.columns, name, slice(first, last))))


def train_rows(dataset, first, last):
    rows = np.asarray(dataset.splits["train"])
    return np.sort(rows[(rows >= first) & (rows < last)] + dataset.before).tolist()


@pytest.mark.parametrize("size", [2, 3, 4])
def test_each_process_has_its_rows_of_everything(table, size, monkeypatch):
    monkeypatch.setattr(columns_module, "PIECE", 128)  # columns come in many pieces
    whole = load_dataset(config_of(table))
    assert whole.parts == PartsHere(tuple(Shards(ROWS, SHARDS).bounds.tolist()))
    several = Several(size)
    with several as ranks:
        divided = load_dataset(config_of(table), ranks=ranks)
        check(whole, several, divided.parts.number)
        assert divided.of_parts(column_sum, "price") == whole.of_parts(column_sum, "price")
        found = [row for part in divided.of_parts(train_rows) for row in part]
        assert found == np.sort(whole.splits["train"]).tolist()
        assert divided.fingerprint() == whole.fingerprint()
    assert not several.errors


def test_other_splits_of_a_divided_table_are_those_of_every_process(table):
    """As in cross-validation, where the encoding is fitted again, and the columns are not sent again."""
    whole, config = load_dataset(config_of(table)), config_of(table)
    several = Several(3)
    with several as ranks:
        divided = load_dataset(config, ranks=ranks)
        sent = len(divided.parts.columns._known)
        rows = np.sort(np.asarray(whole.splits["train"]))
        splits = {"train": rows[::2], "validation": rows[:0], "test": rows[1::2]}
        found, expected = (resplit(each, config, splits) for each in (divided, whole))
        assert found.of_parts(train_rows) == expected.of_parts(train_rows)
        assert found.encoder.inputs != divided.encoder.inputs, "other fills"
        check(expected, several, found.parts.number_of(found))
        assert len(divided.parts.columns._known) == sent + len(splits)
        assert divided.of_parts(train_rows) == whole.of_parts(train_rows)


@pytest.mark.parametrize(
    "data",
    [
        {"source": "synthetic", "n_samples": 300_000, "weights": [1.0, 2.0, 3.0], "split": {"train": 0.5, "test": 0.5}},
        {"source": "inline", "columns": ("a", "b", "y"), "target": "y", "rows": ((1, 2, 3), (2, 3, 5), (4, 5, 6.5))},
    ],
)
def test_rows_that_are_not_read_are_divided_too(data):
    """Columns of numbers that are beyond memory are in a temporary file; three rows leave parts without one."""
    config = Config.model_validate({"data": data, "train": {"shards": SHARDS}})
    whole, several = load_dataset(config), Several(4)
    with several as ranks:
        divided = load_dataset(config, ranks=ranks)
        assert isinstance(divided.parts, PartsOfDatasets)
        check(whole, several, divided.parts.number)
        name = whole.targets[0]
        assert divided.of_parts(column_sum, name) == whole.of_parts(column_sum, name)


def test_without_shards_the_rows_are_one_part(table):
    dataset = load_dataset(config_of(table, train={}))
    assert dataset.parts is None
    assert dataset.of_parts(column_sum, "area=(missing)") == [(0, float(dataset.columns["area=(missing)"].sum()))]


def n_rows(dataset, first, last):
    return last - first


def test_processes_forget_what_nothing_refers_to_any_more(table):
    several = Several(3)
    with several as ranks:
        config = config_of(table)
        dataset = load_dataset(config, ranks=ranks)
        before, after = [len(each.held) for each in several.ranks], []
        for fold in range(5):
            rows = np.asarray(dataset.splits["train"])
            splits = {"train": rows[rows % 5 != fold], "validation": rows[rows % 5 == fold], "test": rows[:0]}
            part = resplit(dataset, config, splits)
            assert sum(part.of_parts(n_rows)) == ROWS
            after.append([len(each.held) for each in several.ranks])
        # of the latest fold: the dataset and its three splits
        assert [a - b for a, b in zip(after[-1], before, strict=True)] == [4, 4, 4]
        assert after[-1] == after[1]
        del dataset, part
        gc.collect()
        ranks.everywhere(nothing)
        assert [len(each.held) for each in several.ranks] == [0, 0, 0]


def nothing(ranks):
    pass
