"""The one reading pass of `linreg stats` against reading alone, on one table after the other.

`python -m benchmarks.reading_pass` writes tables, reads each of them in turn with pyarrow alone and with the pass, and
prints a table of medians: first once in each process, as a command does it, without the imports; then again and again
in one process, where memory is at hand. Reading alone is `ParquetFile.iter_batches`, or `pyarrow.csv.open_csv`, with
the settings of pyarrow.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

# before numpy: as the command line has it
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq

from linreg_cli.config import load_config
from linreg_cli.statistics.measure import measure

#: name -> columns of numbers, dtype, suffix, whether there are gaps, medians and a category.
TABLES = {
    "32 numbers, float32, Parquet": (32, np.float32, ".parquet", False),
    "16 numbers, float64, Parquet": (16, np.float64, ".parquet", False),
    "14 numbers with medians, a category, Parquet": (14, np.float64, ".parquet", True),
    "8 numbers, CSV": (8, np.float32, ".csv", False),
}


def written(
    folder: Path, n_rows: int, n_columns: int, dtype: type, suffix: str, *, gaps: bool
) -> tuple[str, str, list[str]]:
    """The file of a table of standard normal numbers, the file of a config for it, and settings of that."""
    rng = np.random.default_rng(0)
    columns: dict[str, Any] = {f"x{place}": rng.standard_normal(n_rows).astype(dtype) for place in range(n_columns)}
    columns["y"] = sum(columns.values()) + rng.standard_normal(n_rows).astype(dtype)
    settings = []
    if gaps:
        for place in range(0, n_columns, 3):
            columns[f"x{place}"][rng.random(n_rows) < 0.03] = np.nan
        columns["level"] = rng.choice(list("abcdefgh"), n_rows)
        settings = ["preprocess.missing=median", "preprocess.categorical=one_hot"]
    path = folder / f"t{n_columns}{suffix}"
    table = pa.table(columns)
    if suffix == ".csv":
        pcsv.write_csv(table, path)
    else:
        pq.write_table(table, path, row_group_size=125_000)
    config = folder / "c.yaml"
    config.write_text(
        f"data: {{path: '{path}', target: y, split: {{by: hash}}}}\n"
        "optimizer: {lr: 0.1}\ntrain: {epochs: 1, batch_size: full}\n"
    )
    return str(path), str(config), settings


def read_alone(path: str) -> None:
    """Read a table, and use nothing of it."""
    batches = pcsv.open_csv(path) if path.endswith(".csv") else pq.ParquetFile(path).iter_batches()
    for _ in batches:
        pass


def seconds(action: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    action()
    return time.perf_counter() - wall, time.process_time() - cpu


#: A program that reads once; its arguments are a path, and for the pass the config and its settings.
_ONCE = """
import json, sys
from linreg_cli.cli import process
if sys.argv[2:]:
    process.set_up()
from functools import partial
from benchmarks.reading_pass import read_alone, seconds
from linreg_cli.config import load_config
from linreg_cli.statistics.measure import measure
import pyarrow.csv, pyarrow.parquet
path, *config = sys.argv[1:]
action = partial(measure, load_config(config[:1], config[1:]).config) if config else partial(read_alone, path)
print(json.dumps(seconds(action)))
"""


def once(*arguments: str) -> tuple[float, float]:
    """Wall and CPU seconds of reading in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", _ONCE, *arguments], env=environment, capture_output=True, text=True, check=True
    )
    wall, cpu = json.loads(done.stdout)
    return wall, cpu


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("rows", 1_000_000), ("rounds", 7)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    print(f"{given.rows:,} rows, medians of {given.rounds} rounds, after one that does not count\n")
    print("| | | reading alone, wall and CPU s | the pass | ratio of wall | of CPU |")
    print("|---|---|---|---|---|---|")
    for name, (n_columns, dtype, suffix, gaps) in TABLES.items():
        with tempfile.TemporaryDirectory() as folder:
            path, file, settings = written(Path(folder), given.rows, n_columns, dtype, suffix, gaps=gaps)
            config = load_config([file], settings).config
            ways = {
                "a process each": (partial(once, path), partial(once, path, file, *settings)),
                "one process": (
                    partial(seconds, partial(read_alone, path)),
                    partial(seconds, partial(measure, config)),
                ),
            }
            for way, both in ways.items():
                rounds = [(both[0](), both[1]()) for _ in range(1 + given.rounds)][1:]
                alone, whole = ([statistics.median(each[of][i] for each in rounds) for i in (0, 1)] for of in (0, 1))
                ratios = [statistics.median(each[1][i] / each[0][i] for each in rounds) for i in (0, 1)]
                times = f"{alone[0]:.2f}, {alone[1]:.2f} | {whole[0]:.2f}, {whole[1]:.2f}"
                print(f"| {name} | {way} | {times} | {ratios[0]:.2f} | {ratios[1]:.2f} |", flush=True)


if __name__ == "__main__":
    main()
