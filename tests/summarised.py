"""Runs from the statistics of tables, beside those on the rows."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from linreg_cli.statistics.facts import TableStatistics

CONFIG = """\
name: s
data: {path: t.csv, target: y}
preprocess: {standardize: true, missing: level, categorical: one_hot}
optimizer: {lr: 0.1}
train: {epochs: 20, batch_size: full, device: cpu, dtype: float64, engine: statistics}
plots: false
"""
N_ROWS = 61
#: What differs where no row is read: null with a reason, or not there.
LACKING = ("mae", "test", "std_err_hc3", "durbin_watson", "leave_one_out", "k_fold", "folds")


def table(n_rows: int = N_ROWS) -> pd.DataFrame:
    """A column about a billion, one with missing cells in the middle, and levels that only the last rows have."""
    rng = np.random.default_rng(5)
    x, z = 1e9 + rng.choice([-1.0, 1.0], n_rows) * rng.uniform(0.5, 1, n_rows), rng.standard_normal(n_rows)
    z[20:40:3] = np.nan
    city = np.array([f"c{row % 3}" if row < 50 else f"c{row % 5}" for row in range(n_rows)])
    y = 2 * (x - 1e9) + np.nan_to_num(z) + (city == "c1") + rng.standard_normal(n_rows) / 4
    return pd.DataFrame({"x": x, "z": z, "city": city, "y": y})


def placed(folder: Path, frame: pd.DataFrame, **data: str) -> Path:
    """A folder with a table and `CONFIG` for it, with further keys of its data."""
    frame.to_csv(folder / "t.csv", index=False)
    further = "".join(f", {key}: {value}" for key, value in data.items())
    (folder / "c.yaml").write_text(CONFIG.replace("target: y", f"target: y{further}"))
    return folder


def parts(linreg, n_parts: int, *options: str) -> list[str]:
    """The files of all parts."""
    files = [f"p{index}-{n_parts}.safetensors" for index in range(1, n_parts + 1)]
    for index, file in enumerate(files, start=1):
        assert linreg("stats", "-c", "c.yaml", "--part", f"{index}/{n_parts}", "-o", file, *options).code == 0
    return files


def differences(of_statistics: Any, of_rows: Any, rtol: float, path: str = "") -> list[str]:
    """The places in which two results differ, but for those that need rows."""
    if isinstance(of_statistics, dict) and isinstance(of_rows, dict):
        keys = [key for key in {**of_statistics, **of_rows} if key.removesuffix("_reason") not in LACKING]
        gone = [f"{path}.{key}" for key in keys if (key in of_statistics) != (key in of_rows)]
        both = [key for key in keys if key in of_statistics and key in of_rows]
        return gone + [
            each for key in both for each in differences(of_statistics[key], of_rows[key], rtol, f"{path}.{key}")
        ]
    if isinstance(of_statistics, list):
        pairs = enumerate(zip(of_statistics, of_rows, strict=True))
        return [each for at, pair in pairs for each in differences(*pair, rtol, f"{path}.{at}")]
    if isinstance(of_statistics, float):
        close = np.isclose(of_statistics, of_rows, rtol=rtol, atol=0) or abs(of_statistics - of_rows) < 1e-9
        return [] if close else [f"{path}: {of_statistics} and {of_rows}"]
    return [] if of_statistics == of_rows else [f"{path}: {of_statistics} and {of_rows}"]


def of_both(linreg, *options: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The metrics of a run from the statistics of three parts, whose table is away, and of one on the rows."""
    files = parts(linreg, 3, *options)
    assert linreg("stats", "merge", *files, "-o", "m.safetensors").code == 0
    Path("t.csv").rename("away.csv")
    first = linreg("train", "-c", "c.yaml", *options, "--stats", "m.safetensors", "--json")
    Path("away.csv").rename("t.csv")
    second = linreg("train", "-c", "c.yaml", *options, "--json")
    assert (first.code, second.code) == (0, 0), first.err + second.err
    return json.loads(first.out)["metrics"], json.loads(second.out)["metrics"]


def assert_as_on_rows(linreg, *options: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """That a run from statistics has the metrics and inputs of one on the rows; what `inspect` says of both."""
    assert differences(*of_both(linreg, *options), 1e-9) == []
    inputs = (json.loads(Path(f"outputs/s-000{run}/preprocess.json").read_text())["inputs"] for run in (1, 2))
    assert differences(*inputs, 1e-12) == []
    both = (("--stats", "m.safetensors"), ())
    found, expected = (linreg("inspect", "-c", "c.yaml", *options, *more, "--json").json for more in both)
    return found, expected


def away(found: TableStatistics, expected: TableStatistics) -> float:
    """The largest difference of two R, relative to the norm of its column."""
    one, two = found.moments, expected.moments
    assert one.keys == two.keys
    assert np.array_equal(one.center, two.center)
    norms = np.linalg.norm(two.R, axis=0)
    return float((np.abs(one.R - two.R) / np.where(norms > 0, norms, 1.0)).max())
