"""Paths as users write them: `~` is the home folder in every path, `-` a standard stream."""

import os
import pwd
from pathlib import Path

import pytest

from linreg_cli import paths
from linreg_cli.errors import UsageError

CONFIG = "name: a\nplots: false\ndata: {source: inline, columns: [x, y], rows: [[1, 2], [2, 4], [3, 7]]}\n"


@pytest.fixture
def no_home(monkeypatch):
    """A user without HOME and without an entry in the user database, as in a container with a number for a user."""

    def unknown(_):
        raise KeyError

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)


def test_the_home_folder_is_that_of_the_variable_else_of_the_database(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert paths.expanded("~/a/b") == f"{tmp_path}/a/b"
    assert paths.expanded("~") == str(tmp_path)
    database = pwd.getpwuid(os.getuid())
    for value in ("", "relative"):  # neither is a home folder
        monkeypatch.setenv("HOME", value)
        assert paths.expanded("~/a") == os.path.join(database.pw_dir, "a")
    assert paths.expanded(f"~{database.pw_name}/a") == os.path.join(database.pw_dir, "a")


def test_a_home_folder_that_is_not_there_is_an_error(no_home):
    with pytest.raises(UsageError, match="set HOME or write a whole path"):
        paths.expanded("~/a")
    with pytest.raises(UsageError, match=r"there is no user 'nobody-here'; a file .* is \./~nobody-here/a"):
        paths.expanded("~nobody-here/a")
    assert paths.expanded("./~/a") == "./~/a"


def test_no_option_variable_or_key_makes_a_folder_called_tilde(linreg, config_file, monkeypatch, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "c.yaml").write_text(CONFIG)
    (home / "t.csv").write_text("x,y\n1,2\n2,4\n3,7\n")
    table = config_file("name: t\nplots: false\ndata: {path: ~/t.csv, target: y}\n", "table.yaml")
    monkeypatch.setenv("HOME", str(home))
    assert linreg("train", "-c", "~/c.yaml", "--outputs", "~/runs", "--junit", "~/j.xml", "-q").code == 0
    monkeypatch.setenv("LINREG_OUTPUTS", "~/runs")
    assert linreg("train", "-c", table, "-q").out == f"{home}/runs/t-0001\n"
    assert f"path: {home}/t.csv" in (home / "runs" / "t-0001" / "config.yaml").read_text()
    assert linreg("validate", "~/c.yaml").code == 0
    assert linreg("predict", "~/runs/t-0001", "--data", "~/t.csv", "-o", "~/p.csv").code == 0
    assert linreg("evaluate", "t", "--data", "~/t.csv", "--junit", "~/k.xml").code == 0
    assert linreg("report", "t", "-o", "~/r.html").code == 0
    assert linreg("plot", "t", "--kind", "loss", "-o", "~/pictures").code == 0
    assert linreg("generate-data", "-c", "~/c.yaml", "--set", "data={source: synthetic}", "-o", "~/g.csv").code == 0
    assert {path.name for path in home.iterdir() if path.name not in (".cache", ".config")} == {
        "c.yaml", "t.csv", "runs", "j.xml", "k.xml", "p.csv", "r.html", "pictures", "g.csv", "g.truth.json",
    }  # fmt: skip
    assert not list(tmp_path.rglob("~*"))


def test_without_a_home_folder_every_path_says_so(linreg, config_file, no_home, monkeypatch, tmp_path):
    c = config_file(CONFIG)
    assert linreg("train", "-c", c, "-q").code == 0
    for arguments in (
        ["train", "-c", "~/c.yaml"],
        ["train", "-c", c, "--outputs", "~/runs"],
        ["train", "-c", c, "--junit", "~/j.xml"],
        ["runs", "show", "~/runs/a-0001"],
        ["predict", "a", "--data", "~/t.csv"],
        ["generate-data", "-o", "~/g.csv"],
    ):
        result = linreg(*arguments)
        assert (result.code, "the user has none; set HOME" in result.err) == (2, True), arguments
    result = linreg("validate", config_file("data: {path: ~/t.csv, target: y}\n", "t.yaml"))
    assert (result.code, "t.yaml:1:14: data.path: ~ stands for" in result.err) == (2, True), result.err
    monkeypatch.setenv("LINREG_OUTPUTS", "~/runs")
    assert linreg("runs", "list").code == 2
    assert not list(tmp_path.rglob("~*"))


def test_an_empty_value_is_the_default(linreg, config_file, monkeypatch, tmp_path):
    c = config_file(CONFIG)
    monkeypatch.setenv("LINREG_OUTPUTS", "")
    assert linreg("train", "-c", c, "-q").out == "outputs/a-0001\n"
    options = ["--name", "--outputs", "--device", "--junit", "--resume"]
    empty = [word for option in options for word in (option, "")]
    assert linreg("train", "-c", c, "-q", *empty).out == "outputs/a-0002\n"
    assert linreg("runs", "list", "--outputs=", "--name=", "--label", "", "--sort", "").code == 0
    assert linreg("report", "latest", "-o", "").out == "outputs/a-0002/report.html\n"
    assert linreg("explain", "-c", c, "--steps", "").code == 0
    assert linreg("generate-data", "-o", "").out.splitlines()[1] == "table:  data/run.csv"
    for arguments in (["train", "-c", ""], ["train", "-c", c, "--set", ""], ["predict", "a-0001", "--data", ""]):
        assert linreg(*arguments).code == 2, arguments  # there is no default
    assert linreg("runs", "label", "a-0001", "").code == 0  # an argument: it removes the label
    assert not (tmp_path / "a-0001").exists()


@pytest.mark.parametrize(
    ("path", "number"),
    [("/dev/stdout", 1), ("/dev/stderr", 2), ("/dev/fd/1", 1), ("/proc/self/fd/1", 1), ("a.csv", None), ("1", None)],
)
def test_the_open_file_that_a_path_stands_for(path, number):
    assert paths.descriptor_of(Path(path)) == number


def test_a_link_to_stdout_is_stdout(tmp_path):
    (tmp_path / "fd").symlink_to("/proc/self/fd")
    (tmp_path / "out").symlink_to("fd/1")
    (tmp_path / "circle").symlink_to("circle")
    assert paths.is_stdout(tmp_path / "out")
    assert not paths.is_stdout(tmp_path / "circle")
    assert not paths.is_written_through(tmp_path / "circle")


def test_what_is_at_a_path(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    found = {name: paths.kind(tmp_path / name) for name in ("pipe", "file", "none", "file/none", ".")}
    assert found == {"pipe": "a pipe", "file": None, "none": None, "file/none": None, ".": "a folder"}
    assert paths.kind(Path(os.devnull)) == "a device"
