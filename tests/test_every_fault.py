"""All faults of a table at once: few lines, and one block that makes the table usable wherever it is pasted."""

import csv as csv_module
import json
import shlex

import numpy as np
import pytest
from test_remedies import NASTY

from linreg_cli.config import load_config
from linreg_cli.data import load_dataset
from linreg_cli.errors import DataError
from linreg_cli.lookalike import normal

N = 60
STREAM = np.random.default_rng(4)
X, Y = STREAM.normal(size=(2, N)).round(3)


def words(gaps: int = 0) -> list[str]:
    return ["" if row < gaps else ("low", "mid", "high")[row % 3] for row in range(N)]


def numbers(gaps: int = 0) -> list[str]:
    return ["" if row < gaps else f"{value:.3f}" for row, value in enumerate(STREAM.normal(size=N))]


DATES = [f"2020-{1 + row % 12:02d}-{1 + row % 28:02d}" for row in range(N)]
#: Of these it cannot be known which number is the month.
DAYS = [f"{1 + row % 12:02d}/{1 + row % 9:02d}/2020" for row in range(N)]
IDS = [f"R{row:05d}" for row in range(N)]


def write(folder, columns, config="", *, target="y"):
    with open(folder / "t.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv_module.writer(file, lineterminator="\n")
        writer.writerow([*columns, target])
        writer.writerows(zip(*columns.values(), Y, strict=True))
    (folder / "c.yaml").write_text(config or "data:\n  path: t.csv\n  target: y\n", encoding="utf-8")


def refused(*files, overrides=()):
    with pytest.raises(DataError) as caught:
        load_dataset(load_config([*files], [*overrides]).config)
    return caught.value.faults


def lines_to_paste(fault) -> str:
    """The lines of the config below a message."""
    below = fault.block.split("\n")
    assert below[0].startswith("paste into the config")
    return "\n".join(line for line in below[1:] if not line.startswith(("or add ", "linreg init "))) + "\n"


def usable_when_pasted(folder, fault):
    """As a file of its own, and as the options that are shown beside it."""
    (folder / "fix.yaml").write_text(lines_to_paste(fault), encoding="utf-8")
    dataset = load_dataset(load_config(["c.yaml", "fix.yaml"], []).config)
    options = next((line for line in fault.block.split("\n") if line.startswith("or add ")), None)
    if options is not None:
        overrides = shlex.split(options.removeprefix("or add "))[1::2]
        assert load_dataset(load_config(["c.yaml"], overrides).config).fingerprint() == dataset.fingerprint()
    return dataset


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_table_of_33_columns_of_text_and_12_with_gaps_is_answered_in_few_lines(folder):
    columns = {f"text {number}": words(number % 3) for number in range(33)}
    columns |= {f"gap {number}": numbers(5) for number in range(12)} | {"id": IDS, "day": DATES}
    write(folder, columns)
    faults = refused("c.yaml")
    assert [(fault.kind, len(fault.columns)) for fault in faults] == [
        ("text", 33), ("date", 1), ("identifier", 1), ("missing", 34),
    ]  # fmt: skip
    assert faults[0].message == (
        "33 columns hold text or categories: text 0, text 1, text 2, text 3, text 4, text 5, text 6, text 7 and 25 "
        "more (first: text 0, 'low' in row 1)"
    )
    assert faults[3].message.startswith("34 columns have missing cells: text 1 (1), text 2 (2), text 4 (1)")
    assert lines_to_paste(faults[3]) == (
        "data:\n  ignore: [id]\n  features: [\"*\", 'days(day)']\n"
        "preprocess:\n  categorical: one_hot\n  missing: level\n"
    )
    assert faults[3].settings == {
        "data.ignore": ["id"], "data.features": ["*", "days(day)"],
        "preprocess.categorical": "one_hot", "preprocess.missing": "level",
    }  # fmt: skip
    assert faults[3].block.endswith("linreg init t.csv --target y writes such a config")
    assert len(usable_when_pasted(folder, faults[3]).encoder.columns) == 46


@pytest.mark.parametrize("name", [name for name in NASTY if name not in ("y", "\ufeffbom")])
def test_the_block_works_whatever_columns_are_called(name, folder):
    other = f"*{name}?"  # which is also a pattern that matches the first
    given = {name: words(3), other: numbers(4), f"{name}.": DATES, f"{name} day": DAYS, f"{name} id": IDS, "x": X}
    write(folder, given)
    dataset = usable_when_pasted(folder, refused("c.yaml")[-1])
    assert dataset.encoder.columns == tuple(normal(column) for column in [name, other, "x", f"{name}."])


def test_exceptions_that_the_config_has_stay_and_are_overruled_where_they_are_the_reason(folder):
    config = """
data:
  path: t.csv
  target: y
  ignore: [z]
preprocess:
  missing: mean
  columns:
    "g*": {categorical: error}
    x: {missing: median}
"""
    write(folder, {"g1": words(2), "g2": words(), "x": numbers(3), "e": words(), "z": IDS}, config)
    fault = refused("c.yaml")[-1]
    assert fault.settings == {
        "preprocess.categorical": "one_hot",
        "preprocess.columns": {
            "g*": {"categorical": "error"}, "x": {"missing": "median"},
            "g1": {"categorical": "one_hot", "missing": "level"}, "g2": {"categorical": "one_hot"},
        },
    }  # fmt: skip
    assert usable_when_pasted(folder, fault).encoder.columns == ("g1", "g2", "x", "e")


def test_features_that_are_listed_are_left_out_of_the_list(folder):
    write(
        folder,
        {"a": words(), "d": DATES, "x": numbers(1), "b": IDS},
        "data: {path: t.csv, target: y, features: [x, d, a]}",
    )
    fault = refused("c.yaml")[-1]
    assert fault.settings["data.features"] == ["x", "a", "days(d)"]
    assert usable_when_pasted(folder, fault).encoder.columns == ("x", "a", "d")


def test_gaps_and_levels_that_only_the_test_split_has_are_found_with_the_text(folder):
    split = ["train"] * (N - 6) + ["test"] * 6
    gap = [*words()[:-1], ""]
    rare = [*words()[:-1], "rare"]
    config = "data:\n  path: t.csv\n  target: y\n  split: {column: s}\n"
    write(folder, {"gap": gap, "rare": rare, "s": split}, config)
    faults = refused("c.yaml")
    assert [(fault.kind, fault.columns) for fault in faults] == [
        ("text", ("gap", "rare")), ("missing", ("gap",)), ("unknown", ("rare",)),
    ]  # fmt: skip
    assert faults[-1].settings == {
        "preprocess.categorical": "one_hot", "preprocess.missing": "level", "preprocess.unknown": "ignore",
    }  # fmt: skip
    assert usable_when_pasted(folder, faults[-1]).features == ("gap=low", "gap=mid", "rare=low", "rare=mid")


def test_placeholders_and_a_missing_target_and_a_column_without_a_value(folder):
    columns = {"p": [*numbers()[:-2], "NULL", "NULL"], "q": [*numbers()[:-1], "#N/A"], "e": [""] * N, "x": X}
    write(folder, columns)
    text = (folder / "t.csv").read_text().splitlines()
    text[5] = text[5].rsplit(",", 1)[0] + ","
    (folder / "t.csv").write_text("\n".join(text) + "\n")
    fault = refused("c.yaml")[-1]
    assert fault.settings["preprocess.missing_values"][-2:] == ["NULL", "#N/A"]
    assert fault.settings["preprocess.columns"] == {"y": {"missing": "drop"}}
    assert fault.settings["data.ignore"] == ["e"]
    dataset = usable_when_pasted(folder, fault)
    assert dataset.summary.n_dropped == 1
    assert dataset.features == ("p", "p=(missing)", "q", "q=(missing)", "x")


def test_what_no_setting_solves_stays_as_precise_as_it_was(folder):
    write(folder, {"slip": ["12..5", *numbers()[1:]], "a": words(), "b": words(2), "big": ["1e999", *numbers()[1:]]})
    faults = refused("c.yaml")
    assert [str(fault).split("; ")[0] for fault in faults[:2]] == [
        "t.csv, row 1, column 'slip': '12..5' is not a number, and the column is mostly numbers",
        "t.csv, row 1, column 'big': the value is infinite or overflows float64",
    ]
    assert [fault.kind for fault in faults] == [None, None, "text", "missing"]
    (folder / "fix.yaml").write_text(lines_to_paste(faults[-1]))
    assert [fault.columns for fault in refused("c.yaml", "fix.yaml")] == [("slip",), ("big",)]


def test_a_target_in_another_notation_is_named_once(folder):
    """It stays unreadable when the columns beside it are left out, and is no further fault then."""
    lines = ["Preis;a;Ort", "1.234,5;2,5;x", "2.345,5;3,5;y", "1.999,1;1,1;x"]
    (folder / "t.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "c.yaml").write_text("data: {path: t.csv, target: Preis, delimiter: ';'}\n", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        load_dataset(load_config(["c.yaml"]).config)
    notation, text = caught.value.faults
    assert notation.message.startswith("columns 'a', 'Preis' have decimal commas and dots for thousands")
    assert text.message.startswith("'x' is not a number")


def test_one_column_has_its_precise_messages(folder):
    write(folder, {"a": words(2), "x": X})
    faults = refused("c.yaml")
    assert [str(fault) for fault in faults] == [
        "t.csv, row 3, column 'a': 'high' is not a number; set preprocess.categorical: one_hot, leave the column out "
        "with data.ignore: [a], or convert it to numbers",
        "t.csv, row 1, column 'a': the cell is missing (2 missing cells in the column); fill it in, set "
        "preprocess.missing: level (or drop), or leave the column out with data.ignore: [a]",
    ]
    write(folder, {"a": IDS, "x": X})
    [fault] = refused("c.yaml")
    assert fault.message.endswith("looks like an identifier or free text; leave it out with data.ignore: [a]")


def test_a_single_setting_is_on_the_line_itself(folder):
    write(folder, {"a": words(), "b": words(), "x": X})
    [fault] = refused("c.yaml")
    assert fault.message.endswith("(first: a, 'low' in row 1); set preprocess.categorical: one_hot")
    assert refused_or_columns(["preprocess.categorical=one_hot"]) == ("a", "b", "x")


def refused_or_columns(overrides):
    return load_dataset(load_config(["c.yaml"], overrides).config).encoder.columns


def test_where_nothing_would_be_left_no_lines_are_shown(folder):
    write(folder, {"a": IDS, "d": DAYS})
    faults = refused("c.yaml")
    assert faults[0].message.startswith("no feature is left")
    assert {fault.kind for fault in faults[1:]} == {"date", "identifier"}
    assert all(fault.block is None and fault.settings is None for fault in faults)


def test_a_target_that_cannot_be_one_is_named_beside_the_others(folder):
    write(folder, {"a": words(1), "b": words(), "x": X, "v": [""] * N}, "data: {path: t.csv, target: v}")
    faults = refused("c.yaml")
    assert [fault.kind for fault in faults] == [None, "text", "missing"]
    assert str(faults[0]).endswith(
        "column 'v': the cell is missing (60 missing cells in the column); no cell of the column has a "
        "value; choose another target"
    )
    assert faults[-1].settings is None


def test_json_has_an_entry_for_each_group(folder, linreg):
    write(folder, {"a": words(1), "b": words(), "x": numbers(2)})
    result = linreg("train", "-c", "c.yaml", "--json")
    assert result.code == 3
    error = result.json["error"]
    assert (error["kind"], error["where"]) == ("data", "t.csv")
    assert [(each["kind"], each["columns"]) for each in error["faults"]] == [
        ("text", ["a", "b"]),
        ("missing", ["a", "x"]),
    ]
    assert error["faults"][-1]["settings"] == {"preprocess.categorical": "one_hot", "preprocess.missing": "level"}
    assert "  categorical: one_hot\n  missing: level\n" in result.err
    assert "\x1b" not in json.dumps(error)


def test_another_table_is_refused_in_one_line_with_a_command_that_helps(folder, linreg):
    write(
        folder,
        {"a": words(), "b": words(), "x": X},
        "data: {path: t.csv, target: y}\npreprocess: {categorical: one_hot}\ntrain: {epochs: 1}\nplots: false\n",
    )
    assert linreg("train", "-c", "c.yaml", "--quiet").code == 0
    (folder / "new.csv").write_text("a,b,x,y\nnew,low,1,1\nlow,other,2,2\n")
    for command in ("predict", "evaluate"):
        result = linreg(command, "latest", "--data", "new.csv")
        [line] = [line for line in result.err.splitlines() if line.startswith("error: ")]
        assert line.startswith(
            "error: new.csv: 2 columns have levels that no train row has: a, b (first: a, 'new' in row 1)"
        )
    again = line.split("train again: linreg ")[1]
    assert linreg(*shlex.split(again), "--quiet").code == 0
    assert linreg("predict", "latest", "--data", "new.csv").code == 0
