"""The wheel and the source distribution are complete."""

import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from conftest import REPOSITORY

from linreg_cli import __version__

#: What is no part of a distribution: environments, caches, runs.
IGNORED = shutil.ignore_patterns(
    ".git",
    ".venv*",
    ".*_cache",
    ".hypothesis",
    "__pycache__",
    "*.pyc",
    "*.egg-info",
    "build",
    "dist",
    "outputs",
    "data_*",
)


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> tuple[Path, Path, Path]:
    """The sources, the wheel and the source distribution, built with the setuptools of this environment."""
    folder = tmp_path_factory.mktemp("packaging")
    sources, target = folder / "sources", folder / "dist"
    shutil.copytree(REPOSITORY, sources, ignore=IGNORED)
    program = f"import setuptools.build_meta as b; b.build_wheel({str(target)!r}); b.build_sdist({str(target)!r})"
    subprocess.run([sys.executable, "-c", program], cwd=sources, capture_output=True, text=True, check=True)
    [wheel], [sdist] = target.glob("*.whl"), target.glob("*.tar.gz")
    return sources, wheel, sdist


def files(folder: Path, *parts: str) -> set[str]:
    """The files in parts of a folder, as names in it."""
    found = {path for part in parts for path in (folder / part).rglob("*")}
    return {path.relative_to(folder).as_posix() for path in found if path.is_file() and "egg-info" not in str(path)}


def test_the_wheel_has_the_whole_package_and_nothing_else(built):
    sources, wheel, _ = built
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        about = {name.partition(".dist-info/")[2]: archive.read(name).decode() for name in archive.namelist()}
    assert names == files(sources, "linreg_cli")
    assert {"linreg_cli/py.typed", "linreg_cli/cli/app.py", "linreg_cli/optim/engines/kernels/tiles.py"} <= names
    assert "linreg = linreg_cli.cli.app:main" in about["entry_points.txt"]
    assert {"licenses/LICENSE", "METADATA"} <= about.keys()
    metadata = Parser().parsestr(about["METADATA"])
    project = tomllib.loads((sources / "pyproject.toml").read_text())["project"]
    assert metadata["Version"] == __version__
    needed = [line for line in metadata.get_all("Requires-Dist") if "extra ==" not in line]
    assert sorted(needed) == sorted(project["dependencies"])
    assert "Linear regression" in metadata.get_payload()


def test_the_source_distribution_has_what_the_repository_has(built):
    sources, _, sdist = built
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = files(sources, "linreg_cli", "configs", "docs", "tests", "benchmarks")
    assert {"configs/housing.yaml", "docs/config.schema.json", "tests/conftest.py", "tests/data/oldest.txt"} <= wanted
    assert wanted - names == set()
    assert {"README.md", "README.zh-CN.md", "LICENSE", "CHANGELOG.md", "Makefile", "constraints.txt"} <= names
    assert "pyproject.toml" in names
