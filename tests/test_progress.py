"""What is shown while a run trains: lines in a pipe, a bar that fits on a terminal, nothing with --quiet."""

import csv
import itertools
import os
import pty
import re
import shlex
import signal
import sys
import threading
from pathlib import Path

import pytest

from linreg_cli.cli import progress
from linreg_cli.cli.progress import in_units
from linreg_cli.wording import number

CONFIG = """
data: {source: synthetic, n_samples: 40, split: {train: 0.5, test: 0.5}}
train: {epochs: 6, batch_size: 10}
plots: false
"""
LINE = re.compile(
    r"line-0001: epoch (?P<epoch>\d+)/6(  loss (?P<loss>\S+)  gap (?P<gap>\S+))?  lr 0\.03"
    r"(  (?P<left>.* left)|  in (?P<took>[\d.]+ s))?"
)


@pytest.fixture
def config(config_file):
    return config_file(CONFIG, "line.yaml")


def lines(text: str) -> list[dict[str, str]]:
    found = [LINE.fullmatch(line) for line in text.splitlines() if not line.startswith("warning: coefficient ")]
    assert all(found), text
    return [match.groupdict() for match in found if match]


@pytest.fixture
def without_waiting(monkeypatch):
    """Every event has its line, and its time left, as in a run whose events are ten seconds apart."""
    for name in ("LINE_SECONDS", "BAR_SECONDS", "FIRST_SECONDS"):
        monkeypatch.setattr(progress, name, 0.0)


def test_a_short_run_prints_each_epoch(linreg, config, tmp_path):
    shown = lines(linreg("train", "-c", config).err)
    history = list(csv.DictReader((tmp_path / "outputs" / "line-0001" / "history.csv").read_text().splitlines()))
    for line, row in zip(shown, history, strict=True):
        assert line["epoch"] == row["epoch"]
        assert (line["loss"], line["gap"]) == (number(float(row["train_loss"])), number(float(row["gap"]), 3))
    assert [line["took"] is None for line in shown] == [True] * 6 + [False]
    assert shown[0]["left"] is None


@pytest.mark.parametrize("epochs", [21, 50, 99, 100, 1_000, 1_234])
def test_a_longer_run_prints_some_epochs(linreg, config, epochs):
    err = linreg("train", "-c", config, "--set", f"train.epochs={epochs}", "--set", "train.batch_size=full").err
    found = [int(each.replace(",", "")) for each in re.findall(r"^line-0001: epoch ([\d,]+)/", err, re.MULTILINE)]
    assert (found[0], found[-1]) == (0, epochs)
    assert found == sorted(set(found))
    assert 6 <= len(found) <= 14
    assert len({later - earlier for earlier, later in itertools.pairwise(found[:-1])}) == 1


def test_a_long_run_prints_lines_between_with_the_time_left(linreg, config, without_waiting):
    shown = lines(linreg("train", "-c", config).err)
    assert [int(line["epoch"]) for line in shown] == sorted(int(line["epoch"]) for line in shown)
    assert {line["epoch"] for line in shown} == set("0123456")
    assert all(line["left"] for line in shown[1:-1])


@pytest.mark.parametrize("flags", [["--quiet"], ["--json"], ["--quiet", "--json"]])
def test_no_lines_where_they_are_not_wanted(linreg, config, without_waiting, flags):
    assert lines(linreg("train", "-c", config, *flags).err) == []


def test_a_resumed_run_begins_where_it_was(linreg, config, without_waiting):
    linreg("train", "-c", config)
    shown = lines(linreg("train", "--resume", "line", "--set", "train.epochs=9").err.replace("/9", "/6"))
    assert (shown[0]["epoch"], shown[0]["loss"]) == ("6", None)  # that state was evaluated by the run before
    assert [line["epoch"] for line in shown if line["loss"]] == sorted(line["epoch"] for line in shown if line["loss"])
    assert shown[-1]["epoch"] == "9"


@pytest.mark.parametrize("stop", ["train.stop_gap=1e9", "train.early_stopping={monitor: train.loss, patience: 1}"])
def test_a_run_that_stops_early_has_each_epoch_once(linreg, config, tmp_path, stop):
    settings = ["optimizer.lr=0.3", "optimizer.momentum=0.5", "train.epochs=20", stop]
    err = linreg("train", "-c", config, *(f"--set={setting}" for setting in settings)).err
    shown = lines(err.replace("/20", "/6").replace("lr 0.3", "lr 0.03"))
    history = list(csv.DictReader((tmp_path / "outputs" / "line-0001" / "history.csv").read_text().splitlines()))
    assert len(history) < 21
    assert [line["epoch"] for line in shown][-len(history) :] == [row["epoch"] for row in history]
    assert [line["took"] is None for line in shown] == [True] * (len(shown) - 1) + [False]
    assert len(shown) == max(len(history), 2)  # before the first step the start has its line, and the end


def test_a_model_without_a_known_optimum_has_no_gap(linreg, config):
    result = linreg("train", "-c", config, "--set", "loss=huber", "--set", "optimizer.weight_decay=0.1")
    assert ("gap" in result.err) == ("gap" in (result.out.partition("optimum: ")[2].partition("\n")[0]))
    assert "line-0001: epoch 6/6  loss " in result.err


# --- interrupted


@pytest.mark.parametrize("outputs", ["outputs", "my runs", "."])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interruption_names_the_run_and_how_it_goes_on(linreg, config, monkeypatch, heeded_signals, outputs, number,
                                                          code):  # fmt: skip
    with monkeypatch.context() as patch:
        seen, real = [], progress.Progress.event

        def event(self, what):
            seen.append(what)
            real(self, what)
            if len(seen) == 4:
                os.kill(os.getpid(), number)

        patch.setattr(progress.Progress, "event", event)
        result = linreg("train", "-c", config, "--outputs", outputs, "--set", "train.epochs=500")
    assert result.code == code
    last = result.err.splitlines()[-1]
    assert last.startswith("error: interrupted" if code == 130 else "error: terminated")
    assert "; line-0001 is kept, and goes on with: linreg train --resume " in last
    again = linreg(*shlex.split(last.partition("goes on with: ")[2])[1:], "--quiet")
    assert (again.code, Path(again.out.strip()) == Path(outputs) / "line-0001") == (0, True)


# --- on a terminal


@pytest.fixture
def terminal(monkeypatch):
    """Run something while stderr is a terminal of so many columns; what it showed."""

    def show(columns: int, run) -> str:
        main, end = pty.openpty()
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.delenv("NO_COLOR", raising=False)
        shown = bytearray()

        def read() -> None:
            while True:
                try:
                    part = os.read(main, 65536)
                except OSError:  # the terminal has closed
                    return
                if not part:
                    return
                shown.extend(part)

        reader = threading.Thread(target=read)
        reader.start()
        with monkeypatch.context() as patch, open(end, "w", encoding="utf-8") as stream:
            patch.setattr(sys, "stderr", stream)
            run()
        reader.join()
        os.close(main)
        return shown.decode()

    return show


def frames(shown: str) -> list[str]:
    """The states of the bar, without colours and movements of the cursor."""
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "\r", re.sub(r"\x1b\[[0-9;]*m", "", shown))
    return [part for part in re.split(r"[\r\n]+", plain) if part.strip()]


@pytest.mark.parametrize("columns", [120, 80, 60, 40, 20])
def test_the_bar_fits_the_terminal_and_has_the_time_left(linreg, config, without_waiting, terminal, columns):
    shown = frames(terminal(columns, lambda: linreg("train", "-c", config, "--set", "train.epochs=2000")))
    training = [frame for frame in shown if frame.startswith("training")]
    assert training
    assert max(len(frame) for frame in shown if re.search("[━╸╺]", frame)) <= columns
    # A command that a message tells to paste would be cut in two where the line is broken.
    [warning] = [frame for frame in shown if frame.startswith("warning: ")]
    assert re.search(r"train with --set .* --set train\.epochs=\d+$", warning)
    assert all(re.search("[━╸╺]", frame) for frame in training)
    timed = [frame for frame in training if re.search(r"epoch [\d,]+/2,000 .* \d+ s left *$", frame)]
    assert bool(timed) == (columns >= 40)
    if columns >= 80:
        assert all(" loss " in frame and " gap " in frame for frame in timed)


def test_a_terminal_has_lines_with_verbose_only(linreg, config, terminal):
    shown = terminal(100, lambda: linreg("train", "-c", config, "--verbose"))
    assert {"line-0001: epoch 0/6", "line-0001: epoch 6/6"} <= {frame[:20] for frame in frames(shown)}
    shown = terminal(100, lambda: linreg("train", "-c", config))
    assert "line-0002: epoch" not in shown


def test_a_terminal_that_cannot_move_its_cursor_has_lines(linreg, config, terminal, monkeypatch):
    def run():
        monkeypatch.setenv("TERM", "dumb")
        linreg("train", "-c", config)

    shown = terminal(80, run)
    assert len(lines(shown.replace("\r", ""))) == 7


def test_the_time_left_has_two_units_and_is_rounded_up():
    expected = {0: "0 s", 59.01: "1 min", 61: "1 min 1 s", 3599.5: "1 h", 3601: "1 h 1 min", 172_800: "2 d"}
    assert {seconds: in_units(seconds) for seconds in expected} == expected
