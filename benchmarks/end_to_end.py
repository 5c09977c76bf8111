"""Table 3: from a CSV to a saved model in a fresh process, wall time and peak memory.

    python -m benchmarks.end_to_end [--share 0.01] [--rounds 5] [--results benchmarks/results]

Ten epochs, batch 32 where the tool has batches, else 1. Files are in the page cache and kernels compiled, but for the
rows that say otherwise. The floor is what nothing built on torch can go below: import torch, build an SGD, read the
CSV.
"""

import importlib.util
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.measure import ROOT, Figure, fresh_process, say, summary
from benchmarks.problems import Problem, problem, write_csv
from benchmarks.section import Options, Section, run_section

PROGRAMS = Path(__file__).resolve().parent / "programs"
EPOCHS = 10
FLOOR, LINREG, SMOKE = "floor: import torch, build an SGD, read the CSV", "linreg train", "linreg train, smoke.yaml"
TEXTBOOK = "torch: textbook loop, pandas"
SMOKE_FLOOR = "floor: import torch, build an SGD"
TABLES = ((100_000, 16), (1_000_000, 8))


@dataclass(frozen=True)
class Program:
    """A way from a CSV to a model.

    Attributes:
        name: in the table.
        command: the command line.
        package: what must be installed.
        without: the command without any epoch, where `command` runs one and the other epochs are added, each as what
            that one takes.
        environment: variables beside those that are set.
    """

    name: str
    command: list[str]
    package: str = ""
    without: list[str] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def missing(self) -> str | None:
        """Why it cannot run, or None."""
        there = not self.package or importlib.util.find_spec(self.package) is not None
        return None if there else f"{self.package} is not installed"


def script(name: str, *arguments: str) -> list[str]:
    """A program of the folder `programs`."""
    return [sys.executable, str(PROGRAMS / f"{name}.py"), *arguments]


def train(*settings: str) -> list[str]:
    """`linreg train` on `table.csv`, without pictures."""
    options = [part for setting in (*settings, "plots=false") for part in ("--set", setting)]
    return [sys.executable, "-m", "linreg_cli", "train", "-c", "table.yaml", *options, "-q"]


def programs(table: Problem, loops: bool) -> list[Program]:
    """Every way from `table.csv` of the current folder to a model in it; with `loops` also those that take minutes."""
    rate = repr(table.rate)
    given = "table.csv", "model", str(EPOCHS), rate
    vowpal = [sys.executable, "-m", "vowpalwabbit", "--csv", "-d", "wabbit.csv", "--cache_file", "wabbit.cache", "-k"]
    vowpal += f"--passes {EPOCHS} --sgd -l {rate} --power_t 0 --holdout_off -f model --quiet".split()
    to_gap = "optimizer.lr=auto", "optimizer.momentum=auto", "train.epochs=1000", "train.stop_gap=1e-6"
    if loops:
        textbook = Program(TEXTBOOK, script("textbook_torch", *given), "pandas")
    else:
        none, one = (script("textbook_torch", "table.csv", "model", epochs, rate) for epochs in ("0", "1"))
        textbook = Program(TEXTBOOK, one, "pandas", none)
    found = [
        Program(FLOOR, script("floor", "table.csv")),
        Program(LINREG, train(f"optimizer.lr={rate}", f"train.epochs={EPOCHS}", "train.batch_size=32")),
        Program(f"{LINREG}, full batch to a gap of 1e-6", train("train.batch_size=full", *to_gap)),
        textbook,
        Program("scikit-learn SGDRegressor, pandas", script("sklearn_sgd", *given), "sklearn"),
        Program("scikit-learn LinearRegression, pandas", script("sklearn_exact", "table.csv", "model"), "sklearn"),
        Program("statsmodels OLS, pandas", script("statsmodels_ols", "table.csv", "model"), "statsmodels"),
        Program("Vowpal Wabbit", vowpal, "vowpalwabbit"),
    ]
    if loops:
        found.append(Program("Lightning, pandas", script("lightning_sgd", *given), "lightning"))
    return found


def run_once(program: Program, folder: Path) -> Figure:
    """One process, or two where most epochs are extrapolated."""
    shutil.rmtree(folder / "outputs", ignore_errors=True)
    (folder / "wabbit.cache").unlink(missing_ok=True)
    figure = fresh_process(program.command, folder, program.environment)
    if program.without is None:
        return figure
    start = fresh_process(program.without, folder, program.environment)["ms"]
    return figure | {"ms": start + EPOCHS * (figure["ms"] - start)}


def run_all(chosen: list[Program], rounds: int, folder: Path) -> dict[str, Any]:
    """Each program `rounds` times, one after the other in each round, after a first round that does not count."""
    entries: dict[str, Any] = {p.name: {"skipped": p.missing} for p in chosen if p.missing}
    able = [p for p in chosen if not p.missing]
    figures: dict[str, list[Figure]] = {p.name: [] for p in able}
    for count in range(rounds + 1):
        say(f"  round {count} of {rounds}")
        for program in able:
            figures[program.name].append(run_once(program, folder))
    for program in able:
        first, *others = figures[program.name]
        entries[program.name] = summary([figure["ms"] for figure in others], first["ms"]) | {
            "mib": statistics.median(figure["mib"] for figure in others), "epochs": 1 if program.without else EPOCHS,
        }  # fmt: skip
    return {p.name: entries[p.name] for p in chosen}


def tables(options: Options) -> Iterator[dict[str, Any]]:
    """A cell for each CSV."""
    for rows, features in TABLES:
        table = problem(options.rows(rows), features)
        say(f"end to end: {table.name}")
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            write_csv(table, folder / "table.csv")
            write_csv(table, folder / "wabbit.csv", target="_label")
            (folder / "table.yaml").write_text("data: {path: table.csv, target: y}\n", encoding="utf-8")
            size = (folder / "table.csv").stat().st_size
            entries = run_all(programs(table, loops=rows <= 100_000), options.rounds, folder)
        yield {
            "title": f"{table.name}, a CSV of {size / 1e6:.0f} MB, {EPOCHS} epochs",
            "floor": FLOOR,
            "programs": entries,
        }


def starts(options: Options) -> dict[str, Any]:
    """A smoke run, and what a run costs for which kernels must be compiled first."""
    smoke = [sys.executable, "-m", "linreg_cli", "train", "-c", str(ROOT / "configs" / "smoke.yaml"), "-q"]
    say("end to end: a smoke run")
    with tempfile.TemporaryDirectory() as temporary, tempfile.TemporaryDirectory() as cache:
        folder = Path(temporary)
        chosen = [Program(SMOKE_FLOOR, script("floor")), Program(SMOKE, smoke)]
        entries = run_all(chosen, options.rounds, folder)
        say("end to end: compiling from nothing")
        compiled = {"LINREG_CACHE": cache}
        for engine, more in (("native", ()), ("statistics", ("--set", "train.batch_size=full"))):
            figures = []
            for name in ("and kernels not compiled yet", "and kernels compiled"):
                figures.append(fresh_process([*smoke, "--set", f"train.engine={engine}", *more], folder, compiled))
                key = f"{SMOKE}, engine {engine}, {name}"
                entries[key] = summary([figures[-1]["ms"]], figures[-1]["ms"]) | {"mib": figures[-1]["mib"]}
    return {"title": "A smoke run: 1,000 rows, 3 epochs, no pictures", "floor": SMOKE_FLOOR, "programs": entries}


def measured(options: Options) -> Section:
    """Cheap things first."""
    yield starts(options)
    yield from tables(options)


if __name__ == "__main__":
    run_section("end_to_end", measured, __doc__)
