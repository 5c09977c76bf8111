"""`linreg runs`: the list is for people, for spreadsheets and for scripts."""

import csv
import io
import json
import shutil

import pytest
from conftest import REPOSITORY

from linreg_cli.runs.lock import hold

CONFIG = "name: {name}\ndata: {{source: synthetic, n_samples: 20}}\ntrain: {{epochs: 1}}\nplots: false\n"


@pytest.fixture
def runs(linreg, config_file):
    for name in ("a", "b", "a"):
        assert linreg("train", "-c", config_file(CONFIG.format(name=name)), "--quiet").code == 0


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ([], "there are no runs in outputs; start one with 'linreg train -c CONFIG'\n"),
        (["--json"], '{\n  "runs": []\n}\n'),
    ],
)
def test_an_empty_store_is_no_error(linreg, flags, expected):
    result = linreg("runs", "list", *flags)
    assert (result.code, result.out, result.err) == (0, expected, "")


def test_the_list_is_in_the_order_of_making_in_every_form(linreg, runs):
    rows = linreg("runs", "list", "--json").json["runs"]
    assert [row["run"] for row in rows] == ["a-0001", "b-0001", "a-0002"]
    assert all(row["status"] == "finished" and row["epochs"] == 1 and row["test_r2"] is None for row in rows)
    table = list(csv.DictReader(io.StringIO(linreg("runs", "list", "--csv").out)))
    assert [row["run"] for row in table] == ["a-0001", "b-0001", "a-0002"]
    assert float(table[0]["train_loss"]) == rows[0]["train_loss"]
    lines = linreg("runs", "list").out.splitlines()
    assert lines[0].split()[:3] == ["run", "status", "created"]
    assert [line.split()[0] for line in lines[1:]] == ["a-0001", "b-0001", "a-0002"]
    assert "test_r2" not in lines[0]  # no run has a test split


def test_show_prints_the_record_and_the_metrics(linreg, runs):
    result = linreg("runs", "show", "b")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("outputs/b-0001\n  status    finished\n")
    for text in ("synthetic data (20 train)", "x1", "(bias)", "rmse"):
        assert text in result.out
    shown = linreg("runs", "show", "b", "--json").json
    assert set(shown) == {"run", "path", "record", "metrics"}
    assert (shown["run"], shown["path"], shown["metrics"]["train"]["n"]) == ("b-0001", "outputs/b-0001", 20)


def test_a_run_without_metrics_is_shown(linreg, runs, tmp_path):
    (tmp_path / "outputs" / "b-0001" / "metrics.json").unlink()
    assert linreg("runs", "show", "b").code == 0
    assert linreg("runs", "show", "b", "--json").json["metrics"] is None
    assert linreg("runs", "list", "--json").json["runs"][1]["train_loss"] is None


@pytest.mark.parametrize(
    ("reference", "message"), [("a-000", "ambiguous: a-0001, a-0002"), ("c", "there is no run 'c'")]
)
def test_an_unknown_run_is_a_store_error(linreg, runs, reference, message):
    for command in (["runs", "show"], ["evaluate"], ["plot"], ["predict", "--data", "x.csv"]):
        result = linreg(*command, reference, "--json")
        assert result.code == 6
        assert message in result.json["error"]["message"]
        assert result.json["error"]["kind"] == "store"


# ---------------------------------------------------------------------------------------- filters, sorting, labels


def test_filters_and_sorting(linreg, runs, tmp_path):
    path = tmp_path / "outputs" / "b-0001" / "run.json"
    path.write_text(path.read_text().replace('"finished",', '"failed",', 1))

    def listed(*options):
        result = linreg("runs", "list", "--json", *options)
        assert result.code == 0, result.err
        return [row["run"] for row in result.json["runs"]]

    assert listed("--status", "finished") == ["a-0001", "a-0002"]
    assert listed("--status", "failed", "--status", "finished") == ["a-0001", "b-0001", "a-0002"]
    assert listed("--name", "a") == listed("--name", "?")[::2] == ["a-0001", "a-0002"]
    assert listed("--name", "z*") == []
    assert listed("--sort", "run") == ["a-0001", "a-0002", "b-0001"]
    assert listed("--sort", "created", "--reverse") == ["a-0002", "b-0001", "a-0001"]
    (tmp_path / "outputs" / "a-0001" / "metrics.json").unlink()
    assert listed("--sort", "train_loss")[-1] == listed("--sort", "train_loss", "--reverse")[-1] == "a-0001"
    assert "none of the 3 runs" in linreg("runs", "list", "--name", "z").out
    for options, message in [
        (("--status", "finishd"), "--status: unknown value 'finishd'; did you mean 'finished'?"),
        (("--sort", "loss"), "--sort: unknown value 'loss'; allowed: run, label"),
    ]:
        result = linreg("runs", "list", *options)
        assert (result.code, message in result.err) == (2, True)


def test_labels(linreg, runs, tmp_path):
    assert linreg("runs", "label", "b", "the best").code == 0
    assert linreg("runs", "label", "a-0002", "old", "--json").json == {"run": "a-0002", "label": "old"}
    assert [row["label"] for row in linreg("runs", "list", "--json").json["runs"]] == [None, "the best", "old"]
    assert [row["run"] for row in linreg("runs", "list", "--label", "old", "--json").json["runs"]] == ["a-0002"]
    assert "the best" in linreg("runs", "list").out
    assert linreg("runs", "label", "b", "").code == 0
    assert [row["label"] for row in linreg("runs", "list", "--json").json["runs"]] == [None, None, "old"]
    for text in ("two\nlines", "\x1b[31mred", "x" * 201):
        assert linreg("runs", "label", "b", text).code == 2
    lock = hold(tmp_path / "outputs" / "b-0001")
    assert linreg("runs", "label", "b", "x").code == 6
    lock.release()


def test_diff_shows_what_differs_and_nothing_else(linreg, config_file):
    for name, lr in (("a", 0.1), ("a", 0.2), ("a", 0.1)):
        linreg("train", "-c", config_file(CONFIG.format(name=name)), "--set", f"optimizer.lr={lr}")
    found = linreg("runs", "diff", "a-0001", "a-0002", "--json").json
    assert found["runs"] == ["a-0001", "a-0002"]
    assert found["differences"]["optimizer.lr"] == {"first": 0.1, "second": 0.2}
    assert {key.split(".")[0] for key in found["differences"]} == {
        "optimizer",
        "train",
        "parameters",
        "optimum",
        "inference",
    }
    rows = list(csv.reader(io.StringIO(linreg("runs", "diff", "a-0001", "a-0002", "--csv").out)))
    assert rows[0] == ["key", "a-0001", "a-0002"]
    assert ["optimizer.lr", "0.1", "0.2"] in rows
    assert "optimizer.lr" in linreg("runs", "diff", "a-0001", "a-0002").out
    assert linreg("runs", "diff", "a-0001", "a-0003").out == "a-0001 and a-0003 differ only in times and ids\n"


# ------------------------------------------------------------------------------------------------------- removal


def folders(tmp_path):
    return sorted(path.name for path in (tmp_path / "outputs").iterdir())


def test_nothing_is_removed_without_being_asked(linreg, runs, tmp_path, monkeypatch):
    for options in ((), ("--json",)):
        result = linreg("runs", "rm", "b", *options)
        assert (result.code, "b-0001 permanently; confirm with --yes" in result.err) == (2, True)
    assert folders(tmp_path) == ["a-0001", "a-0002", "b-0001"]
    for answer, code, left in [("n\n", 130, ["a-0001", "a-0002", "b-0001"]), ("y\n", 0, ["a-0001", "a-0002"])]:
        terminal = io.StringIO(answer)
        monkeypatch.setattr(terminal, "isatty", lambda: True)
        monkeypatch.setattr("sys.stdin", terminal)
        assert linreg("runs", "rm", "b").code == code
        assert folders(tmp_path) == left
    result = linreg("runs", "rm", "a-0001", "a-0002", "--yes", "--json")
    assert result.json == {"removed": ["a-0001", "a-0002"]}
    assert folders(tmp_path) == []


def test_unless_every_run_can_be_removed_none_is(linreg, runs, tmp_path):
    lock = hold(tmp_path / "outputs" / "b-0001")
    for other, message in [("zz", "there is no run 'zz'"), ("a-000", "ambiguous"), ("b", "in use by PID")]:
        result = linreg("runs", "rm", "a-0001", other, "--yes")
        assert (result.code, message in result.err) == (6, True)
    lock.release()
    assert folders(tmp_path) == ["a-0001", "a-0002", "b-0001"]


def test_only_runs_are_removed(linreg, runs, tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "run.json").write_text("{}")
    (tmp_path / "link-0001").symlink_to(tmp_path / "outputs" / "b-0001")
    names = [
        "..",
        ".",
        "/",
        "../x",
        "outputs",
        "",
        " ",
        "-x",
        "a:b",
        "b-0001/..",
        "precious",
        "link-0001",
        "\0",
        "x" * 500,
    ]
    for name in names:
        result = linreg("runs", "rm", "--yes", "--", name)
        assert result.code in (2, 6), name
        assert "Traceback" not in result.err
    assert folders(tmp_path) == ["a-0001", "a-0002", "b-0001"]
    assert (tmp_path / "precious" / "run.json").exists()


def test_a_damaged_run_can_be_removed(linreg, runs, tmp_path):
    (tmp_path / "outputs" / "b-0001" / "run.json").write_text("{")
    assert linreg("runs", "rm", "b-0001", "--yes").code == 0
    assert folders(tmp_path) == ["a-0001", "a-0002"]


def test_names_of_runs_stay_within_the_store(linreg, config_file, tmp_path):
    for name in ("..", "a/b", "../a", "a:b", "-a", ".a", "a b", "a\\b", "ä/b", "a\n"):
        result = linreg("train", "-c", config_file(CONFIG.format(name="a")), "--name", name)
        assert (result.code, "name" in result.err) == (2, True), name
    assert not (tmp_path / "outputs").exists()


# --------------------------------------------------------------------------------------------- an old run is read


def test_a_stored_old_run_is_read(linreg, tmp_path):
    """As the first format wrote it, before there were digests and resumable checkpoints."""
    shutil.copytree(REPOSITORY / "tests" / "data" / "run-format-1", tmp_path / "outputs" / "old-0001")
    [row] = linreg("runs", "list", "--json").json["runs"]
    assert (row["run"], row["status"], row["epochs"]) == ("old-0001", "finished", 4)
    metrics = linreg("runs", "show", "old", "--json").json["metrics"]
    evaluated = linreg("evaluate", "old", "--json")
    assert evaluated.code == 0
    labels = {"units": "original", "r2_definition": "centred"}
    assert evaluated.json["test"] == {**labels, **metrics["test"]}
    (tmp_path / "t.csv").write_text("size\n10\n")
    predicted = linreg("predict", "old", "--data", "t.csv", "--json").json["predictions"]["prediction"]
    assert predicted == pytest.approx([23.256514310836792], rel=1e-6)  # the probe in its metrics.json
    assert linreg("plot", "old").code == 0
    result = linreg("train", "--resume", "old")
    assert result.code == 6
    assert "format 1 is older than format 2" in result.err
    assert "train again with 'linreg train -c" in result.err


def test_a_newer_run_is_refused(linreg, tmp_path):
    run = tmp_path / "outputs" / "old-0001"
    shutil.copytree(REPOSITORY / "tests" / "data" / "run-format-1", run)
    (run / "run.json").write_text((run / "run.json").read_text().replace('"format": 1', '"format": 2'))
    for command in (("evaluate",), ("runs", "show"), ("plot",), ("train", "--resume")):
        result = linreg(*command, "old")
        assert (result.code, "is newer than format 1" in result.err) == (6, True)
    assert "format 2 is newer" in linreg("runs", "list").err


def test_show_as_csv_has_a_line_for_each_value(linreg, config_file):
    linreg("train", "-c", config_file("{name: s, data: {source: synthetic, n_samples: 20}, plots: false}"))
    shown = linreg("runs", "show", "s", "--json").json
    rows = dict(csv.reader(io.StringIO(linreg("runs", "show", "s", "--csv").out)))
    assert rows.pop("key") == "value"
    assert rows["record.run"] == "s-0001"
    assert float(rows["metrics.train.r2"]) == shown["metrics"]["train"]["r2"]
    assert json.loads(rows["record.data.features"]) == shown["record"]["data"]["features"]
