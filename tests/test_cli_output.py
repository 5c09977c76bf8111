"""How results and errors are shown: an error is one line that does nothing to a terminal, whatever its text holds."""

import io
import json
import re
import sys

import pytest

from linreg_cli.cli import output
from linreg_cli.cli.output import aligned, print_json, show_error
from linreg_cli.errors import Fault

#: What a terminal would act on -> how it is shown.
HOSTILE = {
    "\x1b[31mred\x1b[0m": r"\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07": r"\x1b]0;title\x07",
    "two\nlines": r"two\nlines",
    "over\rwritten": r"over\rwritten",
    "back\b\b\b\bspaced": r"back\x08\x08\x08\x08spaced",
    "tab\tnul\0del\x7f": r"tab\tnul\x00del\x7f",
    "c1 \x9b31m": r"c1 \x9b31m",
    "from right \u202eto left": r"from right \u202eto left",
    "line\u2028and\u2029paragraph": r"line\u2028and\u2029paragraph",
}


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
@pytest.mark.parametrize("part", ["message", "where"])
def test_an_error_is_one_line_and_does_nothing_to_a_terminal(capfd, text, part):
    fault = Fault(f"no column {text}", "t.csv") if part == "message" else Fault("no such file", text)
    show_error("data", [fault], as_json=False)
    shown = HOSTILE[text]
    expected = f"error: t.csv: no column {shown}\n" if part == "message" else f"error: {shown}: no such file\n"
    assert capfd.readouterr() == ("", expected)


def test_words_of_any_language_are_shown_as_they_are(capfd):
    show_error("data", [Fault("no column 'größe', 'цена' or '価格'")], as_json=False)
    assert capfd.readouterr().err == "error: no column 'größe', 'цена' or '価格'\n"


def test_each_fault_has_its_line_and_its_source_below(capfd):
    faults = [Fault("unknown key", "c.yaml:2:3", "  lrr: 1\n  ^"), Fault("too large")]
    show_error("config", faults, as_json=False)
    assert capfd.readouterr().err.splitlines() == [
        "error: c.yaml:2:3: unknown key", "      lrr: 1", "      ^", "error: too large",
    ]  # fmt: skip


def test_json_has_the_text_itself_and_what_there_is_in_spite_of_the_error(capfd):
    """JSON escapes by itself; a program gets the text as it is."""
    show_error("gate", [Fault("a\x1b[1m", "g"), Fault("b\nc")], as_json=True, result={"run": "r-0001"})
    out, err = capfd.readouterr()
    assert "\x1b" not in out + err
    assert json.loads(out) == {
        "run": "r-0001",
        "error": {
            "kind": "gate",
            "message": "a\x1b[1m\nb\nc",
            "where": "g",
            "faults": [{"message": "a\x1b[1m", "where": "g"}, {"message": "b\nc", "where": None}],
        },
    }


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_json_is_not_printed(value, capfd):
    with pytest.raises(ValueError, match="not JSON compliant"):
        print_json({"loss": value})
    assert capfd.readouterr().out == ""


def test_columns_are_aligned_names_to_the_left_and_numbers_to_the_right():
    assert aligned([["", "n"], ["train", "9"], ["test", "100"]], indent=" ").splitlines() == [
        "          n", " train    9", " test   100",
    ]  # fmt: skip


# --- colours


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def spoken(monkeypatch):
    """An error, a warning and a heading about a name, on a terminal with colours: stdout and stderr."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)

    def speak(name: str) -> tuple[str, str]:
        out, err = Terminal(), Terminal()
        with monkeypatch.context() as patch:  # here, since each phase of a test has its own streams
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            say(name)
        return out.getvalue(), err.getvalue()

    return speak


def say(name: str) -> None:
    output.show_error("data", [Fault(f"no column {name!r}")], as_json=False)
    output.warn(f"column {name!r} is constant")
    output.show(output.heading(output.prose(f"{name}, in original units:")), f"  {name}  1")


def test_errors_are_red_warnings_yellow_and_headings_bold_on_a_terminal(spoken):
    out, err = spoken("x")
    assert err == "\x1b[1;31merror:\x1b[0m no column 'x'\n\x1b[1;33mwarning:\x1b[0m column 'x' is constant\n"
    assert out == "\x1b[1mx, in original units:\x1b[0m\n  x  1\n"


def test_names_cannot_colour_a_terminal(spoken):
    out, err = spoken("\x1b[31m\x1b[1m")
    assert re.findall("\x1b[^m]*m", out) == ["\x1b[1m", "\x1b[0m"]
    assert re.findall("\x1b[^m]*m", err) == ["\x1b[1;31m", "\x1b[0m", "\x1b[1;33m", "\x1b[0m"]


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("NO_COLOR", "0"), ("TERM", "dumb")])
def test_no_colours_where_they_are_not_wanted(spoken, monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    assert "\x1b" not in "".join(spoken("x"))


def test_an_empty_no_color_is_not_set_and_a_pipe_has_no_colours(spoken, monkeypatch, capfd):
    monkeypatch.setenv("NO_COLOR", "")
    assert all("\x1b" in shown for shown in spoken("x"))
    say("x")
    assert "\x1b" not in "".join(capfd.readouterr())


def test_quiet_leaves_the_result_and_nothing_else(linreg, tmp_path):
    """What each command says besides its result, and that `--quiet` takes that away and nothing else."""
    (tmp_path / "t.csv").write_text("x,c,y\n" + "".join(f"{x},1,{2 * x + x % 3}\n" for x in range(9)))
    (tmp_path / "u.csv").write_text("x,c\n1,\n2,1\n")
    config = "data: {path: t.csv, target: y}\npreprocess: {missing: mean}\nplots: false\ntrain: {device: cpu}\n"
    (tmp_path / "a.yaml").write_text(config)
    assert linreg("train", "-c", "a.yaml").code == 0
    for command in (
        ["predict", "a", "--data", "u.csv"],
        ["export", "a", "--format", "json"],
        ["inspect", "-c", "a.yaml"],
        ["validate", "a.yaml"],
        ["evaluate", "a", "--fail-if", "train.n > 1"],
        ["init", "t.csv", "--target", "y", "-o", "-"],
    ):
        said, quiet = linreg(*command), linreg(*command, "-q")
        assert (quiet.code, quiet.out) == (said.code, said.out), command
        errors = [line for line in said.err.splitlines() if line.startswith("error: ")]
        assert quiet.err.splitlines() == errors, command
        assert command[0] in ("validate", "evaluate", "init") or said.err, command
    (tmp_path / "t.csv").write_text("x,c,y\n1,1,2\n2,1,5\n3,1,6\n")
    assert linreg("evaluate", "a").err == "warning: the data has changed since the run was trained\n"
    assert linreg("evaluate", "a", "--quiet").err == ""
    sweep = linreg("sweep", "-c", "a.yaml", "--set", "optimizer.lr=0.01,0.02", "--quiet")
    assert (sweep.err, sweep.out) == ("", "outputs/sweeps/a-0001\n")
    assert "--quiet" in linreg("inspect", "-c", "a.yaml", "-q", "-v").err


def test_every_command_that_has_a_json_object_can_be_quiet():
    """But those of the run store, which say nothing besides their result."""
    from typer.main import get_command

    from linreg_cli.cli.app import app

    def commands(group, *names):
        for name, command in group.commands.items():
            yield (*names, name), command
            if hasattr(command, "commands"):
                yield from commands(command, *names, name)

    options = {
        name: {option for each in command.params for option in each.opts}
        for name, command in commands(get_command(app))
    }
    loud = {name for name, has in options.items() if "--json" in has and "--quiet" not in has}
    assert loud == {("runs", each) for each in ("show", "diff", "label", "rm")}
