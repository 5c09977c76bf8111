"""The fingerprint: SHA-256 of names, values and splits in their order, whoever has the rows."""

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from thread_ranks import Several

from linreg_cli.config.schema import Config
from linreg_cli.data import load_dataset
from linreg_cli.data.columns import digest as module
from linreg_cli.data.columns import fetched
from linreg_cli.data.columns.digest import Digest
from linreg_cli.data.columns.kinds import take

ROWS = 500


def config_of(folder):
    rng = np.random.default_rng(4)
    cells = {
        "a": np.where(rng.uniform(size=ROWS) < 0.2, np.nan, rng.normal(size=ROWS)),
        "b": rng.normal(size=ROWS),
        "town": rng.choice(["x", "y", "z"], ROWS),
        "w": rng.uniform(1, 2, ROWS),
        "y": rng.normal(size=ROWS),
    }
    pq.write_table(
        pa.table({name: pa.array(each, from_pandas=True) for name, each in cells.items()}), folder / "t.parquet"
    )
    data = {"source": "table", "path": str(folder / "t.parquet"), "target": "y", "weight": "w"}
    data |= {"features": ["a", "b", "town", "a:b"], "split": {"train": 0.7, "test": 0.3}}
    preprocess = {"missing": "level", "categorical": "one_hot"}
    return Config.model_validate({"data": data, "preprocess": preprocess, "train": {"shards": 5}})


def asked_by(ranks):
    """A list of the names of what a rank 0 asks for from now on."""
    asked, real = [], ranks.ask
    ranks.ask = lambda *message: asked.append(message[0].__name__) or real(*message)
    return asked


def of_all_at_once(dataset):
    """The fingerprint as it is defined, of whole columns."""
    found = hashlib.sha256()
    for name in (*dataset.features, *dataset.targets):
        found.update(name.encode() + b"\0" + take(dataset.columns, name, slice(None)).tobytes())
    found.update(b"w\0" + dataset.weights.values[:].tobytes())
    for split in ("train", "validation", "test"):
        found.update(b"|" + np.asarray(dataset.splits[split]).astype(np.int64).tobytes())
    return f"sha256:{found.hexdigest()}"


@pytest.mark.parametrize("few", [0, 2**16], ids=["in a thread", "at once"])
def test_each_column_is_asked_for_once(few, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_FEW", few)
    monkeypatch.setattr(fetched, "_IN_TURN", 7)
    config = config_of(tmp_path)
    whole = load_dataset(config)
    expected = of_all_at_once(whole)
    assert whole.fingerprint() == expected
    for size in (2, 4):
        several = Several(size)
        with several as ranks:
            dataset = load_dataset(config, ranks=ranks)
            asked = asked_by(ranks)
            assert dataset.fingerprint() == expected
            assert dataset.features == ("a", "a=(missing)", "b", "town=y", "town=z", "a:b")
            # 'a', its gaps, 'b', 'y' and 'w'; the product asks for blocks of both of its columns
            assert asked.count("_send_in_turn") == 5
            assert dataset.of_parts(n_rows) == whole.of_parts(n_rows)  # the processes wait for the next question
        assert not several.errors


def n_rows(dataset, first, last):
    return last - first


def test_what_goes_wrong_while_numbers_are_read_is_raised():
    def numbers():
        yield np.arange(30_000.0)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"), Digest() as digest:
        digest.add_all(numbers())
