"""What GitHub Actions reads: annotations on stderr, and the summary of a job in Markdown."""

import json
import os
import re

import pytest

from linreg_cli.cli.annotations import annotation
from linreg_cli.errors import Fault

CONFIG = """
name: a
data: {source: synthetic, n_samples: 60, split: {train: 0.8, test: 0.2}, weights: {"x|1": 2, "b_*": -3}}
preprocess: {standardize: true}
optimizer: {lr: auto, momentum: auto}
train: {epochs: 300, batch_size: full, dtype: float64}
plots: false
"""


@pytest.fixture
def actions(monkeypatch, tmp_path):
    """The environment of a step."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    return tmp_path / "summary.md"


def unescaped(line: str) -> tuple[str, dict[str, str], str]:
    """(level, properties, message) as the runner reads them: %25 is undone last."""
    level, given, message = re.fullmatch(r"::(\w+) ?([^:]*)::(.*)", line).groups()
    pairs = dict(pair.split("=", 1) for pair in given.split(",") if pair)

    def undone(text):
        for code, character in (("%3A", ":"), ("%2C", ","), ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
            text = text.replace(code, character)
        return text

    return level, {name: undone(value) for name, value in pairs.items()}, undone(message)


def annotations(err: str) -> list[tuple[str, dict[str, str], str]]:
    return [unescaped(line) for line in err.splitlines() if line.startswith("::")]


def test_every_fault_of_a_config_is_beside_its_line(linreg, actions, tmp_path):
    name = "a, b%: 100.yaml"
    (tmp_path / name).write_text("data: {source: synthetic}\nlos: mse\nseed: -1\n")
    result = linreg("validate", name, "--json")
    assert result.code == 2
    assert [(level, place, message) for level, place, message in annotations(result.err)] == [
        ("error", {"file": name, "line": "2", "col": "1"}, "unknown key 'los'; did you mean 'loss'?"),
        ("error", {"file": name, "line": "3", "col": "7"}, "seed must be at least 0, found -1"),
    ]
    assert json.loads(result.out)["error"]["where"] == f"{name}:2:1"  # stdout has the one object, and nothing else
    assert [line for line in result.err.splitlines() if line.startswith("error: ")] != []


def test_a_file_is_named_from_the_root_of_the_repository(linreg, actions, tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "c.yaml").write_text("data: {source: synthetic}\nlos: mse\n")
    monkeypatch.chdir(tmp_path / "sub")
    [(_, place, _)] = annotations(linreg("validate", "c.yaml").err)
    assert place["file"] == "sub/c.yaml"


def test_other_errors_and_warnings_have_no_line(linreg, actions, tmp_path):
    (tmp_path / "c.yaml").write_text(CONFIG)
    result = linreg("train", "-c", "c.yaml", "--set", "los=3")
    assert annotations(result.err) == [
        ("error", {}, "--set los=3: unknown key 'los'; did you mean 'loss'?"),
    ]
    result = linreg("train", "-c", "c.yaml", "--set", "huber_delta=2", "--dry-run")
    assert ("warning", {}, "huber_delta: 2 has no effect with loss: mse") in annotations(result.err)


def test_the_message_stays_on_one_line_and_cannot_end_the_annotation(monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    line = annotation("error", Fault("100 %\n::error::made up, 5:3"))
    assert line == "::error::100 %25%0A::error::made up, 5:3"
    monkeypatch.setenv("GITHUB_ACTIONS", "false")
    assert annotation("error", Fault("x")) is None


def test_a_run_appends_its_metrics_gates_coefficients_and_warnings(linreg, actions, tmp_path):
    (tmp_path / "c.yaml").write_text(CONFIG)
    actions.write_text("# The step before\n\n")
    options = ["--fail-if", "test.r2 < 0.5", "--fail-if", "train.n > 3", "--set", "huber_delta=2"]
    assert linreg("train", "-c", "c.yaml", *options).code == 5
    text = actions.read_text()
    assert text.startswith("# The step before\n\n### linreg: a-0001\n\n**1 of 2 gates failed**\n")
    metrics = json.loads((tmp_path / "outputs" / "a-0001" / "metrics.json").read_text())
    rows = [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in text.splitlines() if line[:1] == "|"
    ]
    cells = {row[0]: row[1:] for row in rows}
    assert cells["fail if test.r2 \\< 0.5"][0] == "passed"
    assert cells["fail if train.n \\> 3"][:2] == ["**failed**", "48"]
    assert cells["train"][0] == "48"
    for name, shown in (("x|1", "x\\|1"), ("b_*", "b\\_\\*")):
        assert float(cells[shown][0]) == pytest.approx(metrics["parameters"]["weights"][name], rel=1e-5)
        assert float(cells[shown][1]) == pytest.approx(metrics["inference"]["coefficients"][name]["std_err"], rel=1e-3)
    assert "**Warnings**\n\n- huber\\_delta: 2 has no effect with loss: mse\n" in text
    for table in re.split(r"\n\n", text):  # every row of a table has its columns
        widths = {len(re.split(r"(?<!\\)\|", line)) for line in table.splitlines() if line.startswith("|")}
        assert len(widths) <= 1
    assert linreg("evaluate", "a", "--fail-if", "test.r2 < 0.5").code == 0
    assert actions.read_text().startswith(text)
    assert "\n### linreg: a-0001\n\n1 gate passed\n" in actions.read_text()[len(text) - 1 :]


def test_a_command_that_fails_says_why(linreg, actions, tmp_path):
    (tmp_path / "c.yaml").write_text(CONFIG)
    assert linreg("train", "-c", "c.yaml", "--set", "seed=-1", "--set", "los=3").code == 2
    assert actions.read_text().startswith("### linreg train: failed\n\n- --set los=3: unknown key 'los'; did you mean")
    assert linreg("evaluate", "nobody").code == 6
    assert "### linreg evaluate: failed" in actions.read_text()


def test_a_summary_that_cannot_be_written_is_a_warning(linreg, actions, tmp_path, monkeypatch):
    (tmp_path / "c.yaml").write_text(CONFIG)
    os.mkfifo(tmp_path / "pipe")
    for path in ("no/such/folder/s.md", ".", "pipe", "~nobody-here/s.md"):
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", path)
        result = linreg("train", "-c", "c.yaml", "--set", "seed=-1")
        assert result.code == 2
        assert f"warning: the summary cannot be written to GITHUB_STEP_SUMMARY={path}: " in result.err


def test_without_the_variable_nothing_is_written(linreg, tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "")
    (tmp_path / "c.yaml").write_text("data: {source: synthetic}\nlos: 3\n")
    result = linreg("train", "-c", "c.yaml")
    assert (result.code, "::" in result.err) == (2, False)
    assert {path.name for path in tmp_path.iterdir()} == {"c.yaml"}
