"""The lower bounds of `pyproject.toml` are the versions that `make test-oldest` installs."""

import re
import tomllib

from conftest import REPOSITORY

#: They only check the sources: their oldest versions are not run.
CHECKERS = {"mypy", "ruff", "types-pyyaml"}


def versions(lines) -> dict[str, tuple[int, ...]]:
    """Name -> version of `name==1.2.3` and `name>=1.2.3` lines, without trailing zeros."""
    found = {}
    for line in lines:
        if line.strip() and not line.startswith("#"):
            name, version = re.fullmatch(
                r"([A-Za-z0-9._-]+)(?:\[.*\])?(?:==|>=)([0-9.]+)(?:b[0-9]+)?", line.strip()
            ).groups()
            parts = [int(part) for part in version.split(".")]
            while parts[-1] == 0:
                parts.pop()
            found[name.lower()] = tuple(parts)
    return found


def asked_for(project) -> list[str]:
    """What the package needs, what its tests need, and the extras of users."""
    extras = project["optional-dependencies"]
    return [*project["dependencies"], *(line for name, lines in extras.items() if name != "bench" for line in lines)]


def test_each_lower_bound_is_a_version_that_was_tried():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = versions(asked_for(project))
    tried = versions((REPOSITORY / "tests/data/oldest.txt").read_text(encoding="utf-8").splitlines())
    assert asked.keys() - CHECKERS <= tried.keys()
    assert {name: tried[name] for name in asked.keys() - CHECKERS} == {
        name: bound for name, bound in asked.items() if name not in CHECKERS
    }


def test_ci_installs_the_trackers_whose_readers_the_tests_use():
    """Without them the tests of the readers would be skipped everywhere."""
    extras = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    (target,) = re.findall(r"^tracker-tools:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    installed = re.findall(r"--constraint constraints\.txt --editable '\.\[(\w+)\]' \|\| true\n", target)
    assert installed == ["tensorboard", "mlflow"]
    assert {*installed} <= extras["optional-dependencies"].keys()
    assert "\nmake tracker-tools " in (REPOSITORY / ".ci/run").read_text(encoding="utf-8")


def test_what_is_pinned_is_not_below_the_bounds():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pinned = versions((REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines())
    asked = versions(asked_for(project))
    assert asked.keys() <= pinned.keys()
    assert [name for name, bound in asked.items() if pinned[name] < bound] == []
