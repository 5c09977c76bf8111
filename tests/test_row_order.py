"""`train.shuffle: blocks`: what the order is, that it is the same everywhere, and that it shuffles well."""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from plain_loop import Case, assert_matches_the_loop, every_executor, partings
from scipy import stats

from linreg_cli.convergence.limits import fixed_order_limit, limits
from linreg_cli.convergence.problem import Problem
from linreg_cli.convergence.rates import SgdRule
from linreg_cli.least_squares.solve import least_squares
from linreg_cli.model import build_model
from linreg_cli.optim.engines.select import EXECUTORS
from linreg_cli.optim.losses import Loss
from linreg_cli.optim.plan import StepPlan
from linreg_cli.optim.row_order import Blocks, block_count
from linreg_cli.optim.rows import TrainRows
from linreg_cli.optim.state import TrainingState
from linreg_cli.runs.find import find_run


def test_words_are_those_of_philox_and_do_not_depend_on_which_are_drawn():
    """The known answers of Random123 (`kat_vectors`, philox4x64 10): counter and key of zeros."""
    words = np.random.Philox(key=0, counter=2**256 - 1).random_raw(4)  # numpy counts up before it draws
    assert [f"{word:016x}" for word in words] == [
        "16554d9eca36314c", "db20fe9d672d0fdc", "d7e772cee186176b", "7e68b68aec7ba23b",
    ]  # fmt: skip
    order = Blocks(1_000, seed=3, n_blocks=7)
    whole = order.block_of(0, 1_000)
    for start, stop in ((0, 1), (1, 2), (3, 4), (5, 777), (998, 1_000)):
        np.testing.assert_array_equal(order.block_of(start, stop), whole[start:stop])


@pytest.mark.parametrize("n_blocks", [1, 2, 7, 1_000])
@pytest.mark.parametrize("n_samples", [1, 2, 5, 1_024, 1_025])
def test_an_epoch_has_each_row_once_one_block_after_the_other(n_samples, n_blocks):
    order = Blocks(n_samples, seed=1, n_blocks=n_blocks)
    block = np.sort(order.block_of(0, n_samples))  # as the rows stand
    for epoch in (0, 1, 900):
        rows = order.of(epoch).numpy()
        np.testing.assert_array_equal(np.sort(rows), np.arange(n_samples))
        np.testing.assert_array_equal(np.sort(order.blocks(epoch)), np.arange(n_blocks))
        seen = block[rows]
        assert np.count_nonzero(np.diff(seen)) == len(np.unique(seen)) - 1
        np.testing.assert_array_equal(order.of(epoch, torch.int32).numpy(), rows)


def test_blocks_stay_and_their_order_and_that_of_their_rows_change_with_the_epoch():
    order = Blocks(400, seed=1, n_blocks=8)
    assert not np.array_equal(order.blocks(0), order.blocks(1))
    assert not np.array_equal(order.rows(0, 3), order.rows(1, 3))
    np.testing.assert_array_equal(np.sort(order.rows(0, 3)), np.sort(order.rows(1, 3)))
    other = Blocks(400, seed=2, n_blocks=8)
    assert not np.array_equal(order.block_of(0, 400), other.block_of(0, 400))


def test_the_train_split_stands_block_by_block_in_the_order_of_the_table(monkeypatch):
    """A block is a range of positions; its rows are those that a plain loop over the table puts into it."""
    order, rows = Blocks(400, seed=1, n_blocks=8), np.arange(1_000, 3_000, 5)
    block = order.block_of(0, 400)
    expected = [int(row) for b in range(8) for row, of in zip(rows, block, strict=True) if of == b]
    assert order.arranged(rows).tolist() == expected
    assert order.arranged(np.random.default_rng(0).permutation(rows)).tolist() == expected  # a split drawn at random
    assert [order.members(b).start for b in range(8)] == [0, *np.cumsum(np.bincount(block))[:-1]]
    monkeypatch.setattr("linreg_cli.optim.row_order.COUNTED_ROWS", 7)
    other = Blocks(400, seed=3, n_blocks=8)
    assert [len(other.members(b)) for b in range(8)] == np.bincount(other.block_of(0, 400)).tolist()


def test_every_block_and_every_place_is_as_probable():
    """Chi-squared tests at 1e-4, of fixed seeds: rows of each block, and where the first row of the table comes."""
    counts = np.bincount(Blocks(100_000, seed=0, n_blocks=50).block_of(0, 100_000), minlength=50)
    assert stats.chisquare(counts).pvalue > 1e-4
    places = np.zeros(10)
    for seed in range(2_000):
        order = Blocks(10, seed=seed, n_blocks=3)
        places[order.arranged(np.arange(10))[order.of(seed % 5)].tolist().index(0)] += 1
    assert stats.chisquare(places).pvalue > 1e-4


@every_executor(Case, optimizer=["plain", "nesterov"], batch_size=[1, 3, 7], blocks=[1, 4])
def test_every_executor_takes_the_steps_of_the_plain_loop(name, dtype, case):
    assert isinstance(case.plan().rows, Blocks)
    assert_matches_the_loop(case, name, dtype)


@every_executor(Case, batch_size=[3], blocks=[4])
def test_stopped_at_any_step_an_executor_goes_on_with_the_same_bits(name, dtype, case):
    plan = case.plan()
    whole = case.state(dtype)
    case.executor(name, dtype).run(plan, whole, 0, plan.total_steps)
    for step in partings(case.executor(name, dtype), plan):
        state = case.state(dtype)
        case.executor(name, dtype).run(plan, state, 0, step)
        case.executor(name, dtype).run(plan, state, step, plan.total_steps)
        for (key, value), (_, other) in zip(
            whole.model.named_parameters(), state.model.named_parameters(), strict=True
        ):
            assert torch.equal(value, other), (key, step)


def gaps(n_samples, n_blocks, seed, epochs=3):
    """The gap after each epoch on a table sorted by its target, in blocks, and with a permutation of all rows."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_samples, 3))
    y = X @ [[1.0], [-2.0], [0.5]] + 0.5 * rng.normal(size=(n_samples, 1))
    X, y = X[(by := np.argsort(y[:, 0]))], y[by]
    optimum = least_squares(X, y, bias=True, loss="mse")
    found = []
    for blocks in (n_blocks, None):
        plan = StepPlan(n_samples, 16, epochs, True, seed, Loss("mse"), lambda _: 0.01, n_blocks=blocks)
        model = build_model(3, 1, bias=True, dtype=torch.float64)
        state = TrainingState(model)
        stand = plan.rows.arranged(np.arange(n_samples))
        executor = EXECUTORS["native"](TrainRows(torch.from_numpy(X[stand]), torch.from_numpy(y[stand])))
        executor.run(plan, state, 0, plan.total_steps)
        weights, bias = (value.detach().numpy() for value in model.parameters())
        found.append(optimum.excess(weights.T, bias) / optimum.relative_to)
    return found


@pytest.mark.parametrize("n_blocks", [2, 10, 50])
def test_on_a_table_sorted_by_its_target_the_gap_is_that_of_a_permutation(n_blocks):
    """The gap is of the noise of the last steps, so that its geometric mean over seeds is compared: within twice."""
    found = np.log([gaps(4_000, n_blocks, seed) for seed in range(12)])
    ratio = float(np.exp(np.mean(found[:, 0] - found[:, 1])))
    assert ratio < 2


def test_the_number_of_blocks_follows_from_the_table_alone():
    """By hand: 5,000,000 x 17 in float32 are 340e6 bytes, 10.1 times 32 MiB; in float64 20.3 times."""
    assert [block_count(5_000_000, 17, size) for size in (4, 8)] == [11, 21]
    assert block_count(1, 1, 4) == 1


CONFIG = {
    "name": "o", "plots": False, "seed": 4,
    "data": {"source": "synthetic", "n_samples": 60, "weights": {"a": 1, "b": 2}, "noise_std": 0.5},
    "train": {"epochs": 3, "batch_size": 8, "shuffle": "blocks"},
}  # fmt: skip


def test_the_number_of_blocks_is_in_the_resolved_config_and_repeats_the_run(linreg, config_file, tmp_path):
    path = config_file(json.dumps(CONFIG))
    assert linreg("train", "-c", path, "--quiet").code == 0
    first = find_run(tmp_path / "outputs", "o-0001")
    assert "blocks: 1\n" in first.read("config.yaml").decode()
    assert linreg("train", "-c", first.path / "config.yaml", "--quiet").code == 0
    again, other = find_run(tmp_path / "outputs", "o-0002"), ("--set", "train.blocks=5")
    assert first.read("model.safetensors") == again.read("model.safetensors")
    assert linreg("train", "-c", path, "--quiet", *other).code == 0
    assert first.read("model.safetensors") != find_run(tmp_path / "outputs", "o-0003").read("model.safetensors")
    # the config whose null was filled in is that of the run
    result = linreg("train", "-c", path, "--resume", "o-0001", "--set", "train.epochs=5", "--quiet")
    assert result.code == 0, result.err
    result = linreg("train", "-c", path, "--resume", "o-0001", "--set", "train.blocks=2", "--quiet")
    assert result.code == 2
    assert "train.blocks: the run has 1" in result.err


def test_more_blocks_than_rows_are_refused_before_they_take_memory(linreg, config_file):
    path = config_file(json.dumps(CONFIG))
    result = linreg("train", "-c", path, "--set", "train.blocks=10000000000", "--quiet")
    assert result.code == 2
    assert "--set train.blocks=10000000000: train.blocks: 10,000,000,000 blocks are more than the" in result.err


@pytest.mark.parametrize(
    ("changes", "key", "remedy"),
    [
        ({"shuffle": True, "blocks": 4}, "train.blocks", "set train.shuffle: blocks"),
        ({"shuffle": False, "blocks": 4}, "train.blocks", "set train.shuffle: blocks"),
        ({"batch_size": "full"}, "train.shuffle", "or train.batch_size: 32"),
    ],
)
def test_settings_that_mean_nothing_are_refused_with_their_line_and_what_helps(
    linreg, config_file, changes, key, remedy
):
    config = CONFIG | {"train": CONFIG["train"] | changes}
    path = config_file(json.dumps(config, indent=1))
    result = linreg("validate", path)
    line = 1 + next(i for i, text in enumerate(path.read_text().splitlines()) if f'"{key.split(".")[1]}"' in text)
    assert result.code == 2
    assert f":{line}:" in result.err
    assert remedy in result.err


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("Blocks", "expected blocks, true or false, found the text 'Blocks'"),
        ("'no'", "expected blocks, true or false, found the text 'no'; write false"),
        ("1", "expected blocks, true or false, found 1"),
    ],
)
def test_another_word_is_refused_with_all_that_are_allowed(linreg, config_file, value, said):
    result = linreg("train", "-c", config_file(json.dumps(CONFIG)), "--set", f"train.shuffle={value}")
    assert (result.code, result.err.count("error:")) == (2, 1)
    assert f"train.shuffle: {said}\n" in result.err


def test_it_counts_as_a_random_order():
    """Its batches are other ones in each epoch: the limits are those of random batches, and there is no fixed order.

    The limit of the mean square is the sufficient one, as on the disk: the exact one needs the rows in memory.
    """
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 2)), rng.normal(size=(60, 1))
    plan = StepPlan(60, 8, 3, True, 0, Loss("mse"), lambda _: 0.01, n_blocks=5)
    start = np.zeros((2, 1)), np.zeros(1)
    found = [limits(Problem(each, X, y, ("a", "b"), start), SgdRule()) for each in (plan, replace(plan, n_blocks=None))]
    (one, mean_square, *others), (of_all, exact, *others_of_all) = found
    assert [one, *others] == [of_all, *others_of_all]
    assert "sufficient, not necessary" in mean_square.covers
    assert mean_square.rate <= exact.rate
    assert "is random" in fixed_order_limit(Problem(plan, X, y, ("a", "b"), start), SgdRule()).covers


def test_the_bits_do_not_depend_on_the_number_of_threads():
    code = """
import hashlib, torch
from linreg_cli.optim.row_order import Blocks
torch.set_num_threads(3)
print(hashlib.sha256(Blocks(50_000, 1, 9).of(3).numpy().tobytes()).hexdigest())
"""
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={**os.environ, "OMP_NUM_THREADS": "3"},
    )  # fmt: skip
    assert found.stdout.strip() == hashlib.sha256(Blocks(50_000, 1, 9).of(3).numpy().tobytes()).hexdigest()
