"""Decimal marks that may separate thousands, with the remedy pasted."""

import numpy as np
import pytest
import yaml

from linreg_cli.config import Config
from linreg_cli.data import load_dataset

GROUPED = ["891", "861", "2.011", "1.274", "929", "1.530", "720", "2.210", "1.105", "640", "1.999", "310"]


def load(path, **data):
    return load_dataset(Config.model_validate({"data": {"path": str(path), "target": "y", "delimiter": ";", **data}}))


def write(path, **columns):
    rows = zip(*columns.values(), strict=True)
    path.write_text(";".join(columns) + "\n" + "".join(";".join(row) + "\n" for row in rows))
    return path


def found(dataset):
    return [each.message for each in dataset.summary.warnings if each.kind == "number_format"]


@pytest.mark.parametrize("mark", [".", ","])
@pytest.mark.parametrize("sign", ["", "-", "+"])
def test_the_remedy_reads_groups_as_thousands(mark, sign, tmp_path):
    cells = [sign + cell.replace(".", mark) for cell in GROUPED]
    path = write(tmp_path / "t.csv", p=cells, y=[str(row) for row in range(12)])
    (message,) = found(load(path, decimal=mark))
    assert message.startswith(f'p: every number with "{mark}" has exactly three digits behind it')
    lines = message.split("thousands, set ")[1].split(" and ")
    settings = {line.split(": ", 1)[0].removeprefix("data."): yaml.safe_load(line.split(": ", 1)[1]) for line in lines}
    dataset = load(path, **settings)
    assert found(dataset) == []
    assert dataset.columns["p"].tolist() == [float(cell.replace(mark, "")) for cell in cells]


def test_where_another_column_has_decimals_the_marks_are_to_be_removed(tmp_path):
    fractions = [f"{value:.2f}" for value in np.linspace(-2, 2, 12)]
    path = write(tmp_path / "t.csv", p=GROUPED, b=fractions, y=[f"{row}.5" for row in range(12)])
    (message,) = found(load(path))
    assert message.endswith('if it separates thousands, write them without ".", which is the decimal mark of b, y')


def test_between_commas_the_comma_cannot_be_the_decimal_mark(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("p,y\n" + "".join(f"{cell},{row}\n" for row, cell in enumerate(GROUPED)))
    (message,) = found(load(path, delimiter=None))
    assert message.endswith('if it separates thousands, write them without ".", since "," is the delimiter')


@pytest.mark.parametrize(
    "cells",
    [
        ["0.125", "2.011", "1.274", "891", "3.999", "12"],  # a group does not begin with 0
        ["2.011", "1.274", "891.000", "3.999", "12.500", "1.000"],  # fixed decimals, no whole numbers
        ["2.011", "1.27", "891", "3.999", "12", "5.125"],
        ["2.011", "1.274", "891", "12", "5", "7"],  # two are too few
        ["2.011", "1.274", "3.999", "1", "2", "1"],  # whole numbers among decimals
        ["2.011", "1.274", "3.999", "8910", "2", "1"],
        ["1", "2", "3", "4", "5", "6"],
    ],
)
def test_other_numbers_have_no_warning(cells, tmp_path):
    path = write(tmp_path / "t.csv", p=cells, y=["1", "2", "3", "4", "5", "6"])
    assert found(load(path)) == []
