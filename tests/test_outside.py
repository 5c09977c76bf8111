"""docs/howto/outside.md: linreg in a notebook, scikit-learn, Node, GitHub Actions, Docker and cron."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import REPOSITORY
from pages import PAGES, Block, assert_shown, blocks

PAGE = PAGES["docs/howto/outside.md"]
#: What a Dockerfile may say; the reference of Docker has these and a few that are not needed.
INSTRUCTIONS = {"FROM", "ARG", "WORKDIR", "COPY", "RUN", "ENV", "ENTRYPOINT", "CMD"}
NODE = shutil.which("node")


def under(title: str) -> list[Block]:
    """The blocks of a section."""
    [section] = [part for part in PAGE.split("\n## ") if part.startswith(f"{title}\n")]
    return blocks(section)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A current folder with the files that the page names, and a program `linreg` in it."""
    monkeypatch.chdir(tmp_path)
    for name in ("configs", "docs"):
        Path(name).symlink_to(REPOSITORY / name)
    program = tmp_path / "bin" / "linreg"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m linreg_cli "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    return tmp_path


def test_the_cells_of_the_notebook_run_and_show(place):
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    nbformat = pytest.importorskip("nbformat")
    cells = [nbformat.v4.new_code_cell(block.code) for block in under("A notebook")]
    done = nbclient.NotebookClient(nbformat.v4.new_notebook(cells=cells), timeout=300, kernel_name="python3").execute()
    trained, picture, unwanted = (cell["outputs"] for cell in done["cells"])
    assert "rooms" in trained[0]["data"]["text/html"]
    assert "image/png" in picture[0]["data"]
    assert unwanted == []


def test_the_pipeline_finds_the_product(capsys):
    pytest.importorskip("sklearn")
    [block] = under("scikit-learn")
    exec(block.code, {})
    assert_shown(block.shown, capsys.readouterr().out)


def test_node_predicts_what_the_run_does(linreg, place):
    if NODE is None:
        pytest.skip("Node is not installed")
    modules = os.environ.get("NODE_PATH", "")
    found = subprocess.run([NODE, "-e", "require.resolve('onnxruntime-node')"], capture_output=True, check=False)
    if found.returncode:
        pytest.skip(f"onnxruntime-node is not in NODE_PATH ({modules})")
    commands, script = under("Node")
    for line in commands.code.splitlines():
        assert linreg(*line.split()[1:]).code == 0
    Path("flats.js").write_text(script.code, encoding="utf-8")
    shown = subprocess.run([NODE, "flats.js"], capture_output=True, text=True, check=True).stdout
    header = Path("docs/howto/flats.csv").read_text(encoding="utf-8").partition("\n")[0].split(",")
    cells = {"area": "64", "district": "Hill", "listed": "2025-11-03"}  # day 20395 since 1970-01-01
    Path("new.csv").write_text(f"{','.join(header)}\n{','.join(cells.get(name, '') for name in header)}\n")
    [predicted] = linreg("predict", "flats", "--data", "new.csv", "--json").json["predictions"]["prediction"]
    assert float(shown) == pytest.approx(predicted, rel=1e-12)
    assert float(re.search(r"// ([\d.]+),", script.code)[1]) == pytest.approx(predicted, abs=0.005)


def steps_of_the_action() -> list[dict]:
    action = yaml.safe_load((REPOSITORY / "action.yml").read_text(encoding="utf-8"))
    assert set(action) == {"name", "description", "inputs", "outputs", "runs"}
    assert action["runs"]["using"] == "composite"
    assert all({"name", "shell", "run"} <= set(step) for step in action["runs"]["steps"])
    return action["runs"]["steps"]


def test_the_action_installs_its_own_checkout():
    command = steps_of_the_action()[0]["run"].replace('"', "").split()
    assert command[:3] == ["python", "-m", "pip"]
    named = [part.replace("$GITHUB_ACTION_PATH", str(REPOSITORY)) for part in command if "ACTION_PATH" in part]
    assert all(Path(part).exists() for part in named)
    assert len(named) == 2


@pytest.mark.parametrize(("last", "code"), [("seconds > 600", 0), ("test.r2 < 2", 5)])
def test_the_action_trains_as_the_page_uses_it(place, last, code):
    used = yaml.safe_load(under("GitHub Actions")[0].code)["steps"][2]
    given = {**used["with"], "fail-if": used["with"]["fail-if"].replace("seconds > 600", last)}
    action = yaml.safe_load((REPOSITORY / "action.yml").read_text(encoding="utf-8"))
    assert set(given) <= set(action["inputs"])
    inputs = {name: given.get(name, each.get("default", "")) for name, each in action["inputs"].items()}
    step = steps_of_the_action()[1]
    assert "${{" not in step["run"]  # what an input says is no script
    env = {key: inputs[re.fullmatch(r"\$\{\{ inputs\.(\S+) \}\}", value)[1]] for key, value in step["env"].items()}
    script = place / "step.sh"
    script.write_text(step["run"], encoding="utf-8")
    # as the runner starts it
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)]
    env |= {"GITHUB_OUTPUT": str(place / "output")}
    done = subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    name, _, run = (place / "output").read_text().strip().partition("=")
    assert action["outputs"]["run"]["value"] == f"${{{{ steps.{step['id']}.outputs.{name} }}}}"
    assert (place / run / "report.html").exists()
    assert json.loads((place / run / "run.json").read_text())["status"] == "finished"
    assert (place / inputs["junit"]).read_text().count("<failure") == (code == 5)


def test_the_dockerfile_copies_files_that_are_there_and_is_what_the_package_needs():
    text = re.sub(r"^#.*\n", "", (REPOSITORY / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = [line.split(maxsplit=1) for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    assert {line[0] for line in lines} <= INSTRUCTIONS
    assert lines[0][0] == "FROM"
    version = tuple(map(int, re.search(r"python:(\d+)\.(\d+)", lines[0][1]).groups()))
    project = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    assert version >= tuple(map(int, re.search(r'requires-python = ">=(\d+)\.(\d+)"', project).groups()))
    copied = [name for word, rest in lines if word == "COPY" for name in rest.split()[:-1]]
    ignored = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").split()
    assert all((REPOSITORY / name).exists() and name not in ignored for name in copied)
    # what pip reads: the build, the readme and the licence that pyproject.toml names, the constraints
    named = re.findall(r'^(?:readme|license-files) = \[?"([^"]+)"', project, flags=re.MULTILINE)
    assert {"pyproject.toml", "linreg_cli", "constraints.txt", *named} <= set(copied)
    assert [json.loads(rest) for word, rest in lines if word in ("ENTRYPOINT", "CMD")] == [["linreg"], ["--help"]]


def test_the_line_of_cron_says_why_it_failed(place):
    [block] = under("cron")
    minute, hour, *rest, command = block.code.strip().split(maxsplit=5)
    assert (int(minute), int(hour), rest) == (15, 4, ["*", "*", "*"])
    assert "%" not in command
    shutil.copy("configs/smoke.yaml", "rents.yaml")
    for gate, said in (("test.r2 < 0.8", ""), ("test.r2 < 2", "rents: exit code 5\n")):
        line = command.replace("/srv/rents", str(place)).replace("test.r2 < 0.8", gate)
        # cron gives a line to sh
        done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)
        assert done.stdout.partition("\n")[2] == said, done.stderr
        assert ("gate" in done.stderr) == bool(said)
