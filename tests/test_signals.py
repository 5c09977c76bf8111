"""Ctrl-C, SIGTERM, SIGHUP in the middle of training: the segment is finished, the state saved, the exit code right."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from safetensors import safe_open

from linreg_cli.errors import Interrupted
from linreg_cli.runs.signals import StopRequests

pytestmark = pytest.mark.usefixtures("heeded_signals")

CONFIG = """
data: {source: synthetic, n_samples: 1000}
train: {epochs: 1000000, batch_size: 10, engine: reference, checkpoint_every: 1}
plots: false
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_during_training_leaves_a_valid_interrupted_run(tmp_path, number, code):
    (tmp_path / "c.yaml").write_text(CONFIG)
    command = [sys.executable, "-m", "linreg_cli", "train", "-c", "c.yaml", "--json"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        run = tmp_path / "outputs" / "c-0001"
        # The second checkpoint: training has taken steps, however slow the machine is.
        while process.poll() is None and not (run / "checkpoint.previous.safetensors").exists():
            time.sleep(0.05)
        process.send_signal(number)
        out, err = process.communicate(timeout=300)
    assert process.returncode == code
    assert err.startswith("error: ")
    assert "Traceback" not in err
    assert json.loads(out)["error"]["kind"] == "interrupted"
    record = json.loads((run / "run.json").read_text())
    assert record["status"] == "interrupted"
    assert record["finished"] is not None
    assert sorted(os.listdir(run)) == [
        "batches.csv", "checkpoint.previous.safetensors", "checkpoint.safetensors", "config.yaml", "history.csv",
        "preprocess.json", "run.json",
    ]  # fmt: skip
    with safe_open(run / "checkpoint.safetensors", "pt") as checkpoint:
        step = json.loads(checkpoint.metadata()["linreg"])["step"]
        assert step > 0
        assert set(checkpoint.keys()) >= {"parameter.0.weight", "parameter.0.bias"}
    rows = (run / "history.csv").read_text().splitlines()
    # header, row 0, and one row for each epoch of 100 steps that was completed
    assert len(rows) == 2 + step // 100
    assert all(len(row.split(",")) == len(rows[0].split(",")) for row in rows)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_outside_of_training_a_signal_stops_at_once(number, code):
    def wait():
        os.kill(os.getpid(), number)
        time.sleep(5)

    with StopRequests(), pytest.raises(Interrupted) as caught:
        wait()
    assert caught.value.exit_code == code


def test_the_first_signal_within_a_deferred_block_waits_for_its_end():
    done = False

    def train(stops):
        nonlocal done
        with stops.deferred():
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.01)
            assert stops.requested == signal.SIGTERM
            done = True

    with StopRequests() as stops, pytest.raises(Interrupted) as caught:
        train(stops)
    assert done
    assert caught.value.exit_code == 143


def test_the_second_signal_within_a_deferred_block_stops_at_once():
    def train(stops):
        with stops.deferred():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
            raise AssertionError("not stopped")

    with StopRequests() as stops, pytest.raises(Interrupted) as caught:
        train(stops)
    assert caught.value.exit_code == 143


def test_a_second_hangup_is_no_order_to_hurry():
    """A terminal that is closed sends one, and its shell another; the state is still saved."""
    done = False

    def train(stops, first):
        nonlocal done
        with stops.deferred():
            for number in (first, signal.SIGHUP, signal.SIGHUP):
                os.kill(os.getpid(), number)
                time.sleep(0.01)
            done = True

    for first, code in ((signal.SIGHUP, 129), (signal.SIGTERM, 143)):
        done = False
        with StopRequests() as stops, pytest.raises(Interrupted) as caught:
            train(stops, first)
        assert done
        assert caught.value.exit_code == code


def test_a_hangup_that_nohup_ignores_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopRequests() as stops:
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
            os.kill(os.getpid(), signal.SIGHUP)
            stops.check()
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_handlers_are_put_back():
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    with StopRequests():
        assert all(signal.getsignal(number) != handler for number, handler in before.items())
    assert {number: signal.getsignal(number) for number in before} == before


#: The program of somebody else, which trains; `train(event)` calls `event` at each event of training.
PROGRAM = """
import json, os, signal, sys, threading
from pathlib import Path
from linreg_cli.config import load_config
from linreg_cli.pipeline.workflow import resume_run, train_run

class Reporter:
    def __init__(self, event):
        self.event = event
    def stage(self, text): pass
    def detail(self, text): pass
    def warn(self, text): pass
    def training(self, plan, run): pass
    def done(self): pass

def train(event, name="run"):
    sets = ["data={source: synthetic, n_samples: 100}", "train={epochs: 5, batch_size: 10}", "plots=false"]
    loaded = load_config((), [*sets, f"name={name}"])
    return train_run(loaded, outputs=Path("outputs"), reporter=Reporter(event), command=["program"])
"""


def program(tmp_path, body):
    """What the program prints."""
    command = [sys.executable, "-c", PROGRAM + body]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout.split()


def test_training_leaves_the_handlers_of_another_program_alone(tmp_path):
    body = """
heard = []
numbers = (signal.SIGINT, signal.SIGTERM)
def mine(number, frame):
    heard.append(number)
for number in numbers:
    signal.signal(number, mine)
during = set()
def event(what):
    if not during:
        for number in numbers:
            os.kill(os.getpid(), number)
    during.update(signal.getsignal(number) for number in numbers)
outcome = train(event)
assert resume_run(outcome.run, (), ["train.epochs=6"], reporter=Reporter(event), command=[]).status == "finished"
assert during == {mine} == {signal.getsignal(number) for number in numbers}
print(outcome.status, outcome.run.record()["epochs_done"], *heard)
"""
    assert program(tmp_path, body) == ["finished", "6", "2", "15"]


def test_training_in_a_thread_that_is_not_the_main_one(tmp_path):
    body = """
found = []
def event(what):
    found.append(threading.current_thread() is threading.main_thread())
threads = [threading.Thread(target=train, args=(event, f"thread{k}")) for k in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
train(lambda what: None, "main")
runs = [Path(f"outputs/{name}-0001") for name in ("thread0", "thread1", "main")]
models = [json.loads((run / "metrics.json").read_text())["parameters"] for run in runs]
print(any(found), models[0] == models[1] == models[2])
"""
    assert program(tmp_path, body) == ["False", "True"]


def test_a_keyboard_interrupt_of_another_program_leaves_a_run_that_can_go_on(tmp_path):
    body = """
signal.signal(signal.SIGINT, signal.default_int_handler)
seen = []
def event(what):
    seen.append(what)
    if len(seen) == 3:
        os.kill(os.getpid(), signal.SIGINT)
try:
    train(event)
except KeyboardInterrupt:
    record = json.loads(Path("outputs/run-0001/run.json").read_text())
    print("raised", record["status"])
from linreg_cli.runs.find import find_run
outcome = resume_run(find_run(Path("outputs"), "run"), (), (), reporter=Reporter(lambda what: None), command=[])
print(outcome.status)
"""
    assert program(tmp_path, body) == ["raised", "interrupted", "finished"]
