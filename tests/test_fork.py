"""A process that has trained on several threads is forked: parent and child go on, and neither waits for ever."""

import subprocess
import sys

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


def test_parent_and_child_train_after_a_fork(tmp_path):
    """The child computes on one thread: native has the same bits on any number, torch's sums differ in the last."""
    result = subprocess.run([sys.executable, "-c", PROGRAM], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.split() == ["7", "True", "True", "2"]
