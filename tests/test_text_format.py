"""Numbers as people write them are read where the config says how, and refused in words where it does not."""

import gzip

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from linreg_cli.config import Config, load_config
from linreg_cli.data import load_dataset
from linreg_cli.data.tables import blocks
from linreg_cli.errors import ConfigError, DataError


def config(path, preprocess=None, **data) -> Config:
    return Config.model_validate({"data": {"path": str(path), "target": "y", **data}, "preprocess": preprocess or {}})


def column(tmp_path, cells, preprocess=None, name="t.csv", encoding="utf-8", **data):
    """The numbers that cells are read as, with semicolons between the columns."""
    path = tmp_path / name
    path.write_bytes(("x;y\n" + "".join(f"{cell};{row}\n" for row, cell in enumerate(cells))).encode(encoding))
    return load_dataset(config(path, preprocess, delimiter=";", **data)).columns["x"].tolist()


def refused(tmp_path, cells, **data) -> str:
    with pytest.raises(DataError) as caught:
        column(tmp_path, cells, **data)
    return str(caught.value)


@pytest.mark.parametrize(
    ("settings", "cells", "numbers"),
    [
        ({"decimal": ","}, ["1,5", "-0,25", "3", ",5", "1,5e3", " 2,5 "], [1.5, -0.25, 3, 0.5, 1500, 2.5]),
        (
            {"decimal": ",", "thousands": "."},
            ["2.011", "891", "-1.234.567,5", "0,125", "12,5"],
            [2011, 891, -1234567.5, 0.125, 12.5],
        ),
        ({"thousands": ","}, ["1,234.5", "1,234,567", "999", "0.125"], [1234.5, 1234567, 999, 0.125]),
        ({"thousands": "'"}, ["1'234.5", "1\u2019234\u2019567", "12"], [1234.5, 1234567, 12]),
        (
            {"thousands": " "},
            ["12 500", "12\u00a0500", "12\u202f500", "1\u2009234\u2009567.5", "+7", "-12\u2007500"],
            [12500, 12500, 12500, 1234567.5, 7, -12500],
        ),
        ({"thousands": " ", "decimal": ","}, ["12\u202f500,25", "1,5"], [12500.25, 1.5]),
        ({"thousands": "\u202f"}, ["12 500"], [12500]),
    ],
)
def test_the_notation_of_the_config_is_read(settings, cells, numbers, tmp_path):
    assert column(tmp_path, cells, **settings) == numbers
    assert column(tmp_path, cells, {"categorical": "one_hot"}, **settings) == numbers


@pytest.mark.parametrize(
    ("settings", "cell"),
    [
        ({"decimal": ",", "thousands": "."}, "1.23"),
        ({"decimal": ",", "thousands": "."}, "1.2345"),
        ({"decimal": ",", "thousands": "."}, "0.125"),  # nobody groups the digits of 125 so
        ({"decimal": ",", "thousands": "."}, "1234.567"),
        ({"decimal": ","}, "1.5"),
        ({"decimal": ","}, "1.234,5"),
        ({"thousands": ","}, "1,5"),
        ({"thousands": ","}, "12,34,567"),
        ({"thousands": " "}, "12 50"),
        ({"thousands": "'"}, "1'23"),
        ({}, "12\u202f500"),
        ({}, "1'234"),
    ],
)
def test_what_is_not_a_number_in_the_notation_is_an_error(settings, cell, tmp_path):
    assert ", row 2, column 'x': " in refused(tmp_path, ["7", cell, "8"], **settings)


def test_a_missing_cell_is_missing_in_every_notation(tmp_path):
    read = column(tmp_path, ["1.234", "NA", " ", "?"], {"missing": "mean"}, decimal=",", thousands=".")
    assert read == [1234] * 4


@pytest.mark.parametrize("settings", [{"decimal": ","}, {"decimal": ",", "thousands": "."}])
def test_a_large_file_is_read_in_blocks(settings, tmp_path, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1 << 12)
    values = np.random.default_rng(0).normal(scale=1e4, size=20_000).round(2)
    mark = settings.get("thousands", "")
    cells = [f"{value:,.2f}".replace(",", "_").replace(".", ",").replace("_", mark) for value in values]
    assert column(tmp_path, cells, **settings) == values.tolist()
    cells[15_000] = "1.5"
    assert "row 15001, column 'x'" in refused(tmp_path, cells, **settings)


def test_quoted_line_breaks_and_one_column(tmp_path):
    (tmp_path / "q.csv").write_text('note;x;y\n"a\nb";1.234;2\n"c";2.000;3\n')
    read = load_dataset(config(tmp_path / "q.csv", delimiter=";", decimal=",", thousands=".", ignore=("note",)))
    assert read.columns["x"].tolist() == [1234, 2000]


ENCODINGS = ["cp1252", "latin-1", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "UTF_16_BE", "mac-roman", "utf-32"]
GERMAN = "größe;preis\n1,5;2.011\n2,5;3.022\n"


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
def test_the_encoding_of_the_config_is_read(encoding, name, tmp_path):
    raw = GERMAN.encode(encoding)
    (tmp_path / name).write_bytes(gzip.compress(raw) if name.endswith("gz") else raw)
    read = load_dataset(
        config(tmp_path / name, target="preis", delimiter=";", decimal=",", thousands=".", encoding=encoding)
    )
    assert read.features == ("größe",)
    assert read.columns["größe"].tolist() == [1.5, 2.5]
    assert read.columns["preis"].tolist() == [2011, 3022]


def test_no_break_spaces_of_a_file_in_cp1252(tmp_path):
    """Byte 0xA0. In a file that is read as UTF-8 the error is about the encoding, and then about the blanks."""
    error = refused(tmp_path, ["12\u00a0500", "7"], encoding="cp1252")
    assert error.endswith(
        'line 2: byte 0xa0 is not UTF-8 text (in cp1252 the line is "12\\xa0500;0"); set data.encoding: cp1252'
    )


MARK = 'data.thousands: "{}" is also the decimal mark; set '
TYPED = "data.{}: it is for CSV files, and the cells of {} have types; set "


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"decimal": ",", "thousands": ",", "delimiter": ";"}, MARK.format(",") + 'data.thousands: "."'),
        ({"thousands": "."}, MARK.format(".") + 'data.decimal: ","'),
        ({"decimal": ","}, 'data.decimal: "," is also the delimiter of the cells; set that of the file, such as data.'),
        ({"decimal": ";"}, 'data.decimal: expected "." or ",", found the text \';\''),
        ({"decimal": 1}, 'data.decimal: expected "." or ",", found 1'),
        ({"thousands": "_"}, "data.thousands: expected null,"),
        ({"thousands": ""}, "data.thousands: expected null,"),
        ({"encoding": "uft-8"}, "data.encoding: unknown encoding 'uft-8'; did you mean 'utf-8'?"),
        ({"encoding": "Windows1252"}, "data.encoding: unknown encoding 'Windows1252'; did you mean 'windows-1252'?"),
        ({"encoding": "base64"}, "data.encoding: 'base64' is not an encoding of text files"),
        ({"encoding": "idna"}, "data.encoding: 'idna' is not an encoding of text files; allowed: utf-8"),
        ({"encoding": "punycode"}, "data.encoding: 'punycode' is not an encoding of text files"),
        ({"encoding": "unicode_escape"}, "data.encoding: 'unicode_escape' is not an encoding of text files"),
        ({"encoding": "x\0y"}, "data.encoding: unknown encoding"),
        ({"encoding": 8}, "data.encoding: expected the name of an encoding, found 8"),
        ({"path": "t.parquet", "decimal": ","}, TYPED.format("decimal", ".parquet") + 'data.decimal: "."'),
        ({"path": "t.jsonl", "encoding": "cp1252"}, TYPED.format("encoding", ".jsonl") + "data.encoding: utf-8"),
        ({"path": "t.feather", "thousands": " "}, TYPED.format("thousands", ".feather") + "data.thousands: null"),
        ({"source": "inline", "decimal": ","}, "unknown key 'decimal' in data: it belongs to source: table"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings, fault, config_file):
    import yaml

    data = {"path": "t.csv", "target": "y", **settings}
    if data.get("source") == "inline":
        data = {"source": "inline", "columns": ["x", "y"], "rows": [[1, 2]], "decimal": ","}
    with pytest.raises(ConfigError) as caught:
        load_config([str(config_file(yaml.safe_dump({"data": data}, allow_unicode=True)))])
    assert fault in str(caught.value)


def test_a_folder_of_parquet_files_has_types(tmp_path):
    pq.write_table(pa.table({"x": [1.0], "y": [2.0]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"data\.decimal is for CSV files, and this is a folder of \.parquet files"):
        load_dataset(config(tmp_path, decimal=","))


@pytest.fixture
def german(linreg, config_file, tmp_path):
    """A run on a German table in cp1252, y = 3 p + 7.5; gives the command line."""
    text = "p;größe;y\n891;0,5;2.680,5\n2.011;1,5;6.040,5\n1.274;-2,5;3829,5\n310;0,25;937,5\n2.210;4;6637,5\n"
    (tmp_path / "t.csv").write_bytes(text.encode("cp1252"))
    path = config_file(
        "data: {path: t.csv, target: y, delimiter: ';', decimal: ',', thousands: '.', encoding: cp1252}\n"
        "preprocess: {standardize: true, standardize_target: true}\noptimizer: {lr: auto, momentum: auto}\n"
        "train: {epochs: 300, batch_size: full, dtype: float64, shuffle: false}\nplots: false\n"
    )
    result = linreg("train", "-c", path, "--json")
    assert result.code == 0, result.err
    assert result.json["metrics"]["parameters"]["weights"]["p"] == pytest.approx(3)
    assert result.json["metrics"]["parameters"]["bias"] == pytest.approx(7.5)
    assert result.json["metrics"]["train"]["r2"] == pytest.approx(1)
    return linreg


def predictions(linreg, name) -> list[float]:
    result = linreg("predict", "latest", "--data", name, "--json")
    assert result.code == 0, result.err
    return result.json["predictions"]["prediction"]


def test_a_new_table_is_read_in_the_way_of_the_run(german, tmp_path):
    (tmp_path / "new.csv").write_bytes("größe;p\n1,5;1.000\n2;10\n".encode("cp1252"))
    assert predictions(german, "new.csv") == pytest.approx([3007.5, 37.5])
    (tmp_path / "full.csv").write_bytes("größe;p;y\n1,5;1.000;3007,5\n2;10;37,5\n".encode("cp1252"))
    result = german("evaluate", "latest", "--data", "full.csv", "--json")
    assert result.json["data"]["r2"] == pytest.approx(1)


def test_a_format_with_types_is_not_affected_by_the_notation_of_the_run(german, tmp_path):
    pq.write_table(pa.table({"größe": [1.5, 2.0], "p": [1000.5, 10.0]}), tmp_path / "new.parquet")
    assert predictions(german, "new.parquet") == pytest.approx([3009, 37.5])


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("größe;p\n1.5;1000\n", 'such as \'1.5\'; the run reads "," as the decimal mark and "." between thousands'),
        ("größe;p\n1,5;1 000\n", "the column has blanks for thousands, such as '1 000'; the run reads \",\" as"),
        ("größe;p\n1,5;12-\n", "'12-' is not a number; it has a trailing minus sign; write -12"),
    ],
)
def test_a_new_table_in_another_notation_is_refused_in_words(text, fault, german, tmp_path):
    (tmp_path / "new.csv").write_bytes(text.encode("cp1252"))
    result = german("predict", "latest", "--data", "new.csv")
    assert result.code == 3
    assert fault in result.err
    assert "set data." not in result.err


def test_a_new_table_in_another_encoding_is_refused_in_words(german, tmp_path):
    (tmp_path / "new.csv").write_bytes("größe;p;s\n1,5;1000;\x81\n".encode("latin-1"))
    result = german("predict", "latest", "--data", "new.csv")
    assert "line 2: byte 0x81 is not cp1252 text" in result.err
    assert "save the file as cp1252" in result.err
