"""JSON Lines: what Python's own json module reads from each line."""

import json

import numpy as np
import pyarrow as pa
import pytest

from linreg_cli.config import Config
from linreg_cli.data import load_dataset
from linreg_cli.data.tables.json_lines import read_json_lines
from linreg_cli.data.tables.table_file import TableFile
from linreg_cli.errors import DataError


def write(rows, path):
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
    return path


def load(path, preprocess=None):
    return load_dataset(
        Config.model_validate({"data": {"path": str(path), "target": "y"}, "preprocess": preprocess or {}})
    )


TEXTS = ["2024-03-01", "2024-03-01T09:30:00Z", "2024-03-01 09:30:00", "09:30:00", "2024-03-01T09:30:00.123456789Z"]


@pytest.mark.parametrize("text", TEXTS)
def test_text_that_looks_like_a_date_stays_as_it_is(text, tmp_path):
    rows = [{"when": text, "list": [text], "object": {"at": text, "n": 1}, "x": 1.5}] * 3
    table, mixed = read_json_lines(TableFile(str(write(rows, tmp_path / "t.jsonl"))))
    assert table.to_pylist() == rows
    assert not mixed


NUMBERS = {
    "64 bits": [12345678901234567, 2**63 - 1],
    "unsigned": [2**64 - 1, 3],
    "longer": [12345678901234567890123, 5],
    "with a fraction": [1.5, 2],
    "large with a fraction": [1e300, 0.5],
}


@pytest.mark.parametrize("numbers", NUMBERS.values(), ids=NUMBERS)
def test_numbers_are_exact(numbers, tmp_path):
    table, _ = read_json_lines(TableFile(str(write([{"a": number} for number in numbers], tmp_path / "t.jsonl"))))
    assert table.column("a").to_pylist() == numbers


@pytest.mark.parametrize("cells", [[1, 2.5, "NA", "?", None], ["?", 1, "NA", 2.5, None], ["n/k", 1e2, 2.5, "", None]])
def test_text_that_means_missing_counts_in_a_column_of_numbers(cells, tmp_path):
    path = write([{"x": cell, "y": 1.0} for cell in cells], tmp_path / "t.jsonl")
    dataset = load(path, {"missing": "mean", "missing_values": ("NA", "?", "n/k", "")})
    numbers = [cell for cell in cells if isinstance(cell, int | float)]
    assert dataset.columns["x"].tolist() == [
        float(cell) if isinstance(cell, int | float) else np.mean(numbers) for cell in cells
    ]
    assert dataset.summary.columns[0].missing == 3


def test_numbers_beside_text_are_levels_as_they_are_written(tmp_path):
    path = write(['{"x": 1.10, "y": 1}', '{"x": "two", "y": 2}', '{"x": 1.1, "y": 3}'], tmp_path / "t.jsonl")
    assert load(path, {"columns": {"x": {"categorical": "one_hot"}}, "drop_first": False}).features == (
        "x=1.1",
        "x=1.10",
        "x=two",
    )


def test_true_false_and_a_mark_are_a_boolean_category(tmp_path):
    path = write([{"x": True, "y": 1}, {"x": "NA", "y": 2}, {"x": False, "y": 3}], tmp_path / "t.jsonl")
    assert load(path, {"categorical": "one_hot", "missing": "drop"}).features == ("x=true",)


def test_a_column_may_begin_late_and_end_early(tmp_path):
    path = write([{"a": 1}, {"b": "x", "a": "y"}, "", {"b": 5}], tmp_path / "t.jsonl")
    table, mixed = read_json_lines(TableFile(str(path)))
    assert table.to_pylist() == [{"a": "1", "b": None}, {"a": "y", "b": "x"}, {"a": None, "b": "5"}]
    assert mixed == {"a", "b"}


def test_a_line_longer_than_a_block_is_read(tmp_path):
    rows = [{"a": 1, "b": "z" * 3_000_000}, {"a": 2, "b": ""}]
    table, _ = read_json_lines(TableFile(str(write(rows, tmp_path / "t.jsonl"))))
    assert table.schema.field("a").type == pa.int64()
    assert table.to_pylist() == rows


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (['{"a": 1}', '{"a": [1]}'], "line 2: 'a' is a list, and on line 1 it is a number; use one type on all lines"),
        (['{"a": {}}', "", '{"a": "x"}'], "line 3: 'a' is text, and on line 1 it is an object"),
        (['{"a": 1}', '{"a": true}'], "line 2: 'a' is true or false, and on line 1 it is a number"),
        (['{"a": 1}', "nonsense"], "line 2: expected a JSON object, found 'nonsense'"),
        (["[1]"], "line 1: expected a JSON object, found '[1]'"),
        ([], "the file is empty"),
    ],
)
def test_what_is_no_table_names_its_line(rows, message, tmp_path):
    with pytest.raises(DataError) as caught:
        read_json_lines(TableFile(str(write(rows, tmp_path / "t.jsonl"))))
    assert message in str(caught.value)
