"""Which rows each step sees."""

import math

import numpy as np
import pytest
import torch

from linreg_cli.config.schema import Config
from linreg_cli.optim.losses import Loss
from linreg_cli.optim.plan import StepPlan
from linreg_cli.optim.row_order import Blocks, Full, Given


def make_plan(
    n_samples: int, batch_size: int, *, shuffle: bool = True, seed: int = 0, n_blocks: int | None = None
) -> StepPlan:
    return StepPlan(
        n_samples=n_samples,
        batch_size=batch_size,
        epochs=4,
        shuffle=shuffle,
        seed=seed,
        loss=Loss("mse"),
        learning_rate=lambda _: 0.1,
        n_blocks=n_blocks,
    )


@pytest.mark.parametrize(("n_samples", "batch_size"), [(2, 1), (10, 3), (1000, 999), (65, 64)])
def test_each_order_is_a_permutation_and_each_epoch_has_its_own(n_samples, batch_size):
    plan = make_plan(n_samples, batch_size)
    orders = [plan.row_order(epoch) for epoch in range(20)]
    for order in orders:
        assert order.dtype == torch.int64
        assert torch.equal(order.sort().values, torch.arange(n_samples))
    assert len({tuple(order.tolist()) for order in orders}) == (2 if n_samples == 2 else 20)


def test_the_order_is_a_function_of_seed_and_epoch():
    first, again, other = make_plan(100, 10), make_plan(100, 7), make_plan(100, 10, seed=1)
    state = torch.get_rng_state()
    late = first.row_order(3)
    torch.manual_seed(99)
    # Neither what was asked before, nor the batch size, nor torch's global state matters.
    assert torch.equal(again.row_order(3), late)
    assert not torch.equal(other.row_order(3), late)
    torch.set_rng_state(state)
    first.row_order(5)
    assert torch.equal(torch.get_rng_state(), state), "the global generator was used"


def test_the_orders_of_a_seed_stay_what_they_were():
    """As torch 2.13 drew them for the first version of linreg: a later one can repeat and resume its runs."""
    assert Full(8, 0).of(0).tolist() == [1, 7, 4, 6, 3, 2, 5, 0]
    assert Full(8, 0).of(3).tolist() == [1, 7, 2, 3, 6, 5, 4, 0]
    assert Full(8, 1).of(0).tolist() == [6, 1, 0, 3, 2, 7, 5, 4]


def test_equal_orders_are_equal_values():
    plans = make_plan(100, 10), make_plan(100, 7), make_plan(100, 10, seed=1)
    assert plans[0].rows == plans[1].rows == Full(100, 0)
    assert plans[2].rows != plans[0].rows
    assert len({plan.rows for plan in plans}) == 2
    assert make_plan(100, 100).rows == make_plan(7, 3, shuffle=False).rows == Given()
    assert [Given().is_random, Full(3, 0).is_random] == [False, True]


@pytest.mark.parametrize(("n_samples", "batch_size"), [(7, 7), (7, 3), (12, 4)])
def test_a_step_is_located_by_its_number(n_samples, batch_size):
    plan = make_plan(n_samples, batch_size)
    every = [(epoch, batch) for epoch in range(plan.epochs) for batch in range(plan.steps_per_epoch)]
    assert [plan.locate(step) for step in range(plan.total_steps)] == every
    assert plan.locate(plan.total_steps) == (plan.epochs, 0)


@pytest.mark.parametrize("n_samples", [2, 3, 10, 65_536, 1_000_000, 3_000_001])
def test_an_order_of_narrow_integers_is_the_same_order(n_samples):
    for seed in (0, 7):
        plan = make_plan(n_samples, 1, seed=seed)
        narrow = plan.row_order(1, torch.int32)
        assert narrow.dtype == torch.int32
        assert torch.equal(narrow.long(), plan.row_order(1))


@pytest.mark.parametrize(("n_samples", "batch_size"), [(1, 1), (40, 1), (40, 7), (40, 39), (40, 40)])
@pytest.mark.parametrize("about", [{"shuffle": False}, {"shuffle": True}, {"shuffle": True, "n_blocks": 6}], ids=str)
def test_the_batches_of_steps_are_those_of_the_row_orders(n_samples, batch_size, about):
    plan = make_plan(n_samples, batch_size, **about)
    expected = []
    for epoch in range(plan.epochs):
        order = plan.row_order(epoch)
        order = np.arange(n_samples) if order is None else order.numpy()
        expected += [order[slice(*plan.batch_bounds(batch))].tolist() for batch in range(plan.steps_per_epoch)]
    for start, stop in ((0, plan.total_steps), (1, 3), (plan.steps_per_epoch - 1, plan.total_steps - 1), (2, 2)):
        assert [rows.tolist() for rows in plan.batches(start, stop)] == expected[start:stop]


def test_a_few_batches_draw_no_more_than_the_blocks_that_they_are_in(monkeypatch):
    plan, drawn, rows = make_plan(1_000, 10, n_blocks=20), [], Blocks.rows
    monkeypatch.setattr(Blocks, "rows", lambda self, *at: drawn.append(at) or rows(self, *at))
    assert sum(map(len, plan.batches(0, 3))) == 30
    assert len(drawn) == 1


def test_without_shuffling_the_order_is_the_given_one():
    assert [make_plan(10, 3, shuffle=False).row_order(epoch) for epoch in range(3)] == [None] * 3


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize(("n_samples", "batch_size"), [(1, 1), (7, 1), (7, 3), (7, 6), (7, 7), (12, 4), (12, 5)])
def test_batches_of_an_epoch_cover_each_row_once(n_samples, batch_size, shuffle):
    plan = make_plan(n_samples, batch_size, shuffle=shuffle)
    order = plan.row_order(2)
    order = torch.arange(n_samples) if order is None else order
    batches = [order[slice(*plan.batch_bounds(batch))] for batch in range(plan.steps_per_epoch)]
    assert sorted(torch.cat(batches).tolist()) == list(range(n_samples))
    assert [len(batch) for batch in batches[:-1]] == [batch_size] * (plan.steps_per_epoch - 1)
    assert 1 <= len(batches[-1]) <= batch_size
    assert plan.steps_per_epoch == math.ceil(n_samples / batch_size)
    assert plan.total_steps == 4 * plan.steps_per_epoch


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("batch_size", ["full", 9, 10, 10**9])
def test_a_full_or_larger_batch_is_every_row_as_given(batch_size, shuffle):
    config = Config.model_validate(
        {"data": {"source": "synthetic"}, "train": {"batch_size": batch_size, "shuffle": shuffle, "epochs": 3}}
    )
    plan = StepPlan.from_config(config, n_samples=9, n_columns=2)
    assert (plan.batch_size, plan.steps_per_epoch, plan.total_steps) == (9, 1, 3)
    assert plan.row_order(0) is None
    assert plan.batch_bounds(0) == (0, 9)


def test_every_setting_reaches_the_plan():
    config = Config.model_validate(
        {
            "seed": 5,
            "data": {"source": "synthetic"},
            "loss": "huber",
            "huber_delta": 2.5,
            "optimizer": {
                "lr": 0.5,
                "momentum": 0.9,
                "dampening": 0.1,
                "weight_decay": 0.2,
                "schedule": {"kind": "step", "step_size": 2, "gamma": 0.5},
            },
            "train": {"epochs": 6, "batch_size": 4, "shuffle": False},
        }
    )
    plan = StepPlan.from_config(config, n_samples=10, n_columns=2)
    assert (plan.n_samples, plan.batch_size, plan.epochs, plan.shuffle, plan.seed) == (10, 4, 6, False, 5)
    assert plan.loss == Loss("huber", 2.5)
    assert (plan.momentum, plan.dampening, plan.weight_decay, plan.nesterov) == (0.9, 0.1, 0.2, False)
    assert [plan.learning_rate(epoch) for epoch in range(5)] == [0.5, 0.5, 0.25, 0.25, 0.125]
