"""The five losses against torch.nn.functional and numpy, in value and gradient."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from linreg_cli.optim import losses
from linreg_cli.optim.engines.reference import ReferenceExecutor, loss_over
from linreg_cli.optim.losses import Loss, chunk_rows
from linreg_cli.optim.plan import StepPlan
from linreg_cli.optim.rows import StoredRows, TrainRows
from linreg_cli.optim.state import TrainingState

DELTA = 0.7

#: The same losses from torch itself, of (prediction, target).
TORCH = {
    "mse": functional.mse_loss,
    "sse": lambda p, t: functional.mse_loss(p, t, reduction="sum"),
    "half_mse": lambda p, t: functional.mse_loss(p, t) / 2,
    "mae": functional.l1_loss,
    "huber": lambda p, t: functional.huber_loss(p, t, delta=DELTA),
}

#: and of residuals, written out in numpy.
NUMPY = {
    "mse": lambda e: np.mean(e**2),
    "sse": lambda e: np.sum(e**2),
    "half_mse": lambda e: np.mean(e**2 / 2),
    "mae": lambda e: np.mean(np.abs(e)),
    "huber": lambda e: np.mean(np.where(np.abs(e) <= DELTA, e**2 / 2, DELTA * (np.abs(e) - DELTA / 2))),
}

every_loss = pytest.mark.parametrize("name", TORCH)


def residuals(n_targets: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Predictions and targets whose residuals hold 0, both sides of the Huber bend, and the bend itself."""
    stream = torch.Generator().manual_seed(3)
    target = torch.randn(40, n_targets, generator=stream, dtype=torch.float64)
    error = 2 * torch.randn(40, n_targets, generator=stream, dtype=torch.float64)
    error[0], target[0] = 0.0, 0.0
    error[1], target[1] = DELTA, 0.0
    error[2], target[2] = -DELTA, 0.0
    return target + error, target


@every_loss
@pytest.mark.parametrize("n_targets", [1, 3])
def test_value_and_gradient_are_those_of_torch(name, n_targets):
    prediction, target = residuals(n_targets)
    ours, theirs = prediction.clone().requires_grad_(), prediction.clone().requires_grad_()
    value, expected = Loss(name, DELTA)(ours, target), TORCH[name](theirs, target)
    value.backward()
    expected.backward()
    # 120 float64 terms: a sum in another order differs by at most 120 eps = 3e-14 relative.
    assert value.item() == pytest.approx(expected.item(), rel=3e-14)
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-14, atol=0)


@every_loss
def test_value_is_the_formula_written_in_numpy(name):
    prediction, target = residuals(2)
    value = Loss(name, DELTA)(prediction, target).item()
    assert value == pytest.approx(NUMPY[name]((prediction - target).numpy()), rel=3e-14)


def test_the_half_is_where_the_names_say():
    """Residuals 2 and 0: squares 4 and 0."""
    prediction, target = torch.tensor([[3.0], [1.0]]), torch.tensor([[1.0], [1.0]])
    values = {name: Loss(name)(prediction, target).item() for name in TORCH}
    assert values == {"mse": 2.0, "sse": 4.0, "half_mse": 1.0, "mae": 1.0, "huber": 0.75}


@every_loss
@pytest.mark.parametrize(
    ("prediction", "target"), [((4, 1), (4,)), ((4,), (4,)), ((4, 1), (1, 4)), ((4, 1), (1, 1)), ((4, 2), (4, 1))]
)
def test_nothing_is_broadcast(name, prediction, target):
    with pytest.raises(ValueError, match="shapes differ"):
        Loss(name)(torch.zeros(prediction), torch.zeros(target))


@every_loss
@pytest.mark.parametrize("n_targets", [1, 2])
def test_over_is_the_float64_value_of_float32_data_across_chunks(name, n_targets, monkeypatch):
    """The model's output is float32; everything after it must be float64, whatever the chunks."""
    monkeypatch.setattr(losses, "CHUNK_ROWS", 1000)
    stream = torch.Generator().manual_seed(5)
    X = torch.randn(3 * 1000 + 17, 3, generator=stream)
    y = 1e4 + torch.randn(len(X), n_targets, generator=stream)
    model = nn.Sequential(nn.Linear(3, n_targets))
    with torch.no_grad():
        error = model(X).numpy().astype(np.float64) - y.numpy().astype(np.float64)
    # The matrix product of a chunk may round an element differently from the whole product's: one float32 ulp of
    # outputs near 1 (1.2e-7) against residuals near 1e4, so 1.2e-11 relative, twice that for squares.
    assert Loss(name, DELTA).over(model, X, y) == pytest.approx(NUMPY[name](error), rel=3e-11)


def test_over_does_not_lose_small_terms_as_float32_would():
    """200,000 residuals of 1 and one of 5000: float32 running sums would round the ones away in part."""
    y = torch.ones(200_001, 1)
    y[0] = 5000.0
    model = nn.Sequential(nn.Linear(1, 1))
    nn.init.zeros_(model[0].weight)
    nn.init.zeros_(model[0].bias)
    assert Loss("sse").over(model, torch.zeros_like(y), y) == 25_000_000 + 200_000


def test_over_adds_up_for_sse_and_averages_for_mse():
    X, y = torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([[2.0], [4.0], [9.0]])
    model = nn.Sequential(nn.Linear(1, 1, bias=False))
    nn.init.ones_(model[0].weight)
    assert Loss("sse").over(model, X, y) == 1 + 4 + 36
    assert Loss("mse").over(model, X, y) == 41 / 3


@pytest.mark.parametrize("n_features", [131, 150, 301])
def test_blocks_of_a_wide_table_in_memory_have_the_bits_of_those_on_the_disk(n_features, monkeypatch):
    """Rows of a matrix begin at multiples of 4 bytes, a file is read to multiples of 64: a product has other bits."""
    monkeypatch.setattr(losses, "CHUNK_NUMBERS", 2**14)
    stream = torch.Generator().manual_seed(5)
    X, y = torch.randn(1_000, n_features, generator=stream), torch.randn(1_000, 1, generator=stream)
    stored = StoredRows.empty(len(X), n_features, 1, "float32")
    stored.write(0, TrainRows(X, y))
    plan, found = StepPlan(len(X), len(X), 3, False, 7, Loss("mse"), lambda epoch: 0.01), []
    for rows in (TrainRows(X, y), stored):
        state = TrainingState(nn.Sequential(nn.Linear(n_features, 1)))
        for each in state.model.parameters():
            each.data.fill_(0.1)
        taken = ReferenceExecutor(rows).run(plan, state, 0, 3)
        found.append((taken.tolist(), loss_over(rows, plan.loss, state.model)))
    assert found[0] == found[1]


def test_blocks_begin_at_multiples_of_64_bytes_and_are_no_larger_than_they_may_be():
    for n_features in (1, 127, 128, 129, 1_001, 4_999, 100_003):
        n_rows = chunk_rows(n_features)
        assert n_rows * n_features * 4 % 64 == 0
        assert n_rows <= losses.CHUNK_ROWS
        assert n_rows == 16 or n_rows * n_features <= losses.CHUNK_NUMBERS
