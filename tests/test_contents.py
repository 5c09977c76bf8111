"""A run is looked at through one object: each of its files is opened once, whatever is drawn or written of it."""

import os
import sys
from collections import Counter
from pathlib import Path

import pytest

from linreg_cli.errors import StoreError
from linreg_cli.runs.compare import settings
from linreg_cli.runs.config import config_of
from linreg_cli.runs.contents import RunContents
from linreg_cli.runs.store import RunFolder

CONFIG = """
name: {name}
data: {{source: synthetic, n_samples: 40, weights: [2], noise_std: 0.5, split: {{train: 0.5, test: 0.5}}}}
preprocess: {{standardize: true}}
optimizer: {{lr: auto, momentum: auto}}
train: {{epochs: 200, batch_size: full, dtype: float64}}
plots: false
"""

_opened: Counter[str] | None = None


def _count(event: str, arguments: tuple) -> None:
    if _opened is not None and event == "open" and isinstance(arguments[0], str | bytes):
        _opened[os.path.abspath(os.fsdecode(arguments[0]))] += 1


sys.addaudithook(_count)  # sees every open of Python's, by whatever function; it cannot be taken away again


@pytest.fixture
def outputs(linreg, config_file, tmp_path) -> Path:
    for name in ("a", "b"):
        assert linreg("train", "-c", config_file(CONFIG.format(name=name)), "--quiet").code == 0
    assert (tmp_path / "outputs" / "a-0001" / "influence.csv").exists()
    return tmp_path / "outputs"


@pytest.fixture
def opened(linreg, outputs):
    """What a command line opens in the folders of the runs: (run, file) -> how often."""

    def call(*arguments: object) -> dict[tuple[str, str], int]:
        global _opened
        _opened = Counter()
        try:
            result = linreg(*arguments)
        finally:
            counted, _opened = _opened, None
        assert result.code == 0, result.err
        below = {
            Path(path).relative_to(outputs): n for path, n in counted.items() if Path(path).is_relative_to(outputs)
        }
        # The folder itself is opened for its lock, which says whether a run that is `running` still is.
        return {(path.parts[0], "/".join(path.parts[1:])): n for path, n in below.items() if len(path.parts) > 1}

    return call


HISTORY, ALL = {"run.json", "history.csv", "metrics.json"}, {"run.json", "metrics.json", "predictions.csv"}
#: What each picture is drawn from; of the loss, the optimum is in metrics.json.
READ = {
    "loss": HISTORY,
    "fit": ALL | {"config.yaml", "history.csv", "inference.safetensors"},
    "predicted": ALL - {"metrics.json"},
    "residuals": ALL - {"metrics.json"},
    "leverage": {"run.json", "metrics.json", "influence.csv"},
}


@pytest.mark.parametrize("kinds", [*((kind,) for kind in READ), tuple(READ)], ids="+".join)
def test_pictures_open_each_file_of_the_run_once(opened, tmp_path, kinds):
    arguments = [argument for kind in kinds for argument in ("--kind", kind)]
    expected = set().union(*(READ[kind] for kind in kinds))
    assert opened("plot", "a", *arguments, "-o", tmp_path) == {("a-0001", name): 1 for name in expected}


def test_all_pictures_of_a_run_open_each_of_its_files_once(opened, tmp_path):
    # Of two parameters the path is drawn, too.
    expected = set().union(*READ.values()) - {"influence.csv"} | {"preprocess.json"}
    assert opened("plot", "a", "-o", tmp_path) == {("a-0001", name): 1 for name in expected}


REPORTED = {*set().union(*READ.values()), "config.yaml"}


def test_a_report_opens_each_file_of_the_run_once(opened, tmp_path):
    assert opened("report", "a", "-o", tmp_path / "r.html") == {("a-0001", name): 1 for name in REPORTED}


def test_a_report_of_several_runs_and_an_overlay_open_each_file_of_each_run_once(opened, tmp_path):
    runs = ("a-0001", "b-0001")
    found = opened("report", "a", "b", "-o", tmp_path / "r.html")
    assert found == {(run, name): 1 for run in runs for name in REPORTED}
    found = opened("plot", "a", "b", "-o", tmp_path)
    assert found == {(run, name): 1 for run in runs for name in ("run.json", "config.yaml", "history.csv")}


def test_finding_the_latest_run_opens_one_more_time_the_records_of_all(opened, tmp_path):
    """They say which run is the latest."""
    found = opened("report", "latest", "-o", tmp_path / "r.html")
    assert found == {("a-0001", "run.json"): 1, ("b-0001", "run.json"): 2} | {
        ("b-0001", name): 1 for name in REPORTED - {"run.json"}
    }


def test_a_comparison_of_runs_opens_each_file_once(opened):
    names = ("run.json", "config.yaml", "metrics.json")
    assert opened("runs", "diff", "a", "b") == {(run, name): 1 for run in ("a-0001", "b-0001") for name in names}


def test_it_says_what_the_files_say(outputs):
    run, contents = RunFolder(outputs / "a-0001"), RunContents.of(RunFolder(outputs / "a-0001"))
    assert contents.record() == run.record()
    assert contents.metrics == run.read_json("metrics.json")
    assert contents.config == config_of(run).config
    assert contents.config_text.splitlines() == run.read("config.yaml").decode().splitlines()
    assert contents.targets == ["y"]
    assert list(contents.splits) == ["train", "test"]
    table = contents.table("predictions.csv", text=("split",))
    lines = (run.path / "predictions.csv").read_text().splitlines()
    assert table.column_names == lines[0].split(",")
    assert [str(value) for value in table.column("split").to_pylist()] == [line.split(",")[0] for line in lines[1:]]
    assert [float(value) for value in table.column("target").to_pylist()] == [
        float(line.split(",")[2]) for line in lines[1:]
    ]
    assert settings(contents)["optimizer.momentum"] == contents.config.optimizer.momentum
    assert RunContents.of(contents) is contents
    assert contents.id == run.id == "a-0001"


@pytest.mark.parametrize("name", ["history.csv", "metrics.json"])
def test_what_is_damaged_is_said_each_time_and_what_was_read_stays(outputs, name):
    contents = RunContents(outputs / "a-0001")
    whole = contents.path.joinpath(name).read_bytes()
    for content, message in ((b"\xff", "the run is damaged"), (whole, "the run is damaged")):
        contents.path.joinpath(name).write_bytes(content)
        for _ in range(2):
            with pytest.raises(StoreError, match=message):
                contents.table(name) if name.endswith("csv") else contents.read_json(name)
    again = RunContents(contents.path)
    held = again.table(name) if name.endswith("csv") else again.read_json(name)
    contents.path.joinpath(name).unlink()
    assert held is (again.table(name) if name.endswith("csv") else again.read_json(name))


def test_a_run_that_has_not_come_to_its_metrics_has_none(outputs):
    folder = RunFolder(outputs / "a-0001")
    folder.remove("metrics.json")
    with pytest.raises(StoreError, match=r"the run has no metrics.json"):
        _ = RunContents(folder.path).metrics
    folder.write_json("run.json", {**folder.record(), "status": "failed"})
    contents = RunContents(folder.path)
    assert (contents.metrics, contents.splits) == (None, {})


def test_an_unfinished_run_with_predictions_and_no_metrics_shows_its_loss(linreg, outputs):
    """As one that was killed between these two files."""
    folder = RunFolder(outputs / "a-0001")
    folder.remove("metrics.json")
    folder.write_json("run.json", {**folder.record(), "status": "interrupted"})
    drawn = linreg("plot", "a").out.split()
    assert drawn == ["outputs/a-0001/plots/loss.png", "outputs/a-0001/plots/path.png"]
    assert linreg("report", "a").code == 0
    refused = linreg("plot", "a", "--kind", "fit")
    assert (refused.code, "because its status is interrupted; it has: loss" in refused.err) == (2, True)
