"""A command imports what it needs, when it needs it: help is immediate, and looking at runs loads no torch."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
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
        (["schema", "-o", "schema.json"], {"yaml", "pydantic"}),
        (["completion", "bash"], {"yaml", "pydantic"}),
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


TRAINING = """
import sys
from linreg_cli.cli.app import run
code = run(["train", "-c", sys.argv[1], "-q"])
print("\\nLOADED", code, *({"torch._dynamo", "sympy", "pandas", "numba", "matplotlib", "rich"} & set(sys.modules)))
"""


def test_a_small_run_loads_neither_torchs_compiler_nor_pandas_nor_scipy(tmp_path):
    program = TRAINING.replace('"rich"', '"rich", "scipy", "llvmlite"')
    result = subprocess.run(
        [sys.executable, "-c", program, str(CONFIGS / "smoke.yaml")],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert result.stdout.splitlines()[-1] == "LOADED 0"


@pytest.mark.parametrize("engine", ["native", "statistics"])
def test_a_run_of_compiled_kernels_loads_no_compiler(tmp_path, linreg, engine):
    """That it is loaded where a kernel must be compiled is in test_kernels_loader.py."""
    settings = [f"train.engine={engine}", "train.batch_size=full", "plots=false"]
    options = [part for setting in settings for part in ("--set", setting)]
    # Where the kernels were not on the disk, now they are.
    assert linreg("train", "-c", CONFIGS / "smoke.yaml", "-q", *options).code == 0
    program = TRAINING.replace('"-q"', ", ".join(f'"{option}"' for option in ("-q", *options)))
    command = [sys.executable, "-c", program, str(CONFIGS / "smoke.yaml")]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "LOADED 0"


def test_a_table_of_numbers_is_read_and_its_predictions_are_written_without_pandas(tmp_path):
    (tmp_path / "t.csv").write_text("x,y\n1,2\n2,\n3,6\n4,8.5\n")
    config = tmp_path / "c.yaml"
    config.write_text("data: {path: t.csv, target: y}\npreprocess: {missing: drop}\nplots: false\n")
    result = subprocess.run(
        [sys.executable, "-c", TRAINING, str(config)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[-1] == "LOADED 0", result.stderr


def test_a_run_with_inference_writes_the_influence_of_its_rows_without_pandas(tmp_path):
    (tmp_path / "t.csv").write_text("x,y\n" + "".join(f"{k},{2 * k + k % 3}\n" for k in range(12)))
    config = tmp_path / "c.yaml"
    config.write_text(
        "name: i\ndata: {path: t.csv, target: y}\npreprocess: {standardize: true}\nplots: false\n"
        "optimizer: {lr: auto, momentum: auto}\ntrain: {epochs: 500, batch_size: full, dtype: float64}\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", TRAINING, str(config)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[-1] == "LOADED 0", result.stderr
    [written] = tmp_path.glob("outputs/*/influence.csv")
    assert len(written.read_text().splitlines()) > 5


LOOKING = """
import sys
from linreg_cli.cli.app import run

class Refuse:  # pandas need not be installed: looking for it is enough
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "pandas":
            raise AssertionError("pandas is imported")

sys.meta_path.insert(0, Refuse())
train, table = ["train", "-c", "c.yaml", "-q"], sys.argv[1]
predict = ["predict", "latest", "--data", table]
commands = [train, ["plot", "latest", "--kind", "all", "-o", "."], ["report", "latest", "-o", "r.html"], predict]
commands += [[*predict, "--json"], [*predict, "-o", "p.parquet"], ["generate-data", "-o", "g.csv"]]
commands += [["evaluate", "latest", "--data", table], ["inspect", "-c", "c.yaml"]]
if table.endswith(".parquet"):
    commands += [["stats", "-c", "c.yaml", "-o", "s.safetensors"]]
print("\\nCODES", *(run(command) for command in commands))
"""


@pytest.mark.parametrize("targets", ["y", "[y, z]"])
def test_a_run_with_pictures_and_all_that_looks_at_it_import_no_pandas(tmp_path, targets):
    lines = "".join(f"{k},{'ab'[k % 2] if k else ''},{2 * k + k % 3},{k * k}\n" for k in range(20))
    (tmp_path / "t.csv").write_text(f"x,kind,y,z\n{lines}")
    (tmp_path / "c.yaml").write_text(
        f"data: {{path: t.csv, target: {targets}, features: [x, kind], split: {{train: 0.8, test: 0.2}}}}\n"
        "preprocess: {standardize: true, categorical: one_hot, missing: drop}\nplots: true\n"
        "optimizer: {lr: auto, momentum: auto}\ntrain: {epochs: 300, batch_size: full, dtype: float64}\n"
    )
    assert codes_without_pandas(tmp_path, "t.csv") == "CODES 0 0 0 0 0 0 0 0 0"
    assert len(list(tmp_path.glob("leverage*.png"))) == len(targets.split())


@pytest.mark.parametrize("stream", ["true", "false"])
def test_parquet_with_gaps_and_categories_is_read_whole_and_in_blocks_without_pandas(tmp_path, stream):
    x = [None if k == 3 else float(k) for k in range(40)]
    kind, y = ["a" if k % 3 else "b" for k in range(40)], [2.0 * k + k % 3 for k in range(40)]
    pq.write_table(pa.table({"x": x, "kind": kind, "y": y}), tmp_path / "t.parquet", row_group_size=15)
    (tmp_path / "c.yaml").write_text(
        f"data: {{path: t.parquet, target: y, stream: {stream}, split: {{by: hash, train: 0.8, test: 0.2}}}}\n"
        "preprocess: {standardize: true, categorical: one_hot, missing: median}\n"
        "train: {epochs: 3, batch_size: full}\n"
    )
    assert codes_without_pandas(tmp_path, "t.parquet") == "CODES 0 0 0 0 0 0 0 0 0 0"


def codes_without_pandas(folder: Path, table: str) -> str:
    """The exit codes of commands that look at a run of a table, in a process that cannot import pandas."""
    result = subprocess.run(
        [sys.executable, "-c", LOOKING, table], cwd=folder, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()[-1]


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the size of the process is read from /proc")
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps large blocks")
def test_columns_that_were_freed_leave_the_process(tmp_path):
    program = """
import os, sys
from linreg_cli.cli import process
if sys.argv[1] == "set":
    process.set_up()
import numpy as np
def megabytes():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
np.ones(2**21) # as glibc sees the first one freed, it would keep the next ones
before = megabytes()
held = [np.ones(2**19) for _ in range(20)]
between, last = np.ones(1000), held.pop()
del held
print(megabytes() - before)
"""
    kept = {}
    for mode in ("set", "unset"):
        command = [sys.executable, "-c", program, mode]
        kept[mode] = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert kept["set"] < 8 < kept["unset"], kept  # of 80 MB, 4 are held


def test_the_command_sets_up_its_process_before_numpy_and_leaves_a_setting_of_the_user(tmp_path):
    program = """
import atexit, gc, os, sys
from linreg_cli.cli import app
assert "numpy" not in sys.modules
names = ("OPENBLAS_NUM_THREADS", "OMP_WAIT_POLICY")
atexit.register(lambda: print(gc.get_threshold()[0], *(os.environ[name] for name in names)))
assert "torch" not in sys.modules
sys.argv = ["linreg", "--version"]
app.main()
"""
    names = ("OPENBLAS_NUM_THREADS", "OMP_WAIT_POLICY")
    for expected, is_set in ((("1", "PASSIVE"), False), (("3", "ACTIVE"), True)):
        environment = {key: value for key, value in os.environ.items() if key not in names}
        environment |= dict(zip(names, expected, strict=True)) if is_set else {}
        result = subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        assert result.stdout.splitlines()[-1] == f"100000 {' '.join(expected)}"


def main_of(tmp_path, program, *arguments):
    """The console script in a process of its own, after a program."""
    whole = f"import sys\nfrom linreg_cli.cli import app\n{program}\napp.main()\n"
    command = [sys.executable, "-c", whole, *arguments]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)


@pytest.mark.parametrize("row", [b"\xff\xfe,3,4", b"\xff\xfe", b'"\xff,3,4'], ids=["longer", "shorter", "open quote"])
def test_a_row_that_pyarrow_cannot_decode_is_one_error(tmp_path, row):
    (tmp_path / "t.csv").write_bytes(b"a,y\n1,2\n" + row + b"\n5,6\n")
    (tmp_path / "c.yaml").write_text("data: {path: t.csv, target: y}\n")
    silent = main_of(tmp_path, "", "train", "-c", "c.yaml")
    assert silent.returncode == 3
    assert len(silent.stderr.splitlines()) == 1, silent.stderr
    assert silent.stderr.startswith("error: t.csv, line 3: ")
    # It is pyarrow's own hook that is meant: without ours there is more to see.
    program = "app.process.show_unraisable = sys.__unraisablehook__"
    assert "UnicodeDecodeError" in main_of(tmp_path, program, "train", "-c", "c.yaml").stderr


def test_every_other_error_that_cannot_be_raised_is_shown(tmp_path):
    program = """
class Lost:
    def __init__(self, error):
        self.error = error
    def __del__(self):
        raise self.error
def run(arguments):
    Lost(ValueError("lost on the way"))
    Lost(UnicodeDecodeError("utf-8", b"x", 0, 1, "lost too"))
    return 0
app.run = run
"""
    result = main_of(tmp_path, program)
    assert result.returncode == 0
    assert "ValueError: lost on the way" in result.stderr
    assert "lost too" in result.stderr
