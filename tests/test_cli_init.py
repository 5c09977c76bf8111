"""`linreg init` and `linreg train TABLE`: one config, and what is said where the words do not fit."""

import json
import shlex

import pytest
import yaml

TABLE = "id,size,kind,price\n" + "".join(
    f"h{row},{row * row % 17},{'abc'[row % 3]},{3 * (row * row % 17) + row % 3 + row % 7 / 10}\n" for row in range(60)
)


@pytest.fixture
def houses(csv):
    return csv(TABLE, "houses.csv")


def test_init_writes_what_validate_accepts_and_train_takes(linreg, houses):
    written = linreg("init", "houses.csv", "--target", "price")
    assert (written.code, written.out, written.err) == (0, "houses.yaml\n", "")
    assert linreg("validate", "houses.yaml").code == 0
    trained = linreg("train", "-c", "houses.yaml", "--json", "--set", "plots=false")
    assert trained.json["run"] == "houses-0001"


def test_inspect_says_that_the_config_leads_to_the_exact_fit_and_asks_for_no_change(linreg, houses):
    """Its `stop_gap` is below that at which a coefficient may be 0.01 standard errors away; 1e-3 is not."""
    linreg("init", "houses.csv", "--target", "price")
    said = linreg("inspect", "-c", "houses.yaml").out
    assert "What to do:" in said
    assert "--set" not in said.split("Columns:")[0]
    loose = linreg("inspect", "-c", "houses.yaml", "--set", "train.stop_gap=1e-3").out
    assert "--set train.stop_gap=null" in loose.split("Columns:")[0]


def test_the_table_alone_is_trained_with_the_same_config(linreg, houses, tmp_path):
    linreg("init", "houses.csv", "--target", "price")
    by_config = linreg("train", "-c", "houses.yaml", "--json", "--set", "plots=false").json
    alone = linreg("train", "houses.csv", "--target", "price", "--json", "--set", "plots=false").json
    assert alone["run"] == "houses-0002"
    configs = [(tmp_path / run["path"] / "config.yaml").read_text() for run in (by_config, alone)]
    assert configs[0] == configs[1]
    assert alone["metrics"] == by_config["metrics"]


def test_decisions_are_in_the_record_and_on_stderr(linreg, houses, tmp_path):
    result = linreg("train", "houses.csv", "--target", "price", "--set", "plots=false")
    assert result.code == 0
    assert "id is ignored: identifier or free text: 60 levels in 60 cells, such as 'h0'" in result.err
    decisions = json.loads((tmp_path / "outputs/houses-0001/run.json").read_text())["decisions"]
    assert decisions["columns"]["id"]["value"] == "ignored"
    assert decisions["columns"]["kind"] == {
        "value": "category",
        "why": "text, 3 levels; reference level a",
        "auto": True,
    }
    assert decisions["settings"]["data.split"]["value"] == {"train": 0.8, "test": 0.2}


def test_set_overrides_what_was_decided(linreg, houses, tmp_path):
    linreg(
        "train",
        "houses.csv",
        "--target",
        "price",
        "--set",
        "plots=false",
        "--set",
        "data.split={train: 0.5, test: 0.5}",
    )
    record = json.loads((tmp_path / "outputs/houses-0001/run.json").read_text())
    assert record["data"]["rows"]["test"] == 30
    assert "data.split" not in record["decisions"]["settings"]


def test_a_file_is_not_overwritten_without_force(linreg, houses, tmp_path):
    (tmp_path / "houses.yaml").write_text("mine")
    refused = linreg("init", "houses.csv", "--target", "price")
    assert refused.code == 2
    assert "the file exists; overwrite it with --force" in refused.err
    assert (tmp_path / "houses.yaml").read_text() == "mine"
    assert linreg("init", "houses.csv", "--target", "price", "--force").code == 0
    assert yaml.safe_load((tmp_path / "houses.yaml").read_text())["data"]["target"] == "price"


def test_the_config_goes_where_it_is_sent(linreg, houses, tmp_path):
    assert linreg("init", "houses.csv", "--target", "price", "-o", "a.yaml").out == "a.yaml\n"
    assert "linreg train -c a.yaml" in (tmp_path / "a.yaml").read_text()
    assert (
        yaml.safe_load(linreg("init", "houses.csv", "--target", "price", "-o", "-").out)["data"]["path"] == "houses.csv"
    )
    assert not (tmp_path / "houses.yaml").exists()


def test_without_a_table_a_config_to_start_from_is_written_that_runs(linreg):
    assert linreg("init").out == "config.yaml\n"
    result = linreg("train", "-c", "config.yaml", "--json", "--set", "plots=false")
    assert result.code == 0
    assert result.json["metrics"]["parameters"]["weights"]["x1"] == pytest.approx(2, abs=0.02)


ERRORS = {
    "no target": (["train", "houses.csv"], 2, "houses.csv --target COLUMN; its columns: id, size, kind, price"),
    "table for a config": (["train", "-c", "houses.csv"], 2, "train it with linreg train houses.csv --target COLUMN"),
    "config for a table": (["train", "houses.yaml"], 2, "linreg train -c houses.yaml"),
    "a similar config": (["train", "house.yaml"], 2, "; did you mean 'houses.yaml'?"),
    "no such config": (["train", "house.yaml"], 2, "house.yaml: there is no such file (in "),
    "both": (["train", "houses.csv", "--target", "price", "-c", "c.yaml"], 2, "leave one of them out"),
    "resume": (["train", "houses.csv", "--target", "price", "--resume", "latest"], 2, "leave TABLE out"),
    "target without a table": (["train", "-c", "c.yaml", "--target", "price"], 2, "in a config set data.target"),
    "unknown target": (["train", "houses.csv", "--target", "prize"], 3, "did you mean 'price'? The table has id,"),
    "unknown ignore": (["init", "houses.csv", "--target", "price", "--ignore", "q"], 3, "the table has id, size"),
    "text": (["train", "houses.csv", "--target", "kind"], 3, "choose another target; columns of numbers: size, price"),
    "address": (["train", "https://127.0.0.1/t.csv", "--target", "y"], 2, "data.path and data.sha256"),
    "no such table": (["train", "gone.csv", "--target", "y"], 3, "there is no such file"),
    "another source": (["init", "houses.csv", "--target", "price", "--ignore", "price"], 3, "is also the target"),
    "suffix": (["init", "houses.csv", "--target", "price", "-o", "a.csv"], 2, "the name must end in .yaml or .yml"),
}  # fmt: skip


@pytest.mark.parametrize("kind", ERRORS)
def test_words_that_do_not_fit_are_refused_with_what_was_probably_meant(linreg, houses, kind):
    houses.with_suffix(".yaml").write_text("data: {path: houses.csv, target: price}")
    command, code, message = ERRORS[kind]
    result = linreg(*command)
    assert (result.code, message in result.err) == (code, True), result.err


def test_the_command_that_an_error_shows_works_when_it_is_pasted(linreg, csv):
    csv(TABLE, "my houses.csv")
    shown = linreg("train", "my houses.csv").err
    command = shlex.split(shown.partition("column to predict: ")[2].partition(";")[0])
    assert command[0] == "linreg"
    words = ["price" if word == "COLUMN" else word for word in command[1:]]
    assert linreg(*words, "--quiet", "--set", "plots=false").code == 0


def test_columns_with_commas_are_named_whole_or_in_quotes(linreg, csv):
    csv('"Lot Size, sqft",a,y\n' + "".join(f"{row},{row * row % 7},{row % 5}\n" for row in range(30)), "t.csv")
    written = linreg("init", "t.csv", "--target", "Lot Size, sqft", "-o", "-")
    assert yaml.safe_load(written.out)["data"]["target"] == "Lot Size, sqft"
    both = linreg("init", "t.csv", "--target", '"Lot Size, sqft",y', "-o", "-")
    assert yaml.safe_load(both.out)["data"]["target"] == ["Lot Size, sqft", "y"]
