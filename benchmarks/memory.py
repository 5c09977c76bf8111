"""Peak memory of commands: `python -m benchmarks.memory`, below five minutes.

The most resident memory of a fresh process, less that of the same command on a table of 1,000 rows, so that what
remains is due to the rows. It is compared with the table in the training dtype (features and target, float32).
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq

#: Rows of the table whose peak is subtracted.
FEW = 1_000
_ROOT = Path(__file__).resolve().parents[1]
_BLOCK = 100_000


@dataclass(frozen=True)
class Case:
    """A command and its table.

    Attributes:
        command: of linreg: `train`, `evaluate` or `predict`.
        n_rows: of the table.
        n_features: of the table.
        suffix: of the table.
        options: of the command.
    """

    command: str
    n_rows: int
    n_features: int
    suffix: str
    options: tuple[str, ...] = ()

    @property
    def table_mib(self) -> float:
        """The table in float32, with its target."""
        return 4 * self.n_rows * (self.n_features + 1) / 2**20


CASES = (
    Case("train", 1_000_000, 8, ".csv"),
    Case("train", 2_000_000, 16, ".parquet"),
    Case("train", 1_000_000, 8, ".csv", ("--set", "preprocess.standardize=true", "--set", "train.batch_size=full")),
    Case("predict", 5_000_000, 8, ".csv", ("-o", "out.csv")),
    Case("predict", 5_000_000, 8, ".parquet", ("-o", "out.parquet")),
    Case("predict", 5_000_000, 8, ".csv", ("-o", "out.parquet")),
    Case("evaluate", 5_000_000, 8, ".csv", ("--json",)),
)


def write(path: Path, n_rows: int, n_features: int) -> None:
    """Write a table of normal features x1, x2, ... and a target y, block by block."""
    rng = np.random.default_rng(0)
    schema = pa.schema([(f"x{j + 1}", pa.float64()) for j in range(n_features)] + [("y", pa.float64())])
    sink = pcsv.CSVWriter(path, schema) if path.suffix == ".csv" else pq.ParquetWriter(path, schema)
    with sink as writer:
        for start in range(0, n_rows, _BLOCK):
            X = rng.normal(size=(min(_BLOCK, n_rows - start), n_features)).round(6)
            y = (X.sum(axis=1) + rng.normal(size=len(X))).round(6)
            writer.write_table(pa.table([*X.T.copy(), y], schema=schema))


def peak(arguments: Sequence[str], folder: Path, package: Path = _ROOT) -> tuple[float, float]:
    """The most resident memory in MiB and the wall seconds of `linreg ARGUMENTS...` in a process of its own.

    Args:
        arguments: of the command.
        folder: the current folder.
        package: the folder that has `linreg_cli`.

    Raises:
        subprocess.CalledProcessError: if it fails.
    """
    environment = {**os.environ, "PYTHONPATH": str(package)}
    begun = time.perf_counter()
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "linreg_cli", *arguments],
            cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=errors,
        )  # fmt: skip
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - begun
        if process.returncode:
            errors.seek(0)
            sys.stderr.write(errors.read().decode())
            raise subprocess.CalledProcessError(process.returncode, process.args)
    return usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10), seconds


def measure(case: Case, folder: Path, package: Path = _ROOT) -> tuple[float, float, float]:
    """The peak above that of few rows in MiB, that peak, and the seconds of the whole table."""
    peaks, seconds = [], 0.0
    for n_rows in (FEW, case.n_rows):
        path = folder / f"t{n_rows}x{case.n_features}{case.suffix}"
        if not path.exists():
            write(path, n_rows, case.n_features)
        run = f"m{case.n_features}"
        if case.command == "train":
            options = ("--set", "name=train", "--set", "plots=false", "--set", "train.epochs=1", *case.options)
            config = folder / "train.yaml"
            config.write_text(f"data: {{path: {path.name}, target: y}}\ntrain: {{batch_size: 32}}\n")
            arguments: tuple[str, ...] = ("train", "-c", config.name, "--quiet", *options)
        else:
            if not (folder / "outputs" / f"{run}-0001").exists():
                few = folder / f"t{FEW}x{case.n_features}.csv"
                if not few.exists():
                    write(few, FEW, case.n_features)
                first = ("--target", "y", "--quiet", "--set", f"name={run}", "--set", "plots=false")
                peak(("train", few.name, *first), folder, package)
            arguments = (case.command, run, "--data", path.name, *case.options)
        found, seconds = peak(arguments, folder, package)
        peaks.append(found)
    return peaks[1] - peaks[0], peaks[0], seconds


def main() -> int:
    """Measure and print the table of docs/performance.md."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description="Peak memory of commands.")
    parser.add_argument("--share", type=float, default=1.0, help="of the rows, to try it out")
    parser.add_argument("--package", type=Path, default=_ROOT, help="the folder that has linreg_cli")
    parser.add_argument("--only", action="append", help="commands; may be given again")
    given = parser.parse_args()
    print("| command | rows | table, MiB | above 1,000 rows, MiB | in tables | seconds |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="linreg-memory-", dir="/var/tmp") as folder:
        for each in CASES:
            if given.only and each.command not in given.only:
                continue
            case = Case(each.command, int(each.n_rows * given.share), each.n_features, each.suffix, each.options)
            above, _, seconds = measure(case, Path(folder), given.package.resolve())
            what = " ".join((case.command, case.suffix, *(word for word in case.options if word != "--set")))
            size = f"{case.n_rows:,} x {case.n_features}"
            ratio = f"{above / case.table_mib:.2f}" if case.command == "train" else ""
            print(f"| {what} | {size} | {case.table_mib:.0f} | {above:.0f} | {ratio} | {seconds:.1f} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
