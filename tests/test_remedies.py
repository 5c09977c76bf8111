"""Remedies are true: what a message tells to paste is pasted, and the error is gone."""

import ast
import csv
import importlib
import json
import re
import shlex
import string
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
import yaml
from conftest import REPOSITORY
from hypothesis import given, settings
from hypothesis import strategies as st
from pasting import pasted, remedies, try_remedies, value_at
from remedy_cases import COLUMNS, FILES, LEVELS, ONE_HOT, TYPED, X, Y

from linreg_cli import remedies as remedies_module
from linreg_cli.config import Config, load_config
from linreg_cli.config.source import Source, parse
from linreg_cli.data import load_dataset
from linreg_cli.errors import LinregError
from linreg_cli.remedies import flow, quoted
from linreg_cli.wording import one_line

#: Names of columns that YAML reads as something else, or that hold its marks.
NASTY = [
    "Lot Size, sqft", "price: list", "2019", "1e3", "0x1F", "0o17", ".5", "-.inf", ".nan", "#rooms", "a #b", "true",
    "No", "null", "~", "NaN", "y", "it's", "say \"x\"", "[a]", "{b}", "a]b", "}{", "&x", "*x", "!x", "|", ">", "%",
    "@", "`", "-", "- a", "? b", ":", "a:", " lead", "trail ", "two  blanks", "tab\there", "line\nbreak",
    "back\\slash", "\\N", "\\n", "Größe", "Gro\u0308ße", "面积", "🏠", "👨\u200d👩\u200d👧", "no\xa0break",
    "thin\u202fblank", "\ufeffbom", "bell\x07", "del\x7f", "next\x85line", "para\u2029graph", "2014-10-13",
    "12:30:00", "1_000", "=", "<<", "---", "...", "data.ignore: [x]", "a" * 2_000,
]  # fmt: skip


def read(text: str):
    """A value as this project's parser reads it."""
    return parse(text, Source("t", ()), mapping_only=False).to_value()


@pytest.mark.parametrize("name", NASTY)
def test_a_name_in_a_list_and_as_a_key_is_read_back(name):
    """By the parser of configs, in a file and as the value of `--set`, and by PyYAML, which knows YAML 1.1."""
    line = f"{{key: {flow([name, 'b'])}, other: {flow({name: {'missing': 'drop'}})}}}"
    assert read(line) == {"key": (name, "b"), "other": {name: {"missing": "drop"}}}
    assert yaml.safe_load(line) == {"key": [name, "b"], "other": {name: {"missing": "drop"}}}
    assert read(flow([name])) == (name,)
    assert read(quoted(name)) == yaml.safe_load(quoted(name)) == name
    assert flow([name]).isprintable() or "\u200d" in name


@settings(max_examples=500, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(string.punctuation), max_size=20))
def test_any_text_is_read_back(text):
    assert read(flow({"a": [text]})) == {"a": (text,)}
    assert yaml.safe_load(flow({"a": [text]})) == {"a": [text]}


# What a message tells to paste is pasted, and the message is gone.


def _merged(*parts):
    config = {
        "data": {"path": "t.csv", "target": "y"},
        "preprocess": {"standardize": True, "standardize_target": True},
        "optimizer": {"lr": "auto"},
        "train": {"dtype": "float64", "batch_size": "full", "epochs": 3},
    }
    for part in parts:
        config = {section: {**keys, **part.get(section, {})} for section, keys in config.items()}
    return config


def _write(folder, columns, delimiter=","):
    with open(folder / "t.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def _fails(call, config, folder, *, solved: bool = True) -> list[str]:
    """The remedies that do not help; at least one was tried."""
    wrong, tried = [], 0
    for message, lines, after in try_remedies(call, config, folder):
        tried += 1
        head = message.split("; ")[0]
        if any(other.startswith(head) for other in after) or (solved and any(_is_error(each) for each in after)):
            wrong.append(f"{message}\n  {lines}\n  {after}")
    return wrong if tried else ["no remedy was shown: " + call("train", "-c", "c.yaml", "--dry-run").err]


def _is_error(message: str) -> bool:
    return message.startswith(("t.csv", "pasted.yaml", "c.yaml", "--set"))


class Reading:
    """What reading the table of a config says, in the form of a command line."""

    def __init__(self, *arguments: str) -> None:
        files = [arguments[position + 1] for position, each in enumerate(arguments) if each == "-c"]
        overrides = [arguments[position + 1] for position, each in enumerate(arguments) if each == "--set"]
        try:
            summary = load_dataset(load_config(files, overrides).config).summary
            self.err = "".join(f"warning: {one_line(each.message)}\n" for each in summary.warnings)
        except LinregError as error:
            self.err = "".join(f"error: {one_line(str(fault))}\n" for fault in error.faults)


@pytest.mark.parametrize("name", [name for name in NASTY if len(name) < 1_000 and name != "y"])
def test_remedies_about_columns_work_whatever_a_column_is_called(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for case in ("words", "a placeholder", "no value and drop", "the target"):
        cells, own = COLUMNS[case]
        _write(tmp_path, {name: cells, "x": X, "z": X**2, "y": Y})
        assert _fails(Reading, _merged(own), tmp_path) == [], case


def _train_again(linreg, folder) -> None:
    """A missing category at prediction takes another training, whose command is shown."""
    _write(folder, {"col": LEVELS, "x": X, "y": Y})
    (folder / "c.yaml").write_text(pasted(_merged(ONE_HOT, {"train": {"epochs": 1}}), []) + "plots: false\n")
    assert linreg("train", "-c", "c.yaml", "--quiet").code == 0
    (folder / "new.csv").write_text("col,x\n,1\n")
    message = linreg("predict", "latest", "--data", "new.csv").err
    again = re.search("train again: linreg (.*)", message)[1]
    assert linreg(*shlex.split(again), "--quiet").code == 0
    assert linreg("predict", "latest", "--data", "new.csv").code == 0


#: Modules that import what only an extra installs; they write no remedy.
_OF_EXTRAS = (
    "linreg_cli.export.as_onnx", "linreg_cli.estimator", "linreg_cli.trackers.mlflow_child",
    "linreg_cli.trackers.event_file_child",
)  # fmt: skip


@pytest.fixture
def sites(monkeypatch):
    """The places of the package that wrote a remedy, as (file, line)."""
    seen = set()

    def recording(function):
        def wrapper(*arguments, **keywords):
            frame = sys._getframe(1)
            seen.add((Path(frame.f_code.co_filename), frame.f_lineno))
            return function(*arguments, **keywords)

        return wrapper

    for path in PACKAGE.rglob("*.py"):
        name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
        if name not in _OF_EXTRAS:
            importlib.import_module(name)
    for name in WRITERS:
        wrapped = recording(getattr(remedies_module, name))
        for module in [module for key, module in sys.modules.items() if key.startswith("linreg_cli")]:
            if getattr(module, name, None) is getattr(remedies_module, name) and module is not remedies_module:
                monkeypatch.setattr(module, name, wrapped)
    return seen


PACKAGE = REPOSITORY / "linreg_cli"
#: The functions that write what is pasted.
WRITERS = ("setting", "leave_out", "for_columns", "also_missing", "change", "without_mark", "with_mark", "as_days")
#: Folders whose remedies are all tried here. Those of others have no names in them; see below.
TRIED = ("config", "data")
#: Its remedies are for gates, and are tried in `test_readers.py`.
GATES = "metric_names.py"


def _calls() -> dict[tuple[Path, int, int], str]:
    """Every place that writes a remedy: file, first and last line -> its code."""
    found = {}
    for path in [path for folder in TRIED for path in (PACKAGE / folder).rglob("*.py") if path.name != GATES]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in WRITERS:
                found[path, node.lineno, node.end_lineno] = f"{path.name}:{node.lineno}: {ast.unparse(node)}"
    return found


def test_every_remedy_of_the_package_is_tried_and_helps(sites, linreg, tmp_path):
    wrong = {}
    for case, (cells, own) in COLUMNS.items():
        _write(tmp_path, {"col": cells, "x": X, "y": Y}, own.get("data", {}).get("delimiter", ","))
        wrong[case] = _fails(linreg, _merged(own), tmp_path)
    for case, (content, own) in FILES.items():
        (tmp_path / "t.csv").write_bytes(content)
        wrong[case] = _fails(linreg, _merged(own), tmp_path)
    for case, columns in TYPED.items():
        table = pa.table({**columns, "y": Y})
        if "index" in columns:
            table = table.replace_schema_metadata({"pandas": json.dumps({"index_columns": ["index"], "columns": []})})
        feather.write_feather(table, tmp_path / "t.feather")
        wrong[case] = _fails(linreg, _merged({"data": {"path": "t.feather"}}), tmp_path)
    (tmp_path / "rows").write_text("x,y\n" + "".join(f"{x},{y}\n" for x, y in zip(X, Y, strict=True)))
    wrong["a name without a format"] = _fails(linreg, _merged({"data": {"path": "rows"}}), tmp_path)
    pq.write_table(pa.table({"x": X, "y": Y}), tmp_path / "t.parquet")
    typed = {"path": "t.parquet", "decimal": ",", "thousands": ".", "encoding": "cp1252"}
    wrong["settings of text"] = _fails(linreg, _merged({"data": typed}), tmp_path, solved=False)
    assert {case: messages for case, messages in wrong.items() if messages} == {}
    _train_again(linreg, tmp_path)
    lost = [
        code
        for (path, first, last), code in _calls().items()
        if not any(where == path and first <= line <= last for where, line in sites)
    ]
    assert "\n".join(lost) == "", "add a case in which the message is shown"


def test_a_value_is_written_into_a_line_of_the_config_in_one_place_only():
    """An f-string such as "set data.ignore: [{name}]" is not valid YAML for every name."""
    ends = re.compile(r"(?:set|with|or|and|to) (?:data|preprocess)\.[a-z_.]+[:=] ?[\[{\"']*$", re.I)
    found = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for part, after in zip(getattr(node, "values", [])[:-1], getattr(node, "values", [])[1:], strict=False):
                text = isinstance(node, ast.JoinedStr) and isinstance(part, ast.Constant) and str(part.value)
                if text and isinstance(after, ast.FormattedValue) and ends.search(text):
                    found.append(f"{path.name}:{node.lineno}: {text}")
    assert found == [], "use linreg_cli.remedies"


def test_lines_that_stand_in_the_code_are_valid():
    """Each is pasted into a config: its key is known, and takes the value."""
    line = re.compile(
        r"(?:set|with|or|and|to) ((?:data|preprocess|optimizer|train|model|evaluate)\.[a-z_.]+|loss): (\S[^;,)]*)"
    )
    found = {}
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
                found |= {(key, value.strip()): path for key, value in line.findall(node.value)}
    for (key, value), path in found.items():
        if "column with" in value or not value or value.endswith(":"):
            continue
        word = value_at(value + " ", 0).rstrip(":.")
        section, _, name = key.partition(".")
        data = {"data": {"source": "inline", "columns": ["x", "y"], "rows": [[1, 2]]}}
        if section == "data":
            data = {"data": {"path": "t.csv", "target": "y"}}
        given = yaml.safe_load(word)
        data[section] = {**data.get(section, {}), name: given} if name else given
        Config.model_validate(parse(yaml.safe_dump(data), Source("t", ())).to_value()), path


def test_the_grammar_of_remedies():
    message = 't.csv: no; set data.ignore: [\'a, b\', "c]"] or data.decimal: "," and data.thousands: "\'", or give up'
    assert list(remedies(message)) == [
        [("data.ignore", "['a, b', \"c]\"]")],
        [("data.decimal", '","'), ("data.thousands", '"\'"')],
    ]
