"""CSV: ways to write it that are read rightly, and what is said, and where, about all others."""

import gzip
import re
import subprocess
from pathlib import Path

import pytest
from reading import error_of, load

from linreg_cli.config import Config
from linreg_cli.data import load_dataset
from linreg_cli.data.encoding.cells import raw_columns
from linreg_cli.data.encoding.treatments import Treatment
from linreg_cli.data.tables.blocks import cells_of
from linreg_cli.data.tables.open import open_table
from linreg_cli.errors import ConfigError, DataError

GOOD = {
    "line feeds": "x,y\n1,2\n3,4\n",
    "no last line end": "x,y\n1,2\n3,4",
    "carriage returns and line feeds": "x,y\r\n1,2\r\n3,4\r\n",
    "carriage returns": "x,y\r1,2\r3,4\r",
    "mixed line ends": "x,y\r1,2\r\n3,4\n",
    "blank lines": "x,y\n\n1,2\n\n\n3,4\n\n",
    "a byte order mark": "\ufeffx,y\n1,2\n3,4\n",
    "quoted numbers": '"x","y"\n"1","2"\n"3",4\n',
    "blanks around numbers": "x,y\n 1 , 2\n3\t,4 \n",
    "signs, points and exponents": "x,y\n+1,2.\n.3e1,4E+0\n",
}


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_ways_to_write_the_same_csv(text, csv):
    dataset = load(csv(text))
    assert dataset.columns["x"].tolist() == [1, 3]
    assert dataset.columns["y"].tolist() == [2, 4]


def test_integers_in_the_first_mebibytes_and_then_a_fraction(csv):
    dataset = load(csv("x,y\n" + "1,2\n" * 600_000 + "1.5,2.25\n"))
    assert dataset.n_samples == 600_001
    assert (dataset.columns["x"][-1], dataset.columns["y"][-1]) == (1.5, 2.25)


def test_quoted_line_breaks_do_not_cut_rows_at_block_boundaries(csv):
    """Blocks are 1 MiB. A row that is cut in a quoted cell that looks like rows would become two good rows."""
    n_rows = 30_000
    body = "".join(f'"see\n1,2,3\n{"z" * 40}",{row},{2 * row}\n' for row in range(n_rows))
    assert len(body) > 1 << 20
    dataset = load(csv("note,x,y\n" + body), ignore=("note",))
    assert dataset.columns["x"].tolist() == list(range(n_rows))


def test_other_encodings_in_columns_that_are_left_out(csv):
    assert load(csv("s,x,y\nä,1,2\n".encode("latin-1")), ignore=("s",)).n_samples == 1


def test_the_delimiter_of_the_config(csv):
    assert load(csv("x;y\n1;2\n"), delimiter=";").columns["y"].tolist() == [2]


MISSING = (
    "the cell is missing{}; fill it in, set preprocess.missing: mean (or median, level or drop), or leave the column "
    "out with data.ignore: [x]"
)
COUNTS = "'?', which preprocess.missing_values counts as missing"
MISSING_TARGET = (
    "the cell is missing{}; fill it in, or drop such rows with preprocess.missing: drop or "
    "preprocess.columns: {{y: {{missing: drop}}}}"
)
LEAVE_OUT = (
    "is not a number; set preprocess.categorical: one_hot, leave the column out with data.ignore: [x], or "
    "convert it to numbers"
)
MOSTLY = "is not a number, and the column is mostly numbers"
CORRECT = f"{MOSTLY}; correct the cell"
NONE = (
    "or, if it means 'missing', set preprocess.missing_values: "
    '["", NA, N/A, NaN, nan, \'null\', "?", "-"] and preprocess.missing: drop'
)
OTHERS = "is not a number, and the other cells are, such as 1 ('-' in 1 of 2 cells); correct it"
AS_TEXT = "to use the column as text, set preprocess.columns: {x: {categorical: one_hot}}"
INFINITE = "the value is infinite or overflows float64; correct it or remove the row"
STRAY = "check for a stray delimiter or an unclosed quote"

#: what is wrong -> (file, what is said after the path)
BAD = {
    "empty": ("", [": the file is empty"]),
    "blank": ("\n \n", [": the file is empty"]),
    "header only": ("x,y", [": the table has no rows"]),
    "header and line end": ("x,y\n", [": the table has no rows"]),
    "missing": ("x,y\n1,2\n,3\n", [f", row 2, column 'x': {MISSING.format('')}"]),
    "blank cell": (
        "x,y\n  ,2\n",
        [
            ", row 1, column 'x': the cell is missing; no cell of the column has a value; leave the column out with "
            "data.ignore: [x]"
        ],
    ),
    "text": ("x,y\n1,2\nabc,3\ndef,4\n", [f", row 2, column 'x': 'abc' {LEAVE_OUT}"]),
    "text in two columns": (
        "x,y\n5%,2\n1,$3\n",
        [
            f", row 1, column 'x': '5%' {MOSTLY}; it has a percent sign; write 5 (percent) or 0.05",
            ", row 2, column 'y': '$3' is a number with the unit \"$\"; set data.units: {y: \"$\"}",
        ],
    ),
    "a placeholder": ("x,y\n1,2\n-,3\n", [f", row 2, column 'x': '-' {OTHERS}, {NONE}; {AS_TEXT}"]),
    "a slip": ("x,y\n1,2\n12..5,3\n", [f", row 2, column 'x': '12..5' {CORRECT}"]),
    "money": (
        'x,y\n"$1,200",2\n"$2,300",3\n',
        [
            ", row 1, column 'x': the column has commas for thousands or decimal commas, such as '1,200'; a unit is "
            "beside the numbers of 'x' (\"$\"); "
            'set data.thousands: "," and data.units: {x: "$"} if "," is between thousands; write them with decimal '
            'points if "," is the decimal mark (1.200), since the comma is the delimiter, and set data.units: {x: "$"}',
        ],
    ),
    "a target of words": (
        "x,y\n1,low\n2,high\n",
        [
            ", row 1, column 'y': 'low' is not a number; the target must be numeric; convert it to numbers, or choose "
            "another target"
        ],
    ),
    "a target of dates": (
        "x,y\n1,2020-01-31\n2,2020-01-31\n",
        [
            ", row 1, column 'y': '2020-01-31' is not a number; convert dates to numbers, or choose another target "
            "(days since a date)"
        ],
    ),
    "a comment": (
        "# made by foo\nx,y\n1,2\n",
        [
            ": the first line of t.csv looks like a comment; delete it: the header must be the first line",
            ": data.target: there is no column 'y'; allowed: # made by foo",
        ],
    ),
    "true": ("x,y\ntrue,2\n", [f", row 1, column 'x': 'true' {LEAVE_OUT}"]),
    "a date": (
        "x,y\n2020-01-31,2\n",
        [
            ", row 1, column 'x': '2020-01-31' is not a number; take the days since 1970 with "
            "data.features: [\"*\", 'days(x)'], or leave the column out with data.ignore: [x]"
        ],
    ),
    "hexadecimal": ("x,y\n0x10,2\n", [f", row 1, column 'x': '0x10' {LEAVE_OUT}"]),
    "infinity": ("x,y\n1,2\n-inf,2\n", [f", row 2, column 'x': {INFINITE}"]),
    "1e400": ("x,y\n1,2\n1e400,2\n", [f", row 2, column 'x': {INFINITE}"]),
    "decimal comma": (
        'x,y\n"-1,5",2\n',
        [
            ", row 1, column 'x': the column has decimal commas, such as '-1,5'; write them with decimal points "
            "(-1.5), since the comma is the delimiter"
        ],
    ),
    "a comma that may be either": (
        'x,y\n"1,500",2\n',
        [
            ", row 1, column 'x': the column has commas for thousands or decimal commas, such as '1,500'; "
            'set data.thousands: "," if "," is between thousands; write them with decimal points if "," is the decimal '
            "mark (1.500), since the comma is the delimiter"
        ],
    ),
    "thousands": (
        'x,y\n"1,234,567",2\n',
        [", row 1, column 'x': the column has commas for thousands, such as '1,234,567'; set data.thousands: \",\""],
    ),
    "too few cells": ("x,y\n1,2\n3\n4,5\n", [f", line 3: 1 cell, and the header has 2: '3'; {STRAY}"]),
    "too many cells": ("x,y\n1,2\n3,4,5\n", [f", line 3: 3 cells, and the header has 2: '3,4,5'; {STRAY}"]),
    "ragged after blank lines": (
        "x,y\r\n\r\n1,2\r\n\r\n3\r\n",
        [f", line 5: 1 cell, and the header has 2: '3'; {STRAY}"],
    ),
    "ragged after a quoted line break": (
        'x,y\n"1\n",2\n3\n',
        [f", line 4: 1 cell, and the header has 2: '3'; {STRAY}"],
    ),
    "open quote": ('x,y\n1,2\n"3,4\n5,6\n', [f', line 3: 1 cell, and the header has 2: "3,4\\n5,6\\n"; {STRAY}']),
    "open quote in a large file": (
        'x,y\n1,2\n"' + "3,4\n" * 500_000,
        [", line 3: not a CSV: field larger than field limit (131072); check for an unclosed quote"],
    ),
    "decimal commas without quotes": (
        "x,y\n1,5,2,5\n",
        [f", line 2: 4 cells, and the header has 2: '1,5,2,5'; {STRAY}"],
    ),
    "semicolons": (
        "x;y\n1;2\n",
        [
            ': the cells seem to be separated by semicolons; set data.delimiter: ";"',
            ": data.target: there is no column 'y'; allowed: x;y",
        ],
    ),
    "tabs": (
        "x\ty\n1\t2\n",
        [
            ': the cells seem to be separated by tabs; set data.delimiter: "\\t"',
            ": data.target: there is no column 'y'; allowed: x\ty",
        ],
    ),
    "no header": (
        "1,2\n3,4\n",
        [
            ": the first line of t.csv holds numbers only; add a header with column names",
            ": data.target: there is no column 'y'; allowed: 1, 2",
        ],
    ),
    "a blank in the header": ("x, y\n1,2\n", [": data.target: there is no column 'y'; did you mean ' y'?"]),
    "no target": ("x,Y\n1,2\n", [": data.target: there is no column 'y'; did you mean 'Y'?"]),
    "nothing else": ("y\n1\n", [": no feature is left: every column is a target or ignored"]),
    "doubled name": ("x,y,x\n1,2,3\n", [": duplicate column name: columns 1 and 3 are 'x'; rename one"]),
    "blank names": (
        "x,,y,\n1,2,3,\n",
        [
            ': column 2 of 4 has no name; give it one in the header, or leave it out with data.ignore: [""]',
            ': column 4 of 4 has no name; give it one in the header, or leave it out with data.ignore: [""]',
        ],
    ),
    "web page": (
        "\n <!DOCTYPE html>\n<html>",
        [": not a CSV: the file is a web page (HTML or XML); download the table itself"],
    ),
    "picture": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", [": not a CSV: the file is a PNG picture"]),
    "gzip": (gzip.compress(b"x,y\n1,2\n"), [": not a CSV: the file is gzip; rename it to .csv.gz"]),
    "workbook": (
        b"PK\x03\x04rest",
        [": not a CSV: the file is a ZIP archive or an Excel workbook; save the sheet as CSV"],
    ),
    "UTF-16": ("x,y\n1,2\n".encode("utf-16"), [": the file is UTF-16 text; set data.encoding: utf-16"]),
    "NUL": (b"x,y\n1,2\n3,\0\n", [", line 3: not a CSV: the file has a NUL byte; save it as UTF-8 text"]),
    "NUL further on": (
        b"x,y\n" + b"1,2\n" * 2000 + b"\x003,4\n",
        [", line 2002: not a CSV: the file has a NUL byte; save it as UTF-8 text"],
    ),
    "Latin-1 header": (
        "größe,y\n1,2\n".encode("latin-1"),
        [", line 1: byte 0xf6 is not UTF-8 text (in cp1252 the line is 'größe,y'); set data.encoding: cp1252"],
    ),
    "Latin-1 cell": (
        "x,y\n1,2\nä,2\n".encode("latin-1"),
        [", line 3: byte 0xe4 is not UTF-8 text (in cp1252 the line is 'ä,2'); set data.encoding: cp1252"],
    ),
}


@pytest.mark.parametrize(("content", "faults"), BAD.values(), ids=BAD)
def test_what_is_wrong_with_a_csv_and_where(content, faults, csv):
    path = csv(content)
    assert error_of(path) == "\n".join(f"{path}{fault}" for fault in faults)


def test_what_is_wrong_with_several_columns_is_said_in_few_lines(csv):
    path = csv("x,y\n1,2\n?,3\nNA,\n5, NA \n")
    assert error_of(path).replace(str(path), "t.csv") == (
        "t.csv: 2 columns have missing cells: x (2), y (2) (first: x, 2 cells, the first in row 2)\n"
        "paste into the config, or into a file such as fix.yaml for a further -c fix.yaml:\n"
        "preprocess:\n"
        "  missing: level\n"
        "  columns: {y: {missing: drop}}\n"
        "or add --set preprocess.missing=level --set 'preprocess.columns={y: {missing: drop}}'\n"
        "linreg init t.csv --target y writes such a config"
    )


def test_the_first_of_several_bad_cells_of_a_large_column_is_named(csv):
    cells = ["1,2\n"] * 300_000
    cells[250_000] = cells[280_000] = "abc,2\n"
    assert ", row 250001, column 'x': 'abc'" in error_of(csv("x,y\n" + "".join(cells)))


@pytest.mark.parametrize("delimiter", ["§", '"', "\n", "\r"])
def test_a_delimiter_that_no_csv_has_is_a_config_error(delimiter, csv):
    with pytest.raises(ConfigError, match="cannot be a delimiter"):
        load(csv("x,y\n1,2\n"), delimiter=delimiter)


@pytest.mark.parametrize("preprocess", [{}, {"categorical": "one_hot"}])
def test_decimal_commas_of_a_whole_table_are_one_fault(preprocess, csv):
    path = csv("x;c;n;y\n0,346;1;1,250;2,5\n0,822;2;3;NA\n")
    values = {"data": {"path": str(path), "target": "y", "delimiter": ";"}, "preprocess": preprocess}
    with pytest.raises(DataError) as caught:
        load_dataset(Config.model_validate(values))
    assert str(caught.value) == (
        f"{path}: columns 'x', 'n', 'y' have decimal commas, such as '0,346' (row 1 of 'x') and '1,250' (row 1 of 'n') "
        "and '2,5' (row 1 of 'y'); set data.decimal: \",\""
        + ("; to use them as text, set preprocess.columns: {x: {categorical: one_hot}, n: {categorical: one_hot}}")
        * bool(preprocess)
    )


def test_names_that_are_numbers_are_warned_of(csv):
    dataset = load(csv("1.5,2\n2,3\n3,5\n"), target="2")
    assert dataset.summary.warnings[0].message.endswith(
        "t.csv holds numbers only; if it is the first row, add a line with column names"
    )
    assert not load(csv("x,2\n2,3\n3,5\n"), target="2").summary.warnings


INDEXED = ",a,c,y\n0,1,u,2\n1,2,v,4\n2,4,w,8\n"


@pytest.mark.parametrize("data", [{"ignore": ("", "c")}, {"features": ("a",)}])
def test_a_column_without_a_name_that_is_not_used_is_no_fault(data, csv):
    """pandas writes its index so."""
    path = csv(INDEXED)
    assert load(path, **data).features == ("a",)
    message = 'column 1 of 4 has no name; give it one in the header, or leave it out with data.ignore: [""]'
    message += " if it is a row index"
    assert message.replace('[""]', '[c, ""]') in error_of(path, ignore=("c",))


def test_doubled_names_that_are_not_used_are_no_fault(csv):
    path = csv("a,a,x,y\n1,2,3,4\n5,6,8,8\n")
    assert load(path, ignore=("a",)).features == load(path, features=("x",)).features == ("x",)
    assert "duplicate column name: columns 1 and 2 are 'a'; rename one" in error_of(path)


def test_read_all_keeps_text_as_it_is_and_numbers_parses_the_same_cells(csv):
    path = csv('id,x\n007," 1.50"\nNA,+2e0\n', "p.csv")
    table = open_table(str(path), missing_values=("NA",))
    cells = table.read_all()
    assert cells.column("id").to_pylist() == ["007", "NA"]
    assert cells.column("x").to_pylist() == [" 1.50", "+2e0"]
    numbers = cells_of(table.numbers(cells, ["x"]), ["x"], ("NA",))
    raw, faults = raw_columns(numbers, {"x": Treatment()}, ("NA",), "p")
    assert (raw["x"].values.tolist(), faults) == ([1.5, 2.0], [])


@pytest.mark.parametrize("first", ['a,"b\nc"\n', "a,b\n"])
def test_a_nul_byte_is_told_with_its_line_however_the_file_is_read(csv, first):
    path = csv("x,c\n" + first + "1,d\n" * 5000 + "1,e\0f\n")
    table = open_table(str(path))
    line = 5002 + first.count("\n")
    for read in (lambda: table.read([], either=["c"]), table.read_all):
        with pytest.raises(DataError, match=rf"line {line}: not a CSV: the file has a NUL byte"):
            read()


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("面积，总价\n90，100\n", "full-width commas"),
        ("面积，总价\n90,100\n", "full-width commas"),
        ("面积；总价\n90；100\n", "full-width semicolons"),
        ("面积、总价\n90、100\n", "ideographic commas"),
    ],
)
def test_full_width_marks_between_the_cells_are_named_and_the_command_mends_them(content, name, csv, monkeypatch):
    path = csv(content)
    monkeypatch.chdir(path.parent)
    message = error_of(path)
    assert f'the cells seem to be separated by {name} ("{content[2]}"), which are no delimiter' in message
    shell = re.search(r"such as by: (sed .*?); then set", message).group(1)
    subprocess.run(shell, shell=True, check=True)
    assert Path(shell.rpartition("> ")[2]).read_text("utf-8") == "面积,总价\n90,100\n"


def test_a_row_with_full_width_commas_says_so(csv):
    path = csv("面积,y\n90,100\n80，95\n")
    assert "1 cell, and the header has 2: '80，95'; check for a stray delimiter" in error_of(path)
    assert "or full-width commas in the place of delimiters" in error_of(path)


def test_a_name_with_a_full_width_comma_is_a_name(csv):
    path = csv("y，元\n1\n2\n3\n")
    assert open_table(str(path)).hint() is None
