"""The completion scripts, in the shells themselves."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from conftest import REPOSITORY

from linreg_cli.cli import completion
from linreg_cli.cli.app import app

#: Names of folders that a shell would act on if it ever evaluated one.
HOSTILE = ("$(touch hit)-0001", "`touch hit`-0001", "a;touch hit;-0001", "-x-0001", "b b-0001", "c'c-0001", "*-0001")


def in_shell(name: str):
    return pytest.mark.skipif(shutil.which(name) is None, reason=f"{name} is not installed")


@pytest.fixture(scope="module")
def scripts(tmp_path_factory) -> dict[str, str]:
    """Shell -> the path of its script, as the command prints it."""
    folder = tmp_path_factory.mktemp("scripts")
    found = {}
    for shell in ("bash", "zsh", "fish"):
        command = [sys.executable, "-m", "linreg_cli", "completion", shell]
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        result = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        assert result.stderr == ""
        found[shell] = str(folder / f"linreg.{shell}")
        (folder / f"linreg.{shell}").write_text(result.stdout)
    return found


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with runs, one of them elsewhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LINREG_OUTPUTS", raising=False)
    for name in ("outputs/gd-0001", "outputs/gd-0002", "outputs/größe-0001", "other runs/prod-0001", "outputs/sweeps"):
        (tmp_path / name).mkdir(parents=True)
        if "sweeps" not in name:
            (tmp_path / name / "run.json").write_text("{}")
    (tmp_path / "outputs" / "gd-0003").mkdir()  # no run
    for sweep in ("rates-0001", "größe-0002", "empty-0001"):
        (tmp_path / "outputs" / "sweeps" / sweep).mkdir()
        if sweep != "empty-0001":
            (tmp_path / "outputs" / "sweeps" / sweep / "sweep.json").write_text("{}")
    (tmp_path / "houses.yaml").write_text("")
    return tmp_path


BASH = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
_linreg linreg "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
[[ ${#COMPREPLY[@]} == 0 ]] || printf '%s\\n' "${COMPREPLY[@]}"
"""

# zsh completes within its line editor only, so what adds candidates is replaced by what prints them.
ZSH = """
compdef() { }
compadd() { while [[ $1 != -- ]]; do shift; done; shift; for each in "$@"; do
  [[ $each == "$PREFIX"* ]] && print -r -- $each; done; true }
compset() { PREFIX=${PREFIX#*=} }
_files() { [[ $1 == -/ ]] || print -r -- FILES }
source "$1"; shift
words=("$@"); CURRENT=$#; PREFIX=${words[CURRENT]}
_linreg
"""


def completed(scripts: dict[str, str], shell: str, *words: str) -> list[str]:
    """The candidates for the last word."""
    if shell == "bash":
        command = ["bash", "--norc", "-c", BASH, "bash", scripts["bash"], *split_by_bash(words)]
    elif shell == "zsh":
        command = ["zsh", "-f", "-c", ZSH, "zsh", scripts["zsh"], *words]
    else:
        line = " ".join(fish_quoted(word) for word in words)
        command = ["fish", "--no-config", "-c", f"source {scripts['fish']}; complete -C {fish_quoted(line)}"]
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "HOME": os.getcwd()}
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert result.stderr == "", (command, result.stderr)
    found = [line.partition("\t")[0] for line in result.stdout.splitlines()]  # fish adds descriptions
    option, equals, _ = words[-1].partition("=")
    if equals and words[-1].startswith("--"):  # fish completes the whole word
        found = [each.removeprefix(f"{option}=") for each in found]
    return [each for each in found if each not in ("outputs/", "other runs/", "houses.yaml", "FILES")]


def split_by_bash(words: Sequence[str]) -> list[str]:
    """The words as bash has them in COMP_WORDS: an equals sign is a word of its own."""
    found = []
    for word in words:
        option, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        found += [option, *([equals, value] if value else [equals] if equals else [])]
    return found


def fish_quoted(word: str) -> str:
    return (
        word
        if not word or word.replace("-", "").isalnum()
        else "'" + word.replace("\\", "\\\\").replace("'", "\\'") + "'"
    )


IN_EVERY_SHELL = [pytest.param(shell, marks=in_shell(shell)) for shell in ("bash", "zsh", "fish")]


@pytest.mark.parametrize("shell", IN_EVERY_SHELL)
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["ev"], ["evaluate"]),
        (["runs", ""], ["list", "show", "diff", "label", "rm"]),
        (["completion", ""], ["bash", "zsh", "fish"]),
        (["train", "--resu"], ["--resume"]),
        (["runs", "list", "--sta"], ["--status"]),
        (["plot", "gd", "--format", ""], ["png", "svg", "pdf"]),
        (["predict", "gd", "--format", "c"], ["csv"]),
        (["plot", "--kind", "l"], ["loss", "leverage", "learning_curve"]),
        (["train", "--resume", "gd"], ["gd-0001", "gd-0002"]),
        (["train", "--resume", ""], ["latest", "gd-0001", "gd-0002", "größe-0001"]),
        (["evaluate", "gr"], ["größe-0001"]),
        (["runs", "show", "la"], ["latest"]),
        (["runs", "diff", "gd-0001", "gd-0002"], ["gd-0002"]),
        (["evaluate", "--outputs", "other runs", "p"], ["prod-0001"]),
        (["sweep", "--resume", ""], ["latest", "rates-0001", "größe-0002"]),
        (["runs", "list", "--sweep", "ra"], ["rates-0001"]),
        (["train", "--set", "optimizer.l"], ["optimizer.lr="]),
        (["train", "-c", "houses.yaml", "--set", "preprocess.target_t"], ["preprocess.target_transform="]),
        (["train", "--name", "zz"], []),
        (["train", "--nonsense"], []),
    ],
)
def test_what_is_offered(scripts, place, shell, words, expected):
    assert sorted(completed(scripts, shell, "linreg", *words)) == sorted(expected)


@pytest.mark.parametrize("shell", IN_EVERY_SHELL)
def test_a_value_after_an_equals_sign(scripts, place, shell):
    assert sorted(completed(scripts, shell, "linreg", "plot", "--format=p")) == ["pdf", "png"]
    assert completed(scripts, shell, "linreg", "evaluate", "--outputs=other runs", "p") == ["prod-0001"]


@pytest.mark.parametrize("shell", IN_EVERY_SHELL)
def test_the_outputs_of_the_environment(scripts, place, shell, monkeypatch):
    monkeypatch.setenv("LINREG_OUTPUTS", str(place / "other runs"))
    assert completed(scripts, shell, "linreg", "evaluate", "p") == ["prod-0001"]
    monkeypatch.setenv("LINREG_OUTPUTS", "~/other runs")
    assert completed(scripts, shell, "linreg", "evaluate", "p") == ["prod-0001"]
    monkeypatch.setenv("LINREG_OUTPUTS", "nowhere")
    assert completed(scripts, shell, "linreg", "evaluate", "gd") == []


@pytest.mark.parametrize("shell", IN_EVERY_SHELL)
def test_no_name_of_a_run_is_evaluated(scripts, place, shell):
    for name in HOSTILE:
        (place / "outputs" / name).mkdir()
        (place / "outputs" / name / "run.json").write_text("{}")
    found = completed(scripts, shell, "linreg", "evaluate", "")
    assert {"gd-0001", "latest"} <= set(found)
    assert not any(each.startswith("-") for each in found)
    assert len(found) >= len(HOSTILE) - 2 + 4
    assert not (place / "hit").exists()
    for prefix in ("$(touch hit)", "`touch hit`"):
        completed(scripts, shell, "linreg", "evaluate", f"'{prefix}")
        completed(scripts, shell, "linreg", "evaluate", "--outputs", prefix, "")
    assert not (place / "hit").exists()


@in_shell("bash")
def test_an_interactive_bash_completes_on_the_tab_key(scripts, place):
    """The whole way: the line editor of bash, its splitting of words, and the script."""
    import pty

    pid, terminal = pty.fork()
    if pid == 0:
        os.environ |= {"PS1": "> ", "TERM": "dumb", "LC_ALL": "C.UTF-8", "INPUTRC": "/dev/null"}
        os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
    text = f"source '{scripts['bash']}'; linreg() {{ echo \"[$*]\"; }}\n"
    text += "linreg train --resu\tgd-0002\nlinreg plot gr\t--fo\tsv\t\nexit\n"
    os.write(terminal, text.encode())
    seen = b""
    try:
        while part := os.read(terminal, 4096):
            seen += part
    except OSError:  # the terminal is gone with bash
        pass
    os.waitpid(pid, 0)
    assert "[train --resume gd-0002]" in seen.decode()
    assert "[plot größe-0001 --format svg]" in seen.decode()


def test_the_shells_and_an_unknown_one(linreg):
    result = linreg("completion", "tcsh")
    assert (result.code, result.err) == (2, "error: SHELL: unknown shell 'tcsh'; allowed: bash, zsh, fish\n")
    assert linreg("completion", "bsh").err == "error: SHELL: unknown shell 'bsh'; did you mean 'bash'?\n"


def test_the_values_are_those_that_the_commands_take():
    from linreg_cli.figures.kinds import KINDS
    from linreg_cli.figures.of_run import ALL, FORMATS
    from linreg_cli.runs.store import STATUSES

    assert completion.VALUES["plot", "--format"] == FORMATS
    assert completion.VALUES["plot", "--kind"] == (*KINDS, ALL)
    assert completion.VALUES["runs list", "--status"] == STATUSES


def test_every_command_and_option_is_in_the_scripts(scripts):
    import typer

    lines = [*completion.command_lines(typer.main.get_command(app))]
    assert {"train", "runs list", "completion", "schema"} <= {line.name for line in lines}
    assert "generate" not in {line.name for line in lines}  # it is hidden
    texts = {shell: Path(path).read_text() for shell, path in scripts.items()}
    for line in lines:
        for name in (name for option in line.options for name in option.names if name.startswith("--")):
            assert all(name in texts[shell] for shell in ("bash", "zsh")), name
            assert f" -l {name[2:]}" in texts["fish"], name
