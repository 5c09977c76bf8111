"""A reader finds the tests of a module: by its name, or in the table of tests/README.md."""

import re

from conftest import REPOSITORY

PACKAGE, TESTS = REPOSITORY / "linreg_cli", REPOSITORY / "tests"
#: Up to this many lines a module may be tested with those that use it.
SMALL = 60
ROW = re.compile(r"^\| `([^`]+)` \| (.+) \|$", flags=re.MULTILINE)

#: Module or folder of the package -> the files that test it.
ELSEWHERE = {
    module: re.findall(r"`(test_\w+\.py)`", files)
    for module, files in ROW.findall((TESTS / "README.md").read_text(encoding="utf-8"))
}


def own_files(module: str) -> list[str]:
    """The names that a file of tests may have for a module such as `data/tables/blocks.py`."""
    *folders, name = module.removesuffix(".py").split("/")
    return [f"test_{name}.py", *([f"test_{folders[-1]}_{name}.py"] if folders else [])]


def has_its_own(module: str) -> bool:
    return any((TESTS / name).exists() for name in own_files(module))


def is_in_the_table(module: str) -> bool:
    return module in ELSEWHERE or any(row.endswith("/") and module.startswith(row) for row in ELSEWHERE)


def test_every_module_has_a_file_of_tests_or_a_row_in_the_table():
    modules = {path.relative_to(PACKAGE).as_posix(): path for path in PACKAGE.rglob("*.py")}
    large = [name for name, path in modules.items() if len(path.read_text(encoding="utf-8").splitlines()) > SMALL]
    assert len(large) > 50
    lost = [name for name in sorted(large) if not has_its_own(name) and not is_in_the_table(name)]
    assert lost == [], "name a file after the module, or add a row to tests/README.md"


def test_the_table_names_what_is_there():
    assert [module for module in ELSEWHERE if not (PACKAGE / module).exists()] == []
    assert [module for module, files in ELSEWHERE.items() if not files] == []
    named = {name for files in ELSEWHERE.values() for name in files}
    assert [name for name in sorted(named) if not (TESTS / name).exists()] == []


def test_a_module_without_tests_would_be_found():
    assert own_files("data/tables/nothing.py") == ["test_nothing.py", "test_tables_nothing.py"]
    assert not has_its_own("data/tables/nothing.py")
    assert not is_in_the_table("data/tables/nothing.py")
    assert is_in_the_table("report/nothing.py")
