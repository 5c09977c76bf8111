"""Numbers with leading zeros in a CSV are text, wherever in the file they are."""

import csv
import gzip
import io
import re

import numpy as np
import pytest

from linreg_cli.config import Config
from linreg_cli.data import load_dataset
from linreg_cli.data.tables import blocks
from linreg_cli.data.tables.leading_zeros import suspects
from linreg_cli.errors import DataError


def load(path, preprocess=None, **data):
    values = {"data": {"path": str(path), "target": "y", **data}, "preprocess": preprocess or {}}
    return load_dataset(Config.model_validate(values))


def rows_of(codes, mark=","):
    return "".join(f"{code}{mark}{row % 7}.5{mark}{row}\n" for row, code in enumerate(codes))


@pytest.mark.parametrize("cell", ["007", "00", "02138", "-01", "+05", "00.5", '"007"', " 007", "01e5"])
@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.csv.gz"])
def test_one_cell_with_a_leading_zero_makes_a_column_text(cell, name, tmp_path):
    mark = "\t" if "tsv" in name else ","
    content = (f"c{mark}x{mark}y\n" + rows_of(["10"] * 30 + [cell] + ["20"] * 30, mark)).encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    with pytest.raises(DataError) as caught:
        load(tmp_path / name)
    clean = cell.strip(' "')
    assert str(caught.value) == (
        f"{tmp_path / name}, row 31, column 'c': {clean!r} has a leading zero, so the column is read as text; "
        "set preprocess.columns: {c: {categorical: one_hot}}, leave the column out with data.ignore: [c], "
        "or write the numbers without leading zeros"
    )
    for preprocess in ({"categorical": "one_hot"}, {"columns": {"c": {"categorical": "one_hot"}}}):
        assert load(tmp_path / name, preprocess).encoder.inputs[0].levels == tuple(sorted(["10", "20", clean]))


@pytest.mark.parametrize("cell", ["0", "0.5", "-0.5", "0e5", "1e-05", "1E+07", "-0", "100", "2.007", '"0"'])
def test_other_numbers_stay_numbers(cell, tmp_path):
    (tmp_path / "t.csv").write_text("c,x,y\n" + rows_of([cell, "10", "20"]))
    dataset = load(tmp_path / "t.csv", {"categorical": "one_hot"})
    assert dataset.columns["c"].tolist() == [float(cell.strip('"')), 10.0, 20.0]


@pytest.mark.parametrize("quoted", [False, True])
def test_a_cell_far_behind_the_first_block_counts(quoted, tmp_path, monkeypatch):
    codes = [str(row + 100) for row in range(150_000)]
    codes[-5] = "0042"
    note = '"a\nb"' if quoted else "a"
    content = "c,x,y,n\n" + "".join(f"{code},{row % 7}.5,{row},{note}\n" for row, code in enumerate(codes))
    (tmp_path / "t.csv").write_text(content)
    assert len(content) > 1.5 * blocks.BLOCK_BYTES
    with pytest.raises(DataError, match="row 149996, column 'c': '0042' has a leading zero"):
        load(tmp_path / "t.csv", ignore=("n",))
    assert load(tmp_path / "t.csv", ignore=("c", "n")).features == ("x",)


def test_a_cell_that_means_missing_is_no_code(tmp_path):
    (tmp_path / "t.csv").write_text("c,x,y\n" + rows_of(["1", "000", "3"]))
    dataset = load(tmp_path / "t.csv", {"missing": "drop", "missing_values": ("000",)})
    assert dataset.columns["c"][[0, 2]].tolist() == [1.0, 3.0]


def test_a_target_cannot_be_a_code(tmp_path):
    (tmp_path / "t.csv").write_text("x,y\n1,01\n2,02\n")
    with pytest.raises(
        DataError, match=r"'01' has a leading zero.*; write the numbers without leading zeros, or choose"
    ):
        load(tmp_path / "t.csv", {"categorical": "one_hot"})


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_every_column_with_a_leading_zero_is_a_suspect(mark):
    stream = np.random.default_rng(5)
    alphabet = ["0", "00", "07", "-0.5", "1e-05", "10", "a 05", "", "09/02/2024", "10:05", '"01"', "-01", "0.07", "é"]
    for trial in range(200):
        n_columns = int(stream.integers(2, 5))
        cells = stream.choice(alphabet, size=(int(stream.integers(1, 6)), n_columns))
        text = "\n".join(mark.join(row) for row in cells) + ("\n" if trial % 2 else "")
        names = [str(column) for column in range(n_columns)]
        expected = {
            str(column)
            for row in csv.reader(io.StringIO(text), delimiter=mark)
            for column, cell in enumerate(row)
            if re.match(r"\s*[-+]?0\d", cell)
        }
        assert expected <= suspects(text.encode(), mark, names)
