"""The stages of a run in `run.json`: their times, what belongs to which, and what a run that goes on adds."""

import json
import time

import pytest
from conftest import CONFIGS

from linreg_cli.errors import Interrupted
from linreg_cli.pipeline.silent import Silent
from linreg_cli.pipeline.stages import EVALUATING, PREPARING, READING, TimedReporter

NAMES = ["reading", "preparing", "training", "evaluating", "drawing"]


def record(run):
    with open(f"outputs/{run}/run.json", encoding="utf-8") as file:
        return json.load(file)


def seconds(found):
    return {name: times["seconds"] for name, times in found["stages"].items()}


def test_times_are_those_between_the_beginnings_of_stages(monkeypatch):
    """A clock that a test turns: 2 s of reading with a download in it, 3 of preparing, 4 of reading again."""
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(time, "process_time", lambda: now[0] / 2)
    reporter = TimedReporter(Silent(), {"preparing": {"seconds": 10.0, "cpu_seconds": 1.0}})
    for text, lasts in [
        (READING, 1.5),
        ("downloading t.csv", 0.5),
        (PREPARING, 3.0),
        (READING, 4.0),
        (EVALUATING, 0.0),
    ]:
        reporter.stage(text)
        now[0] += lasts
    assert reporter.stages() == {
        "preparing": {"seconds": 13.0, "cpu_seconds": 2.5},
        "reading": {"seconds": 6.0, "cpu_seconds": 3.0},
        "evaluating": {"seconds": 0.0, "cpu_seconds": 0.0},
    }
    now[0] += 100  # after the last stage
    assert reporter.stages()["evaluating"]["seconds"] == 0.0


def test_a_run_has_its_stages_which_add_up_to_its_time_and_the_summary_the_time_of_training(linreg):
    result = linreg("train", "-c", CONFIGS / "smoke.yaml", "--set", "plots=true")
    found = record("smoke-0001")
    assert list(found["stages"]) == NAMES
    assert all(times["cpu_seconds"] >= 0 for times in found["stages"].values())
    assert 0.5 * found["seconds"] < sum(seconds(found).values()) <= found["seconds"] + 1e-5  # rounded
    first = result.out.splitlines()[0]
    training, whole = (f"{value:,.2f} s" for value in (seconds(found)["training"], found["seconds"]))
    assert first.endswith(f" in {training} ({whole} in all)")


def test_a_run_that_goes_on_adds_to_the_times_before(linreg, monkeypatch):
    def interrupted(*_):
        raise Interrupted("interrupted", 130)

    with monkeypatch.context() as patch:
        patch.setattr("linreg_cli.pipeline.results.evaluate", interrupted)
        linreg("train", "-c", CONFIGS / "smoke.yaml")
    before = seconds(record("smoke-0001"))
    assert list(before) == NAMES[:4]
    linreg("train", "--resume", "smoke")
    after = seconds(record("smoke-0001"))
    assert all(after[name] > before[name] for name in before)


@pytest.mark.parametrize("damage", [3, {"training": 3}, {"training": {"seconds": "1", "cpu_seconds": 1.0}}])
def test_stages_that_are_none_are_damage(linreg, damage):
    linreg("train", "-c", CONFIGS / "smoke.yaml")
    found = record("smoke-0001") | {"stages": damage}
    with open("outputs/smoke-0001/run.json", "w", encoding="utf-8") as file:
        json.dump(found, file)
    assert linreg("train", "--resume", "smoke", "--set", "train.epochs=9").code == 6
