"""Levels of categories: text stays text in every format, and a model finds its levels in every other format."""

import json
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from linreg_cli.config import Config
from linreg_cli.data import load_dataset
from linreg_cli.data.encoding.encode import Encoder
from linreg_cli.data.encoding.inputs import CategoryInput
from linreg_cli.data.encoding.levels import ordered, written

NAMED = {"columns": {"c": {"categorical": "one_hot"}}}


def write(cells: list, path, kind=None):
    """A table with a category `c` and a target `y`; as text, cells are written as pandas writes them."""
    y = list(range(len(cells)))
    table = pa.table({"c": pa.array(cells, kind), "y": y})
    match path.suffix:
        case ".parquet":
            pq.write_table(table, path)
        case ".feather":
            feather.write_feather(table, str(path))
        case ".jsonl":
            rows = zip(cells, y, strict=True)
            path.write_text("".join(json.dumps({"c": cell, "y": value}) + "\n" for cell, value in rows))
        case suffix:
            mark = "\t" if suffix == ".tsv" else ","
            rows = [mark.join(("c", "y")), *(f"{cell}{mark}{value}" for cell, value in zip(cells, y, strict=True))]
            path.write_text("\n".join(rows) + "\n")
    return path


def load(path, preprocess=NAMED, encoder=None):
    values = {"data": {"path": str(path), "target": "y"}, "preprocess": {"drop_first": False, **preprocess}}
    return load_dataset(Config.model_validate(values), encoder)


CODES = {
    "long ids": ["1234567890123456701", "1234567890123456702", "1234567890123456703"],
    "longer than 64 bits": ["123456789012345678901", "123456789012345678902", "123456789012345678903"],
    "trailing zeros": ["250", "250.0", "250.00"],
    "exponents and signs": ["+1", "1", "1E0"],
    "exponents of large numbers": ["100000", "1E5", "1e5"],
    "leading zeros": ["0213", "02138", "2138"],
    "fixed width": ["001", "010", "100"],
    "digits beyond those of float64": ["0.12345678901234567", "0.123456789012345671", "0.12345678901234568"],
}


@pytest.mark.parametrize("codes", CODES.values(), ids=CODES)
@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.parquet", "t.feather", "t.jsonl"])
def test_text_keeps_its_characters_in_every_format(codes, name, tmp_path):
    dataset = load(write(codes * 3, tmp_path / name))
    assert set(dataset.features) == {f"c={code}" for code in codes}
    # An indicator is 1 where the cell is that text, as pandas.get_dummies has it.
    for code in codes:
        assert dataset.columns[f"c={code}"].tolist() == [float(cell == code) for cell in codes * 3]


@pytest.mark.parametrize(
    ("cells", "kind", "names"),
    [
        ([2**53, 2**53 + 1, 2**53 + 2], pa.int64(), ["9007199254740992", "9007199254740993", "9007199254740994"]),
        ([2**64 - 1, 2**64 - 2, 5], pa.uint64(), ["5", "18446744073709551614", "18446744073709551615"]),
        ([Decimal("250.00"), Decimal("0.10"), Decimal("12345678901234567.89")], pa.decimal128(20, 2),
         ["0.1", "250", "12345678901234567.89"]),
        ([98178.0, 98179.5, -1.0], pa.float64(), ["-1", "98178", "98179.5"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["t.parquet", "t.feather"])
def test_typed_numbers_are_levels_by_value_without_loss(cells, kind, names, name, tmp_path):
    dataset = load(write(cells * 2, tmp_path / name, kind))
    assert dataset.features == tuple(f"c={each}" for each in names)
    assert [written(cell) for cell in sorted(cells)] == names


FRAMES = {
    "whole numbers": ([9, 10, 11], ["9", "10", "11"]),
    "halves": ([9.5, 10.5, 111.5], ["9.5", "10.5", "111.5"]),
    "words": (["b", "a", "Ä"], ["a", "b", "Ä"]),
    "booleans": ([True, False, True], ["false", "true"]),
}


@pytest.mark.parametrize(("cells", "names"), FRAMES.values(), ids=FRAMES)
def test_a_frame_gives_the_same_inputs_from_every_format(cells, names, tmp_path):
    found = [load(write(cells * 4, tmp_path / f"t{suffix}")) for suffix in (".parquet", ".feather", ".jsonl", ".csv")]
    assert [each.features for each in found] == [tuple(f"c={name}" for name in names)] * 4
    assert len({each.fingerprint() for each in found}) == 1


@pytest.mark.parametrize("trained", [".parquet", ".feather", ".csv", ".jsonl", ".tsv"])
@pytest.mark.parametrize("other", [".parquet", ".csv", ".jsonl"])
@pytest.mark.parametrize("cells", [[1, 2, 10], [1.0, 2.5, 1e-05], [7.0, 8.0, 9.0], [1234567890123456701, 1, 2]])
def test_a_model_of_one_format_finds_its_levels_in_another(trained, other, cells, tmp_path):
    first = load(write(cells * 3, tmp_path / f"t{trained}"))
    again = load(write(cells[::-1] * 3, tmp_path / f"u{other}"), encoder=first.encoder)
    assert again.features == first.features
    for name in first.features:
        assert again.columns[name].tolist() == first.columns[name].tolist()[::-1]


@pytest.mark.parametrize(
    ("levels", "kind", "cells", "found"),
    [
        (["10", "12"], "number", ["10.0", "12", "010", "+10", "1E1", "10.5"], [0, 1, None, None, None, None]),
        (["1.10", "1.1"], "text", ["1.10", "1.1", "1.100"], [0, 1, None]),
        (["02138", "10001"], "text", ["02138", "2138"], [0, None]),
        (["false", "true"], "boolean", ["TRUE", "False", "no"], [1, 0, None]),
        # As versions before text stayed text wrote it: of a column of a CSV with the cells 250.0 and 401.9.
        (["250", "401.9"], "number", ["250.0", "401.9"], [0, 1]),
    ],
)
def test_a_cell_of_a_csv_is_a_level_of_a_model(levels, kind, cells, found, tmp_path):
    entry = CategoryInput("c", kind, tuple(levels), False, "error", "ignore").as_json()
    encoder = Encoder.from_json([entry])
    codes = [load(write([cell, levels[0]], tmp_path / "t.csv"), encoder=encoder).columns for cell in cells]
    for position, level in enumerate(levels):
        assert [int(each[f"c={level}"][0]) for each in codes] == [int(code == position) for code in found]


def test_the_order_of_levels_is_a_function_of_their_texts():
    stream = np.random.default_rng(2)
    for levels in (["9", "10", "-1", "0.5", "1e-05"], ["08", "9", "10"], ["b", "a", "10"]):
        orders = {ordered(stream.permutation(levels).tolist()) for _ in range(20)}
        assert len(orders) == 1
    assert ordered(["9", "10", "-1", "0.5", "1e-05"]) == ("-1", "1e-05", "0.5", "9", "10")


def test_numbers_that_mean_missing_are_compared_by_value_and_text_as_written(tmp_path):
    preprocess = {**NAMED, "missing": "drop", "missing_values": ("-999", "none")}
    typed = load(write([1.0, -999.0, 2.0], tmp_path / "t.parquet"), preprocess)
    assert (typed.features, typed.summary.n_dropped) == (("c=1", "c=2"), 1)
    text = load(write(["1.0", "-999.0", "none"], tmp_path / "t.csv"), preprocess)
    assert (text.features, text.summary.n_dropped) == (("c=-999.0", "c=1.0"), 1)
