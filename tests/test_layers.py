"""The way of the data is one-way: a module imports only from its own layer or an earlier one, and only `cli` prints."""

import ast
from pathlib import Path

import pytest
from conftest import REPOSITORY

PACKAGE = REPOSITORY / "linreg_cli"

#: The first part of a module's name after `linreg_cli` -> its layer.
LAYERS = {
    "errors": 0, "seeds": 0, "config": 1, "data": 2, "model": 3, "optim": 4, "runs": 5, "evaluate": 6,
    "preparation": 7, "training": 7, "resume": 7, "workflow": 7, "inspection": 7, "advice": 7, "generate": 7,
    "sweep": 8, "cli": 9, "__main__": 10,
}  # fmt: skip
MODULES = sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def part_of(module: str) -> str | None:
    """`linreg_cli.config.load` -> `config`; None for the package itself and for others."""
    parts = module.split(".")
    return parts[1] if parts[0] == "linreg_cli" and len(parts) > 1 else None


def imports(tree: ast.AST) -> list[str]:
    """Every import, also those within functions and under TYPE_CHECKING."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the layer"
            # `from linreg_cli import workflow` names a module by its alias
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_imports_only_from_its_own_or_earlier_layers(path):
    part = part_of(name_of(path))
    assert part is None or part in LAYERS, f"give {part} a layer"
    own = LAYERS[part] if part else 0
    used = {part_of(module) for module in imports(ast.parse(path.read_text()))} - {None, "__version__"}
    assert used <= set(LAYERS)
    later = {module for module in used if LAYERS[module] > own}
    assert later == set()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_the_command_line_prints_and_exits(path):
    if part_of(name_of(path)) in ("cli", "__main__"):
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in ("print", "sys.exit", "exit", "sys.stdout.write", "sys.stderr.write"), node.lineno


def test_optimisation_knows_no_files():
    """But for one module, which keeps what the compiler made."""
    for path in {*(PACKAGE / "optim").rglob("*.py")} - {PACKAGE / "optim" / "executors" / "kernel_files.py"}:
        for node in ast.walk(ast.parse(path.read_text())):
            assert not (isinstance(node, ast.Call) and ast.unparse(node.func) == "open"), path


def test_the_parser_sees_imports_within_functions():
    assert imports(ast.parse("def f():\n    from linreg_cli.cli import app\n    import linreg_cli.sweep\n")) == [
        "linreg_cli.cli.app",
        "linreg_cli.sweep",
    ]
