r"""Backslashes in a config: JSON is read as JSON means it, and a Windows path in double quotes is explained."""

import json

import pytest
import yaml

from linreg_cli.config.escapes import Surrogates, in_double_quotes
from linreg_cli.config.source import Source, parse, parse_override
from linreg_cli.errors import ConfigError

#: Beyond U+FFFF at both ends and in the middle of the range, beside a backslash, a quote and other escapes.
TEXTS = [
    "💰", "price 😀 and 🏠", "\U00010000\U0010ffff", "\\😀", '"😀"', "a\\ud83d\\ude00", "\ue800 private use", "한국 😀",
    "é\u202e\u2028😀", "👩‍💻", "\ue8ff\ub800\ua900😀", "\t😀\n",
]  # fmt: skip


def read(text):
    return parse(text, Source("c.yaml", tuple(text.splitlines())), mapping_only=False).to_value()


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_what_json_writes_is_read_back(text):
    """Python's json escapes whatever is not ASCII, a character beyond U+FFFF as two escapes."""
    values = {text: [text, {text: "plain", "other": [1, text]}]}
    assert read(json.dumps(values)) == {text: (text, {text: "plain", "other": (1, text)})}
    if "\u2028" not in text:  # which YAML takes for a line break where it is not escaped
        assert read(json.dumps(values, ensure_ascii=False)) == read(json.dumps(values))
    path, value = parse_override(f"data.columns={json.dumps([text, 'y'])}")
    assert (path, value.to_value()) == (("data", "columns"), (text, "y"))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r"'\ud83d\ude00'", r"\ud83d\ude00"),
        (r"\uD83D\ude00", r"\uD83D\ude00"),
        (r'"\uD83D\uDE00"', "😀"),
        (r'"\\ud83d\ude00x"', None),
        (r'"\\\ud83d\ude00"', "\\😀"),
        ("|\n  \\ud83d\\ude00\n", "\\ud83d\\ude00\n"),
        (r'"\U0001F600"', "😀"),
    ],
)
def test_an_escape_is_one_only_in_double_quotes(written, meant):
    r"""After `\\` the letter u begins no escape, so `\ude00` is then half of a pair."""
    if meant is None:
        with pytest.raises(ConfigError, match=r"\\ude00 is half of a character"):
            read(written)
    else:
        assert read(written) == meant


@pytest.mark.parametrize("half", [r"\ud83d", r"\ude00", r"\ude00\ud83d", r"\ud83d \ude00", r"\ud83dx"])
def test_half_of_a_character_is_an_error_with_its_place(linreg, tmp_path, half):
    (tmp_path / "c.yaml").write_text(f'seed: 1\nname: "a{half}"\n', encoding="utf-8")
    result = linreg("validate", "c.yaml")
    assert result.code == 2
    assert result.err.startswith(f"error: c.yaml:2:7: {half[:6].replace('x', '')}")
    assert "two escapes" in result.err


def test_the_columns_of_messages_do_not_move():
    with pytest.raises(ConfigError) as error:
        read('{"\\ud83d\\ude00": 1, "a": {]}')
    assert error.value.faults[0].where == "c.yaml:1:27"
    assert error.value.faults[0].excerpt.splitlines()[0] == '{"\\ud83d\\ude00": 1, "a": {]}'


def test_text_that_uses_every_block_of_private_use_is_left_as_it_is():
    """There is no character left to stand for a surrogate; the parser then refuses the escape as before."""
    text = '"\\ud83d\\ude00 \ue900\uc900\ub900\ua900"'
    assert Surrogates.replaced(text).text == text


@pytest.mark.parametrize(
    ("path", "slashes"),
    [
        (r"C:\Users\me\t.csv", "C:/Users/me/t.csv"),
        (r"D:\data\houses.csv", "D:/data/houses.csv"),
        (r"\\server\share\x.csv", "/server/share/x.csv"),
        (r"C:\it's\new.csv", "C:/it's/new.csv"),
        (r"C:\xls\t.csv", "C:/xls/t.csv"),
    ],
)
@pytest.mark.parametrize("form", ['data: {{path: "{}", target: y}}', 'data:\n  path: "{}"\n  target: y'])
def test_a_windows_path_in_double_quotes_says_what_to_write(linreg, tmp_path, path, slashes, form):
    (tmp_path / "c.yaml").write_text(form.format(path))
    result = linreg("validate", "c.yaml")
    assert result.code == 2
    assert "in double quotes a backslash begins an escape" in result.err
    quoted = "'" + path.replace("'", "''") + "'"
    assert f"write {quoted} in single quotes, or {slashes}" in result.err
    for remedy, found in ((quoted, path), (slashes, slashes)):
        assert (
            yaml.safe_load(form.replace('"{}"', "{}").format(remedy).replace("{{", "{").replace("}}", "}"))["data"][
                "path"
            ]
            == found
        )
    result = linreg("train", "--set", f'data.path="{path}"', "-c", "c.yaml")
    assert result.err.count("in double quotes a backslash begins an escape") == 2


def test_a_path_over_two_lines_or_without_its_end_has_the_rule_alone():
    assert in_double_quotes('path: "C:\\U', 6).endswith("a path with / in place of each backslash")


@pytest.mark.parametrize(
    ("written", "where", "remedy"),
    [
        (r"data\table.csv", "5 is a tab", "data/table.csv"),
        (r"C:\new\x.csv", "3 is a line break", "C:/new/x.csv"),
        (r"D:\best.csv", "3 is a backspace", "D:/best.csv"),
        (r"D:/a\results\t.csv", "5 is a carriage return", "D:/a/results/t.csv"),
    ],
)
def test_a_path_whose_backslash_became_a_control_character_is_shown_so(linreg, tmp_path, written, where, remedy):
    if "x.csv" in written:
        written = written.replace("\\x", "/x")
    (tmp_path / "c.yaml").write_text(f'data: {{path: "{written}", target: y}}')
    result = linreg("train", "-c", "c.yaml")
    assert result.code == 3
    assert f"its character {where}" in result.err
    assert f"write {remedy}, or the path in single quotes" in result.err


def test_a_file_whose_name_holds_a_tab_is_read(linreg, tmp_path):
    (tmp_path / "a\tb.csv").write_text("x,y\n1,2\n2,3\n3,5\n")
    (tmp_path / "c.yaml").write_text('data: {path: "a\\tb.csv", target: y}\nplots: false\n')
    assert linreg("train", "-c", "c.yaml").code == 0
