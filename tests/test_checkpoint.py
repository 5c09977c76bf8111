"""A damaged, missing or malicious checkpoint is found, and the run goes on from what is whole."""

import shutil
from pathlib import Path

import pytest
import resuming
from resuming import same

from linreg_cli.errors import StoreError
from linreg_cli.runs.checkpoint import CHECKPOINT_FILE, PREVIOUS_FILE, load_checkpoint
from linreg_cli.runs.store import RunFolder

# Fixtures of resuming.py: pytest finds them by their names in this module.
train = resuming.train
stop_at = resuming.stop_at


@pytest.fixture
def interrupted(train, stop_at, tmp_path) -> Path:
    """A run that was stopped in its third epoch, with two checkpoints: after the second epoch, and at the stop."""
    assert train(outputs="whole", sets=["train.checkpoint_every=2"]).code == 0
    stop_at(8)
    assert train(sets=["train.checkpoint_every=2"]).code == 143
    run = tmp_path / "outputs" / "r-0001"
    assert (run / PREVIOUS_FILE).exists()
    return run


def test_a_damaged_checkpoint_is_found_wherever_the_damage_is(interrupted):
    run, path = RunFolder(interrupted), interrupted / CHECKPOINT_FILE
    (interrupted / PREVIOUS_FILE).unlink()
    good = path.read_bytes()
    damaged = [good[:length] for length in range(0, len(good), 7)]
    for position in range(0, len(good), 3):
        flipped = bytearray(good)
        flipped[position] ^= 1 << position % 8
        damaged.append(bytes(flipped))
    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(StoreError, match=r"no intact checkpoint is left; train again|format .* (newer|older)"):
            load_checkpoint(run)
    path.write_bytes(good)
    assert load_checkpoint(run)[0] is not None


@pytest.mark.parametrize("damage", ["empty", "truncated", "flipped", "missing"])
def test_the_previous_checkpoint_is_used_with_a_warning(linreg, interrupted, tmp_path, damage):
    path = interrupted / CHECKPOINT_FILE
    good = path.read_bytes()
    match damage:
        case "empty":
            path.write_bytes(b"")
        case "truncated":
            path.write_bytes(good[: len(good) // 2])
        case "flipped":
            path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
        case "missing":
            path.unlink()
    result = linreg("train", "--resume", "r")
    assert result.code == 0, result.err
    if damage != "missing":
        assert f"{PREVIOUS_FILE} (step 6) is used instead" in result.err
    same(interrupted, tmp_path / "whole" / "r-0001")


def test_without_a_whole_checkpoint_there_is_advice(linreg, interrupted):
    for name in (CHECKPOINT_FILE, PREVIOUS_FILE):
        (interrupted / name).write_bytes((interrupted / name).read_bytes()[:-1])
    result = linreg("train", "--resume", "r")
    assert (result.code, "train again with 'linreg train -c" in result.err) == (6, True)


def test_a_run_without_any_checkpoint_begins_anew(linreg, interrupted, tmp_path):
    for name in (CHECKPOINT_FILE, PREVIOUS_FILE):
        (interrupted / name).unlink()
    assert linreg("train", "--resume", "r").code == 0
    same(interrupted, tmp_path / "whole" / "r-0001")


def test_a_moved_run_goes_on(linreg, interrupted, tmp_path):
    shutil.copytree(interrupted, tmp_path / "elsewhere")
    assert linreg("train", "--resume", tmp_path / "elsewhere").code == 0
    for name in ("model.safetensors", "predictions.csv"):
        assert (tmp_path / "elsewhere" / name).read_bytes() == (tmp_path / "whole" / "r-0001" / name).read_bytes()


def test_a_checkpoint_that_is_a_pickle_is_never_executed(linreg, interrupted, tmp_path):
    touched = tmp_path / "touched"
    (interrupted / CHECKPOINT_FILE).write_bytes(f"cposix\nsystem\n(S'touch {touched}'\ntR.".encode())
    (interrupted / PREVIOUS_FILE).unlink()
    assert linreg("train", "--resume", "r").code == 6
    assert not touched.exists()


def test_what_a_killed_writer_left_is_cleaned(linreg, interrupted, tmp_path):
    (interrupted / ".checkpoint.safetensors.123.tmp").write_bytes(b"half")
    (interrupted / ".owner").write_text("123\n")
    assert linreg("train", "--resume", "r").code == 0
    assert [path.name for path in interrupted.iterdir() if path.name.startswith(".")] == []


def test_a_flipped_model_is_found(linreg, train, tmp_path):
    assert train().code == 0
    run = tmp_path / "outputs" / "r-0001"
    assert linreg("evaluate", "r").code == 0
    for name in ("model.safetensors", "preprocess.json"):
        good = (run / name).read_bytes()
        for position in range(0, len(good), 11):
            flipped = bytearray(good)
            flipped[position] ^= 1
            (run / name).write_bytes(flipped)
            result = linreg("evaluate", "r")
            assert (result.code, "its SHA-256 digest is not the one in run.json" in result.err) == (6, True)
        (run / name).write_bytes(good)
    assert linreg("evaluate", "r").code == 0
