"""The tables that are trained on: plain, ill-conditioned, and with a large offset."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

#: kind -> in words.
KINDS = {
    "plain": "standard normal columns",
    "ill": "rotated columns whose spreads run from 1 to 0.01, so that scaling does not help",
    "offset": "standard normal columns about 10,000",
}
OFFSET = 1e4


@dataclass(frozen=True, eq=False)
class Problem:
    """A table of known truth: every weight 1, noise of standard deviation 0.1.

    Attributes:
        kind: one of `KINDS`.
        X: shape (n_samples, n_features), float32.
        y: shape (n_samples,), float32.
    """

    kind: str
    X: Array
    y: Array

    @property
    def name(self) -> str:
        """Such as `1,000,000 x 8`, with the kind where it is not plain."""
        kind = {"plain": "", "ill": ", ill-conditioned", "offset": ", offset 10,000"}[self.kind]
        return f"{len(self.X):,} x {self.X.shape[1]:,}{kind}"

    @cached_property
    def curvatures(self) -> Array:
        """Eigenvalues of the Hessian of the mean squared error, 2/n [X 1]'[X 1], ascending, float64."""
        design = np.column_stack([self.X, np.ones(len(self.X), dtype=np.float32)]).astype(np.float64)
        return np.asarray(np.linalg.eigvalsh(2 / len(design) * design.T @ design).clip(0.0))

    @property
    def rate(self) -> float:
        """A learning rate at which batches of one row converge: 0.1 over the mean square of a row."""
        return 0.2 / float(self.curvatures.sum())

    def head(self, rows: int) -> "Problem":
        """The first rows."""
        return self if rows >= len(self.X) else Problem(self.kind, self.X[:rows], self.y[:rows])

    def standardized(self) -> "Problem":
        """Every column with mean 0 and standard deviation 1, in two passes in float64 as scikit-learn has it."""
        X = (self.X - self.X.mean(0, dtype=np.float64)) / self.X.std(0, dtype=np.float64)
        return Problem("plain", X.astype(np.float32), self.y)


def problem(rows: int, features: int, kind: str = "plain", seed: int = 0) -> Problem:
    """A table of a kind; the same arguments give the same table."""
    stream = np.random.default_rng([seed, rows, features])
    X = stream.standard_normal((rows, features), dtype=np.float32)
    if kind == "ill":
        rotation = np.linalg.qr(stream.standard_normal((features, features)))[0]
        X = (X * np.geomspace(1, 1e-2, features)) @ rotation
    y = X.sum(1, dtype=np.float64) + 0.1 * stream.standard_normal(rows)
    if kind == "offset":
        X = X + OFFSET
    return Problem(kind, _on_cache_lines(X), _on_cache_lines(y))


def _on_cache_lines(values: Array) -> Array:
    """A float32 copy that begins at a cache line, as torch's own tensors do and numpy's arrays happen to or not.

    A row of 16 numbers is then one line and not parts of two, which is half the time of a gather.
    """
    room = np.empty(values.size + 16, np.float32)
    start = -room.ctypes.data % 64 // 4
    out = room[start : start + values.size].reshape(values.shape)
    out[...] = values
    return out


def write_csv(table: Problem, path: Path, target: str = "y") -> None:
    """The table as a CSV, with the columns x1, x2, ... and the target last.

    Args:
        table: what is written.
        path: the file.
        target: its name; Vowpal Wabbit wants `_label`.
    """
    import pyarrow as pa
    import pyarrow.csv as pcsv

    names = [f"x{column + 1}" for column in range(table.X.shape[1])]
    columns = [pa.array(np.ascontiguousarray(column)) for column in table.X.T]
    pcsv.write_csv(pa.table([*columns, pa.array(table.y)], names=[*names, target]), path)
