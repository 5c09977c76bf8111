"""Names, levels, values and paths that a terminal or a browser would act on are escaped wherever they are shown."""

import json
import unicodedata
import xml.etree.ElementTree as ElementTree

import pytest

from linreg_cli.wording import escaped, json_text, one_line

#: Escape sequences, direction marks, line breaks that only some programs know, a character that XML does not allow.
MARKS = (
    "\x1b[31m",
    "\x07",
    "\x9b2J",
    "\u202e",
    "\u2066",
    "\u200f",
    "\u2028",
    "\x85",
    "\x0c",
    "\x7f",
    "\ufeff",
    "\U000e0041",
)
NAME, LEVEL = f"a{''.join(MARKS)}z", f"l{''.join(reversed(MARKS))}v"
CONFIG = f"""
name: e
data: {{path: "t\u202e.csv", target: {json.dumps("y" + NAME)}, split: {{train: 0.75, test: 0.25}}}}
preprocess: {{categorical: one_hot, standardize: true}}
optimizer: {{lr: 0.1}}
train: {{epochs: 3, batch_size: full}}
evaluate: {{cross_validation: {{folds: 3}}}}
"""

COMMANDS = [
    ["validate", "c\u2066.yaml"],
    ["train", "-c", "c\u2066.yaml", "--dry-run"],
    ["train", "-c", "c\u2066.yaml", "--verbose", "--name", "f"],
    ["train", "-c", "c\u2066.yaml", "--fail-if", "train.r2 < 0", "--junit", "j.xml", "--fail-if", "test.n < 1e9"],
    ["train", "-c", "c\u2066.yaml", "--set", f"optimizer.{NAME}=1"],
    ["train", "-c", "c\u2066.yaml", "--set", f"data.target={json.dumps(NAME)}"],
    ["train", "-c", f"{NAME}.yaml"],
    ["inspect", "-c", "c\u2066.yaml"],
    ["explain", "-c", "c\u2066.yaml"],
    ["evaluate", "e-0001"],
    ["evaluate", "e-0001", "--data", f"{NAME}.csv"],
    ["evaluate", "e-0001", "--fail-if", f"test.r2 < {NAME}"],
    ["runs", "list"],
    ["runs", "list", "--csv"],
    ["runs", "show", "e-0001"],
    ["runs", "show", "e-0001", "--csv"],
    ["runs", "show", NAME],
    ["runs", "diff", "e-0001", "g-0001"],
    ["runs", "diff", "e-0001", "g-0001", "--csv"],
    ["runs", "label", "e-0001", NAME],
    ["plot", "e-0001", "--kind", "residuals", "--format", "svg", "-o", "p\u202e"],
    ["plot", "e-0001", "--kind", NAME],
    ["report", "e-0001", "-o", "r\u202e.html"],
    ["generate-data", "-o", f"{NAME}.txt"],
    [NAME],
]


@pytest.fixture
def place(linreg, tmp_path):
    """A table and a config whose every text is hostile, and two runs."""
    rows = "".join(f'{row},"{LEVEL if row % 3 else "b"}",{row % 4},{2 * row}.5\n' for row in range(16))
    (tmp_path / "t\u202e.csv").write_text(f'"x{NAME}","k{NAME}","w","y{NAME}"\n{rows}', encoding="utf-8")
    (tmp_path / "c\u2066.yaml").write_text(CONFIG, encoding="utf-8")
    for more in ([], ["--set", f"data.ignore=[{json.dumps('x' + NAME)}]", "--name", "g"]):
        assert linreg("train", "-c", "c\u2066.yaml", "--quiet", *more).code == 0
    return tmp_path


def hidden(text: str) -> set[str]:
    """Characters other than line breaks that are not shown as they are."""
    return {mark for mark in text if unicodedata.category(mark)[0] in "CZ" and mark not in " \n\u200c\u200d"}


def texts(value) -> list[str]:
    """Every key and text of a JSON value."""
    if isinstance(value, dict):
        return [text for pair in value.items() for part in pair for text in texts(part)]
    return [text for part in value for text in texts(part)] if isinstance(value, list) else [str(value)]


def test_no_command_shows_what_a_terminal_would_act_on(linreg, place):
    for command in COMMANDS:
        result = linreg(*command)
        assert result.code != 1, (command, result.err)
        assert hidden(result.out + result.err) == set(), command
    suite = ElementTree.parse(place / "j.xml")
    assert hidden("".join(suite.getroot().itertext())) - {"\n"} == set()
    assert hidden((place / "r\u202e.html").read_text(encoding="utf-8")) == set()
    for picture in (place / "p\u202e").iterdir():
        drawn = picture.read_text(encoding="utf-8")
        ElementTree.fromstring(drawn)
        assert hidden(drawn) == set()
        assert "\\x1b[31m" in drawn


@pytest.mark.parametrize(
    "command",
    [["train", "-c", "c\u2066.yaml"], ["evaluate", "e-0001"], ["runs", "list"], ["runs", "show", "e-0001"],
     ["inspect", "-c", "c\u2066.yaml"], ["explain", "-c", "c\u2066.yaml"], ["runs", "diff", "e-0001", "g-0001"]],
    ids=lambda command: " ".join(command[:2]),
)  # fmt: skip
def test_json_escapes_the_same_and_has_the_same_text(linreg, place, command):
    result = linreg(*command, "--json")
    assert result.code == 0
    assert hidden(result.out) == set()
    assert command[:2] == ["runs", "list"] or any(NAME in text for text in texts(result.json))


def test_a_config_of_a_run_has_the_names_in_escapes_that_yaml_reads_back(linreg, place):
    text = (place / "outputs" / "e-0001" / "config.yaml").read_text(encoding="utf-8")
    assert hidden(text) == set()
    assert linreg("train", "-c", "outputs/e-0001/config.yaml", "--quiet").code == 0
    first, second = (json.loads((place / "outputs" / run / "metrics.json").read_text()) for run in ("e-0001", "e-0002"))
    assert first["parameters"] == second["parameters"]
    assert f"x{NAME}" in first["parameters"]["weights"]


def test_a_name_with_a_line_break_begins_no_line(linreg, tmp_path):
    """Otherwise a column could add a line such as `error: ...` to a log."""
    name = "x\nerror: all is lost"
    columns = json.dumps([name, "y"])
    rows = ", ".join(f"[{row}, {2 * row + row % 2}]" for row in range(8))
    (tmp_path / "c.yaml").write_text(f"data: {{source: inline, columns: {columns}, rows: [{rows}]}}\nplots: false\n")
    for command in (["train"], ["train", "--dry-run"], ["inspect"], ["explain"], ["train", "--set", "loss=mae"]):
        result = linreg(command[0], "-c", "c.yaml", *command[1:])
        assert result.code == 0
        assert not any(line.lstrip().startswith("error") for line in (result.out + result.err).splitlines())


def test_what_is_escaped_and_what_is_not():
    assert one_line("größe 価格 \u0928\u092e\u0938\u094d\u0924\u0947 😀") == "größe 価格 नमस्ते 😀"
    assert one_line("\udcff\ufffe") == "\\udcff\\ufffe"
    assert escaped("a\nb\r\n") == "a\nb\\r\n"
    value = {"\u202e": ["\x7f", "\U000e0041", "é\u200d😀", "\udcff"]}
    text = json_text(value)
    assert json.loads(text) == value
    assert "\\u202e" in text
    assert "é\u200d😀" in text
    assert "\\udb40\\udc41" in text
