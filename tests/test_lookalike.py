"""Names and levels in one normal form, and messages about those that only look the same."""

import json
import unicodedata

import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
import yaml

from linreg_cli.config import Config
from linreg_cli.data import load_dataset
from linreg_cli.errors import DataError
from linreg_cli.lookalike import in_ascii, same_appearance


def nfd(text):
    return unicodedata.normalize("NFD", text)


def write(table, path):
    match path.suffix:
        case ".parquet":
            pq.write_table(table, path)
        case ".feather":
            feather.write_feather(table, str(path))
        case ".jsonl":
            path.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in table.to_pylist()))
        case _:
            pcsv.write_csv(table, path)
    return path


def load(path, preprocess=None, **data):
    values = {"data": {"path": str(path), "target": "y", **data}, "preprocess": preprocess or {}}
    return load_dataset(Config.model_validate(values))


FORMATS = ["t.csv", "t.parquet", "t.feather", "t.jsonl"]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("form", [str, nfd])
@pytest.mark.parametrize("config_form", [str, nfd])
def test_names_and_levels_are_compared_in_one_normal_form(name, form, config_form, tmp_path):
    table = pa.table({
        form("größe"): [1.0, 2.0, 3.0, 4.0], form("Å"): [form("é"), "e", "é", "e"], form("Straße ñ"): [1, 0, 1, 0],
        "y": [1.0, 2.0, 3.0, 5.0],
    })  # fmt: skip
    path = write(table, tmp_path / name)
    dataset = load(
        path,
        {"columns": {config_form("Å"): {"categorical": "one_hot"}}},
        features=tuple(map(config_form, ("größe", "Å"))),
    )
    assert dataset.features == ("größe", "Å=é")
    assert dataset.columns["Å=é"].tolist() == [1, 0, 1, 0]
    assert load(path, ignore=(config_form("Å"), config_form("Straße ñ"))).features == ("größe",)


@pytest.mark.parametrize("trained", [str, nfd])
@pytest.mark.parametrize("new", [str, nfd])
def test_prediction_finds_names_and_levels_and_keeps_the_header(trained, new, linreg, config_file, tmp_path):
    rows = "".join(f"{row % 5}.5,{trained('é') if row % 2 else 'e'},{row}\n" for row in range(20))
    (tmp_path / "t.csv").write_text(f"{trained('größe')},{trained('ï')},y\n{rows}")
    text = f"data: {{path: t.csv, target: y, features: [{new('größe')}, {new('ï')}]}}\n"
    text += "preprocess: {categorical: one_hot}\n"
    text += f'plots: false\ntrain: {{epochs: 1}}\ngates: ["parameters.weights.{new("größe")} > -1e9"]\n'
    assert linreg("train", "-c", config_file(text, "m.yaml"), "--quiet").code == 0
    (tmp_path / "new.csv").write_text(f"{new('ñ')},{new('größe')},{new('ï')}\n{new('ü')},1.5,{new('é')}\n")
    result = linreg("predict", "m", "--data", "new.csv")
    assert result.code == 0
    header, row = result.out.splitlines()
    assert header == f"{new('ñ')},{new('größe')},{new('ï')},prediction"
    assert row.startswith(f"{new('ü')},1.5,{new('é')},")


@pytest.mark.parametrize(
    ("name", "other", "mark"),
    [
        ("New York", "New\u00a0York", "U+00A0 (no-break space)"),
        ("New York", "New\u202fYork", "U+202F (narrow no-break space)"),
        ("price", "pri\u200bce", "U+200B (zero width space)"),
        ("price", "\ufeffprice", "U+FEFF (zero width no-break space)"),
        ("price", "pr\u0456ce", "U+0456 (cyrillic small letter byelorussian-ukrainian i)"),
        ("co-op", "co\u2011op", "U+2011 (non-breaking hyphen)"),
        ("file", "\ufb01le", "U+FB01 (latin small ligature fi)"),
    ],
)
def test_a_name_that_only_looks_the_same_is_told_apart_and_can_be_pasted(name, other, mark, tmp_path):
    path = write(pa.table({other: [1.0, 2.0], "y": [1.0, 2.0]}), tmp_path / "t.csv")
    with pytest.raises(DataError) as caught:
        load(path, features=(name,))
    assert str(caught.value).endswith(
        f"there is no column {name!r}; did you mean {in_ascii(other)}? It looks the same: {in_ascii(other)} has {mark}"
    )
    assert load(path, features=(yaml.safe_load(in_ascii(other)),)).features == (other,)


def test_levels_that_look_the_same_have_a_warning_and_an_unknown_one_says_so(linreg, config_file, tmp_path):
    towns = ["New York", "Rome", "New\u00a0York"] * 8
    (tmp_path / "t.csv").write_text(
        "town,x,y\n" + "".join(f"{town},{row % 5},{row}\n" for row, town in enumerate(towns))
    )
    (found,) = [
        each
        for each in load(tmp_path / "t.csv", {"categorical": "one_hot"}).summary.warnings
        if each.kind == "lookalike"
    ]
    assert found.message.startswith(
        'town has two levels that look the same and are not: "New\\u00a0York" has U+00A0 (no-break space)'
    )
    (tmp_path / "t.csv").write_text(
        "town,x,y\n" + "".join(f"{town},{row},{row}\n" for row, town in enumerate(towns[:2]))
    )
    config = config_file(
        "data: {path: t.csv, target: y}\npreprocess: {categorical: one_hot}\nplots: false\ntrain: {epochs: 1}\n",
        "m.yaml",
    )
    assert linreg("train", "-c", config, "--quiet").code == 0
    (tmp_path / "new.csv").write_text("town,x\nNew\u00a0York,1\n")
    result = linreg("predict", "m", "--data", "new.csv")
    assert result.code == 3
    assert 'it looks the same as "New York": "New\\u00a0York" has U+00A0 (no-break space)' in result.err


def test_two_columns_that_are_one_in_the_normal_form_are_an_error(tmp_path):
    path = write(pa.table({"ä": [1.0, 2.0], nfd("ä"): [1.0, 3.0], "y": [1.0, 2.0]}), tmp_path / "t.parquet")
    with pytest.raises(DataError) as caught:
        load(path)
    assert str(caught.value).endswith(
        "duplicate column name: columns 1 and 2 are 'ä', written with different code points: "
        '"\\u00e4" has U+00E4 (latin small letter a with diaeresis); rename one'
    )


def test_names_that_look_different_are_no_lookalikes():
    assert same_appearance("price", ["prices", "Price", "prize", "price ", "pricé"]) is None
