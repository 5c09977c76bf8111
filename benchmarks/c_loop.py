"""The alternative to numba: the same steps as a plain C loop, compiled by gcc for this machine and called by ctypes."""

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.problems import Array
from benchmarks.steps import Steps

#: The number of features, D, is known to the compiler, which may reorder sums (-ffast-math).
SOURCE = """
void epoch(const float *X, const float *y, const long *order, long n, long batch, float rate, float *w, float *b) {
    for (long at = 0; at < n; at += batch) {
        long last = at + batch < n ? at + batch : n;
        float g[D] = {0}, gb = 0;
        for (long i = at; i < last; i++) {
            long row = order ? order[i] : i;
            const float *x = X + row * D;
            float e = *b - y[row];
            for (int j = 0; j < D; j++) e += x[j] * w[j];
            for (int j = 0; j < D; j++) g[j] += e * x[j];
            gb += e;
        }
        float scale = 2 * rate / (last - at);
        for (int j = 0; j < D; j++) w[j] -= scale * g[j];
        *b -= scale * gb;
    }
}
"""


def c_loop(steps: Steps) -> Callable[[], Array]:
    """Plain SGD on the mean squared error; compiled before the clock starts.

    Raises:
        ImportError: where gcc is not installed.
    """
    X, y = np.ascontiguousarray(steps.table.X, np.float32), np.ascontiguousarray(steps.table.y, np.float32)
    n, d = X.shape
    loop, orders = _compiled(d), steps.orders()

    def run() -> Array:
        w, b = np.zeros(d, np.float32), np.zeros(1, np.float32)
        for order in orders:
            rows = None if order is None else order.ctypes.data
            loop(X.ctypes.data, y.ctypes.data, rows, n, steps.batch, steps.rate, w.ctypes.data, b.ctypes.data)
        return np.concatenate([w, b]).astype(np.float64)

    return run


def _compiled(d: int) -> Callable[..., None]:
    compiler = shutil.which("gcc")
    if compiler is None:
        raise ImportError("gcc")
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder, "loop.c"), Path(folder, "loop.so")
        source.write_text(SOURCE)
        options = ["-O3", "-ffast-math", "-march=native", "-fPIC", f"-DD={d}"]
        part = str(Path(folder, "loop.o"))
        subprocess.run([compiler, *options, "-c", str(source), "-o", part], check=True)
        # Linked without -ffast-math, which would set the whole process to flush small numbers to zero.
        subprocess.run([compiler, "-shared", part, "-o", str(library)], check=True)
        function = ctypes.CDLL(str(library)).epoch  # stays loaded when the file is gone
    address, count, rate = ctypes.c_void_p, ctypes.c_long, ctypes.c_float
    function.argtypes, function.restype = [address] * 3 + [count] * 2 + [rate] + [address] * 2, None

    def call(*arguments: object) -> None:
        function(*arguments)

    return call
