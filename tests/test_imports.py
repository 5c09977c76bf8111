"""A command imports what it needs, when it needs it: help is immediate, and looking at runs loads no torch."""

import subprocess
import sys

import pytest
from conftest import CONFIGS

HEAVY = {"torch", "matplotlib", "pyarrow", "pydantic", "numpy", "safetensors", "yaml"}

SCRIPT = """
import sys
from linreg_cli.cli.app import run
code = run(sys.argv[1:])
print("\\nLOADED", code, *sorted(name for name in sys.modules if "." not in name))
"""


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        (["--help"], set()),
        (["train", "--help"], {"pydantic"}),  # typer checks options with it
        (["--version"], {"pydantic"}),
        (["runs", "list"], {"pydantic"}),
        (["validate", str(CONFIGS / "smoke.yaml")], {"yaml", "pydantic"}),
    ],
)
def test_a_light_command_loads_nothing_heavy(tmp_path, arguments, allowed):
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    mark, code, *loaded = result.stdout.splitlines()[-1].split()
    assert (mark, code, result.stderr) == ("LOADED", "0", "")
    assert HEAVY & set(loaded) <= allowed


def test_the_module_runs_as_the_command_does(tmp_path):
    result = subprocess.run(
        [sys.executable, "-m", "linreg_cli", "--version"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert result.stdout.startswith("linreg ")
