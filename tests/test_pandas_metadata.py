"""Files that pandas wrote: the index is no feature, and categoricals are categories, as pandas reads them."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from linreg_cli.config import Config
from linreg_cli.data import load_dataset
from linreg_cli.errors import DataError


def frame():
    stream = np.random.default_rng(6)
    x, z = stream.normal(size=(2, 40))
    return pd.DataFrame({"x": x, "z": z, "y": x - z + 0.1 * stream.normal(size=40)})


def load(path, preprocess=None, **data):
    values = {"data": {"path": str(path), "target": "y", **data}, "preprocess": preprocess or {}}
    return load_dataset(Config.model_validate(values))


def indexed(name):
    table = frame()
    match name:
        case "filtered":
            return table[table.x > -0.5]
        case "named":
            return table.set_index(pd.Index(np.arange(40) ** 2, name="id"))
        case "several":
            return table.set_index(pd.MultiIndex.from_product([range(8), range(5)], names=["a", None]))
        case "dates":
            return table.set_index(pd.date_range("2024-01-01", periods=40, name="day"))
    return table


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("filtered", ["__index_level_0__"]),
        ("named", ["id"]),
        ("several", ["__index_level_1__", "a"]),
        ("dates", ["day"]),
        ("range", []),
    ],
)
@pytest.mark.parametrize("suffix", [".parquet", ".feather"])
def test_a_stored_index_is_no_feature(name, index, suffix, tmp_path):
    table = pa.Table.from_pandas(indexed(name))
    path = tmp_path / f"t{suffix}"
    pq.write_table(table, path) if suffix == ".parquet" else feather.write_feather(table, str(path))
    dataset = load(path)
    assert sorted(set(table.column_names) - {"x", "z", "y"}) == index
    assert dataset.features == ("x", "z")
    assert [each.kind for each in dataset.summary.warnings] == ["index"] * len(index)
    assert [each.message.split(" ")[0] for each in dataset.summary.warnings] == index


def test_an_index_that_is_named_is_used_and_one_that_has_another_use_is_not_mentioned(tmp_path):
    pq.write_table(pa.Table.from_pandas(indexed("named")), tmp_path / "t.parquet")
    assert load(tmp_path / "t.parquet", features=("x", "id")).features == ("x", "id")
    assert load(tmp_path / "t.parquet", ignore=("id",)).summary.warnings == ()


def test_where_only_the_index_is_left_the_remedy_works(tmp_path):
    table = pd.DataFrame({"y": np.arange(5.0) ** 2}, index=pd.Index(np.arange(5) ** 2, name="t"))
    pq.write_table(pa.Table.from_pandas(table), tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r"or the index of a data frame; to use that, set data.features: \[t\]"):
        load(tmp_path / "t.parquet")
    assert load(tmp_path / "t.parquet", features=("t",)).features == ("t",)


def test_prediction_does_not_need_the_index(linreg, config_file, tmp_path):
    indexed("filtered").to_parquet(tmp_path / "t.parquet")
    frame()[["x", "z"]].to_parquet(tmp_path / "new.parquet")
    config = config_file("data: {path: t.parquet, target: y}\nplots: false\ntrain: {epochs: 1}\n", "m.yaml")
    result = linreg("train", "-c", config)
    assert "__index_level_0__ is the stored index of a data frame, and no feature" in result.err
    assert linreg("predict", "m", "--data", "new.parquet", "-o", "p.parquet").code == 0
    # A frame that has an index keeps it.
    assert linreg("predict", "m", "--data", "t.parquet", "-o", "q.parquet").code == 0
    assert pd.read_parquet(tmp_path / "q.parquet").index.equals(indexed("filtered").index)
    assert linreg("evaluate", "m").code == 0


LEVELS = {
    "whole numbers": [10, 9, 11],
    "long": [2**53 + 1, 2**53, 5],
    "floats": [0.5, 10.0, 2.0],
    "text": ["b", "a", "c"],
    "booleans": [True, False, True],
}


@pytest.mark.parametrize("levels", LEVELS.values(), ids=LEVELS)
def test_a_categorical_gives_the_same_model_from_parquet_and_feather(levels, tmp_path):
    table = frame().assign(c=pd.Categorical([levels[row % 3] for row in range(40)]))
    table.to_parquet(tmp_path / "t.parquet")
    table.to_feather(tmp_path / "t.feather")
    found = [load(tmp_path / name, {"categorical": "one_hot"}) for name in ("t.parquet", "t.feather")]
    names = [f"c={level}".replace(".0", "").replace("True", "true") for level in sorted(set(levels))[1:]]
    assert [each.features for each in found] == [("x", "z", *names)] * 2
    assert found[0].fingerprint() == found[1].fingerprint()


@pytest.mark.parametrize("name", ["t.parquet", "t.feather"])
def test_a_categorical_of_numbers_offers_one_hot(name, tmp_path):
    table = pa.Table.from_pandas(frame().assign(c=pd.Categorical([1, 2] * 20)))
    pq.write_table(table, tmp_path / "t.parquet")
    feather.write_feather(table, str(tmp_path / "t.feather"))
    with pytest.raises(DataError) as caught:
        load(tmp_path / name)
    assert str(caught.value) == (
        f"{tmp_path / name}, row 1, column 'c': the column holds categories, such as 1; set preprocess.categorical: "
        "one_hot, leave the column out with data.ignore: [c], or convert it to numbers"
    )


def test_a_model_of_numbers_takes_a_categorical_of_numbers(linreg, config_file, tmp_path):
    table = frame().assign(c=[1, 2] * 20)
    table.to_parquet(tmp_path / "t.parquet")
    table.assign(c=table.c.astype("category")).to_feather(tmp_path / "u.feather")
    table.assign(c=table.c.astype("category")).to_parquet(tmp_path / "u.parquet")
    config = config_file("data: {path: t.parquet, target: y}\nplots: false\ntrain: {epochs: 1}\n", "m.yaml")
    assert linreg("train", "-c", config, "--quiet").code == 0
    expected = linreg("evaluate", "m", "--data", "t.parquet", "--json").json["data"]
    for other in ("u.feather", "u.parquet"):
        assert linreg("evaluate", "m", "--data", other, "--json").json["data"] == expected
        assert linreg("predict", "m", "--data", other, "-o", "p.csv").code == 0


@pytest.mark.parametrize("note", [b"{", b"[]", b'{"index_columns": 5}', b'{"columns": [1]}', b"\xff"])
def test_metadata_of_another_form_says_nothing(note, tmp_path):
    table = pa.table({"x": [1.0, 2.0], "y": [1.0, 2.0]}).replace_schema_metadata({b"pandas": note})
    pq.write_table(table, tmp_path / "t.parquet")
    assert load(tmp_path / "t.parquet").features == ("x",)
