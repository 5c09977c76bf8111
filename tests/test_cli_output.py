"""How results and errors are shown: an error is one line that does nothing to a terminal, whatever its text holds."""

import json

import pytest

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
