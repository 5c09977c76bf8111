"""The examples in docstrings do what they show."""

import doctest
import importlib

import pytest
from conftest import REPOSITORY

PATHS = sorted((REPOSITORY / "linreg_cli").rglob("*.py"))
WITH_EXAMPLES = [
    ".".join(path.relative_to(REPOSITORY).with_suffix("").parts)
    for path in PATHS
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_examples_of_a_module_are_true(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # an example may write a file
    found = doctest.testmod(importlib.import_module(name.removesuffix(".__init__")))
    assert found.attempted > 0
    assert found.failed == 0


def test_there_are_examples():
    assert len(WITH_EXAMPLES) > 30
