"""The alternative to numba: the same steps as a plain C loop, compiled for this machine by gcc and called by ctypes.

    python -m benchmarks.c_loop

One epoch of 1,000,000 x 8, float32, rows as given, mean squared error, plain SGD. With the number of features known to
the compiler and not; gcc may
reorder sums in both (-Ofast). Best of 30 runs each.
"""

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.steps import RATE, fresh, plan, table, timed
from linreg_cli.optim.executors.native import NativeExecutor
from linreg_cli.optim.plan import StepPlan
from linreg_cli.optim.state import TrainingState

SOURCE = """
#ifdef FEATURES
#define D FEATURES
#else
#define D d
#endif
void epoch(const float *X, const float *y, long n, int d, int batch, float rate, float *w, float *b) {
    for (long at = 0; at < n; at += batch) {
        long last = at + batch < n ? at + batch : n;
        float g[1024] = {0}, gb = 0;
        for (long i = at; i < last; i++) {
            const float *x = X + i * D;
            float e = *b - y[i];
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


def compiled(folder: Path, *options: str) -> Callable[..., None]:
    """The C function `epoch`."""
    (folder / "loop.c").write_text(SOURCE)
    library = folder / f"loop{len(options)}.so"
    command = [
        "gcc",
        "-Ofast",
        "-march=native",
        "-shared",
        "-fPIC",
        *options,
        str(folder / "loop.c"),
        "-o",
        str(library),
    ]
    subprocess.run(command, check=True)
    function = ctypes.CDLL(str(library)).epoch
    function.argtypes = [ctypes.c_void_p] * 2 + [ctypes.c_long, ctypes.c_int, ctypes.c_int, ctypes.c_float]
    function.argtypes += [ctypes.c_void_p] * 2
    function.restype = None
    return function  # type: ignore[no-any-return]


def main() -> None:
    if not shutil.which("gcc"):
        print("skipped: gcc is not installed")
        return
    (n, d), w, b = (1_000_000, 8), np.zeros(8, np.float32), np.zeros(1, np.float32)
    X, y = table(n, d)
    with tempfile.TemporaryDirectory() as folder:
        loops = {"8 features": compiled(Path(folder), "-DFEATURES=8"), "any number": compiled(Path(folder))}
    for batch in (1, 32, 256):
        state, steps = fresh(d), plan(n, batch, False)
        NativeExecutor(X, y).run(steps, state, 0, steps.total_steps)
        for name, loop in loops.items():

            def run(loop: Callable[..., None] = loop, batch: int = batch) -> None:
                w[:], b[:] = 0, 0
                loop(X.data_ptr(), y.data_ptr(), n, d, batch, RATE, w.ctypes.data, b.ctypes.data)

            best = timed(run, 30)["best"]
            gap = np.abs(w - state.model[0].weight.detach().numpy().ravel()).max()
            print(f"batch {batch}, C for {name}: {best:.2f} ms, parameters {gap:.0e} from native's")
        native = NativeExecutor(X, y)

        def again(state: TrainingState = state, steps: StepPlan = steps, native: NativeExecutor = native) -> None:
            state.step = 0
            native.run(steps, state, 0, steps.total_steps)

        print(f"batch {batch}, native: {timed(again, 30)['best']:.2f} ms")


if __name__ == "__main__":
    main()
