"""`linreg report` writes one file, says where, and leaves the run and the list of runs as they were."""

import errno
import json
import os
import shutil
import threading

import pytest

from linreg_cli.report import results
from linreg_cli.report.markup import text

CONFIG = """
name: {name}
data: {{source: synthetic, n_samples: 30, weights: [2, 3], split: {{train: 0.5, test: 0.5}}}}
train: {{epochs: 2, checkpoint_every: 1}}
plots: false
"""


@pytest.fixture
def runs(linreg, config_file, monkeypatch):
    """Two runs; their pictures, which take a second each, are left out."""
    monkeypatch.setattr(results, "pictures", lambda run, **_: text("pictures"))
    monkeypatch.setattr(results, "overlaid", lambda runs: text("loss"))
    for name in ("a", "b"):
        assert linreg("train", "-c", config_file(CONFIG.format(name=name)), "--quiet").code == 0


def is_page(path) -> bool:
    content = path.read_bytes()
    return content.startswith(b'<!doctype html>\n<html lang="en">') and content.endswith(b"</html>\n")


def test_a_run_has_its_report_in_its_folder_and_the_path_is_printed(linreg, runs, tmp_path):
    result = linreg("report", "a")
    assert (result.code, result.out, result.err) == (0, "outputs/a-0001/report.html\n", "")
    assert is_page(tmp_path / "outputs" / "a-0001" / "report.html")
    again = (tmp_path / "outputs" / "a-0001" / "report.html").read_bytes()
    assert linreg("report", "a").code == 0
    assert (tmp_path / "outputs" / "a-0001" / "report.html").read_bytes() == again


def test_pictures_are_drawn_although_the_run_has_no_plots(linreg, config_file, tmp_path):
    linreg("train", "-c", config_file(CONFIG.format(name="a")), "--quiet")
    assert linreg("report", "latest").code == 0
    assert (tmp_path / "outputs" / "a-0001" / "report.html").read_text().count("<figure>") == 7
    assert not (tmp_path / "outputs" / "a-0001" / "plots").exists()


def test_several_runs_have_a_report_beside_the_other_comparisons(linreg, runs, tmp_path):
    result = linreg("report", "a", "b", "--json")
    assert result.json == {"report": "outputs/comparisons/report-a-0001-b-0001.html", "runs": ["a-0001", "b-0001"]}
    page = tmp_path / result.json["report"]
    assert is_page(page)
    assert "Comparison of 2 runs" in page.read_text()
    assert not list(tmp_path.glob("outputs/*/report.html"))


def test_a_run_that_is_named_twice_is_one_run(linreg, runs, tmp_path):
    result = linreg("report", "a", "outputs/a-0001", "--json")
    assert result.json == {"report": "outputs/a-0001/report.html", "runs": ["a-0001"]}


@pytest.mark.parametrize("named", [["a"], ["a", "b"]], ids=["one", "several"])
def test_the_file_may_be_chosen_and_nothing_else_is_written(linreg, runs, tmp_path, named):
    before = set(tmp_path.rglob("*"))
    result = linreg("report", *named, "-o", "r.html")
    assert (result.code, result.out, result.err) == (0, "r.html\n", "")
    assert is_page(tmp_path / "r.html")
    assert set(tmp_path.rglob("*")) - before == {tmp_path / "r.html"}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "error: Missing argument 'RUN...'"),
        (["a", "--kind", "loss"], 2, "error: No such option"),
        (["c"], 6, "error: outputs: there is no run 'c'"),
        (["a", "c"], 6, "error: outputs: there is no run 'c'"),
        (["a", "-o", "folder"], 6, "error: folder: cannot write: it is a folder; give the name of a file"),
        (["a", "-o", "no/r.html"], 6, "error: no/r.html: cannot write: there is no folder no; create it first"),
        (["a", "-o", "a.yaml/r.html"], 6, "error: a.yaml/r.html: cannot write: there is no folder a.yaml"),
    ],
)
def test_what_cannot_be_done_is_an_error_and_writes_nothing(linreg, runs, tmp_path, arguments, code, message):
    (tmp_path / "folder").mkdir()
    (tmp_path / "a.yaml").write_text("")
    before = sorted(tmp_path.rglob("*"))
    result = linreg("report", *arguments)
    assert (result.code, result.out) == (code, "")
    assert result.err.startswith(message)
    assert sorted(tmp_path.rglob("*")) == before


def test_comparisons_that_cannot_be_kept_are_a_store_error(linreg, runs, tmp_path):
    (tmp_path / "outputs" / "comparisons").write_text("")
    result = linreg("report", "a", "b")
    assert (result.code, result.err.startswith("error: outputs/comparisons: cannot create the folder")) == (6, True)


def test_a_run_that_cannot_be_written_to_is_a_store_error(linreg, runs, tmp_path, monkeypatch):
    def refused(*paths):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "replace", refused)
    before = sorted(tmp_path.rglob("*"))
    result = linreg("report", "a")
    assert (result.code, result.err) == (6, "error: outputs/a-0001/report.html: cannot write: Permission denied\n")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_link_and_a_pipe_are_written_to_and_stay(linreg, runs, tmp_path):
    assert linreg("report", "a").code == 0
    page = (tmp_path / "outputs" / "a-0001" / "report.html").read_bytes()
    (tmp_path / "link.html").symlink_to("elsewhere.html")
    assert linreg("report", "a", "-o", "link.html").out == "link.html\n"
    assert (os.readlink("link.html"), (tmp_path / "elsewhere.html").read_bytes()) == ("elsewhere.html", page)
    os.mkfifo(tmp_path / "pipe")
    received = []
    reader = threading.Thread(target=lambda: received.append((tmp_path / "pipe").read_bytes()), daemon=True)
    reader.start()
    assert linreg("report", "a", "-o", "pipe").code == 0
    reader.join(timeout=60)
    assert (received, (tmp_path / "pipe").is_fifo()) == ([page], True)


def test_a_link_to_a_file_of_a_run_is_refused(linreg, runs, tmp_path):
    metrics = tmp_path / "outputs" / "a-0001" / "metrics.json"
    before = metrics.read_bytes()
    (tmp_path / "link.html").symlink_to(metrics)
    result = linreg("report", "a", "-o", "link.html")
    assert (result.code, "the file would be inside a run folder" in result.err) == (2, True)
    assert metrics.read_bytes() == before


@pytest.mark.parametrize("file", ["run.json", "config.yaml", "metrics.json"])
@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff\x00", b'{"data": {'])
def test_a_damaged_run_is_a_store_error_and_leaves_the_old_report(linreg, runs, tmp_path, file, content):
    assert linreg("report", "a").code == 0
    folder = tmp_path / "outputs" / "a-0001"
    before = (folder / "report.html").read_bytes()
    (folder / file).write_bytes(content)
    result = linreg("report", "a", "--json")
    assert (result.code, result.json["error"]["kind"]) == (6, "store"), result.err
    assert "Traceback" not in result.err
    assert (folder / "report.html").read_bytes() == before


def test_the_report_disturbs_neither_the_list_nor_copying_nor_going_on(linreg, runs, tmp_path):
    folder = tmp_path / "outputs" / "a-0001"
    listed = linreg("runs", "list", "--json").json
    linreg("report", "a")
    linreg("report", "a", "b")
    found = linreg("runs", "list", "--json")
    assert (found.json, found.err) == (listed, "")
    assert linreg("evaluate", "a").code == 0
    shutil.copytree(folder, tmp_path / "elsewhere")
    assert linreg("report", "./elsewhere").out == "elsewhere/report.html\n"
    complete = linreg("train", "--resume", "a")
    assert complete.code == 0
    assert (folder / "report.html").exists()  # nothing was trained, so that it holds
    assert linreg("train", "--resume", "a", "--set", "train.epochs=3", "--quiet").code == 0
    assert not (folder / "report.html").exists()  # what it says does not hold any more
    assert linreg("runs", "rm", "a", "--yes").code == 0
    assert not folder.exists()


def test_a_run_in_a_copy_of_another_name_is_called_by_that_name(linreg, runs, tmp_path):
    shutil.move(tmp_path / "outputs" / "a-0001", tmp_path / "outputs" / "z & co")
    assert linreg("report", "z & co", "--json").json["runs"] == ["z & co"]
    page = (tmp_path / "outputs" / "z & co" / "report.html").read_text()
    assert "<h1>z &amp; co</h1>" in page
    assert json.loads((tmp_path / "outputs" / "z & co" / "run.json").read_text())["run"] == "a-0001"


def test_a_report_of_other_runs_does_not_replace_one_however_long_the_names(linreg, config_file):
    for _ in range(4):
        assert linreg("train", "-c", config_file("name: " + "long" * 15 + "\n" + INLINE)).code == 0
    ids = sorted(run["run"] for run in linreg("runs", "list", "--json").json["runs"])
    paths = {linreg("report", *ids[:2], last).out for last in ids[2:]}
    assert len(paths) == 2


def test_the_files_of_a_run_are_not_written_over(linreg, config_file):
    assert linreg("train", "-c", config_file("name: t\n" + INLINE)).code == 0
    result = linreg("report", "latest", "-o", "outputs/t-0001/run.json")
    assert result.code == 2
    assert "the file would be inside a run folder" in result.err
    assert linreg("runs", "show", "t").code == 0
    assert linreg("report", "latest", "-o", "outputs/t-0001/report.html").code == 0


INLINE = "data: {source: inline, columns: [x, y], rows: [[1, 2], [2, 4], [3, 7]]}\nplots: false\n"
