"""What is said of numbers that are written in another way than the table is read."""

import pytest

from linreg_cli.config import Config
from linreg_cli.data import load_dataset
from linreg_cli.data.encoding.notation import is_number_otherwise, signed
from linreg_cli.errors import DataError


def error(tmp_path, text, preprocess=None, **data) -> str:
    path = tmp_path / "t.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        load_dataset(
            Config.model_validate(
                {
                    "data": {"path": str(path), "target": "y", "delimiter": ";", **data},
                    "preprocess": preprocess or {},
                }
            )
        )
    return str(caught.value).replace(str(path), "t.csv")


def of_cells(*cells):
    return "x;y\n" + "".join(f"{cell};{row}\n" for row, cell in enumerate(cells))


@pytest.mark.parametrize(
    ("text", "columns", "remedy"),
    [
        ("p;b;y\n891;-0,8;2680,5\n2.011;-0,25;6040,5\n", "'p', 'b', 'y'", 'data.decimal: "," and data.thousands: "."'),
        ("p;b;y\n891;-0,8;2680,5\n2011;-0,25;6040,5\n", "'b', 'y'", 'data.decimal: ","'),
        ("p;b;y\n891;1.234,5;1\n2.011;7;2\n", "'p', 'b'", 'data.decimal: "," and data.thousands: "."'),
        ("p;b;y\n1 891;1'234;1\n2;7;2\n", None, None),  # two marks for thousands: no setting reads both
    ],
)
def test_all_columns_in_another_notation_are_named_at_once(text, columns, remedy, tmp_path):
    """One of them may be read as numbers: of a tenth, a thousandth or more."""
    found = error(tmp_path, text)
    if columns is None:
        assert len(found.splitlines()) == 2
        return
    assert found.startswith(f"t.csv: columns {columns} have ")
    assert found.endswith(f"; set {remedy}")


@pytest.mark.parametrize(
    ("cells", "remedy"),
    [
        (["12 500", "13 900"], 'set data.thousands: " "'),
        (["12\u00a0500", "7"], 'set data.thousands: " "'),
        (["12\u202f500,5", "7"], 'set data.decimal: "," and data.thousands: " "'),
        (["1'234", "7"], 'set data.thousands: "\'"'),
        (["1\u2019234.5", "7"], 'set data.thousands: "\'"'),
        (["1,234,567", "7"], 'set data.thousands: ","'),
        (["1,234.5", "7"], 'set data.thousands: ","'),
        (["1,5", "7"], 'set data.decimal: ","'),
        (["1,500", "2,5"], 'set data.decimal: ","'),
        (["1.234.567", "7"], 'set data.decimal: "," and data.thousands: "."'),
        (
            ["1,500", "7"],
            'set data.thousands: "," if "," is between thousands; set data.decimal: "," if "," is the decimal mark',
        ),
    ],
)
@pytest.mark.parametrize("preprocess", [{}, {"categorical": "one_hot"}])
def test_the_setting_that_reads_a_column(cells, remedy, preprocess, tmp_path):
    found = error(tmp_path, of_cells(*cells), preprocess)
    keep = "; to use it as text, set preprocess.columns: {x: {categorical: one_hot}}" if preprocess else ""
    assert found.endswith(remedy + keep)
    assert found.startswith("t.csv, row 1, column 'x': ")


def test_a_cell_that_is_no_number_in_any_notation_is_named_too(tmp_path):
    found = error(tmp_path, of_cells("1,5", "2,5", "abc", "3,5"))
    assert found.splitlines()[0].endswith('set data.decimal: ","')
    assert found.splitlines()[1].startswith("t.csv, row 3, column 'x': 'abc' is not a number; correct the cell")


def test_a_run_with_another_setting_is_told_to_take_it_back(tmp_path):
    found = error(tmp_path, of_cells("1.23", "4.5"), decimal=",", thousands=".")
    assert found.endswith('set data.decimal: "." and data.thousands: null')


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("12-", "a trailing minus sign; write -12"),
        ("1.234,50-", "a trailing minus sign; write -1234.50"),
        ("12 %", "a percent sign; write 12 (percent) or 0.12"),
        ("12.5%", "a percent sign; write 12.5 (percent) or 0.125"),
        ("7\u2030", "a per mille sign; write 7"),
        ("$12", "a currency sign; write 12"),
        ("-$12.50", "a currency sign; write -12.50"),
        ("$-12", "a currency sign; write -12"),
        ("12 €", "a currency sign; write 12"),
        ("12\u00a0₹", "a currency sign; write 12"),
        ("CHF 1'200", "the code of a currency; write 1200"),
        ("1 200 EUR", "the code of a currency; write 1200"),
        ("(12)", "parentheses; write -12"),
        ("($1,234.50)", "parentheses and a currency sign; write -1234.50"),
        ("\u221212", "a dash for a minus sign; write -12"),
        ("- 12", "a blank after its sign; write -12"),
        ("1_000", "underscores; write 1000"),
        ("₹12,34,567", "a currency sign; write 1234567"),
        ("Rs. 12", "the code of a currency; write 12"),
        ("US$12.50", "the code of a currency; write 12.50"),
        ("42.-", "a dash for its decimals; write 42"),
        ("42,--", "a dash for its decimals; write 42"),
        ("42.\u2014", "a dash for its decimals; write 42"),
        ("\u200e12", "an invisible character (U+200E); write 12"),
        ("12\u200b", "an invisible character (U+200B); write 12"),
        ("'12", "an apostrophe before it; write 12"),
        ("1.5D+03", "a D for its exponent; write 1.5e+03"),
        ("\u0661\u0662\u066b\u0665", "digits of another script; write 12.5"),
        ("\u0967\u0968", "digits of another script; write 12"),
    ],
)
@pytest.mark.parametrize("preprocess", [{}, {"categorical": "one_hot"}])
def test_a_sign_is_named_and_one_hot_is_not_advised(cell, words, preprocess, tmp_path):
    assert signed(cell) == f"it has {words}"
    found = error(tmp_path, of_cells(cell, cell, cell), preprocess)
    assert f"it has {words}" in found
    assert "set preprocess.categorical" not in found


@pytest.mark.parametrize(
    "cell", ["red", "A12", "12a", "1.2.3", "555-1234", "<5", "10-20", "", "-", "$", "%", "()", "kr"]
)
def test_what_is_no_number(cell):
    assert not is_number_otherwise(cell)
    assert signed(cell) == ""


def test_digits_of_another_script(tmp_path):
    assert "it has digits of another script; write 12" in error(tmp_path, of_cells("１２", "３"))


def test_age_brackets_stay_categories(tmp_path):
    (tmp_path / "t.csv").write_text("x;y\n" + "<18;1\n18-65;2\n>65;3\n" * 9)
    read = load_dataset(
        Config.model_validate(
            {
                "data": {"path": str(tmp_path / "t.csv"), "target": "y", "delimiter": ";"},
                "preprocess": {"categorical": "one_hot"},
            }
        )
    )
    assert len(read.features) == 2


@pytest.mark.parametrize("preprocess", [{}, {"categorical": "one_hot"}])
def test_indian_groups_are_written_plainly_and_one_hot_is_not_advised(preprocess, tmp_path):
    found = error(tmp_path, of_cells("13,65,448", "1,00,000.5", "7"), preprocess)
    assert "without marks for thousands: 1365448" in found
    assert "set preprocess.categorical" not in found


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (("12.5 kg", "9 kg"), "'12.5 kg' is a number with the unit kg; set data.units: {x: kg}"),
        (("7m\u00b2", "8m\u00b2"), "set data.units: {x: m\u00b2}"),
        (("80 \u00b0F", "-3 \u00b0F"), "set data.units: {x: '\u00b0F'}"),
    ],
)
def test_a_unit_behind_every_number_is_named(cells, words, tmp_path):
    found = error(tmp_path, of_cells(*cells))
    assert words in found
    assert found.endswith("; to use the column as text, set preprocess.columns: {x: {categorical: one_hot}}")


def test_units_that_differ_are_text(tmp_path):
    found = error(tmp_path, of_cells("12 kg", "9 lb"))
    assert "set preprocess.categorical: one_hot" in found
