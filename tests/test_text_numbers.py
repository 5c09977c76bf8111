"""What passes through `predict`: the same characters in a text format, the same values in a format with types."""

import csv
import gzip
import io

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from linreg_cli.data.tables.text_numbers import as_exact_numbers

COLUMNS = {
    "order": (["12345678901234567", "12345678901234569"], pa.int64()),
    "unsigned": (["18446744073709551615", "1"], pa.uint64()),
    "longer": (["123456789012345678901", "5"], pa.string()),
    "phone": (["+33612345678", "33612345678"], pa.string()),
    "version": (["1.10", "1.2"], pa.string()),
    "zip": (["02138", "10001"], pa.string()),
    "code": (["1E5", "100000"], pa.string()),
    "twice": (["1", "1.0"], pa.string()),
    "minus": (["-0", "1"], pa.float64()),
    "digits": (["0.12345678901234567891", "0.5"], pa.string()),
    "gap": (["", "7"], pa.int64()),
    "float": (["0.1", "1e-07"], pa.float64()),
    "large": (["123456789012.25", "1e+22"], pa.float64()),
    "mixed": (["1", "2.5"], pa.float64()),
    "empty": (["", ""], pa.string()),
    "mark": (["-999", "3"], pa.int64()),
    "word": (["NA", "a"], pa.string()),
}


@pytest.fixture
def trained(linreg, tmp_path):
    (tmp_path / "t.csv").write_text("x,y\n1,2\n2,4\n3,5\n")
    preprocess = '--set=preprocess.missing_values=["", NA, "-999"]'
    config = tmp_path / "m.yaml"
    config.write_text("data: {path: t.csv, target: y}\nplots: false\ntrain: {epochs: 1}\n")
    assert linreg("train", "-c", config, preprocess, "--quiet").code == 0
    text = io.StringIO()
    rows = zip(*(cells for cells, _ in COLUMNS.values()), ["1.50", "2"], strict=True)
    csv.writer(text, lineterminator="\n").writerows([[*COLUMNS, "x"], *rows])
    (tmp_path / "new.csv").write_text(text.getvalue())
    return text.getvalue()


@pytest.mark.parametrize("name", ["p.parquet", "p.feather", "p.arrow"])
def test_a_format_with_types_has_the_same_values(name, trained, linreg, tmp_path):
    assert linreg("predict", "m", "--data", "new.csv", "-o", name).code == 0
    table = (pq if name.endswith("parquet") else feather).read_table(tmp_path / name)
    for column, (cells, kind) in COLUMNS.items():
        assert table.schema.field(column).type == kind, column
        expected = cells
        if kind != pa.string():
            expected = [None if not cell else float(cell) if kind == pa.float64() else int(cell) for cell in cells]
        assert table.column(column).to_pylist() == expected
    assert table.column("x").to_pylist() == [1.5, 2.0]  # the model reads numbers here, however they are written


@pytest.mark.parametrize("name", ["p.csv", "p.csv.gz"])
def test_a_text_format_has_the_same_characters(name, trained, linreg, tmp_path):
    assert linreg("predict", "m", "--data", "new.csv", "-o", name).code == 0
    content = (tmp_path / name).read_bytes()
    rows = list(csv.reader(io.StringIO((gzip.decompress(content) if name.endswith("gz") else content).decode())))
    assert [row[:-1] for row in rows] == list(csv.reader(io.StringIO(trained)))


def test_numbers_of_python_and_numpy_are_exact_and_read_back_the_same():
    stream = np.random.default_rng(4)
    values = stream.normal(size=2000) * 10.0 ** stream.integers(-30, 30, 2000)
    for cells in ([repr(float(value)) for value in values], [str(int(value)) for value in values * 1e9 % 2**62]):
        found = as_exact_numbers(pa.chunked_array([cells]), [])
        expected = [int(cell) for cell in cells] if cells[0].isdigit() else [float(cell) for cell in cells]
        assert found.to_pylist() == expected
