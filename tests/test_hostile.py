"""Damaged and hostile files of every kind through the command line: success or a clean error, never a traceback."""

import os
import random
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

# pyarrow says so by itself of a row that is not UTF-8, before it refuses it; `linreg` keeps that from the terminal.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

CODES = (0, 2, 3, 4, 5, 6)
CONFIG = """
name: h
data: {path: t.csv, target: y, split: {train: 0.75, test: 0.25}}
optimizer: {lr: 0.01, momentum: 0.5}
train: {epochs: 2, batch_size: 4, device: cpu, checkpoint_every: 1}
gates: [train.rmse < 100]
plots: false
"""
TABLE = "a,b,y\n" + "".join(f"{row},{row % 3},{2 * row + 1}.5\n" for row in range(12))

REPORT = ["report", "h-0001", "h-0002", "-o", "r.html"]

#: What is damaged -> the commands that read it.
READERS = {
    "c.yaml": [["validate", "c.yaml"], ["train", "-c", "c.yaml", "--quiet"]],
    "t.csv": [["train", "-c", "c.yaml", "--quiet"], ["evaluate", "h-0001", "--data", "t.csv"]],
    "t.parquet": [["train", "-c", "c.yaml", "--quiet", "--set", "data.path=t.parquet"]],
    "run.json": [["runs", "list"], ["runs", "show", "h-0001"], ["evaluate", "h-0001"], REPORT],
    "config.yaml": [
        ["evaluate", "h-0001"],
        ["train", "--resume", "h-0001"],
        ["runs", "diff", "h-0001", "h-0002"],
        REPORT,
    ],
    "history.csv": [["plot", "h-0001", "--kind", "loss", "--format", "svg", "-o", "p"]],
    "predictions.csv": [["plot", "h-0001", "--kind", "predicted", "--format", "svg", "-o", "p"]],
    "metrics.json": [["runs", "list"], ["runs", "show", "h-0001"], ["train", "--resume", "h-0001"], REPORT],
    "preprocess.json": [["evaluate", "h-0001"], ["predict", "h-0001", "--data", "t.csv"]],
    "model.safetensors": [["evaluate", "h-0001"], ["predict", "h-0001", "--data", "t.csv"]],
    "checkpoint.safetensors": [["train", "--resume", "h-0001", "--set", "train.epochs=3", "--quiet"]],
}
#: Where the run itself must be as it was for the next damage.
WRITES = ("checkpoint.safetensors", "config.yaml", "metrics.json")


@pytest.fixture
def place(linreg, tmp_path) -> Path:
    """A folder with a config, two tables and two runs."""
    import pyarrow.csv as pcsv
    import pyarrow.parquet as pq

    (tmp_path / "c.yaml").write_text(CONFIG)
    (tmp_path / "t.csv").write_text(TABLE)
    pq.write_table(pcsv.read_csv(tmp_path / "t.csv"), tmp_path / "t.parquet")
    for _ in range(2):
        assert linreg("train", "-c", "c.yaml").code == 0
    for previous in tmp_path.rglob("checkpoint.previous.safetensors"):
        previous.unlink()  # else every damage to the newest one would be mended by it
    return tmp_path


def damaged(chance: random.Random, content: bytes) -> bytes:
    """One of many ways in which bytes go wrong."""
    where, other = chance.randrange(len(content)), chance.randrange(len(content))
    first, last = min(where, other), max(where, other)
    flipped = bytearray(content)
    match chance.randrange(7):
        case 0 | 1:
            flipped[where] ^= 1 << chance.randrange(8)
        case 2:
            flipped[where] = chance.choice(b"\x00\xff\x80\"'{}[]:,-&*!|>%@#\n\t 0123456789eEnN")
        case 3:
            return content[:where]
        case 4:
            return content[:first] + content[last:]
        case 5:
            return content[:last] + content[first:last] + content[last:]
        case 6:
            for _ in range(chance.randrange(1, 20)):
                flipped[chance.randrange(len(flipped))] = chance.randrange(256)
    return bytes(flipped)


def check(result, command, content) -> None:
    assert result.code in CODES, (command, content, result.err)
    assert "Traceback" not in result.err, (command, content)
    assert result.code == 0 or any(line.startswith("error: ") for line in result.err.splitlines()), (command, content)
    for line in result.messages:
        assert line.startswith(("error: ", "warning: ", "    ")), (command, content, line)


def damage_many(linreg, place: Path, name: str, times: int) -> None:
    run = place / "outputs" / "h-0001"
    path = place / name if (place / name).exists() else run / name
    # With digests every damage to the model is found at once; its readers have to stand it too.
    text = (run / "run.json").read_text()
    assert '"digests"' in text
    (run / "run.json").write_text(text.replace('"digests"', '"no_digests"'))
    shutil.copytree(run, place / "kept")
    good, codes = path.read_bytes(), set()
    chance = random.Random(name)
    for _ in range(times):
        content = damaged(chance, good)
        path.write_bytes(content)
        command = chance.choice(READERS[name])
        result = linreg(*command)
        check(result, command, content)
        codes.add(result.code)
        path.write_bytes(good)
        if name in WRITES and result.code == 0:
            shutil.rmtree(run)
            shutil.copytree(place / "kept", run)
        for extra in (place / "outputs").glob("h-000[3-9]"):
            shutil.rmtree(extra)
    assert codes - {0}, "some damage must have been found"


@pytest.mark.parametrize("name", list(READERS))
def test_a_damaged_file_is_success_or_a_clean_error(linreg, place, name):
    damage_many(linreg, place, name, 30)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(READERS))
def test_a_thousand_damaged_files(linreg, place, name):
    damage_many(linreg, place, name, 1000)


@pytest.mark.parametrize("name", ["model.safetensors", "preprocess.json"])
def test_no_damage_to_a_model_goes_unseen(linreg, place, name):
    path, chance = place / "outputs" / "h-0001" / name, random.Random(0)
    good = path.read_bytes()
    for _ in range(30):
        content = damaged(chance, good)
        path.write_bytes(content)
        assert linreg("predict", "h-0001", "--data", "t.csv").code == (0 if content == good else 6)


TEXTS = st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))


def anything(linreg, place: Path, content: bytes) -> None:
    for name, command in [
        ("c2.yaml", ["validate", "c2.yaml"]),
        ("t2.csv", ["train", "-c", "c.yaml", "--set", "data.path=t2.csv", "--quiet"]),
        ("t2.parquet", ["train", "-c", "c.yaml", "--set", "data.path=t2.parquet", "--quiet"]),
    ]:
        (place / name).write_bytes(content)
        check(linreg(*command), command, content)


LARGE = settings(deadline=None, max_examples=700, suppress_health_check=list(HealthCheck))


@settings(deadline=None, max_examples=20, suppress_health_check=list(HealthCheck))
@given(content=TEXTS)
@example(content=b"")
@example(content=b"y,a\n1,1e400\n")
@example(content=b"y,a\n" + b"[" * 5000)
@example(content=b"\xef\xbb\xbfy,a\n1,2\n2,3\n3,4\n5,6\n")
@example(content=b"PAR1" + b"\xff" * 20 + b"PAR1")
@example(content=b"!!python/object/apply:os.system ['touch touched']")
@example(content=b"a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]\n")
def test_anything_for_a_config_or_a_table(linreg, place, content):
    anything(linreg, place, content)
    assert not (place / "touched").exists()


@pytest.mark.slow
@LARGE
@given(content=TEXTS)
def test_much_more_of_anything(linreg, place, content):
    anything(linreg, place, content)


@pytest.mark.parametrize("name", ["run.json", "config.yaml", "model.safetensors", "metrics.json", "history.csv"])
@pytest.mark.parametrize("how", ["missing", "empty", "a folder", "a pipe", "a link to itself"])
def test_a_malformed_run_folder_is_named_and_the_others_are_listed(linreg, place, name, how):
    path = place / "outputs" / "h-0001" / name
    path.unlink()
    match how:
        case "empty":
            path.write_bytes(b"")
        case "a folder":
            path.mkdir()
        case "a pipe":
            os.mkfifo(path)
        case "a link to itself":
            path.symlink_to(path)
    commands = [["runs", "list"], ["runs", "show", "h-0001"], ["evaluate", "h-0001"]]
    commands += [["runs", "diff", "h-0001", "h-0002"], ["plot", "h-0001", "--kind", "loss", "-o", "p"]]
    commands += [["train", "--resume", "h-0001"]]
    for command in commands:
        check(linreg(*command), command, how)
    listed = linreg("runs", "list", "--json")
    assert listed.code == 0
    runs = [row["run"] for row in listed.json["runs"]]
    assert runs == (["h-0002"] if name == "run.json" else ["h-0001", "h-0002"])
    assert ("h-0001" in listed.err) == (name == "run.json")
    if name == "run.json":
        assert linreg("evaluate", "h-0001").code == 6


@pytest.mark.parametrize("name", [*sorted({*READERS} - {"c.yaml", "t.csv", "t.parquet"}), ".owner", "report.html"])
def test_a_pipe_in_place_of_a_file_of_a_run_is_never_waited_for(linreg, place, name):
    """Neither to read nor to write."""
    path = place / "outputs" / "h-0001" / name
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    commands = [*READERS.get(name, []), ["report", "h-0001"], ["runs", "label", "h-0001", "new"]]
    commands += [["train", "--resume", "h-0001", "--set", "train.epochs=4"], ["plot", "h-0001"]]
    said = ""
    for command in commands:
        result = linreg(*command)
        check(result, command, name)
        said += result.err
    # The file with the owner is for messages only. A resumed run replaces its results, which is why they come first.
    assert ("it is a pipe and not a file" in said) == (name != ".owner"), said
