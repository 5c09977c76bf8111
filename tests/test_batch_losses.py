"""The losses of the batches that a run keeps."""

import csv
import json

import numpy as np
import pytest

from linreg_cli.optim.batch_losses import MAX_BINS, BatchLosses


def kept(losses, pieces=(), total=None):
    found, at = BatchLosses(total or len(losses)), 0
    for stop in (*pieces, len(losses)):
        found.add(at, losses[at:stop])
        at = stop
    return found.points()


def test_a_short_run_keeps_every_loss():
    losses = np.random.default_rng(0).random(MAX_BINS)
    assert kept(losses).tolist() == [[step, loss] for step, loss in enumerate(losses.tolist())]


@pytest.mark.parametrize("n", [MAX_BINS + 1, 31_250, 100_003])
def test_a_long_run_keeps_the_extremes_of_each_group_of_steps(n):
    losses = np.random.default_rng(1).random(n)
    losses[[n // 3, n - 1]] = 9.0, -9.0
    points = kept(losses)
    assert len(points) <= 2 * MAX_BINS
    assert [*points[points[:, 1].argmax()], *points[points[:, 1].argmin()]] == [n // 3, 9.0, n - 1, -9.0]
    width = 2
    while -(-n // width) > MAX_BINS:
        width *= 2
    expected = set()
    for start in range(0, n, width):  # by hand
        group = losses[start : start + width]
        expected |= {(start + int(group.argmin()), group.min()), (start + int(group.argmax()), group.max())}
    assert {tuple(point) for point in points} == expected


def test_the_points_do_not_depend_on_the_pieces_that_training_takes():
    losses = np.random.default_rng(2).random(40_000)
    pieces = np.unique(np.random.default_rng(3).integers(1, 40_000, 300))
    assert np.array_equal(kept(losses, pieces), kept(losses))


def test_a_run_that_goes_on_longer_keeps_what_it_would_have_kept_from_the_start():
    losses = np.random.default_rng(4).random(30_000)
    more = BatchLosses(30_000)
    more.restore(kept(losses[:7_001], total=8_000))
    more.add(7_001, losses[7_001:])
    assert np.array_equal(more.points(), kept(losses))


def test_losses_that_are_not_finite_are_left_out():
    assert kept(np.array([2.0, np.nan, 1.0, np.inf])).tolist() == [[0, 2.0], [2, 1.0]]
    assert BatchLosses(5).text() == "step,loss\n"


CONFIG = """
data: {source: inline, columns: [x, y], rows: [[1, 3], [2, 4], [3, 8], [4, 9], [5, 10]]}
model: {init: {weight: 0, bias: 0}}
optimizer: {lr: 0.01}
train: {epochs: EPOCHS, batch_size: 2, shuffle: false, dtype: float64}
plots: false
"""


def points_of(run):
    with open(f"{run}/batches.csv", newline="") as file:
        return [(int(row["step"]), float(row["loss"])) for row in csv.DictReader(file)]


def by_hand(epochs):
    """Gradient descent on the batches (1, 2), (3, 4), (5), written out."""
    x, y, w, b, found = np.arange(1.0, 6.0), np.array([3.0, 4.0, 8.0, 9.0, 10.0]), 0.0, 0.0, []
    for step in range(3 * epochs):
        rows = [[0, 1], [2, 3], [4]][step % 3]
        error = w * x[rows] + b - y[rows]
        found.append((step, np.mean(error**2)))
        w, b = w - 0.01 * np.mean(2 * error * x[rows]), b - 0.01 * np.mean(2 * error)
    return found


@pytest.mark.parametrize("engine", ["reference", "native"])
def test_a_run_keeps_the_losses_before_each_update(linreg, config_file, engine):
    config = config_file(CONFIG.replace("EPOCHS", "4"))
    run = linreg("train", "-c", config, "--set", f"train.engine={engine}", "--json").json
    assert np.allclose(points_of(run["path"]), by_hand(4), rtol=1e-12, atol=0)


def test_a_resumed_run_has_the_batches_of_one_that_was_not_stopped(linreg, config_file):
    config = config_file(CONFIG.replace("EPOCHS", "4"))
    assert linreg("train", "-c", config, "--name", "a").code == 0
    assert linreg("train", "--resume", "a", "--set", "train.epochs=7").code == 0
    assert linreg("train", "-c", config, "--set", "train.epochs=7", "--name", "b").code == 0
    assert points_of("outputs/a-0001") == points_of("outputs/b-0001")


def test_with_the_full_batch_they_would_be_the_history_and_are_not_kept(linreg, config_file, tmp_path):
    config = config_file(CONFIG.replace("EPOCHS", "4"))
    run = linreg("train", "-c", config, "--set", "train.batch_size=full", "--json").json
    assert not (tmp_path / run["path"] / "batches.csv").exists()


def test_the_picture_of_the_steps_draws_them_behind_the_loss(linreg, config_file):
    config = config_file(CONFIG.replace("EPOCHS", "4"))
    assert linreg("train", "-c", config, "--name", "a").code == 0
    for x, count in (("step", 1), ("epoch", 0)):
        assert linreg("plot", "a", "--kind", "loss", "--x", x, "--format", "svg", "-o", x).code == 0
        with open(f"{x}/loss.svg", encoding="utf-8") as file:
            assert file.read().count('id="batches"') == count


def test_sums_of_errors_are_not_drawn_beside_that_of_all_rows(linreg, config_file):
    config = config_file(CONFIG.replace("EPOCHS", "4"))
    assert linreg("train", "-c", config, "--set", "loss=sse", "--name", "a").code == 0
    assert linreg("plot", "a", "--kind", "loss", "--x", "step", "--format", "svg", "-o", "p").code == 0
    with open("p/loss.svg", encoding="utf-8") as file:
        assert 'id="batches"' not in file.read()


def test_a_run_of_an_older_version_has_none_and_is_drawn_all_the_same(linreg, config_file, tmp_path):
    config = config_file(CONFIG.replace("EPOCHS", "4"))
    assert linreg("train", "-c", config, "--name", "a").code == 0
    (tmp_path / "outputs" / "a-0001" / "batches.csv").unlink()
    assert linreg("plot", "a", "--kind", "loss", "--x", "step").code == 0
    (tmp_path / "outputs" / "a-0001" / "batches.csv").write_text("a,b\n1,2\n")
    result = linreg("plot", "a", "--kind", "loss", "--x", "step", "--json")
    assert (result.code, "batches.csv" in json.dumps(result.json)) == (6, True)
