"""Times and their spread, peak memory of fresh processes, and the machine they were measured on."""

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
#: A run shorter than this is made once more before each measurement, so that it finds its own data in the caches.
WARM_BELOW = 0.3
PACKAGES = ("torch", "numpy", "numba", "pyarrow", "pandas", "scikit-learn", "statsmodels", "jax", "lightning")

Figure = dict[str, Any]


def summary(milliseconds: Sequence[float], first: float, scale: float = 1.0) -> Figure:
    """Median, quartiles and least of times in ms, multiplied by `scale`; `first` is the run that does not count."""
    low, median, high = statistics.quantiles([*milliseconds] * (2 if len(milliseconds) == 1 else 1), n=4)
    figures = {"ms": median, "low": low, "high": high, "best": min(milliseconds), "first": first}
    return {name: value * scale for name, value in figures.items()} | {"runs": len(milliseconds), "scale": scale}


def timed(run: Callable[[], Any]) -> float:
    """Milliseconds of one call."""
    begun = time.perf_counter()
    run()
    return (time.perf_counter() - begun) * 1e3


def interleaved(
    runs: Mapping[str, Callable[[], Any]], rounds: int, scale: Mapping[str, float] | None = None
) -> dict[str, Figure]:
    """Times of several calls, one of each a round, so that what disturbs the machine disturbs all of them.

    Args:
        runs: name -> the call.
        rounds: measurements of each, after a first one that is kept apart.
        scale: name -> what its times are multiplied by, where it does only a part of the work.
    """
    scale = scale or {}
    first = {name: timed(run) for name, run in runs.items()}
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            if first[name] < WARM_BELOW * 1e3 or (times[name] and times[name][-1] < WARM_BELOW * 1e3):
                run()
            times[name].append(timed(run))
    return {name: summary(times[name], first[name], scale.get(name, 1.0)) for name in runs}


# Started by a process that has grown, a child inherits the parent's peak until it runs its own program, and
# wait4 would report that: so a small process starts it, and says what it cost.
_LAUNCHER = """
import json, os, subprocess, sys, time
begun = time.perf_counter()
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
said = child.stderr.read()
_, status, used = os.wait4(child.pid, 0)
seconds = time.perf_counter() - begun
mib = used.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
print(json.dumps([os.waitstatus_to_exitcode(status), seconds * 1e3, mib, (used.ru_utime + used.ru_stime) * 1e3,
    said[-2000:].decode(errors="replace")]))
"""


def fresh_process(command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> Figure:
    """Wall time, peak memory and time on the cores of a program in a process of its own: `ms`, `mib`, `cpu_ms`.

    Raises:
        RuntimeError: if the program fails; with the end of what it said.
    """
    launcher = [sys.executable, "-S", "-c", _LAUNCHER, *command]
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    variables = os.environ | {"PYTHONPATH": os.pathsep.join(paths), **(environment or {})}
    result = subprocess.run(launcher, cwd=folder, env=variables, check=True, capture_output=True, text=True)
    code, milliseconds, mib, cpu, said = json.loads(result.stdout)
    if code != 0:
        raise RuntimeError(f"{Path(command[0]).name} {' '.join(command[1:])} ended with {code}:\n{said}")
    return {"ms": milliseconds, "mib": mib, "cpu_ms": cpu}


def machine() -> dict[str, Any]:
    """Cores, processor and versions; nothing that names the machine."""
    import torch

    versions = {}
    for package in (*PACKAGES, "vowpalwabbit"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    versions["torch"] = torch.__version__
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "cores": os.cpu_count(), "threads": torch.get_num_threads(), "cpu": processor(),
        "load": load, "python": platform.python_version(), "versions": versions,
    }  # fmt: skip


def processor() -> str:
    """The processor's name, or its architecture where the system does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def save(path: Path, results: Mapping[str, Any]) -> None:
    """Write results, numbers to four digits, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".part")
    draft.write_text(json.dumps(_rounded(results), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    draft.replace(path)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, Mapping):
        return {key: _rounded(entry) for key, entry in value.items()}
    return [_rounded(entry) for entry in value] if isinstance(value, list | tuple) else value


def say(text: str) -> None:
    """Progress with the time of day, on stderr."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)
