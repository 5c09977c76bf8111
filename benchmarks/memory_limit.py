"""Peak memory within `data.memory_limit`: `python -m benchmarks.memory_limit --limit 64 --suffix .parquet`.

The most resident memory of a fresh process, less that of the same command on a table of 1,000 rows, for every command
that reads a table. The table has 16 columns and takes five times the limit in float64: numbers, of which three columns
have gaps, a category of six levels, weights and a target. With `--keep DIR` tables and runs stay for the next time.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq

from benchmarks.measure import fresh_process, say

#: Rows of the table whose peak is subtracted.
FEW = 1_000
COLUMNS = 16
_BLOCK = 100_000
_NUMBERS, _GAPS = [f"x{j + 1}" for j in range(10)], ["g1", "g2", "g3"]
_BASE = (
    "preprocess.standardize=true", "preprocess.missing=median", "preprocess.categorical=one_hot", "train.epochs=1",
    "train.batch_size=256", "optimizer.lr=0.01", "evaluate.covariance=HC3", "plots=false",
)  # fmt: skip
_WEIGHTED = ("data.weight=w", "data.ignore=[]")

#: What is set -> the settings of a config of the table.
CONFIGS: dict[str, tuple[str, ...]] = {
    "plain": _BASE,
    "weights": (*_BASE, *_WEIGHTED),
    "full batch, weights": (*_BASE, *_WEIGHTED, "train.batch_size=full"),
    "weights, huber": (*_BASE, *_WEIGHTED, "loss=huber"),
    "weights, log target, derived, early stopping": (
        *_BASE, *_WEIGHTED, "preprocess.target_transform=log", 'data.features=["*", "x1:x2", "x3^2"]',
        "data.split={by: hash, train: 0.8, validation: 0.1, test: 0.1}",
        "train.early_stopping={monitor: validation.loss, patience: 2}", "train.epochs=2",
    ),
}  # fmt: skip

#: Command -> its arguments, with the places CONFIG, RUN, TABLE and OUT; of `- to -`, the table is its standard input.
COMMANDS: dict[str, tuple[str, ...]] = {
    "train": ("train", "CONFIG", "--quiet"),
    "evaluate RUN": ("evaluate", "RUN", "--json"),
    "evaluate --data": ("evaluate", "RUN", "--data", "TABLE", "--json"),
    "predict to CSV": ("predict", "RUN", "--data", "TABLE", "-o", "OUT.csv"),
    "predict to Parquet": ("predict", "RUN", "--data", "TABLE", "-o", "OUT.parquet"),
    "predict - to -": ("predict", "RUN", "--data", "-", "-o", "-"),
    "plot --kind all": ("plot", "RUN", "--kind", "all", "-o", "OUT"),
    "report": ("report", "RUN", "-o", "OUT.html"),
    "stats": ("stats", "CONFIG", "-o", "OUT.stats"),
    "inspect": ("inspect", "CONFIG", "--json"),
}  # fmt: skip


def rows_of(limit: int) -> int:
    """Rows of a table that takes five times `limit` MiB in float64."""
    return 5 * limit * 2**20 // (8 * COLUMNS)


def write(path: Path, n_rows: int) -> None:
    """Write the table, block by block."""
    rng = np.random.default_rng(0)
    kinds = [*((name, pa.float64()) for name in (*_NUMBERS, *_GAPS)), ("c", pa.string())]
    schema = pa.schema([*kinds, ("w", pa.float64()), ("y", pa.float64())])
    sink = pcsv.CSVWriter(path, schema) if path.suffix == ".csv" else pq.ParquetWriter(path, schema)
    with sink as writer:
        for start in range(0, n_rows, _BLOCK):
            n = min(_BLOCK, n_rows - start)
            X = rng.normal(size=(n, len(_NUMBERS) + len(_GAPS))).round(6)
            weight = rng.uniform(0.5, 2.0, n).round(4)
            level = rng.integers(0, 6, n)
            y = np.exp((0.1 * X.sum(axis=1) + 0.05 * level + 0.2 * rng.normal(size=n)).clip(-3, 3)).round(6)
            gaps = rng.random((n, len(_GAPS))) < 0.05
            columns = [pa.array(values) for values in X[:, : len(_NUMBERS)].T.copy()]
            columns += [pa.array(X[:, len(_NUMBERS) + j].copy(), mask=gaps[:, j].copy()) for j in range(len(_GAPS))]
            names = pa.array(["north", "east", "south", "west", "center", "abroad"])
            columns += [names.take(pa.array(level)), pa.array(weight), pa.array(y)]
            writer.write_table(pa.table(columns, schema=schema))


def peak(command: str, settings: Sequence[str], table: Path, limit: int, folder: Path, package: Path) -> float:
    """The most resident memory in MiB of a command, in a process of its own.

    Args:
        command: a name of `COMMANDS`.
        settings: of the config.
        table: that it reads.
        limit: in MiB.
        folder: where the outputs of runs of that config and that table are.
        package: the folder that has `linreg_cli`.

    Raises:
        RuntimeError: if it fails.
    """
    given = [f"data.path={table}", "data.target=y", "data.ignore=[w]", f"data.memory_limit={limit}MiB", "name=run"]
    config = [each for setting in (*given, *settings) for each in ("--set", setting)]
    places = {"CONFIG": ["-c", "empty.yaml", *config], "RUN": ["latest"], "TABLE": [str(table)]}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "empty.yaml").write_text("{}\n", encoding="utf-8")
    words = [part for word in COMMANDS[command] for part in places.get(word, [word.replace("OUT", "out")])]
    (folder / "out.stats").unlink(missing_ok=True)
    piped = 'exec "$@" > out.txt' + (f" < '{table}'" if command.startswith("predict -") else "")
    line = ["sh", "-c", piped, "sh", sys.executable, "-m", "linreg_cli", *words]
    return float(fresh_process(line, folder, {"PYTHONPATH": str(package)})["mib"])


def main() -> int:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory_limit", description="Peak memory in a limit.")
    parser.add_argument("--limit", type=int, default=64, help="data.memory_limit in MiB")
    parser.add_argument("--suffix", choices=(".parquet", ".csv"), default=".parquet")
    parser.add_argument("--config", action="append", choices=CONFIGS, help="may be given again; default: all")
    parser.add_argument("--command", action="append", choices=COMMANDS, help="may be given again; default: all")
    parser.add_argument("--times", type=int, default=1, help="of which the median is shown")
    parser.add_argument("--keep", type=Path, help="a folder for tables and runs")
    parser.add_argument("--package", type=Path, default=Path(__file__).resolve().parents[1])
    given = parser.parse_args()
    print("| command | config | table | limit | above 1,000 rows, MiB |\n|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory(prefix="linreg-memory-", dir="/var/tmp") as scratch:
        place = (given.keep or Path(scratch)).resolve()
        place.mkdir(parents=True, exist_ok=True)
        tables = [place / f"t{n_rows}{given.suffix}" for n_rows in (FEW, rows_of(given.limit))]
        for n_rows, table in zip((FEW, rows_of(given.limit)), tables, strict=True):
            if not table.exists():
                write(table, n_rows)
        for number, (config, settings) in enumerate(CONFIGS.items()):
            if given.config and config not in given.config:
                continue
            for command in COMMANDS:
                if given.command and command not in given.command:
                    continue
                if command == "predict - to -" and given.suffix != ".csv":
                    continue
                found = []
                for table in tables:
                    folder = place / f"{given.limit}-{number}-{table.name}"
                    if command not in ("train", "stats", "inspect") and not (folder / "outputs").exists():
                        peak("train", settings, table, given.limit, folder, given.package)
                    repeated = range(1 if table is tables[0] else given.times)
                    try:
                        found.append(
                            [peak(command, settings, table, given.limit, folder, given.package) for _ in repeated]
                        )
                    except RuntimeError as error:
                        say(str(error))
                if len(found) == 2:
                    above = statistics.median(found[1]) - found[0][0]
                    print(f"| {command} | {config} | {given.suffix} | {given.limit} | {above:.1f} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
