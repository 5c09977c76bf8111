"""Whatever fails, whenever the process dies: all old or all new, the right exit code, and resuming loses nothing."""

import functools
import itertools
import json
import os
import random
import signal
import time
from pathlib import Path

import pytest
from faults import Faults, ended, forked

from linreg_cli import files

pytestmark = [
    pytest.mark.usefixtures("heeded_signals"),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]

CONFIG = """
name: r
data: {source: synthetic, n_samples: 200, noise_std: 0.5, split: {train: 0.8, test: 0.2}}
optimizer: {lr: 0.01, momentum: 0.9}
train: {epochs: 40, batch_size: 10, checkpoint_every: 1, engine: reference, device: cpu}
plots: false
"""
FEW = ["--set", "train.epochs=2"]
WHOLE_FILES = ("model.safetensors", "metrics.json", "predictions.csv", "preprocess.json")


@pytest.fixture
def config(config_file) -> Path:
    return config_file(CONFIG)


def history(run: Path) -> list[list[str]]:
    lines = [line.split(",") for line in (run / "history.csv").read_text().splitlines()]
    seconds = lines[0].index("seconds")
    return [line[:seconds] + line[seconds + 1 :] for line in lines]


def assert_same(run: Path, other: Path) -> None:
    for name in WHOLE_FILES:
        assert (run / name).read_bytes() == (other / name).read_bytes(), name
    assert history(run) == history(other)
    assert json.loads((run / "run.json").read_text())["status"] == "finished"


def assert_clean(result, codes) -> None:
    assert result.code in codes, result.err
    assert "Traceback" not in result.err
    assert bool(result.code) == any(line.startswith("error: ") for line in result.err.splitlines()), result.err


# ------------------------------------------------------------------------------------- the N-th call to a file fails


@pytest.mark.parametrize("once", [True, False], ids=["once", "for ever"])
@pytest.mark.parametrize("resumed", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["train", "resume"])
def test_whichever_call_fails_nothing_is_half_and_resuming_completes(
    linreg, config, monkeypatch, tmp_path, once, resumed
):
    monkeypatch.setattr(files, "RETRY_SECONDS", (0.0, 0.0))
    assert linreg("train", "-c", config, *FEW, "--outputs", "whole").code == 0
    whole, ways = tmp_path / "whole" / "r-0001", set()
    for which in itertools.count(1):
        outputs = tmp_path / f"o{which}"
        command = ["train", "-c", config, *FEW]
        if resumed:
            assert linreg("train", "-c", config, "--set", "train.epochs=1", "--outputs", outputs).code == 0
            command = ["train", "--resume", "r", *FEW]
        with Faults(tmp_path, which, once=once).injected(monkeypatch) as faults:
            result = linreg(*command, "--outputs", outputs)
        if not faults.failed:
            break
        ways.add(faults.failed[0].split()[0])
        assert_clean(result, (0, 2, 3, 6))
        run = outputs / "r-0001"
        listed = linreg("runs", "list", "--json", "--outputs", outputs)
        assert (listed.code, listed.err) == (0, ""), faults.failed
        if result.code == 0:
            assert_same(run, whole)
        elif run.exists():
            assert listed.json["runs"][0]["status"] in ("failed", "interrupted", "finished")
            again = linreg("train", "--resume", "r", *FEW, "--outputs", outputs)
            assert again.code == 0, (faults.failed, again.err)
            assert_same(run, whole)
        assert not list(outputs.rglob(".*")), faults.failed
    assert result.code == 0
    assert which > 30
    assert {"open", "write", "fsync", "replace", "read"} <= ways


# -------------------------------------------------------------------------------------------------- killed, stopped


def interrupted_at_random(config: Path, folder: Path, number: int, seconds: float, *numbers: int) -> int:
    """Train in a forked process and send it signals after `seconds`, 10 ms apart; its exit code."""
    folder.mkdir()
    child = forked(["train", "-c", config], folder)
    time.sleep(seconds)
    for signal_number in (number, *numbers):
        os.kill(child, signal_number)
        time.sleep(0.01)
    return ended(child)


def stopped_while_training(config: Path, folder: Path, number: int) -> int:
    """Train in a forked process that sends itself a signal at a rename in the middle of its 40 epochs; its exit code.

    So one stop at least comes while a run trains, whatever else the machine does.
    """
    folder.mkdir()
    replace, left = os.replace, [60]

    def stopping(*names: object) -> None:
        replace(*names)
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), number)

    return ended(forked(["train", "-c", config], folder, prepare=lambda: setattr(os, "replace", stopping)))


def survives(linreg, config: Path, folder: Path, whole: Path, allowed: set[str]) -> str:
    """After a stop the list says what happened, and resuming ends as if there had been none."""
    outputs = folder / "outputs"
    run = outputs / "r-0001"
    if not run.exists():
        return "not begun"
    listed = linreg("runs", "list", "--json", "--outputs", outputs)
    assert listed.code == 0
    assert listed.err == ""
    status = listed.json["runs"][0]["status"]
    assert status in allowed
    result = linreg("train", "--resume", "r", "--outputs", outputs)
    assert result.code == 0, result.err
    assert_same(run, whole)
    return status


def usual_seconds(linreg, config: Path, folder: Path) -> float:
    """How long a forked run takes once everything is imported; leaves a whole one in `whole`."""
    assert linreg("train", "-c", config, "--outputs", "whole").code == 0
    seconds = []
    for _ in range(2):
        begun = time.monotonic()
        assert ended(forked(["train", "-c", config, "--outputs", "timed"], folder)) == 0
        seconds.append(time.monotonic() - begun)
    return min(seconds)


def kill_many(linreg, config, tmp_path, times: int) -> None:
    usual, whole = usual_seconds(linreg, config, tmp_path), tmp_path / "whole" / "r-0001"
    assert stopped_while_training(config, tmp_path / "k", signal.SIGKILL) == -signal.SIGKILL
    assert survives(linreg, config, tmp_path / "k", whole, {"interrupted"}) == "interrupted"
    chance = random.Random(times)
    for number in range(times):
        folder = tmp_path / f"k{number}"
        code = interrupted_at_random(config, folder, signal.SIGKILL, chance.uniform(0.2, 0.9) * usual)
        assert code in (0, -signal.SIGKILL)
        status = survives(linreg, config, folder, whole, {"interrupted", "finished"})
        assert code != 0 or status == "finished"


def test_killed_at_any_moment_a_run_goes_on_as_if_it_had_not_been(linreg, config, tmp_path):
    kill_many(linreg, config, tmp_path, 5)


@pytest.mark.parametrize(
    ("command", "kind", "begun"), [("train", "run", "r-0001/run.json"), ("sweep", "sweep", "sweeps/r-0001/sweep.json")]
)
def test_killed_before_its_first_files_are_whole_a_run_was_never_there(linreg, config, tmp_path, command, kind, begun):
    """Killed before the first change to the folder of the runs, before the second, ..., until there is a run."""
    words = [command, "-c", config, "--set", "train.epochs=1,2" if command == "sweep" else "train.epochs=1"]
    for which in itertools.count(1):
        folder = tmp_path / f"k{which}"
        folder.mkdir()
        code = ended(forked(words, folder, prepare=functools.partial(kill_before, which)))
        assert code == -signal.SIGKILL
        outputs = folder / "outputs"
        if (outputs / begun).parent.exists():
            break
        listed = linreg("runs", "list", "--json", "--outputs", outputs)
        assert (listed.json["runs"], listed.err) == ([], "")
        again = linreg(command, "--resume", "r-0001", "--outputs", outputs)
        assert (again.code, f"there is no {kind} 'r-0001'" in again.err) == (6, True)
    assert which > 5
    assert (outputs / begun).exists()
    outputs = tmp_path / f"k{which - 1}" / "outputs"  # killed at the rename
    for hidden in outputs.rglob(".linreg-*.run"):
        os.utime(hidden, (0, 0))
    assert linreg(*words, "--outputs", outputs).code == 0
    assert (outputs / begun).exists()
    assert not list(outputs.rglob(".*"))


def kill_before(which: int) -> None:
    """This process kills itself before its N-th change to the folder of the runs, which is in the current one."""
    left = [which]

    def killing(real):
        def call(path, *rest, **more):
            left[0] -= str(path).startswith("outputs")
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(path, *rest, **more)

        return call

    for name in ("mkdir", "replace", "rename"):
        setattr(os, name, killing(getattr(os, name)))


@pytest.mark.slow
def test_killed_two_hundred_times(linreg, config, tmp_path):
    kill_many(linreg, config, tmp_path, 200)


def stop_many(linreg, config, tmp_path, times: int) -> None:
    usual, whole = usual_seconds(linreg, config, tmp_path), tmp_path / "whole" / "r-0001"
    for number, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
        assert stopped_while_training(config, tmp_path / str(code), number) == code
        assert survives(linreg, config, tmp_path / str(code), whole, {"interrupted"}) == "interrupted"
    chance = random.Random(times)
    for number in range(times):
        folder = tmp_path / f"s{number}"
        first = chance.choice([signal.SIGTERM, signal.SIGINT])
        second = chance.choice([(), (signal.SIGTERM,), (signal.SIGINT,)])
        code = interrupted_at_random(config, folder, first, chance.uniform(0.1, 0.9) * usual, *second)
        err = (folder / "stderr").read_text()
        assert "Traceback" not in err
        assert code in ({0} | {128 + number for number in (first, *second)}), err
        status = survives(linreg, config, folder, whole, {"interrupted", "finished"})
        assert code != 0 or status == "finished"


def test_signals_at_any_moment_end_with_their_code(linreg, config, tmp_path):
    stop_many(linreg, config, tmp_path, 5)


@pytest.mark.slow
def test_two_hundred_signals(linreg, config, tmp_path):
    stop_many(linreg, config, tmp_path, 200)


# ------------------------------------------------------------------------------------------------------- many runs


def many_at_once(linreg, config, tmp_path, times: int) -> None:
    children = []
    for number in range(times):
        (tmp_path / f"c{number}").mkdir()
        children.append(forked(["train", "-c", config, *FEW, "--outputs", tmp_path / "all"], tmp_path / f"c{number}"))
    assert {ended(child, 300) for child in children} == {0}
    rows = linreg("runs", "list", "--json", "--outputs", "all").json["runs"]
    assert sorted(row["run"] for row in rows) == [f"r-{number:04d}" for number in range(1, times + 1)]
    assert {row["status"] for row in rows} == {"finished"}
    for row in rows:
        assert_same(tmp_path / "all" / row["run"], tmp_path / "all" / "r-0001")


def test_runs_started_at_once_get_a_folder_each(linreg, config, tmp_path):
    many_at_once(linreg, config, tmp_path, 6)


@pytest.mark.slow
def test_fifty_runs_started_at_once(linreg, config, tmp_path):
    many_at_once(linreg, config, tmp_path, 50)


def test_of_two_resumes_one_is_told_who_has_the_run(config, tmp_path):
    assert ended(forked(["train", "-c", config, *FEW], tmp_path)) == 0
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        folder.mkdir()
    more = ["train", "--resume", tmp_path / "outputs" / "r-0001", "--set", "train.epochs=100000"]
    first = forked(more, folders[0])
    until = time.monotonic() + 30
    while '"running"' not in (tmp_path / "outputs" / "r-0001" / "run.json").read_text():
        assert time.monotonic() < until
        time.sleep(0.01)
    try:
        assert ended(forked(more, folders[1])) == 6
        assert f"the run is in use by PID {first}" in (folders[1] / "stderr").read_text()
    finally:
        os.kill(first, signal.SIGTERM)
    assert ended(first) == 143


# --------------------------------------------------------------------------------------- results of other commands


@pytest.mark.parametrize("old", [b"old", None])
def test_a_command_that_is_killed_while_it_writes_leaves_no_half_file(linreg, config, tmp_path, old):
    """Killed when the whole content is in the draft; the next command that writes there sweeps it."""
    assert linreg("train", "-c", config, *FEW, "-q").code == 0
    (tmp_path / "t.csv").write_text("x1,x2\n1,2\n")
    folder = tmp_path / "results"
    folder.mkdir()
    commands = {
        "p.csv": ["predict", "r", "--data", "t.csv", "-o", folder / "p.csv"],
        "g.csv": ["generate-data", "-o", folder / "g.csv"],
        "r.html": ["report", "r", "-o", folder / "r.html"],
        "j.xml": ["evaluate", "r", "--junit", folder / "j.xml"],
    }
    if old:
        for name in (*commands, "g.truth.json"):
            (folder / name).write_bytes(old)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def die(*_) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    for name, arguments in commands.items():
        child = forked(arguments, tmp_path, prepare=lambda: setattr(os, "fsync", die))
        assert ended(child) == -signal.SIGKILL
        left = {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}
        assert left == before, name
    assert len(list(folder.glob(".linreg-*.tmp"))) in (1, 2)  # each swept what was left before it
    assert linreg(*commands["p.csv"]).code == 0
    assert not list(folder.glob(".*"))
