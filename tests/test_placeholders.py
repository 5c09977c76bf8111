"""Text that stands for a missing cell is named with its place and a remedy, which is pasted here."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from linreg_cli.config import Config
from linreg_cli.data import load_dataset
from linreg_cli.errors import DataError

YEARS = ["1990", "1991", "1992", "1993", "1994", "1995", "1996.5"]
PLACEHOLDERS = [
    "NULL",
    "None",
    ".",
    "-",
    "#N/A",
    "<NA>",
    "\\N",
    "(null)",
    "#DIV/0!",
    "n.a.",
    "--",
    "missing",
    "N.A.",
    "???",
    "缺失",
]


def write(cells, path):
    rows = [(cell, "a" if row % 3 else "b", row * row % 7 + 0.5) for row, cell in enumerate(cells)]
    match path.suffix:
        case ".parquet":
            pq.write_table(pa.table(dict(zip("xky", map(list, zip(*rows, strict=True)), strict=True))), path)
        case ".jsonl":
            numbered = [{"x": float(cell) if cell in YEARS else cell, "k": kind, "y": y} for cell, kind, y in rows]
            path.write_text("".join(f"{json.dumps(row)}\n" for row in numbered))
        case suffix:
            mark = "\t" if suffix == ".tsv" else ","
            path.write_text(f"x{mark}k{mark}y\n" + "".join(f"{cell}{mark}{k}{mark}{y}\n" for cell, k, y in rows))
    return path


def load(path, preprocess, **data):
    values = {"data": {"path": str(path), "target": "y", **data}, "preprocess": preprocess}
    return load_dataset(Config.model_validate(values))


def pasted(message, preprocess):
    """The settings of a config after the first remedy of a message was pasted into it."""
    line = message.split("missing', set ")[1].split("; to use")[0]
    settings = dict(preprocess)
    for part in line.split(" and preprocess.") if " and preprocess." in line else [line]:
        key, value = part.removeprefix("preprocess.").split(": ", 1)
        found = yaml.safe_load(value)
        settings[key] = tuple(found) if isinstance(found, list) else found
    return settings


@pytest.mark.parametrize("placeholder", PLACEHOLDERS)
@pytest.mark.parametrize("most", [True, False])
@pytest.mark.parametrize("preprocess", [{"categorical": "one_hot", "missing": "median"}, {"categorical": "error"}])
@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.jsonl"])
def test_a_placeholder_among_numbers_is_named_and_the_remedy_works(placeholder, most, preprocess, name, tmp_path):
    cells = [*YEARS[:2], placeholder, *YEARS[2:], *[placeholder] * (20 if most else 1)]
    path = write(cells, tmp_path / name)
    leave = {} if "missing" in preprocess else {"ignore": ("k",)}
    with pytest.raises(DataError) as caught:
        load(path, preprocess, **leave)
    shown = placeholder
    assert str(caught.value).startswith(f"{path}, row 3, column 'x': ")
    assert f"{shown}" in str(caught.value)
    dataset = load(path, pasted(str(caught.value), preprocess), **leave)
    assert "x" in dataset.features
    missing = np.array([cell == placeholder for cell in cells])
    kept = np.flatnonzero(~missing)
    assert dataset.columns["x"][kept].tolist() == [float(cell) for cell in cells if cell != placeholder]
    # the median of all rows that have a number, as numpy has it; without a fill the rows are dropped
    if preprocess.get("missing") == "median":
        assert set(dataset.columns["x"][missing]) == {np.median([float(cell) for cell in YEARS])}
    else:
        assert sorted(dataset.splits["train"].tolist()) == kept.tolist()


def test_several_placeholders_are_one_remedy(tmp_path):
    path = write(["1.5", "NULL", "-", "2.5", "NULL", "#N/A", "3"], tmp_path / "t.csv")
    with pytest.raises(DataError, match="'#N/A' in 1, '-' in 1, 'NULL' in 2 of 7 cells") as caught:
        load(path, {"missing": "drop"}, ignore=("k",))
    assert load(path, pasted(str(caught.value), {"missing": "drop"}), ignore=("k",)).summary.n_dropped == 4


def test_another_word_in_most_cells_of_a_column_of_numbers_is_named_too(tmp_path):
    path = write([*YEARS, *["keine Angabe"] * 20], tmp_path / "t.csv")
    with pytest.raises(DataError, match="row 8, column 'x': 'keine Angabe' is not a number"):
        load(path, {"categorical": "one_hot"})


def test_placeholders_of_a_target_are_dropped_by_the_remedy(tmp_path):
    (tmp_path / "t.csv").write_text("x,y\n1,2\n3,NULL\n4,5.5\n")
    with pytest.raises(DataError) as caught:
        load(tmp_path / "t.csv", {})
    assert "to use the column as text" not in str(caught.value)
    assert load(tmp_path / "t.csv", pasted(str(caught.value), {})).columns["y"][[0, 2]].tolist() == [2.0, 5.5]


@pytest.mark.parametrize(
    ("cells", "preprocess", "level"),
    [
        (["a", "b", "NULL"] * 5, {"categorical": "one_hot"}, "NULL"),
        (["a", "b", "#N/A"] * 5, {"categorical": "one_hot"}, "#N/A"),
        (["1990", "1991", "NULL"] * 5, {"columns": {"x": {"categorical": "one_hot"}}}, "NULL"),
        (["1", "2", "None"] * 5, {"columns": {"x": {"categorical": "one_hot"}}}, "None"),
    ],
)
def test_a_level_that_may_mean_missing_has_a_warning_with_a_remedy(cells, preprocess, level, tmp_path):
    path = write(cells, tmp_path / "t.csv")
    dataset = load(path, preprocess, ignore=("k",))
    assert f"x={level}" in dataset.features or level in dataset.encoder.inputs[0].levels
    (found,) = [each for each in dataset.summary.warnings if each.kind == "placeholder"]
    assert found.message.startswith(f"x has a level '{level}' (5 cells); if it means 'missing', set preprocess.")
    after = load(path, pasted(found.message, preprocess), ignore=("k",))
    assert level not in after.encoder.inputs[0].levels


def test_a_level_that_the_config_keeps_has_no_warning(tmp_path):
    """`NA` is in the default of `missing_values`; a list without it says that it is a level."""
    path = write(["EU", "NA", "AF"] * 5, tmp_path / "t.csv")
    dataset = load(path, {"categorical": "one_hot", "missing_values": ("",)}, ignore=("k",))
    assert dataset.encoder.inputs[0].levels == ("AF", "EU", "NA")
    assert not [each for each in dataset.summary.warnings if each.kind == "placeholder"]


@pytest.mark.parametrize("cells", [["a", "b", "None"], ["brick", "none", "stone"], ["-1", "0", "1"], ["M", "F", "x"]])
def test_usual_levels_have_no_warning(cells, tmp_path):
    path = write(cells * 5, tmp_path / "t.csv")
    preprocess = {"columns": {"x": {"categorical": "one_hot"}}}
    assert not [each for each in load(path, preprocess, ignore=("k",)).summary.warnings if each.kind == "placeholder"]


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.parquet", "t.jsonl"])
@pytest.mark.parametrize("cell", ["NA", "N/A", "?", " nan "])
def test_a_level_that_counts_as_missing_is_quoted_and_can_be_kept(name, cell, tmp_path):
    path = write(["EU", cell, "AF"] * 4, tmp_path / name)
    with pytest.raises(DataError) as caught:
        load(path, {"categorical": "one_hot"})
    message = str(caught.value)
    assert message.startswith(
        f"{path}, row 2, column 'x': the cell is '{cell}', which preprocess.missing_values counts as missing "
        "(4 missing cells in the column); if it is a level, set preprocess.missing_values: ["
    )
    marks = yaml.safe_load(message.split("preprocess.missing_values: ")[1].split("; ")[0])
    dataset = load(path, {"categorical": "one_hot", "missing_values": tuple(marks)})
    assert cell.strip() in dataset.encoder.inputs[0].levels


@pytest.mark.parametrize(
    ("cell", "shown"),
    [("?", "is '?', which"), ("NA", "is 'NA', which"), ("-999", "is '-999', which"), (" ", "is missing;")],
)
def test_a_missing_number_is_quoted_as_it_stands(cell, shown, tmp_path):
    path = write(["1", cell, "3"], tmp_path / "t.csv")
    marks = ("", "?", "NA", "-999")
    with pytest.raises(DataError, match=f"row 2, column 'x': the cell {shown.replace('?', '[?]')}"):
        load(path, {"missing_values": marks}, ignore=("k",))
    pq.write_table(pa.table({"x": [1.0, -999.0], "y": [1.0, 2.0]}), tmp_path / "t.parquet")
    with pytest.raises(
        DataError, match=r"row 2, column 'x': the cell is -999.0, which preprocess.missing_values counts"
    ):
        load(tmp_path / "t.parquet", {"missing_values": marks})
