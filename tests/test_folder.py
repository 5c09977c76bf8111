"""`linreg` alone and `--help` show commands that work in the current folder."""

import os
import shlex
from pathlib import Path

import pytest

from linreg_cli.cli import folder
from linreg_cli.config.formats import COMPRESSIONS, CSV_SUFFIXES, OTHER_SUFFIXES


def shown(text: str) -> list[str]:
    return [line.strip() for line in text.partition("Start here with:\n")[2].splitlines() if line.strip()]


def test_an_empty_folder_has_ways_to_begin(linreg):
    result = linreg("--help")
    assert result.code == 0
    assert shown(result.out) == ["linreg train TABLE --target COLUMN", "linreg init", "linreg generate-data"]
    for line in shown(result.out)[1:]:
        assert linreg(*shlex.split(line)[1:]).code == 0, line


def test_the_files_that_are_there_are_named_and_the_commands_work(linreg):
    Path("my houses.csv").write_text("size,price\n" + "".join(f"{n},{2 * n + n % 3}\n" for n in range(1, 31)))
    assert shown(linreg("--help").out) == ["linreg train 'my houses.csv' --target COLUMN"]
    [line] = shown(linreg("--help").out)
    assert linreg(*shlex.split(line.replace("COLUMN", "price"))[1:], "--quiet").code == 0
    Path("a.yaml").write_text("data: {source: synthetic, n_samples: 20}\nplots: false\n")
    lines = shown(linreg().err.partition("error:")[0])
    assert lines[1:] == ["linreg train -c a.yaml", "linreg predict latest --data 'my houses.csv'"]
    for line in reversed(lines[1:]):
        assert linreg(*shlex.split(line)[1:]).code == 0, line


def test_configs_in_their_folder_are_shown_where_there_is_one(linreg):
    assert "configs/" not in linreg("--help").out
    Path("configs").mkdir()
    Path("configs/b.yaml").write_text("")
    assert shown(linreg("--help").out) == ["linreg train -c configs/b.yaml"]


def test_names_that_a_terminal_would_act_on_or_an_option_are_left_out(linreg):
    for name in ("a\x1b[31m.csv", "b\n.csv", "--help.csv", ".hidden.csv", os.fsdecode(b"\xff.csv")):
        Path(name).write_text("x")
    Path("$(z).csv").write_text("x")
    result = linreg("--help")
    assert shown(result.out) == ["linreg train '$(z).csv' --target COLUMN"]
    assert "\x1b" not in result.out


def test_few_entries_of_a_large_folder_are_looked_at_and_one_that_is_gone_is_no_error(linreg, tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "MOST_ENTRIES", 10)
    for number in range(30):
        Path(f"{number}.csv").write_text("x")
    assert len(folder._names(".")) == 10
    monkeypatch.setenv("LINREG_OUTPUTS", "/dev/null")
    assert linreg("--help").code == 0
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert linreg("--help").code == 0


def test_the_endings_are_those_of_the_tables_that_are_read():
    texts = [text + packed for text in CSV_SUFFIXES for packed in ("", *COMPRESSIONS)]
    assert set(folder.TABLES) == {*OTHER_SUFFIXES, *texts}


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_the_exit_codes_stay(linreg, arguments):
    assert linreg(*arguments).code == (0 if arguments else 2)
