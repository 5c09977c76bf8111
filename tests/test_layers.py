"""The way of the data is one-way: a module imports only from its own layer or an earlier one, and only `cli` prints."""

import ast
import graphlib
from pathlib import Path

import pytest
from conftest import REPOSITORY

PACKAGE = REPOSITORY / "linreg_cli"

#: A folder of the package -> its parts (files and folders), in the order of the flow: each imports only from itself and
#: from those before it. In every other folder the parts may come in any order that has no circle.
ORDER = {
    "linreg_cli": [
        "addresses", "lookalike", "patterns", "errors", "launched", "seeds", "wording", "decimals", "readers",
        "remedies", "stored_remedies", "fixes", "temporary", "forks", "process_wide", "torch_modes", "blas", "calls",
        "decisions", "findings", "paths", "files", "cache",
        "metric_paths", "gates", "ranks", "config", "data", "model", "optim", "least_squares", "statistics",
        "convergence", "runs", "sweeps", "evaluation", "export", "figures", "report", "trackers", "starter", "pipeline",
        "inspection", "api", "estimator", "cli", "__main__",
    ],
    "linreg_cli.data": [
        "columns", "tables", "encoding", "roles", "features", "column_settings", "summary", "dataset", "split",
        "synthetic", "train_rows", "train_moments", "scaling", "preprocessor", "assemble", "shared", "checks",
        "every_fault", "opening", "table_warnings", "load",
    ],
    "linreg_cli.optim": [
        "losses", "schedules", "stopping", "batch_losses", "row_order", "transfer", "packing", "rows", "held",
        "split_rows", "routing", "plan",
        "state", "trail", "engines", "fit",
    ],
}  # fmt: skip
#: What may import compiled code, its compiler and its loader: the executors, and what they are made of.
MAY_IMPORT_KERNELS = ["moments", "native", "parameters", "shard_work", "sharded", "statistics"]
MODULES = sorted(PACKAGE.rglob("*.py"))
FOLDERS = sorted({".".join(path.parent.relative_to(PACKAGE.parent).parts) for path in MODULES})


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def part_of(module: str, folder: str = "linreg_cli") -> str | None:
    """The part of a folder that a module is in, or None for the folder itself and for what is not in it.

    `linreg_cli.config.load` is in `config` of `linreg_cli`, and in `load` of `linreg_cli.config`.
    """
    inside = module.removeprefix(f"{folder}.")
    return inside.split(".")[0] if inside != module else None


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


def uses(folder: str) -> dict[str, set[str]]:
    """Part of a folder -> the other parts that its modules import."""
    parts = {part for path in MODULES if (part := part_of(name_of(path), folder))}
    found: dict[str, set[str]] = {part: set() for part in parts}
    for path in MODULES:
        part = part_of(name_of(path), folder)
        if part is not None:
            used = {part_of(module, folder) for module in imports(ast.parse(path.read_text()))}
            found[part] |= (used & parts) - {part}
    return found


@pytest.mark.parametrize("folder", ORDER)
def test_a_module_imports_only_from_its_own_or_earlier_parts(folder):
    order, found = ORDER[folder], uses(folder)
    assert sorted(found) == sorted(order), "each part has its place in the order"
    later = {
        part: sorted(other for other in used if order.index(other) > order.index(part)) for part, used in found.items()
    }
    assert {part: others for part, others in later.items() if others} == {}


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_folder_has_a_circle_among_its_parts(folder):
    graphlib.TopologicalSorter(uses(folder)).prepare()  # CycleError names the circle


def test_only_executors_and_what_they_are_made_of_import_kernels():
    engines = PACKAGE / "optim" / "engines"
    outside = [path for path in MODULES if engines / "kernels" not in path.parents]
    found = {
        path
        for path in outside
        for module in imports(ast.parse(path.read_text()))
        if module.startswith("linreg_cli.optim.engines.kernels")
    }
    assert found == {engines / f"{name}.py" for name in MAY_IMPORT_KERNELS}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_the_command_line_prints_and_exits(path):
    if part_of(name_of(path)) in ("cli", "__main__"):
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in ("print", "sys.exit", "exit", "sys.stdout.write", "sys.stderr.write"), node.lineno


@pytest.mark.parametrize("path", sorted((PACKAGE / "cli").glob("*.py")), ids=name_of)
def test_one_module_of_the_command_line_prints(path):
    """It escapes what a terminal would act on, so nothing may be printed past it."""
    if path.name == "output.py":
        return
    called = [ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    assert not {"print", "csv.writer", "typer.echo", "typer.secho", "sys.stdout.write", "sys.stderr.write"} & {*called}


def test_optimisation_knows_no_files():
    """But for one module, which keeps what the compiler made."""
    for path in {*(PACKAGE / "optim").rglob("*.py")} - {PACKAGE / "optim" / "engines" / "kernels" / "disk.py"}:
        for node in ast.walk(ast.parse(path.read_text())):
            assert not (isinstance(node, ast.Call) and ast.unparse(node.func) == "open"), path


def test_a_circle_would_be_found():
    with pytest.raises(graphlib.CycleError):
        graphlib.TopologicalSorter({"a": {"b"}, "b": {"a"}}).prepare()


def test_the_parser_sees_imports_within_functions():
    assert imports(ast.parse("def f():\n    from linreg_cli.cli import app\n    import linreg_cli.sweep\n")) == [
        "linreg_cli.cli.app",
        "linreg_cli.sweep",
    ]
