"""Numbers are written in one way: only `wording` and `decimals` say how."""

import ast
import re

import numpy as np
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
    "figures/correlation.py",  # two decimals in every cell
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


@pytest.mark.parametrize("apart", [0.5, 1e-9])
def test_a_run_writes_no_digits_of_rounding_error_and_of_huge_ratios(linreg, tmp_path, apart):
    """Columns that are 1e-9 apart have variance inflation factors and a condition number of 1e18 and 1e9, a run that
    ends at the exact fit a gap of 1e-15; their digits mean nothing to a reader."""
    rng = np.random.default_rng(4)
    a = rng.normal(size=80)
    rows = np.column_stack([a, a + apart * rng.normal(size=80), 3 * a + rng.normal(size=80)])
    (tmp_path / "t.csv").write_text("a,b,y\n" + "".join(",".join(map(repr, row)) + "\n" for row in rows.tolist()))
    assert linreg("init", "t.csv", "--target", "y").code == 0
    run = linreg("train", "-c", "t.yaml", "-v", "--set", "plots=false")
    assert run.code == 0, run.err
    shown = run.out + run.err + linreg("evaluate", "t").out + linreg("inspect", "-c", "t.yaml").out
    odd = re.findall(r"(?<![\w-])[\d,.]+e[-+]?[1-9]\d\b|\d{1,3}(?:,\d{3}){4,}", re.sub("curvature .*", "", shown))
    assert odd == []
    if apart == 0.5:
        assert "stopped early: the exact fit is reached\n" in run.out
        assert "gap <1e-9" in run.err
    else:
        assert "a (>1,000,000) and b (>1,000,000) have variance inflation factors above 10" in run.err
        assert "(condition number more than 1,000,000,000)" in run.err
