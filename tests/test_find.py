"""Runs are found by what people type: an id, a name, a prefix, `latest`, a path."""

from pathlib import Path

import pytest
from run_folders import make_run

from linreg_cli.errors import StoreError, UsageError
from linreg_cli.runs.find import find_run
from linreg_cli.runs.store import RunFolder


def make(outputs: Path, name: str, day: int, **values) -> RunFolder:
    return make_run(outputs, name, created=f"2020-01-{day:02}T00:00:00.000000Z", **values)


def message(action, *args) -> str:
    with pytest.raises(StoreError) as caught:
        action(*args)
    assert caught.value.exit_code == 6
    return str(caught.value)


@pytest.fixture
def outputs(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "outputs"
    for day, name in enumerate(("housing", "housing", "house", "points"), 1):
        make(folder, name, day)
    (folder / "comparisons").mkdir()
    (folder / "README.md").write_text("x")
    return folder


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("housing-0001", "housing-0001"), ("p", "points-0001"), ("house-", "house-0001"),
        ("latest", "points-0001"), ("outputs/housing-0002", "housing-0002"), ("outputs/housing-0002/", "housing-0002"),
        ("./outputs/house-0001", "house-0001"), ("outputs/../outputs/points-0001", "points-0001"),
    ],
)  # fmt: skip
def test_a_run_is_found_by_id_prefix_latest_and_path(outputs, reference, expected):
    assert find_run(outputs, reference).id == expected


def test_a_run_is_found_from_within(outputs, monkeypatch):
    monkeypatch.chdir(outputs / "house-0001")
    assert find_run(Path("outputs"), ".").id == "house-0001"
    monkeypatch.chdir(outputs)
    assert find_run(Path("outputs"), "house-0001").id == "house-0001"


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("housing-", "'housing-' is ambiguous: housing-0001, housing-0002"),
        ("h", "'h' is ambiguous: house-0001, housing-0001, housing-0002"),
        ("housing-0003", "there is no run 'housing-0003'; the last ones are: house-0001, housing-0001, housing-0002, "),
        ("comparisons", "there is no run 'comparisons'"),
        ("..", "..: there is no run.json in this folder"),
        (".", ".: there is no run.json in this folder"),
        ("/", "/: there is no run.json in this folder"),
        ("../outputs", "../outputs: there is no such folder"),
        ("a/b", "a/b: there is no such folder"),
        ("", "the run id is empty"),
        ("  ", "the run id is empty"),
        ("housing-0001\n", "there is no run 'housing-0001\\n'"),
        ("*", "there is no run '*'"),
        ("-1", "there is no run '-1'"),
        ("x" * 5000, "there is no run"),
    ],
)  # fmt: skip
def test_a_run_that_is_not_there_is_explained(outputs, reference, expected):
    assert expected in message(find_run, outputs, reference)


def test_a_nul_names_no_run_and_no_folder(outputs):
    with pytest.raises(UsageError, match="a path cannot hold a NUL character"):
        find_run(outputs, "a\0b")


def test_without_runs_the_message_says_how_to_make_one(tmp_path):
    ways = "start one with 'linreg train TABLE --target COLUMN' or 'linreg train -c CONFIG'"
    assert ways in message(find_run, tmp_path / "outputs", "latest")
    assert message(find_run, tmp_path / "outputs", "a").endswith(f"there is no run 'a'; there are no runs yet; {ways}")


@pytest.mark.parametrize(
    ("reference", "expected"),
    [("housing", "housing-0002"), ("house", "house-0001"), ("points", "points-0001"), ("hous", None)],
)
def test_a_name_is_the_latest_run_of_exactly_that_name(outputs, reference, expected):
    if expected is None:
        assert "'hous' is ambiguous" in message(find_run, outputs, reference)
    else:
        assert find_run(outputs, reference).id == expected


def test_the_latest_of_a_name_is_the_one_that_was_started_last_as_for_latest(outputs):
    """Numbers may be out of order: a run that was copied here from another machine keeps the time of its start."""
    make(outputs, "housing", 1)  # housing-0003, of the day of the first one
    assert find_run(outputs, "housing").id == "housing-0002"
    assert find_run(outputs, "latest").id == "points-0001"


def test_a_name_that_has_a_damaged_run_finds_the_others_and_else_the_damaged_one(outputs):
    (outputs / "housing-0002" / "run.json").write_text("{")
    assert find_run(outputs, "housing").id == "housing-0001"
    (outputs / "points-0001" / "run.json").write_text("{")
    assert "damaged" in message(find_run(outputs, "points").record)


def test_an_id_wins_over_a_name_and_a_name_over_a_folder_here(outputs, tmp_path):
    (outputs / "housing-00012").mkdir()  # not an id: the number has a zero too many
    make(outputs, "housing-0001", 9)  # housing-0001-0001
    assert find_run(outputs, "housing-0001").path == outputs / "housing-0001"
    assert find_run(outputs, "housing-0001-").id == "housing-0001-0001"
    for name in ("housing", "housing-0002", "p"):
        here = tmp_path / name
        here.mkdir()
        (here / "run.json").write_text("{}")
    assert find_run(outputs, "housing").path == outputs / "housing-0002"
    assert find_run(outputs, "housing-0002").path == outputs / "housing-0002"
    assert find_run(outputs, "./housing").path == Path("housing")
    assert find_run(outputs, "p").path == Path("p")  # what is there wins over the beginning of an id


def test_latest_is_the_latest_of_all_also_where_runs_have_that_name(outputs):
    make(outputs, "latest", 1)
    assert find_run(outputs, "latest").id == "points-0001"
    assert find_run(outputs, "latest-").id == "latest-0001"


def test_every_command_that_takes_a_run_takes_a_name(linreg, config_file):
    config_file("data: {source: synthetic, n_samples: 20}\ntrain: {epochs: 1}\nplots: false\n")
    for name in ("gd", "gd", "gd-auto"):
        assert linreg("train", "-c", "config.yaml", "--name", name, "--quiet").code == 0
    Path("rows.csv").write_text("x1,x2\n1,2\n")
    assert linreg("runs", "show", "gd", "--json").json["run"] == "gd-0002"
    assert linreg("evaluate", "gd").code == 0
    assert linreg("predict", "gd", "--data", "rows.csv").code == 0
    assert linreg("plot", "gd", "--kind", "loss").out == "outputs/gd-0002/plots/loss.png\n"
    assert linreg("report", "gd", "gd-auto", "--json").json["runs"] == ["gd-0002", "gd-auto-0001"]
    assert linreg("runs", "diff", "gd-0001", "gd", "--json").json["runs"] == ["gd-0001", "gd-0002"]
    assert linreg("runs", "label", "gd", "best", "--json").json["run"] == "gd-0002"
    assert "gd-0002 is already complete" in linreg("train", "--resume", "gd").out
    assert linreg("runs", "rm", "gd", "--yes", "--json").json["removed"] == ["gd-0002"]
