"""`linreg runs`: the list is for people, for spreadsheets and for scripts."""

import csv
import io

import pytest

CONFIG = "name: {name}\ndata: {{source: synthetic, n_samples: 20}}\ntrain: {{epochs: 1}}\nplots: false\n"


@pytest.fixture
def runs(linreg, config_file):
    for name in ("a", "b", "a"):
        assert linreg("train", "-c", config_file(CONFIG.format(name=name)), "--quiet").code == 0


@pytest.mark.parametrize(
    ("flags", "expected"),
    [([], "no runs in outputs; make one with 'linreg train -c CONFIG'\n"), (["--json"], '{\n  "runs": []\n}\n')],
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


@pytest.mark.parametrize(("reference", "message"), [("a", "ambiguous: a-0001, a-0002"), ("c", "there is no run 'c'")])
def test_an_unknown_run_is_a_store_error(linreg, runs, reference, message):
    for command in (["runs", "show"], ["evaluate"], ["plot"], ["predict", "--data", "x.csv"]):
        result = linreg(*command, reference, "--json")
        assert result.code == 6
        assert message in result.json["error"]["message"]
        assert result.json["error"]["kind"] == "store"
