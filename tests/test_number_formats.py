"""Numbers are written in one way: only `wording` and `decimals` say how."""

import ast
import re

import pytest
from conftest import REPOSITORY

PACKAGE = REPOSITORY / "linreg_cli"
#: Where the ways to write numbers are defined.
DEFINE = {"wording.py", "decimals.py"}
#: What is no number in a sentence or a table, or has a form of its own.
MAY = {
    "cli/junit.py",  # a file format
    "cli/progress.py",  # the speed, while it goes on
    "convergence/rates.py",  # rounding down
    "data/encoding/levels.py",  # names of levels
    "figures/canvas.py",  # ticks of an axis
    "inspection/advice.py",  # keys of JSON
    "runs/labels.py",  # as many digits as tell two runs apart
}
_NUMBER = re.compile(r"[-+ 0-9<>^]*[,_]?(?:\.[0-9]+)?[eEfFgG%]")


def specs(tree):
    """The format specifications of f-strings, of `format` and of `str.format`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FormattedValue) and isinstance(node.format_spec, ast.JoinedStr):
            yield "".join(part.value if isinstance(part, ast.Constant) else "0" for part in node.format_spec.values)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "format":
            yield from (each.value for each in node.args[1:] if isinstance(each, ast.Constant))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
            given = node.func.value
            if isinstance(given, ast.Constant) and isinstance(given.value, str):
                yield from re.findall(r"\{[^{}:]*:([^{}]*)\}", given.value)


def found(path):
    return [spec for spec in specs(ast.parse(path.read_text(encoding="utf-8"))) if _NUMBER.fullmatch(spec)]


def test_the_search_finds_what_it_looks_for():
    source = 'f"{x:.3g}"; f"{x:,.{digits}f}"; "{:.1e}".format(x); format(x, ".2%"); f"{n:,}"; f"{x:<8}"; f"{x:d}"'
    shown = sorted(spec for spec in specs(ast.parse(source)) if _NUMBER.fullmatch(spec))
    assert shown == [",.0f", ".1e", ".2%", ".3g"]


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(PACKAGE.rglob("*.py")) if path.relative_to(PACKAGE).as_posix() not in DEFINE | MAY],
    ids=lambda path: path.relative_to(PACKAGE).as_posix(),
)
def test_a_module_writes_numbers_by_wording(path):
    assert found(path) == [], "use number, exact, percent or another function of wording.py"


def test_what_may_write_numbers_otherwise_does():
    assert [name for name in sorted(MAY) if not found(PACKAGE / name)] == []
