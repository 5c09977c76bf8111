"""Gates as CI sees them: JUnit XML, and the recipes of docs/ci.md, which are run."""

import os
import re
import shlex
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest
import yaml
from conftest import REPOSITORY

from linreg_cli.cli.junit import recording_error

PAGE = (REPOSITORY / "docs" / "ci.md").read_text(encoding="utf-8")
CONFIG = """
name: a
data: {source: synthetic, n_samples: 50, split: {train: 0.8, test: 0.2}}
gates: ["train.rmse >= 0", "train.mae < 0", 'train.r2 > 2']
plots: false
"""


def block(language: str, position: int = 0) -> str:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)[position]


def cases(path) -> dict[str, str | None]:
    """Name of each test case -> why it failed, or None."""
    suites = ElementTree.parse(path).getroot()
    assert suites.tag == "testsuites"
    [suite] = suites
    found = {case.get("name"): case.find("failure") for case in suite}
    failures = {name: None if failure is None else failure.get("message") for name, failure in found.items()}
    for element in (suites, suite):
        assert int(element.get("tests")) == len(failures)
        assert int(element.get("failures")) == sum(message is not None for message in failures.values())
    return failures


def test_every_gate_is_a_case_and_every_failure_says_why(linreg, config_file, tmp_path):
    result = linreg("train", "-c", config_file(CONFIG), "--fail-if", "seconds < 1e9", "--junit", "gates.xml")
    assert result.code == 5
    found = cases(tmp_path / "gates.xml")
    assert list(found) == ["train.rmse >= 0", "train.mae < 0", "train.r2 > 2", "fail if seconds < 1e9"]
    assert found["train.rmse >= 0"] is None
    assert found["train.mae < 0"].startswith("train.mae is 2.")
    assert found["train.r2 > 2"].startswith("train.r2 is 0.")
    assert found["fail if seconds < 1e9"].startswith("seconds is ")
    for gate in list(found)[1:]:
        assert f"gate '{gate}' failed" in result.err


def test_evaluate_writes_its_gates(linreg, config_file, tmp_path):
    assert linreg("train", "-c", config_file(CONFIG), "--set", "gates=[]", "--junit", "none.xml").code == 0
    assert cases(tmp_path / "none.xml") == {}
    options = ["--fail-if", "test.r2 < 0.1", "--fail-if", "test.n > 3", "--junit", "gates.xml"]
    assert linreg("evaluate", "a", *options).code == 5
    assert cases(tmp_path / "gates.xml") == {"fail if test.r2 < 0.1": None, "fail if test.n > 3": "test.n is 10"}


def test_a_file_that_cannot_be_written_is_an_error(linreg, config_file):
    result = linreg("train", "-c", config_file(CONFIG), "--set", "gates=[]", "--junit", "no/gates.xml")
    assert (result.code, "there is no folder no; create it first" in result.err) == (6, True)


def test_the_workflow_is_one_and_its_commands_pass(linreg, tmp_path):
    (tmp_path / "configs").symlink_to(REPOSITORY / "configs")
    workflow = yaml.safe_load(block("yaml"))
    [job] = workflow["jobs"].values()
    assert set(job) == {"runs-on", "steps"}
    assert all(("uses" in step) != ("run" in step) for step in job["steps"])
    commands = [shlex.split(step["run"]) for step in job["steps"] if "run" in step]
    assert [command[0] for command in commands] == ["pip", "linreg", "linreg", "linreg"]
    assert commands[0][1:] == ["install", "--constraint", "constraints.txt", "."]
    assert (REPOSITORY / "constraints.txt").exists()
    for command in commands[1:]:
        result = linreg(*command[1:])
        assert result.code == 0, result.err
    kept = job["steps"][-1]["with"]["path"].split()
    assert kept == ["outputs", "gates.xml"]
    assert all((tmp_path / path).exists() for path in kept)
    assert list(cases(tmp_path / "gates.xml").values()) == [None, None]
    assert (tmp_path / "outputs" / "smoke-0001" / "report.html").exists()


@pytest.mark.parametrize(("gate", "code", "said"), [("0.9", 0, "passed its gates"), ("2", 5, "a gate failed")])
def test_the_shell_form_says_how_it_ended(tmp_path, gate, code, said):
    (tmp_path / "configs").symlink_to(REPOSITORY / "configs")
    program = tmp_path / "bin" / "linreg"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m linreg_cli "$@"\n')
    program.chmod(0o755)
    environment = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "PYTHONPATH": str(REPOSITORY)}
    script = block("sh").replace("test.r2 < 0.9", f"test.r2 < {gate}")
    result = subprocess.run(
        ["sh", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (result.returncode, said in result.stdout) == (code, True), result.stderr
    assert len(cases(tmp_path / "gates.xml")) == 1


@pytest.mark.parametrize(
    ("sets", "code", "kind", "said"),
    [
        (["optimizer.lr=1e6"], 4, "diverged", "must diverge|would grow"),
        (["optimizer.lr=nan"], 2, "config", "optimizer.lr"),
        (["data={source: table, path: no.csv, target: y}"], 3, "data", "there is no such file"),
    ],
)
def test_a_run_that_fails_is_a_case_with_its_error(linreg, config_file, tmp_path, sets, code, kind, said):
    arguments = [part for each in sets for part in ("--set", each)]
    result = linreg("train", "-c", config_file(CONFIG), *arguments, "--junit", "gates.xml")
    assert result.code == code, result.err
    suites = ElementTree.parse(tmp_path / "gates.xml").getroot()
    assert [(each.get("tests"), each.get("failures"), each.get("errors")) for each in suites.iter("testsuite")] == [
        ("1", "0", "1")
    ]
    [case] = suites.iter("testcase")
    assert (case.get("classname"), case.get("name")) == (f"linreg.{kind}", "train")
    assert re.search(said, case.find("error").get("message"))


def test_a_run_that_diverges_on_its_way_and_a_run_that_is_not_there_are_cases(linreg, config_file, tmp_path):
    arguments = ["--set", "optimizer.lr=1e6", "--force", "--junit", "gates.xml"]
    assert linreg("train", "-c", config_file(CONFIG), *arguments).code == 4
    assert "training diverged at step" in (tmp_path / "gates.xml").read_text()
    assert linreg("evaluate", "nobody", "--junit", "other.xml").code == 6
    assert 'classname="linreg.store" name="evaluate"' in (tmp_path / "other.xml").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "kind"),
    [
        (["train", "-c", "config.yaml", "--fail-if", "nonsense =="], 2, "usage"),
        (["train", "-c", "config.yaml", "--quiet", "--verbose"], 2, "usage"),
        (["train", "-c", "config.yaml", "--dry-run"], 2, "usage"),
        (["train"], 2, "usage"),
        (["evaluate", "latest", "--fail-if", "nonsense =="], 2, "usage"),
    ],
)
def test_options_that_are_wrong_leave_no_older_result(linreg, config_file, tmp_path, arguments, code, kind):
    config_file(CONFIG)
    (tmp_path / "gates.xml").write_text("of an earlier run")
    assert linreg(*arguments, "--junit", "gates.xml").code == code
    assert f'classname="linreg.{kind}" name="{arguments[0]}"' in (tmp_path / "gates.xml").read_text()


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: not enough memory")])
def test_memory_that_runs_out_is_a_case(tmp_path, error):
    with pytest.raises(type(error)), recording_error(tmp_path / "gates.xml", "train"):
        raise error
    text = (tmp_path / "gates.xml").read_text()
    assert 'classname="linreg.memory" name="train"' in text
    assert "out of memory" in text


def test_a_bug_is_no_case(tmp_path):
    with pytest.raises(RuntimeError), recording_error(tmp_path / "gates.xml", "train"):
        raise RuntimeError("an index is wrong")
    assert not (tmp_path / "gates.xml").exists()


def test_a_complete_run_that_is_resumed_writes_its_gates(linreg, config_file, tmp_path):
    assert linreg("train", "-c", config_file(CONFIG), "--set", "gates=[]").code == 0
    options = ["--fail-if", "test.n > 3", "--junit", "gates.xml"]
    assert linreg("train", "--resume", "a", *options).code == 5
    assert cases(tmp_path / "gates.xml") == {"fail if test.n > 3": "test.n is 10"}


def hooks() -> dict[str, dict]:
    """The hook of the repository, and those of the page."""
    [own] = yaml.safe_load((REPOSITORY / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    there, here = (yaml.safe_load(block("yaml", position))["repos"][0]["hooks"][0] for position in (1, 2))
    assert own["id"] == there["id"] == here["id"]
    return {"own": own, "there": {**own, **there}, "here": {**own, **here}}


@pytest.mark.parametrize("name", ["own", "there", "here"])
def test_the_hook_before_a_commit_passes_for_the_configs_and_fails_for_a_wrong_one(linreg, tmp_path, name):
    """As pre-commit does it: the entry, and after it the files that match."""
    (tmp_path / "configs").symlink_to(REPOSITORY / "configs")
    hook = hooks()[name]
    program, *arguments = shlex.split(hook["entry"])
    files = [f"configs/{path.name}" for path in sorted((REPOSITORY / "configs").iterdir())]
    matching = [file for file in files if re.search(hook["files"], file)]
    assert matching == files
    assert not re.search(hook["files"], "docs/config.yaml")
    assert program == "linreg"
    assert linreg(*arguments, *matching).code == 0
    (tmp_path / "wrong.yaml").write_text("los: mse\n")
    assert linreg(*arguments, *matching, "wrong.yaml").code == 2
