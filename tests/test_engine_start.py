"""Where compiled steps cannot start: `auto` warns and takes the reference, and a named engine is a clean error."""

import json
import re
import subprocess
import sys

import pytest

from linreg_cli.optim.engines import select
from linreg_cli.optim.engines.costs import Cost
from linreg_cli.optim.engines.kernels import loader, machine_code

CONFIG = """
name: e
data: {source: synthetic, n_samples: 40}
train: {epochs: 3, batch_size: BATCH}
optimizer: {lr: 0.05}
evaluate: {cross_validation: {folds: 2}}
plots: false
"""
#: Engine -> a batch size for which it can run.
ENGINES = {"native": "4", "statistics": "full"}


def no_module(*_):
    raise ImportError("libLLVM-20.so: cannot open shared object file: No such file or directory")


def other_numpy(*_):
    raise SystemError("initialization of _internal failed without raising an exception")


def no_memory_for_code(*_):
    raise RuntimeError("LLVM ERROR: Unable to allocate section memory!\nmore lines")


def no_metadata(*_):
    raise LookupError("numba")


#: What fails -> (module, name, what it raises).
FAULTS = {
    "import": (loader, "_loaded", no_module),
    "another numpy": (loader, "_loaded", other_numpy),
    "no executable memory": (machine_code, "load", no_memory_for_code),
    "another libc": (machine_code, "conditions", no_module),
    "no metadata": (loader, "version", no_metadata),
}


@pytest.fixture
def config(tmp_path, monkeypatch):
    """Write a config for an engine, which `auto` takes since it is said to cost nothing; no kernel is loaded yet."""
    monkeypatch.setattr(loader, "_kernels", {})
    monkeypatch.setenv("LINREG_CACHE", str(tmp_path / "cache"))

    def write(engine):
        cheap = {"native": Cost(0, 0), "statistics": Cost(0, 0), "reference": Cost(0, 100)}
        cheap |= {name: Cost(0, 50) for name in ENGINES if name != engine}
        monkeypatch.setattr(select, "estimate", lambda name, *_, **__: cheap[name])
        path = tmp_path / f"{engine}.yaml"
        path.write_text(CONFIG.replace("BATCH", ENGINES[engine]))
        return path

    return write


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("fault", FAULTS)
def test_auto_warns_and_takes_the_reference(linreg, tmp_path, monkeypatch, config, engine, fault):
    path = config(engine)
    module, name, fail = FAULTS[fault]
    monkeypatch.setattr(module, name, fail)
    result = linreg("train", "-c", path, "--fail-if", "warnings.engine != 1")
    assert result.code == 0, result.err
    (warning,) = result.messages
    assert warning.startswith(f"warning: {engine}: compiled steps cannot start here (")
    record = json.loads((tmp_path / "outputs" / "e-0001" / "run.json").read_text())
    assert (record["status"], record["engine"]["name"], record["engine"]["auto"]) == ("finished", "reference", True)
    assert "engine" in [each["kind"] for each in record["warnings"]]
    assert "engine: reference" in (tmp_path / "outputs" / "e-0001" / "config.yaml").read_text()
    expected = linreg("train", "-c", path, "--set", "train.engine=reference", "--name", "r", "--json").json["metrics"]
    found = json.loads((tmp_path / "outputs" / "e-0001" / "metrics.json").read_text())
    assert found["parameters"] == expected["parameters"]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_named_engine_is_an_error_at_its_key_and_nothing_is_written(
    linreg, tmp_path, monkeypatch, config, engine, fault
):
    path = config(engine)
    module, name, fail = FAULTS[fault]
    monkeypatch.setattr(module, name, fail)
    result = linreg("train", "-c", path, "--set", f"train.engine={engine}")
    assert result.code == 2
    assert result.err.startswith(f"error: --set train.engine={engine}: train.engine: compiled steps cannot start here")
    assert "use auto or reference" in result.err
    assert "Traceback" not in result.err
    assert not (tmp_path / "outputs").exists()


def test_a_run_that_was_stopped_where_its_engine_can_start_cannot_be_resumed_elsewhere(
    linreg, tmp_path, monkeypatch, config
):
    path = config("native")
    assert linreg("train", "-c", path, "--quiet").code == 0
    monkeypatch.setattr(loader, "_kernels", {})
    monkeypatch.setattr(machine_code, "load", no_memory_for_code)
    result = linreg("train", "--resume", "e-0001", "--set", "train.epochs=5")
    assert result.code == 2
    assert "train.engine: compiled steps cannot start here" in result.err
    assert json.loads((tmp_path / "outputs" / "e-0001" / "run.json").read_text())["status"] == "finished"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can forbid executable memory")
def test_where_the_system_gives_no_executable_memory(tmp_path):
    """As under SELinux or systemd's MemoryDenyWriteExecute; Linux 6.3 lets a process forbid it to itself."""
    (tmp_path / "c.yaml").write_text(CONFIG.replace("BATCH", "4"))
    code = """
import ctypes, sys
if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0):
    sys.exit(77)
sys.argv = ["linreg", "train", "-c", "c.yaml", "--quiet", "--set", "train.engine=native"]
from linreg_cli.cli.app import main
main()
"""
    child = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    if child.returncode == 77:
        pytest.skip("this system cannot forbid executable memory")
    assert child.returncode in (0, 2), child.stderr
    assert child.returncode == 0 or "compiled steps cannot start here" in child.stderr
    assert "Traceback" not in child.stderr


def test_the_remedy_for_an_engine_that_cannot_add_up_by_shards_works(linreg, config_file):
    """The config of a run names its executor, and several processes, or train.shards, need another one."""
    text = "name: r\ndata: {source: synthetic, n_samples: 40, weights: [1]}\nplots: false\n"
    assert linreg("train", "-c", config_file(text), "-q").code == 0
    again = ["train", "-c", "outputs/r-0001/config.yaml", "-q", "--set", "train.shards=2"]
    refused = linreg(*again)
    assert refused.code == 2
    found = re.search(r"; set (train\.engine): (auto)$", refused.err, flags=re.MULTILINE)
    assert found, refused.err
    assert linreg(*again, "--set", f"{found[1]}={found[2]}").code == 0
