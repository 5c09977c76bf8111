"""Numbers with a unit beside them are read as the numbers alone would be."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from linreg_cli.data.encoding.number_units import common_unit
from linreg_cli.data.tables.text_format import TextFormat

CSV = TextFormat(delimiter=",")
N = 60
STREAM = np.random.default_rng(3)
PRICE, SHARE = STREAM.uniform(1_000, 9_000, size=N).round(2), STREAM.uniform(0, 30, size=N).round(1)
TARGET = (3 * PRICE - 40 * SHARE + STREAM.normal(size=N) * 50).round(2)


def german(value):
    return f"{value:,.2f}".translate(str.maketrans(",.", ".,"))


PLAIN = "price;share;y\n" + "".join(
    f"{german(a)};{german(b)};{german(c)}\n" for a, b, c in zip(PRICE, SHARE, TARGET, strict=True)
)
WITH_UNITS = "price;share;y\n" + "".join(
    f"{german(a)} \u20ac;{german(b)}%;{'-' if c < 0 else ''}CHF {german(abs(c))}\n"
    for a, b, c in zip(PRICE, SHARE, TARGET, strict=True)
)
UNITS = {"price": "\u20ac", "share": "%", "y": "CHF"}
FORMAT = {"delimiter": ";", "decimal": ",", "thousands": "."}


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plain.csv").write_text(PLAIN, encoding="utf-8")
    (tmp_path / "units.csv").write_text(WITH_UNITS, encoding="utf-8")

    def write(name, **data):
        split = {"train": 0.8, "test": 0.2, "by": "hash"}
        given = {
            "data": {"path": f"{name}.csv", "target": "y", "split": split, **FORMAT, **data},
            "preprocess": {"standardize": True, "standardize_target": True},
            "train": {"epochs": 3, "shuffle": "blocks", "dtype": "float64"},
            "plots": False,
        }
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(given, allow_unicode=True), encoding="utf-8")
        return f"{name}.yaml"

    return write


def metrics(linreg, *words):
    result = linreg("train", "--json", *words)
    assert result.code == 0, result.err
    return json.loads(result.out)["metrics"]


def test_a_table_with_units_has_the_bits_of_one_without_in_memory_and_from_the_disk(config, linreg):
    plain = metrics(linreg, "-c", config("plain"))
    units = config("units", units=UNITS)
    assert metrics(linreg, "-c", units) == plain
    assert metrics(linreg, "-c", units, "--set", "data.stream=true") == plain


def test_statistics_of_a_table_with_units_are_those_of_one_without(config, linreg):
    full = ("--set", "train.batch_size=full", "--set", "train.shuffle=true")
    found = []
    for file in (config("plain"), config("units", units=UNITS)):
        kept = linreg("stats", "-c", file, *full, "-o", f"{file}.safetensors")
        assert kept.code == 0, kept.err
        found.append(metrics(linreg, "-c", file, "--stats", f"{file}.safetensors", *full))
    assert found[0] == found[1]


def test_a_table_is_trained_without_a_config_and_its_units_are_noted(config, linreg):
    config("units")
    result = linreg("train", "units.csv", "--target", "y", "--set", "plots=false")
    assert result.code == 0, result.err
    assert 'note: data.units: {price: "\u20ac", share: "%", y: CHF} (beside the numbers' in result.err


def test_a_run_reads_other_tables_with_its_units(config, linreg, tmp_path):
    metrics(linreg, "-c", config("units", units=UNITS))
    (tmp_path / "new.csv").write_text("price;share\n5.000,00 \u20ac;10%\n5.000,00;10 %\n", encoding="utf-8")
    result = linreg("predict", "units", "--data", "new.csv", "-o", "new.parquet")
    assert result.code == 0, result.err
    found = pq.read_table(tmp_path / "new.parquet")
    assert found.column("price").to_pylist() == [5000.0, 5000.0]
    assert found.column("share").to_pylist() == [10.0, 10.0]
    assert len(set(found.column("prediction").to_pylist())) == 1


def test_a_number_without_its_percent_sign_is_no_number(config, linreg, tmp_path):
    metrics(linreg, "-c", config("units", units=UNITS))
    (tmp_path / "new.csv").write_text("price;share\n5000;0,1\n", encoding="utf-8")
    result = linreg("predict", "units", "--data", "new.csv")
    assert result.code == 3
    words = "row 1, column 'share': '0,1' is not a number with the unit \"%\", as the run has them; correct the cell"
    assert words in result.err


def test_the_one_cell_with_another_unit_is_named(config, linreg, tmp_path):
    config("units")
    (tmp_path / "units.csv").write_text(WITH_UNITS.replace("CHF", "EUR", 1), encoding="utf-8")
    result = linreg("train", "units.csv", "--target", "y")
    assert result.code == 3
    assert "row 1, column 'y': 'EUR " in result.err
    assert "is not a number with the unit CHF, as the other cells are; correct the cell" in result.err


def test_a_unit_that_is_not_that_of_the_column_is_answered_with_the_other(config, linreg):
    units = {**UNITS, "y": "EUR", "price": "$"}
    result = linreg("train", "-c", config("units", units=units))
    assert result.code == 3
    words = 'is a number with the unit \u20ac, and data.units says "$"; set data.units: '
    assert words.replace("\u20ac", '"\u20ac"') in result.err
    assert "is a number with the unit CHF, and data.units says EUR; set data.units: " in result.err
    assert "as the other cells are" not in result.err


def test_a_unit_that_a_user_has_set_for_a_table_is_not_replaced_without_a_word(linreg, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cells = zip(SHARE, TARGET, strict=True)
    (tmp_path / "t.csv").write_text("x,w,y\n" + "".join(f"{row},{a} lb,{b}\n" for row, (a, b) in enumerate(cells)))
    words = ["train", "t.csv", "--target", "y", "--set", "plots=false", "--set", "data.units={w: kg}", "--dry-run"]
    result = linreg(*words)
    assert "warning: w is left out: " in result.err
    assert "is a number with the unit lb, and data.units says kg; set data.units: {w: lb}; to use" in result.err


def test_a_small_table_has_units_too_and_no_identifier_instead(linreg, tmp_path, monkeypatch):
    """In a table of 10 rows any 10 numbers with a unit are 10 levels in 10 cells."""
    monkeypatch.chdir(tmp_path)
    cells = zip(SHARE[:10], TARGET[:10], strict=True)
    (tmp_path / "t.csv").write_text("w,name,y\n" + "".join(f"{a} kg,n{b},{b}\n" for a, b in cells))
    result = linreg("init", "t.csv", "--target", "y", "-o", "-")
    assert "\n  units: {w: kg}  # beside the numbers" in result.out
    assert "- name  # identifier or free text: 10 levels in 10 cells" in result.out


def test_a_table_of_a_run_without_units_is_not_said_to_have_them(config, linreg, tmp_path):
    metrics(linreg, "-c", config("plain"))
    (tmp_path / "new.csv").write_text("price;share\n" + "$5;1\n$6;1\n" * 9 + "abc;2\n", encoding="utf-8")
    result = linreg("predict", "plain", "--data", "new.csv")
    assert result.code == 3
    assert "unit" not in result.err


def test_a_format_with_types_is_offered_no_units(linreg, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pq.write_table(pa.table({"x": ["$5", "$6"] * 20 + ["abc"], "y": range(41)}), "t.parquet")
    (tmp_path / "t.yaml").write_text("data: {path: t.parquet, target: y}\n")
    result = linreg("train", "-c", "t.yaml")
    assert result.code == 3
    assert "data.units" not in result.err


def test_units_of_a_category_are_warned_of(config, linreg):
    words = ["--set", "preprocess.columns={share: {categorical: one_hot}}", "--set", "preprocess.unknown=ignore"]
    result = linreg("train", "-c", config("units", units=UNITS), *words, "--json")
    assert result.code == 0, result.err
    (warning,) = [each["message"] for each in result.json["warnings"] if each["kind"] == "config"]
    assert warning == (
        "data.units has no effect on columns that are categories: 'share'; "
        'leave this entry out with data.units: {price: "\u20ac", y: CHF}'
    )


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        ({"units": {"Price": "\u20ac"}}, 3, "data.units: there is no column 'Price'; did you mean 'price'?"),
        ({"units": {"price": "5"}}, 2, "expected a unit such as kg, without digits and without blanks around it"),
        ({"units": {"price": "kg "}}, 2, "expected a unit such as kg"),
        (
            {"units": {"price": "kg"}, "path": "t.parquet"},
            2,
            "it is for CSV files, and the cells of .parquet have types",
        ),
    ],
)
def test_units_that_cannot_be_honoured_are_refused(config, linreg, data, code, words):
    result = linreg("train", "-c", config("units", **data))
    assert result.code == code
    assert words in result.err


def test_placeholders_among_numbers_with_units_and_decimal_commas_are_missing_cells(config, linreg, tmp_path):
    config("units")
    text = WITH_UNITS.replace(f"{german(PRICE[0])} \u20ac", "n/a").replace(f"{german(PRICE[1])} \u20ac", "-")
    (tmp_path / "units.csv").write_text(text, encoding="utf-8")
    result = linreg("train", "units.csv", "--target", "y", "--set", "plots=false")
    assert result.code == 0, result.err
    assert "'n/a', '-' stand for missing cells" in result.err or "'-', 'n/a' stand" in result.err
    assert "price   number        2" in result.err


@pytest.mark.parametrize(
    ("cells", "unit"),
    [
        (["\u00a51,200", "\u00a5300"], "\u00a5"),
        (["R$ 5", "-R$ 7,5"], "R$"),
        (["12.5 kg", "9 lb"], ""),
        (["5 %", "0.05"], ""),
        (["12:30", "13:40"], ""),
        (["10-20", "20-30"], ""),
        (["12-", "13-"], ""),
        (["A12", "A13"], ""),
        (["1e5", "2e7"], ""),
    ],
)
def test_which_cells_have_a_common_unit(cells, unit):
    assert common_unit(cells, CSV) == unit


def test_formats_with_types_and_tables_of_a_run_are_offered_no_setting():
    assert common_unit(["5 kg", "7 kg"], TextFormat()) == ""
    assert common_unit(["5 kg", "7 kg"], TextFormat(delimiter=",", of_run=True)) == ""
