"""A process is forked that has trained, or while another thread is at work: parent and child go on, neither waits."""

import contextlib
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
import scipy.linalg  # noqa: F401  (has a BLAS of its own)
from threadpoolctl import threadpool_info, threadpool_limits

from linreg_cli import blas
from linreg_cli.blas import one_blas_thread
from linreg_cli.figures import canvas
from linreg_cli.optim.engines.kernels import loader

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]

PROGRAM = """
import multiprocessing, os, signal
from pathlib import Path
import torch
from linreg_cli.config import load_config
from linreg_cli.pipeline.workflow import train_run

class Reporter:
    def __getattr__(self, name):
        return lambda *_: None

def train(engine):
    # 400,000 x 4: several parts for each thread, and enough numbers for torch to use its own
    sets = ["data={source: synthetic, n_samples: 400000, weights: [1, 2, 3, 4]}", "optimizer.lr=0.1", "plots=false"]
    sets += ["train={epochs: 2, batch_size: full, engine: %s}" % engine]
    loaded = load_config((), sets)
    outcome = train_run(loaded, outputs=Path("outputs"), reporter=Reporter(), command=[])
    return outcome.metrics["parameters"]["weights"]["x1"]

if __name__ == "__main__":
    torch.set_num_threads(2)
    signal.alarm(100)  # the child has its own, which a fork does not copy
    before = {engine: train(engine) for engine in ("native", "statistics", "reference")}
    child = os.fork()
    if not child:
        signal.alarm(100)
        again = {engine: train(engine) for engine in before}
        same = all(abs(again[engine] / before[engine] - 1) < 1e-5 for engine in before)
        os._exit(7 if same and again["native"] == before["native"] else 8)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    with multiprocessing.get_context("fork").Pool(1) as workers:
        print(workers.map(train, ["native"]) == [before["native"]])
    print(train("native") == before["native"], torch.get_num_threads())
"""


def threads():
    """The threads of each BLAS of numpy and scipy, by another library."""
    return {each["num_threads"] for each in threadpool_info() if each["internal_api"] == "openblas"}


@contextlib.contextmanager
def in_another_thread(context):
    """A context in which another thread is in `context`."""
    inside, leave = threading.Event(), threading.Event()

    def work():
        with context:
            inside.set()
            leave.wait()

    thread = threading.Thread(target=work)
    thread.start()
    inside.wait()
    try:
        yield
    finally:
        leave.set()
        thread.join()


def holds_in_a_child(claim):
    """Whether a claim holds in a forked child, which ends when it waits for long."""
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        code = 1
        with contextlib.suppress(Exception):
            code = 0 if claim() else 1
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize(
    "lock", [blas._ONE_THREAD._lock, loader._lock, canvas._STYLING], ids=["blas", "kernels", "pictures"]
)
def test_a_lock_that_another_thread_holds_is_free_in_the_child(lock):
    with in_another_thread(lock):
        assert holds_in_a_child(lambda: lock.acquire(timeout=5))
        assert not lock.acquire(blocking=False)


def test_a_child_has_the_threads_of_blas_of_before_the_call_of_another_thread():
    def own_context():
        with one_blas_thread():
            inside = threads()
        return (inside, threads()) == ({1}, {2})

    with threadpool_limits(2, "blas"):
        with in_another_thread(one_blas_thread()):
            assert threads() == {1}
            assert holds_in_a_child(lambda: threads() == {2} and own_context())
        assert threads() == {2}


def test_a_child_that_is_forked_within_a_context_leaves_it_as_its_parent_does():
    found = []

    def leave(context):
        found.append(threads())
        context.close()
        return (found[-1], threads()) == ({1}, {2}) and np.isfinite(np.ones((200, 200)) @ np.ones((200, 200))).all()

    with threadpool_limits(2, "blas"), in_another_thread(one_blas_thread()):
        with contextlib.ExitStack() as own:
            own.enter_context(one_blas_thread())
            assert holds_in_a_child(lambda: leave(own))
        assert threads() == {1}


def test_parent_and_child_train_after_a_fork(tmp_path):
    """The child computes on one thread: native has the same bits on any number, torch's sums differ in the last."""
    result = subprocess.run([sys.executable, "-c", PROGRAM], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.split() == ["7", "True", "True", "2"]
