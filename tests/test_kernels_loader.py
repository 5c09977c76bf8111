"""Compiled kernels: loaded without their compiler, and refused where they could need it."""

import gc
import importlib
import inspect
import platform
import subprocess
import sys
import threading
import time
from pathlib import Path

import llvmlite.binding as llvm
import numpy as np
import pytest

from linreg_cli.errors import EngineError
from linreg_cli.optim.engines.kernels import disk, loader, machine_code
from linreg_cli.optim.engines.kernels.loader import kernel
from linreg_cli.optim.engines.kernels.signatures import SIGNATURES

#: A small kernel, called with numbers whose result is known: 8 parameters of 1, a rate of 0.5 and gradients of 2 * 3.
UPDATE = """
import numpy as np, sys
from linreg_cli.optim.engines.kernels.loader import kernel
w, m, g = np.ones(8), np.zeros(8), np.full(8, 3.0)
kernel("batches.update", "float64")(w, m, g, 8, 2.0, False, 0.5, 0.0, 0.0, 0.0, False)
print(set(w.tolist()), "numba" in sys.modules)
"""


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """Kernels lie here, and none is loaded yet."""
    monkeypatch.setenv("LINREG_CACHE", str(tmp_path))
    monkeypatch.setattr(loader, "_kernels", {})
    return tmp_path


def updated(program=UPDATE):
    """What UPDATE prints in a process of its own."""
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_a_kernel_is_compiled_once_and_a_damaged_one_again(folder):
    compiled, loaded = "{-2.0} True", "{-2.0} False"
    assert updated() == compiled
    assert updated() == loaded
    (file,) = folder.iterdir()
    file.write_bytes(file.read_bytes()[:-1])
    assert updated() == compiled
    assert updated() == loaded
    content = b"whole and no machine code"
    file.write_bytes(disk._checksum(file.name, content) + content)
    assert updated() == compiled
    assert updated() == loaded


def test_processes_that_compile_at_the_same_time_leave_one_whole_kernel(folder):
    command = [sys.executable, "-c", UPDATE]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [process.communicate()[0].split()[0] for process in processes] == ["{-2.0}"] * 3
    assert len(list(folder.iterdir())) == 1
    assert updated() == "{-2.0} False"


def test_where_nothing_can_be_written_kernels_are_compiled(folder, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("so that no folder can be made here, by root neither")
    monkeypatch.setenv("LINREG_CACHE", str(tmp_path / "file"))
    assert updated() == "{-2.0} True"


def test_sources_that_change_while_a_process_runs_leave_no_kernel_under_a_name_that_is_not_theirs(folder):
    before = "from linreg_cli.optim.engines.kernels import disk\n"
    changed = f"{before}assert not disk.exists('batches.update', 'float64')\ndisk.source_digest = lambda: 'changed'\n"
    assert updated(changed + UPDATE) == "{-2.0} True"
    assert list(folder.iterdir()) == []
    assert updated() == "{-2.0} True"
    assert updated(changed.replace("not ", "") + UPDATE) == "{-2.0} True", "what lies there is of other sources"


def test_the_sources_are_read_when_a_kernel_is_asked_for_and_before_its_module_is(folder):
    program = (
        """
import sys
from linreg_cli.optim.engines.kernels import disk
read = disk.source_digest
MODULE = "linreg_cli.optim.engines.kernels.batches"
def digest():
    print("read", MODULE in sys.modules)
    return read()
disk.source_digest = digest
from linreg_cli.optim.engines import native, statistics
print("imported", "llvmlite" in sys.modules)
"""
        + UPDATE
    )
    assert updated(program).splitlines() == [
        "imported False",
        "read False", "read False",  # to find it; and whether that changed
        "read True",  # whether what was compiled may be kept
        "{-2.0} True",
    ]  # fmt: skip


def test_a_kernel_for_callers_that_agreed_on_something_else_is_not_found(folder):
    assert updated() == "{-2.0} True"
    program = "from linreg_cli.optim.engines.kernels import signatures as s\nNEW\n" + UPDATE
    other = "s.SIGNATURES['batches.update'] = s.Signature(s.INTEGER, s.SIGNATURES['batches.update'].names)"
    assert updated(program.replace("NEW", other)) == "{-2.0} True"
    assert updated(program.replace("NEW", "s.SIZES = (8, 64, 3)")) == "{-2.0} True"
    assert updated() == "{-2.0} False"


@pytest.mark.parametrize("level", ["0", "3", "max"])
def test_compiling_leaves_numbas_level_of_optimisation_to_others(folder, level):
    """Also where the compiler fails, and what others compile afterwards is compiled at their level."""
    program = """
import numba, sys
from numba.core import codegen
numba.config.OPT = mine = type(numba.config.OPT)(sys.argv[1] if sys.argv[1] == "max" else int(sys.argv[1]))
made, levels = codegen.create_pass_builder, []
def create(machine, **options):
    levels.append(int(options["opt"]))
    return made(machine, **options)
codegen.create_pass_builder = create
from linreg_cli.optim.engines.kernels import compiler, machine_code
from linreg_cli.optim.engines.kernels.loader import kernel
kernel("batches.update", "float64")
assert numba.config.OPT is mine
# numba also inlines, at 0, or at 3 where its level is "max".
assert set(levels) == {3 if sys.argv[1] == "max" else 0, machine_code.OPTIMIZATION}
def raises(n):
    if n:
        raise ValueError
try:
    compiler.object_code(compiler.kernel()(raises), ("n",), [numba.types.int64])
except RuntimeError:
    assert numba.config.OPT is mine
    levels.clear()
    assert numba.njit(lambda x: x + 1)(1) == 2
    print(int(mine), int(mine) in levels, machine_code.OPTIMIZATION in levels)
"""
    command = [sys.executable, "-c", program, level]
    result = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert result.split() == [{"max": "3"}.get(level, level), "True", "False"]


@pytest.mark.parametrize("conditions", [("another processor",), ("x86_64", "same", "+avx512f")])
def test_a_kernel_for_another_processor_is_not_found(folder, monkeypatch, conditions):
    kernel("batches.update", "float64")
    compiled = importlib.import_module("linreg_cli.optim.engines.kernels.compiler")

    def refuse(*_):
        raise NotImplementedError

    monkeypatch.setattr(compiled, "compiled", refuse)
    monkeypatch.setattr(loader, "_kernels", {})
    kernel("batches.update", "float64")
    monkeypatch.setattr(loader, "_kernels", {})
    monkeypatch.setattr(machine_code, "conditions", lambda: conditions)
    with pytest.raises(EngineError, match="NotImplementedError"):  # it asked the compiler
        kernel("batches.update", "float64")


def test_the_conditions_name_the_processor_and_every_feature_that_the_system_lists_or_llvm_finds():
    found = machine_code.conditions()
    if machine_code._described() != machine_code._processor():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        assert next(line.split(":")[1].strip() for line in lines if line.startswith("flags")) in found
    else:
        assert {llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()} <= {*found}


def test_a_kernel_from_the_disk_needs_no_llvm_on_linux(folder):
    """Its binding takes 47 MB. Where an object is not understood, LLVM loads it with the same result."""
    program = UPDATE.replace('"numba" in', '"llvmlite.binding" in')
    assert updated(program) == "{-2.0} True"
    ours = sys.platform == "linux" and platform.machine() == "x86_64"
    assert updated(program) == f"{{-2.0}} {not ours}"
    unknown = "from linreg_cli.optim.engines.kernels import elf\nelf._KIND = 1, 0\n"
    assert updated(unknown + program) == "{-2.0} True"


def test_a_process_of_its_own_compiles_where_memory_is_short(folder):
    """Also where nothing can be written; and where no process can be started, this one compiles."""
    load = "from linreg_cli.optim.engines.kernels.loader import load\n"
    load += "load([('batches.update', 'float64', 'int32')], elsewhere=True)\n"
    assert updated(load + UPDATE) == "{-2.0} False"
    assert updated() == "{-2.0} False"
    cannot = "import os, sys\nos.environ['LINREG_CACHE'] = '/proc/none'\n"
    assert updated(cannot + load + UPDATE) == "{-2.0} False"
    assert updated(cannot + "sys.executable = '/nowhere'\n" + load + UPDATE) == "{-2.0} True"


def test_threads_that_ask_at_the_same_time_share_a_kernel(folder, monkeypatch):
    kernel("batches.update", "float32")
    monkeypatch.setattr(loader, "_kernels", {})
    load, found = machine_code.load, []

    def slow(code):
        time.sleep(0.05)
        return load(code)

    monkeypatch.setattr(machine_code, "load", slow)
    ask = [threading.Thread(target=lambda: found.append(kernel("batches.update", "float32"))) for _ in range(4)]
    for thread in ask:
        thread.start()
    for thread in ask:
        thread.join()
    assert len(found) == 4
    assert len(set(map(id, found))) == 1


def test_machine_code_stays_when_nothing_else_refers_to_it(folder):
    function = kernel("batches.update", "float64")
    loader._kernels.clear()
    gc.collect()
    w = np.ones(8)
    function(w, np.zeros(8), np.full(8, 3.0), 8, 2.0, False, 0.5, 0.0, 0.0, 0.0, False)
    assert set(w) == {-2.0}


@pytest.mark.parametrize("name", SIGNATURES)
def test_a_signature_names_the_parameters_of_its_kernel(name):
    module, function = name.split(".")
    found = getattr(importlib.import_module(f"linreg_cli.optim.engines.kernels.{module}"), function)
    assert tuple(inspect.signature(found).parameters) == SIGNATURES[name].names


@pytest.mark.parametrize(
    ("w", "error"),
    [
        (np.ones(8, np.float32), AssertionError),
        (np.ones(16)[::2], TypeError),
        (8, AttributeError),
        (np.array(1.0).item(), AttributeError),
    ],
    ids=["dtype", "strides", "integer", "float"],
)
def test_what_a_kernel_would_misread_is_refused(w, error):
    with pytest.raises(error):
        kernel("batches.update", "float64")(w, w, w, 8, 2.0, False, 0.5, 0.0, 0.0, 0.0, False)


def object_code_of(function, *, names=("n",)):
    from numba import types

    from linreg_cli.optim.engines.kernels.compiler import kernel as decorated
    from linreg_cli.optim.engines.kernels.compiler import object_code

    return object_code(decorated()(function), names, [types.int64] * len(names))


def test_a_kernel_that_needs_something_beside_itself_is_refused():
    from numba import types

    python = types.ExternalFunction("Py_IsInitialized", types.int64())  # there in this process, as all of Python is

    def calls(n):
        return n + python()

    with pytest.raises(RuntimeError, match=r"needs \['Py_IsInitialized'\]"):
        object_code_of(calls)


def test_a_kernel_that_can_raise_is_refused():
    def raises(n):
        if n > 3:
            raise ValueError
        return n

    with pytest.raises(RuntimeError, match="can raise an exception"):
        object_code_of(raises)


def test_a_kernel_whose_parameters_are_not_those_of_its_signature_is_refused():
    with pytest.raises(RuntimeError, match="the signature says"):
        object_code_of(lambda n: n, names=("m",))


def test_a_kernel_that_makes_an_array_is_refused():
    from numba.core.errors import NumbaError

    def makes(n):
        return np.zeros(n).sum()

    with pytest.raises((NumbaError, RuntimeError)):
        object_code_of(makes)


def test_a_division_by_zero_does_not_make_a_kernel_one_that_can_raise():
    assert object_code_of(lambda n: 1 / n)


@pytest.mark.parametrize("code", [b"", b"no object", None], ids=["empty", "other", "calls what is not there"])
def test_an_object_that_cannot_be_loaded_is_an_error_and_not_the_end_of_the_process(code):
    if code is None:
        module = llvm.parse_assembly(
            f"declare void @linreg_elsewhere()\n"
            f"define i32 @{machine_code.SYMBOL}() {{\n  call void @linreg_elsewhere()\n  ret i32 0\n}}\n"
        )
        code = machine_code.emit(module)
    with pytest.raises(RuntimeError):
        machine_code.load(code)
    kernel("batches.update", "float64")  # and others still can


def test_what_cannot_be_loaded_is_not_kept(folder, monkeypatch):
    compiled = importlib.import_module("linreg_cli.optim.engines.kernels.compiler")
    monkeypatch.setattr(compiled, "compiled", lambda *_: b"no object")
    with pytest.raises(EngineError, match="not recognized as a valid object file"):
        kernel("batches.update", "float64")
    assert list(folder.iterdir()) == []
