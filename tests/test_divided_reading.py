"""A table that several processes read, each its rows: the dataset is that of one process, to the bit."""

import gzip

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from thread_ranks import Several

from linreg_cli.config.schema import Config
from linreg_cli.data import load_dataset
from linreg_cli.data.columns.fetched import FetchedValues
from linreg_cli.data.columns.kinds import Numbers, take
from linreg_cli.data.tables import divided_reading
from linreg_cli.errors import DataError

ROWS = 331


def columns():
    """Text of every kind of column, some cells of which are missing; in the last rows, too."""
    rng = np.random.default_rng(5)
    found = {
        "area": rng.uniform(20, 200, ROWS).round(1).astype(str),
        "rooms": rng.integers(1, 7, ROWS).astype(str),
        "zip": np.char.zfill(rng.integers(1, 9, ROWS).astype(str), 3),
        "town": rng.choice(["Aa", "B, C", "Zürich"], ROWS),
        "sold": np.array(["2020-01-01", "2021-07-09", "2022-11-30"])[np.arange(ROWS) % 3],
        "w": rng.uniform(0.5, 2, ROWS).round(3).astype(str),
        "part": rng.choice(["train", "train", "test"], ROWS),
        "price": (rng.normal(size=ROWS) * 50 + 300).round(2).astype(str),
    }
    for name in ("area", "rooms", "town", "sold"):
        found[name] = np.where(rng.uniform(size=ROWS) < 0.1, "", found[name])
    return found


def lines(text, delimiter=","):
    rows = [delimiter.join(text)]
    for cells in zip(*text.values(), strict=True):
        rows.append(delimiter.join(f'"{cell}"' if delimiter in cell else str(cell) for cell in cells))
    return [f"{row}\n" for row in rows]


def typed(text):
    cells = {name: [None if cell == "" else cell for cell in values.tolist()] for name, values in text.items()}
    kinds = {"area": pa.float32(), "rooms": pa.int16(), "w": pa.float64(), "price": pa.float64()}
    return pa.table({name: pa.array(cells[name]).cast(kinds.get(name, pa.string())) for name in text})


def csv(folder, text):
    (folder / "t.csv").write_text("".join(lines(text)))
    return "t.csv", {}


def semicolons(folder, text):
    text = text | {name: np.char.replace(text[name], ".", ",") for name in ("area", "w", "price")}
    (folder / "t.csv").write_text("".join(lines(text, ";")))
    return "t.csv", {"delimiter": ";", "decimal": ","}


def zipped(folder, text):
    (folder / "t.csv.gz").write_bytes(gzip.compress("".join(lines(text)).encode()))
    return "t.csv.gz", {}


def several_csv(folder, text):
    head, *rows = lines(text)
    for number, (first, last) in enumerate([(0, 70), (70, 71), (71, 250), (250, ROWS)]):
        (folder / f"{number}.csv").write_text(head + "\n" + "".join(rows[first:last]))  # a blank line is no row
    return "*.csv", {}


def parquet(folder, text):
    pq.write_table(typed(text), folder / "t.parquet", row_group_size=50)
    return "t.parquet", {}


def several_parquet(folder, text):
    whole = typed(text)
    for number, (first, last) in enumerate([(0, 130), (130, 131), (131, ROWS)]):
        pq.write_table(whole.slice(first, last - first), folder / f"{number}.parquet", row_group_size=60)
    return ".", {}


def arrow(folder, text):
    feather.write_feather(typed(text), folder / "t.feather", chunksize=90)
    return "t.feather", {}


FORMATS = [csv, semicolons, zipped, several_csv, parquet, several_parquet, arrow]


def config_of(path, more=None, **sections):
    features = ["area", "rooms", "zip", "area:town", "town", "days(sold)", "month(sold)"]
    data = {"source": "table", "path": str(path), "target": "price", "features": features, "weight": "w"}
    data |= {"split": {"column": "part"}} | (more or {})
    preprocess = {"missing": "level", "categorical": "one_hot", "columns": {"rooms": {"missing": "median"}}}
    return Config.model_validate({"data": data, "preprocess": preprocess, "train": {"shards": 6}} | sections)


def described(dataset):
    """All that a dataset consists of."""
    n_rows = dataset.n_samples
    found = [dataset.fingerprint(), dataset.features, dataset.targets, dataset.encoder, dataset.summary]
    found += [np.asarray(rows).tolist() for rows in dataset.splits.values()]
    some = np.random.default_rng(0).permutation(n_rows)[:40]
    for name in (*dataset.features, *dataset.targets):
        found += [take(dataset.columns, name, rows).tobytes() for rows in (slice(None), slice(40, n_rows - 5), some)]
    found += [] if dataset.weights is None else [dataset.weights[slice(None)].tobytes(), dataset.weights.scale]
    for raw in (dataset.raw or {}).values():
        found += [type(raw), raw.n_missing, raw.missing().tobytes(), raw.missing(some).tobytes()]
    return found


def outcome(config, ranks=None):
    try:
        return described(load_dataset(config, ranks=ranks))
    except DataError as error:
        return [(fault.message, fault.where) for fault in error.faults]


@pytest.fixture
def read(monkeypatch):
    """What each reading by several processes gave: cells, or None where rank 0 read alone."""
    found, real = [], divided_reading.read_divided

    def spied(*arguments):
        found.append(real(*arguments))
        return found[-1]

    monkeypatch.setattr(divided_reading, "read_divided", spied)
    return found


@pytest.mark.parametrize("form", FORMATS)
def test_any_number_of_processes_reads_the_dataset_of_one(form, tmp_path, read, monkeypatch):
    path, more = form(tmp_path, columns())
    monkeypatch.setattr("linreg_cli.data.columns.fetched.group_rows", lambda _: 20)  # little is fetched ahead
    config = config_of(tmp_path / path, more)
    whole = outcome(config)
    assert len(whole) > 50, whole
    for size in (2, 3, 4):
        several = Several(size)
        with several as ranks:
            dataset = load_dataset(config, ranks=ranks)
            assert described(dataset) == whole
            assert isinstance(dataset.raw["area"].values, FetchedValues)
            assert sum(len(each.held[dataset.raw["area"].values.number]) for each in several.ranks) == ROWS
        assert read[-1] is not None
        assert not several.errors


def changed(**cells):
    """The columns with one cell in the last process's rows that is something else."""
    text = columns()
    for name, cell in cells.items():
        text[name] = text[name].astype(object)
        text[name][ROWS - 20] = cell
    return {name: values.astype(str) for name, values in text.items()}


@pytest.mark.parametrize(
    ("cells", "alone"),
    [
        ({"rooms": "007"}, False),  # read again as text, by all
        ({"area": "none"}, False),
        ({"area": "inf"}, False),
        ({"area": "-"}, False),
        ({"town": '"two\nlines"'}, True),
        ({"sold": "01/02/2020"}, False),
        ({"w": "0"}, False),
        ({"part": "other"}, False),
        ({"price": "1,5"}, True),
    ],
)
def test_what_is_wrong_in_the_rows_of_another_process_is_said_as_by_one(cells, alone, tmp_path, read):
    (tmp_path / "t.csv").write_text("".join(lines(changed(**cells))))
    config = config_of(tmp_path / "t.csv")
    whole = outcome(config)
    with Several(3) as ranks:
        assert outcome(config, ranks) == whole
    assert (read[0] is None) == alone


@pytest.mark.parametrize("there", ["another", "none", "cut", "cell"])
def test_rank_0_reads_alone_where_another_process_does_not_see_the_same_table(there, tmp_path, read, monkeypatch):
    path = tmp_path / "t.csv"
    path.write_text("".join(lines(columns())))
    config, real = config_of(path), divided_reading._identity
    whole = outcome(config)

    def identity(table):
        found = real(table)
        if not calls:
            calls.append(1)
            return found
        if there == "none":
            raise DataError("there is no such file", "t.csv")
        text, other = path.read_text(), tmp_path / "other.csv"
        other.write_text({"cut": text[:-1], "cell": text[:-2] + "?\n"}.get(there, text))
        table.files = lambda: [str(other)]
        names, digest = real(table)
        return [*names, "more"] if there == "another" else names, digest

    calls = []
    monkeypatch.setattr(divided_reading, "_identity", identity)
    with Several(2) as ranks:
        assert outcome(config, ranks) == whole
    assert read == [None]


def test_what_has_to_be_seen_as_a_whole_is_read_by_rank_0_and_shared(tmp_path, read):
    rows = [f'{{"x": {n}, "y": {n * n}}}\n' for n in range(40)]
    (tmp_path / "t.jsonl").write_text("".join(rows))
    data = {"source": "table", "path": str(tmp_path / "t.jsonl"), "target": "y"}
    config = Config.model_validate({"data": data, "train": {"shards": 4}})
    whole = outcome(config)
    several = Several(2)
    with several as ranks:
        dataset = load_dataset(config, ranks=ranks)
        assert described(dataset) == whole
        part = several.ranks[1].held[dataset.parts.number]
        assert take(part.columns, "y", slice(None)).tolist() == [n * n for n in range(20, 40)]
    assert read == [None]


def test_counts_are_asked_for_and_rows_are_fetched_ahead_once(tmp_path):
    """A pass in blocks costs few messages, and how many cells are missing one."""
    values = np.where(np.arange(100) % 7 == 3, np.nan, np.arange(100.0))
    values[77] = np.inf
    several = Several(3)
    with several as ranks:
        for each, (first, last) in zip(several.ranks, [(0, 30), (30, 60), (60, 100)], strict=True):
            each.held[5] = values[first:last]
        column, asked = FetchedValues(ranks, 5, (0, 30, 60, 100), 1), []
        real = ranks.ask
        ranks.ask = lambda *message: asked.append(message[0].__name__) or real(*message)
        assert (Numbers(column).n_missing, Numbers(column).n_infinite) == (14, 1)
        assert Numbers(column).first_infinite() == 77
        assert asked == ["_answered"] * 3
        np.testing.assert_array_equal(np.concatenate([column[at : at + 10] for at in range(0, 100, 10)]), values)
        assert asked[3:] == ["_send"], "those after the first ones come with them"
        some = np.array([99, 0, 45, 45, 30])
        np.testing.assert_array_equal(column[some], values[some])
    assert not several.errors
