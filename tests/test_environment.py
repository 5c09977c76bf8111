"""Variables of libraries and of launchers: they have no effect, are honoured, or are refused; none breaks a run."""

import json
import os
import subprocess
import sys

import pyarrow as pa
import pytest

from linreg_cli.cli import process

CONFIG = "name: e\ndata: {path: t.csv, target: y}\npreprocess: {standardize: true}\ntrain: {epochs: 5, batch_size: 4}\n"

#: What notebooks, schedulers and debugging sessions leave behind, and values that are none.
VARIABLES = {
    "MPLBACKEND": "module://matplotlib_inline.backend_inline", "MATPLOTLIBRC": "/dev/null/none",
    "MPLCONFIGDIR": "/proc/none",
    "NUMBA_DISABLE_JIT": "1", "NUMBA_NUM_THREADS": "abc", "NUMBA_OPT": "abc", "TORCH_LOGS": "abc",
    "SOURCE_DATE_EPOCH": "abc",
    "OMP_NUM_THREADS": "abc", "MKL_NUM_THREADS": "-1", "OPENBLAS_NUM_THREADS": "abc", "GOMP_CPU_AFFINITY": "abc",
    "CUDA_VISIBLE_DEVICES": "abc",
    "PYTHONWARNINGS": "error", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C", "LANG": "xx_XX",
    "COLUMNS": "0", "LINES": "abc", "TERM": "", "NO_COLOR": "1", "FORCE_COLOR": "1", "TZ": "garbage",
    "SLURM_PROCID": "3", "SLURM_NTASKS": "4", "WORLD_SIZE": "1", "RANK": "0",
}  # fmt: skip


#: What sets malloc otherwise.
MALLOC = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES")


@pytest.fixture
def place(tmp_path):
    (tmp_path / "c.yaml").write_text(CONFIG)
    rows = "".join(f"{row},{row % 3},{2 * row + row % 2}\n" for row in range(30))
    (tmp_path / "t.csv").write_text(f"größe,b,y\n{rows}", encoding="utf-8")
    return tmp_path


def train(place, variables, *more):
    command = [sys.executable, "-m", "linreg_cli", "train", "-c", "c.yaml", "--quiet", *more]
    return subprocess.run(
        command, cwd=place, env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )  # fmt: skip


def test_all_of_them_at_once_change_nothing(place):
    (place / "matplotlibrc").write_bytes(b"backend: none\n\xff\xfe: broken\n")
    done = train(place, VARIABLES)
    assert (done.returncode, done.stdout, done.stderr) == (0, "outputs/e-0001\n", "")
    record = json.loads((place / "outputs" / "e-0001" / "run.json").read_text(encoding="utf-8"))
    assert (record["status"], [each["kind"] for each in record["warnings"]]) == ("finished", ["not_converged"])
    drawn = sorted(path.name for path in (place / "outputs" / "e-0001" / "plots").iterdir())
    assert {"loss.png", "predicted.png", "residuals.png"} <= {*drawn}


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIABLES)
@pytest.mark.parametrize("engine", ["reference", "native"])
def test_each_of_them_alone_changes_nothing(place, name, engine):
    done = train(place, {name: VARIABLES[name]}, "--set", f"train.engine={engine}")
    assert (done.returncode, done.stderr) == (0, "")


def test_what_is_honoured_stays_and_what_would_break_a_library_goes(monkeypatch):
    kept = {
        "OMP_NUM_THREADS": "4,2",
        "GOMP_CPU_AFFINITY": "0-1",
        "MKL_NUM_THREADS": "8",
        "MPLCONFIGDIR": "/tmp",
        "CUDA_VISIBLE_DEVICES": "1",
    }
    gone = {"MPLBACKEND": "x", "NUMBA_DEBUG": "1", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": "1", "OPENBLAS_NUM_THREADS": "0"}
    for name, value in {**kept, **gone}.items():
        monkeypatch.setenv(name, value)
    process.set_up()
    assert {name: os.environ.get(name) for name in kept} == kept
    assert {name: os.environ.get(name) for name in gone} == {
        "MPLBACKEND": None, "NUMBA_DEBUG": None, "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": None,
        "OPENBLAS_NUM_THREADS": "1",
    }  # fmt: skip


def test_arrow_takes_the_allocator_that_returns_memory_where_it_has_it(monkeypatch):
    """Arrow writes to stderr about one that it lacks, so the settings of the library that is installed decide."""
    monkeypatch.delenv("ARROW_DEFAULT_MEMORY_POOL", raising=False)
    process.set_up()
    has = "jemalloc" in pa.supported_memory_backends()
    assert os.environ.get("ARROW_DEFAULT_MEMORY_POOL") == ("jemalloc" if has else None)
    monkeypatch.setenv("ARROW_DEFAULT_MEMORY_POOL", "system")
    process.set_up()
    assert os.environ["ARROW_DEFAULT_MEMORY_POOL"] == "system"


@pytest.mark.parametrize("size", ["2", "4", "0016", "9" * 5000])
def test_one_of_several_processes_without_the_others_is_refused_once(linreg, place, monkeypatch, size):
    monkeypatch.setenv("WORLD_SIZE", size)
    for rank in ("0", "", "1", "3"):
        monkeypatch.setenv("RANK", rank)
        result = linreg("train", "-c", "c.yaml")
        assert result.code == 2
        assert result.err.startswith("error: WORLD_SIZE: this is one of" if rank in ("0", "") else "")
        assert bool(result.err) == (rank in ("0", ""))
    assert not (place / "outputs").exists()


@pytest.mark.parametrize("size", ["1", "", "abc", "-2", "0", "01"])
def test_one_process_trains_whatever_launched_it(linreg, place, monkeypatch, size):
    for name, value in {"WORLD_SIZE": size, "SLURM_NTASKS": "4", "SLURM_PROCID": "2", "RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    assert linreg("train", "-c", "c.yaml", "--quiet", "--set", "plots=false").code == 0


FAULTS = [
    ValueError("Key backend: 'x' is not valid"),
    ImportError("libfreetype.so"),
    OSError(13, "x"),
    KeyError("font"),
]
#: What a PNG file goes through: its axes, its pixels, and the file, which Pillow writes.
STEPS = [
    "matplotlib.figure.Figure.add_subplot",
    "matplotlib.backends.backend_agg.FigureCanvasAgg.draw",
    "PIL.Image.Image.save",
]


@pytest.mark.parametrize("error", FAULTS, ids=repr)
@pytest.mark.parametrize("step", STEPS)
def test_where_matplotlib_fails_the_run_is_finished_and_not_said_to_be_damaged(linreg, place, monkeypatch, error, step):
    within = {"__name__": step.rpartition(".")[0], "error": error}
    exec("def fail(*_, **__):\n    raise error.with_traceback(None)", within)
    monkeypatch.setattr(step, within["fail"])
    result = linreg("train", "-c", "c.yaml", "--fail-if", "warnings.plots < 1")
    assert result.code == 0, result.err
    what = "Pillow cannot write a picture here" if step.startswith("PIL") else "matplotlib cannot draw here"
    assert f"warning: {what} (" in result.err
    record = json.loads((place / "outputs" / "e-0001" / "run.json").read_text(encoding="utf-8"))
    assert (record["status"], {warning["kind"] for warning in record["warnings"]} - {"not_converged"}) == (
        "finished",
        {"plots"},
    )
    drawn = linreg("plot", "e-0001")
    assert drawn.code == 2
    assert drawn.err.startswith(f"error: {what} (")
    assert "damaged" not in linreg("report", "e-0001").err


@pytest.mark.parametrize("value", ["abc", "0-x", "", "-1", "1,,"])
def test_a_list_of_cores_that_is_none_is_dropped_since_openmp_would_read_it_for_ever(monkeypatch, value):
    monkeypatch.setenv("GOMP_CPU_AFFINITY", value)
    process.set_up()
    assert "GOMP_CPU_AFFINITY" not in os.environ


FAULTS = """
import resource
import numpy as np
from linreg_cli.cli.process import set_up
set_up()
kept = np.empty(10)
faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(200):
    np.ones(100_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="settings of glibc's malloc")
def test_blocks_of_rows_are_not_fetched_from_the_system_again_and_again():
    variables = {name: value for name, value in os.environ.items() if name not in {*MALLOC}}
    done = subprocess.run([sys.executable, "-c", FAULTS], env=variables, capture_output=True, text=True, check=True)
    once = 100_000 * 8 / os.sysconf("SC_PAGE_SIZE")
    assert int(done.stdout) < 10 * once, "by default each of the 200 blocks takes fresh pages"
